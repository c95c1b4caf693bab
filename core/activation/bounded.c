/* SPDX-License-Identifier: MIT */
/* Activations that saturate, oscillate or grow slower than a line: sigmoid, tanh and their kin, waves,
 * bumps. */
#include "core/activation/row.h"

#include "core/base/circular.h"
#include "core/base/elementary.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])
#define NFNET        "deepmind-research nfnets/base.py (JAX), timm models/nfnet.py: a Monte-Carlo estimate"

#define SQRT_HALF       0x1.6a09e667f3bcdp-1
#define TWO_OVER_SQRTPI 0x1.20dd750429b6dp0

static double sigmoid(double x, const double *p)
{
    (void)p;
    return sow_sigmoid(x);
}

static double sigmoid_slope(double x, const double *p)
{
    (void)p;
    return sow_sigmoid(x) * sow_sigmoid(-x);
}

static double tangent(double x, const double *p)
{
    (void)p;
    return sow_tanh(x);
}

static double tangent_both(double x, const double *p, double *slope)
{
    (void)p;
    double t = sow_tanh(x);
    *slope = (1 - t) * (1 + t);
    return t;
}

static double tangent_slope(double x, const double *p)
{
    double slope;
    tangent_both(x, p, &slope);
    return slope;
}

static double lecun_tanh(double x, const double *p)
{
    (void)p;
    return 1.7159 * sow_tanh(x * 2 / 3);
}

static double lecun_tanh_slope(double x, const double *p)
{
    return 1.7159 * 2 / 3 * tangent_slope(x * 2 / 3, p);
}

static double tanhshrink(double x, const double *p)
{
    (void)p;
    return x - sow_tanh(x);
}

static double tanhshrink_both(double x, const double *p, double *slope)
{
    (void)p;
    double t = sow_tanh(x);
    *slope = t * t;
    return x - t;
}

static double tanhshrink_slope(double x, const double *p)
{
    double slope;
    tanhshrink_both(x, p, &slope);
    return slope;
}

static double softsign(double x, const double *p)
{
    (void)p;
    return x / (1 + (x < 0 ? -x : x));
}

static double softsign_slope(double x, const double *p)
{
    (void)p;
    double a = 1 + (x < 0 ? -x : x);
    return 1 / (a * a);
}

static double arctan(double x, const double *p)
{
    (void)p;
    return sow_atan(x);
}

static double arctan_slope(double x, const double *p)
{
    (void)p;
    return 1 / (1 + x * x);
}

static double asinh_value(double x, const double *p)
{
    (void)p;
    return sow_asinh(x);
}

static double asinh_slope(double x, const double *p)
{
    (void)p;
    return 1 / sow_sqrt(1 + x * x);
}

static double error_function(double x, const double *p)
{
    (void)p;
    return sow_erf(x);
}

static double error_function_slope(double x, const double *p)
{
    (void)p;
    return TWO_OVER_SQRTPI * sow_exp(-x * x);
}

/* p: mu, sigma. */
static double laplace(double x, const double *p)
{
    return 0.5 * sow_erfc(-(x - p[0]) / p[1] * SQRT_HALF);
}

static double laplace_slope(double x, const double *p)
{
    double t = (x - p[0]) / p[1] * SQRT_HALF;
    return 0.5 * TWO_OVER_SQRTPI * SQRT_HALF / p[1] * sow_exp(-t * t);
}

/* p: frequency. */
static double sine(double x, const double *p)
{
    return sow_sin(p[0] * x);
}

static double sine_slope(double x, const double *p)
{
    return p[0] * sow_cos(p[0] * x);
}

static double moment_of_sine(const double *p)
{
    return -0.5 * sow_expm1(-2 * p[0] * p[0]);
}

/* p: frequency. */
static double cosine(double x, const double *p)
{
    return sow_cos(p[0] * x);
}

static double cosine_slope(double x, const double *p)
{
    return -p[0] * sow_sin(p[0] * x);
}

static double moment_of_cosine(const double *p)
{
    return 0.5 * (1 + sow_exp(-2 * p[0] * p[0]));
}

/* Of sin (sign -1) and cos (sign 1), from E[cos(w x)] = exp(-w^2 q / 2) cos(w mean) and products as sums. */
static int wave_means(double frequency, double sign, double mean, double std, double c,
                      struct sow_closed_means *means)
{
    double angle = frequency * mean, width = frequency * frequency * std * std;
    double square = frequency * frequency, once = sow_exp(-0.5 * width);
    double twice = sign * sow_exp(-2 * width) * sow_cos(2 * angle);
    double apart = sow_exp(-width * (1 - c));
    double together = sign * sow_exp(-width * (1 + c)) * sow_cos(2 * angle);
    if (!(width > 1)) {
        return 0;
    }
    *means = (struct sow_closed_means){
        .mean = once * (sign < 0 ? sow_sin(angle) : sow_cos(angle)),
        .square = 0.5 + 0.5 * twice,
        .fourth = 0.375 + 0.5 * twice + 0.125 * sow_exp(-8 * width) * sow_cos(4 * angle),
        .slope = frequency * once * (sign < 0 ? sow_cos(angle) : -sow_sin(angle)),
        .slope_square = square * (0.5 - 0.5 * twice),
        .slope_fourth = square * square *
                        (0.375 - 0.5 * twice + 0.125 * sow_exp(-8 * width) * sow_cos(4 * angle)),
        .growth = -square * twice,
        .product = 0.5 * (apart + together),
        .slopes = 0.5 * square * (apart - together),
    };
    return 1;
}

static int sine_means(const double *p, double mean, double std, double c,
                      struct sow_closed_means *means)
{
    return wave_means(p[0], -1, mean, std, c, means);
}

static int cosine_means(const double *p, double mean, double std, double c,
                        struct sow_closed_means *means)
{
    return wave_means(p[0], 1, mean, std, c, means);
}

static double gaussian(double x, const double *p)
{
    (void)p;
    return sow_exp(-x * x);
}

static double gaussian_slope(double x, const double *p)
{
    (void)p;
    return -2 * x * sow_exp(-x * x);
}

/* ---- rows --------------------------------------------------------------------------------- */

static const struct sow_activation_constant tanh_constants[] = {
    {"torch", 5.0 / 3, "torch.nn.init.calculate_gain"},
    {"nfnet", 1.5939117670059204, NFNET},
    {NULL, 0, NULL}};

static const struct sow_activation_constant sigmoid_constants[] = {
    {"torch", 1, "torch.nn.init.calculate_gain"},
    {"nfnet", 4.803835391998291, NFNET},
    {NULL, 0, NULL}};

static const struct sow_activation_constant softsign_constants[] = {
    {"nfnet", 2.338853120803833, NFNET}, {NULL, 0, NULL}};

static const struct sow_activation_parameter laplace_parameters[] = {
    {"mu", 0.7071067811865476, -1e6, 1e6, "the middle"},
    {"sigma", 0.28209479177387814, 1e-6, 1e6, "the width"},
};

static const struct sow_activation_parameter sin_parameters[] = {
    {"frequency", 1, -100, 100, "of the wave; SIREN 30"},
};

static const struct sow_activation_parameter cos_parameters[] = {
    {"frequency", 1, -100, 100, "of the wave"},
};

static const struct sow_activation_row rows[] =
    {
        {
            .activation =
                {
                    .name = "tanh",
                    .aliases = (const char *const[]){"Tanh", /* torch.nn, ONNX */
                                                     NULL},
                    .constants = tanh_constants,
                    .formula = "tanh(x)",
                    .source = "LeCun et al. 1998, Efficient BackProp",
                    .summary = "torch's 5/3 settles at q = 1.178, where gradients grow by 1.21 a "
                               "layer",
                },
            .value = tangent,
            .derivative = tangent_slope,
            .both = tangent_both,
        },
        {
            .activation =
                {
                    .name = "sigmoid",
                    .aliases = (const char *const[]){"logistic", /* Flux, textbooks */
                                                     "Sigmoid",  /* torch.nn, ONNX */
                                                     NULL},
                    .constants = sigmoid_constants,
                    .formula = "1 / (1 + exp(-x))",
                    .source = "Rumelhart, Hinton and Williams 1986",
                    .summary = "",
                },
            .value = sigmoid,
            .derivative = sigmoid_slope,
        },
        {
            .activation =
                {
                    .name = "lecun_tanh",
                    .aliases = (const char *const[]){"scaled_tanh", /* Lasagne */
                                                     NULL},
                    .formula = "1.7159 tanh(2 x / 3)",
                    .source = "LeCun et al. 1998, Efficient BackProp, section 4.4",
                    .summary = "made so that +-1 maps to +-1, not for unit variance",
                },
            .value = lecun_tanh,
            .derivative = lecun_tanh_slope,
        },
        {
            .activation =
                {
                    .name = "tanhshrink",
                    .aliases = (const char *const[]){"Tanhshrink",  /* torch.nn */
                                                     "tanh_shrink", /* Keras 3 */
                                                     NULL},
                    .formula = "x - tanh(x)",
                    .source = "torch.nn.Tanhshrink",
                    .summary = "",
                },
            .value = tanhshrink,
            .derivative = tanhshrink_slope,
            .both = tanhshrink_both,
        },
        {
            .activation =
                {
                    .name = "softsign",
                    .aliases = (const char *const[]){"soft_sign", /* JAX */
                                                     "Softsign",  /* torch.nn, ONNX */
                                                     NULL},
                    .constants = softsign_constants,
                    .formula = "x / (1 + |x|)",
                    .source = "Bergstra et al. 2009; Glorot and Bengio 2010",
                    .summary = "",
                },
            .value = softsign,
            .derivative = softsign_slope,
            .kinks = sow_kink_at_zero,
        },
        {
            .activation =
                {
                    .name = "arctan",
                    .aliases = (const char *const[]){"atan", /* torch */
                                                     "Atan", /* ONNX */
                                                     NULL},
                    .formula = "atan(x)",
                    .source = "torch.atan",
                    .summary = "",
                },
            .value = arctan,
            .derivative = arctan_slope,
        },
        {
            .activation =
                {
                    .name = "asinh",
                    .aliases = (const char *const[]){"arcsinh", /* JAX */
                                                     "Asinh",   /* ONNX */
                                                     NULL},
                    .formula = "asinh(x)",
                    .source = "torch.asinh",
                    .summary = "",
                },
            .value = asinh_value,
            .derivative = asinh_slope,
        },
        {
            .activation =
                {
                    .name = "erf",
                    .aliases = (const char *const[]){"Erf", /* ONNX */
                                                     NULL},
                    .formula = "erf(x)",
                    .source = "Williams 1997 (the infinite network with sigmoidal units)",
                    .summary = "",
                },
            .value = error_function,
            .derivative = error_function_slope,
        },
        {
            .activation =
                {
                    .name = "laplace",
                    .aliases = (const char *const[]){NULL},
                    .parameters = laplace_parameters,
                    .parameter_count = COUNT(laplace_parameters),
                    .formula = "(1 + erf((x - mu) / (sigma sqrt 2))) / 2",
                    .source = "Ma et al. 2022, Mega; transformers (0.707107, 0.282095)",
                    .summary = "",
                },
            .value = laplace,
            .derivative = laplace_slope,
        },
        {
            .activation =
                {
                    .name = "sin",
                    .aliases = (const char *const[]){"sine", /* SIREN */
                                                     "Sin",  /* ONNX */
                                                     NULL},
                    .parameters = sin_parameters,
                    .parameter_count = COUNT(sin_parameters),
                    .formula = "sin(frequency x)",
                    .source = "Sitzmann et al. 2020, SIREN",
                    .summary = "SIREN has a rule of its own: U(+-sqrt(6 / fan_in) / frequency)",
                },
            .value = sine,
            .derivative = sine_slope,
            .second_moment = moment_of_sine,
            .means = sine_means,
        },
        {
            .activation =
                {
                    .name = "cos",
                    .aliases = (const char *const[]){"Cos", /* ONNX */
                                                     NULL},
                    .parameters = cos_parameters,
                    .parameter_count = COUNT(cos_parameters),
                    .formula = "cos(frequency x)",
                    .source = "Rahimi and Recht 2007 (random Fourier features)",
                    .summary = "",
                },
            .value = cosine,
            .derivative = cosine_slope,
            .second_moment = moment_of_cosine,
            .means = cosine_means,
        },
        {
            .activation =
                {
                    .name = "gaussian",
                    .aliases = (const char *const[]){"rbf", /* textbooks */
                                                     NULL},
                    .formula = "exp(-x^2)",
                    .source = "Broomhead and Lowe 1988",
                    .summary = "",
                },
            .value = gaussian,
            .derivative = gaussian_slope,
        },
};

const struct sow_activation_family sow_activation_bounded = {rows, COUNT(rows)};
