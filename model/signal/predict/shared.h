/* SPDX-License-Identifier: MIT */
/* One layer used several times, from the inside: which nodes have weights in common, and cosines of values and of gradients
 * that were asked for. What two uses have in common is followed in ancestors.c and ancestors_back.c. */
#ifndef SOW_SIGNAL_SHARED_H
#define SOW_SIGNAL_SHARED_H

#include "model/signal/predict/predict.h"

/* Fills p->shared where a layer is used twice; left NULL elsewhere. */
enum sow_status sow_shared_find(struct sow_predictor *p, struct sow_error *error);
/* Whether two nodes are one layer: the same operation with the same weights; two attentions, which have none, are. */
int sow_shared_same(const struct sow_predictor *p, uint32_t node_a, uint32_t node_b);
/* The node where that layer is used first, and where it is used last; itself where it is used once. */
uint32_t sow_shared_first(const struct sow_predictor *p, uint32_t node);
uint32_t sow_shared_last(const struct sow_predictor *p, uint32_t node);

/* ---- Cosines that are known -------------------------------------------------------------------------- */

enum sow_cosine_kind { SOW_COSINE_VALUES, SOW_COSINE_GRADIENTS };
/* 1: known, and in *cosine; 0: not yet; -1: not, and there is no room for more. */
int sow_shared_look(const struct sow_predictor *p, enum sow_cosine_kind kind,
                    enum sow_pairing pairing, uint32_t a, uint32_t b, double *cosine);
void sow_shared_keep(struct sow_predictor *p, enum sow_cosine_kind kind, enum sow_pairing pairing,
                     uint32_t a, uint32_t b, double cosine);

/* An activation's input as it is between two uses: the scale in the middle. */
struct sow_state sow_between(const struct sow_state *a, const struct sow_state *b);
/* sqrt of one second moment over another, from their logarithms. */
double sow_root_ratio(double log_a, double log_b);
/* Two rows of a softmax, of two uses, at one place or at two: E[sum p p'] by how alike their logits are. */
double sow_rows_meet(const struct sow_local *a, const struct sow_local *b, enum sow_pairing pairing,
                     double alike);

#endif
