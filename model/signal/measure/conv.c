/* SPDX-License-Identifier: MIT */
/* Convolutions of one to three sizes as products with unfolded windows, a tile of places at a time. The weight comes as
 * (out, in / groups, kernel...), whatever its layout in the plan. Tiles and blocks depend on the shapes alone; an output
 * is one chain over (channel, place in the kernel), a weight's gradient one chain over samples and places. */
#include <string.h>

#include "model/signal/measure/window.h"

#define TILE_FLOATS ((uint64_t)1 << 19) /* of an unfolded tile: 2 MiB */
#define TILE_MAX    2048u
#define TILE_STEP   32u
#define ROW_BLOCK   192u /* of backward's tasks: rows of the unfolded tile */

struct job {
    const struct sow_step *step;
    uint64_t batch, groups, channels, outputs; /* channels and outputs of one group */
    struct sow_window over;
    uint64_t depth;              /* channels * over.size */
    uint64_t tile, tiles, block; /* block: rows of a backward task, whole channels */
};

static uint64_t tile_of(uint64_t depth, uint64_t places)
{
    uint64_t tile = TILE_FLOATS / (depth > 0 ? depth : 1) / TILE_STEP * TILE_STEP;
    tile = tile < TILE_STEP ? TILE_STEP : tile > TILE_MAX ? TILE_MAX : tile;
    return tile < places ? tile : places;
}

static struct job job_of(const struct sow_step *step)
{
    const struct sow_op_attributes *at = &step->node->at;
    struct job job = {.step = step,
                      .batch = step->in[0]->shape[0],
                      .groups = at->groups,
                      .over = sow_window_of(step)};
    job.channels = step->in[0]->shape[1] / at->groups;
    job.outputs = step->out->shape[1] / at->groups;
    job.depth = job.channels * job.over.size;
    job.tile = tile_of(job.depth, job.over.places);
    job.tiles = job.over.places > 0 ? (job.over.places + job.tile - 1) / job.tile : 0;
    job.block = (ROW_BLOCK / job.over.size > 0 ? ROW_BLOCK / job.over.size : 1) * job.over.size;
    return job;
}

uint64_t sow_conv_scratch(const struct sow_node *node, const struct sow_network *network)
{
    const struct sow_flow *in = &network->flows[node->inputs[0]],
                          *out = &network->flows[node->output];
    if (node->op == SOW_OP_CONV_TRANSPOSE) { /* its windows lie on what it makes */
        const struct sow_flow *turned = in;
        in = out;
        out = turned;
    }
    uint64_t depth = in->shape[1] / node->at.groups, places = 1;
    for (uint64_t i = 0; i < node->at.spatial; i++) {
        depth *= node->at.kernel[i];
        places *= out->shape[i + 2];
    }
    return depth * tile_of(depth, places);
}

/* ---- Unfolding -------------------------------------------------------------------------------- */

/* Consecutive outputs in one line of the output, and the inputs under them at one place of the kernel. */
struct run {
    uint64_t count;       /* outputs */
    uint64_t begin, end;  /* of them, those whose input is inside */
    uint64_t first, step; /* element of the plane under output `begin`, and from one to the next */
};

static struct run run_at(const struct job *job, uint64_t k, uint64_t place, uint64_t place_end)
{
    uint64_t x = place % job->over.out[2], y = place / job->over.out[2] % job->over.out[1];
    uint64_t z = place / (job->over.out[2] * job->over.out[1]);
    uint64_t kx = k % job->over.kernel[2], ky = k / job->over.kernel[2] % job->over.kernel[1];
    uint64_t kz = k / (job->over.kernel[2] * job->over.kernel[1]);
    uint64_t left = place_end - place, line = job->over.out[2] - x;
    struct run run = {.count = left < line ? left : line, .step = job->over.stride[2]};
    /* Unsigned: what lies before the plane wraps around and is beyond its end. */
    uint64_t iy = y * job->over.stride[1] + ky - job->over.padding[1];
    uint64_t iz = z * job->over.stride[0] + kz - job->over.padding[0];
    if (iy >= job->over.in[1] || iz >= job->over.in[0]) {
        return run;
    }
    uint64_t begin = x * job->over.stride[2] + kx;
    while (run.begin < run.count && begin + run.begin * run.step < job->over.padding[2]) {
        run.begin++;
    }
    run.end = run.count;
    while (run.end > run.begin &&
           begin + (run.end - 1) * run.step - job->over.padding[2] >= job->over.in[2]) {
        run.end--;
    }
    run.first = (iz * job->over.in[1] + iy) * job->over.in[2] + begin + run.begin * run.step -
                job->over.padding[2];
    return run;
}

/* Rows [begin, end) of a group's unfolded input, places [place, place_end): to[row][place]. */
static void unfold(const struct job *job, const float *group, uint64_t begin, uint64_t end,
                   uint64_t place, uint64_t place_end, float *to)
{
    uint64_t plane = job->over.in[0] * job->over.in[1] * job->over.in[2];
    for (uint64_t row = begin; row < end; row++) {
        const float *from = group + row / job->over.size * plane;
        for (uint64_t p = place; p < place_end;) {
            struct run run = run_at(job, row % job->over.size, p, place_end);
            memset(to, 0, run.begin * sizeof *to);
            for (uint64_t i = run.begin; i < run.end; i++) {
                to[i] = from[run.first + (i - run.begin) * run.step];
            }
            memset(to + run.end, 0, (run.count - run.end) * sizeof *to);
            to += run.count;
            p += run.count;
        }
    }
}

/* The way back: what lies in `from` is added where it came from. */
static void fold(const struct job *job, float *group, uint64_t begin, uint64_t end, uint64_t place,
                 uint64_t place_end, const float *from)
{
    uint64_t plane = job->over.in[0] * job->over.in[1] * job->over.in[2];
    for (uint64_t row = begin; row < end; row++) {
        float *to = group + row / job->over.size * plane;
        for (uint64_t p = place; p < place_end;) {
            struct run run = run_at(job, row % job->over.size, p, place_end);
            for (uint64_t i = run.begin; i < run.end; i++) {
                to[run.first + (i - run.begin) * run.step] += from[i];
            }
            from += run.count;
            p += run.count;
        }
    }
}

/* ---- Forward ---------------------------------------------------------------------------------- */

static const float *input_group(const struct job *job, uint64_t sample, uint64_t group)
{
    return job->step->inputs[0] + (sample * job->groups + group) * job->channels * job->over.in[0] *
                                      job->over.in[1] * job->over.in[2];
}

static void forward_task(void *user, uint64_t task, float *scratch)
{
    const struct job *job = user;
    uint64_t tile = task % job->tiles, group = task / job->tiles % job->groups;
    uint64_t sample = task / (job->tiles * job->groups), first = tile * job->tile;
    uint64_t end = first + job->tile < job->over.places ? first + job->tile : job->over.places;
    float *windows = scratch + SOW_GEMM_SCRATCH_FLOATS;
    const float *bias = job->step->weights[1];
    struct sow_gemm product = {
        .rows = job->outputs,
        .columns = end - first,
        .depth = job->depth,
        .a = {job->step->weights[0] + group * job->outputs * job->depth, job->depth, 1},
        .b = {windows, end - first, 1},
        .c = job->step->output + (sample * job->groups + group) * job->outputs * job->over.places +
             first,
        .c_row = job->over.places,
        .accumulate = bias != NULL};
    unfold(job, input_group(job, sample, group), 0, job->depth, first, end, windows);
    for (uint64_t o = 0; o < job->outputs && bias != NULL; o++) {
        for (uint64_t p = 0; p < end - first; p++) {
            product.c[o * job->over.places + p] = bias[group * job->outputs + o];
        }
    }
    sow_gemm(&product, scratch);
}

void sow_conv_forward(const struct sow_step *step)
{
    struct job job = job_of(step);
    sow_team_run(step->team, job.batch * job.groups * job.tiles, forward_task, &job);
}

/* ---- Backward --------------------------------------------------------------------------------- */

static uint64_t blocks_of(const struct job *job)
{
    return (job->depth + job->block - 1) / job->block;
}

/* The input's gradient in some channels of a sample. */
static void input_task(void *user, uint64_t task, float *scratch)
{
    const struct job *job = user;
    uint64_t block = task % blocks_of(job), group = task / blocks_of(job) % job->groups;
    uint64_t sample = task / (blocks_of(job) * job->groups), begin = block * job->block;
    uint64_t end = begin + job->block < job->depth ? begin + job->block : job->depth;
    uint64_t plane = job->over.in[0] * job->over.in[1] * job->over.in[2],
             part = sample * job->groups + group;
    float *windows = scratch + SOW_GEMM_SCRATCH_FLOATS;
    float *to = job->step->input_gradients[0] + part * job->channels * plane;
    memset(to + begin / job->over.size * plane, 0,
           (end - begin) / job->over.size * plane * sizeof *to);
    for (uint64_t first = 0; first < job->over.places; first += job->tile) {
        uint64_t last = first + job->tile < job->over.places ? first + job->tile : job->over.places;
        struct sow_gemm product = {
            .rows = end - begin,
            .columns = last - first,
            .depth = job->outputs,
            .a = {job->step->weights[0] + group * job->outputs * job->depth + begin, 1, job->depth},
            .b = {job->step->output_gradient + part * job->outputs * job->over.places + first,
                  job->over.places, 1},
            .c = windows,
            .c_row = last - first};
        sow_gemm(&product, scratch);
        fold(job, to, begin, end, first, last, windows);
    }
}

/* The weight's gradient at some (channel, place in the kernel) of a group. */
static void weight_task(void *user, uint64_t task, float *scratch)
{
    const struct job *job = user;
    uint64_t begin = task % blocks_of(job) * job->block, group = task / blocks_of(job);
    uint64_t end = begin + job->block < job->depth ? begin + job->block : job->depth;
    float *windows = scratch + SOW_GEMM_SCRATCH_FLOATS;
    for (uint64_t i = 0; i < job->batch * job->tiles; i++) {
        uint64_t sample = i / job->tiles, first = i % job->tiles * job->tile;
        uint64_t last = first + job->tile < job->over.places ? first + job->tile : job->over.places;
        uint64_t part = sample * job->groups + group;
        struct sow_gemm product = {
            .rows = job->outputs,
            .columns = end - begin,
            .depth = last - first,
            .a = {job->step->output_gradient + part * job->outputs * job->over.places + first,
                  job->over.places, 1},
            .b = {windows, 1, last - first},
            .c = job->step->weight_gradients[0] + group * job->outputs * job->depth + begin,
            .c_row = job->depth,
            .accumulate = i > 0 || job->step->weight_started[0]};
        unfold(job, input_group(job, sample, group), begin, end, first, last, windows);
        sow_gemm(&product, scratch);
    }
}

static void bias_range(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct job *job = user;
    uint64_t outputs = job->groups * job->outputs;
    (void)scratch;
    for (uint64_t o = begin; o < end; o++) {
        double sum = 0;
        for (uint64_t sample = 0; sample < job->batch; sample++) {
            for (uint64_t p = 0; p < job->over.places; p++) {
                sum +=
                    (double)
                        job->step->output_gradient[(sample * outputs + o) * job->over.places + p];
            }
        }
        sow_step_give(job->step, 1, o, sum);
    }
}

void sow_conv_backward(const struct sow_step *step)
{
    struct job job = job_of(step);
    if (step->input_gradients[0] != NULL) {
        sow_team_run(step->team, job.batch * job.groups * blocks_of(&job), input_task, &job);
    }
    if (step->weight_gradients[0] != NULL) {
        sow_team_run(step->team, job.groups * blocks_of(&job), weight_task, &job);
    }
    if (step->weight_gradients[1] != NULL) {
        sow_team_ranges(step->team, job.groups * job.outputs, 1, bias_range, &job);
    }
}

/* ---- Transposed: a convolution's way back is its way forward --------------------------------------- */

/* The convolution from its output to its input. */
static struct sow_step mirrored(const struct sow_step *step)
{
    struct sow_step mirror = *step;
    mirror.in[0] = step->out;
    mirror.out = step->in[0];
    return mirror;
}

/* Planes of the output, each with its channel's bias added. */
static void add_bias(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct sow_step *step = user;
    uint64_t channels = step->out->shape[1];
    uint64_t places = step->out->elements / (step->out->shape[0] * channels);
    (void)scratch;
    for (uint64_t plane = begin; plane < end; plane++) {
        for (uint64_t p = 0; p < places; p++) {
            step->output[plane * places + p] += step->weights[1][plane % channels];
        }
    }
}

void sow_conv_transpose_forward(const struct sow_step *step)
{
    struct sow_step mirror = mirrored(step);
    mirror.output_gradient = step->inputs[0];
    mirror.input_gradients[0] = step->output;
    struct job job = job_of(&mirror);
    sow_team_run(step->team, job.batch * job.groups * blocks_of(&job), input_task, &job);
    if (step->weights[1] != NULL) {
        struct sow_step copy = *step;
        sow_team_ranges(step->team, step->out->shape[0] * step->out->shape[1], 1, add_bias, &copy);
    }
}

void sow_conv_transpose_backward(const struct sow_step *step)
{
    struct sow_step mirror = mirrored(step);
    mirror.inputs[0] = step->output_gradient;
    mirror.output = step->input_gradients[0];
    mirror.output_gradient = step->inputs[0];
    mirror.weights[1] = NULL;
    struct job job = job_of(&mirror);
    if (step->input_gradients[0] != NULL) {
        sow_team_run(step->team, job.batch * job.groups * job.tiles, forward_task, &job);
    }
    if (step->weight_gradients[0] != NULL) {
        sow_team_run(step->team, job.groups * blocks_of(&job), weight_task, &job);
    }
    if (step->weight_gradients[1] != NULL) {
        uint64_t channels = step->out->shape[1];
        struct job planes = {.step = step,
                             .batch = job.batch,
                             .groups = 1,
                             .outputs = channels,
                             .over.places = step->out->elements / (job.batch * channels)};
        sow_team_ranges(step->team, channels, 1, bias_range, &planes);
    }
}
