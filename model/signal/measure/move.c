/* SPDX-License-Identifier: MIT */
/* What only moves numbers, or takes them from a parameter: learned values, factors by feature, parts side by side, pixels
 * as tokens, one place of an axis. */
#include <string.h>

#include "model/signal/measure/step.h"

#define COLUMN_BLOCK 64u

/* A value around an axis: [outer, size, inner]. */
struct around {
    const struct sow_step *step;
    uint64_t outer, size, inner;
};

static struct around around(const struct sow_step *step, const struct sow_flow *flow, uint64_t axis)
{
    struct around a = {step, 1, flow->shape[axis], 1};
    for (uint32_t i = 0; i < flow->rank; i++) {
        a.outer *= i < axis ? flow->shape[i] : 1;
        a.inner *= i > axis ? flow->shape[i] : 1;
    }
    return a;
}

/* ---- A tensor that is a value ------------------------------------------------------------------- */

void sow_learned_forward(const struct sow_step *step)
{
    memcpy(step->output, step->weights[0], step->out->elements * sizeof(float));
}

void sow_learned_backward(const struct sow_step *step)
{
    for (uint64_t i = 0; i < step->out->elements && step->weight_gradients[0] != NULL; i++) {
        sow_step_give(step, 0, i, (double)step->output_gradient[i]);
    }
}

/* ---- A factor for each feature -------------------------------------------------------------------- */

struct factors {
    struct around a;
    const float *from;
    float *to;
};

static void factor_rows(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct factors *job = user;
    (void)scratch;
    for (uint64_t row = begin; row < end; row++) {
        float factor = job->a.step->weights[0][row % job->a.size];
        for (uint64_t i = row * job->a.inner; i < (row + 1) * job->a.inner; i++) {
            job->to[i] = job->from[i] * factor;
        }
    }
}

static void multiply_rows(const struct sow_step *step, const float *from, float *to)
{
    struct factors job = {around(step, step->out, step->node->at.axis), from, to};
    sow_team_ranges(step->team, job.a.outer * job.a.size, 1 + SOW_STEP_BLOCK / (job.a.inner + 1),
                    factor_rows, &job);
}

/* Sums over the places of a feature, in double, in their order. */
static void factor_sums(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct around *a = user;
    const struct sow_step *step = a->step;
    double sums[COLUMN_BLOCK] = {0};
    (void)scratch;
    for (uint64_t outer = 0; outer < a->outer; outer++) {
        for (uint64_t f = begin; f < end; f++) {
            uint64_t at = (outer * a->size + f) * a->inner;
            for (uint64_t i = at; i < at + a->inner; i++) {
                sums[f - begin] += (double)step->output_gradient[i] * (double)step->inputs[0][i];
            }
        }
    }
    for (uint64_t f = begin; f < end; f++) {
        sow_step_give(step, 0, f, sums[f - begin]);
    }
}

void sow_layer_scale_forward(const struct sow_step *step)
{
    multiply_rows(step, step->inputs[0], step->output);
}

void sow_layer_scale_backward(const struct sow_step *step)
{
    struct around a = around(step, step->out, step->node->at.axis);
    if (step->input_gradients[0] != NULL) {
        multiply_rows(step, step->output_gradient, step->input_gradients[0]);
    }
    if (step->weight_gradients[0] != NULL) {
        sow_team_ranges(step->team, a.size, a.inner > 1 ? 1 : COLUMN_BLOCK, factor_sums, &a);
    }
}

/* ---- Parts side by side ---------------------------------------------------------------------------- */

/* Element `i` of a part as it lies in the output, repeated where its size is 1: where it comes from, and goes to. */
struct place {
    uint64_t from, to;
};

static struct place place_of(const struct sow_step *step, uint32_t part, uint64_t offset,
                             uint64_t i)
{
    const struct sow_flow *in = step->in[part], *out = step->out;
    struct place place = {0, 0};
    uint64_t from_stride = 1, to_stride = 1;
    for (uint32_t axis = out->rank; axis-- > 0;) {
        int is_axis = axis == step->node->at.axis;
        uint64_t size = is_axis ? in->shape[axis] : out->shape[axis], at = i % size;
        i /= size;
        place.from += (in->shape[axis] == 1 ? 0 : at) * from_stride;
        place.to += (at + (is_axis ? offset : 0)) * to_stride;
        from_stride *= in->shape[axis];
        to_stride *= out->shape[axis];
    }
    return place;
}

struct part {
    const struct sow_step *step;
    uint32_t number;
    uint64_t offset, count; /* along the axis; elements as they lie in the output */
    int back;
};

static void part_range(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct part *part = user;
    const struct sow_step *step = part->step;
    (void)scratch;
    for (uint64_t i = begin; i < end; i++) {
        struct place place = place_of(step, part->number, part->offset, i);
        if (part->back) {
            step->input_gradients[part->number][place.from] += step->output_gradient[place.to];
        } else {
            step->output[place.to] = step->inputs[part->number][place.from];
        }
    }
}

static void all_parts(const struct sow_step *step, int back)
{
    uint64_t axis = step->node->at.axis, rest = step->out->elements / step->out->shape[axis];
    struct part part = {.step = step, .back = back};
    for (uint32_t i = 0; i < step->node->input_count; i++) {
        part.number = i;
        part.count = rest * step->in[i]->shape[axis];
        if (!back) {
            sow_team_ranges(step->team, part.count, SOW_STEP_BLOCK, part_range, &part);
        } else if (step->input_gradients[i] != NULL) {
            memset(step->input_gradients[i], 0, step->in[i]->elements * sizeof(float));
            /* One thread where places share an element. */
            sow_team_ranges(step->team, part.count,
                            part.count == step->in[i]->elements ? SOW_STEP_BLOCK : part.count,
                            part_range, &part);
        }
        part.offset += step->in[i]->shape[axis];
    }
}

void sow_concat_forward(const struct sow_step *step)
{
    all_parts(step, 0);
}

void sow_concat_backward(const struct sow_step *step)
{
    all_parts(step, 1);
}

/* ---- Pixels as tokens, one place ------------------------------------------------------------------ */

struct turn {
    const float *from;
    float *to;
    uint64_t rows, columns; /* of each of the matrices that are turned */
};

static void turn_range(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct turn *job = user;
    uint64_t size = job->rows * job->columns;
    (void)scratch;
    for (uint64_t i = begin; i < end; i++) {
        uint64_t at = i % size;
        job->to[i] = job->from[i - at + at % job->rows * job->columns + at / job->rows];
    }
}

static void turn(const struct sow_step *step, const float *from, float *to, uint64_t rows,
                 uint64_t columns)
{
    struct turn job = {from, to, rows, columns};
    if (to != NULL) {
        sow_team_ranges(step->team, step->out->elements, SOW_STEP_BLOCK, turn_range, &job);
    }
}

void sow_to_tokens_forward(const struct sow_step *step)
{
    turn(step, step->inputs[0], step->output, step->out->shape[2], step->out->shape[1]);
}

void sow_to_tokens_backward(const struct sow_step *step)
{
    turn(step, step->output_gradient, step->input_gradients[0], step->out->shape[1],
         step->out->shape[2]);
}

void sow_take_forward(const struct sow_step *step)
{
    struct around a = around(step, step->in[0], step->node->at.axis);
    for (uint64_t i = 0; i < a.outer; i++) {
        memcpy(step->output + i * a.inner,
               step->inputs[0] + (i * a.size + step->node->at.index) * a.inner,
               a.inner * sizeof(float));
    }
}

void sow_take_backward(const struct sow_step *step)
{
    struct around a = around(step, step->in[0], step->node->at.axis);
    float *to = step->input_gradients[0];
    if (to != NULL) {
        memset(to, 0, step->in[0]->elements * sizeof *to);
    }
    for (uint64_t i = 0; i < a.outer && to != NULL; i++) {
        memcpy(to + (i * a.size + step->node->at.index) * a.inner,
               step->output_gradient + i * a.inner, a.inner * sizeof *to);
    }
}
