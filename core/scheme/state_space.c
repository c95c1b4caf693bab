/* SPDX-License-Identifier: MIT */
/* Parameters of state-space layers (S4, Mamba, LRU): step sizes and poles, drawn evenly on the scale that counts and
 * stored as the layer reads them, behind a logarithm or a softplus. */
#include "core/base/elementary.h"
#include "core/base/error.h"
#include "core/base/number.h"
#include "core/scheme/row.h"

#define BELOW_ONE 0x1.fffffep-1 /* the largest float32 below 1 */

/* ---- Even on a logarithmic scale ------------------------------------------------------------ */

/* Two numbers with 0 < low < high. */
static enum sow_status read_range(const struct sow_call *call, const char *low_name,
                                  const char *high_name, double *low, double *high)
{
    enum sow_status status = sow_call_number(call, low_name, low);
    status = status == SOW_OK ? sow_call_number(call, high_name, high) : status;
    if (status == SOW_OK && !(*low > 0 && *low < *high)) {
        return sow_fail(call->error, SOW_E_ARGUMENT, "%s of %s is %s and %s is %s; 0 < %s < %s",
                        low_name, call->scheme->name, sow_number_text(*low).text, high_name,
                        sow_number_text(*high).text, low_name, high_name);
    }
    return status;
}

static enum sow_status log_uniform(const struct sow_call *call)
{
    double low = 0, high = 0;
    enum sow_status status = read_range(call, "low", "high", &low, &high);
    if (status != SOW_OK) {
        return status;
    }
    sow_call_explain(call, "exp(u), u uniform on [%s, %s]", sow_number_text(sow_log(low)).text,
                     sow_number_text(sow_log(high)).text);
    return sow_draw_of_uniform(SOW_EXP_UNIFORM, sow_log(low), sow_log(high), 0, call->draw,
                               call->error);
}

static enum sow_status step_bias(const struct sow_call *call)
{
    double low = 0, high = 0;
    enum sow_status status = read_range(call, "low", "high", &low, &high);
    if (status != SOW_OK) {
        return status;
    }
    sow_call_explain(call, "softplus^-1(dt), ln dt uniform on [%s, %s]",
                     sow_number_text(sow_log(low)).text, sow_number_text(sow_log(high)).text);
    return sow_draw_of_uniform(SOW_SOFTPLUS_INVERSE_EXP_UNIFORM, sow_log(low), sow_log(high), 0,
                               call->draw, call->error);
}

/* ---- The logarithm of something even -------------------------------------------------------- */

static enum sow_status log_of_uniform(const struct sow_call *call)
{
    double low = 0, high = 0;
    enum sow_status status = sow_call_size(call, "low", &low);
    status = status == SOW_OK ? sow_call_number(call, "high", &high) : status;
    if (status == SOW_OK && !(low < high)) {
        return sow_fail(call->error, SOW_E_ARGUMENT, "low of %s is %s, not below high, %s",
                        call->scheme->name, sow_number_text(low).text, sow_number_text(high).text);
    }
    if (status != SOW_OK) {
        return status;
    }
    sow_call_explain(call, "ln u, u uniform on [%s, %s]", sow_number_text(low).text,
                     sow_number_text(high).text);
    return sow_draw_of_uniform(SOW_LN_UNIFORM, low, high, 0, call->draw, call->error);
}

/* ---- Poles of a linear recurrent unit ------------------------------------------------------- */

static enum sow_status lru(const struct sow_call *call, enum sow_distribution distribution,
                           const char *formula)
{
    double least = 0, most = 0;
    enum sow_status status = sow_call_size(call, "r_min", &least);
    status = status == SOW_OK ? sow_call_number(call, "r_max", &most) : status;
    if (status == SOW_OK && !(least < most && most <= 1)) {
        return sow_fail(call->error, SOW_E_ARGUMENT,
                        "r_min of %s is %s and r_max is %s; 0 <= r_min < r_max <= 1",
                        call->scheme->name, sow_number_text(least).text,
                        sow_number_text(most).text);
    }
    if (status != SOW_OK) {
        return status;
    }
    double low = least * least, high = most * most < BELOW_ONE ? most * most : BELOW_ONE;
    sow_call_explain(call, "%s, u = |lambda|^2 uniform on [%s, %s]", formula,
                     sow_number_text(low).text, sow_number_text(high).text);
    return sow_draw_of_uniform(distribution, low, high, 0, call->draw, call->error);
}

static enum sow_status lru_nu(const struct sow_call *call)
{
    return lru(call, SOW_LN_DECAY_UNIFORM, "ln(-ln(u) / 2)");
}

static enum sow_status lru_gamma(const struct sow_call *call)
{
    return lru(call, SOW_LN_REST_UNIFORM, "ln(1 - u) / 2");
}

/* ---- Rows ----------------------------------------------------------------------------------- */

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static const struct sow_scheme_parameter log_uniform_parameters[] = {
    {"low", NULL, "lower end, above 0"},
    {"high", NULL, "upper end"},
};

static const struct sow_scheme_parameter step_bias_parameters[] = {
    {"low", "0.001", "the shortest step, above 0"},
    {"high", "0.1", "the longest step"},
};

static const struct sow_scheme_parameter log_of_uniform_parameters[] = {
    {"low", "0", "of u, the lower end"},
    {"high", NULL, "of u, the upper end"},
};

static const struct sow_scheme_parameter lru_parameters[] = {
    {"r_min", "0", "the least |lambda|"},
    {"r_max", "1", "the largest |lambda|"},
};

static const struct sow_scheme_row rows[] = {
    {
        .scheme =
            {
                .name = "log_uniform",
                .aliases = (const char *const[]){"loguniform", NULL},
                .parameters = log_uniform_parameters,
                .parameter_count = COUNT(log_uniform_parameters),
                .positional = (const char *const[]){"low", "high", NULL},
                .formula = "exp(u), u ~ U(ln low, ln high)",
                .source = "Gu, Goel and Re 2022 (S4), for step sizes",
                .summary = "evenly over the orders of magnitude: step sizes, time constants",
            },
        .resolve = log_uniform,
    },
    {
        .scheme =
            {
                .name = "log_of_uniform",
                .aliases = (const char *const[]){NULL},
                .parameters = log_of_uniform_parameters,
                .parameter_count = COUNT(log_of_uniform_parameters),
                .formula = "ln u, u ~ U(low, high)",
                .source = "Dao and Gu 2024 (Mamba-2), for A_log; Orvieto et al. 2023 (LRU), for "
                          "theta_log",
                .summary =
                    "what a layer exponentiates: Mamba-2's A_log with low = 1 and high = 16, "
                    "LRU's theta_log with high = 2 pi",
            },
        .resolve = log_of_uniform,
    },
    {
        .scheme =
            {
                .name = "softplus_step",
                .aliases = (const char *const[]){"mamba_dt", NULL},
                .parameters = step_bias_parameters,
                .parameter_count = COUNT(step_bias_parameters),
                .formula =
                    "b = softplus^-1(dt) = dt + ln(1 - exp(-dt)), ln dt ~ U(ln low, ln high)",
                .source = "Gu and Dao 2023 (Mamba), section 3.6",
                .summary = "Mamba's dt bias: the steps behind its softplus are log-uniform",
            },
        .resolve = step_bias,
    },
    {
        .scheme =
            {
                .name = "lru_nu",
                .aliases = (const char *const[]){NULL},
                .parameters = lru_parameters,
                .parameter_count = COUNT(lru_parameters),
                .formula = "ln(-ln(u) / 2), u ~ U(r_min^2, r_max^2)",
                .source = "Orvieto et al. 2023 (LRU), lemma 3.2",
                .summary = "LRU's nu_log: the squared radius of its poles is uniform",
            },
        .resolve = lru_nu,
    },
    {
        .scheme =
            {
                .name = "lru_gamma",
                .aliases = (const char *const[]){NULL},
                .parameters = lru_parameters,
                .parameter_count = COUNT(lru_parameters),
                .formula = "ln sqrt(1 - u), u ~ U(r_min^2, r_max^2)",
                .source = "Orvieto et al. 2023 (LRU), section 3.4",
                .summary = "LRU's gamma_log, of the same poles as its nu_log: give the parameter "
                           "key = the name of nu_log",
            },
        .resolve = lru_gamma,
    },
};

const struct sow_scheme_family sow_scheme_state_space = {rows, COUNT(rows)};
