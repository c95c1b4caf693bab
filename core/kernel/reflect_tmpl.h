/* SPDX-License-Identifier: MIT */
/* The heart of a product of reflections (core/linalg/orthogonal.c): one of them applied to a block of columns, and
 * in the same pass over memory what the next one needs to know. Vectors run over columns, each of which is a chain
 * of its own of + - * alone, so no instruction set has bits of its own. */

#define REFLECT_LANES (sizeof(vf64) / sizeof(double))
/* Vectors side by side: their numbers fit the registers. */
#define REFLECT_VECTORS (REFLECT_LANES < 8 ? 4 : 2)

/* See sow_reflect_fn. */
static void reflect(double *restrict block, const double *restrict vector,
                    const double *restrict next, uint64_t rows, const double *restrict amounts,
                    double *restrict sums)
{
    for (size_t first = 0; first < SOW_REFLECT_COLUMNS; first += REFLECT_VECTORS * REFLECT_LANES) {
        vf64 amount[REFLECT_VECTORS], sum[REFLECT_VECTORS];
        double *at = block + first;
        for (size_t v = 0; v < REFLECT_VECTORS; v++) {
            amount[v] = vf64_load(amounts + first + v * REFLECT_LANES);
            sum[v] = vf64_load(sums + first + v * REFLECT_LANES);
        }
        for (uint64_t i = 0; i < rows; i++, at += SOW_REFLECT_COLUMNS) {
            const vf64 w = vf64_set(vector[i]), u = vf64_set(next[i]);
#pragma GCC unroll 4
            for (size_t v = 0; v < REFLECT_VECTORS; v++) {
                vf64 x = vf64_sub(vf64_load(at + v * REFLECT_LANES), vf64_mul(w, amount[v]));
                vf64_store(at + v * REFLECT_LANES, x);
                sum[v] = vf64_add(sum[v], vf64_mul(u, x));
            }
        }
        for (size_t v = 0; v < REFLECT_VECTORS; v++) {
            vf64_store(sums + first + v * REFLECT_LANES, sum[v]);
        }
    }
}
