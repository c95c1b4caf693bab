/* SPDX-License-Identifier: MIT */
/* Memory that lives as long as a plan and is freed with it in one go. Strings that repeat (rules,
 * reasons, file names) are mostly kept once. */
#ifndef SOW_PLAN_ARENA_H
#define SOW_PLAN_ARENA_H

#include <stddef.h>

#define SOW_PLAN_RECENT 256 /* strings remembered for sharing */

struct sow_plan_block;

struct sow_plan_arena {
    struct sow_plan_block *blocks;
    size_t used, capacity; /* of the newest block */
    const char *recent[SOW_PLAN_RECENT];
};

/* Zeroed bytes, aligned for any type; NULL when out of memory. */
void *sow_plan_arena_take(struct sow_plan_arena *arena, size_t bytes);
/* A copy with a closing 0. */
char *sow_plan_arena_copy(struct sow_plan_arena *arena, const char *bytes, size_t length);
/* A copy that may be shared with an equal earlier one; "" for NULL. */
const char *sow_plan_arena_share(struct sow_plan_arena *arena, const char *string);
void sow_plan_arena_free(struct sow_plan_arena *arena);

#endif
