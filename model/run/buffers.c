/* SPDX-License-Identifier: MIT */
/* One mapping, aligned to 2 MiB so that huge pages fit. */
#include "model/run/buffers.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "core/base/error.h"

#define HUGE_PAGE ((size_t)2 << 20)

enum sow_status sow_buffers_make(uint32_t count, size_t each, struct sow_buffers *buffers,
                                 struct sow_error *error)
{
    if (each > (SIZE_MAX - HUGE_PAGE) / count) {
        return sow_fail(error, SOW_E_MEMORY, "no memory for %u buffers of %zu bytes", count, each);
    }
    size_t bytes = count * each + HUGE_PAGE;
    void *mapping = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED) {
        return sow_fail(error, SOW_E_MEMORY, "no memory for %u buffers of %zu bytes: %s", count,
                        each, strerror(errno));
    }
    uintptr_t aligned = ((uintptr_t)mapping + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    *buffers = (struct sow_buffers){.bytes = (unsigned char *)aligned,
                                    .each = each,
                                    .mapping = mapping,
                                    .mapping_bytes = bytes};
    if (madvise(buffers->bytes, count * each, MADV_HUGEPAGE) != 0) {
        buffers->small_pages = errno;
    }
    return SOW_OK;
}

void sow_buffers_free(struct sow_buffers *buffers)
{
    if (buffers->mapping != NULL) {
        munmap(buffers->mapping, buffers->mapping_bytes);
    }
    *buffers = (struct sow_buffers){0};
}
