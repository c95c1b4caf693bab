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
#define REACH           8.0
#define SQRT_HALF       0x1.6a09e667f3bcdp-1
#define SQRT_2_PI       0x1.40d931ff62706p+1

struct units {
    const struct sow_view *view;
    const struct sow_function *function;
    _Atomic uint64_t dead; /* a count: any order gives it */
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

static double expected_saturated(const struct sow_function *function, const struct sow_moments *in,
                                 double limit)
{
    double sum = 0, step = 2 * REACH / GRID;
    if (!(in->std == in->std)) {
        return NAN;
    }
    for (int i = 0; i < GRID; i++) {
        double z = -REACH + (i + 0.5) * step;
        sum += slope_at(function, in->mean + in->std * z) < limit ? density(z) * step : 0;
    }
    return sum;
}

struct sow_slopes sow_slopes_of(struct sow_team *team, const struct sow_view *view,
                                const struct sow_function *function, const struct sow_moments *in,
                                double correlation)
{
    uint64_t elements = view->outer * view->features * view->inner, flat = 0;
    uint64_t taken = elements < SAMPLE ? elements : SAMPLE;
    struct units job = {.view = view, .function = function};
    double steepest = 0;
    if (elements == 0 || in->non_finite == elements) {
        return (struct sow_slopes){NAN, NAN, NAN, NAN};
    }
    sow_team_ranges(team, view->features, 16, units_range, &job);
    for (int i = -256; i <= 256; i++) {
        double slope = slope_at(function, i / 32.0 + 0.001);
        steepest = slope > steepest ? slope : steepest;
    }
    for (uint64_t i = 0; i < taken; i++) {
        double x = (double)view->x[i * (elements / taken)];
        flat += slope_at(function, x) < SATURATED_BELOW * steepest;
    }
    return (struct sow_slopes){
        .dead = (double)job.dead / (double)view->features,
        .saturated = (double)flat / (double)taken,
        .dead_expected = expected_dead(function, correlation, (double)(view->outer * view->inner)),
        .saturated_expected = expected_saturated(function, in, SATURATED_BELOW * steepest)};
}
