/* SPDX-License-Identifier: MIT */
/* Normalisations: elements that share a mean and a variance are a group - a row of the last dimension (layer_norm;
 * rms_norm, without the mean), a channel in all samples (batch_norm), some channels of a sample (group_norm). y = x^ scale + shift with x^ = (x - mean) / sqrt(variance + eps), sums in double, in the
 * order of the elements. */
#include "core/base/elementary.h"
#include "model/signal/measure/step.h"

#define COLUMN_BLOCK 64u

/* Group k: `segments` runs of `length` elements, segment_stride apart, from k * group_stride on. Its elements have the
 * features base + (place in the run) / inner. The value is [outer, features, inner]. */
struct geometry {
    uint64_t groups, segments, length, group_stride, segment_stride;
    uint64_t outer, features, inner;
    int centred;
};

struct job {
    const struct sow_step *step;
    struct geometry g;
};

static struct geometry geometry_of(const struct sow_node *node, const struct sow_network *network)
{
    const struct sow_flow *out = &network->flows[node->output];
    uint64_t width = sow_step_last(out), axis = node->at.axis, outer = 1, size;
    struct geometry g = {.groups = width > 0 ? out->elements / width : 0,
                         .segments = 1,
                         .length = width,
                         .group_stride = width,
                         .features = width,
                         .inner = 1,
                         .centred = node->op != SOW_OP_RMS_NORM};
    g.outer = g.groups;
    if ((node->op != SOW_OP_BATCH_NORM && node->op != SOW_OP_GROUP_NORM) || out->elements == 0) {
        return g;
    }
    for (uint64_t i = 0; i < axis; i++) {
        outer *= out->shape[i];
    }
    size = out->shape[axis];
    g.outer = outer;
    g.features = size;
    g.inner = out->elements / (outer * size);
    if (node->op == SOW_OP_GROUP_NORM) {
        g.groups = outer * node->at.groups;
        g.length = g.group_stride = size / node->at.groups * g.inner;
        return g;
    }
    g.groups = size; /* statistics of the batch, as in training */
    g.segments = outer;
    g.length = g.group_stride = g.inner;
    g.segment_stride = size * g.inner;
    return g;
}

static uint64_t base_of(const struct geometry *g, uint64_t group)
{
    uint64_t first = group * g->group_stride / g->inner;
    return first % g->features;
}

/* The group of element [outer, feature, .]. */
static uint64_t group_of(const struct geometry *g, uint64_t outer, uint64_t feature)
{
    uint64_t at = (outer * g->features + feature) * g->inner;
    return g->segment_stride > 0 ? feature : at / g->group_stride;
}

/* step->aside[2 k] is the mean of group k, [2 k + 1] its factor: x^ = (x - mean) * factor. */
static void measure_group(const struct job *job, uint64_t group)
{
    const struct geometry *g = &job->g;
    const float *x = job->step->inputs[0] + group * g->group_stride;
    double count = (double)(g->segments * g->length), mean = 0, square = 0;
    for (uint64_t s = 0; s < g->segments && g->centred; s++) {
        for (uint64_t j = 0; j < g->length; j++) {
            mean += (double)x[s * g->segment_stride + j];
        }
    }
    mean /= count;
    for (uint64_t s = 0; s < g->segments; s++) {
        for (uint64_t j = 0; j < g->length; j++) {
            double d = (double)x[s * g->segment_stride + j] - mean;
            square += d * d;
        }
    }
    job->step->aside[2 * group] = mean;
    job->step->aside[2 * group + 1] = 1 / sow_sqrt(square / count + job->step->node->at.eps);
}

/* The factor of a feature, and what is added. */
static double scale_of(const struct sow_step *step, uint64_t feature)
{
    return step->weights[0] != NULL ? (double)step->weights[0][feature] + step->node->at.offset : 1;
}

static double shift_of(const struct sow_step *step, uint64_t feature)
{
    return step->weights[1] != NULL ? (double)step->weights[1][feature] : 0;
}

static void forward_groups(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct job *job = user;
    const struct geometry *g = &job->g;
    (void)scratch;
    for (uint64_t group = begin; group < end; group++) {
        uint64_t base = base_of(g, group);
        measure_group(job, group);
        double mean = job->step->aside[2 * group], factor = job->step->aside[2 * group + 1];
        for (uint64_t s = 0; s < g->segments; s++) {
            uint64_t at = group * g->group_stride + s * g->segment_stride;
            for (uint64_t j = 0; j < g->length; j++) {
                uint64_t feature = base + (g->inner == 1 ? j : j / g->inner);
                double normal = ((double)job->step->inputs[0][at + j] - mean) * factor;
                job->step->output[at + j] =
                    (float)(normal * scale_of(job->step, feature) + shift_of(job->step, feature));
            }
        }
    }
}

static uint64_t block_of(const struct geometry *g)
{
    uint64_t size = g->segments * g->length;
    return size < SOW_STEP_BLOCK ? SOW_STEP_BLOCK / size : 1;
}

void sow_norm_forward(const struct sow_step *step)
{
    struct job job = {step, geometry_of(step->node, step->network)};
    sow_team_ranges(step->team, job.g.groups, block_of(&job.g), forward_groups, &job);
}

/* dx = factor (g - mean(g) - x^ mean(g x^)), g = dy scale; rms_norm has no mean(g). */
static void backward_group(const struct job *job, uint64_t group)
{
    const struct sow_step *step = job->step;
    const struct geometry *g = &job->g;
    double mean = step->aside[2 * group], factor = step->aside[2 * group + 1], sum = 0, along = 0;
    double count = (double)(g->segments * g->length);
    uint64_t base = base_of(g, group);
    for (uint64_t s = 0; s < g->segments; s++) {
        uint64_t at = group * g->group_stride + s * g->segment_stride;
        for (uint64_t j = 0; j < g->length; j++) {
            double slope = (double)step->output_gradient[at + j] *
                           scale_of(step, base + (g->inner == 1 ? j : j / g->inner));
            sum += slope;
            along += slope * (((double)step->inputs[0][at + j] - mean) * factor);
        }
    }
    sum = g->centred ? sum / count : 0;
    along /= count;
    for (uint64_t s = 0; s < g->segments; s++) {
        uint64_t at = group * g->group_stride + s * g->segment_stride;
        for (uint64_t j = 0; j < g->length; j++) {
            double slope = (double)step->output_gradient[at + j] *
                           scale_of(step, base + (g->inner == 1 ? j : j / g->inner));
            double normal = ((double)step->inputs[0][at + j] - mean) * factor;
            step->input_gradients[0][at + j] = (float)((slope - sum - normal * along) * factor);
        }
    }
}

static void backward_groups(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct job *job = user;
    (void)scratch;
    for (uint64_t group = begin; group < end; group++) {
        measure_group(job, group);
        if (job->step->input_gradients[0] != NULL) {
            backward_group(job, group);
        }
    }
}

/* Of scale and shift: sums of dy x^ and dy over the places of a feature. */
static void feature_sums(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct job *job = user;
    const struct sow_step *step = job->step;
    const struct geometry *g = &job->g;
    double scales[COLUMN_BLOCK] = {0}, shifts[COLUMN_BLOCK] = {0};
    (void)scratch;
    for (uint64_t outer = 0; outer < g->outer; outer++) {
        for (uint64_t f = begin; f < end; f++) {
            const double *numbers = &step->aside[2 * group_of(g, outer, f)];
            uint64_t at = (outer * g->features + f) * g->inner;
            for (uint64_t s = 0; s < g->inner; s++) {
                double dy = (double)step->output_gradient[at + s];
                shifts[f - begin] += dy;
                scales[f - begin] +=
                    dy * (((double)step->inputs[0][at + s] - numbers[0]) * numbers[1]);
            }
        }
    }
    for (uint64_t f = begin; f < end; f++) {
        if (step->weight_gradients[0] != NULL) {
            sow_step_give(step, 0, f, scales[f - begin]);
        }
        if (step->weight_gradients[1] != NULL) {
            sow_step_give(step, 1, f, shifts[f - begin]);
        }
    }
}

void sow_norm_backward(const struct sow_step *step)
{
    struct job job = {step, geometry_of(step->node, step->network)};
    sow_team_ranges(step->team, job.g.groups, block_of(&job.g), backward_groups, &job);
    if (step->weight_gradients[0] != NULL || step->weight_gradients[1] != NULL) {
        uint64_t block = job.g.inner > 1 ? 1 : COLUMN_BLOCK;
        sow_team_ranges(step->team, job.g.features, block, feature_sums, &job);
    }
}

uint64_t sow_norm_aside(const struct sow_node *node, const struct sow_network *network)
{
    return 2 * geometry_of(node, network).groups;
}
