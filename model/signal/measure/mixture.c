/* SPDX-License-Identifier: MIT */
/* Mixtures of experts: weights from a router's scores, and the sum of what the experts make. Every expert sees every
 * token, those that were not asked with weight 0. */
#include <string.h>

#include "core/base/elementary.h"
#include "model/signal/measure/step.h"

/* ---- Route: a softmax over all scores, the top_k largest kept -------------------------------------- */

/* Whether a score is one of the largest; of equal ones the first. */
static int is_kept(const struct sow_step *step, const float *scores, uint64_t i)
{
    uint64_t before = 0;
    for (uint64_t k = 0; k < step->node->at.experts; k++) {
        before += scores[k] > scores[i] || (scores[k] == scores[i] && k < i);
    }
    return before < step->node->at.top_k;
}

/* The softmax's numerators, and the sums of all and of those that are kept. */
static void weigh(const struct sow_step *step, const float *scores, double *weights, double *all,
                  double *kept)
{
    uint64_t count = step->node->at.experts;
    float most = scores[0];
    *all = *kept = 0;
    for (uint64_t i = 1; i < count; i++) {
        most = scores[i] > most ? scores[i] : most;
    }
    for (uint64_t i = 0; i < count; i++) {
        weights[i] = sow_exp((double)scores[i] - (double)most);
        *all += weights[i];
        *kept += is_kept(step, scores, i) ? weights[i] : 0;
    }
}

/* One row's doubles in a thread's scratch. */
uint64_t sow_route_scratch(const struct sow_node *node, const struct sow_network *network)
{
    (void)network;
    return 2 * node->at.experts;
}

static double *room_of(float *scratch)
{
    return (double *)(void *)(scratch + SOW_GEMM_SCRATCH_FLOATS); /* aligned to a tile */
}

static void route_rows(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct sow_step *step = user;
    uint64_t count = step->node->at.experts;
    double *weights = room_of(scratch), all, kept;
    for (uint64_t row = begin; row < end; row++) {
        const float *scores = step->inputs[0] + row * count;
        weigh(step, scores, weights, &all, &kept);
        double whole = step->node->at.normalised ? kept : all;
        for (uint64_t i = 0; i < count; i++) {
            step->output[row * count + i] =
                is_kept(step, scores, i) ? (float)(weights[i] / whole) : 0;
        }
    }
}

/* w_i (g_i - sum of w g): over those kept when their weights add up to 1, else over all, g of the others 0. */
static void route_rows_back(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct sow_step *step = user;
    uint64_t count = step->node->at.experts;
    double *weights = room_of(scratch), all, kept;
    for (uint64_t row = begin; row < end; row++) {
        const float *scores = step->inputs[0] + row * count;
        const float *g = step->output_gradient + row * count;
        weigh(step, scores, weights, &all, &kept);
        double whole = step->node->at.normalised ? kept : all, sum = 0;
        for (uint64_t i = 0; i < count; i++) {
            sum += is_kept(step, scores, i) ? weights[i] / whole * (double)g[i] : 0;
        }
        for (uint64_t i = 0; i < count; i++) {
            int used = is_kept(step, scores, i);
            double own = used ? (double)g[i] : 0;
            int moves = used || !step->node->at.normalised;
            step->input_gradients[0][row * count + i] =
                moves ? (float)(weights[i] / whole * (own - sum)) : 0;
        }
    }
}

static void route(const struct sow_step *step, sow_range_fn *rows)
{
    struct sow_step copy = *step;
    sow_team_ranges(step->team, step->out->elements / step->node->at.experts, 64, rows, &copy);
}

void sow_route_forward(const struct sow_step *step)
{
    route(step, route_rows);
}

void sow_route_backward(const struct sow_step *step)
{
    if (step->input_gradients[0] != NULL) {
        route(step, route_rows_back);
    }
}

/* ---- Experts: the weighted sum ---------------------------------------------------------------------- */

static void mix_rows(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct sow_step *step = user;
    uint64_t count = step->node->at.experts, width = sow_step_last(step->out);
    (void)scratch;
    for (uint64_t row = begin; row < end; row++) {
        float *to = step->output + row * width;
        memset(to, 0, width * sizeof *to);
        for (uint64_t e = 0; e < count; e++) {
            float weight = step->inputs[0][row * count + e];
            const float *from = step->inputs[e + 1] + row * width;
            for (uint64_t j = 0; j < width && weight != 0; j++) {
                to[j] += weight * from[j];
            }
        }
    }
}

static void mix_rows_back(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct sow_step *step = user;
    uint64_t count = step->node->at.experts, width = sow_step_last(step->out);
    (void)scratch;
    for (uint64_t row = begin; row < end; row++) {
        const float *dy = step->output_gradient + row * width;
        for (uint64_t e = 0; e < count; e++) {
            float weight = step->inputs[0][row * count + e];
            const float *made = step->inputs[e + 1] + row * width;
            float *back = step->input_gradients[e + 1];
            double sum = 0;
            for (uint64_t j = 0; j < width && back != NULL; j++) {
                back[row * width + j] = weight * dy[j];
            }
            for (uint64_t j = 0; j < width && weight != 0; j++) { /* others were not asked */
                sum += (double)made[j] * (double)dy[j];
            }
            if (step->input_gradients[0] != NULL) {
                step->input_gradients[0][row * count + e] = (float)sum;
            }
        }
    }
}

void sow_experts_forward(const struct sow_step *step)
{
    sow_step_rows(step, mix_rows);
}

void sow_experts_backward(const struct sow_step *step)
{
    sow_step_rows(step, mix_rows_back);
}
