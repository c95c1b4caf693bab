/* SPDX-License-Identifier: MIT */
/* The kernels of every instruction set that can run here, AVX-512 through SIMDe where the CPU lacks it, and numbers to try
 * them with. Each file that includes this has its own copy of the SIMDe kernels. Not a test. */
#ifndef SOW_TESTS_EVERY_ISA_H
#define SOW_TESTS_EVERY_ISA_H

#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__) && defined(__has_include)
#if __has_include(<simde/x86/avx512.h>)
#define HAVE_SIMDE 1
#pragma GCC diagnostic ignored "-Wpsabi" /* 64-byte vectors are passed inside this file alone */
#include "tests/c/simde_avx512.h"
#define SOW_ISA        avx512_simde
#define SOW_VEC_HEADER "core/kernel/vec_avx512.h"
#include "core/kernel/kernels_tmpl.c"
#endif
#endif

#include "core/kernel/kernel.h"

/* The instruction sets to test, scalar first; NULL past the end. */
static const struct sow_kernels *kernels_at(size_t index)
{
    const struct sow_kernels *kernels = sow_kernels_at(index);
#ifdef HAVE_SIMDE
    if (kernels == NULL && sow_kernels_at(index - 1) != NULL) {
        return &sow_kernels_avx512_simde;
    }
#endif
    return kernels;
}

static uint64_t next_word(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

#endif
