/* SPDX-License-Identifier: MIT */
/* What the parts of the lowering share: sizes and shapes. Users of a network need network.h only. */
#ifndef SOW_SIGNAL_INSIDE_H
#define SOW_SIGNAL_INSIDE_H

#include "model/graph/arena.h"
#include "model/graph/model.h"
#include "model/signal/network/network.h"

#define SOW_SIZE_MAX (UINT64_C(1) << 40) /* of one axis */

struct sow_op_row {
    const char *word;
    uint32_t inputs_min, inputs_max, parameters_min, parameters_max;
    const char *attributes;
};
extern const struct sow_op_row sow_op_rows[SOW_OP_COUNT];

/* Reads one attribute into the node, texts into `arena`; an expression is still the graph's. SOW_E_UNSUPPORTED for one that the row does not name,
 * SOW_E_ARGUMENT for a value that cannot be. */
enum sow_status sow_node_attribute(struct sow_node *node, const struct sow_graph *graph,
                                   const struct sow_operation *operation,
                                   const struct sow_attribute *attribute, struct sow_arena *arena,
                                   struct sow_error *error);

/* The number behind a symbol as the prelude writes it, "tokens" or "(tokens+-2)/2": names, whole numbers, + - * / and
 * parentheses; divisions round down. Fills *size, or `reason` with what is wrong and returns 0. */
int sow_size_of_symbol(const char *symbol, const struct sow_network *network,
                       const struct sow_signal_options *options, uint64_t *size, char reason[256]);
/* Whether such a text has the name `symbol` in it. */
int sow_size_mentions(const char *text, const char *symbol);

/* Whether the shapes of the node's inputs, parameters and output fit together; fills what attributes leave to shapes
 * (kernel sizes, spatial). SOW_E_SHAPE, SOW_E_ARGUMENT. */
enum sow_status sow_node_shape(struct sow_node *node, const struct sow_network *network,
                               const struct sow_plan *plan, struct sow_error *error);

/* Whether the node makes numbers of rows: tokens and their like, and what only moves them. */
int sow_node_makes_rows(const struct sow_node *node, const struct sow_network *network);

#endif
