/* SPDX-License-Identifier: MIT */
/* libsow-model: the Jacobian of a network at one input, J = d (value) / d (an earlier value), and its singular values:
 * 1 for all of them is isometry. Part of libsow-model, beside sow/measure.h.
 *
 * By backward passes alone, a row a cotangent: float32, each sum in one order, the same numbers everywhere. */
#ifndef SOW_JACOBIAN_H
#define SOW_JACOBIAN_H

#include "sow/measure.h"

#ifdef __cplusplus
extern "C" {
#endif

struct sow_jacobian_options {
    /* Names of values. NULL: from the input (where tokens go in: what the first layer of weights after the embedding
     * reads) to the last value (where tokens go in: what the last layer of weights reads, if that layer makes it). */
    const char *from, *to;
    /* seeds, weights, threads, memory_bytes, progress, interrupted and, where `to` is NULL, layers are used (J is then by
     * the value that these first layers end with); NULL: the defaults */
    const struct sow_measure_options *measure;
    uint32_t cotangents; /* random ones, where J is not made whole; 0: 32 */
};

/* Of the min(inputs, outputs) singular values s; NAN: not known. */
struct sow_jacobian_numbers {
    double mean_square; /* of s: E[s^2] */
    double variance;    /* of s^2 */
    double spread;      /* variance / mean_square^2 */
    double mean;        /* of s */
    double largest, smallest;
    double
        condition; /* largest / smallest; INFINITY where the smallest is below a millionth of the largest */
    double rank; /* how many are not */
};

struct sow_jacobian {
    const char *from, *to;
    uint64_t inputs, outputs; /* elements of `from` and `to` that J is of */
    int64_t token;            /* that they are of; -1: of the whole sample */
    uint32_t layers,
        layers_all;      /* repeated layers followed, and there are; all where `to` was given */
    uint32_t seeds;      /* measured whole; of each the first sample */
    uint64_t cotangents; /* a seed: as many as outputs, or random ones */
    int is_whole; /* 0: random cotangents, from which mean_square, variance and spread alone are known */
    /* Means over the seeds; of the condition exp(mean ln). */
    struct sow_jacobian_numbers measured;
    /* Of wide layers of independent weights (Pennington et al. 2017): of chains of linear layers and activations; the
     * largest where all are of one width. The mean square also elsewhere, from input to output, where the
     * prediction of gradients gives it. */
    struct sow_jacobian_numbers expected;
    const double *
        values; /* the singular values of the first seed, descending; `count` of them, 0 unless is_whole */
    uint64_t count;
    double seconds;
};

/* The whole matrix up to 1024 outputs and 4e12 multiplications; beyond, 32 random cotangents. Samples that batch norm or
 * dropout ties together are sent through together, a row at a time. SOW_E_ARGUMENT for a value that is not there, or
 * does not depend on the other; otherwise the errors of sow_measure. With SOW_E_INTERRUPTED *jacobian holds the seeds
 * that are whole, or NULL. The caller owns *jacobian. */
SOW_API enum sow_status sow_jacobian_measure(const struct sow_model *model,
                                             const struct sow_plan *plan,
                                             const struct sow_signal_options *signal,
                                             const struct sow_jacobian_options *options,
                                             struct sow_jacobian **jacobian,
                                             struct sow_error *error);
SOW_API void sow_jacobian_free(struct sow_jacobian *jacobian);

#ifdef __cplusplus
}
#endif
#endif
