/* SPDX-License-Identifier: MIT */
/* Sums over nodes: means of f(mean + std z), z ~ N(0, 1), and its coefficients in normalised Hermite polynomials. Nodes
 * lie on a grid of x that hardly moves with std, so that a caller who expands f again and again can keep what f was at
 * them (struct sow_pointwise, many). Not whether the sums are good enough: core/activation/pair.h. */
#ifndef SOW_ACTIVATION_HERMITE_H
#define SOW_ACTIVATION_HERMITE_H

#include "core/activation/pair.h"

/* Means, all over the normal density. */
struct sow_hermite_sums {
    double base; /* a number taken off f for `hermite`, whose sums end before h_47 does */
    double mean, square, fourth, slope, slope_square; /* E[f], E[f^2], E[f^4], E[f'], E[f'^2] */
    double pull, spread;                              /* E[f f' z], E[f^2 z^2] */
    double apart, slope_apart; /* of the squares: even nodes less odd ones (smooth) */
    double size;               /* E[|f z|] + std E[|f'|]: what errors are measured against */
    double edge;               /* of the square, beyond the nodes */
    double hermite[SOW_HERMITE];
    int bad; /* f is not finite at a node */
};

/* The trapezoidal rule with steps of at most 0.35 in z and 1/8 in x, halved `halvings` times, over |z| < 10.5. For a smooth f
 * it errs by exp(-2 pi a / step), a the distance of f's nearest pole from the line (Trefethen and Weideman 2014).
 * Returns 0 where panels are cheaper. */
int sow_hermite_smooth(const struct sow_pointwise *f, double mean, double std, int halvings,
                       struct sow_hermite_sums *sums);
/* Gauss-Legendre with 16 nodes on panels that end at kinks, at most 1.8 wide in z, narrower towards x = 0 where the input
 * is wide, each in 2^depth parts, over |z| < limit and a little further. */
void sow_hermite_panels(const struct sow_pointwise *f, double mean, double std, double limit,
                        int depth, struct sow_hermite_sums *sums);

#endif
