/* SPDX-License-Identifier: MIT */
/* Fused multiply-add, exact on every target: sow_fma(a, b, c) and sow_fmaf(a, b, c) give
 * a * b + c rounded once, to nearest even, subnormals kept. Hardware where the compiler has it,
 * else integers (double) or a sum rounded to odd (float: Boldo and Melquiond 2008, "Emulation of
 * FMA and correctly rounded sums"). Not libm's fma, which may be slow, absent or wrong. Needs the
 * default rounding mode. Bits: those of IEEE 754's fusedMultiplyAdd, but for the payload of NaN. */
#ifndef SOW_BASE_FMA_H
#define SOW_BASE_FMA_H

#include <stdint.h>
#include <string.h>

#if defined(__OPTIMIZE__) && (defined(__FMA__) || defined(__FP_FAST_FMA) || defined(__aarch64__))
#define SOW_HARDWARE_FMA 1 /* without optimisation compilers call libm instead */
#else
#define SOW_HARDWARE_FMA 0
#endif

static inline uint64_t sow_double_bits(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline double sow_bits_double(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* A finite nonzero number: (-1)^negative * (high * 2^64 + low) * 2^exponent. */
struct sow_wide {
    uint64_t high, low;
    int32_t exponent;
    int negative;
};

/* Bits of the exponent and the rest of |x|, as a significand in [2^52, 2^53) times 2^*exponent. */
static inline uint64_t sow_significand(double x, int32_t *exponent)
{
    uint64_t bits = sow_double_bits(x) & 0x7fffffffffffffffu;
    int32_t biased = (int32_t)(bits >> 52);
    uint64_t significand = bits & 0xfffffffffffffu;
    if (biased == 0) {
        int shift = __builtin_clzll(significand) - 11;
        *exponent = -1074 - shift;
        return significand << shift;
    }
    *exponent = biased - 1075;
    return significand | 0x10000000000000u;
}

/* Shift right; what falls out stays as a one in the last bit (sticky). */
static inline void sow_wide_shift_right(struct sow_wide *x, uint32_t shift)
{
    uint64_t lost = 0;
    if (shift >= 128) {
        lost = x->high | x->low;
        x->high = x->low = 0;
    } else if (shift >= 64) {
        lost = x->low | (shift > 64 ? x->high << (128 - shift) : 0);
        x->low = x->high >> (shift - 64);
        x->high = 0;
    } else if (shift > 0) {
        lost = x->low << (64 - shift);
        x->low = x->low >> shift | x->high << (64 - shift);
        x->high >>= shift;
    }
    x->low |= lost != 0;
    x->exponent += (int32_t)shift;
}

/* a * b with its leading one at bit 126. */
static inline struct sow_wide sow_wide_product(double a, double b)
{
    int32_t a_exponent, b_exponent;
    uint64_t m = sow_significand(a, &a_exponent), n = sow_significand(b, &b_exponent);
    uint64_t m0 = m & 0xffffffffu, m1 = m >> 32, n0 = n & 0xffffffffu, n1 = n >> 32;
    uint64_t low = m0 * n0, middle = m1 * n0 + (low >> 32),
             other = m0 * n1 + (middle & 0xffffffffu);
    struct sow_wide p;
    p.low = other << 32 | (low & 0xffffffffu);
    p.high = m1 * n1 + (middle >> 32) + (other >> 32); /* leading one at bit 104 or 105 */
    uint32_t shift = p.high >> 41 ? 21 : 22;
    p.high = p.high << shift | p.low >> (64 - shift);
    p.low <<= shift;
    p.exponent = a_exponent + b_exponent - (int32_t)shift;
    p.negative = (int)((sow_double_bits(a) ^ sow_double_bits(b)) >> 63);
    return p;
}

/* To the nearest double, ties to even. Bit 127 of x may be set. */
static inline double sow_wide_round(struct sow_wide x)
{
    uint64_t sign = (uint64_t)x.negative << 63;
    if ((x.high | x.low) == 0) {
        return 0.0; /* exact cancellation gives +0 */
    }
    uint32_t zeros = (uint32_t)(x.high ? __builtin_clzll(x.high) : 64 + __builtin_clzll(x.low));
    if (zeros >= 64) {
        x.high = x.low << (zeros - 64);
        x.low = 0;
    } else if (zeros > 0) {
        x.high = x.high << zeros | x.low >> (64 - zeros);
        x.low <<= zeros;
    }
    x.exponent -= (int32_t)zeros;
    int32_t biased = x.exponent + 127 + 1023; /* of the leading one, now at bit 127 */
    if (biased > 2046) {
        return sow_bits_double(sign | 0x7ff0000000000000u);
    }
    if (biased < 1) {
        sow_wide_shift_right(&x, (uint32_t)(1 - biased));
        biased = 0;
    } else {
        biased -= 1; /* the leading one itself adds it back */
    }
    uint64_t bits = (x.high >> 11) + ((uint64_t)biased << 52);
    uint64_t rest = (x.high & 0x7ff) << 1 | (x.low != 0); /* 0x800 is one half */
    bits +=
        rest > 0x800 || (rest == 0x800 && (bits & 1)); /* may carry into the exponent, rightly */
    return sow_bits_double(sign | bits);
}

static inline double sow_fma_software(double a, double b, double c)
{
    const uint64_t infinity = 0x7ff0000000000000u, magnitude = 0x7fffffffffffffffu;
    if ((sow_double_bits(a) & magnitude) >= infinity ||
        (sow_double_bits(b) & magnitude) >= infinity || a == 0 || b == 0) {
        return a * b + c;
    }
    if ((sow_double_bits(c) & magnitude) >= infinity) {
        return c + c;
    }
    if (c == 0) {
        return a * b;
    }
    struct sow_wide p = sow_wide_product(a, b), q = {0, 0, 0, 0};
    q.high = sow_significand(c, &q.exponent) << 10; /* leading one at bit 126 */
    q.exponent -= 74;
    q.negative = (int)(sow_double_bits(c) >> 63);
    if (p.exponent > q.exponent) {
        sow_wide_shift_right(&q, (uint32_t)(p.exponent - q.exponent));
    } else {
        sow_wide_shift_right(&p, (uint32_t)(q.exponent - p.exponent));
    }
    if (p.negative == q.negative) {
        p.low += q.low;
        p.high += q.high + (p.low < q.low);
        return sow_wide_round(p);
    }
    if (p.high < q.high || (p.high == q.high && p.low < q.low)) {
        struct sow_wide larger = q;
        q = p;
        p = larger;
    }
    p.high -= q.high + (p.low < q.low);
    p.low -= q.low;
    return sow_wide_round(p);
}

static inline float sow_fmaf_software(float a, float b, float c)
{
    double product = (double)a * (double)b; /* exact: 48 bits, far from double's ends */
    double sum = product + (double)c;
    double c_part = sum - product;
    double rest =
        (product - (sum - c_part)) + ((double)c - c_part); /* exact: sum + rest = product + c */
    uint64_t bits = sow_double_bits(sum);
    if (rest != 0 && (bits & 1) == 0 && (bits & 0x7fffffffffffffffu) < 0x7ff0000000000000u) {
        bits += (rest > 0) == (sum > 0) ? 1 : (uint64_t)-1; /* of the two neighbours, the odd one */
    }
    return (float)sow_bits_double(bits);
}

static inline double sow_fma(double a, double b, double c)
{
#if SOW_HARDWARE_FMA
    return __builtin_fma(a, b, c);
#else
    return sow_fma_software(a, b, c);
#endif
}

static inline float sow_fmaf(float a, float b, float c)
{
#if SOW_HARDWARE_FMA
    return __builtin_fmaf(a, b, c);
#else
    return sow_fmaf_software(a, b, c);
#endif
}

#endif
