/* SPDX-License-Identifier: MIT */
/* Threads that take the chunks of some files one after another, until there are none or something fails. Made for one
 * call and joined at its end; no globals.
 *
 * There are more workers than `threads`: while some wait for the disk, at most `threads` of them draw. */
#ifndef SOW_RUN_CREW_H
#define SOW_RUN_CREW_H

#include <pthread.h>

#include "sow/model.h"

/* Bytes [offset, offset + count) of a file. */
struct sow_chunk {
    size_t file;
    uint64_t offset, count;
};

struct sow_crew {
    /* Filled by the maker. */
    const uint64_t *file_bytes;
    size_t file_count;
    uint64_t chunk_bytes;
    uint32_t threads, workers;
    sow_progress_fn *progress;
    void *progress_user;
    const volatile int *interrupted;

    /* Under the lock. */
    pthread_mutex_t lock;
    pthread_cond_t changed, may_draw;
    struct sow_chunk next; /* count unused */
    uint64_t done_bytes, total_bytes;
    uint32_t drawing, running;
    uint64_t reported_ms;
    enum sow_status status;
    struct sow_error error;
};

/* Fills threads, workers and chunk_bytes, so that the workers' buffers stay within 128 MiB unless the caller's chunks
 * are larger. `threads` 0: all CPUs; `chunk_bytes` 0: 4 MiB, less with many threads; rounded up to a multiple of `unit`.
 * The files are known. */
void sow_crew_size(struct sow_crew *crew, uint32_t threads, uint64_t chunk_bytes, uint64_t unit);

typedef void sow_crew_fn(struct sow_crew *crew, void *user, uint32_t worker);

/* Runs `work` in crew->workers threads and `watch` in the caller's (NULL: only progress and interruption), waits for all
 * and returns the first failure. */
enum sow_status sow_crew_run(struct sow_crew *crew, sow_crew_fn *work, sow_crew_fn *watch,
                             void *user, struct sow_error *error);

/* For workers. An empty file is one empty chunk. Returns 0 when there is nothing left or the run has failed. */
int sow_crew_take(struct sow_crew *crew, struct sow_chunk *chunk);
void sow_crew_begin_draw(struct sow_crew *crew);
void sow_crew_end_draw(struct sow_crew *crew);
void sow_crew_done(struct sow_crew *crew, uint64_t bytes);
/* The first failure counts. */
void sow_crew_fail(struct sow_crew *crew, enum sow_status status, const struct sow_error *error);

/* For watchers, with the lock held: looks at `interrupted` and reports progress when it is time (the lock is given up
 * meanwhile). Returns 0 when the run has failed. */
int sow_crew_tick(struct sow_crew *crew);
/* The same after waiting for a change, at most a tenth of a second. */
int sow_crew_wait(struct sow_crew *crew);

/* CPUs this process may use, at least 1. */
uint32_t sow_cpu_count(void);

#endif
