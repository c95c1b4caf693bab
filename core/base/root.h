/* SPDX-License-Identifier: MIT */
/* Square roots, correctly rounded on every target: hardware where the compiler has it inline, else integers. Not
 * libm's. Users call sow_sqrt (elementary.h). */
#ifndef SOW_BASE_ROOT_H
#define SOW_BASE_ROOT_H

#include "core/base/fma.h"

#if defined(__OPTIMIZE__) && (defined(__SSE2_MATH__) || defined(__aarch64__))
#define SOW_HARDWARE_ROOT 1 /* without optimisation compilers call libm instead */
#else
#define SOW_HARDWARE_ROOT 0
#endif

/* x positive and finite. Bit by bit: a double's root is never halfway between two doubles, so one more bit rounds
 * it. */
static inline double sow_root_software(double x)
{
    int32_t exponent;
    uint64_t significand = sow_significand(x, &exponent);
    if (exponent & 1) {
        significand <<= 1;
        exponent -= 1;
    }
    uint64_t root = 0, rest = 0;
    for (int bit = 106; bit >= 0; bit -= 2) { /* of significand 2^54 */
        uint64_t digits = bit >= 54 ? significand >> (bit - 54) & 3 : 0;
        rest = rest << 2 | digits;
        uint64_t trial = root << 2 | 1;
        root <<= 1;
        if (rest >= trial) {
            rest -= trial;
            root |= 1;
        }
    }
    root = (root >> 1) + (root & 1);
    return (double)root * sow_bits_double((uint64_t)((exponent - 54) / 2 + 1 + 1023) << 52);
}

/* x positive and finite. */
static inline double sow_root(double x)
{
#if SOW_HARDWARE_ROOT
    return __builtin_sqrt(x);
#else
    return sow_root_software(x);
#endif
}

#endif
