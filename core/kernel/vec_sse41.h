/* SPDX-License-Identifier: MIT */
/* The vector vocabulary (vec_scalar.h) in SSE4.1: 2 blocks, 4 floats, in their natural order.
 * fma is exact in software: floats through a double sum rounded to odd, doubles lane by lane (base/fma.h). */
#ifndef SOW_KERNEL_VEC_SSE41_H
#define SOW_KERNEL_VEC_SSE41_H

#if !defined(__SSE4_1__)
#error "vec_sse41.h needs -msse4.1"
#endif

#include <smmintrin.h>
#include <stdint.h>

#include "core/base/fma.h"

#define VEC_INLINE    static inline __attribute__((always_inline))
#define VEC_BLOCKS    2
#define VEC_FLIGHT    2
#define VEC_GEMM_ROWS 4

typedef __m128i vi64;
typedef __m128i vi32;
typedef __m128d vf64;
typedef __m128 vf32;

/* ---- Words -------------------------------------------------------------------------------- */

VEC_INLINE vi64 vi64_blocks(uint64_t block)
{
    return _mm_add_epi64(_mm_set1_epi64x((int64_t)block), _mm_set_epi64x(1, 0));
}

VEC_INLINE vi64 vi64_mul_low(vi64 a, vi64 b)
{
    return _mm_mul_epu32(a, b);
}

VEC_INLINE vi64 vi64_high(vi64 a)
{
    return _mm_shuffle_epi32(a, 0xF5); /* a shift would want the ports of the products on Intel */
}

VEC_INLINE vi64 vi64_xor3(vi64 a, vi64 b, vi64 c)
{
    vi64 early = _mm_xor_si128(b, c);
    __asm__("" : "+x"(early)); /* a comes last: compilers that regroup the sum lengthen the chain */
    return _mm_xor_si128(a, early);
}

VEC_INLINE vi32 vi64_pack_low(vi64 a, vi64 b)
{
    return _mm_blend_epi16(a, _mm_slli_epi64(b, 32), 0xCC);
}

VEC_INLINE vi32 vi64_pack_high(vi64 a, vi64 b)
{
    return _mm_blend_epi16(vi64_high(a), b, 0xCC);
}

VEC_INLINE vi64 vi64_join_low(vi64 a, vi64 b)
{
    return vi64_pack_low(a, b);
}

/* ---- 32 bits ------------------------------------------------------------------------------ */

VEC_INLINE vi32 vi32_set(uint32_t x)
{
    return _mm_set1_epi32((int32_t)x);
}

VEC_INLINE vi32 vi32_add(vi32 a, vi32 b)
{
    return _mm_add_epi32(a, b);
}

VEC_INLINE vi32 vi32_sub(vi32 a, vi32 b)
{
    return _mm_sub_epi32(a, b);
}

VEC_INLINE vi32 vi32_and(vi32 a, vi32 b)
{
    return _mm_and_si128(a, b);
}

VEC_INLINE vi32 vi32_or(vi32 a, vi32 b)
{
    return _mm_or_si128(a, b);
}

VEC_INLINE vi32 vi32_xor(vi32 a, vi32 b)
{
    return _mm_xor_si128(a, b);
}

VEC_INLINE vi32 vi32_shl(vi32 a, int n)
{
    return _mm_slli_epi32(a, n);
}

VEC_INLINE vi32 vi32_shr(vi32 a, int n)
{
    return _mm_srli_epi32(a, n);
}

VEC_INLINE vi32 vi32_sar(vi32 a, int n)
{
    return _mm_srai_epi32(a, n);
}

VEC_INLINE vi32 vi32_min(vi32 a, vi32 b)
{
    return _mm_min_epi32(a, b);
}

VEC_INLINE vi32 vi32_select_less(vi32 a, vi32 b, vi32 less, vi32 other)
{
    return _mm_blendv_epi8(other, less, _mm_cmpgt_epi32(b, a));
}

VEC_INLINE vf32 vf32_set(float x)
{
    return _mm_set1_ps(x);
}

VEC_INLINE vf32 vf32_load(const float *tile)
{
    return _mm_load_ps(tile);
}

VEC_INLINE void vf32_store(float *tile, vf32 a)
{
    _mm_store_ps(tile, a);
}

VEC_INLINE vf32 vf32_load_any(const float *from)
{
    return _mm_loadu_ps(from);
}

VEC_INLINE void vf32_store_any(float *to, vf32 a)
{
    _mm_storeu_ps(to, a);
}

VEC_INLINE vi32 vf32_bits(vf32 a)
{
    return _mm_castps_si128(a);
}

VEC_INLINE vf32 vf32_from_bits(vi32 a)
{
    return _mm_castsi128_ps(a);
}

VEC_INLINE vf32 vf32_from_int(vi32 a)
{
    return _mm_cvtepi32_ps(a);
}

VEC_INLINE vf32 vf32_add(vf32 a, vf32 b)
{
    return _mm_add_ps(a, b);
}

VEC_INLINE vf32 vf32_sub(vf32 a, vf32 b)
{
    return _mm_sub_ps(a, b);
}

VEC_INLINE vf32 vf32_mul(vf32 a, vf32 b)
{
    return _mm_mul_ps(a, b);
}

/* a * b + c with the last bit set where the sum is not exact: rounded to odd, whatever it is narrowed to
 * next rounds right. The product of two floats is exact. */
VEC_INLINE vf64 vf64_odd_sum(vf64 a, vf64 b, vf64 c)
{
    vf64 zero = _mm_setzero_pd();
    vf64 product = _mm_mul_pd(a, b), sum = _mm_add_pd(product, c);
    vf64 c_part = _mm_sub_pd(sum, product);
    vf64 rest = _mm_add_pd(_mm_sub_pd(product, _mm_sub_pd(sum, c_part)), _mm_sub_pd(c, c_part));
    vi64 inexact = _mm_castpd_si128(_mm_or_pd(_mm_cmplt_pd(rest, zero), _mm_cmpgt_pd(rest, zero)));
    vi64 bits = _mm_castpd_si128(sum), one = _mm_set1_epi64x(1);
    vi64 even = _mm_sub_epi64(_mm_and_si128(bits, one), one);
    vi64 opposite = _mm_srai_epi32(_mm_castpd_si128(_mm_xor_pd(sum, rest)), 31);
    vi64 step = _mm_or_si128(_mm_shuffle_epi32(opposite, 0xF5), one); /* 1 or -1 */
    return _mm_castsi128_pd(_mm_add_epi64(bits, _mm_and_si128(step, _mm_and_si128(inexact, even))));
}

VEC_INLINE vf32 vf32_fma(vf32 a, vf32 b, vf32 c)
{
    vf32 low = _mm_cvtpd_ps(vf64_odd_sum(_mm_cvtps_pd(a), _mm_cvtps_pd(b), _mm_cvtps_pd(c)));
    a = _mm_movehl_ps(a, a);
    b = _mm_movehl_ps(b, b);
    c = _mm_movehl_ps(c, c);
    vf32 high = _mm_cvtpd_ps(vf64_odd_sum(_mm_cvtps_pd(a), _mm_cvtps_pd(b), _mm_cvtps_pd(c)));
    return _mm_movelh_ps(low, high);
}

VEC_INLINE vf32 vf32_sqrt(vf32 a)
{
    return _mm_sqrt_ps(a);
}

VEC_INLINE vf32 vf32_fnma(vf32 a, vf32 b, vf32 c)
{
    return vf32_fma(_mm_xor_ps(a, _mm_set1_ps(-0.0f)), b, c);
}

VEC_INLINE vf32 vf32_fms(vf32 a, vf32 b, vf32 c)
{
    return vf32_fma(a, b, _mm_xor_ps(c, _mm_set1_ps(-0.0f)));
}

VEC_INLINE vf32 vf32_select_bit(vi32 word, int bit, vf32 set, vf32 other)
{
    return _mm_blendv_ps(other, set, vf32_from_bits(vi32_shl(word, 31 - bit)));
}

VEC_INLINE vf32 vf32_select_less(vf32 a, vf32 b, vf32 less, vf32 other)
{
    return _mm_blendv_ps(other, less, _mm_cmplt_ps(a, b));
}

VEC_INLINE vi32 vf32_round_16(vf32 a)
{
    vi32 odd = vi32_and(vi32_shr(vf32_bits(a), 16), vi32_set(1));
    return vi32_add(vi32_add(vf32_bits(a), vi32_set(0x7fff)), odd);
}

VEC_INLINE vf32 vf32_clamp(vf32 x, vf32 low, vf32 high)
{
    return _mm_min_ps(high, _mm_max_ps(low, x)); /* equal: the second operand */
}

/* ---- 64 bits ------------------------------------------------------------------------------ */

VEC_INLINE vi64 vi64_set(uint64_t x)
{
    return _mm_set1_epi64x((int64_t)x);
}

VEC_INLINE vi64 vi64_add(vi64 a, vi64 b)
{
    return _mm_add_epi64(a, b);
}

VEC_INLINE vi64 vi64_sub(vi64 a, vi64 b)
{
    return _mm_sub_epi64(a, b);
}

VEC_INLINE vi64 vi64_and(vi64 a, vi64 b)
{
    return _mm_and_si128(a, b);
}

VEC_INLINE vi64 vi64_or(vi64 a, vi64 b)
{
    return _mm_or_si128(a, b);
}

VEC_INLINE vi64 vi64_xor(vi64 a, vi64 b)
{
    return _mm_xor_si128(a, b);
}

VEC_INLINE vi64 vi64_shl(vi64 a, int n)
{
    return _mm_slli_epi64(a, n);
}

VEC_INLINE vi64 vi64_sar(vi64 a, int n)
{
    vi64 sign = _mm_set1_epi64x((int64_t)(0x8000000000000000u >> n));
    return _mm_sub_epi64(_mm_xor_si128(_mm_srli_epi64(a, n), sign), sign);
}

VEC_INLINE vf64 vf64_set(double x)
{
    return _mm_set1_pd(x);
}

VEC_INLINE vf64 vf64_load(const double *tile)
{
    return _mm_load_pd(tile);
}

VEC_INLINE void vf64_store(double *tile, vf64 a)
{
    _mm_store_pd(tile, a);
}

VEC_INLINE vi64 vf64_bits(vf64 a)
{
    return _mm_castpd_si128(a);
}

VEC_INLINE vf64 vf64_from_bits(vi64 a)
{
    return _mm_castsi128_pd(a);
}

VEC_INLINE vf64 vf64_from_int(vi64 a)
{
    /* 2^84 + (signed high half + 2^31) 2^32, and 2^52 + low half; only the last sum rounds */
    vi64 high = _mm_xor_si128(_mm_srli_epi64(a, 32), _mm_set1_epi64x(0x4530000080000000));
    vi64 low = _mm_blend_epi16(a, _mm_set1_epi64x(0x4330000000000000), 0xCC);
    vf64 offset = _mm_set1_pd(0x1p84 + 0x1p63 + 0x1p52);
    return _mm_add_pd(_mm_sub_pd(_mm_castsi128_pd(high), offset), _mm_castsi128_pd(low));
}

VEC_INLINE vf64 vf64_add(vf64 a, vf64 b)
{
    return _mm_add_pd(a, b);
}

VEC_INLINE vf64 vf64_sub(vf64 a, vf64 b)
{
    return _mm_sub_pd(a, b);
}

VEC_INLINE vf64 vf64_mul(vf64 a, vf64 b)
{
    return _mm_mul_pd(a, b);
}

VEC_INLINE vf64 vf64_fma(vf64 a, vf64 b, vf64 c)
{
    double low = sow_fma(_mm_cvtsd_f64(a), _mm_cvtsd_f64(b), _mm_cvtsd_f64(c));
    double high =
        sow_fma(_mm_cvtsd_f64(_mm_unpackhi_pd(a, a)), _mm_cvtsd_f64(_mm_unpackhi_pd(b, b)),
                _mm_cvtsd_f64(_mm_unpackhi_pd(c, c)));
    return _mm_set_pd(high, low);
}

VEC_INLINE vf64 vf64_sqrt(vf64 a)
{
    return _mm_sqrt_pd(a);
}

VEC_INLINE vf64 vf64_fms(vf64 a, vf64 b, vf64 c)
{
    return vf64_fma(a, b, _mm_xor_pd(c, _mm_set1_pd(-0.0)));
}

VEC_INLINE vf64 vf64_div(vf64 a, vf64 b)
{
    return _mm_div_pd(a, b);
}

VEC_INLINE vf64 vf64_select_bit(vi64 word, int bit, vf64 set, vf64 other)
{
    return _mm_blendv_pd(other, set, vf64_from_bits(vi64_shl(word, 63 - bit)));
}

VEC_INLINE vf64 vf64_select_less(vf64 a, vf64 b, vf64 less, vf64 other)
{
    return _mm_blendv_pd(other, less, _mm_cmplt_pd(a, b));
}

VEC_INLINE vf64 vf64_clamp(vf64 x, vf64 low, vf64 high)
{
    return _mm_min_pd(high, _mm_max_pd(low, x));
}

/* ---- Bytes -------------------------------------------------------------------------------- */

VEC_INLINE void vec_write(void *dst, __m128i bytes, int streaming)
{
    if (streaming) {
        _mm_stream_si128(dst, bytes);
    } else {
        _mm_storeu_si128(dst, bytes);
    }
}

VEC_INLINE void vf64_put(void *dst, vf64 even, vf64 odd, int streaming)
{
    vec_write(dst, _mm_castpd_si128(_mm_unpacklo_pd(even, odd)), streaming);
    vec_write((__m128i *)dst + 1, _mm_castpd_si128(_mm_unpackhi_pd(even, odd)), streaming);
}

VEC_INLINE void vi32_put(void *dst, vi32 even, vi32 odd, int streaming)
{
    vec_write(dst, _mm_unpacklo_epi32(even, odd), streaming);
    vec_write((__m128i *)dst + 1, _mm_unpackhi_epi32(even, odd), streaming);
}

VEC_INLINE void vi32_put_16(void *dst, vi32 even, vi32 odd, int streaming)
{
    vi32 both = _mm_blend_epi16(even, _mm_slli_epi32(odd, 16), 0xAA);
    vec_write(dst, both, streaming);
}

VEC_INLINE void vi32_put_high_16(void *dst, vi32 even, vi32 odd, int streaming)
{
    vi32 both = _mm_blend_epi16(_mm_srli_epi32(even, 16), odd, 0xAA);
    vec_write(dst, both, streaming);
}

VEC_INLINE void vi32_put_8(void *dst, vi32 even, vi32 odd, vi32 next_even, vi32 next_odd,
                           int streaming)
{
    vi32 both = _mm_or_si128(even, _mm_slli_epi32(odd, 8));
    vi32 next = _mm_or_si128(next_even, _mm_slli_epi32(next_odd, 8));
    vec_write(dst, _mm_packus_epi32(both, next), streaming);
}

VEC_INLINE void vec_copy_line(void *dst, const void *bytes)
{
    vec_write((__m128i *)dst + 0, _mm_loadu_si128((const __m128i *)bytes + 0), 1);
    vec_write((__m128i *)dst + 1, _mm_loadu_si128((const __m128i *)bytes + 1), 1);
    vec_write((__m128i *)dst + 2, _mm_loadu_si128((const __m128i *)bytes + 2), 1);
    vec_write((__m128i *)dst + 3, _mm_loadu_si128((const __m128i *)bytes + 3), 1);
}

VEC_INLINE void vec_fence(void)
{
    _mm_sfence();
}

#endif
