/* SPDX-License-Identifier: MIT */
/* Column j is H_0 H_1 ... H_j applied to -+1 at row j, H_k being 1 - w_k w_k^T. Columns know nothing of one another,
 * so they are computed in blocks that stay in a cache while the vectors go by. */
#include "core/linalg/orthogonal.h"

#include <string.h>

#include "core/base/cpu.h"
#include "core/base/elementary.h"
#include "core/kernel/source.h"

#define COLUMNS SOW_REFLECT_COLUMNS

/* Doubles before vector k. */
static uint64_t vector_begin(uint64_t rows, uint64_t k)
{
    return k * rows - (k == 0 ? 0 : k * (k - 1) / 2);
}

uint64_t sow_reflections_count(uint64_t rows, uint64_t columns)
{
    return vector_begin(rows, columns);
}

/* From normal values g to w of length sqrt(2): 1 - w w^T maps g to a multiple of the first axis. */
static void make_vector(double *g, uint64_t length)
{
    double sum = 0;
    for (uint64_t i = 0; i < length; i++) {
        sum = sum + g[i] * g[i];
    }
    const double norm = sow_sqrt(sum), first = g[0] < 0 ? -g[0] : g[0];
    const double scale = sow_sqrt(norm * (norm + first));
    g[0] = g[0] < 0 ? g[0] - norm : g[0] + norm;
    for (uint64_t i = 0; i < length; i++) {
        g[i] = g[i] / scale;
    }
}

void sow_reflections_draw(const struct sow_kernels *kernels, const struct sow_reflections *of,
                          uint64_t begin, uint64_t end)
{
    const struct sow_draw normal = {.distribution = SOW_NORMAL, .std = 1};
    for (uint64_t k = begin; k < end; k++) {
        double *vector = of->vectors + vector_begin(of->rows, k);
        sow_fill_with(kernels, vector, SOW_F64, of->first + k * of->rows + k, of->rows - k, &normal,
                      of->key);
        uint64_t state = sow_cpu_float_enter();
        make_vector(vector, of->rows - k);
        sow_cpu_float_leave(state);
    }
}

/* Before the first reflection: -1 or 1 on the diagonal, where the block has one. */
static void start(const struct sow_reflections *of, uint64_t begin, uint64_t end, double *block)
{
    memset(block, 0, of->rows * COLUMNS * sizeof *block);
    for (uint64_t j = begin; j < end; j++) {
        double w = of->vectors[vector_begin(of->rows, j)];
        block[j * COLUMNS + (j - begin)] = w < 0 ? 1 : -1;
    }
}

void sow_reflections_apply(const struct sow_kernels *kernels, const struct sow_reflections *of,
                           uint64_t begin, double *block)
{
    const uint64_t rows = of->rows;
    const uint64_t end = begin + COLUMNS < of->columns ? begin + COLUMNS : of->columns;
    _Alignas(SOW_TILE_ALIGN) double amounts[COLUMNS] = {0}, sums[COLUMNS];
    uint64_t state = sow_cpu_float_enter();
    start(of, begin, end, block);
    /* Reflection `end` does not exist: nothing of it is subtracted, and the products for end - 1 are made. */
    for (uint64_t k = end; k-- > 0;) {
        const double *next = of->vectors + vector_begin(rows, k);
        const double *vector = k + 1 < end ? of->vectors + vector_begin(rows, k + 1) : next + 1;
        const double *top = block + k * COLUMNS;
        for (int c = 0; c < COLUMNS; c++) {
            sums[c] = 0 + next[0] * top[c];
        }
        kernels->reflect(block + (k + 1) * COLUMNS, vector, next + 1, rows - k - 1, amounts, sums);
        for (uint64_t c = 0; c < COLUMNS; c++) {
            amounts[c] = begin + c >= k && begin + c < end ? sums[c] : 0; /* columns k and later */
        }
    }
    /* The last one, H_0, has no next; its products are of no use. */
    kernels->reflect(block, of->vectors, of->vectors, rows, amounts, sums);
    sow_cpu_float_leave(state);
}
