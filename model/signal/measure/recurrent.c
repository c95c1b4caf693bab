/* SPDX-License-Identifier: MIT */
/* Recurrent layers on numbers, forward. Every product is a chain in order of its inputs, that of the state after that of
 * the input, so that neither the threads nor the blocking show. */
#include "model/signal/measure/recurrent.h"

#include <string.h>

#include "model/signal/measure/float_math.h"

/* ---- Arrays ------------------------------------------------------------------------------------ */

uint64_t sow_recurrent_aside(const struct sow_node *node, const struct sow_network *network)
{
    struct sow_recurrent r = sow_recurrent_of(node, network);
    double units = (double)(r.steps + 1) * (double)r.samples * (double)r.hidden;
    double floats = units * (r.gates + 3) + 2 * (double)r.samples * (double)r.hidden;
    return floats < 1e17 ? (uint64_t)(floats / 2) + 8 : UINT64_C(1) << 56; /* refused: no memory */
}

struct sow_unrolled sow_unrolled_of(const struct sow_step *step, uint32_t direction)
{
    struct sow_unrolled u = {.step = step, .r = sow_recurrent_of(step->node, step->network)};
    uint64_t units = u.r.samples * u.r.hidden;
    u.direction = direction;
    u.samples = u.r.samples;
    u.width = u.r.gates * u.r.hidden;
    u.gates = (float *)(void *)step->aside;
    u.states = u.gates + u.r.steps * u.samples * u.width;
    u.cells = u.states + (u.r.steps + 1) * units;
    u.inner = u.cells + (u.r.steps + 1) * units;
    u.carry[0] = u.inner + u.r.steps * units;
    u.carry[1] = u.carry[0] + units;
    return u;
}

uint64_t sow_unrolled_time(const struct sow_unrolled *u, uint64_t i)
{
    return u->direction == 0 ? i : u->r.steps - 1 - i;
}

struct sow_operand sow_unrolled_weight(const struct sow_unrolled *u, uint32_t slot, uint64_t depth,
                                       uint32_t first)
{
    const float *weight = u->step->weights[slot];
    uint64_t row = first * u->r.hidden;
    return u->r.turned ? (struct sow_operand){weight + row, u->width, 1}
                       : (struct sow_operand){weight + row * depth, 1, depth};
}

/* ---- Before the first step --------------------------------------------------------------------- */

/* Both biases, or where a gate takes that of the state apart, that of the input. */
static void bias_rows(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct sow_unrolled *u = user;
    const struct sow_recurrent_slots *slots = u->slots;
    int has_bias = slots->input_bias != SOW_NO_INDEX, has_state = slots->state_bias != SOW_NO_INDEX;
    const float *input = has_bias ? u->step->weights[slots->input_bias] : NULL;
    const float *state =
        has_state ? u->step->weights[slots->state_bias] + slots->state_bias_at : NULL;
    uint64_t apart = u->r.kind == SOW_RECURRENT_GRU ? SOW_GATE_N * u->r.hidden : u->width;
    (void)scratch;
    for (uint64_t row = begin; row < end; row++) {
        float *to = u->gates + row * u->width;
        for (uint64_t j = 0; j < u->width; j++) {
            to[j] = (input != NULL ? input[j] : 0) + (state != NULL && j < apart ? state[j] : 0);
        }
        for (uint64_t j = apart; j < u->width; j++) {
            u->inner[row * u->r.hidden + j - apart] = state != NULL ? state[j] : 0;
        }
    }
}

/* What all gates take from the input, at all times. */
static void take_input(struct sow_unrolled *u)
{
    const struct sow_step *step = u->step;
    struct sow_row_runs runs = sow_unrolled_runs(u);
    uint64_t inputs = u->r.inputs;
    sow_team_ranges(step->team, u->r.steps * u->samples, 64, bias_rows, u);
    for (uint64_t run = 0; run < runs.runs; run++) {
        struct sow_gemm product = {
            .rows = runs.count,
            .columns = u->width,
            .depth = inputs,
            .a = {step->inputs[0] + run * runs.input_begin * inputs, runs.input_stride * inputs, 1},
            .b = sow_unrolled_weight(u, u->slots->input, inputs, 0),
            .c = u->gates + run * runs.begin * u->width,
            .c_row = runs.stride * u->width,
            .accumulate = 1};
        sow_team_gemm(step->team, &product);
    }
}

/* ---- A step ------------------------------------------------------------------------------------ */

static void step_rnn(const struct sow_unrolled *u, float *gates, const uint64_t sample)
{
    uint64_t n = u->r.hidden;
    float *h = sow_unrolled_after(u, u->states, u->time) + sample * n;
    for (uint64_t j = 0; j < n; j++) {
        h[j] = !u->r.is_relu ? sow_tanhf(gates[j]) : gates[j] > 0 ? gates[j] : 0;
    }
}

static void step_lstm(const struct sow_unrolled *u, float *gates, uint64_t sample)
{
    uint64_t n = u->r.hidden;
    const uint32_t *at = u->r.blocks;
    float *i = gates + at[SOW_GATE_I] * n, *f = gates + at[SOW_GATE_F] * n,
          *g = gates + at[SOW_GATE_G] * n, *o = gates + at[SOW_GATE_O] * n;
    float *h = sow_unrolled_after(u, u->states, u->time) + sample * n;
    float *c = sow_unrolled_after(u, u->cells, u->time) + sample * n;
    const float *before = sow_unrolled_before(u, u->cells, u->time) + sample * n;
    for (uint64_t j = 0; j < n; j++) {
        i[j] = sow_sigmoidf(i[j]);
        f[j] = sow_sigmoidf(f[j]);
        g[j] = sow_tanhf(g[j]);
        o[j] = sow_sigmoidf(o[j]);
        c[j] = f[j] * before[j] + i[j] * g[j];
        h[j] = o[j] * sow_tanhf(c[j]);
    }
}

static void step_gru(const struct sow_unrolled *u, float *gates, uint64_t sample)
{
    uint64_t n = u->r.hidden;
    const uint32_t *at = u->r.blocks;
    float *r = gates + at[SOW_GATE_R] * n, *z = gates + at[SOW_GATE_Z] * n,
          *new = gates + at[SOW_GATE_N] * n;
    const float *inner = u->inner + (u->time * u->samples + sample) * n;
    float *h = sow_unrolled_after(u, u->states, u->time) + sample * n;
    const float *before = sow_unrolled_before(u, u->states, u->time) + sample * n;
    for (uint64_t j = 0; j < n; j++) {
        r[j] = sow_sigmoidf(r[j]);
        z[j] = sow_sigmoidf(z[j]);
        new[j] = sow_tanhf(new[j] + r[j] * inner[j]);
        h[j] = (1 - z[j]) * new[j] + z[j] * before[j];
    }
}

static void step_samples(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct sow_unrolled *u = user;
    (void)scratch;
    for (uint64_t sample = begin; sample < end; sample++) {
        float *gates = sow_unrolled_gates(u, u->time) + sample * u->width;
        if (u->r.kind == SOW_RECURRENT_LSTM) {
            step_lstm(u, gates, sample);
        } else if (u->r.kind == SOW_RECURRENT_GRU) {
            step_gru(u, gates, sample);
        } else {
            step_rnn(u, gates, sample);
        }
    }
}

/* What the gates take from the state before; a gru's n apart. */
static void take_state(const struct sow_unrolled *u)
{
    uint64_t n = u->r.hidden;
    int is_gru = u->r.kind == SOW_RECURRENT_GRU;
    struct sow_gemm product = {.rows = u->samples,
                               .columns = is_gru ? SOW_GATE_N * n : u->width,
                               .depth = n,
                               .a = {sow_unrolled_before(u, u->states, u->time), n, 1},
                               .b = sow_unrolled_weight(u, u->slots->state, n, 0),
                               .c = sow_unrolled_gates(u, u->time),
                               .c_row = u->width,
                               .accumulate = 1};
    sow_team_gemm(u->step->team, &product);
    if (is_gru) {
        product.columns = n;
        product.b = sow_unrolled_weight(u, u->slots->state, n, SOW_GATE_N);
        product.c = u->inner + u->time * u->samples * n;
        product.c_row = n;
        sow_team_gemm(u->step->team, &product);
    }
}

void sow_unroll(struct sow_unrolled *u)
{
    uint64_t units = u->samples * u->r.hidden, block = 1 + SOW_STEP_BLOCK / (4 * u->width + 1);
    uint64_t first = sow_unrolled_time(u, 0);
    u->slots = &u->r.slots[u->direction];
    memset(sow_unrolled_before(u, u->states, first), 0, units * sizeof(float));
    memset(sow_unrolled_before(u, u->cells, first), 0, units * sizeof(float));
    take_input(u);
    for (uint64_t i = 0; i < u->r.steps; i++) {
        u->time = sow_unrolled_time(u, i);
        if (i > 0) { /* zeros give nothing */
            take_state(u);
        }
        sow_team_ranges(u->step->team, u->samples, block, step_samples, u);
    }
}

/* ---- The layer --------------------------------------------------------------------------------- */

static void put_output(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct sow_unrolled *u = user;
    uint64_t n = u->r.hidden;
    (void)scratch;
    for (uint64_t row = begin; row < end; row++) {
        uint64_t sample = row / u->r.steps, time = row % u->r.steps;
        memcpy(u->step->output + (row * u->r.directions + u->direction) * n,
               sow_unrolled_after(u, u->states, time) + sample * n, n * sizeof(float));
    }
}

void sow_recurrent_forward(const struct sow_step *step)
{
    struct sow_unrolled u = sow_unrolled_of(step, 0);
    uint64_t rows = u.r.steps * u.r.samples;
    for (u.direction = 0; u.direction < u.r.directions; u.direction++) {
        sow_unroll(&u);
        sow_team_ranges(step->team, rows, 1 + SOW_STEP_BLOCK / u.r.hidden, put_output, &u);
    }
}
