/* SPDX-License-Identifier: MIT */
/* The numbers of an activation at q = 1, and functions of the caller's own. A gate y = a phi(b) of
 * independent a and b has E[y] = 0 and E[y^2] = q E[phi^2], and its gradient has two parts. */
#include "core/activation/maps.h"

#include <math.h>

#include "core/activation/expression.h"
#include "core/activation/row.h"
#include "core/base/elementary.h"
#include "core/base/error.h"

static int is_gate(const struct sow_function *function)
{
    return function->activation != NULL && function->activation->is_gate;
}

enum sow_status sow_maps(const struct sow_function *function, double q, struct sow_maps *maps,
                         struct sow_error *error)
{
    struct sow_moments m;
    enum sow_status status = sow_moments(function, q, &m, NULL, error);
    if (status != SOW_OK) {
        return status;
    }
    double growth = m.pull / sow_sqrt(q); /* d E[phi^2] / d q */
    *maps = (struct sow_maps){m.square, m.slope_square, growth};
    if (is_gate(function)) {
        *maps =
            (struct sow_maps){q * m.square, m.square + q * m.slope_square, m.square + q * growth};
    }
    if (function->jumps) {
        maps->slope = maps->growth = NAN;
    }
    return SOW_OK;
}

/* 1 / sqrt(x), undefined for 0. */
static double inverse_root(double x)
{
    return x > 0 ? sow_sqrt(1 / x) : NAN;
}

enum sow_status sow_function_numbers(const struct sow_function *function,
                                     struct sow_activation_numbers *numbers,
                                     struct sow_error *error)
{
    struct sow_moments m;
    struct sow_activation_numbers made;
    enum sow_status status = sow_moments(function, 1, &m, NULL, error);
    if (status != SOW_OK) {
        return status;
    }
    if (function->activation != NULL &&
        sow_activation_row_of(function->activation)->second_moment) {
        m.square = sow_second_moment(function);
    }
    int gate = is_gate(function);
    m.mean = fabs(m.mean) <= 1e-15 * sow_sqrt(m.square) ? 0 : m.mean; /* what rounding leaves */
    double variance = m.square - m.mean * m.mean;
    made.mean = gate ? 0 : m.mean;
    made.second_moment = m.square;
    made.gain = inverse_root(m.square);
    /* what is left by cancellation is no variance */
    made.variance_gain =
        gate ? made.gain : inverse_root(variance > 1e-13 * m.square ? variance : 0);
    made.derivative_second_moment = m.slope_square + (gate ? m.square : 0);
    made.chi_perp = made.derivative_second_moment / m.square;
    made.chi_par = m.pull / m.square + gate;
    made.c0 = made.mean * made.mean / m.square;
    if (function->jumps) {
        made.derivative_second_moment = made.chi_perp = made.chi_par = NAN;
    }
    if (!(m.square > 0)) {
        made.chi_perp = made.chi_par = made.c0 = NAN;
    }
    *numbers = made;
    return SOW_OK;
}

/* ---- Own functions ------------------------------------------------------------------------- */

/* A kink that was found to 1e-12, as the short number that was meant. */
static double shortened(double x)
{
    const double round = 0x1.8p52;
    double thousands = (x * 1000 + round) - round;
    return fabs(thousands / 1000 - x) <= 1e-10 ? thousands / 1000 : x;
}

static enum sow_status take_kinks(struct sow_function *function, const double *kinks, size_t count,
                                  struct sow_error *error)
{
    if (count > SOW_KINKS_MAX) {
        return sow_fail(error, SOW_E_ARGUMENT, "%zu kinks; at most %d are taken", count,
                        SOW_KINKS_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        if (!(kinks[i] - kinks[i] == 0) || (i > 0 && kinks[i] <= kinks[i - 1])) {
            return sow_fail(error, SOW_E_ARGUMENT, "kinks must be finite and ascending");
        }
        function->kinks[i] = kinks[i];
    }
    function->kink_count = count;
    return SOW_OK;
}

/* `made` has its functions; its kinks are given or found. */
static enum sow_status make_own(struct sow_function made, const double *kinks, size_t kink_count,
                                struct sow_function *function, struct sow_error *error)
{
    struct sow_kinks met = {.count = 0};
    struct sow_moments m;
    enum sow_status status = take_kinks(&made, kinks, kinks != NULL ? kink_count : 0, error);
    if (status == SOW_OK && kinks == NULL) {
        status = sow_moments(&made, 1, &m, &met, error);
        made.jumps = met.jumps;
        made.kink_count = met.count;
        for (size_t i = 0; i < met.count; i++) {
            made.kinks[i] = shortened(met.at[i]);
        }
    }
    if (status == SOW_OK) {
        status = sow_moments(&made, 1, &m, NULL, error);
    }
    if (status != SOW_OK) {
        return status;
    }
    /* Stein's identity fails where phi jumps. */
    made.jumps |= !(fabs(m.value_z - m.slope) <= 1e-7 * sow_sqrt(m.square + m.slope_square));
    *function = made;
    return SOW_OK;
}

enum sow_status sow_function_own(double (*value)(void *user, double x), void *user,
                                 const double *kinks, size_t kink_count,
                                 struct sow_function *function, struct sow_error *error)
{
    struct sow_function made = {.value = value, .user = user};
    return make_own(made, kinks, kink_count, function, error);
}

/* ---- Expressions --------------------------------------------------------------------------- */

static double expression_value(void *user, double x)
{
    const struct sow_expression_program *program = user;
    double value;
    sow_expression_run(program->steps, program->count, &x, &value, NULL, 1);
    return value;
}

static double expression_value_and_slope(void *user, double x, double *slope)
{
    const struct sow_expression_program *program = user;
    double value;
    sow_expression_run(program->steps, program->count, &x, &value, slope, 1);
    return value;
}

int sow_is_expression(const struct sow_function *function)
{
    return function->activation == NULL && function->value == expression_value;
}

struct sow_function sow_expression_move(const struct sow_function *function,
                                        struct sow_expression_program *copy)
{
    struct sow_function moved = *function;
    moved.user = copy;
    moved.name = copy->name;
    return moved;
}

enum sow_status sow_expression_own(struct sow_expression_program *program, const double *kinks,
                                   size_t kink_count, struct sow_function *function,
                                   struct sow_error *error)
{
    struct sow_function made = {.value = expression_value,
                                .value_and_slope = expression_value_and_slope,
                                .user = program,
                                .name = program->name};
    return make_own(made, kinks, kink_count, function, error);
}
