/* SPDX-License-Identifier: MIT */
/* Room for what is kept of the steps, and sums over seeds made into means. */
#include <math.h> /* NAN: macro */
#include <stdlib.h>
#include <string.h>

#include "core/base/elementary.h"
#include "core/base/error.h"
#include "model/signal/learn/learn.h"

static size_t name_bytes(const struct sow_network *network, const struct sow_plan *plan)
{
    size_t bytes = 1;
    for (size_t i = 0; i < network->node_count; i++) {
        bytes += strlen(network->nodes[i].name) + 1;
    }
    for (size_t i = 0; i < sow_plan_count(plan); i++) {
        bytes += strlen(sow_plan_at(plan, i)->name) + 1;
    }
    return bytes;
}

static const char *copy(char **to, const char *name)
{
    char *at = *to;
    size_t bytes = strlen(name) + 1;
    memcpy(at, name, bytes);
    *to += bytes;
    return at;
}

static void mark(struct sow_learning *l, const struct sow_network *network)
{
    l->values[network->flows[network->outputs[network->output_count - 1]].node].is_output = 1;
    for (size_t i = 0; i < network->node_count; i++) {
        const struct sow_node *node = &network->nodes[i];
        const struct sow_flow *in =
            node->op == SOW_OP_SCALE ? &network->flows[node->inputs[0]] : NULL;
        if (in != NULL && in->uses == 1) {
            l->values[in->node].is_scaled = 1;
        }
    }
}

static void describe(struct sow_learning *l, const struct sow_network *network,
                     const struct sow_plan *plan, size_t times)
{
    char *to = l->names;
    for (size_t i = 0; i < l->value_count; i++) {
        const struct sow_node *node = &network->nodes[i];
        l->values[i] = (struct sow_learned_value){.name = copy(&to, node->name),
                                                  .word = sow_op_word(node->op),
                                                  .layer = node->layer,
                                                  .change = l->changes + i * times,
                                                  .change_rms = l->squares + i * times};
    }
    mark(l, network);
    for (size_t i = 0; i < l->weight_count; i++) {
        const struct sow_plan_entry *entry = sow_plan_at(plan, i);
        l->weights[i] = (struct sow_learned_weight){.name = copy(&to, entry->name),
                                                    .layer = entry->layer,
                                                    .ratio = l->ratios + i * times,
                                                    .moves = -1};
    }
}

enum sow_status sow_learning_new(const struct sow_network *network, const struct sow_plan *plan,
                                 uint32_t steps, struct sow_learning **learning,
                                 struct sow_error *error)
{
    size_t times = (size_t)steps + 1, nodes = network->node_count, entries = sow_plan_count(plan);
    struct sow_learning *l = *learning = calloc(1, sizeof *l);
    if (l == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory");
    }
    l->values = calloc(nodes + 1, sizeof *l->values);
    l->weights = calloc(entries + 1, sizeof *l->weights);
    l->losses = calloc(times, sizeof *l->losses);
    l->reached = calloc(times, sizeof *l->reached);
    l->sizes = calloc(2 * nodes + 1, sizeof *l->sizes);
    l->changes = calloc(nodes * times + 1, sizeof *l->changes);
    l->squares = calloc(nodes * times + 1, sizeof *l->squares);
    l->ratios = calloc(entries * times + 1, sizeof *l->ratios);
    l->used = calloc(entries * times + 1, sizeof *l->used);
    l->names = malloc(name_bytes(network, plan));
    if (l->values == NULL || l->weights == NULL || l->losses == NULL || l->reached == NULL ||
        l->sizes == NULL || l->changes == NULL || l->squares == NULL || l->ratios == NULL ||
        l->used == NULL || l->names == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory for the numbers of %u steps", steps);
    }
    l->value_count = nodes;
    l->weight_count = entries;
    l->report = (struct sow_learning_report){.steps = steps,
                                             .classes = sow_network_classes(network),
                                             .loss = l->losses,
                                             .batch = network->batch,
                                             .tokens = network->tokens};
    describe(l, network, plan, times);
    return SOW_OK;
}

static double mean_of(double sum, uint32_t count)
{
    return count > 0 ? sum / count : NAN;
}

static void finish_value(struct sow_learning *l, size_t i, size_t times)
{
    struct sow_learned_value *value = &l->values[i];
    value->size = mean_of(l->sizes[2 * i], l->reached[0]);
    value->rms = sow_sqrt(mean_of(l->sizes[2 * i + 1], l->reached[0]));
    for (size_t t = 0; t < times; t++) {
        size_t at = i * times + t;
        l->changes[at] = mean_of(l->changes[at], l->reached[t]);
        l->squares[at] = sow_sqrt(mean_of(l->squares[at], l->reached[t]));
    }
}

void sow_learning_finish(struct sow_learning *l)
{
    size_t times = (size_t)l->report.steps + 1, kept = 0;
    for (size_t i = 0; i < l->value_count; i++) {
        finish_value(l, i, times);
    }
    for (size_t i = 0; i < l->weight_count; i++) {
        struct sow_learned_weight *weight = &l->weights[i];
        for (size_t t = 0; t < times; t++) {
            size_t at = i * times + t;
            l->ratios[at] = mean_of(l->ratios[at], l->used[at]);
        }
        if (!isnan(weight->rms)) {
            weight->rms = sow_sqrt(weight->rms / (l->report.seeds > 0 ? l->report.seeds : 1));
            l->weights[kept++] = *weight;
        }
    }
    l->weight_count = kept;
    for (size_t t = 0; t < times; t++) {
        l->losses[t] = mean_of(l->losses[t], l->reached[t]);
        l->report.done = l->reached[t] > 0 ? (uint32_t)t : l->report.done;
    }
}

void sow_learning_free(struct sow_learning *l)
{
    if (l != NULL) {
        free(l->values);
        free(l->weights);
        free(l->losses);
        free(l->reached);
        free(l->sizes);
        free(l->changes);
        free(l->squares);
        free(l->ratios);
        free(l->used);
        free(l->names);
        free(l);
    }
}

const struct sow_learned_value *sow_learned_value_at(const struct sow_learning *learning,
                                                     size_t index)
{
    return index < learning->value_count ? &learning->values[index] : NULL;
}

const struct sow_learned_weight *sow_learned_weight_at(const struct sow_learning *learning,
                                                       size_t index)
{
    return index < learning->weight_count ? &learning->weights[index] : NULL;
}

const struct sow_learning_report *sow_learning_report(const struct sow_learning *learning)
{
    return &learning->report;
}
