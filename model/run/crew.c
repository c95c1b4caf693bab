/* SPDX-License-Identifier: MIT */
/* POSIX threads, one lock and one condition: a chunk is megabytes, so nobody waits for the lock. */
#include "model/run/crew.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/error.h"

#define REPORT_MS     100 /* between two reports of progress */
#define CHUNK_DEFAULT ((uint64_t)4 << 20)
#define CHUNK_MAX     ((uint64_t)1 << 40)
#define RING_BYTES    ((uint64_t)128 << 20)
#define IN_FLIGHT     8u /* chunks that wait for the disk while others are drawn */
#define THREADS_MAX   1024u

struct worker {
    struct sow_crew *crew;
    sow_crew_fn *work;
    void *user;
    uint32_t number;
    pthread_t thread;
};

uint32_t sow_cpu_count(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) {
        return 1;
    }
    int count = CPU_COUNT(&set);
    return count > 0 ? (uint32_t)count : 1;
}

void sow_crew_size(struct sow_crew *crew, uint32_t threads, uint64_t chunk_bytes, uint64_t unit)
{
    uint64_t chunks = 0;
    crew->threads = threads == 0 ? sow_cpu_count() : threads;
    crew->threads = crew->threads > THREADS_MAX ? THREADS_MAX : crew->threads;
    uint64_t workers = crew->threads + IN_FLIGHT;
    if (chunk_bytes == 0) {
        chunk_bytes = CHUNK_DEFAULT;
        while (chunk_bytes > unit && chunk_bytes * workers > RING_BYTES) {
            chunk_bytes /= 2;
        }
    }
    chunk_bytes = chunk_bytes > CHUNK_MAX ? CHUNK_MAX : chunk_bytes;
    crew->chunk_bytes = (chunk_bytes + unit - 1) / unit * unit;
    for (size_t i = 0; i < crew->file_count; i++) {
        chunks += crew->file_bytes[i] / crew->chunk_bytes + 1;
    }
    if (workers > RING_BYTES / crew->chunk_bytes) {
        workers = RING_BYTES / crew->chunk_bytes;
    }
    workers = workers < 2 ? 2 : workers;
    workers = workers > chunks ? chunks : workers;
    crew->workers = workers == 0 ? 1 : (uint32_t)workers;
}

static void fail_locked(struct sow_crew *crew, enum sow_status status,
                        const struct sow_error *error)
{
    if (crew->status == SOW_OK) {
        crew->status = status;
        crew->error = *error;
        pthread_cond_broadcast(&crew->changed);
    }
}

static void check_interrupted(struct sow_crew *crew)
{
    struct sow_error error;
    if (crew->interrupted != NULL && *crew->interrupted != 0) {
        sow_fail(&error, SOW_E_INTERRUPTED, "interrupted");
        fail_locked(crew, SOW_E_INTERRUPTED, &error);
    }
}

void sow_crew_fail(struct sow_crew *crew, enum sow_status status, const struct sow_error *error)
{
    pthread_mutex_lock(&crew->lock);
    fail_locked(crew, status, error);
    pthread_mutex_unlock(&crew->lock);
}

int sow_crew_take(struct sow_crew *crew, struct sow_chunk *chunk)
{
    int taken = 0;
    pthread_mutex_lock(&crew->lock);
    check_interrupted(crew);
    if (crew->status == SOW_OK && crew->next.file < crew->file_count) {
        uint64_t left = crew->file_bytes[crew->next.file] - crew->next.offset;
        *chunk = crew->next;
        chunk->count = left < crew->chunk_bytes ? left : crew->chunk_bytes;
        crew->next.offset += chunk->count;
        if (chunk->count == left) {
            crew->next = (struct sow_chunk){.file = chunk->file + 1};
        }
        taken = 1;
    }
    pthread_mutex_unlock(&crew->lock);
    return taken;
}

void sow_crew_begin_draw(struct sow_crew *crew)
{
    pthread_mutex_lock(&crew->lock);
    while (crew->drawing >= crew->threads) {
        pthread_cond_wait(&crew->may_draw, &crew->lock);
    }
    crew->drawing++;
    pthread_mutex_unlock(&crew->lock);
}

void sow_crew_end_draw(struct sow_crew *crew)
{
    pthread_mutex_lock(&crew->lock);
    crew->drawing--;
    pthread_cond_signal(&crew->may_draw);
    pthread_mutex_unlock(&crew->lock);
}

void sow_crew_done(struct sow_crew *crew, uint64_t bytes)
{
    pthread_mutex_lock(&crew->lock);
    crew->done_bytes += bytes;
    pthread_mutex_unlock(&crew->lock);
}

static struct timespec monotonic(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now;
}

/* Calls the caller's function, without the lock. */
static void report(struct sow_crew *crew)
{
    uint64_t done = crew->done_bytes;
    if (crew->progress != NULL) {
        pthread_mutex_unlock(&crew->lock);
        crew->progress(crew->progress_user, done, crew->total_bytes);
        pthread_mutex_lock(&crew->lock);
    }
}

int sow_crew_tick(struct sow_crew *crew)
{
    struct timespec now = monotonic();
    uint64_t now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    check_interrupted(crew);
    if (now_ms - crew->reported_ms >= REPORT_MS) {
        crew->reported_ms = now_ms;
        report(crew);
    }
    return crew->status == SOW_OK;
}

int sow_crew_wait(struct sow_crew *crew)
{
    struct timespec until = monotonic();
    until.tv_nsec += REPORT_MS * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&crew->changed, &crew->lock, &until);
    return sow_crew_tick(crew);
}

static void watch_all(struct sow_crew *crew)
{
    pthread_mutex_lock(&crew->lock);
    while (crew->running > 0 && sow_crew_wait(crew)) {
    }
    pthread_mutex_unlock(&crew->lock);
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    struct sow_crew *crew = worker->crew;
    worker->work(crew, worker->user, worker->number);
    pthread_mutex_lock(&crew->lock);
    crew->running--;
    pthread_cond_broadcast(&crew->changed);
    pthread_mutex_unlock(&crew->lock);
    return NULL;
}

/* Starts what can be started: fewer workers do the same work. Signals stay with the caller's threads. */
static int start(struct sow_crew *crew, struct worker *workers, sow_crew_fn *work, void *user)
{
    sigset_t all, before;
    int problem = 0;
    uint32_t started = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_mutex_lock(&crew->lock);
    while (started < crew->workers && problem == 0) {
        workers[started] =
            (struct worker){.crew = crew, .work = work, .user = user, .number = started};
        problem = pthread_create(&workers[started].thread, NULL, worker_main, &workers[started]);
        started += problem == 0;
    }
    crew->running = started;
    crew->workers = started;
    pthread_mutex_unlock(&crew->lock);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started == 0 ? problem : 0;
}

static void init_locks(struct sow_crew *crew)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&crew->lock, NULL);
    pthread_cond_init(&crew->changed, &attributes);
    pthread_cond_init(&crew->may_draw, NULL);
    pthread_condattr_destroy(&attributes);
}

enum sow_status sow_crew_run(struct sow_crew *crew, sow_crew_fn *work, sow_crew_fn *watch,
                             void *user, struct sow_error *error)
{
    struct worker *workers = calloc(crew->workers, sizeof workers[0]);
    if (workers == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "no memory for %u threads", crew->workers);
    }
    init_locks(crew);
    int problem = start(crew, workers, work, user);
    if (problem != 0) {
        sow_fail(&crew->error, SOW_E_MEMORY, "no thread could be started: %s", strerror(problem));
        crew->status = SOW_E_MEMORY;
    } else {
        if (watch != NULL) {
            watch(crew, user, 0);
        }
        watch_all(crew);
    }
    for (uint32_t i = 0; i < crew->workers; i++) {
        pthread_join(workers[i].thread, NULL);
    }
    free(workers);
    if (crew->status == SOW_OK && crew->progress != NULL) {
        crew->progress(crew->progress_user, crew->done_bytes, crew->total_bytes);
    }
    if (crew->status != SOW_OK && error != NULL) {
        *error = crew->error;
    }
    pthread_cond_destroy(&crew->may_draw);
    pthread_cond_destroy(&crew->changed);
    pthread_mutex_destroy(&crew->lock);
    return crew->status;
}
