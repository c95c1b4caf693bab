/* SPDX-License-Identifier: MIT */
/* Workers draw chunks ahead, the caller's thread writes them in order: signals reach it, so that a reader that has
 * stopped reading does not keep an interrupted run alive. */
#include "model/run/write.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/error.h"

/* A worker's chunk; waiting while `bytes` is set. */
struct slot {
    struct sow_chunk chunk;
    const unsigned char *bytes;
};

struct pipe_run {
    struct sow_run *run;
    struct slot *slots; /* one a worker */
    int descriptor;
};

static void work(struct sow_crew *crew, void *user, uint32_t worker)
{
    struct pipe_run *pipe = user;
    struct slot *slot = &pipe->slots[worker];
    struct sow_chunk chunk;
    while (sow_crew_take(crew, &chunk)) {
        const unsigned char *bytes = sow_run_draw(pipe->run, worker, &chunk);
        pthread_mutex_lock(&crew->lock);
        *slot = (struct slot){chunk, bytes};
        pthread_cond_broadcast(&crew->changed);
        while (slot->bytes != NULL && crew->status == SOW_OK) {
            pthread_cond_wait(&crew->changed, &crew->lock);
        }
        pthread_mutex_unlock(&crew->lock);
    }
}

static enum sow_status write_slot(const struct pipe_run *pipe, const struct slot *slot,
                                  struct sow_error *error)
{
    const volatile int *interrupted = pipe->run->crew.interrupted;
    uint64_t done = 0;
    while (done < slot->chunk.count) {
        if (interrupted != NULL && *interrupted != 0) { /* the slot may be half-drawn */
            return sow_fail(error, SOW_E_INTERRUPTED, "interrupted");
        }
        ssize_t put = write(pipe->descriptor, slot->bytes + done, slot->chunk.count - done);
        if (put < 0 && errno != EINTR && errno != EAGAIN) {
            return sow_fail_at(error, SOW_E_IO, "-", 0, 0, "write: %s, byte %llu%s",
                               strerror(errno), (unsigned long long)(slot->chunk.offset + done),
                               errno == EPIPE ? " (the reader has gone)" : "");
        }
        if (put < 0 && errno == EAGAIN) { /* the other side made the pipe non-blocking */
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        }
        done += put > 0 ? (uint64_t)put : 0;
    }
    return SOW_OK;
}

/* The worker that holds the chunk at `offset`, once it is drawn. */
static struct slot *find_slot(const struct pipe_run *pipe, uint64_t offset)
{
    for (uint32_t i = 0; i < pipe->run->crew.workers; i++) {
        if (pipe->slots[i].bytes != NULL && pipe->slots[i].chunk.offset == offset) {
            return &pipe->slots[i];
        }
    }
    return NULL;
}

static void watch(struct sow_crew *crew, void *user, uint32_t worker)
{
    struct pipe_run *pipe = user;
    struct sow_error error;
    enum sow_status status;
    uint64_t offset = 0;
    (void)worker;
    pthread_mutex_lock(&crew->lock);
    while (offset < crew->total_bytes && sow_crew_tick(crew)) {
        struct slot *slot = find_slot(pipe, offset);
        if (slot == NULL) {
            sow_crew_wait(crew);
            continue;
        }
        pthread_mutex_unlock(&crew->lock);
        status = write_slot(pipe, slot, &error);
        if (status != SOW_OK) {
            sow_crew_fail(crew, status, &error);
        }
        pthread_mutex_lock(&crew->lock);
        if (status != SOW_OK) {
            break;
        }
        offset += slot->chunk.count;
        crew->done_bytes = offset;
        slot->bytes = NULL;
        pthread_cond_broadcast(&crew->changed);
    }
    pthread_mutex_unlock(&crew->lock);
}

/* Keeps a reader that has gone an error (EPIPE) rather than a deadly signal. */
static void block_sigpipe(sigset_t *before, int *was_pending)
{
    sigset_t pipe_only, pending;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    sigpending(&pending);
    *was_pending = sigismember(&pending, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_only, before);
}

static void unblock_sigpipe(const sigset_t *before, int was_pending)
{
    sigset_t pipe_only;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    if (!was_pending) {
        sigtimedwait(&pipe_only, NULL, &(struct timespec){0});
    }
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

enum sow_status sow_run_to_pipe(struct sow_run *run, int descriptor, struct sow_error *error)
{
    struct pipe_run pipe = {run, calloc(run->crew.workers, sizeof pipe.slots[0]), descriptor};
    sigset_t before;
    int was_pending;
    if (pipe.slots == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "no memory for %u threads", run->crew.workers);
    }
    block_sigpipe(&before, &was_pending);
    enum sow_status status = sow_crew_run(&run->crew, work, watch, &pipe, error);
    unblock_sigpipe(&before, was_pending);
    free(pipe.slots);
    return status;
}
