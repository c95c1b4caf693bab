/* SPDX-License-Identifier: MIT */
/* What an expansion (core/activation/pair.h) tells at a correlation: sums of its series, laws for tails, closed forms;
 * and sow_function_pair, which goes to the plane where those are not good. */
#include "core/activation/pair.h"

#include <math.h>

#include "core/activation/plane.h"
#include "core/activation/quadrature_constants.h"
#include "core/activation/row.h"
#include "core/base/elementary.h"
#include "core/base/circular.h"
#include "core/base/error.h"

#define ENOUGH 1e-12 /* of a series left out */

static const double pi = 0x1.921fb54442d18p+1;

int sow_closed_means(const struct sow_function *function, double mean, double std, double c,
                     struct sow_closed_means *means)
{
    const struct sow_activation_row *row =
        function->activation != NULL ? sow_activation_row_of(function->activation) : NULL;
    return row != NULL && row->means != NULL &&
           row->means(function->parameters, mean, std, c, means);
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

/* The angle between x and y, and its sine. */
static double angle(double c, double *sine)
{
    *sine = sow_sqrt((1 - c) * (1 + c));
    return c > -1 ? 2 * sow_atan(sow_sqrt((1 - c) / (1 + c))) : pi;
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
    if (expansion->closed != NULL) {
        struct sow_closed_means means;
        sow_closed_means(expansion->closed, expansion->at, expansion->std, c, &means);
        return means.product;
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
    if (expansion->closed != NULL) {
        struct sow_closed_means means;
        sow_closed_means(expansion->closed, expansion->at, expansion->std, c, &means);
        return means.slopes;
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

int sow_expansion_converged(const struct sow_expansion *expansion, double c)
{
    double size = fabs(held(c)), power = 1; /* the terms beyond are below the sum of all at c = 1 */
    for (int k = 1; k < SOW_HERMITE; k++) {
        power *= size;
    }
    return !(expansion->tail.total * power * size > ENOUGH * expansion->square ||
             expansion->slope_tail.total * power > ENOUGH * expansion->slope_square);
}

static double function_value(const void *of, double x, double *slope)
{
    return sow_function_value(of, x, slope);
}

struct sow_pointwise sow_pointwise_of(const struct sow_function *function)
{
    return (struct sow_pointwise){
        function_value, function, function->kinks, function->kink_count, function->jumps,
        function,       NULL};
}

/* What the series is not good for, from an integral over the plane. */
static void take_plane(const struct sow_pointwise *f, double mean, double c,
                       const struct sow_expansion *expansion, struct sow_plane_means *means)
{
    int is_steep = c < 1 && !sow_expansion_converged(expansion, c);
    double slope_square = expansion->jumps ? NAN : expansion->slope_square;
    if (c == 1) {
        *means = (struct sow_plane_means){expansion->square, expansion->slope_square};
    } else if (!is_steep || !sow_plane_means(f, mean, expansion->std, c, expansion->square,
                                             slope_square, means)) {
        *means = (struct sow_plane_means){sow_expansion_product(expansion, c),
                                          sow_expansion_slopes(expansion, c)};
    }
}

enum sow_status sow_function_pair(const struct sow_function *function, double mean, double variance,
                                  double correlation, struct sow_pair_moments *moments,
                                  struct sow_error *error)
{
    struct sow_pointwise f = sow_pointwise_of(function);
    struct sow_expansion expansion;
    struct sow_plane_means pair;
    if (!(variance >= 0) || !(correlation >= -1 && correlation <= 1)) {
        return sow_fail(error, SOW_E_ARGUMENT,
                        "a variance is not negative, and a correlation from -1 to 1");
    }
    enum sow_status status = sow_expand(&f, mean, sow_sqrt(variance), &expansion, error);
    if (status == SOW_OK) {
        take_plane(&f, mean, correlation, &expansion, &pair);
        *moments = (struct sow_pair_moments){expansion.mean, expansion.square, pair.product,
                                             expansion.jumps ? NAN : expansion.slope_square,
                                             expansion.jumps ? NAN : pair.slopes};
    }
    return status;
}
