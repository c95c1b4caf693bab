/* SPDX-License-Identifier: MIT */
/* Which values a Jacobian is of, and which part of them. */
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "model/signal/measure/jacobian.h"
#include "model/signal/measure/source.h"

/* Marks what depends on `flow`, itself included. Returns NULL when there is no memory. */
static unsigned char *dependents(const struct sow_network *network, uint32_t flow)
{
    unsigned char *marks = calloc(network->flow_count + 1, 1);
    for (size_t n = 0; n < network->node_count && marks != NULL; n++) {
        const struct sow_node *node = &network->nodes[n];
        marks[node->output] |= node->output == flow;
        for (uint32_t i = 0; i < node->input_count; i++) {
            marks[node->output] |= marks[node->inputs[i]];
        }
    }
    return marks;
}

static const struct sow_node *named(const struct sow_network *network, const char *name)
{
    for (size_t n = 0; n < network->node_count; n++) {
        if (strcmp(network->nodes[n].name, name) == 0) {
            return &network->nodes[n];
        }
    }
    return NULL;
}

static const struct sow_node *first_of(const struct sow_network *network, enum sow_op op)
{
    for (size_t n = 0; n < network->node_count; n++) {
        if (network->nodes[n].op == op) {
            return &network->nodes[n];
        }
    }
    return NULL;
}

/* What the first layer of weights after the embedding reads; SOW_NO_INDEX when there is none. */
static enum sow_status after_embedding(const struct sow_network *network, uint32_t *flow,
                                       struct sow_error *error)
{
    const struct sow_node *embedding = first_of(network, SOW_OP_EMBEDDING);
    *flow = SOW_NO_INDEX;
    if (embedding == NULL) {
        return SOW_OK;
    }
    unsigned char *marks = dependents(network, embedding->output);
    if (marks == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory");
    }
    for (size_t n = 0; n < network->node_count && *flow == SOW_NO_INDEX; n++) {
        const struct sow_node *node = &network->nodes[n];
        if (node->parameter_count > 0 && node != embedding && node->input_count > 0 &&
            marks[node->inputs[0]]) {
            *flow = node->inputs[0];
        }
    }
    free(marks);
    return SOW_OK;
}

static double taps_of(const struct sow_node *node, uint64_t channels)
{
    double taps = (double)channels / (double)(node->at.groups > 0 ? node->at.groups : 1);
    for (uint64_t i = 0; i < node->at.spatial; i++) {
        taps *= (double)node->at.kernel[i];
    }
    return taps;
}

/* Multiplications with weights, forward, of all samples, of nodes up to `last`. */
static double work_of(const struct sow_network *network, uint32_t last)
{
    double work = 0;
    for (uint32_t n = 0; n <= last; n++) {
        const struct sow_node *node = &network->nodes[n];
        const struct sow_op_attributes *at = &node->at;
        double out = (double)network->flows[node->output].elements;
        double in = node->input_count > 0 ? (double)network->flows[node->inputs[0]].elements : 0;
        if (node->op == SOW_OP_LINEAR) {
            work += out * (double)at->inputs;
        } else if (node->op == SOW_OP_BILINEAR) {
            work += out * (double)at->inputs * (double)at->inputs2;
        } else if (node->op == SOW_OP_ATTENTION) {
            uint32_t keys = node->inputs[node->input_count > 1];
            const struct sow_flow *flow = &network->flows[keys];
            work += 2 * out * (double)(flow->rank > 1 ? flow->shape[flow->rank - 2] : 1);
        } else if (node->op == SOW_OP_CONV) {
            work += out * taps_of(node, network->flows[node->inputs[0]].shape[1]);
        } else if (node->op == SOW_OP_CONV_TRANSPOSE) {
            work += in * taps_of(node, network->flows[node->output].shape[1]);
        }
    }
    return work;
}

int sow_jacobian_ties(const struct sow_network *network, uint32_t last)
{
    for (uint32_t n = 0; n <= last; n++) {
        const struct sow_node *node = &network->nodes[n];
        if (node->op == SOW_OP_BATCH_NORM || (node->op == SOW_OP_DROPOUT && node->at.p > 0)) {
            return 1;
        }
    }
    return 0;
}

/* Of a sequence its last token, which sees all others where attention is causal. */
static enum sow_status open_end(const struct sow_network *network, uint32_t flow, int by_token,
                                struct sow_jacobian_end *end, int64_t *token,
                                struct sow_error *error)
{
    const struct sow_flow *f = &network->flows[flow];
    enum sow_op op = network->nodes[f->node].op;
    int is_number = !sow_source_is(op) || op == SOW_OP_INPUT;
    if (f->rank == 0 || f->shape[0] != network->batch || f->elements == 0 || !is_number) {
        return sow_node_fail(&network->nodes[f->node], SOW_E_ARGUMENT, error,
                             "a Jacobian is of values that every sample has, and this is none");
    }
    *end = (struct sow_jacobian_end){flow, f->elements / f->shape[0], 0, 0};
    end->count = end->sample;
    if (by_token && f->rank == 3) {
        end->count = f->shape[2];
        end->begin = end->sample - end->count;
        *token = (int64_t)f->shape[1] - 1;
    }
    return SOW_OK;
}

static enum sow_status wanted(const struct sow_network *network, const char *name, uint32_t *flow,
                              struct sow_error *error)
{
    const struct sow_node *node = name != NULL ? named(network, name) : NULL;
    if (name != NULL && node == NULL) {
        return sow_fail(error, SOW_E_ARGUMENT,
                        "no value is called '%.200s'; sow probe --all lists them", name);
    }
    *flow = node != NULL ? node->output : *flow;
    return SOW_OK;
}

enum sow_status sow_jacobian_find(const struct sow_network *network, int is_part,
                                  const struct sow_jacobian_options *options,
                                  struct sow_jacobian_ends *ends, struct sow_error *error)
{
    const struct sow_node *input = first_of(network, SOW_OP_INPUT);
    uint32_t from = SOW_NO_INDEX, to = network->outputs[network->output_count - 1];
    int by_token = input == NULL;
    *ends = (struct sow_jacobian_ends){.token = -1};
    enum sow_status status = SOW_OK;
    if (input != NULL) {
        from = input->output;
    } else {
        const struct sow_node *head = &network->nodes[network->flows[to].node];
        status = after_embedding(network, &from, error);
        to = head->op == SOW_OP_LINEAR && !is_part ? head->inputs[0] : to;
    }
    status = status == SOW_OK ? wanted(network, options->from, &from, error) : status;
    status = status == SOW_OK ? wanted(network, options->to, &to, error) : status;
    if (status == SOW_OK && from == SOW_NO_INDEX) {
        status = sow_fail(error, SOW_E_ARGUMENT,
                          "the network has no input of numbers and no embedding; name a value "
                          "to start from");
    }
    if (status == SOW_OK) {
        status = open_end(network, from, by_token, &ends->from, &ends->token, error);
    }
    if (status == SOW_OK) {
        status = open_end(network, to, by_token, &ends->to, &ends->token, error);
    }
    if (status != SOW_OK) {
        return status;
    }
    unsigned char *marks = dependents(network, from);
    if (marks == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory");
    }
    if (!marks[to] || from == to) {
        status = sow_fail(error, SOW_E_ARGUMENT,
                          "%.200s does not come after %.200s: there is no Jacobian between them",
                          network->nodes[network->flows[to].node].name,
                          network->nodes[network->flows[from].node].name);
    }
    free(marks);
    ends->is_tied = sow_jacobian_ties(network, network->flows[to].node);
    ends->work = work_of(network, network->flows[to].node) / (double)network->batch;
    return status;
}
