/* SPDX-License-Identifier: MIT */
/* Dead and saturated units of an activation, and how many a random network has: units are dead when no sample wakes them,
 * which for correlated samples is not rare (P = E_z[Phi(z sqrt(rho / (1 - rho)))^N]). */
#include <math.h> /* NAN, isnan: macros */
#include <stdatomic.h>

#include "core/activation/row.h"
#include "core/base/elementary.h"
#include "model/signal/measure/statistics.h"

#define DEAD_BELOW      1e-6
#define SATURATED_BELOW 0.05
#define SAMPLE          4096u
#define GRID            2000
#define STEEP           513  /* places where the steepest slope is looked for */
#define SLOPES          128u /* of a task */
#define REACH           8.0
#define SQRT_HALF       0x1.6a09e667f3bcdp-1
#define SQRT_2_PI       0x1.40d931ff62706p+1

struct units {
    const struct sow_view *view;
    const struct sow_function *function;
    const struct sow_moments *in;
    uint64_t stride; /* from one looked at to the next */
    double limit;
    _Atomic uint64_t dead, flat;          /* counts: any order gives them */
    double steep[STEEP], saturated[GRID]; /* slopes; shares of the line, added in their order */
};

static double slope_at(const struct sow_function *function, double x)
{
    double slope;
    if (function->activation != NULL) {
        slope = sow_activation_row_of(function->activation)->derivative(x, function->parameters);
    } else {
        (void)sow_function_value(function, x, &slope);
    }
    return isnan(x) ? x : slope < 0 ? -slope : slope;
}

static int is_dead(const struct units *job, uint64_t unit)
{
    const struct sow_view *view = job->view;
    for (uint64_t outer = 0; outer < view->outer; outer++) {
        const float *x = view->x + (outer * view->features + unit) * view->inner;
        for (uint64_t i = 0; i < view->inner; i++) {
            if (!(slope_at(job->function, (double)x[i]) < DEAD_BELOW)) {
                return 0;
            }
        }
    }
    return 1;
}

static void units_range(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    struct units *job = user;
    uint64_t dead = 0;
    (void)scratch;
    for (uint64_t unit = begin; unit < end; unit++) {
        dead += (uint64_t)is_dead(job, unit);
    }
    atomic_fetch_add_explicit(&job->dead, dead, memory_order_relaxed);
}

/* Density and distribution of N(0, 1). */
static double density(double z)
{
    return sow_exp(-0.5 * z * z) / SQRT_2_PI;
}

static double below(double z)
{
    return 0.5 * sow_erfc(-z * SQRT_HALF);
}

/* Only of functions that are flat on one half of the line, and inputs whose mean over the units is 0. */
static double expected_dead(const struct sow_function *function, double correlation, double places)
{
    if (slope_at(function, -1) >= DEAD_BELOW || slope_at(function, -50) >= DEAD_BELOW) {
        return slope_at(function, 1) >= DEAD_BELOW ? 0 : NAN;
    }
    double rho = correlation < 0 || !(correlation == correlation) ? 0
                 : correlation > 0.999999                         ? 0.999999
                                                                  : correlation;
    double lean = sow_sqrt(rho / (1 - rho)), sum = 0, step = 2 * REACH / GRID;
    for (int i = 0; i < GRID; i++) {
        double z = -REACH + (i + 0.5) * step;
        sum += density(z) * sow_pow(below(z * lean), places) * step;
    }
    return sum;
}

static void steep_range(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    struct units *job = user;
    (void)scratch;
    for (uint64_t i = begin; i < end; i++) {
        job->steep[i] = slope_at(job->function, ((double)i - 256) / 32.0 + 0.001);
    }
}

static void flat_range(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    struct units *job = user;
    uint64_t flat = 0;
    (void)scratch;
    for (uint64_t i = begin; i < end; i++) {
        flat += slope_at(job->function, (double)job->view->x[i * job->stride]) < job->limit;
    }
    atomic_fetch_add_explicit(&job->flat, flat, memory_order_relaxed);
}

static void saturated_range(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    struct units *job = user;
    const double step = 2 * REACH / GRID;
    (void)scratch;
    for (uint64_t i = begin; i < end; i++) {
        double z = -REACH + ((double)i + 0.5) * step;
        int is_flat = slope_at(job->function, job->in->mean + job->in->std * z) < job->limit;
        job->saturated[i] = is_flat ? density(z) * step : 0;
    }
}

static double expected_saturated(struct sow_team *team, struct units *job)
{
    double sum = 0;
    if (!(job->in->std == job->in->std)) {
        return NAN;
    }
    sow_team_ranges(team, GRID, SLOPES, saturated_range, job);
    for (int i = 0; i < GRID; i++) {
        sum += job->saturated[i];
    }
    return sum;
}

struct sow_slopes sow_slopes_of(struct sow_team *team, const struct sow_view *view,
                                const struct sow_function *function, const struct sow_moments *in,
                                double correlation)
{
    uint64_t elements = view->outer * view->features * view->inner;
    uint64_t taken = elements < SAMPLE ? elements : SAMPLE;
    struct units job = {.view = view, .function = function, .in = in};
    double steepest = 0;
    if (elements == 0 || in->non_finite == elements) {
        return (struct sow_slopes){NAN, NAN, NAN, NAN};
    }
    job.stride = elements / taken;
    sow_team_ranges(team, view->features, 16, units_range, &job);
    sow_team_ranges(team, STEEP, SLOPES, steep_range, &job);
    for (int i = 0; i < STEEP; i++) {
        steepest = job.steep[i] > steepest ? job.steep[i] : steepest;
    }
    job.limit = SATURATED_BELOW * steepest;
    sow_team_ranges(team, taken, SLOPES, flat_range, &job);
    return (struct sow_slopes){
        .dead = (double)job.dead / (double)view->features,
        .saturated = (double)job.flat / (double)taken,
        .dead_expected = expected_dead(function, correlation, (double)(view->outer * view->inner)),
        .saturated_expected = expected_saturated(team, &job)};
}
