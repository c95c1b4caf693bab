/* SPDX-License-Identifier: MIT */
/* Stream version 1 in plain C, one element (or pair) at a time: what docs/stream.md says, for tests and accuracy runs.
 * Not part of the library and not fast; needs a libm with exact fmaf and fma. */
#ifndef SOW_TESTS_STREAM_V1_H
#define SOW_TESTS_STREAM_V1_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "core/kernel/stream_constants.h"

static inline uint32_t bits32(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static inline float float32(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

static inline uint64_t bits64(double x)
{
    uint64_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static inline double float64(uint64_t u)
{
    double x;
    memcpy(&x, &u, sizeof x);
    return x;
}

static inline float horner32(const float *c, int count, float x)
{
    float sum = c[count - 1];
    for (int i = count - 2; i >= 0; i--) {
        sum = fmaf(sum, x, c[i]);
    }
    return sum;
}

static inline double horner64(const double *c, int count, double x)
{
    double sum = c[count - 1];
    for (int i = count - 2; i >= 0; i--) {
        sum = fma(sum, x, c[i]);
    }
    return sum;
}

#define HORNER32(c, x) horner32(c, sizeof(c) / sizeof(c)[0], x)
#define HORNER64(c, x) horner64(c, sizeof(c) / sizeof(c)[0], x)

/* ---- float32 ------------------------------------------------------------------------------------ */

/* q = (1 + f) 2^e with 1 + f in [sqrt(1/2), sqrt(2)); q > 0 and normal. */
static inline float split32(float q, int32_t *e)
{
    uint32_t t = bits32(q) - F32_SQRT_HALF;
    *e = (int32_t)t >> 23;
    return float32((t & 0x7fffffu) + F32_SQRT_HALF) - 1.0f;
}

/* n 2 log 2 - 2 log(1 + f), as *h + *t and rounded. */
static inline float minus_two_log32(float n, float f, float *h, float *t)
{
    *h = fmaf(n, f32_2ln2_hi, -2.0f * f);
    *t = fmaf(f * f, HORNER32(f32_log, f), n * f32_2ln2_lo);
    return *h + *t;
}

/* The radius sqrt(-2 log u) of word w, as *r + *r_lo. */
static inline void radius32(uint32_t w, float *r, float *r_lo)
{
    uint32_t k =
        (w ^ (uint32_t)((int32_t)w >> 31)) | 1u; /* distance to the nearer end of (0, 2^32), odd */
    float q = (float)(int32_t)k;
    float d = q * 0x1p-32f;
    float f, n;
    if (w >> 31 == 0) { /* u = d */
        int32_t e;
        f = split32(q, &e);
        n = (float)(32 - e);
    } else if (d < f32_split) { /* u = 1 - d */
        f = -d;
        n = 0.0f;
    } else {
        f = fmaf(-2.0f, d, 1.0f);
        n = 1.0f;
    }
    float h, t;
    float square = minus_two_log32(n, f, &h, &t);
    *r = sqrtf(square);
    float residual = fmaf(-*r, *r, square) + (t - (square - h));
    *r_lo = residual * float32(F32_HALF_RECIPROCAL - bits32(*r));
}

/* Elements 2j and 2j+1 from the words w0 (radius) and w1 (angle). */
static inline void normal_pair32(uint32_t w0, uint32_t w1, float mean, float std, float value[2])
{
    float r, r_lo;
    radius32(w0, &r, &r_lo);
    int32_t k = ((int32_t)(w1 << 2) >> 7) | 1; /* odd, in (-2^24, 2^24): the angle is pi/4 x */
    float x = (float)k * 0x1p-24f;
    float s = x * x;
    float c = s * HORNER32(f32_cos, s); /* cos - 1 */
    float cos_hi = r, cos_lo = fmaf(r, c, fmaf(r_lo, c, r_lo));
    float g = fmaf(s, HORNER32(f32_sin, s), f32_pi4_lo); /* sin / x - pi4_hi */
    float rx = r * x;
    float rx_lo = fmaf(r_lo, x, fmaf(r, x, -rx));
    float sin_hi = rx * f32_pi4_hi;
    float sin_lo = fmaf(rx, g, fmaf(rx_lo, f32_pi4_hi, fmaf(rx, f32_pi4_hi, -sin_hi)));
    float signed_std = float32(bits32(std) ^ (w1 & 0x80000000u));
    float cosine = fmaf(cos_hi, signed_std, fmaf(cos_lo, signed_std, mean));
    float sine = fmaf(sin_hi, std, fmaf(sin_lo, std, mean));
    int swap = (w1 & 0x40000000u) != 0;
    value[0] = swap ? sine : cosine;
    value[1] = swap ? cosine : sine;
}

/* Truncated normal on (alpha, beta) sigmas: the numbers of docs/stream.md section 6, rounded to float32. */
struct trunc32 {
    float step, step2;            /* D 2^-32, D 2^-31 with D the mass inside */
    float below, above;           /* Phi(alpha), Phi(-beta) */
    float to_middle, from_middle; /* below + D/2, above + D/2 */
    float shift;                  /* below - above */
    int central;                  /* |alpha|, |beta| <= 3.1 */
};

/* z of one element, before scale and clamp. */
static inline float trunc_z32(uint32_t w, const struct trunc32 *c)
{
    int32_t s = (int32_t)(w ^ 0x80000000u);
    uint32_t negative = (uint32_t)(s >> 31);
    uint32_t k = ((uint32_t)s ^ negative) | 1u; /* distance to the middle of the word range, odd */
    float inner = (float)(int32_t)k;
    float outer = (float)(int32_t)(0x80000000u - k);
    float nearer = fmaf(outer, c->step, negative ? c->below : c->above);
    float farther = fmaf(inner, c->step, negative ? c->from_middle : c->to_middle);
    float y = fmaf(negative ? -inner : inner, c->step2, c->shift);
    int32_t e;
    float f = split32(nearer * 4.0f * farther, &e);
    float h, t;
    float w2 = minus_two_log32((float)-e, f, &h, &t); /* twice w = -log(4 p (1 - p)) */
    float ratio = HORNER32(f32_central, fmaf(w2, 0.5f, -f32_w_middle));
    if (!c->central && 0.5f * w2 > f32_w_edge) {
        ratio = HORNER32(f32_tail, sqrtf(0.5f * w2) - f32_v_middle);
    }
    return y * ratio;
}

/* ---- float64 ------------------------------------------------------------------------------------ */

static inline double split64(double q, int64_t *e)
{
    uint64_t t = bits64(q) - F64_SQRT_HALF;
    *e = (int64_t)t >> 52;
    return float64((t & 0xfffffffffffffu) + F64_SQRT_HALF) - 1.0;
}

static inline double minus_two_log64(double n, double f)
{
    double x = f / (2.0 + f);
    double s = x * x;
    double t = x * fma(s, HORNER64(f64_log, s), 4.0);
    return fma(n, f64_2ln2_hi, fma(n, f64_2ln2_lo, -t));
}

static inline double radius64(uint64_t w)
{
    uint64_t k = (w ^ (uint64_t)((int64_t)w >> 63)) | 1u;
    double q = (double)(int64_t)k;
    double d = q * 0x1p-64;
    double f, n;
    if (w >> 63 == 0) {
        int64_t e;
        f = split64(q, &e);
        n = (double)(64 - e);
    } else if (d < f64_split) {
        f = -d;
        n = 0.0;
    } else {
        f = fma(-2.0, d, 1.0);
        n = 1.0;
    }
    return sqrt(minus_two_log64(n, f));
}

static inline void normal_pair64(uint64_t w0, uint64_t w1, double mean, double std, double value[2])
{
    double r = radius64(w0);
    int64_t k = ((int64_t)(w1 << 2) >> 10) | 1; /* odd, in (-2^53, 2^53) */
    double x = (double)k * 0x1p-53;
    double s = x * x;
    double cosine = fma(r, s * HORNER64(f64_cos, s), r);
    double sine = r * x * (f64_pi4_hi + fma(s, HORNER64(f64_sin, s), f64_pi4_lo));
    double signed_std = float64(bits64(std) ^ (w1 & 0x8000000000000000u));
    cosine = fma(cosine, signed_std, mean);
    sine = fma(sine, std, mean);
    int swap = (w1 & 0x4000000000000000u) != 0;
    value[0] = swap ? sine : cosine;
    value[1] = swap ? cosine : sine;
}

struct trunc64 {
    double step, step2, below, above, to_middle, from_middle, shift;
};

static inline double trunc_z64(uint64_t w, const struct trunc64 *c)
{
    int64_t s = (int64_t)(w ^ 0x8000000000000000u);
    uint64_t negative = (uint64_t)(s >> 63);
    uint64_t k = ((uint64_t)s ^ negative) | 1u;
    double inner = (double)(int64_t)k;
    double outer = (double)(int64_t)(0x8000000000000000u - k);
    double nearer = fma(outer, c->step, negative ? c->below : c->above);
    double farther = fma(inner, c->step, negative ? c->from_middle : c->to_middle);
    double y = fma(negative ? -inner : inner, c->step2, c->shift);
    int64_t e;
    double f = split64(nearer * 4.0 * farther, &e);
    double half = 0.5 * minus_two_log64((double)-e, f);
    double ratio = HORNER64(f64_central, half - f64_w_middle);
    if (half > f64_w_edge) {
        double v = sqrt(half);
        ratio = v > f64_v_edge ? HORNER64(f64_tail_far, v - f64_v_far)
                               : HORNER64(f64_tail_near, v - f64_v_near);
    }
    return y * ratio;
}

#endif
