/* SPDX-License-Identifier: MIT */
/* x times a smooth step: GELU, SiLU, Mish and their kin. */
#include "core/activation/row.h"

#include "core/base/elementary.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])
#define NFNET        "deepmind-research nfnets/base.py (JAX), timm models/nfnet.py: a Monte-Carlo estimate"

#define SQRT_HALF      0x1.6a09e667f3bcdp-1
#define SQRT_2_OVER_PI 0x1.9884533d43651p-1

static double gelu_both(double x, const double *p, double *slope)
{
    (void)p;
    double twice = sow_erfc(-x * SQRT_HALF); /* 2 Phi(x) */
    *slope = 0.5 * twice + x * 0.5 * SQRT_2_OVER_PI * sow_exp(-0.5 * x * x);
    return 0.5 * x * twice;
}

double sow_gelu(double x, const double *p)
{
    (void)p;
    return 0.5 * x * sow_erfc(-x * SQRT_HALF);
}

double sow_gelu_slope(double x, const double *p)
{
    double slope;
    gelu_both(x, p, &slope);
    return slope;
}

static double gelu_tanh(double x, const double *p)
{
    (void)p;
    return 0.5 * x * (1 + sow_tanh(SQRT_2_OVER_PI * (x + 0.044715 * x * x * x)));
}

static double gelu_tanh_both(double x, const double *p, double *slope)
{
    (void)p;
    double t = sow_tanh(SQRT_2_OVER_PI * (x + 0.044715 * x * x * x));
    double inner = SQRT_2_OVER_PI * (1 + 3 * 0.044715 * x * x);
    *slope = 0.5 * (1 + t) + 0.5 * x * (1 - t) * (1 + t) * inner;
    return 0.5 * x * (1 + t);
}

static double gelu_tanh_slope(double x, const double *p)
{
    double slope;
    gelu_tanh_both(x, p, &slope);
    return slope;
}

double sow_sigmoid(double x)
{
    return 1 / (1 + sow_exp(-x));
}

static double silu_both(double x, const double *p, double *slope)
{
    (void)p;
    double s = sow_sigmoid(x);
    *slope = s + x * s * (1 - s);
    return x * s;
}

double sow_silu(double x, const double *p)
{
    (void)p;
    return x * sow_sigmoid(x);
}

double sow_silu_slope(double x, const double *p)
{
    double slope;
    silu_both(x, p, &slope);
    return slope;
}

/* p: beta. */
static double quick_gelu(double x, const double *p)
{
    return x * sow_sigmoid(p[0] * x);
}

static double quick_gelu_both(double x, const double *p, double *slope)
{
    double s = sow_sigmoid(p[0] * x);
    *slope = s + p[0] * x * s * (1 - s);
    return x * s;
}

static double quick_gelu_slope(double x, const double *p)
{
    double slope;
    quick_gelu_both(x, p, &slope);
    return slope;
}

/* log(1 + exp x), without overflow. */
double sow_log_one_plus_exp(double x)
{
    return x > 0 ? x + sow_log1p(sow_exp(-x)) : sow_log1p(sow_exp(x));
}

static double mish(double x, const double *p)
{
    (void)p;
    return x * sow_tanh(sow_log_one_plus_exp(x));
}

static double mish_both(double x, const double *p, double *slope)
{
    (void)p;
    double t = sow_tanh(sow_log_one_plus_exp(x));
    *slope = t + x * (1 - t) * (1 + t) * sow_sigmoid(x);
    return x * t;
}

static double mish_slope(double x, const double *p)
{
    double slope;
    mish_both(x, p, &slope);
    return slope;
}

/* ---- rows --------------------------------------------------------------------------------- */

static const struct sow_activation_constant gelu_constants[] = {
    {"nfnet", 1.7015043497085571, NFNET}, {NULL, 0, NULL}};

static const struct sow_activation_parameter quick_gelu_parameters[] = {
    {"beta", 1.702, 1e-6, 1e6, "the slope inside the sigmoid"},
};

static const struct sow_activation_constant silu_constants[] = {
    {"nfnet", 1.7881293296813965, NFNET}, {NULL, 0, NULL}};

static const struct sow_activation_row rows[] = {
    {
        .activation =
            {
                .name = "gelu",
                .aliases = (const char *const[]){"GELU",        /* torch.nn */
                                                 "Gelu",        /* ONNX */
                                                 "gelu_python", /* transformers */
                                                 "gelu_erf",    /* sow's own */
                                                 NULL},
                .constants = gelu_constants,
                .formula = "x Phi(x), Phi the normal distribution function",
                .source = "Hendrycks and Gimpel 2016",
                .summary = "JAX' gelu is gelu_tanh unless told otherwise",
            },
        .value = sow_gelu,
        .derivative = sow_gelu_slope,
        .both = gelu_both,
    },
    {
        .activation =
            {
                .name = "gelu_tanh",
                .aliases = (const char *const[]){"gelu_new",          /* transformers: GPT-2 */
                                                 "gelu_fast",         /* transformers */
                                                 "gelu_accurate",     /* transformers */
                                                 "gelu_python_tanh",  /* transformers */
                                                 "gelu_pytorch_tanh", /* transformers: Gemma */
                                                 NULL},
                .formula = "x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))",
                .source = "Hendrycks and Gimpel 2016",
                .summary = "",
            },
        .value = gelu_tanh,
        .derivative = gelu_tanh_slope,
        .both = gelu_tanh_both,
    },
    {
        .activation =
            {
                .name = "quick_gelu",
                .aliases = (const char *const[]){"gelu_sigmoid", /* sow's own */
                                                 "QuickGELU",    /* CLIP */
                                                 NULL},
                .parameters = quick_gelu_parameters,
                .parameter_count = COUNT(quick_gelu_parameters),
                .formula = "x sigmoid(beta x)",
                .source = "Hendrycks and Gimpel 2016; Radford et al. 2021, CLIP",
                .summary = "",
            },
        .value = quick_gelu,
        .derivative = quick_gelu_slope,
        .both = quick_gelu_both,
    },
    {
        .activation =
            {
                .name = "silu",
                .aliases = (const char *const[]){"swish", /* TensorFlow, JAX */
                                                 "SiLU",  /* torch.nn */
                                                 "Swish", /* ONNX */
                                                 NULL},
                .constants = silu_constants,
                .formula = "x sigmoid(x)",
                .source = "Elfwing, Uchibe and Doya 2018; Ramachandran, Zoph and Le 2017",
                .summary = "",
            },
        .value = sow_silu,
        .derivative = sow_silu_slope,
        .both = silu_both,
    },
    {
        .activation =
            {
                .name = "mish",
                .aliases = (const char *const[]){"Mish", /* torch.nn, ONNX */
                                                 NULL},
                .formula = "x tanh(log(1 + exp(x)))",
                .source = "Misra 2020",
                .summary = "",
            },
        .value = mish,
        .derivative = mish_slope,
        .both = mish_both,
    },
};

const struct sow_activation_family sow_activation_gelu = {rows, COUNT(rows)};
