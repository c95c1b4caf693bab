/* SPDX-License-Identifier: MIT */
/* libsow-model: what becomes of pairs of inputs at known angles, and of inputs of several sizes, value by value, measured
 * beside the prediction (Poole et al. 2016). Part of libsow-model, beside sow/measure.h.
 *
 * Forward passes alone: float32, each sum in one order, the same numbers everywhere. */
#ifndef SOW_CURVES_H
#define SOW_CURVES_H

#include "sow/measure.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SOW_CURVE_PAIRS  5
#define SOW_CURVE_SCALES 3
/* Cosines of the deviations of two inputs from their mean: 0, 0.5, 0.9, 0.99, 0.999; factors of the inputs: 0.5, 1, 2. */
SOW_API double sow_curve_cosine(size_t pair);
SOW_API double sow_curve_scale(size_t scale);

/* Of a value; NAN: not known, as of token ids. Means over pairs and seeds, each of a whole sample. */
struct sow_curve_value {
    const char *name;
    struct sow_curve_pair {
        double cosine, centred; /* of the two; centred: with the mean of each sample taken off */
        double predicted;       /* of cosine: E[x y] / E[x^2] */
        double
            distance; /* 1 - cosine, to all digits; over that before: the slope of the curve at 1 */
    } pairs[SOW_CURVE_PAIRS];
    struct {
        double second_moment, predicted;
    } scales[SOW_CURVE_SCALES];
};

struct sow_curves {
    uint32_t seeds, layers, layers_all;   /* repeated layers followed, and there are */
    uint64_t pairs;                       /* a seed */
    const struct sow_curve_value *values; /* in the order of the nodes */
    size_t count;
    /* The largest |cosine - predicted| of all, and where it is; NAN and NULL: none is known. */
    double farthest, farthest_from; /* farthest_from: the cosine at the input */
    const char *farthest_value;
    /* d ln E[x^2] of the last value / d ln of the inputs', between half and twice as large: below 1 errors of scale heal
     * (chi_par < 1: converge), above 1 they grow. */
    double response, response_predicted;
    double seconds;
};

/* As many pairs as half the batch; `options` as for sow_measure, whose watch is not used. SOW_E_UNSUPPORTED for a network
 * without an input of numbers; otherwise the errors of sow_measure. The caller owns *curves. */
SOW_API enum sow_status sow_curves_measure(const struct sow_model *model,
                                           const struct sow_plan *plan,
                                           const struct sow_signal_options *signal,
                                           const struct sow_measure_options *options,
                                           struct sow_curves **curves, struct sow_error *error);
SOW_API void sow_curves_free(struct sow_curves *curves);

#ifdef __cplusplus
}
#endif
#endif
