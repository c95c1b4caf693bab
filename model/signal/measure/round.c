/* SPDX-License-Identifier: MIT */
/* Forward in the order of the nodes, backward against it. A value stays when a backward kernel reads it; weights stay
 * from forward to backward when the ceiling allows, else they are drawn twice. */
#include "model/signal/measure/round_inside.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"

/* ---- Buffers ---------------------------------------------------------------------------------- */

static float *take(struct sow_round *round, uint64_t floats)
{
    float *at = sow_buffers_take(&round->buffers, floats);
    if (at == NULL && round->status == SOW_OK) {
        round->status = sow_fail(round->error, SOW_E_MEMORY, "no memory for %llu numbers",
                                 (unsigned long long)floats);
    }
    return at;
}

static void give_value(struct sow_round *round, uint32_t flow)
{
    struct held *held = &round->flows[flow];
    held->value =
        sow_buffers_give(&round->buffers, held->value, round->network->flows[flow].elements);
}

static void give_gradient(struct sow_round *round, uint32_t flow)
{
    struct held *held = &round->flows[flow];
    held->gradient =
        sow_buffers_give(&round->buffers, held->gradient, round->network->flows[flow].elements);
}

static uint64_t floats_of(const struct sow_round *round, uint32_t parameter)
{
    return sow_plan_at(round->plan, parameter)->elements;
}

int sow_round_is_buffer(const struct sow_round *round, uint32_t parameter)
{
    return sow_plan_at(round->plan, parameter)->tensor.kind == SOW_KIND_BUFFER;
}

void sow_round_give_weight(struct sow_round *round, uint32_t parameter)
{
    struct shared *shared = &round->parameters[parameter];
    shared->weight = sow_buffers_give(&round->buffers, shared->weight, floats_of(round, parameter));
}

/* Whether numbers are there to be looked at: not on a dry run, after an error, or of tasks that were left out. */
static int is_live(struct sow_round *round)
{
    if (!round->buffers.dry && round->status == SOW_OK && sow_team_stopped(round->team)) {
        round->status = sow_fail(round->error, SOW_E_INTERRUPTED, "interrupted");
    }
    return !round->buffers.dry && round->status == SOW_OK;
}

/* ---- Steps ------------------------------------------------------------------------------------ */

static struct sow_step step_of(const struct sow_round *round, const struct sow_node *node)
{
    struct sow_step step = {.node = node,
                            .network = round->network,
                            .team = round->team,
                            .seed = round->seed,
                            .out = &round->network->flows[node->output],
                            .aside = round->aside};
    for (uint32_t i = 0; i < node->input_count; i++) {
        step.in[i] = &round->network->flows[node->inputs[i]];
        step.inputs[i] = round->flows[node->inputs[i]].value;
    }
    for (uint32_t i = 0; i < node->parameter_count; i++) {
        step.tensors[i] = &sow_plan_at(round->plan, node->parameters[i])->tensor;
    }
    return step;
}

static void load_weights(struct sow_round *round, struct sow_step *step)
{
    const struct sow_node *node = step->node;
    uint64_t seed = sow_weights_fixed(round->weights) ? 0 : round->seed;
    for (uint32_t i = 0; i < node->parameter_count && round->status == SOW_OK; i++) {
        struct shared *shared = &round->parameters[node->parameters[i]];
        if (sow_round_is_buffer(round, node->parameters[i])) {
            continue;
        }
        step->weights[i] = sow_weights_held(round->weights, node->parameters[i]);
        if (step->weights[i] != NULL) {
            continue;
        }
        if (shared->weight == NULL || shared->weight_seed != seed) {
            if (shared->weight == NULL) {
                shared->weight = take(round, floats_of(round, node->parameters[i]));
            }
            shared->weight_seed = seed;
            if (is_live(round)) {
                round->status = sow_weights_load(round->weights, round->team, node->parameters[i],
                                                 seed, shared->weight, round->error);
            }
        }
        step->weights[i] = shared->weight;
    }
}

static void drop_weights(struct sow_round *round, const struct sow_node *node)
{
    for (uint32_t i = 0; i < node->parameter_count && !round->keeps_weights; i++) {
        sow_round_give_weight(round, node->parameters[i]);
    }
}

static int done(struct sow_round *round)
{
    if (is_live(round) && round->hooks->stop(round->hooks->user)) {
        round->status = sow_fail(round->error, SOW_E_INTERRUPTED, "interrupted");
    }
    return round->status == SOW_OK;
}

/* ---- Forward ---------------------------------------------------------------------------------- */

static void compute(struct sow_round *round, const struct sow_node *node, struct sow_step *step)
{
    if (sow_source_is(node->op)) {
        const struct held *held = &round->flows[node->output];
        sow_source_fill(node, round->network, round->team, round->seed, held->channels_first,
                        &held->tokens, step->output);
    } else {
        sow_step_row(node->op)->forward(step);
    }
    if (round->hooks->value != NULL && is_live(round)) {
        round->hooks->value(round->hooks->user, step);
    }
}

static void forward(struct sow_round *round, const struct sow_node *node)
{
    struct sow_step step = step_of(round, node);
    struct held *out = &round->flows[node->output];
    load_weights(round, &step);
    step.output = out->value = take(round, step.out->elements);
    if (is_live(round)) {
        compute(round, node, &step);
    }
    drop_weights(round, node);
    for (uint32_t i = 0; i < node->input_count; i++) {
        struct held *in = &round->flows[node->inputs[i]];
        if (--in->forward_left == 0 && in->backward_left == 0) {
            give_value(round, node->inputs[i]);
        }
    }
    if (out->forward_left == 0) {
        give_value(round, node->output);
    }
}

/* ---- Backward --------------------------------------------------------------------------------- */

/* Where a kernel writes: the flow's gradient itself, or aside when there is one already. */
static void open_gradients(struct sow_round *round, struct sow_step *step, int *added)
{
    const struct sow_node *node = step->node;
    for (uint32_t i = 0; i < node->input_count; i++) {
        struct held *in = &round->flows[node->inputs[i]];
        if (!in->carries) {
            continue;
        }
        step->input_gradients[i] = take(round, step->in[i]->elements);
        added[i] = in->gradient != NULL;
        if (in->gradient == NULL) {
            in->gradient = step->input_gradients[i];
        }
    }
    for (uint32_t i = 0; i < node->parameter_count; i++) {
        struct shared *shared = &round->parameters[node->parameters[i]];
        if (round->skips_weight_gradients || sow_round_is_buffer(round, node->parameters[i])) {
            continue;
        }
        step->weight_started[i] = shared->gradient != NULL;
        if (shared->gradient == NULL) {
            shared->gradient = take(round, floats_of(round, node->parameters[i]));
        }
        step->weight_gradients[i] = shared->gradient;
    }
}

struct sum {
    float *to;
    const float *from;
};

static void add_range(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct sum *sum = user;
    (void)scratch;
    for (uint64_t i = begin; i < end; i++) {
        sum->to[i] += sum->from[i];
    }
}

static void close_gradients(struct sow_round *round, struct sow_step *step, const int *added)
{
    const struct sow_node *node = step->node;
    for (uint32_t i = 0; i < node->input_count; i++) {
        if (added[i]) {
            struct sum sum = {round->flows[node->inputs[i]].gradient, step->input_gradients[i]};
            if (is_live(round)) {
                sow_team_ranges(round->team, step->in[i]->elements, SOW_STEP_BLOCK, add_range,
                                &sum);
            }
            sow_buffers_give(&round->buffers, step->input_gradients[i], step->in[i]->elements);
        }
    }
}

/* The node is through with its inputs and parameters; after the last use of a parameter its gradient is whole. */
static void leave(struct sow_round *round, const struct sow_node *node)
{
    for (uint32_t i = 0; i < node->parameter_count; i++) {
        struct shared *shared = &round->parameters[node->parameters[i]];
        if (--shared->left > 0 || shared->gradient == NULL) {
            continue;
        }
        if (is_live(round) && round->hooks->weight != NULL) {
            round->hooks->weight(round->hooks->user, node->parameters[i], shared->weight,
                                 shared->gradient);
        }
        shared->gradient = sow_buffers_give(&round->buffers, shared->gradient,
                                            floats_of(round, node->parameters[i]));
    }
    for (uint32_t i = 0; i < node->input_count && sow_step_row(node->op)->keeps; i++) {
        if (--round->flows[node->inputs[i]].backward_left == 0) {
            give_value(round, node->inputs[i]);
        }
    }
}

static void backward(struct sow_round *round, const struct sow_node *node)
{
    struct sow_step step = step_of(round, node);
    int added[SOW_STEP_INPUTS] = {0};
    load_weights(round, &step);
    step.output_gradient = round->flows[node->output].gradient;
    open_gradients(round, &step, added);
    if (is_live(round)) {
        sow_step_row(node->op)->backward(&step);
    }
    close_gradients(round, &step, added);
}

static int fill_cotangent(struct sow_round *round, uint32_t flow, float *gradient)
{
    if (round->cotangent != NULL) {
        return round->cotangent(round->hooks->user, flow, gradient);
    }
    sow_source_cotangent(round->network, round->team, flow, round->seed, round->cotangent_std,
                         gradient);
    return 1;
}

/* The gradient of the node's output is whole; the last output of the network gets its cotangents. Returns 0 when none has
 * come. */
static int arrive(struct sow_round *round, const struct sow_node *node)
{
    const struct sow_network *network = round->network;
    struct held *out = &round->flows[node->output];
    uint64_t elements = network->flows[node->output].elements;
    if (out->gradient == NULL && out->carries &&
        node->output == network->outputs[network->output_count - 1]) {
        out->gradient = take(round, elements);
        if (is_live(round) && !fill_cotangent(round, node->output, out->gradient)) {
            give_gradient(round, node->output);
        }
    }
    if (out->gradient != NULL && is_live(round) && round->hooks->gradient != NULL) {
        round->hooks->gradient(round->hooks->user, node->output, out->gradient);
    }
    return out->gradient != NULL;
}

/* ---- A run ------------------------------------------------------------------------------------ */

void sow_round_reset(struct sow_round *round)
{
    const struct sow_network *network = round->network;
    for (uint32_t f = 0; f < network->flow_count; f++) {
        give_value(round, f);
        give_gradient(round, f);
        round->flows[f].forward_left = round->flows[f].backward_left = 0;
    }
    for (size_t p = 0; p < sow_plan_count(round->plan); p++) {
        struct shared *shared = &round->parameters[p];
        shared->gradient =
            sow_buffers_give(&round->buffers, shared->gradient, floats_of(round, (uint32_t)p));
        shared->left = shared->uses;
    }
    for (size_t n = 0; n < network->node_count; n++) {
        const struct sow_node *node = &network->nodes[n];
        uint32_t keeps = !sow_source_is(node->op) && sow_step_row(node->op)->keeps;
        for (uint32_t i = 0; i < node->input_count; i++) {
            round->flows[node->inputs[i]].forward_left++;
            round->flows[node->inputs[i]].backward_left += keeps;
        }
    }
}

enum sow_status sow_round_walk(struct sow_round *round)
{
    const struct sow_network *network = round->network;
    round->status = SOW_OK;
    sow_round_reset(round);
    for (size_t n = 0; n < network->node_count && done(round); n++) {
        forward(round, &network->nodes[n]);
    }
    for (size_t n = network->node_count; n-- > 0 && done(round);) {
        const struct sow_node *node = &network->nodes[n];
        int comes = arrive(round, node);
        if (!sow_source_is(node->op)) {
            if (comes) {
                backward(round, node);
            }
            leave(round, node);
            drop_weights(round, node);
        }
        give_gradient(round, node->output);
    }
    return round->status;
}

enum sow_status sow_round_run(struct sow_round *round, uint64_t seed,
                              const struct sow_round_hooks *hooks, struct sow_error *error)
{
    round->seed = seed;
    round->hooks = hooks;
    round->error = error;
    enum sow_status status = sow_round_walk(round);
    sow_round_reset(round);
    return status;
}
