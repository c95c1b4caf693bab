/* SPDX-License-Identifier: MIT */
/* The largest singular value of a float32 matrix, in double, one order of every sum. */
#ifndef SOW_MEASURE_LANCZOS_H
#define SOW_MEASURE_LANCZOS_H

#include "model/signal/measure/team.h"

struct sow_matrix {
    const float *at;    /* rows x columns */
    const double *gram; /* of its rows, rows x rows; NULL: there is none, and `at` is used */
    uint64_t rows, columns;
};

/* Lanczos' iteration on W W^T (Lanczos 1950) with all vectors kept at right angles, from a fixed start. NAN when there is no
 * memory. */
double sow_largest_singular(struct sow_team *team, const struct sow_matrix *matrix);

#endif
