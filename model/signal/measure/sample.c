/* SPDX-License-Identifier: MIT */
/* How much of a large network is measured: what all of it would take is told beforehand, by the same walk that a run
 * makes, but without numbers. What is beyond the limits is cut down in one order: shorter sequences, fewer samples, fewer
 * layers. Nothing here asks the machine, so that everybody measures the same part. Values are kept for the way back, not
 * computed again: where memory is short, time is shorter (of GPT-2 XL 1.4 times the limit and 2.1 times). */
#include "model/signal/measure/sample.h"

#include "core/base/error.h"
#include "model/signal/measure/jacobian.h"
#include "model/signal/measure/machine.h"
#include "model/signal/measure/round.h"
#include "model/signal/measure/source.h"
#include "sow/curves.h"
#include "sow/measure.h"

#define OPERATIONS    1e13 /* some minutes on two cores */
#define TOKENS_LEAST  64u
#define TOKENS_OF_ROW 16u /* of a Jacobian: every row is a sequence */
#define BATCH_LEAST   2u  /* two samples tell how alike samples are */
#define ROWS_LEAST    8u  /* random cotangents: 28 pairs */
#define PATIENCE      1e14 /* of learning, which cannot be cut down further: some quarter of an hour */

/* What else than products costs time, in operations: an element of a weight is drawn twice, and looked at, as is its
 * gradient; an element of a value is looked at from several sides. Measured on x86-64 with AVX2. */
#define OF_WEIGHT 500.0
#define OF_VALUE  200.0

struct choice {
    struct sow_measure_work work;
    const struct sow_model *model;
    const struct sow_plan *plan;
    struct sow_signal_options signal; /* with what was chosen so far */
    struct sow_measure_cost limits;
    struct sow_measure_sample *sample;
    struct sow_network *network; /* of these sizes */
    struct sow_error *error;
};

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

/* What there is to do, counted once: a multiplication with its addition is two. */
struct tally {
    double products, weights, values; /* forward; elements */
};

static struct tally tally_of(const struct sow_network *network, const struct sow_plan *plan)
{
    struct tally tally = {0, 0, 0};
    for (size_t n = 0; n < network->node_count; n++) {
        const struct sow_node *node = &network->nodes[n];
        double places = places_of(node, network);
        tally.values += (double)network->flows[node->output].elements;
        for (uint32_t p = 0; p < node->parameter_count; p++) {
            double elements = (double)sow_plan_at(plan, node->parameters[p])->elements;
            tally.weights += elements;
            tally.products += is_product(node->op) ? 2 * places * elements : 0;
        }
        tally.products += node->op == SOW_OP_ATTENTION ? 2 * attention_of(node, network) : 0;
    }
    return tally;
}

/* A row is a sample that goes forward and back, or where samples are tied a batch; weights are drawn anew in every pass. */
static void jacobian_cost(const struct sow_network *network, const struct tally *tally, double rows,
                          struct sow_measure_cost *cost)
{
    int is_tied = sow_jacobian_ties(network, (uint32_t)network->node_count - 1);
    double sent = is_tied ? rows : rows / (double)network->batch, passes = rows;
    if (!is_tied) {
        uint64_t copies = sow_jacobian_copies(network, (uint64_t)rows);
        passes = (double)(((uint64_t)rows + copies - 1) / copies);
    }
    cost->products = 2 * sent * tally->products;
    cost->operations = cost->products + passes * OF_WEIGHT / 2 * tally->weights +
                       sent * OF_VALUE / 2 * tally->values;
}

/* What goes forward once goes backward twice, for the gradients of values and of weights. */
static enum sow_status cost_of(const struct choice *choice, uint32_t layers,
                               struct sow_measure_cost *cost)
{
    struct sow_part part;
    sow_part_make(choice->network, layers, &part);
    const struct sow_network *network = &part.followed;
    struct tally tally = tally_of(network, choice->plan);
    double times = (double)choice->sample->times, rest;
    enum sow_status status =
        sow_round_estimate(network, choice->plan, &cost->memory_bytes, choice->error);
    switch (choice->work.what) {
    case SOW_MEASURE_JACOBIAN:
        jacobian_cost(network, &tally, times, cost);
        cost->memory_bytes /= network->batch > 0 ? network->batch : 1; /* one copy will do */
        return status;
    case SOW_MEASURE_CURVES:
        times = SOW_CURVE_PAIRS + SOW_CURVE_SCALES;
        cost->products = times * tally.products;
        rest = times * (OF_WEIGHT * tally.weights + OF_VALUE * tally.values) / 2;
        break;
    case SOW_MEASURE_STEPS:
        cost->products = 3 * times * tally.products;
        rest = times * (OF_WEIGHT * tally.weights + OF_VALUE * tally.values) / 2;
        cost->memory_bytes +=
            (uint64_t)(sizeof(float) * (choice->work.held * tally.weights + tally.values));
        break;
    default:
        cost->products = 3 * tally.products;
        rest = OF_WEIGHT * tally.weights + OF_VALUE * tally.values;
        break;
    }
    cost->operations = cost->products + rest;
    return status;
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
        status = cost_of(choice, layers, &choice->sample->cost);
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
    int is_jacobian = choice->work.what == SOW_MEASURE_JACOBIAN;
    uint64_t least = is_jacobian ? TOKENS_OF_ROW : TOKENS_LEAST;
    while (status == SOW_OK && given->tokens == 0 && !fits(choice) && sample->tokens / 2 >= least) {
        status = look(choice, sample->batch, sample->tokens / 2, layers);
    }
    if (status == SOW_OK && sample->tokens != tokens && !(sample->cost.operations < before)) {
        status = look(choice, sample->batch, tokens, layers);
    }
    while (status == SOW_OK && is_jacobian && layers == 0 && !fits(choice) &&
           sample->times / 2 >= ROWS_LEAST) {
        sample->times /= 2;
        status = cost_of(choice, layers, &sample->cost);
    }
    while (status == SOW_OK && !is_jacobian && given->batch == 0 && !fits(choice) &&
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
        status = cost_of(choice, middle, &sample->cost);
        if (fits(choice)) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    sample->layers = low;
    return status == SOW_OK ? cost_of(choice, low, &sample->cost) : status;
}

static enum sow_status choose_layers(struct choice *choice, const struct sow_signal_options *given,
                                     uint32_t layers)
{
    struct sow_measure_sample *sample = choice->sample;
    struct sow_part part;
    sow_part_make(choice->network, layers, &part);
    sample->layers = part.layers;
    sample->layers_all = part.layers_all;
    sample->layers_asked = layers > 0;
    sample->batch_all = sample->batch;
    sample->tokens_all = sample->tokens;
    sample->cost_all = sample->cost;
    enum sow_status status = shorten(choice, given, layers);
    if (status == SOW_OK && layers == 0 && !fits(choice) && sample->layers_all > 1 &&
        choice->work.what != SOW_MEASURE_STEPS) {
        status = cut(choice);
    }
    return status;
}

/* Learning needs all of its weights at once. */
static enum sow_status check_steps(const struct choice *choice, uint64_t memory_bytes)
{
    const struct sow_measure_sample *sample = choice->sample;
    struct tally tally = tally_of(choice->network, choice->plan);
    double held = sizeof(float) * choice->work.held * tally.weights;
    double ceiling = (double)sow_memory_ceiling(memory_bytes);
    if (held > ceiling) {
        return sow_fail(
            choice->error, SOW_E_MEMORY,
            "steps of learning hold all weights%s, %.1f GB, and %.1f GB are allowed: give "
            "the model fewer layers%s or allow more (--memory)",
            choice->work.held > 1 ? " and the moments of Adam" : "", held / 1e9, ceiling / 1e9,
            choice->work.held > 1 ? ", take --optimizer sgd," : "");
    }
    if (sample->cost.operations > PATIENCE && !sample->layers_asked) {
        return sow_fail(
            choice->error, SOW_E_UNSUPPORTED,
            "%u steps of learning take %.1e operations, with no more than %llu samples%s, "
            "and 1e14 are allowed, about a quarter of an hour on two cores: take fewer "
            "(--steps), give the model fewer layers, or say --layers all and wait",
            sample->times, sample->cost.operations, (unsigned long long)sample->batch,
            sample->tokens < sample->tokens_all ? " of 64 tokens" : "");
    }
    return SOW_OK;
}

enum sow_status sow_measure_choose_for(const struct sow_measure_work *work,
                                       const struct sow_model *model, const struct sow_plan *plan,
                                       const struct sow_signal_options *signal,
                                       const struct sow_measure_options *options,
                                       struct sow_measure_sample *sample, struct sow_error *error)
{
    static const struct sow_signal_options no_signal;
    static const struct sow_measure_options no_options;
    const struct sow_signal_options *given = signal != NULL ? signal : &no_signal;
    options = options != NULL ? options : &no_options;
    struct choice choice = {
        .work = *work,
        .model = model,
        .plan = plan,
        .signal = *given,
        .limits = {options->memory_bytes > 0 ? options->memory_bytes : SOW_MEASURE_BYTES,
                   OPERATIONS, OPERATIONS},
        .sample = sample,
        .error = error,
    };
    *sample = (struct sow_measure_sample){.limits = choice.limits, .times = 1};
    sample->times = work->what == SOW_MEASURE_JACOBIAN ? SOW_JACOBIAN_RANDOM
                    : work->what == SOW_MEASURE_STEPS  ? work->steps
                                                       : 1;
    sample->times_all = sample->times;
    uint64_t batch = given->batch + (work->what == SOW_MEASURE_CURVES ? given->batch % 2 : 0);
    enum sow_status status = look(&choice, batch, given->tokens, options->layers);
    if (status == SOW_OK && work->what == SOW_MEASURE_CURVES &&
        !has(choice.network, SOW_OP_INPUT)) {
        status = sow_fail(error, SOW_E_UNSUPPORTED,
                          "the network reads tokens; pairs of inputs at known angles need an input "
                          "of numbers");
    }
    status = status == SOW_OK ? choose_layers(&choice, given, options->layers) : status;
    if (status == SOW_OK && work->what == SOW_MEASURE_STEPS) {
        status = check_steps(&choice, options->memory_bytes);
    }
    sow_network_free(choice.network);
    return status;
}

enum sow_status sow_measure_choose(const struct sow_model *model, const struct sow_plan *plan,
                                   const struct sow_signal_options *signal,
                                   const struct sow_measure_options *options,
                                   struct sow_measure_sample *sample, struct sow_error *error)
{
    const struct sow_measure_work work = {.what = SOW_MEASURE_SIGNALS};
    return sow_measure_choose_for(&work, model, plan, signal, options, sample, error);
}
