/* SPDX-License-Identifier: MIT */
/* Expansion of f(mean + std z) in Hermite polynomials by composite Gauss-Legendre, and what follows from it
 * (core/activation/pair.h): its means and its tails. */
#include "core/activation/pair.h"

#include <math.h>
#include <string.h>

#include "core/activation/quadrature_constants.h"
#include "core/base/elementary.h"
#include "core/base/error.h"

#define NODES      16
#define LIMIT      9 /* the density is 1e-18 there */
#define LIMIT_WIDE 24
#define WIDTH      1.8
#define STEP       0.35        /* of the trapezoidal rule */
#define EDGE       (23 * STEP) /* its first node; one is at 0, so that halves of a bump differ */
#define APART_MAX  2e-5        /* of its halves' squares: all of it errs by the square of that */
#define ENDS_MAX   128
#define DEPTH_MAX  7

static const double inverse_root_2pi = 0x1.9884533d43651p-2;

/* Two numbers at once, which every compiler meant here can. */
typedef double two __attribute__((vector_size(16)));

struct sums {
    double base; /* a number taken off f for `hermite`, whose sums end before h_47 does */
    double mean, square, fourth, slope, slope_square, pull;
    double size;               /* E[|f z|] and such: what errors are measured against */
    double edge;               /* of the square, beyond the panels */
    double spread;             /* E[f^2 z^2] */
    double apart, slope_apart; /* of squares: even nodes less odd ones */
    two lanes[SOW_HERMITE];
    double hermite[SOW_HERMITE]; /* sums of both lanes, once all are added */
    int bad;
};

/* Of the recursion: h_(k+1) = up[k] z h_k - down[k] h_(k-1). */
struct roots {
    double up[SOW_HERMITE], down[SOW_HERMITE];
};

/* ---- Quadrature ---------------------------------------------------------------------------- */

static void insert(double ends[ENDS_MAX], size_t *count, double end, double limit)
{
    if (!(end > -limit && end < limit) || *count == ENDS_MAX) {
        return;
    }
    size_t at = *count;
    while (at > 0 && ends[at - 1] > end) {
        ends[at] = ends[at - 1];
        at--;
    }
    ends[at] = end;
    (*count)++;
}

/* Ends of panels in z: steps, kinks, and for a wide input a grading towards x = 0, where activations bend. */
static size_t make_ends(const struct sow_pointwise *f, double mean, double std, double limit,
                        double ends[ENDS_MAX])
{
    size_t count = 0;
    int steps = (int)(2 * limit / WIDTH + 0.5);
    for (size_t i = 0; i < f->kink_count; i++) {
        insert(ends, &count, (f->kinks[i] - mean) / std, limit);
    }
    if (std * WIDTH > 2) {
        insert(ends, &count, -mean / std, limit);
        for (double x = 1; x < WIDTH * std; x *= 2) {
            insert(ends, &count, (x - mean) / std, limit);
            insert(ends, &count, (-x - mean) / std, limit);
        }
    }
    for (int i = 1; i < steps; i++) {
        insert(ends, &count, -limit + 2 * limit * i / steps, limit);
    }
    if (count > ENDS_MAX - 2) {
        count = ENDS_MAX - 2;
    }
    for (size_t at = count; at > 0; at--) {
        ends[at] = ends[at - 1];
    }
    ends[0] = -limit;
    ends[count + 1] = limit;
    return count + 2;
}

/* Normalised Hermite polynomials, h_(k+1) = (z h_k - sqrt(k) h_(k-1)) / sqrt(k + 1), times `weighted`: 8 nodes at a
 * time, which registers hold. */
static void add_hermite(const double z[NODES], const double weighted[NODES],
                        const struct roots *roots, two sums[SOW_HERMITE])
{
    for (size_t first = 0; first < NODES; first += 8) {
        two x[4], before[4] = {{0}}, now[4];
        memcpy(x, z + first, sizeof x);
        memcpy(now, weighted + first, sizeof now);
        for (size_t k = 0; k < SOW_HERMITE; k++) {
            two down = {roots->down[k], roots->down[k]}, up = {roots->up[k], roots->up[k]};
            sums[k] += (now[0] + now[1]) + (now[2] + now[3]);
            for (size_t j = 0; j < 4; j++) {
                two next = (up * x[j]) * now[j] - down * before[j];
                before[j] = now[j];
                now[j] = next;
            }
        }
    }
}

/* 16 nodes with their weights, the density in them. */
static void add_nodes(const struct sow_pointwise *f, double mean, double std, const double z[NODES],
                      const double weights[NODES], const struct roots *roots, struct sums *sums)
{
    double weighted[NODES];
    for (size_t j = 0; j < NODES; j++) {
        double slope, y = f->value(f->of, mean + std * z[j], &slope), weight = weights[j];
        sums->bad |= !(y - y == 0);
        weighted[j] = (y - sums->base) * weight;
        sums->square += y * y * weight;
        sums->mean += y * weight;
        sums->fourth += y * y * y * y * weight;
        sums->slope += slope * weight;
        sums->slope_square += slope * slope * weight;
        sums->pull += y * slope * z[j] * weight;
        sums->spread += y * y * z[j] * z[j] * weight;
        sums->apart += j % 2 == 0 ? y * y * weight : -(y * y * weight);
        sums->slope_apart += j % 2 == 0 ? slope * slope * weight : -(slope * slope * weight);
        sums->size += (fabs(y * z[j]) + fabs(slope) * std) * weight;
    }
    add_hermite(z, weighted, roots, sums->lanes);
}

static void add_panel(const struct sow_pointwise *f, double mean, double std, double low,
                      double high, const struct roots *roots, struct sums *sums)
{
    double z[NODES], weights[NODES];
    double middle = 0.5 * (low + high), half = 0.5 * (high - low);
    for (size_t j = 0; j < NODES; j++) {
        z[j] = middle + (j % 2 == 0 ? -half : half) * sow_legendre[j / 2].node;
        weights[j] =
            half * sow_legendre[j / 2].weight * inverse_root_2pi * sow_exp(-0.5 * z[j] * z[j]);
    }
    add_nodes(f, mean, std, z, weights, roots, sums);
}

static void take_roots(struct roots *roots)
{
    for (size_t k = 0; k < SOW_HERMITE; k++) {
        roots->up[k] = 1 / sow_sqrt((double)(k + 1));
        roots->down[k] = sow_sqrt((double)k) * roots->up[k];
    }
}

static void join_lanes(struct sums *sums)
{
    for (size_t k = 0; k < SOW_HERMITE; k++) {
        sums->hermite[k] = sums->lanes[k][0] + sums->lanes[k][1];
    }
}

static double value_at(const struct sow_pointwise *f, double x)
{
    double slope, y = f->value(f->of, x, &slope);
    return y - y == 0 ? y : 0;
}

/* The integral of f^2 beyond z, or near enough. */
static double beyond(const struct sow_pointwise *f, double mean, double std, double z)
{
    double slope, y = f->value(f->of, mean + std * z, &slope);
    return y * y * inverse_root_2pi * sow_exp(-0.5 * z * z) / fabs(z);
}

/* The trapezoidal rule, which for a smooth f and the normal density errs by exp(-2 pi a / step), a the distance of f's
 * nearest pole from the line (Trefethen and Weideman 2014). 48 nodes. */
static void integrate_smooth(const struct sow_pointwise *f, double mean, double std,
                             struct sums *sums)
{
    double z[NODES], weights[NODES];
    struct roots roots;
    *sums = (struct sums){.base = value_at(f, mean)};
    take_roots(&roots);
    for (int block = 0; block < 3; block++) {
        for (int j = 0; j < NODES; j++) {
            z[j] = STEP * (block * NODES + j) - EDGE;
            weights[j] = STEP * inverse_root_2pi * sow_exp(-0.5 * z[j] * z[j]);
        }
        add_nodes(f, mean, std, z, weights, &roots, sums);
    }
    join_lanes(sums);
    sums->edge = beyond(f, mean, std, -EDGE) + beyond(f, mean, std, EDGE + STEP);
}

/* How far Stein's identity is missed, E[f z] = std E[f'], of f and a tenth of that of f^2, relative to the terms: it
 * tells whether panels are narrow enough. A function that jumps breaks it. */
static double stein_miss(const struct sums *sums, double std)
{
    double miss = fabs(sums->hermite[1] - std * sums->slope);
    double of_square = fabs(sums->spread - sums->square - 2 * std * sums->pull);
    double size = 10 * (sums->spread + sums->square);
    miss = miss > 0 ? miss / sums->size : 0;
    of_square = of_square > 0 ? of_square / size : 0;
    return miss > of_square ? miss : of_square;
}

/* Whether the trapezoidal rule did: every other node alone says almost the same, too. */
static int is_smooth_enough(const struct sums *sums, double std)
{
    return !sums->bad && stein_miss(sums, std) <= 1e-12 &&
           fabs(sums->apart) <= APART_MAX * sums->square &&
           fabs(sums->slope_apart) <= APART_MAX * sums->slope_square &&
           sums->edge <= 1e-12 * sums->square;
}

static void integrate(const struct sow_pointwise *f, double mean, double std, double limit,
                      int depth, struct sums *sums)
{
    double ends[ENDS_MAX];
    struct roots roots;
    size_t count = make_ends(f, mean, std, limit, ends);
    int parts = 1 << depth;
    *sums = (struct sums){.base = value_at(f, mean)};
    take_roots(&roots);
    for (size_t i = 0; i + 1 < count; i++) {
        double step = (ends[i + 1] - ends[i]) / parts;
        for (int part = 0; part < parts && step > 0; part++) {
            double low = ends[i] + part * step;
            add_panel(f, mean, std, low, part + 1 < parts ? low + step : ends[i + 1], &roots, sums);
        }
    }
    join_lanes(sums);
    sums->edge = beyond(f, mean, std, -limit) + beyond(f, mean, std, limit);
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

static void take(const struct sums *sums, double std, int jumps, struct sow_expansion *expansion)
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
    struct sums sums;
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
    if (f->kink_count == 0 && !f->jumps && std <= 3) {
        integrate_smooth(f, mean, std, &sums);
        if (is_smooth_enough(&sums, std)) {
            take(&sums, std, 0, expansion);
            return SOW_OK;
        }
    }
    for (int depth = 0; depth <= DEPTH_MAX; depth++) {
        integrate(f, mean, std, limit, depth, &sums);
        if (!sums.bad && limit < LIMIT_WIDE && !(sums.edge <= 1e-15 * sums.square)) {
            limit = LIMIT_WIDE;
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
