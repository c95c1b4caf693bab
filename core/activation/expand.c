/* SPDX-License-Identifier: MIT */
/* Expansion of f(mean + std z) in Hermite polynomials, and what follows from it (core/activation/pair.h): which sums over
 * nodes (hermite.c) are good enough, its means and its tails. */
#include "core/activation/pair.h"

#include <math.h>

#include "core/activation/hermite.h"
#include "core/activation/quadrature_constants.h"
#include "core/base/elementary.h"
#include "core/base/error.h"

#define LIMIT      10.5 /* h_47 times the density is 1e-12 there */
#define LIMIT_MORE 14
#define LIMIT_WIDE 24
#define APART_MAX  2e-5 /* of halves' squares: all of it errs by the square of that */
#define DEPTH_MAX  7

static const double inverse_root_2pi = 0x1.9884533d43651p-2;

/* ---- Whether sums are good enough ---------------------------------------------------------------- */

/* How far Stein's identity is missed, E[f z] = std E[f'], of f and a tenth of that of f^2, relative to the terms: it
 * tells whether panels are narrow enough. A function that jumps breaks it. */
static double stein_miss(const struct sow_hermite_sums *sums, double std)
{
    double miss = fabs(sums->hermite[1] - std * sums->slope);
    double of_square = fabs(sums->spread - sums->square - 2 * std * sums->pull);
    double size = 10 * (sums->spread + sums->square);
    miss = miss > 0 ? miss / sums->size : 0;
    of_square = of_square > 0 ? of_square / size : 0;
    return miss > of_square ? miss : of_square;
}

/* Whether the trapezoidal rule did: every other node alone says almost the same, too. */
static int is_smooth_enough(const struct sow_hermite_sums *sums, double std)
{
    return stein_miss(sums, std) <= 1e-12 && fabs(sums->apart) <= APART_MAX * sums->square &&
           fabs(sums->slope_apart) <= APART_MAX * sums->slope_square &&
           sums->edge <= 1e-12 * sums->square;
}

/* By the trapezoidal rule, finer and finer. */
static int try_smooth(const struct sow_pointwise *f, double mean, double std,
                      struct sow_hermite_sums *sums)
{
    for (int i = 0; sow_hermite_smooth(f, mean, std, i, sums) && !sums->bad; i++) {
        if (is_smooth_enough(sums, std)) {
            return 1;
        }
    }
    return 0;
}

/* ---- Tails ----------------------------------------------------------------------------------- */

/* What is missing from a sum that should come to `whole`, whose terms k are known below SOW_HERMITE: the power from
 * the last half of the terms, the parities likewise. */
static struct sow_tail tail_of(const double terms[SOW_HERMITE], double whole)
{
    struct sow_tail tail = {.even = 0.5};
    double sum = 0, last = 0, even = 0;
    for (size_t k = 0; k < SOW_HERMITE; k++) {
        sum += terms[k];
        last += k >= SOW_HERMITE / 2 ? terms[k] : 0;
        even += k >= SOW_HERMITE / 2 && k % 2 == 0 ? terms[k] : 0;
    }
    if (whole - sum > 1e-14 * whole) {
        double power = sow_log(1 + last / (whole - sum)) / sow_log(2);
        tail.total = whole - sum;
        tail.even = last > 0 ? even / last : 0.5;
        for (size_t j = 0; j < SOW_TAIL_NODES; j++) {
            double node = sow_legendre[j / 2].node * (j % 2 == 0 ? -0.5 : 0.5) + 0.5;
            tail.terms[j] = sow_pow(node, -1 / (power > 0.05 ? power : 0.05));
        }
    }
    return tail;
}

/* ---- Lines on both sides of 0 ------------------------------------------------------------------ */

static int is_piecewise_linear(const struct sow_pointwise *f, double *low, double *high)
{
    static const double at[] = {1e-3, 0.5, 2, 7, 1e3};
    double slope;
    if (f->jumps || f->kink_count > 1 || (f->kink_count == 1 && f->kinks[0] != 0)) {
        return 0;
    }
    *high = f->value(f->of, 1, &slope);
    *low = -f->value(f->of, -1, &slope);
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
        if (fabs(f->value(f->of, at[i], &slope) - *high * at[i]) > 1e-14 * fabs(*high) * at[i] ||
            fabs(f->value(f->of, -at[i], &slope) + *low * at[i]) > 1e-14 * fabs(*low) * at[i]) {
            return 0;
        }
    }
    return 1;
}

static void expand_lines(double std, double low, double high, struct sow_expansion *expansion)
{
    double squares = 0.5 * (low * low + high * high), q = std * std;
    double fourths = 0.5 * (low * low * low * low + high * high * high * high);
    *expansion = (struct sow_expansion){
        .std = std,
        .mean = std * (high - low) * inverse_root_2pi,
        .square = squares * q,
        .fourth = 3 * fourths * q * q,
        .slope = 0.5 * (low + high),
        .slope_square = squares,
        .growth = squares,
        .is_linear = 1,
        .low = low,
        .high = high,
    };
}

/* ---- The whole --------------------------------------------------------------------------------- */

static void constant(const struct sow_pointwise *f, double mean, struct sow_expansion *expansion)
{
    double slope, y = f->value(f->of, mean, &slope);
    *expansion = (struct sow_expansion){.mean = y,
                                        .square = y * y,
                                        .fourth = y * y * y * y,
                                        .slope = slope,
                                        .slope_square = slope * slope,
                                        .growth = slope * slope,
                                        .coefficients = {y}};
}

static void take(const struct sow_hermite_sums *sums, double std, int jumps,
                 struct sow_expansion *expansion)
{
    double terms[SOW_HERMITE], slopes[SOW_HERMITE] = {0};
    *expansion = (struct sow_expansion){
        .std = std,
        .mean = sums->mean,
        .square = sums->square,
        .fourth = sums->fourth,
        .slope = sums->slope,
        .slope_square = sums->slope_square,
        .growth = sums->pull / std,
        .jumps = jumps,
    };
    for (size_t k = 0; k < SOW_HERMITE; k++) {
        double a = k > 0 ? sums->hermite[k] : sums->mean;
        expansion->coefficients[k] = a;
        terms[k] = a * a;
        if (k > 0) {
            slopes[k] = (double)k * a * a / (std * std);
        }
    }
    expansion->tail = tail_of(terms, sums->square);
    if (!jumps) {
        expansion->slope_tail = tail_of(slopes, sums->slope_square);
    }
}

static enum sow_status no_means(double mean, double std, struct sow_error *error)
{
    return sow_fail(error, SOW_E_ARGUMENT,
                    "the function is not finite, or has no mean, for inputs of mean %g and std %g",
                    mean, std);
}

/* In closed form, where the function has one for such inputs. */
static int expand_closed(const struct sow_pointwise *f, double mean, double std,
                         struct sow_expansion *expansion)
{
    struct sow_closed_means means;
    if (f->closed == NULL || !sow_closed_means(f->closed, mean, std, 0, &means)) {
        return 0;
    }
    *expansion = (struct sow_expansion){
        .std = std,
        .mean = means.mean,
        .square = means.square,
        .fourth = means.fourth,
        .slope = means.slope,
        .slope_square = means.slope_square,
        .growth = means.growth,
        .closed = f->closed,
        .at = mean,
    };
    return 1;
}

enum sow_status sow_expand(const struct sow_pointwise *f, double mean, double std,
                           struct sow_expansion *expansion, struct sow_error *error)
{
    struct sow_hermite_sums sums;
    double low, high, limit = LIMIT, last_miss = INFINITY;
    if (!(mean - mean == 0 && std >= 0 && std < 1e100)) {
        return sow_fail(error, SOW_E_ARGUMENT, "a mean or std of an input is out of range");
    }
    if (std <= 1e-150 || std <= 1e-15 * fabs(mean)) {
        constant(f, mean, expansion);
        return SOW_OK;
    }
    if (mean == 0 && is_piecewise_linear(f, &low, &high)) {
        expand_lines(std, low, high, expansion);
        return SOW_OK;
    }
    if (expand_closed(f, mean, std, expansion)) {
        return expansion->square - expansion->square == 0 ? SOW_OK : no_means(mean, std, error);
    }
    if (f->kink_count == 0 && !f->jumps && try_smooth(f, mean, std, &sums)) {
        take(&sums, std, 0, expansion);
        return SOW_OK;
    }
    for (int depth = 0; depth <= DEPTH_MAX; depth++) {
        sow_hermite_panels(f, mean, std, limit, depth, &sums);
        if (!sums.bad && limit < LIMIT_WIDE && !(sums.edge <= 1e-15 * sums.square)) {
            limit = limit < LIMIT_MORE ? LIMIT_MORE : LIMIT_WIDE;
            depth--;
            continue;
        }
        double miss = stein_miss(&sums, std);
        int is_known = sums.slope - sums.slope == 0 && !f->jumps;
        if (sums.bad || !is_known || miss <= 1e-11 || miss > 0.5 * last_miss) {
            break;
        }
        last_miss = miss;
    }
    if (sums.bad || !(sums.square - sums.square == 0) || !(sums.edge <= 1e-9 * sums.square)) {
        return no_means(mean, std, error);
    }
    take(&sums, std, f->jumps, expansion);
    return SOW_OK;
}
