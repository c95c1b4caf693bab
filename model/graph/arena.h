/* SPDX-License-Identifier: MIT */
/* Memory that lives as long as a model: strings and small arrays, taken one by one and freed together. */
#ifndef SOW_GRAPH_ARENA_H
#define SOW_GRAPH_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct sow_arena_block;

/* Zeroed is empty. `bytes_max` 0 means no ceiling. */
struct sow_arena {
    struct sow_arena_block *blocks;
    size_t used, size; /* of the newest block */
    uint64_t bytes, bytes_max;
};

/* Zeroed bytes aligned for any type; NULL when out of memory or over the ceiling. */
void *sow_arena_take(struct sow_arena *arena, size_t bytes);
/* A copy with a closing 0; NULL as above. */
char *sow_arena_copy(struct sow_arena *arena, const char *text, size_t length);
void sow_arena_free(struct sow_arena *arena);

#endif
