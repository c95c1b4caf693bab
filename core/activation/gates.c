/* SPDX-License-Identifier: MIT */
/* Gated units y = a phi(b), a and b two signals of the same layer (Dauphin et al. 2017; Shazeer 2020).
 * A row tells phi; what the product does to the numbers is in numbers.c. */
#include "core/activation/row.h"

#include "core/base/elementary.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

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

static double identity(double x, const double *p)
{
    (void)p;
    return x;
}

static double identity_slope(double x, const double *p)
{
    (void)x;
    (void)p;
    return 1;
}

/* ---- rows --------------------------------------------------------------------------------- */

static const struct sow_activation_constant glu_constants[] = {
    {"nfnet", 1.8484294414520264, "deepmind-research nfnets/base.py (JAX): a Monte-Carlo estimate"},
    {NULL, 0, NULL}};

static const struct sow_activation_row rows[] = {
    {
        .activation =
            {
                .name = "glu",
                .aliases = (const char *const[]){"GLU", /* torch.nn */
                                                 NULL},
                .constants = glu_constants,
                .formula = "a sigmoid(b)",
                .source = "Dauphin et al. 2017",
                .summary = "",
                .is_gate = 1,
            },
        .value = sigmoid,
        .derivative = sigmoid_slope,
    },
    {
        .activation =
            {
                .name = "reglu",
                .aliases = (const char *const[]){"ReGLU", /* Shazeer */
                                                 NULL},
                .formula = "a max(b, 0)",
                .source = "Shazeer 2020",
                .summary = "",
                .is_gate = 1,
            },
        .value = sow_relu,
        .derivative = sow_relu_slope,
        .kinks = sow_kink_at_zero,
    },
    {
        .activation =
            {
                .name = "geglu",
                .aliases = (const char *const[]){"GEGLU", /* Shazeer */
                                                 NULL},
                .formula = "a gelu(b), by erf",
                .source = "Shazeer 2020",
                .summary = "",
                .is_gate = 1,
            },
        .value = sow_gelu,
        .derivative = sow_gelu_slope,
    },
    {
        .activation =
            {
                .name = "swiglu",
                .aliases = (const char *const[]){"SwiGLU", /* Shazeer */
                                                 NULL},
                .formula = "a silu(b)",
                .source = "Shazeer 2020",
                .summary = "the MLP of Llama and its kin",
                .is_gate = 1,
            },
        .value = sow_silu,
        .derivative = sow_silu_slope,
    },
    {
        .activation =
            {
                .name = "bilinear",
                .aliases = (const char *const[]){"Bilinear", /* Shazeer */
                                                 NULL},
                .formula = "a b",
                .source = "Shazeer 2020; Mnih and Hinton 2007",
                .summary = "",
                .is_gate = 1,
            },
        .value = identity,
        .derivative = identity_slope,
    },
};

const struct sow_activation_family sow_activation_gates = {rows, COUNT(rows)};
