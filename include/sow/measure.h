/* SPDX-License-Identifier: MIT */
/* libsow-model: numbers sent through a network. Weights are drawn (or read from a checkpoint), random inputs go forward and
 * random cotangents backward, and every value, gradient and weight is measured. Part of libsow-model, beside sow/signal.h.
 *
 * The numbers are the same for every instruction set and number of threads: float32, each sum in one order, no libm. */
#ifndef SOW_MEASURE_H
#define SOW_MEASURE_H

#include "sow/signal.h"

#ifdef __cplusplus
extern "C" {
#endif

enum sow_watched {
    SOW_WATCH_VALUE,           /* what a node makes, forward */
    SOW_WATCH_GRADIENT,        /* of the same values, backward; of an output: the cotangents */
    SOW_WATCH_WEIGHT_GRADIENT, /* of a parameter, all its uses together */
    SOW_WATCH_LABEL,           /* what a loss compares the last value with (sow/learn.h) */
};

/* Sees the numbers as they come, `elements` of them, row-major; they are gone when it returns. `name` is a node's, or a
 * parameter's. A convolution's weight is (out, in / groups, kernel...) whatever its layout in the plan. */
typedef void sow_watch_fn(void *user, uint32_t seed, enum sow_watched what, const char *name,
                          const float *numbers, uint64_t elements);

struct sow_measure_options {
    uint32_t seeds;        /* 0: 1. Seed i is the plan's seed + i: weights, inputs and cotangents */
    const char *weights;   /* a checkpoint to read them from; NULL: drawn */
    uint32_t threads;      /* 0: all */
    uint64_t memory_bytes; /* ceiling; 0: 8 GB, or half of the machine's where that is too little */
    sow_watch_fn *watch;   /* NULL: none */
    void *watch_user;
    sow_progress_fn *progress; /* counts operations, not bytes */
    void *progress_user;
    const volatile int *interrupted; /* nonzero: stop, SOW_E_INTERRUPTED, with what is known */
    /* Follow the network through this many of its repeated layers, from the first on, and no further: what was followed is
     * exactly what it is in the whole, cotangents begin where it ends. 0, or as many as there are: all of it. */
    uint32_t layers;
    double cotangent_std; /* of the random cotangents; 0: 1 */
};

/* What one value is like; means over the seeds unless it says otherwise. NAN: not known, or not of this value. Where there
 * is an `..._expected`, it is what a random network with these second moments and correlations gives. */
struct sow_measured_value {
    const char *name, *word; /* of the node that made it: "h.0.mlp.c_fc", "linear" */
    int32_t layer;           /* -1 outside repeated layers */
    uint32_t rank;
    uint64_t shape[SOW_RANK_MAX];

    double mean, std, second_moment; /* over all elements */
    double max_abs;                  /* over all seeds */
    double kurtosis;                 /* E(x - mean)^4 / std^4; of a Gaussian 3 */
    uint64_t non_finite; /* elements, over all seeds; the other numbers are of the rest */
    /* of the seeds' second moments: exp(mean ln), and the standard deviation of ln */
    double typical, log_spread;
    /* Mean cosine, uncentred, of the feature vectors of two places (tokens, pixels) of one sample, of two samples where there
     * is one place; and of one place in two samples. */
    double correlation, sample_correlation;

    double gradient_second_moment; /* per element, cotangents at the outputs being N(0, 1) */
    double gradient_typical, gradient_log_spread;
    uint64_t gradient_non_finite; /* elements, over all seeds */

    /* Of an activation: units whose slope is below 1e-6 at every place, and elements whose slope is below 0.05 of the
     * steepest. */
    double dead, dead_expected;
    double saturated, saturated_expected;
    /* Of attention, over all queries: entropy in nats; ln(keys) - variance of the logits / 2. */
    double entropy, entropy_expected;

    struct sow_ranks
        ranks; /* of the first seed; the collapse over all seeds: 0 when all places of a sample are the same */
};

/* A parameter. */
struct sow_measured_weight {
    const char *name;
    double second_moment;          /* of the weight */
    double gradient_second_moment; /* per element */
    double ratio;                  /* RMS of the gradient over RMS of the weight; NAN for zeros */
};

struct sow_measurement; /* opaque */

/* Sends numbers through the network of the model. `plan` must be the model's; `signal` may be NULL, as `options`. With
 * SOW_E_INTERRUPTED *measurement holds what is known so far (NULL when that is nothing), otherwise it is made on success
 * only. SOW_E_UNSUPPORTED when an operation has no kernel; SOW_E_MEMORY when it takes more than the ceiling, saying how
 * much and what makes it less; SOW_E_SHAPE and SOW_E_MISSING for a checkpoint of another model; SOW_E_FORMAT for one with
 * numbers that are not finite; SOW_E_IO. */
SOW_API enum sow_status sow_measure(const struct sow_model *model, const struct sow_plan *plan,
                                    const struct sow_signal_options *signal,
                                    const struct sow_measure_options *options,
                                    struct sow_measurement **measurement, struct sow_error *error);
SOW_API void sow_measurement_free(struct sow_measurement *measurement);
/* In the order of the nodes; NULL past the end. Strings live as long as the measurement. */
SOW_API const struct sow_measured_value *
sow_measured_value_at(const struct sow_measurement *measurement, size_t index);
/* In the order of the plan, those the network uses; NULL past the end. */
SOW_API const struct sow_measured_weight *
sow_measured_weight_at(const struct sow_measurement *measurement, size_t index);

struct sow_measurement_report {
    uint32_t seeds; /* measured whole */
    uint64_t batch, tokens;
    uint64_t memory_bytes; /* that values, gradients and weights took at most */
    double seconds;
    uint32_t layers, layers_all; /* followed, and there are */
    /* Where the last value is a layer's and has at least 2 features, these as logits of classes (else 0, NAN, NAN): means
     * over rows and seeds, in nats, of the cross-entropy over labels that know nothing, and of the prediction's entropy. */
    uint64_t classes;
    double first_loss, entropy;
    /* Of a checkpoint: how many of its tensors are not the plan's, and the first of them, cut off where it is longer. */
    uint64_t unused;
    char unused_first[128];
};
SOW_API const struct sow_measurement_report *
sow_measurement_report(const struct sow_measurement *measurement);

/* ---- Large networks ---- */

/* What a seed takes: bytes when the weights of one operation are there at a time, and operations on numbers, those of
 * drawing and looking turned into as many as take their time. From shapes alone: the same on every machine. */
struct sow_measure_cost {
    uint64_t memory_bytes;
    double operations;
    double
        products; /* of them, those of products of matrices: a multiplication and an addition each */
};

struct sow_measure_sample {
    uint64_t batch, tokens; /* for sow_signal_options */
    uint32_t layers,
        layers_all;   /* for sow_measure_options: measure the first `layers` of `layers_all` */
    int layers_asked; /* by options->layers */
    struct sow_measure_cost cost, limits;
    uint64_t batch_all,
        tokens_all; /* as asked for, or the defaults: before anything was left out */
    struct sow_measure_cost cost_all;
    uint32_t times, times_all; /* cotangents of a Jacobian, steps of learning; else 1 */
};

/* How much of a network to measure: all that was asked for where it costs at most 8 GB (options->memory_bytes when that is
 * not 0) and 1e13 operations. Else sequences are halved down to 64 tokens, then samples to 2, then the last layers are left
 * out, until it fits or one layer is left. What is not 0 in `signal` (batch, tokens) and `options` (layers; UINT32_MAX:
 * all) was asked for and stays. Nothing is drawn, nothing depends on the machine. Errors as of sow_measure. */
SOW_API enum sow_status sow_measure_choose(const struct sow_model *model,
                                           const struct sow_plan *plan,
                                           const struct sow_signal_options *signal,
                                           const struct sow_measure_options *options,
                                           struct sow_measure_sample *sample,
                                           struct sow_error *error);

enum sow_measure_what {
    SOW_MEASURE_SIGNALS,  /* sow_measure */
    SOW_MEASURE_JACOBIAN, /* sow/jacobian.h, of 32 random cotangents */
    SOW_MEASURE_CURVES,   /* sow/curves.h */
    SOW_MEASURE_STEPS,    /* sow/learn.h */
};

struct sow_measure_work {
    enum sow_measure_what what;
    uint32_t steps; /* of learning */
    uint32_t held;  /* floats for each weight that are held while learning: 3 for Adam, 1 for SGD */
};

/* The same of something else than sow_measure. A Jacobian is cut down to 16 tokens, 8 cotangents, then the first layers; pairs
 * of inputs to 2 samples, then the first layers; learning to 64 tokens and 2 samples, and no further: it needs the whole.
 * SOW_E_MEMORY for learning where its weights alone are beyond the ceiling, SOW_E_UNSUPPORTED for what would still take 1e14
 * operations, unless options->layers says so; and, as sow_curves_measure, without an input of numbers. */
SOW_API enum sow_status
sow_measure_choose_for(const struct sow_measure_work *work, const struct sow_model *model,
                       const struct sow_plan *plan, const struct sow_signal_options *signal,
                       const struct sow_measure_options *options, struct sow_measure_sample *sample,
                       struct sow_error *error);

#ifdef __cplusplus
}
#endif
#endif
