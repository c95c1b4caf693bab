/* SPDX-License-Identifier: MIT */
/* What each operation does to a signal, on the way forward. Pools and attention: across.c. Weights are independent of
 * what they meet, so only their mean and second moment count; inputs of activations are taken as normal. */
#include <math.h>
#include <string.h>

#include "core/tensor/matrices.h"
#include "core/base/elementary.h"
#include "core/linalg/whole.h"
#include "model/signal/predict/border.h"
#include "model/signal/predict/widths.h"
#include "model/signal/network/recurrent.h"

/* An activation's input beyond these is taken as the power law it has there. */
#define LOG_MOST  36.0
#define LOG_LEAST (-280.0)

static const struct sow_weights no_bias = {0, 0};

/* A new layer begins here. */
void sow_close_layer(struct sow_state *state)
{
    state->ln_perp = state->ln_par = 0;
    state->unrelated = 0;
}

void sow_linear_rule(const struct sow_state *in, double fan, double inside, double inside_pairs,
                     const struct sow_weights *weights, const struct sow_weights *bias,
                     struct sow_state *out, struct sow_local *local)
{
    double spread = weights->square - weights->mean * weights->mean, w = weights->mean * fan;
    spread = (spread > 0 ? spread : 0) * fan;
    double log = in->log, bias_log = sow_log_of(bias->square, 0);
    log = bias_log > log ? bias_log : log;
    log = log > -INFINITY ? log : 0;
    struct sow_raw x = sow_raw_of(in, log), y;
    /* means of the mean over the fan, for the part that all weights share */
    double other = x.square > 0 ? sow_cross_feature(in, in->place) * x.square : 0;
    double another = x.square > 0 ? sow_cross_feature(in, in->sample) * x.square : 0;
    double b = bias->square > 0 ? sow_exp(bias_log - log) : 0;
    double bias_mean = bias->square > 0 ? bias->mean / sow_sqrt(bias->square) * sow_sqrt(b) : 0;
    double both = 2 * bias_mean * w * inside * x.mean;
    double sum = x.square / fan + (1 - 1 / fan) * x.feature;
    y.square = inside * spread * x.square + w * w * inside * sum + b + both;
    y.mean = w * inside * x.mean + bias_mean;
    y.feature = w * w * inside * sum + bias_mean * bias_mean + both;
    y.place = inside_pairs * spread * x.place +
              w * w * inside * (x.place / fan + (1 - 1 / fan) * other) + b + both;
    y.sample = inside * spread * x.sample +
               w * w * inside * (x.sample / fan + (1 - 1 / fan) * another) + b + both;
    *out = *in;
    sow_state_set(out, &y, log);
    double passed = inside * (spread + w * w / fan) * x.square,
           share = y.square > 0 ? passed / y.square : 0;
    double loud = in->kurtosis - in->kept;
    out->noise = share * share * (in->noise + (loud > 1 ? (loud - 1) / fan : 0));
    out->pull = share * share * (in->pull + (in->toll - 1) / fan);
    sow_width_plain(out);
    out->par = share * in->par;
    out->apart = in->apart + sow_log_of(inside * spread * x.square, 0) - sow_log_of(y.square, 0);
    if (local != NULL) {
        double ln = sow_log_of(inside * weights->square * fan, 0);
        local->chi_perp = sow_exp(in->ln_perp + ln);
        local->chi_par = in->ln_par == -INFINITY ? 0 : sow_exp(in->ln_par + ln);
        local->c0 = y.square > 0 ? (passed * in->unrelated + b) / y.square : NAN;
    }
    sow_close_layer(out);
}

/* Weights that keep the length of a sample's features, as normal ones of their variance do on average only: x of n
 * features goes to m by m x n orthogonal weights, m >= n, or loses a share to those that are missing, and
 * Var |W x|^2 is 2 / m less by that. Not through taps that lie apart. */
static double kept_by(const struct sow_predictor *p, const struct sow_node *node)
{
    const struct sow_plan_entry *entry = sow_plan_at(p->plan, node->parameters[0]);
    struct sow_matrices matrices;
    int flat = entry->draw.distribution == SOW_ORTHOGONAL;
    if (node->op == SOW_OP_CONV_TRANSPOSE || entry->region_count > 0 ||
        !sow_whole_is_isometric(&entry->tensor, &entry->draw) ||
        (flat && node->op != SOW_OP_LINEAR) ||
        sow_tensor_matrices(&entry->tensor, SOW_MATRIX_CENTRE, &matrices, NULL) != SOW_OK) {
        return 0;
    }
    double share = (double)matrices.row.count / (double)matrices.column.count;
    return share < 1 ? 2 * share : 2;
}

double sow_fan_of(const struct sow_predictor *p, const struct sow_node *node, double *inside,
                  double *pairs)
{
    const struct sow_local *local = &p->locals[node - p->network->nodes];
    int flat = node->op != SOW_OP_CONV && node->op != SOW_OP_CONV_TRANSPOSE;
    *inside = flat ? 1 : local->inside;
    *pairs = flat ? 1 : local->pairs;
    return flat ? (double)node->at.inputs : local->fan;
}

static void forward_weights(struct sow_predictor *p, const struct sow_node *node)
{
    const struct sow_state *in = &p->states[node->inputs[0]];
    const struct sow_flow *to = &p->network->flows[node->output];
    struct sow_state *out = &p->states[node->output];
    struct sow_weights weights = sow_node_weights(p, node, 0, no_bias),
                       bias = sow_node_weights(p, node, 1, no_bias);
    double inside, pairs, fan = sow_fan_of(p, node, &inside, &pairs);
    sow_linear_rule(in, fan, inside, pairs, &weights, &bias, out,
                    &p->locals[node - p->network->nodes]);
    out->kept = bias.square == 0 ? kept_by(p, node) : 0;
    /* Gaussian W: E[tr (W C W^T)^2] has a term of one output more than m^2 tr C^2 */
    double outputs = (double)(node->op == SOW_OP_LINEAR ? node->at.outputs : to->shape[1]);
    double taps = fan / in->features > 1 ? fan / in->features : 1, own = in->overlap / taps;
    out->overlap = own + (1 + own) / outputs;
    double groups = node->op == SOW_OP_LINEAR ? 1 : (double)node->at.groups;
    double window = fan * groups / in->features > 1 ? fan * groups / in->features : 1;
    out->crowd = (in->crowd + (groups - 1) / in->features) / window; /* means over the taps */
    out->unit = weights.square > weights.mean * weights.mean;
    if (node->op != SOW_OP_LINEAR) {
        out->features = (double)to->shape[1];
        out->places = (double)(to->elements / to->shape[0] / to->shape[1]);
    } else {
        out->features = (double)node->at.outputs;
    }
}

/* The weights of the rows that tokens look up: all but the padding. `rows`: how many. */
static struct sow_weights weights_of_tokens(const struct sow_predictor *p,
                                            const struct sow_node *node, double *rows)
{
    const struct sow_plan_entry *entry = sow_plan_at(p->plan, node->parameters[0]);
    uint64_t padding = (uint64_t)node->at.zero_row, count = node->at.rows;
    *rows = (double)count;
    if (node->at.zero_row < 0 || padding >= count || count == 1) {
        return sow_weights_of(entry, 0, 0);
    }
    *rows = (double)(count - 1);
    double share = (double)padding / *rows;
    struct sow_weights none = {0, 0};
    struct sow_weights before = padding > 0 ? sow_weights_along(entry, 0, 0, padding) : none;
    struct sow_weights behind =
        padding + 1 < count ? sow_weights_along(entry, 0, padding + 1, count) : none;
    return (struct sow_weights){share * before.mean + (1 - share) * behind.mean,
                                share * before.square + (1 - share) * behind.square};
}

/* Rows that are looked up: by tokens at random, or by positions. */
static void forward_embedding(struct sow_predictor *p, const struct sow_node *node)
{
    struct sow_state *out = &p->states[node->output];
    double rows;
    struct sow_weights weights = weights_of_tokens(p, node, &rows);
    enum sow_op from = p->network->nodes[p->network->flows[node->inputs[0]].node].op;
    double mean = weights.mean * weights.mean, again = 1 / rows;
    double other = again * weights.square + (1 - again) * mean;
    struct sow_raw y = {weights.square, weights.mean, mean, other, other};
    if (from == SOW_OP_POSITIONS || from == SOW_OP_SEGMENTS) {
        y.place =
            from == SOW_OP_SEGMENTS ? weights.square : mean; /* one segment: one row for all */
        y.sample = weights.square;
    }
    out->features = (double)node->at.features;
    out->places = p->states[node->inputs[0]].places;
    out->overlap = 1 / out->features;
    sow_width_plain(out);
    out->crowd = 1 / out->features;
    out->par = 1;
    sow_state_set(out, &y, 0);
}

/* A tensor that is a value: the same in every sample. */
static void forward_learned(struct sow_predictor *p, const struct sow_node *node)
{
    struct sow_state *out = &p->states[node->output];
    const struct sow_flow *flow = &p->network->flows[node->output];
    struct sow_weights weights = sow_node_weights(p, node, 0, no_bias);
    double mean = weights.mean * weights.mean;
    struct sow_raw y = {weights.square, weights.mean, mean, mean, weights.square};
    out->features = (double)(flow->rank > 0 ? flow->shape[flow->rank - 1] : 1);
    out->places = (double)flow->elements / out->features;
    out->overlap = 1 / out->features;
    sow_width_plain(out);
    sow_state_set(out, &y, 0);
}

static void forward_input(struct sow_predictor *p, const struct sow_node *node)
{
    struct sow_state *out = &p->states[node->output];
    const struct sow_flow *flow = &p->network->flows[node->output];
    const struct sow_signal_input *given = p->options->input;
    double mean = given != NULL ? given->mean : node->at.mean;
    double std = given != NULL ? given->std : node->at.std;
    double place = given != NULL ? given->place_correlation : node->at.correlation;
    double sample = given != NULL ? given->sample_correlation : 0;
    double q = std * std, m = mean * mean;
    struct sow_raw y = {q + m, mean, m, place * q + m, sample * q + m};
    uint64_t samples = flow->rank > 1 ? flow->shape[0] : 1;
    out->features = (double)(flow->rank > 1 ? flow->shape[flow->rank > 3 ? 1 : flow->rank - 1] : 1);
    for (uint32_t i = p->use_begin[node->output]; i < p->use_begin[node->output + 1]; i++) {
        enum sow_op op = p->network->nodes[p->use_node[p->use_list[i]]].op;
        if (flow->rank == 3 &&
            (op == SOW_OP_CONV || op == SOW_OP_MAX_POOL || op == SOW_OP_AVERAGE_POOL)) {
            out->features = (double)flow->shape[1];
        }
    }
    out->places = (double)(flow->elements / samples) / out->features;
    out->overlap = 1 / out->features;
    sow_width_plain(out);
    out->crowd = 1 / out->features;
    out->kurtosis = 1; /* it is given: no seed changes it */
    out->par = 1;
    sow_state_set(out, &y, 0);
}

/* n values cannot all be less alike than -1 / (n - 1): their sum would have a negative square. */
static enum sow_status check_alike(const struct sow_node *node, const char *what, double c,
                                   double count, struct sow_error *error)
{
    double least = count > 1 ? -1 / (count - 1) : -1;
    return c >= least - 1e-9
               ? SOW_OK
               : sow_node_fail(
                     node, SOW_E_ARGUMENT, error,
                     "the correlation %g of an input's %.0f %s cannot be: %g is the least "
                     "that so many can have with each other",
                     c, count, what, least);
}

static enum sow_status check_input(const struct sow_predictor *p, const struct sow_node *node,
                                   struct sow_error *error)
{
    const struct sow_signal_input *given = p->options->input;
    const struct sow_state *state = &p->states[node->output];
    double place = given != NULL ? given->place_correlation : node->at.correlation;
    double sample = given != NULL ? given->sample_correlation : 0;
    enum sow_status status = check_alike(node, "places", place, state->places, error);
    return status == SOW_OK ? check_alike(node, "samples", sample, (double)p->network->batch, error)
                            : status;
}

/* ---- Elements alone --------------------------------------------------------------------------------- */

enum sow_status sow_forward_function(struct sow_predictor *p, const struct sow_node *node,
                                     const struct sow_function *function, int times_x,
                                     const struct sow_state *in, struct sow_state *out,
                                     struct sow_local *local, struct sow_error *error)
{
    const struct sow_expansion *e;
    struct sow_error inner;
    double held = in->log > LOG_MOST ? LOG_MOST : in->log < LOG_LEAST ? LOG_LEAST : in->log;
    double scale = in->log > -INFINITY ? sow_exp(0.5 * held) : 0, m2 = in->mean * in->mean;
    double variance = 1 - m2 > 0 ? 1 - m2 : 0;
    if (sow_expand_function(p, function, times_x, in->mean * scale, sow_sqrt(variance) * scale, &e,
                            &inner) != SOW_OK) {
        return sow_node_fail(node, SOW_E_ARGUMENT, error, "%.400s", inner.message);
    }
    struct sow_raw y = {e->square, e->mean, sow_expansion_product(e, sow_centred(in, in->feature)),
                        sow_expansion_product(e, sow_centred(in, in->place)),
                        sow_expansion_product(e, sow_centred(in, in->sample))};
    double par = e->square > 0 ? e->growth * scale * scale / e->square : 0;
    *out = *in;
    sow_state_set(out, &y, in->log > -INFINITY ? par * (in->log - held) : 0);
    out->kurtosis = e->square > 0 ? e->fourth / (e->square * e->square) : 3;
    out->kept = par * par * in->kept;
    out->pull = par * par * in->pull;
    out->unit = par * in->unit;
    out->noise = par * par * in->noise;
    double spread = e->square - e->mean * e->mean; /* what of it follows the input's directions */
    double line = spread > 0 ? e->slope * e->slope * variance * scale * scale / spread : 1;
    double rest = in->overlap - 1 / in->features;
    line = line < 1 ? line : 1;
    out->crowd = line * line * in->crowd + 1 / in->features;
    out->overlap = 1 / in->features + line * line * (rest > 0 ? rest : 0);
    out->par = par * in->par;
    out->apart = in->apart + sow_log_of(e->slope_square, 0) + in->log - out->log;
    out->ln_perp = in->ln_perp + (function->jumps ? NAN : sow_log_of(e->slope_square, 0));
    out->ln_par = function->jumps ? NAN : in->ln_par + sow_log_of(fabs(e->growth), 0);
    out->unrelated =
        e->square > 0
            ? sow_expansion_product(e, sow_centred(in, in->unrelated > m2 ? in->unrelated : m2)) /
                  e->square
            : 1;
    *local =
        (struct sow_local){.slope = e->slope,
                           .slope_square = e->slope_square,
                           .slope_place = sow_expansion_slopes(e, sow_centred(in, in->place)),
                           .slope_feature = sow_expansion_slopes(e, sow_centred(in, in->feature)),
                           .slope_sample = sow_expansion_slopes(e, sow_centred(in, sow_both(in))),
                           .chi_perp = NAN,
                           .chi_par = NAN,
                           .c0 = NAN,
                           .turn = {0, 1, 0}};
    if (p->has_norm) {
        sow_width_function(function, times_x, in->mean * scale, sow_sqrt(variance) * scale, in, out,
                           local);
    }
    return SOW_OK;
}

double sow_function_alike(struct sow_predictor *p, const struct sow_function *function, int slopes,
                          const struct sow_state *in, double c)
{
    const struct sow_expansion *e;
    double held = in->log > LOG_MOST ? LOG_MOST : in->log < LOG_LEAST ? LOG_LEAST : in->log;
    double scale = sow_exp(0.5 * held), variance = 1 - in->mean * in->mean;
    variance = variance > 0 ? variance : 0;
    if (sow_expand_function(p, function, 0, in->mean * scale, sow_sqrt(variance) * scale, &e,
                            NULL) != SOW_OK) {
        return slopes ? 1 : c;
    }
    double all = slopes ? e->slope_square : e->square, both = sow_centred(in, c);
    both = slopes ? sow_expansion_slopes(e, both) : sow_expansion_product(e, both);
    return all > 0 ? both / all : slopes ? 1 : c;
}

static void forward_scaled(const struct sow_state *in, double factor, double square,
                           struct sow_state *out, struct sow_local *local)
{
    *out = *in;
    out->log = in->log + sow_log_of(square, 0);
    out->mean = square > 0 ? in->mean * factor / sow_sqrt(square) : 0;
    double ln = sow_log_of(square, 0), same = square > 0 ? factor * factor / square : 0;
    out->feature *= same;
    out->ln_perp += ln;
    out->ln_par += ln;
    local->factor = factor;
    local->ln_back = ln;
}

/* ---- The rules --------------------------------------------------------------------------------- */

static void forward_beginning(struct sow_predictor *p, const struct sow_node *node)
{
    const struct sow_flow *flow = &p->network->flows[node->output];
    if (node->op == SOW_OP_INPUT) {
        forward_input(p, node);
    } else if (node->op == SOW_OP_LEARNED) {
        forward_learned(p, node);
    } else {
        p->states[node->output] = (struct sow_state){
            .places = (double)flow->shape[flow->rank - 1], .features = 1, .mean = 1};
    }
}

static void forward_scaling(struct sow_predictor *p, const struct sow_node *node,
                            const struct sow_state *in, struct sow_state *out,
                            struct sow_local *local)
{
    double keep = 1 - node->at.p;
    if (node->op == SOW_OP_DROPOUT) {
        forward_scaled(in, 1, 1 / keep, out, local);
        out->place *= keep; /* its zeros fall independently */
        out->sample *= keep;
        out->kurtosis = in->kurtosis / keep;
    } else if (node->op == SOW_OP_SCALE) {
        forward_scaled(in, node->at.factor, node->at.factor * node->at.factor, out, local);
    } else {
        struct sow_weights weights = sow_node_weights(p, node, 0, no_bias);
        forward_scaled(in, weights.mean, weights.square, out, local);
    }
}

static enum sow_status forward_activation(struct sow_predictor *p, const struct sow_node *node,
                                          struct sow_error *error)
{
    uint32_t from = node->inputs[0];
    struct sow_state pixel = sow_border_pixel(p, from, &p->states[from]);
    return sow_forward_function(p, node, &node->at.function, 0, &pixel, &p->states[node->output],
                                &p->locals[node - p->network->nodes], error);
}

/* Sums, products and mixtures. */
static enum sow_status forward_several(struct sow_predictor *p, const struct sow_node *node,
                                       struct sow_error *error)
{
    switch (node->op) {
    case SOW_OP_MULTIPLY:
        return sow_forward_multiply(p, node, error);
    case SOW_OP_GATED:
        return sow_forward_gated(p, node, error);
    case SOW_OP_BILINEAR:
        sow_forward_bilinear(p, node);
        break;
    case SOW_OP_ROUTE:
        sow_forward_route(p, node);
        break;
    case SOW_OP_EXPERTS:
        sow_forward_experts(p, node);
        break;
    default:
        sow_forward_add(p, node);
        break;
    }
    return SOW_OK;
}

enum sow_status sow_forward(struct sow_predictor *p, const struct sow_node *node,
                            struct sow_error *error)
{
    const struct sow_state *in = node->input_count > 0 ? &p->states[node->inputs[0]] : NULL;
    struct sow_state *out = &p->states[node->output];
    struct sow_local *local = &p->locals[node - p->network->nodes];
    switch (node->op) {
    case SOW_OP_INPUT:
        forward_beginning(p, node);
        return check_input(p, node, error);
    case SOW_OP_TOKENS:
    case SOW_OP_POSITIONS:
    case SOW_OP_SEGMENTS:
    case SOW_OP_LEARNED:
        forward_beginning(p, node);
        break;
    case SOW_OP_LINEAR:
    case SOW_OP_CONV:
    case SOW_OP_CONV_TRANSPOSE:
        forward_weights(p, node);
        break;
    case SOW_OP_EMBEDDING:
        forward_embedding(p, node);
        break;
    case SOW_OP_LAYER_NORM:
    case SOW_OP_RMS_NORM:
    case SOW_OP_BATCH_NORM:
    case SOW_OP_GROUP_NORM:
        sow_forward_norm(p, node, in, out, local);
        break;
    case SOW_OP_ACTIVATION:
        return forward_activation(p, node, error);
    case SOW_OP_DROPOUT:
    case SOW_OP_SCALE:
    case SOW_OP_LAYER_SCALE:
        forward_scaling(p, node, in, out, local);
        break;
    case SOW_OP_ATTENTION:
    case SOW_OP_MAX_POOL:
    case SOW_OP_AVERAGE_POOL:
    case SOW_OP_GLOBAL_POOL:
        return sow_forward_across(p, node, error);
    case SOW_OP_ADD:
    case SOW_OP_MULTIPLY:
    case SOW_OP_GATED:
    case SOW_OP_BILINEAR:
    case SOW_OP_ROUTE:
    case SOW_OP_EXPERTS:
        return forward_several(p, node, error);
    case SOW_OP_CONCAT:
    case SOW_OP_FLATTEN:
    case SOW_OP_SPLIT_HEADS:
    case SOW_OP_MERGE_HEADS:
    case SOW_OP_TO_TOKENS:
    case SOW_OP_TAKE:
        sow_forward_shape(p, node);
        break;
    default:
        return sow_is_recurrent_op(node->op) ? sow_forward_recurrent(p, node, error) : SOW_OK;
    }
    return SOW_OK;
}
