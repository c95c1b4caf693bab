/* SPDX-License-Identifier: MIT */
/* Draw, store and product kernels: what kernels_tmpl.c gives for each instruction set, and how one is chosen.
 *
 * A draw kernel (distribution x width) writes a tile of values that stays in the L1 cache; a store kernel
 * (dtype) rounds a tile into bytes. Both work in whole groups of blocks and know nothing of ranges,
 * alignment or tails: fill.c draws a group too much and copies the part that was asked for.
 * The order of the values inside a tile is each instruction set's own; only its store kernels undo it. */
#ifndef SOW_KERNEL_KERNEL_H
#define SOW_KERNEL_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#include "core/kernel/map.h"
#include "core/random/stream.h"
#include "sow/sow.h"

#define SOW_TILE_BLOCKS 512 /* blocks of a tile: 8 KiB of values in either width */
#define SOW_TILE_BYTES  8192
#define SOW_TILE_ALIGN  64

enum {
#define SOW_DIST(id, name) SOW_DIST_##id,
#include "core/kernel/dist.def"
#undef SOW_DIST
    SOW_DIST_COUNT
};

#define SOW_STORE_COUNT (SOW_F8_E5M2 + 1) /* dtypes that have a store kernel are below this */

/* How a truncated normal is drawn. */
enum sow_cut {
    SOW_CUT_NOTHING, /* both bounds 6 sigma or more away: the normal draw, clamped */
    SOW_CUT_CENTRAL, /* both within 3.1 sigma: the inverse distribution function, central polynomial */
    SOW_CUT_TAIL,    /* the same, and the tail's */
};

/* The numbers of a distribution as the kernels take them, computed once a fill (numbers.c). */
struct sow_numbers_f32 {
    float mean, std;           /* normal and truncated normal; constant: mean */
    float middle, scale;       /* uniform: value = fma(k, scale, middle) */
    float low, high;           /* uniform and truncated normal: values are clamped to these */
    int centred;               /* uniform: the middle is 0, and no value needs the clamp */
    const struct sow_map *map; /* of a function of a uniform; else NULL */
    enum sow_cut cut;
    float step, step2, step4; /* mass inside, times 2^-32, 2^-31, 2^-30 */
    float below4, above4;     /* mass beyond either bound, times 4 */
    float to_middle,
        from_middle; /* mass up to the middle of the range, from below and from above */
    float shift;     /* mass below minus mass above */
};
struct sow_numbers_f64 { /* the same; step, step2, step4: times 2^-64, 2^-63, 2^-62 */
    double mean, std;
    double middle, scale;
    double low, high;
    int centred;
    const struct sow_map *map;
    enum sow_cut cut;
    double step, step2, step4;
    double below4, above4;
    double to_middle, from_middle;
    double shift;
};

/* Draws `groups` groups of blocks from `block` on; `block` is a multiple of a group, and the tile does not
 * cross a multiple of 2^32 blocks (an aligned tile of SOW_TILE_BLOCKS never does). */
typedef void sow_draw_f32_fn(float *tile, uint64_t block, size_t groups,
                             const struct sow_stream *stream,
                             const struct sow_numbers_f32 *numbers);
typedef void sow_draw_f64_fn(double *tile, uint64_t block, size_t groups,
                             const struct sow_stream *stream,
                             const struct sow_numbers_f64 *numbers);

/* Writes `groups` groups of a tile to dst in element order. Streaming goes around the caches, and needs dst
 * aligned to SOW_TILE_ALIGN and a fence (`fence`) before another thread reads. */
typedef void sow_store_f32_fn(void *dst, const float *tile, size_t groups, int streaming);
typedef void sow_store_f64_fn(void *dst, const double *tile, size_t groups, int streaming);

/* Copies lines of SOW_TILE_ALIGN bytes around the caches, dst aligned to a line; then too a fence is due. */
typedef void sow_stream_fn(void *dst, const void *bytes, size_t lines);

/* One tile of C += A B: gemm_rows rows of gemm_columns floats, c_stride apart, from a panel of A (for each k
 * the gemm_rows factors) and one of B (for each k the gemm_columns floats), B aligned to the vectors.
 * Each element is fma(a, b, element), k = 0, 1, ... in turn; it starts from C, or from 0 when `fresh`. */
typedef void sow_gemm_tile_fn(float *c, uint64_t c_stride, const float *a, const float *b,
                              uint64_t depth, int fresh);
#define SOW_GEMM_ROWS_MAX    16
#define SOW_GEMM_COLUMNS_MAX 32

/* A reflection of a block of SOW_REFLECT_COLUMNS columns, row by row in memory, and the products for the next one:
 * in every column, for i = 0 .. rows - 1 in turn and with every operation rounded,
 *
 *     x[i] = x[i] - vector[i] * amount,  then  sum = sum + next[i] * x[i]
 *
 * with an amount and a sum a column; the sums start as they are given. All but the vectors are aligned to
 * SOW_TILE_ALIGN. */
typedef void sow_reflect_fn(double *restrict block, const double *restrict vector,
                            const double *restrict next, uint64_t rows,
                            const double *restrict amounts, double *restrict sums);
#define SOW_REFLECT_COLUMNS 16

/* One instruction set. */
struct sow_kernels {
    const char *isa;
    uint32_t group_blocks; /* a power of two that divides SOW_TILE_BLOCKS */
    sow_draw_f32_fn *draw_f32[SOW_DIST_COUNT];
    sow_draw_f64_fn *draw_f64[SOW_DIST_COUNT];
    sow_store_f32_fn *store_f32[SOW_STORE_COUNT]; /* by dtype; NULL where there is none */
    sow_store_f64_fn *store_f64;
    sow_stream_fn *stream;
    void (*fence)(void); /* after the last streaming store */
    sow_gemm_tile_fn *gemm_tile;
    uint32_t gemm_rows, gemm_columns; /* of its tile */
    sow_reflect_fn *reflect;
};

/* The kernels in use (dispatch.c). */
const struct sow_kernels *sow_kernels_chosen(void);
/* Those this build has and this CPU can run, weakest first; NULL past the end. For tests. */
const struct sow_kernels *sow_kernels_at(size_t index);

#endif
