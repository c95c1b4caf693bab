/* SPDX-License-Identifier: MIT */
/* Gains by name: the factor 1 / sqrt(E[phi(z)^2]), z ~ N(0, 1), that keeps the second moment of
 * a signal (He et al. 2015, eq. 10, for any activation), and the other rules that a scheme may ask
 * for by word. */
#include "core/activation/gain.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/activation/expression.h"
#include "core/activation/quadrature.h"
#include "core/base/elementary.h"
#include "core/base/error.h"

/* `room` is for an expression, to which the function refers then. */
static enum sow_status find(const char *activation, double slope,
                            struct sow_expression_program *room, struct sow_function *function,
                            struct sow_error *error)
{
    const struct sow_argument argument = {.name = "slope", .number = slope};
    size_t length;
    if (sow_expression_inside(activation, &length) != NULL) {
        enum sow_status status = sow_expression_compile_braced(activation, room, error);
        if (status == SOW_OK && slope == slope) {
            return sow_fail(error, SOW_E_ARGUMENT,
                            "an expression has no slope; leaky_relu has one");
        }
        return status == SOW_OK ? sow_expression_own(room, NULL, 0, function, error) : status;
    }
    const struct sow_activation *row = sow_activation_find(activation, error);
    if (row == NULL) {
        return SOW_E_ARGUMENT;
    }
    if (slope != slope) { /* not given */
        return sow_function_named(activation, NULL, 0, function, error);
    }
    if (row->parameter_count == 0 || strcmp(row->parameters[0].name, "slope") != 0) {
        return sow_fail(error, SOW_E_ARGUMENT, "%s has no slope; leaky_relu has one", row->name);
    }
    if (!(slope > -1e100 && slope < 1e100)) {
        return sow_fail(error, SOW_E_ARGUMENT, "slope of %s must be a finite number", row->name);
    }
    return sow_function_named(activation, &argument, 1, function, error);
}

static double exact(const struct sow_function *function)
{
    return sow_sqrt(1 / sow_second_moment(function));
}

enum sow_status sow_gain(const char *activation, double slope, double *gain,
                         struct sow_error *error)
{
    struct sow_function function;
    struct sow_expression_program room;
    enum sow_status status = find(activation, slope, &room, &function, error);
    if (status == SOW_OK) {
        *gain = exact(&function);
    }
    return status;
}

const char *sow_gain_name(size_t index)
{
    const struct sow_activation *row = sow_activation_at(index);
    return row != NULL ? row->name : NULL;
}

/* ---- Other rules --------------------------------------------------------------------------- */

const char *sow_gain_rule_name(size_t rule)
{
    static const char *const names[] = {"exact", "torch", "nfnet", "critical"};
    return rule < SOW_GAIN_RULES ? names[rule] : NULL;
}

static const struct sow_activation_constant *constant_of(const struct sow_activation *row,
                                                         const char *framework)
{
    const struct sow_activation_constant *constant = row->constants;
    while (constant != NULL && constant->framework != NULL &&
           strcmp(constant->framework, framework) != 0) {
        constant++;
    }
    return constant != NULL && constant->framework != NULL ? constant : NULL;
}

static enum sow_status shipped(const struct sow_function *function, const char *framework,
                               double *gain, struct sow_error *error)
{
    const struct sow_activation_constant *constant =
        function->activation != NULL ? constant_of(function->activation, framework) : NULL;
    const struct sow_activation *row;
    char names[256] = "";
    size_t used = 0;
    if (constant != NULL) {
        *gain = constant->gain == constant->gain ? constant->gain : exact(function);
        return SOW_OK;
    }
    for (size_t i = 0; (row = sow_activation_at(i)) != NULL && used < sizeof names; i++) {
        if (constant_of(row, framework) != NULL) {
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "",
                                     row->name);
        }
    }
    return sow_fail(
        error, SOW_E_ARGUMENT,
        "%s has no gain for %.200s, only for %s; gain = \"exact\" has one for every activation",
        framework, sow_function_name(function), names);
}

static enum sow_status critical(const struct sow_function *function, double *gain,
                                struct sow_error *error)
{
    struct sow_criticality point;
    enum sow_status status = sow_function_criticality(function, &point, error);
    if (status == SOW_OK && !(point.sigma_w2 == point.sigma_w2)) {
        return sow_fail(
            error, SOW_E_ARGUMENT,
            "%.200s cannot be made critical at any scale; centre it, change the activation, or "
            "take gain = \"exact\"",
            sow_function_name(function));
    }
    if (status == SOW_OK) {
        *gain = sow_sqrt(point.sigma_w2);
    }
    return status;
}

enum sow_status sow_gain_by_rule(enum sow_gain_rule rule, const char *activation, double slope,
                                 double *gain, struct sow_error *error)
{
    struct sow_function function;
    struct sow_expression_program room;
    enum sow_status status = find(activation, slope, &room, &function, error);
    if (status != SOW_OK) {
        return status;
    }
    switch (rule) {
    case SOW_GAIN_TORCH:
    case SOW_GAIN_NFNET:
        return shipped(&function, sow_gain_rule_name(rule), gain, error);
    case SOW_GAIN_CRITICAL:
        return critical(&function, gain, error);
    case SOW_GAIN_EXACT:
    case SOW_GAIN_RULES:
        break;
    }
    *gain = exact(&function);
    return SOW_OK;
}
