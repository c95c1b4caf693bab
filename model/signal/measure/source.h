/* SPDX-License-Identifier: MIT */
/* What enters a network: inputs, token ids, positions, and cotangents at its outputs. All are drawn under names of their
 * own, so that no tensor's draws are met again. */
#ifndef SOW_MEASURE_SOURCE_H
#define SOW_MEASURE_SOURCE_H

#include "model/signal/measure/step.h"

/* Nonzero for operations whose output is drawn here. */
int sow_source_is(enum sow_op op);
/* Ids of tokens that may be drawn. */
struct sow_tokens {
    uint64_t rows;   /* of the smallest embedding that reads them: ids are below it */
    int64_t padding; /* no token: its row of the embedding starts as zeros; -1 for none */
};

/* `to`: the node's output. `channels_first`: of an image. `tokens`: of token ids. */
void sow_source_fill(const struct sow_node *node, const struct sow_network *network,
                     struct sow_team *team, uint64_t seed, int channels_first,
                     const struct sow_tokens *tokens, float *to);
/* Labels 0 .. classes - 1, uniformly; for 0 classes targets from N(0, 1). */
void sow_source_labels(struct sow_team *team, uint32_t flow, uint64_t seed, uint64_t classes,
                       uint64_t count, float *to);
/* N(0, 1) for every element of a flow. */
void sow_source_cotangent(const struct sow_network *network, struct sow_team *team, uint32_t flow,
                          uint64_t seed, double std, float *to);

#endif
