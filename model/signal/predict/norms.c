/* SPDX-License-Identifier: MIT */
/* Normalisations on the way forward, and what they leave for the way back; what finite width adds: widths.c. */
#include <math.h>

#include "core/base/elementary.h"
#include "model/signal/predict/predict.h"
#include "model/signal/predict/widths.h"

static const struct sow_weights no_bias = {0, 0};

/* What a normalisation takes away, as a share of the second moment, and of how many elements it is the mean. */
static double taken_away(const struct sow_node *node, const struct sow_state *in, uint64_t batch,
                         double *count)
{
    double places = in->places, features = in->features / (double)node->at.groups;
    switch (node->op) {
    case SOW_OP_LAYER_NORM:
        *count = in->features;
        return in->feature;
    case SOW_OP_BATCH_NORM: {
        double own = (places - 1) * in->place,
               others = ((double)batch - 1) * (in->sample + (places - 1) * sow_both(in));
        *count = places * (double)batch;
        return *count > 1 ? (own + others) / (*count - 1) : 1;
    }
    case SOW_OP_GROUP_NORM: {
        double cross = sow_cross_feature(in, in->place);
        *count = places * features;
        return *count > 1 ? ((features - 1) * in->feature +
                             (places - 1) * (in->place + (features - 1) * cross)) /
                                (*count - 1)
                          : 1;
    }
    default: /* rms_norm */
        *count = in->features;
        return 0;
    }
}

/* Finite width: what a varying size adds to the gradient, and how far the output's size is fixed. r is the share of the
 * variance in variance plus eps, and eps does not vary. */
static void tell_width(const struct sow_node *node, const struct sow_state *in, double taken,
                       double count, double r, struct sow_state *out, struct sow_local *local)
{
    int per_sample = node->op != SOW_OP_BATCH_NORM, rms = node->op == SOW_OP_RMS_NORM;
    int per_place = rms || node->op == SOW_OP_LAYER_NORM;
    if (!per_place) { /* places that are alike count less */
        double alike = taken < 1 ? (in->place - taken) / (1 - taken) : 0;
        count /= 1 + (in->places - 1) * alike * alike;
    }
    local->ln_back =
        r * r * (per_sample ? sow_width_norm(in, !rms, count) : sow_width_batch_norm(in, count));
    sow_width_plain(out);
    out->pull = (1 - r) * (1 - r) * in->pull;
    if (per_sample) {
        double fixed = r / (per_place ? 1 : in->places);
        out->kept = 2 * fixed;
        out->level = node->op == SOW_OP_LAYER_NORM ? fixed : 0;
        out->toll -= fixed; /* a layer of weights behind it meets no fluctuation */
        out->toll_centred -= fixed;
    }
}

void sow_forward_norm(struct sow_predictor *p, const struct sow_node *node,
                      const struct sow_state *in, struct sow_state *out, struct sow_local *local)
{
    struct sow_weights gamma = sow_node_weights(p, node, 0, (struct sow_weights){1, 1});
    struct sow_weights beta = sow_node_weights(p, node, 1, no_bias);
    gamma.square += node->at.offset * (2 * gamma.mean + node->at.offset);
    gamma.mean += node->at.offset;
    double count, taken = taken_away(node, in, p->network->batch, &count);
    int centred = node->op != SOW_OP_RMS_NORM;
    double kept =
        1 - taken > 0 ? (1 - taken) * (centred ? 1 - 1 / count : 1) : 0; /* its variance */
    double log = in->log + sow_log_of(kept, 0), ln_eps = sow_log_of(node->at.eps, 0);
    /* variance over variance plus eps */
    double r = log == -INFINITY ? 0 : 1 / (1 + sow_exp(ln_eps - log));
    double g = gamma.square * r, spread = 1 - taken > 1e-15 ? 1 / (1 - taken) : 0;
    double place = node->op == SOW_OP_LAYER_NORM ? sow_cross_feature(in, in->place) : taken;
    double sample = node->op == SOW_OP_LAYER_NORM ? sow_cross_feature(in, in->sample) : taken;
    struct sow_raw y = {g + beta.square, beta.mean, beta.mean * beta.mean,
                        g * (in->place - place) * spread + beta.square,
                        g * (in->sample - sample) * spread + beta.square};
    if (!centred) {
        y.mean += gamma.mean * in->mean * sow_sqrt(r);
        y.feature += gamma.mean * gamma.mean * r * in->feature;
    }
    *out = *in;
    sow_state_set(out, &y, 0);
    /* a norm over few elements takes what lies along them from the gradient */
    double directions = centred ? 2 : 1;
    double loss = count > directions ? 1 - directions / count : 0;
    out->noise = (1 - r) * (1 - r) * in->noise;
    tell_width(node, in, taken, count, r, out, local);
    out->par = (1 - r) * in->par;
    double step = sow_log_of(gamma.square * r, 0) - log; /* ln of gamma^2 / (variance + eps) */
    out->apart = in->apart + in->log + step - out->log;
    out->ln_perp = in->ln_perp + step;
    out->ln_par = in->ln_par + step + sow_log_of(1 - r, 0);
    double unrelated = in->unrelated > taken ? in->unrelated : taken;
    out->unrelated = y.square > 0 ? (g * (unrelated - taken) * spread + beta.square) / y.square : 1;
    /* of zeros only eps is left */
    local->ln_back +=
        (log > -INFINITY ? step : sow_log_of(gamma.square, -ln_eps)) + sow_log_of(loss, 0);
    local->factor =
        gamma.square > 0 ? gamma.mean / sow_sqrt(gamma.square) * sow_exp(0.5 * local->ln_back) : 0;
}
