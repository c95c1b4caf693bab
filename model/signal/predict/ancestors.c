/* SPDX-License-Identifier: MIT */
/* Values with a common ancestor are not independent: x + x has four times the second moment of x. Where a path between
 * two values goes through fresh weights, all that they share is their means; the other operations are followed back to
 * a common value. Weights W that both paths go through are followed too: independent of what they meet,
 *     E[(W u)_i (W v)_i] = fan_in Var(w) E[u v], and E[phi(a) phi(b)] by how alike a and b are,
 * exact in the limit of infinite width for what W makes of its own results, too (Yang 2019, tied weights). */
#include <math.h>

#include "core/base/elementary.h"
#include "model/signal/predict/shared.h"

#define DEPTH_MAX    24
#define DEPTH_SHARED 1500

static double cosine(struct sow_predictor *p, enum sow_pairing pairing, uint32_t a, uint32_t b,
                     int depth);

static double own_cosine(const struct sow_state *state, enum sow_pairing pairing)
{
    switch (pairing) {
    case SOW_PAIR_FEATURE:
        return state->feature;
    case SOW_PAIR_PLACE:
        return state->place;
    case SOW_PAIR_SAMPLE:
        return state->sample;
    case SOW_PAIR_SAME:
        break;
    }
    return 1;
}

static const struct sow_node *maker_of(const struct sow_predictor *p, uint32_t flow)
{
    return &p->network->nodes[p->network->flows[flow].node];
}

/* ---- Layers that both go through ------------------------------------------------------------------------- */

static double held(double c)
{
    return c > 1 ? 1 : c < -1 ? -1 : c;
}

static double product_of_means(const struct sow_predictor *p, uint32_t a, uint32_t b)
{
    return p->states[a].mean * p->states[b].mean;
}

/* What of an output's second moment comes from the spread of the weights, square-rooted, and that of the bias. */
static double spread_of(const struct sow_predictor *p, const struct sow_node *node,
                        enum sow_pairing pairing, double *bias)
{
    const struct sow_weights absent = {0, 0};
    double inside, pairs, fan = sow_fan_of(p, node, &inside, &pairs);
    struct sow_weights w = sow_node_weights(p, node, 0, absent),
                       b = sow_node_weights(p, node, 1, absent);
    double spread = (w.square - w.mean * w.mean) * fan, log = p->states[node->output].log;
    spread *= pairing == SOW_PAIR_PLACE ? pairs : inside;
    *bias = sow_root_ratio(sow_log_of(b.square - b.mean * b.mean, 0), log);
    return sow_root_ratio(sow_log_of(spread, p->states[node->inputs[0]].log), log);
}

static double through_weights(struct sow_predictor *p, enum sow_pairing pairing, uint32_t a,
                              uint32_t b, int depth)
{
    const struct sow_node *x = maker_of(p, a), *y = maker_of(p, b);
    double means = product_of_means(p, a, b), bias_x, bias_y;
    if (pairing == SOW_PAIR_FEATURE) { /* each has weights of its own */
        return means;
    }
    uint32_t u = x->inputs[0], v = y->inputs[0];
    double spread = spread_of(p, x, pairing, &bias_x) * spread_of(p, y, pairing, &bias_y);
    double c = means + spread * cosine(p, pairing, u, v, depth + 1);
    int one_bias =
        x->parameter_count > 1 && y->parameter_count > 1 && x->parameters[1] == y->parameters[1];
    return c + (one_bias ? bias_x * bias_y : 0);
}

/* Values are alike where the keys are, and as far as rows meet elsewhere. */
static double through_attention(struct sow_predictor *p, enum sow_pairing pairing, uint32_t a,
                                uint32_t b, int depth)
{
    const struct sow_node *x = maker_of(p, a), *y = maker_of(p, b);
    const struct sow_local *one = &p->locals[p->network->flows[a].node],
                           *two = &p->locals[p->network->flows[b].node];
    uint32_t last = x->input_count - 1;
    enum sow_pairing far = pairing == SOW_PAIR_SAME ? SOW_PAIR_PLACE : pairing;
    double near = cosine(p, pairing == SOW_PAIR_PLACE ? SOW_PAIR_SAME : pairing, x->inputs[last],
                         y->inputs[last], depth + 1);
    double apart = cosine(p, far, x->inputs[last], y->inputs[last], depth + 1);
    double alike = 0;
    if (near != apart && pairing != SOW_PAIR_SAMPLE) {
        alike = cosine(p, pairing, x->inputs[0], y->inputs[0], depth + 1);
        alike *=
            last == 0 ? alike : cosine(p, SOW_PAIR_SAME, x->inputs[1], y->inputs[1], depth + 1);
    }
    double meet = sow_rows_meet(one, two, pairing, alike);
    double sizes =
        sow_root_ratio(one->part[2].log + two->part[2].log, p->states[a].log + p->states[b].log);
    return sizes * (apart + (near - apart) * meet);
}

/* Both are the last operation before weights or rows that stop the way back; `a` is the later one. */
static double through_layer(struct sow_predictor *p, enum sow_pairing pairing, uint32_t a,
                            uint32_t b, int depth)
{
    uint32_t later = p->network->flows[a].node, earlier = p->network->flows[b].node;
    if (!sow_shared_same(p, later, earlier)) {
        return product_of_means(p, a, b);
    }
    return p->network->nodes[later].op == SOW_OP_ATTENTION
               ? through_attention(p, pairing, a, b, depth)
               : through_weights(p, pairing, a, b, depth);
}

/* x1 y1 and x2 y2: E[x1 x2] E[y1 y2] + E[x1 y2] E[y1 x2] + E[x1 y1] E[x2 y2] - 2 of the means (Isserlis 1918). */
static double through_products(struct sow_predictor *p, enum sow_pairing pairing, uint32_t a,
                               uint32_t b, int depth)
{
    const struct sow_node *x = maker_of(p, a), *y = maker_of(p, b);
    const uint32_t *u = x->inputs, *v = y->inputs;
    double sizes = sow_root_ratio(p->states[u[0]].log + p->states[u[1]].log + p->states[v[0]].log +
                                      p->states[v[1]].log,
                                  p->states[a].log + p->states[b].log);
    double means = product_of_means(p, u[0], v[0]) * product_of_means(p, u[1], v[1]);
    double straight =
        cosine(p, pairing, u[0], v[0], depth + 1) * cosine(p, pairing, u[1], v[1], depth + 1);
    double across =
        cosine(p, pairing, u[0], v[1], depth + 1) * cosine(p, pairing, u[1], v[0], depth + 1);
    double alone = cosine(p, SOW_PAIR_SAME, u[0], u[1], depth + 1) *
                   cosine(p, SOW_PAIR_SAME, v[0], v[1], depth + 1);
    return sizes * (straight + across + alone - 2 * means);
}

/* ---- Back to a common value --------------------------------------------------------------------------------- */

/* y x, y of mean m and independent of x and b but for the means: m E[x b] + ... */
static double open_product(struct sow_predictor *p, enum sow_pairing pairing, uint32_t a,
                           uint32_t b, int depth)
{
    const struct sow_node *node = maker_of(p, a);
    double sum = product_of_means(p, a, b);
    if (p->locals[p->network->flows[a].node].composed != NULL) {
        return sum;
    }
    if (p->shared != NULL && maker_of(p, b)->op == SOW_OP_MULTIPLY) {
        return through_products(p, pairing, a, b, depth);
    }
    for (int i = 0; i < 2; i++) {
        uint32_t one = node->inputs[i], other = node->inputs[1 - i];
        double part = sow_root_ratio(p->states[one].log + p->states[other].log, p->states[a].log);
        double own = product_of_means(p, one, b);
        sum += part * p->states[other].mean * (cosine(p, pairing, one, b, depth + 1) - own);
    }
    return sum;
}

/* Stein: Cov(phi(u), y) = E[phi'] Cov(u, y); of two phi by how alike their inputs are. */
static double open_activation(struct sow_predictor *p, enum sow_pairing pairing, uint32_t a,
                              uint32_t b, int depth)
{
    const struct sow_node *node = maker_of(p, a), *other = maker_of(p, b);
    uint32_t from = node->inputs[0];
    if (p->shared != NULL && other->op == SOW_OP_ACTIVATION &&
        sow_function_same(&node->at.function, &other->at.function)) {
        struct sow_state middle = sow_between(&p->states[from], &p->states[other->inputs[0]]);
        double c = cosine(p, pairing, from, other->inputs[0], depth + 1);
        return sow_function_alike(p, &node->at.function, 0, &middle, held(c));
    }
    double slope = p->locals[p->network->flows[a].node].slope;
    return product_of_means(p, a, b) +
           slope * sow_root_ratio(p->states[from].log, p->states[a].log) *
               (cosine(p, pairing, from, b, depth + 1) - product_of_means(p, from, b));
}

static int is_opened(const struct sow_node *node)
{
    switch (node->op) {
    case SOW_OP_ADD:
    case SOW_OP_SCALE:
    case SOW_OP_LAYER_SCALE:
    case SOW_OP_DROPOUT:
    case SOW_OP_SPLIT_HEADS:
    case SOW_OP_MERGE_HEADS:
    case SOW_OP_TO_TOKENS:
    case SOW_OP_TAKE:
    case SOW_OP_MULTIPLY:
    case SOW_OP_ACTIVATION:
    case SOW_OP_LAYER_NORM:
    case SOW_OP_RMS_NORM:
    case SOW_OP_BATCH_NORM:
    case SOW_OP_GROUP_NORM:
        return 1;
    default:
        return 0;
    }
}

/* By what makes `a`, which is_opened. */
static double open(struct sow_predictor *p, enum sow_pairing pairing, uint32_t a, uint32_t b,
                   int depth)
{
    const struct sow_node *node = maker_of(p, a);
    const struct sow_local *local = &p->locals[p->network->flows[a].node];
    uint32_t from = node->inputs[0];
    const struct sow_state *x = &p->states[a], *u = &p->states[from];
    switch (node->op) {
    case SOW_OP_ADD: {
        double sum = 0;
        for (int i = 0; i < 2; i++) {
            double part = sow_root_ratio(p->states[node->inputs[i]].log, x->log);
            sum += part > 0 ? part * cosine(p, pairing, node->inputs[i], b, depth + 1) : 0;
        }
        return sum;
    }
    case SOW_OP_SCALE:
    case SOW_OP_LAYER_SCALE:
        return local->factor * sow_root_ratio(u->log, x->log) *
               cosine(p, pairing, from, b, depth + 1);
    case SOW_OP_DROPOUT:
        return sow_root_ratio(u->log, x->log) * cosine(p, pairing, from, b, depth + 1);
    case SOW_OP_MULTIPLY:
        return open_product(p, pairing, a, b, depth);
    case SOW_OP_ACTIVATION:
        return open_activation(p, pairing, a, b, depth);
    case SOW_OP_LAYER_NORM:
    case SOW_OP_RMS_NORM:
    case SOW_OP_BATCH_NORM:
    case SOW_OP_GROUP_NORM:
        return product_of_means(p, a, b) +
               local->factor * sow_root_ratio(u->log, x->log) *
                   (cosine(p, pairing, from, b, depth + 1) - product_of_means(p, from, b));
    default: /* what only moves elements */
        return cosine(p, pairing, from, b, depth + 1);
    }
}

/* a > b. Where a layer stops the way back, what the same layer made earlier is looked for in the other value. */
static double find(struct sow_predictor *p, enum sow_pairing pairing, uint32_t a, uint32_t b,
                   int depth)
{
    const struct sow_node *node = maker_of(p, a);
    if (depth >= (p->shared != NULL ? DEPTH_SHARED : DEPTH_MAX) || node->input_count == 0) {
        return product_of_means(p, a, b);
    }
    if (is_opened(node)) {
        return open(p, pairing, a, b, depth);
    }
    uint32_t at = p->network->flows[a].node, other = p->network->flows[b].node;
    if (p->shared == NULL || sow_shared_first(p, at) == at || sow_shared_first(p, at) > other) {
        return product_of_means(p, a, b);
    }
    return is_opened(maker_of(p, b)) ? open(p, pairing, b, a, depth)
                                     : through_layer(p, pairing, a, b, depth);
}

static double cosine(struct sow_predictor *p, enum sow_pairing pairing, uint32_t a, uint32_t b,
                     int depth)
{
    double c;
    if (a == b) {
        return own_cosine(&p->states[a], pairing);
    }
    if (a < b) { /* the later one is opened */
        return cosine(p, pairing, b, a, depth);
    }
    if (p->shared == NULL) {
        return find(p, pairing, a, b, depth);
    }
    int known = sow_shared_look(p, SOW_COSINE_VALUES, pairing, a, b, &c);
    if (known == 0) {
        c = held(find(p, pairing, a, b, depth));
        sow_shared_keep(p, SOW_COSINE_VALUES, pairing, a, b, c);
    }
    return known >= 0 ? c : product_of_means(p, a, b);
}

double sow_cosine(struct sow_predictor *p, enum sow_pairing pairing, uint32_t a, uint32_t b)
{
    return held(cosine(p, pairing, a, b, 0));
}
