/* SPDX-License-Identifier: MIT */
/* A recurrent layer backward through time: the products of its steps' small changes, seen from the output for gradients and
 * from the input for distances. Gradients are independent of signals and of other gates', as fresh weights make them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/elementary.h"
#include "model/signal/predict/recurrent_predict.h"

#define LARGE   1e100
#define NOTHING 1e-8 /* of a correlation */
#define LAGS    512u

static const struct sow_time_step *step_at(const struct sow_time_walk *walk, double step)
{
    double last = (double)walk->count - 1;
    return &walk->steps[(size_t)(step < last ? step : last)];
}

/* ---- Gradients --------------------------------------------------------------------------------- */

/* Of one time and of all later ones, in units of exp(log): [k] is the mean product of the gradient there and k steps later.
 * What a memory holds lasts, so that gradients of near times are alike, and add up. */
struct lags {
    double log;
    size_t count;                     /* lags that are not nothing */
    double state[LAGS];               /* of the state, through the weights of the step after */
    double output[LAGS], cross[LAGS]; /* of the whole state; of it and memories */
    double memory[SOW_MEMORY_NODES][LAGS];
    double input[LAGS];            /* what it makes */
    double roots[SOW_TIME_POINTS]; /* of the output's second moments, k steps later */
};

static double size_of(const struct sow_time_walk *walk, const struct lags *g, size_t lag)
{
    double size = fabs(g->state[lag]);
    for (uint32_t j = 0; j < walk->nodes; j++) {
        size += walk->node_weights[j] * fabs(g->memory[j][lag]);
    }
    return size;
}

static void trim(const struct sow_time_walk *walk, struct lags *g)
{
    double size = size_of(walk, g, 0);
    while (g->count > 1 && size_of(walk, g, g->count - 1) <= NOTHING * size) {
        g->count--;
    }
    if (size > LARGE) {
        g->log += sow_log(size);
        for (size_t k = 0; k < SOW_TIME_POINTS; k++) {
            g->roots[k] /= sow_sqrt(size);
        }
        for (size_t k = 0; k < g->count; k++) {
            g->state[k] /= size;
            for (uint32_t j = 0; j < walk->nodes; j++) {
                g->memory[j][k] /= size;
            }
        }
    }
}

/* To a unit's memory: from the state, and from the memory a step later. */
static void back_memory(const struct sow_time_step *step, const struct sow_time_step *next,
                        uint32_t j, struct lags *g)
{
    double keep = next != NULL ? next->keep[j] : 0, cross = 0, *memory = g->memory[j];
    double read = step->read_mean[j] * step->read_mean[j], first;
    for (size_t k = g->count; k-- > 1;) {
        cross = g->cross[k] = read * g->output[k] + keep * cross;
    }
    for (size_t k = g->count; k-- > 1;) {
        memory[k] = g->cross[k] + keep * memory[k - 1];
    }
    first = next != NULL ? next->keep_square[j] * memory[0] : 0;
    memory[0] = step->read[j] * g->output[0] + 2 * keep * cross + first;
}

/* From memories through gate's input to the state and the input, `state` and `input` times. */
static void back_gate(const struct sow_time_walk *walk, const struct sow_time_step *step,
                      uint32_t gate, double to_state, double to_input, struct lags *g)
{
    int is_direct = walk->r.kind == SOW_RECURRENT_LSTM && gate == SOW_GATE_O;
    for (uint32_t j = 0; j < walk->nodes; j++) {
        double weight = walk->node_weights[j] * (is_direct ? step->direct : step->write[gate][j]);
        const double *from = is_direct ? g->output : g->memory[j];
        double kept = 1, lasting = step->lasting[gate][j];
        for (size_t k = 0; k < g->count && weight > 0; k++) {
            double share = k == 0 ? 1 : step->pair[gate] * (lasting + (1 - lasting) * kept);
            double gradient = weight * share * from[k];
            g->state[k] += to_state * gradient;
            g->input[k] += to_input * gradient;
            kept *= step->keep[j];
        }
    }
}

/* From the step `next` back to `step`, whose output has this gradient and this share of it in common with other times. */
static void back_step(const struct sow_time_walk *walk, const struct sow_time_step *step,
                      const struct sow_time_step *next, double output, double share,
                      const struct sow_time_profile *near, struct lags *g)
{
    double hidden = (double)walk->r.hidden;
    if (next != NULL && g->count < LAGS) {
        g->state[g->count] = 0;
        for (uint32_t j = 0; j < walk->nodes; j++) {
            g->memory[j][g->count] = 0;
        }
        g->count++;
    }
    memmove(g->roots + 1, g->roots, (SOW_TIME_POINTS - 1) * sizeof g->roots[0]);
    g->roots[0] = output > 0 ? sow_sqrt(output) : 0;
    for (size_t k = 0; k < g->count; k++) {
        double alike = share, later = g->roots[0];
        if (k < SOW_TIME_POINTS) {
            later = g->roots[k];
            alike = k == 0 ? 1 : near != NULL ? (double)near->alike[k] : share;
        }
        g->output[k] = g->state[k] + g->roots[0] * later * alike;
        g->state[k] = g->input[k] = 0;
    }
    for (uint32_t j = 0; j < walk->nodes; j++) {
        back_memory(step, next, j, g);
    }
    for (uint32_t gate = 0; gate < walk->gates; gate++) {
        back_gate(walk, step, gate, hidden * walk->state_weights[gate].square,
                  hidden * walk->input_weights[gate].square, g);
    }
    trim(walk, g);
}

static struct lags *no_gradients(double log)
{
    struct lags *g = calloc(1, sizeof *g);
    if (g != NULL) {
        g->log = log;
        g->count = 1;
    }
    return g;
}

/* Gradients of the input: over the last times one by one, before them as they went on. */
struct back_walk {
    double logs[SOW_TIMES_MAX];
    size_t count;
    double last, growth; /* last: the step at which the gradient comes in */
    double direction, total;
    double log, pair; /* of the mean over all times; pair over the second moment */
    /* sums over time of products k steps apart, and of the roots of both squares; far: of what is farther */
    double alike[SOW_TIME_POINTS], roots[SOW_TIME_POINTS], far;
};

static double back_log(const struct back_walk *walk, double time)
{
    double behind = walk->last - (walk->direction > 0 ? walk->total - 1 - time : time);
    double count = (double)walk->count;
    return behind < 0       ? -INFINITY
           : behind < count ? walk->logs[(size_t)behind]
                            : walk->logs[walk->count - 1] + walk->growth * (behind - count + 1);
}

static void note_alike(const struct lags *g, struct back_walk *made)
{
    double now = made->logs[made->count];
    for (size_t k = 0; k < SOW_TIME_POINTS && k <= made->count && g->input[0] > 0; k++) {
        double later = made->logs[made->count - k];
        made->alike[k] += k < g->count ? g->input[k] : 0;
        made->roots[k] += g->input[0] * sow_exp(0.5 * (later - now));
    }
    for (size_t k = SOW_TIME_POINTS; k < g->count; k++) {
        made->far += g->input[k];
    }
}

static void walk_back(struct sow_predictor *p, const struct sow_node *node,
                      const struct sow_time_walk *walk, struct lags *g, struct back_walk *made)
{
    const struct sow_adjoint *out = &p->adjoints[node->output];
    const struct sow_time_profile *near = sow_gradient_profile(p, node->output);
    double share = near != NULL ? near->far : out->place;
    double pairs = 0, squares = 0, end = sow_gradient_end(p, node->output);
    *made =
        (struct back_walk){.direction = walk->direction, .total = walk->total, .log = -INFINITY};
    made->last = end < 0 ? walk->total - 1 : walk->direction > 0 ? walk->total - 1 - end : end;
    for (; made->count < SOW_TIMES_MAX && (double)made->count <= made->last; made->count++) {
        double step = made->last - (double)made->count, unit = g->log;
        double time = walk->direction > 0 ? walk->total - 1 - step : step;
        double log = out->log + sow_gradient_at(p, node->output, time) - unit;
        const struct sow_time_step *next = made->count > 0 ? step_at(walk, step + 1) : NULL;
        back_step(walk, step_at(walk, step), next, log > -INFINITY ? sow_exp(log) : 0, share, near,
                  g);
        made->logs[made->count] = sow_log_of(g->input[0], unit);
        made->log = sow_log_add(made->log, made->logs[made->count]);
        squares += g->input[0];
        for (size_t k = 1; k < g->count; k++) {
            pairs += 2 * g->input[k];
        }
        note_alike(g, made);
    }
    double rest = made->last + 1 - (double)made->count;
    if (rest > 0 && made->count > 1) {
        double last = made->logs[made->count - 1];
        double change = last - made->logs[made->count - 2];
        made->growth = change - change == 0 ? change : 0;
        made->log =
            sow_log_add(made->log, sow_log_of_series(last + made->growth, made->growth, rest));
    }
    made->log -= sow_log(walk->total);
    made->pair = squares > 0 && walk->total > 1 ? pairs / (squares * (walk->total - 1)) : 0;
}

static double walks_log(const void *of, double time)
{
    const struct back_walk *const *walks = of;
    double log = back_log(walks[0], time);
    return walks[1] != NULL ? sow_log_add(log, back_log(walks[1], time)) : log;
}

struct sow_adjoint sow_back_recurrent(struct sow_predictor *p, const struct sow_node *node)
{
    struct sow_adjoint made = {-INFINITY, 0, 0, 0, 0};
    struct back_walk *back[2] = {NULL, NULL};
    uint32_t directions = node->at.bidirectional ? 2 : 1;
    double total = 1;
    for (uint32_t d = 0; d < directions; d++) {
        struct sow_time_walk walk = {.steps = NULL};
        struct sow_state state;
        struct lags *g = no_gradients(p->adjoints[node->output].log);
        back[d] = malloc(sizeof *back[d]);
        if (back[d] != NULL && g != NULL &&
            sow_time_walk_make(p, node, d, 0, &walk, &state, NULL) == SOW_OK) {
            walk_back(p, node, &walk, g, back[d]);
            double before = made.log;
            made.log = sow_log_add(before, back[d]->log);
            double share = made.log > -INFINITY ? sow_exp(back[d]->log - made.log) : 0;
            made.place += share * (back[d]->pair - made.place);
            total = walk.total;
        } else {
            p->out_of_memory = 1;
        }
        sow_time_walk_free(&walk);
        free(g);
    }
    if (!p->out_of_memory && made.log > -INFINITY) {
        struct sow_alike alike[2];
        for (uint32_t d = 0; d < directions; d++) {
            double far = total - SOW_TIME_POINTS, square = back[d]->roots[0];
            for (int k = 0; k < SOW_TIME_POINTS; k++) {
                double roots = back[d]->roots[k], one = roots > 0 ? back[d]->alike[k] / roots : 0;
                back[d]->alike[k] = (one < 1 ? one : 1) * square;
            }
            alike[d] = (struct sow_alike){back[d]->alike, SOW_TIME_POINTS,
                                          far > 0 ? back[d]->far / far : 0};
        }
        p->locals[node - p->network->nodes].profile_back =
            sow_time_profile_make(&p->arena, total, walks_log, back, alike, directions);
    }
    made.place = made.place > 1 ? 1 : made.place;
    free(back[0]);
    free(back[1]);
    return made;
}

/* ---- What a step does in the long run ------------------------------------------------------------ */

/* All units as their mean: the few that forget least would decide alone in the end, far beyond any sequence. */
static struct sow_time_step mean_step(const struct sow_time_walk *walk)
{
    const struct sow_time_step *step = &walk->steps[walk->count - 1];
    struct sow_time_step mean = {.direct = step->direct};
    for (uint32_t j = 0; j < walk->nodes; j++) {
        double share = walk->node_weights[j];
        mean.keep_square[0] += share * step->keep_square[j];
        mean.keep[0] += share * step->keep[j];
        mean.read[0] += share * step->read[j];
        mean.read_mean[0] += share * step->read_mean[j];
        for (uint32_t gate = 0; gate < walk->gates; gate++) {
            mean.write[gate][0] += share * step->write[gate][j];
            mean.pair[gate] = step->pair[gate];
            mean.lasting[gate][0] += share * step->lasting[gate][j];
        }
    }
    return mean;
}

double sow_time_walk_chi(const struct sow_time_walk *walk)
{
    struct sow_time_walk one = *walk;
    struct sow_time_step step = mean_step(walk);
    struct lags *g = no_gradients(0);
    double before = 0, factor = 0, now = 0;
    one.nodes = 1;
    one.node_weights[0] = 1;
    for (int i = 0; i < 500 && g != NULL; i++) {
        back_step(&one, &step, i > 0 ? &step : NULL, i > 0 ? 0 : 1, 0, NULL, g);
        double size = sow_log_of(g->state[0] + g->memory[0][0], g->log);
        now = size > -INFINITY ? sow_exp(size - before) : 0;
        before = size;
        if (size == -INFINITY || (i > 20 && fabs(now - factor) < 1e-7 * now)) {
            break;
        }
        factor = now;
    }
    free(g);
    return now;
}

double sow_time_walk_distance(const struct sow_time_walk *walk)
{
    double memory[SOW_MEMORY_NODES] = {0}, state = 0, log = 0, total = -INFINITY, last = 0,
           growth = 0, count = 0;
    for (; count < walk->total && count < SOW_TIMES_MAX; count++) {
        const struct sow_time_step *step = step_at(walk, count);
        double one = sow_exp(-log), gates[SOW_GATES_MAX], before = last;
        for (uint32_t k = 0; k < walk->gates; k++) {
            gates[k] = (double)walk->r.inputs * sow_variance_of(&walk->input_weights[k]) * one +
                       (double)walk->r.hidden * sow_variance_of(&walk->state_weights[k]) * state;
        }
        state = walk->r.kind == SOW_RECURRENT_LSTM ? step->direct * gates[SOW_GATE_O] : 0;
        for (uint32_t j = 0; j < walk->nodes; j++) {
            memory[j] *= step->keep_square[j];
            for (uint32_t k = 0; k < walk->gates; k++) {
                memory[j] += step->write[k][j] * gates[k];
            }
            state += walk->node_weights[j] * step->read[j] * memory[j];
        }
        last = sow_log_of(state, log);
        growth = last - before;
        total = sow_log_add(total, last);
        if (state > LARGE) {
            log += sow_log(state);
            for (uint32_t j = 0; j < walk->nodes; j++) {
                memory[j] /= state;
            }
            state = 1;
        }
    }
    growth = growth - growth == 0 ? growth : 0;
    total = sow_log_add(total, sow_log_of_series(last + growth, growth, walk->total - count));
    return total - sow_log(walk->total);
}
