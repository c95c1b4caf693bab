/* SPDX-License-Identifier: MIT */
/* Prediction: one walk forward, one back, and what the caller sees of it. No weight is drawn. */
#include "model/signal/predict/predict.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/activation/maps.h"
#include "core/base/elementary.h"
#include "core/base/error.h"
#include "model/signal/network/recurrent.h"
#include "model/signal/predict/border.h"
#include "model/signal/predict/shared.h"

#define PAIRS_MAX 64 /* of uses of one value, among which shared ancestors are looked for */

struct sow_probe {
    struct sow_network *network;
    struct sow_probe_value *values;
    struct sow_probe_summary summary;
};

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* ---- Walking ---------------------------------------------------------------------------------------- */

static void list_uses(struct sow_predictor *p)
{
    const struct sow_network *network = p->network;
    uint32_t use = 0;
    for (size_t i = 0; i < network->flow_count; i++) {
        p->use_begin[i + 1] = p->use_begin[i] + network->flows[i].uses;
    }
    for (size_t i = 0; i < network->node_count; i++) {
        p->first_use[i] = use;
        for (uint32_t slot = 0; slot < network->nodes[i].input_count; slot++, use++) {
            uint32_t flow = network->nodes[i].inputs[slot];
            p->use_node[use] = (uint32_t)i;
            p->use_slot[use] = slot;
            p->use_list[p->use_begin[flow]++] = use; /* moved on, and back below */
        }
    }
    for (size_t i = network->flow_count; i > 0; i--) {
        p->use_begin[i] = p->use_begin[i - 1];
    }
    p->use_begin[0] = 0;
}

static enum sow_status prepare(struct sow_predictor *p, struct sow_error *error)
{
    const struct sow_network *network = p->network;
    size_t uses = 0;
    for (size_t i = 0; i < network->flow_count; i++) {
        uses += network->flows[i].uses;
    }
    p->states = sow_arena_take(&p->arena, (network->flow_count + 1) * sizeof *p->states);
    p->adjoints = sow_arena_take(&p->arena, (network->flow_count + 1) * sizeof *p->adjoints);
    p->by_place = sow_arena_take(&p->arena, (network->flow_count + 1) * sizeof *p->by_place);
    p->back_place = sow_arena_take(&p->arena, (network->flow_count + 1) * sizeof *p->back_place);
    p->use_place = sow_arena_take(&p->arena, (uses + 1) * sizeof *p->use_place);
    p->locals = sow_arena_take(&p->arena, (network->node_count + 1) * sizeof *p->locals);
    p->use_begin = sow_arena_take(&p->arena, (network->flow_count + 2) * sizeof *p->use_begin);
    p->first_use = sow_arena_take(&p->arena, (network->node_count + 1) * sizeof *p->first_use);
    p->use_list = sow_arena_take(&p->arena, (uses + 1) * sizeof *p->use_list);
    p->use_node = sow_arena_take(&p->arena, (uses + 1) * sizeof *p->use_node);
    p->use_slot = sow_arena_take(&p->arena, (uses + 1) * sizeof *p->use_slot);
    p->use = sow_arena_take(&p->arena, (uses + 1) * sizeof *p->use);
    if (!p->states || !p->adjoints || !p->by_place || !p->back_place || !p->use_place ||
        !p->locals || !p->use_begin || !p->first_use || !p->use_list || !p->use_node ||
        !p->use_slot || !p->use) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory");
    }
    list_uses(p);
    enum sow_status status = sow_shared_find(p, error);
    status = status == SOW_OK ? sow_border_prepare(p, error) : status;
    for (size_t i = 0; i < network->node_count; i++) {
        p->has_norm |=
            network->nodes[i].op == SOW_OP_LAYER_NORM || network->nodes[i].op == SOW_OP_RMS_NORM ||
            network->nodes[i].op == SOW_OP_BATCH_NORM || network->nodes[i].op == SOW_OP_GROUP_NORM;
    }
    return status;
}

static enum sow_status walk_forward(struct sow_predictor *p, struct sow_error *error)
{
    enum sow_status status = SOW_OK;
    for (size_t i = 0; i < p->network->node_count && status == SOW_OK; i++) {
        struct sow_local *local = &p->locals[i];
        local->chi_perp = local->chi_par = local->c0 = NAN;
        const struct sow_node *node = &p->network->nodes[i];
        int room = sow_border_windows(p, node);
        status = room ? sow_forward(p, node, error) : SOW_E_MEMORY;
        if (!room || (status == SOW_OK && !sow_border_forward(p, node))) {
            return sow_fail(error, SOW_E_MEMORY, "out of memory");
        }
        if (status == SOW_OK) {
            sow_forward_places(p, &p->network->nodes[i]);
        }
    }
    return status;
}

/* The gradient at a value: what its uses give back, which is not independent where they meet again. */
static void gather(struct sow_predictor *p, uint32_t flow)
{
    struct sow_adjoint sum = {-INFINITY, 0, 0, 0, 0};
    uint32_t begin = p->use_begin[flow], end = p->use_begin[flow + 1];
    double total = 0;
    for (uint32_t i = begin; i < end; i++) {
        double log = p->use[p->use_list[i]].log;
        sum.log = log > sum.log ? log : sum.log;
    }
    for (uint32_t i = begin; i < end && sum.log > -INFINITY; i++) {
        const struct sow_adjoint *back = &p->use[p->use_list[i]];
        double size = sow_exp(back->log - sum.log);
        total += size;
        sum.feature += size * back->feature;
        sum.place += size * back->place;
        sum.sample += size * back->sample;
        sum.loan += size * back->loan;
        for (uint32_t k = begin; k < i && end - begin <= PAIRS_MAX; k++) {
            const struct sow_adjoint *other = &p->use[p->use_list[k]];
            double both = 2 * sow_exp(0.5 * (back->log + other->log) - sum.log);
            uint32_t a = p->use_list[k], b = p->use_list[i];
            double same = both > 0 ? both * sow_use_cosine(p, SOW_PAIR_SAME, a, b) : 0;
            double place = 0.5 * same * (back->place + other->place);
            if (p->shared != NULL) {
                place = both > 0 ? both * sow_use_cosine(p, SOW_PAIR_PLACE, a, b) : 0;
            }
            total += same;
            sum.feature += same * 0.5 * (back->feature + other->feature);
            sum.place += place;
            sum.sample += same * 0.5 * (back->sample + other->sample);
        }
    }
    if (total > 0) {
        sum.feature /= total;
        sum.place /= total;
        sum.sample /= total;
        sum.loan /= total;
    }
    sum.log = sow_log_of(total, sum.log > -INFINITY ? sum.log : 0);
    p->adjoints[flow] = sum;
}

static void walk_backward(struct sow_predictor *p)
{
    uint32_t last = p->network->outputs[p->network->output_count - 1];
    for (size_t i = p->network->node_count; i-- > 0;) {
        uint32_t flow = p->network->nodes[i].output;
        if (flow == last) {
            p->adjoints[flow] =
                (struct sow_adjoint){0, 0, p->states[flow].places > 1 ? 0 : 1, 0, 0};
        } else {
            gather(p, flow);
            sow_gather_places(p, flow);
            sow_border_gather(p, flow);
        }
        sow_border_back_windows(p, &p->network->nodes[i]);
        sow_backward(p, &p->network->nodes[i]);
        sow_border_backward(p, &p->network->nodes[i]);
        sow_backward_places(p, &p->network->nodes[i]);
    }
}

/* ---- The layer that is repeated -------------------------------------------------------------------------- */

struct repeated {
    const struct sow_function *function;
    double sigma_w2, sigma_b2;
    uint64_t count;
};

/* A linear layer or convolution fed by an activation; 0 when it is none. */
static int layer_of(const struct sow_predictor *p, const struct sow_node *node,
                    struct repeated *layer)
{
    if ((node->op != SOW_OP_LINEAR && node->op != SOW_OP_CONV) || node->input_count == 0) {
        return 0;
    }
    const struct sow_node *maker = &p->network->nodes[p->network->flows[node->inputs[0]].node];
    if (maker->op != SOW_OP_ACTIVATION) {
        return 0;
    }
    /* nothing but layers of the kind: below stands one whose input is an activation too */
    const struct sow_node *below = &p->network->nodes[p->network->flows[maker->inputs[0]].node];
    if (below->op != node->op || below->input_count == 0 ||
        p->network->nodes[p->network->flows[below->inputs[0]].node].op != SOW_OP_ACTIVATION) {
        return 0;
    }
    const struct sow_plan_entry *weight = sow_plan_at(p->plan, node->parameters[0]);
    struct sow_weights w = sow_weights_of(weight, 0, 0), b = {0, 0};
    if (node->parameter_count > 1) {
        b = sow_weights_of(sow_plan_at(p->plan, node->parameters[1]), 0, 0);
    }
    *layer = (struct repeated){&maker->at.function, w.square * weight->fan_in, b.square, 1};
    return w.mean == 0 && layer->sigma_w2 - layer->sigma_w2 == 0;
}

/* Most votes, by runs: a network that repeats one layer has one long run. */
static struct repeated most_repeated(const struct sow_predictor *p)
{
    struct repeated best = {0}, run = {0}, layer;
    for (size_t i = 0; i < p->network->node_count; i++) {
        if (!layer_of(p, &p->network->nodes[i], &layer)) {
            continue;
        }
        int same = run.count > 0 && sow_function_same(run.function, layer.function) &&
                   fabs(run.sigma_w2 - layer.sigma_w2) <= 1e-9 * run.sigma_w2 &&
                   run.sigma_b2 == layer.sigma_b2;
        layer.count = same ? run.count + 1 : 1;
        run = layer;
        best = run.count > best.count ? run : best;
    }
    return best;
}

/* Where the correlation settles, from a little below 1 (chaos leaves 1, order returns to it). */
static double settled(const struct sow_expansion *e, const struct repeated *layer, double q,
                      double chi)
{
    double c = chi > 1 + 1e-9 ? 0.5 : 1;
    for (int i = 0; i < 2000 && c < 1 - 1e-12; i++) {
        double next = (layer->sigma_w2 * sow_expansion_product(e, c) + layer->sigma_b2) / q;
        if (fabs(next - c) <= 1e-13) {
            return next;
        }
        c = next;
    }
    return c > 1 ? 1 : c;
}

static double depth_scale(double chi)
{
    return chi > 0 && chi < 1 ? -1 / sow_log(chi) : chi == 0 ? 0 : INFINITY;
}

static void tell_depth(const struct sow_predictor *p, struct sow_probe_depth *depth)
{
    struct repeated layer = most_repeated(p);
    struct sow_fixed_point point;
    struct sow_expansion expansion;
    if (layer.count < 3 || sow_fixed_point_quick(layer.function, layer.sigma_w2, layer.sigma_b2,
                                                 &point, NULL) != SOW_OK) {
        return;
    }
    *depth = (struct sow_probe_depth){
        .layers = layer.count,
        .activation = sow_function_name(layer.function),
        .function = *layer.function,
        .sigma_w2 = layer.sigma_w2,
        .sigma_b2 = layer.sigma_b2,
        .q = point.q,
        .chi_perp = point.chi_perp,
        .chi_par = point.chi_par,
        .correlation = NAN,
        .xi_q = NAN,
        .xi_c = NAN,
        .xi_gradient = NAN,
    };
    struct sow_pointwise f = sow_pointwise_of(layer.function);
    if (point.q > 0 && point.q - point.q == 0 && !layer.function->jumps &&
        sow_expand(&f, 0, sow_sqrt(point.q), &expansion, NULL) == SOW_OK) {
        double c = settled(&expansion, &layer, point.q, point.chi_perp);
        depth->correlation = c;
        depth->xi_q = depth_scale(point.chi_par);
        depth->xi_c = depth_scale(c < 1 ? layer.sigma_w2 * sow_expansion_slopes(&expansion, c)
                                        : point.chi_perp);
        depth->xi_gradient = depth_scale(point.chi_perp);
    }
}

/* ---- What the caller sees ---------------------------------------------------------------------------------- */

static const double log2_e = 1.4426950408889634;

static double number_of(double log)
{
    return log > -INFINITY ? sow_exp(log) : 0;
}

static void tell_value(const struct sow_predictor *p, size_t index, struct sow_probe_value *value)
{
    const struct sow_node *node = &p->network->nodes[index];
    const struct sow_state *state = &p->states[node->output];
    const struct sow_adjoint *adjoint = &p->adjoints[node->output];
    const struct sow_flow *flow = &p->network->flows[node->output];
    const struct sow_local *local = &p->locals[index];
    *value = (struct sow_probe_value){
        .name = node->name,
        .operation = sow_op_word(node->op),
        .file = node->file,
        .line = node->line,
        .layer = node->layer,
        .rank = flow->rank,
        .has_weights = node->op == SOW_OP_LINEAR || node->op == SOW_OP_CONV ||
                       node->op == SOW_OP_EMBEDDING || node->op == SOW_OP_CONV_TRANSPOSE ||
                       node->op == SOW_OP_BILINEAR || sow_is_recurrent_op(node->op),
        .is_signal = node->op != SOW_OP_TOKENS && node->op != SOW_OP_POSITIONS &&
                     node->op != SOW_OP_SEGMENTS,
        .log2_second_moment = state->log * log2_e,
        .second_moment = number_of(state->log),
        .mean = state->mean != 0 ? state->mean * number_of(0.5 * state->log) : 0,
        .sample_correlation = state->sample,
        .place_correlation = state->places > 1 ? sow_place_correlation(p, node->output) : NAN,
        .feature_correlation = state->feature,
        .cross_correlation = sow_both(state),
        .features = state->features,
        .places = state->places,
        .directions = 1 / state->overlap,
        .log2_gradient = adjoint->log * log2_e,
        .gradient = number_of(adjoint->log),
        .chi_perp = local->chi_perp,
        .chi_par = local->chi_par,
        .c0 = local->c0,
        .seed_noise = state->noise,
        .scale_response = state->par,
        .log2_distance = state->apart * log2_e,
    };
    memcpy(value->shape, flow->shape, sizeof value->shape);
}

static enum sow_status tell(struct sow_predictor *p, struct sow_probe *probe,
                            struct sow_error *error)
{
    struct sow_probe_summary *summary = &probe->summary;
    size_t count = p->network->node_count;
    probe->values = malloc((count + 1) * sizeof *probe->values);
    if (probe->values == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        tell_value(p, i, &probe->values[i]);
        summary->layers += (uint64_t)probe->values[i].has_weights;
    }
    summary->values = count;
    summary->batch = p->network->batch;
    summary->tokens = p->network->tokens;
    summary->seed_noise = p->states[p->network->outputs[p->network->output_count - 1]].noise;
    tell_depth(p, &summary->depth);
    return SOW_OK;
}

static enum sow_status check_input(const struct sow_signal_input *input, struct sow_error *error)
{
    int bad = input != NULL &&
              (!(input->mean - input->mean == 0) || !(input->std >= 0 && input->std < 1e100) ||
               !(input->place_correlation >= -1 && input->place_correlation <= 1) ||
               !(input->sample_correlation >= -1 && input->sample_correlation <= 1));
    return bad ? sow_fail(error, SOW_E_ARGUMENT,
                          "the input's mean must be finite, its std not negative, its correlations "
                          "from -1 to 1")
               : SOW_OK;
}

enum sow_status sow_probe_predict(const struct sow_model *model, const struct sow_plan *plan,
                                  const struct sow_signal_options *options,
                                  struct sow_probe **probe, struct sow_error *error)
{
    static const struct sow_signal_options defaults = {0};
    struct sow_predictor p = {.plan = plan, .options = options != NULL ? options : &defaults};
    double begin = seconds_now();
    struct sow_probe *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory");
    }
    enum sow_status status = check_input(p.options->input, error);
    if (status == SOW_OK) {
        status = sow_network_make(model, plan, options, &made->network, error);
        p.network = made->network;
    }
    status = status == SOW_OK ? prepare(&p, error) : status;
    status = status == SOW_OK ? walk_forward(&p, error) : status;
    if (status == SOW_OK) {
        walk_backward(&p);
        status = p.out_of_memory ? sow_fail(error, SOW_E_MEMORY, "out of memory")
                                 : tell(&p, made, error);
    }
    sow_arena_free(&p.arena);
    if (status != SOW_OK) {
        sow_probe_free(made);
        return status;
    }
    made->summary.seconds = seconds_now() - begin;
    *probe = made;
    return SOW_OK;
}

void sow_probe_free(struct sow_probe *probe)
{
    if (probe != NULL) {
        sow_network_free(probe->network);
        free(probe->values);
        free(probe);
    }
}

const struct sow_probe_value *sow_probe_at(const struct sow_probe *probe, size_t index)
{
    return index < probe->summary.values ? &probe->values[index] : NULL;
}

const struct sow_probe_summary *sow_probe_summary(const struct sow_probe *probe)
{
    return &probe->summary;
}

const struct sow_network *sow_probe_network(const struct sow_probe *probe)
{
    return probe->network;
}
