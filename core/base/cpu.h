/* SPDX-License-Identifier: MIT */
/* What this CPU and its operating system can run, and the floating-point state the kernels need. */
#ifndef SOW_BASE_CPU_H
#define SOW_BASE_CPU_H

#include <stdint.h>

/* Nonzero when code compiled for the row `isa` of cmake/isa.cmake can run here. */
int sow_cpu_has(const char *isa);

/* Default rounding, subnormals kept, no traps: whatever the caller's thread has set (a library linked
 * with -ffast-math switches subnormals off for the whole process). Returns the state to give back. */
static inline uint64_t sow_cpu_float_enter(void)
{
#if defined(__x86_64__)
    uint32_t state = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(0x1f80);
    return state;
#elif defined(__aarch64__)
    uint64_t state;
    __asm__ volatile("mrs %0, fpcr" : "=r"(state));
    __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)0));
    return state;
#else
    return 0;
#endif
}

static inline void sow_cpu_float_leave(uint64_t state)
{
#if defined(__x86_64__)
    __builtin_ia32_ldmxcsr((uint32_t)state);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" : : "r"(state));
#else
    (void)state;
#endif
}

#endif
