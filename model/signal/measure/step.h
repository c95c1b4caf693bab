/* SPDX-License-Identifier: MIT */
/* One operation on numbers, forward and backward, and the table of all of them. The kernels know flat float32 arrays, the
 * node and its shapes; where the arrays come from and when they go is round.c's. All arithmetic is in an order that
 * shapes alone decide: sums over places in double, from first to last. */
#ifndef SOW_MEASURE_STEP_H
#define SOW_MEASURE_STEP_H

#include "model/signal/measure/team.h"
#include "model/signal/network/network.h"

#define SOW_STEP_INPUTS     264 /* values that an operation may read here */
#define SOW_STEP_PARAMETERS 8

struct sow_step {
    const struct sow_node *node;
    const struct sow_network *network;
    struct sow_team *team;
    uint64_t seed;
    const struct sow_flow *in[SOW_STEP_INPUTS], *out;
    const struct sow_tensor *tensors[SOW_STEP_PARAMETERS];
    const float *weights[SOW_STEP_PARAMETERS]; /* row-major, as the plan has their shapes */

    const float *inputs[SOW_STEP_INPUTS]; /* backward: NULL unless the row keeps them */
    float *output;                        /* forward */
    double *aside;                        /* room of the row's `aside` numbers */

    /* Backward: d of what the cotangents weigh. NULL where nobody asks; else the kernel sets every element. */
    const float *output_gradient;
    float *input_gradients[SOW_STEP_INPUTS];
    float *weight_gradients[SOW_STEP_PARAMETERS];
    int weight_started
        [SOW_STEP_PARAMETERS]; /* other uses of the parameter are in it: add to them */
};

typedef void sow_step_fn(const struct sow_step *step);

struct sow_step_row {
    sow_step_fn *forward, *backward; /* NULL: not known here; backward NULL: no gradient flows */
    int keeps;                       /* backward reads the inputs */
    /* floats of a thread's scratch, after those of a product, and doubles aside; NULL: none */
    uint64_t (*scratch)(const struct sow_node *node, const struct sow_network *network);
    uint64_t (*aside)(const struct sow_node *node, const struct sow_network *network);
};

/* NULL when numbers cannot be sent through it. */
const struct sow_step_row *sow_step_row(enum sow_op op);

/* ---- For the kernels ---- */

/* Elements of one thread's share, when every element is alone. */
#define SOW_STEP_BLOCK 8192u

static inline uint64_t sow_step_last(const struct sow_flow *flow)
{
    return flow->rank > 0 ? flow->shape[flow->rank - 1] : 1;
}

/* `range` over the rows of the output's last axis; its argument is a copy of the step. */
static inline void sow_step_rows(const struct sow_step *step, sow_range_fn *range)
{
    struct sow_step copy = *step;
    uint64_t width = sow_step_last(step->out);
    sow_team_ranges(step->team, step->out->elements / width, 1 + SOW_STEP_BLOCK / width, range,
                    &copy);
}

/* Sets an element of a weight's gradient, or adds to it. */
static inline void sow_step_give(const struct sow_step *step, size_t parameter, uint64_t element,
                                 double value)
{
    float *to = &step->weight_gradients[parameter][element];
    *to = (float)(step->weight_started[parameter] ? (double)*to + value : value);
}

/* The gradient of a parameter that was added to every row: sums over `rows`, from the first to the last, in double. */
void sow_step_column_sums(const struct sow_step *step, const float *from, uint64_t rows,
                          uint64_t columns, size_t parameter);

sow_step_fn sow_linear_forward, sow_linear_backward;
sow_step_fn sow_embedding_forward, sow_embedding_backward;
sow_step_fn sow_conv_forward, sow_conv_backward;
uint64_t sow_conv_scratch(const struct sow_node *node, const struct sow_network *network);
sow_step_fn sow_conv_transpose_forward, sow_conv_transpose_backward;
sow_step_fn sow_bilinear_forward, sow_bilinear_backward;
uint64_t sow_bilinear_scratch(const struct sow_node *node, const struct sow_network *network);
sow_step_fn sow_recurrent_forward, sow_recurrent_backward;
uint64_t sow_recurrent_aside(const struct sow_node *node, const struct sow_network *network);
sow_step_fn sow_gated_forward, sow_gated_backward;
/* phi of x[0 .. count), and dx = dy phi'(x); y may be x, and dx dy. */
void sow_function_values(const struct sow_function *function, const float *x, float *y,
                         uint64_t count);
void sow_function_slopes(const struct sow_function *function, const float *x, const float *dy,
                         float *dx, uint64_t count);
sow_step_fn sow_route_forward, sow_route_backward;
uint64_t sow_route_scratch(const struct sow_node *node, const struct sow_network *network);
sow_step_fn sow_experts_forward, sow_experts_backward;
sow_step_fn sow_norm_forward, sow_norm_backward;
uint64_t sow_norm_aside(const struct sow_node *node, const struct sow_network *network);
sow_step_fn sow_activation_forward, sow_activation_backward;
sow_step_fn sow_copy_forward, sow_copy_backward;
sow_step_fn sow_dropout_forward, sow_dropout_backward;
sow_step_fn sow_scale_forward, sow_scale_backward;
sow_step_fn sow_add_forward, sow_add_backward;
sow_step_fn sow_multiply_forward, sow_multiply_backward;
sow_step_fn sow_attention_forward, sow_attention_backward;
uint64_t sow_attention_scratch(const struct sow_node *node, const struct sow_network *network);
uint64_t sow_attention_aside(const struct sow_node *node, const struct sow_network *network);
/* After forward: entropy, ln(keys) and variance of the logits of each query. */
const double *sow_attention_numbers(const struct sow_step *step, uint64_t *queries);
sow_step_fn sow_learned_forward, sow_learned_backward;
sow_step_fn sow_layer_scale_forward, sow_layer_scale_backward;
sow_step_fn sow_concat_forward, sow_concat_backward;
sow_step_fn sow_to_tokens_forward, sow_to_tokens_backward;
sow_step_fn sow_take_forward, sow_take_backward;
sow_step_fn sow_global_pool_forward, sow_global_pool_backward;
sow_step_fn sow_max_pool_forward, sow_max_pool_backward;
sow_step_fn sow_average_pool_forward, sow_average_pool_backward;

#endif
