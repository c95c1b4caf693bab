/* SPDX-License-Identifier: MIT */
/* One number for the bytes of a run's files, the same for any threads and chunks: every file is cut into blocks of 1 MiB
 * (the last one is what is left), and the fingerprint is XXH3-128 of the blocks' XXH3-128 digests, each in its canonical
 * 16 bytes, in the order of the files and the blocks (docs/files.md). */
#ifndef SOW_RUN_FINGERPRINT_H
#define SOW_RUN_FINGERPRINT_H

#include <stddef.h>
#include <stdint.h>

#include "sow/sow.h"

#define SOW_FINGERPRINT_BLOCK ((uint64_t)1 << 20)

struct sow_fingerprint; /* the digests of all blocks */

enum sow_status sow_fingerprint_new(const uint64_t *file_bytes, size_t file_count,
                                    struct sow_fingerprint **fingerprint, struct sow_error *error);
void sow_fingerprint_free(struct sow_fingerprint *fingerprint);

/* Takes the block at `offset`, a multiple of the block's size. Any order, any thread, each block once. */
void sow_fingerprint_block(struct sow_fingerprint *fingerprint, size_t file, uint64_t offset,
                           const void *bytes, uint64_t count);
/* All blocks of a chunk that begins at a block's begin. */
void sow_fingerprint_chunk(struct sow_fingerprint *fingerprint, size_t file, uint64_t offset,
                           const void *bytes, uint64_t count);

/* 32 hexadecimal digits and a 0, once all blocks are in. */
void sow_fingerprint_text(const struct sow_fingerprint *fingerprint, char text[33]);

#endif
