/* SPDX-License-Identifier: MIT */
/* One forward and one backward pass: which numbers are held when. Every value goes as soon as nobody needs it. The same
 * walk without numbers tells beforehand how much memory it takes. */
#ifndef SOW_MEASURE_ROUND_H
#define SOW_MEASURE_ROUND_H

#include "model/signal/measure/step.h"
#include "model/signal/measure/weights.h"
#include "sow/measure.h"

struct sow_round;

/* Called with numbers in hand, after the node has run; `step` of a value. NULL: nobody looks. */
struct sow_round_hooks {
    void *user;
    void (*value)(void *user, const struct sow_step *step);
    void (*gradient)(void *user, uint32_t flow, const float *gradient);
    void (*weight)(void *user, uint32_t parameter, const float *weight, const float *gradient);
    /* One operation is done; nonzero: stop. */
    int (*stop)(void *user);
};

/* The network, plan and weights must outlive it. `ceiling` in bytes. SOW_E_UNSUPPORTED, SOW_E_MEMORY. */
enum sow_status sow_round_new(const struct sow_network *network, const struct sow_plan *plan,
                              const struct sow_weights *weights, uint32_t threads, uint64_t ceiling,
                              struct sow_round **round, struct sow_error *error);
/* Bytes at most of a run that has the weights of one operation at a time, and two threads. Nothing is drawn. */
enum sow_status sow_round_estimate(const struct sow_network *network, const struct sow_plan *plan,
                                   uint64_t *bytes, struct sow_error *error);
void sow_round_free(struct sow_round *round);
uint64_t sow_round_memory(const struct sow_round *round);     /* bytes at most */
uint64_t sow_round_operations(const struct sow_round *round); /* of one run */
/* Whether a value is [batch, channels, sizes]. */
int sow_round_channels_first(const struct sow_round *round, uint32_t flow);
struct sow_team *sow_round_team(struct sow_round *round);
/* From now on `fill` sets the gradient of the last output, whose value the hooks have seen, in place of random numbers. It
 * gets the user of the hooks; 0: nothing goes back. */
typedef int sow_cotangent_fn(void *user, uint32_t flow, float *gradient);
void sow_round_cotangent(struct sow_round *round, sow_cotangent_fn *fill);
/* The standard deviation of the random numbers, 1 before. */
void sow_round_cotangent_std(struct sow_round *round, double std);
/* From here on no run makes gradients of parameters. */
void sow_round_skip_weight_gradients(struct sow_round *round);

/* Weights, inputs and cotangents of `seed`. SOW_E_INTERRUPTED when a hook says so. */
enum sow_status sow_round_run(struct sow_round *round, uint64_t seed,
                              const struct sow_round_hooks *hooks, struct sow_error *error);

#endif
