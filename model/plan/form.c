/* SPDX-License-Identifier: MIT */
/* The table of distributions as plans and records write them. What they draw is core/kernel's. */
#include "model/plan/form.h"

#include <string.h>

#include "core/base/error.h"

struct form {
    const char *name;
    enum sow_has has[SOW_NUMBERS]; /* mean, std, low, high, shift, gain */
};

#define BOUNDS SOW_HAS_NOT, SOW_HAS_NOT, SOW_HAS, SOW_HAS /* and nothing before them */
#define GAIN   SOW_HAS_NOT, SOW_HAS_NOT, SOW_HAS_NOT, SOW_HAS_NOT, SOW_HAS_NOT, SOW_HAS

static const struct form forms[] = {
    [SOW_CONSTANT] = {"constant", {SOW_HAS}},
    [SOW_UNIFORM] = {"uniform", {BOUNDS}},
    [SOW_NORMAL] = {"normal", {SOW_HAS, SOW_HAS}},
    [SOW_TRUNC_NORMAL] = {"trunc_normal",
                          {SOW_HAS, SOW_HAS, SOW_HAS_OR_INFINITE, SOW_HAS_OR_INFINITE}},
    [SOW_EXP_UNIFORM] = {"exp_uniform", {BOUNDS}},
    [SOW_LN_UNIFORM] = {"ln_uniform", {BOUNDS}},
    [SOW_MINUS_LN_UNIFORM] = {"minus_ln_uniform", {BOUNDS, SOW_HAS}},
    [SOW_SOFTPLUS_INVERSE_EXP_UNIFORM] = {"softplus_inverse_exp_uniform", {BOUNDS}},
    [SOW_LN_DECAY_UNIFORM] = {"ln_decay_uniform", {BOUNDS}},
    [SOW_LN_REST_UNIFORM] = {"ln_rest_uniform", {BOUNDS}},
    [SOW_ORTHOGONAL] = {"orthogonal", {GAIN}},
    [SOW_DELTA_ORTHOGONAL] = {"delta_orthogonal", {GAIN}},
    [SOW_IDENTITY] = {"identity", {GAIN}},
    [SOW_HADAMARD] = {"hadamard", {GAIN}},
};
#define FORMS (sizeof forms / sizeof *forms)

const char *const sow_number_names[SOW_NUMBERS] = {"mean", "std", "low", "high", "shift", "gain"};

double sow_draw_number(const struct sow_draw *draw, enum sow_number number)
{
    const double numbers[SOW_NUMBERS] = {draw->mean, draw->std,   draw->low,
                                         draw->high, draw->shift, draw->gain};
    return numbers[number];
}

const char *sow_distribution_name(enum sow_distribution distribution)
{
    return (size_t)distribution < FORMS ? forms[distribution].name : NULL;
}

int sow_distribution_parse(const char *word, enum sow_distribution *distribution)
{
    for (size_t i = 0; i < FORMS; i++) {
        if (strcmp(word, forms[i].name) == 0) {
            *distribution = (enum sow_distribution)i;
            return 1;
        }
    }
    return 0;
}

enum sow_has sow_distribution_has(enum sow_distribution distribution, enum sow_number number)
{
    return (size_t)distribution < FORMS ? forms[distribution].has[number] : SOW_HAS_NOT;
}

/* ---- Making and comparing -------------------------------------------------------------------- */

enum sow_status sow_draw_from(enum sow_distribution distribution, const double numbers[SOW_NUMBERS],
                              struct sow_draw *draw, struct sow_error *error)
{
    const double mean = numbers[SOW_MEAN], std = numbers[SOW_STD], low = numbers[SOW_LOW],
                 high = numbers[SOW_HIGH];
    switch (distribution) {
    case SOW_CONSTANT:
        return sow_draw_constant(mean, draw, error);
    case SOW_UNIFORM:
        return sow_draw_uniform(low, high, draw, error);
    case SOW_NORMAL:
        return sow_draw_normal(mean, std, draw, error);
    case SOW_TRUNC_NORMAL:
        return sow_draw_trunc_normal(mean, std, low, high, draw, error);
    case SOW_ORTHOGONAL:
    case SOW_DELTA_ORTHOGONAL:
    case SOW_IDENTITY:
    case SOW_HADAMARD:
        *draw = (struct sow_draw){.distribution = distribution, .gain = numbers[SOW_GAIN]};
        return SOW_OK;
    default:
        return sow_draw_of_uniform(distribution, low, high, numbers[SOW_SHIFT], draw, error);
    }
}

int sow_draw_equal(const struct sow_draw *a, const struct sow_draw *b)
{
    int equal = a->distribution == b->distribution && (size_t)a->distribution < FORMS;
    for (enum sow_number number = SOW_MEAN; equal && number < SOW_NUMBERS; number++) {
        double left = sow_draw_number(a, number), right = sow_draw_number(b, number);
        equal = !sow_distribution_has(a->distribution, number) ||
                memcmp(&left, &right, sizeof left) == 0;
    }
    return equal;
}
