/* SPDX-License-Identifier: MIT */
/* libsow-model: weights as matrices, one by one: how far the most stretched direction is stretched, and how far from
 * orthogonal each is. Part of libsow-model, beside sow/measure.h. */
#ifndef SOW_SPECTRA_H
#define SOW_SPECTRA_H

#include "sow/measure.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A weight of a linear layer or a convolution as a matrix, outputs by all else. NAN: not known. */
struct sow_spectrum_of_weight {
    const char *name;
    uint64_t outputs, inputs; /* rows and columns; inputs of a convolution are in / groups * taps,
                               * outputs of a transposed one out / groups * taps */
    /* The largest singular value; that of a wide matrix of independent elements, g (1 + sqrt(outputs / inputs)) with
     * g = sqrt(inputs E[w^2]); of an orthogonal scheme its gain; of one constant what it is. */
    double norm, norm_expected;
    double
        gain; /* g = sqrt(max(outputs, inputs) E[w^2]) of the plan: what an orthogonal matrix of this size has */
    double
        orthogonality_error; /* max |W W^T - g^2 I|, or W^T W where that is smaller; up to 1024 rows */
};

struct sow_spectra {
    const struct sow_spectrum_of_weight *weights; /* in the order of the plan */
    size_t count;
    /* Repeated layers whose weights were taken, evenly from the first to the last, and there are; the operations that those
     * and all take. */
    uint32_t layers, layers_all;
    double operations, operations_all;
    double seconds;
};

/* Of the plan's seed, or of a checkpoint (`options`, of which weights, threads, memory_bytes, progress, interrupted and
 * layers are used; may be NULL). layers 0: as many as take 1e13 operations at most, one at least; UINT32_MAX: all. The norm by Lanczos' iteration from a fixed start, to 1e-12 or 200 steps. The caller owns *spectra.
 * SOW_E_MEMORY, SOW_E_INTERRUPTED, and the errors of reading a checkpoint. */
SOW_API enum sow_status sow_spectra_measure(const struct sow_plan *plan,
                                            const struct sow_measure_options *options,
                                            struct sow_spectra **spectra, struct sow_error *error);
SOW_API void sow_spectra_free(struct sow_spectra *spectra);

#ifdef __cplusplus
}
#endif
#endif
