/* SPDX-License-Identifier: MIT */
/* The vector vocabulary (vec_scalar.h) in AVX2, FMA and F16C: 4 blocks, 8 floats. */
#ifndef SOW_KERNEL_VEC_AVX2_H
#define SOW_KERNEL_VEC_AVX2_H

#if !defined(__AVX2__) || !defined(__FMA__) || !defined(__F16C__)
#error "vec_avx2.h needs -mavx2 -mfma -mf16c"
#endif

#include <immintrin.h>
#include <stdint.h>

#define VEC_INLINE    static inline __attribute__((always_inline))
#define VEC_BLOCKS    4
#define VEC_FLIGHT    4
#define VEC_GEMM_ROWS 6
#define VEC_HAS_F16   1

typedef __m256i vi64;
typedef __m256i vi32;
typedef __m256d vf64;
typedef __m256 vf32;

/* ---- Words: unpack_lo and unpack_hi take 128-bit halves, so the order 0, 2, 1, 3 puts elements right - */

VEC_INLINE vi64 vi64_blocks(uint64_t block)
{
    return _mm256_add_epi64(_mm256_set1_epi64x((int64_t)block), _mm256_setr_epi64x(0, 2, 1, 3));
}

VEC_INLINE vi64 vi64_mul_low(vi64 a, vi64 b)
{
    return _mm256_mul_epu32(a, b);
}

VEC_INLINE vi64 vi64_high(vi64 a)
{
    return _mm256_shuffle_epi32(a,
                                0xF5); /* a shift would want the ports of the products on Intel */
}

VEC_INLINE vi64 vi64_xor3(vi64 a, vi64 b, vi64 c)
{
    vi64 early = _mm256_xor_si256(b, c);
    __asm__("" : "+x"(early)); /* a comes last: compilers that regroup the sum lengthen the chain */
    return _mm256_xor_si256(a, early);
}

VEC_INLINE vi32 vi64_pack_low(vi64 a, vi64 b)
{
    return _mm256_blend_epi32(a, _mm256_slli_epi64(b, 32), 0xAA);
}

VEC_INLINE vi32 vi64_pack_high(vi64 a, vi64 b)
{
    return _mm256_blend_epi32(vi64_high(a), b, 0xAA);
}

VEC_INLINE vi64 vi64_join_low(vi64 a, vi64 b)
{
    return vi64_pack_low(a, b);
}

/* ---- 32 bits ------------------------------------------------------------------------------ */

VEC_INLINE vi32 vi32_set(uint32_t x)
{
    return _mm256_set1_epi32((int32_t)x);
}

VEC_INLINE vi32 vi32_add(vi32 a, vi32 b)
{
    return _mm256_add_epi32(a, b);
}

VEC_INLINE vi32 vi32_sub(vi32 a, vi32 b)
{
    return _mm256_sub_epi32(a, b);
}

VEC_INLINE vi32 vi32_and(vi32 a, vi32 b)
{
    return _mm256_and_si256(a, b);
}

VEC_INLINE vi32 vi32_or(vi32 a, vi32 b)
{
    return _mm256_or_si256(a, b);
}

VEC_INLINE vi32 vi32_xor(vi32 a, vi32 b)
{
    return _mm256_xor_si256(a, b);
}

VEC_INLINE vi32 vi32_shl(vi32 a, int n)
{
    return _mm256_slli_epi32(a, n);
}

VEC_INLINE vi32 vi32_shr(vi32 a, int n)
{
    return _mm256_srli_epi32(a, n);
}

VEC_INLINE vi32 vi32_sar(vi32 a, int n)
{
    return _mm256_srai_epi32(a, n);
}

VEC_INLINE vi32 vi32_min(vi32 a, vi32 b)
{
    return _mm256_min_epi32(a, b);
}

VEC_INLINE vi32 vi32_select_less(vi32 a, vi32 b, vi32 less, vi32 other)
{
    return _mm256_blendv_epi8(other, less, _mm256_cmpgt_epi32(b, a));
}

VEC_INLINE vf32 vf32_set(float x)
{
    return _mm256_set1_ps(x);
}

VEC_INLINE vf32 vf32_load(const float *tile)
{
    return _mm256_load_ps(tile);
}

VEC_INLINE void vf32_store(float *tile, vf32 a)
{
    _mm256_store_ps(tile, a);
}

VEC_INLINE vf32 vf32_load_any(const float *from)
{
    return _mm256_loadu_ps(from);
}

VEC_INLINE void vf32_store_any(float *to, vf32 a)
{
    _mm256_storeu_ps(to, a);
}

VEC_INLINE vi32 vf32_bits(vf32 a)
{
    return _mm256_castps_si256(a);
}

VEC_INLINE vf32 vf32_from_bits(vi32 a)
{
    return _mm256_castsi256_ps(a);
}

VEC_INLINE vf32 vf32_from_int(vi32 a)
{
    return _mm256_cvtepi32_ps(a);
}

VEC_INLINE vf32 vf32_add(vf32 a, vf32 b)
{
    return _mm256_add_ps(a, b);
}

VEC_INLINE vf32 vf32_sub(vf32 a, vf32 b)
{
    return _mm256_sub_ps(a, b);
}

VEC_INLINE vf32 vf32_mul(vf32 a, vf32 b)
{
    return _mm256_mul_ps(a, b);
}

VEC_INLINE vf32 vf32_fma(vf32 a, vf32 b, vf32 c)
{
    return _mm256_fmadd_ps(a, b, c);
}

VEC_INLINE vf32 vf32_sqrt(vf32 a)
{
    return _mm256_sqrt_ps(a);
}

VEC_INLINE vi32 vf32_to_f16(vf32 a)
{
    return _mm256_cvtepu16_epi32(_mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
}

VEC_INLINE vf32 vf32_fnma(vf32 a, vf32 b, vf32 c)
{
    return _mm256_fnmadd_ps(a, b, c);
}

VEC_INLINE vf32 vf32_fms(vf32 a, vf32 b, vf32 c)
{
    return _mm256_fmsub_ps(a, b, c);
}

VEC_INLINE vf32 vf32_select_bit(vi32 word, int bit, vf32 set, vf32 other)
{
    return _mm256_blendv_ps(other, set, vf32_from_bits(vi32_shl(word, 31 - bit)));
}

VEC_INLINE vf32 vf32_select_less(vf32 a, vf32 b, vf32 less, vf32 other)
{
    return _mm256_blendv_ps(other, less, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}

VEC_INLINE vi32 vf32_round_16(vf32 a)
{
    vi32 odd = vi32_and(vi32_shr(vf32_bits(a), 16), vi32_set(1));
    return vi32_add(vi32_add(vf32_bits(a), vi32_set(0x7fff)), odd);
}

VEC_INLINE vf32 vf32_clamp(vf32 x, vf32 low, vf32 high)
{
    return _mm256_min_ps(high, _mm256_max_ps(low, x)); /* equal: the second operand */
}

/* ---- 64 bits ------------------------------------------------------------------------------ */

VEC_INLINE vi64 vi64_set(uint64_t x)
{
    return _mm256_set1_epi64x((int64_t)x);
}

VEC_INLINE vi64 vi64_add(vi64 a, vi64 b)
{
    return _mm256_add_epi64(a, b);
}

VEC_INLINE vi64 vi64_sub(vi64 a, vi64 b)
{
    return _mm256_sub_epi64(a, b);
}

VEC_INLINE vi64 vi64_and(vi64 a, vi64 b)
{
    return _mm256_and_si256(a, b);
}

VEC_INLINE vi64 vi64_or(vi64 a, vi64 b)
{
    return _mm256_or_si256(a, b);
}

VEC_INLINE vi64 vi64_xor(vi64 a, vi64 b)
{
    return _mm256_xor_si256(a, b);
}

VEC_INLINE vi64 vi64_shl(vi64 a, int n)
{
    return _mm256_slli_epi64(a, n);
}

VEC_INLINE vi64 vi64_sar(vi64 a, int n)
{
    vi64 sign = _mm256_set1_epi64x((int64_t)(0x8000000000000000u >> n));
    return _mm256_sub_epi64(_mm256_xor_si256(_mm256_srli_epi64(a, n), sign), sign);
}

VEC_INLINE vf64 vf64_set(double x)
{
    return _mm256_set1_pd(x);
}

VEC_INLINE vf64 vf64_load(const double *tile)
{
    return _mm256_load_pd(tile);
}

VEC_INLINE void vf64_store(double *tile, vf64 a)
{
    _mm256_store_pd(tile, a);
}

VEC_INLINE vi64 vf64_bits(vf64 a)
{
    return _mm256_castpd_si256(a);
}

VEC_INLINE vf64 vf64_from_bits(vi64 a)
{
    return _mm256_castsi256_pd(a);
}

VEC_INLINE vf64 vf64_from_int(vi64 a)
{
    /* 2^84 + (signed high half + 2^31) 2^32, and 2^52 + low half; only the last sum rounds */
    vi64 high = _mm256_xor_si256(_mm256_srli_epi64(a, 32), _mm256_set1_epi64x(0x4530000080000000));
    vi64 low = _mm256_blend_epi32(a, _mm256_set1_epi64x(0x4330000000000000), 0xAA);
    vf64 offset = _mm256_set1_pd(0x1p84 + 0x1p63 + 0x1p52);
    return _mm256_add_pd(_mm256_sub_pd(_mm256_castsi256_pd(high), offset),
                         _mm256_castsi256_pd(low));
}

VEC_INLINE vf64 vf64_add(vf64 a, vf64 b)
{
    return _mm256_add_pd(a, b);
}

VEC_INLINE vf64 vf64_sub(vf64 a, vf64 b)
{
    return _mm256_sub_pd(a, b);
}

VEC_INLINE vf64 vf64_mul(vf64 a, vf64 b)
{
    return _mm256_mul_pd(a, b);
}

VEC_INLINE vf64 vf64_fma(vf64 a, vf64 b, vf64 c)
{
    return _mm256_fmadd_pd(a, b, c);
}

VEC_INLINE vf64 vf64_sqrt(vf64 a)
{
    return _mm256_sqrt_pd(a);
}

VEC_INLINE vf64 vf64_fms(vf64 a, vf64 b, vf64 c)
{
    return _mm256_fmsub_pd(a, b, c);
}

VEC_INLINE vf64 vf64_div(vf64 a, vf64 b)
{
    return _mm256_div_pd(a, b);
}

VEC_INLINE vf64 vf64_select_bit(vi64 word, int bit, vf64 set, vf64 other)
{
    return _mm256_blendv_pd(other, set, vf64_from_bits(vi64_shl(word, 63 - bit)));
}

VEC_INLINE vf64 vf64_select_less(vf64 a, vf64 b, vf64 less, vf64 other)
{
    return _mm256_blendv_pd(other, less, _mm256_cmp_pd(a, b, _CMP_LT_OQ));
}

VEC_INLINE vf64 vf64_clamp(vf64 x, vf64 low, vf64 high)
{
    return _mm256_min_pd(high, _mm256_max_pd(low, x));
}

/* ---- Bytes -------------------------------------------------------------------------------- */

VEC_INLINE void vec_write(void *dst, __m256i bytes, int streaming)
{
    if (streaming) {
        _mm256_stream_si256(dst, bytes);
    } else {
        _mm256_storeu_si256(dst, bytes);
    }
}

VEC_INLINE void vf64_put(void *dst, vf64 even, vf64 odd, int streaming)
{
    vec_write(dst, _mm256_castpd_si256(_mm256_unpacklo_pd(even, odd)), streaming);
    vec_write((__m256i *)dst + 1, _mm256_castpd_si256(_mm256_unpackhi_pd(even, odd)), streaming);
}

VEC_INLINE void vi32_put(void *dst, vi32 even, vi32 odd, int streaming)
{
    vec_write(dst, _mm256_unpacklo_epi32(even, odd), streaming);
    vec_write((__m256i *)dst + 1, _mm256_unpackhi_epi32(even, odd), streaming);
}

VEC_INLINE void vi32_put_16(void *dst, vi32 even, vi32 odd, int streaming)
{
    vi32 both = _mm256_blend_epi16(even, _mm256_slli_epi32(odd, 16), 0xAA);
    vec_write(dst, _mm256_permute4x64_epi64(both, 0xD8), streaming);
}

VEC_INLINE void vi32_put_high_16(void *dst, vi32 even, vi32 odd, int streaming)
{
    vi32 both = _mm256_blend_epi16(_mm256_srli_epi32(even, 16), odd, 0xAA);
    vec_write(dst, _mm256_permute4x64_epi64(both, 0xD8), streaming);
}

VEC_INLINE void vi32_put_8(void *dst, vi32 even, vi32 odd, vi32 next_even, vi32 next_odd,
                           int streaming)
{
    vi32 both = _mm256_or_si256(even, _mm256_slli_epi32(odd, 8));
    vi32 next = _mm256_or_si256(next_even, _mm256_slli_epi32(next_odd, 8));
    vi32 bytes = _mm256_packus_epi32(both, next); /* blocks 0 2 0' 2' 1 3 1' 3' */
    const vi32 order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    vec_write(dst, _mm256_permutevar8x32_epi32(bytes, order), streaming);
}

VEC_INLINE void vec_copy_line(void *dst, const void *bytes)
{
    vec_write((__m256i *)dst + 0, _mm256_loadu_si256((const __m256i *)bytes + 0), 1);
    vec_write((__m256i *)dst + 1, _mm256_loadu_si256((const __m256i *)bytes + 1), 1);
}

VEC_INLINE void vec_fence(void)
{
    _mm_sfence();
}

#endif
