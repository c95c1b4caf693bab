/* SPDX-License-Identifier: MIT */
/* Recurrent layers predicted: what their files share. One direction is walked step by step until nothing changes any more.
 * A unit's memory (a cell, a gru's state) is a sum over its past, so that what its gate has for good (bias, what inputs at
 * all times have in common) matters: the walk is made for several such gates, nodes of a quadrature, side by side. */
#ifndef SOW_SIGNAL_RECURRENT_PREDICT_H
#define SOW_SIGNAL_RECURRENT_PREDICT_H

#include "model/signal/predict/bell.h"
#include "model/signal/predict/predict.h"
#include "model/signal/network/recurrent.h"

#define SOW_MEMORY_NODES 7
#define SOW_TIME_POINTS  64    /* that stand for all of a profile */
#define SOW_TIMES_MAX    1024u /* steps that are walked one by one; later ones are as the last */

/* What one step does to second moments of small changes, forward and back: of a gate's input to the memory, of the memory
 * to the state. One memory a node; a plain rnn has one that keeps nothing. */
struct sow_time_step {
    double keep[SOW_MEMORY_NODES];                 /* E[f]: of the memory by itself */
    double keep_square[SOW_MEMORY_NODES];          /* E[f^2] */
    double read[SOW_MEMORY_NODES];                 /* memory to state: E[(d state / d memory)^2] */
    double read_mean[SOW_MEMORY_NODES];            /* E[d state / d memory] */
    double write[SOW_GATES_MAX][SOW_MEMORY_NODES]; /* gate's input to memory */
    /* share of write that two times have in common; of it the part that lasts, the rest goes with the memory */
    double pair[SOW_GATES_MAX], lasting[SOW_GATES_MAX][SOW_MEMORY_NODES];
    double direct; /* lstm: o's input to the state, not through the memory */
};

/* One direction, walked. The gates of a gru are four here: r, z, n of the input and n of the state. */
struct sow_time_walk {
    struct sow_recurrent r;
    uint32_t direction, gates, nodes;
    double node_weights[SOW_MEMORY_NODES];
    struct sow_weights input_weights[SOW_GATES_MAX], state_weights[SOW_GATES_MAX];
    struct sow_time_step *steps; /* `count` of them, in the order in which they run */
    double *logs;                /* ln E[h^2] after each */
    size_t count, room;
    double pair[SOW_TIME_POINTS],
        far; /* E[h h'] in the end, of k < lags steps apart, and of far ones */
    size_t lags;
    double growth; /* of the logs, a step, beyond the last */
    double total;  /* steps */
};

/* ---- Over time (recurrent_time.c) ------------------------------------------------------------------ */

/* How a second moment runs over the places of a value: ln of it over the mean. Few places stand for all: exact near both
 * ends. And how alike near places are, E[x x'] / E[x^2] of k places apart; farther ones as `far`. */
struct sow_time_profile {
    double places, far;
    float logs[SOW_TIME_POINTS], alike[SOW_TIME_POINTS];
};

/* Of one direction's lags: E[x x'] of k places apart, k < count, and of far ones. */
struct sow_alike {
    const double *pairs;
    size_t count;
    double far;
};

/* `log` of a place, for places 0 .. places - 1; `alike` one or two directions'. NULL when it tells nothing (one place) or no
 * memory is left. */
struct sow_time_profile *sow_time_profile_make(struct sow_arena *arena, double places,
                                               double (*log)(const void *of, double place),
                                               const void *of, const struct sow_alike *alike,
                                               uint32_t directions);
/* What says of a flow how its places run and how alike they are; NULL when nothing does: all alike to one degree. */
const struct sow_time_profile *sow_signal_profile(const struct sow_predictor *p, uint32_t flow);
const struct sow_time_profile *sow_gradient_profile(const struct sow_predictor *p, uint32_t flow);
/* ln of E[x^2] at a place of the flow over its mean; 0 where all places are taken to be alike. */
double sow_signal_at(const struct sow_predictor *p, uint32_t flow, double place);
/* The same of the gradient; -INFINITY where there is none. */
double sow_gradient_at(const struct sow_predictor *p, uint32_t flow, double place);
/* The only place that a gradient comes to; -1 when there are several. */
double sow_gradient_end(const struct sow_predictor *p, uint32_t flow);
/* ln of the sum of numbers whose logarithms run from `log` on by `growth`. */
double sow_log_of_series(double log, double growth, double count);
double sow_log_add(double a, double b);

/* ---- A step (recurrent_step.c) ----------------------------------------------------------------------- */

struct sow_node_rule {
    double at[SOW_MEMORY_NODES], weights[SOW_MEMORY_NODES];
};

/* Times that are followed one by one; farther ones are alike to one degree. */
#define SOW_LAGS 256u

/* A unit's memory at one node: of m, the cell of an lstm or the state of a gru. */
struct sow_memory {
    double mean;
    double pair[SOW_LAGS];      /* E[m m'] of this time and of k steps earlier; [0] E[m^2] */
    double squares[SOW_LAGS];   /* lstm: E[m^2] k steps earlier, */
    double reads[SOW_LAGS];     /* and E[tanh^2 m] */
    double lasting;             /* of two times far apart */
    double sample;              /* of two samples */
    double coming_far;          /* E[p m], p what is written at a time far apart */
    double coming_sample;       /* the same, of two samples */
    struct sow_bell gate, read; /* of the gate, of tanh(m) */
    struct sow_bell in;         /* of gate i, where it follows */
};

struct sow_walker {
    struct sow_predictor *p;
    const struct sow_node *node;
    struct sow_time_walk *walk;
    struct sow_state input;                /* lifted */
    struct sow_state taken[SOW_GATES_MAX]; /* by a gate, of the input on average over time */
    struct sow_state bias[SOW_GATES_MAX];
    /* what gates take in this step, in absolute units; places: of this time and a far one */
    struct sow_raw gates[SOW_GATES_MAX];
    struct sow_bell bells[SOW_GATES_MAX];
    struct sow_memory memories[SOW_MEMORY_NODES];
    struct sow_function function;     /* rnn */
    const struct sow_node_rule *rule; /* of what the memory's gate has for good */
    struct sow_node_rule own_rule;
    int in_follows;         /* chrono: gate i's bias is minus that of f */
    double in_variance;     /* of that bias */
    struct sow_state state; /* h; places: as above */
    double alike;           /* correlation of features of what is written */
    /* E[h h'] of this time and of k steps earlier, k < lags; whether there are earlier ones still */
    double pair[SOW_LAGS], written[SOW_LAGS];
    const struct sow_time_profile *near; /* of the input's places; NULL */
    double input_square;                 /* E[x^2] in this step */
    size_t lags;
    int has_tail;
};

/* Nothing, of a value like this one. */
struct sow_state sow_no_state(const struct sow_state *like);
/* Reads weights and biases, gate by gate; w->input is set. */
void sow_walker_read(struct sow_walker *w);
/* What gate k takes in all when the input is exp(lift) times its mean. */
struct sow_state sow_walker_take(const struct sow_walker *w, uint32_t gate, double lift);
static inline double sow_variance_of(const struct sow_weights *weights)
{
    double variance = weights->square - weights->mean * weights->mean;
    return variance > 0 ? variance : 0;
}
/* From w->state to the next; the input is exp(lift) times its mean. */
enum sow_status sow_walker_step(struct sow_walker *w, double lift, struct sow_time_step *step,
                                struct sow_error *error);

/* ---- The walk (recurrent_forward.c) ------------------------------------------------------------------ */

/* Walks a direction from the input's state times exp(lift); the output's, averaged over time, into *out. Frees nothing on
 * failure: sow_time_walk_free. */
enum sow_status sow_time_walk_make(struct sow_predictor *p, const struct sow_node *node,
                                   uint32_t direction, double lift, struct sow_time_walk *walk,
                                   struct sow_state *out, struct sow_error *error);
void sow_time_walk_free(struct sow_time_walk *walk);

/* ---- Small changes (recurrent_back.c) ---------------------------------------------------------------- */

/* What a step multiplies second moments of small changes with, once nothing else changes. */
double sow_time_walk_chi(const struct sow_time_walk *walk);
/* ln of the mean over time of the state's squared distance when the input's is 1. */
double sow_time_walk_distance(const struct sow_time_walk *walk);

#endif
