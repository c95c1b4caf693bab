/* SPDX-License-Identifier: MIT */
/* ZERO-GRAD, exactly: which parameters have a gradient that is zero whatever the inputs and labels are. Known of a value is
 * whether it is one constant, and of a gradient whether it can be anything but zero; a parameter that has a gradient is
 * no constant any more, and all is walked again until no further one moves. What is left never moves. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/signal/judge/judge.h"
#include "model/signal/network/recurrent.h"

struct exact {
    const struct sow_judgement *j;
    const struct sow_network *network;
    double *values;      /* one a flow: what all its elements are; NAN when they differ */
    unsigned char *live; /* one a flow: its gradient may be another than zero */
    double *constants;   /* one an entry of the plan, likewise */
    unsigned char *moves,
        *used; /* one an entry: has had a gradient; has a gradient in some operation */
};

int sow_constant_of(const struct sow_plan_entry *entry, double *value)
{
    const struct sow_draw *draw = &entry->draw;
    int is_constant = draw->distribution == SOW_CONSTANT ||
                      (draw->distribution == SOW_NORMAL && draw->std == 0) ||
                      (draw->distribution == SOW_UNIFORM && draw->low == draw->high);
    *value = draw->distribution == SOW_UNIFORM ? draw->low : draw->mean;
    for (size_t i = 0; i < entry->region_count && is_constant; i++) {
        const struct sow_draw *part = &entry->regions[i].draw;
        is_constant = part->distribution == SOW_CONSTANT && part->mean == *value;
    }
    return is_constant;
}

static int is_zero(double constant)
{
    return constant == 0;
}

static double parameter_of(const struct exact *e, const struct sow_node *node, uint32_t slot,
                           double absent)
{
    return slot < node->parameter_count ? e->constants[node->parameters[slot]] : absent;
}

/* ---- Forward: constants -------------------------------------------------------------------------- */

static double linear_value(const struct exact *e, const struct sow_node *node, double in)
{
    double weight = parameter_of(e, node, 0, NAN), bias = parameter_of(e, node, 1, 0);
    double fan_in = sow_plan_at(e->j->plan, node->parameters[0])->fan_in;
    int is_padded = node->op == SOW_OP_CONV &&
                    (node->at.padding[0] | node->at.padding[1] | node->at.padding[2]) != 0;
    if (is_zero(weight) || is_zero(in)) {
        return bias;
    }
    return is_padded ? NAN : fan_in * weight * in + bias;
}

/* A norm of a constant leaves its shift; so does one without a scale, and one over a single element. */
static double norm_value(const struct exact *e, const struct sow_node *node, double in)
{
    const struct sow_flow *out = &e->network->flows[node->output];
    double scale = node->at.offset + parameter_of(e, node, 0, 1 - node->at.offset);
    double shift = parameter_of(e, node, 1, 0);
    int centres = node->op != SOW_OP_RMS_NORM;
    int single = node->op == SOW_OP_LAYER_NORM && out->rank > 0 && out->shape[out->rank - 1] == 1;
    return is_zero(scale) || single || (centres ? !isnan(in) : is_zero(in)) ? shift : NAN;
}

/* A gate's block of a parameter that has not moved and is all zeros; so is one that is not there. */
static int is_zero_block(const struct exact *e, const struct sow_node *node, uint32_t slot,
                         const struct sow_recurrent *r, uint32_t gate)
{
    if (slot == SOW_NO_INDEX) {
        return 1;
    }
    const struct sow_plan_entry *entry = sow_plan_at(e->j->plan, node->parameters[slot]);
    uint32_t axis = entry->tensor.layout == SOW_LAYOUT_OUT_IN ? 0 : entry->tensor.rank - 1;
    uint64_t begin = r->blocks[gate] * r->hidden;
    return !e->moves[node->parameters[slot]] &&
           sow_weights_along(entry, axis, begin, begin + r->hidden).square == 0;
}

/* Whether a recurrent layer makes zeros: what goes through tanh, into the state, is 0 at the first step and so for ever. */
static int makes_zeros(const struct exact *e, const struct sow_node *node, double in)
{
    static const uint32_t into_state[] = {SOW_GATE_H, SOW_GATE_G, SOW_GATE_N};
    struct sow_recurrent r = sow_recurrent_of(node, e->network);
    int zeros = 1;
    for (uint32_t d = 0; d < r.directions; d++) {
        const struct sow_recurrent_slots *slots = &r.slots[d];
        uint32_t gate = into_state[r.kind];
        zeros = zeros && (is_zero(in) || is_zero_block(e, node, slots->input, &r, gate)) &&
                is_zero_block(e, node, slots->input_bias, &r, gate) &&
                is_zero_block(e, node, slots->state_bias, &r, gate);
    }
    return zeros;
}

/* The weights of its input are not all zeros; of a layer that makes zeros, those into the state. */
static int lets_back_in_time(const struct exact *e, const struct sow_node *node)
{
    struct sow_recurrent r = sow_recurrent_of(node, e->network);
    int lets = 0, all = !is_zero(e->values[node->output]);
    for (uint32_t d = 0; d < r.directions; d++) {
        for (uint32_t gate = 0; gate < r.gates; gate++) {
            int counts = all || r.kind == SOW_RECURRENT_RNN || gate == SOW_GATE_G;
            lets |= counts && !is_zero_block(e, node, r.slots[d].input, &r, gate);
        }
    }
    return lets;
}

static double value_of(const struct exact *e, const struct sow_node *node)
{
    double a = node->input_count > 0 ? e->values[node->inputs[0]] : NAN;
    double b = node->input_count > 1 ? e->values[node->inputs[1]] : NAN;
    switch (node->op) {
    case SOW_OP_LINEAR:
    case SOW_OP_CONV:
        return linear_value(e, node, a);
    case SOW_OP_EMBEDDING:
    case SOW_OP_LEARNED:
        return parameter_of(e, node, 0, NAN);
    case SOW_OP_LAYER_NORM:
    case SOW_OP_RMS_NORM:
    case SOW_OP_BATCH_NORM:
    case SOW_OP_GROUP_NORM:
        return norm_value(e, node, a);
    case SOW_OP_ACTIVATION:
        return isnan(a) ? a : sow_function_value(&node->at.function, a, NULL);
    case SOW_OP_DROPOUT:
        return is_zero(a) || node->at.p == 0 ? a : NAN;
    case SOW_OP_SCALE:
        return is_zero(node->at.factor) ? 0 : a * node->at.factor;
    case SOW_OP_LAYER_SCALE:
        b = parameter_of(e, node, 0, NAN);
        return is_zero(a) || is_zero(b) ? 0 : a * b;
    case SOW_OP_ADD:
        return a + b;
    case SOW_OP_MULTIPLY:
        return is_zero(a) || is_zero(b) ? 0 : a * b;
    case SOW_OP_ATTENTION:
        return e->values[node->inputs[node->input_count - 1]];
    case SOW_OP_AVERAGE_POOL: /* padding counts as zeros */
        return is_zero(a) ? 0 : NAN;
    case SOW_OP_MAX_POOL:
    case SOW_OP_GLOBAL_POOL:
    case SOW_OP_FLATTEN:
    case SOW_OP_SPLIT_HEADS:
    case SOW_OP_MERGE_HEADS:
    case SOW_OP_TO_TOKENS:
    case SOW_OP_TAKE:
        return a;
    default: /* of what is not known nothing is said */
        return sow_is_recurrent_op(node->op) && makes_zeros(e, node, a) ? 0 : NAN;
    }
}

/* ---- Backward: what lets a gradient through -------------------------------------------------------- */

static uint64_t keys_of(const struct exact *e, const struct sow_node *node)
{
    const struct sow_flow *keys = &e->network->flows[node->inputs[1]];
    return keys->rank > 1 ? keys->shape[keys->rank - 2] : 2;
}

static int is_flat(const struct sow_function *function, double x)
{
    double slope;
    (void)sow_function_value(function, x, &slope);
    return slope == 0;
}

/* What is the same at all keys is mixed to itself: no gradient to the logits. These are products: none to queries where the
 * keys are zeros, none to keys where the queries are. */
static int lets_back_attention(const struct exact *e, const struct sow_node *node, uint32_t slot)
{
    if (node->input_count < 3 || slot == 2) {
        return 1;
    }
    return isnan(e->values[node->inputs[2]]) && keys_of(e, node) > 1 &&
           !is_zero(e->values[node->inputs[1 - slot]]);
}

static int lets_back(const struct exact *e, const struct sow_node *node, uint32_t slot)
{
    double in = e->values[node->inputs[slot]];
    const struct sow_flow *out = &e->network->flows[node->output];
    switch (node->op) {
    case SOW_OP_LINEAR:
    case SOW_OP_CONV:
        return !is_zero(parameter_of(e, node, 0, NAN));
    case SOW_OP_LAYER_NORM:
        if (out->rank > 0 && out->shape[out->rank - 1] == 1) {
            return 0;
        }
        /* fall through */
    case SOW_OP_RMS_NORM:
    case SOW_OP_BATCH_NORM:
    case SOW_OP_GROUP_NORM:
        return !is_zero(node->at.offset + parameter_of(e, node, 0, 1 - node->at.offset));
    case SOW_OP_ACTIVATION:
        return isnan(in) || !is_flat(&node->at.function, in);
    case SOW_OP_DROPOUT:
        return node->at.p < 1;
    case SOW_OP_SCALE:
        return !is_zero(node->at.factor);
    case SOW_OP_LAYER_SCALE:
        return !is_zero(parameter_of(e, node, 0, NAN));
    case SOW_OP_MULTIPLY:
        return !is_zero(e->values[node->inputs[1 - slot]]);
    case SOW_OP_ATTENTION:
        return lets_back_attention(e, node, slot);
    default:
        return !sow_is_recurrent_op(node->op) || lets_back_in_time(e, node);
    }
}

/* Weights of the input wait for inputs, those of the state for states; one step has none, and that is no fault. */
static int has_gradient_in_time(const struct exact *e, const struct sow_node *node, uint32_t slot)
{
    struct sow_recurrent r = sow_recurrent_of(node, e->network);
    for (uint32_t d = 0; d < r.directions; d++) {
        if (slot == r.slots[d].input) {
            return !is_zero(e->values[node->inputs[0]]);
        }
        if (slot == r.slots[d].state) {
            return r.steps == 1 ? -1 : !is_zero(e->values[node->output]);
        }
    }
    return 1;
}

/* Whether parameter `slot` gets a gradient when the output does; -1: it is none that learns. */
static int has_gradient(const struct exact *e, const struct sow_node *node, uint32_t slot)
{
    double in = node->input_count > 0 ? e->values[node->inputs[0]] : NAN;
    switch (node->op) {
    case SOW_OP_LINEAR:
    case SOW_OP_CONV:
    case SOW_OP_LAYER_SCALE:
        return slot == 1 || !is_zero(in);
    case SOW_OP_RMS_NORM:
        return slot > 1 ? -1 : slot == 1 || !is_zero(in);
    case SOW_OP_LAYER_NORM:
    case SOW_OP_BATCH_NORM:
    case SOW_OP_GROUP_NORM:
        return slot > 1 ? -1 : slot == 1 || isnan(in);
    default:
        return sow_is_recurrent_op(node->op) ? has_gradient_in_time(e, node, slot) : 1;
    }
}

static int walk(struct exact *e)
{
    const struct sow_network *network = e->network;
    int moved = 0;
    for (size_t i = 0; i < network->node_count; i++) {
        e->values[network->nodes[i].output] = value_of(e, &network->nodes[i]);
    }
    memset(e->live, 0, network->flow_count);
    for (size_t i = 0; i < network->output_count; i++) {
        e->live[network->outputs[i]] = 1;
    }
    for (size_t i = network->node_count; i-- > 0;) {
        const struct sow_node *node = &network->nodes[i];
        int live = e->live[node->output];
        for (uint32_t k = 0; k < node->input_count; k++) {
            e->live[node->inputs[k]] |= (unsigned char)(live && lets_back(e, node, k));
        }
        for (uint32_t k = 0; k < node->parameter_count; k++) {
            int gets = has_gradient(e, node, k);
            uint32_t entry = node->parameters[k];
            e->used[entry] |= (unsigned char)(gets >= 0);
            if (live && gets == 1 && !e->moves[entry]) {
                e->moves[entry] = 2; /* seen in this walk; constants change after it */
                moved = 1;
            }
        }
    }
    return moved;
}

/* ---- Telling ------------------------------------------------------------------------------------------ */

static const char *why_of(const struct exact *e, uint32_t entry)
{
    for (size_t i = 0; i < e->network->node_count; i++) {
        const struct sow_node *node = &e->network->nodes[i];
        for (uint32_t k = 0; k < node->parameter_count; k++) {
            if (node->parameters[k] == entry) {
                return !e->live[node->output] ? "no gradient reaches its operation"
                       : has_gradient(e, node, k) == 0
                           ? "the input of its operation is the same for every sample"
                           : "its gradient waits for the first step";
            }
        }
    }
    return "";
}

/* The last operation, from the parameter on, that lets nothing back. */
static const char *stop_of(const struct exact *e)
{
    for (size_t i = e->network->node_count; i-- > 0;) {
        const struct sow_node *node = &e->network->nodes[i];
        for (uint32_t k = 0; k < node->input_count; k++) {
            if (e->live[node->output] && !lets_back(e, node, k) &&
                e->network->nodes[e->network->flows[node->inputs[k]].node].input_count > 0) {
                return node->name;
            }
        }
    }
    return NULL;
}

/* The first operation whose output is one number for every sample while its input is not; NULL where none is. */
static const struct sow_node *first_constant(const struct exact *e)
{
    for (size_t i = 0; i < e->network->node_count; i++) {
        const struct sow_node *node = &e->network->nodes[i];
        if (node->input_count > 0 && node->parameter_count > 0 &&
            isnan(e->values[node->inputs[0]]) && !isnan(e->values[node->output])) {
            return node;
        }
    }
    return NULL;
}

static void tell(struct sow_judgement *j, const struct exact *e, uint32_t entry, enum sow_rule rule)
{
    const struct sow_plan_entry *at = sow_plan_at(j->plan, entry);
    struct sow_verdict *verdict =
        sow_judge_add(j, SOW_VERDICT_ZERO_GRAD, rule, at->name, at->layer);
    if (verdict == NULL) {
        return;
    }
    const char *stop = stop_of(e), *why = why_of(e, entry);
    int first = rule == SOW_RULE_FIRST_STEP;
    verdict->severity = first ? SOW_SEVERITY_NOTE : verdict->severity;
    const struct sow_node *source = first ? NULL : first_constant(e);
    double value = source != NULL ? e->values[source->output] : 0;
    char made[300] = "";
    if (source != NULL) {
        (void)snprintf(made, sizeof made, "; %.200s makes %g of whatever it gets", source->name,
                       value);
    }
    sow_judge_reason(j, verdict, "its gradient is exactly zero %s: %s%s%.200s%s%s",
                     first ? "at the first step only" : "for ever, whatever the inputs", why,
                     stop != NULL ? ", because " : "", stop != NULL ? stop : "",
                     stop != NULL ? " lets none back" : "", made);
}

static void settle(struct exact *e, size_t entries)
{
    for (size_t i = 0; i < entries; i++) {
        if (e->moves[i] == 2) {
            e->moves[i] = 1;
            e->constants[i] = NAN;
        }
    }
}

static void find(struct sow_judgement *j, struct exact *e, unsigned char *late)
{
    size_t entries = sow_plan_count(j->plan);
    for (size_t i = 0; i < entries; i++) {
        double value;
        e->constants[i] = sow_constant_of(sow_plan_at(j->plan, i), &value) ? value : NAN;
    }
    int moved = walk(e);
    for (size_t i = 0; i < entries; i++) {
        late[i] = e->used[i] && !e->moves[i];
    }
    /* told while the values are those of the first step, taken back where the gradient never comes */
    while (moved) {
        settle(e, entries);
        moved = walk(e);
    }
    const struct sow_node *source = first_constant(e);
    uint32_t cause = source != NULL ? source->parameters[0] : 0;
    if (source != NULL && e->used[cause] && !e->moves[cause]) { /* where it starts */
        tell(j, e, cause, SOW_RULE_ONLY);
        late[cause] = 0;
        e->used[cause] = 0;
    }
    for (size_t i = 0; i < entries; i++) {
        if (e->used[i] && !e->moves[i]) {
            tell(j, e, (uint32_t)i, SOW_RULE_ONLY);
        } else if (late[i]) {
            tell(j, e, (uint32_t)i, SOW_RULE_FIRST_STEP);
        }
    }
    if (source != NULL && !e->moves[cause]) {
        e->used[cause] = 1;
    }
}

void sow_judge_exact(struct sow_judgement *j)
{
    size_t flows = j->network->flow_count + 1, entries = sow_plan_count(j->plan) + 1;
    struct exact e = {.j = j, .network = j->network};
    e.values = calloc(flows, sizeof *e.values);
    e.live = calloc(flows, 1);
    e.constants = calloc(entries, sizeof *e.constants);
    e.moves = calloc(entries, 1);
    e.used = calloc(entries, 1);
    unsigned char *late = calloc(entries, 1);
    if (e.values && e.live && e.constants && e.moves && e.used && late) {
        find(j, &e, late);
        for (size_t i = 0; i + 1 < entries; i++) {
            late[i] = e.used[i] && !e.moves[i];
        }
        sow_judge_symmetry(j, late);
    } else {
        j->out_of_memory = 1;
    }
    free(e.values);
    free(e.live);
    free(e.constants);
    free(e.moves);
    free(e.used);
    free(late);
}
