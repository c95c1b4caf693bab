/* SPDX-License-Identifier: MIT */
/* Rows of a Jacobian: the network is cut off behind its `to`, every sample of the batch is a copy of the first, and each
 * copy gets a cotangent of its own, so that one backward pass makes as many rows as there are copies. Where samples are
 * tied together (batch norm) the batch stays as it is, and a pass makes one row. */
#include "model/signal/measure/jacobian.h"

#include <math.h> /* NAN, isfinite: macros */
#include <stdlib.h>
#include <string.h>

#include "core/base/elementary.h"
#include "core/base/error.h"
#include "model/signal/measure/machine.h"
#include "model/signal/measure/round.h"
#include "model/signal/measure/sample.h"
#include "model/signal/measure/source.h"

#define COPIES_MAX  64u
#define COPIES_ROOM (1u << 28) /* elements of all values of all copies */

struct found {
    struct sow_jacobian jacobian; /* first: what the caller holds */
    double *values;
    char *names;
};

struct run {
    struct sow_network *whole; /* as it is, of the copies */
    struct sow_network cut;    /* a view of it that ends at `to` */
    const struct sow_plan *plan;
    const struct sow_measure_options *options;
    const struct sow_weights *weights;
    struct sow_round *round;
    struct sow_jacobian_ends ends;
    uint32_t layers, layers_all;
    uint64_t rows, random,
        copies;           /* random: at most, where J is not whole; copies 0: samples are tied */
    float *j;             /* rows x ends.from.count */
    uint64_t seed, first; /* row of this pass */
    uint32_t seeds;
    int arrived;
    uint64_t done, total; /* operations */
};

/* ---- A pass ----------------------------------------------------------------------------------------- */

/* What enters the network is the same for all copies. `output` of a step is the pass's own array. */
static void see_value(void *user, const struct sow_step *step)
{
    const struct run *run = user;
    uint64_t sample = step->out->elements / (run->copies > 0 ? run->copies : 1);
    if (run->copies == 0 || !sow_source_is(step->node->op) || step->out->rank < 2 ||
        step->out->shape[0] != run->copies) {
        return;
    }
    for (uint64_t copy = 1; copy < run->copies; copy++) {
        memcpy(step->output + copy * sample, step->output, sample * sizeof(float));
    }
}

/* Row by row: ones of the identity matrix, or normal numbers. */
static int set_cotangents(void *user, uint32_t flow, float *to)
{
    const struct run *run = user;
    const struct sow_jacobian_end *end = &run->ends.to;
    uint64_t made = run->copies > 0 ? run->copies : 1;
    struct sow_draw draw;
    sow_draw_normal(0, 1, &draw, NULL);
    memset(to, 0, run->cut.flows[flow].elements * sizeof *to);
    for (uint64_t i = 0; i < made && run->first + i < run->rows; i++) {
        float *at = to + i * end->sample + end->begin;
        if (run->rows == end->count) {
            at[run->first + i] = 1;
        } else {
            sow_fill(at, SOW_F32, (run->first + i) * end->count, end->count, &draw,
                     sow_key("probe jacobian", run->seed));
        }
    }
    return 1;
}

static void see_gradient(void *user, uint32_t flow, const float *gradient)
{
    struct run *run = user;
    const struct sow_jacobian_end *end = &run->ends.from;
    uint64_t made = run->copies > 0 ? run->copies : 1;
    if (flow != end->flow) {
        return;
    }
    for (uint64_t i = 0; i < made && run->first + i < run->rows; i++) {
        memcpy(run->j + (run->first + i) * end->count, gradient + i * end->sample + end->begin,
               end->count * sizeof *run->j);
    }
    run->arrived = 1;
}

/* Nobody asks for what lies before `from`. */
static int see_stop(void *user)
{
    struct run *run = user;
    const struct sow_measure_options *options = run->options;
    if (options->progress != NULL) {
        uint64_t done = run->done < run->total ? run->done : run->total;
        options->progress(options->progress_user, done, run->total);
    }
    run->done++;
    return run->arrived || (options->interrupted != NULL && *options->interrupted != 0);
}

static enum sow_status fill_rows(struct run *run, struct sow_error *error)
{
    const struct sow_round_hooks hooks = {run, see_value, see_gradient, NULL, see_stop};
    uint64_t step = run->copies > 0 ? run->copies : 1, begin = run->done;
    uint64_t passes = (run->rows + step - 1) / step, each = sow_round_operations(run->round);
    for (run->first = 0; run->first < run->rows; run->first += step) {
        run->arrived = 0;
        run->done = begin + run->first / step * each;
        run->total = passes * each * run->seeds;
        enum sow_status status = sow_round_run(run->round, run->seed, &hooks, error);
        if (!run->arrived) {
            return status == SOW_OK ? sow_fail(error, SOW_E_ARGUMENT,
                                               "no gradient comes back to the value that the "
                                               "Jacobian is taken from")
                                    : status;
        }
    }
    run->done = begin + passes * each;
    return SOW_OK;
}

/* ---- Making the network --------------------------------------------------------------------------------- */

static uint64_t ceiling_of(const struct run *run)
{
    return sow_memory_ceiling(run->options->memory_bytes);
}

static void choose_rows(struct run *run)
{
    uint64_t outputs = run->ends.to.count, inputs = run->ends.from.count;
    double batch = run->ends.is_tied ? (double)run->whole->batch : 1;
    int is_small = outputs <= SOW_JACOBIAN_WHOLE &&
                   2 * run->ends.work * batch * (double)outputs <= SOW_JACOBIAN_WORK &&
                   outputs * inputs <= ceiling_of(run) / 2 / sizeof(float);
    run->rows = is_small || outputs <= run->random ? outputs : run->random;
}

/* Of the part that is followed. */
static enum sow_status find_ends(struct run *run, const struct sow_jacobian_options *wanted,
                                 struct sow_error *error)
{
    struct sow_part part;
    sow_part_make(run->whole, wanted->to == NULL ? run->options->layers : 0, &part);
    run->layers = part.layers;
    run->layers_all = part.layers_all;
    return sow_jacobian_find(&part.followed, part.layers < part.layers_all, wanted, &run->ends,
                             error);
}

static void cut_off(struct run *run)
{
    run->cut = *run->whole;
    run->cut.node_count = run->whole->flows[run->ends.to.flow].node + 1;
    run->cut.outputs = &run->ends.to.flow;
    run->cut.output_count = 1;
}

uint64_t sow_jacobian_copies(const struct sow_network *network, uint64_t rows)
{
    uint64_t elements = 1;
    for (size_t f = 0; f < network->flow_count; f++) {
        elements += network->flows[f].elements / network->batch;
    }
    uint64_t copies = COPIES_ROOM / elements < COPIES_MAX ? COPIES_ROOM / elements : COPIES_MAX;
    copies = copies < rows ? copies : rows;
    return copies > 0 ? copies : 1;
}

/* The network again, of as many copies as there is room for. */
static enum sow_status make_copies(struct run *run, const struct sow_model *model,
                                   const struct sow_signal_options *signal,
                                   const struct sow_jacobian_options *wanted,
                                   struct sow_error *error)
{
    struct sow_signal_options with = signal != NULL ? *signal : (struct sow_signal_options){0};
    for (run->copies = sow_jacobian_copies(run->whole, run->rows);; run->copies /= 2) {
        with.batch = run->copies;
        sow_network_free(run->whole);
        run->whole = NULL;
        enum sow_status status = sow_network_make(model, run->plan, &with, &run->whole, error);
        status = status == SOW_OK ? find_ends(run, wanted, error) : status;
        if (status == SOW_OK) {
            cut_off(run);
            status = sow_round_new(&run->cut, run->plan, run->weights, run->options->threads,
                                   ceiling_of(run), &run->round, error);
        }
        if (status != SOW_E_MEMORY || run->copies == 1) {
            return status;
        }
    }
}

static enum sow_status prepare(struct run *run, const struct sow_model *model,
                               const struct sow_signal_options *signal,
                               const struct sow_jacobian_options *wanted, struct sow_error *error)
{
    choose_rows(run);
    enum sow_status status = SOW_OK;
    if (run->ends.is_tied) {
        cut_off(run);
        status = sow_round_new(&run->cut, run->plan, run->weights, run->options->threads,
                               ceiling_of(run), &run->round, error);
    } else {
        status = make_copies(run, model, signal, wanted, error);
    }
    if (status == SOW_OK) {
        sow_round_skip_weight_gradients(run->round);
        sow_round_cotangent(run->round, set_cotangents);
        run->j = calloc(run->rows * run->ends.from.count + 1, sizeof *run->j);
        status = run->j != NULL ? SOW_OK : sow_fail(error, SOW_E_MEMORY, "out of memory");
    }
    return status;
}

/* ---- Results ------------------------------------------------------------------------------------------------ */

#define NUMBERS (sizeof(struct sow_jacobian_numbers) / sizeof(double))

static struct sow_jacobian_numbers unknown(void)
{
    return (struct sow_jacobian_numbers){NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
}

/* Adds one seed's numbers to the sums; a condition by its logarithm. */
static void add_seed(struct sow_jacobian_numbers *sums, const struct sow_jacobian_numbers *seed)
{
    double from[NUMBERS], to[NUMBERS];
    memcpy(from, seed, sizeof from);
    memcpy(to, sums, sizeof to);
    for (size_t i = 0; i < NUMBERS; i++) {
        to[i] += from[i];
    }
    memcpy(sums, to, sizeof to);
    sums->condition += sow_log(seed->condition) - seed->condition;
    sums->condition = isfinite(seed->condition) ? sums->condition : seed->condition;
}

static void set_means(struct found *found, const struct sow_jacobian_numbers *sums)
{
    double numbers[NUMBERS], seeds = (double)found->jacobian.seeds;
    memcpy(numbers, sums, sizeof numbers);
    for (size_t i = 0; i < NUMBERS; i++) {
        numbers[i] /= seeds;
    }
    memcpy(&found->jacobian.measured, numbers, sizeof numbers);
    found->jacobian.measured.condition = sow_exp(found->jacobian.measured.condition);
}

static enum sow_status copy_names(struct found *found, const struct run *run,
                                  struct sow_error *error)
{
    const struct sow_network *network = run->whole;
    const char *from = network->nodes[network->flows[run->ends.from.flow].node].name;
    const char *to = network->nodes[network->flows[run->ends.to.flow].node].name;
    size_t length = strlen(from) + 1;
    found->names = malloc(length + strlen(to) + 1);
    if (found->names == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory");
    }
    found->jacobian.from = memcpy(found->names, from, length);
    found->jacobian.to = memcpy(found->names + length, to, strlen(to) + 1);
    return SOW_OK;
}

static enum sow_status run_seeds(struct run *run, struct found *found, struct sow_error *error)
{
    struct sow_jacobian *jacobian = &found->jacobian;
    struct sow_jacobian_numbers sums = {0}, seed;
    uint64_t inputs = run->ends.from.count, outputs = run->ends.to.count;
    uint64_t least = inputs < outputs ? inputs : outputs;
    double *values = calloc(2 * least + 1, sizeof *values);
    enum sow_status status = SOW_OK;
    found->values = values;
    if (values == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory");
    }
    jacobian->is_whole = run->rows == outputs;
    jacobian->cotangents = run->rows;
    jacobian->inputs = inputs;
    jacobian->outputs = outputs;
    jacobian->token = run->ends.token;
    jacobian->layers = run->layers;
    jacobian->layers_all = run->layers_all;
    for (uint32_t i = 0; i < run->seeds && status == SOW_OK; i++) {
        run->seed = sow_plan_seed(run->plan) + i;
        status = fill_rows(run, error);
        if (status == SOW_OK) { /* the first seed's stay, the others' are not kept */
            double *to = jacobian->is_whole ? values + (i > 0 ? least : 0) : NULL;
            status = sow_jacobian_spectrum(sow_round_team(run->round), run->j, run->rows, inputs,
                                           least, to, &seed, error);
        }
        if (status == SOW_OK) {
            add_seed(&sums, &seed);
            jacobian->seeds++;
        }
    }
    jacobian->values = values;
    jacobian->count = jacobian->is_whole ? least : 0;
    set_means(found, &sums);
    return status;
}

enum sow_status sow_jacobian_measure(const struct sow_model *model, const struct sow_plan *plan,
                                     const struct sow_signal_options *signal,
                                     const struct sow_jacobian_options *options,
                                     struct sow_jacobian **jacobian, struct sow_error *error)
{
    static const struct sow_jacobian_options defaults;
    static const struct sow_measure_options plain;
    const struct sow_jacobian_options *wanted = options != NULL ? options : &defaults;
    struct run run = {.plan = plan, .options = wanted->measure != NULL ? wanted->measure : &plain};
    struct found *found = calloc(1, sizeof *found);
    struct sow_weights *weights = NULL;
    double begin = sow_clock();
    *jacobian = NULL;
    if (found == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory");
    }
    found->jacobian.expected = unknown();
    run.seeds = run.options->seeds > 0 ? run.options->seeds : 1;
    run.random = wanted->cotangents > 0 ? wanted->cotangents : SOW_JACOBIAN_RANDOM;
    enum sow_status status = sow_network_make(model, plan, signal, &run.whole, error);
    status = status == SOW_OK ? find_ends(&run, wanted, error) : status;
    status = status == SOW_OK ? sow_jacobian_expect(model, plan, signal, run.whole, &run.ends,
                                                    &found->jacobian.expected, error)
                              : status;
    status = status == SOW_OK ? copy_names(found, &run, error) : status;
    status =
        status == SOW_OK ? sow_weights_open(plan, run.options->weights, &weights, error) : status;
    if (status == SOW_OK) {
        sow_weights_interrupt(weights, run.options->interrupted);
    }
    run.weights = weights;
    status = status == SOW_OK ? prepare(&run, model, signal, wanted, error) : status;
    status = status == SOW_OK ? run_seeds(&run, found, error) : status;
    found->jacobian.seconds = sow_clock() - begin;
    sow_round_free(run.round);
    sow_network_free(run.whole);
    sow_weights_free(weights);
    free(run.j);
    if (status == SOW_OK || (status == SOW_E_INTERRUPTED && found->jacobian.seeds > 0)) {
        *jacobian = &found->jacobian;
    } else {
        sow_jacobian_free(&found->jacobian);
    }
    return status;
}

void sow_jacobian_free(struct sow_jacobian *jacobian)
{
    struct found *found = (struct found *)(void *)jacobian; /* its first member */
    if (found != NULL) {
        free(found->values);
        free(found->names);
        free(found);
    }
}
