/* SPDX-License-Identifier: MIT */
/* Whether the tensors of a layer of weights fit what goes in and comes out, whatever the order of their axes. */
#include "model/signal/network/shapes.h"

/* The size that a window leaves; 0 when it does not fit. */
static uint64_t slid(const struct sow_op_attributes *at, uint32_t axis, uint64_t size)
{
    uint64_t padded = size + 2 * at->padding[axis];
    if (at->stride[axis] == 0 || at->kernel[axis] == 0 || padded < at->kernel[axis]) {
        return 0;
    }
    return (padded - at->kernel[axis]) / at->stride[axis] + 1;
}

int sow_shape_windows(const struct sow_op_attributes *at, const struct sow_flow *in,
                      const struct sow_flow *out)
{
    for (uint32_t i = 0; i < at->spatial; i++) {
        if (slid(at, i, in->shape[i + 2]) != out->shape[i + 2]) {
            return 0;
        }
    }
    return 1;
}

/* ---- Projections ---------------------------------------------------------------------------- */

int sow_weight_turned(const struct sow_tensor *tensor)
{
    return tensor->layout == SOW_LAYOUT_IN_OUT ||
           (tensor->layout == SOW_LAYOUT_AXES && tensor->axes[0] == SOW_AXIS_IN);
}

/* The sizes of a matrix whose rows or columns may be a grid of axes, (in, heads, size); 0 when the axes are not such. */
static int matrix_of(const struct sow_tensor *tensor, uint64_t sizes[2])
{
    uint32_t cut = 1;
    while (tensor->layout == SOW_LAYOUT_AXES && cut < tensor->rank &&
           tensor->axes[cut] == tensor->axes[0]) {
        cut++;
    }
    sizes[0] = sizes[1] = 1;
    for (uint32_t i = 0; i < tensor->rank; i++) {
        sizes[i >= cut] *= tensor->shape[i];
        if (tensor->layout == SOW_LAYOUT_AXES &&
            (tensor->axes[i] == SOW_AXIS_KERNEL || tensor->axes[i] == SOW_AXIS_EACH ||
             (i > cut && tensor->axes[i] != tensor->axes[cut]))) {
            return 0;
        }
    }
    return cut < tensor->rank && (tensor->layout == SOW_LAYOUT_AXES || tensor->rank == 2);
}

/* The bias has an element for every output, in a grid where the weight's outputs are one. */
static int is_bias(const struct sow_shapes *s, uint32_t parameter, uint64_t outputs)
{
    const struct sow_tensor *tensor = sow_shape_tensor(s, parameter);
    uint64_t elements = 1;
    for (uint32_t i = 0; i < tensor->rank; i++) {
        elements *= tensor->shape[i];
    }
    return elements == outputs &&
           (tensor->rank == 1 || sow_shape_tensor(s, 0)->layout == SOW_LAYOUT_AXES);
}

static enum sow_status check_linear(const struct sow_shapes *s)
{
    uint64_t in = sow_shape_last(s->in), out = sow_shape_last(s->out), sizes[2];
    int turned = sow_weight_turned(sow_shape_tensor(s, 0));
    if (!sow_shape_same_but_last(s->in, s->out)) {
        return sow_shape_misfit(s, "a linear layer changes the last dimension only");
    }
    if (!matrix_of(sow_shape_tensor(s, 0), sizes) || sizes[turned] != out || sizes[!turned] != in) {
        return sow_shape_bad_tensor(s, 0);
    }
    if (s->node->parameter_count > 1 && !is_bias(s, 1, out)) {
        return sow_shape_bad_tensor(s, 1);
    }
    s->node->at.inputs = in;
    s->node->at.outputs = out;
    return SOW_OK;
}

static enum sow_status check_bilinear(const struct sow_shapes *s)
{
    const struct sow_tensor *weight = sow_shape_tensor(s, 0);
    const struct sow_flow *other = &s->network->flows[s->node->inputs[1]];
    uint64_t out = sow_shape_last(s->out);
    uint32_t bad = 0;
    if (!sow_shape_same_but_last(s->in, s->out) || !sow_shape_same_but_last(other, s->out)) {
        return sow_node_fail(s->node, SOW_E_SHAPE, s->error,
                             "its inputs %.120s and %.120s do not give %.120s: they differ in the "
                             "last dimension only",
                             sow_shape_text(s->in->shape, s->in->rank).text,
                             sow_shape_text(other->shape, other->rank).text,
                             sow_shape_text(s->out->shape, s->out->rank).text);
    }
    if (weight->rank != 3 || weight->layout != SOW_LAYOUT_OUT_IN || weight->shape[0] != out ||
        weight->shape[1] != sow_shape_last(s->in) || weight->shape[2] != sow_shape_last(other) ||
        !sow_shape_vectors(s, 1, out, &bad)) {
        return sow_shape_bad_tensor(s, bad);
    }
    return SOW_OK;
}

static enum sow_status check_embedding(const struct sow_shapes *s)
{
    struct sow_op_attributes *at = &s->node->at;
    const struct sow_tensor *weight = sow_shape_tensor(s, 0);
    if (weight->rank != 2 || weight->shape[1] != sow_shape_last(s->out)) {
        return sow_shape_bad_tensor(s, 0);
    }
    if (s->out->rank != s->in->rank + 1 ||
        memcmp(s->in->shape, s->out->shape, s->in->rank * sizeof s->in->shape[0]) != 0) {
        return sow_shape_misfit(s, "an embedding adds one dimension");
    }
    at->rows = weight->shape[0];
    at->features = weight->shape[1];
    return SOW_OK;
}

/* ---- Convolutions ---------------------------------------------------------------------------- */

/* Sizes by what the axes are; taps into the attributes. Inputs or outputs are those of one group. 0: other axes. */
static int conv_sizes(const struct sow_tensor *weight, struct sow_op_attributes *at,
                      uint64_t *inputs, uint64_t *outputs)
{
    int transposed = weight->kind == SOW_KIND_CONV_TRANSPOSE;
    uint32_t taps = 0;
    *inputs = *outputs = 1;
    for (uint32_t i = 0; i < weight->rank; i++) {
        enum sow_axis axis = sow_tensor_axis(weight, i);
        if (transposed && weight->layout != SOW_LAYOUT_AXES) {
            axis = i == 0 ? SOW_AXIS_IN : i == 1 ? SOW_AXIS_OUT : SOW_AXIS_KERNEL;
        }
        if (axis == SOW_AXIS_KERNEL && taps < SOW_SPATIAL_MAX) {
            at->kernel[taps] = weight->shape[i];
            taps++;
        } else if (axis == SOW_AXIS_IN) {
            *inputs *= weight->shape[i];
        } else if (axis == SOW_AXIS_OUT || axis == SOW_AXIS_EACH) {
            *outputs *= weight->shape[i];
        } else {
            return 0;
        }
    }
    return taps == at->spatial;
}

static enum sow_status check_conv(const struct sow_shapes *s)
{
    struct sow_op_attributes *at = &s->node->at;
    int transposed = s->node->op == SOW_OP_CONV_TRANSPOSE;
    uint64_t inputs, outputs;
    uint32_t bad = 0;
    if (at->spatial < 1 || at->spatial > SOW_SPATIAL_MAX || s->in->rank != at->spatial + 2 ||
        s->out->rank != s->in->rank || s->in->shape[0] != s->out->shape[0]) {
        return sow_shape_misfit(s, "a convolution takes [batch, channels, 1 to 3 sizes]");
    }
    uint64_t in = s->in->shape[1], out = s->out->shape[1];
    if (at->groups == 0 || in % at->groups != 0 || out % at->groups != 0) {
        return sow_shape_misfit(s, "its groups do not divide the channels");
    }
    if (!conv_sizes(sow_shape_tensor(s, 0), at, &inputs, &outputs) ||
        inputs != (transposed ? in : in / at->groups) ||
        outputs != (transposed ? out / at->groups : out) || !sow_shape_vectors(s, 1, out, &bad)) {
        return sow_shape_bad_tensor(s, bad);
    }
    /* a transposed one leads back: its windows lie on what it makes */
    int fits =
        transposed ? sow_shape_windows(at, s->out, s->in) : sow_shape_windows(at, s->in, s->out);
    return fits ? SOW_OK : sow_shape_misfit(s, "its window does not leave these sizes");
}

enum sow_status sow_shape_weights(const struct sow_shapes *s)
{
    switch (s->node->op) {
    case SOW_OP_LINEAR:
        return check_linear(s);
    case SOW_OP_BILINEAR:
        return check_bilinear(s);
    case SOW_OP_EMBEDDING:
        return check_embedding(s);
    default:
        return check_conv(s);
    }
}
