/* SPDX-License-Identifier: MIT */
/* How far two tensors of one shape are apart, part by part. */
#ifndef SOW_VERIFY_DISTANCE_H
#define SOW_VERIFY_DISTANCE_H

#include <pthread.h>

#include "model/verify/pass.h"
#include "model/verify/value.h"

/* Sums of a fixed run of elements, so that no thread's order changes the total. */
struct sow_distance_block {
    uint64_t differing, compared; /* compared: differing, and both finite */
    double sum, ulps, max, ulps_max;
};

struct sow_distance {
    const struct sow_value_type *types[2];
    uint64_t elements;
    struct sow_distance_block *blocks; /* NULL while nothing differs */
    size_t block_count;
    uint64_t first; /* UINT64_MAX: none */
    double first_values[2];
};

/* Adds a part of a two-sided pass; `lock` is of all distances of the pass. SOW_E_MEMORY. */
enum sow_status sow_distance_add(struct sow_distance *distance, const struct sow_pass_part *part,
                                 pthread_mutex_t *lock, struct sow_error *error);
/* Fills the numbers of `difference` that are about elements. */
void sow_distance_tell(const struct sow_distance *distance, struct sow_difference *difference);
void sow_distance_free(struct sow_distance *distance);

#endif
