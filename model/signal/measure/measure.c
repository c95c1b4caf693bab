/* SPDX-License-Identifier: MIT */
/* sow_measure: seed after seed through a pass, what its hooks see gathered into means. */
#include "sow/measure.h"

#include <math.h> /* NAN, isfinite, isnan: macros */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/elementary.h"
#include "core/base/error.h"
#include "model/signal/measure/collapse.h"
#include "model/signal/measure/machine.h"
#include "model/signal/measure/round.h"
#include "model/signal/measure/sample.h"
#include "model/signal/measure/source.h"
#include "model/signal/measure/statistics.h"

/* A mean over seeds. */
struct mean {
    double sum, square, count;
};

/* What is gathered of a value. */
struct gathered {
    struct mean mean, std, second_moment, kurtosis, log, correlation, sample_correlation, gradient,
        gradient_log;
    struct mean collapse, dead, dead_expected, saturated, saturated_expected, entropy,
        entropy_expected;
    struct sow_ranks ranks;
    double max_abs;
    uint64_t non_finite, gradient_non_finite;
    struct sow_moments last; /* of this seed */
    double last_correlation; /* of all pairs */
};

struct gathered_weight {
    struct mean second_moment, gradient, ratio;
    int used;
};

struct sow_measurement {
    struct sow_measured_value *values;
    struct sow_measured_weight *weights;
    size_t value_count, weight_count;
    struct sow_measurement_report report;
    /* while it runs */
    struct sow_network *network;
    struct sow_part part; /* of it, or all */
    struct mean first_loss, entropy;
    const struct sow_plan *plan;
    const struct sow_measure_options *options;
    struct sow_round *round;
    struct gathered *gathered; /* by flow */
    struct gathered_weight *parameters;
    char *names;   /* of values and weights */
    uint32_t seed; /* number of it */
    uint64_t operations;
};

static void add(struct mean *mean, double x)
{
    if (isfinite(x)) {
        mean->sum += x;
        mean->square += x * x;
        mean->count += 1;
    }
}

static double mean_of(const struct mean *mean)
{
    return mean->count > 0 ? mean->sum / mean->count : NAN;
}

static double spread_of(const struct mean *mean)
{
    double m = mean_of(mean);
    if (mean->count < 2) {
        return NAN;
    }
    double variance = (mean->square - m * m * mean->count) / (mean->count - 1);
    return sow_sqrt(variance > 0 ? variance : 0);
}

static void watch(const struct sow_measurement *m, enum sow_watched what, const char *name,
                  const float *numbers, uint64_t elements)
{
    if (m->options->watch != NULL) {
        m->options->watch(m->options->watch_user, m->seed, what, name, numbers, elements);
    }
}

/* ---- What the pass tells ------------------------------------------------------------------------ */

static struct sow_view view_of(const struct sow_measurement *m, uint32_t flow, const float *x)
{
    const struct sow_flow *f = &m->network->flows[flow];
    int image = sow_round_channels_first(m->round, flow) && f->rank > 2;
    struct sow_view view = {x, 1, image ? f->shape[1] : sow_step_last(f), 1,
                            f->rank > 1 ? f->shape[0] : 1};
    if (f->elements == 0) {
        return (struct sow_view){x, 0, 0, 1, 0};
    }
    view.outer = image ? f->shape[0] : f->elements / view.features;
    view.inner = f->elements / (view.outer * view.features);
    return view;
}

static void gather_activation(struct sow_measurement *m, const struct sow_step *step,
                              struct gathered *g)
{
    uint32_t in = step->node->inputs[0];
    const struct gathered *before = &m->gathered[in];
    struct sow_view view = view_of(m, in, step->inputs[0]);
    struct sow_slopes slopes = sow_slopes_of(step->team, &view, &step->node->at.function,
                                             &before->last, before->last_correlation);
    add(&g->dead, slopes.dead);
    add(&g->dead_expected, slopes.dead_expected);
    add(&g->saturated, slopes.saturated);
    add(&g->saturated_expected, slopes.saturated_expected);
}

static void gather_attention(const struct sow_step *step, struct gathered *g)
{
    uint64_t queries;
    const double *numbers = sow_attention_numbers(step, &queries);
    double entropy = 0, expected = 0;
    for (uint64_t i = 0; i < queries; i++) {
        entropy += numbers[3 * i];
        expected += numbers[3 * i + 1] - numbers[3 * i + 2] / 2;
    }
    add(&g->entropy, entropy / (double)queries);
    add(&g->entropy_expected, expected / (double)queries);
}

/* The last value of the whole network, where it may be logits. */
static void gather_loss(struct sow_measurement *m, const struct sow_step *step)
{
    const struct sow_network *network = m->network;
    uint64_t classes = sow_step_last(step->out);
    if (step->node->op != SOW_OP_LINEAR || step->out->rank < 2 || classes < 2 ||
        step->node->output != network->outputs[network->output_count - 1]) {
        return;
    }
    struct sow_first first =
        sow_first_of(step->team, step->output, step->out->elements / classes, classes);
    m->report.classes = classes;
    add(&m->first_loss, first.loss);
    add(&m->entropy, first.entropy);
}

static void gather_value(struct sow_measurement *m, const struct sow_step *step)
{
    uint32_t flow = step->node->output;
    struct gathered *g = &m->gathered[flow];
    struct sow_view view = view_of(m, flow, step->output);
    watch(m, SOW_WATCH_VALUE, step->node->name, step->output, step->out->elements);
    if (sow_source_is(step->node->op) && step->node->op != SOW_OP_INPUT) {
        return;
    }
    g->last = sow_moments_of(step->team, step->output, step->out->elements);
    struct sow_similarity alike = sow_similarity_of(step->team, &view);
    g->last_correlation = alike.all;
    add(&g->mean, g->last.mean);
    add(&g->std, g->last.std);
    add(&g->second_moment, g->last.second_moment);
    add(&g->kurtosis, g->last.kurtosis);
    add(&g->log, sow_log(g->last.second_moment));
    add(&g->correlation, isnan(alike.places) ? alike.samples : alike.places);
    add(&g->sample_correlation, alike.samples);
    add(&g->collapse, sow_collapse_of(step->team, &view));
    g->max_abs = g->last.max_abs > g->max_abs ? g->last.max_abs : g->max_abs;
    g->non_finite += g->last.non_finite;
    if (m->seed == 0) {
        g->ranks = sow_ranks_of(step->team, &view);
    }
    if (step->node->op == SOW_OP_ACTIVATION) {
        gather_activation(m, step, g);
    } else if (step->node->op == SOW_OP_ATTENTION) {
        gather_attention(step, g);
    }
    gather_loss(m, step);
}

/* What an interruption left undone is not gathered. */
static void see_value(void *user, const struct sow_step *step)
{
    struct sow_measurement *m = user;
    struct gathered *g = &m->gathered[step->node->output], before = *g;
    struct mean loss = m->first_loss, entropy = m->entropy;
    gather_value(m, step);
    if (sow_team_stopped(step->team)) {
        *g = before;
        m->first_loss = loss;
        m->entropy = entropy;
    }
}

static void see_gradient(void *user, uint32_t flow, const float *gradient)
{
    struct sow_measurement *m = user;
    const struct sow_flow *f = &m->network->flows[flow];
    struct sow_team *team = sow_round_team(m->round);
    double square = sow_second_moment_of(team, gradient, f->elements);
    uint64_t non_finite = 0;
    if (!isfinite(square) && f->elements > 0) {
        struct sow_moments finite = sow_moments_of(team, gradient, f->elements);
        square = finite.second_moment;
        non_finite = finite.non_finite;
    }
    if (sow_team_stopped(team)) {
        return;
    }
    m->gathered[flow].gradient_non_finite += non_finite;
    watch(m, SOW_WATCH_GRADIENT, m->network->nodes[f->node].name, gradient, f->elements);
    add(&m->gathered[flow].gradient, square);
    add(&m->gathered[flow].gradient_log, sow_log(square));
}

static void see_weight(void *user, uint32_t parameter, const float *weight, const float *gradient)
{
    struct sow_measurement *m = user;
    const struct sow_plan_entry *entry = sow_plan_at(m->plan, parameter);
    struct gathered_weight *g = &m->parameters[parameter];
    struct sow_team *team = sow_round_team(m->round);
    double size = weight != NULL ? sow_second_moment_of(team, weight, entry->elements) : NAN;
    double slope = sow_second_moment_of(team, gradient, entry->elements);
    if (sow_team_stopped(team)) {
        return;
    }
    watch(m, SOW_WATCH_WEIGHT_GRADIENT, entry->name, gradient, entry->elements);
    g->used = 1;
    add(&g->second_moment, size);
    add(&g->gradient, slope);
    add(&g->ratio, size > 0 ? sow_sqrt(slope / size) : NAN);
}

static int see_stop(void *user)
{
    struct sow_measurement *m = user;
    const struct sow_measure_options *options = m->options;
    uint32_t seeds = options->seeds > 0 ? options->seeds : 1;
    if (options->progress != NULL) {
        options->progress(options->progress_user, m->operations++,
                          seeds * sow_round_operations(m->round));
    }
    return options->interrupted != NULL && *options->interrupted != 0;
}

/* ---- Results -------------------------------------------------------------------------------------- */

static void fill_value(struct sow_measured_value *to, const struct sow_network *network,
                       const struct sow_node *node, const struct gathered *g)
{
    const struct sow_flow *flow = &network->flows[node->output];
    to->word = sow_op_word(node->op);
    to->layer = node->layer;
    to->rank = flow->rank;
    memcpy(to->shape, flow->shape, sizeof to->shape);
    to->mean = mean_of(&g->mean);
    to->std = mean_of(&g->std);
    to->second_moment = mean_of(&g->second_moment);
    to->max_abs = g->mean.count > 0 ? g->max_abs : NAN;
    to->kurtosis = mean_of(&g->kurtosis);
    to->non_finite = g->non_finite;
    to->gradient_non_finite = g->gradient_non_finite;
    to->typical = g->log.count < g->second_moment.count ? 0 : sow_exp(mean_of(&g->log));
    to->log_spread = spread_of(&g->log);
    to->correlation = mean_of(&g->correlation);
    to->sample_correlation = mean_of(&g->sample_correlation);
    to->gradient_second_moment = mean_of(&g->gradient);
    to->gradient_typical =
        g->gradient_log.count < g->gradient.count ? 0 : sow_exp(mean_of(&g->gradient_log));
    to->gradient_log_spread = spread_of(&g->gradient_log);
    to->dead = mean_of(&g->dead);
    to->dead_expected = mean_of(&g->dead_expected);
    to->saturated = mean_of(&g->saturated);
    to->saturated_expected = mean_of(&g->saturated_expected);
    to->entropy = mean_of(&g->entropy);
    to->entropy_expected = mean_of(&g->entropy_expected);
    to->ranks = g->ranks;
    to->ranks.rank_collapse = mean_of(&g->collapse);
}

/* Names outlive the network and the plan. */
static enum sow_status copy_names(struct sow_measurement *m, struct sow_error *error)
{
    size_t bytes = 0;
    for (size_t i = 0; i < m->network->node_count; i++) {
        bytes += strlen(m->network->nodes[i].name) + 1;
    }
    for (size_t i = 0; i < sow_plan_count(m->plan); i++) {
        bytes += strlen(sow_plan_at(m->plan, i)->name) + 1;
    }
    char *to = m->names = malloc(bytes + 1);
    if (to == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory");
    }
    for (size_t i = 0; i < m->network->node_count; i++) {
        m->values[i].name = to;
        to = (char *)memcpy(to, m->network->nodes[i].name, strlen(m->network->nodes[i].name) + 1) +
             strlen(m->network->nodes[i].name) + 1;
    }
    for (size_t i = 0; i < sow_plan_count(m->plan); i++) {
        const char *name = sow_plan_at(m->plan, i)->name;
        m->weights[i].name = to;
        to = (char *)memcpy(to, name, strlen(name) + 1) + strlen(name) + 1;
    }
    return SOW_OK;
}

static void fill_results(struct sow_measurement *m)
{
    size_t used = 0;
    m->value_count = m->network->node_count;
    for (size_t i = 0; i < m->network->node_count; i++) {
        const struct sow_node *node = &m->network->nodes[i];
        fill_value(&m->values[i], m->network, node, &m->gathered[node->output]);
    }
    for (size_t i = 0; i < sow_plan_count(m->plan); i++) {
        const struct gathered_weight *g = &m->parameters[i];
        if (g->used) {
            m->weights[used++] =
                (struct sow_measured_weight){m->weights[i].name, mean_of(&g->second_moment),
                                             mean_of(&g->gradient), mean_of(&g->ratio)};
        }
    }
    m->weight_count = used;
    m->report.first_loss = mean_of(&m->first_loss);
    m->report.entropy = mean_of(&m->entropy);
}

/* ---- The call --------------------------------------------------------------------------------------- */

static enum sow_status allocate(struct sow_measurement *m, struct sow_error *error)
{
    size_t nodes = m->network->node_count + 1, entries = sow_plan_count(m->plan) + 1;
    m->values = calloc(nodes, sizeof *m->values);
    m->weights = calloc(entries, sizeof *m->weights);
    m->gathered = calloc(m->network->flow_count + 1, sizeof *m->gathered);
    m->parameters = calloc(entries, sizeof *m->parameters);
    if (m->values == NULL || m->weights == NULL || m->gathered == NULL || m->parameters == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory");
    }
    for (size_t i = 0; i < m->network->flow_count; i++) {
        m->gathered[i].ranks = (struct sow_ranks){NAN, NAN, NAN, NAN};
    }
    return copy_names(m, error);
}

static enum sow_status run_seeds(struct sow_measurement *m, struct sow_error *error)
{
    const struct sow_round_hooks hooks = {m, see_value, see_gradient, see_weight, see_stop};
    uint32_t seeds = m->options->seeds > 0 ? m->options->seeds : 1;
    enum sow_status status = SOW_OK;
    for (m->seed = 0; m->seed < seeds && status == SOW_OK; m->seed++) {
        status = sow_round_run(m->round, sow_plan_seed(m->plan) + m->seed, &hooks, error);
        m->report.seeds += status == SOW_OK;
    }
    return status;
}

/* All but the results is let go. */
static void let_go(struct sow_measurement *m)
{
    sow_round_free(m->round);
    sow_network_free(m->network);
    free(m->gathered);
    free(m->parameters);
    m->round = NULL;
    m->network = NULL;
    m->gathered = NULL;
    m->parameters = NULL;
    m->plan = NULL;
    m->options = NULL;
}

/* With little memory where that is enough: weights are drawn twice then, which changes no number. */
static enum sow_status make_round(struct sow_measurement *m, const struct sow_weights *weights,
                                  struct sow_error *error)
{
    uint64_t most = sow_memory_ceiling(m->options->memory_bytes);
    int spares = m->options->memory_bytes == 0 && most > SOW_MEASURE_BYTES;
    enum sow_status status = sow_round_new(&m->part.followed, m->plan, weights, m->options->threads,
                                           spares ? SOW_MEASURE_BYTES : most, &m->round, error);
    if (status == SOW_E_MEMORY && spares) {
        status = sow_round_new(&m->part.followed, m->plan, weights, m->options->threads, most,
                               &m->round, error);
    }
    return status;
}

enum sow_status sow_measure(const struct sow_model *model, const struct sow_plan *plan,
                            const struct sow_signal_options *signal,
                            const struct sow_measure_options *options,
                            struct sow_measurement **measurement, struct sow_error *error)
{
    static const struct sow_measure_options defaults;
    struct sow_measurement *m = calloc(1, sizeof *m);
    struct sow_weights *weights = NULL;
    double begin = sow_clock();
    *measurement = NULL;
    if (m == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory");
    }
    m->plan = plan;
    m->options = options != NULL ? options : &defaults;
    enum sow_status status = sow_network_make(model, plan, signal, &m->network, error);
    status = status == SOW_OK ? allocate(m, error) : status;
    status =
        status == SOW_OK ? sow_weights_open(plan, m->options->weights, &weights, error) : status;
    if (status == SOW_OK) {
        sow_weights_interrupt(weights, m->options->interrupted);
    }
    if (status == SOW_OK) {
        sow_part_make(m->network, m->options->layers, &m->part);
        m->report.layers = m->part.layers;
        m->report.layers_all = m->part.layers_all;
        status = make_round(m, weights, error);
    }
    if (status == SOW_OK) {
        const char *unused;
        m->report.unused = sow_weights_unused(weights, &unused);
        snprintf(m->report.unused_first, sizeof m->report.unused_first, "%s",
                 unused != NULL ? unused : "");
        m->report.batch = m->network->batch;
        m->report.tokens = m->network->tokens;
        m->report.memory_bytes = sow_round_memory(m->round);
        if (m->options->cotangent_std > 0) {
            sow_round_cotangent_std(m->round, m->options->cotangent_std);
        }
        status = run_seeds(m, error);
        if (status == SOW_OK || status == SOW_E_INTERRUPTED) {
            fill_results(m);
            *measurement = m;
        }
        m->report.seconds = sow_clock() - begin;
    }
    let_go(m);
    sow_weights_free(weights);
    if (*measurement == NULL) {
        sow_measurement_free(m);
    }
    return status;
}

void sow_measurement_free(struct sow_measurement *measurement)
{
    if (measurement != NULL) {
        free(measurement->values);
        free(measurement->weights);
        free(measurement->names);
        free(measurement);
    }
}

const struct sow_measured_value *sow_measured_value_at(const struct sow_measurement *measurement,
                                                       size_t index)
{
    return index < measurement->value_count ? &measurement->values[index] : NULL;
}

const struct sow_measured_weight *sow_measured_weight_at(const struct sow_measurement *measurement,
                                                         size_t index)
{
    return index < measurement->weight_count ? &measurement->weights[index] : NULL;
}

const struct sow_measurement_report *
sow_measurement_report(const struct sow_measurement *measurement)
{
    return &measurement->report;
}
