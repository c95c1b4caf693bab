/* SPDX-License-Identifier: MIT */
/* The weights of a network as float32: drawn by the plan in its dtypes and widened, or read from a checkpoint. */
#ifndef SOW_MEASURE_WEIGHTS_H
#define SOW_MEASURE_WEIGHTS_H

#include "model/signal/measure/team.h"
#include "sow/model.h"

struct sow_weights; /* where they come from; opaque, read-only */

/* `path` NULL: drawn. Errors of opening a checkpoint. The plan must outlive it. */
enum sow_status sow_weights_open(const struct sow_plan *plan, const char *path,
                                 struct sow_weights **weights, struct sow_error *error);
void sow_weights_free(struct sow_weights *weights);
/* From now on `held[entry]` are the weights, where it is not NULL: for weights that learn. They must outlive it. */
void sow_weights_hold(struct sow_weights *weights, float *const *held);
const float *sow_weights_held(const struct sow_weights *weights, size_t entry); /* or NULL */
/* Teams that are made for these weights are to stop once *flag is not 0 (sow_team_interrupt); NULL: nothing does. */
void sow_weights_interrupt(struct sow_weights *weights, const volatile int *flag);
const volatile int *sow_weights_interrupted(const struct sow_weights *weights); /* the flag */
/* Nonzero when seeds do not change them. */
int sow_weights_fixed(const struct sow_weights *weights);

/* Whether a checkpoint has the entry's tensor, of its shape, as numbers. SOW_E_MISSING, SOW_E_SHAPE, SOW_E_UNSUPPORTED. */
enum sow_status sow_weights_check(const struct sow_weights *weights, size_t entry,
                                  struct sow_error *error);
/* How many tensors of the checkpoint are not the plan's, and the first of them. */
uint64_t sow_weights_unused(const struct sow_weights *weights, const char **first);

/* Fills `to`, as many floats as the entry has elements; a convolution's weight is (out, in / groups, kernel...), a
 * transposed one's (in, out / groups, kernel...), whatever its layout. Of a checkpoint the errors of sow_weights_check, SOW_E_IO, and SOW_E_FORMAT for numbers that are not finite;
 * SOW_E_INTERRUPTED. */
enum sow_status sow_weights_load(const struct sow_weights *weights, struct sow_team *team,
                                 size_t entry, uint64_t seed, float *to, struct sow_error *error);

#endif
