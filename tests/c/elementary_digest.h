/* SPDX-License-Identifier: MIT */
/* One number for the bits of every elementary function on 9 x 100,000 arguments. Plain C, no
 * cmocka: the same file runs on other CPUs under an emulator. */
#ifndef SOW_TEST_ELEMENTARY_DIGEST_H
#define SOW_TEST_ELEMENTARY_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/elementary.h"
#include "core/base/fma.h"

#define ELEMENTARY_DIGEST 0x0557d743f2547f69u

/* splitmix64 (Steele, Lea and Flood 2014). */
static inline uint64_t next_word(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Half of the arguments lie in (-32, 32), half have any bits at all. */
static inline double next_argument(uint64_t *state)
{
    uint64_t word = next_word(state);
    if (next_word(state) & 1) {
        return (double)((int64_t)word >> 10) * 0x1p-48;
    }
    return sow_bits_double(word);
}

static inline void digest_double(uint64_t *digest, double x)
{
    uint64_t bits =
        x != x ? 0x7ff8000000000000u : sow_double_bits(x); /* an argument's NaN may pass */
    for (int byte = 0; byte < 8; byte++) {
        *digest = (*digest ^ (bits >> (8 * byte) & 0xff)) * 0x100000001b3u; /* FNV-1a */
    }
}

static inline uint64_t elementary_digest(void)
{
    static double (*const functions[])(double) = {
        sow_exp, sow_expm1, sow_log, sow_log1p, sow_sqrt, sow_tanh, sow_erf, sow_erfc,
    };
    uint64_t digest = 0xcbf29ce484222325u, state = 1;
    for (int i = 0; i < 100000; i++) {
        double x = next_argument(&state), y = next_argument(&state);
        for (size_t f = 0; f < sizeof functions / sizeof functions[0]; f++) {
            digest_double(&digest, functions[f](x));
        }
        digest_double(&digest, sow_pow(x < 0 && (i & 1) ? -x : x, y));
        digest_double(&digest, sow_fma(x, y, next_argument(&state)));
        digest_double(&digest, (double)sow_fmaf((float)x, (float)y, (float)next_argument(&state)));
    }
    return digest;
}

#endif
