/* SPDX-License-Identifier: MIT */
/* Where signals settle, and the critical line chi_perp = 1 (Poole et al. 2016; Schoenholz et al. 2017;
 * Roberts, Yaida and Hanin 2022, chapter 5, for the classes). Parametrised by q: sigma_w2 = 1 / E[phi'^2],
 * sigma_b2 = q - sigma_w2 E[phi^2]. */
#include <math.h>

#include "core/activation/maps.h"
#include "core/activation/pair.h"
#include "core/activation/row.h"
#include "core/base/elementary.h"
#include "core/base/error.h"

#define STEP       1.25
#define Q_LEAST    1e-10 /* below: 0 */
#define Q_MOST     1e10  /* above: infinite */
#define Q_FAR      1e3
#define LINE_FIRST 1e-4 /* the stretch on which the critical line is looked at */
#define LINE_LAST  20.0
#define LINE_STEP  1.3
#define NEAR       1e-9
#define CLOSE      1e-10 /* a hundred times what quick sums err by */

/* A function of q whose root is sought; nonzero `failed` ends the search. */
struct search {
    const struct sow_function *function;
    double sigma_w2, sigma_b2;
    int quick; /* without the last digits */
    double (*value)(struct search *search, double q);
    enum sow_status status;
    struct sow_error *error;
    struct sow_maps maps; /* at the last q */
};

/* By the rules of pair.h, which look once where those of quadrature.h look again. Returns 0 where they do not serve. */
static int take_quick_maps(struct search *search, double q)
{
    const struct sow_function *function = search->function;
    struct sow_pointwise f = sow_pointwise_of(function);
    struct sow_expansion e;
    int has_slope = function->activation != NULL || function->value_and_slope != NULL;
    int is_gate = function->activation != NULL && function->activation->is_gate;
    if (!has_slope || function->jumps || is_gate ||
        sow_expand(&f, 0, sow_sqrt(q), &e, NULL) != SOW_OK) {
        return 0;
    }
    search->maps = (struct sow_maps){e.square, e.slope_square, e.growth};
    search->status = SOW_OK;
    return 1;
}

static int take_maps(struct search *search, double q)
{
    if (search->quick && take_quick_maps(search, q)) {
        return 1;
    }
    search->status = sow_maps(search->function, q, &search->maps, search->error);
    return search->status == SOW_OK;
}

/* q after one layer, minus q. */
static double drift(struct search *search, double q)
{
    return take_maps(search, q) ? search->sigma_w2 * search->maps.square + search->sigma_b2 - q : 0;
}

/* sigma_b2 of the critical line. */
static double line_bias(struct search *search, double q)
{
    return take_maps(search, q) ? q - search->maps.square / search->maps.slope : 0;
}

/* chi_par - 1 on the critical line. */
static double line_excess(struct search *search, double q)
{
    return take_maps(search, q) ? search->maps.growth / search->maps.slope - 1 : 0;
}

/* The root in [a, b], where the signs differ: regula falsi (Illinois), halving where that is slow. */
static double root_of(struct search *search, double a, double at_a, double b, double at_b)
{
    for (int i = 0; i < 100 && fabs(b - a) > 4e-15 * fabs(b) && search->status == SOW_OK; i++) {
        double c = i % 3 == 2 ? 0.5 * (a + b) : (a * at_b - b * at_a) / (at_b - at_a);
        double at_c = search->value(search, c);
        if (at_c == 0) {
            return c;
        }
        if ((at_c > 0) == (at_b > 0)) {
            at_a *= 0.5;
        } else {
            a = b;
            at_a = at_b;
        }
        b = c;
        at_b = at_c;
    }
    return b;
}

/* phi'(0), of an own function by Richardson's extrapolation. */
static double slope_at_zero(const struct sow_function *function)
{
    double slope;
    sow_function_value(function, 0, &slope);
    if (slope == slope) {
        return slope;
    }
    double d[3];
    for (int i = 0; i < 3; i++) {
        double h = 1e-3 / (1 << i);
        d[i] = (sow_function_value(function, h, NULL) - sow_function_value(function, -h, NULL)) /
               (2 * h);
    }
    double first = 2 * d[1] - d[0], second = 2 * d[2] - d[1];
    return (4 * second - first) / 3;
}

/* ---- Fixed point --------------------------------------------------------------------------- */

/* From q = 1 towards where the signal drifts, until it would drift back; 0 and INFINITY when never. */
static double settle(struct search *search)
{
    double q = 1, at_q = search->value(search, q);
    if (search->status != SOW_OK || fabs(at_q) <= 1e-12) {
        return q;
    }
    double factor = at_q > 0 ? STEP : 1 / STEP;
    while (q > Q_LEAST && q < Q_MOST) {
        int is_far = q < 1 / Q_FAR || q > Q_FAR; /* functions are simple there */
        double next = q * (is_far ? factor * factor * factor * factor : factor),
               at_next = search->value(search, next);
        if (search->status != SOW_OK) {
            search->status = factor > 1 ? SOW_OK : search->status; /* no mean so far out */
            return INFINITY;
        }
        if ((at_next > 0) != (at_q > 0)) {
            return root_of(search, q, at_q, next, at_next);
        }
        q = next;
        at_q = at_next;
    }
    return factor > 1 ? INFINITY : 0;
}

static void tell_point(const struct search *search, double q, struct sow_fixed_point *point)
{
    const struct sow_maps *maps = &search->maps;
    double bias = q - maps->square / maps->slope;
    *point = (struct sow_fixed_point){q, search->sigma_w2 * maps->slope,
                                      search->sigma_w2 * maps->growth, NAN, NAN};
    if (maps->slope > 0 && bias >= -1e-12 * q) {
        point->sigma_w2 = 1 / maps->slope;
        point->sigma_b2 = bias > 1e-13 * q ? bias : 0;
    }
}

static enum sow_status find_point(const struct sow_function *function, double sigma_w2,
                                  double sigma_b2, int quick, struct sow_fixed_point *point,
                                  struct sow_error *error)
{
    if (!(sigma_w2 >= 0 && sigma_w2 <= 1e100 && sigma_b2 >= 0 && sigma_b2 <= 1e100)) {
        return sow_fail(error, SOW_E_ARGUMENT,
                        "sigma_w and sigma_b must be finite and not negative");
    }
    struct search search = {.function = function,
                            .sigma_w2 = sigma_w2,
                            .sigma_b2 = sigma_b2,
                            .quick = quick,
                            .value = drift,
                            .error = error};
    double q = settle(&search);
    if (search.status == SOW_OK && q - q != 0) {
        *point = (struct sow_fixed_point){q, NAN, NAN, NAN, NAN};
        return SOW_OK;
    }
    if (search.status == SOW_OK && take_maps(&search, q > 0 ? q : 1e-16)) {
        if (q == 0 && !function->jumps &&
            !(function->activation && function->activation->is_gate)) {
            double slope = slope_at_zero(function); /* the limit, also where it is reached slowly */
            int odd_kink = function->kink_count > 0; /* relu has two slopes there */
            search.maps.slope = odd_kink ? search.maps.slope : slope * slope;
            search.maps.growth = odd_kink ? search.maps.growth : slope * slope;
            search.maps.square = 0;
        }
        tell_point(&search, q, point);
    }
    return search.status;
}

enum sow_status sow_function_fixed_point(const struct sow_function *function, double sigma_w2,
                                         double sigma_b2, struct sow_fixed_point *point,
                                         struct sow_error *error)
{
    return find_point(function, sigma_w2, sigma_b2, 0, point, error);
}

enum sow_status sow_fixed_point_quick(const struct sow_function *function, double sigma_w2,
                                      double sigma_b2, struct sow_fixed_point *point,
                                      struct sow_error *error)
{
    return find_point(function, sigma_w2, sigma_b2, 1, point, error);
}

/* ---- Criticality --------------------------------------------------------------------------- */

static int is_odd(const struct sow_function *function)
{
    for (double x = 0.03125; x <= 16; x *= 1.7) {
        double y = sow_function_value(function, x, NULL);
        if (fabs(y + sow_function_value(function, -x, NULL)) > 1e-12 * (fabs(y) + 1e-3)) {
            return 0;
        }
    }
    return 1;
}

/* Whether phi(a x) = a phi(x): then E[phi^2] / q and E[phi'^2] do not depend on q. */
static int is_scale_invariant(struct search *search)
{
    static const double qs[] = {0.01, 1, 100};
    for (size_t i = 0; i < sizeof qs / sizeof qs[0]; i++) {
        if (!take_maps(search, qs[i]) || !(fabs(search->maps.square - qs[i] * search->maps.slope) <=
                                           NEAR * search->maps.square)) {
            return 0;
        }
    }
    return 1;
}

static void choose(struct search *search, enum sow_universality universality, double q,
                   struct sow_criticality *criticality)
{
    if (take_maps(search, q)) {
        double bias = q - search->maps.square / search->maps.slope;
        *criticality = (struct sow_criticality){universality, q, 1 / search->maps.slope,
                                                bias > 1e-12 * q ? bias : 0,
                                                search->maps.growth / search->maps.slope};
    }
}

/* What is seen along the line, q rising. */
struct line {
    double first;          /* the first q with sigma_b2 >= 0; 0 when there is none */
    double before;         /* the q before it; 0 when it is the first of all */
    double crossing, next; /* between them chi_par passes 1; 0 when it does not */
    int rises, heals, valid_at_one;
};

/* chi_par - 1 at q, and sigma_b2: quickly, and slowly only where that could be told from a bound of `walk` by its error.
 * So what is found does not hang on how. */
static double look(struct search *search, double q, double slope_least, double *bias)
{
    int quick = search->quick;
    double excess;
    search->quick = 1;
    *bias = line_bias(search, q);
    excess = search->maps.growth / search->maps.slope - 1;
    search->quick = quick;
    int is_close = !(fabs(*bias) > CLOSE * q) || !(fabs(fabs(excess) - NEAR) > CLOSE) ||
                   !(fabs(search->maps.slope - slope_least) > 0.01 * slope_least);
    if (!quick && is_close && search->status == SOW_OK) {
        *bias = line_bias(search, q);
        excess = search->maps.growth / search->maps.slope - 1;
    }
    return excess;
}

static struct line walk(struct search *search)
{
    struct line line = {.valid_at_one = line_bias(search, 1) >= -1e-12 && search->maps.slope > 0};
    double last = 0, last_excess = 0, before = 0;
    double slope_least = 1e-6 * search->maps.slope; /* a flat stretch has no line worth the name */
    for (double q = LINE_FIRST; q <= LINE_LAST && search->status == SOW_OK; q *= LINE_STEP) {
        double bias, excess = look(search, q, slope_least, &bias);
        int valid = search->maps.slope > slope_least && bias >= -1e-12 * q;
        if (valid) {
            if (line.first == 0) {
                line.first = q;
                line.before = before;
            }
            line.rises |= excess > NEAR;
            line.heals |= excess < -NEAR;
            int passes =
                (excess > NEAR && last_excess < -NEAR) || (excess < -NEAR && last_excess > NEAR);
            if (last > 0 && passes) {
                line.crossing = last;
                line.next = q;
            }
        }
        last = valid ? q : 0;
        last_excess = excess;
        before = q;
    }
    return line;
}

/* The class, and a point on the line: K*, else q = 1, else where the line begins. */
static void classify(struct search *search, struct sow_criticality *criticality)
{
    struct line line = walk(search);
    if (search->status != SOW_OK || (line.first == 0 && !line.valid_at_one)) {
        return;
    }
    double q = 1;
    enum sow_universality universality =
        line.heals && !line.rises ? SOW_CRITICAL_STABLE : SOW_CRITICAL_UNSTABLE;
    if (line.crossing > 0) {
        search->value = line_excess;
        double low = search->value(search, line.crossing), high = search->value(search, line.next);
        q = root_of(search, line.crossing, low, line.next, high);
        universality = SOW_CRITICAL_HALF_STABLE;
    } else if (!line.valid_at_one && line.before > 0) {
        search->value = line_bias;
        double low = search->value(search, line.before), high = search->value(search, line.first);
        q = root_of(search, line.before, low, line.first, high);
    } else if (!line.valid_at_one) {
        q = line.first;
    }
    if (search->status == SOW_OK) {
        choose(search, universality, q, criticality);
    }
}

static enum sow_status find_criticality(const struct sow_function *function, int quick,
                                        struct sow_criticality *criticality,
                                        struct sow_error *error)
{
    struct search search = {.function = function, .quick = quick, .error = error};
    struct sow_criticality made = {SOW_CRITICAL_NONE, NAN, NAN, NAN, NAN};
    double slope = slope_at_zero(function);
    int invariant = !function->jumps && is_scale_invariant(&search);
    if (function->jumps) {
        made.universality = SOW_CRITICAL_UNDEFINED;
    } else if (invariant) {
        choose(&search, SOW_CRITICAL_SCALE_INVARIANT, 1, &made);
    } else if (search.status == SOW_OK && fabs(slope) > 1e-6 && is_odd(function) &&
               line_excess(&search, LINE_FIRST) < 0 && search.status == SOW_OK &&
               !(function->activation && function->activation->is_gate)) {
        made = (struct sow_criticality){SOW_CRITICAL_ZERO, 0, 1 / (slope * slope), 0, 1};
    } else if (search.status == SOW_OK) {
        classify(&search, &made);
    }
    if (search.status == SOW_OK) {
        *criticality = made;
    }
    return search.status;
}

enum sow_status sow_function_criticality(const struct sow_function *function,
                                         struct sow_criticality *criticality,
                                         struct sow_error *error)
{
    return find_criticality(function, 0, criticality, error);
}

enum sow_status sow_criticality_quick(const struct sow_function *function,
                                      struct sow_criticality *criticality, struct sow_error *error)
{
    return find_criticality(function, 1, criticality, error);
}

const char *sow_universality_name(enum sow_universality universality)
{
    switch (universality) {
    case SOW_CRITICAL_SCALE_INVARIANT:
        return "scale-invariant";
    case SOW_CRITICAL_ZERO:
        return "K*=0";
    case SOW_CRITICAL_STABLE:
        return "stable line";
    case SOW_CRITICAL_HALF_STABLE:
        return "half-stable";
    case SOW_CRITICAL_UNSTABLE:
        return "unstable line";
    case SOW_CRITICAL_UNDEFINED:
        return "undefined";
    case SOW_CRITICAL_NONE:
        break;
    }
    return "none";
}
