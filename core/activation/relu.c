/* SPDX-License-Identifier: MIT */
/* The line and its rectified kin: the ReLU family. */
#include "core/activation/row.h"

#include <math.h>

#include "core/base/elementary.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static const struct sow_activation_constant torch_and_nfnet_one[] = {
    {"torch", 1, "torch.nn.init.calculate_gain"},
    {"nfnet", 1, "deepmind-research nfnets/base.py (JAX), timm models/nfnet.py"},
    {NULL, 0, NULL}};

#define NFNET "deepmind-research nfnets/base.py (JAX), timm models/nfnet.py: a Monte-Carlo estimate"

static double linear(double x, const double *p)
{
    (void)p;
    return x;
}

static double linear_slope(double x, const double *p)
{
    (void)x;
    (void)p;
    return 1;
}

static double moment_of_linear(const double *p)
{
    (void)p;
    return 1;
}

double sow_relu(double x, const double *p)
{
    (void)p;
    return x > 0 ? x : 0;
}

double sow_relu_slope(double x, const double *p)
{
    (void)p;
    return x > 0;
}

static double moment_of_relu(const double *p)
{
    (void)p;
    return 0.5;
}

/* p: slope. */
static double leaky_relu(double x, const double *p)
{
    return x > 0 ? x : p[0] * x;
}

static double leaky_relu_slope(double x, const double *p)
{
    return x > 0 ? 1 : p[0];
}

static double moment_of_leaky_relu(const double *p)
{
    return 0.5 * (1 + p[0] * p[0]);
}

/* p: lower, upper. */
static double rrelu(double x, const double *p)
{
    return x > 0 ? x : 0.5 * (p[0] + p[1]) * x;
}

static double rrelu_slope(double x, const double *p)
{
    return x > 0 ? 1 : 0.5 * (p[0] + p[1]);
}

static double relu6(double x, const double *p)
{
    (void)p;
    return x < 0 ? 0 : x > 6 ? 6 : x;
}

static double relu6_slope(double x, const double *p)
{
    (void)p;
    return x > 0 && x < 6;
}

static size_t relu6_kinks(const double *p, double kinks[SOW_KINKS_MAX])
{
    (void)p;
    kinks[0] = 0;
    kinks[1] = 6;
    return 2;
}

static double relu_squared(double x, const double *p)
{
    (void)p;
    return x > 0 ? x * x : 0;
}

static double relu_squared_slope(double x, const double *p)
{
    (void)p;
    return x > 0 ? 2 * x : 0;
}

/* p: threshold. */
static double thresholded_relu(double x, const double *p)
{
    return x > p[0] ? x : 0;
}

static double thresholded_relu_slope(double x, const double *p)
{
    return x > p[0];
}

static size_t at_first(const double *p, double kinks[SOW_KINKS_MAX])
{
    kinks[0] = p[0];
    return 1;
}

static double absolute(double x, const double *p)
{
    (void)p;
    return x < 0 ? -x : x;
}

static double absolute_slope(double x, const double *p)
{
    (void)p;
    return x < 0 ? -1 : x > 0 ? 1 : 0;
}

size_t sow_kink_at_zero(const double *p, double kinks[SOW_KINKS_MAX])
{
    (void)p;
    kinks[0] = 0;
    return 1;
}

/* ---- rows --------------------------------------------------------------------------------- */

static const struct sow_activation_constant relu_constants[] = {
    {"torch", 1.4142135623730951, "torch.nn.init.calculate_gain"},
    {"nfnet", 1.7139588594436646, NFNET},
    {NULL, 0, NULL}};

static const struct sow_activation_parameter leaky_relu_parameters[] = {
    {"slope", 0.01, -1e100, 1e100, "below 0; torch, JAX 0.01, Keras 0.3, NFNet 0.01"},
};

static const struct sow_activation_constant leaky_relu_constants[] = {
    {"torch", NAN, "torch.nn.init.calculate_gain: sqrt(2 / (1 + slope^2))"},
    {"nfnet", 1.70590341091156, NFNET},
    {NULL, 0, NULL}};

static const struct sow_activation_parameter prelu_parameters[] = {
    {"slope", 0.25, -1e100, 1e100, "where learning starts"},
};

static const struct sow_activation_parameter rrelu_parameters[] = {
    {"lower", 0.125, -1e6, 1e6, "end of the random slope"},
    {"upper", 0.3333333333333333, -1e6, 1e6, "end of the random slope"},
};

static const struct sow_activation_constant relu6_constants[] = {
    {"nfnet", 1.7131484746932983, NFNET}, {NULL, 0, NULL}};

static const struct sow_activation_parameter thresholded_relu_parameters[] = {
    {"theta", 1, -1e6, 1e6, "where it opens"},
};

static const struct sow_activation_row rows[] = {
    {
        .activation =
            {
                .name = "linear",
                .aliases = (const char *const[]){"identity", /* JAX, NFNet */
                                                 NULL},
                .constants = torch_and_nfnet_one,
                .formula = "x",
                .source = "the layer alone",
                .summary = "nothing follows, or something that keeps the scale",
            },
        .value = linear,
        .derivative = linear_slope,
        .second_moment = moment_of_linear,
    },
    {
        .activation =
            {
                .name = "relu",
                .aliases = (const char *const[]){"ReLU", /* torch.nn */
                                                 "Relu", /* ONNX */
                                                 NULL},
                .constants = relu_constants,
                .formula = "max(x, 0)",
                .source = "Nair and Hinton 2010; gain: He et al. 2015, eq. 10",
                .summary = "",
            },
        .value = sow_relu,
        .derivative = sow_relu_slope,
        .kinks = sow_kink_at_zero,
        .second_moment = moment_of_relu,
    },
    {
        .activation =
            {
                .name = "leaky_relu",
                .aliases = (const char *const[]){"LeakyReLU", /* torch.nn, Keras */
                                                 "LeakyRelu", /* ONNX */
                                                 NULL},
                .parameters = leaky_relu_parameters,
                .parameter_count = COUNT(leaky_relu_parameters),
                .constants = leaky_relu_constants,
                .formula = "x for x > 0, slope x below",
                .source = "Maas, Hannun and Ng 2013",
                .summary = "",
            },
        .value = leaky_relu,
        .derivative = leaky_relu_slope,
        .kinks = sow_kink_at_zero,
        .second_moment = moment_of_leaky_relu,
    },
    {
        .activation =
            {
                .name = "prelu",
                .aliases = (const char *const[]){"PReLU", /* torch.nn, Keras */
                                                 "PRelu", /* ONNX */
                                                 NULL},
                .parameters = prelu_parameters,
                .parameter_count = COUNT(prelu_parameters),
                .formula = "x for x > 0, slope x below",
                .source = "He et al. 2015, eq. 1 and 15",
                .summary = "the slope is learnt: its first value decides",
            },
        .value = leaky_relu,
        .derivative = leaky_relu_slope,
        .kinks = sow_kink_at_zero,
        .second_moment = moment_of_leaky_relu,
    },
    {
        .activation =
            {
                .name = "rrelu",
                .aliases = (const char *const[]){"RReLU", /* torch.nn */
                                                 NULL},
                .parameters = rrelu_parameters,
                .parameter_count = COUNT(rrelu_parameters),
                .formula = "x for x > 0, (lower + upper) / 2 x below",
                .source = "Xu et al. 2015; torch.nn.RReLU in evaluation",
                .summary = "while training the slope is drawn anew for every element, and "
                           "E[phi^2] is 0.528067",
            },
        .value = rrelu,
        .derivative = rrelu_slope,
        .kinks = sow_kink_at_zero,
    },
    {
        .activation =
            {
                .name = "relu6",
                .aliases = (const char *const[]){"ReLU6", /* torch.nn */
                                                 NULL},
                .constants = relu6_constants,
                .formula = "min(max(x, 0), 6)",
                .source = "Krizhevsky 2010, Convolutional deep belief networks",
                .summary = "",
            },
        .value = relu6,
        .derivative = relu6_slope,
        .kinks = relu6_kinks,
    },
    {
        .activation =
            {
                .name = "relu_squared",
                .aliases = (const char *const[]){"relu2",        /* transformers */
                                                 "squared_relu", /* Primer, JAX code */
                                                 NULL},
                .formula = "max(x, 0)^2",
                .source = "So et al. 2021, Primer",
                .summary = "",
            },
        .value = relu_squared,
        .derivative = relu_squared_slope,
        .kinks = sow_kink_at_zero,
    },
    {
        .activation =
            {
                .name = "thresholded_relu",
                .aliases = (const char *const[]){"ThresholdedRelu", /* ONNX */
                                                 "ThresholdedReLU", /* Keras 2 */
                                                 NULL},
                .parameters = thresholded_relu_parameters,
                .parameter_count = COUNT(thresholded_relu_parameters),
                .formula = "x for x > theta, 0 below",
                .source = "Konda, Memisevic and Krueger 2014",
                .summary = "",
                .jumps = 1,
            },
        .value = thresholded_relu,
        .derivative = thresholded_relu_slope,
        .kinks = at_first,
    },
    {
        .activation =
            {
                .name = "abs",
                .aliases = (const char *const[]){"Abs", /* ONNX */
                                                 NULL},
                .formula = "|x|",
                .source = "Jarrett et al. 2009 (rectified absolute value)",
                .summary = "",
            },
        .value = absolute,
        .derivative = absolute_slope,
        .kinks = sow_kink_at_zero,
    },
};

const struct sow_activation_family sow_activation_relu = {rows, COUNT(rows)};
