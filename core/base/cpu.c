/* SPDX-License-Identifier: MIT */
/* CPU features from cpuid and xgetbv, not from the compiler's run-time library.
 * Source: Intel SDM, CPUID leaves 1 and 7 and XCR0; on AArch64 NEON is always there. */
#include "core/base/cpu.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>

/* The bits of cpuid leaf 1 (ecx) and leaf 7 (ebx), and of XCR0: registers the system saves. */
struct features {
    uint32_t leaf1_ecx, leaf7_ebx, saved;
};

#define SAVED_AVX    0x06u /* xmm, ymm */
#define SAVED_AVX512 0xe6u /* and masks, zmm */

static struct features features(void)
{
    struct features f = {0, 0, 0};
    uint32_t eax, ebx, ecx, edx;
    if (__get_cpuid(1, &eax, &ebx, &ecx, &edx)) {
        f.leaf1_ecx = ecx;
    }
    if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) {
        f.leaf7_ebx = ebx;
    }
    if (f.leaf1_ecx & bit_OSXSAVE) {
        __asm__ volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
        f.saved = eax;
    }
    return f;
}

int sow_cpu_has(const char *isa)
{
    const uint32_t avx2_1 = bit_AVX | bit_FMA | bit_F16C, avx2_7 = bit_AVX2;
    const uint32_t avx512_7 = avx2_7 | bit_AVX512F | bit_AVX512DQ | bit_AVX512BW | bit_AVX512VL;
    struct features f = features();
    if (strcmp(isa, "sse41") == 0) {
        return (f.leaf1_ecx & bit_SSE4_1) != 0;
    }
    if (strcmp(isa, "avx2") == 0) {
        return (f.leaf1_ecx & avx2_1) == avx2_1 && (f.leaf7_ebx & avx2_7) == avx2_7 &&
               (f.saved & SAVED_AVX) == SAVED_AVX;
    }
    if (strcmp(isa, "avx512") == 0) {
        return (f.leaf1_ecx & avx2_1) == avx2_1 && (f.leaf7_ebx & avx512_7) == avx512_7 &&
               (f.saved & SAVED_AVX512) == SAVED_AVX512;
    }
    return strcmp(isa, "scalar") == 0;
}

#else

int sow_cpu_has(const char *isa)
{
    (void)isa; /* the build has only what every CPU of this kind can run */
    return 1;
}

#endif
