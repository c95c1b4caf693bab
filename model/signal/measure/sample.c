/* SPDX-License-Identifier: MIT */
/* How much of a large network is measured: what all of it would take is told beforehand, by the same walk that a run
 * makes, but without numbers. What is beyond the limits is cut down in one order: shorter sequences, fewer samples, fewer
 * layers. Nothing here asks the machine, so that everybody measures the same part. Values are kept for the way back, not
 * computed again: where memory is short, time is shorter (of GPT-2 XL 1.4 times the limit and 2.1 times). */
#include "model/signal/measure/sample.h"

#include "model/signal/measure/round.h"
#include "model/signal/measure/source.h"
#include "sow/measure.h"

#define OPERATIONS   1e13 /* some minutes on two cores */
#define TOKENS_LEAST 64u
#define BATCH_LEAST  2u /* two samples tell how alike samples are */

/* What else than products costs time, in operations: an element of a weight is drawn twice, and looked at, as is its
 * gradient; an element of a value is looked at from several sides. Measured on x86-64 with AVX2. */
#define OF_WEIGHT 500.0
#define OF_VALUE  200.0

/* ---- Cost ------------------------------------------------------------------------------------- */

/* Places at which the weights of a node are used. */
static double places_of(const struct sow_node *node, const struct sow_network *network)
{
    const struct sow_flow *out = &network->flows[node->output];
    const struct sow_flow *in = node->input_count > 0 ? &network->flows[node->inputs[0]] : out;
    const struct sow_flow *by = node->op == SOW_OP_CONV_TRANSPOSE ? in : out;
    int is_image = node->op == SOW_OP_CONV || node->op == SOW_OP_CONV_TRANSPOSE;
    uint64_t features = by->rank == 0           ? 1
                        : is_image              ? by->shape[1]
                        : node->at.outputs == 0 ? by->shape[by->rank - 1]
                                                : node->at.outputs;
    return features > 0 ? (double)by->elements / (double)features : 0;
}

static int is_product(enum sow_op op)
{
    return op >= SOW_OP_LINEAR && op <= SOW_OP_GRU_CELL && op != SOW_OP_EMBEDDING;
}

/* Logits and what they weigh: both products take query times key times the size of a head. */
static double attention_of(const struct sow_node *node, const struct sow_network *network)
{
    const struct sow_flow *out = &network->flows[node->output];
    const struct sow_flow *key = &network->flows[node->inputs[node->input_count > 1 ? 1 : 0]];
    double keys = key->rank > 2 ? (double)key->shape[key->rank - 2] : 1;
    return 2 * (double)out->elements * keys;
}

/* A multiplication with its addition is two; what goes forward once goes backward twice. */
static void count(const struct sow_network *network, const struct sow_plan *plan,
                  struct sow_measure_cost *cost)
{
    double products = 0, rest = 0;
    for (size_t n = 0; n < network->node_count; n++) {
        const struct sow_node *node = &network->nodes[n];
        double places = places_of(node, network);
        rest += OF_VALUE * (double)network->flows[node->output].elements;
        for (uint32_t p = 0; p < node->parameter_count; p++) {
            double elements = (double)sow_plan_at(plan, node->parameters[p])->elements;
            rest += OF_WEIGHT * elements;
            products += is_product(node->op) ? 6 * places * elements : 0;
        }
        products += node->op == SOW_OP_ATTENTION ? 6 * attention_of(node, network) : 0;
    }
    cost->products = products;
    cost->operations = products + rest;
}

static enum sow_status cost_of(const struct sow_network *network, const struct sow_plan *plan,
                               uint32_t layers, struct sow_measure_cost *cost,
                               struct sow_error *error)
{
    struct sow_part part;
    sow_part_make(network, layers, &part);
    count(&part.followed, plan, cost);
    return sow_round_estimate(&part.followed, plan, &cost->memory_bytes, error);
}

/* ---- Choice ----------------------------------------------------------------------------------- */

void sow_part_make(const struct sow_network *network, uint32_t layers, struct sow_part *part)
{
    size_t count = network->node_count, end = 0;
    uint32_t all = 0;
    for (size_t i = 0; i < count; i++) {
        int32_t layer = network->nodes[i].layer;
        all = layer >= 0 && (uint32_t)layer >= all ? (uint32_t)layer + 1 : all;
    }
    part->followed = *network;
    part->layers = part->layers_all = all;
    if (layers == 0 || layers >= all) {
        return;
    }
    while (end < count && network->nodes[end].layer < (int32_t)layers) {
        end++;
    }
    part->end = network->nodes[end > 0 ? end - 1 : 0].output;
    part->followed.node_count = end > 0 ? end : 1;
    part->followed.outputs = &part->end;
    part->followed.output_count = 1;
    part->layers = layers;
}

struct choice {
    const struct sow_model *model;
    const struct sow_plan *plan;
    struct sow_signal_options signal; /* with what was chosen so far */
    struct sow_measure_cost limits;
    struct sow_measure_sample *sample;
    struct sow_network *network; /* of these sizes */
    struct sow_error *error;
};

static int fits(const struct choice *choice)
{
    const struct sow_measure_cost *cost = &choice->sample->cost;
    return cost->memory_bytes <= choice->limits.memory_bytes &&
           cost->operations <= choice->limits.operations;
}

/* The network with these sizes, and what its first `layers` cost. */
static enum sow_status look(struct choice *choice, uint64_t batch, uint64_t tokens, uint32_t layers)
{
    choice->signal.batch = batch;
    choice->signal.tokens = tokens;
    sow_network_free(choice->network);
    choice->network = NULL;
    enum sow_status status = sow_network_make(choice->model, choice->plan, &choice->signal,
                                              &choice->network, choice->error);
    if (status == SOW_OK) {
        choice->sample->batch = choice->network->batch;
        choice->sample->tokens = choice->network->tokens;
        status =
            cost_of(choice->network, choice->plan, layers, &choice->sample->cost, choice->error);
    }
    return status;
}

static int has(const struct sow_network *network, enum sow_op op)
{
    for (size_t n = 0; n < network->node_count; n++) {
        if (network->nodes[n].op == op) {
            return 1;
        }
    }
    return 0;
}

/* Halves tokens, then samples; what changes nothing is left as it was. A batch norm needs its samples. */
static enum sow_status shorten(struct choice *choice, const struct sow_signal_options *given,
                               uint32_t layers)
{
    struct sow_measure_sample *sample = choice->sample;
    enum sow_status status = SOW_OK;
    uint64_t tokens = sample->tokens;
    double before = sample->cost.operations;
    while (status == SOW_OK && given->tokens == 0 && !fits(choice) &&
           sample->tokens / 2 >= TOKENS_LEAST) {
        status = look(choice, sample->batch, sample->tokens / 2, layers);
    }
    if (status == SOW_OK && sample->tokens != tokens && !(sample->cost.operations < before)) {
        status = look(choice, sample->batch, tokens, layers);
    }
    while (status == SOW_OK && given->batch == 0 && !fits(choice) &&
           sample->batch / 2 >= BATCH_LEAST && !has(choice->network, SOW_OP_BATCH_NORM)) {
        status = look(choice, sample->batch / 2, sample->tokens, layers);
    }
    return status;
}

/* The most first layers that fit, one at least. */
static enum sow_status cut(struct choice *choice)
{
    struct sow_measure_sample *sample = choice->sample;
    uint32_t low = 1, high = sample->layers_all - 1; /* `low` fits, or is the least there is */
    enum sow_status status = SOW_OK;
    while (low < high && status == SOW_OK) {
        uint32_t middle = high - (high - low) / 2;
        status = cost_of(choice->network, choice->plan, middle, &sample->cost, choice->error);
        if (fits(choice)) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    sample->layers = low;
    return status == SOW_OK
               ? cost_of(choice->network, choice->plan, low, &sample->cost, choice->error)
               : status;
}

enum sow_status sow_measure_choose(const struct sow_model *model, const struct sow_plan *plan,
                                   const struct sow_signal_options *signal,
                                   const struct sow_measure_options *options,
                                   struct sow_measure_sample *sample, struct sow_error *error)
{
    static const struct sow_signal_options no_signal;
    static const struct sow_measure_options no_options;
    const struct sow_signal_options *given = signal != NULL ? signal : &no_signal;
    struct sow_part part;
    options = options != NULL ? options : &no_options;
    struct choice choice = {
        .model = model,
        .plan = plan,
        .signal = *given,
        .limits = {options->memory_bytes > 0 ? options->memory_bytes : SOW_MEASURE_BYTES,
                   OPERATIONS, OPERATIONS},
        .sample = sample,
        .error = error,
    };
    *sample = (struct sow_measure_sample){.limits = choice.limits};
    enum sow_status status = look(&choice, given->batch, given->tokens, options->layers);
    if (status == SOW_OK) {
        sow_part_make(choice.network, options->layers, &part);
        sample->layers = part.layers;
        sample->layers_all = part.layers_all;
        sample->layers_asked = options->layers > 0;
        sample->batch_all = sample->batch;
        sample->tokens_all = sample->tokens;
        sample->cost_all = sample->cost;
        status = shorten(&choice, given, options->layers);
    }
    if (status == SOW_OK && options->layers == 0 && !fits(&choice) && sample->layers_all > 1) {
        status = cut(&choice);
    }
    sow_network_free(choice.network);
    return status;
}
