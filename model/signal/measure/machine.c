/* SPDX-License-Identifier: MIT */
/* The monotonic clock, half of the physical pages, and the largest pages that a Linux gives away. */
#include "model/signal/measure/machine.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "core/kernel/kernel.h"

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

#define HUGE_PAGE ((size_t)2 << 20)

void *sow_memory_new(size_t bytes)
{
    void *at = NULL;
    int is_large = bytes >= HUGE_PAGE;
    if (posix_memalign(&at, is_large ? HUGE_PAGE : SOW_TILE_ALIGN, bytes > 0 ? bytes : 1) != 0) {
        return NULL;
    }
#ifdef MADV_HUGEPAGE
    if (is_large) { /* only whole ones, so that no more is taken than asked for; a refusal changes nothing */
        (void)madvise(at, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
    }
#endif
    return at;
}
