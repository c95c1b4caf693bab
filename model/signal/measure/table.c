/* SPDX-License-Identifier: MIT */
/* Which kernels an operation has. A new operation is a row here. */
#include "model/signal/measure/step.h"

static const struct sow_step_row rows[SOW_OP_COUNT] = {
    [SOW_OP_LINEAR] = {sow_linear_forward, sow_linear_backward, .keeps = 1},
    [SOW_OP_CONV] = {sow_conv_forward, sow_conv_backward, .keeps = 1, .scratch = sow_conv_scratch},
    [SOW_OP_CONV_TRANSPOSE] = {sow_conv_transpose_forward, sow_conv_transpose_backward, .keeps = 1,
                               .scratch = sow_conv_scratch},
    [SOW_OP_BILINEAR] = {sow_bilinear_forward, sow_bilinear_backward, .keeps = 1,
                         .scratch = sow_bilinear_scratch},
    [SOW_OP_RNN] = {sow_recurrent_forward, sow_recurrent_backward, .keeps = 1,
                    .aside = sow_recurrent_aside},
    [SOW_OP_RNN_CELL] = {sow_recurrent_forward, sow_recurrent_backward, .keeps = 1,
                         .aside = sow_recurrent_aside},
    [SOW_OP_LSTM] = {sow_recurrent_forward, sow_recurrent_backward, .keeps = 1,
                     .aside = sow_recurrent_aside},
    [SOW_OP_LSTM_CELL] = {sow_recurrent_forward, sow_recurrent_backward, .keeps = 1,
                          .aside = sow_recurrent_aside},
    [SOW_OP_GRU] = {sow_recurrent_forward, sow_recurrent_backward, .keeps = 1,
                    .aside = sow_recurrent_aside},
    [SOW_OP_GRU_CELL] = {sow_recurrent_forward, sow_recurrent_backward, .keeps = 1,
                         .aside = sow_recurrent_aside},
    [SOW_OP_EMBEDDING] = {sow_embedding_forward, sow_embedding_backward, .keeps = 1},
    [SOW_OP_LAYER_NORM] = {sow_norm_forward, sow_norm_backward, .keeps = 1,
                           .aside = sow_norm_aside},
    [SOW_OP_RMS_NORM] = {sow_norm_forward, sow_norm_backward, .keeps = 1, .aside = sow_norm_aside},
    [SOW_OP_BATCH_NORM] = {sow_norm_forward, sow_norm_backward, .keeps = 1,
                           .aside = sow_norm_aside},
    [SOW_OP_GROUP_NORM] = {sow_norm_forward, sow_norm_backward, .keeps = 1,
                           .aside = sow_norm_aside},
    [SOW_OP_LEARNED] = {sow_learned_forward, sow_learned_backward, .keeps = 0},
    [SOW_OP_LAYER_SCALE] = {sow_layer_scale_forward, sow_layer_scale_backward, .keeps = 1},
    [SOW_OP_CONCAT] = {sow_concat_forward, sow_concat_backward, .keeps = 0},
    [SOW_OP_TO_TOKENS] = {sow_to_tokens_forward, sow_to_tokens_backward, .keeps = 0},
    [SOW_OP_TAKE] = {sow_take_forward, sow_take_backward, .keeps = 0},
    [SOW_OP_GLOBAL_POOL] = {sow_global_pool_forward, sow_global_pool_backward, .keeps = 1},
    [SOW_OP_ACTIVATION] = {sow_activation_forward, sow_activation_backward, .keeps = 1},
    [SOW_OP_DROPOUT] = {sow_dropout_forward, sow_dropout_backward, .keeps = 0},
    [SOW_OP_SCALE] = {sow_scale_forward, sow_scale_backward, .keeps = 0},
    [SOW_OP_ADD] = {sow_add_forward, sow_add_backward, .keeps = 0},
    [SOW_OP_GATED] = {sow_gated_forward, sow_gated_backward, .keeps = 1},
    [SOW_OP_MULTIPLY] = {sow_multiply_forward, sow_multiply_backward, .keeps = 1},
    [SOW_OP_ROUTE] = {sow_route_forward, sow_route_backward, .keeps = 1,
                      .scratch = sow_route_scratch},
    [SOW_OP_EXPERTS] = {sow_experts_forward, sow_experts_backward, .keeps = 1},
    [SOW_OP_ATTENTION] = {sow_attention_forward, sow_attention_backward, .keeps = 1,
                          .scratch = sow_attention_scratch, .aside = sow_attention_aside},
    [SOW_OP_MAX_POOL] = {sow_max_pool_forward, sow_max_pool_backward, .keeps = 1},
    [SOW_OP_AVERAGE_POOL] = {sow_average_pool_forward, sow_average_pool_backward, .keeps = 0},
    [SOW_OP_FLATTEN] = {sow_copy_forward, sow_copy_backward, .keeps = 0},
    [SOW_OP_SPLIT_HEADS] = {sow_copy_forward, sow_copy_backward, .keeps = 0},
    [SOW_OP_MERGE_HEADS] = {sow_copy_forward, sow_copy_backward, .keeps = 0},
};

const struct sow_step_row *sow_step_row(enum sow_op op)
{
    return rows[op].forward != NULL ? &rows[op] : NULL;
}
