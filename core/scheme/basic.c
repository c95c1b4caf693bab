/* SPDX-License-Identifier: MIT */
/* Schemes given by their own numbers: uniform, normal and the truncated normal with its bounds
 * in sigmas or absolute. No fans here; those that scale by fans are in variance.c. */
#include "core/base/elementary.h"
#include "core/base/error.h"
#include "core/base/number.h"
#include "core/scheme/row.h"

/* Two limits that only make sense together, low < high. */
static enum sow_status read_limits(const struct sow_call *call, const char *low_name,
                                   const char *high_name, double *low, double *high)
{
    const char *name = call->scheme->name;
    enum sow_status status = sow_call_limit(call, low_name, low);
    if (status == SOW_OK) {
        status = sow_call_limit(call, high_name, high);
    }
    if (status == SOW_OK && !(*low < *high)) {
        return sow_fail(call->error, SOW_E_ARGUMENT,
                        "%s of %s must be below %s, and %s is not below %s", low_name, name,
                        high_name, sow_number_text(*low).text, sow_number_text(*high).text);
    }
    return status;
}

/* Nonzero when one or both are given; an error when it is only one. */
static enum sow_status given_together(const struct sow_call *call, const char *low_name,
                                      const char *high_name, int *given)
{
    int low = sow_call_find(call, low_name) != NULL, high = sow_call_find(call, high_name) != NULL;
    *given = low || high;
    if (low != high) {
        return sow_fail(call->error, SOW_E_ARGUMENT, "%s was given %s without %s; they go together",
                        call->scheme->name, low ? low_name : high_name, low ? high_name : low_name);
    }
    return SOW_OK;
}

/* ---- uniform ------------------------------------------------------------------------------ */

static const struct sow_scheme_parameter uniform_parameters[] = {
    {"bound", "none", "half the width: the interval is [-bound, bound]"},
    {"low", "-bound", "lower end; together with high, instead of bound"},
    {"high", "bound", "upper end"},
};

static enum sow_status uniform(const struct sow_call *call)
{
    int by_limits, by_bound = sow_call_find(call, "bound") != NULL;
    double low = 0, high = 0;
    enum sow_status status = given_together(call, "low", "high", &by_limits);
    if (status != SOW_OK) {
        return status;
    }
    if (by_limits == by_bound) {
        return sow_fail(call->error, SOW_E_ARGUMENT,
                        "uniform needs either bound, or low and high%s",
                        by_bound ? ", not both" : "");
    }
    if (by_bound) {
        status = sow_call_number(call, "bound", &high);
        low = -high;
        if (status == SOW_OK && !(high > 0)) {
            return sow_fail(call->error, SOW_E_ARGUMENT,
                            "bound of uniform is %s; it must be above 0",
                            sow_number_text(high).text);
        }
    } else {
        status = sow_call_number(call, "low", &low);
        if (status == SOW_OK) {
            status = sow_call_number(call, "high", &high);
        }
        if (status == SOW_OK) {
            status = read_limits(call, "low", "high", &low, &high);
        }
    }
    if (status != SOW_OK) {
        return status;
    }
    sow_call_explain(call, "low = %s, high = %s", sow_number_text(low).text,
                     sow_number_text(high).text);
    return sow_draw_uniform(low, high, call->draw, call->error);
}

/* ---- normal ------------------------------------------------------------------------------- */

static const struct sow_scheme_parameter normal_parameters[] = {
    {"mean", "0", "mean"},
    {"std", NULL, "standard deviation"},
};

static enum sow_status normal(const struct sow_call *call)
{
    double mean, std;
    enum sow_status status = sow_call_number(call, "mean", &mean);
    if (status == SOW_OK) {
        status = sow_call_size(call, "std", &std);
    }
    if (status != SOW_OK) {
        return status;
    }
    sow_call_explain(call, "mean = %s, std = %s", sow_number_text(mean).text,
                     sow_number_text(std).text);
    return sow_call_normal(call, mean, std);
}

/* ---- truncated normal --------------------------------------------------------------------- */

static const struct sow_scheme_parameter trunc_normal_parameters[] = {
    {"mean", "0", "mean of the normal that is cut"},
    {"std", NULL, "standard deviation, before or after the cut as std_of says"},
    {"bounds", "2", "cut at -bounds and bounds sigmas; a sigma is the std before the cut"},
    {"low", "-bounds", "lower cut in sigmas; together with high, instead of bounds"},
    {"high", "bounds", "upper cut in sigmas"},
    {"low_absolute", "none",
     "lower cut as a value; together with high_absolute, instead of bounds"},
    {"high_absolute", "none", "upper cut as a value"},
    {"std_of", "before", "before or after the cut"},
};

static const struct sow_scheme_parameter trunc_normal_absolute_parameters[] = {
    {"mean", "0", "mean of the normal that is cut"},
    {"std", NULL, "standard deviation before the cut"},
    {"low_absolute", "-2", "lower cut as a value, not in sigmas"},
    {"high_absolute", "2", "upper cut as a value"},
};

/* A truncated normal while it is read. */
struct cut {
    double mean, sigma; /* before the cut */
    double low, high;   /* as given: in sigmas, or absolute */
    int absolute;
};

/* The standard deviation that is left of sigma. */
static enum sow_status std_after(const struct sow_call *call, const struct cut *cut, double *std)
{
    struct sow_draw draw;
    double mean, low = cut->low, high = cut->high;
    if (!cut->absolute) {
        low = cut->mean + cut->sigma * low;
        high = cut->mean + cut->sigma * high;
    }
    enum sow_status status =
        sow_draw_trunc_normal(cut->mean, cut->sigma, low, high, &draw, call->error);
    if (status == SOW_OK) {
        sow_draw_moments(&draw, &mean, std);
    }
    return status;
}

/* The sigma that an absolute cut reduces to `std`, by bisection: what is left grows with sigma,
 * from nothing to that of the uniform law. */
static enum sow_status solve_sigma(const struct sow_call *call, struct cut *cut, double std)
{
    const double sqrt_12 = 3.4641016151377544;
    double most = (cut->high - cut->low) / sqrt_12, below = std, above = std, left;
    if (!(cut->low < cut->mean && cut->mean < cut->high)) {
        return sow_fail(
            call->error, SOW_E_ARGUMENT,
            "std_of = \"after\" needs the mean inside an absolute cut; give std before it");
    }
    if (std >= 0.999 * most) {
        return sow_fail(call->error, SOW_E_ARGUMENT,
                        "nothing between %s and %s can have std %s: a uniform has %s",
                        sow_number_text(cut->low).text, sow_number_text(cut->high).text,
                        sow_number_text(std).text, sow_number_text(most).text);
    }
    enum sow_status status = SOW_OK;
    do {
        above *= 2;
        cut->sigma = above;
        status = std_after(call, cut, &left);
    } while (status == SOW_OK && left < std);
    for (int step = 0; status == SOW_OK && step < 64; step++) {
        cut->sigma = 0.5 * (below + above);
        status = std_after(call, cut, &left);
        below = left < std ? cut->sigma : below;
        above = left < std ? above : cut->sigma;
    }
    return status;
}

static enum sow_status read_cut(const struct sow_call *call, struct cut *cut)
{
    int by_sigmas, by_values, by_bounds = sow_call_find(call, "bounds") != NULL;
    enum sow_status status = given_together(call, "low", "high", &by_sigmas);
    if (status == SOW_OK) {
        status = given_together(call, "low_absolute", "high_absolute", &by_values);
    }
    if (status != SOW_OK) {
        return status;
    }
    if (by_bounds + by_sigmas + by_values > 1) {
        return sow_fail(call->error, SOW_E_ARGUMENT,
                        "%s was given its cut twice; give bounds, or low and high (in sigmas), or "
                        "low_absolute and high_absolute",
                        call->scheme->name);
    }
    cut->absolute = by_values;
    if (by_values) {
        return read_limits(call, "low_absolute", "high_absolute", &cut->low, &cut->high);
    }
    if (by_sigmas) {
        return read_limits(call, "low", "high", &cut->low, &cut->high);
    }
    status = sow_call_number(call, "bounds", &cut->high);
    cut->low = -cut->high;
    if (status == SOW_OK && !(cut->high > 0)) {
        return sow_fail(call->error, SOW_E_ARGUMENT,
                        "bounds of %s is %s; it must be above 0 (in sigmas)", call->scheme->name,
                        sow_number_text(cut->high).text);
    }
    return status;
}

static enum sow_status draw_cut(const struct sow_call *call, const struct cut *cut)
{
    double low = cut->low, high = cut->high, left = 0;
    if (cut->sigma == 0) {
        if (cut->absolute && !(low <= cut->mean && cut->mean <= high)) {
            return sow_fail(call->error, SOW_E_ARGUMENT,
                            "std is 0 and the mean %s lies outside the cut",
                            sow_number_text(cut->mean).text);
        }
        return sow_draw_constant(cut->mean, call->draw, call->error);
    }
    enum sow_status status = std_after(call, cut, &left);
    if (status != SOW_OK) {
        return status;
    }
    if (!cut->absolute) {
        low = cut->mean + cut->sigma * low;
        high = cut->mean + cut->sigma * high;
    }
    sow_call_explain(
        call, "mean = %s, std = %s before the cut at %s and %s (%s and %s sigmas), %s after it",
        sow_number_text(cut->mean).text, sow_number_text(cut->sigma).text,
        sow_number_text(low).text, sow_number_text(high).text,
        sow_number_text((low - cut->mean) / cut->sigma).text,
        sow_number_text((high - cut->mean) / cut->sigma).text, sow_number_text(left).text);
    return sow_draw_trunc_normal(cut->mean, cut->sigma, low, high, call->draw, call->error);
}

static enum sow_status trunc_normal(const struct sow_call *call)
{
    static const char *const words[] = {"before", "after", NULL};
    struct cut cut = {0, 0, 0, 0, 0};
    double std = 0;
    size_t std_of = 0;
    enum sow_status status = sow_call_number(call, "mean", &cut.mean);
    if (status == SOW_OK) {
        status = sow_call_size(call, "std", &std);
    }
    if (status == SOW_OK) {
        status = sow_call_word(call, "std_of", words, &std_of);
    }
    if (status == SOW_OK) {
        status = read_cut(call, &cut);
    }
    if (status != SOW_OK) {
        return status;
    }
    cut.sigma = std;
    if (std_of == 1 && std > 0 && cut.absolute) {
        status = solve_sigma(call, &cut, std);
    } else if (std_of == 1 && std > 0) {
        struct cut unit = {0, 1, cut.low, cut.high, 0};
        double left = 1;
        status = std_after(call, &unit, &left);
        cut.sigma = std / left;
    }
    return status == SOW_OK ? draw_cut(call, &cut) : status;
}

static enum sow_status trunc_normal_absolute(const struct sow_call *call)
{
    struct cut cut = {0, 0, 0, 0, 1};
    enum sow_status status = sow_call_number(call, "mean", &cut.mean);
    if (status == SOW_OK) {
        status = sow_call_size(call, "std", &cut.sigma);
    }
    if (status == SOW_OK) {
        status = read_limits(call, "low_absolute", "high_absolute", &cut.low, &cut.high);
    }
    return status == SOW_OK ? draw_cut(call, &cut) : status;
}

/* ---- rows --------------------------------------------------------------------------------- */

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static const struct sow_scheme_row rows[] = {
    {
        .scheme =
            {
                .name = "uniform",
                .aliases = (const char *const[]){"uniform_",       /* torch */
                                                 "RandomUniform",  /* Keras, TensorFlow, Haiku */
                                                 "random_uniform", /* Keras' string */
                                                 NULL},
                .parameters = uniform_parameters,
                .parameter_count = COUNT(uniform_parameters),
                .positional = (const char *const[]){"low", "high", NULL},
                .formula = "U(low, high), or U(-bound, bound)",
                .source = "definition",
                .summary =
                    "evenly between two ends; JAX's word uniform is one-sided, U(0, scale): write "
                    "low = 0 and high for it",
            },
        .resolve = uniform,
    },
    {
        .scheme =
            {
                .name = "normal",
                .aliases = (const char *const[]){"normal_",       /* torch */
                                                 "RandomNormal",  /* Keras, TensorFlow, Haiku */
                                                 "random_normal", /* Keras' string */
                                                 "gaussian",      /* Caffe, tiny-dnn */
                                                 NULL},
                .parameters = normal_parameters,
                .parameter_count = COUNT(normal_parameters),
                .formula = "N(mean, std)",
                .source = "definition",
                .summary = "normal with a given std; frameworks' defaults for it differ by a "
                           "factor of 100, so "
                           "there is none here",
            },
        .resolve = normal,
    },
    {
        .scheme =
            {
                .name = "trunc_normal",
                .aliases =
                    (const char *const[]){"truncated_normal", /* JAX; Keras' string */
                                          "TruncatedNormal",  /* Keras, TensorFlow, Haiku, Sonnet */
                                          "trunc_normal_tf_", /* timm */
                                          NULL},
                .parameters = trunc_normal_parameters,
                .parameter_count = COUNT(trunc_normal_parameters),
                .formula =
                    "N(mean, sigma) given mean - bounds sigma <= w <= mean + bounds sigma; "
                    "sigma = std, or std / (std of N(0, 1) cut alike) with std_of = \"after\"",
                .source =
                    "Johnson, Kotz and Balakrishnan 1994, Continuous Univariate Distributions 1, "
                    "chapter 13 (moments after the cut)",
                .summary = "normal cut at 2 sigmas unless told otherwise; std is that before the "
                           "cut, as in "
                           "Keras and JAX, where 0.8796 std is left. torch's trunc_normal_ cuts at "
                           "values, "
                           "not sigmas: that is trunc_normal_absolute",
            },
        .resolve = trunc_normal,
    },
    {
        .scheme =
            {
                .name = "trunc_normal_absolute",
                .aliases = (const char *const[]){"trunc_normal_", /* torch, timm */
                                                 "TruncNormal",   /* mmengine */
                                                 NULL},
                .parameters = trunc_normal_absolute_parameters,
                .parameter_count = COUNT(trunc_normal_absolute_parameters),
                .formula = "N(mean, std) given low_absolute <= w <= high_absolute",
                .source =
                    "Johnson, Kotz and Balakrishnan 1994, Continuous Univariate Distributions 1, "
                    "chapter 13",
                .summary =
                    "as in torch: the cut stays at -2 and 2 whatever std is, so that std = 0.02 is "
                    "not cut at all",
            },
        .resolve = trunc_normal_absolute,
    },
};

const struct sow_scheme_family sow_scheme_basic = {rows, COUNT(rows)};
