/* SPDX-License-Identifier: MIT */
/* The C library's memory, with a hint to the system. Where that is refused, everything is the same but slower. */
#include "model/graph/pages.h"

#include <stdlib.h>
#include <sys/mman.h>

#define LARGE_PAGE ((size_t)2 << 20)

void *sow_pages_new(size_t bytes)
{
    void *taken = NULL;
    if (bytes < LARGE_PAGE) {
        return malloc(bytes);
    }
    if (posix_memalign(&taken, LARGE_PAGE, bytes) != 0) {
        return NULL;
    }
#ifdef MADV_HUGEPAGE
    (void)madvise(taken, bytes / LARGE_PAGE * LARGE_PAGE, MADV_HUGEPAGE); /* whole ones only */
#endif
    return taken;
}
