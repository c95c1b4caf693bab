/* SPDX-License-Identifier: MIT */
/* exp and what follows from it in float32, without branch, call or table, so that a loop over them is vectorised by the
 * compiler; one sequence of IEEE operations, the same bits everywhere. Errors: tests/c/test_measure.c. The argument is
 * reduced as in Cephes (Moshier 1989, expf), the polynomial is Taylor's. */
#ifndef SOW_MEASURE_FLOAT_MATH_H
#define SOW_MEASURE_FLOAT_MATH_H

#include <stdint.h>
#include <string.h>

/* Values: exp(x) within 2 ulp for x in [-87, 88]; below, exp(-87), which is nothing beside 1; above, exp(88). NaN stays. */
static inline float sow_expf(float x)
{
    const float shifter = 0x1.8p23f; /* its last bit is worth 1 */
    x = x < -87.0f ? -87.0f : x;
    x = x > 88.0f ? 88.0f : x;
    float n = x * 0x1.715476p+0f + shifter;
    uint32_t bits, scale_bits;
    memcpy(&bits, &n, sizeof bits);
    n -= shifter;
    float r = (x - n * 0x1.63p-1f) - n * -0x1.bd0106p-13f, scale;
    float p = 0x1.a01a02p-13f;
    p = p * r + 0x1.6c16c2p-10f;
    p = p * r + 0x1.111112p-7f;
    p = p * r + 0x1.555556p-5f;
    p = p * r + 0x1.555556p-3f;
    p = p * r + 0.5f;
    p = p * (r * r) + r + 1;
    scale_bits = (bits + 127) << 23;
    memcpy(&scale, &scale_bits, sizeof scale);
    return p * scale;
}

static inline float sow_sigmoidf(float x)
{
    return 1 / (1 + sow_expf(-x));
}

/* Within 2 ulp: a polynomial near 0 (fitted to tanh(x) / x on [0, 0.64]), where the quotient would cancel. */
static inline float sow_tanhf(float x)
{
    float size = x < 0 ? -x : x, square = x * x;
    float far = 1 - 2 / (sow_expf(2 * size) + 1);
    float near = -0x1.6e5cdap-8f;
    near = near * square + 0x1.507d62p-6f;
    near = near * square + -0x1.b7fc24p-5f;
    near = near * square + 0x1.110542p-3f;
    near = near * square + -0x1.55552ap-2f;
    near = near * square * x + x;
    return size < 0.625f ? near : x < 0 ? -far : far;
}

#endif
