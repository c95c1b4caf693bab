/* SPDX-License-Identifier: MIT */
/* Means over two jointly normal inputs as integrals over the plane: to 1e-10 for functions however steep or kinked, and
 * in milliseconds, where the series of core/activation/pair.h takes microseconds and may not have converged. */
#ifndef SOW_ACTIVATION_PLANE_H
#define SOW_ACTIVATION_PLANE_H

#include "core/activation/pair.h"

/* E[f(x) f(y)], and E[f'(x) f'(y)] where `slope_square` is a number, for x and y of this mean and std and of
 * correlation c, -1 <= c < 1. `square` and `slope_square` are E[f^2] and E[f'^2], against which errors are measured.
 * Returns 0 where that is out of reach: f too wild, or growing so fast that its square lies outside of 9 std. */
struct sow_plane_means {
    double product, slopes;
};
int sow_plane_means(const struct sow_pointwise *f, double mean, double std, double c, double square,
                    double slope_square, struct sow_plane_means *means);

#endif
