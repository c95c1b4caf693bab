/* SPDX-License-Identifier: MIT */
/* Two tasks a sample. Deviations are squared, not sums subtracted, which would cancel where places are nearly one. */
#include "model/signal/measure/collapse.h"

#include <math.h> /* NAN, isfinite: macros; sqrt is IEEE's own operation */

#define SAMPLES 8u
#define PLACES  32u

struct collapse {
    const struct sow_view *view;
    uint64_t places, taken;              /* of a sample */
    double apart[SAMPLES], all[SAMPLES]; /* sums of squares: of deviations, and of all */
};

/* Rows of a sample. */
static void find_rows(const struct collapse *job, uint64_t sample, const float *rows[PLACES])
{
    const struct sow_view *view = job->view;
    for (uint64_t i = 0; i < job->taken; i++) {
        uint64_t place = sample * job->places + i * job->places / job->taken;
        rows[i] =
            view->x + place / view->inner * view->features * view->inner + place % view->inner;
    }
}

static double squares(const struct collapse *job, const float *const rows[PLACES])
{
    double all = 0;
    for (uint64_t j = 0; j < job->view->features; j++) {
        for (uint64_t i = 0; i < job->taken; i++) {
            double x = (double)rows[i][j * job->view->inner];
            all += x * x;
        }
    }
    return all;
}

static double deviations(const struct collapse *job, const float *const rows[PLACES])
{
    double apart = 0;
    for (uint64_t j = 0; j < job->view->features; j++) {
        uint64_t at = j * job->view->inner;
        double mean = 0;
        for (uint64_t i = 0; i < job->taken; i++) {
            mean += (double)rows[i][at];
        }
        mean /= (double)job->taken;
        for (uint64_t i = 0; i < job->taken; i++) {
            double d = (double)rows[i][at] - mean;
            apart += d * d;
        }
    }
    return apart;
}

/* Each of the two is one chain of sums. */
static void sum_sample(void *user, uint64_t task, float *scratch)
{
    struct collapse *job = user;
    const float *rows[PLACES];
    uint64_t sample = task / 2;
    (void)scratch;
    find_rows(job, sample, rows);
    if (task % 2 == 0) {
        job->apart[sample] = deviations(job, rows);
    } else {
        job->all[sample] = squares(job, rows);
    }
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
    sow_team_run(team, 2 * samples, sum_sample, &job);
    for (uint64_t i = 0; i < samples; i++) {
        double index = sqrt(job.apart[i] / job.all[i]);
        sum += isfinite(index) ? index : 0;
        count += isfinite(index) != 0;
    }
    return count > 0 ? sum / count : NAN;
}
