/* SPDX-License-Identifier: MIT */
/* The activation table: one row an activation, its gain computed from its value function.
 * sow_gain and sow_gain_name in sow/sow.h are the way in for everybody else. */
#ifndef SOW_ACTIVATION_GAIN_H
#define SOW_ACTIVATION_GAIN_H

#include "sow/sow.h"

#define SOW_KINKS_MAX 4

/* A row. `value` and its kinks are all that a gain needs. */
struct sow_activation {
    const char *name;
    const char *const *aliases; /* NULL-terminated */
    double (*value)(double z, double slope);
    double
        kinks[SOW_KINKS_MAX]; /* where a derivative jumps, ascending; the quadrature splits there */
    uint32_t kink_count;
    int takes_slope;
    const char *summary; /* phi(z) in one line */
};

/* Row `index`, NULL past the end. */
const struct sow_activation *sow_activation_at(size_t index);
/* By name or alias; NULL with SOW_E_ARGUMENT and the nearest name when unknown. */
const struct sow_activation *sow_activation_find(const char *name, struct sow_error *error);

/* E[phi(z)^2] for z ~ N(0, 1): composite Gauss-Legendre on [-12, 12] split at the kinks, error <= 1e-10. */
double sow_activation_second_moment(const struct sow_activation *activation, double slope);

#endif
