/* SPDX-License-Identifier: MIT */
/* Layers that multiply two values: gated units and bilinear ones. A plain product is in pointwise.c. */
#include <string.h>

#include "model/signal/measure/step.h"

/* ---- Gated units: y = a phi(b) ------------------------------------------------------------------ */

/* Where the halves of row 0 begin, and from one row to the next. */
struct halves {
    uint64_t gate, value, row;
};

static struct halves halves_of(const struct sow_step *step)
{
    uint64_t width = sow_step_last(step->out);
    if (step->node->input_count > 1) {
        return (struct halves){0, 0, width};
    }
    int gate_first = strcmp(step->node->at.first, "gate") == 0;
    return (struct halves){gate_first ? 0 : width, gate_first ? width : 0, 2 * width};
}

static void gate_rows(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct sow_step *step = user;
    struct halves at = halves_of(step);
    uint64_t width = sow_step_last(step->out), last = step->node->input_count - 1;
    (void)scratch;
    for (uint64_t row = begin; row < end; row++) {
        const float *a = step->inputs[last] + row * at.row + at.value;
        float *to = step->output + row * width;
        sow_function_values(&step->node->at.function, step->inputs[0] + row * at.row + at.gate, to,
                            width);
        for (uint64_t j = 0; j < width; j++) {
            to[j] *= a[j];
        }
    }
}

static void gate_rows_back(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct sow_step *step = user;
    const struct sow_function *phi = &step->node->at.function;
    struct halves at = halves_of(step);
    uint64_t width = sow_step_last(step->out), last = step->node->input_count - 1;
    (void)scratch;
    for (uint64_t row = begin; row < end; row++) {
        const float *b = step->inputs[0] + row * at.row + at.gate;
        const float *a = step->inputs[last] + row * at.row + at.value;
        const float *dy = step->output_gradient + row * width;
        if (step->input_gradients[last] != NULL) {
            float *da = step->input_gradients[last] + row * at.row + at.value;
            sow_function_values(phi, b, da, width);
            for (uint64_t j = 0; j < width; j++) {
                da[j] *= dy[j];
            }
        }
        if (step->input_gradients[0] != NULL) {
            float *db = step->input_gradients[0] + row * at.row + at.gate;
            for (uint64_t j = 0; j < width; j++) {
                db[j] = dy[j] * a[j];
            }
            sow_function_slopes(phi, b, db, db, width);
        }
    }
}

void sow_gated_forward(const struct sow_step *step)
{
    sow_step_rows(step, gate_rows);
}

void sow_gated_backward(const struct sow_step *step)
{
    sow_step_rows(step, gate_rows_back);
}

/* ---- Bilinear: y_o = sum over i, j of x_i w_oij z_j ------------------------------------------------- */

#define ROWS 64u /* of one product */

/* One x_i at a time: rows of x_i z are multiplied with the matrix w_.i. */
struct bilinear {
    const struct sow_step *step;
    uint64_t rows, n, m, outputs; /* n of x, m of z */
};

static struct bilinear bilinear_of(const struct sow_step *step)
{
    uint64_t outputs = sow_step_last(step->out);
    return (struct bilinear){step, step->out->elements / outputs, sow_step_last(step->in[0]),
                             sow_step_last(step->in[1]), outputs};
}

uint64_t sow_bilinear_scratch(const struct sow_node *node, const struct sow_network *network)
{
    return ROWS * sow_step_last(&network->flows[node->inputs[1]]);
}

/* to[row][j] = x[row][i] z[row][j]. */
static void weigh(const struct bilinear *job, uint64_t i, uint64_t begin, uint64_t end, float *to)
{
    for (uint64_t row = begin; row < end; row++) {
        float x = job->step->inputs[0][row * job->n + i];
        const float *z = job->step->inputs[1] + row * job->m;
        for (uint64_t j = 0; j < job->m; j++) {
            to[(row - begin) * job->m + j] = x * z[j];
        }
    }
}

static void bilinear_rows(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct bilinear *job = user;
    const struct sow_step *step = job->step;
    float *products = scratch + SOW_GEMM_SCRATCH_FLOATS;
    for (uint64_t row = begin; row < end && step->weights[1] != NULL; row++) {
        memcpy(step->output + row * job->outputs, step->weights[1], job->outputs * sizeof(float));
    }
    for (uint64_t i = 0; i < job->n; i++) {
        struct sow_gemm product = {.rows = end - begin,
                                   .columns = job->outputs,
                                   .depth = job->m,
                                   .a = {products, job->m, 1},
                                   .b = {step->weights[0] + i * job->m, 1, job->n * job->m},
                                   .c = step->output + begin * job->outputs,
                                   .c_row = job->outputs,
                                   .accumulate = i > 0 || step->weights[1] != NULL};
        weigh(job, i, begin, end, products);
        sow_gemm(&product, scratch);
    }
}

/* With t_ij = sum over o of dy_o w_oij: dx_i = sum of t_ij z_j, dz_j = sum of x_i t_ij. */
static void bilinear_rows_back(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct bilinear *job = user;
    const struct sow_step *step = job->step;
    float *through = scratch + SOW_GEMM_SCRATCH_FLOATS, *dx = step->input_gradients[0],
          *dz = step->input_gradients[1];
    if (dz != NULL) {
        memset(dz + begin * job->m, 0, (end - begin) * job->m * sizeof *dz);
    }
    for (uint64_t i = 0; i < job->n; i++) {
        struct sow_gemm product = {
            .rows = end - begin,
            .columns = job->m,
            .depth = job->outputs,
            .a = {step->output_gradient + begin * job->outputs, job->outputs, 1},
            .b = {step->weights[0] + i * job->m, job->n * job->m, 1},
            .c = through,
            .c_row = job->m};
        sow_gemm(&product, scratch);
        for (uint64_t row = begin; row < end; row++) {
            const float *t = through + (row - begin) * job->m, *z = step->inputs[1] + row * job->m;
            float x = step->inputs[0][row * job->n + i];
            double sum = 0;
            for (uint64_t j = 0; j < job->m; j++) {
                sum += (double)t[j] * (double)z[j];
                if (dz != NULL) {
                    dz[row * job->m + j] += x * t[j];
                }
            }
            if (dx != NULL) {
                dx[row * job->n + i] = (float)sum;
            }
        }
    }
}

/* The weight's gradient at some x_i. */
static void bilinear_weight(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct bilinear *job = user;
    const struct sow_step *step = job->step;
    float *products = scratch + SOW_GEMM_SCRATCH_FLOATS;
    for (uint64_t i = begin; i < end; i++) {
        for (uint64_t first = 0; first < job->rows; first += ROWS) {
            uint64_t last = first + ROWS < job->rows ? first + ROWS : job->rows;
            struct sow_gemm product = {
                .rows = job->outputs,
                .columns = job->m,
                .depth = last - first,
                .a = {step->output_gradient + first * job->outputs, 1, job->outputs},
                .b = {products, job->m, 1},
                .c = step->weight_gradients[0] + i * job->m,
                .c_row = job->n * job->m,
                .accumulate = first > 0 || step->weight_started[0]};
            weigh(job, i, first, last, products);
            sow_gemm(&product, scratch);
        }
    }
}

void sow_bilinear_forward(const struct sow_step *step)
{
    struct bilinear job = bilinear_of(step);
    sow_team_ranges(step->team, job.rows, ROWS, bilinear_rows, &job);
}

void sow_bilinear_backward(const struct sow_step *step)
{
    struct bilinear job = bilinear_of(step);
    if (step->input_gradients[0] != NULL || step->input_gradients[1] != NULL) {
        sow_team_ranges(step->team, job.rows, ROWS, bilinear_rows_back, &job);
    }
    if (step->weight_gradients[0] != NULL) {
        sow_team_ranges(step->team, job.n, 1, bilinear_weight, &job);
    }
    if (step->weight_gradients[1] != NULL) {
        sow_step_column_sums(step, step->output_gradient, job.rows, job.outputs, 1);
    }
}
