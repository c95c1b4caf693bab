/* SPDX-License-Identifier: MIT */
/* The heart of a matrix product (core/linalg/gemm.c): one tile of C, VEC_GEMM_ROWS rows of two vectors,
 * whose sums stay in registers while the depth goes by. Every element is one chain of fused
 * multiply-adds in the order of the depth, so no instruction set has bits of its own. */

#define GEMM_COLUMNS (2 * (sizeof(vf32) / sizeof(float)))

/* See sow_gemm_tile_fn. */
static void gemm_tile(float *c, uint64_t c_stride, const float *a, const float *b, uint64_t depth,
                      int fresh)
{
    const size_t lanes = GEMM_COLUMNS / 2;
    vf32 left[VEC_GEMM_ROWS], right[VEC_GEMM_ROWS];
    for (size_t row = 0; row < VEC_GEMM_ROWS; row++) {
        left[row] = fresh ? vf32_set(0) : vf32_load_any(c + row * c_stride);
        right[row] = fresh ? vf32_set(0) : vf32_load_any(c + row * c_stride + lanes);
    }
    for (uint64_t k = 0; k < depth; k++, a += VEC_GEMM_ROWS, b += GEMM_COLUMNS) {
        const vf32 b_left = vf32_load(b), b_right = vf32_load(b + lanes);
#pragma GCC unroll 16
        for (size_t row = 0; row < VEC_GEMM_ROWS; row++) {
            const vf32 factor = vf32_set(a[row]);
            left[row] = vf32_fma(factor, b_left, left[row]);
            right[row] = vf32_fma(factor, b_right, right[row]);
        }
    }
    for (size_t row = 0; row < VEC_GEMM_ROWS; row++) {
        vf32_store_any(c + row * c_stride, left[row]);
        vf32_store_any(c + row * c_stride + lanes, right[row]);
    }
}
