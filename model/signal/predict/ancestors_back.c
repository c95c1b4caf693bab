/* SPDX-License-Identifier: MIT */
/* Gradients that meet again are not independent: what the uses of a value give back is followed down to a common value,
 * like values are in ancestors.c. Fresh weights end the way; weights W that both go through do not:
 *     E[(W^T g)_i (W^T h)_i] = fan_out Var(w) E[g h], and E[phi'(a) phi'(b)] by how alike a and b are.
 * What is compared are gradients of values and what single uses give back, those numbered behind the values. */
#include <math.h>

#include "core/base/elementary.h"
#include "model/signal/predict/shared.h"

#define DEPTH_MAX    24
#define DEPTH_SHARED 1500
#define USES_MAX     8

static double gradients(struct sow_predictor *p, enum sow_pairing pairing, uint32_t a, uint32_t b,
                        int depth);

static uint32_t use_of(const struct sow_predictor *p, uint32_t which)
{
    return which - (uint32_t)p->network->flow_count;
}

static int is_use(const struct sow_predictor *p, uint32_t which)
{
    return which >= p->network->flow_count;
}

static const struct sow_adjoint *adjoint_of(const struct sow_predictor *p, uint32_t which)
{
    return is_use(p, which) ? &p->use[use_of(p, which)] : &p->adjoints[which];
}

/* The value that a gradient is of. */
static uint32_t flow_of(const struct sow_predictor *p, uint32_t which)
{
    if (!is_use(p, which)) {
        return which;
    }
    uint32_t use = use_of(p, which);
    return p->network->nodes[p->use_node[use]].inputs[p->use_slot[use]];
}

static uint32_t out_of(const struct sow_predictor *p, uint32_t use)
{
    return p->network->nodes[p->use_node[use]].output;
}

/* The diagonal of a use's Jacobian on average, in units of gradients' sizes: from the output's to its input's. 0: none. */
static double use_factor(const struct sow_predictor *p, uint32_t use)
{
    const struct sow_node *node = &p->network->nodes[p->use_node[use]];
    const struct sow_local *local = &p->locals[p->use_node[use]];
    switch (node->op) {
    case SOW_OP_ADD:
    case SOW_OP_DROPOUT:
    case SOW_OP_SPLIT_HEADS:
    case SOW_OP_MERGE_HEADS:
    case SOW_OP_TO_TOKENS:
        return 1;
    case SOW_OP_SCALE:
    case SOW_OP_LAYER_SCALE:
    case SOW_OP_LAYER_NORM:
    case SOW_OP_RMS_NORM:
    case SOW_OP_BATCH_NORM:
    case SOW_OP_GROUP_NORM:
        return local->factor;
    case SOW_OP_ACTIVATION:
        return local->slope;
    case SOW_OP_MULTIPLY: {
        const struct sow_state *other = &p->states[node->inputs[1 - p->use_slot[use]]];
        return other->mean * sow_exp(0.5 * (other->log > -600 ? other->log : -600));
    }
    default:
        return 0;
    }
}

/* ---- Layers that both go through ----------------------------------------------------------------------------- */

static double through_weights(struct sow_predictor *p, enum sow_pairing pairing, uint32_t use_a,
                              uint32_t use_b, int depth)
{
    const struct sow_weights absent = {0, 0};
    struct sow_weights w = sow_node_weights(p, &p->network->nodes[p->use_node[use_a]], 0, absent);
    double spread = w.square > 0 ? 1 - w.mean * w.mean / w.square : 0;
    return spread * gradients(p, pairing, out_of(p, use_a), out_of(p, use_b), depth + 1);
}

/* How alike two uses' keys or values are in what tells places apart, which is all that a softmax lets through. */
static double differences(struct sow_predictor *p, uint32_t a, uint32_t b)
{
    double apart = sow_sqrt((1 - p->states[a].place) * (1 - p->states[b].place));
    double c =
        apart > 1e-12
            ? (sow_cosine(p, SOW_PAIR_SAME, a, b) - sow_cosine(p, SOW_PAIR_PLACE, a, b)) / apart
            : 0;
    return c > 1 ? 1 : c < -1 ? -1 : c;
}

/* To values: rows of two softmaxes, P^T g and P'^T g'. To queries and keys: products of what both are made from. */
static double through_attention(struct sow_predictor *p, enum sow_pairing pairing, uint32_t use_a,
                                uint32_t use_b, int depth)
{
    const struct sow_node *x = &p->network->nodes[p->use_node[use_a]],
                          *y = &p->network->nodes[p->use_node[use_b]];
    const struct sow_local *one = &p->locals[p->use_node[use_a]],
                           *two = &p->locals[p->use_node[use_b]];
    int packed = x->input_count == 1;
    const uint32_t *u = x->inputs, *v = y->inputs;
    double same = gradients(p, SOW_PAIR_SAME, x->output, y->output, depth + 1);
    double place = gradients(p, SOW_PAIR_PLACE, x->output, y->output, depth + 1);
    if (!packed && p->use_slot[use_a] < 2) {
        uint32_t other = 1 - p->use_slot[use_a];
        double c = differences(p, u[2], v[2]) * differences(p, u[other], v[other]);
        return c * (pairing == SOW_PAIR_PLACE || p->use_slot[use_a] == 1 ? place : same);
    }
    double t = one->part[0].places, alike = sow_cosine(p, SOW_PAIR_SAME, u[0], v[0]);
    double far = sow_cosine(p, SOW_PAIR_PLACE, u[0], v[0]), keys = alike;
    if (!packed) {
        keys = sow_cosine(p, SOW_PAIR_SAME, u[1], v[1]);
    }
    double meet = sow_rows_meet(one, two, SOW_PAIR_SAME, alike * keys);
    double cross = sow_rows_meet(one, two, SOW_PAIR_PLACE, far * keys);
    double sum = meet * same + (t - 1) * cross * place, all = same + (t - 1) * place;
    double sizes = sow_root_ratio(p->adjoints[x->output].log + p->adjoints[y->output].log,
                                  one->adjoint[2].log + two->adjoint[2].log);
    double group = (double)x->at.heads / (double)x->at.kv_heads;
    return sizes * group * (pairing == SOW_PAIR_SAME ? sum : t > 1 ? (all - sum) / (t - 1) : 0);
}

static double through_layer(struct sow_predictor *p, enum sow_pairing pairing, uint32_t use_a,
                            uint32_t use_b, int depth)
{
    uint32_t a = p->use_node[use_a], b = p->use_node[use_b];
    if (!sow_shared_same(p, a, b) || p->use_slot[use_a] != p->use_slot[use_b]) {
        return 0;
    }
    return p->network->nodes[a].op == SOW_OP_ATTENTION
               ? through_attention(p, pairing, use_a, use_b, depth)
               : through_weights(p, pairing, use_a, use_b, depth);
}

/* What one factor of a product gets back is the gradient times the other: E[y1 y2] E[g1 g2]. Slopes likewise. */
static double through_factors(struct sow_predictor *p, enum sow_pairing pairing, uint32_t use_a,
                              uint32_t use_b, int depth)
{
    const struct sow_node *x = &p->network->nodes[p->use_node[use_a]],
                          *y = &p->network->nodes[p->use_node[use_b]];
    if (x->op == SOW_OP_MULTIPLY) {
        uint32_t other_x = x->inputs[1 - p->use_slot[use_a]],
                 other_y = y->inputs[1 - p->use_slot[use_b]];
        return sow_cosine(p, pairing, other_x, other_y) *
               gradients(p, pairing, x->output, y->output, depth + 1);
    }
    struct sow_state middle = sow_between(&p->states[x->inputs[0]], &p->states[y->inputs[0]]);
    double c = sow_cosine(p, pairing, x->inputs[0], y->inputs[0]);
    return sow_function_alike(p, &x->at.function, 1, &middle, c) *
           gradients(p, pairing, x->output, y->output, depth + 1);
}

/* ---- Down to a common value ---------------------------------------------------------------------------------- */

enum way { PASSES, BENDS, ENDS }; /* activations, products; weights that are used elsewhere too */

static enum way way_of(const struct sow_predictor *p, uint32_t which)
{
    if (p->shared == NULL || !is_use(p, which)) {
        return PASSES;
    }
    uint32_t at = p->use_node[use_of(p, which)];
    if (sow_shared_last(p, at) != sow_shared_first(p, at)) {
        return ENDS;
    }
    const struct sow_node *node = &p->network->nodes[at];
    int is_product = node->op == SOW_OP_MULTIPLY && p->locals[at].composed == NULL;
    return node->op == SOW_OP_ACTIVATION || is_product ? BENDS : PASSES;
}

/* Of uses that bend: whether they do so alike. */
static int bend_alike(const struct sow_predictor *p, uint32_t use_a, uint32_t use_b)
{
    const struct sow_node *x = &p->network->nodes[p->use_node[use_a]],
                          *y = &p->network->nodes[p->use_node[use_b]];
    if (x == y || x->op != y->op) {
        return 0;
    }
    return x->op == SOW_OP_MULTIPLY ? p->use_slot[use_a] == p->use_slot[use_b]
                                    : sow_function_same(&x->at.function, &y->at.function);
}

static double open(struct sow_predictor *p, enum sow_pairing pairing, uint32_t a, uint32_t b,
                   int depth)
{
    double log = adjoint_of(p, a)->log, sum = 0;
    if (is_use(p, a)) {
        uint32_t use = use_of(p, a), out = out_of(p, use);
        double factor = use_factor(p, use) * sow_root_ratio(p->adjoints[out].log, log);
        return factor != 0 ? factor * gradients(p, pairing, out, b, depth + 1) : 0;
    }
    if (p->use_begin[a + 1] - p->use_begin[a] > USES_MAX) {
        return 0;
    }
    for (uint32_t i = p->use_begin[a]; i < p->use_begin[a + 1]; i++) {
        uint32_t use = p->use_list[i];
        double part = sow_root_ratio(p->use[use].log, log);
        if (part > 0) {
            sum += part * gradients(p, pairing, use + (uint32_t)p->network->flow_count, b, depth);
        }
    }
    return sum;
}

/* The earlier one is opened, unless weights end its way; activations and products
 * wait for the other to come to its own. */
static double find(struct sow_predictor *p, enum sow_pairing pairing, uint32_t a, uint32_t b,
                   int depth)
{
    enum way one = way_of(p, a), two = way_of(p, b);
    if (depth >= (p->shared != NULL ? DEPTH_SHARED : DEPTH_MAX)) {
        return 0;
    }
    if (one == ENDS && two == ENDS) {
        return through_layer(p, pairing, use_of(p, a), use_of(p, b), depth);
    }
    if (one == BENDS && two == BENDS && bend_alike(p, use_of(p, a), use_of(p, b))) {
        return through_factors(p, pairing, use_of(p, a), use_of(p, b), depth);
    }
    int first = one < two || (one == two && flow_of(p, a) <= flow_of(p, b));
    return first ? open(p, pairing, a, b, depth) : open(p, pairing, b, a, depth);
}

/* E[a b] of two gradients over the roots of their second moments. */
static double gradients(struct sow_predictor *p, enum sow_pairing pairing, uint32_t a, uint32_t b,
                        int depth)
{
    double c = 0;
    if (a == b) {
        return pairing == SOW_PAIR_PLACE ? adjoint_of(p, a)->place : 1;
    }
    if (a > b) {
        return gradients(p, pairing, b, a, depth);
    }
    if (!(adjoint_of(p, a)->log > -INFINITY && adjoint_of(p, b)->log > -INFINITY)) {
        return 0;
    }
    if (p->shared == NULL) {
        return find(p, pairing, a, b, depth);
    }
    int known = sow_shared_look(p, SOW_COSINE_GRADIENTS, pairing, a, b, &c);
    if (known == 0) {
        c = find(p, pairing, a, b, depth);
        c = c > 1 ? 1 : c < -1 ? -1 : c;
        sow_shared_keep(p, SOW_COSINE_GRADIENTS, pairing, a, b, c);
    }
    return known >= 0 ? c : 0;
}

double sow_use_cosine(struct sow_predictor *p, enum sow_pairing pairing, uint32_t use_a,
                      uint32_t use_b)
{
    const struct sow_node *a = &p->network->nodes[p->use_node[use_a]];
    uint32_t uses = (uint32_t)p->network->flow_count;
    if (!(p->use[use_a].log > -INFINITY && p->use[use_b].log > -INFINITY)) {
        return 0;
    }
    if (p->use_node[use_a] == p->use_node[use_b]) {
        if (a->op == SOW_OP_MULTIPLY) { /* y delta and x delta */
            return sow_cosine(p, SOW_PAIR_SAME, a->inputs[0], a->inputs[1]);
        }
        return a->op == SOW_OP_ADD ? 1 : 0;
    }
    double c = gradients(p, pairing, uses + use_a, uses + use_b, 0);
    return c > 1 ? 1 : c < -1 ? -1 : c;
}
