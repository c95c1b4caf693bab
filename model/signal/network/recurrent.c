/* SPDX-License-Identifier: MIT */
/* Where the blocks of a recurrent layer's parameters lie, and whether their shapes fit. */
#include "model/signal/network/recurrent.h"

#include <string.h>

#include "model/signal/network/shapes.h"

/* Gates in the order of the enums of recurrent.h. */
static const char gate_letters[][SOW_GATES_MAX + 1] = {"h", "ifgo", "rzn"};

int sow_is_recurrent_op(enum sow_op op)
{
    return op == SOW_OP_RNN || op == SOW_OP_RNN_CELL || op == SOW_OP_LSTM ||
           op == SOW_OP_LSTM_CELL || op == SOW_OP_GRU || op == SOW_OP_GRU_CELL;
}

static enum sow_recurrent_kind kind_of(enum sow_op op)
{
    return op == SOW_OP_LSTM || op == SOW_OP_LSTM_CELL ? SOW_RECURRENT_LSTM
           : op == SOW_OP_GRU || op == SOW_OP_GRU_CELL ? SOW_RECURRENT_GRU
                                                       : SOW_RECURRENT_RNN;
}

/* "i f g o": a letter a gate, between blanks. 0 when the letters are not those of the kind; a gru's n comes last. */
static int find_blocks(const char *gates, struct sow_recurrent *r)
{
    const char *letters = gate_letters[r->kind];
    size_t count = strlen(letters);
    r->gates = (uint32_t)count;
    if (gates == NULL || strlen(gates) != 2 * count - 1) {
        return 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        const char *at = strchr(gates, letters[i]);
        if (at == NULL || (at - gates) % 2 != 0) {
            return 0;
        }
        r->blocks[i] = (uint32_t)((at - gates) / 2);
    }
    return r->kind != SOW_RECURRENT_GRU || r->blocks[SOW_GATE_N] == 2;
}

static void find_slots(const struct sow_node *node, int is_keras, struct sow_recurrent *r)
{
    uint32_t each = node->parameter_count / r->directions;
    for (uint32_t d = 0; d < r->directions; d++) {
        struct sow_recurrent_slots *slots = &r->slots[d];
        uint32_t first = d * each;
        *slots = (struct sow_recurrent_slots){first, first + 1, SOW_NO_INDEX, SOW_NO_INDEX, 0};
        if (!node->at.has_bias) {
            continue;
        }
        slots->input_bias = first + 2;
        if (!is_keras) {
            slots->state_bias = first + 3;
        } else if (r->kind == SOW_RECURRENT_GRU) {
            slots->state_bias = first + 2;
            slots->state_bias_at = r->gates * r->hidden;
        }
    }
}

/* 0 when the gates are unknown, or the parameters not as many as there should be. */
static int describe(const struct sow_node *node, const struct sow_network *network,
                    struct sow_recurrent *r)
{
    const struct sow_flow *in = &network->flows[node->inputs[0]];
    int is_keras = node->at.names != NULL && strcmp(node->at.names, "keras") == 0;
    memset(r, 0, sizeof *r);
    r->kind = kind_of(node->op);
    r->is_relu = node->at.kind != NULL && strcmp(node->at.kind, "relu") == 0;
    r->is_cell =
        node->op == SOW_OP_RNN_CELL || node->op == SOW_OP_LSTM_CELL || node->op == SOW_OP_GRU_CELL;
    r->directions = node->at.bidirectional ? 2 : 1;
    r->turned = is_keras;
    r->inputs = sow_shape_last(in);
    r->hidden = node->at.outputs;
    r->steps = r->is_cell ? 1 : in->shape[1];
    r->samples = r->is_cell ? in->elements / r->inputs : in->shape[0];
    int known = find_blocks(node->at.gates, r);
    uint32_t biases = !node->at.has_bias ? 0 : is_keras ? 1 : 2;
    find_slots(node, is_keras, r);
    return known && node->parameter_count == r->directions * (2 + biases);
}

struct sow_recurrent sow_recurrent_of(const struct sow_node *node,
                                      const struct sow_network *network)
{
    struct sow_recurrent r;
    (void)describe(node, network, &r);
    return r;
}

/* ---- Shapes ------------------------------------------------------------------------------------ */

static int is_matrix(const struct sow_shapes *s, uint32_t slot, uint64_t rows, uint64_t columns,
                     int turned)
{
    const struct sow_tensor *tensor = sow_shape_tensor(s, slot);
    return tensor->rank == 2 && (tensor->layout == SOW_LAYOUT_IN_OUT) == turned &&
           tensor->shape[turned] == rows && tensor->shape[!turned] == columns;
}

static int is_bias(const struct sow_shapes *s, uint32_t slot, uint64_t rows, int stacked)
{
    const struct sow_tensor *tensor = sow_shape_tensor(s, slot);
    return stacked ? tensor->rank == 2 && tensor->shape[0] == 2 && tensor->shape[1] == rows
                   : tensor->rank == 1 && tensor->shape[0] == rows;
}

enum sow_status sow_shape_recurrent(const struct sow_shapes *s)
{
    struct sow_recurrent r;
    int fits = s->in->rank >= 2 && s->node->at.outputs > 0 &&
               (s->node->op == SOW_OP_RNN_CELL || s->node->op == SOW_OP_LSTM_CELL ||
                s->node->op == SOW_OP_GRU_CELL || s->in->rank == 3) &&
               sow_shape_same_but_last(s->in, s->out);
    if (!fits || !describe(s->node, s->network, &r)) {
        return sow_shape_misfit(s, fits ? "its gates or tensors are not those of its kind"
                                        : "it takes [batch, tokens, inputs], a cell any places");
    }
    if (r.inputs != s->node->at.inputs || sow_shape_last(s->out) != r.directions * r.hidden) {
        return sow_shape_misfit(s, "its inputs or hidden units are not as many");
    }
    for (uint32_t d = 0; d < r.directions; d++) {
        const struct sow_recurrent_slots *slots = &r.slots[d];
        uint64_t rows = r.gates * r.hidden;
        if (!is_matrix(s, slots->input, rows, r.inputs, r.turned)) {
            return sow_shape_bad_tensor(s, slots->input);
        }
        if (!is_matrix(s, slots->state, rows, r.hidden, r.turned)) {
            return sow_shape_bad_tensor(s, slots->state);
        }
        int stacked = slots->state_bias == slots->input_bias;
        for (uint32_t i = slots->state + 1;
             i < slots->input + s->node->parameter_count / r.directions; i++) {
            if (!is_bias(s, i, rows, stacked)) {
                return sow_shape_bad_tensor(s, i);
            }
        }
    }
    return SOW_OK;
}
