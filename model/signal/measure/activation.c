/* SPDX-License-Identifier: MIT */
/* Activations of arrays. The usual ones in float32, loops that the compiler vectorises; all others as the table of
 * core/activation has them, in double and rounded. */
#include <string.h>

#include "core/activation/row.h"
#include "model/signal/measure/float_math.h"
#include "model/signal/measure/step.h"

#define GELU_INNER 0x1.988454p-1f /* sqrt(2 / pi) */
#define GELU_CUBE  0.044715f

/* Values of x[0 .. count), or slopes times dy. */
typedef void value_fn(const float *x, float *y, uint64_t count);
typedef void slope_fn(const float *x, const float *dy, float *dx, uint64_t count);

static void relu(const float *x, float *y, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        y[i] = x[i] > 0 ? x[i] : 0;
    }
}

static void relu_slope(const float *x, const float *dy, float *dx, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        dx[i] = x[i] > 0 ? dy[i] : 0;
    }
}

static void tanh_value(const float *x, float *y, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        y[i] = sow_tanhf(x[i]);
    }
}

static void tanh_slope(const float *x, const float *dy, float *dx, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        float t = sow_tanhf(x[i]);
        dx[i] = dy[i] * ((1 - t) * (1 + t));
    }
}

static void sigmoid(const float *x, float *y, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        y[i] = sow_sigmoidf(x[i]);
    }
}

static void sigmoid_slope(const float *x, const float *dy, float *dx, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        float s = sow_sigmoidf(x[i]);
        dx[i] = dy[i] * (s * (1 - s));
    }
}

static void silu(const float *x, float *y, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        y[i] = x[i] * sow_sigmoidf(x[i]);
    }
}

static void silu_slope(const float *x, const float *dy, float *dx, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        float s = sow_sigmoidf(x[i]);
        dx[i] = dy[i] * (s + x[i] * s * (1 - s));
    }
}

/* (1 + tanh u) / 2 = sigmoid(2 u). */
static void gelu_tanh(const float *x, float *y, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        float u = GELU_INNER * (x[i] + GELU_CUBE * x[i] * x[i] * x[i]);
        y[i] = x[i] * sow_sigmoidf(2 * u);
    }
}

static void gelu_tanh_slope(const float *x, const float *dy, float *dx, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        float u = GELU_INNER * (x[i] + GELU_CUBE * x[i] * x[i] * x[i]), s = sow_sigmoidf(2 * u);
        float inner = 2 * GELU_INNER * (1 + 3 * GELU_CUBE * x[i] * x[i]);
        dx[i] = dy[i] * (s + x[i] * (s * (1 - s)) * inner);
    }
}

static const struct usual {
    const char *name;
    value_fn *value;
    slope_fn *slope;
} usual[] = {
    {"relu", relu, relu_slope},
    {"tanh", tanh_value, tanh_slope},
    {"sigmoid", sigmoid, sigmoid_slope},
    {"silu", silu, silu_slope},
    {"gelu_tanh", gelu_tanh, gelu_tanh_slope},
};

struct job {
    const struct sow_step *step;
    const struct usual *usual; /* NULL: by the table */
};

static struct job job_of(const struct sow_step *step)
{
    const struct sow_activation *activation = step->node->at.function.activation;
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++) {
        if (strcmp(usual[i].name, activation->name) == 0 && activation->parameter_count == 0) {
            return (struct job){step, &usual[i]};
        }
    }
    return (struct job){step, NULL};
}

static void activate(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct job *job = user;
    const struct sow_step *step = job->step;
    const struct sow_function *function = &step->node->at.function;
    const struct sow_activation_row *row = sow_activation_row_of(function->activation);
    (void)scratch;
    if (job->usual != NULL) {
        job->usual->value(step->inputs[0] + begin, step->output + begin, end - begin);
        return;
    }
    for (uint64_t i = begin; i < end; i++) {
        step->output[i] = (float)row->value((double)step->inputs[0][i], function->parameters);
    }
}

static void activate_back(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct job *job = user;
    const struct sow_step *step = job->step;
    const struct sow_function *function = &step->node->at.function;
    const struct sow_activation_row *row = sow_activation_row_of(function->activation);
    (void)scratch;
    if (job->usual != NULL) {
        job->usual->slope(step->inputs[0] + begin, step->output_gradient + begin,
                          step->input_gradients[0] + begin, end - begin);
        return;
    }
    for (uint64_t i = begin; i < end; i++) {
        double slope = row->derivative((double)step->inputs[0][i], function->parameters);
        step->input_gradients[0][i] = (float)(slope * (double)step->output_gradient[i]);
    }
}

void sow_activation_forward(const struct sow_step *step)
{
    struct job job = job_of(step);
    sow_team_ranges(step->team, step->out->elements, SOW_STEP_BLOCK, activate, &job);
}

void sow_activation_backward(const struct sow_step *step)
{
    struct job job = job_of(step);
    if (step->input_gradients[0] != NULL) {
        sow_team_ranges(step->team, step->out->elements, SOW_STEP_BLOCK, activate_back, &job);
    }
}
