/* SPDX-License-Identifier: MIT */
/* Hard versions of smooth activations, made of straight lines: hard tanh, sigmoid and swish, and the
 * shrinking functions. */
#include "core/activation/row.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* p: min, max. */
static double hardtanh(double x, const double *p)
{
    return x < p[0] ? p[0] : x > p[1] ? p[1] : x;
}

static double hardtanh_slope(double x, const double *p)
{
    return x > p[0] && x < p[1];
}

static size_t hardtanh_kinks(const double *p, double kinks[SOW_KINKS_MAX])
{
    kinks[0] = p[0];
    kinks[1] = p[1];
    return 2;
}

/* p: alpha, beta. */
static double hardsigmoid(double x, const double *p)
{
    double y = p[0] * x + p[1];
    return y < 0 ? 0 : y > 1 ? 1 : y;
}

static double hardsigmoid_slope(double x, const double *p)
{
    double y = p[0] * x + p[1];
    return y > 0 && y < 1 ? p[0] : 0;
}

static size_t hardsigmoid_kinks(const double *p, double kinks[SOW_KINKS_MAX])
{
    kinks[0] = -p[1] / p[0];
    kinks[1] = (1 - p[1]) / p[0];
    return 2;
}

static double hardswish(double x, const double *p)
{
    return x * hardsigmoid(x, p);
}

static double hardswish_slope(double x, const double *p)
{
    return hardsigmoid(x, p) + x * hardsigmoid_slope(x, p);
}

/* p: lambda. */
static double softshrink(double x, const double *p)
{
    return x > p[0] ? x - p[0] : x < -p[0] ? x + p[0] : 0;
}

static double shrink_slope(double x, const double *p)
{
    return x > p[0] || x < -p[0];
}

static double hardshrink(double x, const double *p)
{
    return x > p[0] || x < -p[0] ? x : 0;
}

static size_t shrink_kinks(const double *p, double kinks[SOW_KINKS_MAX])
{
    kinks[0] = -p[0];
    kinks[1] = p[0];
    return 2;
}

/* ---- rows --------------------------------------------------------------------------------- */

static const struct sow_activation_parameter hardtanh_parameters[] = {
    {"min", -1, -1e6, 0, "the lower bound"},
    {"max", 1, 0, 1e6, "the upper bound"},
};

static const struct sow_activation_parameter hardsigmoid_parameters[] = {
    {"alpha", 0.16666666666666666, 1e-6, 1e6, "the slope"},
    {"beta", 0.5, -1e6, 1e6, "the value at 0"},
};

static const struct sow_activation_parameter hardsigmoid_keras_parameters[] = {
    {"alpha", 0.2, 1e-6, 1e6, "the slope"},
    {"beta", 0.5, -1e6, 1e6, "the value at 0"},
};

static const struct sow_activation_parameter hardswish_parameters[] = {
    {"alpha", 0.16666666666666666, 1e-6, 1e6, "the slope of the hard sigmoid"},
    {"beta", 0.5, -1e6, 1e6, "its value at 0"},
};

static const struct sow_activation_parameter softshrink_parameters[] = {
    {"lambda", 0.5, 0, 1e6, "half the width of the dead zone"},
};

static const struct sow_activation_parameter hardshrink_parameters[] = {
    {"lambda", 0.5, 0, 1e6, "half the width of the dead zone"},
};

static const struct sow_activation_row rows[] = {
    {
        .activation =
            {
                .name = "hardtanh",
                .aliases = (const char *const[]){"Hardtanh",  /* torch.nn */
                                                 "hard_tanh", /* JAX, Keras */
                                                 NULL},
                .parameters = hardtanh_parameters,
                .parameter_count = COUNT(hardtanh_parameters),
                .formula = "min(max(x, min), max)",
                .source = "Collobert 2004",
                .summary = "",
            },
        .value = hardtanh,
        .derivative = hardtanh_slope,
        .kinks = hardtanh_kinks,
    },
    {
        .activation =
            {
                .name = "hardsigmoid",
                .aliases = (const char *const[]){"Hardsigmoid",  /* torch.nn */
                                                 "hard_sigmoid", /* JAX, Keras 3 */
                                                 NULL},
                .parameters = hardsigmoid_parameters,
                .parameter_count = COUNT(hardsigmoid_parameters),
                .formula = "min(max(alpha x + beta, 0), 1)",
                .source = "Howard et al. 2019, MobileNetV3; torch.nn.Hardsigmoid",
                .summary = "Keras 2 and ONNX mean hardsigmoid_keras by the word",
            },
        .value = hardsigmoid,
        .derivative = hardsigmoid_slope,
        .kinks = hardsigmoid_kinks,
    },
    {
        .activation =
            {
                .name = "hardsigmoid_keras",
                .aliases = (const char *const[]){"HardSigmoid",      /* ONNX */
                                                 "hardsigmoid_onnx", /* sow's own */
                                                 NULL},
                .parameters = hardsigmoid_keras_parameters,
                .parameter_count = COUNT(hardsigmoid_keras_parameters),
                .formula = "min(max(alpha x + beta, 0), 1)",
                .source = "Courbariaux, Bengio and David 2015; Keras 2, Theano, ONNX "
                          "HardSigmoid",
                .summary = "",
            },
        .value = hardsigmoid,
        .derivative = hardsigmoid_slope,
        .kinks = hardsigmoid_kinks,
    },
    {
        .activation =
            {
                .name = "hardswish",
                .aliases = (const char *const[]){"Hardswish",  /* torch.nn */
                                                 "HardSwish",  /* ONNX */
                                                 "hard_swish", /* JAX */
                                                 "hard_silu",  /* JAX, Keras 3 */
                                                 NULL},
                .parameters = hardswish_parameters,
                .parameter_count = COUNT(hardswish_parameters),
                .formula = "x min(max(alpha x + beta, 0), 1)",
                .source = "Howard et al. 2019, MobileNetV3",
                .summary = "",
            },
        .value = hardswish,
        .derivative = hardswish_slope,
        .kinks = hardsigmoid_kinks,
    },
    {
        .activation =
            {
                .name = "softshrink",
                .aliases = (const char *const[]){"Softshrink",  /* torch.nn */
                                                 "soft_shrink", /* Keras 3 */
                                                 NULL},
                .parameters = softshrink_parameters,
                .parameter_count = COUNT(softshrink_parameters),
                .formula = "sign(x) max(|x| - lambda, 0)",
                .source = "Donoho 1995 (soft thresholding)",
                .summary = "",
            },
        .value = softshrink,
        .derivative = shrink_slope,
        .kinks = shrink_kinks,
    },
    {
        .activation =
            {
                .name = "hardshrink",
                .aliases = (const char *const[]){"Hardshrink",  /* torch.nn */
                                                 "hard_shrink", /* Keras 3 */
                                                 NULL},
                .parameters = hardshrink_parameters,
                .parameter_count = COUNT(hardshrink_parameters),
                .formula = "x, 0 for |x| <= lambda",
                .source = "Donoho and Johnstone 1994 (hard thresholding)",
                .summary = "",
                .jumps = 1,
            },
        .value = hardshrink,
        .derivative = shrink_slope,
        .kinks = shrink_kinks,
    },
};

const struct sow_activation_family sow_activation_hard = {rows, COUNT(rows)};
