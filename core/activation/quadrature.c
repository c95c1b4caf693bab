/* SPDX-License-Identifier: MIT */
/* Composite Gauss-Legendre quadrature against the normal density, in a fixed order of summation. The
 * derivative of a function that has none to call is that of the polynomial through a panel's nodes
 * (Berrut and Trefethen 2004, section 9.3): no step ever reaches across a kink. */
#include "core/activation/quadrature.h"

#include <math.h>
#include <string.h>

#include "core/activation/quadrature_constants.h"
#include "core/activation/row.h"
#include "core/base/elementary.h"
#include "core/base/error.h"
#include "core/base/number.h"

#define PAIRS      8
#define NODES      (2 * PAIRS)
#define LIMIT      12 /* the density is 2e-32 there */
#define LIMIT_WIDE 20 /* where exp(sqrt(q) z) moves the mass out */
#define PANELS_MAX (2 * LIMIT_WIDE + 1 + SOW_KINKS_MAX)
#define DEPTH_MAX  40
#define DEPTH_KINK 25    /* no smooth function is halved so often */
#define WORK_MAX   20000 /* panels */

/* Of the panels of a function with unknown kinks, so that none lies at an end of one. */
#define SHIFT 0.3819660112501051

enum { MEAN, SQUARE, SLOPE_SQUARE, PULL, VALUE_Z, SLOPE, SUMS };

static const double density_at_0 = 0x1.9884533d43651p-2; /* 1 / sqrt(2 pi) */

/* Neumaier 1974: the sum and what rounding took from it. */
struct total {
    double sum, lost;
};

static void add(struct total *total, double term)
{
    double sum = total->sum + term;
    double term_part = sum - total->sum;
    total->lost += (total->sum - (sum - term_part)) + (term - term_part);
    total->sum = sum;
}

/* One panel: the terms of its six sums, for each pair of nodes. */
struct panel {
    double low, high;
    double terms[SUMS][PAIRS];
    double least, most; /* of phi at the nodes */
};

struct integral {
    const struct sow_function *function;
    double scale; /* sqrt(q) */
    double differences[NODES]
                      [NODES]; /* node values to derivatives, on [-1, 1]; own functions only */
    struct total totals[SUMS];
    double sizes[SUMS]; /* of the terms, without their signs */
    double tolerance;
    struct sow_kinks *met;
    double bad; /* where phi is not finite, or grows or varies too fast */
    int is_bad, is_wild;
    int work;
};

/* ---- Nodes ------------------------------------------------------------------------------- */

/* Node j of 16 in ascending order: its place in [-1, 1]. */
static double node_at(size_t j)
{
    return j < PAIRS ? -sow_legendre[PAIRS - 1 - j].node : sow_legendre[j - PAIRS].node;
}

static void make_differences(struct integral *integral)
{
    double weights[NODES]; /* barycentric, of Legendre's nodes (Wang and Xiang 2012) */
    for (size_t j = 0; j < NODES; j++) {
        double node = node_at(j);
        double weight = sow_legendre[j < PAIRS ? PAIRS - 1 - j : j - PAIRS].weight;
        weights[j] = (j % 2 ? -1 : 1) * sow_sqrt((1 - node * node) * weight);
    }
    for (size_t i = 0; i < NODES; i++) {
        integral->differences[i][i] = 0;
        for (size_t j = 0; j < NODES; j++) {
            if (i != j) {
                double entry = weights[j] / weights[i] / (node_at(i) - node_at(j));
                integral->differences[i][j] = entry;
                integral->differences[i][i] -= entry;
            }
        }
    }
}

static int has_slopes(const struct sow_function *function)
{
    return function->activation != NULL || function->value_and_slope != NULL;
}

/* phi and phi' at the nodes of a panel; z[j] are its nodes. */
static void take_values(struct integral *integral, const double z[NODES], double half,
                        double values[NODES], double slopes[NODES])
{
    const struct sow_function *function = integral->function;
    for (size_t j = 0; j < NODES; j++) {
        double x = integral->scale * z[j];
        values[j] = sow_function_value(function, x, &slopes[j]);
        if (!(values[j] - values[j] == 0) && !integral->is_bad) {
            integral->is_bad = 1;
            integral->bad = x;
        }
    }
    for (size_t i = 0; !has_slopes(function) && i < NODES; i++) {
        slopes[i] = 0;
        for (size_t j = 0; j < NODES; j++) {
            slopes[i] += integral->differences[i][j] * (values[j] - values[i]);
        }
        slopes[i] /= half * integral->scale;
    }
}

static void evaluate(struct integral *integral, struct panel *panel, double low, double high)
{
    double z[NODES], values[NODES], slopes[NODES];
    double middle = 0.5 * (low + high), half = 0.5 * (high - low);
    panel->low = low;
    panel->high = high;
    for (size_t i = 0; i < PAIRS; i++) {
        double offset = half * sow_legendre[i].node;
        z[PAIRS - 1 - i] = middle - offset;
        z[PAIRS + i] = middle + offset;
    }
    take_values(integral, z, half, values, slopes);
    panel->least = panel->most = values[0];
    for (size_t i = 0; i < PAIRS; i++) {
        double sums[2][SUMS];
        for (size_t side = 0; side < 2; side++) {
            size_t j = side == 0 ? PAIRS - 1 - i : PAIRS + i;
            double y = values[j], slope = slopes[j], density = sow_exp(-0.5 * z[j] * z[j]);
            double *sum = sums[side];
            sum[MEAN] = y * density;
            sum[SQUARE] = y * y * density;
            sum[SLOPE_SQUARE] = slope * slope * density;
            sum[PULL] = y * slope * z[j] * density;
            sum[VALUE_Z] = y * z[j] * density;
            sum[SLOPE] = slope * density;
            panel->least = y < panel->least ? y : panel->least;
            panel->most = y > panel->most ? y : panel->most;
        }
        for (size_t k = 0; k < SUMS; k++) {
            panel->terms[k][i] = half * sow_legendre[i].weight * (sums[0][k] + sums[1][k]);
        }
    }
}

/* ---- Panels ------------------------------------------------------------------------------ */

static double sum_of(const struct panel *panel, size_t k)
{
    double sum = 0;
    for (size_t i = 0; i < PAIRS; i++) {
        sum += panel->terms[k][i];
    }
    return sum;
}

static void accept(struct integral *integral, const struct panel *panel)
{
    for (size_t k = 0; k < SUMS; k++) {
        for (size_t i = 0; i < PAIRS; i++) {
            add(&integral->totals[k], panel->terms[k][i]);
        }
    }
}

/* Whether two halves say the same as the whole. */
static int agree(const struct integral *integral, const struct panel *whole,
                 const struct panel *left, const struct panel *right)
{
    for (size_t k = 0; k < SUMS; k++) {
        double difference = sum_of(whole, k) - (sum_of(left, k) + sum_of(right, k));
        if (!(fabs(difference) <= integral->tolerance * integral->sizes[k])) {
            return 0;
        }
    }
    return 1;
}

/* |f(low) - 2 f(middle) + f(high)|: how far from a line. */
static double bend(const struct sow_function *function, double low, double high)
{
    return fabs(sow_function_value(function, low, NULL) -
                2 * sow_function_value(function, 0.5 * (low + high), NULL) +
                sow_function_value(function, high, NULL));
}

/* The kink or jump between low and high: in the half that is less of a line. */
static double place_kink(const struct sow_function *function, double low, double high)
{
    while (high - low > 1e-15 * (1 + fabs(low))) {
        double middle = 0.5 * (low + high);
        if (bend(function, low, middle) > bend(function, middle, high)) {
            high = middle;
        } else {
            low = middle;
        }
    }
    return 0.5 * (low + high);
}

/* A panel as narrow as this has a kink or a jump inside. */
static void meet_kink(struct integral *integral, const struct panel *panel)
{
    struct sow_kinks *met = integral->met;
    if (met != NULL) {
        double width = panel->high - panel->low; /* the kink may be in a neighbour */
        double x = place_kink(integral->function, integral->scale * (panel->low - 2 * width),
                              integral->scale * (panel->high + 2 * width));
        double rise = panel->most - panel->least;
        double last = met->count > 0 ? met->at[met->count - 1] : -INFINITY;
        met->jumps |= !(rise * rise <= 1e-14 * integral->sizes[SQUARE]);
        if (met->count < SOW_KINKS_MAX && x - last > 1e-6 * (1 + fabs(x))) {
            met->at[met->count++] = x;
        }
    }
}

/* The end of halving: what needs the derivative is left out. */
static void give_up(struct integral *integral, struct panel *panel)
{
    if (!(sum_of(panel, SQUARE) <= 1e-7 * integral->sizes[SQUARE])) {
        integral->is_wild = 1;
        integral->bad = integral->scale * 0.5 * (panel->low + panel->high);
    }
    meet_kink(integral, panel);
    memset(panel->terms[SLOPE_SQUARE], 0, sizeof panel->terms[SLOPE_SQUARE]);
    memset(panel->terms[PULL], 0, sizeof panel->terms[PULL]);
    memset(panel->terms[SLOPE], 0, sizeof panel->terms[SLOPE]);
    accept(integral, panel);
}

/* Too far out to matter. */
static int is_negligible(const struct integral *integral, const struct panel *panel)
{
    for (size_t k = 0; k < SUMS; k++) {
        double size = 0;
        for (size_t i = 0; i < PAIRS; i++) {
            size += fabs(panel->terms[k][i]);
        }
        if (!(size <= 1e-17 * integral->sizes[k])) {
            return 0;
        }
    }
    return 1;
}

/* Adds a panel, or its parts. */
static void refine(struct integral *integral, struct panel *panel, int depth)
{
    struct panel left, right;
    double middle = 0.5 * (panel->low + panel->high);
    if (integral->is_bad || integral->is_wild) {
        return;
    }
    if (is_negligible(integral, panel)) {
        accept(integral, panel);
        return;
    }
    if (++integral->work > WORK_MAX) {
        integral->is_wild = 1;
        integral->bad = integral->scale * middle;
        return;
    }
    evaluate(integral, &left, panel->low, middle);
    evaluate(integral, &right, middle, panel->high);
    if (agree(integral, panel, &left, &right)) {
        accept(integral, panel);
        if (depth >= DEPTH_KINK) {
            meet_kink(integral, panel);
        }
    } else if (depth == DEPTH_MAX) {
        give_up(integral, panel);
    } else {
        refine(integral, &left, depth + 1);
        refine(integral, &right, depth + 1);
    }
}

/* Ends of the panels: integers (shifted where kinks are still to be found) and kinks. Returns how many. */
static size_t make_ends(const struct integral *integral, int limit, double shift,
                        double ends[PANELS_MAX + 1])
{
    const struct sow_function *function = integral->function;
    size_t count = 0, next = 0;
    ends[count++] = -limit;
    for (int step = -limit + 1; step <= limit; step++) {
        double end = step == limit ? step : step + shift - (shift > 0);
        for (; next < function->kink_count; next++) {
            double kink = function->kinks[next] / integral->scale;
            if (kink >= end) {
                break;
            }
            if (kink > ends[count - 1]) {
                ends[count++] = kink;
            }
        }
        if (end > ends[count - 1]) {
            ends[count++] = end;
        }
    }
    return count;
}

static enum sow_status fail(const struct integral *integral, struct sow_error *error)
{
    const char *name = sow_function_name(integral->function);
    if (integral->is_bad) {
        return sow_fail(error, SOW_E_ARGUMENT,
                        "%.200s is not finite at x = %s; an activation is finite on the whole line",
                        name, sow_number_text(integral->bad).text);
    }
    return sow_fail(
        error, SOW_E_ARGUMENT,
        "%.200s has no mean that can be computed: near x = %s it grows or varies too fast", name,
        sow_number_text(integral->bad).text);
}

/* The first look: every panel once, for the sizes against which errors are measured. */
static void look(struct integral *integral, const double *ends, size_t count,
                 struct panel panels[PANELS_MAX])
{
    for (size_t i = 0; i + 1 < count; i++) {
        evaluate(integral, &panels[i], ends[i], ends[i + 1]);
        for (size_t k = 0; k < SUMS; k++) {
            for (size_t j = 0; j < PAIRS; j++) {
                integral->sizes[k] += fabs(panels[i].terms[k][j]);
            }
        }
    }
    double edge = sum_of(&panels[0], SQUARE) + sum_of(&panels[count - 2], SQUARE);
    if (!integral->is_bad && !(edge <= 1e-11 * integral->sizes[SQUARE]) && edge > 1e-20) {
        integral->is_wild = 1;
        integral->bad = ends[count - 1] * integral->scale;
    }
    double both = sow_sqrt(integral->sizes[SQUARE] * integral->sizes[SLOPE_SQUARE]);
    if (!has_slopes(integral->function)) { /* what rounding does to differences */
        integral->sizes[SLOPE_SQUARE] += both;
        integral->sizes[SLOPE] += sow_sqrt(integral->sizes[SQUARE]);
        integral->sizes[PULL] += integral->sizes[SQUARE];
    }
}

static double mean_of(const struct integral *integral, size_t k)
{
    return density_at_0 * (integral->totals[k].sum + integral->totals[k].lost);
}

enum sow_status sow_moments(const struct sow_function *function, double q,
                            struct sow_moments *moments, struct sow_kinks *met,
                            struct sow_error *error)
{
    struct integral integral = {.function = function, .scale = sow_sqrt(q), .met = met};
    struct panel panels[PANELS_MAX];
    double ends[PANELS_MAX + 1];
    int own = function->activation == NULL, limit = q > 1 ? LIMIT_WIDE : LIMIT;
    integral.tolerance = own ? 1e-12 : 1e-13;
    if (!has_slopes(function)) {
        make_differences(&integral);
    }
    size_t count = make_ends(&integral, limit, met != NULL ? SHIFT : 0, ends);
    look(&integral, ends, count, panels);
    for (size_t i = 0; i + 1 < count; i++) {
        refine(&integral, &panels[i], 0);
    }
    if (integral.is_bad || integral.is_wild) {
        return fail(&integral, error);
    }
    *moments = (struct sow_moments){
        mean_of(&integral, MEAN), mean_of(&integral, SQUARE),  mean_of(&integral, SLOPE_SQUARE),
        mean_of(&integral, PULL), mean_of(&integral, VALUE_Z), mean_of(&integral, SLOPE),
    };
    return SOW_OK;
}

/* ---- The plain rule ------------------------------------------------------------------------ */

double sow_second_moment_by_quadrature(const struct sow_function *function)
{
    struct integral integral = {.function = function, .scale = 1};
    struct panel panel;
    double ends[PANELS_MAX + 1];
    size_t count = make_ends(&integral, LIMIT, 0, ends);
    for (size_t i = 0; i + 1 < count; i++) {
        evaluate(&integral, &panel, ends[i], ends[i + 1]);
        for (size_t j = 0; j < PAIRS; j++) {
            add(&integral.totals[SQUARE], panel.terms[SQUARE][j]);
        }
    }
    return mean_of(&integral, SQUARE);
}

double sow_second_moment(const struct sow_function *function)
{
    struct sow_moments moments;
    if (function->activation == NULL) {
        return sow_moments(function, 1, &moments, NULL, NULL) == SOW_OK
                   ? moments.square
                   : sow_second_moment_by_quadrature(function);
    }
    const struct sow_activation_row *row = sow_activation_row_of(function->activation);
    return row->second_moment != NULL ? row->second_moment(function->parameters)
                                      : sow_second_moment_by_quadrature(function);
}
