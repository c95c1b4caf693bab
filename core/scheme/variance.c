/* SPDX-License-Identifier: MIT */
/* Schemes whose variance is gain^2 / n, n a fan: Glorot, He, LeCun and the general rule behind
 * them. Uniform, normal and truncated forms all have that variance; the truncated ones are cut
 * at 2 sigmas and have it after the cut, sigma = std / 0.8796..., as Keras and JAX define them. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/elementary.h"
#include "core/base/error.h"
#include "core/base/number.h"
#include "core/scheme/row.h"

#define CUT 2.0 /* sigmas */

/* ---- fan ---------------------------------------------------------------------------------- */

static enum sow_status read_fan(const struct sow_call *call, double *fan)
{
    static const char *const modes[] = {"fan_in", "fan_out", "fan_avg", "fan_geo_avg", NULL};
    const double in = call->fans.in, out = call->fans.out;
    size_t mode;
    enum sow_status status = sow_call_word(call, "mode", modes, &mode);
    if (status != SOW_OK) {
        return status;
    }
    const double fans[] = {in, out, (in + out) / 2, sow_sqrt(in * out)};
    *fan = fans[mode];
    call->detail->mode = modes[mode];
    call->detail->fan_used = *fan;
    return SOW_OK;
}

/* "fan_in", "torch's fan_in" */
struct fan_text {
    char text[32];
};

static struct fan_text fan_text(const struct sow_call *call)
{
    struct fan_text out;
    const char *rule = call->detail->fan_rule;
    snprintf(out.text, sizeof out.text, "%s%s%s", rule != NULL ? rule : "",
             rule != NULL ? "'s " : "", call->detail->mode);
    return out;
}

/* ---- the three laws of variance gain^2 / n ------------------------------------------------ */

static enum sow_status draw_uniform(const struct sow_call *call, double gain, double fan)
{
    double bound = gain * sow_sqrt(3 / fan);
    sow_call_explain(call, "bound = gain sqrt(3 / %s) = %s * sqrt(3 / %s) = %s",
                     fan_text(call).text, sow_number_text(gain).text, sow_number_text(fan).text,
                     sow_number_text(bound).text);
    return bound == 0 ? sow_draw_constant(0, call->draw, call->error)
                      : sow_draw_uniform(-bound, bound, call->draw, call->error);
}

static enum sow_status draw_normal(const struct sow_call *call, double gain, double fan)
{
    double std = gain / sow_sqrt(fan);
    sow_call_explain(call, "std = gain / sqrt(%s) = %s / sqrt(%s) = %s", fan_text(call).text,
                     sow_number_text(gain).text, sow_number_text(fan).text,
                     sow_number_text(std).text);
    return sow_call_normal(call, 0, std);
}

static enum sow_status draw_trunc_normal(const struct sow_call *call, double gain, double fan)
{
    double std = gain / sow_sqrt(fan), mean, left;
    struct sow_draw unit;
    enum sow_status status = sow_draw_trunc_normal(0, 1, -CUT, CUT, &unit, call->error);
    if (status != SOW_OK) {
        return status;
    }
    sow_draw_moments(&unit, &mean, &left);
    double sigma = std / left;
    sow_call_explain(call,
                     "std = gain / sqrt(%s) = %s / sqrt(%s) = %s after the cut at 2 sigmas, "
                     "sigma = std / %s = %s",
                     call->detail->mode, sow_number_text(gain).text, sow_number_text(fan).text,
                     sow_number_text(std).text, sow_number_text(left).text,
                     sow_number_text(sigma).text);
    return sow_call_trunc_normal(call, 0, sigma, -CUT * sigma, CUT * sigma);
}

enum law {
    UNIFORM,
    NORMAL,
    TRUNC_NORMAL,
};

static enum sow_status draw_as(const struct sow_call *call, enum law law, double gain, double fan)
{
    switch (law) {
    case UNIFORM:
        return draw_uniform(call, gain, fan);
    case NORMAL:
        return draw_normal(call, gain, fan);
    case TRUNC_NORMAL:
        break;
    }
    return draw_trunc_normal(call, gain, fan);
}

static enum sow_status resolve_as(const struct sow_call *call, enum law law)
{
    double gain = 0, fan = 1;
    enum sow_status status = sow_call_gain(call, &gain);
    if (status == SOW_OK) {
        status = read_fan(call, &fan);
    }
    return status == SOW_OK ? draw_as(call, law, gain, fan) : status;
}

static enum sow_status as_uniform(const struct sow_call *call)
{
    return resolve_as(call, UNIFORM);
}

static enum sow_status as_normal(const struct sow_call *call)
{
    return resolve_as(call, NORMAL);
}

static enum sow_status as_trunc_normal(const struct sow_call *call)
{
    return resolve_as(call, TRUNC_NORMAL);
}

static enum sow_status variance_scaling(const struct sow_call *call)
{
    static const char *const words[] = {
        "uniform", "normal", "trunc_normal", "truncated_normal", "untruncated_normal", NULL};
    static const enum law laws[] = {UNIFORM, NORMAL, TRUNC_NORMAL, TRUNC_NORMAL, NORMAL};
    double scale = 1, fan = 1;
    size_t word = 0;
    enum sow_status status = sow_call_size(call, "scale", &scale);
    if (status == SOW_OK) {
        status = read_fan(call, &fan);
    }
    if (status == SOW_OK) {
        status = sow_call_word(call, "distribution", words, &word);
    }
    if (status != SOW_OK) {
        return status;
    }
    call->detail->gain = sow_sqrt(scale);
    return draw_as(call, laws[word], call->detail->gain, fan);
}

/* ---- rows --------------------------------------------------------------------------------- */

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static const char gain_summary[] =
    "a number, the activation that follows, or whose gain of it: exact, torch, nfnet, critical";
static const char activation_summary[] = "the one that follows; alone: its exact gain";
static const char fan_summary[] =
    "whose fans: true (what is summed up), torch, keras or jax (what they take of the shape)";

static const struct sow_scheme_parameter glorot_parameters[] = {
    {"gain", "1", gain_summary},
    {"activation", "none", activation_summary},
    {"slope", "0.01", "of leaky_relu"},
    {"mode", "fan_avg", "the fan n: fan_in, fan_out, fan_avg or fan_geo_avg"},
    {"fan", "true", fan_summary},
};

static const struct sow_scheme_parameter he_parameters[] = {
    {"gain", "relu", gain_summary},
    {"activation", "relu", activation_summary},
    {"slope", "0.01", "of leaky_relu"},
    {"mode", "fan_in", "the fan n: fan_in, fan_out, fan_avg or fan_geo_avg"},
    {"fan", "true", fan_summary},
};

static const struct sow_scheme_parameter lecun_parameters[] = {
    {"gain", "1", gain_summary},
    {"activation", "none", activation_summary},
    {"slope", "0.01", "of leaky_relu"},
    {"mode", "fan_in", "the fan n: fan_in, fan_out, fan_avg or fan_geo_avg"},
    {"fan", "true", fan_summary},
};

static const struct sow_scheme_parameter variance_scaling_parameters[] = {
    {"scale", "1", "variance times n"},
    {"mode", "fan_in", "the fan n: fan_in, fan_out, fan_avg or fan_geo_avg"},
    {"fan", "true", fan_summary},
    {"distribution", "trunc_normal", "uniform, normal or trunc_normal"},
};

static const struct sow_scheme_row rows[] = {
    {
        .scheme =
            {
                .name = "glorot_uniform",
                .aliases =
                    (const char *const[]){
                        "xavier_uniform",  /* JAX, Paddle */
                        "xavier_uniform_", /* torch */
                        "GlorotUniform",   /* Keras, Lasagne */
                        "XavierUniform",   /* Paddle, MindSpore, Burn */
                        "glorot",          /* as Glorot and Bengio print it */
                        "xavier",          /* CNTK, MXNet; Caffe means lecun_uniform by it */
                        NULL},
                .parameters = glorot_parameters,
                .parameter_count = COUNT(glorot_parameters),
                .formula = "U(-a, a), a = gain sqrt(3 / n), n = (fan_in + fan_out) / 2",
                .source = "Glorot and Bengio 2010, eq. 16",
                .summary = "between layers without a preferred direction: tanh, sigmoid, linear",
                .needs_fans = 1,
            },
        .resolve = as_uniform,
    },
    {
        .scheme =
            {
                .name = "glorot_normal",
                .aliases =
                    (const char *const[]){"xavier_normal",  /* Flux, Burn; JAX cuts at 2 sigmas */
                                          "xavier_normal_", /* torch */
                                          "XavierNormal",   /* Paddle, Burn */
                                          NULL},
                .parameters = glorot_parameters,
                .parameter_count = COUNT(glorot_parameters),
                .formula = "N(0, std), std = gain / sqrt(n), n = (fan_in + fan_out) / 2",
                .source = "Glorot and Bengio 2010, eq. 12",
                .summary = "the same variance, normal and not cut; Keras' and JAX' words "
                           "GlorotNormal and glorot_normal mean glorot_trunc_normal",
                .needs_fans = 1,
            },
        .resolve = as_normal,
    },
    {
        .scheme =
            {
                .name = "glorot_trunc_normal",
                .aliases = (const char *const[]){"xavier_trunc_normal", /* sow's own */
                                                 "GlorotNormal",        /* Keras */
                                                 NULL},
                .parameters = glorot_parameters,
                .parameter_count = COUNT(glorot_parameters),
                .formula = "N(0, sigma) given |w| <= 2 sigma, sigma = std / 0.879626, so that "
                           "std = gain / sqrt(n) is that after the cut, n = (fan_in + fan_out) "
                           "/ 2",
                .source = "Glorot and Bengio 2010, eq. 12; cut as in TensorFlow and JAX",
                .summary = "glorot_normal cut at 2 sigmas, with the same variance after the "
                           "cut: Keras' GlorotNormal, JAX' glorot_normal",
                .needs_fans = 1,
            },
        .resolve = as_trunc_normal,
    },
    {
        .scheme =
            {
                .name = "he_uniform",
                .aliases = (const char *const[]){"kaiming_uniform",  /* JAX, Paddle */
                                                 "kaiming_uniform_", /* torch */
                                                 "HeUniform",        /* Keras, MindSpore */
                                                 "KaimingUniform",   /* Paddle, Burn */
                                                 NULL},
                .parameters = he_parameters,
                .parameter_count = COUNT(he_parameters),
                .formula = "U(-a, a), a = gain sqrt(3 / n), n = fan_in",
                .source = "He, Zhang, Ren and Sun 2015, eq. 10 (eq. 14 for fan_out)",
                .summary = "before ReLU-like activations; gain sqrt 2 unless told otherwise "
                           "(Lasagne and MLX: 1)",
                .needs_fans = 1,
            },
        .resolve = as_uniform,
    },
    {
        .scheme =
            {
                .name = "he_normal",
                .aliases =
                    (const char *const[]){"kaiming_normal", /* Paddle, Flux; JAX cuts at 2 sigmas */
                                          "kaiming_normal_", /* torch */
                                          "KaimingNormal",   /* Paddle, Burn */
                                          "he",              /* as He et al. print it */
                                          "kaiming",         /* nninit */
                                          "msra",            /* Caffe */
                                          NULL},
                .parameters = he_parameters,
                .parameter_count = COUNT(he_parameters),
                .formula = "N(0, std), std = gain / sqrt(n), n = fan_in",
                .source = "He, Zhang, Ren and Sun 2015, eq. 10 (eq. 14 for fan_out)",
                .summary = "before ReLU-like activations, normal and not cut; Keras' and JAX' "
                           "words HeNormal and he_normal mean he_trunc_normal",
                .needs_fans = 1,
            },
        .resolve = as_normal,
    },
    {
        .scheme =
            {
                .name = "he_trunc_normal",
                .aliases =
                    (const char *const[]){"kaiming_trunc_normal", /* sow's own */
                                          "HeNormal", /* Keras; MindSpore and Chainer do not cut */
                                          NULL},
                .parameters = he_parameters,
                .parameter_count = COUNT(he_parameters),
                .formula = "N(0, sigma) given |w| <= 2 sigma, sigma = std / 0.879626, so that "
                           "std = gain / sqrt(n) is that after the cut, n = fan_in",
                .source = "He, Zhang, Ren and Sun 2015, eq. 10 (eq. 14 for fan_out); cut as in "
                          "TensorFlow and JAX",
                .summary = "he_normal cut at 2 sigmas, with the same variance after the cut: "
                           "Keras' HeNormal, JAX' he_normal",
                .needs_fans = 1,
            },
        .resolve = as_trunc_normal,
    },
    {
        .scheme =
            {
                .name = "lecun_uniform",
                .aliases = (const char *const[]){"LecunUniform", /* Keras */
                                                 NULL},
                .parameters = lecun_parameters,
                .parameter_count = COUNT(lecun_parameters),
                .formula = "U(-a, a), a = gain sqrt(3 / n), n = fan_in",
                .source = "LeCun, Bottou, Orr and Mueller 1998, Efficient BackProp, eq. 16",
                .summary = "variance 1 / fan_in: linear and self-normalising (selu) layers; "
                           "what Caffe calls xavier",
                .needs_fans = 1,
            },
        .resolve = as_uniform,
    },
    {
        .scheme =
            {
                .name = "lecun_normal",
                .aliases = (const char *const[]){NULL},
                .parameters = lecun_parameters,
                .parameter_count = COUNT(lecun_parameters),
                .formula = "N(0, std), std = gain / sqrt(n), n = fan_in",
                .source = "LeCun, Bottou, Orr and Mueller 1998, Efficient BackProp, eq. 16",
                .summary = "variance 1 / fan_in, normal and not cut; Keras' and JAX' words "
                           "LecunNormal and lecun_normal mean lecun_trunc_normal",
                .needs_fans = 1,
            },
        .resolve = as_normal,
    },
    {
        .scheme =
            {
                .name = "lecun_trunc_normal",
                .aliases = (const char *const[]){"LecunNormal",   /* Keras */
                                                 "lecun_normal_", /* timm */
                                                 NULL},
                .parameters = lecun_parameters,
                .parameter_count = COUNT(lecun_parameters),
                .formula = "N(0, sigma) given |w| <= 2 sigma, sigma = std / 0.879626, so that "
                           "std = gain / sqrt(n) is that after the cut, n = fan_in",
                .source = "LeCun, Bottou, Orr and Mueller 1998, Efficient BackProp, eq. 16; "
                          "cut as in TensorFlow and JAX",
                .summary = "lecun_normal cut at 2 sigmas, with the same variance after the cut: "
                           "Flax' default for dense layers",
                .needs_fans = 1,
            },
        .resolve = as_trunc_normal,
    },
    {
        .scheme =
            {
                .name = "variance_scaling",
                .aliases =
                    (const char *const[]){"VarianceScaling", /* Keras, TensorFlow, Haiku, Sonnet */
                                          NULL},
                .parameters = variance_scaling_parameters,
                .parameter_count = COUNT(variance_scaling_parameters),
                .formula = "variance scale / n, n = fan_in, fan_out, (fan_in + fan_out) / 2 or "
                           "sqrt(fan_in fan_out); uniform, normal, or cut at 2 sigmas with that "
                           "variance after the cut",
                .source = "Glorot and Bengio 2010, eq. 12; He, Zhang, Ren and Sun 2015, eq. "
                          "10; as one rule in TensorFlow",
                .summary = "the general rule; distribution = \"normal\" is not cut here, "
                           "but Keras means trunc_normal by that word",
                .needs_fans = 1,
            },
        .resolve = variance_scaling,
    },
};

const struct sow_scheme_family sow_scheme_variance = {rows, COUNT(rows)};
