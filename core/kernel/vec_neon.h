/* SPDX-License-Identifier: MIT */
/* The vector vocabulary (vec_scalar.h) in AArch64's Advanced SIMD: 2 blocks, 4 floats, in their natural order.
 * There are no streaming stores: the cores this is for detect whole lines by themselves. Counts of shifts
 * are written with the compilers' vector operators, which take a variable where -O0 has one. */
#ifndef SOW_KERNEL_VEC_NEON_H
#define SOW_KERNEL_VEC_NEON_H

#if !defined(__aarch64__) || defined(__AARCH64EB__)
#error "vec_neon.h needs little-endian AArch64"
#endif

#include <arm_neon.h>
#include <stdint.h>

#define VEC_INLINE    static inline __attribute__((always_inline))
#define VEC_BLOCKS    2
#define VEC_FLIGHT    2
#define VEC_GEMM_ROWS 12
#define VEC_HAS_F16   1

typedef uint64x2_t vi64;
typedef uint32x4_t vi32;
typedef float64x2_t vf64;
typedef float32x4_t vf32;

/* ---- Words -------------------------------------------------------------------------------- */

VEC_INLINE vi64 vi64_blocks(uint64_t block)
{
    return vcombine_u64(vcreate_u64(block), vcreate_u64(block + 1));
}

VEC_INLINE vi64 vi64_mul_low(vi64 a, vi64 b)
{
    return vmull_u32(vmovn_u64(a), vmovn_u64(b));
}

VEC_INLINE vi64 vi64_high(vi64 a)
{
    return a >> 32;
}

VEC_INLINE vi64 vi64_xor3(vi64 a, vi64 b, vi64 c)
{
    vi64 early = veorq_u64(b, c);
    __asm__("" : "+w"(early)); /* a comes last: compilers that regroup the sum lengthen the chain */
    return veorq_u64(a, early);
}

VEC_INLINE vi32 vi64_pack_low(vi64 a, vi64 b)
{
    return vtrn1q_u32(vreinterpretq_u32_u64(a), vreinterpretq_u32_u64(b));
}

VEC_INLINE vi32 vi64_pack_high(vi64 a, vi64 b)
{
    return vtrn2q_u32(vreinterpretq_u32_u64(a), vreinterpretq_u32_u64(b));
}

VEC_INLINE vi64 vi64_join_low(vi64 a, vi64 b)
{
    return vreinterpretq_u64_u32(vi64_pack_low(a, b));
}

/* ---- 32 bits ------------------------------------------------------------------------------ */

VEC_INLINE vi32 vi32_set(uint32_t x)
{
    return vdupq_n_u32(x);
}

VEC_INLINE vi32 vi32_add(vi32 a, vi32 b)
{
    return vaddq_u32(a, b);
}

VEC_INLINE vi32 vi32_sub(vi32 a, vi32 b)
{
    return vsubq_u32(a, b);
}

VEC_INLINE vi32 vi32_and(vi32 a, vi32 b)
{
    return vandq_u32(a, b);
}

VEC_INLINE vi32 vi32_or(vi32 a, vi32 b)
{
    return vorrq_u32(a, b);
}

VEC_INLINE vi32 vi32_xor(vi32 a, vi32 b)
{
    return veorq_u32(a, b);
}

VEC_INLINE vi32 vi32_shl(vi32 a, int n)
{
    return a << n;
}

VEC_INLINE vi32 vi32_shr(vi32 a, int n)
{
    return a >> n;
}

VEC_INLINE vi32 vi32_sar(vi32 a, int n)
{
    return vreinterpretq_u32_s32(vreinterpretq_s32_u32(a) >> n);
}

VEC_INLINE vi32 vi32_min(vi32 a, vi32 b)
{
    return vreinterpretq_u32_s32(vminq_s32(vreinterpretq_s32_u32(a), vreinterpretq_s32_u32(b)));
}

VEC_INLINE vi32 vi32_select_less(vi32 a, vi32 b, vi32 less, vi32 other)
{
    return vbslq_u32(vcltq_s32(vreinterpretq_s32_u32(a), vreinterpretq_s32_u32(b)), less, other);
}

VEC_INLINE vf32 vf32_set(float x)
{
    return vdupq_n_f32(x);
}

VEC_INLINE vf32 vf32_load(const float *tile)
{
    return vld1q_f32(tile);
}

VEC_INLINE void vf32_store(float *tile, vf32 a)
{
    vst1q_f32(tile, a);
}

VEC_INLINE vf32 vf32_load_any(const float *from)
{
    return vld1q_f32(from);
}

VEC_INLINE void vf32_store_any(float *to, vf32 a)
{
    vst1q_f32(to, a);
}

VEC_INLINE vi32 vf32_bits(vf32 a)
{
    return vreinterpretq_u32_f32(a);
}

VEC_INLINE vf32 vf32_from_bits(vi32 a)
{
    return vreinterpretq_f32_u32(a);
}

VEC_INLINE vf32 vf32_from_int(vi32 a)
{
    return vcvtq_f32_s32(vreinterpretq_s32_u32(a));
}

VEC_INLINE vf32 vf32_add(vf32 a, vf32 b)
{
    return vaddq_f32(a, b);
}

VEC_INLINE vf32 vf32_sub(vf32 a, vf32 b)
{
    return vsubq_f32(a, b);
}

VEC_INLINE vf32 vf32_mul(vf32 a, vf32 b)
{
    return vmulq_f32(a, b);
}

VEC_INLINE vf32 vf32_fma(vf32 a, vf32 b, vf32 c)
{
    return vfmaq_f32(c, a, b);
}

VEC_INLINE vf32 vf32_fnma(vf32 a, vf32 b, vf32 c)
{
    return vfmsq_f32(c, a, b);
}

VEC_INLINE vf32 vf32_fms(vf32 a, vf32 b, vf32 c)
{
    return vfmaq_f32(vnegq_f32(c), a, b);
}

VEC_INLINE vf32 vf32_sqrt(vf32 a)
{
    return vsqrtq_f32(a);
}

VEC_INLINE vf32 vf32_select_bit(vi32 word, int bit, vf32 set, vf32 other)
{
    return vbslq_f32(vtstq_u32(word, vi32_set(1u << bit)), set, other);
}

VEC_INLINE vf32 vf32_select_less(vf32 a, vf32 b, vf32 less, vf32 other)
{
    return vbslq_f32(vcltq_f32(a, b), less, other);
}

VEC_INLINE vi32 vf32_to_f16(vf32 a)
{
    return vmovl_u16(vreinterpret_u16_f16(vcvt_f16_f32(a)));
}

VEC_INLINE vi32 vf32_round_16(vf32 a)
{
    vi32 odd = vi32_and(vi32_shr(vf32_bits(a), 16), vi32_set(1));
    return vi32_add(vi32_add(vf32_bits(a), vi32_set(0x7fff)), odd);
}

VEC_INLINE vf32 vf32_clamp(vf32 x, vf32 low, vf32 high)
{
    x = vbslq_f32(vcgtq_f32(low, x), low, x);
    return vbslq_f32(vcltq_f32(high, x), high, x);
}

/* ---- 64 bits ------------------------------------------------------------------------------ */

VEC_INLINE vi64 vi64_set(uint64_t x)
{
    return vdupq_n_u64(x);
}

VEC_INLINE vi64 vi64_add(vi64 a, vi64 b)
{
    return vaddq_u64(a, b);
}

VEC_INLINE vi64 vi64_sub(vi64 a, vi64 b)
{
    return vsubq_u64(a, b);
}

VEC_INLINE vi64 vi64_and(vi64 a, vi64 b)
{
    return vandq_u64(a, b);
}

VEC_INLINE vi64 vi64_or(vi64 a, vi64 b)
{
    return vorrq_u64(a, b);
}

VEC_INLINE vi64 vi64_xor(vi64 a, vi64 b)
{
    return veorq_u64(a, b);
}

VEC_INLINE vi64 vi64_shl(vi64 a, int n)
{
    return a << n;
}

VEC_INLINE vi64 vi64_sar(vi64 a, int n)
{
    return vreinterpretq_u64_s64(vreinterpretq_s64_u64(a) >> n);
}

VEC_INLINE vf64 vf64_set(double x)
{
    return vdupq_n_f64(x);
}

VEC_INLINE vf64 vf64_load(const double *tile)
{
    return vld1q_f64(tile);
}

VEC_INLINE void vf64_store(double *tile, vf64 a)
{
    vst1q_f64(tile, a);
}

VEC_INLINE vi64 vf64_bits(vf64 a)
{
    return vreinterpretq_u64_f64(a);
}

VEC_INLINE vf64 vf64_from_bits(vi64 a)
{
    return vreinterpretq_f64_u64(a);
}

VEC_INLINE vf64 vf64_from_int(vi64 a)
{
    return vcvtq_f64_s64(vreinterpretq_s64_u64(a));
}

VEC_INLINE vf64 vf64_add(vf64 a, vf64 b)
{
    return vaddq_f64(a, b);
}

VEC_INLINE vf64 vf64_sub(vf64 a, vf64 b)
{
    return vsubq_f64(a, b);
}

VEC_INLINE vf64 vf64_mul(vf64 a, vf64 b)
{
    return vmulq_f64(a, b);
}

VEC_INLINE vf64 vf64_div(vf64 a, vf64 b)
{
    return vdivq_f64(a, b);
}

VEC_INLINE vf64 vf64_fma(vf64 a, vf64 b, vf64 c)
{
    return vfmaq_f64(c, a, b);
}

VEC_INLINE vf64 vf64_fms(vf64 a, vf64 b, vf64 c)
{
    return vfmaq_f64(vnegq_f64(c), a, b);
}

VEC_INLINE vf64 vf64_sqrt(vf64 a)
{
    return vsqrtq_f64(a);
}

VEC_INLINE vf64 vf64_select_bit(vi64 word, int bit, vf64 set, vf64 other)
{
    return vbslq_f64(vtstq_u64(word, vi64_set(UINT64_C(1) << bit)), set, other);
}

VEC_INLINE vf64 vf64_select_less(vf64 a, vf64 b, vf64 less, vf64 other)
{
    return vbslq_f64(vcltq_f64(a, b), less, other);
}

VEC_INLINE vf64 vf64_clamp(vf64 x, vf64 low, vf64 high)
{
    x = vbslq_f64(vcgtq_f64(low, x), low, x);
    return vbslq_f64(vcltq_f64(high, x), high, x);
}

/* ---- Bytes -------------------------------------------------------------------------------- */

VEC_INLINE void vec_write(void *dst, uint8x16_t bytes)
{
    vst1q_u8(dst, bytes);
}

VEC_INLINE void vf64_put(void *dst, vf64 even, vf64 odd, int streaming)
{
    (void)streaming;
    vec_write(dst, vreinterpretq_u8_f64(vzip1q_f64(even, odd)));
    vec_write((uint8_t *)dst + 16, vreinterpretq_u8_f64(vzip2q_f64(even, odd)));
}

VEC_INLINE void vi32_put(void *dst, vi32 even, vi32 odd, int streaming)
{
    (void)streaming;
    vec_write(dst, vreinterpretq_u8_u32(vzip1q_u32(even, odd)));
    vec_write((uint8_t *)dst + 16, vreinterpretq_u8_u32(vzip2q_u32(even, odd)));
}

VEC_INLINE void vi32_put_16(void *dst, vi32 even, vi32 odd, int streaming)
{
    uint16x8_t places = vtrn1q_u16(vreinterpretq_u16_u32(even), vreinterpretq_u16_u32(odd));
    (void)streaming;
    vec_write(dst, vreinterpretq_u8_u16(places));
}

VEC_INLINE void vi32_put_high_16(void *dst, vi32 even, vi32 odd, int streaming)
{
    uint16x8_t places = vtrn2q_u16(vreinterpretq_u16_u32(even), vreinterpretq_u16_u32(odd));
    (void)streaming;
    vec_write(dst, vreinterpretq_u8_u16(places));
}

VEC_INLINE void vi32_put_8(void *dst, vi32 even, vi32 odd, vi32 next_even, vi32 next_odd,
                           int streaming)
{
    uint8x16_t both = vtrn1q_u8(vreinterpretq_u8_u32(even), vreinterpretq_u8_u32(odd));
    uint8x16_t next = vtrn1q_u8(vreinterpretq_u8_u32(next_even), vreinterpretq_u8_u32(next_odd));
    uint16x8_t places = vuzp1q_u16(vreinterpretq_u16_u8(both), vreinterpretq_u16_u8(next));
    (void)streaming;
    vec_write(dst, vreinterpretq_u8_u16(places));
}

VEC_INLINE void vec_copy_line(void *dst, const void *bytes)
{
    vst1q_u8_x4(dst, vld1q_u8_x4(bytes));
}

VEC_INLINE void vec_fence(void)
{
}

#endif
