/* SPDX-License-Identifier: MIT */
/* Operations of several values, and those that move elements alone, on the way forward. */
#include <math.h>

#include "core/base/elementary.h"
#include "model/signal/predict/places.h"
#include "model/signal/predict/recurrent_predict.h"
#include "model/signal/predict/widths.h"

void sow_forward_add(struct sow_predictor *p, const struct sow_node *node)
{
    const struct sow_state *a = &p->states[node->inputs[0]], *b = &p->states[node->inputs[1]];
    struct sow_state *out = &p->states[node->output];
    double log = a->log > b->log ? a->log : b->log;
    log = log > -INFINITY ? log : 0;
    struct sow_raw x = sow_raw_of(a, log), y = sow_raw_of(b, log), sum;
    double both = 2 * sow_sqrt(x.square * y.square), cross[4];
    for (int i = 0; i < 4; i++) {
        cross[i] = both > 0
                       ? both * sow_cosine(p, (enum sow_pairing)i, node->inputs[0], node->inputs[1])
                       : 0;
    }
    sum.square = x.square + y.square + cross[SOW_PAIR_SAME];
    sum.mean = x.mean + y.mean;
    sum.feature = x.feature + y.feature + cross[SOW_PAIR_FEATURE];
    sum.place = x.place + y.place + cross[SOW_PAIR_PLACE];
    sum.sample = x.sample + y.sample + cross[SOW_PAIR_SAMPLE];
    *out = a->log >= b->log ? *a : *b;
    sow_state_set(out, &sum, log);
    double total = sum.square > 0 ? sum.square : 1, u = x.square / total, v = y.square / total;
    double c = 0.5 * cross[SOW_PAIR_SAME] / total;
    out->noise =
        node->inputs[0] == node->inputs[1] ? a->noise : u * u * a->noise + v * v * b->noise;
    out->par = (u + c) * a->par + (v + c) * b->par;
    out->pull = u * u * a->pull + v * v * b->pull;
    out->kept = u * u * a->kept + v * v * b->kept;
    out->level = u * u * a->level + v * v * b->level;
    out->toll = out->toll_centred = 2;
    double far_u = u * (1 - a->place), far_v = v * (1 - b->place);
    if (a->places < 2) {
        far_u = u;
        far_v = v;
    }
    if (far_u + far_v > 1e-12) {
        far_u /= far_u + far_v;
        out->overlap = far_u * far_u * a->overlap + (1 - far_u) * (1 - far_u) * b->overlap +
                       2 * far_u * (1 - far_u) / out->features;
    }
    out->kurtosis = u * u * a->kurtosis + v * v * b->kurtosis + 6 * u * v + 12 * c * (u + v);
    out->kurtosis = node->inputs[0] == node->inputs[1] ? a->kurtosis : out->kurtosis;
    double far = sow_log_of(u * sow_exp(a->apart) + v * sow_exp(b->apart) +
                                2 * c * sow_exp(0.5 * (a->apart + b->apart)),
                            0);
    out->apart = far;
    sow_close_layer(out);
}

void sow_product_rule(const struct sow_state *a, const struct sow_state *b, const double c[4],
                      struct sow_state *out)
{
    double m = a->mean * b->mean, same = c[SOW_PAIR_SAME],
           mm = m * m; /* Isserlis 1918, exact for normal values; means are taken once */
    struct sow_raw y = {
        1 + 2 * (same * same - mm), same,
        a->feature * b->feature + same * same + c[SOW_PAIR_FEATURE] * c[SOW_PAIR_FEATURE] - 2 * mm,
        a->place * b->place + same * same + c[SOW_PAIR_PLACE] * c[SOW_PAIR_PLACE] - 2 * mm,
        a->sample * b->sample + same * same + c[SOW_PAIR_SAMPLE] * c[SOW_PAIR_SAMPLE] - 2 * mm};
    *out = a->places >= b->places ? *a : *b;
    sow_state_set(out, &y, a->log + b->log > -INFINITY ? a->log + b->log : 0);
    out->log = a->log + b->log > -INFINITY ? out->log : -INFINITY;
    out->features = a->features > b->features ? a->features : b->features;
    sow_width_plain(out);
    out->overlap = 1 / out->features; /* directions of both, multiplied */
    out->kurtosis = a->kurtosis * b->kurtosis;
    out->noise = a->noise + b->noise;
    out->pull = a->pull + b->pull;
    out->par = a->par + b->par;
    out->apart = sow_log_of(sow_exp(a->apart) + sow_exp(b->apart), 0);
    sow_close_layer(out);
}

enum sow_status sow_forward_multiply(struct sow_predictor *p, const struct sow_node *node,
                                     struct sow_error *error)
{
    struct sow_state *out = &p->states[node->output];
    struct sow_local *local = &p->locals[node - p->network->nodes];
    for (int slot = 0; slot < 2; slot++) { /* x phi(x) is a function of x */
        const struct sow_node *maker =
            &p->network->nodes[p->network->flows[node->inputs[slot]].node];
        if (maker->op == SOW_OP_ACTIVATION && maker->inputs[0] == node->inputs[1 - slot]) {
            enum sow_status status = sow_forward_function(
                p, node, &maker->at.function, 1, &p->states[maker->inputs[0]], out, local, error);
            local->composed = maker;
            return status;
        }
    }
    const struct sow_state *a = &p->states[node->inputs[0]], *b = &p->states[node->inputs[1]];
    double c[4];
    for (int i = 0; i < 4; i++) {
        c[i] = sow_cosine(p, (enum sow_pairing)i, node->inputs[0], node->inputs[1]);
    }
    sow_product_rule(a, b, c, out);
    return SOW_OK;
}

/* Parts side by side: their means, weighed by size. */
static void forward_concat(struct sow_predictor *p, const struct sow_node *node)
{
    struct sow_state *out = &p->states[node->output];
    const struct sow_flow *flow = &p->network->flows[node->output];
    double log = -INFINITY, total = (double)flow->elements, features = 0, places = 0;
    for (uint32_t i = 0; i < node->input_count; i++) {
        log = p->states[node->inputs[i]].log > log ? p->states[node->inputs[i]].log : log;
    }
    log = log > -INFINITY ? log : 0;
    struct sow_raw sum = {0, 0, 0, 0, 0};
    double overlap = 0;
    *out = p->states[node->inputs[0]];
    out->noise = out->par = out->pull = 0;
    for (uint32_t i = 0; i < node->input_count; i++) {
        const struct sow_state *part = &p->states[node->inputs[i]];
        double length = (double)p->network->flows[node->inputs[i]].shape[node->at.axis];
        double share = length / (double)flow->shape[node->at.axis];
        struct sow_raw x = sow_raw_of(part, log);
        sum.square += share * x.square;
        sum.mean += share * x.mean;
        sum.feature += share * x.feature;
        sum.place += share * x.place;
        sum.sample += share * x.sample;
        out->noise += share * share * part->noise;
        out->pull += share * share * part->pull;
        out->par += share * part->par;
        out->apart = part->apart > out->apart ? part->apart : out->apart;
        overlap += share * x.square * part->overlap;
        features += part->features;
        places += part->places;
    }
    int by_feature =
        flow->rank < 3 || (node->at.axis == 1 && flow->rank > 3) || node->at.axis + 1 == flow->rank;
    sow_state_set(out, &sum, log);
    out->overlap = sum.square > 0 ? overlap / sum.square : out->overlap;
    out->features = by_feature ? features : out->features;
    out->places = by_feature ? total / (double)flow->shape[0] / features : places;
    sow_close_layer(out);
}

/* [batch, features, places] to [batch, features]. */
static void forward_flatten(struct sow_predictor *p, const struct sow_node *node)
{
    const struct sow_state *in = &p->states[node->inputs[0]];
    struct sow_state *out = &p->states[node->output];
    double all = in->features * in->places;
    *out = *in;
    if (all > 1) {
        double cross = sow_cross_feature(in, in->place);
        out->feature = ((in->places - 1) * (in->place + (in->features - 1) * cross) +
                        (in->features - 1) * in->feature) /
                       (all - 1);
    }
    out->features = all;
    out->places = 1;
    out->place = 1;
}

static void forward_moved(struct sow_predictor *p, const struct sow_node *node)
{
    const struct sow_state *in = &p->states[node->inputs[0]];
    struct sow_state *out = &p->states[node->output];
    double heads = (double)node->at.heads;
    *out = *in;
    if (node->op == SOW_OP_SPLIT_HEADS) { /* a norm behind it sees one head */
        out->features = in->features / heads;
    } else if (node->op == SOW_OP_MERGE_HEADS) {
        const struct sow_flow *flow = &p->network->flows[node->output];
        out->features = (double)flow->shape[flow->rank - 1];
    } else if (node->op == SOW_OP_TAKE) {
        double lift = sow_signal_at(p, node->inputs[0], (double)node->at.index);
        out->log += node->at.axis == 1 ? lift + sow_places_lift(p, node) : 0;
        out->places = 1;
        out->place = 1;
    }
}

void sow_forward_shape(struct sow_predictor *p, const struct sow_node *node)
{
    if (node->op == SOW_OP_CONCAT) {
        forward_concat(p, node);
    } else if (node->op == SOW_OP_FLATTEN) {
        forward_flatten(p, node);
    } else {
        forward_moved(p, node);
    }
}
