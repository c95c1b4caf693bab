/* SPDX-License-Identifier: MIT */
/* Small blocks by size. A size, once asked for, keeps its memory until the end: Lua asks for the same few again. */
#include "model/recipe/pool.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES ((size_t)32 << 10)

/* What is left of the old chunk, less than SOW_POOL_SMALL bytes, is given up. */
static int add_chunk(struct sow_pool *pool)
{
    struct sow_pool_cell *chunk = malloc(SOW_POOL_STEP + CHUNK_BYTES);
    _Static_assert(sizeof *chunk <= SOW_POOL_STEP && alignof(max_align_t) <= SOW_POOL_STEP,
                   "what follows a chunk's head is aligned");
    if (chunk == NULL) {
        return 1;
    }
    chunk->next = pool->chunks;
    pool->chunks = chunk;
    pool->at = (unsigned char *)chunk + SOW_POOL_STEP;
    pool->left = CHUNK_BYTES;
    pool->bytes += CHUNK_BYTES;
    return 0;
}

void *sow_pool_take_fresh(struct sow_pool *pool, size_t bytes)
{
    bytes = sow_pool_steps(bytes) * SOW_POOL_STEP;
    if (bytes > pool->left && add_chunk(pool)) {
        return NULL;
    }
    void *taken = pool->at;
    pool->at += bytes;
    pool->left -= bytes;
    return taken;
}

static void *take(struct sow_pool *pool, size_t bytes)
{
    return bytes > SOW_POOL_SMALL ? malloc(bytes) : sow_pool_take_small(pool, bytes);
}

void *sow_pool_resize(struct sow_pool *pool, void *old, size_t old_bytes, size_t bytes)
{
    if (old == NULL) {
        return take(pool, bytes);
    }
    if (old_bytes > SOW_POOL_SMALL && bytes > SOW_POOL_SMALL) {
        return realloc(old, bytes);
    }
    void *block = take(pool, bytes);
    if (block != NULL) {
        memcpy(block, old, old_bytes < bytes ? old_bytes : bytes);
        sow_pool_give(pool, old, old_bytes);
    }
    return block;
}

void sow_pool_free(struct sow_pool *pool)
{
    while (pool->chunks != NULL) {
        struct sow_pool_cell *next = pool->chunks->next;
        free(pool->chunks);
        pool->chunks = next;
    }
    memset(pool, 0, sizeof *pool);
}
