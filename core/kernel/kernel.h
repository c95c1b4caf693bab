/* SPDX-License-Identifier: MIT */
/* Draw and store kernels: what kernels_tmpl.c gives for each instruction set, and how one is chosen.
 *
 * A draw kernel (distribution x width) writes a tile of values that stays in the L1 cache; a store kernel
 * (dtype) rounds a tile into bytes. Both work in whole groups of blocks and know nothing of ranges,
 * alignment or tails: fill.c draws a group too much and copies the part that was asked for.
 * The order of the values inside a tile is each instruction set's own; only its store kernels undo it. */
#ifndef SOW_KERNEL_KERNEL_H
#define SOW_KERNEL_KERNEL_H

#include <stddef.h>
#include <stdint.h>

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

/* The numbers of a distribution as the kernels take them, computed once a fill (numbers.c). */
struct sow_numbers_f32 {
    float mean, std;     /* normal; constant: mean */
    float middle, scale; /* uniform: value = fma(k, scale, middle) */
    float low, high;     /* every value is clamped to these */
};
struct sow_numbers_f64 {
    double mean, std;
    double middle, scale;
    double low, high;
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

/* One instruction set. */
struct sow_kernels {
    const char *isa;
    uint32_t group_blocks; /* a power of two that divides SOW_TILE_BLOCKS */
    sow_draw_f32_fn *draw_f32[SOW_DIST_COUNT];
    sow_draw_f64_fn *draw_f64[SOW_DIST_COUNT];
    sow_store_f32_fn *store_f32[SOW_STORE_COUNT]; /* by dtype; NULL where there is none */
    sow_store_f64_fn *store_f64;
    void (*fence)(void); /* after the last streaming store */
};

/* The kernels in use (dispatch.c). */
const struct sow_kernels *sow_kernels_chosen(void);
/* Those this build has and this CPU can run, weakest first; NULL past the end. For tests. */
const struct sow_kernels *sow_kernels_at(size_t index);

#endif
