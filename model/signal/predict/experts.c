/* SPDX-License-Identifier: MIT */
/* Mixtures of experts: how even the weights are that a router gives, and what a sum over experts keeps. Scores are taken
 * as normal, and the largest of them at their expected places (Blom 1958), which is within some per cent. */
#include <math.h>

#include "core/base/elementary.h"
#include "model/signal/predict/predict.h"
#include "model/signal/predict/widths.h"

/* The normal number below which a share of all lie. */
static double quantile(double share)
{
    double low = -9, high = 9;
    for (int i = 0; i < 50; i++) {
        double middle = 0.5 * (low + high);
        if (0.5 * sow_erfc(-middle * 0.70710678118654752) < share) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return 0.5 * (low + high);
}

/* The sums of the weights kept, of their squares and of their cubes. */
static void kept_weights(const struct sow_op_attributes *at, double s, double sums[3])
{
    double all = 0, n = (double)at->experts;
    sums[0] = sums[1] = sums[2] = 0;
    for (uint64_t i = 1; i <= at->experts; i++) {
        double weight = sow_exp(s * quantile((n - (double)i + 0.625) / (n + 0.25)));
        all += weight;
        if (i <= at->top_k) {
            sums[0] += weight;
            sums[1] += weight * weight;
            sums[2] += weight * weight * weight;
        }
    }
    double whole = at->normalised ? sums[0] : all;
    sums[0] /= whole;
    sums[1] /= whole * whole;
    sums[2] /= whole * whole * whole;
}

void sow_forward_route(struct sow_predictor *p, const struct sow_node *node)
{
    const struct sow_state *in = &p->states[node->inputs[0]];
    struct sow_state *out = &p->states[node->output];
    double s = in->log > -600 ? sow_exp(0.5 * (in->log < 8 ? in->log : 8)) : 0, sums[3];
    kept_weights(&node->at, s, sums);
    double sum = sums[0], squares = sums[1];
    double n = (double)node->at.experts, even = sum * sum / (n * n), square = squares / n;
    /* tokens that are alike choose alike */
    struct sow_raw y = {square, sum / n, n > 1 ? (sum * sum - squares) / (n * (n - 1)) : square,
                        even + in->place * (square - even), even + in->sample * (square - even)};
    *out = *in;
    sow_state_set(out, &y, 0);
    sow_width_plain(out);
    out->noise = out->par = 0;
    sow_close_layer(out);
}

/* Experts are independent of each other and of the router. */
void sow_forward_experts(struct sow_predictor *p, const struct sow_node *node)
{
    const struct sow_state *weight = &p->states[node->inputs[0]],
                           *expert = &p->states[node->inputs[1]];
    struct sow_state *out = &p->states[node->output];
    double log = weight->log + expert->log, n = (double)node->at.experts;
    double m = n * weight->mean * expert->mean,
           others = n * (n - 1) * weight->feature * expert->mean * expert->mean;
    struct sow_raw y = {n + others, m, n * expert->feature + others,
                        n * weight->place * expert->place + others,
                        n * weight->sample * expert->sample + others};
    *out = *expert;
    sow_state_set(out, &y, log > -INFINITY ? log : 0);
    out->log = log > -INFINITY ? out->log : -INFINITY;
    sow_width_plain(out);
    out->noise = expert->noise / n;
    sow_close_layer(out);
}

/* To an expert: its weight's share. To the weights: what each expert that was asked would change. */
struct sow_adjoint sow_back_experts(const struct sow_predictor *p, const struct sow_node *node,
                                    uint32_t slot)
{
    struct sow_adjoint made = p->adjoints[node->output];
    const struct sow_state *weight = &p->states[node->inputs[0]],
                           *expert = &p->states[node->inputs[1]];
    if (slot > 0) {
        made.log += weight->log;
        made.place *= weight->place;
        return made;
    }
    double asked = (double)node->at.top_k / (double)node->at.experts;
    made.log += expert->log + sow_log_of(expert->features * asked, 0);
    made.feature = 0;
    made.place *= expert->place;
    return made;
}

/* Through the softmax: w_i (g_i - sum w g), whose square is w^2 (1 - 2 w + sum w^2) for independent g. */
struct sow_adjoint sow_back_route(const struct sow_predictor *p, const struct sow_node *node)
{
    struct sow_adjoint made = p->adjoints[node->output];
    const struct sow_state *in = &p->states[node->inputs[0]];
    double s = in->log > -600 ? sow_exp(0.5 * (in->log < 8 ? in->log : 8)) : 0, sums[3];
    kept_weights(&node->at, s, sums);
    double square = sums[1] * (1 + sums[1]) - 2 * sums[2];
    made.log += sow_log_of(square > 0 ? square / (double)node->at.top_k : 0, 0);
    made.feature = 0;
    return made;
}
