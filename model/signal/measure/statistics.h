/* SPDX-License-Identifier: MIT */
/* Numbers about arrays: moments, similarity of places, spectra, dead and saturated units. Sums in double, in an order that
 * the shape decides. */
#ifndef SOW_MEASURE_STATISTICS_H
#define SOW_MEASURE_STATISTICS_H

#include "model/signal/measure/team.h"
#include "sow/signal.h"

struct sow_moments {
    double mean, second_moment, std, kurtosis, max_abs; /* of the finite elements */
    uint64_t non_finite;
};
struct sow_moments sow_moments_of(struct sow_team *team, const float *x, uint64_t elements);
/* Mean of the squares alone. */
double sow_second_moment_of(struct sow_team *team, const float *x, uint64_t elements);

/* An array as feature vectors at places: [outer, features, inner]; the first of `samples` equal parts is a sample. */
struct sow_view {
    const float *x;
    uint64_t outer, features, inner, samples;
};

/* Mean cosines, NAN where there is no pair: of different places of one sample, of one place in different samples (at most
 * 256 vectors, evenly taken), and of all pairs of these vectors. Zero vectors do not count. */
struct sow_similarity {
    double places, samples, all;
};
struct sow_similarity sow_similarity_of(struct sow_team *team, const struct sow_view *view);

/* Of rows of logits, in nats, means over the rows: the cross-entropy over labels that are as likely each, and the entropy
 * of the prediction. NAN where a logit is not finite, or there is no row. */
struct sow_first {
    double loss, entropy;
};
struct sow_first sow_first_of(struct sow_team *team, const float *x, uint64_t rows,
                              uint64_t classes);

/* Of the matrix of at most 32 places, without the collapse; NAN for fewer than two. */
struct sow_ranks sow_ranks_of(struct sow_team *team, const struct sow_view *view);

/* Of an activation, from what goes into it. */
struct sow_slopes {
    double dead, saturated;
    double dead_expected,
        saturated_expected; /* of Gaussian inputs with that mean, std and correlation */
};
struct sow_slopes sow_slopes_of(struct sow_team *team, const struct sow_view *view,
                                const struct sow_function *function, const struct sow_moments *in,
                                double correlation);

#endif
