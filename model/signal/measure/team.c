/* SPDX-License-Identifier: MIT */
/* POSIX threads around one counter of tasks; the caller's thread works too. */
#include "model/signal/measure/team.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "core/base/cpu.h"
#include "core/base/error.h"
#include "model/run/crew.h"
#include "model/signal/measure/machine.h"

#define THREADS_MAX  256u
#define SMALL_SUMS   65536u /* of a product: not worth a thread */
#define PIECES       2u     /* of a product, for each thread: one of them may be held up */
#define COLUMN_PIECE 64u    /* whole tiles of every instruction set */
#define ROW_PIECE    84u

struct member {
    struct sow_team *team;
    float *scratch;
    pthread_t thread;
};

struct sow_team {
    pthread_mutex_t lock;
    pthread_cond_t work, idle;
    uint32_t threads, running; /* threads: with the caller's */
    uint64_t round;            /* of work that was given out */
    int stop;
    sow_task_fn *task;
    void *user;
    uint64_t tasks;
    _Atomic uint64_t next;
    float *scratch; /* all members' */
    struct member members[];
};

static void take_tasks(struct sow_team *team, float *scratch)
{
    uint64_t state = sow_cpu_float_enter();
    for (;;) {
        uint64_t task = atomic_fetch_add_explicit(&team->next, 1, memory_order_relaxed);
        if (task >= team->tasks) {
            break;
        }
        team->task(team->user, task, scratch);
    }
    sow_cpu_float_leave(state);
}

static void *member_main(void *argument)
{
    struct member *member = argument;
    struct sow_team *team = member->team;
    uint64_t seen = 0;
    pthread_mutex_lock(&team->lock);
    for (;;) {
        while (team->round == seen && !team->stop) {
            pthread_cond_wait(&team->work, &team->lock);
        }
        if (team->stop) {
            break;
        }
        seen = team->round;
        pthread_mutex_unlock(&team->lock);
        take_tasks(team, member->scratch);
        pthread_mutex_lock(&team->lock);
        if (--team->running == 0) {
            pthread_cond_signal(&team->idle);
        }
    }
    pthread_mutex_unlock(&team->lock);
    return NULL;
}

/* Starts what can be started: fewer threads do the same work. Signals stay with the caller's. */
static void start(struct sow_team *team, uint32_t wanted)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (team->threads < wanted) {
        struct member *member = &team->members[team->threads];
        if (pthread_create(&member->thread, NULL, member_main, member) != 0) {
            break;
        }
        team->threads++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

enum sow_status sow_team_new(uint32_t threads, uint64_t scratch_floats, struct sow_team **team,
                             struct sow_error *error)
{
    threads = threads == 0 ? sow_cpu_count() : threads;
    threads = threads > THREADS_MAX ? THREADS_MAX : threads;
    uint64_t floats = (SOW_GEMM_SCRATCH_FLOATS + scratch_floats + 63) / 64 * 64;
    *team = calloc(1, sizeof **team + threads * sizeof(*team)->members[0]);
    float *scratch = sow_memory_new(floats * threads * sizeof *scratch);
    if (*team == NULL || scratch == NULL) {
        free(*team);
        free(scratch);
        *team = NULL;
        return sow_fail(error, SOW_E_MEMORY, "no memory for %u threads: try --threads 1", threads);
    }
    (*team)->scratch = scratch;
    for (uint32_t i = 0; i < threads; i++) {
        (*team)->members[i].team = *team;
        (*team)->members[i].scratch = scratch + i * floats;
    }
    pthread_mutex_init(&(*team)->lock, NULL);
    pthread_cond_init(&(*team)->work, NULL);
    pthread_cond_init(&(*team)->idle, NULL);
    (*team)->threads = 1;
    start(*team, threads);
    return SOW_OK;
}

void sow_team_free(struct sow_team *team)
{
    if (team == NULL) {
        return;
    }
    pthread_mutex_lock(&team->lock);
    team->stop = 1;
    pthread_cond_broadcast(&team->work);
    pthread_mutex_unlock(&team->lock);
    for (uint32_t i = 1; i < team->threads; i++) {
        pthread_join(team->members[i].thread, NULL);
    }
    pthread_cond_destroy(&team->idle);
    pthread_cond_destroy(&team->work);
    pthread_mutex_destroy(&team->lock);
    free(team->scratch);
    free(team);
}

uint32_t sow_team_threads(const struct sow_team *team)
{
    return team->threads;
}

void sow_team_run(struct sow_team *team, uint64_t tasks, sow_task_fn *task, void *user)
{
    int alone = tasks <= 1 || team->threads == 1;
    pthread_mutex_lock(&team->lock);
    team->task = task;
    team->user = user;
    team->tasks = tasks;
    atomic_store_explicit(&team->next, 0, memory_order_relaxed);
    if (!alone) {
        team->round++;
        team->running = team->threads - 1;
        pthread_cond_broadcast(&team->work);
    }
    pthread_mutex_unlock(&team->lock);
    take_tasks(team, team->members[0].scratch);
    pthread_mutex_lock(&team->lock);
    while (team->running > 0) {
        pthread_cond_wait(&team->idle, &team->lock);
    }
    pthread_mutex_unlock(&team->lock);
}

/* ---- Ranges ------------------------------------------------------------------------------- */

struct ranges {
    uint64_t count, block;
    sow_range_fn *range;
    void *user;
};

static void range_task(void *user, uint64_t task, float *scratch)
{
    const struct ranges *ranges = user;
    uint64_t begin = task * ranges->block, left = ranges->count - begin;
    ranges->range(ranges->user, begin, begin + (left < ranges->block ? left : ranges->block),
                  scratch);
}

void sow_team_ranges(struct sow_team *team, uint64_t count, uint64_t block, sow_range_fn *range,
                     void *user)
{
    struct ranges ranges = {count, block, range, user};
    sow_team_run(team, (count + block - 1) / block, range_task, &ranges);
}

/* ---- Products ----------------------------------------------------------------------------- */

static void columns_of(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    struct sow_gemm piece = *(const struct sow_gemm *)user;
    piece.columns = end - begin;
    piece.b.at += begin * piece.b.column;
    piece.c += begin;
    sow_gemm(&piece, scratch);
}

static void rows_of(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    struct sow_gemm piece = *(const struct sow_gemm *)user;
    piece.rows = end - begin;
    piece.a.at += begin * piece.a.row;
    piece.c += begin * piece.c_row;
    sow_gemm(&piece, scratch);
}

void sow_team_gemm(struct sow_team *team, const struct sow_gemm *product)
{
    struct sow_gemm copy = *product;
    int by_columns = copy.columns >= copy.rows;
    uint64_t count = by_columns ? copy.columns : copy.rows;
    uint64_t step = by_columns ? COLUMN_PIECE : ROW_PIECE;
    uint64_t pieces = (uint64_t)team->threads * PIECES;
    uint64_t block = (count / pieces + step) / step * step;
    int small = (double)copy.rows * (double)copy.columns * (double)copy.depth < SMALL_SUMS;
    if (count > 0) {
        sow_team_ranges(team, count, small || team->threads == 1 ? count : block,
                        by_columns ? columns_of : rows_of, &copy);
    }
}
