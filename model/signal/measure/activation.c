/* SPDX-License-Identifier: MIT */
/* Activations of arrays. The usual ones in float32, loops that the compiler vectorises; all others as the table of
 * core/activation has them and expressions, in double and rounded. Of NaN all make NaN, so that what has overflowed is seen to the end. */
#include <math.h> /* isnan: a macro */
#include <string.h>

#include "core/activation/expression.h"
#include "core/activation/row.h"
#include "model/signal/measure/loops.h"
#include "model/signal/measure/step.h"

/* NULL when it has no loop of its own. */
static const struct sow_quick *quick_of(const struct sow_activation *activation)
{
    const struct sow_loops *loops = sow_loops_chosen();
    for (size_t i = 0; activation != NULL && i < SOW_QUICK_ACTIVATIONS; i++) {
        if (strcmp(loops->activations[i].name, activation->name) == 0 &&
            activation->parameter_count == 0) {
            return &loops->activations[i];
        }
    }
    return NULL;
}

/* ---- Expressions ------------------------------------------------------------------------------------- */

/* Values, or with `slopes` those; of up to SOW_EXPRESSION_LANES elements. */
static void run(const struct sow_function *function, const float *x, double *values, double *slopes,
                uint64_t count)
{
    const struct sow_expression_program *program = function->user;
    double places[SOW_EXPRESSION_LANES];
    for (uint64_t i = 0; i < count; i++) {
        places[i] = (double)x[i];
    }
    sow_expression_run(program->steps, program->count, places, values, slopes, count);
}

static void expression_values(const struct sow_function *function, const float *x, float *y,
                              uint64_t count)
{
    double values[SOW_EXPRESSION_LANES];
    for (uint64_t begin = 0; begin < count; begin += SOW_EXPRESSION_LANES) {
        uint64_t lanes =
            count - begin < SOW_EXPRESSION_LANES ? count - begin : SOW_EXPRESSION_LANES;
        run(function, x + begin, values, NULL, lanes);
        for (uint64_t i = 0; i < lanes; i++) {
            float in = x[begin + i];
            y[begin + i] = isnan(in) ? in : (float)values[i];
        }
    }
}

static void expression_slopes(const struct sow_function *function, const float *x, const float *dy,
                              float *dx, uint64_t count)
{
    double values[SOW_EXPRESSION_LANES], slopes[SOW_EXPRESSION_LANES];
    for (uint64_t begin = 0; begin < count; begin += SOW_EXPRESSION_LANES) {
        uint64_t lanes =
            count - begin < SOW_EXPRESSION_LANES ? count - begin : SOW_EXPRESSION_LANES;
        run(function, x + begin, values, slopes, lanes);
        for (uint64_t i = 0; i < lanes; i++) {
            float in = x[begin + i];
            dx[begin + i] = isnan(in) ? in : (float)(slopes[i] * (double)dy[begin + i]);
        }
    }
}

/* ---- All --------------------------------------------------------------------------------------------- */

void sow_function_values(const struct sow_function *function, const float *x, float *y,
                         uint64_t count)
{
    const struct sow_quick *quick = quick_of(function->activation);
    if (quick != NULL) {
        quick->value(x, y, count);
        return;
    }
    if (sow_is_expression(function)) {
        expression_values(function, x, y, count);
        return;
    }
    const struct sow_activation_row *row = sow_activation_row_of(function->activation);
    for (uint64_t i = 0; i < count; i++) {
        y[i] = isnan(x[i]) ? x[i] : (float)row->value((double)x[i], function->parameters);
    }
}

void sow_function_slopes(const struct sow_function *function, const float *x, const float *dy,
                         float *dx, uint64_t count)
{
    const struct sow_quick *quick = quick_of(function->activation);
    if (quick != NULL) {
        quick->slope(x, dy, dx, count);
        return;
    }
    if (sow_is_expression(function)) {
        expression_slopes(function, x, dy, dx, count);
        return;
    }
    const struct sow_activation_row *row = sow_activation_row_of(function->activation);
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
