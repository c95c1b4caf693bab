/* SPDX-License-Identifier: MIT */
/* The software fma against the hardware's, on hard random cases: scripts/check-fma runs it on 10^8.
 * core/base/fma.h in both widths and the four-lane float form of core/kernel/vec_sse41.h. Operands have few or
 * many bits (ties), sums nearly cancel, results are subnormal. Needs -mfma or another hardware fma. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fma.h"
#ifdef __SSE4_1__
#include "core/kernel/vec_sse41.h"
#endif

#if !SOW_HARDWARE_FMA
#error "compile with the hardware's fma"
#endif

static uint64_t next_word(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* Sign, significand of few bits in half of the cases, and the biased exponent nearest to `exponent`. */
static double hard_number(uint64_t *state, int exponent, int exponent_max, int significand_bits)
{
    uint64_t word = next_word(state), significand = next_word(state) >> (64 - significand_bits);
    if (word & 64) {
        significand &= ~UINT64_C(0) << (word & 63) % (uint64_t)significand_bits;
    }
    exponent = exponent < 0 ? 0 : exponent > exponent_max ? exponent_max : exponent;
    if (significand_bits == 23) {
        uint32_t bits = (uint32_t)(word >> 63 << 31 | (uint64_t)exponent << 23 | significand);
        float x;
        memcpy(&x, &bits, sizeof x);
        return (double)x;
    }
    return sow_bits_double(word >> 63 << 63 | (uint64_t)exponent << 52 | significand);
}

struct operands {
    double a, b, c;
};

/* c lies up to `reach` binary places from the product; every eighth is the product itself, rounded. */
static struct operands hard_case(uint64_t *state, int exponent_max, int bias, int significand_bits,
                                 int reach)
{
    struct operands x;
    int a = (int)(next_word(state) % (uint64_t)(exponent_max + 1));
    int b = (int)(next_word(state) % (uint64_t)(exponent_max + 1));
    if (next_word(state) & 1) { /* a product near the subnormal numbers */
        b = bias - a + (int)(next_word(state) % 60) - 40;
    }
    int distance = (int)(next_word(state) % (uint64_t)(2 * reach)) - reach;
    x.a = hard_number(state, a, exponent_max, significand_bits);
    x.b = hard_number(state, b, exponent_max, significand_bits);
    x.c = hard_number(state, a + b - bias + distance, exponent_max, significand_bits);
    if (next_word(state) % 8 == 0) {
        x.c = significand_bits == 23 ? (double)-(float)(x.a * x.b) : -(x.a * x.b);
    }
    return x;
}

static uint64_t wrong;

static void report(const char *what, struct operands x, double found, double expected)
{
    if (wrong++ < 20) {
        printf("%s(%a, %a, %a) = %a, not %a\n", what, x.a, x.b, x.c, found, expected);
    }
}

static void check_double(uint64_t *state)
{
    struct operands x = hard_case(state, 2046, 1023, 52, 120);
    double found = sow_fma_software(x.a, x.b, x.c), expected = __builtin_fma(x.a, x.b, x.c);
    if (sow_double_bits(found) != sow_double_bits(expected)) {
        report("fma", x, found, expected);
    }
}

static void check_floats(uint64_t *state)
{
    float a[4], b[4], c[4], expected[4], found[4];
    struct operands x[4];
    for (int i = 0; i < 4; i++) {
        x[i] = hard_case(state, 254, 127, 23, 60);
        a[i] = (float)x[i].a;
        b[i] = (float)x[i].b;
        c[i] = (float)x[i].c;
        expected[i] = __builtin_fmaf(a[i], b[i], c[i]);
        found[i] = sow_fmaf_software(a[i], b[i], c[i]);
        if (memcmp(&found[i], &expected[i], sizeof(float)) != 0) {
            report("fmaf", x[i], (double)found[i], (double)expected[i]);
        }
    }
#ifdef __SSE4_1__
    _mm_storeu_ps(found, vf32_fma(_mm_loadu_ps(a), _mm_loadu_ps(b), _mm_loadu_ps(c)));
    for (int i = 0; i < 4; i++) {
        if (memcmp(&found[i], &expected[i], sizeof(float)) != 0) {
            report("vf32_fma", x[i], (double)found[i], (double)expected[i]);
        }
    }
#endif
}

int main(int argc, char **argv)
{
    uint64_t cases = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000, state = 1;
    for (uint64_t i = 0; i < cases; i++) {
        check_double(&state);
    }
    for (uint64_t i = 0; i < cases; i += 4) {
        check_floats(&state);
    }
    printf("%llu cases of each width, %llu wrong\n", (unsigned long long)cases,
           (unsigned long long)wrong);
    return wrong > 0;
}
