/* SPDX-License-Identifier: MIT */
/* The first loss of a classifier: E[ln sum exp z] of its logits. While their std s is small that is ln C + s^2 / 2; well
 * beyond sqrt(2 ln C) the largest logit decides. Computed whole, for every s:
 *     E[ln S] = integral over u of exp(-e^u) - E[exp(-S e^u)],   E[exp(-S e^u)] = E[exp(-e^(u + s z))]^C. */
#include <math.h>
#include <stdlib.h>

#include "core/base/elementary.h"
#include "model/signal/judge/judge.h"

#define REACH     12.0 /* standard deviations of a logit */
#define FALL      48.0 /* below u = -FALL nearly nothing is kept */
#define STD_LEAST 0.02 /* below, the formula is exact to 1e-8 */
#define STD_MOST  60.0 /* beyond, the loss is proportional to s to a part in a thousand */

/* 1 - exp(-e^y) */
static double kept(double y)
{
    return y > 4 ? 1 : -sow_expm1(-sow_exp(y < -700 ? -700 : y));
}

/* Numbers on the grid top - step k, which both integrals use. */
struct grid {
    double *kept, *weights; /* at top + step (reach - k); of z, from -reach to reach */
    double *above;          /* sum of the weights before each */
    size_t reach, count;    /* points on one side of z; points of u */
    double step;
    double top; /* of u: there even a sum of few logits that are all far below 0 is counted whole */
};

/* 1 - E[exp(-e^(u + s z))] at u = top - step k, by the trapezoidal rule, which on smooth functions that end in nothing
 * is exact to rounding. Above 4 all is kept: the first points. */
static double mean_kept(const struct grid *grid, size_t k)
{
    size_t most = grid->reach + (size_t)((grid->top - 4) / grid->step),
           first = k < most ? most - k : 0,
           fall = grid->reach + (size_t)((grid->top + FALL) / grid->step);
    first = first < 2 * grid->reach + 1 ? first : 2 * grid->reach + 1;
    double sum = grid->above[first];
    for (size_t i = first; i <= 2 * grid->reach && k + i < fall; i++) {
        sum += grid->weights[i] * grid->kept[k + i];
    }
    return sum;
}

static void fill_grid(struct grid *grid, double std)
{
    double sum = 0;
    grid->above[0] = 0;
    for (size_t i = 0; i <= 2 * grid->reach; i++) {
        double z = ((double)i - (double)grid->reach) * grid->step / std;
        grid->weights[i] = sow_exp(-0.5 * z * z);
        sum += grid->weights[i];
    }
    for (size_t i = 0; i <= 2 * grid->reach; i++) {
        grid->weights[i] /= sum;
        grid->above[i + 1] = grid->above[i] + grid->weights[i];
    }
    for (size_t k = 0; k < grid->count + 2 * grid->reach + 1; k++) {
        grid->kept[k] = kept(grid->top + ((double)grid->reach - (double)k) * grid->step);
    }
}

static double integral(const struct grid *grid, double classes)
{
    double sum = 0;
    /* above the top both terms are 0; far below, both are 1 as soon as S e^u is small */
    for (size_t k = 0; k < grid->count; k++) {
        double none = grid->kept[k + grid->reach], of_one = mean_kept(grid, k);
        double of_all = of_one < 1 ? sow_exp(classes * sow_log1p(-of_one)) : 0;
        double difference = (1 - none) - of_all;
        sum += difference;
        if (none < 1e-8 && fabs(difference) < 1e-10) {
            break;
        }
    }
    return sum * grid->step;
}

double sow_expected_loss(double classes, double std)
{
    double uniform = sow_log(classes);
    if (!(std >= STD_LEAST)) {
        return uniform + 0.5 * std * std * (1 - 1 / classes);
    }
    double scale = std > STD_MOST ? std / STD_MOST : 1, loss = NAN;
    std = std > STD_MOST ? STD_MOST : std;
    struct grid grid = {.step = std < 0.5 ? 0.5 * std : 0.25};
    grid.reach = (size_t)(REACH * std / grid.step) + 1;
    grid.top = 4 + REACH * std;
    grid.count = (size_t)((uniform + 2 * REACH * std + 44) / grid.step) + 1;
    grid.weights = malloc((2 * grid.reach + 1) * sizeof *grid.weights);
    grid.above = malloc((2 * grid.reach + 2) * sizeof *grid.above);
    grid.kept = malloc((grid.count + 2 * grid.reach + 1) * sizeof *grid.kept);
    if (grid.weights != NULL && grid.above != NULL && grid.kept != NULL) {
        fill_grid(&grid, std);
        loss = scale * integral(&grid, classes);
    }
    free(grid.weights);
    free(grid.above);
    free(grid.kept);
    return loss;
}

void sow_judge_loss(struct sow_judgement *j)
{
    const struct sow_network *network = j->network;
    size_t last = network->flows[network->outputs[network->output_count - 1]].node;
    const struct sow_probe_value *value = sow_probe_at(j->probe, last);
    double classes = (double)sow_network_classes(network);
    if (classes == 0) {
        return;
    }
    double variance = value->second_moment * (1 - value->feature_correlation);
    double std = variance > 0 && variance < 1e200 ? sow_sqrt(variance) : variance > 0 ? 1e100 : 0;
    j->loss = (struct sow_first_loss){
        .classes = (uint64_t)classes,
        .logit_std = std,
        .loss = sow_expected_loss(classes, std),
        .uniform = sow_log(classes),
    };
}
