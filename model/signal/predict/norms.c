/* SPDX-License-Identifier: MIT */
/* Normalisations on the way forward, and what they leave for the way back; what finite width adds: widths.c. */
#include <math.h>

#include "core/base/elementary.h"
#include "model/signal/predict/predict.h"
#include "model/signal/predict/widths.h"

static const struct sow_weights no_bias = {0, 0};

/* The elements that a norm takes its mean and its variance over: count = features places samples. */
struct group {
    double features, places, samples, count;
};

static struct group group_of(const struct sow_predictor *p, const struct sow_node *node,
                             const struct sow_state *in)
{
    struct group g = {in->features, 1, 1, 0};
    if (node->op == SOW_OP_GROUP_NORM) {
        g.features = in->features / (double)node->at.groups;
        g.places = in->places;
    } else if (node->op == SOW_OP_BATCH_NORM) {
        g = (struct group){1, in->places, (double)p->network->batch, 0};
    }
    g.count = g.features * g.places * g.samples;
    return g;
}

/* (1 + sum of the correlations with all others) / count: the share that the mean of a group has of the second moment. */
static double mean_share(const struct group *g, double feature, double place, double feature_place,
                         double sample, double sample_place)
{
    double pairs = (g->features - 1) * feature +
                   (g->places - 1) * (place + (g->features - 1) * feature_place) +
                   (g->samples - 1) * (sample + (g->places - 1) * sample_place);
    double share = (1 + pairs) / g->count;
    return share > 1 ? 1 : share > 0 ? share : 0;
}

static double taken_away(const struct group *g, const struct sow_state *in)
{
    return mean_share(g, in->feature, in->place, sow_cross_feature(in, in->place), in->sample,
                      sow_both(in));
}

/* What two groups' means have in common, of two samples (or of two places, where a group has one): the mean of x y over all
 * elements x of one group and y of the other. */
static double taken_from_two(const struct group *g, const struct sow_state *in, double same,
                             double same_elsewhere)
{
    double here = same + (g->features - 1) * sow_cross_feature(in, same);
    double elsewhere = same_elsewhere + (g->features - 1) * sow_cross_feature(in, same_elsewhere);
    return (here + (g->places - 1) * elsewhere) / (g->features * g->places);
}

/* Groups differ in what they divide by, and most so those that are most alike within. With r the correlation of places after
 * the mean is gone, u = s^2 / E[s^2], n elements on P places, freedom of n left: Var(u) = 2 (1 + (P - 1) r^2) / n, and the
 * covariance of u with the product of two places is 2 (2 r + (P - 2) r^2) / n, whence
 * E[x y / s^2] = r (1 + Var(u)) - Cov = r - 2 r (1 - r) (1 + (P - 1) r) / n.
 * Of two samples, q their correlation and b that of another place besides, the same with 1 / sqrt(u u'):
 * q (1 + 3/4 Var(u) + 1/4 Cov(u, u')) - 2 (q + (P - 1) r b) / n. Source: derived, first order in 1 / n. */
static double divided_place(double r, double places, double freedom)
{
    return r > 0 && freedom > 0 ? r / (1 + 2 / freedom * (1 - r) * (1 + (places - 1) * r)) : r;
}

static double divided_sample(double q, double r, double b, double places, double freedom)
{
    if (!(q > 0 && freedom > 0)) {
        return q;
    }
    double own = 2 * (1 + (places - 1) * r * r), common = 2 * (q * q + (places - 1) * b * b);
    double change = (0.75 * own + 0.25 * common - 2 * (1 + (places - 1) * r * b / q)) / freedom;
    return change < 0 ? q / (1 - change) : q;
}

/* Finite width: what a varying size adds to the gradient, and how far the output's size is fixed. r is the share of the
 * variance in variance plus eps, and eps does not vary. */
static void tell_width(const struct sow_node *node, const struct sow_state *in, double alike,
                       double count, double r, struct sow_state *out, struct sow_local *local)
{
    int per_sample = node->op != SOW_OP_BATCH_NORM, rms = node->op == SOW_OP_RMS_NORM;
    int per_place = rms || node->op == SOW_OP_LAYER_NORM;
    if (!per_place) { /* places that are alike count less */
        count /= 1 + (in->places - 1) * alike * alike;
    }
    double loan = 0;
    local->ln_back =
        r * r *
        (per_sample ? sow_width_norm(in, !rms, count) : sow_width_batch_norm(in, count, &loan));
    local->loan = r * r * loan;
    out->crowd = per_sample ? in->crowd : sow_width_crowd(in->crowd, count);
    sow_width_plain(out);
    out->thin = 6 * r * r / (count + (rms ? 2 : 1)); /* of x / |x| over count values */
    out->pull = (1 - r) * (1 - r) * in->pull;
    if (per_sample) {
        double fixed = r / (per_place ? 1 : in->places);
        out->kept = 2 * fixed;
        out->level = node->op == SOW_OP_LAYER_NORM ? fixed : 0;
        out->toll -= fixed; /* a layer of weights behind it meets no fluctuation */
        out->toll_centred -= fixed;
    }
}

/* The correlations behind a norm, of its output without weights: places and samples of `out` are raw's on return. */
static void correlate(const struct sow_node *node, const struct group *g, double taken,
                      const struct sow_state *in, double *place, double *sample)
{
    double spread = 1 - taken > 1e-15 ? 1 / (1 - taken) : 0, both = sow_both(in);
    if (node->op == SOW_OP_LAYER_NORM) {
        *place = (in->place - taken_from_two(g, in, in->place, 0)) * spread;
        *sample = (in->sample - taken_from_two(g, in, in->sample, 0)) * spread;
    } else if (node->op == SOW_OP_BATCH_NORM) {
        *place = divided_place((in->place - taken) * spread, g->places, g->count);
        *sample = (in->sample - taken) * spread;
    } else if (node->op == SOW_OP_GROUP_NORM) {
        double r = (in->place - taken) * spread, other = taken_from_two(g, in, in->sample, both);
        double freedom = g->features > 1 ? g->count - g->places : g->count;
        *sample = divided_sample((in->sample - other) * spread, r, (both - other) * spread,
                                 g->places, freedom);
        *place = divided_place(r, g->places, freedom);
    } else {
        *place = in->place;
        *sample = in->sample;
    }
}

void sow_forward_norm(struct sow_predictor *p, const struct sow_node *node,
                      const struct sow_state *in, struct sow_state *out, struct sow_local *local)
{
    struct sow_weights gamma = sow_node_weights(p, node, 0, (struct sow_weights){1, 1});
    struct sow_weights beta = sow_node_weights(p, node, 1, no_bias);
    gamma.square += node->at.offset * (2 * gamma.mean + node->at.offset);
    gamma.mean += node->at.offset;
    int centred = node->op != SOW_OP_RMS_NORM;
    struct group group = group_of(p, node, in);
    double count = group.count, taken = centred ? taken_away(&group, in) : 0;
    double log = in->log + sow_log_of(1 - taken, 0) /* its variance */,
           ln_eps = sow_log_of(node->at.eps, 0);
    /* variance over variance plus eps */
    double r = log == -INFINITY ? 0 : 1 / (1 + sow_exp(ln_eps - log));
    double g = gamma.square * r, spread = 1 - taken > 1e-15 ? 1 / (1 - taken) : 0, place, sample;
    correlate(node, &group, taken, in, &place, &sample);
    struct sow_raw y = {g + beta.square, beta.mean, beta.mean * beta.mean, g * place + beta.square,
                        g * sample + beta.square};
    if (!centred) {
        y.mean += gamma.mean * in->mean * sow_sqrt(r);
        y.feature += gamma.mean * gamma.mean * r * in->feature;
    }
    *out = *in;
    sow_state_set(out, &y, 0);
    out->noise = (1 - r) * (1 - r) * in->noise;
    tell_width(node, in, place, count, r, out, local);
    out->par = (1 - r) * in->par;
    double step = sow_log_of(gamma.square * r, 0) - log; /* ln of gamma^2 / (variance + eps) */
    out->apart = in->apart + in->log + step - out->log;
    out->ln_perp = in->ln_perp + step;
    out->ln_par = in->ln_par + step + sow_log_of(1 - r, 0);
    double unrelated = in->unrelated > taken ? in->unrelated : taken;
    out->unrelated = y.square > 0 ? (g * (unrelated - taken) * spread + beta.square) / y.square : 1;
    /* of zeros only eps is left */
    local->ln_back += log > -INFINITY ? step : sow_log_of(gamma.square, -ln_eps);
    local->held = r;
    local->taken = taken;
    double along = count > 2 ? (1 - (1.0 + centred) / count) : 0;
    local->factor = gamma.square > 0 ? gamma.mean / sow_sqrt(gamma.square) *
                                           sow_exp(0.5 * (local->ln_back + sow_log_of(along, 0)))
                                     : 0;
}

/* E[(sum g x)^2] / n over E[sum g^2]. Behind a norm over places or samples g is slopes that go with x times the gradient of an
 * activation: E[slope slope' x x'] of a pair, not the product of two correlations, and E[slope^2 x^2] of one element. (Where a
 * norm holds single places the rule of widths.c for the next norm counts this.) */
static double size_share(const struct sow_predictor *p, const struct sow_node *node,
                         const struct group *group, double feature)
{
    const struct sow_state *out = &p->states[node->output];
    const struct sow_adjoint *back = &p->adjoints[node->output];
    double both = sow_both(out), place = back->place * out->place, sample = back->sample * both;
    if (p->network->flows[node->output].uses == 1 && group->places * group->samples > 1) {
        uint32_t reader = p->use_node[p->use_list[p->use_begin[node->output]]];
        const struct sow_adjoint *above = &p->adjoints[p->network->nodes[reader].output];
        const double *turn = p->locals[reader].turn;
        double c = out->place, one = turn[0] + turn[1] + turn[2];
        if (p->network->nodes[reader].op == SOW_OP_ACTIVATION && above->log > -INFINITY) {
            place = above->place * (turn[0] + c * (turn[1] + c * turn[2]));
            sample = above->sample * (turn[0] + both * (turn[1] + both * turn[2]));
            double share =
                mean_share(group, 0, place, 0, sample, sample) - (1 - one) / group->count;
            return share > 0 ? share : 0;
        }
    }
    return mean_share(group, feature * out->feature, place, feature * back->place * out->feature,
                      sample, sample);
}

/* x = a / s of centred a takes two directions from the gradient g of a group: 1 whole, and x all but what eps leaves of it,
 * (1 - r)^2 of the square. They have the shares E[(sum g)^2] / n and E[(sum g x)^2] / n of E[sum g^2], which gradients that are
 * alike make many times 1 / n: behind a pool over P pixels those of a channel are equal, and a group of 8 channels loses
 * an eighth at every norm, not 1 / (8 P). What is left is less alike by what was taken. */
struct sow_adjoint sow_back_norm(const struct sow_predictor *p, const struct sow_node *node)
{
    const struct sow_local *local = &p->locals[node - p->network->nodes];
    const struct sow_state *in = &p->states[node->inputs[0]], *out = &p->states[node->output];
    struct group group = group_of(p, node, in);
    struct sow_adjoint made = p->adjoints[node->output];
    struct sow_weights gamma = sow_node_weights(p, node, 0, (struct sow_weights){1, 1});
    double shift = gamma.mean + node->at.offset;
    double square = gamma.square + node->at.offset * (2 * gamma.mean + node->at.offset);
    double f = square > 0 ? made.feature * shift * shift / square : 0;
    int centred = node->op != SOW_OP_RMS_NORM;
    double one =
        centred ? mean_share(&group, f, made.place, f * made.place, made.sample, made.sample) : 0;
    double size = local->held * (2 - local->held) * size_share(p, node, &group, f);
    double rest = 1 - one - size;
    rest = rest > 0 ? rest : 0;
    double spread = rest > 0 ? 1 / rest : 0;
    made.log += local->ln_back + sow_log_of(rest, 0);
    made.loan = local->loan;
    made.feature = group.features > 1 && centred ? (f - one) * spread : f;
    if (group.places > 1) {
        made.place = (made.place - one - size * out->place) * spread;
    }
    if (group.samples > 1) {
        made.sample = (made.sample - one - size * sow_both(out)) * spread;
    }
    return made;
}
