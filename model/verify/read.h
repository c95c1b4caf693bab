/* SPDX-License-Identifier: MIT */
/* Large reads: from the page cache where the bytes are in it, else past it. */
#ifndef SOW_VERIFY_READ_H
#define SOW_VERIFY_READ_H

#include "sow/sow.h"

/* `count` bytes from `offset`, a multiple of 4096, into memory aligned likewise with room up to the next multiple.
 * `direct` is -1 where O_DIRECT is not to be had. */
enum sow_status sow_read_chunk(int buffered, int direct, void *bytes, uint64_t count,
                               uint64_t offset, const char *path, struct sow_error *error);

/* Whether the first and the last of these bytes are in the page cache. A hint: what lies between is not looked at. */
int sow_read_is_cached(int buffered, uint64_t count, uint64_t offset);

#endif
