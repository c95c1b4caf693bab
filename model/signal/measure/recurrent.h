/* SPDX-License-Identifier: MIT */
/* What both directions of time share: one direction of a recurrent layer run forward, with all that BPTT reads kept.
 * Arrays are [time][sample][...]; states have one place more, for the zeros before the first step. */
#ifndef SOW_MEASURE_RECURRENT_H
#define SOW_MEASURE_RECURRENT_H

#include "model/signal/measure/step.h"
#include "model/signal/network/recurrent.h"

struct sow_unrolled {
    const struct sow_step *step;
    struct sow_recurrent r;
    const struct sow_recurrent_slots *slots;
    uint32_t direction;
    uint64_t width;   /* gates * hidden */
    uint64_t time;    /* that runs */
    uint64_t samples; /* of which each has `steps` rows of the input */
    float *gates;  /* [steps][samples][width]: after their functions; in BPTT d of what they took */
    float *states; /* [steps + 1][samples][hidden] */
    float *cells;  /* lstm: likewise */
    float *inner;  /* gru: [steps][samples][hidden], W h + b_state of n; in BPTT its gradient */
    float *carry[2]; /* [samples][hidden]: gradients of the state, of the cell */
};

/* Arrays in step->aside. */
struct sow_unrolled sow_unrolled_of(const struct sow_step *step, uint32_t direction);
/* Fills gates, states, cells, inner. */
void sow_unroll(struct sow_unrolled *u);
/* Time of the i-th step in the order in which they run. */
uint64_t sow_unrolled_time(const struct sow_unrolled *u, uint64_t i);

/* A block of a weight: gates from `first` on, as a matrix of [depth][rows of these gates]. */
struct sow_operand sow_unrolled_weight(const struct sow_unrolled *u, uint32_t slot, uint64_t depth,
                                       uint32_t first);

/* The state that a time makes, and the one that it starts from; of states or cells. */
static inline float *sow_unrolled_after(const struct sow_unrolled *u, float *states, uint64_t time)
{
    return states + (time + (u->direction == 0)) * u->samples * u->r.hidden;
}

static inline float *sow_unrolled_before(const struct sow_unrolled *u, float *states, uint64_t time)
{
    return states + (time + (u->direction != 0)) * u->samples * u->r.hidden;
}

static inline float *sow_unrolled_gates(const struct sow_unrolled *u, uint64_t time)
{
    return u->gates + time * u->samples * u->width;
}

/* Rows of the input as [time][sample] has them, cut into runs: begin(run) rows apart `stride`, `count` each. */
struct sow_row_runs {
    uint64_t runs, count;
    uint64_t input_begin, input_stride; /* rows: of a run, of a row in it; of the input */
    uint64_t begin, stride;             /* of [time][sample] */
};

static inline struct sow_row_runs sow_unrolled_runs(const struct sow_unrolled *u)
{
    uint64_t steps = u->r.steps, samples = u->samples;
    if (steps == 1 || samples == 1) { /* the same order */
        return (struct sow_row_runs){1, steps * samples, 0, 1, 0, 1};
    }
    return steps > samples ? (struct sow_row_runs){samples, steps, steps, 1, 1, samples}
                           : (struct sow_row_runs){steps, samples, 1, steps, samples, 1};
}

#endif
