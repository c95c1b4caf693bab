/* SPDX-License-Identifier: MIT */
/* How a family file describes its activations. To add one: its value, its derivative and its row, side
 * by side, in a family file; every number is computed from them. The tests hold the derivative against
 * the value (Stein's identity and others), the kinks against both. A new family file is also one
 * line in table.c. */
#ifndef SOW_ACTIVATION_ROW_H
#define SOW_ACTIVATION_ROW_H

#include "sow/activation.h"

/* Over x and y, jointly normal with one mean and std and this correlation. */
struct sow_closed_means {
    double mean, square, fourth;              /* E[phi], E[phi^2], E[phi^4] */
    double slope, slope_square, slope_fourth; /* E[phi'], E[phi'^2], E[phi'^4] */
    double growth;                            /* d E[phi^2] / d std^2 */
    double product, slopes;                   /* E[phi(x) phi(y)], E[phi'(x) phi'(y)] */
};

/* Functions take the parameters in the row's order. */
struct sow_activation_row {
    struct sow_activation activation;
    double (*value)(double x, const double *p);
    double (*derivative)(double x, const double *p);
    /* Both at once, to the same bits, where that saves work; NULL: one after the other. */
    double (*both)(double x, const double *p, double *slope);
    /* Where value or derivative jumps, ascending; NULL when nowhere. Returns how many. */
    size_t (*kinks)(const double *p, double kinks[SOW_KINKS_MAX]);
    /* E[phi(z)^2] in closed form, exact to the last bit or so; NULL: by quadrature. */
    double (*second_moment)(const double *p);
    /* In closed form, for what quadrature and series are slow with: wide inputs of waves and of exp. Returns 0, and
     * leaves `means`, where the input is narrow; NULL: never. */
    int (*means)(const double *p, double mean, double std, double correlation,
                 struct sow_closed_means *means);
};

/* What one file brings into the table. */
struct sow_activation_family {
    const struct sow_activation_row *rows;
    size_t count;
};
extern const struct sow_activation_family sow_activation_relu;
extern const struct sow_activation_family sow_activation_hard;
extern const struct sow_activation_family sow_activation_gelu;
extern const struct sow_activation_family sow_activation_smooth;
extern const struct sow_activation_family sow_activation_bounded;
extern const struct sow_activation_family sow_activation_gates;

/* The row around an activation of the table. */
static inline const struct sow_activation_row *
sow_activation_row_of(const struct sow_activation *activation)
{
    return (const struct sow_activation_row *)(const void *)activation; /* its first member */
}

/* kinks = {0}. */
size_t sow_kink_at_zero(const double *p, double kinks[SOW_KINKS_MAX]);

/* Shared by several families. */
double sow_relu(double x, const double *p);
double sow_relu_slope(double x, const double *p);
double sow_gelu(double x, const double *p);
double sow_gelu_slope(double x, const double *p);
double sow_silu(double x, const double *p);
double sow_silu_slope(double x, const double *p);
double sow_sigmoid(double x);
/* log(1 + exp x), without overflow. */
double sow_log_one_plus_exp(double x);

#endif
