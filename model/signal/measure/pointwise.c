/* SPDX-License-Identifier: MIT */
/* Elements times a factor, and two values element by element: sums and products with broadcasting. */
#include <stdio.h>
#include <string.h>

#include "model/signal/measure/step.h"

/* ---- The same elements, times a factor -------------------------------------------------------- */

struct scaled {
    float *to;
    const float *from;
    float factor;
};

static void scale_range(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct scaled *job = user;
    (void)scratch;
    for (uint64_t i = begin; i < end; i++) {
        job->to[i] = job->from[i] * job->factor;
    }
}

static void scaled(const struct sow_step *step, float *to, const float *from, float factor)
{
    struct scaled job = {to, from, factor};
    if (to != NULL) {
        sow_team_ranges(step->team, step->out->elements, SOW_STEP_BLOCK, scale_range, &job);
    }
}

void sow_copy_forward(const struct sow_step *step)
{
    scaled(step, step->output, step->inputs[0], 1);
}

void sow_copy_backward(const struct sow_step *step)
{
    scaled(step, step->input_gradients[0], step->output_gradient, 1);
}

void sow_scale_forward(const struct sow_step *step)
{
    scaled(step, step->output, step->inputs[0], (float)step->node->at.factor);
}

void sow_scale_backward(const struct sow_step *step)
{
    scaled(step, step->input_gradients[0], step->output_gradient, (float)step->node->at.factor);
}

/* ---- Dropout ---------------------------------------------------------------------------------- */

struct dropped {
    const struct sow_step *step;
    const float *from;
    float *to;
    struct sow_draw draw;
    struct sow_key key;
};

/* As in training: an element stays, divided by the share that stays, when its draw from [0, 1] is below that share. */
static void drop_range(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct dropped *job = user;
    const float kept = (float)(1 - job->step->node->at.p), factor = 1 / kept;
    sow_fill(scratch, SOW_F32, begin, end - begin, &job->draw, job->key);
    for (uint64_t i = begin; i < end; i++) {
        job->to[i] = scratch[i - begin] < kept ? job->from[i] * factor : 0;
    }
}

static void drop(const struct sow_step *step, const float *from, float *to)
{
    char name[64];
    struct dropped job = {.step = step, .from = from, .to = to};
    snprintf(name, sizeof name, "probe dropout %u", step->node->output);
    job.key = sow_key(name, step->seed);
    sow_draw_uniform(0, 1, &job.draw, NULL);
    if (to != NULL) {
        sow_team_ranges(step->team, step->out->elements, SOW_STEP_BLOCK, drop_range, &job);
    }
}

void sow_dropout_forward(const struct sow_step *step)
{
    drop(step, step->inputs[0], step->output);
}

void sow_dropout_backward(const struct sow_step *step)
{
    drop(step, step->output_gradient, step->input_gradients[0]);
}

/* ---- Two values ----------------------------------------------------------------------------- */

/* How an input lies under the output: strides 0 where it is repeated. */
struct spread {
    uint64_t stride[SOW_RANK_MAX]; /* by axis of the output */
};

static struct spread spread_of(const struct sow_flow *in, const struct sow_flow *out)
{
    struct spread spread = {{0}};
    uint64_t stride = 1;
    for (uint32_t back = 0; back < in->rank; back++) {
        uint64_t size = in->shape[in->rank - 1 - back];
        spread.stride[out->rank - 1 - back] = size == 1 ? 0 : stride;
        stride *= size;
    }
    return spread;
}

/* Where the elements of the output's row `row` (all axes but the last) begin in the input. */
static uint64_t row_start(const struct spread *spread, const struct sow_flow *out, uint64_t row)
{
    uint64_t at = 0;
    for (uint32_t axis = out->rank - 1; axis-- > 0;) {
        at += row % out->shape[axis] * spread->stride[axis];
        row /= out->shape[axis];
    }
    return at;
}

struct pair {
    const struct sow_step *step;
    struct spread spreads[2];
    uint32_t which; /* backward: the input whose gradient is wanted */
};

static void combine_rows(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct pair *pair = user;
    const struct sow_step *step = pair->step;
    uint64_t width = sow_step_last(step->out);
    uint32_t last = step->out->rank - 1;
    (void)scratch;
    for (uint64_t row = begin; row < end; row++) {
        const float *a = step->inputs[0] + row_start(&pair->spreads[0], step->out, row);
        const float *b = step->inputs[1] + row_start(&pair->spreads[1], step->out, row);
        uint64_t a_step = pair->spreads[0].stride[last], b_step = pair->spreads[1].stride[last];
        float *to = step->output + row * width;
        if (step->node->op == SOW_OP_MULTIPLY) {
            for (uint64_t j = 0; j < width; j++) {
                to[j] = a[j * a_step] * b[j * b_step];
            }
        } else {
            for (uint64_t j = 0; j < width; j++) {
                to[j] = a[j * a_step] + b[j * b_step];
            }
        }
    }
}

static struct pair pair_of(const struct sow_step *step, uint32_t which)
{
    return (struct pair){
        step, {spread_of(step->in[0], step->out), spread_of(step->in[1], step->out)}, which};
}

static uint64_t rows_of(const struct sow_step *step)
{
    return step->out->elements / sow_step_last(step->out);
}

static uint64_t row_block(const struct sow_step *step)
{
    return 1 + SOW_STEP_BLOCK / sow_step_last(step->out);
}

static void combine(const struct sow_step *step)
{
    struct pair pair = pair_of(step, 0);
    sow_team_ranges(step->team, rows_of(step), row_block(step), combine_rows, &pair);
}

/* What comes back to an input: the output's gradient, for a product times the other input. */
static float back_factor(const struct pair *pair, const float *other, uint64_t at)
{
    return pair->step->node->op == SOW_OP_MULTIPLY ? other[at] : 1;
}

/* The input is as large as the output: every element once. */
static void return_rows(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct pair *pair = user;
    const struct sow_step *step = pair->step;
    uint64_t width = sow_step_last(step->out);
    uint64_t stride = pair->spreads[!pair->which].stride[step->out->rank - 1];
    (void)scratch;
    for (uint64_t row = begin; row < end; row++) {
        uint64_t at = row_start(&pair->spreads[!pair->which], step->out, row);
        for (uint64_t j = 0; j < width; j++) {
            step->input_gradients[pair->which][row * width + j] =
                step->output_gradient[row * width + j] *
                back_factor(pair, step->inputs[!pair->which], at + j * stride);
        }
    }
}

/* The input is repeated: its elements collect theirs in the order of the output. */
static void return_sum(const struct pair *pair)
{
    const struct sow_step *step = pair->step;
    float *to = step->input_gradients[pair->which];
    uint64_t width = sow_step_last(step->out);
    uint64_t stride = pair->spreads[pair->which].stride[step->out->rank - 1];
    uint64_t other_stride = pair->spreads[!pair->which].stride[step->out->rank - 1];
    memset(to, 0, step->in[pair->which]->elements * sizeof *to);
    for (uint64_t row = 0; row < rows_of(step); row++) {
        uint64_t at = row_start(&pair->spreads[pair->which], step->out, row);
        uint64_t other = row_start(&pair->spreads[!pair->which], step->out, row);
        for (uint64_t j = 0; j < width; j++) {
            to[at + j * stride] +=
                step->output_gradient[row * width + j] *
                back_factor(pair, step->inputs[!pair->which], other + j * other_stride);
        }
    }
}

static void give_back(const struct sow_step *step)
{
    for (uint32_t which = 0; which < 2; which++) {
        struct pair pair = pair_of(step, which);
        if (step->input_gradients[which] == NULL) {
            continue;
        }
        if (step->in[which]->elements == step->out->elements) {
            sow_team_ranges(step->team, rows_of(step), row_block(step), return_rows, &pair);
        } else {
            return_sum(&pair);
        }
    }
}

void sow_add_forward(const struct sow_step *step)
{
    combine(step);
}

void sow_add_backward(const struct sow_step *step)
{
    give_back(step);
}

void sow_multiply_forward(const struct sow_step *step)
{
    combine(step);
}

void sow_multiply_backward(const struct sow_step *step)
{
    give_back(step);
}
