/* SPDX-License-Identifier: MIT */
/* The columns of a Haar-distributed orthogonal matrix, each a chain of reflections in double precision, the same bits
 * everywhere (docs/stream.md section 11 is the definition). Not a QR decomposition: the vectors of the reflections are
 * drawn, which gives the law of a Gaussian matrix's Q for half the work (Stewart 1980, "The Efficient Generation of
 * Random Orthogonal Matrices"). */
#ifndef SOW_LINALG_ORTHOGONAL_H
#define SOW_LINALG_ORTHOGONAL_H

#include "core/kernel/kernel.h"

/* `columns` columns of length `rows`, columns <= rows. */
struct sow_reflections {
    uint64_t rows, columns;
    struct sow_key key;
    uint64_t first;  /* number of the first normal value */
    double *vectors; /* sow_reflections_count of them: vector k has rows - k elements */
};

/* Doubles that `vectors` needs. */
uint64_t sow_reflections_count(uint64_t rows, uint64_t columns);

/* Draws vectors begin .. end - 1. Different vectors may be drawn by different threads. */
void sow_reflections_draw(const struct sow_kernels *kernels, const struct sow_reflections *of,
                          uint64_t begin, uint64_t end);

/* Columns begin .. begin + SOW_REFLECT_COLUMNS - 1 of the matrix, those beyond the last being of no use: element
 * (i, begin + c) at block[i * SOW_REFLECT_COLUMNS + c], aligned to SOW_TILE_ALIGN. Vectors up to the last column's
 * are drawn. */
void sow_reflections_apply(const struct sow_kernels *kernels, const struct sow_reflections *of,
                           uint64_t begin, double *block);

#endif
