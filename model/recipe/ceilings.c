/* SPDX-License-Identifier: MIT */
/* What a recipe may take: memory where Lua asks for it, steps and time in a hook that is called every
 * SOW_HOST_HOOK_STEPS instructions. The numbers are in host.h. */
#include "model/recipe/ceilings.h"

#include <stdlib.h>

int64_t sow_ceilings_clock(clockid_t clock)
{
    struct timespec now = {0, 0};
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t lesser(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t greater(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

void sow_host_extend(struct sow_host *host)
{
    int64_t room = lesser(SOW_HOST_STEPS_IN_ALL - host->steps, host->steps_to_give);
    int64_t given = lesser(SOW_HOST_STEPS_TENSOR, greater(room, 0));
    host->steps += given;
    host->steps_to_give -= given;
    host->nanoseconds += SOW_HOST_NANOSECONDS_TENSOR;
}

void sow_host_renew(struct sow_host *host)
{
    host->steps = greater(host->steps, SOW_HOST_STEPS);
    host->steps_to_give = INT64_MAX;
    host->nanoseconds = greater(host->nanoseconds, SOW_HOST_NANOSECONDS);
}

static void *refuse(struct sow_host *host, enum sow_status code, const char *why)
{
    host->refused = why;
    host->refused_code = code;
    if (host->running) {
        const char *path;
        sow_host_where(host, &path, &host->refused_line);
        for (size_t i = 0; i < host->file_count; i++) {
            host->refused_file = host->files[i].path == path ? (uint32_t)i : host->refused_file;
        }
    }
    return NULL;
}

/* All that is not a small new block in a recipe that runs. */
static void *resize(struct sow_host *host, void *old, size_t old_bytes, size_t bytes)
{
    const size_t held = old == NULL ? 0 : old_bytes;
    const int is_object = old == NULL && old_bytes != 0;
    if (host->running && old == NULL && old_bytes == LUA_TSTRING && bytes > SOW_HOST_STRING_MAX) {
        return refuse(host, SOW_E_CONFIG, "a text of more than 4096 bytes");
    }
    if (bytes > held &&
        host->running) { /* what we do ourselves, outside a protected call, must not fail */
        if (host->pool.bytes > SOW_HOST_BYTES_MAX || host->bytes > SOW_HOST_BYTES_MAX ||
            bytes - held > SOW_HOST_BYTES_MAX - host->bytes) {
            return refuse(host, SOW_E_CONFIG, "more than 128 MiB of memory");
        }
        host->steps -=
            (is_object ? SOW_HOST_STEPS_OBJECT : 0) + (int64_t)(bytes / SOW_HOST_BYTES_A_STEP);
    }
    void *block = sow_pool_resize(&host->pool, old, held, bytes);
    if (block == NULL) {
        return refuse(host, SOW_E_MEMORY, "more memory than the system has");
    }
    host->bytes = host->bytes - held + bytes;
    return block;
}

/* Called ten times for each tensor: what is common, first. */
void *sow_ceilings_allocate(void *user, void *old, size_t old_bytes, size_t bytes)
{
    struct sow_host *host = user;
    if (bytes == 0) {
        host->bytes -= old == NULL ? 0 : old_bytes;
        sow_pool_give(&host->pool, old, old_bytes);
        return NULL;
    }
    if (old == NULL && bytes <= SOW_POOL_SMALL && host->running &&
        host->bytes < SOW_HOST_BYTES_MAX - SOW_POOL_SMALL &&
        host->pool.bytes < SOW_HOST_BYTES_MAX) {
        void *block = sow_pool_take_small(&host->pool, bytes);
        if (block != NULL) {
            host->bytes += bytes;
            host->steps -= (old_bytes != 0 ? SOW_HOST_STEPS_OBJECT : 0) +
                           (int64_t)(bytes / SOW_HOST_BYTES_A_STEP);
            return block;
        }
    }
    return resize(host, old, old_bytes, bytes);
}

void sow_ceilings_count(lua_State *L, lua_Debug *unused)
{
    struct sow_host *host = sow_host_of(L);
    (void)unused;
    host->steps -= SOW_HOST_HOOK_STEPS;
    if (host->steps < 0) {
        sow_host_raise(host, SOW_E_CONFIG,
                       "the recipe does not end: stopped after five million steps (and more for "
                       "%zu tensors); is there an endless loop?",
                       host->model->graph.parameter_count);
    }
    if (sow_ceilings_clock(CLOCK_MONOTONIC) - host->started > host->nanoseconds &&
        sow_ceilings_clock(CLOCK_THREAD_CPUTIME_ID) - host->cpu_started > host->nanoseconds) {
        sow_host_raise(host, SOW_E_CONFIG,
                       "the recipe does not end: stopped after a second (and %d microseconds more "
                       "for each tensor)",
                       (int)(SOW_HOST_NANOSECONDS_TENSOR / 1000));
    }
}
