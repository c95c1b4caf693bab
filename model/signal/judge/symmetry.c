/* SPDX-License-Identifier: MIT */
/* SYMMETRIC, exactly: units of a layer that are equal at the start, and at every later step. Known of a value is whether its
 * features are all equal, likewise of its gradient; of a weight whether all its rows (outputs), or columns (inputs), are
 * equal. What a step would make unequal is struck out until nothing more falls: what stays is equal for ever. */
#include <stdlib.h>
#include <string.h>

#include "model/signal/judge/judge.h"
#include "model/signal/network/recurrent.h"

struct symmetry {
    const struct sow_judgement *j;
    const struct sow_network *network;
    const unsigned char *stuck;
    unsigned char *values, *gradients; /* one a flow: features are equal */
    unsigned char *rows, *columns;     /* one an entry; of a vector: rows */
};

static int rows_of(const struct symmetry *s, const struct sow_node *node, uint32_t slot)
{
    return slot >= node->parameter_count || s->rows[node->parameters[slot]];
}

static int all_rows(const struct symmetry *s, const struct sow_node *node)
{
    int all = 1;
    for (uint32_t k = 0; k < node->parameter_count; k++) {
        all = all && s->rows[node->parameters[k]];
    }
    return all;
}

static int all_inputs(const struct symmetry *s, const struct sow_node *node)
{
    int all = node->input_count > 0;
    for (uint32_t i = 0; i < node->input_count; i++) {
        all = all && s->values[node->inputs[i]];
    }
    return all;
}

/* Places that flatten turns into features. */
static int has_places(const struct symmetry *s, const struct sow_node *node)
{
    const struct sow_flow *in = &s->network->flows[node->inputs[0]];
    uint64_t places = 1;
    for (uint32_t i = 2; i < in->rank; i++) {
        places *= in->shape[i];
    }
    return places > 1;
}

static int value_of(const struct symmetry *s, const struct sow_node *node)
{
    switch (node->op) {
    case SOW_OP_LINEAR:
    case SOW_OP_CONV: /* groups read different channels */
        return rows_of(s, node, 0) && rows_of(s, node, 1) &&
               (node->at.groups <= 1 || all_inputs(s, node));
    case SOW_OP_EMBEDDING:
        return s->columns[node->parameters[0]];
    case SOW_OP_LAYER_NORM:
    case SOW_OP_RMS_NORM:
    case SOW_OP_BATCH_NORM:
    case SOW_OP_GROUP_NORM:
    case SOW_OP_LAYER_SCALE:
        return all_inputs(s, node) && rows_of(s, node, 0) && rows_of(s, node, 1);
    case SOW_OP_ACTIVATION:
    case SOW_OP_DROPOUT: /* starts equal; its masks alone tell units apart */
    case SOW_OP_SCALE:
    case SOW_OP_ADD:
    case SOW_OP_MULTIPLY:
    case SOW_OP_ATTENTION:
    case SOW_OP_MAX_POOL:
    case SOW_OP_AVERAGE_POOL:
    case SOW_OP_GLOBAL_POOL:
    case SOW_OP_SPLIT_HEADS:
    case SOW_OP_MERGE_HEADS:
    case SOW_OP_TO_TOKENS:
    case SOW_OP_TAKE:
        return all_inputs(s, node);
    case SOW_OP_FLATTEN:
        return all_inputs(s, node) && !has_places(s, node);
    default: /* a recurrent layer of one direction: each gate has equal units */
        return sow_is_recurrent_op(node->op) && !node->at.bidirectional && all_rows(s, node);
    }
}

/* Whether the node gives equal gradients to the features of its inputs. */
static int gradient_of(const struct symmetry *s, const struct sow_node *node)
{
    int out = s->gradients[node->output];
    switch (node->op) {
    case SOW_OP_LINEAR:
    case SOW_OP_CONV:
        return s->columns[node->parameters[0]];
    case SOW_OP_DROPOUT:
    case SOW_OP_SCALE:
    case SOW_OP_ADD:
    case SOW_OP_AVERAGE_POOL:
    case SOW_OP_GLOBAL_POOL:
    case SOW_OP_SPLIT_HEADS:
    case SOW_OP_MERGE_HEADS:
    case SOW_OP_TO_TOKENS:
    case SOW_OP_TAKE:
        return out;
    case SOW_OP_FLATTEN:
        return out && !has_places(s, node);
    default: /* what depends on the features as well */
        if (sow_is_recurrent_op(node->op)) {
            return !node->at.bidirectional && s->columns[node->parameters[0]];
        }
        return out && s->values[node->output] && all_inputs(s, node);
    }
}

/* One step of learning: strikes out what it makes unequal. Returns whether something fell. */
static int learn(struct symmetry *s, const struct sow_node *node)
{
    int fell = 0;
    for (uint32_t k = 0; k < node->parameter_count; k++) {
        uint32_t entry = node->parameters[k];
        int in = node->input_count > 0 && s->values[node->inputs[0]];
        int rows = s->gradients[node->output], columns = in;
        if (node->op == SOW_OP_EMBEDDING) {
            columns = rows;
            rows = 0; /* each row has the gradient of its token */
        } else if (node->op != SOW_OP_LINEAR && node->op != SOW_OP_CONV && k == 0) {
            rows = rows && in; /* a scale's gradient is its input's too */
        }
        if (sow_is_recurrent_op(
                node->op)) { /* units see each other's gradients through the state's weights */
            columns = k == 1 ? s->values[node->output] : in;
            rows = s->gradients[node->output] && s->values[node->output] &&
                   s->columns[node->parameters[1]];
        }
        if (s->stuck[entry]) {
            continue;
        }
        fell |= (s->rows[entry] && !rows) || (s->columns[entry] && !columns);
        s->rows[entry] &= (unsigned char)rows;
        s->columns[entry] &= (unsigned char)columns;
    }
    return fell;
}

static void walk(struct symmetry *s)
{
    const struct sow_network *network = s->network;
    for (size_t i = 0; i < network->node_count; i++) {
        s->values[network->nodes[i].output] = (unsigned char)value_of(s, &network->nodes[i]);
    }
    memset(s->gradients, 1, network->flow_count);
    for (size_t i = 0; i < network->output_count; i++) {
        s->gradients[network->outputs[i]] = 0;
    }
    for (size_t i = network->node_count; i-- > 0;) {
        const struct sow_node *node = &network->nodes[i];
        for (uint32_t k = 0; k < node->input_count; k++) {
            s->gradients[node->inputs[k]] &= (unsigned char)gradient_of(s, node);
        }
    }
}

/* Gates may differ, as a forget bias does; all units of one are equal. */
static int has_constant_gates(const struct sow_plan_entry *entry)
{
    struct sow_plan_entry part = *entry;
    double value;
    part.region_count = 0;
    int constant = sow_constant_of(&part, &value);
    for (size_t i = 0; i < entry->region_count; i++) {
        part.draw = entry->regions[i].draw;
        constant = constant && sow_constant_of(&part, &value);
    }
    return constant;
}

static int has_units(const struct symmetry *s, const struct sow_node *node)
{
    return (node->op == SOW_OP_LINEAR || node->op == SOW_OP_CONV ||
            sow_is_recurrent_op(node->op)) &&
           sow_plan_at(s->j->plan, node->parameters[0])->fan_out >= 2;
}

static int is_output(const struct sow_network *network, const struct sow_node *node)
{
    for (size_t i = 0; i < network->output_count; i++) {
        if (network->outputs[i] == node->output) {
            return 1;
        }
    }
    return 0;
}

/* ---- Telling ------------------------------------------------------------------------------------------ */

/* For a constant weight what another layer of the same name but for numbers is drawn from; where all are constant, what
 * the variant itself has. */
static void suggest_like(struct sow_judgement *j, enum sow_rule rule, uint32_t index)
{
    const struct sow_plan_entry *weight = sow_plan_at(j->plan, index);
    char pattern[600], other[600];
    double value;
    sow_judge_generalise(weight->name, pattern, sizeof pattern);
    for (size_t i = 0; i < sow_plan_count(j->plan); i++) {
        const struct sow_plan_entry *entry = sow_plan_at(j->plan, i);
        sow_judge_generalise(entry->name, other, sizeof other);
        if (strcmp(pattern, other) == 0 && !sow_constant_of(entry, &value)) {
            sow_judge_suggest(j, SOW_VERDICT_SYMMETRIC, rule, weight->name, entry->scheme_text);
            return;
        }
    }
    if (j->own != NULL && !sow_constant_of(sow_plan_at(j->own, index), &value)) {
        sow_judge_suggest(j, SOW_VERDICT_SYMMETRIC, rule, pattern,
                          sow_plan_at(j->own, index)->scheme_text);
    }
}

/* Units that are one number at the start, whatever comes of it: of all that the layer reads one sum is left. */
static void tell_one_number(struct sow_judgement *j, const struct symmetry *s,
                            const struct sow_node *node)
{
    const struct sow_plan_entry *weight = sow_plan_at(j->plan, node->parameters[0]);
    int is_logits = is_output(j->network, node);
    enum sow_rule rule = is_logits ? SOW_RULE_FIRST_STEP : SOW_RULE_ONE_NUMBER;
    struct sow_verdict *verdict =
        sow_judge_add(j, SOW_VERDICT_SYMMETRIC, rule, node->name, node->layer);
    suggest_like(j, rule, node->parameters[0]);
    if (verdict == NULL) {
        return;
    }
    verdict->severity = is_logits ? SOW_SEVERITY_NOTE : verdict->severity;
    sow_judge_reason(
        j, verdict,
        "all elements of %.200s are %g, so that its %.0f units are one number, the sum of its "
        "%.0f inputs: its output has rank one, and all that the inputs tell beside that sum is "
        "lost%s",
        weight->name, weight->draw.mean, weight->fan_out, weight->fan_in,
        is_logits ? "; labels tell the outputs apart from the first step on"
        : s->gradients[node->output]
            ? ". Their gradients are equal too"
            : "; only what reads the units tells them apart, step by step");
}

static void tell(struct sow_judgement *j, const struct sow_node *node)
{
    const struct sow_plan_entry *weight = sow_plan_at(j->plan, node->parameters[0]);
    struct sow_verdict *verdict =
        sow_judge_add(j, SOW_VERDICT_SYMMETRIC, SOW_RULE_ONLY, node->name, node->layer);
    if (verdict != NULL) {
        sow_judge_reason(j, verdict,
                         "all elements of %.300s are %g, and its units get equal inputs and equal "
                         "gradients at every step: they learn as one unit",
                         weight->name, weight->draw.mean);
    }
    suggest_like(j, SOW_RULE_ONLY, node->parameters[0]);
}

/* An embedding whose rows are one constant: no token is told from another. */
static void tell_tokens(struct sow_judgement *j, const struct sow_node *node)
{
    const struct sow_plan_entry *table = sow_plan_at(j->plan, node->parameters[0]);
    double value;
    if (j->network->nodes[j->network->flows[node->inputs[0]].node].op != SOW_OP_TOKENS ||
        !sow_constant_of(table, &value) || value == 0) {
        return;
    }
    struct sow_verdict *verdict =
        sow_judge_add(j, SOW_VERDICT_COLLAPSE, SOW_RULE_ONE_NUMBER, node->name, node->layer);
    if (verdict != NULL) {
        sow_judge_reason(j, verdict,
                         "all elements of %.300s are %g: every token is the same vector, and the "
                         "network starts without seeing which one it reads",
                         table->name, value);
    }
    if (j->own != NULL && !sow_constant_of(sow_plan_at(j->own, node->parameters[0]), &value)) {
        sow_judge_suggest(j, SOW_VERDICT_COLLAPSE, SOW_RULE_ONE_NUMBER, table->name,
                          sow_plan_at(j->own, node->parameters[0])->scheme_text);
    }
}

/* Whether the layer's own constant makes its units equal: zeros are other rules' to tell. */
static int is_constant(const struct symmetry *s, const struct sow_node *node)
{
    double value;
    return !sow_is_recurrent_op(node->op) &&
           sow_constant_of(sow_plan_at(s->j->plan, node->parameters[0]), &value) && value != 0;
}

static void find(struct sow_judgement *j, struct symmetry *s, unsigned char *starts)
{
    for (size_t i = 0; i < sow_plan_count(j->plan); i++) {
        double value;
        s->rows[i] = s->columns[i] =
            (unsigned char)sow_constant_of(sow_plan_at(j->plan, i), &value);
    }
    for (size_t i = 0; i < j->network->node_count; i++) {
        const struct sow_node *node = &j->network->nodes[i];
        for (uint32_t k = 0; k < node->parameter_count && sow_is_recurrent_op(node->op); k++) {
            uint32_t entry = node->parameters[k];
            s->rows[entry] = s->columns[entry] =
                (unsigned char)has_constant_gates(sow_plan_at(j->plan, entry));
        }
    }
    walk(s);
    memcpy(starts, s->values, j->network->flow_count);
    for (int fell = 1; fell;) {
        fell = 0;
        for (size_t i = 0; i < j->network->node_count; i++) {
            fell |= learn(s, &j->network->nodes[i]);
        }
        walk(s);
    }
    for (size_t i = 0; i < j->network->node_count; i++) {
        const struct sow_node *node = &j->network->nodes[i];
        if (node->op == SOW_OP_EMBEDDING) {
            tell_tokens(j, node);
        }
        if (!has_units(s, node)) {
            continue;
        }
        if (s->values[node->output] && s->gradients[node->output]) {
            tell(j, node);
        } else if (starts[node->output] && is_constant(s, node)) {
            tell_one_number(j, s, node);
        }
    }
}

void sow_judge_symmetry(struct sow_judgement *j, const unsigned char *stuck)
{
    size_t flows = j->network->flow_count + 1, entries = sow_plan_count(j->plan) + 1;
    struct symmetry s = {.j = j, .network = j->network, .stuck = stuck};
    s.values = calloc(flows, 1);
    s.gradients = calloc(flows, 1);
    s.rows = calloc(entries, 1);
    s.columns = calloc(entries, 1);
    unsigned char *starts = calloc(flows, 1);
    if (s.values && s.gradients && s.rows && s.columns && starts) {
        find(j, &s, starts);
    } else {
        j->out_of_memory = 1;
    }
    free(s.values);
    free(s.gradients);
    free(s.rows);
    free(s.columns);
    free(starts);
}
