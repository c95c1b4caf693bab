/* SPDX-License-Identifier: MIT */
/* Which tensor stands in which file at which byte, and the headers: all of it known before a number is drawn. */
#ifndef SOW_RUN_LAYOUT_H
#define SOW_RUN_LAYOUT_H

#include "model/run/stream.h"

#define SOW_ALIGNMENT 4096 /* of the data's begin: what O_DIRECT asks of offsets */

struct sow_file {
    char name[64]; /* "model-00001-of-00003.safetensors"; "" for the one file of an unsharded run */
    struct sow_stream stream;
    uint64_t bytes; /* header included */
};

struct sow_files {
    struct sow_file *files;
    size_t count;
    uint64_t bytes, data_bytes; /* of all files */
};

/* Shards as huggingface_hub cuts them: in plan order, a shard is closed when the next tensor would take its data over
 * `shard_bytes`, a larger tensor gets a shard of its own; and a shard whose header passes the format's limit is halved.
 * One shard is called model.safetensors. 0: one file, and the limit is an error. */
enum sow_status sow_files_make(const struct sow_plan *plan, uint64_t shard_bytes,
                               struct sow_files **layout, struct sow_error *error);
void sow_files_free(struct sow_files *layout);

/* The text of model.safetensors.index.json as huggingface_hub and transformers write it; the caller frees it. */
enum sow_status sow_files_index(const struct sow_files *layout, char **text, uint64_t *length,
                                struct sow_error *error);

#endif
