/* SPDX-License-Identifier: MIT */
/* Values with a common ancestor are not independent: x + x has four times the second moment of x. Where a path between
 * two values goes through fresh weights, all that they share is their means; the other operations are followed back to
 * a common value. The same downwards for gradients. */
#include <math.h>

#include "core/base/elementary.h"
#include "model/signal/predict/predict.h"

#define DEPTH_MAX 24

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

/* sqrt of a's second moment over b's */
static double root_ratio(double log_a, double log_b)
{
    return log_a > -INFINITY && log_b > -INFINITY ? sow_exp(0.5 * (log_a - log_b)) : 0;
}

static double cosine(const struct sow_predictor *p, enum sow_pairing pairing, uint32_t a,
                     uint32_t b, int depth)
{
    const struct sow_state *x = &p->states[a], *y = &p->states[b];
    double means = x->mean * y->mean;
    if (a == b) {
        return own_cosine(x, pairing);
    }
    if (a < b) { /* the later one is opened */
        return cosine(p, pairing, b, a, depth);
    }
    const struct sow_node *node = &p->network->nodes[p->network->flows[a].node];
    const struct sow_local *local = &p->locals[p->network->flows[a].node];
    if (depth == DEPTH_MAX || node->input_count == 0) {
        return means;
    }
    uint32_t from = node->inputs[0];
    const struct sow_state *u = &p->states[from];
    switch (node->op) {
    case SOW_OP_ADD: {
        double sum = 0;
        for (int i = 0; i < 2; i++) {
            double part = root_ratio(p->states[node->inputs[i]].log, x->log);
            sum += part > 0 ? part * cosine(p, pairing, node->inputs[i], b, depth + 1) : 0;
        }
        return sum;
    }
    case SOW_OP_SCALE:
    case SOW_OP_LAYER_SCALE:
        return local->factor * root_ratio(u->log, x->log) * cosine(p, pairing, from, b, depth + 1);
    case SOW_OP_DROPOUT:
        return root_ratio(u->log, x->log) * cosine(p, pairing, from, b, depth + 1);
    case SOW_OP_SPLIT_HEADS:
    case SOW_OP_MERGE_HEADS:
    case SOW_OP_TO_TOKENS:
    case SOW_OP_TAKE:
        return cosine(p, pairing, from, b, depth + 1);
    case SOW_OP_MULTIPLY: { /* y x, y of mean m and independent of x and b but for the means: m E[x b] + ... */
        double sum = 0;
        if (local->composed != NULL) {
            return means;
        }
        for (int i = 0; i < 2; i++) {
            uint32_t other = node->inputs[1 - i];
            double part = root_ratio(p->states[node->inputs[i]].log + p->states[other].log, x->log);
            double m = p->states[other].mean;
            double own = p->states[node->inputs[i]].mean * y->mean;
            sum += part * m * (cosine(p, pairing, node->inputs[i], b, depth + 1) - own);
        }
        return means + sum;
    }
    case SOW_OP_ACTIVATION: /* Stein: Cov(phi(u), y) = E[phi'] Cov(u, y) */
        return means + local->slope * root_ratio(u->log, x->log) *
                           (cosine(p, pairing, from, b, depth + 1) - u->mean * y->mean);
    case SOW_OP_LAYER_NORM:
    case SOW_OP_RMS_NORM:
    case SOW_OP_BATCH_NORM:
    case SOW_OP_GROUP_NORM:
        return means + local->factor * root_ratio(u->log, x->log) *
                           (cosine(p, pairing, from, b, depth + 1) - u->mean * y->mean);
    default:
        return means;
    }
}

double sow_cosine(const struct sow_predictor *p, enum sow_pairing pairing, uint32_t a, uint32_t b)
{
    double c = cosine(p, pairing, a, b, 0);
    return c > 1 ? 1 : c < -1 ? -1 : c;
}

/* ---- Gradients ----------------------------------------------------------------------------------------- */

static double gradient_cosine(const struct sow_predictor *p, uint32_t a, uint32_t b, int depth);

/* The diagonal of a use's Jacobian on average, in units of gradients' sizes: from the output's to `flow`'s. */
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

/* E[a b] of the gradients at two flows over the roots of their second moments: the earlier one is opened. */
static double gradient_cosine(const struct sow_predictor *p, uint32_t a, uint32_t b, int depth)
{
    if (a == b) {
        return 1;
    }
    if (a > b) {
        return gradient_cosine(p, b, a, depth);
    }
    double sum = 0;
    if (depth == DEPTH_MAX || p->use_begin[a + 1] - p->use_begin[a] > 8) {
        return 0;
    }
    for (uint32_t i = p->use_begin[a]; i < p->use_begin[a + 1]; i++) {
        uint32_t use = p->use_list[i];
        double factor = use_factor(p, use);
        uint32_t out = p->network->nodes[p->use_node[use]].output;
        if (factor != 0 && p->adjoints[out].log > -INFINITY) {
            sum += factor * root_ratio(p->adjoints[out].log, p->adjoints[a].log) *
                   gradient_cosine(p, out, b, depth + 1);
        }
    }
    return sum;
}

double sow_use_cosine(const struct sow_predictor *p, uint32_t use_a, uint32_t use_b)
{
    const struct sow_node *a = &p->network->nodes[p->use_node[use_a]],
                          *b = &p->network->nodes[p->use_node[use_b]];
    const struct sow_adjoint *back_a = &p->use[use_a], *back_b = &p->use[use_b];
    if (!(back_a->log > -INFINITY && back_b->log > -INFINITY)) {
        return 0;
    }
    double factors = use_factor(p, use_a) * use_factor(p, use_b);
    if (a == b) {
        if (a->op == SOW_OP_MULTIPLY) { /* y delta and x delta */
            return sow_cosine(p, SOW_PAIR_SAME, a->inputs[0], a->inputs[1]);
        }
        return a->op == SOW_OP_ADD ? 1 : 0;
    }
    if (factors == 0) {
        return 0;
    }
    double sizes = root_ratio(p->adjoints[a->output].log, back_a->log) *
                   root_ratio(p->adjoints[b->output].log, back_b->log);
    double c = factors * sizes * gradient_cosine(p, a->output, b->output, 0);
    return c > 1 ? 1 : c < -1 ? -1 : c;
}
