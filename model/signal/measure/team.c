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
#define SPINS        1000u  /* looks at a counter before a thread sleeps: some ten microseconds */
#define SMALL_SUMS   65536u /* of a product: not worth a thread */
#define PIECES       4u     /* of a product, for each thread, at most */
#define LARGE_SUMS   4e9    /* of a piece: an interruption waits for those in hand */
#define MANY         1024u
#define COLUMN_PIECE 64u /* whole tiles of every instruction set */
#define ROW_PIECE    42u
#define PACK_COST    16u /* of a number that is packed, in sums */

struct member {
    struct sow_team *team;
    float *scratch;
    pthread_t thread;
};

struct sow_team {
    pthread_mutex_t lock; /* of sleeping and waking; work itself goes by the counters */
    pthread_cond_t work, idle;
    uint32_t threads; /* with the caller's */
    unsigned spins;
    sow_task_fn *task;
    void *user;
    uint64_t tasks;
    int stop;
    _Atomic uint64_t round; /* of work that was given out; what is above is written before it */
    _Atomic uint64_t next;
    _Atomic uint32_t running;
    const volatile int *interrupted; /* NULL: never */
    atomic_int stopped;              /* a task was left out */
    float *scratch;                  /* all members' */
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
        if (team->interrupted != NULL && *team->interrupted != 0) {
            atomic_store(&team->stopped, 1);
            break;
        }
        team->task(team->user, task, scratch);
    }
    sow_cpu_float_leave(state);
}

static void breathe(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* Between two operations is less time than it takes to fall asleep and be woken. */
static void await_round(struct sow_team *team, uint64_t seen)
{
    for (unsigned i = 0; i < team->spins && atomic_load(&team->round) == seen; i++) {
        breathe();
    }
    if (atomic_load(&team->round) != seen) {
        return;
    }
    pthread_mutex_lock(&team->lock);
    while (atomic_load(&team->round) == seen) {
        pthread_cond_wait(&team->work, &team->lock);
    }
    pthread_mutex_unlock(&team->lock);
}

static void await_idle(struct sow_team *team)
{
    for (unsigned i = 0; i < team->spins && atomic_load(&team->running) > 0; i++) {
        breathe();
    }
    if (atomic_load(&team->running) == 0) {
        return;
    }
    pthread_mutex_lock(&team->lock);
    while (atomic_load(&team->running) > 0) {
        pthread_cond_wait(&team->idle, &team->lock);
    }
    pthread_mutex_unlock(&team->lock);
}

/* Starts a round of what was written into the team. */
static void give_out(struct sow_team *team)
{
    atomic_store(&team->running, team->threads - 1);
    pthread_mutex_lock(&team->lock);
    atomic_fetch_add(&team->round, 1);
    pthread_cond_broadcast(&team->work);
    pthread_mutex_unlock(&team->lock);
}

static void *member_main(void *argument)
{
    struct member *member = argument;
    struct sow_team *team = member->team;
    for (uint64_t seen = 0;; seen++) {
        await_round(team, seen);
        if (team->stop) {
            return NULL;
        }
        take_tasks(team, member->scratch);
        if (atomic_fetch_sub(&team->running, 1) == 1) {
            pthread_mutex_lock(&team->lock);
            pthread_cond_signal(&team->idle);
            pthread_mutex_unlock(&team->lock);
        }
    }
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
    (*team)->spins = threads <= sow_cpu_count() ? SPINS : 0; /* not on a CPU that others wait for */
    (*team)->threads = 1;
    start(*team, threads);
    return SOW_OK;
}

void sow_team_free(struct sow_team *team)
{
    if (team == NULL) {
        return;
    }
    team->stop = 1;
    give_out(team);
    for (uint32_t i = 1; i < team->threads; i++) {
        pthread_join(team->members[i].thread, NULL);
    }
    pthread_cond_destroy(&team->idle);
    pthread_cond_destroy(&team->work);
    pthread_mutex_destroy(&team->lock);
    free(team->scratch);
    free(team);
}

void sow_team_interrupt(struct sow_team *team, const volatile int *flag)
{
    team->interrupted = flag;
}

int sow_team_stopped(const struct sow_team *team)
{
    return atomic_load(&team->stopped);
}

uint32_t sow_team_threads(const struct sow_team *team)
{
    return team->threads;
}

void sow_team_run(struct sow_team *team, uint64_t tasks, sow_task_fn *task, void *user)
{
    int alone = tasks <= 1 || team->threads == 1;
    team->task = task;
    team->user = user;
    team->tasks = tasks;
    atomic_store_explicit(&team->next, 0, memory_order_relaxed);
    if (!alone) {
        give_out(team);
    }
    take_tasks(team, team->members[0].scratch);
    if (!alone) {
        await_idle(team);
    }
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

/* Pieces of a product: `down` times `across` of them. */
struct cut {
    const struct sow_gemm *product;
    uint64_t rows, columns, down, across;
};

static uint64_t pieces_of(uint64_t count, uint64_t size)
{
    return (count + size - 1) / size;
}

/* Into about `down` times `across`. */
static struct cut cut_into(const struct sow_gemm *product, uint64_t down, uint64_t across)
{
    struct cut cut = {.product = product};
    cut.rows = pieces_of(pieces_of(product->rows, ROW_PIECE), down) * ROW_PIECE;
    cut.columns = pieces_of(pieces_of(product->columns, COLUMN_PIECE), across) * COLUMN_PIECE;
    cut.down = pieces_of(product->rows, cut.rows);
    cut.across = pieces_of(product->columns, cut.columns);
    return cut;
}

/* What the thread with most to do takes for each step of the depth, and some more, since one of them may be held up. */
static double cost_of(const struct cut *cut, uint32_t threads)
{
    const struct sow_gemm *product = cut->product;
    double rows = (double)(cut->rows < product->rows ? cut->rows : product->rows);
    double columns = (double)(cut->columns < product->columns ? cut->columns : product->columns);
    double most = (double)pieces_of(cut->down * cut->across, threads);
    double sums = rows * columns * (double)product->depth;
    double beyond = sums > LARGE_SUMS ? sums / LARGE_SUMS : 1;
    return beyond * (most + 0.25) * (rows * columns + PACK_COST * (rows + columns));
}

static struct cut best_cut(const struct sow_gemm *product, uint32_t threads)
{
    struct cut best = cut_into(product, 1, 1);
    double sums = (double)product->rows * (double)product->columns * (double)product->depth;
    uint64_t most = threads > 1 ? (uint64_t)threads * PIECES : 1;
    if (sums < SMALL_SUMS) {
        return best;
    }
    if (sums > LARGE_SUMS / 2 * (double)most) {
        most = sums < LARGE_SUMS / 2 * MANY ? (uint64_t)(sums * 2 / LARGE_SUMS) + 1 : MANY;
    }
    for (uint64_t down = 1; down <= most; down++) {
        for (uint64_t across = 1; across <= most / down; across++) {
            struct cut cut = cut_into(product, down, across);
            best = cost_of(&cut, threads) < cost_of(&best, threads) ? cut : best;
        }
    }
    return best;
}

static void multiply_piece(void *user, uint64_t task, float *scratch)
{
    const struct cut *cut = user;
    struct sow_gemm piece = *cut->product;
    uint64_t row = task / cut->across * cut->rows, column = task % cut->across * cut->columns;
    uint64_t rows = piece.rows - row, columns = piece.columns - column;
    piece.rows = rows < cut->rows ? rows : cut->rows;
    piece.columns = columns < cut->columns ? columns : cut->columns;
    piece.a.at += row * piece.a.row;
    piece.b.at += column * piece.b.column;
    piece.c += row * piece.c_row + column;
    sow_gemm(&piece, scratch);
}

void sow_team_gemm(struct sow_team *team, const struct sow_gemm *product)
{
    if (product->rows > 0 && product->columns > 0) {
        struct cut cut = best_cut(product, team->threads);
        sow_team_run(team, cut.down * cut.across, multiply_piece, &cut);
    }
}
