/* SPDX-License-Identifier: MIT */
/* Activations with a smooth bend: ELU and its kin, softplus and its kin, and those that grow at both ends. */
#include "core/activation/row.h"

#include "core/base/elementary.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])
#define NFNET        "deepmind-research nfnets/base.py (JAX), timm models/nfnet.py: a Monte-Carlo estimate"

/* p: alpha. */
static double elu(double x, const double *p)
{
    return x > 0 ? x : p[0] * sow_expm1(x);
}

static double elu_slope(double x, const double *p)
{
    return x > 0 ? 1 : p[0] * sow_exp(x);
}

/* Klambauer et al. 2017, eq. 14: the pair for which mean 0 and variance 1 are a fixed point. */
static const double selu_scale = 1.0507009873554804934193349852946;
static const double selu_alpha = 1.6732632423543772848170429916717;

static double selu(double x, const double *p)
{
    (void)p;
    return selu_scale * (x > 0 ? x : selu_alpha * sow_expm1(x));
}

static double selu_slope(double x, const double *p)
{
    (void)p;
    return selu_scale * (x > 0 ? 1 : selu_alpha * sow_exp(x));
}

/* p: alpha. */
static double celu(double x, const double *p)
{
    return x > 0 ? x : p[0] * sow_expm1(x / p[0]);
}

static double celu_slope(double x, const double *p)
{
    return x > 0 ? 1 : sow_exp(x / p[0]);
}

/* p: beta. */
static double softplus(double x, const double *p)
{
    return sow_log_one_plus_exp(p[0] * x) / p[0];
}

static double softplus_slope(double x, const double *p)
{
    return sow_sigmoid(p[0] * x);
}

static double logsigmoid(double x, const double *p)
{
    (void)p;
    return -sow_log_one_plus_exp(-x);
}

static double logsigmoid_slope(double x, const double *p)
{
    (void)p;
    return sow_sigmoid(-x);
}

/* p: b. */
static double squareplus(double x, const double *p)
{
    return 0.5 * (x + sow_sqrt(x * x + p[0]));
}

static double squareplus_slope(double x, const double *p)
{
    return 0.5 * (1 + x / sow_sqrt(x * x + p[0]));
}

static double bent_identity(double x, const double *p)
{
    (void)p;
    return x + 0.5 * (sow_sqrt(x * x + 1) - 1);
}

static double bent_identity_slope(double x, const double *p)
{
    (void)p;
    return 1 + 0.5 * x / sow_sqrt(x * x + 1);
}

static double square(double x, const double *p)
{
    (void)p;
    return x * x;
}

static double square_slope(double x, const double *p)
{
    (void)p;
    return 2 * x;
}

static double exponential(double x, const double *p)
{
    (void)p;
    return sow_exp(x);
}

/* Of exp, whose powers are exp again. */
static int exponential_means(const double *p, double mean, double std, double c,
                             struct sow_closed_means *means)
{
    (void)p;
    double q = std * std, square = sow_exp(2 * mean + 2 * q);
    double product = sow_exp(2 * mean + q * (1 + c));
    if (!(q > 1)) {
        return 0;
    }
    *means = (struct sow_closed_means){
        .mean = sow_exp(mean + 0.5 * q),
        .square = square,
        .fourth = sow_exp(4 * mean + 8 * q),
        .slope = sow_exp(mean + 0.5 * q),
        .slope_square = square,
        .slope_fourth = sow_exp(4 * mean + 8 * q),
        .growth = 2 * square,
        .product = product,
        .slopes = product,
    };
    return 1;
}

/* ---- rows --------------------------------------------------------------------------------- */

static const struct sow_activation_parameter elu_parameters[] = {
    {"alpha", 1, -1e6, 1e6, "minus the value far below 0"},
};

static const struct sow_activation_constant elu_constants[] = {{"nfnet", 1.2716004848480225, NFNET},
                                                               {NULL, 0, NULL}};

static const struct sow_activation_constant selu_constants[] = {
    {"torch", 0.75, "torch.nn.init.calculate_gain (found empirically, pull request 50664)"},
    {"nfnet", 1.0008515119552612, NFNET},
    {NULL, 0, NULL}};

static const struct sow_activation_parameter celu_parameters[] = {
    {"alpha", 1, 1e-6, 1e6, "minus the value far below 0"},
};

static const struct sow_activation_constant celu_constants[] = {{"nfnet", 1.270926833152771, NFNET},
                                                                {NULL, 0, NULL}};

static const struct sow_activation_parameter softplus_parameters[] = {
    {"beta", 1, 1e-6, 1e6, "how sharp the bend is"},
};

static const struct sow_activation_constant softplus_constants[] = {
    {"nfnet", 1.9203323125839233, NFNET}, {NULL, 0, NULL}};

static const struct sow_activation_constant logsigmoid_constants[] = {
    {"nfnet", 1.9193484783172607, NFNET}, {NULL, 0, NULL}};

static const struct sow_activation_parameter squareplus_parameters[] = {
    {"b", 4, 1e-12, 1e6, "how round the bend is"},
};

static const struct sow_activation_row rows[] = {
    {
        .activation =
            {
                .name = "elu",
                .aliases = (const char *const[]){"ELU", /* torch.nn, Keras */
                                                 "Elu", /* ONNX */
                                                 NULL},
                .parameters = elu_parameters,
                .parameter_count = COUNT(elu_parameters),
                .constants = elu_constants,
                .formula = "x for x > 0, alpha (exp(x) - 1) below",
                .source = "Clevert, Unterthiner and Hochreiter 2016",
                .summary = "",
            },
        .value = elu,
        .derivative = elu_slope,
        .kinks = sow_kink_at_zero,
    },
    {
        .activation =
            {
                .name = "selu",
                .aliases = (const char *const[]){"SELU", /* torch.nn */
                                                 "Selu", /* ONNX */
                                                 NULL},
                .constants = selu_constants,
                .formula = "1.0507 x for x > 0, 1.7581 (exp(x) - 1) below",
                .source = "Klambauer et al. 2017, eq. 14",
                .summary = "gain 1 keeps mean 0 and variance 1 (LeCun's rule); torch's 3/4 "
                           "gives that up for gradients that keep their size",
            },
        .value = selu,
        .derivative = selu_slope,
        .kinks = sow_kink_at_zero,
    },
    {
        .activation =
            {
                .name = "celu",
                .aliases = (const char *const[]){"CELU", /* torch.nn */
                                                 "Celu", /* ONNX */
                                                 NULL},
                .parameters = celu_parameters,
                .parameter_count = COUNT(celu_parameters),
                .constants = celu_constants,
                .formula = "x for x > 0, alpha (exp(x / alpha) - 1) below",
                .source = "Barron 2017",
                .summary = "",
            },
        .value = celu,
        .derivative = celu_slope,
        .kinks = sow_kink_at_zero,
    },
    {
        .activation =
            {
                .name = "softplus",
                .aliases = (const char *const[]){"Softplus", /* torch.nn, ONNX */
                                                 NULL},
                .parameters = softplus_parameters,
                .parameter_count = COUNT(softplus_parameters),
                .constants = softplus_constants,
                .formula = "log(1 + exp(beta x)) / beta",
                .source = "Dugas et al. 2001",
                .summary = "",
            },
        .value = softplus,
        .derivative = softplus_slope,
    },
    {
        .activation =
            {
                .name = "logsigmoid",
                .aliases = (const char *const[]){"log_sigmoid", /* JAX, Keras 3 */
                                                 "LogSigmoid",  /* torch.nn */
                                                 NULL},
                .constants = logsigmoid_constants,
                .formula = "-log(1 + exp(-x))",
                .source = "torch.nn.LogSigmoid",
                .summary = "",
            },
        .value = logsigmoid,
        .derivative = logsigmoid_slope,
    },
    {
        .activation =
            {
                .name = "squareplus",
                .aliases = (const char *const[]){NULL},
                .parameters = squareplus_parameters,
                .parameter_count = COUNT(squareplus_parameters),
                .formula = "(x + sqrt(x^2 + b)) / 2",
                .source = "Barron 2021",
                .summary = "",
            },
        .value = squareplus,
        .derivative = squareplus_slope,
    },
    {
        .activation =
            {
                .name = "bent_identity",
                .aliases = (const char *const[]){"bentid", /* sow's own */
                                                 NULL},
                .formula = "x + (sqrt(x^2 + 1) - 1) / 2",
                .source = "Wikipedia, Activation function",
                .summary = "",
            },
        .value = bent_identity,
        .derivative = bent_identity_slope,
    },
    {
        .activation =
            {
                .name = "square",
                .aliases = (const char *const[]){NULL},
                .formula = "x^2",
                .source = "Livni, Shalev-Shwartz and Shamir 2014",
                .summary = "",
            },
        .value = square,
        .derivative = square_slope,
    },
    {
        .activation =
            {
                .name = "exp",
                .aliases = (const char *const[]){"exponential", /* Keras */
                                                 "Exp",         /* ONNX */
                                                 NULL},
                .formula = "exp(x)",
                .source = "tf.keras.activations.exponential",
                .summary = "",
            },
        .value = exponential,
        .derivative = exponential,
        .means = exponential_means,
    },
};

const struct sow_activation_family sow_activation_smooth = {rows, COUNT(rows)};
