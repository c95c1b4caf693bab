/* SPDX-License-Identifier: MIT */
/* What the files of shape rules share: shapes.c, and shapes_weights.c for layers of weights. Users of a network need
 * network.h only. */
#ifndef SOW_SIGNAL_SHAPES_H
#define SOW_SIGNAL_SHAPES_H

#include <string.h>

#include "core/tensor/tensor.h"
#include "model/signal/network/inside.h"

struct sow_shapes {
    struct sow_node *node;
    const struct sow_network *network;
    const struct sow_plan *plan;
    struct sow_error *error;
    const struct sow_flow *in, *out; /* its first input (NULL: none), and what it makes */
};

enum sow_status sow_shape_misfit(const struct sow_shapes *s, const char *what);
enum sow_status sow_shape_bad_tensor(const struct sow_shapes *s, uint32_t parameter);
/* Parameters from `first` on have `size` elements in one axis. */
int sow_shape_vectors(const struct sow_shapes *s, uint32_t first, uint64_t size, uint32_t *bad);
/* Whether windows of the attributes lead from the sizes of `in` to those of `out`. */
int sow_shape_windows(const struct sow_op_attributes *at, const struct sow_flow *in,
                      const struct sow_flow *out);
/* Layers of weights. */
enum sow_status sow_shape_weights(const struct sow_shapes *s);
enum sow_status sow_shape_recurrent(const struct sow_shapes *s); /* recurrent.c */

static inline const struct sow_tensor *sow_shape_tensor(const struct sow_shapes *s,
                                                        uint32_t parameter)
{
    return &sow_plan_at(s->plan, s->node->parameters[parameter])->tensor;
}

static inline uint64_t sow_shape_last(const struct sow_flow *flow)
{
    return flow->rank > 0 ? flow->shape[flow->rank - 1] : 1;
}

static inline int sow_shape_same_but_last(const struct sow_flow *a, const struct sow_flow *b)
{
    return a->rank == b->rank && a->rank > 0 &&
           memcmp(a->shape, b->shape, (a->rank - 1) * sizeof a->shape[0]) == 0;
}

#endif
