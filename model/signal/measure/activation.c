/* SPDX-License-Identifier: MIT */
/* Activations of arrays. The usual ones in float32, loops that the compiler vectorises; all others as the table of
 * core/activation has them, in double and rounded. Of NaN all make NaN, so that what has overflowed is seen to the end. */
#include <math.h> /* isnan: a macro */
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
        y[i] = x[i] <= 0 ? 0 : x[i];
    }
}

static void relu_slope(const float *x, const float *dy, float *dx, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        dx[i] = x[i] > 0 ? dy[i] : x[i] <= 0 ? 0 : x[i];
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

/* x, not farther from 0 than where the slope is constant: beyond, its factors are infinity times 0. NaN stays. */
static inline float within(float x, float reach)
{
    x = x > reach ? reach : x;
    return x < -reach ? -reach : x;
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
        float near = within(x[i], 100), s = sow_sigmoidf(near);
        dx[i] = dy[i] * (s + near * s * (1 - s));
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
        float near = within(x[i], 100);
        float u = GELU_INNER * (near + GELU_CUBE * near * near * near), s = sow_sigmoidf(2 * u);
        float inner = 2 * GELU_INNER * (1 + 3 * GELU_CUBE * near * near);
        dx[i] = dy[i] * (s + near * (s * (1 - s)) * inner);
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

static const struct usual *usual_of(const struct sow_activation *activation)
{
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++) {
        if (strcmp(usual[i].name, activation->name) == 0 && activation->parameter_count == 0) {
            return &usual[i];
        }
    }
    return NULL;
}

void sow_function_values(const struct sow_function *function, const float *x, float *y,
                         uint64_t count)
{
    const struct sow_activation_row *row = sow_activation_row_of(function->activation);
    const struct usual *quick = usual_of(function->activation);
    if (quick != NULL) {
        quick->value(x, y, count);
        return;
    }
    for (uint64_t i = 0; i < count; i++) {
        y[i] = isnan(x[i]) ? x[i] : (float)row->value((double)x[i], function->parameters);
    }
}

void sow_function_slopes(const struct sow_function *function, const float *x, const float *dy,
                         float *dx, uint64_t count)
{
    const struct sow_activation_row *row = sow_activation_row_of(function->activation);
    const struct usual *quick = usual_of(function->activation);
    if (quick != NULL) {
        quick->slope(x, dy, dx, count);
        return;
    }
    for (uint64_t i = 0; i < count; i++) {
        double slope = row->derivative((double)x[i], function->parameters);
        dx[i] = isnan(x[i]) ? x[i] : (float)(slope * (double)dy[i]);
    }
}

static void activate(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct sow_step *step = user;
    (void)scratch;
    sow_function_values(&step->node->at.function, step->inputs[0] + begin, step->output + begin,
                        end - begin);
}

static void activate_back(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct sow_step *step = user;
    (void)scratch;
    sow_function_slopes(&step->node->at.function, step->inputs[0] + begin,
                        step->output_gradient + begin, step->input_gradients[0] + begin,
                        end - begin);
}

void sow_activation_forward(const struct sow_step *step)
{
    struct sow_step copy = *step;
    sow_team_ranges(step->team, step->out->elements, SOW_STEP_BLOCK, activate, &copy);
}

void sow_activation_backward(const struct sow_step *step)
{
    struct sow_step copy = *step;
    if (step->input_gradients[0] != NULL) {
        sow_team_ranges(step->team, step->out->elements, SOW_STEP_BLOCK, activate_back, &copy);
    }
}
