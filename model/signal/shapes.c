/* SPDX-License-Identifier: MIT */
/* Whether the shapes at an operation fit together, now that they are numbers: the prelude has checked them as far as
 * symbols let it. Fills what attributes leave to shapes: kernel sizes, spatial, the scale of attention. */
#include <string.h>

#include "core/base/elementary.h"
#include "core/tensor/tensor.h"
#include "model/signal/inside.h"

struct shapes {
    struct sow_node *node;
    const struct sow_network *network;
    const struct sow_plan *plan;
    struct sow_error *error;
    const struct sow_flow *in, *out; /* its first input (NULL: none), and what it makes */
};

static enum sow_status misfit(const struct shapes *s, const char *what)
{
    const struct sow_flow *in = s->in != NULL ? s->in : s->out;
    return sow_node_fail(s->node, SOW_E_SHAPE, s->error, "%s: it takes %.150s and makes %.150s",
                         what, sow_shape_text(in->shape, in->rank).text,
                         sow_shape_text(s->out->shape, s->out->rank).text);
}

static const struct sow_tensor *tensor_of(const struct shapes *s, uint32_t parameter)
{
    return &sow_plan_at(s->plan, s->node->parameters[parameter])->tensor;
}

static enum sow_status bad_tensor(const struct shapes *s, uint32_t parameter)
{
    const struct sow_plan_entry *entry = sow_plan_at(s->plan, s->node->parameters[parameter]);
    return sow_node_fail(s->node, SOW_E_SHAPE, s->error,
                         "its tensor %.150s of shape %.100s does not fit the value of shape %.100s",
                         entry->name, sow_shape_text(entry->tensor.shape, entry->tensor.rank).text,
                         sow_shape_text(s->out->shape, s->out->rank).text);
}

static uint64_t last_of(const struct sow_flow *flow)
{
    return flow->rank > 0 ? flow->shape[flow->rank - 1] : 1;
}

static int same_but_last(const struct sow_flow *a, const struct sow_flow *b)
{
    return a->rank == b->rank && a->rank > 0 &&
           memcmp(a->shape, b->shape, (a->rank - 1) * sizeof a->shape[0]) == 0;
}

static int same(const struct sow_flow *a, const struct sow_flow *b)
{
    return a->rank == b->rank && memcmp(a->shape, b->shape, a->rank * sizeof a->shape[0]) == 0;
}

/* Parameters from `first` on have `size` elements in one axis. */
static int are_vectors(const struct shapes *s, uint32_t first, uint64_t size, uint32_t *bad)
{
    for (uint32_t i = first; i < s->node->parameter_count; i++) {
        if (tensor_of(s, i)->rank != 1 || tensor_of(s, i)->shape[0] != size) {
            *bad = i;
            return 0;
        }
    }
    return 1;
}

static enum sow_status check_linear(const struct shapes *s)
{
    uint64_t in = last_of(s->in), out = last_of(s->out);
    const struct sow_tensor *weight = tensor_of(s, 0);
    int turned = weight->layout == SOW_LAYOUT_IN_OUT;
    uint32_t bad = 0;
    if (!same_but_last(s->in, s->out)) {
        return misfit(s, "a linear layer changes the last dimension only");
    }
    if (weight->rank != 2 || weight->shape[turned ? 1 : 0] != out ||
        weight->shape[turned ? 0 : 1] != in || !are_vectors(s, 1, out, &bad)) {
        return bad_tensor(s, bad);
    }
    s->node->at.inputs = in;
    s->node->at.outputs = out;
    return SOW_OK;
}

/* The size that a window leaves; 0 when it does not fit. */
static uint64_t slid(const struct sow_op_attributes *at, uint32_t axis, uint64_t size)
{
    uint64_t padded = size + 2 * at->padding[axis];
    if (at->stride[axis] == 0 || at->kernel[axis] == 0 || padded < at->kernel[axis]) {
        return 0;
    }
    return (padded - at->kernel[axis]) / at->stride[axis] + 1;
}

static enum sow_status check_windows(const struct shapes *s)
{
    const struct sow_op_attributes *at = &s->node->at;
    for (uint32_t i = 0; i < at->spatial; i++) {
        if (slid(at, i, s->in->shape[i + 2]) != s->out->shape[i + 2]) {
            return misfit(s, "its window does not leave these sizes");
        }
    }
    return SOW_OK;
}

static enum sow_status check_conv(const struct shapes *s)
{
    struct sow_op_attributes *at = &s->node->at;
    const struct sow_tensor *weight = tensor_of(s, 0);
    int turned = weight->layout == SOW_LAYOUT_IN_OUT;
    uint32_t bad = 0;
    if (at->spatial < 1 || at->spatial > SOW_SPATIAL_MAX || s->in->rank != at->spatial + 2 ||
        s->out->rank != s->in->rank || s->in->shape[0] != s->out->shape[0]) {
        return misfit(s, "a convolution takes [batch, channels, 1 to 3 sizes]");
    }
    uint64_t in = s->in->shape[1], out = s->out->shape[1];
    if (at->groups == 0 || in % at->groups != 0 || out % at->groups != 0) {
        return misfit(s, "its groups do not divide the channels");
    }
    if (weight->rank != at->spatial + 2 ||
        weight->shape[turned ? at->spatial : 1] != in / at->groups ||
        weight->shape[turned ? at->spatial + 1 : 0] != out || !are_vectors(s, 1, out, &bad)) {
        return bad_tensor(s, bad);
    }
    for (uint32_t i = 0; i < at->spatial; i++) {
        at->kernel[i] = weight->shape[turned ? i : i + 2];
    }
    return check_windows(s);
}

/* Its kernel, stride and padding are said once, for all axes after the first two. */
static enum sow_status check_pool(const struct shapes *s)
{
    struct sow_op_attributes *at = &s->node->at;
    if (s->in->rank < 3 || s->in->rank > SOW_SPATIAL_MAX + 2 || s->out->rank != s->in->rank ||
        s->in->shape[0] != s->out->shape[0] || s->in->shape[1] != s->out->shape[1]) {
        return misfit(s, "a pool takes [batch, channels, 1 to 3 sizes]");
    }
    at->spatial = s->in->rank - 2;
    for (uint32_t i = 1; i < at->spatial; i++) {
        at->kernel[i] = at->kernel[0];
        at->stride[i] = at->stride[0];
        at->padding[i] = at->padding[0];
    }
    if (at->padding[0] * 2 > at->kernel[0]) {
        return misfit(s, "its padding is more than half its window");
    }
    return check_windows(s);
}

static enum sow_status check_embedding(const struct shapes *s)
{
    struct sow_op_attributes *at = &s->node->at;
    const struct sow_tensor *weight = tensor_of(s, 0);
    if (weight->rank != 2 || weight->shape[1] != last_of(s->out)) {
        return bad_tensor(s, 0);
    }
    if (s->out->rank != s->in->rank + 1 ||
        memcmp(s->in->shape, s->out->shape, s->in->rank * sizeof s->in->shape[0]) != 0) {
        return misfit(s, "an embedding adds one dimension");
    }
    at->rows = weight->shape[0];
    at->features = weight->shape[1];
    return SOW_OK;
}

static enum sow_status check_norm(const struct shapes *s)
{
    uint32_t bad = 0;
    if (!same(s->in, s->out)) {
        return misfit(s, "a normalisation keeps the shape");
    }
    if (!(s->node->at.eps >= 0)) {
        return sow_node_fail(s->node, SOW_E_ARGUMENT, s->error,
                             "eps is %g; it must not be negative", s->node->at.eps);
    }
    return are_vectors(s, 0, last_of(s->in), &bad) ? SOW_OK : bad_tensor(s, bad);
}

/* The first two tensors are vectors over the axis; what follows are buffers. */
static enum sow_status check_norm_of(const struct shapes *s)
{
    const struct sow_op_attributes *at = &s->node->at;
    if (!same(s->in, s->out) || at->axis >= s->in->rank) {
        return misfit(s, "it keeps the shape, and its axis is one of the value's");
    }
    uint64_t size = s->in->shape[at->axis];
    for (uint32_t i = 0; i < s->node->parameter_count && i < 2; i++) {
        if (tensor_of(s, i)->rank != 1 || tensor_of(s, i)->shape[0] != size) {
            return bad_tensor(s, i);
        }
    }
    if (!(at->eps >= 0) || at->groups == 0 || size % at->groups != 0) {
        return sow_node_fail(s->node, SOW_E_ARGUMENT, s->error,
                             "eps %g, %llu groups; eps is not negative, and groups divide %llu",
                             at->eps, (unsigned long long)at->groups, (unsigned long long)size);
    }
    return SOW_OK;
}

/* Parts are side by side along the axis; their other sizes are equal, or 1. */
static enum sow_status check_concat(const struct shapes *s)
{
    uint64_t axis = s->node->at.axis, sum = 0;
    for (uint32_t i = 0; i < s->node->input_count; i++) {
        const struct sow_flow *part = &s->network->flows[s->node->inputs[i]];
        int fits = part->rank == s->out->rank && axis < part->rank;
        for (uint32_t k = 0; fits && k < part->rank; k++) {
            fits = k == axis || part->shape[k] == 1 || part->shape[k] == s->out->shape[k];
        }
        if (!fits) {
            return misfit(s, "a part does not fit");
        }
        sum += part->shape[axis];
    }
    return sum == s->out->shape[axis] ? SOW_OK : misfit(s, "its parts do not add up");
}

static enum sow_status check_route(const struct shapes *s)
{
    const struct sow_op_attributes *at = &s->node->at;
    int fits = same(s->in, s->out) && last_of(s->in) == at->experts && at->top_k >= 1 &&
               at->top_k <= at->experts;
    return fits ? SOW_OK : misfit(s, "it needs one score an expert, and 1 to experts for top_k");
}

/* The first input has a weight for each of the others, which are alike. */
static enum sow_status check_experts(const struct shapes *s)
{
    const struct sow_op_attributes *at = &s->node->at;
    int fits = last_of(s->in) == at->experts && s->node->input_count == at->experts + 1 &&
               s->network->nodes[s->in->node].op == SOW_OP_ROUTE;
    for (uint32_t i = 1; fits && i < s->node->input_count; i++) {
        fits = same(&s->network->flows[s->node->inputs[i]], s->out);
    }
    return fits ? SOW_OK : misfit(s, "it needs the weights of route and one value an expert");
}

static enum sow_status check_take(const struct shapes *s)
{
    const struct sow_op_attributes *at = &s->node->at;
    if (at->axis >= s->in->rank || at->index >= s->in->shape[at->axis] ||
        s->out->elements != s->in->elements / s->in->shape[at->axis]) {
        return misfit(s, "there is no such place");
    }
    return SOW_OK;
}

static enum sow_status check_global_pool(const struct shapes *s)
{
    const struct sow_op_attributes *at = &s->node->at;
    if (at->kind == NULL || at->over == NULL || s->in->rank < 3 || s->out->rank != 2 ||
        s->out->shape[1] != s->in->shape[strcmp(at->over, "tokens") == 0 ? s->in->rank - 1 : 1]) {
        return misfit(s, "it makes one number a feature");
    }
    return SOW_OK;
}

static enum sow_status check_attention(const struct shapes *s)
{
    struct sow_op_attributes *at = &s->node->at;
    if (at->heads == 0 || at->kv_heads == 0 || at->head_dim == 0 || at->heads % at->kv_heads != 0 ||
        at->head_dim > SOW_SIZE_MAX / at->heads || s->node->input_count == 2) {
        return misfit(s, "attention needs heads, key-value heads that divide them, and head_dim");
    }
    uint64_t q = at->heads * at->head_dim, kv = at->kv_heads * at->head_dim;
    int packed = s->node->input_count == 1;
    for (uint32_t i = 0; i < s->node->input_count; i++) {
        const struct sow_flow *flow = &s->network->flows[s->node->inputs[i]];
        if (!same_but_last(flow, s->out) || flow->rank < 2 ||
            last_of(flow) != (packed   ? q + 2 * kv
                              : i == 0 ? q
                                       : kv)) {
            return misfit(s, "queries, keys or values do not fit its heads");
        }
    }
    if (last_of(s->out) != q) {
        return misfit(s, "attention makes heads * head_dim features");
    }
    if (at->scale == 0) {
        at->scale = 1 / sow_sqrt((double)at->head_dim);
    }
    return SOW_OK;
}

/* Sizes from the right are equal, or 1, or missing. */
static enum sow_status check_pair(const struct shapes *s)
{
    for (uint32_t i = 0; i < 2; i++) {
        const struct sow_flow *flow = &s->network->flows[s->node->inputs[i]];
        int fits = flow->rank <= s->out->rank;
        for (uint32_t axis = 0; fits && axis < flow->rank; axis++) {
            uint64_t size = flow->shape[flow->rank - 1 - axis];
            fits = size == 1 || size == s->out->shape[s->out->rank - 1 - axis];
        }
        if (!fits) {
            const struct sow_flow *other = &s->network->flows[s->node->inputs[1]];
            return sow_node_fail(s->node, SOW_E_SHAPE, s->error,
                                 "the shapes %.120s and %.120s do not give %.120s",
                                 sow_shape_text(s->in->shape, s->in->rank).text,
                                 sow_shape_text(other->shape, other->rank).text,
                                 sow_shape_text(s->out->shape, s->out->rank).text);
        }
    }
    return SOW_OK;
}

static enum sow_status check_input(const struct shapes *s)
{
    const struct sow_op_attributes *at = &s->node->at;
    if (!(at->std >= 0) || !(at->correlation >= -1 && at->correlation <= 1)) {
        return sow_node_fail(s->node, SOW_E_ARGUMENT, s->error,
                             "std %g and correlation %g; a std is not negative, a correlation from "
                             "-1 to 1",
                             at->std, at->correlation);
    }
    return SOW_OK;
}

static enum sow_status check_dropout(const struct shapes *s)
{
    if (!(s->node->at.p >= 0 && s->node->at.p < 1)) {
        return sow_node_fail(s->node, SOW_E_ARGUMENT, s->error,
                             "p is %g; it must be from 0 to below 1", s->node->at.p);
    }
    return same(s->in, s->out) ? SOW_OK : misfit(s, "dropout keeps the shape");
}

static enum sow_status check_kept(const struct shapes *s)
{
    return same(s->in, s->out) ? SOW_OK : misfit(s, "it keeps the shape");
}

static enum sow_status check_reshaped(const struct shapes *s)
{
    return s->in->elements == s->out->elements ? SOW_OK : misfit(s, "the elements are not as many");
}

enum sow_status sow_node_shape(struct sow_node *node, const struct sow_network *network,
                               const struct sow_plan *plan, struct sow_error *error)
{
    struct shapes s = {node, network, plan, error, NULL, &network->flows[node->output]};
    if (node->input_count > 0) {
        s.in = &network->flows[node->inputs[0]];
    }
    switch (node->op) {
    case SOW_OP_INPUT:
        return check_input(&s);
    case SOW_OP_TOKENS:
    case SOW_OP_POSITIONS:
    case SOW_OP_SEGMENTS:
    case SOW_OP_COUNT:
        return SOW_OK;
    case SOW_OP_LEARNED:
        return tensor_of(&s, 0)->rank == s.out->rank ? SOW_OK : bad_tensor(&s, 0);
    case SOW_OP_LINEAR:
        return check_linear(&s);
    case SOW_OP_CONV:
        return check_conv(&s);
    case SOW_OP_EMBEDDING:
        return check_embedding(&s);
    case SOW_OP_LAYER_NORM:
    case SOW_OP_RMS_NORM:
        return check_norm(&s);
    case SOW_OP_BATCH_NORM:
    case SOW_OP_GROUP_NORM:
    case SOW_OP_LAYER_SCALE:
        return check_norm_of(&s);
    case SOW_OP_ACTIVATION:
    case SOW_OP_SCALE:
        return check_kept(&s);
    case SOW_OP_DROPOUT:
        return check_dropout(&s);
    case SOW_OP_ADD:
    case SOW_OP_MULTIPLY:
        return check_pair(&s);
    case SOW_OP_CONCAT:
        return check_concat(&s);
    case SOW_OP_ROUTE:
        return check_route(&s);
    case SOW_OP_EXPERTS:
        return check_experts(&s);
    case SOW_OP_TAKE:
        return check_take(&s);
    case SOW_OP_GLOBAL_POOL:
        return check_global_pool(&s);
    case SOW_OP_ATTENTION:
        return check_attention(&s);
    case SOW_OP_MAX_POOL:
    case SOW_OP_AVERAGE_POOL:
        return check_pool(&s);
    case SOW_OP_FLATTEN:
    case SOW_OP_SPLIT_HEADS:
    case SOW_OP_MERGE_HEADS:
    case SOW_OP_TO_TOKENS:
        return check_reshaped(&s);
    }
    return SOW_OK;
}
