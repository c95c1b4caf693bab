/* SPDX-License-Identifier: MIT */
/* What mixes places, on the way forward: windows, pools, attention. Two different places are taken to be alike to one
 * degree, whichever they are. */
#include <math.h>
#include <string.h>

#include "core/activation/quadrature_constants.h"
#include "core/base/circular.h"
#include "core/base/elementary.h"
#include "model/signal/predict/predict.h"
#include "model/signal/predict/widths.h"

/* ---- Windows ------------------------------------------------------------------------------------------ */

void sow_window_share(const struct sow_op_attributes *at, const struct sow_flow *in,
                      const struct sow_flow *out, double *share, double *pair_share)
{
    *share = *pair_share = 1;
    for (uint32_t axis = 0; axis < at->spatial; axis++) {
        double size = (double)in->shape[axis + 2], windows = (double)out->shape[axis + 2], one = 0,
               two = 0;
        double stride = (double)at->stride[axis];
        for (uint64_t k = 0; k < at->kernel[axis] && k < 4096; k++) {
            /* windows o with 0 <= o stride + k - padding < size */
            double from = ceil(((double)at->padding[axis] - (double)k) / stride);
            double to = floor((size - 1 + (double)at->padding[axis] - (double)k) / stride);
            from = from > 0 ? from : 0;
            to = to < windows - 1 ? to : windows - 1;
            double part = to >= from ? (to - from + 1) / windows : 0;
            one += part;
            two += part * part;
        }
        *share *= one / (double)at->kernel[axis];
        *pair_share *= two / (double)at->kernel[axis];
    }
}

/* ---- Pools ---------------------------------------------------------------------------------------------- */

/* The mean of `count` places. */
static void average(const struct sow_state *in, double count, double share, double places,
                    int overlap, struct sow_state *out)
{
    struct sow_raw x = sow_raw_of(in, in->log > -INFINITY ? in->log : 0), y;
    double n = count * share; /* those that are no padding */
    double cross = sow_cross_feature(in, in->place) * x.square, both = sow_both(in) * x.square;
    y.square = n * (x.square + (n - 1) * x.place) / (count * count);
    y.mean = share * x.mean;
    y.feature = n * (x.feature + (n - 1) * cross) / (count * count);
    y.place = share * share * x.place;
    if (overlap &&
        places > 1) { /* windows with elements in common: the mean over all places stays */
        double all = share * share * (x.square + (in->places - 1) * x.place) / in->places;
        y.place = (places * all - y.square) / (places - 1);
    }
    y.sample = n * (x.sample + (n - 1) * both) / (count * count);
    double log = in->log > -INFINITY ? in->log : 0;
    *out = *in;
    sow_state_set(out, &y, log);
    double lone = 1 - in->place > 0 ? 1 - in->place : 0, m2 = in->mean * in->mean;
    /* near inputs differ in their own parts, which average out */
    out->apart = in->apart + sow_log_of(x.square * (n / (count * count)), log) - out->log;
    out->ln_perp = in->ln_perp + sow_log_of(n / (count * count), 0);
    out->ln_par = in->ln_par + out->log - in->log;
    sow_width_plain(out);
    out->kurtosis = 3 + (in->kurtosis - 3) / (1 + (n - 1) * lone);
    out->unrelated = y.square > 0 ? share * share * m2 * x.square / y.square : 1;
    out->places = places;
    out->place = places > 1 ? out->place : 1;
}

#define NODES 16
#define FAR   9 /* standard deviations */

/* Nodes of the inner integral that do not move: the density of the largest of `count` at each. */
struct panel {
    double b[NODES], density[NODES];
};

static void fill_panel(double low, double high, double count, struct panel *panel)
{
    for (size_t j = 0; j < NODES; j++) {
        double side = j % 2 == 0 ? -0.5 : 0.5;
        double b = 0.5 * (low + high) + side * (high - low) * sow_legendre[j / 2].node;
        double below = 0.5 * sow_erfc(-b * 0.70710678118654752);
        panel->b[j] = b;
        panel->density[j] = 0.5 * (high - low) * sow_legendre[j / 2].weight * count *
                            0x1.9884533d43651p-2 * sow_exp(-0.5 * b * b) *
                            (count > 1 ? sow_pow(below, count - 1) : 1);
    }
}

/* Sums over x = at + own b: the density, f, f^2 and f'^2. */
static void add_panel(const struct sow_function *f, double at, double own,
                      const struct panel *panel, double sums[4])
{
    for (size_t j = 0; j < NODES; j++) {
        double x = at + own * panel->b[j], slope = 1, density = panel->density[j];
        double y = f != NULL ? sow_function_value(f, x, &slope) : x;
        sums[0] += density;
        sums[1] += density * y;
        sums[2] += density * y * y;
        sums[3] += density * slope * slope;
    }
}

/* Between low and high, apart at the kinks of f. */
static void add_between(const struct sow_function *f, double at, double own, double low,
                        double high, double count, const struct panel *whole, double sums[4])
{
    double from = low;
    for (size_t i = 0; f != NULL && own > 0 && i < f->kink_count; i++) {
        double kink = (f->kinks[i] - at) / own;
        if (kink > from && kink < high) {
            struct panel part;
            fill_panel(from, kink, count, &part);
            add_panel(f, at, own, &part, sums);
            from = kink;
        }
    }
    if (from == low) {
        add_panel(f, at, own, whole, sums);
    } else {
        struct panel part;
        fill_panel(from, high, count, &part);
        add_panel(f, at, own, &part, sums);
    }
}

/* One number for all windows' share of a shared draw, and a window's own largest of `count`: E f, E f^2, E (E f)^2 and
 * E f'^2 over both, x = mean + std (sqrt(c) a + sqrt(1 - c) b), b the largest of count. Exact where each two places of a
 * window are alike to one degree; Gauss-Legendre over b, the trapezoidal rule over a. */
static void largest(const struct sow_function *f, double mean, double std, double c, double count,
                    double moments[4])
{
    const double width = 0.25;
    struct panel panels[2 * FAR];
    double own = std * sow_sqrt(1 - c), shared = std * sow_sqrt(c), outer = 0;
    for (int k = 0; k < 2 * FAR; k++) {
        fill_panel(k - FAR, k - FAR + 1, count, &panels[k]);
    }
    memset(moments, 0, 4 * sizeof moments[0]);
    for (double a = c > 0 ? -8.5 : 0; a <= 8.5; a += c > 0 ? width : 9) {
        double sums[4] = {0, 0, 0, 0}, weight = sow_exp(-0.5 * a * a);
        for (int k = 0; k < 2 * FAR; k++) {
            add_between(f, mean + shared * a, own, k - FAR, k - FAR + 1, count, &panels[k], sums);
        }
        double first = sums[1] / sums[0];
        outer += weight;
        moments[0] += weight * first;
        moments[1] += weight * sums[2] / sums[0];
        moments[2] += weight * first * first;
        moments[3] += weight * sums[3] / sums[0];
    }
    for (int i = 0; i < 4; i++) {
        moments[i] /= outer;
    }
}

/* Of an activation that nobody else reads the largest is that of its input, which is normal. */
static void maximum(struct sow_predictor *p, const struct sow_node *node, double count,
                    double places)
{
    const struct sow_flow *flow = &p->network->flows[node->inputs[0]];
    const struct sow_node *maker = &p->network->nodes[flow->node];
    const struct sow_state *in = &p->states[node->inputs[0]], *under = in;
    struct sow_state *out = &p->states[node->output];
    const struct sow_function *f = NULL;
    if (maker->op == SOW_OP_ACTIVATION) {
        f = &maker->at.function;
        under = &p->states[maker->inputs[0]];
    }
    double held = under->log > 200 ? 200 : under->log < -200 ? -200 : under->log;
    double scale = sow_exp(0.5 * held), m2 = under->mean * under->mean, moments[4];
    double c = sow_centred(under, under->place);
    c = c < 0 ? 0 : c;
    largest(f, under->mean * scale, sow_sqrt(1 - m2) * scale, c, count, moments);
    double mean2 = moments[0] * moments[0], variance = moments[1] - mean2;
    double sample = sow_centred(in, in->sample);
    struct sow_raw y = {moments[1], moments[0], mean2 + variance * sow_centred(in, in->feature),
                        moments[2], mean2 + variance * sample};
    *out = *in;
    sow_state_set(out, &y, under->log > -INFINITY ? under->log - held : 0);
    struct sow_local *made = &p->locals[flow->node];
    if (f != NULL && made->slope_square > 0) {
        made->chosen = moments[3] / made->slope_square;
    }
    double step =
        f != NULL && made->slope_square > 0 ? sow_log_of(moments[3] / made->slope_square, 0) : 0;
    out->apart = in->apart + in->log + step - out->log;
    out->ln_perp = in->ln_perp + step;
    out->ln_par = in->ln_par + out->log - in->log;
    out->unrelated = out->mean * out->mean;
    sow_width_plain(out);
    out->places = places;
    out->place = places > 1 ? out->place : 1;
}

int sow_pool_window(const struct sow_network *network, const struct sow_node *node, double *count,
                    double *share)
{
    *share = 1;
    if (node->op == SOW_OP_GLOBAL_POOL) {
        const struct sow_flow *in = &network->flows[node->inputs[0]];
        uint64_t features = network->flows[node->output].shape[1];
        *count = (double)(in->elements / in->shape[0] / features - node->at.skip);
        return strcmp(node->at.kind, "max") == 0;
    }
    double pairs;
    *count = 1;
    for (uint32_t i = 0; i < node->at.spatial; i++) {
        *count *= (double)node->at.kernel[i];
    }
    sow_window_share(&node->at, &network->flows[node->inputs[0]], &network->flows[node->output],
                     share, &pairs);
    return node->op == SOW_OP_MAX_POOL;
}

static void forward_pool(struct sow_predictor *p, const struct sow_node *node)
{
    const struct sow_flow *to = &p->network->flows[node->output];
    const struct sow_state *in = &p->states[node->inputs[0]];
    double count = in->places, share, places = 1;
    int is_max = sow_pool_window(p->network, node, &count, &share);
    if (node->op != SOW_OP_GLOBAL_POOL) {
        places = (double)(to->elements / to->shape[0] / to->shape[1]);
    }
    if (is_max) {
        maximum(p, node, count * share, places);
    } else {
        average(in, count, share, places, places * count > in->places, &p->states[node->output]);
    }
}

/* ---- Attention --------------------------------------------------------------------------------------------- */

/* Queries, keys and values; of a packed value that a linear layer made, each by its own part of the weights. */
static void take_parts(struct sow_predictor *p, const struct sow_node *node,
                       struct sow_local *local)
{
    const struct sow_op_attributes *at = &node->at;
    for (uint32_t i = 0; i < 3; i++) {
        local->part[i] = p->states[node->inputs[node->input_count == 1 ? 0 : i]];
    }
    const struct sow_node *maker = &p->network->nodes[p->network->flows[node->inputs[0]].node];
    if (node->input_count > 1 || maker->op != SOW_OP_LINEAR) {
        return;
    }
    uint64_t q = at->heads * at->head_dim, kv = at->kv_heads * at->head_dim;
    const uint64_t ends[4] = {0, q, q + kv, q + 2 * kv};
    for (uint32_t i = 0; i < 3; i++) {
        struct sow_weights bias = {0, 0};
        struct sow_weights weights =
            sow_weights_of(sow_plan_at(p->plan, maker->parameters[0]), ends[i], ends[i + 1]);
        if (maker->parameter_count > 1) {
            bias = sow_weights_of(sow_plan_at(p->plan, maker->parameters[1]), ends[i], ends[i + 1]);
        }
        sow_linear_rule(&p->states[maker->inputs[0]], (double)maker->at.inputs, 1, 1, &weights,
                        &bias, &local->part[i], NULL);
        local->part[i].features = (double)(ends[i + 1] - ends[i]);
    }
}

/* How far keys at different places keep their direction after rotation, averaged over pairs and frequencies; 1 without. */
static double rotation_kept(const struct sow_op_attributes *at, uint64_t tokens)
{
    double sum = 0, count = 0;
    for (uint64_t i = 0; at->rotary && i < at->head_dim / 2 && i < 256; i++, count++) {
        double s = (double)tokens * sow_rotary_frequency(at, i, tokens) / 2;
        double kept = s > 1e-4 ? sow_sin(s) / s : 1;
        sum += kept * kept;
    }
    return count > 0 ? sum / count : 1;
}

static void forward_attention(struct sow_predictor *p, const struct sow_node *node)
{
    struct sow_local *local = &p->locals[node - p->network->nodes];
    const struct sow_flow *flow = &p->network->flows[node->output];
    struct sow_state *out = &p->states[node->output];
    take_parts(p, node, local);
    const struct sow_state *q = &local->part[0], *k = &local->part[1], *v = &local->part[2];
    double keep = rotation_kept(&node->at, flow->shape[flow->rank - 2]);
    double alike = k->place * keep, own = 1 - alike > 0 ? 1 - alike : 0;
    double s2 = node->at.scale * node->at.scale * (double)node->at.head_dim * own;
    double ln_s2 = sow_log_of(s2, q->log + k->log);
    s2 = ln_s2 < 20 ? sow_exp(ln_s2) : 1e9;
    uint64_t keys = flow->shape[flow->rank - 2];
    local->softmax = sow_softmax_of(p, s2, q->place, keys, node->at.causal, node->at.window);
    local->softmax.moved *= own * (1 - v->place > 0 ? 1 - v->place : 0);
    const struct sow_softmax *softmax = &local->softmax;
    double log = v->log > -INFINITY ? v->log : 0, both = sow_both(v);
    struct sow_raw x = sow_raw_of(v, log);
    double cross = sow_cross_feature(v, v->place);
    struct sow_raw y = {x.square * (v->place + (1 - v->place) * softmax->same), x.mean,
                        x.square * (cross + (v->feature - cross) * softmax->same),
                        x.square * (v->place + (1 - v->place) * softmax->cross),
                        x.square * (both + (v->sample - both) * softmax->alone)};
    *out = *v;
    sow_state_set(out, &y, log);
    out->features = (double)(node->at.heads * node->at.head_dim);
    out->places = q->places;
    sow_width_plain(out);
    if (!node->at.causal) { /* they differ by (sum of v k^T) q: three random maps, of each head */
        double each = v->overlap + 3 / (double)node->at.head_dim + 1 / (double)keys;
        out->overlap = each / (double)node->at.heads;
    }
    out->apart = v->apart + sow_log_of(x.square * softmax->same, log) - out->log;
    out->ln_perp = out->ln_par = 0;
    out->unrelated = 0;
}

enum sow_status sow_forward_across(struct sow_predictor *p, const struct sow_node *node,
                                   struct sow_error *error)
{
    const struct sow_flow *flow = &p->network->flows[node->output];
    if (node->op != SOW_OP_ATTENTION) {
        forward_pool(p, node);
    } else if (flow->rank < 2) {
        return sow_node_fail(node, SOW_E_SHAPE, error, "attention needs tokens");
    } else {
        forward_attention(p, node);
    }
    return SOW_OK;
}
