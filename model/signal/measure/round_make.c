/* SPDX-License-Identifier: MIT */
/* Making a pass: what each value is, and whether all of it fits. */
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "model/signal/measure/round_inside.h"

/* Whether a value is an image, from what is done with it. */
static void describe_axes(struct sow_round *round, const struct sow_node *node)
{
    struct held *out = &round->flows[node->output];
    struct held *in = node->input_count > 0 ? &round->flows[node->inputs[0]] : out;
    switch (node->op) {
    case SOW_OP_CONV:
    case SOW_OP_CONV_TRANSPOSE:
    case SOW_OP_MAX_POOL:
    case SOW_OP_AVERAGE_POOL:
        out->channels_first = in->channels_first = 1;
        break;
    case SOW_OP_BATCH_NORM:
    case SOW_OP_GROUP_NORM:
        out->channels_first = in->channels_first = node->at.axis == 1;
        break;
    case SOW_OP_GLOBAL_POOL:
        in->channels_first = strcmp(node->at.over, "sizes") == 0;
        out->channels_first = 0;
        break;
    case SOW_OP_FLATTEN:
    case SOW_OP_TO_TOKENS:
        out->channels_first = 0;
        break;
    default:
        break;
    }
}

/* One more embedding reads these tokens. */
static void narrow(struct sow_tokens *tokens, const struct sow_op_attributes *embedding)
{
    if (embedding->rows < tokens->rows) {
        tokens->rows = embedding->rows > 0 ? embedding->rows : 1;
    }
    if (embedding->zero_row >= 0) {
        tokens->padding = embedding->zero_row;
    }
}

/* What each value is: whether a gradient comes back, how an image lies, which token ids there are. */
static void describe(struct sow_round *round)
{
    const struct sow_network *network = round->network;
    for (uint32_t f = 0; f < network->flow_count; f++) {
        /* floats hold no larger numbers one by one */
        round->flows[f].tokens = (struct sow_tokens){UINT64_C(1) << 24, -1};
    }
    for (size_t n = 0; n < network->node_count; n++) {
        const struct sow_node *node = &network->nodes[n];
        struct held *out = &round->flows[node->output];
        out->carries = node->op == SOW_OP_INPUT;
        for (uint32_t i = 0; i < node->input_count; i++) {
            struct held *in = &round->flows[node->inputs[i]];
            out->carries |= in->carries;
            out->channels_first |= in->channels_first;
            if (node->op == SOW_OP_EMBEDDING) {
                narrow(&in->tokens, &node->at);
            }
        }
        for (uint32_t i = 0; i < node->parameter_count; i++) {
            out->carries |= !sow_round_is_buffer(round, node->parameters[i]);
            round->parameters[node->parameters[i]].uses++;
        }
        describe_axes(round, node);
    }
}

/* Room aside and for each thread; refuses what has no kernel. */
static enum sow_status size_up(struct sow_round *round, uint64_t *scratch, uint64_t *aside,
                               struct sow_error *error)
{
    *scratch = *aside = 0;
    for (size_t n = 0; n < round->network->node_count; n++) {
        const struct sow_node *node = &round->network->nodes[n];
        const struct sow_step_row *row = sow_step_row(node->op);
        if (sow_source_is(node->op)) {
            continue;
        }
        if (row != NULL && node->input_count > SOW_STEP_INPUTS) {
            return sow_node_fail(node, SOW_E_UNSUPPORTED, error,
                                 "it takes %u values; numbers are sent through at most %u",
                                 node->input_count, SOW_STEP_INPUTS);
        }
        if (row == NULL || node->parameter_count > SOW_STEP_PARAMETERS) {
            return sow_node_fail(node, SOW_E_UNSUPPORTED, error,
                                 "numbers cannot be sent through it yet");
        }
        uint64_t wanted = row->scratch != NULL ? row->scratch(node, round->network) : 0;
        uint64_t doubles = row->aside != NULL ? row->aside(node, round->network) : 0;
        *scratch = wanted > *scratch ? wanted : *scratch;
        *aside = doubles > *aside ? doubles : *aside;
    }
    return SOW_OK;
}

static enum sow_status plan_memory(struct sow_round *round, uint64_t other, uint64_t ceiling,
                                   struct sow_error *error)
{
    uint64_t room = ceiling > other ? (ceiling - other) / sizeof(float) : 0;
    round->error = error;
    for (round->keeps_weights = 1;; round->keeps_weights = 0) {
        round->buffers = (struct sow_buffers){.dry = 1};
        sow_round_walk(round);
        sow_round_reset(round);
        for (uint32_t p = 0; p < sow_plan_count(round->plan); p++) {
            sow_round_give_weight(round, p);
        }
        if (round->buffers.peak <= room) {
            round->peak = other + round->buffers.peak * sizeof(float);
            round->buffers = (struct sow_buffers){.ceiling = room};
            return SOW_OK;
        }
        if (!round->keeps_weights) {
            return sow_fail(
                error, SOW_E_MEMORY,
                "the network takes %.3g GB for its values and gradients, and %.3g GB "
                "are allowed: send fewer samples or tokens (--batch, --tokens), follow fewer "
                "layers (--layers) or allow more (--memory)",
                (double)(other + round->buffers.peak * sizeof(float)) / 1e9, (double)ceiling / 1e9);
        }
    }
}

enum sow_status sow_round_estimate(const struct sow_network *network, const struct sow_plan *plan,
                                   uint64_t *bytes, struct sow_error *error)
{
    struct sow_round round = {.network = network, .plan = plan, .buffers = {.dry = 1}};
    struct sow_weights *drawn = NULL;
    uint64_t scratch = 0, aside = 0;
    *bytes = 0;
    round.flows = calloc(network->flow_count + 1, sizeof *round.flows);
    round.parameters = calloc(sow_plan_count(plan) + 1, sizeof *round.parameters);
    enum sow_status status = round.flows != NULL && round.parameters != NULL
                                 ? sow_weights_open(plan, NULL, &drawn, error)
                                 : sow_fail(error, SOW_E_MEMORY, "out of memory");
    if (status == SOW_OK) {
        round.weights = drawn;
        describe(&round);
        status = size_up(&round, &scratch, &aside, error);
    }
    if (status == SOW_OK) {
        sow_round_walk(&round);
        uint64_t each = (SOW_GEMM_SCRATCH_FLOATS + scratch) * sizeof(float);
        *bytes = round.buffers.peak * sizeof(float) + 2 * each + aside * sizeof(double);
    }
    sow_weights_free(drawn);
    free(round.parameters);
    free(round.flows);
    return status;
}

/* Before any work: a checkpoint has what the network reads. */
static enum sow_status check_weights(const struct sow_round *round, struct sow_error *error)
{
    enum sow_status status = SOW_OK;
    for (size_t n = 0; n < round->network->node_count && status == SOW_OK; n++) {
        const struct sow_node *node = &round->network->nodes[n];
        for (uint32_t i = 0; i < node->parameter_count && status == SOW_OK; i++) {
            if (!sow_round_is_buffer(round, node->parameters[i])) {
                status = sow_weights_check(round->weights, node->parameters[i], error);
            }
        }
    }
    return status;
}

/* Counted once: asked for at every operation. */
static uint64_t count_operations(const struct sow_network *network, const struct held *flows)
{
    uint64_t count = 0;
    for (size_t n = 0; n < network->node_count; n++) {
        count += flows[network->nodes[n].output].carries ? 2 : 1;
    }
    return count;
}

enum sow_status sow_round_new(const struct sow_network *network, const struct sow_plan *plan,
                              const struct sow_weights *weights, uint32_t threads, uint64_t ceiling,
                              struct sow_round **round, struct sow_error *error)
{
    struct sow_round *made = calloc(1, sizeof *made);
    uint64_t scratch, aside;
    enum sow_status status = SOW_E_MEMORY;
    *round = NULL;
    if (made == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory");
    }
    made->network = network;
    made->plan = plan;
    made->weights = weights;
    made->cotangent_std = 1;
    made->flows = calloc(network->flow_count + 1, sizeof *made->flows);
    made->parameters = calloc(sow_plan_count(plan) + 1, sizeof *made->parameters);
    if (made->flows == NULL || made->parameters == NULL) {
        sow_fail(error, SOW_E_MEMORY, "out of memory");
        goto fail;
    }
    describe(made);
    made->operations = count_operations(network, made->flows);
    status = size_up(made, &scratch, &aside, error);
    status = status == SOW_OK ? check_weights(made, error) : status;
    if (status == SOW_OK) {
        status = sow_team_new(threads, scratch, &made->team, error);
    }
    if (status == SOW_OK) {
        sow_team_interrupt(made->team, sow_weights_interrupted(weights));
    }
    if (status == SOW_OK) {
        uint64_t each = (SOW_GEMM_SCRATCH_FLOATS + scratch) * sizeof(float);
        uint64_t other = each * sow_team_threads(made->team) + aside * sizeof(double);
        status = plan_memory(made, other, ceiling, error);
    }
    if (status == SOW_OK) {
        made->aside = malloc((aside + 1) * sizeof *made->aside);
        status = made->aside != NULL ? SOW_OK : sow_fail(error, SOW_E_MEMORY, "out of memory");
    }
    if (status == SOW_OK) {
        *round = made;
        return SOW_OK;
    }
fail:
    sow_round_free(made);
    return status;
}

void sow_round_free(struct sow_round *round)
{
    if (round == NULL) {
        return;
    }
    if (round->flows != NULL && round->parameters != NULL && round->team != NULL) {
        sow_round_reset(round);
        for (uint32_t p = 0; p < sow_plan_count(round->plan); p++) {
            sow_round_give_weight(round, p);
        }
    }
    sow_buffers_empty(&round->buffers);
    sow_team_free(round->team);
    free(round->aside);
    free(round->parameters);
    free(round->flows);
    free(round);
}

uint64_t sow_round_memory(const struct sow_round *round)
{
    return round->peak;
}

uint64_t sow_round_operations(const struct sow_round *round)
{
    return round->operations;
}

void sow_round_cotangent(struct sow_round *round, sow_cotangent_fn *fill)
{
    round->cotangent = fill;
}

void sow_round_cotangent_std(struct sow_round *round, double std)
{
    round->cotangent_std = std;
}

struct sow_team *sow_round_team(struct sow_round *round)
{
    return round->team;
}

int sow_round_channels_first(const struct sow_round *round, uint32_t flow)
{
    return round->flows[flow].channels_first;
}

void sow_round_skip_weight_gradients(struct sow_round *round)
{
    round->skips_weight_gradients = 1;
}
