/* SPDX-License-Identifier: MIT */
/* libsow-model: the first steps of learning. One random batch with random labels goes through again and again, and SGD or
 * Adam moves the weights: does the loss fall, how far does each value move, which weights stay. Not a trainer: no
 * data, no schedule, no decay. Part of libsow-model, beside sow/measure.h.
 *
 * The loss is the mean cross-entropy over uniformly random labels where the network ends in the logits of classes (a linear
 * layer, maybe scaled, of at least 2 outputs), else the mean of the squares of output - t, t from N(0, 1). Dropout is on, with
 * the same mask at every step; batch norms see the batch. The numbers are the same for every instruction set and number
 * of threads. */
#ifndef SOW_LEARN_H
#define SOW_LEARN_H

#include "sow/measure.h"

#ifdef __cplusplus
extern "C" {
#endif

enum sow_optimizer {
    SOW_ADAM, /* betas 0.9 and 0.999, eps 1e-8, outside of the root (Kingma and Ba 2015, algorithm 1) */
    SOW_SGD, /* w - rate * gradient */
};

/* Sees the numbers of step `step` as they come, as sow_watch_fn does: values forward, labels (what = SOW_WATCH_LABEL, the
 * loss' targets, named after the output), then the gradients of weights. */
typedef void sow_learn_watch_fn(void *user, uint32_t seed, uint32_t step, enum sow_watched what,
                                const char *name, const float *numbers, uint64_t elements);

struct sow_learn_options {
    uint32_t steps; /* 0: 3 */
    uint32_t seeds; /* 0: 1. Seed i is the plan's seed + i: weights, inputs and labels */
    enum sow_optimizer optimizer;
    double rate; /* learning rate; 0: 0.001 */
    /* of some tensors another one, "GLOB=EXPRESSION" as in --set, first match wins: "*.weight=0.1*64/fan_in" */
    const char *const *rates;
    size_t rate_count;
    const char *weights;   /* a checkpoint to begin with; NULL: drawn */
    uint32_t threads;      /* 0: all */
    uint64_t memory_bytes; /* ceiling; 0: half of what the machine has */
    sow_learn_watch_fn *watch;
    void *watch_user;
    sow_progress_fn *progress; /* counts operations, not bytes */
    void *progress_user;
    const volatile int *interrupted; /* nonzero: stop, SOW_E_INTERRUPTED, with what is known */
};

/* A value; means over the seeds. x_t is the value after t steps. NAN: not of this value (token numbers). */
struct sow_learned_value {
    const char *name, *word; /* of the node that made it */
    int32_t layer;           /* -1 outside repeated layers */
    int is_output;           /* the last value */
    int is_scaled;           /* nobody reads it but a multiplication by a number */
    double size, rms;        /* mean |x_0|, root of the mean of x_0^2 */
    /* after t = 0 .. steps: mean |x_t - x_0|, and the root of the mean of its square */
    const double *change, *change_rms;
};

/* A parameter. */
struct sow_learned_weight {
    const char *name;
    int32_t layer;
    double rate, rms; /* its learning rate; at the beginning */
    /* of step t = 0 .. steps - 1: RMS of what is added, over RMS of the weight before; NAN where that is zero */
    const double *ratio;
    /* the first step at which an element of its gradient is not zero, in any seed; -1: none so far */
    int32_t moves;
};

struct sow_learning_report {
    uint32_t seeds, steps; /* asked for */
    uint32_t done;      /* steps that every number reached: fewer when interrupted, or not finite */
    uint64_t classes;   /* 0: the loss is that of squares */
    const double *loss; /* after t = 0 .. steps: means over the seeds; NAN beyond `done` */
    uint64_t batch, tokens, memory_bytes;
    double seconds;
};

struct sow_learning; /* opaque */

/* `plan` must be the model's (which is not changed); `signal` may be NULL. With SOW_E_INTERRUPTED *learning holds what is
 * known so far (NULL when that is nothing). A loss that is not finite ends the steps of its seed, and is no error.
 * SOW_E_UNSUPPORTED when an operation has no kernel or nothing can be learned; SOW_E_ARGUMENT for a rate that is none;
 * the rest as of sow_measure. */
SOW_API enum sow_status sow_learn(struct sow_model *model, const struct sow_plan *plan,
                                  const struct sow_signal_options *signal,
                                  const struct sow_learn_options *options,
                                  struct sow_learning **learning, struct sow_error *error);
SOW_API void sow_learning_free(struct sow_learning *learning);
/* In the order of the nodes; NULL past the end. Strings and numbers live as long as the learning. */
SOW_API const struct sow_learned_value *sow_learned_value_at(const struct sow_learning *learning,
                                                             size_t index);
/* In the order of the plan, those the network uses; NULL past the end. */
SOW_API const struct sow_learned_weight *sow_learned_weight_at(const struct sow_learning *learning,
                                                               size_t index);
SOW_API const struct sow_learning_report *sow_learning_report(const struct sow_learning *learning);

/* ---- Several widths ---- */

/* The coordinate check (Yang et al. 2022, appendix D.1): how the size of a value, and how far it moves, scale with the width
 * of the network. Slopes are those of log2 of the means of all seeds against log2 of the widths, by least squares; NAN where
 * one of the means is 0 or not finite. */
struct sow_width_value {
    const char *name, *word;
    int32_t layer;
    int is_output;
    int is_scaled;        /* then nothing is wrong with it: what counts is the product */
    double size;          /* slope of mean |x_0| */
    const double *change; /* after t = 0 .. steps: slope of mean |x_t - x_0|; NAN at 0 */
    /* 0: all is well. 1: the size at the beginning grows or falls with the width by more than the limit (of an output: grows);
     * 2: the change does */
    int wrong;
    uint32_t step;   /* where it is wrong: the first such step */
    double steepest; /* the slope there */
};

struct sow_widths; /* opaque */

/* `learned[i]` is the network at widths[i], the same network otherwise; at least two, with as many steps. `limit` is a
 * slope, 0: 0.15. Strings and numbers live as long as learned[0]. SOW_E_SHAPE when the networks have other values;
 * SOW_E_ARGUMENT for widths that are none. */
SOW_API enum sow_status sow_widths_compare(const struct sow_learning *const *learned,
                                           const double *widths, size_t count, double limit,
                                           struct sow_widths **compared, struct sow_error *error);
SOW_API void sow_widths_free(struct sow_widths *compared);
/* In the order of the nodes; NULL past the end. */
SOW_API const struct sow_width_value *sow_width_value_at(const struct sow_widths *compared,
                                                         size_t index);

#ifdef __cplusplus
}
#endif
#endif
