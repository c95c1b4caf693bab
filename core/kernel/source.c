/* SPDX-License-Identifier: MIT */
/* Reading a source: which kernels, in which tiles. The ends of a range, and short ranges, go through a
 * spare buffer - whole groups are drawn there and the part that was asked for is copied - so that there is
 * one formula and no tail. */
#include "core/kernel/source.h"

#include <string.h>

#include "core/kernel/numbers.h"

/* ---- Integers: constants only --------------------------------------------------------------- */

/* x to the nearest integer, ties to even. */
static double round_even(double x)
{
    const double shift = x < 0 ? -0x1p52 : 0x1p52;
    if (x >= 0x1p52 || x <= -0x1p52) {
        return x;
    }
    return (x + shift) - shift;
}

/* The value of an integer dtype nearest to x, as its bits. NaN counts as 0. */
static uint64_t integer_bits(enum sow_dtype dtype, double x)
{
    const int is_signed =
        dtype == SOW_I64 || dtype == SOW_I32 || dtype == SOW_I16 || dtype == SOW_I8;
    const uint32_t bits = dtype == SOW_BOOL ? 1 : sow_dtype_bits(dtype) - (is_signed ? 1 : 0);
    const uint64_t largest = UINT64_MAX >> (64 - bits);
    const double limit = 2 * (double)(UINT64_C(1) << (bits - 1)); /* largest + 1 */
    double rounded = round_even(x);
    if (rounded >= limit) {
        return largest;
    }
    if (rounded > 0) {
        return (uint64_t)rounded;
    }
    if (!is_signed || !(rounded < 0)) {
        return 0;
    }
    return rounded <= -limit ? ~largest : (uint64_t)(int64_t)rounded;
}

static void fill_integers(unsigned char *dst, size_t size, uint64_t bits, uint64_t count)
{
    const uint8_t as_8 = (uint8_t)bits;
    const uint16_t as_16 = (uint16_t)bits;
    const uint32_t as_32 = (uint32_t)bits;
    const void *element = size == 1   ? (const void *)&as_8
                          : size == 2 ? (const void *)&as_16
                          : size == 4 ? (const void *)&as_32
                                      : (const void *)&bits;
    for (uint64_t i = 0; i < count; i++) {
        memcpy(dst + i * size, element, size);
    }
}

/* ---- Sources ------------------------------------------------------------------------------ */

enum kind { FLOAT, INTEGER, OPAQUE };

static enum kind kind_of(enum sow_dtype dtype)
{
    switch (dtype) {
#define SOW_DTYPE(id, name, value, bits, safetensors, kind)                                        \
    case SOW_##id:                                                                                 \
        return kind;
#include "sow/dtype.def"
#undef SOW_DTYPE
    }
    return OPAQUE;
}

struct sow_source sow_source(const struct sow_kernels *kernels, enum sow_dtype dtype,
                             const struct sow_draw *draw, struct sow_key key)
{
    struct sow_source source;
    memset(&source, 0, sizeof source);
    source.kernels = kernels;
    source.distribution = draw->distribution;
    enum kind kind = kind_of(dtype);
    if (kind == OPAQUE || (kind == INTEGER && draw->distribution != SOW_CONSTANT)) {
        return source;
    }
    source.size = sow_dtype_bits(dtype) / 8;
    if (sow_draw_is_whole(draw)) { /* no elements of its own: all bits set are NaN in every dtype */
        source.distribution = SOW_CONSTANT;
        source.integer = UINT64_MAX;
        return source;
    }
    if (kind == INTEGER) {
        source.integer = integer_bits(dtype, draw->mean);
        return source;
    }
    source.stream = sow_stream(key);
    source.shift = (uint64_t)(int64_t)draw->shift;
    if (dtype == SOW_F64) {
        source.wide = 1;
        source.numbers.f64 = sow_numbers_f64(draw);
    } else {
        source.store = kernels->store_f32[dtype];
        source.numbers.f32 = sow_numbers_f32(draw);
    }
    return source;
}

/* ---- Reading ------------------------------------------------------------------------------ */

union tile {
    _Alignas(SOW_TILE_ALIGN) float f32[SOW_TILE_BYTES / sizeof(float)];
    double f64[SOW_TILE_BYTES / sizeof(double)];
};

static void draw_tile(const struct sow_source *source, union tile *tile, uint64_t block,
                      size_t groups)
{
    if (source->wide) {
        source->kernels->draw_f64[source->distribution](tile->f64, block, groups, &source->stream,
                                                        &source->numbers.f64);
    } else {
        source->kernels->draw_f32[source->distribution](tile->f32, block, groups, &source->stream,
                                                        &source->numbers.f32);
    }
}

static void store_tile(const struct sow_source *source, const union tile *tile, void *dst,
                       size_t groups, int streaming)
{
    if (source->wide) {
        source->kernels->store_f64(dst, tile->f64, groups, streaming);
    } else {
        source->store(dst, tile->f32, groups, streaming);
    }
}

/* To a misaligned place: whole lines around the caches, the pieces before and after them as usual. */
static void stream(const struct sow_kernels *kernels, unsigned char *dst,
                   const unsigned char *bytes, size_t size)
{
    size_t head = (SOW_TILE_ALIGN - (uintptr_t)dst % SOW_TILE_ALIGN) % SOW_TILE_ALIGN;
    head = head < size ? head : size;
    size_t lines = (size - head) / SOW_TILE_ALIGN, tail = head + lines * SOW_TILE_ALIGN;
    memcpy(dst, bytes, head);
    kernels->stream(dst + head, bytes + head, lines);
    memcpy(dst + tail, bytes + tail, size - tail);
}

void sow_source_read(const struct sow_source *source, void *dst, uint64_t first, uint64_t count,
                     int streaming)
{
    const size_t size = source->size;
    if (size == 0 || (!source->wide && source->store == NULL)) {
        fill_integers(dst, size, source->integer, size == 0 ? 0 : count);
        return;
    }
    const uint64_t group_blocks = source->kernels->group_blocks;
    const uint64_t per_block = source->wide ? SOW_BLOCK_F64 : SOW_BLOCK_F32;
    const uint64_t per_group = group_blocks * per_block;
    unsigned char *out = dst;
    union tile tile;
    _Alignas(SOW_TILE_ALIGN) unsigned char spare[SOW_TILE_BYTES];
    uint64_t drawn = 0; /* groups of a constant that the tile already holds */
    first += source->shift;
    while (count > 0) {
        uint64_t block = first / per_block / group_blocks * group_blocks;
        uint64_t skip = first - block * per_block;
        uint64_t room = (SOW_TILE_BLOCKS - block % SOW_TILE_BLOCKS) * per_block - skip;
        uint64_t take = count < room ? count : room;
        size_t groups = (size_t)((skip + take + per_group - 1) / per_group);
        if (source->distribution != SOW_CONSTANT || drawn < groups) {
            draw_tile(source, &tile, block, groups);
            drawn = groups;
        }
        if (skip > 0 || take < groups * per_group) {
            store_tile(source, &tile, spare, groups, 0);
            memcpy(out, spare + skip * size, take * size);
        } else if (!streaming || (uintptr_t)out % SOW_TILE_ALIGN == 0) {
            store_tile(source, &tile, out, groups, streaming);
        } else {
            store_tile(source, &tile, spare, groups, 0);
            stream(source->kernels, out, spare, take * size);
        }
        out += take * size;
        first += take;
        count -= take;
    }
}
