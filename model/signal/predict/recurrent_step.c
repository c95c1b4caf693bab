/* SPDX-License-Identifier: MIT */
/* One step of a recurrent layer, in moments. In wide layers what a gate takes is normal, independent of other gates and of
 * the unit's own past but for what all times have in common; so it is taken here, and the moments of a step follow from
 * those of the step before. Different times are alike to one degree, as everywhere in predict. */
#include <math.h>
#include <string.h>

#include "core/base/elementary.h"
#include "model/signal/predict/recurrent_predict.h"

#define FAR 1e-6 /* of a second moment */

/* ---- Steps ------------------------------------------------------------------------------------- */

static enum sow_status step_rnn(struct sow_walker *w, double lift, struct sow_time_step *step,
                                struct sow_error *error)
{
    struct sow_local local;
    struct sow_state taken = sow_walker_take(w, 0, lift);
    enum sow_status status =
        sow_forward_function(w->p, w->node, &w->function, 0, &taken, &w->state, &local, error);
    if (status == SOW_OK) {
        step->read[0] = step->read_mean[0] = 1;
        step->write[0][0] = local.slope_square;
        step->lasting[0][0] = 1;
        step->pair[0] = local.slope_square > 0 ? local.slope_place / local.slope_square : 0;
        w->state.features = (double)w->walk->r.hidden;
    }
    return status;
}

static void set_bell(struct sow_walker *w, uint32_t gate, enum sow_squash f)
{
    const struct sow_raw *a = &w->gates[gate];
    sow_bell_set(&w->bells[gate], f, a->mean, a->square - a->mean * a->mean);
}

/* Nodes of the memory's gate; E[y y'] of two samples beyond what a node has for good. */
static double set_nodes(struct sow_walker *w, uint32_t gate)
{
    const struct sow_raw *a = &w->gates[gate];
    double lasting = a->place - a->mean * a->mean, own = a->square - a->place, square = 0;
    double std = lasting > 0 ? sow_sqrt(lasting) : 0;
    own = own > 0 ? own : 0;
    for (uint32_t j = 0; j < w->walk->nodes; j++) {
        struct sow_bell *bell = &w->memories[j].gate;
        sow_bell_set(bell, SOW_SQUASH_SIGMOID, a->mean + std * w->rule->at[j], own);
        square += w->walk->node_weights[j] * bell->y * bell->y;
    }
    set_bell(w, gate, SOW_SQUASH_SIGMOID);
    return sow_bell_product(&w->bells[gate], a->sample) - square;
}

/* ---- Memories ---------------------------------------------------------------------------------- */

/* Gate i of a unit at a node, where it follows the gate of its memory. */
static void set_follower(struct sow_walker *w, uint32_t j)
{
    const struct sow_raw *a = &w->gates[SOW_GATE_I];
    double own = a->square - a->mean * a->mean - w->in_variance;
    sow_bell_set(&w->memories[j].in, SOW_SQUASH_SIGMOID,
                 a->mean - sow_sqrt(w->in_variance) * w->rule->at[j], own > 0 ? own : 0);
}

/* What is written into memories, p: its mean, second moment and products over far times and samples. */
struct written {
    double mean, square, far, sample;
};

/* Of a gate's value as if it were written alone. */
static struct written written_of(const struct sow_walker *w, uint32_t gate)
{
    const struct sow_bell *bell = &w->bells[gate];
    return (struct written){bell->y, bell->square, sow_bell_product(bell, w->gates[gate].place),
                            sow_bell_product(bell, w->gates[gate].sample)};
}

/* E[y y'] of a gate now and `lag` steps earlier: near states and inputs are more alike than far ones; `share` of what the
 * state has more comes in. */
static double gate_pair(const struct sow_walker *w, uint32_t gate, size_t lag, double share)
{
    double far = w->state.place * (w->state.log > -INFINITY ? sow_exp(w->state.log) : 0), more = 0;
    const struct sow_recurrent *r = &w->walk->r;
    if (lag < w->lags) {
        uint32_t by = r->kind == SOW_RECURRENT_GRU && gate == SOW_GATE_N ? gate + 1 : gate;
        double variance = sow_variance_of(&w->walk->state_weights[by]);
        more = share * (double)r->hidden * variance * (w->pair[lag] - far);
    }
    if (w->near != NULL && lag < SOW_TIME_POINTS) {
        double variance = sow_variance_of(&w->walk->input_weights[gate]);
        more += (double)r->inputs * variance * w->input_square *
                ((double)w->near->alike[lag] - w->near->far);
    }
    return sow_bell_product(&w->bells[gate], w->gates[gate].place + more);
}

/* A step: m' = f m + a p; a is 1 for an lstm, 1 - f for a gru. Returns E[p m]. */
static double remember(const struct sow_walker *w, struct sow_memory *m, const struct written *p,
                       int is_gru, double sample_more, double pairs)
{
    double f = m->gate.y, f2 = m->gate.square, fs = f * f + sample_more;
    double both = p->far < p->sample ? p->far : p->sample, old = m->pair[0];
    double a = is_gru ? 1 - f : 1, a2 = is_gru ? 1 - 2 * f + f2 : 1, fa = is_gru ? f - f2 : f;
    double as = is_gru ? 1 - 2 * f + fs : 1, fas = is_gru ? f - fs : f;
    double coming = w->has_tail ? m->coming_far : 0; /* of p now and m that long ago */
    for (size_t k = w->lags; k-- > 1;) {
        coming = a * pairs * w->written[k] + f * coming;
        m->pair[k] = f * m->pair[k - 1] + a * coming;
    }
    m->pair[0] = f2 * old + a2 * p->square + 2 * fa * coming;
    m->lasting = f * f * m->lasting + a * a * p->far + 2 * f * a * m->coming_far;
    m->sample = fs * m->sample + as * p->sample + 2 * fas * m->coming_sample;
    m->mean = f * m->mean + a * p->mean;
    m->coming_far = f * m->coming_far + a * p->far;
    m->coming_sample = f * m->coming_sample + a * both;
    return coming;
}

static int is_far(const struct sow_walker *w, size_t lag)
{
    int far = 1;
    for (uint32_t j = 0; j < w->walk->nodes; j++) {
        const struct sow_memory *m = &w->memories[j];
        far = far && fabs(m->pair[lag] - m->lasting) <= FAR * m->pair[0];
    }
    return far;
}

/* One more time is there; those that are as good as far ones are dropped. */
static void count_lags(struct sow_walker *w)
{
    size_t before = w->lags;
    double square = w->state.log > -INFINITY ? sow_exp(w->state.log) : 0;
    while (w->lags > 2 && is_far(w, w->lags - 1)) {
        w->lags--;
        w->has_tail = 1;
    }
    if (w->lags == SOW_LAGS) {
        w->lags--;
        w->has_tail = 1;
    }
    w->lags++;
    if (w->lags > before) { /* it began with zeros */
        w->pair[w->lags - 1] = w->has_tail ? w->state.place * square : 0;
    }
}

static void set_state(struct sow_walker *w, const struct sow_raw *h, double fourth)
{
    struct sow_raw raw = *h;
    double mean2 = raw.mean * raw.mean;
    raw.feature = mean2 + w->alike * (raw.square - mean2);
    sow_state_set(&w->state, &raw, 0);
    w->state.kurtosis = raw.square > 0 ? fourth / (raw.square * raw.square) : 3;
}

static double share_of(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

/* E[f' f'] over times, of E[f'^2]: as if they had nothing in common. */
static double slope_pair(const struct sow_bell *bell)
{
    return share_of(bell->slope * bell->slope, bell->slope_square);
}

/* Of one memory, before it takes the step: how its gate's changes write into it. */
static void note_kept(const struct sow_memory *m, uint32_t gate, double square, uint32_t j,
                      struct sow_time_step *step)
{
    step->keep[j] = m->gate.y;
    step->keep_square[j] = m->gate.square;
    step->write[gate][j] = square * m->gate.slope_square;
    step->lasting[gate][j] = share_of(m->lasting, m->pair[0]);
}

static void read_cell(struct sow_walker *w, uint32_t j, const struct written *o,
                      struct sow_time_step *step, struct sow_raw *h)
{
    struct sow_memory *m = &w->memories[j];
    const struct sow_bell *out = &w->bells[SOW_GATE_O];
    double share = w->walk->node_weights[j], square = m->pair[0];
    sow_bell_set(&m->read, SOW_SQUASH_TANH, m->mean, square - m->mean * m->mean);
    double far = sow_bell_product(&m->read, m->lasting);
    double slope = square > m->lasting ? (m->read.square - far) / (square - m->lasting) : 0;
    h->square += share * o->square * m->read.square;
    h->mean += share * o->mean * m->read.y;
    h->place += share * o->far * far;
    h->sample += share * o->sample * sow_bell_product(&m->read, m->sample);
    memmove(m->squares + 1, m->squares, (SOW_LAGS - 1) * sizeof m->squares[0]);
    memmove(m->reads + 1, m->reads, (SOW_LAGS - 1) * sizeof m->reads[0]);
    m->squares[0] = square;
    m->reads[0] = m->read.square;
    for (size_t k = 1; k < w->lags;
         k++) { /* tanh's products are all but lines; smaller memories in this one's units */
        double unit = m->squares[k] > 0 ? sow_sqrt(square / m->squares[k]) : 0;
        double read = m->read.square > 0 ? sow_sqrt(m->reads[k] / m->read.square) : 0;
        w->pair[k] += share * read * (far + slope * (m->pair[k] * unit - m->lasting));
    }
    step->lasting[SOW_GATE_O][j] = share_of(m->lasting, square);
    step->direct += share * m->read.square * out->slope_square;
    step->read[j] = out->square * m->read.slope_square;
    step->read_mean[j] = out->y * m->read.slope;
}

/* The mean over earlier times of a gate's E[y y'], each as much as a memory still has of it; over E[y^2]. */
static double near_pair(const double *pairs, size_t count, double keep, double far, double square)
{
    double sum = 0, weight = 1, total = 0;
    for (size_t k = 1; k < count; k++) {
        weight *= keep;
        sum += weight * pairs[k];
        total += weight;
    }
    return share_of(total > 0 ? sum / total : far, square);
}

static void step_lstm(struct sow_walker *w, struct sow_time_step *step)
{
    const struct sow_bell *in = &w->bells[SOW_GATE_I], *new = &w->bells[SOW_GATE_G],
                          *out = &w->bells[SOW_GATE_O];
    double outs[SOW_LAGS], ins[SOW_LAGS], news[SOW_LAGS], fourth = 0;
    set_bell(w, SOW_GATE_I, SOW_SQUASH_SIGMOID);
    set_bell(w, SOW_GATE_G, SOW_SQUASH_TANH);
    set_bell(w, SOW_GATE_O, SOW_SQUASH_SIGMOID);
    double more = set_nodes(w, SOW_GATE_F);
    struct written i = written_of(w, SOW_GATE_I), g = written_of(w, SOW_GATE_G),
                   o = written_of(w, SOW_GATE_O);
    struct written p = {i.mean * g.mean, i.square * g.square, i.far * g.far, i.sample * g.sample};
    struct sow_raw h = {0, 0, 0, 0, 0};
    for (size_t k = 1; k < w->lags; k++) { /* the state's pairs are those of the step before */
        ins[k] = gate_pair(w, SOW_GATE_I, k, 1);
        news[k] = gate_pair(w, SOW_GATE_G, k, 1);
        outs[k] = gate_pair(w, SOW_GATE_O, k, 1);
        w->written[k] = w->in_follows ? news[k] : ins[k] * news[k];
    }
    memset(w->pair, 0, w->lags * sizeof w->pair[0]);
    for (uint32_t j = 0; j < w->walk->nodes; j++) {
        struct sow_memory *m = &w->memories[j];
        note_kept(m, SOW_GATE_F, m->pair[0], j, step);
        const struct sow_bell *by = w->in_follows ? &m->in : in;
        struct written own = p;
        double pairs = 1;
        if (w->in_follows) {
            set_follower(w, j);
            pairs = by->y * by->y;
            own = (struct written){by->y * g.mean, by->square * g.square, pairs * g.far,
                                   pairs * g.sample};
        }
        (void)remember(w, m, &own, 0, more, pairs);
        read_cell(w, j, &o, step, &h);
        fourth += w->walk->node_weights[j] * out->fourth * m->read.fourth;
        step->write[SOW_GATE_I][j] = new->square * by->slope_square;
        step->write[SOW_GATE_G][j] = by->square * new->slope_square;
        step->lasting[SOW_GATE_I][j] = step->lasting[SOW_GATE_G][j] = 1;
    }
    double keep = w->bells[SOW_GATE_F].y;
    step->pair[SOW_GATE_I] = near_pair(news, w->lags, keep, g.far, g.square);
    step->pair[SOW_GATE_G] = slope_pair(new);
    if (!w->in_follows) {
        step->pair[SOW_GATE_I] *= slope_pair(in);
        step->pair[SOW_GATE_G] *= near_pair(ins, w->lags, keep, i.far, i.square);
    }
    step->pair[SOW_GATE_F] = slope_pair(&w->bells[SOW_GATE_F]);
    step->pair[SOW_GATE_O] = slope_pair(out);
    for (size_t k = 1; k < w->lags; k++) {
        w->pair[k] *= outs[k];
    }
    w->pair[0] = h.square;
    set_state(w, &h, fourth);
}

/* n takes x + r y, y of the state; its moments from those of x and y, r independent of both. */
static void mix_new(struct sow_walker *w)
{
    const struct sow_bell *r = &w->bells[SOW_GATE_R];
    const struct sow_raw *y = &w->gates[SOW_GATE_N + 1];
    struct written by = written_of(w, SOW_GATE_R);
    struct sow_raw *x = &w->gates[SOW_GATE_N];
    double both = 2 * r->y * x->mean * y->mean;
    x->square += by.square * y->square + both;
    x->place += by.far * y->place + both;
    x->sample += by.sample * y->sample + both;
    x->mean += r->y * y->mean;
}

/* What two times of a gru have in common of what its gates' changes write. */
static void note_pairs(const struct sow_walker *w, struct sow_time_step *step)
{
    const struct sow_bell *r = &w->bells[SOW_GATE_R], *z = &w->bells[SOW_GATE_Z];
    const struct sow_raw *inner = &w->gates[SOW_GATE_N + 1];
    double own = share_of((1 - z->y) * (1 - z->y), 1 - 2 * z->y + z->square) *
                 slope_pair(&w->bells[SOW_GATE_N]);
    step->pair[SOW_GATE_N] = own;
    step->pair[SOW_GATE_N + 1] = own * share_of(written_of(w, SOW_GATE_R).far, r->square);
    step->pair[SOW_GATE_R] = own * slope_pair(r) * share_of(inner->place, inner->square);
    step->pair[SOW_GATE_Z] = slope_pair(z);
}

static void step_gru(struct sow_walker *w, struct sow_time_step *step)
{
    const struct sow_bell *r = &w->bells[SOW_GATE_R], *new = &w->bells[SOW_GATE_N];
    set_bell(w, SOW_GATE_R, SOW_SQUASH_SIGMOID);
    mix_new(w);
    set_bell(w, SOW_GATE_N, SOW_SQUASH_TANH);
    double more = set_nodes(w, SOW_GATE_Z), inner = w->gates[SOW_GATE_N + 1].square, fourth = 0;
    struct written p = written_of(w, SOW_GATE_N), by = written_of(w, SOW_GATE_R);
    struct sow_raw h = {0, 0, 0, 0, 0};
    for (size_t k = 1; k < w->lags; k++) {
        w->written[k] = gate_pair(w, SOW_GATE_N, k, by.far);
    }
    memset(w->pair, 0, w->lags * sizeof w->pair[0]);
    for (uint32_t j = 0; j < w->walk->nodes; j++) {
        struct sow_memory *m = &w->memories[j];
        double share = w->walk->node_weights[j];
        double own = (1 - 2 * m->gate.y + m->gate.square) * new->slope_square;
        note_kept(m, SOW_GATE_Z, m->pair[0] + p.square, j, step);
        double coming = remember(w, m, &p, 1, more, 1); /* z weighs m against p */
        step->write[SOW_GATE_Z][j] -= 2 * coming * m->gate.slope_square;
        h.square += share * m->pair[0];
        h.mean += share * m->mean;
        h.place += share * m->lasting;
        h.sample += share * m->sample;
        fourth += share * 3 * m->pair[0] * m->pair[0];
        for (size_t k = 0; k < w->lags; k++) {
            w->pair[k] += share * m->pair[k];
        }
        step->read[j] = step->read_mean[j] = 1;
        step->write[SOW_GATE_R][j] = own * inner * r->slope_square;
        step->write[SOW_GATE_N][j] = own;
        step->write[SOW_GATE_N + 1][j] = own * r->square;
        step->lasting[SOW_GATE_R][j] = step->lasting[SOW_GATE_N][j] = 1;
        step->lasting[SOW_GATE_N + 1][j] = 1;
    }
    note_pairs(w, step);
    set_state(w, &h, fourth);
}

enum sow_status sow_walker_step(struct sow_walker *w, double lift, struct sow_time_step *step,
                                struct sow_error *error)
{
    memset(step, 0, sizeof *step);
    w->input_square = w->input.log > -INFINITY ? sow_exp(w->input.log + lift) : 0;
    if (w->walk->r.kind == SOW_RECURRENT_RNN) {
        return step_rnn(w, lift, step, error);
    }
    for (uint32_t gate = 0; gate < w->walk->gates; gate++) {
        struct sow_state taken = sow_walker_take(w, gate, lift);
        w->gates[gate] = sow_raw_of(&taken, 0);
        if (gate == SOW_GATE_G) { /* also a gru's n */
            double alike = sow_centred(&taken, taken.feature);
            w->alike = taken.log > -INFINITY && alike > 0 ? alike : 0;
        }
    }
    count_lags(w);
    if (w->walk->r.kind == SOW_RECURRENT_LSTM) {
        step_lstm(w, step);
    } else {
        step_gru(w, step);
    }
    return SOW_OK;
}
