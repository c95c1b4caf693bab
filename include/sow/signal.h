/* SPDX-License-Identifier: MIT */
/* libsow-model: whether signals survive the depth of a network. Part of libsow-model, beside sow/model.h.
 *
 *     model, plan -> sow_probe_predict -> second moments, correlations, gradients by value; no weight is drawn */
#ifndef SOW_SIGNAL_H
#define SOW_SIGNAL_H

#include "sow/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A size that a description leaves open, such as "height". */
struct sow_signal_size {
    const char *symbol;
    uint64_t size;
};

/* Statistics of the elements of every input{...}; correlations between samples, and between the places (pixels,
 * tokens) of one, of their deviations from the mean. */
struct sow_signal_input {
    double mean, std, place_correlation, sample_correlation;
};

/* What is sent into a network. Zeroed, and NULL, are the defaults. */
struct sow_signal_options {
    uint64_t batch;  /* samples; 0: 8 */
    uint64_t tokens; /* of a sequence; 0: 256, or as many as there are positions */
    /* of other symbols; "height" and "width" are 224 unless they are here */
    const struct sow_signal_size *sizes;
    size_t size_count;
    const struct sow_signal_input
        *input; /* NULL: what the recipe says, else mean 0, std 1, no correlation */
};

/* One value of the network, that is what one operation makes, in the order in which they run. Means are over seeds,
 * samples and elements, in training (dropout on, batch norms over the batch). Gradients are those of the sum of the
 * last value's elements, each times an independent normal number of std 1. Strings live as long as the probe. */
struct sow_probe_value {
    const char *name;      /* "transformer.h.0.mlp.c_fc" */
    const char *operation; /* "linear" */
    const char *file;      /* where the recipe says it */
    uint32_t line;
    int32_t layer; /* of the innermost repeated(); -1 outside */
    uint32_t rank;
    uint64_t shape[SOW_RANK_MAX];
    int has_weights;
    int is_signal; /* 0: token or position numbers; then no number below is known */

    /* E[x^2] as log2, which no depth overflows, -INFINITY for zeros; and as a number, 0 or INFINITY beyond double */
    double log2_second_moment, second_moment;
    double mean;
    /* E[x y] / E[x^2], y the same element of another sample, the same feature at another place of the sample (NAN with
     * one place), another feature at the same place */
    double sample_correlation, place_correlation, feature_correlation;
    double cross_correlation; /* the same feature at another place of another sample */
    double features, places;  /* how many a place has, and how many a sample */
    /* In how many directions unlike places or samples differ, tr(C)^2 / tr(C^2) of their covariance: the features where
     * these are independent, fewer with every layer of finite width */
    double directions;
    double log2_gradient, gradient; /* the gradient's second moment, likewise */
    /* of a layer, which is weights and what stands between them and the weights before: the factors by which small
     * distances and small errors of scale grow, and the correlation that unrelated signals get. NAN elsewhere */
    double chi_perp, chi_par, c0;
    /* variance over seeds of ln |x|^2 of one sample: 5 / width for each ReLU layer (Hanin and Nica 2020) */
    double seed_noise;
    /* d ln E[x^2] / d ln of the inputs': 1 keeps an error of scale, 0 forgets it */
    double scale_response;
    /* log2 of the relative squared distance of two near inputs, over that at the input: growing is chaos */
    double log2_distance;
};

/* Of the matrix X of the feature vectors at up to 32 places, as they are measured (measure.h): (sum l)^2 / sum l^2 with l =
 * s^2 the squared singular values; sum l / max l; exp of the entropy of s / sum s (Roy and Vetterli 2007); and of up to 32
 * places of one sample |X - 1 m^T| / |X|, m their mean (Dong et al. 2021). */
struct sow_ranks {
    double participation, stable_rank, effective_rank, rank_collapse;
};
/* Those a correct random network has; NAN where there are fewer than two places. */
SOW_API struct sow_ranks sow_expected_ranks(const struct sow_probe_value *value);

/* The layer that the network repeats most, followed for ever (Poole et al. 2016; Schoenholz et al. 2017). */
struct sow_probe_depth {
    uint64_t layers; /* 0: none is repeated, and nothing below is known */
    const char *activation;
    struct sow_function function; /* it, of an expression as long as the probe lives */
    double sigma_w2, sigma_b2;    /* fan_in E[w^2], E[b^2] */
    double q; /* where the second moment settles; 0 dies out, INFINITY grows without bound */
    double chi_perp, chi_par, correlation; /* there; the correlation where two signals settle */
    /* layers over which an error of the second moment, of the correlation, and the gradient change by e; INFINITY when
     * they do not decay. NAN where there is no q */
    double xi_q, xi_c, xi_gradient;
};

struct sow_probe_summary {
    uint64_t values, layers, batch, tokens; /* layers: values with weights */
    double seed_noise;                      /* of the last value */
    struct sow_probe_depth depth;
    double seconds;
};

struct sow_probe; /* opaque, immutable */

/* Follows signals and gradients through the model by formulas; `plan` is the model's, `options` may be NULL. Time and
 * memory are linear in the number of operations. Errors: SOW_E_ARGUMENT for sizes and statistics that cannot be;
 * SOW_E_SHAPE where shapes do not fit, SOW_E_UNSUPPORTED for an operation that signals cannot be followed through and
 * for a model without a graph, each with the node's name and line; SOW_E_MEMORY. On success the caller owns *probe. */
SOW_API enum sow_status sow_probe_predict(const struct sow_model *model,
                                          const struct sow_plan *plan,
                                          const struct sow_signal_options *options,
                                          struct sow_probe **probe, struct sow_error *error);
SOW_API void sow_probe_free(struct sow_probe *probe);
/* NULL past the end */
SOW_API const struct sow_probe_value *sow_probe_at(const struct sow_probe *probe, size_t index);
SOW_API const struct sow_probe_summary *sow_probe_summary(const struct sow_probe *probe);

#ifdef __cplusplus
}
#endif
#endif
