/* SPDX-License-Identifier: MIT */
/* Means of a function and its derivative under the normal law: E[f(sqrt(q) z)], z ~ N(0, 1).
 *
 * Composite Gauss-Legendre with 16 points on panels at most 1 wide, split at the kinks of phi; a panel
 * on which its two halves say something else is halved, again and again, so that steep functions and
 * unknown kinks cost time and no accuracy. The density is cut at 12 (20 for q > 1). */
#ifndef SOW_ACTIVATION_QUADRATURE_H
#define SOW_ACTIVATION_QUADRATURE_H

#include "sow/activation.h"

/* Means over x = sqrt(q) z. For a function that jumps, `slope_square` and `pull` are those of the pieces
 * between the jumps. */
struct sow_moments {
    double mean;         /* E[phi] */
    double square;       /* E[phi^2] */
    double slope_square; /* E[phi'^2] */
    double pull;         /* E[phi phi' z] */
    double value_z;      /* E[phi z], by Stein's identity sqrt(q) E[phi'] */
    double slope;        /* E[phi'] */
};

/* Where unknown kinks of an own function were met. */
struct sow_kinks {
    double at[SOW_KINKS_MAX]; /* x, in the order they were met: ascending */
    size_t count;
    int jumps;
};

/* q > 0 and finite. `met` may be NULL. Error <= 1e-12 of E[|...|]. SOW_E_ARGUMENT when phi is not finite on
 * the line, or has no second moment. */
enum sow_status sow_moments(const struct sow_function *function, double q,
                            struct sow_moments *moments, struct sow_kinks *met,
                            struct sow_error *error);

/* E[phi(z)^2] of a row: in closed form where there is one, else by the plain rule, without halving; of an own function as
 * sow_moments has it. */
double sow_second_moment(const struct sow_function *function);
/* The plain rule in any case. */
double sow_second_moment_by_quadrature(const struct sow_function *function);

#endif
