/* SPDX-License-Identifier: MIT */
/* Functions of a uniform draw: value = f(u), one row a distribution (map.c). The words, and u itself, are the uniform
 * draw's; only f stands here. Computed in double and rounded once, one element at a time: what is drawn so are vectors -
 * biases, time constants, poles - not matrices. */
#ifndef SOW_KERNEL_MAP_H
#define SOW_KERNEL_MAP_H

#include "sow/sow.h"

/* A function that rises, or falls, all the way from `least` to `most`. */
struct sow_map {
    const char *name; /* "exp(u)" */
    double (*value)(double u);
    double (*back)(double value); /* the u that gives it */
    double least, most;           /* where u may be */
    int most_is_open;             /* u = most is not allowed */
};

/* NULL when the distribution is no function of a uniform. */
const struct sow_map *sow_map_of(enum sow_distribution distribution);

#endif
