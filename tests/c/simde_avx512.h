/* SPDX-License-Identifier: MIT */
/* AVX-512 on any CPU: SIMDe, and what its 0.7.4 lacks of the intrinsics in core/kernel/vec_avx512.h.
 * Lane by lane, as Intel's guide defines them. fma is replaced, because SIMDe's rounds twice where the
 * compiler has no fma. For test_kernels.c; slow. */
#ifndef SOW_TESTS_SIMDE_AVX512_H
#define SOW_TESTS_SIMDE_AVX512_H

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "core/base/fma.h"

#define SHIM           static __attribute__((noinline, unused))
#define VEC_INLINE     SHIM /* to inline all of it takes compilers minutes */
#define SOW_TEST_SIMDE 1
#define _MM_PERM_ENUM  int
#define __mmask8       uint8_t
#define __mmask16      uint16_t

union shim {
    __m512i i;
    __m512 f;
    __m512d d;
    uint16_t u16[32];
    int32_t s32[16];
    uint32_t u32[16];
    int64_t s64[8];
    float f32[16];
    double f64[8];
};

SHIM __m512i _mm512_sra_epi32(__m512i a, __m128i n)
{
    union shim x = {.i = a};
    for (int i = 0; i < 16; i++) {
        x.s32[i] >>= _mm_cvtsi128_si32(n);
    }
    return x.i;
}

SHIM __m512i _mm512_sra_epi64(__m512i a, __m128i n)
{
    union shim x = {.i = a};
    for (int i = 0; i < 8; i++) {
        x.s64[i] >>= _mm_cvtsi128_si32(n);
    }
    return x.i;
}

SHIM __m512i _mm512_mask_shuffle_epi32(__m512i src, uint16_t mask, __m512i a, int order)
{
    union shim x = {.i = src}, from = {.i = a};
    for (int i = 0; i < 16; i++) {
        x.u32[i] = mask >> i & 1 ? from.u32[i / 4 * 4 + (order >> i % 4 * 2 & 3)] : x.u32[i];
    }
    return x.i;
}

SHIM __m512i _mm512_shuffle_epi32(__m512i a, int order)
{
    return _mm512_mask_shuffle_epi32(a, 0xFFFF, a, order);
}

SHIM uint16_t _mm512_cmplt_epi32_mask(__m512i a, __m512i b)
{
    return _mm512_cmpgt_epi32_mask(b, a);
}

SHIM __m512 _mm512_cvtepi32_ps(__m512i a)
{
    union shim x = {.i = a};
    for (int i = 0; i < 16; i++) {
        x.f32[i] = (float)x.s32[i];
    }
    return x.f;
}

SHIM __m512d _mm512_cvtepi64_pd(__m512i a)
{
    union shim x = {.i = a};
    for (int i = 0; i < 8; i++) {
        x.f64[i] = (double)x.s64[i];
    }
    return x.d;
}

SHIM void _mm512_stream_si512(void *dst, __m512i a)
{
    memcpy(dst, &a, sizeof a);
}

/* The half-precision pair works on 16 uint16_t, in the lower half of a register of its own. */
SHIM __m512i _mm512_maskz_cvtps_ph(uint16_t mask, __m512 a, int rounding)
{
    union shim from = {.f = a}, x;
    (void)mask;
    (void)rounding;
    for (int i = 0; i < 16; i++) {
        double value = fabs((double)from.f32[i]);
        int exponent = value == 0 ? -14 : ilogb(value);
        double unit = ldexp(1, (exponent < -14 ? -14 : exponent) - 10);
        double places = rint(value / unit); /* 1024 .. 2048 when normal, below when subnormal */
        int bits = (int)places + (exponent < -14 ? 0 : (exponent + 14) * 1024);
        bits = value >= 65520 ? 0x7c00 : bits;
        x.u16[i] = (uint16_t)(bits | (signbit(from.f32[i]) ? 0x8000 : 0));
    }
    return x.i;
}

SHIM __m512i _mm512_cvtepu16_epi32(__m512i a)
{
    union shim from = {.i = a}, x;
    for (int i = 0; i < 16; i++) {
        x.u32[i] = from.u16[i];
    }
    return x.i;
}

SHIM __m512 shim_fma_ps(__m512 a, __m512 b, __m512 c, float a_sign, float c_sign)
{
    union shim x = {.f = a}, y = {.f = b}, z = {.f = c};
    for (int i = 0; i < 16; i++) {
        x.f32[i] = sow_fmaf(a_sign * x.f32[i], y.f32[i], c_sign * z.f32[i]);
    }
    return x.f;
}

SHIM __m512d shim_fma_pd(__m512d a, __m512d b, __m512d c, double a_sign, double c_sign)
{
    union shim x = {.d = a}, y = {.d = b}, z = {.d = c};
    for (int i = 0; i < 8; i++) {
        x.f64[i] = sow_fma(a_sign * x.f64[i], y.f64[i], c_sign * z.f64[i]);
    }
    return x.d;
}

#undef _mm512_fmadd_ps
#undef _mm512_fnmadd_ps
#undef _mm512_fmsub_ps
#undef _mm512_fmadd_pd
#undef _mm512_fnmadd_pd
#undef _mm512_fmsub_pd
#define _mm512_fmadd_ps(a, b, c)  shim_fma_ps(a, b, c, 1, 1)
#define _mm512_fnmadd_ps(a, b, c) shim_fma_ps(a, b, c, -1, 1)
#define _mm512_fmsub_ps(a, b, c)  shim_fma_ps(a, b, c, 1, -1)
#define _mm512_fmadd_pd(a, b, c)  shim_fma_pd(a, b, c, 1, 1)
#define _mm512_fnmadd_pd(a, b, c) shim_fma_pd(a, b, c, -1, 1)
#define _mm512_fmsub_pd(a, b, c)  shim_fma_pd(a, b, c, 1, -1)

#endif
