/* SPDX-License-Identifier: MIT */
/* The vector vocabulary (vec_scalar.h) in AVX-512 F, DQ and BW: 8 blocks, 16 floats. */
#ifndef SOW_KERNEL_VEC_AVX512_H
#define SOW_KERNEL_VEC_AVX512_H

#ifndef SOW_TEST_SIMDE /* tests/c runs this file on any CPU through SIMDe */
#if !defined(__AVX512F__) || !defined(__AVX512DQ__) || !defined(__AVX512BW__)
#error "vec_avx512.h needs -mavx512f -mavx512dq -mavx512bw"
#endif
#include <immintrin.h>
#endif
#include <stdint.h>

#ifndef VEC_INLINE
#define VEC_INLINE static inline __attribute__((always_inline))
#endif
#define VEC_BLOCKS    8
#define VEC_FLIGHT    2
#define VEC_GEMM_ROWS 14
#define VEC_HAS_F16   1

typedef __m512i vi64;
typedef __m512i vi32;
typedef __m512d vf64;
typedef __m512 vf32;

/* ---- Words: unpacking takes 128-bit pieces, so the order 0, 4, 1, 5, ... puts elements right - */

VEC_INLINE vi64 vi64_blocks(uint64_t block)
{
    return _mm512_add_epi64(_mm512_set1_epi64((int64_t)block),
                            _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7));
}

VEC_INLINE vi64 vi64_mul_low(vi64 a, vi64 b)
{
    return _mm512_mul_epu32(a, b);
}

VEC_INLINE vi64 vi64_high(vi64 a)
{
    return _mm512_shuffle_epi32(
        a, (_MM_PERM_ENUM)0xF5); /* a shift would want the ports of the products on Intel */
}

VEC_INLINE vi64 vi64_xor3(vi64 a, vi64 b, vi64 c)
{
    return _mm512_ternarylogic_epi64(a, b, c, 0x96);
}

VEC_INLINE vi32 vi64_pack_low(vi64 a, vi64 b)
{
    return _mm512_mask_shuffle_epi32(a, 0xAAAA, b, (_MM_PERM_ENUM)0xA0);
}

VEC_INLINE vi32 vi64_pack_high(vi64 a, vi64 b)
{
    return _mm512_mask_shuffle_epi32(b, 0x5555, a, (_MM_PERM_ENUM)0xF5);
}

VEC_INLINE vi64 vi64_join_low(vi64 a, vi64 b)
{
    return vi64_pack_low(a, b);
}

/* ---- 32 bits ------------------------------------------------------------------------------ */

VEC_INLINE vi32 vi32_set(uint32_t x)
{
    return _mm512_set1_epi32((int32_t)x);
}

VEC_INLINE vi32 vi32_add(vi32 a, vi32 b)
{
    return _mm512_add_epi32(a, b);
}

VEC_INLINE vi32 vi32_sub(vi32 a, vi32 b)
{
    return _mm512_sub_epi32(a, b);
}

VEC_INLINE vi32 vi32_and(vi32 a, vi32 b)
{
    return _mm512_and_si512(a, b);
}

VEC_INLINE vi32 vi32_or(vi32 a, vi32 b)
{
    return _mm512_or_si512(a, b);
}

VEC_INLINE vi32 vi32_xor(vi32 a, vi32 b)
{
    return _mm512_xor_si512(a, b);
}

/* Counts in a register, which optimisers turn into the immediate form and -O0 still compiles. */
VEC_INLINE vi32 vi32_shl(vi32 a, int n)
{
    return _mm512_sll_epi32(a, _mm_cvtsi32_si128(n));
}

VEC_INLINE vi32 vi32_shr(vi32 a, int n)
{
    return _mm512_srl_epi32(a, _mm_cvtsi32_si128(n));
}

VEC_INLINE vi32 vi32_sar(vi32 a, int n)
{
    return _mm512_sra_epi32(a, _mm_cvtsi32_si128(n));
}

VEC_INLINE vi32 vi32_min(vi32 a, vi32 b)
{
    return _mm512_min_epi32(a, b);
}

VEC_INLINE vi32 vi32_select_less(vi32 a, vi32 b, vi32 less, vi32 other)
{
    return _mm512_mask_blend_epi32(_mm512_cmplt_epi32_mask(a, b), other, less);
}

VEC_INLINE vf32 vf32_set(float x)
{
    return _mm512_set1_ps(x);
}

VEC_INLINE vf32 vf32_load(const float *tile)
{
    return _mm512_load_ps(tile);
}

VEC_INLINE void vf32_store(float *tile, vf32 a)
{
    _mm512_store_ps(tile, a);
}

VEC_INLINE vf32 vf32_load_any(const float *from)
{
    return _mm512_loadu_ps(from);
}

VEC_INLINE void vf32_store_any(float *to, vf32 a)
{
    _mm512_storeu_ps(to, a);
}

VEC_INLINE vi32 vf32_bits(vf32 a)
{
    return _mm512_castps_si512(a);
}

VEC_INLINE vf32 vf32_from_bits(vi32 a)
{
    return _mm512_castsi512_ps(a);
}

VEC_INLINE vf32 vf32_from_int(vi32 a)
{
    return _mm512_cvtepi32_ps(a);
}

VEC_INLINE vf32 vf32_add(vf32 a, vf32 b)
{
    return _mm512_add_ps(a, b);
}

VEC_INLINE vf32 vf32_sub(vf32 a, vf32 b)
{
    return _mm512_sub_ps(a, b);
}

VEC_INLINE vf32 vf32_mul(vf32 a, vf32 b)
{
    return _mm512_mul_ps(a, b);
}

VEC_INLINE vf32 vf32_fma(vf32 a, vf32 b, vf32 c)
{
    return _mm512_fmadd_ps(a, b, c);
}

VEC_INLINE vf32 vf32_sqrt(vf32 a)
{
    return _mm512_sqrt_ps(a);
}

VEC_INLINE vi32 vf32_to_f16(vf32 a)
{
    return _mm512_cvtepu16_epi32(_mm512_maskz_cvtps_ph(0xFFFF, a, _MM_FROUND_TO_NEAREST_INT));
}

VEC_INLINE vf32 vf32_fnma(vf32 a, vf32 b, vf32 c)
{
    return _mm512_fnmadd_ps(a, b, c);
}

VEC_INLINE vf32 vf32_fms(vf32 a, vf32 b, vf32 c)
{
    return _mm512_fmsub_ps(a, b, c);
}

VEC_INLINE vf32 vf32_select_bit(vi32 word, int bit, vf32 set, vf32 other)
{
    __mmask16 mask = _mm512_test_epi32_mask(word, vi32_set(1u << bit));
    return _mm512_mask_blend_ps(mask, other, set);
}

VEC_INLINE vf32 vf32_select_less(vf32 a, vf32 b, vf32 less, vf32 other)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), other, less);
}

VEC_INLINE vi32 vf32_round_16(vf32 a)
{
    vi32 bits = _mm512_castps_si512(a), rounded = _mm512_add_epi32(bits, vi32_set(0x7fff));
    __mmask16 odd = _mm512_test_epi32_mask(bits, vi32_set(0x10000));
    return _mm512_mask_add_epi32(rounded, odd, rounded, vi32_set(1));
}

VEC_INLINE vf32 vf32_clamp(vf32 x, vf32 low, vf32 high)
{
    return _mm512_min_ps(high, _mm512_max_ps(low, x)); /* equal: the second operand */
}

/* ---- 64 bits ------------------------------------------------------------------------------ */

VEC_INLINE vi64 vi64_set(uint64_t x)
{
    return _mm512_set1_epi64((int64_t)x);
}

VEC_INLINE vi64 vi64_add(vi64 a, vi64 b)
{
    return _mm512_add_epi64(a, b);
}

VEC_INLINE vi64 vi64_sub(vi64 a, vi64 b)
{
    return _mm512_sub_epi64(a, b);
}

VEC_INLINE vi64 vi64_and(vi64 a, vi64 b)
{
    return _mm512_and_si512(a, b);
}

VEC_INLINE vi64 vi64_or(vi64 a, vi64 b)
{
    return _mm512_or_si512(a, b);
}

VEC_INLINE vi64 vi64_xor(vi64 a, vi64 b)
{
    return _mm512_xor_si512(a, b);
}

VEC_INLINE vi64 vi64_shl(vi64 a, int n)
{
    return _mm512_sll_epi64(a, _mm_cvtsi32_si128(n));
}

VEC_INLINE vi64 vi64_sar(vi64 a, int n)
{
    return _mm512_sra_epi64(a, _mm_cvtsi32_si128(n));
}

VEC_INLINE vf64 vf64_set(double x)
{
    return _mm512_set1_pd(x);
}

VEC_INLINE vf64 vf64_load(const double *tile)
{
    return _mm512_load_pd(tile);
}

VEC_INLINE void vf64_store(double *tile, vf64 a)
{
    _mm512_store_pd(tile, a);
}

VEC_INLINE vi64 vf64_bits(vf64 a)
{
    return _mm512_castpd_si512(a);
}

VEC_INLINE vf64 vf64_from_bits(vi64 a)
{
    return _mm512_castsi512_pd(a);
}

VEC_INLINE vf64 vf64_from_int(vi64 a)
{
    return _mm512_cvtepi64_pd(a);
}

VEC_INLINE vf64 vf64_add(vf64 a, vf64 b)
{
    return _mm512_add_pd(a, b);
}

VEC_INLINE vf64 vf64_sub(vf64 a, vf64 b)
{
    return _mm512_sub_pd(a, b);
}

VEC_INLINE vf64 vf64_mul(vf64 a, vf64 b)
{
    return _mm512_mul_pd(a, b);
}

VEC_INLINE vf64 vf64_fma(vf64 a, vf64 b, vf64 c)
{
    return _mm512_fmadd_pd(a, b, c);
}

VEC_INLINE vf64 vf64_sqrt(vf64 a)
{
    return _mm512_sqrt_pd(a);
}

VEC_INLINE vf64 vf64_fms(vf64 a, vf64 b, vf64 c)
{
    return _mm512_fmsub_pd(a, b, c);
}

VEC_INLINE vf64 vf64_div(vf64 a, vf64 b)
{
    return _mm512_div_pd(a, b);
}

VEC_INLINE vf64 vf64_select_bit(vi64 word, int bit, vf64 set, vf64 other)
{
    __mmask8 mask = _mm512_test_epi64_mask(word, vi64_set(UINT64_C(1) << bit));
    return _mm512_mask_blend_pd(mask, other, set);
}

VEC_INLINE vf64 vf64_select_less(vf64 a, vf64 b, vf64 less, vf64 other)
{
    return _mm512_mask_blend_pd(_mm512_cmp_pd_mask(a, b, _CMP_LT_OQ), other, less);
}

VEC_INLINE vf64 vf64_clamp(vf64 x, vf64 low, vf64 high)
{
    return _mm512_min_pd(high, _mm512_max_pd(low, x));
}

/* ---- Bytes -------------------------------------------------------------------------------- */

VEC_INLINE void vec_write(void *dst, __m512i bytes, int streaming)
{
    if (streaming) {
        _mm512_stream_si512(dst, bytes);
    } else {
        _mm512_storeu_si512(dst, bytes);
    }
}

VEC_INLINE void vf64_put(void *dst, vf64 even, vf64 odd, int streaming)
{
    vec_write(dst, _mm512_castpd_si512(_mm512_unpacklo_pd(even, odd)), streaming);
    vec_write((__m512i *)dst + 1, _mm512_castpd_si512(_mm512_unpackhi_pd(even, odd)), streaming);
}

VEC_INLINE void vi32_put(void *dst, vi32 even, vi32 odd, int streaming)
{
    vec_write(dst, _mm512_unpacklo_epi32(even, odd), streaming);
    vec_write((__m512i *)dst + 1, _mm512_unpackhi_epi32(even, odd), streaming);
}

/* 16-bit places 2 i + `half` of even and odd by turns, the blocks in their natural order. */
VEC_INLINE vi32 vi32_interleave_16(vi32 even, vi32 odd, int half)
{
    const vi32 low = _mm512_set_epi16(62, 30, 60, 28, 54, 22, 52, 20, 46, 14, 44, 12, 38, 6, 36, 4,
                                      58, 26, 56, 24, 50, 18, 48, 16, 42, 10, 40, 8, 34, 2, 32, 0);
    const vi32 order = half ? _mm512_add_epi16(low, _mm512_set1_epi16(1)) : low;
    return _mm512_permutex2var_epi16(even, order, odd);
}

VEC_INLINE void vi32_put_16(void *dst, vi32 even, vi32 odd, int streaming)
{
    vec_write(dst, vi32_interleave_16(even, odd, 0), streaming);
}

VEC_INLINE void vi32_put_high_16(void *dst, vi32 even, vi32 odd, int streaming)
{
    vec_write(dst, vi32_interleave_16(even, odd, 1), streaming);
}

VEC_INLINE void vi32_put_8(void *dst, vi32 even, vi32 odd, vi32 next_even, vi32 next_odd,
                           int streaming)
{
    vi32 both = _mm512_or_si512(even, _mm512_slli_epi32(odd, 8));
    vi32 next = _mm512_or_si512(next_even, _mm512_slli_epi32(next_odd, 8));
    vi32 bytes = _mm512_packus_epi32(both, next); /* blocks 0 4 0' 4' 1 5 1' 5' ... */
    const vi32 order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    vec_write(dst, _mm512_permutexvar_epi32(order, bytes), streaming);
}

VEC_INLINE void vec_copy_line(void *dst, const void *bytes)
{
    vec_write((__m512i *)dst + 0, _mm512_loadu_si512((const __m512i *)bytes + 0), 1);
}

VEC_INLINE void vec_fence(void)
{
    _mm_sfence();
}

#endif
