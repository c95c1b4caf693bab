/* SPDX-License-Identifier: MIT */
/* The ring: a few chunks of memory, the same whatever the model's size. */
#ifndef SOW_RUN_BUFFERS_H
#define SOW_RUN_BUFFERS_H

#include <stddef.h>
#include <stdint.h>

#include "sow/sow.h"

struct sow_buffers {
    unsigned char
        *bytes; /* buffer i begins at bytes + i * each; page-aligned, on huge pages where granted */
    size_t each;
    void *mapping;
    size_t mapping_bytes;
    int small_pages; /* errno of the refused hint */
};

/* SOW_E_MEMORY when the system has none. `each` is a multiple of 4096. */
enum sow_status sow_buffers_make(uint32_t count, size_t each, struct sow_buffers *buffers,
                                 struct sow_error *error);
void sow_buffers_free(struct sow_buffers *buffers);

#endif
