/* SPDX-License-Identifier: MIT */
/* Learning from the inside: loss.c what the output should have been and which way is down, update.c the optimisers, rates.c
 * learning rates by tensor, result.c what is kept of it, learn.c the passes. */
#ifndef SOW_SIGNAL_LEARN_H
#define SOW_SIGNAL_LEARN_H

#include "model/signal/measure/round.h"
#include "sow/learn.h"

/* ---- Loss ---- */

struct sow_loss {
    uint64_t classes;         /* 0: squares */
    uint64_t rows, elements;  /* of the output: rows of logits */
    float *labels, *gradient; /* one a row, or an element; one an element */
    double *of_rows;
};
/* For the last output of the network; labels are filled by sow_source_labels. SOW_E_MEMORY. */
enum sow_status sow_loss_make(const struct sow_network *network, struct sow_loss *loss,
                              struct sow_error *error);
void sow_loss_free(struct sow_loss *loss);
uint64_t sow_loss_bytes(const struct sow_network *network);
uint64_t sow_loss_labels(const struct sow_loss *loss);
/* The mean, in nats or squares; its gradient goes into loss->gradient. */
double sow_loss_of(struct sow_loss *loss, struct sow_team *team, const float *output);

/* ---- Optimisers ---- */

struct sow_update {
    enum sow_optimizer optimizer;
    double rate;
    uint32_t step; /* from 0 */
    uint64_t elements;
    float *weight, *first, *second; /* moments of Adam; NULL for SGD */
    const float *gradient;
};
struct sow_updated {
    double weight, change; /* second moments: of the weight before, of what was added */
    int moves;             /* an element of the gradient is not zero */
};
struct sow_updated sow_update_run(const struct sow_update *update, struct sow_team *team);

/* ---- Rates ---- */

/* One an entry of the plan, the caller's array. SOW_E_ARGUMENT, SOW_E_RULE, with file "--lr". */
enum sow_status sow_rates_fill(struct sow_model *model, const struct sow_plan *plan,
                               const struct sow_learn_options *options, double *rates,
                               struct sow_error *error);

/* ---- Distances ---- */

struct sow_distance {
    double mean_abs, second_moment; /* of x - from; of x when `from` is NULL */
};
struct sow_distance sow_distance_of(struct sow_team *team, const float *x, const float *from,
                                    uint64_t elements);

/* ---- Results ---- */

/* Sums over the seeds while it runs, means at the end. */
struct sow_learning {
    struct sow_learned_value *values;
    struct sow_learned_weight *weights;
    size_t value_count, weight_count;
    struct sow_learning_report report;
    double *losses, *sizes; /* steps + 1; two a value */
    double *changes, *squares, *ratios;
    uint32_t *reached, *used; /* seeds that came to step t; of a weight that step t moved */
    char *names;
};
enum sow_status sow_learning_new(const struct sow_network *network, const struct sow_plan *plan,
                                 uint32_t steps, struct sow_learning **learning,
                                 struct sow_error *error);
void sow_learning_finish(struct sow_learning *learning);

#endif
