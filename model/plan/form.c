/* SPDX-License-Identifier: MIT */
/* The table of distributions as plans and records write them. What they draw is core/kernel's. */
#include "model/plan/form.h"

#include <string.h>

#include "core/base/error.h"

struct form {
    const char *name;
    enum sow_has has[SOW_NUMBERS]; /* mean, std, low, high */
    enum sow_status (*make)(const double numbers[SOW_NUMBERS], struct sow_draw *draw,
                            struct sow_error *error);
};

static enum sow_status make_constant(const double numbers[SOW_NUMBERS], struct sow_draw *draw,
                                     struct sow_error *error)
{
    return sow_draw_constant(numbers[SOW_MEAN], draw, error);
}

static enum sow_status make_uniform(const double numbers[SOW_NUMBERS], struct sow_draw *draw,
                                    struct sow_error *error)
{
    return sow_draw_uniform(numbers[SOW_LOW], numbers[SOW_HIGH], draw, error);
}

static enum sow_status make_normal(const double numbers[SOW_NUMBERS], struct sow_draw *draw,
                                   struct sow_error *error)
{
    return sow_draw_normal(numbers[SOW_MEAN], numbers[SOW_STD], draw, error);
}

static enum sow_status make_trunc_normal(const double numbers[SOW_NUMBERS], struct sow_draw *draw,
                                         struct sow_error *error)
{
    return sow_draw_trunc_normal(numbers[SOW_MEAN], numbers[SOW_STD], numbers[SOW_LOW],
                                 numbers[SOW_HIGH], draw, error);
}

static const struct form forms[] = {
    [SOW_CONSTANT] = {"constant", {SOW_HAS}, make_constant},
    [SOW_UNIFORM] = {"uniform", {SOW_HAS_NOT, SOW_HAS_NOT, SOW_HAS, SOW_HAS}, make_uniform},
    [SOW_NORMAL] = {"normal", {SOW_HAS, SOW_HAS}, make_normal},
    [SOW_TRUNC_NORMAL] = {"trunc_normal",
                          {SOW_HAS, SOW_HAS, SOW_HAS_OR_INFINITE, SOW_HAS_OR_INFINITE},
                          make_trunc_normal},
};
#define FORMS (sizeof forms / sizeof *forms)

const char *const sow_number_names[SOW_NUMBERS] = {"mean", "std", "low", "high"};

double sow_draw_number(const struct sow_draw *draw, enum sow_number number)
{
    const double numbers[SOW_NUMBERS] = {draw->mean, draw->std, draw->low, draw->high};
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
    if ((size_t)distribution >= FORMS) {
        return sow_fail(error, SOW_E_ARGUMENT, "%d is no distribution", (int)distribution);
    }
    return forms[distribution].make(numbers, draw, error);
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
