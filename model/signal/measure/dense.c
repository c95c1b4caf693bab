/* SPDX-License-Identifier: MIT */
/* Projections and rows looked up. */
#include <string.h>

#include "model/signal/measure/step.h"

#define COLUMN_BLOCK 64u

/* ---- Sums over places ----------------------------------------------------------------------- */

struct column_sums {
    const float *from;
    uint64_t rows, columns;
    const struct sow_step *step;
    size_t parameter;
};

static void column_sums_range(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct column_sums *job = user;
    double sums[COLUMN_BLOCK] = {0};
    (void)scratch;
    for (uint64_t i = 0; i < job->rows; i++) {
        const float *row = job->from + i * job->columns;
        for (uint64_t j = begin; j < end; j++) {
            sums[j - begin] += (double)row[j];
        }
    }
    for (uint64_t j = begin; j < end; j++) {
        sow_step_give(job->step, job->parameter, j, sums[j - begin]);
    }
}

void sow_step_column_sums(const struct sow_step *step, const float *from, uint64_t rows,
                          uint64_t columns, size_t parameter)
{
    struct column_sums job = {from, rows, columns, step, parameter};
    sow_team_ranges(step->team, columns, COLUMN_BLOCK, column_sums_range, &job);
}

/* ---- Linear --------------------------------------------------------------------------------- */

static void bias_range(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct sow_step *step = user;
    uint64_t columns = sow_step_last(step->out);
    (void)scratch;
    for (uint64_t i = begin; i < end; i++) {
        memcpy(step->output + i * columns, step->weights[1], columns * sizeof(float));
    }
}

/* The weight as a matrix of `inputs` rows and `outputs` columns, whichever way it lies. */
static struct sow_operand weight_of(const struct sow_step *step, uint64_t inputs, uint64_t outputs)
{
    int turned = sow_weight_turned(step->tensors[0]);
    return (struct sow_operand){step->weights[0], turned ? outputs : 1, turned ? 1 : inputs};
}

void sow_linear_forward(const struct sow_step *step)
{
    uint64_t inputs = sow_step_last(step->in[0]), outputs = sow_step_last(step->out);
    uint64_t rows = inputs > 0 ? step->in[0]->elements / inputs : 0;
    int has_bias = step->weights[1] != NULL;
    struct sow_gemm product = {.rows = rows,
                               .columns = outputs,
                               .depth = inputs,
                               .a = {step->inputs[0], inputs, 1},
                               .b = weight_of(step, inputs, outputs),
                               .c = step->output,
                               .c_row = outputs,
                               .accumulate = has_bias};
    if (has_bias) {
        struct sow_step copy = *step;
        sow_team_ranges(step->team, rows, 16, bias_range, &copy);
    }
    sow_team_gemm(step->team, &product);
}

void sow_linear_backward(const struct sow_step *step)
{
    uint64_t inputs = sow_step_last(step->in[0]), outputs = sow_step_last(step->out);
    uint64_t rows = inputs > 0 ? step->in[0]->elements / inputs : 0;
    const float *x = step->inputs[0], *dy = step->output_gradient;
    struct sow_operand weight = weight_of(step, inputs, outputs);
    if (step->input_gradients[0] != NULL) {
        struct sow_gemm product = {rows,
                                   inputs,
                                   outputs,
                                   {dy, outputs, 1},
                                   {weight.at, weight.column, weight.row},
                                   step->input_gradients[0],
                                   inputs,
                                   0};
        sow_team_gemm(step->team, &product);
    }
    if (step->weight_gradients[0] != NULL) {
        struct sow_gemm product = {.rows = outputs,
                                   .columns = inputs,
                                   .depth = rows,
                                   .a = {dy, 1, outputs},
                                   .b = {x, inputs, 1},
                                   .c = step->weight_gradients[0],
                                   .c_row = inputs};
        if (sow_weight_turned(step->tensors[0])) {
            product = (struct sow_gemm){.rows = inputs,
                                        .columns = outputs,
                                        .depth = rows,
                                        .a = {x, 1, inputs},
                                        .b = {dy, outputs, 1},
                                        .c = step->weight_gradients[0],
                                        .c_row = outputs};
        }
        product.accumulate = step->weight_started[0];
        sow_team_gemm(step->team, &product);
    }
    if (step->weight_gradients[1] != NULL) {
        sow_step_column_sums(step, dy, rows, outputs, 1);
    }
}

/* ---- Embedding ------------------------------------------------------------------------------ */

/* Numbers of rows travel as floats, exact to 2^24; one beyond the last row wraps around. */
static uint64_t row_of(const struct sow_step *step, uint64_t place)
{
    return (uint64_t)step->inputs[0][place] % step->tensors[0]->shape[0];
}

static void look_up(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct sow_step *step = user;
    uint64_t features = sow_step_last(step->out);
    (void)scratch;
    for (uint64_t place = begin; place < end; place++) {
        memcpy(step->output + place * features, step->weights[0] + row_of(step, place) * features,
               features * sizeof(float));
    }
}

void sow_embedding_forward(const struct sow_step *step)
{
    struct sow_step copy = *step;
    sow_team_ranges(step->team, step->in[0]->elements, 64, look_up, &copy);
}

/* A range of features of all rows: places add to a row in their order. */
static void collect(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct sow_step *step = user;
    uint64_t features = sow_step_last(step->out);
    (void)scratch;
    for (uint64_t row = 0; row < step->tensors[0]->shape[0] && !step->weight_started[0]; row++) {
        memset(step->weight_gradients[0] + row * features + begin, 0,
               (end - begin) * sizeof(float));
    }
    for (uint64_t place = 0; place < step->in[0]->elements; place++) {
        float *to = step->weight_gradients[0] + row_of(step, place) * features;
        for (uint64_t j = begin; j < end; j++) {
            to[j] += step->output_gradient[place * features + j];
        }
    }
}

void sow_embedding_backward(const struct sow_step *step)
{
    struct sow_step copy = *step;
    if (step->weight_gradients[0] != NULL) {
        sow_team_ranges(step->team, sow_step_last(step->out), 256, collect, &copy);
    }
}
