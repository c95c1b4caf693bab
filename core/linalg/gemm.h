/* SPDX-License-Identifier: MIT */
/* Matrix product in float32, the same bits everywhere: every element of C is one chain of fused multiply-adds,
 *
 *     c = fma(a[i][k], b[k][j], c)   for k = 0, 1, ..., depth - 1
 *
 * whatever the instruction set, the blocking and the thread that computes it. Not a BLAS: no scaling of the
 * factors, no other type. Vectors run over elements of C only, so the order within an element is never touched. */
#ifndef SOW_LINALG_GEMM_H
#define SOW_LINALG_GEMM_H

#include "core/kernel/kernel.h"

/* Element (i, j) lies at at[i * row + j * column]: a transposed factor has its strides exchanged. */
struct sow_operand {
    const float *at;
    uint64_t row, column;
};

/* rows x columns of C; A is rows x depth, B is depth x columns. C may be part of a larger matrix, and may not
 * overlap A or B. A product may be cut by rows or columns among threads: the bits stay. */
struct sow_gemm {
    uint64_t rows, columns, depth;
    struct sow_operand a, b;
    float *c; /* row i starts at c + i * c_row */
    uint64_t c_row;
    int accumulate; /* chains start from C's elements (a bias, an earlier sum), else from 0 */
};

#define SOW_GEMM_SCRATCH_FLOATS ((uint64_t)640 << 10) /* 2.5 MiB */

/* Values: as above; NaN and infinities as IEEE's fma has them. Needs `scratch`, SOW_GEMM_SCRATCH_FLOATS floats
 * aligned to SOW_TILE_ALIGN, one for each thread. Cannot fail, never allocates. Any size may be 0; with depth 0,
 * C is left alone or set to 0. */
void sow_gemm(const struct sow_gemm *product, float *scratch);

/* The same with an instruction set's kernels. For tests. */
void sow_gemm_with(const struct sow_kernels *kernels, const struct sow_gemm *product,
                   float *scratch);

#endif
