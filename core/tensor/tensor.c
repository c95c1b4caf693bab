/* SPDX-License-Identifier: MIT */
/* Tensors as schemes see them, made from their sizes. Not a buffer and not a shard: shapes are those
 * of the whole tensor. Which axis is what is layout.c, the fans that follow are fans.c. */
#include "core/tensor/tensor.h"

#include <stdio.h>
#include <string.h>

#define SPATIAL_MAX 3

static struct sow_tensor matrix(uint64_t rows, uint64_t columns, enum sow_kind kind,
                                enum sow_layout layout)
{
    struct sow_tensor tensor = {.rank = 2, .kind = kind, .layout = layout, .groups = 1};
    tensor.shape[0] = rows;
    tensor.shape[1] = columns;
    return tensor;
}

struct sow_tensor sow_tensor_linear(uint64_t out, uint64_t in)
{
    return matrix(out, in, SOW_KIND_LINEAR, SOW_LAYOUT_OUT_IN);
}

struct sow_tensor sow_tensor_linear_in_out(uint64_t in, uint64_t out)
{
    return matrix(in, out, SOW_KIND_LINEAR, SOW_LAYOUT_IN_OUT);
}

struct sow_tensor sow_tensor_embedding(uint64_t rows, uint64_t features)
{
    return matrix(rows, features, SOW_KIND_EMBEDDING, SOW_LAYOUT_OUT_IN);
}

/* What cannot be (channels that the groups do not divide, no or too many kernel sizes) leaves a
 * 0 in the shape or the rank, and sow_tensor_fans says so. */
struct sow_tensor sow_tensor_conv(uint64_t out, uint64_t in, const uint64_t *kernel,
                                  uint32_t spatial, uint64_t groups)
{
    uint64_t divisor = groups > 0 ? groups : 1;
    struct sow_tensor tensor = {.kind = SOW_KIND_CONV, .layout = SOW_LAYOUT_OUT_IN};
    tensor.groups = divisor;
    if (spatial < 1 || spatial > SPATIAL_MAX || kernel == NULL) {
        return tensor;
    }
    tensor.rank = 2 + spatial;
    tensor.shape[0] = out;
    tensor.shape[1] = in % divisor == 0 ? in / divisor : 0;
    for (uint32_t axis = 0; axis < spatial; axis++) {
        tensor.shape[2 + axis] = kernel[axis];
    }
    return tensor;
}

struct sow_tensor sow_tensor_conv_transpose(uint64_t in, uint64_t out, const uint64_t *kernel,
                                            uint32_t spatial, uint64_t groups, uint64_t stride)
{
    struct sow_tensor tensor = sow_tensor_conv(in, out, kernel, spatial, groups);
    tensor.kind = SOW_KIND_CONV_TRANSPOSE;
    tensor.layout = SOW_LAYOUT_AXES;
    tensor.stride = stride;
    for (uint32_t axis = 0; axis < tensor.rank; axis++) {
        tensor.axes[axis] = axis == 0 ? SOW_AXIS_IN : axis == 1 ? SOW_AXIS_OUT : SOW_AXIS_KERNEL;
    }
    return tensor;
}

const char *sow_kind_name(enum sow_kind kind)
{
    static const char *const names[] = {"other", "linear", "conv",           "embedding", "norm",
                                        "bias",  "buffer", "conv_transpose", "bilinear"};
    return (size_t)kind < sizeof names / sizeof names[0] ? names[kind] : NULL;
}

struct sow_shape_text sow_shape_text(const uint64_t *shape, uint32_t rank)
{
    struct sow_shape_text out;
    size_t used = 1;
    out.text[0] = '[';
    for (uint32_t axis = 0; axis < rank; axis++) {
        char size[32];
        int length = snprintf(size, sizeof size, "%s%llu", axis > 0 ? ", " : "",
                              (unsigned long long)shape[axis]);
        if (used + (size_t)length + sizeof "...]" > sizeof out.text) {
            memcpy(out.text + used, "...", 3);
            used += 3;
            break;
        }
        memcpy(out.text + used, size, (size_t)length);
        used += (size_t)length;
    }
    out.text[used] = ']';
    out.text[used + 1] = '\0';
    return out;
}
