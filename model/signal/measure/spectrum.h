/* SPDX-License-Identifier: MIT */
/* Products of the rows of a float32 matrix with each other, in double, one order of summation. */
#ifndef SOW_MEASURE_SPECTRUM_H
#define SOW_MEASURE_SPECTRUM_H

#include "model/signal/measure/team.h"

/* rows x rows, both triangles; the caller frees it. NULL when there is no memory. */
double *sow_gram_of(struct sow_team *team, const float *x, uint64_t rows, uint64_t columns);

#endif
