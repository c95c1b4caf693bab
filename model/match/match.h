/* SPDX-License-Identifier: MIT */
/* The variant `matched`: for each parameter of a graph the scheme that fits what it does there, and why. Pure analysis
 * of a finished graph (operations, values, shapes): no recipe, no config, no rule of a user is seen here.
 *
 *     streams.c  which additions are residual, and on which stream
 *     needs.c    what each value feeds              (from the outputs back)
 *     depth.c    how many weights stand in a row, and how large signals may be there
 *     flow.c     its mean and second moment         (from the inputs on)
 *     choose.c   what follows for each parameter; words.c says it */
#ifndef SOW_MATCH_MATCH_H
#define SOW_MATCH_MATCH_H

#include "model/graph/model.h"

#define SOW_MATCHED        "matched" /* the variant's name */
#define SOW_MATCHED_SOURCE "what each weight feeds, read off this model's graph (docs/matched.md)"

/* What fits one parameter. Strings are static or live as long as the matching. */
struct sow_matched {
    const char *scheme;
    struct sow_argument arguments[3];
    size_t argument_count;
    const char *reason;
};

struct sow_matching; /* opaque, refers to the graph */

/* Walks the graph once. SOW_E_CONFIG for an operation that it cannot walk, SOW_E_ARGUMENT for a graph without operations.
 * The caller owns *matching. */
enum sow_status sow_matching_make(const struct sow_graph *graph, struct sow_matching **matching,
                                  struct sow_error *error);
void sow_matching_free(struct sow_matching *matching);

/* Parameter `index` of the graph. SOW_E_RULE when its use cannot be told, with what to write. */
enum sow_status sow_matching_at(struct sow_matching *matching, size_t index,
                                struct sow_matched *matched, struct sow_error *error);

/* A residual addition. */
struct sow_matched_add {
    uint32_t stream, branch; /* values of the graph: its two inputs */
    uint32_t first;          /* the operation that the stream began with */
    uint32_t branches;       /* additions on the stream */
};
/* 0: the operation is none, or its shortcut has weights. */
int sow_matching_add(const struct sow_matching *matching, size_t operation,
                     struct sow_matched_add *add);

#endif
