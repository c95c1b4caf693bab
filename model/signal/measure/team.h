/* SPDX-License-Identifier: MIT */
/* Threads that share the tasks of one operation after another. Which thread takes a task never shows in its result: tasks
 * are cut by the shapes, or write elements that are computed alone. Made for one measurement, joined at its end. */
#ifndef SOW_MEASURE_TEAM_H
#define SOW_MEASURE_TEAM_H

#include "core/linalg/gemm.h"
#include "sow/sow.h"

struct sow_team; /* opaque */

/* `scratch` is the thread's own: SOW_GEMM_SCRATCH_FLOATS for sow_gemm, and after them what the team was made with, both
 * aligned to SOW_TILE_ALIGN. */
typedef void sow_task_fn(void *user, uint64_t task, float *scratch);

/* `threads` 0: all CPUs. */
enum sow_status sow_team_new(uint32_t threads, uint64_t scratch_floats, struct sow_team **team,
                             struct sow_error *error);
void sow_team_free(struct sow_team *team);
/* From now on no task begins once *flag is not 0 (NULL: always). Arrays are then left half-written: nobody may look at them
 * when sow_team_stopped, which stays so, says that a task was left out. */
void sow_team_interrupt(struct sow_team *team, const volatile int *flag);
int sow_team_stopped(const struct sow_team *team);
uint32_t sow_team_threads(const struct sow_team *team);

/* Tasks 0 .. tasks - 1, in any order and at once; returns when all are done. */
void sow_team_run(struct sow_team *team, uint64_t tasks, sow_task_fn *task, void *user);

/* A task for each of the ranges [begin, end) that `block` cuts 0 .. count into. */
typedef void sow_range_fn(void *user, uint64_t begin, uint64_t end, float *scratch);
void sow_team_ranges(struct sow_team *team, uint64_t count, uint64_t block, sow_range_fn *range,
                     void *user);

/* One product, cut among the threads. */
void sow_team_gemm(struct sow_team *team, const struct sow_gemm *product);

#endif
