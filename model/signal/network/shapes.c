/* SPDX-License-Identifier: MIT */
/* Whether the shapes at an operation fit together, now that they are numbers: the prelude has checked them as far as
 * symbols let it. Fills what attributes leave to shapes: kernel sizes, spatial, the scale of attention. */
#include <string.h>

#include "core/base/elementary.h"
#include "model/signal/network/recurrent.h"
#include "model/signal/network/shapes.h"

enum sow_status sow_shape_misfit(const struct sow_shapes *s, const char *what)
{
    const struct sow_flow *in = s->in != NULL ? s->in : s->out;
    return sow_node_fail(s->node, SOW_E_SHAPE, s->error, "%s: it takes %.150s and makes %.150s",
                         what, sow_shape_text(in->shape, in->rank).text,
                         sow_shape_text(s->out->shape, s->out->rank).text);
}

enum sow_status sow_shape_bad_tensor(const struct sow_shapes *s, uint32_t parameter)
{
    const struct sow_plan_entry *entry = sow_plan_at(s->plan, s->node->parameters[parameter]);
    return sow_node_fail(s->node, SOW_E_SHAPE, s->error,
                         "its tensor %.150s of shape %.100s does not fit the value of shape %.100s",
                         entry->name, sow_shape_text(entry->tensor.shape, entry->tensor.rank).text,
                         sow_shape_text(s->out->shape, s->out->rank).text);
}

static int same(const struct sow_flow *a, const struct sow_flow *b)
{
    return a->rank == b->rank && memcmp(a->shape, b->shape, a->rank * sizeof a->shape[0]) == 0;
}

int sow_shape_vectors(const struct sow_shapes *s, uint32_t first, uint64_t size, uint32_t *bad)
{
    for (uint32_t i = first; i < s->node->parameter_count; i++) {
        if (sow_shape_tensor(s, i)->rank != 1 || sow_shape_tensor(s, i)->shape[0] != size) {
            *bad = i;
            return 0;
        }
    }
    return 1;
}

/* Its kernel, stride and padding are said once, for all axes after the first two. */
static enum sow_status check_pool(const struct sow_shapes *s)
{
    struct sow_op_attributes *at = &s->node->at;
    if (s->in->rank < 3 || s->in->rank > SOW_SPATIAL_MAX + 2 || s->out->rank != s->in->rank ||
        s->in->shape[0] != s->out->shape[0] || s->in->shape[1] != s->out->shape[1]) {
        return sow_shape_misfit(s, "a pool takes [batch, channels, 1 to 3 sizes]");
    }
    at->spatial = s->in->rank - 2;
    for (uint32_t i = 1; i < at->spatial; i++) {
        at->kernel[i] = at->kernel[0];
        at->stride[i] = at->stride[0];
        at->padding[i] = at->padding[0];
    }
    if (at->padding[0] * 2 > at->kernel[0]) {
        return sow_shape_misfit(s, "its padding is more than half its window");
    }
    return sow_shape_windows(at, s->in, s->out)
               ? SOW_OK
               : sow_shape_misfit(s, "its window does not leave these sizes");
}

static enum sow_status check_norm(const struct sow_shapes *s)
{
    uint32_t bad = 0;
    if (!same(s->in, s->out)) {
        return sow_shape_misfit(s, "a normalisation keeps the shape");
    }
    if (!(s->node->at.eps >= 0)) {
        return sow_node_fail(s->node, SOW_E_ARGUMENT, s->error,
                             "eps is %g; it must not be negative", s->node->at.eps);
    }
    return sow_shape_vectors(s, 0, sow_shape_last(s->in), &bad) ? SOW_OK
                                                                : sow_shape_bad_tensor(s, bad);
}

/* The first two tensors are vectors over the axis; what follows are buffers. */
static enum sow_status check_along_axis(const struct sow_shapes *s)
{
    const struct sow_op_attributes *at = &s->node->at;
    if (!same(s->in, s->out) || at->axis >= s->in->rank) {
        return sow_shape_misfit(s, "it keeps the shape, and its axis is one of the value's");
    }
    uint64_t size = s->in->shape[at->axis];
    for (uint32_t i = 0; i < s->node->parameter_count && i < 2; i++) {
        if (sow_shape_tensor(s, i)->rank != 1 || sow_shape_tensor(s, i)->shape[0] != size) {
            return sow_shape_bad_tensor(s, i);
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
static enum sow_status check_concat(const struct sow_shapes *s)
{
    uint64_t axis = s->node->at.axis, sum = 0;
    for (uint32_t i = 0; i < s->node->input_count; i++) {
        const struct sow_flow *part = &s->network->flows[s->node->inputs[i]];
        int fits = part->rank == s->out->rank && axis < part->rank;
        for (uint32_t k = 0; fits && k < part->rank; k++) {
            fits = k == axis || part->shape[k] == 1 || part->shape[k] == s->out->shape[k];
        }
        if (!fits) {
            return sow_shape_misfit(s, "a part does not fit");
        }
        sum += part->shape[axis];
    }
    return sum == s->out->shape[axis] ? SOW_OK : sow_shape_misfit(s, "its parts do not add up");
}

static enum sow_status check_route(const struct sow_shapes *s)
{
    const struct sow_op_attributes *at = &s->node->at;
    int fits = same(s->in, s->out) && sow_shape_last(s->in) == at->experts && at->top_k >= 1 &&
               at->top_k <= at->experts;
    return fits ? SOW_OK
                : sow_shape_misfit(s, "it needs one score an expert, and 1 to experts for top_k");
}

/* The first input has a weight for each of the others, which are alike. */
static enum sow_status check_experts(const struct sow_shapes *s)
{
    const struct sow_op_attributes *at = &s->node->at;
    int fits = sow_shape_last(s->in) == at->experts && s->node->input_count == at->experts + 1 &&
               s->network->nodes[s->in->node].op == SOW_OP_ROUTE;
    for (uint32_t i = 1; fits && i < s->node->input_count; i++) {
        const struct sow_flow *one = &s->network->flows[s->node->inputs[i]];
        if (!same(one, s->out)) {
            return sow_node_fail(s->node, SOW_E_SHAPE, s->error,
                                 "expert %u makes %.100s and expert 0 %.100s; they must be alike",
                                 i - 1, sow_shape_text(one->shape, one->rank).text,
                                 sow_shape_text(s->out->shape, s->out->rank).text);
        }
    }
    return fits ? SOW_OK
                : sow_shape_misfit(s, "it needs the weights of route and one value an expert");
}

static enum sow_status check_take(const struct sow_shapes *s)
{
    const struct sow_op_attributes *at = &s->node->at;
    if (at->axis >= s->in->rank || at->index >= s->in->shape[at->axis] ||
        s->out->elements != s->in->elements / s->in->shape[at->axis]) {
        return sow_shape_misfit(s, "there is no such place");
    }
    return SOW_OK;
}

static enum sow_status check_global_pool(const struct sow_shapes *s)
{
    const struct sow_op_attributes *at = &s->node->at;
    if (at->kind == NULL || at->over == NULL || s->in->rank < 3 || s->out->rank != 2 ||
        s->out->shape[1] != s->in->shape[strcmp(at->over, "tokens") == 0 ? s->in->rank - 1 : 1]) {
        return sow_shape_misfit(s, "it makes one number a feature");
    }
    uint64_t places = s->in->elements / s->in->shape[0] / s->out->shape[1];
    if (at->skip >= places) {
        return sow_node_fail(s->node, SOW_E_SHAPE, s->error,
                             "skip = %llu leaves none of the %llu places of %.120s",
                             (unsigned long long)at->skip, (unsigned long long)places,
                             sow_shape_text(s->in->shape, s->in->rank).text);
    }
    return SOW_OK;
}

static enum sow_status check_attention(const struct sow_shapes *s)
{
    struct sow_op_attributes *at = &s->node->at;
    if (at->heads == 0 || at->kv_heads == 0 || at->head_dim == 0 || at->heads % at->kv_heads != 0 ||
        at->head_dim > SOW_SIZE_MAX / at->heads || s->node->input_count == 2) {
        return sow_shape_misfit(
            s, "attention needs heads, key-value heads that divide them, and head_dim");
    }
    uint64_t q = at->heads * at->head_dim, kv = at->kv_heads * at->head_dim;
    int packed = s->node->input_count == 1;
    for (uint32_t i = 0; i < s->node->input_count; i++) {
        const struct sow_flow *flow = &s->network->flows[s->node->inputs[i]];
        if (!sow_shape_same_but_last(flow, s->out) || flow->rank < 2 ||
            sow_shape_last(flow) != (packed   ? q + 2 * kv
                                     : i == 0 ? q
                                              : kv)) {
            return sow_shape_misfit(s, "queries, keys or values do not fit its heads");
        }
    }
    if (sow_shape_last(s->out) != q) {
        return sow_shape_misfit(s, "attention makes heads * head_dim features");
    }
    const char *fault = at->rotary ? sow_rotary_fault(at) : NULL;
    if (fault != NULL) {
        return sow_node_fail(s->node, SOW_E_ARGUMENT, s->error, "%s", fault);
    }
    if (at->scale == 0) {
        at->scale = 1 / sow_sqrt((double)at->head_dim);
    }
    return SOW_OK;
}

/* Sizes from the right are equal, or 1, or missing. */
static enum sow_status check_pair(const struct sow_shapes *s)
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

/* A gate and a value of the output's shape, or both side by side. */
static enum sow_status check_gated(const struct sow_shapes *s)
{
    const struct sow_op_attributes *at = &s->node->at;
    int fits = (at->function.activation != NULL || at->function.value != NULL) && at->first != NULL;
    if (s->node->input_count == 1) {
        fits = fits && sow_shape_same_but_last(s->in, s->out) &&
               sow_shape_last(s->in) == 2 * sow_shape_last(s->out);
    } else {
        const struct sow_flow *value = &s->network->flows[s->node->inputs[1]];
        fits = fits && same(s->in, s->out) && same(value, s->out);
    }
    return fits ? SOW_OK
                : sow_shape_misfit(
                      s, "it needs a gate and a value of one shape, or one value twice as wide");
}

static enum sow_status check_input(const struct sow_shapes *s)
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

static enum sow_status check_dropout(const struct sow_shapes *s)
{
    if (!(s->node->at.p >= 0 && s->node->at.p < 1)) {
        return sow_node_fail(s->node, SOW_E_ARGUMENT, s->error,
                             "p is %g; it must be from 0 to below 1", s->node->at.p);
    }
    return same(s->in, s->out) ? SOW_OK : sow_shape_misfit(s, "dropout keeps the shape");
}

static enum sow_status check_kept(const struct sow_shapes *s)
{
    return same(s->in, s->out) ? SOW_OK : sow_shape_misfit(s, "it keeps the shape");
}

static enum sow_status check_reshaped(const struct sow_shapes *s)
{
    return s->in->elements == s->out->elements
               ? SOW_OK
               : sow_shape_misfit(s, "the elements are not as many");
}

static enum sow_status check_learned(const struct sow_shapes *s)
{
    return sow_shape_tensor(s, 0)->rank == s->out->rank ? SOW_OK : sow_shape_bad_tensor(s, 0);
}

static enum sow_status check_free(const struct sow_shapes *s)
{
    (void)s;
    return SOW_OK;
}

static enum sow_status check_weights(const struct sow_shapes *s)
{
    return sow_shape_weights(s);
}

static enum sow_status check_recurrent(const struct sow_shapes *s)
{
    return sow_shape_recurrent(s);
}

/* One an operation: the column `shape` of its row. */
static enum sow_status (*const checks[SOW_OP_COUNT])(const struct sow_shapes *s) = {
#define SOW_OP(id, word, shape, ...) check_##shape,
#include "model/signal/network/ops.def"
};

/* ---- Numbers of rows ------------------------------------------------------------------------------ */

static int moves_only(enum sow_op op)
{
    return op == SOW_OP_TAKE || op == SOW_OP_CONCAT || op == SOW_OP_FLATTEN;
}

int sow_node_makes_rows(const struct sow_node *node, const struct sow_network *network)
{
    int rows = node->op == SOW_OP_TOKENS || node->op == SOW_OP_POSITIONS ||
               node->op == SOW_OP_SEGMENTS || moves_only(node->op);
    for (uint32_t i = 0; i < node->input_count; i++) {
        rows = rows && network->flows[node->inputs[i]].is_rows;
    }
    return rows;
}

/* Embeddings look rows up, and nothing else computes with them. */
static enum sow_status check_rows(const struct sow_shapes *s)
{
    for (uint32_t i = 0; i < s->node->input_count; i++) {
        const struct sow_flow *flow = &s->network->flows[s->node->inputs[i]];
        const struct sow_node *maker = &s->network->nodes[flow->node];
        if (s->node->op == SOW_OP_EMBEDDING && !flow->is_rows) {
            return sow_node_fail(s->node, SOW_E_SHAPE, s->error,
                                 "an embedding looks up rows by their numbers, as tokens(), "
                                 "positions() or segments() give them, and gets the value "
                                 "%.100s (%s) of shape %.100s",
                                 maker->name, sow_op_word(maker->op),
                                 sow_shape_text(flow->shape, flow->rank).text);
        }
        if (s->node->op != SOW_OP_EMBEDDING && flow->is_rows && !s->out->is_rows) {
            return sow_node_fail(s->node, SOW_E_SHAPE, s->error,
                                 "it gets the numbers of rows %.100s (%s) of shape %.100s; only "
                                 "an embedding takes them: x >> embedding(...)",
                                 maker->name, sow_op_word(maker->op),
                                 sow_shape_text(flow->shape, flow->rank).text);
        }
    }
    return SOW_OK;
}

enum sow_status sow_node_shape(struct sow_node *node, const struct sow_network *network,
                               const struct sow_plan *plan, struct sow_error *error)
{
    struct sow_shapes s = {node, network, plan, error, NULL, &network->flows[node->output]};
    if (node->input_count > 0) {
        s.in = &network->flows[node->inputs[0]];
    }
    enum sow_status status = check_rows(&s);
    return status == SOW_OK ? checks[node->op](&s) : status;
}
