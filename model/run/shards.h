/* SPDX-License-Identifier: MIT */
/* Which tensors share a shard. */
#ifndef SOW_RUN_SHARDS_H
#define SOW_RUN_SHARDS_H

#include "model/plan/plan.h"

/* Shard i holds the tensors at plan indices indices[begins[i]] ... indices[begins[i + 1] - 1]. */
struct sow_shards {
    size_t *indices, *begins;
    size_t count;
};

/* huggingface_hub's rule (serialization/_base.py, split_state_dict_into_shards_factory); at least one shard. */
enum sow_status sow_shards_cut(const struct sow_plan *plan, uint64_t shard_bytes,
                               struct sow_shards *shards, struct sow_error *error);
/* Cuts shard `index`, of at least two tensors, into two. */
enum sow_status sow_shards_halve(struct sow_shards *shards, size_t index, struct sow_error *error);
void sow_shards_free(struct sow_shards *shards);

#endif
