/* SPDX-License-Identifier: MIT */
/* The monotonic clock, and half of the physical pages. */
#include "model/signal/measure/machine.h"

#include <time.h>
#include <unistd.h>

double sow_clock(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

uint64_t sow_memory_ceiling(uint64_t wanted)
{
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    if (wanted > 0) {
        return wanted;
    }
    return pages > 0 && size > 0 ? (uint64_t)pages / 2 * (uint64_t)size : UINT64_C(1) << 32;
}
