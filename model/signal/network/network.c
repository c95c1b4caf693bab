/* SPDX-License-Identifier: MIT */
/* From a model's graph and its plan to a network: words become enums, symbols numbers, and what does not fit is told
 * with the node's name and line. The rows are in ops.def, the shapes in shapes.c. */
#include "model/signal/network/network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "model/graph/arena.h"
#include "model/signal/network/inside.h"

#define BYTES_MAX      (UINT64_C(1) << 31)
#define BATCH_DEFAULT  8
#define TOKENS_DEFAULT 256

/* What is made, with what it is made from. */
struct lowering {
    struct sow_network network; /* first: what the user holds */
    struct sow_arena arena;
    struct sow_node *nodes;
    struct sow_flow *flows;
    uint32_t *outputs;
    struct owned { /* expressions */
        struct sow_expression_program program;
        struct sow_function function;
        struct owned *next;
    } * owned;

    /* while it is made */
    const struct sow_graph *graph;
    const struct sow_plan *plan;
    struct sow_signal_options options;
    struct name_slot {
        const char *name;
        uint32_t count; /* of nodes that wanted it */
    } * names;
    size_t name_capacity; /* a power of two */
};

/* ---- Names ------------------------------------------------------------------------------------- */

static struct name_slot *slot_of(const struct lowering *lowering, const char *name)
{
    size_t mask = lowering->name_capacity - 1;
    size_t slot = (size_t)sow_key(name, 0).tensor & mask;
    while (lowering->names[slot].name != NULL && strcmp(lowering->names[slot].name, name) != 0) {
        slot = (slot + 1) & mask;
    }
    return &lowering->names[slot];
}

/* `wanted`, or the first of wanted.2, wanted.3, ... that is free. NULL when out of memory. */
static const char *unique_name(struct lowering *lowering, const char *wanted)
{
    struct name_slot *base = slot_of(lowering, wanted), *slot = base;
    char text[2300];
    const char *name = wanted;
    while (slot->name != NULL) {
        snprintf(text, sizeof text, "%s.%u", wanted, ++base->count);
        name = text;
        slot = slot_of(lowering, text);
    }
    *slot = (struct name_slot){sow_arena_copy(&lowering->arena, name, strlen(name)), 1};
    return slot->name;
}

/* The name of the node's first tensor without its last part, or the scope and the word; as far as its attributes are
 * known, those of an activation and of a tie count. */
static void wanted_name(const struct lowering *lowering, const struct sow_operation *operation,
                        const struct sow_node *node, char wanted[2200])
{
    const char *word = operation->kind;
    if (node->at.tied != NULL) {
        snprintf(wanted, 2200, "%s", node->at.tied);
    } else if (node->parameter_count > 0) {
        snprintf(wanted, 2200, "%s", sow_plan_at(lowering->plan, node->parameters[0])->name);
    } else {
        if (node->op == SOW_OP_ACTIVATION && node->at.function.activation != NULL) {
            word = node->at.function.activation->name;
        } else if (node->op == SOW_OP_ACTIVATION && sow_is_expression(&node->at.function)) {
            word = "expression";
        }
        snprintf(wanted, 2200, "%s%s%s", node->scope, node->scope[0] != 0 ? "." : "", word);
        return;
    }
    char *dot = strrchr(wanted, '.');
    if (dot != NULL && dot != wanted) {
        *dot = 0;
    }
}

/* ---- Nodes --------------------------------------------------------------------------------------- */

static enum sow_status find_op(const struct sow_operation *operation, enum sow_op *op,
                               struct sow_error *error)
{
    for (uint32_t i = 0; i < SOW_OP_COUNT; i++) {
        if (strcmp(sow_op_rows[i].word, operation->kind) == 0) {
            *op = (enum sow_op)i;
            return SOW_OK;
        }
    }
    return sow_fail_at(error, SOW_E_UNSUPPORTED, operation->file, operation->line, 0,
                       "%.200s (%.60s): signals cannot be followed through this operation",
                       operation->scope != NULL && operation->scope[0] != 0 ? operation->scope
                                                                            : "the network",
                       operation->kind);
}

static enum sow_status copy_lists(struct lowering *lowering, struct sow_node *node,
                                  const struct sow_operation *operation, struct sow_error *error)
{
    size_t count = (size_t)operation->input_count + operation->parameter_count;
    uint32_t *numbers = sow_arena_take(&lowering->arena, (count + 1) * sizeof *numbers);
    if (numbers == NULL) {
        return sow_fail(error, SOW_E_MEMORY,
                        "the graph is too large to follow signals through: over %llu MiB",
                        (unsigned long long)(BYTES_MAX >> 20));
    }
    for (uint32_t i = 0; i < operation->input_count; i++) {
        numbers[i] = operation->inputs[i];
    }
    for (uint32_t i = 0; i < operation->parameter_count; i++) {
        numbers[operation->input_count + i] = operation->parameters[i];
    }
    node->inputs = numbers;
    node->parameters = numbers + operation->input_count;
    node->input_count = operation->input_count;
    node->parameter_count = operation->parameter_count;
    return SOW_OK;
}

/* Numbers out of range would be a bug of a source, and memory read astray. */
static enum sow_status check_lists(const struct sow_node *node, struct sow_error *error)
{
    const struct sow_op_row *row = &sow_op_rows[node->op];
    if (node->input_count < row->inputs_min || node->input_count > row->inputs_max) {
        return sow_node_fail(node, SOW_E_SHAPE, error, "it has %u inputs, and takes %u to %u",
                             node->input_count, row->inputs_min, row->inputs_max);
    }
    if (node->parameter_count < row->parameters_min ||
        node->parameter_count > row->parameters_max) {
        return sow_node_fail(node, SOW_E_SHAPE, error, "it has %u tensors, and takes %u to %u",
                             node->parameter_count, row->parameters_min, row->parameters_max);
    }
    for (uint32_t i = 0; i < node->input_count; i++) {
        if (node->inputs[i] >= node->output) {
            return sow_node_fail(node, SOW_E_SHAPE, error, "an input is made after it is used");
        }
    }
    return SOW_OK;
}

static enum sow_status take_flow(struct lowering *lowering, const struct sow_node *node,
                                 struct sow_error *error)
{
    const struct sow_value *value = &lowering->graph->values[node->output];
    struct sow_flow *flow = &lowering->flows[node->output];
    char reason[256];
    flow->rank = value->rank;
    flow->node = (uint32_t)(node - lowering->nodes);
    flow->is_rows = sow_node_makes_rows(node, &lowering->network);
    for (uint32_t i = 0; i < value->rank; i++) {
        flow->shape[i] = value->shape[i];
        if (value->symbol[i] != NULL &&
            !sow_size_of_symbol(value->symbol[i], &lowering->network, &lowering->options,
                                &flow->shape[i], reason)) {
            return sow_node_fail(node, SOW_E_ARGUMENT, error,
                                 "size %u of what it makes, %.80s, has no number: %s", i + 1,
                                 value->symbol[i], reason);
        }
        if (flow->shape[i] == 0 || flow->shape[i] > SOW_SIZE_MAX) {
            return sow_node_fail(node, SOW_E_SHAPE, error, "size %u of what it makes is %llu",
                                 i + 1, (unsigned long long)flow->shape[i]);
        }
    }
    if (sow_product_u64(flow->shape, flow->rank, &flow->elements)) {
        return sow_node_fail(node, SOW_E_SHAPE, error, "what it makes has over 2^64 elements");
    }
    return SOW_OK;
}

/* The model's expression as the network's own, which is one for all nodes. */
static enum sow_status own_function(struct lowering *lowering, struct sow_function *function,
                                    struct sow_error *error)
{
    struct owned *at = lowering->owned;
    while (at != NULL && !sow_function_same(&at->function, function)) {
        at = at->next;
    }
    if (at == NULL) {
        at = sow_arena_take(&lowering->arena, sizeof *at);
        if (at == NULL) {
            return sow_fail(error, SOW_E_MEMORY, "out of memory");
        }
        at->program = *(const struct sow_expression_program *)function->user;
        at->function = sow_expression_move(function, &at->program);
        at->next = lowering->owned;
        lowering->owned = at;
    }
    *function = at->function;
    return SOW_OK;
}

static enum sow_status take_node(struct lowering *lowering, size_t index, struct sow_error *error)
{
    const struct sow_operation *operation = &lowering->graph->operations[index];
    struct sow_node *node = &lowering->nodes[index];
    const char *scope = operation->scope != NULL ? operation->scope : "";
    const char *file = operation->file != NULL ? operation->file : "";
    char wanted[2200];
    enum sow_status status = find_op(operation, &node->op, error);
    if (status == SOW_OK) {
        status = copy_lists(lowering, node, operation, error);
    }
    if (status != SOW_OK) {
        return status;
    }
    node->output = operation->output;
    node->layer = operation->layer;
    node->line = operation->line;
    size_t length = strlen(scope); /* with the dot before what follows */
    node->scope = sow_arena_copy(&lowering->arena, scope, length > 0 ? length - 1 : 0);
    node->file = sow_arena_copy(&lowering->arena, file, strlen(file));
    node->at.std = 1;
    node->at.groups = 1;
    node->at.zero_row = operation->parameter_count > 0
                            ? lowering->graph->parameters[operation->parameters[0]].zero_row
                            : -1;
    node->name = operation->kind;
    if (node->scope == NULL || node->file == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory");
    }
    wanted_name(lowering, operation, node, wanted);
    node->name = wanted; /* for messages, until it has one of its own */
    status = check_lists(node, error);
    for (uint32_t i = 0; i < operation->attribute_count && status == SOW_OK; i++) {
        status = sow_node_attribute(node, lowering->graph, operation, &operation->attributes[i],
                                    &lowering->arena, error);
        if (status == SOW_OK && sow_is_expression(&node->at.function)) {
            status = own_function(lowering, &node->at.function, error);
        }
    }
    if (status != SOW_OK) {
        return status;
    }
    if (node->op == SOW_OP_INPUT && lowering->options.input != NULL) {
        node->at.mean = lowering->options.input->mean;
        node->at.std = lowering->options.input->std;
        node->at.correlation = lowering->options.input->place_correlation;
        node->at.sample_correlation = lowering->options.input->sample_correlation;
    }
    wanted_name(lowering, operation, node, wanted);
    node->name = unique_name(lowering, wanted);
    if (node->name == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory");
    }
    status = take_flow(lowering, node, error);
    return status == SOW_OK ? sow_node_shape(node, &lowering->network, lowering->plan, error)
                            : status;
}

/* ---- The whole ----------------------------------------------------------------------------------- */

/* The rows of the smallest embedding that positions() goes into; UINT64_MAX when there is none. */
static uint64_t position_count(const struct sow_graph *graph)
{
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < graph->operation_count; i++) {
        const struct sow_operation *operation = &graph->operations[i];
        if (strcmp(operation->kind, "embedding") != 0 || operation->parameter_count == 0 ||
            operation->input_count == 0) {
            continue;
        }
        uint32_t maker = graph->values[operation->inputs[0]].operation;
        if (strcmp(graph->operations[maker].kind, "positions") == 0) {
            uint64_t rows = graph->parameters[operation->parameters[0]].tensor->shape[0];
            least = rows < least ? rows : least;
        }
    }
    return least;
}

/* Whether some size of the graph is open and speaks of the symbol. */
static int leaves_open(const struct sow_graph *graph, const char *symbol)
{
    for (size_t i = 0; i < graph->value_count; i++) {
        for (uint32_t axis = 0; axis < graph->values[i].rank; axis++) {
            const char *text = graph->values[i].symbol[axis];
            if (text != NULL && sow_size_mentions(text, symbol)) {
                return 1;
            }
        }
    }
    return 0;
}

static enum sow_status choose_sizes(struct lowering *lowering, struct sow_error *error)
{
    struct sow_network *network = &lowering->network;
    const struct sow_signal_options *options = &lowering->options;
    uint64_t positions = position_count(lowering->graph);
    network->batch = options->batch > 0 ? options->batch : BATCH_DEFAULT;
    network->tokens = options->tokens > 0          ? options->tokens
                      : positions < TOKENS_DEFAULT ? positions
                                                   : TOKENS_DEFAULT;
    if (network->batch > SOW_SIZE_MAX || network->tokens > SOW_SIZE_MAX) {
        return sow_fail(error, SOW_E_ARGUMENT, "batch and tokens are at most 2^40");
    }
    if (network->tokens > positions) {
        return sow_fail(error, SOW_E_ARGUMENT,
                        "%llu tokens are more than the %llu positions of the model",
                        (unsigned long long)network->tokens, (unsigned long long)positions);
    }
    for (size_t i = 0; i < options->size_count; i++) {
        if (options->sizes[i].size < 1 || options->sizes[i].size > SOW_SIZE_MAX) {
            return sow_fail(error, SOW_E_ARGUMENT, "the size of %.60s must be 1 to 2^40",
                            options->sizes[i].symbol);
        }
        if (!leaves_open(lowering->graph, options->sizes[i].symbol)) {
            return sow_fail(error, SOW_E_ARGUMENT,
                            "the model leaves no size open that is called %.60s; its recipe names "
                            "those it does in input { ... }",
                            options->sizes[i].symbol);
        }
    }
    return SOW_OK;
}

static enum sow_status take_memory(struct lowering *lowering, struct sow_error *error)
{
    const struct sow_graph *graph = lowering->graph;
    size_t names = 64;
    while (names < 4 * graph->operation_count) {
        names *= 2;
    }
    lowering->arena.bytes_max = BYTES_MAX;
    lowering->nodes =
        sow_arena_take(&lowering->arena, graph->operation_count * sizeof *lowering->nodes + 1);
    lowering->flows =
        sow_arena_take(&lowering->arena, graph->value_count * sizeof *lowering->flows + 1);
    lowering->outputs =
        sow_arena_take(&lowering->arena, graph->value_count * sizeof *lowering->outputs + 1);
    lowering->names = calloc(names, sizeof *lowering->names);
    lowering->name_capacity = names;
    if (lowering->nodes == NULL || lowering->flows == NULL || lowering->outputs == NULL ||
        lowering->names == NULL) {
        return sow_fail(error, SOW_E_MEMORY,
                        "the graph of %zu operations is too large to follow signals through: "
                        "at most %llu MiB are taken",
                        graph->operation_count, (unsigned long long)(BYTES_MAX >> 20));
    }
    lowering->network.nodes = lowering->nodes;
    lowering->network.flows = lowering->flows;
    lowering->network.outputs = lowering->outputs;
    lowering->network.flow_count = graph->value_count;
    return SOW_OK;
}

static void count_uses(struct lowering *lowering)
{
    struct sow_network *network = &lowering->network;
    for (size_t i = 0; i < network->node_count; i++) {
        for (uint32_t k = 0; k < network->nodes[i].input_count; k++) {
            lowering->flows[network->nodes[i].inputs[k]].uses++;
        }
    }
    for (size_t i = 0; i < network->flow_count; i++) {
        if (network->flows[i].uses == 0) {
            lowering->outputs[network->output_count++] = (uint32_t)i;
        }
    }
}

enum sow_status sow_network_make(const struct sow_model *model, const struct sow_plan *plan,
                                 const struct sow_signal_options *options,
                                 struct sow_network **network, struct sow_error *error)
{
    struct lowering *lowering = calloc(1, sizeof *lowering);
    if (lowering == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory");
    }
    lowering->graph = sow_model_graph(model);
    lowering->plan = plan;
    if (options != NULL) {
        lowering->options = *options;
    }
    enum sow_status status = SOW_OK;
    if (lowering->graph->operation_count == 0) {
        status = sow_fail(error, SOW_E_UNSUPPORTED,
                          "the description has no graph of operations, so nothing is known about "
                          "its signals; a config.json of a known family or a model.lua has one");
    } else if (sow_plan_count(plan) != lowering->graph->parameter_count) {
        status = sow_fail(error, SOW_E_ARGUMENT, "the plan is not one of this model");
    } else {
        status = choose_sizes(lowering, error);
    }
    if (status == SOW_OK) {
        status = take_memory(lowering, error);
    }
    for (size_t i = 0; status == SOW_OK && i < lowering->graph->operation_count; i++) {
        status = take_node(lowering, i, error);
        lowering->network.node_count = i + 1;
    }
    free(lowering->names);
    if (status != SOW_OK) {
        sow_network_free(&lowering->network);
        return status;
    }
    count_uses(lowering);
    *network = &lowering->network;
    return SOW_OK;
}

uint64_t sow_network_classes(const struct sow_network *network)
{
    if (network->output_count == 0) {
        return 0;
    }
    const struct sow_flow *flow = &network->flows[network->outputs[network->output_count - 1]];
    const struct sow_node *node = &network->nodes[flow->node];
    uint64_t classes = flow->rank > 1 ? flow->shape[flow->rank - 1] : 0;
    while (node->op == SOW_OP_SCALE) {
        node = &network->nodes[network->flows[node->inputs[0]].node];
    }
    return node->op == SOW_OP_LINEAR && classes >= 2 ? classes : 0;
}

void sow_network_free(struct sow_network *network)
{
    struct lowering *lowering = (struct lowering *)(void *)network; /* its first member */
    if (lowering != NULL) {
        sow_arena_free(&lowering->arena);
        free(lowering);
    }
}
