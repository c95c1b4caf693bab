/* SPDX-License-Identifier: MIT */
/* The activation table: one row an activation, its gain computed from its value function.
 * sow_gain and sow_gain_name in sow/sow.h are the way in for everybody else. */
#ifndef SOW_ACTIVATION_GAIN_H
#define SOW_ACTIVATION_GAIN_H

#include "sow/sow.h"

#define SOW_KINKS_MAX 4

/* A row. A value function and its kinks are all that a gain needs. */
struct sow_activation {
    const char *name;
    const char *const *aliases;               /* NULL-terminated */
    double (*value)(double z);                /* NULL when it has a slope */
    double (*sloped)(double z, double slope); /* NULL when it has none */
    double (*second_moment)(double slope);    /* closed form where there is one, else NULL */
    double kinks[SOW_KINKS_MAX];              /* where a derivative jumps, ascending */
    size_t kink_count;
    const char *summary; /* phi(z) in one line */
};

/* Row `index`, NULL past the end. */
const struct sow_activation *sow_activation_at(size_t index);
/* By name or alias; NULL with SOW_E_ARGUMENT and the nearest name when unknown. */
const struct sow_activation *sow_activation_find(const char *name, struct sow_error *error);

/* E[phi(z)^2] for z ~ N(0, 1): the closed form, else by quadrature. */
double sow_activation_second_moment(const struct sow_activation *activation, double slope);
/* The same by quadrature in any case, error <= 1e-13 of it. */
double sow_activation_second_moment_by_quadrature(const struct sow_activation *activation,
                                                  double slope);

#endif
