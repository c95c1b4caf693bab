/* SPDX-License-Identifier: MIT */
/* Memory that lives as long as a model. Blocks grow with what was taken, so that a small model stays small. */
#include "model/graph/arena.h"

#include "core/base/checked.h"
#include "model/graph/pages.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_MIN ((size_t)4096)
#define BLOCK_MAX ((size_t)8 << 20)

struct sow_arena_block {
    struct sow_arena_block *next;
    alignas(max_align_t) unsigned char bytes[];
};

static int add_block(struct sow_arena *arena, size_t bytes)
{
    size_t size = (size_t)(arena->bytes < BLOCK_MAX ? arena->bytes : BLOCK_MAX);
    size = size < BLOCK_MIN ? BLOCK_MIN : size;
    size = size < bytes ? bytes : size;
    if (size > SIZE_MAX - sizeof(struct sow_arena_block) ||
        (arena->bytes_max != 0 && size > arena->bytes_max - arena->bytes)) {
        return 1;
    }
    struct sow_arena_block *block = sow_pages_new(sizeof *block + size);
    if (block == NULL) {
        return 1;
    }
    block->next = arena->blocks;
    arena->blocks = block;
    arena->used = 0;
    arena->size = size;
    arena->bytes += size;
    return 0;
}

void *sow_arena_take(struct sow_arena *arena, size_t bytes)
{
    const size_t alignment = alignof(max_align_t);
    if (bytes > SIZE_MAX - alignment) {
        return NULL;
    }
    bytes = (bytes + alignment - 1) / alignment * alignment;
    if ((arena->blocks == NULL || bytes > arena->size - arena->used) && add_block(arena, bytes)) {
        return NULL;
    }
    void *taken = arena->blocks->bytes + arena->used;
    arena->used += bytes;
    memset(taken, 0, bytes);
    return taken;
}

char *sow_arena_copy(struct sow_arena *arena, const char *text, size_t length)
{
    char *copy = length == SIZE_MAX ? NULL : sow_arena_take(arena, length + 1);
    if (copy != NULL && length > 0) {
        memcpy(copy, text, length);
    }
    return copy;
}

void sow_arena_free(struct sow_arena *arena)
{
    while (arena->blocks != NULL) {
        struct sow_arena_block *next = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = next;
    }
    memset(arena, 0, sizeof *arena);
}
