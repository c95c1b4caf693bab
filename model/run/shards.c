/* SPDX-License-Identifier: MIT */
/* Greedy shards in plan order. As in huggingface_hub a tensor over the limit goes into a shard of its own at once, while
 * the shard that was being filled stays open behind it. */
#include "model/run/shards.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"

static enum sow_status no_memory(struct sow_error *error)
{
    return sow_fail(error, SOW_E_MEMORY, "no memory to cut a plan into shards");
}

void sow_shards_free(struct sow_shards *shards)
{
    free(shards->indices);
    free(shards->begins);
    *shards = (struct sow_shards){NULL, NULL, 0};
}

/* The shard being filled: tensors of the plan that are not yet in a closed one. */
struct open_shard {
    size_t *indices;
    size_t count;
    uint64_t bytes;
};

static void close_shard(struct sow_shards *shards, const size_t *indices, size_t count)
{
    size_t begin = shards->begins[shards->count];
    memcpy(shards->indices + begin, indices, count * sizeof indices[0]);
    shards->begins[++shards->count] = begin + count;
}

static void cut(const struct sow_plan *plan, uint64_t limit, struct sow_shards *shards,
                struct open_shard *open)
{
    for (size_t i = 0; i < sow_plan_count(plan); i++) {
        uint64_t bytes = sow_plan_at(plan, i)->bytes;
        if (bytes > limit) {
            close_shard(shards, &i, 1);
            continue;
        }
        if (bytes > limit - open->bytes) {
            close_shard(shards, open->indices, open->count);
            open->count = 0;
            open->bytes = 0;
        }
        open->indices[open->count++] = i;
        open->bytes += bytes;
    }
    if (open->count > 0 || shards->count == 0) {
        close_shard(shards, open->indices, open->count);
    }
}

enum sow_status sow_shards_cut(const struct sow_plan *plan, uint64_t shard_bytes,
                               struct sow_shards *shards, struct sow_error *error)
{
    size_t count = sow_plan_count(plan);
    struct open_shard open = {calloc(count + 1, sizeof open.indices[0]), 0, 0};
    shards->indices = calloc(count + 1, sizeof shards->indices[0]);
    shards->begins = calloc(count + 2, sizeof shards->begins[0]);
    shards->count = 0;
    if (open.indices == NULL || shards->indices == NULL || shards->begins == NULL) {
        free(open.indices);
        sow_shards_free(shards);
        return no_memory(error);
    }
    cut(plan, shard_bytes == 0 ? UINT64_MAX : shard_bytes, shards, &open);
    free(open.indices);
    return SOW_OK;
}

enum sow_status sow_shards_halve(struct sow_shards *shards, size_t index, struct sow_error *error)
{
    size_t *begins = realloc(shards->begins, (shards->count + 2) * sizeof begins[0]);
    if (begins == NULL) {
        return no_memory(error);
    }
    shards->begins = begins;
    memmove(begins + index + 2, begins + index + 1, (shards->count - index) * sizeof begins[0]);
    begins[index + 1] = begins[index] + (begins[index + 2] - begins[index]) / 2;
    shards->count++;
    return SOW_OK;
}
