/* SPDX-License-Identifier: MIT */
/* How many numbers a weight sums up, for an output (fan_in) and for the gradient of an input (fan_out):
 * the true counts from what each axis is, and what each framework's function takes of the bare shape.
 * docs/layers.md derives them; tests/python/test_fans.py measures them on torch's layers. */
#include "core/tensor/tensor.h"

#include <stdio.h>
#include <string.h>

#include "core/base/error.h"

static enum sow_status fail_shape(const struct sow_tensor *tensor, const char *rule,
                                  const char *way_out, struct sow_error *error)
{
    return sow_fail(error, SOW_E_SHAPE, "%s, the shape is %s; %s", rule,
                    sow_shape_text(tensor->shape, tensor->rank).text, way_out);
}

/* ---- True fans ------------------------------------------------------------------------------ */

/* The products over the axes of each kind. */
struct counts {
    double in, out, taps, first_in;
    uint64_t stored_in, stored_out; /* of the last such axis, for messages */
};

static struct counts count_axes(const struct sow_tensor *tensor)
{
    struct counts counts = {1, 1, 1, 0, 1, 1};
    for (uint32_t axis = 0; axis < tensor->rank; axis++) {
        uint64_t size = tensor->shape[axis];
        switch (sow_tensor_axis(tensor, axis)) {
        case SOW_AXIS_IN:
            counts.first_in = counts.first_in > 0 ? counts.first_in : (double)size;
            counts.in *= (double)size;
            counts.stored_in = size;
            break;
        case SOW_AXIS_OUT:
            counts.out *= (double)size;
            counts.stored_out = size;
            break;
        case SOW_AXIS_KERNEL:
            counts.taps *= (double)size;
            break;
        case SOW_AXIS_EACH:
        case SOW_AXIS_NONE:
            break;
        }
    }
    return counts;
}

/* A layout that was not said and that sizes cannot tell. */
static enum sow_status fail_ambiguous(const struct sow_tensor *tensor, struct sow_error *error)
{
    if (tensor->kind == SOW_KIND_CONV_TRANSPOSE) {
        return fail_shape(
            tensor, "a transposed convolution is stored in more than one way",
            "say which: layout \"in-out-kernel-kernel\" (torch), "
            "\"kernel-kernel-out-in\" (Keras) or \"kernel-kernel-in-out\" (Flax), with "
            "as many kernel as it has",
            error);
    }
    return fail_shape(
        tensor,
        tensor->rank == 2 ? "a matrix can be read in two ways"
                          : "a linear weight of more than two axes can be read in several ways",
        "say which axis is what: layout \"each-out-in\" or \"each-in-out\" for stacked "
        "experts, \"in-out-out\" or \"in-in-out\" for attention heads; conv when it has "
        "kernel sizes",
        error);
}

static enum sow_status check_axes(const struct sow_tensor *tensor, struct sow_error *error)
{
    int known = 0;
    for (uint32_t axis = 0; axis < tensor->rank; axis++) {
        enum sow_axis is = sow_tensor_axis(tensor, axis);
        if (is == SOW_AXIS_NONE) {
            return fail_ambiguous(tensor, error);
        }
        known |= is == SOW_AXIS_OUT || is == SOW_AXIS_IN;
    }
    return known ? SOW_OK
                 : fail_shape(tensor, "a layout without an axis out or in has no fans",
                              "say which axis is what", error);
}

/* Kind and rank fit; sizes are not looked at. */
static enum sow_status check_kind(const struct sow_tensor *tensor, struct sow_error *error)
{
    int is_conv = tensor->kind == SOW_KIND_CONV || tensor->kind == SOW_KIND_CONV_TRANSPOSE;
    if (is_conv && tensor->rank < 3) {
        return fail_shape(tensor, "a convolution needs 1 to 3 kernel sizes next to its channels",
                          "say linear when it has none", error);
    }
    if (tensor->rank < 2) {
        return fail_shape(tensor, "fan_in needs a weight of rank >= 2",
                          "use zeros, ones or constant for vectors", error);
    }
    switch (tensor->kind) {
    case SOW_KIND_LINEAR:
        return tensor->rank == 2 || tensor->layout == SOW_LAYOUT_AXES
                   ? SOW_OK
                   : fail_ambiguous(tensor, error);
    case SOW_KIND_CONV:
    case SOW_KIND_CONV_TRANSPOSE:
        return SOW_OK;
    case SOW_KIND_EMBEDDING:
        return tensor->rank == 2 ? SOW_OK
                                 : fail_shape(tensor, "an embedding is (rows, features)",
                                              "give it rank 2", error);
    case SOW_KIND_BILINEAR:
        return tensor->rank == 3 ? SOW_OK
                                 : fail_shape(tensor, "a bilinear weight is (out, in1, in2)",
                                              "give it rank 3", error);
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

static enum sow_status check_sizes(const struct sow_tensor *tensor, uint64_t groups,
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
    /* The weight holds the other channels already divided. */
    int transposed = tensor->kind == SOW_KIND_CONV_TRANSPOSE;
    struct counts counts = count_axes(tensor);
    uint64_t whole = transposed ? counts.stored_in : counts.stored_out;
    if (groups > 1 && whole % groups != 0) {
        return sow_fail(error, SOW_E_SHAPE,
                        "%llu groups do not divide %llu %s channels, the shape is %s; "
                        "is the layout right?",
                        (unsigned long long)groups, (unsigned long long)whole,
                        transposed ? "input" : "output",
                        sow_shape_text(tensor->shape, tensor->rank).text);
    }
    return SOW_OK;
}

enum sow_status sow_tensor_fans(const struct sow_tensor *tensor, struct sow_fans *fans,
                                struct sow_error *error)
{
    if (tensor->rank > SOW_RANK_MAX) {
        return sow_fail(error, SOW_E_SHAPE, "a tensor has at most %d dimensions, not %u",
                        SOW_RANK_MAX, tensor->rank);
    }
    int transposed = tensor->kind == SOW_KIND_CONV_TRANSPOSE;
    int is_conv = transposed || tensor->kind == SOW_KIND_CONV;
    uint64_t groups = is_conv && tensor->groups > 0 ? tensor->groups : 1;
    uint64_t stride = is_conv && tensor->stride > 0 ? tensor->stride : 1;
    enum sow_status status = check_kind(tensor, error);
    if (status == SOW_OK && tensor->kind != SOW_KIND_EMBEDDING) {
        status = check_axes(tensor, error);
    }
    if (status == SOW_OK) {
        status = check_sizes(tensor, groups, error);
    }
    if (status != SOW_OK) {
        return status;
    }
    if (tensor->kind == SOW_KIND_EMBEDDING) {
        *fans = (struct sow_fans){1, (double)tensor->shape[1]};
        return SOW_OK;
    }
    struct counts counts = count_axes(tensor);
    if (tensor->kind == SOW_KIND_BILINEAR) {
        *fans = (struct sow_fans){counts.in, counts.out * (counts.in / counts.first_in)};
        return SOW_OK;
    }
    *fans = (struct sow_fans){counts.in * counts.taps, counts.out * counts.taps};
    *(transposed ? &fans->in : &fans->out) /= (double)groups * (double)stride;
    return SOW_OK;
}

/* ---- The frameworks' ------------------------------------------------------------------------- */

const char *sow_fan_rule_name(size_t rule)
{
    static const char *const names[SOW_FAN_RULES] = {"true", "torch", "keras", "jax"};
    return rule < SOW_FAN_RULES ? names[rule] : NULL;
}

/* `out` and `in` are axes of the shape; all others are a kernel. */
static struct sow_fans shape_fans(const uint64_t *shape, uint32_t rank, uint32_t in, uint32_t out)
{
    double field = 1;
    for (uint32_t axis = 0; axis < rank; axis++) {
        field *= axis == in || axis == out ? 1 : (double)shape[axis];
    }
    return (struct sow_fans){(double)shape[in] * field, (double)shape[out] * field};
}

enum sow_status sow_tensor_fans_by(const struct sow_tensor *tensor, enum sow_fan_rule rule,
                                   struct sow_fans *fans, struct sow_error *error)
{
    if (rule == SOW_FAN_TRUE || tensor->rank > SOW_RANK_MAX) {
        return sow_tensor_fans(tensor, fans, error);
    }
    uint64_t shape[SOW_RANK_MAX];
    uint32_t rank = tensor->rank;
    memcpy(shape, tensor->shape, sizeof shape);
    if (tensor->packed > 0 && tensor->packed_axis < rank) {
        shape[tensor->packed_axis] = tensor->packed;
    }
    if (rank < 2 && rule != SOW_FAN_KERAS) {
        return fail_shape(tensor,
                          rule == SOW_FAN_TORCH
                              ? "torch.nn.init takes no fans of fewer than 2 dimensions"
                              : "jax.nn.initializers take no fans of fewer than 2 dimensions",
                          "use zeros, ones or constant for vectors", error);
    }
    for (uint32_t axis = 0; axis < rank; axis++) {
        if (shape[axis] == 0) {
            return fail_shape(tensor, "a fan would be 0", "no size may be 0", error);
        }
    }
    if (rank < 2) {
        double size = rank == 0 ? 1 : (double)shape[0];
        *fans = (struct sow_fans){size, size};
    } else {
        *fans = rule == SOW_FAN_TORCH ? shape_fans(shape, rank, 1, 0)
                                      : shape_fans(shape, rank, rank - 2, rank - 1);
    }
    return SOW_OK;
}
