/* SPDX-License-Identifier: MIT */
/* ZERO-GRAD at one operation: the constant it makes of constants, whether it lets a gradient back, and which parameters it
 * gives one. One row an operation, at the end; of an operation without a row nothing is said. */
#include <math.h>

#include "model/signal/judge/exact.h"
#include "model/signal/network/recurrent.h"

static int is_zero(double constant)
{
    return constant == 0;
}

static double product(double a, double b)
{
    return is_zero(a) || is_zero(b) ? 0 : a * b;
}

static double input_of(const struct sow_exact *e, const struct sow_node *node, uint32_t slot)
{
    return slot < node->input_count ? e->values[node->inputs[slot]] : NAN;
}

static double parameter_of(const struct sow_exact *e, const struct sow_node *node, uint32_t slot,
                           double absent)
{
    return slot < node->parameter_count ? e->constants[node->parameters[slot]] : absent;
}

/* ---- Without weights ------------------------------------------------------------------------------- */

static double same_value(const struct sow_exact *e, const struct sow_node *node)
{
    return input_of(e, node, 0);
}

static double sum_value(const struct sow_exact *e, const struct sow_node *node)
{
    return input_of(e, node, 0) + input_of(e, node, 1);
}

static double product_value(const struct sow_exact *e, const struct sow_node *node)
{
    return product(input_of(e, node, 0), input_of(e, node, 1));
}

static int other_lets_back(const struct sow_exact *e, const struct sow_node *node, uint32_t slot)
{
    return !is_zero(input_of(e, node, 1 - slot));
}

static double scaled_value(const struct sow_exact *e, const struct sow_node *node)
{
    return product(node->at.factor, input_of(e, node, 0));
}

static int factor_lets_back(const struct sow_exact *e, const struct sow_node *node, uint32_t slot)
{
    (void)e, (void)slot;
    return !is_zero(node->at.factor);
}

static double dropped_value(const struct sow_exact *e, const struct sow_node *node)
{
    double in = input_of(e, node, 0);
    return is_zero(in) || node->at.p == 0 ? in : NAN;
}

static int dropout_lets_back(const struct sow_exact *e, const struct sow_node *node, uint32_t slot)
{
    (void)e, (void)slot;
    return node->at.p < 1;
}

/* Padding counts as zeros. */
static double average_value(const struct sow_exact *e, const struct sow_node *node)
{
    return is_zero(input_of(e, node, 0)) ? 0 : NAN;
}

static double activated_value(const struct sow_exact *e, const struct sow_node *node)
{
    double in = input_of(e, node, 0);
    return isnan(in) ? in : sow_function_value(&node->at.function, in, NULL);
}

static int slope_lets_back(const struct sow_exact *e, const struct sow_node *node, uint32_t slot)
{
    double in = input_of(e, node, slot), slope = NAN;
    if (!isnan(in)) {
        (void)sow_function_value(&node->at.function, in, &slope);
    }
    return !is_zero(slope);
}

/* ---- Attention --------------------------------------------------------------------------------------- */

/* A mixture of equal values is that value. */
static double mixed_value(const struct sow_exact *e, const struct sow_node *node)
{
    return input_of(e, node, node->input_count - 1);
}

static uint64_t keys_of(const struct sow_exact *e, const struct sow_node *node)
{
    const struct sow_flow *keys = &e->network->flows[node->inputs[1]];
    return keys->rank > 1 ? keys->shape[keys->rank - 2] : 2;
}

/* What is the same at all keys is mixed to itself: no gradient to the logits. These are products: none to queries where the
 * keys are zeros, none to keys where the queries are. */
static int attention_lets_back(const struct sow_exact *e, const struct sow_node *node,
                               uint32_t slot)
{
    if (node->input_count < 3 || slot == 2) {
        return 1;
    }
    return isnan(input_of(e, node, 2)) && keys_of(e, node) > 1 && other_lets_back(e, node, slot);
}

/* ---- Weights ----------------------------------------------------------------------------------------- */

static double weight_value(const struct sow_exact *e, const struct sow_node *node)
{
    return parameter_of(e, node, 0, NAN);
}

/* Of std 0: one number for every sample. */
static double input_value(const struct sow_exact *e, const struct sow_node *node)
{
    const struct sow_probe_value *value =
        sow_probe_at(e->probe, (size_t)(node - e->network->nodes));
    return value->second_moment == value->mean * value->mean ? value->mean : NAN;
}

static double linear_value(const struct sow_exact *e, const struct sow_node *node)
{
    double in = input_of(e, node, 0);
    double weight = parameter_of(e, node, 0, NAN), bias = parameter_of(e, node, 1, 0);
    double fan_in = sow_plan_at(e->plan, node->parameters[0])->fan_in;
    int is_padded = node->op == SOW_OP_CONV &&
                    (node->at.padding[0] | node->at.padding[1] | node->at.padding[2]) != 0;
    if (is_zero(weight) || is_zero(in)) {
        return bias;
    }
    return is_padded ? NAN : fan_in * weight * in + bias;
}

static double layer_scaled_value(const struct sow_exact *e, const struct sow_node *node)
{
    return product(input_of(e, node, 0), parameter_of(e, node, 0, NAN));
}

static int weight_lets_back(const struct sow_exact *e, const struct sow_node *node, uint32_t slot)
{
    (void)slot;
    return !is_zero(parameter_of(e, node, 0, NAN));
}

static int weight_learns(const struct sow_exact *e, const struct sow_node *node, uint32_t slot)
{
    return slot == 1 || !is_zero(input_of(e, node, 0));
}

/* ---- Norms -------------------------------------------------------------------------------------------- */

static double scale_of(const struct sow_exact *e, const struct sow_node *node)
{
    return node->at.offset + parameter_of(e, node, 0, 1 - node->at.offset);
}

/* A layer norm over a single element. */
static int is_single(const struct sow_exact *e, const struct sow_node *node)
{
    const struct sow_flow *out = &e->network->flows[node->output];
    return node->op == SOW_OP_LAYER_NORM && out->rank > 0 && out->shape[out->rank - 1] == 1;
}

/* A norm of a constant leaves its shift; so does one without a scale, and one over a single element. */
static double norm_value(const struct sow_exact *e, const struct sow_node *node)
{
    double in = input_of(e, node, 0);
    int makes_zeros = node->op == SOW_OP_RMS_NORM ? is_zero(in) : !isnan(in);
    return makes_zeros || is_zero(scale_of(e, node)) || is_single(e, node)
               ? parameter_of(e, node, 1, 0)
               : NAN;
}

static int norm_lets_back(const struct sow_exact *e, const struct sow_node *node, uint32_t slot)
{
    (void)slot;
    return !is_single(e, node) && !is_zero(scale_of(e, node));
}

/* What follows scale and shift are buffers. */
static int norm_learns(const struct sow_exact *e, const struct sow_node *node, uint32_t slot)
{
    return slot > 1 ? -1 : slot == 1 || isnan(input_of(e, node, 0));
}

static int rms_norm_learns(const struct sow_exact *e, const struct sow_node *node, uint32_t slot)
{
    return slot > 1 ? -1 : weight_learns(e, node, slot);
}

/* ---- Recurrent layers --------------------------------------------------------------------------------- */

/* A gate's block of a parameter that has not moved and is all zeros; so is one that is not there. */
static int is_zero_block(const struct sow_exact *e, const struct sow_node *node, uint32_t slot,
                         const struct sow_recurrent *r, uint32_t gate)
{
    if (slot == SOW_NO_INDEX) {
        return 1;
    }
    const struct sow_plan_entry *entry = sow_plan_at(e->plan, node->parameters[slot]);
    uint32_t axis = entry->tensor.layout == SOW_LAYOUT_OUT_IN ? 0 : entry->tensor.rank - 1;
    uint64_t begin = r->blocks[gate] * r->hidden;
    return !e->moves[node->parameters[slot]] &&
           sow_weights_along(entry, axis, begin, begin + r->hidden).square == 0;
}

/* Zeros, where what goes through tanh, into the state, is 0 at the first step and so for ever. */
static double state_value(const struct sow_exact *e, const struct sow_node *node)
{
    static const uint32_t into_state[] = {SOW_GATE_H, SOW_GATE_G, SOW_GATE_N};
    struct sow_recurrent r = sow_recurrent_of(node, e->network);
    uint32_t gate = into_state[r.kind];
    int zeros = 1;
    for (uint32_t d = 0; d < r.directions; d++) {
        const struct sow_recurrent_slots *slots = &r.slots[d];
        zeros = zeros &&
                (is_zero(input_of(e, node, 0)) || is_zero_block(e, node, slots->input, &r, gate)) &&
                is_zero_block(e, node, slots->input_bias, &r, gate) &&
                is_zero_block(e, node, slots->state_bias, &r, gate);
    }
    return zeros ? 0 : NAN;
}

/* The weights of its input are not all zeros; of a layer that makes zeros, those into the state. */
static int state_lets_back(const struct sow_exact *e, const struct sow_node *node, uint32_t slot)
{
    (void)slot;
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

/* Weights of the input wait for inputs, those of the state for states; one step has none, and that is no fault. */
static int state_learns(const struct sow_exact *e, const struct sow_node *node, uint32_t slot)
{
    struct sow_recurrent r = sow_recurrent_of(node, e->network);
    for (uint32_t d = 0; d < r.directions; d++) {
        if (slot == r.slots[d].input) {
            return !is_zero(input_of(e, node, 0));
        }
        if (slot == r.slots[d].state) {
            return r.steps == 1 ? -1 : !is_zero(e->values[node->output]);
        }
    }
    return 1;
}

/* ---- The rows ------------------------------------------------------------------------------------------ */

static const struct rule {
    double (*value)(const struct sow_exact *e, const struct sow_node *node); /* NULL: NAN */
    int (*lets_back)(const struct sow_exact *e, const struct sow_node *node, uint32_t slot);
    int (*learns)(const struct sow_exact *e, const struct sow_node *node, uint32_t slot);
} rules[SOW_OP_COUNT] = {
    /* NULL for lets_back and learns: always */
    [SOW_OP_LEARNED] = {weight_value, NULL, NULL},
    [SOW_OP_INPUT] = {input_value, NULL, NULL},
    [SOW_OP_EMBEDDING] = {weight_value, NULL, NULL},
    [SOW_OP_LINEAR] = {linear_value, weight_lets_back, weight_learns},
    [SOW_OP_CONV] = {linear_value, weight_lets_back, weight_learns},
    [SOW_OP_RNN] = {state_value, state_lets_back, state_learns},
    [SOW_OP_RNN_CELL] = {state_value, state_lets_back, state_learns},
    [SOW_OP_LSTM] = {state_value, state_lets_back, state_learns},
    [SOW_OP_LSTM_CELL] = {state_value, state_lets_back, state_learns},
    [SOW_OP_GRU] = {state_value, state_lets_back, state_learns},
    [SOW_OP_GRU_CELL] = {state_value, state_lets_back, state_learns},
    [SOW_OP_LAYER_NORM] = {norm_value, norm_lets_back, norm_learns},
    [SOW_OP_RMS_NORM] = {norm_value, norm_lets_back, rms_norm_learns},
    [SOW_OP_BATCH_NORM] = {norm_value, norm_lets_back, norm_learns},
    [SOW_OP_GROUP_NORM] = {norm_value, norm_lets_back, norm_learns},
    [SOW_OP_ACTIVATION] = {activated_value, slope_lets_back, NULL},
    [SOW_OP_DROPOUT] = {dropped_value, dropout_lets_back, NULL},
    [SOW_OP_SCALE] = {scaled_value, factor_lets_back, NULL},
    [SOW_OP_LAYER_SCALE] = {layer_scaled_value, weight_lets_back, weight_learns},
    [SOW_OP_ADD] = {sum_value, NULL, NULL},
    [SOW_OP_MULTIPLY] = {product_value, other_lets_back, NULL},
    [SOW_OP_ATTENTION] = {mixed_value, attention_lets_back, NULL},
    [SOW_OP_MAX_POOL] = {same_value, NULL, NULL},
    [SOW_OP_AVERAGE_POOL] = {average_value, NULL, NULL},
    [SOW_OP_GLOBAL_POOL] = {same_value, NULL, NULL},
    [SOW_OP_FLATTEN] = {same_value, NULL, NULL},
    [SOW_OP_SPLIT_HEADS] = {same_value, NULL, NULL},
    [SOW_OP_MERGE_HEADS] = {same_value, NULL, NULL},
    [SOW_OP_TO_TOKENS] = {same_value, NULL, NULL},
    [SOW_OP_TAKE] = {same_value, NULL, NULL},
};

double sow_exact_value(const struct sow_exact *e, const struct sow_node *node)
{
    const struct rule *rule = &rules[node->op];
    return rule->value != NULL ? rule->value(e, node) : NAN;
}

int sow_exact_lets_back(const struct sow_exact *e, const struct sow_node *node, uint32_t slot)
{
    const struct rule *rule = &rules[node->op];
    return rule->lets_back == NULL || rule->lets_back(e, node, slot);
}

int sow_exact_learns(const struct sow_exact *e, const struct sow_node *node, uint32_t slot)
{
    const struct rule *rule = &rules[node->op];
    return rule->learns == NULL ? 1 : rule->learns(e, node, slot);
}
