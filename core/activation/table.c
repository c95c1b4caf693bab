/* SPDX-License-Identifier: MIT */
/* The activations: value functions, and a row each. Gains are computed from them, never typed
 * in. To add one, write its function and its row, with the points where a derivative jumps; a
 * closed form of E[phi(z)^2] makes its gain exact to the last bit, and a test holds it against
 * the quadrature. */
#include "core/activation/gain.h"

#include "core/base/elementary.h"

static double linear(double z)
{
    return z;
}

static double moment_of_linear(double slope)
{
    (void)slope;
    return 1;
}

static double relu(double z)
{
    return z > 0 ? z : 0;
}

static double moment_of_relu(double slope)
{
    (void)slope;
    return 0.5;
}

static double leaky_relu(double z, double slope)
{
    return z > 0 ? z : slope * z;
}

static double moment_of_leaky_relu(double slope)
{
    return 0.5 * (1 + slope * slope);
}

static double sigmoid(double z)
{
    return 1 / (1 + sow_exp(-z));
}

/* Klambauer et al. 2017, eq. 14: the pair for which mean 0 and variance 1 are a fixed point. */
static double selu(double z)
{
    const double scale = 1.0507009873554804934193349852946;
    const double alpha = 1.6732632423543772848170429916717;
    return scale * (z > 0 ? z : alpha * sow_expm1(z));
}

/* z Phi(z). */
static double gelu(double z)
{
    const double sqrt_half = 0x1.6a09e667f3bcdp-1;
    return 0.5 * z * sow_erfc(-z * sqrt_half);
}

static double gelu_tanh(double z)
{
    const double sqrt_2_over_pi = 0x1.9884533d43651p-1;
    return 0.5 * z * (1 + sow_tanh(sqrt_2_over_pi * (z + 0.044715 * z * z * z)));
}

static double silu(double z)
{
    return z * sigmoid(z);
}

static const char *const none[] = {NULL};

static const struct sow_activation rows[] = {
    {
        .name = "linear",
        .aliases = (const char *const[]){"identity", NULL},
        .value = linear,
        .second_moment = moment_of_linear,
        .summary = "z",
    },
    {
        .name = "relu",
        .aliases = none,
        .value = relu,
        .second_moment = moment_of_relu,
        .kinks = {0},
        .kink_count = 1,
        .summary = "max(z, 0)",
    },
    {
        .name = "leaky_relu",
        .aliases = none,
        .sloped = leaky_relu,
        .second_moment = moment_of_leaky_relu,
        .kinks = {0},
        .kink_count = 1,
        .summary = "z for z > 0, slope z below (slope 0.01 unless given)",
    },
    {
        .name = "tanh",
        .aliases = none,
        .value = sow_tanh,
        .summary = "tanh z (torch's 5/3 is a rule of thumb; this is the exact second moment)",
    },
    {
        .name = "sigmoid",
        .aliases = (const char *const[]){"logistic", NULL},
        .value = sigmoid,
        .summary = "1 / (1 + exp(-z)) (torch says 1)",
    },
    {
        .name = "selu",
        .aliases = none,
        .value = selu,
        .kinks = {0},
        .kink_count = 1,
        .summary = "1.0507 z for z > 0, 1.7581 (exp z - 1) below: gain 1 (torch says 3/4)",
    },
    {
        .name = "gelu",
        .aliases = (const char *const[]){"gelu_python", NULL},
        .value = gelu,
        .summary = "z Phi(z), by erf",
    },
    {
        .name = "gelu_tanh",
        .aliases = (const char *const[]){"gelu_new", "gelu_fast", "gelu_pytorch_tanh", NULL},
        .value = gelu_tanh,
        .summary = "z/2 (1 + tanh(sqrt(2/pi) (z + 0.044715 z^3)))",
    },
    {
        .name = "silu",
        .aliases = (const char *const[]){"swish", NULL},
        .value = silu,
        .summary = "z / (1 + exp(-z))",
    },
};

const struct sow_activation *sow_activation_at(size_t index)
{
    return index < sizeof rows / sizeof rows[0] ? &rows[index] : NULL;
}
