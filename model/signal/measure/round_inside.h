/* SPDX-License-Identifier: MIT */
/* What the halves of a pass share: making it (round_make.c) and running it (round.c). */
#ifndef SOW_MEASURE_ROUND_INSIDE_H
#define SOW_MEASURE_ROUND_INSIDE_H

#include "model/signal/measure/buffers.h"
#include "model/signal/measure/round.h"
#include "model/signal/measure/source.h"

/* Of a flow. */
struct held {
    float *value, *gradient;
    uint32_t forward_left,
        backward_left; /* readers that have not run; backward: those that read it again */
    int carries;       /* a gradient comes back to it */
    int channels_first;
    struct sow_tokens tokens; /* what ids it may hold */
};

/* Of a parameter. */
struct shared {
    float *weight, *gradient;
    uint64_t weight_seed;
    uint32_t uses, left;
};

struct sow_round {
    const struct sow_network *network;
    const struct sow_plan *plan;
    const struct sow_weights *weights;
    struct sow_team *team;
    struct sow_buffers buffers;
    struct held *flows;
    struct shared *parameters;
    double *aside;
    int keeps_weights, skips_weight_gradients;
    uint64_t seed, peak, operations;
    const struct sow_round_hooks *hooks;
    sow_cotangent_fn *cotangent; /* NULL: random numbers */
    double cotangent_std;        /* of these */
    struct sow_error *error;
    enum sow_status status;
};

/* A run with the seed, hooks and error of `pass`; dry when its buffers are. */
enum sow_status sow_round_walk(struct sow_round *round);
/* Nothing held but weights, and all readers to come. */
void sow_round_reset(struct sow_round *round);
void sow_round_give_weight(struct sow_round *round, uint32_t parameter);
int sow_round_is_buffer(const struct sow_round *round, uint32_t parameter);

#endif
