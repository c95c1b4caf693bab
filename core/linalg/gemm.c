/* SPDX-License-Identifier: MIT */
/* Blocks that fit the caches, packed in the order the kernel reads them (Goto and van de Geijn 2008, "Anatomy of
 * high-performance matrix multiplication"). The depth is cut into blocks that follow one another, C carrying the
 * chains from one to the next: a float stored and loaded is the same float. */
#include "core/linalg/gemm.h"

#include <string.h>

#include "core/base/cpu.h"

/* A panel of B (DEPTH deep, 16 KiB with AVX2) stays in the L1 cache, A's block (168 KiB) in the L2, B's (2 MiB)
 * in the last. ROWS is a multiple of every gemm_rows. */
#define DEPTH   256
#define ROWS    168
#define COLUMNS 2048
#define ABREAST 84 /* elements packed from a row at once, at most */

_Static_assert(DEPTH *(ROWS + COLUMNS) <= SOW_GEMM_SCRATCH_FLOATS, "the scratch holds both blocks");
_Static_assert(COLUMNS % SOW_GEMM_COLUMNS_MAX == 0, "whole panels of B");

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* ---- Packing ------------------------------------------------------------------------------ */

/* Where panels come from: `across` is the stride from one of their `count` elements to the next, `along` that of k. */
struct source {
    const float *at;
    uint64_t across, along, count;
};

/* For each k the `width` elements across it. Missing elements are 0: their sums are never stored. Inlined for each
 * width, so that the compiler knows it. */
static inline __attribute__((always_inline)) void
pack_panel(float *restrict to, const struct source *from, uint64_t width, uint64_t depth)
{
    const float *const at = from->at;
    const uint64_t across = from->across, along = from->along;
    if (from->count < width) {
        memset(to, 0, width * depth * sizeof *to);
        for (uint64_t k = 0; k < depth; k++) {
            for (uint64_t i = 0; i < from->count; i++) {
                to[k * width + i] = at[i * across + k * along];
            }
        }
    } else if (across == 1) {
        for (uint64_t k = 0; k < depth; k++) {
            memcpy(to + k * width, at + k * along, width * sizeof *to);
        }
    } else if (along == 1) {
        for (uint64_t k = 0; k < depth; k++) {
            for (uint64_t i = 0; i < width; i++) {
                to[k * width + i] = at[i * across + k];
            }
        }
    } else {
        for (uint64_t k = 0; k < depth; k++) {
            for (uint64_t i = 0; i < width; i++) {
                to[k * width + i] = at[i * across + k * along];
            }
        }
    }
}

/* All panels of a block. Where their elements lie side by side some are packed at once, so that more of a line of the
 * cache is read. */
static inline __attribute__((always_inline)) void
pack_panels(float *restrict to, const struct source *from, uint64_t width, uint64_t depth)
{
    const uint64_t abreast = from->across == 1 ? ABREAST / width : 0;
    uint64_t i = 0;
    for (; abreast > 0 && i + abreast * width <= from->count; i += abreast * width) {
        for (uint64_t k = 0; k < depth; k++) {
            for (uint64_t panel = 0; panel < abreast; panel++) {
                memcpy(to + i * depth + (panel * depth + k) * width,
                       from->at + k * from->along + i + panel * width, width * sizeof *to);
            }
        }
    }
    for (; i < from->count; i += width) {
        const struct source panel = {from->at + i * from->across, from->across, from->along,
                                     least(width, from->count - i)};
        pack_panel(to + i * depth, &panel, width, depth);
    }
}

/* Panels of a factor lie one after another. */
static void pack(float *to, const struct source *from, uint64_t width, uint64_t depth)
{
    switch (width) {
    case 6: /* AVX2's rows */
        pack_panels(to, from, 6, depth);
        break;
    case 14: /* AVX-512's */
        pack_panels(to, from, 14, depth);
        break;
    case 16: /* AVX2's columns */
        pack_panels(to, from, 16, depth);
        break;
    case 32: /* AVX-512's */
        pack_panels(to, from, 32, depth);
        break;
    default:
        pack_panels(to, from, width, depth);
        break;
    }
}

/* ---- Blocks ------------------------------------------------------------------------------- */

/* A tile that reaches over the edge of C is computed aside. */
static void edge_tile(const struct sow_kernels *kernels, float *c, uint64_t c_row, const float *a,
                      const float *b, uint64_t depth, int fresh, uint64_t rows, uint64_t columns)
{
    float tile[SOW_GEMM_ROWS_MAX * SOW_GEMM_COLUMNS_MAX] = {0};
    const uint64_t width = kernels->gemm_columns;
    if (!fresh) {
        for (uint64_t i = 0; i < rows; i++) {
            memcpy(tile + i * width, c + i * c_row, columns * sizeof *c);
        }
    }
    kernels->gemm_tile(tile, width, a, b, depth, fresh);
    for (uint64_t i = 0; i < rows; i++) {
        memcpy(c + i * c_row, tile + i * width, columns * sizeof *c);
    }
}

/* The next tile comes into the cache while this one is computed: its sums start from it. */
static inline void fetch(const float *tile, uint64_t c_row, uint64_t rows, uint64_t columns)
{
    for (uint64_t i = 0; i < rows; i++) {
        __builtin_prefetch(tile + i * c_row, 1);
        __builtin_prefetch(tile + i * c_row + columns - 1, 1);
    }
}

/* `rows` x `columns` of C from packed blocks. */
static void multiply(const struct sow_kernels *kernels, float *c, uint64_t c_row, const float *a,
                     const float *b, uint64_t rows, uint64_t columns, uint64_t depth, int fresh)
{
    const uint64_t height = kernels->gemm_rows, width = kernels->gemm_columns;
    for (uint64_t j = 0; j < columns; j += width) {
        for (uint64_t i = 0; i < rows; i += height) {
            float *tile = c + i * c_row + j;
            uint64_t tall = least(height, rows - i), wide = least(width, columns - j);
            if (i + height < rows) {
                fetch(tile + height * c_row, c_row, least(height, rows - i - height), wide);
            }
            if (tall == height && wide == width) {
                kernels->gemm_tile(tile, c_row, a + i * depth, b + j * depth, depth, fresh);
            } else {
                edge_tile(kernels, tile, c_row, a + i * depth, b + j * depth, depth, fresh, tall,
                          wide);
            }
        }
    }
}

static void clear(const struct sow_gemm *product)
{
    for (uint64_t i = 0; i < product->rows && !product->accumulate; i++) {
        memset(product->c + i * product->c_row, 0, product->columns * sizeof *product->c);
    }
}

void sow_gemm_with(const struct sow_kernels *kernels, const struct sow_gemm *product,
                   float *scratch)
{
    const struct sow_gemm p = *product;
    float *const a = scratch, *const b = scratch + (uint64_t)ROWS * DEPTH;
    if (p.depth == 0) {
        clear(product);
        return;
    }
    uint64_t state = sow_cpu_float_enter();
    for (uint64_t j = 0; j < p.columns; j += COLUMNS) {
        uint64_t columns = least(COLUMNS, p.columns - j);
        for (uint64_t k = 0; k < p.depth; k += DEPTH) {
            uint64_t depth = least(DEPTH, p.depth - k);
            const struct source across = {p.b.at + k * p.b.row + j * p.b.column, p.b.column,
                                          p.b.row, columns};
            pack(b, &across, kernels->gemm_columns, depth);
            for (uint64_t i = 0; i < p.rows; i += ROWS) {
                uint64_t rows = least(ROWS, p.rows - i);
                const struct source down = {p.a.at + i * p.a.row + k * p.a.column, p.a.row,
                                            p.a.column, rows};
                pack(a, &down, kernels->gemm_rows, depth);
                multiply(kernels, p.c + i * p.c_row + j, p.c_row, a, b, rows, columns, depth,
                         k == 0 && !p.accumulate);
            }
        }
    }
    sow_cpu_float_leave(state);
}

void sow_gemm(const struct sow_gemm *product, float *scratch)
{
    sow_gemm_with(sow_kernels_chosen(), product, scratch);
}
