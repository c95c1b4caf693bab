/* SPDX-License-Identifier: MIT */
/* The catalogue: the families' rows end to end, found by name, checked and resolved.
 * It knows no scheme; those are in the family files. */
#include "core/scheme/scheme.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/error.h"
#include "core/scheme/row.h"

static const struct sow_scheme_family *const families[] = {
    &sow_scheme_constant,  &sow_scheme_basic,       &sow_scheme_variance, &sow_scheme_prior,
    &sow_scheme_recurrent, &sow_scheme_state_space, &sow_scheme_whole,
};

static const struct sow_scheme_row *row_at(size_t index)
{
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        if (index < families[i]->count) {
            return &families[i]->rows[index];
        }
        index -= families[i]->count;
    }
    return NULL;
}

const struct sow_scheme *sow_scheme_at(size_t index)
{
    const struct sow_scheme_row *row = row_at(index);
    return row != NULL ? &row->scheme : NULL;
}

/* Names and aliases of all rows, in order. */
static const char *word_at(const void *context, size_t index)
{
    (void)context;
    const struct sow_scheme *scheme;
    for (size_t i = 0; (scheme = sow_scheme_at(i)) != NULL; i++) {
        if (index-- == 0) {
            return scheme->name;
        }
        for (size_t j = 0; scheme->aliases[j] != NULL; j++) {
            if (index-- == 0) {
                return scheme->aliases[j];
            }
        }
    }
    return NULL;
}

static int is_called(const struct sow_scheme *scheme, const char *name)
{
    int found = strcmp(scheme->name, name) == 0;
    for (size_t i = 0; scheme->aliases[i] != NULL; i++) {
        found |= strcmp(scheme->aliases[i], name) == 0;
    }
    return found;
}

static const struct sow_scheme_row *find_row(const char *name, struct sow_error *error)
{
    const struct sow_scheme_row *row;
    for (size_t i = 0; (row = row_at(i)) != NULL; i++) {
        if (is_called(&row->scheme, name)) {
            return row;
        }
    }
    const char *nearest = sow_nearest(name, word_at, NULL);
    sow_fail(error, SOW_E_ARGUMENT, "no scheme is called '%.40s'%s%s%s", name,
             nearest ? "; did you mean " : "; `sow schemes` lists them", nearest ? nearest : "",
             nearest ? "?" : "");
    return NULL;
}

const struct sow_scheme *sow_scheme_find(const char *name, struct sow_error *error)
{
    const struct sow_scheme_row *row = find_row(name, error);
    return row != NULL ? &row->scheme : NULL;
}

static const char *parameter_at(const void *context, size_t index)
{
    const struct sow_scheme *scheme = context;
    return index < scheme->parameter_count ? scheme->parameters[index].name : NULL;
}

/* "mean, std"; what does not fit is left out. */
static void list_parameters(const struct sow_scheme *scheme, char *text, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < scheme->parameter_count && used < size; i++) {
        used += (size_t)snprintf(text + used, size - used, "%s%s", i > 0 ? ", " : "",
                                 scheme->parameters[i].name);
    }
}

static enum sow_status fail_unknown(const struct sow_scheme *scheme, const char *name,
                                    struct sow_error *error)
{
    char names[256] = "no parameters";
    list_parameters(scheme, names, sizeof names);
    if (name == NULL || name[0] == '\0') {
        return sow_fail(error, SOW_E_ARGUMENT, "%s takes its parameters by name; it takes %s",
                        scheme->name, names);
    }
    const char *nearest = sow_nearest(name, parameter_at, scheme);
    return sow_fail(error, SOW_E_ARGUMENT, "%s has no parameter %.40s; it takes %s%s%s%s",
                    scheme->name, name, names, nearest ? "; did you mean " : "",
                    nearest ? nearest : "", nearest ? "?" : "");
}

static size_t count_uses(const struct sow_call *call, const char *name)
{
    size_t uses = 0;
    for (size_t i = 0; i < call->count; i++) {
        uses += strcmp(call->arguments[i].name, name) == 0;
    }
    return uses;
}

/* Every argument is known, none is given twice, none that is required is missing. */
static enum sow_status check_arguments(const struct sow_call *call)
{
    const struct sow_scheme *scheme = call->scheme;
    for (size_t i = 0; i < call->count; i++) {
        const char *name = call->arguments[i].name;
        int known = 0;
        for (size_t j = 0; name != NULL && j < scheme->parameter_count; j++) {
            known |= strcmp(name, scheme->parameters[j].name) == 0;
        }
        if (!known) {
            return fail_unknown(scheme, name, call->error);
        }
    }
    for (size_t j = 0; j < scheme->parameter_count; j++) {
        const struct sow_scheme_parameter *parameter = &scheme->parameters[j];
        size_t uses = count_uses(call, parameter->name);
        if (uses > 1) {
            return sow_fail(call->error, SOW_E_ARGUMENT, "%s was given %s twice", scheme->name,
                            parameter->name);
        }
        if (uses == 0 && parameter->default_text == NULL) {
            return sow_fail(call->error, SOW_E_ARGUMENT, "%s needs %s (%s); it has no default",
                            scheme->name, parameter->name, parameter->summary);
        }
    }
    return SOW_OK;
}

static enum sow_status take_fans(struct sow_call *call, const struct sow_tensor *tensor)
{
    if (!call->scheme->needs_fans) {
        return SOW_OK;
    }
    if (tensor == NULL) {
        return sow_fail(call->error, SOW_E_SHAPE,
                        "%s needs a tensor to take fan_in and fan_out from", call->scheme->name);
    }
    const char *rules[SOW_FAN_RULES + 1] = {NULL};
    size_t rule = SOW_FAN_TRUE;
    for (size_t i = 0; i < SOW_FAN_RULES; i++) {
        rules[i] = sow_fan_rule_name(i);
    }
    enum sow_status status = sow_call_word(call, "fan", rules, &rule);
    if (status == SOW_OK) {
        status = sow_tensor_fans_by(tensor, (enum sow_fan_rule)rule, &call->fans, call->error);
    }
    call->detail->fan_in = call->fans.in;
    call->detail->fan_out = call->fans.out;
    call->detail->fan_rule = rule == SOW_FAN_TRUE ? NULL : sow_fan_rule_name(rule);
    return status;
}

enum sow_status sow_scheme_resolve_detail(const char *scheme, const struct sow_argument *arguments,
                                          size_t count, const struct sow_tensor *tensor,
                                          struct sow_draw *draw, struct sow_scheme_detail *detail,
                                          struct sow_error *error)
{
    const struct sow_scheme_row *row = find_row(scheme, error);
    if (row == NULL) {
        return SOW_E_ARGUMENT;
    }
    struct sow_draw drawn = {.distribution = SOW_CONSTANT};
    struct sow_scheme_detail told = {
        .scheme = &row->scheme, .fan_in = NAN, .fan_out = NAN, .fan_used = NAN, .gain = NAN};
    struct sow_call call = {.scheme = &row->scheme,
                            .arguments = arguments,
                            .count = count,
                            .tensor = tensor,
                            .draw = &drawn,
                            .detail = &told,
                            .error = error};
    enum sow_status status = check_arguments(&call);
    if (status == SOW_OK) {
        status = take_fans(&call, tensor);
    }
    if (status == SOW_OK) {
        status = row->resolve(&call);
    }
    if (status == SOW_OK) {
        *draw = drawn;
        if (detail != NULL) {
            *detail = told;
        }
    }
    return status;
}

enum sow_status sow_scheme_resolve(const char *scheme, const struct sow_argument *arguments,
                                   size_t count, const struct sow_tensor *tensor,
                                   struct sow_draw *draw, struct sow_error *error)
{
    struct sow_scheme_detail detail;
    struct sow_draw drawn;
    enum sow_status status =
        sow_scheme_resolve_detail(scheme, arguments, count, tensor, &drawn, &detail, error);
    if (status == SOW_OK && detail.rows > 0) {
        return sow_fail(
            error, SOW_E_ARGUMENT,
            "%s gives every row a number of its own, which one draw cannot hold; make a "
            "plan of it",
            detail.scheme->name);
    }
    if (status == SOW_OK) {
        *draw = drawn;
    }
    return status;
}
