/* SPDX-License-Identifier: MIT */
/* The integral over the plane (core/activation/plane.h), in coordinates turned by 45 degrees: z of x is large w + small t,
 * z of y the same with -t, w and t independent; for c < 0, y is mirrored first. Then f(x) f(y) integrated over w is
 * smooth in t but where two kinks meet, and all its kinks in w are known. Panels of 16 Gauss-Legendre points, each
 * halved until its last two Legendre coefficients are small: the rule errs by about the square of those. */
#include "core/activation/plane.h"

#include <math.h>

#include "core/activation/quadrature_constants.h"
#include "core/base/elementary.h"

#define NODES      16
#define LIMIT      8.0  /* the density is 1e-14 there */
#define STEP       1.25 /* no panel is wider in z */
#define ROUGH      1e-6 /* the last coefficients, against the whole */
#define BREAKS_MAX 512
#define DEPTH_MAX  24
#define WORK_MAX   4e5 /* panels */

static const double inverse_root_2pi = 0x1.9884533d43651p-2;

struct breaks {
    double at[BREAKS_MAX]; /* ascending */
    size_t count;
};

struct plane {
    const struct sow_pointwise *f;
    double mean, std;
    double large, small, turn;   /* x: large w + small t; y: turn (large w - small t) */
    double size, slope_size;     /* E[f^2]; E[f'^2], or 0: no slopes */
    double last[2][NODES];       /* values at nodes to the two last coefficients */
    struct breaks starts;        /* in z: kinks, where functions bend, and steps */
    struct breaks breaks;        /* in z: between two, f is as good as a polynomial */
    struct sow_plane_means sums; /* of all panels in t so far */
    double square;               /* E[f^2], as the panels between `breaks` give it */
    double work;
    int failed;
};

static double node(size_t j)
{
    return j % 2 == 0 ? -sow_legendre[j / 2].node : sow_legendre[j / 2].node;
}

static double weight(size_t j)
{
    return sow_legendre[j / 2].weight;
}

static double density(double z)
{
    return inverse_root_2pi * sow_exp(-0.5 * z * z);
}

/* ---- Panels -------------------------------------------------------------------------------- */

/* (2 k + 1) / 2 times the weights times P_k, for the two largest k that 16 nodes can tell. */
static void make_last(struct plane *plane)
{
    for (size_t j = 0; j < NODES; j++) {
        double x = node(j), before = 1, now = x;
        for (int k = 1; k < NODES - 1; k++) {
            double next = ((2 * k + 1) * x * now - k * before) / (k + 1);
            before = now;
            now = next;
        }
        plane->last[0][j] = (NODES - 1.5) * weight(j) * before;
        plane->last[1][j] = (NODES - 0.5) * weight(j) * now;
    }
}

static double roughness(const struct plane *plane, const double values[NODES])
{
    double first = 0, second = 0;
    for (size_t j = 0; j < NODES; j++) {
        first += plane->last[0][j] * values[j];
        second += plane->last[1][j] * values[j];
    }
    return fabs(first) + fabs(second);
}

/* In order, each once. */
static void insert(struct breaks *breaks, double at, double low, double high)
{
    size_t i = breaks->count;
    if (!(at >= low && at <= high) || i == BREAKS_MAX) {
        return;
    }
    for (; i > 0 && breaks->at[i - 1] >= at; i--) {
        if (breaks->at[i - 1] == at) {
            return;
        }
    }
    for (size_t k = breaks->count++; k > i; k--) {
        breaks->at[k] = breaks->at[k - 1];
    }
    breaks->at[i] = at;
}

static void insert_steps(struct breaks *breaks, double low)
{
    for (double at = 0; at < LIMIT; at += STEP) {
        insert(breaks, at, low, LIMIT);
        insert(breaks, -at, low, LIMIT);
    }
    insert(breaks, low, low, LIMIT);
    insert(breaks, LIMIT, low, LIMIT);
}

/* ---- One variable --------------------------------------------------------------------------- */

/* Between two ends in z: halves until f and f' are polynomials, seen from where the density is. */
static void resolve(struct plane *plane, double low, double high, int depth)
{
    double values[NODES], slopes[NODES], square = 0;
    double middle = 0.5 * (low + high), half = 0.5 * (high - low);
    double near = low > 0 ? low : high < 0 ? high : 0;
    for (size_t j = 0; j < NODES; j++) {
        double z = middle + half * node(j);
        values[j] = plane->f->value(plane->f->of, plane->mean + plane->std * z, &slopes[j]);
        square += half * weight(j) * density(z) * values[j] * values[j];
    }
    double share = sow_exp(-0.5 * near * near);
    int is_rough = roughness(plane, values) * share > ROUGH * sow_sqrt(plane->size) ||
                   (plane->slope_size > 0 &&
                    roughness(plane, slopes) * share > ROUGH * sow_sqrt(plane->slope_size));
    if (is_rough && depth < DEPTH_MAX && middle > low && middle < high) {
        resolve(plane, low, middle, depth + 1);
        resolve(plane, middle, high, depth + 1);
        return;
    }
    plane->square += square;
    if (plane->breaks.count == BREAKS_MAX) {
        plane->failed = 1;
    } else {
        plane->breaks.at[plane->breaks.count++] = high;
    }
}

/* Where activations bend, around x = 0 mostly, panels in z are narrow. */
static void insert_bends(struct plane *plane)
{
    double zero = -plane->mean / plane->std;
    insert(&plane->starts, zero, -LIMIT, LIMIT);
    for (double x = 1; x < STEP * plane->std; x *= 2) {
        insert(&plane->starts, zero + x / plane->std, -LIMIT, LIMIT);
        insert(&plane->starts, zero - x / plane->std, -LIMIT, LIMIT);
    }
}

static void resolve_all(struct plane *plane)
{
    insert_steps(&plane->starts, -LIMIT);
    insert_bends(plane);
    for (size_t i = 0; i < plane->f->kink_count; i++) {
        insert(&plane->starts, (plane->f->kinks[i] - plane->mean) / plane->std, -LIMIT, LIMIT);
    }
    plane->breaks.at[plane->breaks.count++] = -LIMIT;
    for (size_t i = 0; i + 1 < plane->starts.count; i++) {
        resolve(plane, plane->starts.at[i], plane->starts.at[i + 1], 0);
    }
}

/* ---- Two variables --------------------------------------------------------------------------- */

static void add_inner(struct plane *plane, double t, double low, double high,
                      struct sow_plane_means *sums)
{
    double middle = 0.5 * (low + high), half = 0.5 * (high - low), shift = plane->small * t;
    for (size_t j = 0; j < NODES; j++) {
        double w = middle + half * node(j), part = half * weight(j) * density(w), slope, other;
        double x = plane->large * w + shift, y = plane->turn * (plane->large * w - shift);
        double product = plane->f->value(plane->f->of, plane->mean + plane->std * x, &slope);
        product *= plane->f->value(plane->f->of, plane->mean + plane->std * y, &other);
        sums->product += part * product;
        sums->slopes += part * slope * other;
    }
    plane->work += 1;
}

/* Break i of x, in w; INFINITY beyond the last. */
static double end_of_x(const struct plane *plane, double t, size_t i)
{
    const struct breaks *breaks = &plane->breaks;
    return i < breaks->count ? (breaks->at[i] - plane->small * t) / plane->large : INFINITY;
}

static double end_of_y(const struct plane *plane, double t, size_t i)
{
    const struct breaks *breaks = &plane->breaks;
    if (i >= breaks->count) {
        return INFINITY;
    }
    double y = plane->turn > 0 ? breaks->at[i] : -breaks->at[breaks->count - 1 - i];
    return (y + plane->small * t) / plane->large;
}

/* The integral over w at one t, within the circle. */
static struct sow_plane_means inner(struct plane *plane, double t)
{
    struct sow_plane_means sums = {0, 0};
    double room = LIMIT * LIMIT - t * t, end = room > 0 ? sow_sqrt(room) : 0;
    double at = plane->turn > 0 ? -end : 0; /* else even in w */
    size_t i = 0, j = 0;
    while (at < end) {
        double x, y, next = end;
        while ((x = end_of_x(plane, t, i)) <= at) {
            i++;
        }
        while ((y = end_of_y(plane, t, j)) <= at) {
            j++;
        }
        next = x < next ? x : next;
        next = y < next ? y : next;
        add_inner(plane, t, at, next, &sums);
        at = next;
    }
    double part = density(t) * (plane->turn > 0 ? 1 : 2);
    return (struct sow_plane_means){part * sums.product, part * sums.slopes};
}

static void outer(struct plane *plane, double low, double high, int depth)
{
    double products[NODES], slopes[NODES], middle = 0.5 * (low + high), half = 0.5 * (high - low);
    struct sow_plane_means sums = {0, 0};
    for (size_t j = 0; j < NODES && !plane->failed; j++) {
        struct sow_plane_means at = inner(plane, middle + half * node(j));
        products[j] = at.product;
        slopes[j] = at.slopes;
        sums.product += half * weight(j) * at.product;
        sums.slopes += half * weight(j) * at.slopes;
        plane->failed |= plane->work > WORK_MAX;
    }
    if (plane->failed) {
        return;
    }
    int is_rough = roughness(plane, products) > ROUGH * plane->size ||
                   (plane->slope_size > 0 && roughness(plane, slopes) > ROUGH * plane->slope_size);
    if (is_rough && depth < DEPTH_MAX) {
        outer(plane, low, middle, depth + 1);
        outer(plane, middle, high, depth + 1);
        return;
    }
    plane->sums.product += sums.product;
    plane->sums.slopes += sums.slopes;
}

/* Ends in t: steps, and where a kink in w from x meets one from y. Even in t but where y is mirrored. */
static void integrate(struct plane *plane)
{
    const struct sow_pointwise *f = plane->f;
    const double low = plane->turn > 0 ? 0 : -LIMIT, zero = -plane->mean / plane->std;
    struct breaks ends = {.count = 0};
    insert_steps(&ends, low);
    for (size_t i = 0; i <= f->kink_count && plane->small > 0; i++) {
        for (size_t j = 0; j <= f->kink_count; j++) {
            double x = i < f->kink_count ? (f->kinks[i] - plane->mean) / plane->std : zero;
            double y = j < f->kink_count ? (f->kinks[j] - plane->mean) / plane->std : zero;
            insert(&ends, (x - plane->turn * y) / (2 * plane->small), low, LIMIT);
        }
    }
    for (size_t i = 0; i + 1 < ends.count; i++) {
        outer(plane, ends.at[i], ends.at[i + 1], 0);
    }
    double sides = plane->turn > 0 ? 2 : 1;
    plane->sums.product *= sides;
    plane->sums.slopes *= sides;
}

int sow_plane_means(const struct sow_pointwise *f, double mean, double std, double c, double square,
                    double slope_square, struct sow_plane_means *means)
{
    double plus = sow_sqrt(0.5 * (1 + c)), minus = sow_sqrt(0.5 * (1 - c));
    struct plane plane = {
        .f = f,
        .mean = mean,
        .std = std,
        .large = c < 0 ? minus : plus,
        .small = c < 0 ? plus : minus,
        .turn = c < 0 ? -1 : 1,
        .size = square,
        .slope_size = slope_square - slope_square == 0 ? slope_square : 0,
    };
    make_last(&plane);
    resolve_all(&plane);
    if (plane.failed || !(fabs(plane.square - square) <= 1e-9 * square)) {
        return 0;
    }
    integrate(&plane);
    *means = plane.sums;
    return !plane.failed;
}
