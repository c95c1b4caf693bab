/* SPDX-License-Identifier: MIT */
/* Prediction from the inside: what is known of a signal at a value, and of the gradient there. One file a kind of rule:
 * forward.c, several.c, across.c (pools, attention), backward.c, ancestors.c; predict.c walks the network. Second moments live as
 * logarithms and everything else relative to them, so that no depth overflows. */
#ifndef SOW_SIGNAL_PREDICT_H
#define SOW_SIGNAL_PREDICT_H

#include "core/activation/expression.h"
#include "core/activation/pair.h"
#include "model/graph/arena.h"
#include "model/signal/network/network.h"

/* A signal: x an element; means over seeds, samples and elements. */
struct sow_state {
    double log;  /* ln E[x^2]; -INFINITY for zeros */
    double mean; /* E[x] / sqrt(E[x^2]) */
    /* E[x y] / E[x^2], y another feature of the same place, the same feature of another place (token, pixel), and
     * the same feature and place of another sample */
    double feature, place, sample;
    double kurtosis; /* E[x^4] / E[x^2]^2 */
    /* what of it does not move the mean square of the features, which orthogonal weights or a norm have kept: 0, or up to 2;
     * level: the share of the mean over the features that a norm has kept at 0 */
    double kept, level;
    /* Finite width (widths.c), of what norms divide by: ln of what its fluctuations so far multiply the mean squared gradient
     * with; and what its own elements add, times their number, with their mean left in or taken away */
    double pull, toll, toll_centred;
    /* For batch norms: the variance, relative to the second moment, of the mean product of two samples over the features, once
     * what all of them share is gone; and d ln E[x^2] / d ln of the weights' just behind, 0 where there are none */
    double crowd, unit;
    double
        thin; /* what the fourth cumulant of its elements, over their variance squared, is below 0: behind a norm */
    double noise; /* variance over seeds of the ln of one sample's mean square */
    double par;   /* d ln E[x^2] / d ln of the inputs' */
    double
        apart; /* ln of the relative squared distance of two near inputs, over that at the input */
    /* since the last layer of weights: ln of the factors of a small distance and of a small change of scale, and the
     * correlation of what came from unrelated signals */
    double ln_perp, ln_par, unrelated;
    double features, places; /* how many */
    /* E[(x y)^2] / (E[x x] E[y y]) of two places or samples less what they have in common: 1 over how many directions
     * they differ in, tr C^2 / (tr C)^2 of their covariance C. 1 / features where features are independent. */
    double overlap;
};

/* The gradient of a loss there: ln of its second moment, and its correlations like those above; sample: with the same
 * feature of another sample, its places averaged: 0 but where batch norms have taken the mean away. */
struct sow_adjoint {
    double log, feature, place, sample;
    double loan; /* what of log the layer of weights below takes back (sow_width_batch_norm) */
};

/* A state with its numbers unfolded, in units of exp(log). */
struct sow_time_profile; /* recurrent_predict.h */

struct sow_raw {
    double square, mean, feature, place, sample;
};

/* Of a tensor or a part of it. */
struct sow_weights {
    double mean, square; /* E[w], E[w^2] */
};

/* Sums over softmax rows (softmax.c). */
struct sow_softmax {
    double same;  /* E[sum over keys of p^2], averaged over queries */
    double cross; /* E[sum over keys of p p'], averaged over pairs of queries */
    double apart; /* the same, of queries that are not alike */
    double alone; /* the same of two samples' rows of one query */
    double moved; /* as below, averaged over queries */
};

struct sow_softmax_row {
    double same;  /* E[sum over keys of p^2] */
    double moved; /* E[sum p^2 - 2 sum p^3 + (sum p^2)^2]: how far the logits' gradients reach */
};

struct sow_places;
struct sow_rows;

/* What forward leaves for backward. */
struct sow_local {
    double slope, slope_square, slope_place, slope_feature, slope_sample; /* activation */
    const struct sow_rows *rows;      /* attention that is followed by position (places.h) */
    struct sow_places *back_place[3]; /* there, of what goes back; NULL: handed on */
    double factor;                    /* norms and scales: mean of the Jacobian's diagonal */
    double taken;      /* norms: the share of the second moment that their mean had */
    double held, loan; /* norms: variance over variance plus eps; of adjoints behind batch norms */
    double turn
        [3]; /* activations: of h(z) = slope z: E[h]^2, E[h z]^2, the rest of E[h^2], over E[slope^2] */
    double ln_back; /* norms and scales: ln of what the gradient's second moment is multiplied with;
                    of norms without the directions that they take from it (sow_back_norm) */
    double chosen;  /* slope_square where a max pool behind it looks, over slope_square; 0: none */
    double chi_perp, chi_par, c0; /* layers of weights; NAN elsewhere */
    struct sow_softmax softmax;   /* attention */
    struct sow_state part[3];     /* attention: queries, keys, values; gated: phi(gate), value */
    struct sow_adjoint adjoint[3];
    const struct sow_node *composed; /* multiply of x and an activation of x: the activation */
    /* convolutions (border.h): inputs of an output, the share that is no padding, that of two outputs; outputs of an input */
    double fan, inside, pairs, reach;
    double bend; /* activations: d ln E[slope^2] / d ln E[x^2], where pixels differ in size */
    /* recurrent: how E[h^2] runs over time, and the gradient of its input; NULL: all times are alike */
    const struct sow_time_profile *profile, *profile_back;
};

#define SOW_EXPANSIONS_KEPT 8

/* An expansion that was made: layers that repeat have the same. */
struct sow_kept_expansion {
    const struct sow_function *function;
    int times_x;
    double mean, std;
    struct sow_expansion expansion;
};

struct sow_border;
struct sow_reach;
struct sow_table;  /* expand.c */
struct sow_shared; /* shared.h */

struct sow_predictor {
    const struct sow_network *network;
    const struct sow_plan *plan;
    const struct sow_signal_options *options;
    struct sow_state *states;     /* one a flow */
    struct sow_adjoint *adjoints; /* one a flow */
    struct sow_places **by_place; /* one a flow: NULL, or its tokens by position (places.c) */
    struct sow_places *
        *back_place; /* one a flow: NULL, or its gradient by position (places_back.c) */
    struct sow_places **use_place; /* one a use, the same */
    /* one a flow, and one a use: NULL, or how pixels run towards the border (border.h); NULL where nothing convolves */
    const struct sow_border **border, **back_border, **use_border;
    struct sow_places *spare_place; /* that may be taken again */
    struct sow_reach *reaches;      /* that were made (places_reach.c) */
    struct sow_local *locals;       /* one a node */
    /* Uses: one an input of a node, numbered in order. Those of flow i are use_list[use_begin[i]] and on. */
    uint32_t *use_begin, *use_list;
    uint32_t *use_node, *use_slot, *first_use; /* first_use: one a node */
    struct sow_adjoint *use;                   /* what each gives back */
    struct softmax_cache *softmax;
    struct sow_kept_expansion kept[SOW_EXPANSIONS_KEPT]; /* in turn */
    size_t kept_count;
    struct sow_table *table;   /* NULL: none was needed yet */
    struct sow_shared *shared; /* layers that are used twice; NULL where none is */
    int out_of_memory;         /* on the way back */
    int has_norm;
    uint64_t time_steps; /* that recurrent layers have walked */
    struct sow_arena arena;
};

/* ---- Numbers (state.c) -------------------------------------------------------------------------- */

struct sow_raw sow_raw_of(const struct sow_state *state, double log);
/* Sets the five numbers of `state`. */
void sow_state_set(struct sow_state *state, const struct sow_raw *raw, double log);
/* ln of a number in units of exp(log); -INFINITY for what is not positive. */
double sow_log_of(double x, double log);
/* E[x_i y_j] / E[x^2], features i and j and the two places or samples both different. */
double sow_cross_feature(const struct sow_state *state, double same_feature);
/* E[x y] / E[x^2], sample and place both different. */
double sow_both(const struct sow_state *state);
/* The correlation of values, from that of second moments. */
double sow_centred(const struct sow_state *state, double ratio);
/* Of a node's parameter; `absent` where it has fewer. */
struct sow_weights sow_node_weights(const struct sow_predictor *p, const struct sow_node *node,
                                    uint32_t index, struct sow_weights absent);
/* Of elements whose index along the output axis is in [begin, end); end 0: all. */
struct sow_weights sow_weights_of(const struct sow_plan_entry *entry, uint64_t begin, uint64_t end);
/* Of elements whose index along `axis` is in [begin, end); end 0: all. */
struct sow_weights sow_weights_along(const struct sow_plan_entry *entry, uint32_t axis,
                                     uint64_t begin, uint64_t end);

/* ---- Rules ----------------------------------------------------------------------------------------- */

enum sow_status sow_forward(struct sow_predictor *p, const struct sow_node *node,
                            struct sow_error *error);
/* The expansion of phi(mean + std z), or of x phi(x), which stands until SOW_EXPANSIONS_KEPT others were asked for. */
enum sow_status sow_expand_function(struct sow_predictor *p, const struct sow_function *function,
                                    int times_x, double mean, double std,
                                    const struct sow_expansion **expansion,
                                    struct sow_error *error);
/* phi(x), or x phi(x). */
enum sow_status sow_forward_function(struct sow_predictor *p, const struct sow_node *node,
                                     const struct sow_function *function, int times_x,
                                     const struct sow_state *in, struct sow_state *out,
                                     struct sow_local *local, struct sow_error *error);
void sow_forward_add(struct sow_predictor *p, const struct sow_node *node);
enum sow_status sow_forward_multiply(struct sow_predictor *p, const struct sow_node *node,
                                     struct sow_error *error);
enum sow_status sow_forward_gated(struct sow_predictor *p, const struct sow_node *node,
                                  struct sow_error *error);
struct sow_adjoint sow_back_gated(const struct sow_predictor *p, const struct sow_node *node,
                                  uint32_t slot);
void sow_forward_bilinear(struct sow_predictor *p, const struct sow_node *node);
struct sow_adjoint sow_back_bilinear(const struct sow_predictor *p, const struct sow_node *node,
                                     uint32_t slot);
/* Recurrent layers: recurrent_*.c. */
enum sow_status sow_forward_recurrent(struct sow_predictor *p, const struct sow_node *node,
                                      struct sow_error *error);
struct sow_adjoint sow_back_recurrent(struct sow_predictor *p, const struct sow_node *node);
/* a times b, from E[a b] / sqrt(E[a^2] E[b^2]) by enum sow_pairing. */
void sow_product_rule(const struct sow_state *a, const struct sow_state *b, const double cosines[4],
                      struct sow_state *out);
/* concat, and what only moves elements */
void sow_forward_shape(struct sow_predictor *p, const struct sow_node *node);
void sow_forward_norm(struct sow_predictor *p, const struct sow_node *node,
                      const struct sow_state *in, struct sow_state *out, struct sow_local *local);
struct sow_adjoint sow_back_norm(const struct sow_predictor *p, const struct sow_node *node);
void sow_forward_route(struct sow_predictor *p, const struct sow_node *node);
void sow_forward_experts(struct sow_predictor *p, const struct sow_node *node);
struct sow_adjoint sow_back_route(const struct sow_predictor *p, const struct sow_node *node);
struct sow_adjoint sow_back_experts(const struct sow_predictor *p, const struct sow_node *node,
                                    uint32_t slot);
/* A new layer begins here. */
void sow_close_layer(struct sow_state *state);
/* Pools and attention. */
enum sow_status sow_forward_across(struct sow_predictor *p, const struct sow_node *node,
                                   struct sow_error *error);
/* Attention: the same from local->adjoint, for values side by side or packed. */
void sow_back_parts(struct sow_predictor *p, const struct sow_node *node);
/* Of a linear layer that makes packed queries, keys and values: the attention that reads them, NULL where there is none, and
 * what each part gives back. */
struct sow_local *sow_back_packed(const struct sow_predictor *p, const struct sow_node *node,
                                  struct sow_adjoint parts[3]);
/* What the node gives back to its inputs, p->use, from the adjoint of its output. */
void sow_backward(struct sow_predictor *p, const struct sow_node *node);
/* The inputs of one output of a layer of weights, the share of them that is no padding, and that of two outputs at once. */
double sow_fan_of(const struct sow_predictor *p, const struct sow_node *node, double *inside,
                  double *pairs);
/* A linear map of `in` by weights and a bias; fan the inputs of one output, of which `inside` are no padding. */
void sow_linear_rule(const struct sow_state *in, double fan, double inside, double inside_pairs,
                     const struct sow_weights *weights, const struct sow_weights *bias,
                     struct sow_state *out, struct sow_local *local);
/* Of a softmax over `keys` logits of variance `s2`. */
struct sow_softmax sow_softmax_of(struct sow_predictor *p, double s2, double query_correlation,
                                  uint64_t keys, int causal, uint64_t window);
/* Of one row of `keys` logits of variance s2. */
struct sow_softmax_row sow_softmax_row(struct sow_predictor *p, double s2, double keys);
/* E[phi(x) phi(y)] / E[phi(x)^2], or the same of slopes, x and y like `in` and E[x y] = c E[x^2]. */
double sow_function_alike(struct sow_predictor *p, const struct sow_function *function, int slopes,
                          const struct sow_state *in, double c);
/* Behind the other rules: mends log and place of the output where tokens differ by position. */
void sow_forward_places(struct sow_predictor *p, const struct sow_node *node);
/* Behind sow_backward, and behind the sum of the uses of a flow: mends their logs and places likewise. */
void sow_backward_places(struct sow_predictor *p, const struct sow_node *node);
void sow_gather_places(struct sow_predictor *p, uint32_t flow);
/* The mean cosine of two tokens or pixels of a sample, as it is measured. */
double sow_place_correlation(const struct sow_predictor *p, uint32_t flow);
/* Of a gradient that goes back through the weights of `outputs` outputs. */
struct sow_adjoint sow_back_weights(const struct sow_adjoint *adjoint, double outputs,
                                    const struct sow_weights *weights);
/* Windows of a convolution or pool: the mean share of a window that is no padding, and that of two windows at once. */
void sow_window_share(const struct sow_op_attributes *at, const struct sow_flow *in,
                      const struct sow_flow *out, double *share, double *pair_share);
/* The window of a pool: its elements, left as they are where it is all there is, and that mean share. Nonzero for the
 * maximum, 0 for the average. */
int sow_pool_window(const struct sow_network *network, const struct sow_node *node, double *count,
                    double *share);

/* ---- The network that a probe went through (predict.c); lives as long as the probe ----------------- */

const struct sow_network *sow_probe_network(const struct sow_probe *probe);

/* ---- Shared ancestors (ancestors.c) and shared layers (shared.h) ------------------------------------- */

enum sow_pairing { SOW_PAIR_SAME, SOW_PAIR_FEATURE, SOW_PAIR_PLACE, SOW_PAIR_SAMPLE };
/* E[a b] / sqrt(E[a^2] E[b^2]) of two flows, at the same or at different features, places, samples. */
double sow_cosine(struct sow_predictor *p, enum sow_pairing pairing, uint32_t a, uint32_t b);
/* The same of the gradients that two uses of a flow give back, at one place or at two (ancestors_back.c). */
double sow_use_cosine(struct sow_predictor *p, enum sow_pairing pairing, uint32_t use_a,
                      uint32_t use_b);

#endif
