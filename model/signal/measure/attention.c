/* SPDX-License-Identifier: MIT */
/* softmax(scale Q K^T) V, head by head, in blocks of queries: only a block's probabilities are ever held, and backward
 * computes them again. Rotary positions turn feature i with feature i + head_dim / 2, in the order of Llama's
 * checkpoints. */
#include <string.h>

#include "core/base/circular.h"
#include "core/base/elementary.h"
#include "model/signal/measure/loops.h"
#include "model/signal/measure/step.h"

#define QUERIES 128u /* of a block */

/* Rows of one head in a larger array. */
struct rows {
    const float *at;
    uint64_t stride;
};

struct job {
    const struct sow_step *step;
    uint64_t batch, places, heads, kv_heads, dim, blocks,
        share; /* share: query heads to a key head */
    float scale;
};

static struct job job_of(const struct sow_step *step)
{
    const struct sow_op_attributes *at = &step->node->at;
    uint64_t places = step->out->shape[step->out->rank - 2];
    struct job job = {.step = step, .places = places, .heads = at->heads, .kv_heads = at->kv_heads};
    job.dim = at->head_dim;
    job.batch = step->out->elements / (places * at->heads * at->head_dim);
    job.blocks = (places + QUERIES - 1) / QUERIES;
    job.share = at->heads / at->kv_heads;
    job.scale = (float)at->scale;
    return job;
}

/* Head `head` of the queries (part 0), keys (1) or values (2) of a sample: input number and offset. */
static uint64_t place_of(const struct job *job, uint64_t part, uint64_t head, uint32_t *input,
                         uint64_t *stride)
{
    uint64_t q = job->heads * job->dim, kv = job->kv_heads * job->dim, at = head * job->dim;
    if (job->step->node->input_count == 1) {
        *input = 0;
        *stride = q + 2 * kv;
        return at + (part > 0 ? q : 0) + (part > 1 ? kv : 0);
    }
    *input = (uint32_t)part;
    *stride = part == 0 ? q : kv;
    return at;
}

static struct rows rows_of(const struct job *job, uint64_t part, uint64_t sample, uint64_t head)
{
    uint32_t input;
    uint64_t stride, at = place_of(job, part, head, &input, &stride);
    return (struct rows){job->step->inputs[input] + sample * job->places * stride + at, stride};
}

/* NULL when nobody asks for it. */
static float *gradient_of(const struct job *job, uint64_t part, uint64_t sample, uint64_t head,
                          uint64_t *stride)
{
    uint32_t input;
    uint64_t at = place_of(job, part, head, &input, stride);
    float *base = job->step->input_gradients[input];
    return base != NULL ? base + sample * job->places * *stride + at : NULL;
}

/* ---- Rotary positions ------------------------------------------------------------------------- */

/* step->aside: cosine and sine of each place and pair, when the node is rotary. */
static void angle_range(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct job *job = user;
    uint64_t half = job->dim / 2;
    (void)scratch;
    for (uint64_t i = begin; i < end; i++) {
        double angle =
            (double)(i / half) * sow_rotary_frequency(&job->step->node->at, i % half, job->places);
        job->step->aside[2 * i] = sow_cos(angle);
        job->step->aside[2 * i + 1] = sow_sin(angle);
    }
}

static void make_angles(struct job *job)
{
    if (job->step->node->at.rotary) {
        sow_team_ranges(job->step->team, job->places * (job->dim / 2), 1024, angle_range, job);
    }
}

/* Row `place` turned into `to`; direction -1 turns back. */
static void turn(const struct job *job, const float *from, float *to, uint64_t place,
                 double direction)
{
    uint64_t half = job->dim / 2;
    const double *angles = job->step->aside + place * half * 2;
    for (uint64_t i = 0; i < half; i++) {
        double x = (double)from[i], y = (double)from[half + i];
        double c = angles[2 * i], s = direction * angles[2 * i + 1];
        to[i] = (float)(x * c - y * s);
        to[half + i] = (float)(y * c + x * s);
    }
    if (job->dim % 2 != 0) {
        to[job->dim - 1] = from[job->dim - 1];
    }
}

/* Rows [first, first + count) as the product takes them: turned into `room`, or where they are. */
static struct rows turned(const struct job *job, struct rows rows, uint64_t first, uint64_t count,
                          float *room)
{
    if (!job->step->node->at.rotary) {
        return (struct rows){rows.at + first * rows.stride, rows.stride};
    }
    for (uint64_t i = 0; i < count; i++) {
        turn(job, rows.at + (first + i) * rows.stride, room + i * job->dim, first + i, 1);
    }
    return (struct rows){room, job->dim};
}

/* ---- Probabilities ---------------------------------------------------------------------------- */

/* A block of queries and the keys that any of them sees. */
struct block {
    uint64_t first, count, keys;
    struct rows q, k, v;
    float *p; /* count x keys */
};

/* Keys that query i sees. */
static void seen(const struct job *job, uint64_t i, uint64_t *begin, uint64_t *end)
{
    const struct sow_op_attributes *at = &job->step->node->at;
    uint64_t reach = at->causal ? at->window - 1 : at->window / 2;
    *begin = at->window > 0 && i > reach ? i - reach : 0;
    *end = at->causal                                      ? i + 1
           : at->window > 0 && i + reach + 1 < job->places ? i + reach + 1
                                                           : job->places;
}

#define CHUNK 64u /* of a row: its logits stay aside while their exponentials are taken */

/* Numbers of a row for the diagnostics: entropy, its largest value, the logits' variance. */
static void softmax_row(const struct job *job, float *p, uint64_t keys, uint64_t query,
                        double numbers[3])
{
    uint64_t begin, end;
    double sum = 0, tilt = 0, mean = 0, square = 0;
    seen(job, query, &begin, &end);
    float most = p[begin], below[CHUNK];
    for (uint64_t j = begin; j < end; j++) {
        most = p[j] > most ? p[j] : most;
    }
    memset(p, 0, begin * sizeof *p);
    memset(p + end, 0, (keys - end) * sizeof *p);
    for (uint64_t first = begin; first < end; first += CHUNK) {
        uint64_t count = end - first < CHUNK ? end - first : CHUNK;
        for (uint64_t j = 0; j < count; j++) {
            below[j] = (p[first + j] - most) * job->scale;
        }
        sow_loops_chosen()->exponentials(below, p + first, count);
        for (uint64_t j = 0; j < count; j++) {
            double logit = (double)below[j], e = (double)p[first + j];
            mean += logit;
            square += logit * logit;
            tilt += e * logit;
            sum += e;
        }
    }
    double factor = 1 / sum, count = (double)(end - begin);
    for (uint64_t j = begin; j < end; j++) {
        p[j] = (float)((double)p[j] * factor);
    }
    numbers[0] = sow_log(sum) - tilt * factor;
    numbers[1] = sow_log(count);
    numbers[2] = square / count - mean / count * (mean / count);
}

/* Entropies stand behind the angles, three numbers for each (sample, head, query). */
static double *numbers_at(const struct job *job, uint64_t sample, uint64_t head, uint64_t query)
{
    uint64_t angles = job->step->node->at.rotary ? job->places * job->dim : 0;
    return job->step->aside + angles + ((sample * job->heads + head) * job->places + query) * 3;
}

/* `room`: the probabilities, then a turned block of queries, then the turned keys. */
static struct block make_block(const struct job *job, uint64_t sample, uint64_t head,
                               uint64_t number, float *scratch, float *room)
{
    struct block b = {.first = number * QUERIES, .p = room};
    uint64_t kv_head = head / job->share;
    b.count = job->places - b.first < QUERIES ? job->places - b.first : QUERIES;
    b.keys = job->step->node->at.causal ? b.first + b.count : job->places;
    float *q_room = room + QUERIES * job->places, *k_room = q_room + QUERIES * job->dim;
    b.q = turned(job, rows_of(job, 0, sample, head), b.first, b.count, q_room);
    b.k = turned(job, rows_of(job, 1, sample, kv_head), 0, b.keys, k_room);
    b.v = rows_of(job, 2, sample, kv_head);
    struct sow_gemm logits = {.rows = b.count,
                              .columns = b.keys,
                              .depth = job->dim,
                              .a = {b.q.at, b.q.stride, 1},
                              .b = {b.k.at, 1, b.k.stride},
                              .c = b.p,
                              .c_row = b.keys};
    sow_gemm(&logits, scratch);
    for (uint64_t i = 0; i < b.count; i++) {
        softmax_row(job, b.p + i * b.keys, b.keys, b.first + i,
                    numbers_at(job, sample, head, b.first + i));
    }
    return b;
}

/* ---- Forward ---------------------------------------------------------------------------------- */

static void forward_task(void *user, uint64_t task, float *scratch)
{
    const struct job *job = user;
    uint64_t number = task % job->blocks, head = task / job->blocks % job->heads;
    uint64_t sample = task / (job->blocks * job->heads), width = job->heads * job->dim;
    struct block b =
        make_block(job, sample, head, number, scratch, scratch + SOW_GEMM_SCRATCH_FLOATS);
    struct sow_gemm product = {.rows = b.count,
                               .columns = job->dim,
                               .depth = b.keys,
                               .a = {b.p, b.keys, 1},
                               .b = {b.v.at, b.v.stride, 1},
                               .c = job->step->output + (sample * job->places + b.first) * width +
                                    head * job->dim,
                               .c_row = width};
    sow_gemm(&product, scratch);
}

void sow_attention_forward(const struct sow_step *step)
{
    struct job job = job_of(step);
    make_angles(&job);
    sow_team_run(step->team, job.batch * job.heads * job.blocks, forward_task, &job);
}

const double *sow_attention_numbers(const struct sow_step *step, uint64_t *queries)
{
    struct job job = job_of(step);
    *queries = job.batch * job.heads * job.places;
    return numbers_at(&job, 0, 0, 0);
}

/* ---- Backward --------------------------------------------------------------------------------- */

/* From dP, in place: dS = scale P (dP - sum(P dP)). */
static void softmax_back(const struct job *job, const struct block *b, float *ds)
{
    for (uint64_t i = 0; i < b->count; i++) {
        const float *p = b->p + i * b->keys;
        float *row = ds + i * b->keys;
        double dot = 0;
        for (uint64_t j = 0; j < b->keys; j++) {
            dot += (double)p[j] * (double)row[j];
        }
        for (uint64_t j = 0; j < b->keys; j++) {
            row[j] = (float)((double)p[j] * ((double)row[j] - dot) * (double)job->scale);
        }
    }
}

/* A block's share of dK and dV is added, its dQ is set. `dk` and `dv`: places x dim. */
static void backward_block(const struct job *job, uint64_t sample, uint64_t head, uint64_t number,
                           float *scratch, float *dk, float *dv)
{
    uint64_t width = job->heads * job->dim, stride;
    float *room = dv + job->places * job->dim;
    float *ds = room + QUERIES * job->places + (QUERIES + job->places) * job->dim;
    float *dq = ds + QUERIES * job->places;
    struct block b = make_block(job, sample, head, number, scratch, room);
    const float *dy =
        job->step->output_gradient + (sample * job->places + b.first) * width + head * job->dim;
    struct sow_gemm values = {b.keys,         job->dim, b.count,  {b.p, 1, b.keys},
                              {dy, width, 1}, dv,       job->dim, 1};
    struct sow_gemm slopes = {b.count, b.keys, job->dim, {dy, width, 1}, {b.v.at, 1, b.v.stride},
                              ds,      b.keys, 0};
    struct sow_gemm keys = {b.keys, job->dim, b.count, {ds, 1, b.keys}, {b.q.at, b.q.stride, 1},
                            dk,     job->dim, 1};
    struct sow_gemm queries = {b.count, job->dim, b.keys, {ds, b.keys, 1}, {b.k.at, b.k.stride, 1},
                               dq,      job->dim, 0};
    sow_gemm(&values, scratch);
    sow_gemm(&slopes, scratch);
    softmax_back(job, &b, ds);
    sow_gemm(&keys, scratch);
    float *to = gradient_of(job, 0, sample, head, &stride);
    if (to == NULL) {
        return;
    }
    sow_gemm(&queries, scratch);
    for (uint64_t i = 0; i < b.count; i++) {
        if (job->step->node->at.rotary) {
            turn(job, dq + i * job->dim, to + (b.first + i) * stride, b.first + i, -1);
        } else {
            memcpy(to + (b.first + i) * stride, dq + i * job->dim, job->dim * sizeof *to);
        }
    }
}

/* A key head of a sample: the query heads that share it, one after another. */
static void backward_task(void *user, uint64_t task, float *scratch)
{
    const struct job *job = user;
    uint64_t kv_head = task % job->kv_heads, sample = task / job->kv_heads, stride;
    float *dk = scratch + SOW_GEMM_SCRATCH_FLOATS, *dv = dk + job->places * job->dim;
    memset(dk, 0, 2 * job->places * job->dim * sizeof *dk);
    for (uint64_t i = 0; i < job->share * job->blocks; i++) {
        backward_block(job, sample, kv_head * job->share + i / job->blocks, i % job->blocks,
                       scratch, dk, dv);
    }
    for (uint64_t part = 1; part <= 2; part++) {
        float *to = gradient_of(job, part, sample, kv_head, &stride);
        const float *from = part == 1 ? dk : dv;
        for (uint64_t i = 0; to != NULL && i < job->places; i++) {
            if (part == 1 && job->step->node->at.rotary) {
                turn(job, from + i * job->dim, to + i * stride, i, -1);
            } else {
                memcpy(to + i * stride, from + i * job->dim, job->dim * sizeof *to);
            }
        }
    }
}

void sow_attention_backward(const struct sow_step *step)
{
    struct job job = job_of(step);
    make_angles(&job);
    sow_team_run(step->team, job.batch * job.kv_heads, backward_task, &job);
}

uint64_t sow_attention_scratch(const struct sow_node *node, const struct sow_network *network)
{
    const struct sow_flow *out = &network->flows[node->output];
    uint64_t places = out->shape[out->rank - 2], dim = node->at.head_dim;
    return 2 * QUERIES * places + 3 * places * dim + 2 * QUERIES * dim;
}

uint64_t sow_attention_aside(const struct sow_node *node, const struct sow_network *network)
{
    const struct sow_flow *out = &network->flows[node->output];
    uint64_t rows = out->elements / node->at.head_dim;
    uint64_t angles = node->at.rotary ? out->shape[out->rank - 2] * node->at.head_dim : 0;
    return angles + 3 * rows;
}
