/* SPDX-License-Identifier: MIT */
/* The vector vocabulary in plain C: the reference of every other vec_*.h, and where an operation is defined.
 *
 * VEC_BLOCKS Philox blocks lie side by side, one to a 64-bit lane. vi64/vf64 have VEC_BLOCKS lanes of 64
 * bits, vi32/vf32 twice as many of 32. Values travel as pairs of vectors, `even` and `odd`: the elements
 * 0, 2, 4, ... and 1, 3, 5, ... of VEC_BLOCKS blocks, whose order in the lanes is the vocabulary's own
 * (vi64_blocks sets it, the put functions undo it). Shift counts are constants.
 * Every floating operation rounds once, to nearest even; fma is IEEE's. */
#ifndef SOW_KERNEL_VEC_SCALAR_H
#define SOW_KERNEL_VEC_SCALAR_H

#include <stdint.h>
#include <string.h>

#include "core/base/fma.h"

#define VEC_INLINE    static inline __attribute__((always_inline))
#define VEC_BLOCKS    1 /* blocks in a vector */
#define VEC_FLIGHT    2 /* independent vectors in flight, for the sake of latency */
#define VEC_GEMM_ROWS 4 /* rows of a product's micro-tile, which is two vectors wide */

/* clang-format off */
typedef uint64_t vi64;
typedef double vf64;
typedef struct { uint32_t lane[2]; } vi32;
typedef struct { float lane[2]; } vf32;
/* clang-format on */

/* ---- Words -------------------------------------------------------------------------------- */

/* Block numbers block, block + 1, ..., in the vocabulary's order. */
VEC_INLINE vi64 vi64_blocks(uint64_t block)
{
    return block;
}

/* Products of the low halves. */
VEC_INLINE vi64 vi64_mul_low(vi64 a, vi64 b)
{
    return (uint64_t)(uint32_t)a * (uint32_t)b;
}

/* The high halves in the place of the low; what is above them is unspecified. */
VEC_INLINE vi64 vi64_high(vi64 a)
{
    return a >> 32;
}

VEC_INLINE vi64 vi64_xor3(vi64 a, vi64 b, vi64 c)
{
    return a ^ b ^ c;
}

/* 32-bit lanes 2i and 2i + 1: the low (high) halves of lane i of a and of b. */
VEC_INLINE vi32 vi64_pack_low(vi64 a, vi64 b)
{
    return (vi32){{(uint32_t)a, (uint32_t)b}};
}

VEC_INLINE vi32 vi64_pack_high(vi64 a, vi64 b)
{
    return (vi32){{(uint32_t)(a >> 32), (uint32_t)(b >> 32)}};
}

/* The low half of a, and above it the low half of b. */
VEC_INLINE vi64 vi64_join_low(vi64 a, vi64 b)
{
    return (uint32_t)a | b << 32;
}

/* ---- 32 bits ------------------------------------------------------------------------------ */

VEC_INLINE vi32 vi32_set(uint32_t x)
{
    return (vi32){{x, x}};
}

VEC_INLINE vi32 vi32_add(vi32 a, vi32 b)
{
    return (vi32){{a.lane[0] + b.lane[0], a.lane[1] + b.lane[1]}};
}

VEC_INLINE vi32 vi32_sub(vi32 a, vi32 b)
{
    return (vi32){{a.lane[0] - b.lane[0], a.lane[1] - b.lane[1]}};
}

VEC_INLINE vi32 vi32_and(vi32 a, vi32 b)
{
    return (vi32){{a.lane[0] & b.lane[0], a.lane[1] & b.lane[1]}};
}

VEC_INLINE vi32 vi32_or(vi32 a, vi32 b)
{
    return (vi32){{a.lane[0] | b.lane[0], a.lane[1] | b.lane[1]}};
}

VEC_INLINE vi32 vi32_xor(vi32 a, vi32 b)
{
    return (vi32){{a.lane[0] ^ b.lane[0], a.lane[1] ^ b.lane[1]}};
}

VEC_INLINE vi32 vi32_shl(vi32 a, int n)
{
    return (vi32){{a.lane[0] << n, a.lane[1] << n}};
}

VEC_INLINE vi32 vi32_shr(vi32 a, int n)
{
    return (vi32){{a.lane[0] >> n, a.lane[1] >> n}};
}

/* Shift right that keeps the sign. */
VEC_INLINE vi32 vi32_sar(vi32 a, int n)
{
    return (vi32){{(uint32_t)((int32_t)a.lane[0] >> n), (uint32_t)((int32_t)a.lane[1] >> n)}};
}

/* a where it is the smaller as a signed integer, else b. */
VEC_INLINE vi32 vi32_min(vi32 a, vi32 b)
{
    return (vi32){{(int32_t)a.lane[0] < (int32_t)b.lane[0] ? a.lane[0] : b.lane[0],
                   (int32_t)a.lane[1] < (int32_t)b.lane[1] ? a.lane[1] : b.lane[1]}};
}

/* less where a < b as signed integers, else other. */
VEC_INLINE vi32 vi32_select_less(vi32 a, vi32 b, vi32 less, vi32 other)
{
    return (vi32){{(int32_t)a.lane[0] < (int32_t)b.lane[0] ? less.lane[0] : other.lane[0],
                   (int32_t)a.lane[1] < (int32_t)b.lane[1] ? less.lane[1] : other.lane[1]}};
}

VEC_INLINE vf32 vf32_set(float x)
{
    return (vf32){{x, x}};
}

/* From and to a tile, which is aligned. */
VEC_INLINE vf32 vf32_load(const float *tile)
{
    return (vf32){{tile[0], tile[1]}};
}

VEC_INLINE void vf32_store(float *tile, vf32 a)
{
    tile[0] = a.lane[0];
    tile[1] = a.lane[1];
}

/* From and to anywhere, in the order of the lanes. */
VEC_INLINE vf32 vf32_load_any(const float *from)
{
    return (vf32){{from[0], from[1]}};
}

VEC_INLINE void vf32_store_any(float *to, vf32 a)
{
    to[0] = a.lane[0];
    to[1] = a.lane[1];
}

VEC_INLINE vi32 vf32_bits(vf32 a)
{
    vi32 bits;
    memcpy(&bits, &a, sizeof bits);
    return bits;
}

VEC_INLINE vf32 vf32_from_bits(vi32 a)
{
    vf32 x;
    memcpy(&x, &a, sizeof x);
    return x;
}

/* From signed integers, rounded. */
VEC_INLINE vf32 vf32_from_int(vi32 a)
{
    return (vf32){{(float)(int32_t)a.lane[0], (float)(int32_t)a.lane[1]}};
}

VEC_INLINE vf32 vf32_add(vf32 a, vf32 b)
{
    return (vf32){{a.lane[0] + b.lane[0], a.lane[1] + b.lane[1]}};
}

VEC_INLINE vf32 vf32_sub(vf32 a, vf32 b)
{
    return (vf32){{a.lane[0] - b.lane[0], a.lane[1] - b.lane[1]}};
}

VEC_INLINE vf32 vf32_mul(vf32 a, vf32 b)
{
    return (vf32){{a.lane[0] * b.lane[0], a.lane[1] * b.lane[1]}};
}

VEC_INLINE vf32 vf32_fma(vf32 a, vf32 b, vf32 c)
{
    return (vf32){
        {sow_fmaf(a.lane[0], b.lane[0], c.lane[0]), sow_fmaf(a.lane[1], b.lane[1], c.lane[1])}};
}

VEC_INLINE vf32 vf32_sqrt(vf32 a)
{
    return (vf32){{__builtin_sqrtf(a.lane[0]), __builtin_sqrtf(a.lane[1])}};
}

/* c - a * b and a * b - c, each rounded once. */
VEC_INLINE vf32 vf32_fnma(vf32 a, vf32 b, vf32 c)
{
    return (vf32){
        {sow_fmaf(-a.lane[0], b.lane[0], c.lane[0]), sow_fmaf(-a.lane[1], b.lane[1], c.lane[1])}};
}

VEC_INLINE vf32 vf32_fms(vf32 a, vf32 b, vf32 c)
{
    return (vf32){
        {sow_fmaf(a.lane[0], b.lane[0], -c.lane[0]), sow_fmaf(a.lane[1], b.lane[1], -c.lane[1])}};
}

/* `set` where bit number `bit`, a constant, of `word` is set, else `other`. */
VEC_INLINE vf32 vf32_select_bit(vi32 word, int bit, vf32 set, vf32 other)
{
    return (vf32){{word.lane[0] >> bit & 1 ? set.lane[0] : other.lane[0],
                   word.lane[1] >> bit & 1 ? set.lane[1] : other.lane[1]}};
}

/* less where a < b, else other. */
VEC_INLINE vf32 vf32_select_less(vf32 a, vf32 b, vf32 less, vf32 other)
{
    return (vf32){{a.lane[0] < b.lane[0] ? less.lane[0] : other.lane[0],
                   a.lane[1] < b.lane[1] ? less.lane[1] : other.lane[1]}};
}

/* Bits of a, to which half a unit of bit 16 is added, and one more where bit 16 is odd: rounded to the
 * nearest even in the upper half. */
VEC_INLINE vi32 vf32_round_16(vf32 a)
{
    vi32 odd = vi32_and(vi32_shr(vf32_bits(a), 16), vi32_set(1));
    return vi32_add(vi32_add(vf32_bits(a), vi32_set(0x7fff)), odd);
}

/* Where VEC_HAS_F16 is defined, vf32_to_f16 gives the bits of the nearest binary16 in the lower half of each
 * lane, 0 above. */

/* low where low > x, else high where high < x, else x itself, the sign of a zero included. */
VEC_INLINE vf32 vf32_clamp(vf32 x, vf32 low, vf32 high)
{
    for (int i = 0; i < 2; i++) {
        x.lane[i] = low.lane[i] > x.lane[i] ? low.lane[i] : x.lane[i];
        x.lane[i] = high.lane[i] < x.lane[i] ? high.lane[i] : x.lane[i];
    }
    return x;
}

/* ---- 64 bits ------------------------------------------------------------------------------ */

VEC_INLINE vi64 vi64_set(uint64_t x)
{
    return x;
}

VEC_INLINE vi64 vi64_add(vi64 a, vi64 b)
{
    return a + b;
}

VEC_INLINE vi64 vi64_sub(vi64 a, vi64 b)
{
    return a - b;
}

VEC_INLINE vi64 vi64_and(vi64 a, vi64 b)
{
    return a & b;
}

VEC_INLINE vi64 vi64_or(vi64 a, vi64 b)
{
    return a | b;
}

VEC_INLINE vi64 vi64_xor(vi64 a, vi64 b)
{
    return a ^ b;
}

VEC_INLINE vi64 vi64_shl(vi64 a, int n)
{
    return a << n;
}

VEC_INLINE vi64 vi64_sar(vi64 a, int n)
{
    return (uint64_t)((int64_t)a >> n);
}

VEC_INLINE vf64 vf64_set(double x)
{
    return x;
}

VEC_INLINE vf64 vf64_load(const double *tile)
{
    return *tile;
}

VEC_INLINE void vf64_store(double *tile, vf64 a)
{
    *tile = a;
}

VEC_INLINE vi64 vf64_bits(vf64 a)
{
    return sow_double_bits(a);
}

VEC_INLINE vf64 vf64_from_bits(vi64 a)
{
    return sow_bits_double(a);
}

/* From signed integers, rounded. */
VEC_INLINE vf64 vf64_from_int(vi64 a)
{
    return (double)(int64_t)a;
}

VEC_INLINE vf64 vf64_add(vf64 a, vf64 b)
{
    return a + b;
}

VEC_INLINE vf64 vf64_sub(vf64 a, vf64 b)
{
    return a - b;
}

VEC_INLINE vf64 vf64_mul(vf64 a, vf64 b)
{
    return a * b;
}

VEC_INLINE vf64 vf64_fma(vf64 a, vf64 b, vf64 c)
{
    return sow_fma(a, b, c);
}

VEC_INLINE vf64 vf64_sqrt(vf64 a)
{
    return __builtin_sqrt(a);
}

VEC_INLINE vf64 vf64_fms(vf64 a, vf64 b, vf64 c)
{
    return sow_fma(a, b, -c);
}

VEC_INLINE vf64 vf64_div(vf64 a, vf64 b)
{
    return a / b;
}

VEC_INLINE vf64 vf64_select_bit(vi64 word, int bit, vf64 set, vf64 other)
{
    return word >> bit & 1 ? set : other;
}

VEC_INLINE vf64 vf64_select_less(vf64 a, vf64 b, vf64 less, vf64 other)
{
    return a < b ? less : other;
}

VEC_INLINE vf64 vf64_clamp(vf64 x, vf64 low, vf64 high)
{
    x = low > x ? low : x;
    return high < x ? high : x;
}

/* ---- Bytes -------------------------------------------------------------------------------- */

/* To dst in element order: 8 (4, 2, 1) bytes an element, the lowest of each lane. `streaming` goes around
 * the caches where the CPU can. put_8 takes two pairs, of following blocks. */
VEC_INLINE void vf64_put(void *dst, vf64 even, vf64 odd, int streaming)
{
    const double values[2] = {even, odd};
    (void)streaming;
    memcpy(dst, values, sizeof values);
}

VEC_INLINE void vi32_put(void *dst, vi32 even, vi32 odd, int streaming)
{
    const uint32_t values[4] = {even.lane[0], odd.lane[0], even.lane[1], odd.lane[1]};
    (void)streaming;
    memcpy(dst, values, sizeof values);
}

VEC_INLINE void vi32_put_16(void *dst, vi32 even, vi32 odd, int streaming)
{
    const uint16_t values[4] = {(uint16_t)even.lane[0], (uint16_t)odd.lane[0],
                                (uint16_t)even.lane[1], (uint16_t)odd.lane[1]};
    (void)streaming;
    memcpy(dst, values, sizeof values);
}

/* The same from the upper halves of the lanes. */
VEC_INLINE void vi32_put_high_16(void *dst, vi32 even, vi32 odd, int streaming)
{
    vi32_put_16(dst, vi32_shr(even, 16), vi32_shr(odd, 16), streaming);
}

VEC_INLINE void vi32_put_8(void *dst, vi32 even, vi32 odd, vi32 next_even, vi32 next_odd,
                           int streaming)
{
    const uint8_t values[8] = {(uint8_t)even.lane[0],      (uint8_t)odd.lane[0],
                               (uint8_t)even.lane[1],      (uint8_t)odd.lane[1],
                               (uint8_t)next_even.lane[0], (uint8_t)next_odd.lane[0],
                               (uint8_t)next_even.lane[1], (uint8_t)next_odd.lane[1]};
    (void)streaming;
    memcpy(dst, values, sizeof values);
}

/* A line of 64 bytes to an aligned place, streaming where the CPU can. */
VEC_INLINE void vec_copy_line(void *dst, const void *bytes)
{
    memcpy(dst, bytes, 64);
}

/* After the last streaming put. */
VEC_INLINE void vec_fence(void)
{
}

#endif
