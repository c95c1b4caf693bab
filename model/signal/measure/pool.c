/* SPDX-License-Identifier: MIT */
/* Pools over one to three sizes, plane by plane. The largest of a window is its first where several are equal, NaN where
 * there is one; an average divides by the window's size, its padding counted as zeros (torch's count_include_pad). */
#include <math.h> /* isnan: a macro */
#include <string.h>

#include "model/signal/measure/window.h"

struct job {
    const struct sow_step *step;
    struct sow_window over;
    uint64_t planes;
};

static struct job job_of(const struct sow_step *step)
{
    return (struct job){.step = step,
                        .over = sow_window_of(step),
                        .planes = step->in[0]->shape[0] * step->in[0]->shape[1]};
}

/* The element of the plane under place k of the window of output `place`; UINT64_MAX in the padding. */
static uint64_t under(const struct job *job, uint64_t place, uint64_t k)
{
    uint64_t at = 0, out[3], window[3];
    for (size_t i = 3; i-- > 0;) {
        out[i] = place % job->over.out[i];
        place /= job->over.out[i];
        window[i] = k % job->over.kernel[i];
        k /= job->over.kernel[i];
    }
    for (size_t i = 0; i < 3; i++) {
        uint64_t x = out[i] * job->over.stride[i] + window[i] - job->over.padding[i];
        if (x >= job->over.in[i]) { /* before the plane it wraps around */
            return UINT64_MAX;
        }
        at = at * job->over.in[i] + x;
    }
    return at;
}

static int is_above(float x, float most)
{
    return x > most || (isnan(x) && !isnan(most));
}

/* UINT64_MAX when the window holds padding only. */
static uint64_t largest(const struct job *job, const float *plane, uint64_t place)
{
    uint64_t best = UINT64_MAX;
    for (uint64_t k = 0; k < job->over.size; k++) {
        uint64_t at = under(job, place, k);
        if (at != UINT64_MAX && (best == UINT64_MAX || is_above(plane[at], plane[best]))) {
            best = at;
        }
    }
    return best;
}

static void max_planes(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct job *job = user;
    (void)scratch;
    for (uint64_t i = begin; i < end; i++) {
        const float *plane = job->step->inputs[0] + i * job->over.plane;
        for (uint64_t p = 0; p < job->over.places; p++) {
            uint64_t at = largest(job, plane, p);
            job->step->output[i * job->over.places + p] = at == UINT64_MAX ? 0 : plane[at];
        }
    }
}

static void max_planes_back(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct job *job = user;
    (void)scratch;
    for (uint64_t i = begin; i < end; i++) {
        const float *plane = job->step->inputs[0] + i * job->over.plane;
        float *to = job->step->input_gradients[0] + i * job->over.plane;
        memset(to, 0, job->over.plane * sizeof *to);
        for (uint64_t p = 0; p < job->over.places; p++) {
            uint64_t at = largest(job, plane, p);
            if (at != UINT64_MAX) {
                to[at] += job->step->output_gradient[i * job->over.places + p];
            }
        }
    }
}

static void average_planes(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct job *job = user;
    (void)scratch;
    for (uint64_t i = begin; i < end; i++) {
        const float *plane = job->step->inputs[0] + i * job->over.plane;
        for (uint64_t p = 0; p < job->over.places; p++) {
            double sum = 0;
            for (uint64_t k = 0; k < job->over.size; k++) {
                uint64_t at = under(job, p, k);
                sum += at == UINT64_MAX ? 0 : (double)plane[at];
            }
            job->step->output[i * job->over.places + p] = (float)(sum / (double)job->over.size);
        }
    }
}

static void average_planes_back(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct job *job = user;
    const float factor = (float)(1 / (double)job->over.size);
    (void)scratch;
    for (uint64_t i = begin; i < end; i++) {
        float *to = job->step->input_gradients[0] + i * job->over.plane;
        memset(to, 0, job->over.plane * sizeof *to);
        for (uint64_t p = 0; p < job->over.places; p++) {
            float share = job->step->output_gradient[i * job->over.places + p] * factor;
            for (uint64_t k = 0; k < job->over.size; k++) {
                uint64_t at = under(job, p, k);
                if (at != UINT64_MAX) {
                    to[at] += share;
                }
            }
        }
    }
}

static void all_planes(const struct sow_step *step, sow_range_fn *range)
{
    struct job job = job_of(step);
    sow_team_ranges(step->team, job.planes, 1, range, &job);
}

void sow_max_pool_forward(const struct sow_step *step)
{
    all_planes(step, max_planes);
}

void sow_max_pool_backward(const struct sow_step *step)
{
    if (step->input_gradients[0] != NULL) {
        all_planes(step, max_planes_back);
    }
}

void sow_average_pool_forward(const struct sow_step *step)
{
    all_planes(step, average_planes);
}

void sow_average_pool_backward(const struct sow_step *step)
{
    if (step->input_gradients[0] != NULL) {
        all_planes(step, average_planes_back);
    }
}

/* ---- One number a feature --------------------------------------------------------------------------- */

struct whole {
    const struct sow_step *step;
    uint64_t features, count, stride, feature_stride,
        sample_stride; /* count: places of a feature */
    uint64_t skip;     /* of them, at the start */
    int max;
};

static struct whole whole_of(const struct sow_step *step)
{
    const struct sow_flow *in = step->in[0];
    int tokens = strcmp(step->node->at.over, "tokens") == 0;
    uint64_t features = step->out->shape[1], per_sample = in->elements / in->shape[0];
    return (struct whole){step,
                          features,
                          per_sample / features,
                          tokens ? features : 1,
                          tokens ? 1 : per_sample / features,
                          per_sample,
                          step->node->at.skip,
                          strcmp(step->node->at.kind, "max") == 0};
}

static void whole_range(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct whole *job = user;
    (void)scratch;
    for (uint64_t i = begin; i < end; i++) {
        const float *x = job->step->inputs[0] + i / job->features * job->sample_stride +
                         i % job->features * job->feature_stride;
        double sum = 0;
        float most = x[job->skip * job->stride];
        for (uint64_t k = job->skip; k < job->count; k++) {
            sum += (double)x[k * job->stride];
            most = is_above(x[k * job->stride], most) ? x[k * job->stride] : most;
        }
        job->step->output[i] = job->max ? most : (float)(sum / (double)(job->count - job->skip));
    }
}

static void whole_back(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct whole *job = user;
    (void)scratch;
    for (uint64_t i = begin; i < end; i++) {
        uint64_t at =
            i / job->features * job->sample_stride + i % job->features * job->feature_stride;
        const float *x = job->step->inputs[0] + at;
        float *to = job->step->input_gradients[0] + at, slope = job->step->output_gradient[i];
        uint64_t best = job->skip;
        for (uint64_t k = 0; k < job->skip; k++) {
            to[k * job->stride] = 0;
        }
        for (uint64_t k = job->skip; k < job->count; k++) {
            best = job->max && is_above(x[k * job->stride], x[best * job->stride]) ? k : best;
            to[k * job->stride] =
                job->max ? 0 : (float)((double)slope / (double)(job->count - job->skip));
        }
        if (job->max) {
            to[best * job->stride] = slope;
        }
    }
}

void sow_global_pool_forward(const struct sow_step *step)
{
    struct whole job = whole_of(step);
    sow_team_ranges(step->team, step->out->elements, 64, whole_range, &job);
}

void sow_global_pool_backward(const struct sow_step *step)
{
    struct whole job = whole_of(step);
    if (step->input_gradients[0] != NULL) {
        sow_team_ranges(step->team, step->out->elements, 64, whole_back, &job);
    }
}
