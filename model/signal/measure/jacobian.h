/* SPDX-License-Identifier: MIT */
/* The Jacobian from the inside: which part of which values it is of (jacobian_ends.c), its rows (jacobian.c), its singular
 * values (jacobian_spectrum.c) and what theory says of them (jacobian_expected.c). */
#ifndef SOW_MEASURE_JACOBIAN_H
#define SOW_MEASURE_JACOBIAN_H

#include "model/signal/measure/team.h"
#include "model/signal/network/network.h"
#include "sow/jacobian.h"

#define SOW_JACOBIAN_WHOLE  1024u /* outputs */
#define SOW_JACOBIAN_RANDOM 32u   /* cotangents, beyond */
#define SOW_JACOBIAN_WORK   4e12  /* multiplications */

/* A part of each sample of a value. */
struct sow_jacobian_end {
    uint32_t flow;
    uint64_t sample, begin, count; /* elements: of a sample, and of the part */
};

struct sow_jacobian_ends {
    struct sow_jacobian_end from, to;
    int64_t token; /* -1: whole samples */
    int is_tied;   /* samples are not independent: batch norm, dropout */
    double work;   /* multiplications of a sample, forward to `to` */
};

/* Whether samples are not independent in the nodes up to `last`: batch norm, dropout. */
int sow_jacobian_ties(const struct sow_network *network, uint32_t last);
/* How many copies of a sample there is room for, `rows` at most. */
uint64_t sow_jacobian_copies(const struct sow_network *network, uint64_t rows);

/* Finds both ends; is_part: the network ends within the whole. SOW_E_ARGUMENT. */
enum sow_status sow_jacobian_find(const struct sow_network *network, int is_part,
                                  const struct sow_jacobian_options *options,
                                  struct sow_jacobian_ends *ends, struct sow_error *error);

/* Sets the numbers of `rows` x `columns` of J. With `values` NULL the rows are random cotangents times J, of `least`
 * singular values; else they are J whole, and the min(rows, columns) values come descending. SOW_E_MEMORY. */
enum sow_status sow_jacobian_spectrum(struct sow_team *team, const float *j, uint64_t rows,
                                      uint64_t columns, uint64_t least, double *values,
                                      struct sow_jacobian_numbers *numbers,
                                      struct sow_error *error);

/* What theory says; NAN where it says nothing. `network` is whole. */
enum sow_status sow_jacobian_expect(const struct sow_model *model, const struct sow_plan *plan,
                                    const struct sow_signal_options *signal,
                                    const struct sow_network *network,
                                    const struct sow_jacobian_ends *ends,
                                    struct sow_jacobian_numbers *expected, struct sow_error *error);

#endif
