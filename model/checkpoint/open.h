/* SPDX-License-Identifier: MIT */
/* Opening a file of a checkpoint relative to its folder, and saying what it is when it is no safetensors file. */
#ifndef SOW_CHECKPOINT_OPEN_H
#define SOW_CHECKPOINT_OPEN_H

#include "model/checkpoint/safetensors.h"

/* Opens `name` in the folder for reading; `path` is for messages. Only regular files; `flags` adds to open's (O_NOFOLLOW).
 * Returns the descriptor and the size. */
enum sow_status sow_open_regular(int folder, const char *name, int flags, const char *path,
                                 int *descriptor, uint64_t *bytes, struct sow_error *error);

/* The same for a shard that an index names: a link is not followed, unless it is one of the Hub's cache
 * (snapshots/REVISION/NAME is a link to ../../blobs/HASH). */
enum sow_status sow_open_shard(int folder, const char *name, int flags, const char *path,
                               int *descriptor, uint64_t *bytes, struct sow_error *error);

/* All of `count` bytes from `offset`; a file that ends before is an error. */
enum sow_status sow_read_at(int descriptor, void *bytes, uint64_t count, uint64_t offset,
                            const char *path, struct sow_error *error);

/* The header of the open file of `bytes` bytes. */
enum sow_status sow_st_read_header(int descriptor, uint64_t bytes, const char *path,
                                   struct sow_st_header **header, struct sow_error *error);

/* What a file with these first bytes is, and the way out; NULL when nothing is known of them. May write to `text`. */
const char *sow_st_sniff(const char *head, size_t count, char *text, size_t text_bytes);

#endif
