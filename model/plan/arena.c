/* SPDX-License-Identifier: MIT */
/* The plan's arena: blocks of growing size in a list. */
#include "model/plan/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define BLOCK_BYTES_MIN 4096u
#define BLOCK_BYTES_MAX (1u << 20)

struct sow_plan_block {
    struct sow_plan_block *next;
    max_align_t start[];
};

static void *arena_take(struct sow_plan_arena *arena, size_t bytes, size_t alignment)
{
    size_t used = (arena->used + alignment - 1) / alignment * alignment;
    if (arena->blocks == NULL || used > arena->capacity || bytes > arena->capacity - used) {
        size_t capacity = arena->capacity * 2;
        capacity = capacity < BLOCK_BYTES_MIN ? BLOCK_BYTES_MIN : capacity;
        capacity = capacity > BLOCK_BYTES_MAX ? BLOCK_BYTES_MAX : capacity;
        capacity = capacity < bytes ? bytes : capacity;
        if (capacity > SIZE_MAX - sizeof(struct sow_plan_block)) {
            return NULL;
        }
        struct sow_plan_block *block = calloc(1, sizeof *block + capacity);
        if (block == NULL) {
            return NULL;
        }
        block->next = arena->blocks;
        arena->blocks = block;
        arena->capacity = capacity;
        used = 0;
    }
    arena->used = used + bytes;
    return (char *)arena->blocks->start + used;
}

void *sow_plan_arena_take(struct sow_plan_arena *arena, size_t bytes)
{
    return arena_take(arena, bytes, sizeof(max_align_t));
}

char *sow_plan_arena_copy(struct sow_plan_arena *arena, const char *bytes, size_t length)
{
    if (length == SIZE_MAX) {
        return NULL;
    }
    char *copy = arena_take(arena, length + 1, 1);
    if (copy != NULL && length > 0) {
        memcpy(copy, bytes, length);
    }
    return copy;
}

const char *sow_plan_arena_share(struct sow_plan_arena *arena, const char *string)
{
    if (string == NULL || *string == '\0') {
        return "";
    }
    size_t length = strlen(string);
    const char **recent = &arena->recent[XXH3_64bits(string, length) % SOW_PLAN_RECENT];
    if (*recent != NULL && strcmp(*recent, string) == 0) {
        return *recent;
    }
    const char *copy = sow_plan_arena_copy(arena, string, length);
    if (copy != NULL) {
        *recent = copy;
    }
    return copy;
}

void sow_plan_arena_free(struct sow_plan_arena *arena)
{
    struct sow_plan_block *block = arena->blocks;
    while (block != NULL) {
        struct sow_plan_block *next = block->next;
        free(block);
        block = next;
    }
    *arena = (struct sow_plan_arena){0};
}
