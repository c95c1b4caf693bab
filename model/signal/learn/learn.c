/* SPDX-License-Identifier: MIT */
/* sow_learn: seed after seed, step after step through a pass. The weights are held here and change as soon as the pass is
 * through with each of them, so that one gradient of a weight is in memory at a time. */
#include "sow/learn.h"

#include <math.h> /* isfinite, NAN: macros */
#include <stdlib.h>
#include <string.h>

#include "core/base/elementary.h"
#include "core/base/error.h"
#include "model/signal/learn/learn.h"
#include "model/signal/measure/machine.h"
#include "model/signal/measure/source.h"

#define STEPS_DEFAULT 3
#define STEPS_MAX     100000

struct run {
    const struct sow_learn_options *options;
    const struct sow_plan *plan;
    struct sow_network *network;
    struct sow_weights *weights;
    struct sow_round *round;
    struct sow_learning *result;
    struct sow_loss loss;
    float **held, **first, **second; /* by entry: weights, and the moments of Adam */
    float **start;                   /* by node: x_0 */
    double *rates, *squares;         /* by entry: learning rates, second moments at step 0 */
    struct sow_distance *pass;       /* by node, of this step */
    uint32_t steps, seeds, seed, step;
    double loss_now;
    int saw_output;
    uint64_t operations;
};

static void watch(const struct run *run, enum sow_watched what, const char *name,
                  const float *numbers, uint64_t elements)
{
    if (run->options->watch != NULL) {
        run->options->watch(run->options->watch_user, run->seed, run->step, what, name, numbers,
                            elements);
    }
}

static uint64_t seed_of(const struct run *run)
{
    return sow_plan_seed(run->plan) + run->seed;
}

/* ---- What the pass tells ------------------------------------------------------------------------- */

static void see_value(void *user, const struct sow_step *step)
{
    struct run *run = user;
    size_t i = (size_t)(step->node - run->network->nodes);
    uint64_t elements = step->out->elements;
    uint32_t last = run->network->outputs[run->network->output_count - 1];
    watch(run, SOW_WATCH_VALUE, step->node->name, step->output, elements);
    if (run->start[i] != NULL) {
        int begins = run->step == 0;
        if (begins) {
            memcpy(run->start[i], step->output, elements * sizeof(float));
        }
        run->pass[i] =
            sow_distance_of(step->team, step->output, begins ? NULL : run->start[i], elements);
    }
    if (step->node->output == last) {
        run->loss_now = sow_loss_of(&run->loss, step->team, step->output);
        watch(run, SOW_WATCH_LABEL, step->node->name, run->loss.labels,
              sow_loss_labels(&run->loss));
    }
}

/* The way forward is done: its numbers count. */
static void count_pass(struct run *run)
{
    struct sow_learning *l = run->result;
    size_t times = (size_t)run->steps + 1;
    l->losses[run->step] += run->loss_now;
    l->reached[run->step]++;
    for (size_t p = 0; p < sow_plan_count(run->plan) && run->step == 0; p++) {
        l->weights[p].rms += run->squares[p];
    }
    for (size_t i = 0; i < run->network->node_count; i++) {
        double size = run->start[i] != NULL ? run->pass[i].mean_abs : NAN;
        double square = run->start[i] != NULL ? run->pass[i].second_moment : NAN;
        int begins = run->step == 0;
        double *to[] = {begins ? &l->sizes[2 * i] : &l->changes[i * times + run->step],
                        begins ? &l->sizes[2 * i + 1] : &l->squares[i * times + run->step]};
        *to[0] += size;
        *to[1] += square;
    }
}

static int fill_cotangent(void *user, uint32_t flow, float *gradient)
{
    struct run *run = user;
    (void)flow;
    run->saw_output = 1;
    count_pass(run);
    if (run->step == run->steps || !isfinite(run->loss_now)) {
        return 0;
    }
    memcpy(gradient, run->loss.gradient, run->loss.elements * sizeof *gradient);
    return 1;
}

static void see_gradient(void *user, uint32_t flow, const float *gradient)
{
    (void)user;
    (void)flow;
    (void)gradient;
}

static void see_weight(void *user, uint32_t parameter, const float *weight, const float *gradient)
{
    struct run *run = user;
    const struct sow_plan_entry *entry = sow_plan_at(run->plan, parameter);
    struct sow_learned_weight *told = &run->result->weights[parameter];
    size_t at = parameter * ((size_t)run->steps + 1) + run->step;
    (void)weight;
    if (entry->elements == 0) {
        return;
    }
    watch(run, SOW_WATCH_WEIGHT_GRADIENT, entry->name, gradient, entry->elements);
    struct sow_update update = {run->options->optimizer,
                                run->rates[parameter],
                                run->step,
                                entry->elements,
                                run->held[parameter],
                                run->first[parameter],
                                run->second[parameter],
                                gradient};
    struct sow_updated updated = sow_update_run(&update, sow_round_team(run->round));
    if (sow_team_stopped(sow_round_team(run->round))) {
        return;
    }
    if (updated.weight > 0) {
        run->result->ratios[at] += sow_sqrt(updated.change / updated.weight);
        run->result->used[at]++;
    }
    int32_t step = (int32_t)run->step;
    told->moves = updated.moves && (told->moves < 0 || step < told->moves) ? step : told->moves;
}

static int see_stop(void *user)
{
    struct run *run = user;
    const struct sow_learn_options *options = run->options;
    if (options->progress != NULL) {
        uint64_t all = run->seeds * ((uint64_t)run->steps + 1) * sow_round_operations(run->round);
        options->progress(options->progress_user, run->operations++, all);
    }
    return options->interrupted != NULL && *options->interrupted != 0;
}

/* ---- Steps ---------------------------------------------------------------------------------------- */

static enum sow_status begin_seed(struct run *run, struct sow_error *error)
{
    struct sow_team *team = sow_round_team(run->round);
    uint32_t last = run->network->outputs[run->network->output_count - 1];
    enum sow_status status = SOW_OK;
    for (size_t p = 0; p < sow_plan_count(run->plan) && status == SOW_OK; p++) {
        uint64_t elements = sow_plan_at(run->plan, p)->elements;
        if (run->held[p] == NULL) {
            continue;
        }
        status = sow_weights_load(run->weights, team, p, seed_of(run), run->held[p], error);
        if (status == SOW_OK && elements > 0) {
            run->squares[p] = sow_distance_of(team, run->held[p], NULL, elements).second_moment;
        }
        if (run->first[p] != NULL) {
            memset(run->first[p], 0, elements * sizeof(float));
            memset(run->second[p], 0, elements * sizeof(float));
        }
    }
    sow_source_labels(team, last, seed_of(run), run->loss.classes, sow_loss_labels(&run->loss),
                      run->loss.labels);
    return status;
}

static enum sow_status run_seed(struct run *run, struct sow_error *error)
{
    const struct sow_round_hooks hooks = {run, see_value, see_gradient, see_weight, see_stop};
    enum sow_status status = begin_seed(run, error);
    run->loss_now = 0;
    for (run->step = 0; run->step <= run->steps && status == SOW_OK && isfinite(run->loss_now);
         run->step++) {
        run->saw_output = 0;
        status = sow_round_run(run->round, seed_of(run), &hooks, error);
        if (status == SOW_OK && !run->saw_output) {
            status = sow_fail(error, SOW_E_UNSUPPORTED,
                              "nothing can be learned: no weight leads to the last value");
        }
    }
    return status;
}

static enum sow_status run_seeds(struct run *run, struct sow_error *error)
{
    enum sow_status status = SOW_OK;
    for (run->seed = 0; run->seed < run->seeds && status == SOW_OK; run->seed++) {
        status = run_seed(run, error);
        run->result->report.seeds += status == SOW_OK || run->result->reached[0] > run->seed;
    }
    return status;
}

/* ---- Room ----------------------------------------------------------------------------------------- */

/* Bytes that are held beside the pass: weights, moments, first values, the loss. */
static uint64_t bytes_beside(const struct run *run)
{
    uint64_t floats = 0, each = run->options->optimizer == SOW_ADAM ? 3 : 1;
    for (size_t p = 0; p < sow_plan_count(run->plan); p++) {
        floats += run->result->weights[p].rms == 0 ? each * sow_plan_at(run->plan, p)->elements : 0;
    }
    for (size_t n = 0; n < run->network->node_count; n++) {
        const struct sow_node *node = &run->network->nodes[n];
        floats += sow_source_is(node->op) ? 0 : run->network->flows[node->output].elements;
    }
    return floats * sizeof(float) + sow_loss_bytes(run->network);
}

/* Weights that the network uses and that learn: rms 0, NAN of the others. */
static void mark_used(struct run *run)
{
    for (size_t p = 0; p < sow_plan_count(run->plan); p++) {
        run->result->weights[p].rms = NAN;
        run->result->weights[p].rate = run->rates[p];
    }
    for (size_t n = 0; n < run->network->node_count; n++) {
        const struct sow_node *node = &run->network->nodes[n];
        for (uint32_t i = 0; i < node->parameter_count; i++) {
            uint32_t p = node->parameters[i];
            if (sow_plan_at(run->plan, p)->tensor.kind != SOW_KIND_BUFFER) {
                run->result->weights[p].rms = 0;
            }
        }
    }
}

static float *room(uint64_t elements, int *failed)
{
    float *at = malloc((elements + 1) * sizeof *at);
    *failed |= at == NULL;
    return at;
}

static enum sow_status make_room(struct run *run, struct sow_error *error)
{
    int failed = 0;
    for (size_t p = 0; p < sow_plan_count(run->plan); p++) {
        uint64_t elements = sow_plan_at(run->plan, p)->elements;
        if (run->result->weights[p].rms == 0) {
            run->held[p] = room(elements, &failed);
            if (run->options->optimizer == SOW_ADAM) {
                run->first[p] = room(elements, &failed);
                run->second[p] = room(elements, &failed);
            }
        }
    }
    for (size_t n = 0; n < run->network->node_count; n++) {
        const struct sow_node *node = &run->network->nodes[n];
        uint64_t elements = run->network->flows[node->output].elements;
        if (!sow_source_is(node->op) && elements > 0) {
            run->start[n] = room(elements, &failed);
        }
    }
    enum sow_status status = sow_loss_make(run->network, &run->loss, error);
    return failed ? sow_fail(error, SOW_E_MEMORY, "out of memory for weights and first values")
                  : status;
}

static enum sow_status make_tables(struct run *run, struct sow_error *error)
{
    size_t entries = sow_plan_count(run->plan) + 1, nodes = run->network->node_count + 1;
    run->held = calloc(entries, sizeof *run->held);
    run->first = calloc(entries, sizeof *run->first);
    run->second = calloc(entries, sizeof *run->second);
    run->rates = calloc(entries, sizeof *run->rates);
    run->squares = calloc(entries, sizeof *run->squares);
    run->start = calloc(nodes, sizeof *run->start);
    run->pass = calloc(nodes, sizeof *run->pass);
    return run->held != NULL && run->first != NULL && run->second != NULL && run->rates != NULL &&
                   run->squares != NULL && run->start != NULL && run->pass != NULL
               ? SOW_OK
               : sow_fail(error, SOW_E_MEMORY, "out of memory");
}

static void free_list(float **list, size_t count)
{
    for (size_t i = 0; list != NULL && i < count; i++) {
        free(list[i]);
    }
    free(list);
}

static void let_go(struct run *run)
{
    size_t entries = sow_plan_count(run->plan);
    sow_round_free(run->round);
    sow_weights_free(run->weights);
    free_list(run->held, entries);
    free_list(run->first, entries);
    free_list(run->second, entries);
    free_list(run->start, run->network != NULL ? run->network->node_count : 0);
    sow_loss_free(&run->loss);
    sow_network_free(run->network);
    free(run->rates);
    free(run->squares);
    free(run->pass);
}

/* ---- The call --------------------------------------------------------------------------------------- */

static enum sow_status check_memory(const struct run *run, uint64_t ceiling,
                                    struct sow_error *error)
{
    uint64_t beside = bytes_beside(run);
    return beside < ceiling
               ? SOW_OK
               : sow_fail(
                     error, SOW_E_MEMORY,
                     "steps hold %.1f GB of weights and first values, and %.1f GB are allowed: "
                     "send fewer samples or tokens (--batch, --tokens) or allow more "
                     "(--memory)",
                     (double)beside / 1e9, (double)ceiling / 1e9);
}

static enum sow_status prepare(struct run *run, struct sow_model *model,
                               const struct sow_signal_options *signal, struct sow_error *error)
{
    const struct sow_learn_options *options = run->options;
    uint64_t ceiling = sow_memory_ceiling(options->memory_bytes);
    enum sow_status status = sow_network_make(model, run->plan, signal, &run->network, error);
    status = status == SOW_OK && run->network->output_count == 0
                 ? sow_fail(error, SOW_E_UNSUPPORTED, "nothing can be learned: there is no output")
                 : status;
    status = status == SOW_OK ? make_tables(run, error) : status;
    status =
        status == SOW_OK ? sow_rates_fill(model, run->plan, options, run->rates, error) : status;
    status = status == SOW_OK
                 ? sow_learning_new(run->network, run->plan, run->steps, &run->result, error)
                 : status;
    if (status != SOW_OK) {
        return status;
    }
    mark_used(run);
    status = check_memory(run, ceiling, error);
    status = status == SOW_OK ? make_room(run, error) : status;
    status = status == SOW_OK ? sow_weights_open(run->plan, options->weights, &run->weights, error)
                              : status;
    if (status == SOW_OK) {
        sow_weights_interrupt(run->weights, options->interrupted);
    }
    if (status == SOW_OK) {
        sow_weights_hold(run->weights, run->held);
        status = sow_round_new(run->network, run->plan, run->weights, options->threads,
                               ceiling - bytes_beside(run), &run->round, error);
    }
    if (status == SOW_OK) {
        sow_round_cotangent(run->round, fill_cotangent);
        run->result->report.memory_bytes = sow_round_memory(run->round) + bytes_beside(run);
    }
    return status;
}

enum sow_status sow_learn(struct sow_model *model, const struct sow_plan *plan,
                          const struct sow_signal_options *signal,
                          const struct sow_learn_options *options, struct sow_learning **learning,
                          struct sow_error *error)
{
    static const struct sow_learn_options defaults;
    double begin = sow_clock();
    struct run run = {.options = options != NULL ? options : &defaults, .plan = plan};
    run.steps = run.options->steps > 0 ? run.options->steps : STEPS_DEFAULT;
    run.seeds = run.options->seeds > 0 ? run.options->seeds : 1;
    *learning = NULL;
    if (run.steps > STEPS_MAX) {
        return sow_fail(error, SOW_E_ARGUMENT, "at most %d steps are taken", STEPS_MAX);
    }
    enum sow_status status = prepare(&run, model, signal, error);
    if (status == SOW_OK) {
        status = run_seeds(&run, error);
        if (status == SOW_OK || (status == SOW_E_INTERRUPTED && run.result->reached[0] > 0)) {
            sow_learning_finish(run.result);
            *learning = run.result;
        }
        run.result->report.seconds = sow_clock() - begin;
    }
    let_go(&run);
    if (*learning == NULL) {
        sow_learning_free(run.result);
    }
    return status;
}
