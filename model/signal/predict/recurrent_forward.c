/* SPDX-License-Identifier: MIT */
/* A recurrent layer forward: its directions are walked through time, step by step until nothing changes any more. What a
 * step does is in recurrent_step.c. */
#include <math.h>
#include <stdlib.h>

#include "core/base/elementary.h"
#include "core/base/error.h"
#include "model/signal/predict/recurrent_predict.h"
#include "model/signal/predict/widths.h"

#define SETTLED   1e-6
#define LOG_MOST  60.0 /* of the input of a layer that saturates */
#define LOG_LEAST (-200.0)
/* Walked in one network, over all its walks; further ones are shorter, so that no network takes long. */
#define STEPS_IN_ALL 50000u
#define STEPS_BEYOND 48u

/* ---- The walk ---------------------------------------------------------------------------------- */

/* Sums over time, in units of exp(log). */
struct sums {
    double log, square, mean, feature, place, sample;
    double pairs; /* E[h h'] over pairs of times; in absolute units */
};

static double signed_root(double x)
{
    return x < 0 ? -sow_sqrt(-x) : sow_sqrt(x);
}

static void add_state(struct sums *sums, const struct sow_state *state, double log, double count)
{
    if (log > sums->log) {
        double scale = sums->log > -INFINITY ? sow_exp(sums->log - log) : 0, root = sow_sqrt(scale);
        sums->square *= scale;
        sums->feature *= scale;
        sums->sample *= scale;
        sums->mean *= root;
        sums->place *= root;
        sums->log = log;
    }
    double square = log > -INFINITY ? count * sow_exp(log - sums->log) : 0;
    double root = count > 0 ? sow_sqrt(square * count) : 0; /* of the sum of roots */
    sums->square += square;
    sums->feature += state->feature * square;
    sums->sample += state->sample * square;
    sums->mean += state->mean * root;
    sums->place += signed_root(state->place) * root; /* of two times, the root of each */
}

/* E[h h'] of this time with each of `earlier` ones, of a memory; an rnn's times are alike as its state says. */
static double pairs_of(const struct sow_walker *w, double earlier)
{
    double square = w->state.log > -INFINITY ? sow_exp(w->state.log) : 0, sum = 0;
    for (size_t k = 1; k < w->lags; k++) {
        sum += w->pair[k];
    }
    double rest = earlier + 1 - (double)w->lags;
    return sum + (rest > 0 ? rest * w->state.place * square : 0);
}

static void mean_state(const struct sow_walker *w, const struct sums *sums, struct sow_state *out)
{
    double total = w->walk->total, place = sums->place / total;
    double log = sums->log > -INFINITY ? sums->log : 0;
    struct sow_raw raw = {sums->square / total, sums->mean / total, sums->feature / total,
                          place * fabs(place), sums->sample / total};
    if (w->walk->r.kind != SOW_RECURRENT_RNN) {
        raw.place = total > 1 ? 2 * sums->pairs / (total * (total - 1)) * sow_exp(-log) : 0;
    }
    sow_state_set(out, &raw, log);
    if (total == 1) {
        out->place =
            w->walk->r.is_cell ? w->state.place : 1; /* a cell's places are none of time's */
    }
}

/* What is left over when the walk ends: later steps are as the last, or grow as it did. */
static void add_rest(const struct sow_walker *w, struct sums *sums)
{
    const struct sow_time_walk *walk = w->walk;
    double rest = walk->total - (double)walk->count, last = walk->logs[walk->count - 1];
    if (rest > 0) {
        double log = sow_log_of_series(last + walk->growth, walk->growth, rest);
        double earlier = 0.5 * (walk->total + (double)walk->count - 1); /* on average */
        add_state(sums, &w->state, log - sow_log(rest), rest);
        sums->pairs += rest * pairs_of(w, earlier);
    }
}

static int has_settled(const struct sow_walker *w, const struct sow_state *before,
                       double memory_before, double memory, double growth_before, double *growth)
{
    double change = w->state.log - before->log;
    int still = fabs(w->state.place - before->place) < SETTLED &&
                fabs(w->state.sample - before->sample) < SETTLED;
    *growth = 0;
    if (w->state.log == -INFINITY && before->log == -INFINITY) {
        return 1;
    }
    if (w->walk->r.is_relu && fabs(change - growth_before) < 1e-6 * fabs(change) && still) {
        *growth = change;
        return 1;
    }
    return still && fabs(change) < SETTLED && fabs(memory - memory_before) <= SETTLED * memory;
}

/* For the layer behind: how alike near times are in the end. */
static void note_alike(const struct sow_walker *w)
{
    struct sow_time_walk *walk = w->walk;
    int is_rnn = walk->r.kind == SOW_RECURRENT_RNN; /* its times are all alike to one degree */
    double square = w->state.log > -INFINITY ? sow_exp(w->state.log) : 0;
    walk->pair[0] = is_rnn ? 1 : square;
    walk->far = w->state.place * walk->pair[0];
    walk->lags = w->lags < SOW_TIME_POINTS ? w->lags : SOW_TIME_POINTS;
    walk->lags = walk->lags > 0 ? walk->lags : 1;
    for (size_t k = 1; k < walk->lags; k++) {
        walk->pair[k] = w->pair[k];
    }
}

static enum sow_status walk_steps(struct sow_walker *w, struct sow_state *out,
                                  struct sow_error *error)
{
    struct sow_time_walk *walk = w->walk;
    struct sums sums = {.log = -INFINITY};
    double memory_before = 0, growth_before = 0, lift_before = 0;
    uint32_t flow = w->node->inputs[0];
    enum sow_status status = SOW_OK;
    for (walk->count = 0; walk->count < walk->room && status == SOW_OK;) {
        struct sow_state before = w->state;
        double time =
            walk->direction == 0 ? (double)walk->count : walk->total - 1 - (double)walk->count;
        double lift = walk->total > 1 ? sow_signal_at(w->p, flow, time) : 0, memory = 0;
        status = sow_walker_step(w, lift, &walk->steps[walk->count], error);
        walk->logs[walk->count++] = w->state.log;
        add_state(&sums, &w->state, w->state.log, 1);
        sums.pairs += pairs_of(w, (double)walk->count - 1);
        for (uint32_t j = 0; j < walk->nodes; j++) {
            memory += walk->node_weights[j] * w->memories[j].pair[0];
        }
        if (fabs(lift - lift_before) < 1e-5 && walk->count > 1 &&
            has_settled(w, &before, memory_before, memory, growth_before, &walk->growth)) {
            break;
        }
        growth_before = w->state.log - before.log;
        memory_before = memory;
        lift_before = lift;
    }
    if (status == SOW_OK) {
        add_rest(w, &sums);
        *out = w->state;
        mean_state(w, &sums, out);
        note_alike(w);
    }
    return status;
}

static enum sow_status begin_walk(struct sow_walker *w, double lift, struct sow_error *error)
{
    struct sow_time_walk *walk = w->walk;
    int is_rnn = walk->r.kind == SOW_RECURRENT_RNN;
    w->input = w->p->states[w->node->inputs[0]];
    if (!is_rnn) {
        double log = w->input.log;
        w->input.log = log > LOG_MOST                       ? LOG_MOST
                       : log > -INFINITY && log < LOG_LEAST ? LOG_LEAST
                                                            : log;
    }
    w->input.log += lift;
    w->near = walk->total > 1 ? sow_signal_profile(w->p, w->node->inputs[0]) : NULL;
    w->input.place = w->near != NULL ? w->near->far : w->input.place;
    w->state = sow_no_state(&w->input);
    w->state.features = (double)walk->r.hidden;
    sow_walker_read(w);
    walk->nodes = is_rnn ? 1 : SOW_MEMORY_NODES;
    for (uint32_t j = 0; j < walk->nodes; j++) {
        walk->node_weights[j] = is_rnn ? 1 : w->rule->weights[j];
    }
    return is_rnn
               ? sow_function_named(walk->r.is_relu ? "relu" : "tanh", NULL, 0, &w->function, error)
               : SOW_OK;
}

enum sow_status sow_time_walk_make(struct sow_predictor *p, const struct sow_node *node,
                                   uint32_t direction, double lift, struct sow_time_walk *walk,
                                   struct sow_state *out, struct sow_error *error)
{
    struct sow_walker *w = calloc(1, sizeof *w);
    *walk = (struct sow_time_walk){.r = sow_recurrent_of(node, p->network), .direction = direction};
    walk->total = (double)walk->r.steps;
    walk->room = walk->r.steps < SOW_TIMES_MAX ? (size_t)walk->r.steps : SOW_TIMES_MAX;
    if (p->time_steps > STEPS_IN_ALL && walk->room > STEPS_BEYOND) { /* hundreds of such layers */
        walk->room = STEPS_BEYOND;
    }
    walk->steps = malloc(walk->room * sizeof *walk->steps);
    walk->logs = malloc(walk->room * sizeof *walk->logs);
    if (w == NULL || walk->steps == NULL || walk->logs == NULL) {
        free(w);
        return sow_fail(error, SOW_E_MEMORY, "out of memory");
    }
    w->p = p;
    w->node = node;
    w->walk = walk;
    enum sow_status status = begin_walk(w, lift, error);
    status = status == SOW_OK ? walk_steps(w, out, error) : status;
    p->time_steps += walk->count;
    free(w);
    return status;
}

void sow_time_walk_free(struct sow_time_walk *walk)
{
    free(walk->steps);
    free(walk->logs);
    walk->steps = NULL;
    walk->logs = NULL;
}

/* ln of E[h^2] at a time (of the input's order). */
static double log_at(const struct sow_time_walk *walk, double time)
{
    double step = walk->direction == 0 ? time : walk->total - 1 - time, count = (double)walk->count;
    return step < count ? walk->logs[(size_t)step]
                        : walk->logs[walk->count - 1] + walk->growth * (step - count + 1);
}

/* ---- The rule ---------------------------------------------------------------------------------- */

static double walks_log(const void *of, double time)
{
    const struct sow_time_walk *walks = of;
    double log = log_at(&walks[0], time);
    return walks[0].r.directions < 2 ? log : sow_log_add(log, log_at(&walks[1], time)) - sow_log(2);
}

/* Both directions' features side by side. */
static struct sow_state side_by_side(const struct sow_state parts[2])
{
    double log = parts[0].log > parts[1].log ? parts[0].log : parts[1].log;
    struct sow_state out = parts[0];
    log = log > -INFINITY ? log : 0;
    struct sow_raw x = sow_raw_of(&parts[0], log), y = sow_raw_of(&parts[1], log);
    double mean = 0.5 * (x.mean + y.mean);
    struct sow_raw raw = {0.5 * (x.square + y.square), mean,
                          0.25 * (x.feature + y.feature) + 0.5 * x.mean * y.mean,
                          0.5 * (x.place + y.place), 0.5 * (x.sample + y.sample)};
    sow_state_set(&out, &raw, log);
    return out;
}

/* ln E[h^2] of the whole layer when the input is exp(lift) times what it is. */
static enum sow_status lifted(struct sow_predictor *p, const struct sow_node *node, double lift,
                              struct sow_time_walk walks[2], struct sow_state *out,
                              struct sow_error *error)
{
    struct sow_state parts[2];
    enum sow_status status = SOW_OK;
    uint32_t directions = node->at.bidirectional ? 2 : 1;
    for (uint32_t d = 0; d < directions && status == SOW_OK; d++) {
        status = sow_time_walk_make(p, node, d, lift, &walks[d], &parts[d], error);
    }
    if (status == SOW_OK) {
        *out = directions > 1 ? side_by_side(parts) : parts[0];
    }
    return status;
}

/* What the table and the layers behind see beside the moments. */
static void finish(struct sow_predictor *p, const struct sow_node *node,
                   const struct sow_time_walk walks[2], double response, struct sow_state *out)
{
    struct sow_local *local = &p->locals[node - p->network->nodes];
    const struct sow_state *in = &p->states[node->inputs[0]];
    const struct sow_recurrent *r = &walks[0].r;
    double held = in->log > LOG_MOST ? LOG_MOST : in->log < LOG_LEAST ? LOG_LEAST : in->log;
    double inputs = (double)r->inputs, chi = 0, apart = -INFINITY;
    for (uint32_t d = 0; d < r->directions; d++) {
        double one = sow_time_walk_chi(&walks[d]);
        chi = one > chi ? one : chi;
        apart = sow_log_add(apart, sow_time_walk_distance(&walks[d]) - sow_log(r->directions));
    }
    if (r->kind != SOW_RECURRENT_RNN &&
        in->log > -INFINITY) { /* beyond: the power law that it has there */
        out->log += response * (in->log - held);
    }
    out->features = (double)(r->hidden * r->directions);
    out->places = in->places;
    double loud = in->kurtosis - in->kept;
    double kurtosis = out->kurtosis;
    sow_width_plain(out);
    out->kurtosis = kurtosis;
    out->pull = 0;
    out->noise = response * response * (in->noise + (loud > 1 ? (loud - 1) / inputs : 0));
    out->par = response * in->par;
    out->apart = in->apart + in->log + apart - out->log;
    sow_close_layer(out);
    out->unrelated = out->mean * out->mean;
    local->chi_perp = r->is_cell ? NAN : chi;
    struct sow_alike alike[2];
    for (uint32_t d = 0; d < r->directions; d++) {
        alike[d] = (struct sow_alike){walks[d].pair, walks[d].lags, walks[d].far};
    }
    local->profile =
        sow_time_profile_make(&p->arena, walks[0].total, walks_log, walks, alike, r->directions);
}

enum sow_status sow_forward_recurrent(struct sow_predictor *p, const struct sow_node *node,
                                      struct sow_error *error)
{
    const double step = 1e-3;
    struct sow_time_walk walks[2] = {{.steps = NULL}, {.steps = NULL}},
                         more[2] = {{.steps = NULL}, {.steps = NULL}};
    struct sow_state *out = &p->states[node->output], louder;
    enum sow_status status = lifted(p, node, 0, walks, out, error);
    status = status == SOW_OK ? lifted(p, node, step, more, &louder, error) : status;
    if (status == SOW_OK) {
        double change = louder.log - out->log;
        finish(p, node, walks, out->log > -INFINITY ? change / step : 0, out);
    }
    for (int d = 0; d < 2; d++) {
        sow_time_walk_free(&walks[d]);
        sow_time_walk_free(&more[d]);
    }
    return status;
}
