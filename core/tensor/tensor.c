/* SPDX-License-Identifier: MIT */
/* Tensors as schemes see them: which axes are in and out, and the fans that follow. Not a buffer
 * and not a shard: shapes are those of the whole tensor. A packed weight (query, key and value
 * in one) has no fans of its own; the plan asks for those of each block's shape. */
#include "core/tensor/tensor.h"

#include <stdio.h>
#include <string.h>

#include "core/base/error.h"

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

static enum sow_status fail_shape(const struct sow_tensor *tensor, const char *rule,
                                  const char *way_out, struct sow_error *error)
{
    return sow_fail(error, SOW_E_SHAPE, "%s, the shape is %s; %s", rule,
                    sow_shape_text(tensor->shape, tensor->rank).text, way_out);
}

/* Kind and rank fit; sizes are not looked at. */
static enum sow_status check_kind(const struct sow_tensor *tensor, struct sow_error *error)
{
    const char *vectors = "use zeros, ones or constant for vectors";
    if (tensor->rank > SOW_RANK_MAX) {
        return sow_fail(error, SOW_E_SHAPE, "a tensor has at most %d dimensions, not %u",
                        SOW_RANK_MAX, tensor->rank);
    }
    if (tensor->kind == SOW_KIND_CONV && tensor->rank < 3) {
        return fail_shape(tensor, "a convolution needs 1 to 3 kernel sizes next to its channels",
                          "say linear when it has none", error);
    }
    if (tensor->rank < 2) {
        return fail_shape(tensor, "fan_in needs a weight of rank >= 2", vectors, error);
    }
    switch (tensor->kind) {
    case SOW_KIND_CONV:
        return SOW_OK;
    case SOW_KIND_LINEAR:
        return tensor->rank == 2 ? SOW_OK
                                 : fail_shape(tensor, "a linear weight has rank 2",
                                              "say conv, or give the shape of one block", error);
    case SOW_KIND_EMBEDDING:
        return tensor->rank == 2 ? SOW_OK
                                 : fail_shape(tensor, "an embedding is (rows, features)",
                                              "give it rank 2", error);
    case SOW_KIND_NORM:
    case SOW_KIND_BIAS:
        return fail_shape(tensor,
                          tensor->kind == SOW_KIND_NORM
                              ? "the scale of a normalisation has no fan_in"
                              : "a bias has no fan_in",
                          "use zeros, ones or constant", error);
    case SOW_KIND_BUFFER:
        return fail_shape(tensor, "a buffer has no fan_in", "use zeros, ones or constant", error);
    case SOW_KIND_OTHER:
        break;
    }
    return fail_shape(
        tensor, "fan_in needs to know which axes are in and out",
        "say that the tensor is linear, conv or embedding, or use a scheme without fans", error);
}

static enum sow_status check_sizes(const struct sow_tensor *tensor, uint64_t out, uint64_t groups,
                                   struct sow_error *error)
{
    for (uint32_t axis = 0; axis < tensor->rank; axis++) {
        if (tensor->shape[axis] == 0) {
            return fail_shape(tensor, "a fan would be 0",
                              groups > 1
                                  ? "no size may be 0, and the groups must divide the channels"
                                  : "no size may be 0 (zeros draws an empty tensor)",
                              error);
        }
    }
    if (out % groups != 0) {
        return sow_fail(error, SOW_E_SHAPE,
                        "%llu groups do not divide %llu output channels, the shape is %s; "
                        "is the layout right?",
                        (unsigned long long)groups, (unsigned long long)out,
                        sow_shape_text(tensor->shape, tensor->rank).text);
    }
    return SOW_OK;
}

enum sow_status sow_tensor_fans(const struct sow_tensor *tensor, struct sow_fans *fans,
                                struct sow_error *error)
{
    enum sow_status status = check_kind(tensor, error);
    if (status != SOW_OK) {
        return status;
    }
    uint32_t last = tensor->rank - 1;
    int out_first = tensor->layout == SOW_LAYOUT_OUT_IN;
    uint64_t out = tensor->shape[out_first ? 0 : last];
    uint64_t in = tensor->shape[out_first ? 1 : last - 1];
    uint64_t groups = tensor->kind == SOW_KIND_CONV && tensor->groups > 0 ? tensor->groups : 1;
    status = check_sizes(tensor, out, groups, error);
    if (status != SOW_OK) {
        return status;
    }
    if (tensor->kind == SOW_KIND_EMBEDDING) {
        fans->in = 1;
        fans->out = (double)tensor->shape[1];
        return SOW_OK;
    }
    double field = 1; /* sizes of the kernel: every axis but in and out */
    for (uint32_t axis = out_first ? 2 : 0; axis < (out_first ? tensor->rank : last - 1); axis++) {
        field *= (double)tensor->shape[axis];
    }
    fans->in = (double)in * field;
    fans->out = (double)(out / groups) * field;
    return SOW_OK;
}
