/* SPDX-License-Identifier: MIT */
/* A recurrent layer as its parameters lie: which gate is which block, torch's or Keras' way. For prediction and
 * measurement alike; what the gates do is theirs.
 *
 *   rnn   h' = phi(h-gate)                      every gate: W_input x + b_input + W_state h + b_state
 *   lstm  c' = f c + i g,  h' = o tanh(c')      i, f, o: sigmoid; g: tanh
 *   gru   h' = (1 - z) n + z h                  n = tanh(W x + b_input + r (W h + b_state)); r, z: sigmoid */
#ifndef SOW_SIGNAL_RECURRENT_H
#define SOW_SIGNAL_RECURRENT_H

#include "model/signal/network/network.h"

enum sow_recurrent_kind { SOW_RECURRENT_RNN, SOW_RECURRENT_LSTM, SOW_RECURRENT_GRU };

/* Gates in the order in which the code names them; blocks[] says where each lies. */
enum { SOW_GATE_H = 0, SOW_GATE_I = 0, SOW_GATE_F, SOW_GATE_G, SOW_GATE_O };
enum { SOW_GATE_R = 0, SOW_GATE_Z, SOW_GATE_N };
#define SOW_GATES_MAX 4

/* Parameters of one direction, as slots of the node; SOW_NO_INDEX where there is none. */
struct sow_recurrent_slots {
    uint32_t input, state, input_bias, state_bias;
    uint64_t state_bias_at; /* elements into its parameter: Keras stacks both biases of a gru */
};

struct sow_recurrent {
    enum sow_recurrent_kind kind;
    int is_relu; /* rnn: not tanh */
    int is_cell; /* one step; every row is a sample */
    uint32_t gates, directions;
    uint32_t blocks[SOW_GATES_MAX]; /* gate to block of `hidden` rows */
    int turned;                     /* weights are [inputs, gates * hidden], as Keras' */
    uint64_t inputs, hidden, steps, samples;
    struct sow_recurrent_slots slots[2];
};

int sow_is_recurrent_op(enum sow_op op);

/* Of a node that sow_node_shape has passed. */
struct sow_recurrent sow_recurrent_of(const struct sow_node *node,
                                      const struct sow_network *network);

#endif
