/* SPDX-License-Identifier: MIT */
/* Memory for a Lua state, which takes and gives back small objects by the million: those of up to SOW_POOL_SMALL bytes
 * come from chunks, and go onto a list of their size when given back. Larger ones are the C library's. Not an arena:
 * model/graph/arena.h is what lives as long as a model. */
#ifndef SOW_RECIPE_POOL_H
#define SOW_RECIPE_POOL_H

#include <stddef.h>
#include <stdlib.h>

#define SOW_POOL_SMALL ((size_t)256)
#define SOW_POOL_STEP  ((size_t)16) /* sizes are rounded up to it: aligned for any type */

struct sow_pool_cell {
    struct sow_pool_cell *next;
};

/* Zeroed is empty. */
struct sow_pool {
    struct sow_pool_cell *given_back[SOW_POOL_SMALL / SOW_POOL_STEP + 1]; /* by size */
    struct sow_pool_cell *chunks;
    unsigned char *at; /* what is left of the newest chunk */
    size_t left;
    size_t bytes; /* of all chunks: what sizes no longer asked for keep counts too */
};

static inline size_t sow_pool_steps(size_t bytes)
{
    return (bytes + SOW_POOL_STEP - 1) / SOW_POOL_STEP;
}

/* A small block that was never given back; NULL when out of memory. */
void *sow_pool_take_fresh(struct sow_pool *pool, size_t bytes);

/* A small block; most were given back before. */
static inline void *sow_pool_take_small(struct sow_pool *pool, size_t bytes)
{
    struct sow_pool_cell **first = &pool->given_back[sow_pool_steps(bytes)], *cell = *first;
    if (cell == NULL) {
        return sow_pool_take_fresh(pool, bytes);
    }
    *first = cell->next;
    return cell;
}

/* NULL is allowed. */
static inline void sow_pool_give(struct sow_pool *pool, void *old, size_t old_bytes)
{
    if (old == NULL || old_bytes > SOW_POOL_SMALL) {
        free(old);
        return;
    }
    struct sow_pool_cell *cell = old, **first = &pool->given_back[sow_pool_steps(old_bytes)];
    cell->next = *first;
    *first = cell;
}

/* As realloc, but that `old_bytes` is what was asked for last time; NULL (and the old block intact) when out of memory. */
void *sow_pool_resize(struct sow_pool *pool, void *old, size_t old_bytes, size_t bytes);
/* Frees the small blocks. The larger ones must have been given back. */
void sow_pool_free(struct sow_pool *pool);

#endif
