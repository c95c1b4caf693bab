/* SPDX-License-Identifier: MIT */
/* A task a sample. Deviations are squared, not sums subtracted, which would cancel where places are nearly one. */
#include "model/signal/measure/collapse.h"

#include <math.h> /* NAN, isfinite: macros; sqrt is IEEE's own operation */

#define SAMPLES 8u
#define PLACES  32u

struct collapse {
    const struct sow_view *view;
    uint64_t places, taken; /* of a sample */
    double index[SAMPLES];
};

static const float *row_of(const struct collapse *job, uint64_t sample, uint64_t i)
{
    const struct sow_view *view = job->view;
    uint64_t place = sample * job->places + i * job->places / job->taken;
    return view->x + place / view->inner * view->features * view->inner + place % view->inner;
}

static void collapse_sample(void *user, uint64_t sample, float *scratch)
{
    struct collapse *job = user;
    double all = 0, apart = 0, rows = (double)job->taken;
    (void)scratch;
    for (uint64_t j = 0; j < job->view->features; j++) {
        uint64_t at = j * job->view->inner;
        double mean = 0;
        for (uint64_t i = 0; i < job->taken; i++) {
            double x = (double)row_of(job, sample, i)[at];
            mean += x;
            all += x * x;
        }
        mean /= rows;
        for (uint64_t i = 0; i < job->taken; i++) {
            double d = (double)row_of(job, sample, i)[at] - mean;
            apart += d * d;
        }
    }
    job->index[sample] = sqrt(apart / all);
}

double sow_collapse_of(struct sow_team *team, const struct sow_view *view)
{
    struct collapse job = {.view = view};
    uint64_t samples = view->samples < SAMPLES ? view->samples : SAMPLES;
    double sum = 0, count = 0;
    job.places = view->samples > 0 ? view->outer * view->inner / view->samples : 0;
    job.taken = job.places < PLACES ? job.places : PLACES;
    if (job.taken < 2 || view->features == 0) {
        return NAN;
    }
    sow_team_run(team, samples, collapse_sample, &job);
    for (uint64_t i = 0; i < samples; i++) {
        sum += isfinite(job.index[i]) ? job.index[i] : 0;
        count += isfinite(job.index[i]) != 0;
    }
    return count > 0 ? sum / count : NAN;
}
