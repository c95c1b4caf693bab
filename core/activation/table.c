/* SPDX-License-Identifier: MIT */
/* The table of activations: the families' rows end to end, found by name. It knows no activation; those
 * are in the family files (row.h says how to add one). */
#include <math.h>
#include <string.h>

#include "core/activation/expression.h"
#include "core/activation/row.h"
#include "core/base/error.h"

static const struct sow_activation_family *const families[] = {
    &sow_activation_relu,    &sow_activation_gelu, &sow_activation_smooth,
    &sow_activation_bounded, &sow_activation_hard, &sow_activation_gates,
};

const struct sow_activation *sow_activation_at(size_t index)
{
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        if (index < families[i]->count) {
            return &families[i]->rows[index].activation;
        }
        index -= families[i]->count;
    }
    return NULL;
}

/* Name or alias number `index` of the whole table, rows in order. */
static const char *word_at(const void *context, size_t index)
{
    (void)context;
    const struct sow_activation *row;
    for (size_t i = 0; (row = sow_activation_at(i)) != NULL; i++) {
        if (index-- == 0) {
            return row->name;
        }
        for (size_t j = 0; row->aliases[j] != NULL; j++) {
            if (index-- == 0) {
                return row->aliases[j];
            }
        }
    }
    return NULL;
}

const struct sow_activation *sow_activation_find(const char *name, struct sow_error *error)
{
    const struct sow_activation *row;
    for (size_t i = 0; (row = sow_activation_at(i)) != NULL; i++) {
        int found = strcmp(name, row->name) == 0;
        for (size_t j = 0; row->aliases[j] != NULL; j++) {
            found |= strcmp(name, row->aliases[j]) == 0;
        }
        if (found) {
            return row;
        }
    }
    const char *nearest = sow_nearest(name, word_at, NULL);
    sow_fail(error, SOW_E_ARGUMENT, "no activation is called '%.40s'%s%s%s", name,
             nearest ? "; did you mean " : "; `sow activations` lists them", nearest ? nearest : "",
             nearest ? "?" : "");
    return NULL;
}

/* ---- A row with its parameters ------------------------------------------------------------- */

static const char *parameter_at(const void *context, size_t index)
{
    const struct sow_activation *row = context;
    return index < row->parameter_count ? row->parameters[index].name : NULL;
}

static enum sow_status fail_unknown(const struct sow_activation *row, const char *name,
                                    struct sow_error *error)
{
    const char *nearest = sow_nearest(name, parameter_at, row);
    if (row->parameter_count == 0) {
        return sow_fail(error, SOW_E_ARGUMENT, "%s has no parameters", row->name);
    }
    return sow_fail(error, SOW_E_ARGUMENT, "%s has no parameter %.40s; did you mean %s?", row->name,
                    name, nearest ? nearest : row->parameters[0].name);
}

static enum sow_status set_parameter(struct sow_function *function,
                                     const struct sow_argument *argument, struct sow_error *error)
{
    const struct sow_activation *row = function->activation;
    for (size_t i = 0; i < row->parameter_count; i++) {
        const struct sow_activation_parameter *parameter = &row->parameters[i];
        if (strcmp(parameter->name, argument->name) != 0) {
            continue;
        }
        if (argument->text != NULL ||
            !(argument->number >= parameter->low && argument->number <= parameter->high)) {
            return sow_fail(error, SOW_E_ARGUMENT, "%s of %s must be a number from %g to %g",
                            parameter->name, row->name, parameter->low, parameter->high);
        }
        function->parameters[i] = argument->number;
        return SOW_OK;
    }
    return fail_unknown(row, argument->name, error);
}

enum sow_status sow_function_named(const char *activation, const struct sow_argument *arguments,
                                   size_t count, struct sow_function *function,
                                   struct sow_error *error)
{
    const struct sow_activation *row = sow_activation_find(activation, error);
    if (row == NULL) {
        return SOW_E_ARGUMENT;
    }
    struct sow_function made = {.activation = row, .jumps = row->jumps};
    for (size_t i = 0; i < row->parameter_count; i++) {
        made.parameters[i] = row->parameters[i].value;
    }
    for (size_t i = 0; i < count; i++) {
        enum sow_status status = set_parameter(&made, &arguments[i], error);
        if (status != SOW_OK) {
            return status;
        }
    }
    const struct sow_activation_row *whole = sow_activation_row_of(row);
    if (whole->kinks != NULL) {
        made.kink_count = whole->kinks(made.parameters, made.kinks);
    }
    *function = made;
    return SOW_OK;
}

int sow_function_same(const struct sow_function *a, const struct sow_function *b)
{
    int named = a->name != NULL && b->name != NULL;
    return a->activation == b->activation &&
           memcmp(a->parameters, b->parameters, sizeof a->parameters) == 0 &&
           a->value == b->value && (named ? strcmp(a->name, b->name) == 0 : a->user == b->user);
}

const char *sow_function_name(const struct sow_function *function)
{
    return function->activation != NULL ? function->activation->name
           : function->name != NULL     ? function->name
                                        : "the function";
}

double sow_function_value(const struct sow_function *function, double x, double *slope)
{
    if (function->activation == NULL) {
        if (slope != NULL && function->value_and_slope != NULL) {
            return function->value_and_slope(function->user, x, slope);
        }
        if (slope != NULL) {
            *slope = NAN;
        }
        return function->value(function->user, x);
    }
    const struct sow_activation_row *row = sow_activation_row_of(function->activation);
    if (slope != NULL && row->both != NULL) {
        return row->both(x, function->parameters, slope);
    }
    if (slope != NULL) {
        *slope = row->derivative(x, function->parameters);
    }
    return row->value(x, function->parameters);
}
