/* SPDX-License-Identifier: MIT */
/* What resolve functions share: arguments with their defaults and types, and the ends of a
 * resolution. */
#include "core/scheme/row.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/error.h"
#include "core/base/number.h"

const struct sow_argument *sow_call_find(const struct sow_call *call, const char *name)
{
    for (size_t i = 0; i < call->count; i++) {
        if (strcmp(call->arguments[i].name, name) == 0) {
            return &call->arguments[i];
        }
    }
    return NULL;
}

const char *sow_call_default(const struct sow_call *call, const char *name)
{
    for (size_t i = 0; i < call->scheme->parameter_count; i++) {
        if (strcmp(call->scheme->parameters[i].name, name) == 0) {
            return call->scheme->parameters[i].default_text;
        }
    }
    return NULL;
}

/* "0", "-2", "0.01": the row's own defaults, so nothing can be wrong with them. */
static double decimal(const char *text)
{
    double digits = 0, unit = 1;
    int negative = *text == '-', after_point = 0;
    for (text += negative; *text != '\0'; text++) {
        if (*text == '.') {
            after_point = 1;
        } else {
            digits = 10 * digits + (*text - '0');
            unit *= after_point ? 10 : 1;
        }
    }
    return (negative ? -digits : digits) / unit;
}

static int is_infinite(double x)
{
    return x == x && x - x != 0;
}

enum sow_status sow_call_limit(const struct sow_call *call, const char *name, double *value)
{
    const struct sow_argument *argument = sow_call_find(call, name);
    if (argument == NULL) {
        *value = decimal(sow_call_default(call, name));
        return SOW_OK;
    }
    if (argument->text != NULL) {
        return sow_fail(call->error, SOW_E_ARGUMENT,
                        "%s of %s must be a number, not the word \"%.40s\"", name,
                        call->scheme->name, argument->text);
    }
    if (argument->list != NULL) {
        return sow_fail(call->error, SOW_E_ARGUMENT, "%s of %s is one number, not a list", name,
                        call->scheme->name);
    }
    if (argument->number != argument->number) {
        return sow_fail(
            call->error, SOW_E_ARGUMENT,
            "%s of %s is not a number (NaN): something in its expression is 0/0 or worse", name,
            call->scheme->name);
    }
    *value = argument->number;
    return SOW_OK;
}

enum sow_status sow_call_number(const struct sow_call *call, const char *name, double *value)
{
    enum sow_status status = sow_call_limit(call, name, value);
    if (status == SOW_OK && is_infinite(*value)) {
        return sow_fail(call->error, SOW_E_ARGUMENT, "%s of %s is infinite", name,
                        call->scheme->name);
    }
    return status;
}

enum sow_status sow_call_size(const struct sow_call *call, const char *name, double *value)
{
    enum sow_status status = sow_call_number(call, name, value);
    if (status == SOW_OK && *value < 0) {
        return sow_fail(call->error, SOW_E_ARGUMENT, "%s of %s is %s; it cannot be negative", name,
                        call->scheme->name, sow_number_text(*value).text);
    }
    return status;
}

static const char *word_of(const void *context, size_t index)
{
    return ((const char *const *)context)[index];
}

static enum sow_status fail_word(const struct sow_call *call, const char *name, const char *given,
                                 const char *const *words)
{
    char list[192] = "";
    size_t used = 0;
    for (size_t i = 0; words[i] != NULL && used < sizeof list; i++) {
        const char *separator = i == 0 ? "" : words[i + 1] == NULL ? " or " : ", ";
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", separator, words[i]);
    }
    if (given == NULL) {
        return sow_fail(call->error, SOW_E_ARGUMENT, "%s of %s is a word, not a number: %s", name,
                        call->scheme->name, list);
    }
    const char *nearest = sow_nearest(given, word_of, words);
    return sow_fail(call->error, SOW_E_ARGUMENT, "%s of %s cannot be \"%.40s\"; it is %s%s%s%s",
                    name, call->scheme->name, given, list, nearest ? "; did you mean " : "",
                    nearest ? nearest : "", nearest ? "?" : "");
}

enum sow_status sow_call_word(const struct sow_call *call, const char *name,
                              const char *const *words, size_t *index)
{
    const struct sow_argument *argument = sow_call_find(call, name);
    const char *given = argument != NULL ? argument->text : sow_call_default(call, name);
    for (size_t i = 0; given != NULL && words[i] != NULL; i++) {
        if (strcmp(given, words[i]) == 0) {
            *index = i;
            return SOW_OK;
        }
    }
    return fail_word(call, name, given, words);
}

enum sow_status sow_call_normal(const struct sow_call *call, double mean, double std)
{
    return std == 0 ? sow_draw_constant(mean, call->draw, call->error)
                    : sow_draw_normal(mean, std, call->draw, call->error);
}

enum sow_status sow_call_trunc_normal(const struct sow_call *call, double mean, double sigma,
                                      double low, double high)
{
    return sigma == 0 ? sow_draw_constant(mean, call->draw, call->error)
                      : sow_draw_trunc_normal(mean, sigma, low, high, call->draw, call->error);
}

void sow_call_tell_loss(const struct sow_call *call, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(call->detail->loss, sizeof call->detail->loss, format, arguments);
    va_end(arguments);
}

void sow_call_explain(const struct sow_call *call, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(call->detail->formula_with_numbers, sizeof call->detail->formula_with_numbers, format,
              arguments);
    va_end(arguments);
}
