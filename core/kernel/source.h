/* SPDX-License-Identifier: MIT */
/* A source: one draw of one tensor in one dtype, ready to be read at any element. fill.c and box.c are
 * two ways to read it. By value, nothing to free, not changed by reading. */
#ifndef SOW_KERNEL_SOURCE_H
#define SOW_KERNEL_SOURCE_H

#include "core/kernel/kernel.h"

struct sow_source {
    const struct sow_kernels *kernels;
    struct sow_stream stream;
    enum sow_distribution distribution;
    int wide;                /* float64 values: 2 elements a block, else 4 */
    size_t size;             /* bytes of an element; 0: nothing can be written in this dtype */
    sow_store_f32_fn *store; /* of narrow values; NULL where all bytes are `integer`'s */
    uint64_t integer;
    uint64_t shift; /* element i takes the word of element i + shift, modulo 2^64 */
    union {
        struct sow_numbers_f32 f32;
        struct sow_numbers_f64 f64;
    } numbers;
};

struct sow_source sow_source(const struct sow_kernels *kernels, enum sow_dtype dtype,
                             const struct sow_draw *draw, struct sow_key key);

/* Whether `count` elements are enough to go around the caches: a buffer of 4 MiB would not stay in them,
 * and a line that is written whole need not be read first. */
static inline int sow_source_streams(const struct sow_source *source, uint64_t count)
{
    return source->size > 0 && count >= (UINT64_C(4) << 20) / source->size;
}

/* Elements first .. first + count - 1, to dst one after the other. The caller sets the floating-point
 * state (core/base/cpu.h) and, after streaming, calls the kernels' fence. */
void sow_source_read(const struct sow_source *source, void *dst, uint64_t first, uint64_t count,
                     int streaming);

/* sow_fill and sow_fill_box with given kernels. For tests. */
void sow_fill_with(const struct sow_kernels *kernels, void *dst, enum sow_dtype dtype,
                   uint64_t first, uint64_t count, const struct sow_draw *draw, struct sow_key key);
void sow_fill_box_with(const struct sow_kernels *kernels, void *dst, enum sow_dtype dtype,
                       uint32_t rank, const uint64_t *shape, const uint64_t *start,
                       const uint64_t *size, const int64_t *strides, const struct sow_draw *draw,
                       struct sow_key key);

#endif
