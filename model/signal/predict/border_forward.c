/* SPDX-License-Identifier: MIT */
/* Profiles of second moments towards the borders, forward: exact for independent weights and for what is proportional to its
 * input (relu, dropout, scales), where the profile is a product over the axes. Approximate: sums, biases (the weighted mean of
 * each axis), other activations (a power of the profile), pools. Where each pixel has a norm of its own all are alike again. */
#include <math.h>

#include "core/base/elementary.h"
#include "model/signal/predict/border.h"

#define BELOW 0.5 /* the second moment, over the mean, to which an activation's power is taken */

static const struct sow_weights none = {0, 0};

/* ---- Windows ---------------------------------------------------------------------------------------------- */

int sow_border_windows(struct sow_predictor *p, const struct sow_node *node)
{
    if (node->op != SOW_OP_CONV && node->op != SOW_OP_CONV_TRANSPOSE) {
        return 1;
    }
    const struct sow_flow *from = &p->network->flows[node->inputs[0]],
                          *to = &p->network->flows[node->output];
    const struct sow_border *in = p->border[node->inputs[0]];
    const double *axes[SOW_SPATIAL_MAX] = {NULL, NULL, NULL};
    struct sow_local *local = &p->locals[node - p->network->nodes];
    int scatter = node->op == SOW_OP_CONV_TRANSPOSE;
    double sums = 1, pairs = 1, taps = 1;
    for (uint32_t k = 0; k < node->at.spatial; k++) {
        double made[SOW_BORDER_MOST] = {0};
        uint64_t size = from->shape[k + 2], places = to->shape[k + 2];
        int followed = size <= SOW_BORDER_MOST && places <= SOW_BORDER_MOST;
        const double *axis = in != NULL && followed ? in->axis[k] : NULL;
        struct sow_border_step step =
            sow_border_axis(&node->at, k, scatter, size, axis, places, followed ? made : NULL);
        sums *= step.sum;
        pairs *= step.pairs;
        taps *= (double)node->at.kernel[k];
        if (followed && !sow_border_keep(p, made, places, size == places ? axis : NULL, &axes[k])) {
            return 0;
        }
    }
    double channels = (double)from->shape[1] / (double)node->at.groups;
    local->fan = channels * (scatter ? sums : taps);
    local->inside = scatter ? 1 : sums / taps;
    local->pairs = scatter ? (sums > 0 ? pairs / sums : 0) : pairs / taps;
    return sow_border_make(p, axes, in, &p->border[node->output]);
}

/* Pools: the mean over a window, of what is no padding for the largest. */
static int pool(struct sow_predictor *p, const struct sow_node *node)
{
    const struct sow_flow *from = &p->network->flows[node->inputs[0]],
                          *to = &p->network->flows[node->output];
    const struct sow_border *in = p->border[node->inputs[0]];
    const double *axes[SOW_SPATIAL_MAX] = {NULL, NULL, NULL};
    double factor = 1;
    for (uint32_t k = 0; k < node->at.spatial; k++) {
        double made[SOW_BORDER_MOST] = {0}, taps[SOW_BORDER_MOST] = {0}, mean = 0;
        uint64_t size = from->shape[k + 2], places = to->shape[k + 2];
        if (size > SOW_BORDER_MOST || places > SOW_BORDER_MOST) {
            continue;
        }
        const double *axis = in != NULL ? in->axis[k] : NULL;
        struct sow_border_step here = sow_border_axis(&node->at, k, 0, size, axis, places, made);
        struct sow_border_step even = sow_border_axis(&node->at, k, 0, size, NULL, places, taps);
        for (uint64_t i = 0; node->op == SOW_OP_MAX_POOL && i < places; i++) {
            made[i] /= taps[i] > 0 ? taps[i] : 1;
            mean += made[i] / (double)places;
        }
        factor *= node->op == SOW_OP_MAX_POOL ? mean : even.sum > 0 ? here.sum / even.sum : 1;
        if (!sow_border_keep(p, made, places, size == places ? axis : NULL, &axes[k])) {
            return 0;
        }
    }
    p->states[node->output].log += sow_log_of(factor, 0);
    return sow_border_make(p, axes, in, &p->border[node->output]);
}

/* ---- Activations ------------------------------------------------------------------------------------------ */

/* (E sqrt(profile))^2: how alike two pixels are that differ in nothing but their size. */
static double evenness(const struct sow_predictor *p, uint32_t flow)
{
    const struct sow_border *border = p->border[flow];
    const struct sow_flow *of = &p->network->flows[flow];
    double all = 1;
    for (uint32_t k = 0; border != NULL && k < SOW_SPATIAL_MAX && k + 2 < of->rank; k++) {
        double sum = 0;
        for (uint64_t i = 0; border->axis[k] != NULL && i < of->shape[k + 2]; i++) {
            sum += sow_sqrt(border->axis[k][i]) / (double)of->shape[k + 2];
        }
        all *= border->axis[k] != NULL ? sum * sum : 1;
    }
    return all;
}

static double at_most_one(double x)
{
    return x > 1 ? 1 : x < -1 ? -1 : x;
}

struct sow_state sow_border_pixel(const struct sow_predictor *p, uint32_t flow,
                                  const struct sow_state *state)
{
    struct sow_state pixel = *state;
    if (p->border != NULL && p->border[flow] != NULL) {
        double even = evenness(p, flow);
        pixel.place = at_most_one(pixel.place / even);
        pixel.mean = at_most_one(pixel.mean / sow_sqrt(even));
    }
    return pixel;
}

/* How f's second moment and that of its slope go with the input's, as powers. */
static int powers(struct sow_predictor *p, const struct sow_function *function, int times_x,
                  const struct sow_state *in, double power[2])
{
    const struct sow_expansion *e;
    double scale = sow_exp(0.5 * in->log), spread = 1 - in->mean * in->mean, two[2], ln[2];
    power[0] = 1;
    power[1] = 0;
    if (!(in->log > -60 && in->log < 36) ||
        sow_expand_function(p, function, times_x, in->mean * scale,
                            sow_sqrt(spread > 0 ? spread : 0) * scale, &e, NULL) != SOW_OK) {
        return 0;
    }
    if (e->is_linear && in->mean == 0) {
        return 0;
    }
    two[0] = e->square;
    two[1] = e->slope_square;
    scale *= sow_sqrt(BELOW);
    if (sow_expand_function(p, function, times_x, in->mean * scale,
                            sow_sqrt(spread > 0 ? spread : 0) * scale, &e, NULL) != SOW_OK) {
        return 0;
    }
    ln[0] = sow_log_of(e->square / two[0], 0);
    ln[1] = sow_log_of(e->slope_square / two[1], 0);
    for (int i = 0; i < 2; i++) {
        double made = two[i] > 0 && ln[i] - ln[i] == 0 ? ln[i] / sow_log(BELOW) : 0;
        power[i] = made > 4 ? 4 : made < -4 ? -4 : made;
    }
    return 1;
}

static int function(struct sow_predictor *p, const struct sow_node *node, uint32_t from,
                    const struct sow_function *of, int times_x)
{
    const struct sow_border *in = p->border[from];
    struct sow_state *out = &p->states[node->output];
    double power[2], mean;
    if (in == NULL) {
        return 1;
    }
    struct sow_state pixel = sow_border_pixel(p, from, &p->states[from]);
    powers(p, of, times_x, &pixel, power);
    p->locals[node - p->network->nodes].bend = power[1];
    if (!sow_border_product(p, node->output, in, power[0], NULL, 0, &p->border[node->output],
                            &mean)) {
        return 0;
    }
    double even = evenness(p, node->output);
    out->log += sow_log_of(mean, 0);
    out->place *= even;
    out->mean *= sow_sqrt(even);
    return 1;
}

/* ---- The rules -------------------------------------------------------------------------------------------- */

static int same_shape(const struct sow_predictor *p, uint32_t a, uint32_t b)
{
    return p->network->flows[a].elements == p->network->flows[b].elements &&
           p->network->flows[a].rank == p->network->flows[b].rank;
}

/* What was added everywhere, E[b^2], makes an output more even. */
static int biased(struct sow_predictor *p, const struct sow_node *node, uint32_t parameter)
{
    struct sow_weights bias = sow_node_weights(p, node, parameter, none);
    double log = p->states[node->output].log;
    double share = log > -INFINITY ? sow_exp(sow_log_of(bias.square, 0) - log) : 1;
    return bias.square > 0 ? sow_border_blend(p, node->output, p->border[node->output], NULL, share,
                                              &p->border[node->output])
                           : 1;
}

/* A mean y over pixels, t of E[x^2], is taken away: E[(x_i - y)^2] = a_i - 2 E[x_i y] + t, and behind a convolution a pixel has
 * with the others in common what its taps have, E[x_i y] = t a_i: what is left is more even. Behind an activation it is
 * t sqrt(a_i), which leaves it nearly as it was. */
static int norm(struct sow_predictor *p, const struct sow_node *node)
{
    enum sow_op maker = p->network->nodes[p->network->flows[node->inputs[0]].node].op;
    int linear = maker == SOW_OP_CONV || maker == SOW_OP_CONV_TRANSPOSE || maker == SOW_OP_ADD;
    double taken = p->locals[node - p->network->nodes].taken;
    double share = !linear ? 0 : taken < 0.5 ? taken / (1 - taken) : 1;
    return sow_border_blend(p, node->output, p->border[node->inputs[0]], NULL, share,
                            &p->border[node->output]);
}

/* Weighted by second moments, of parts of a share of the output's elements; of sums both have all. */
static int together(struct sow_predictor *p, const struct sow_node *node)
{
    const struct sow_flow *flow = &p->network->flows[node->output];
    const struct sow_border *made = NULL;
    double total = 0, log = p->states[node->output].log;
    if (node->op == SOW_OP_CONCAT && node->at.axis != 1) {
        return 1;
    }
    for (uint32_t i = 0; i < node->input_count && log > -INFINITY; i++) {
        uint32_t from = node->inputs[i];
        double size = sow_exp(p->states[from].log - log);
        int whole = node->op == SOW_OP_CONCAT || same_shape(p, from, node->output);
        size *= node->op == SOW_OP_CONCAT
                    ? (double)p->network->flows[from].shape[1] / (double)flow->shape[1]
                    : 1;
        total += size;
        if (total > 0 && !sow_border_blend(p, node->output, made, whole ? p->border[from] : NULL,
                                           size / total, &made)) {
            return 0;
        }
    }
    p->border[node->output] = made;
    return 1;
}

static int multiply(struct sow_predictor *p, const struct sow_node *node)
{
    const struct sow_node *of = p->locals[node - p->network->nodes].composed;
    const struct sow_border *both[2];
    double mean;
    if (of != NULL) {
        return function(p, node, of->inputs[0], &of->at.function, 1);
    }
    for (int i = 0; i < 2; i++) {
        both[i] = same_shape(p, node->inputs[i], node->output) ? p->border[node->inputs[i]] : NULL;
    }
    if (!sow_border_product(p, node->output, both[0], 1, both[1], 1, &p->border[node->output],
                            &mean)) {
        return 0;
    }
    p->states[node->output].log += sow_log_of(mean, 0);
    return 1;
}

int sow_border_forward(struct sow_predictor *p, const struct sow_node *node)
{
    if (p->border == NULL || node->input_count == 0) {
        return 1;
    }
    switch (node->op) {
    case SOW_OP_CONV:
    case SOW_OP_CONV_TRANSPOSE:
        return biased(p, node, 1);
    case SOW_OP_ACTIVATION:
        return function(p, node, node->inputs[0], &node->at.function, 0);
    case SOW_OP_BATCH_NORM:
    case SOW_OP_GROUP_NORM:
        return p->border[node->inputs[0]] != NULL ? norm(p, node) && biased(p, node, 1) : 1;
    case SOW_OP_DROPOUT:
    case SOW_OP_SCALE:
    case SOW_OP_LAYER_SCALE:
        p->border[node->output] = p->border[node->inputs[0]];
        return 1;
    case SOW_OP_MAX_POOL:
    case SOW_OP_AVERAGE_POOL:
        return pool(p, node);
    case SOW_OP_ADD:
    case SOW_OP_CONCAT:
        return together(p, node);
    case SOW_OP_MULTIPLY:
        return multiply(p, node);
    default:
        return 1;
    }
}
