/* SPDX-License-Identifier: MIT */
/* Recurrent layers on numbers, backward through time. The forward run is repeated: its gates and states are kept by
 * nobody. In place of the gates come the gradients of what they took, of all times, and from these, in one product each,
 * the gradients of the input and the weights. */
#include <string.h>

#include "model/signal/measure/float_math.h"
#include "model/signal/measure/recurrent.h"

#define BIAS_BLOCK 64u

/* ---- A step back ------------------------------------------------------------------------------- */

/* d of the state of a time: from the output, and from the time after. */
static float state_gradient(const struct sow_unrolled *u, uint64_t sample, uint64_t j)
{
    uint64_t row = sample * u->r.steps + u->time, n = u->r.hidden;
    return u->step->output_gradient[(row * u->r.directions + u->direction) * n + j] +
           u->carry[0][sample * n + j];
}

static void back_rnn(const struct sow_unrolled *u, float *gates, uint64_t sample)
{
    uint64_t n = u->r.hidden;
    const float *h = sow_unrolled_after(u, u->states, u->time) + sample * n;
    for (uint64_t j = 0; j < n; j++) {
        float dh = state_gradient(u, sample, j);
        gates[j] = !u->r.is_relu ? dh * ((1 - h[j]) * (1 + h[j])) : h[j] > 0 ? dh : 0;
    }
}

static void back_lstm(const struct sow_unrolled *u, float *gates, uint64_t sample)
{
    uint64_t n = u->r.hidden;
    const uint32_t *at = u->r.blocks;
    float *i = gates + at[SOW_GATE_I] * n, *f = gates + at[SOW_GATE_F] * n,
          *g = gates + at[SOW_GATE_G] * n, *o = gates + at[SOW_GATE_O] * n;
    const float *c = sow_unrolled_after(u, u->cells, u->time) + sample * n;
    const float *before = sow_unrolled_before(u, u->cells, u->time) + sample * n;
    float *cell = u->carry[1] + sample * n;
    for (uint64_t j = 0; j < n; j++) {
        float dh = state_gradient(u, sample, j), t = sow_tanhf(c[j]);
        float dc = cell[j] + dh * o[j] * ((1 - t) * (1 + t));
        float di = dc * g[j], df = dc * before[j], dg = dc * i[j];
        cell[j] = dc * f[j];
        i[j] = di * (i[j] * (1 - i[j]));
        f[j] = df * (f[j] * (1 - f[j]));
        g[j] = dg * ((1 - g[j]) * (1 + g[j]));
        o[j] = dh * t * (o[j] * (1 - o[j]));
    }
}

static void back_gru(const struct sow_unrolled *u, float *gates, uint64_t sample)
{
    uint64_t n = u->r.hidden;
    const uint32_t *at = u->r.blocks;
    float *r = gates + at[SOW_GATE_R] * n, *z = gates + at[SOW_GATE_Z] * n,
          *new = gates + at[SOW_GATE_N] * n;
    float *inner = u->inner + (u->time * u->samples + sample) * n;
    float *carry = u->carry[0] + sample * n;
    const float *before = sow_unrolled_before(u, u->states, u->time) + sample * n;
    for (uint64_t j = 0; j < n; j++) {
        float dh = state_gradient(u, sample, j);
        float dn = dh * (1 - z[j]) * ((1 - new[j]) * (1 + new[j]));
        float dz = dh * (before[j] - new[j]);
        carry[j] = dh * z[j]; /* what goes past all weights */
        z[j] = dz * (z[j] * (1 - z[j]));
        new[j] = dn;
        float dr = dn * inner[j];
        inner[j] = dn * r[j];
        r[j] = dr * (r[j] * (1 - r[j]));
    }
}

static void back_samples(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct sow_unrolled *u = user;
    (void)scratch;
    for (uint64_t sample = begin; sample < end; sample++) {
        float *gates = sow_unrolled_gates(u, u->time) + sample * u->width;
        if (u->r.kind == SOW_RECURRENT_LSTM) {
            back_lstm(u, gates, sample);
        } else if (u->r.kind == SOW_RECURRENT_GRU) {
            back_gru(u, gates, sample);
        } else {
            back_rnn(u, gates, sample);
        }
    }
}

/* To the state before, through the weights. */
static void back_state(const struct sow_unrolled *u)
{
    uint64_t n = u->r.hidden;
    int is_gru = u->r.kind == SOW_RECURRENT_GRU;
    struct sow_operand weight = sow_unrolled_weight(u, u->slots->state, n, 0);
    struct sow_gemm product = {.rows = u->samples,
                               .columns = n,
                               .depth = is_gru ? SOW_GATE_N * n : u->width,
                               .a = {sow_unrolled_gates(u, u->time), u->width, 1},
                               .b = {weight.at, weight.column, weight.row},
                               .c = u->carry[0],
                               .c_row = n,
                               .accumulate = is_gru};
    sow_team_gemm(u->step->team, &product);
    if (is_gru) {
        weight = sow_unrolled_weight(u, u->slots->state, n, SOW_GATE_N);
        product.depth = n;
        product.a = (struct sow_operand){u->inner + u->time * u->samples * n, n, 1};
        product.b = (struct sow_operand){weight.at, weight.column, weight.row};
        sow_team_gemm(u->step->team, &product);
    }
}

/* ---- From the gates to what they took ---------------------------------------------------------- */

/* To the inputs: of both directions, the second adds. */
static void back_input(const struct sow_unrolled *u)
{
    const struct sow_step *step = u->step;
    struct sow_row_runs runs = sow_unrolled_runs(u);
    uint64_t inputs = u->r.inputs;
    struct sow_operand weight = sow_unrolled_weight(u, u->slots->input, inputs, 0);
    for (uint64_t run = 0; run < runs.runs; run++) {
        struct sow_gemm product = {
            .rows = runs.count,
            .columns = inputs,
            .depth = u->width,
            .a = {u->gates + run * runs.begin * u->width, runs.stride * u->width, 1},
            .b = {weight.at, weight.column, weight.row},
            .c = step->input_gradients[0] + run * runs.input_begin * inputs,
            .c_row = runs.input_stride * inputs,
            .accumulate = u->direction > 0};
        sow_team_gemm(step->team, &product);
    }
}

/* Rows of gradients, `rows` numbers apart `gate.row`, times rows of what was weighed: into the block of gates from `first`
 * on of a weight's gradient. */
static void back_block(const struct sow_unrolled *u, uint32_t slot, uint64_t depth, uint32_t first,
                       uint64_t gates, struct sow_operand gate, struct sow_operand taken,
                       uint64_t count, int accumulate)
{
    uint64_t n = u->r.hidden, row = first * n;
    float *to = u->step->weight_gradients[slot];
    struct sow_gemm product = {.rows = gates * n,
                               .columns = depth,
                               .depth = count,
                               .a = {gate.at, 1, gate.row},
                               .b = taken,
                               .c = to + row * depth,
                               .c_row = depth,
                               .accumulate = accumulate};
    if (u->r.turned) {
        product = (struct sow_gemm){.rows = depth,
                                    .columns = gates * n,
                                    .depth = count,
                                    .a = {taken.at, 1, taken.row},
                                    .b = gate,
                                    .c = to + row,
                                    .c_row = u->width,
                                    .accumulate = accumulate};
    }
    sow_team_gemm(u->step->team, &product);
}

static void back_weights(const struct sow_unrolled *u)
{
    const struct sow_step *step = u->step;
    struct sow_row_runs runs = sow_unrolled_runs(u);
    uint64_t inputs = u->r.inputs, n = u->r.hidden, all = u->r.steps * u->samples;
    uint32_t input = u->slots->input, state = u->slots->state;
    for (uint64_t run = 0; run < runs.runs; run++) {
        struct sow_operand gate = {u->gates + run * runs.begin * u->width, runs.stride * u->width,
                                   1};
        struct sow_operand taken = {step->inputs[0] + run * runs.input_begin * inputs,
                                    runs.input_stride * inputs, 1};
        back_block(u, input, inputs, 0, u->r.gates, gate, taken, runs.count,
                   run > 0 || step->weight_started[input]);
    }
    int is_gru = u->r.kind == SOW_RECURRENT_GRU, started = step->weight_started[state];
    struct sow_operand before = {sow_unrolled_before(u, u->states, 0), n, 1};
    back_block(u, state, n, 0, is_gru ? SOW_GATE_N : u->r.gates,
               (struct sow_operand){u->gates, u->width, 1}, before, all, started);
    if (is_gru) {
        back_block(u, state, n, SOW_GATE_N, 1, (struct sow_operand){u->inner, n, 1}, before, all,
                   started);
    }
}

/* Sums over all times and samples, the first to the last. */
static void back_biases(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct sow_unrolled *u = user;
    const struct sow_recurrent_slots *slots = u->slots;
    uint64_t n = u->r.hidden, apart = u->r.kind == SOW_RECURRENT_GRU ? SOW_GATE_N * n : u->width;
    double sums[BIAS_BLOCK] = {0}, inner[BIAS_BLOCK] = {0};
    (void)scratch;
    for (uint64_t row = 0; row < u->r.steps * u->samples; row++) {
        for (uint64_t j = begin; j < end; j++) {
            sums[j - begin] += (double)u->gates[row * u->width + j];
        }
        for (uint64_t j = begin > apart ? begin : apart; j < end; j++) {
            inner[j - begin] += (double)u->inner[row * n + j - apart];
        }
    }
    for (uint64_t j = begin; j < end; j++) {
        sow_step_give(u->step, slots->input_bias, j, sums[j - begin]);
        if (slots->state_bias != SOW_NO_INDEX) {
            sow_step_give(u->step, slots->state_bias, slots->state_bias_at + j,
                          (j >= apart ? inner : sums)[j - begin]);
        }
    }
}

/* ---- The layer --------------------------------------------------------------------------------- */

static void back_through_time(struct sow_unrolled *u)
{
    uint64_t units = u->samples * u->r.hidden, block = 1 + SOW_STEP_BLOCK / (4 * u->width + 1);
    memset(u->carry[0], 0, 2 * units * sizeof(float));
    for (uint64_t i = u->r.steps; i-- > 0;) {
        u->time = sow_unrolled_time(u, i);
        sow_team_ranges(u->step->team, u->samples, block, back_samples, u);
        if (i > 0) {
            back_state(u);
        }
    }
}

void sow_recurrent_backward(const struct sow_step *step)
{
    struct sow_unrolled u = sow_unrolled_of(step, 0);
    for (u.direction = 0; u.direction < u.r.directions; u.direction++) {
        sow_unroll(&u);
        back_through_time(&u);
        if (step->input_gradients[0] != NULL) {
            back_input(&u);
        }
        back_weights(&u);
        if (u.slots->input_bias != SOW_NO_INDEX) {
            sow_team_ranges(step->team, u.width, BIAS_BLOCK, back_biases, &u);
        }
    }
}
