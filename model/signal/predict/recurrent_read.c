/* SPDX-License-Identifier: MIT */
/* What the gates of a recurrent layer take: weights and biases gate by gate, and the nodes over which memories differ. */
#include <math.h>

#include "core/base/elementary.h"
#include "model/signal/predict/recurrent_predict.h"

/* Gauss's rules for a normal and, of std 1, a uniform number. */
static const struct sow_node_rule normal_rule = {
    {-3.750439717725742, -2.366759410734541, -1.154405394739968, 0, 1.154405394739968,
     2.366759410734541, 3.750439717725742},
    {5.48268855972217e-4, 3.07571239675865e-2, 0.240123178605013, 0.457142857142857,
     0.240123178605013, 3.07571239675865e-2, 5.48268855972217e-4}};
static const struct sow_node_rule uniform_rule = {
    {-1.643903128233, -1.284369690018, -0.702944422073, 0, 0.702944422073, 1.284369690018,
     1.643903128233},
    {0.064742483084435, 0.139852695744639, 0.190915025252560, 0.208979591836735, 0.190915025252560,
     0.139852695744639, 0.064742483084435}};

/* ---- What gates take --------------------------------------------------------------------------- */

struct sow_state sow_no_state(const struct sow_state *like)
{
    struct sow_state state = *like;
    state.log = -INFINITY;
    state.mean = state.feature = 0;
    state.place = state.sample = 1;
    return state;
}

/* a + b, independent but for their means. */
static struct sow_state sum_of(const struct sow_state *a, const struct sow_state *b)
{
    double log = a->log > b->log ? a->log : b->log;
    struct sow_state sum = *a;
    if (!(log > -INFINITY)) {
        return sow_no_state(a);
    }
    struct sow_raw x = sow_raw_of(a, log), y = sow_raw_of(b, log);
    double both = 2 * x.mean * y.mean;
    struct sow_raw raw = {x.square + y.square + both, x.mean + y.mean, x.feature + y.feature + both,
                          x.place + y.place + both, x.sample + y.sample + both};
    sow_state_set(&sum, &raw, log);
    return sum;
}

static struct sow_state bias_state(const struct sow_weights *bias, const struct sow_state *like)
{
    struct sow_state state = sow_no_state(like);
    double mean2 = bias->mean * bias->mean;
    struct sow_raw raw = {bias->square, bias->mean, mean2, bias->square, bias->square};
    sow_state_set(&state, &raw, 0);
    return state;
}

/* The block of a bias that belongs to a gate; zeros without. */
static struct sow_weights bias_of(const struct sow_walker *w, uint32_t slot, uint32_t block)
{
    const struct sow_recurrent *r = &w->walk->r;
    struct sow_weights none = {0, 0};
    if (slot == SOW_NO_INDEX) {
        return none;
    }
    const struct sow_plan_entry *entry = sow_plan_at(w->p->plan, w->node->parameters[slot]);
    return sow_weights_along(entry, entry->tensor.rank - 1, block * r->hidden,
                             (block + 1) * r->hidden);
}

static const struct sow_draw *draw_of(const struct sow_walker *w, uint32_t slot, uint32_t block)
{
    const struct sow_plan_entry *entry = sow_plan_at(w->p->plan, w->node->parameters[slot]);
    const struct sow_draw *draw = &entry->draw;
    for (size_t i = 0; i < entry->region_count; i++) {
        if (entry->regions[i].begin <= block * w->walk->r.hidden &&
            entry->regions[i].end > block * w->walk->r.hidden) {
            draw = &entry->regions[i].draw;
        }
    }
    return draw;
}

/* Nodes of ln u, in units of its std; of an lstm whose gate i has -ln u of the same u, chrono, i follows. */
static void take_logarithms(struct sow_walker *w, uint32_t slot, const struct sow_draw *draw)
{
    const struct sow_recurrent *r = &w->walk->r;
    double mean, std;
    sow_draw_moments(draw, &mean, &std);
    w->own_rule = uniform_rule;
    for (uint32_t j = 0; j < SOW_MEMORY_NODES; j++) {
        double share = 0.5 + 0.5 * uniform_rule.at[j] / sow_sqrt(3);
        double u = draw->low + (draw->high - draw->low) * share;
        w->own_rule.at[j] = (sow_log(u) - mean) / std;
    }
    w->rule = &w->own_rule;
    if (r->kind == SOW_RECURRENT_LSTM) {
        const struct sow_draw *in = draw_of(w, slot, r->blocks[SOW_GATE_I]);
        w->in_follows = in->distribution == SOW_MINUS_LN_UNIFORM && in->low == draw->low &&
                        in->high == draw->high && in->shift != 0;
        w->in_variance = std * std;
    }
}

/* A bias that decides alone how long units remember does so in its own law. */
static void choose_rule(struct sow_walker *w, uint32_t gate, uint32_t block,
                        const struct sow_weights *a, const struct sow_weights *b)
{
    const struct sow_recurrent_slots *slots = &w->walk->r.slots[w->walk->direction];
    double one = sow_variance_of(a), other = sow_variance_of(b);
    double rest = sow_exp(w->taken[gate].log < 50 ? w->taken[gate].log : 50);
    uint32_t slot = one > other ? slots->input_bias : slots->state_bias;
    int decides = fabs(one - other) > (one < other ? one : other) + rest;
    if (slot == SOW_NO_INDEX || !decides) {
        return;
    }
    const struct sow_draw *draw = draw_of(w, slot, block);
    if (draw->distribution == SOW_UNIFORM) {
        w->rule = &uniform_rule;
    } else if (draw->distribution == SOW_LN_UNIFORM) {
        take_logarithms(w, slot, draw);
    }
}

static void read_gate(struct sow_walker *w, uint32_t gate, uint32_t block, int of_input,
                      int of_state)
{
    struct sow_time_walk *walk = w->walk;
    const struct sow_recurrent_slots *slots = &walk->r.slots[walk->direction];
    uint64_t n = walk->r.hidden, begin = block * n, end = begin + n;
    const struct sow_weights none = {0, 0};
    struct sow_weights input = none, state = none, a = none, b = none;
    if (of_input) {
        input =
            sow_weights_of(sow_plan_at(w->p->plan, w->node->parameters[slots->input]), begin, end);
        a = bias_of(w, slots->input_bias, block);
    }
    if (of_state) {
        state =
            sow_weights_of(sow_plan_at(w->p->plan, w->node->parameters[slots->state]), begin, end);
        b = bias_of(w, slots->state_bias, block);
    }
    walk->input_weights[gate] = input;
    walk->state_weights[gate] = state;
    sow_linear_rule(&w->input, (double)walk->r.inputs, 1, 1, &input, &none, &w->taken[gate], NULL);
    struct sow_state x = bias_state(&a, &w->input), y = bias_state(&b, &w->input);
    w->bias[gate] = sum_of(&x, &y);
    int of_memory = (walk->r.kind == SOW_RECURRENT_LSTM && gate == SOW_GATE_F) ||
                    (walk->r.kind == SOW_RECURRENT_GRU && gate == SOW_GATE_Z);
    if (of_memory) {
        choose_rule(w, gate, block, &a, &b);
    }
}

void sow_walker_read(struct sow_walker *w)
{
    const struct sow_recurrent *r = &w->walk->r;
    uint32_t count = r->kind == SOW_RECURRENT_GRU ? 4 : r->gates;
    w->walk->gates = count;
    w->rule = &normal_rule;
    for (uint32_t gate = 0; gate < count; gate++) {
        int is_new = r->kind == SOW_RECURRENT_GRU && gate >= SOW_GATE_N;
        uint32_t block = r->blocks[gate < r->gates ? gate : SOW_GATE_N];
        read_gate(w, gate, block, !is_new || gate == SOW_GATE_N, !is_new || gate > SOW_GATE_N);
    }
}

struct sow_state sow_walker_take(const struct sow_walker *w, uint32_t gate, double lift)
{
    const struct sow_weights none = {0, 0};
    struct sow_state taken = w->taken[gate], state;
    taken.log += lift;
    sow_linear_rule(&w->state, (double)w->walk->r.hidden, 1, 1, &w->walk->state_weights[gate],
                    &none, &state, NULL);
    taken = sum_of(&taken, &w->bias[gate]);
    return sum_of(&taken, &state);
}
