/* SPDX-License-Identifier: MIT */
/* Schemes without chance: every element is the same number. */
#include "core/base/number.h"
#include "core/scheme/row.h"

static enum sow_status resolve_to(const struct sow_call *call, double value)
{
    sow_call_explain(call, "every element = %s", sow_number_text(value).text);
    return sow_draw_constant(value, call->draw, call->error);
}

static enum sow_status zeros(const struct sow_call *call)
{
    return resolve_to(call, 0);
}

static enum sow_status ones(const struct sow_call *call)
{
    return resolve_to(call, 1);
}

static const struct sow_scheme_parameter constant_parameters[] = {
    {"value", NULL, "the number"},
};

static enum sow_status constant(const struct sow_call *call)
{
    double value;
    enum sow_status status = sow_call_number(call, "value", &value);
    return status == SOW_OK ? resolve_to(call, value) : status;
}

static const struct sow_scheme_row rows[] = {
    {
        .scheme =
            {
                .name = "zeros",
                .aliases = (const char *const[]){"zeros_", "Zeros", "zero", "Zero", NULL},
                .formula = "w = 0",
                .source = "definition",
                .summary = "all zero: biases, and what must start as nothing",
            },
        .resolve = zeros,
    },
    {
        .scheme =
            {
                .name = "ones",
                .aliases = (const char *const[]){"ones_", "Ones", "one", "One", NULL},
                .formula = "w = 1",
                .source = "definition",
                .summary = "all one: scales of normalisations",
            },
        .resolve = ones,
    },
    {
        .scheme =
            {
                .name = "constant",
                .aliases = (const char *const[]){"constant_", "Constant", NULL},
                .parameters = constant_parameters,
                .parameter_count = 1,
                .positional = (const char *const[]){"value", NULL},
                .formula = "w = value",
                .source = "definition",
                .summary = "one number everywhere",
            },
        .resolve = constant,
    },
};

const struct sow_scheme_family sow_scheme_constant = {rows, sizeof rows / sizeof rows[0]};
