/* SPDX-License-Identifier: MIT */
/* The functions, part of stream version 1 (docs/stream.md section 7): a sequence of IEEE operations each, over
 * core/base/elementary.h. */
#include "core/kernel/map.h"

#include <stddef.h>

#include "core/base/elementary.h"

#define EXP_LEAST (-87.0) /* what float32 holds of exp(u) without becoming subnormal or infinite */
#define EXP_MOST  88.0
#define LARGEST   0x1.fffffep127

static double minus_log(double u)
{
    return -sow_log(u);
}

static double exp_of_minus(double value)
{
    return sow_exp(-value);
}

/* softplus(value) = ln(1 + exp(value)) = exp(u). */
static double softplus_inverse(double u)
{
    double x = sow_exp(u);
    return x + sow_log(-sow_expm1(-x));
}

static double log_softplus(double value)
{
    double softplus = value > 0 ? value + sow_log1p(sow_exp(-value)) : sow_log1p(sow_exp(value));
    return sow_log(softplus);
}

/* exp(-exp(value)) is |lambda|, u its square. */
static double log_of_decay(double u)
{
    return sow_log(-0.5 * sow_log(u));
}

static double square_of_radius(double value)
{
    return sow_exp(-2 * sow_exp(value));
}

/* exp(value) = sqrt(1 - u). */
static double log_of_rest(double u)
{
    return 0.5 * sow_log1p(-u);
}

static double one_minus_square(double value)
{
    return -sow_expm1(2 * value);
}

static const struct sow_map maps[] = {
    [SOW_EXP_UNIFORM] = {"exp(u)", sow_exp, sow_log, EXP_LEAST, EXP_MOST, 0},
    [SOW_LN_UNIFORM] = {"ln u", sow_log, sow_exp, 0, LARGEST, 0},
    [SOW_MINUS_LN_UNIFORM] = {"-ln u", minus_log, exp_of_minus, 0, LARGEST, 0},
    [SOW_SOFTPLUS_INVERSE_EXP_UNIFORM] = {"softplus^-1(exp(u))", softplus_inverse, log_softplus,
                                          EXP_LEAST, EXP_MOST, 0},
    [SOW_LN_DECAY_UNIFORM] = {"ln(-ln(u) / 2)", log_of_decay, square_of_radius, 0, 1, 1},
    [SOW_LN_REST_UNIFORM] = {"ln(1 - u) / 2", log_of_rest, one_minus_square, 0, 1, 1},
};

const struct sow_map *sow_map_of(enum sow_distribution distribution)
{
    size_t count = sizeof maps / sizeof *maps;
    return (size_t)distribution < count && maps[distribution].name != NULL ? &maps[distribution]
                                                                           : NULL;
}
