/* SPDX-License-Identifier: MIT */
/* Expansion of f(mean + std z) in Hermite polynomials by composite Gauss-Legendre, and what follows from it
 * (core/activation/pair.h). Closed forms: Cho and Saul 2009, the arc-cosine kernels. */
#include "core/activation/pair.h"

#include <math.h>
#include <string.h>

#include "core/activation/quadrature_constants.h"
#include "core/base/circular.h"
#include "core/base/elementary.h"
#include "core/base/error.h"

#define NODES      16
#define LIMIT      9 /* the density is 1e-18 there */
#define LIMIT_WIDE 24
#define WIDTH      1.8
#define STEP       0.35 /* of the trapezoidal rule */
#define ENDS_MAX   128
#define DEPTH_MAX  7

static const double inverse_root_2pi = 0x1.9884533d43651p-2;
static const double pi = 0x1.921fb54442d18p+1;

/* Two numbers at once, which every compiler meant here can. */
typedef double two __attribute__((vector_size(16)));

struct sums {
    double mean, square, fourth, slope, slope_square, pull;
    double size; /* E[|f z|] and such: what errors are measured against */
    double edge; /* of the square, beyond the panels */
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
        weighted[j] = y * weight;
        sums->square += y * y * weight;
        sums->mean += y * weight;
        sums->fourth += y * y * y * y * weight;
        sums->slope += slope * weight;
        sums->slope_square += slope * slope * weight;
        sums->pull += y * slope * z[j] * weight;
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

/* The trapezoidal rule, which for a smooth f and the normal density errs by exp(-2 pi a / step), a the distance of f's
 * nearest pole from the line (Trefethen and Weideman 2014). Of a wide or kinked one Stein's identity tells that it is
 * not enough. 48 nodes. */
static void integrate_smooth(const struct sow_pointwise *f, double mean, double std,
                             struct sums *sums)
{
    double z[NODES], weights[NODES];
    struct roots roots;
    *sums = (struct sums){0};
    take_roots(&roots);
    for (int block = 0; block < 3; block++) {
        for (int j = 0; j < NODES; j++) {
            z[j] = STEP * (block * NODES + j - 23.5);
            weights[j] = STEP * inverse_root_2pi * sow_exp(-0.5 * z[j] * z[j]);
        }
        add_nodes(f, mean, std, z, weights, &roots, sums);
    }
    join_lanes(sums);
}

/* The integral of f^2 beyond z, or near enough. */
static double beyond(const struct sow_pointwise *f, double mean, double std, double z)
{
    double slope, y = f->value(f->of, mean + std * z, &slope);
    return y * y * inverse_root_2pi * sow_exp(-0.5 * z * z) / fabs(z);
}

static void integrate(const struct sow_pointwise *f, double mean, double std, double limit,
                      int depth, struct sums *sums)
{
    double ends[ENDS_MAX];
    struct roots roots;
    size_t count = make_ends(f, mean, std, limit, ends);
    int parts = 1 << depth;
    *sums = (struct sums){0};
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

/* sum over k >= K of k^-p c^k over the same at c = 1, as the integral over w = (K / k)^(p - 1). */
static double tail_at(const struct sow_tail *tail, double c)
{
    double size = fabs(c), sum = 0;
    if (tail->total == 0 || size == 0) {
        return 0;
    }
    double rate = -sow_log(size) * (SOW_HERMITE - 0.5);
    for (size_t j = 0; j < SOW_TAIL_NODES && rate > 0; j++) {
        double damp = rate * tail->terms[j];
        sum += damp < 60 ? 0.5 * sow_legendre[j / 2].weight * sow_exp(-damp) : 0;
    }
    double sign = c >= 0 ? 1 : 2 * tail->even - 1;
    return tail->total * sign * (rate > 0 ? sum : 1);
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

/* The angle between x and y, and its sine. */
static double angle(double c, double *sine)
{
    *sine = sow_sqrt((1 - c) * (1 + c));
    return c > -1 ? 2 * sow_atan(sow_sqrt((1 - c) / (1 + c))) : pi;
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
        double a = sums->hermite[k];
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
    if (f->kink_count == 0 && !f->jumps && std <= 3) {
        integrate_smooth(f, mean, std, &sums);
        if (!sums.bad && fabs(sums.hermite[1] - std * sums.slope) <= 1e-12 * sums.size) {
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
        /* Stein's identity tells whether the panels are narrow enough; a function that jumps breaks it. */
        double miss = fabs(sums.hermite[1] - std * sums.slope);
        int is_known = sums.slope - sums.slope == 0 && !f->jumps;
        if (sums.bad || !is_known || miss <= 1e-11 * sums.size || miss > 0.5 * last_miss) {
            break;
        }
        last_miss = miss;
    }
    if (sums.bad || !(sums.square - sums.square == 0) || !(sums.edge <= 1e-9 * sums.square)) {
        return sow_fail(
            error, SOW_E_ARGUMENT,
            "the function is not finite, or has no mean, for inputs of mean %g and std %g", mean,
            std);
    }
    take(&sums, std, f->jumps, expansion);
    return SOW_OK;
}

static double held(double c)
{
    return c > 1 ? 1 : c < -1 ? -1 : c;
}

double sow_expansion_product(const struct sow_expansion *expansion, double c)
{
    double sum = 0, q = expansion->std * expansion->std;
    c = held(c);
    if (expansion->is_linear) {
        double sine, t = angle(c, &sine), difference = expansion->low - expansion->high;
        double squares = expansion->low * expansion->low + expansion->high * expansion->high;
        return q * (difference * difference / (2 * pi) * (sine - t * c) + 0.5 * squares * c);
    }
    for (size_t k = SOW_HERMITE; k-- > 0;) {
        double a = expansion->coefficients[k];
        sum = sum * c + a * a;
    }
    return sum + tail_at(&expansion->tail, c);
}

double sow_expansion_slopes(const struct sow_expansion *expansion, double c)
{
    double sum = 0, q = expansion->std * expansion->std;
    c = held(c);
    if (expansion->is_linear) {
        double sine, t = angle(c, &sine), difference = expansion->low - expansion->high;
        double squares = expansion->low * expansion->low + expansion->high * expansion->high;
        return 0.5 * squares - difference * difference * t / (2 * pi);
    }
    if (q == 0 || expansion->jumps) { /* one slope; or the pieces', near enough */
        double apart = expansion->slope_square - expansion->slope * expansion->slope;
        return expansion->slope_square - (1 - c) * (q == 0 ? 0 : apart);
    }
    for (size_t k = SOW_HERMITE; k-- > 1;) {
        double a = expansion->coefficients[k];
        sum = sum * c + (double)k * a * a;
    }
    /* the tail's law is for c^k, and slopes have c^(k-1) */
    double tail = c != 0 ? tail_at(&expansion->slope_tail, c) / c : 0;
    return sum / q + tail;
}

static double function_value(const void *of, double x, double *slope)
{
    return sow_function_value(of, x, slope);
}

struct sow_pointwise sow_pointwise_of(const struct sow_function *function)
{
    return (struct sow_pointwise){function_value, function, function->kinks, function->kink_count,
                                  function->jumps};
}

enum sow_status sow_function_pair(const struct sow_function *function, double mean, double variance,
                                  double correlation, struct sow_pair_moments *moments,
                                  struct sow_error *error)
{
    struct sow_pointwise f = sow_pointwise_of(function);
    struct sow_expansion expansion;
    if (!(variance >= 0) || !(correlation >= -1 && correlation <= 1)) {
        return sow_fail(error, SOW_E_ARGUMENT,
                        "a variance is not negative, and a correlation from -1 to 1");
    }
    enum sow_status status = sow_expand(&f, mean, sow_sqrt(variance), &expansion, error);
    if (status == SOW_OK) {
        *moments = (struct sow_pair_moments){
            expansion.mean, expansion.square, sow_expansion_product(&expansion, correlation),
            expansion.jumps ? NAN : expansion.slope_square,
            expansion.jumps ? NAN : sow_expansion_slopes(&expansion, correlation)};
    }
    return status;
}
