/* SPDX-License-Identifier: MIT */
/* A forward pass for each cosine and each scale, over the same draws: what enters the network is changed as it is made,
 * every value compared sample by sample, and the pass stopped where it would turn back. */
#include "sow/curves.h"

#include <math.h> /* NAN, isfinite: macros; sqrt is IEEE's own operation */
#include <stdlib.h>
#include <string.h>

#include "core/base/elementary.h"
#include "core/base/error.h"
#include "model/signal/measure/machine.h"
#include "model/signal/measure/round.h"
#include "model/signal/measure/sample.h"
#include "model/signal/measure/statistics.h"

#define CONDITIONS (SOW_CURVE_PAIRS + SOW_CURVE_SCALES)

static const double cosines[SOW_CURVE_PAIRS] = {0, 0.5, 0.9, 0.99, 0.999};
static const double scales[SOW_CURVE_SCALES] = {0.5, 1, 2};

double sow_curve_cosine(size_t pair)
{
    return pair < SOW_CURVE_PAIRS ? cosines[pair] : NAN;
}

double sow_curve_scale(size_t scale)
{
    return scale < SOW_CURVE_SCALES ? scales[scale] : NAN;
}

/* Sums over pairs and seeds. */
struct sums {
    double distance[SOW_CURVE_PAIRS], centred[SOW_CURVE_PAIRS], square[SOW_CURVE_SCALES];
    double count[SOW_CURVE_PAIRS], centred_count[SOW_CURVE_PAIRS], square_count[SOW_CURVE_SCALES];
};

struct found {
    struct sow_curves curves; /* first: what the caller holds */
    struct sow_curve_value *values;
    char *names;
};

struct run {
    const struct sow_network *network; /* the part of it that is followed */
    struct sow_part part;
    const struct sow_plan *plan;
    const struct sow_measure_options *options;
    struct sow_round *round;
    struct sums *sums; /* by node */
    size_t condition;  /* a pair, or after them a scale */
    uint64_t asked;    /* how often the pass asked whether to stop */
    uint64_t done, total;
};

/* ---- What enters ----------------------------------------------------------------------------------- */

/* Of two samples the second becomes mean + c (first - mean) + sqrt(1 - c^2) d: d is what its own draw has at right angles
 * to the first, of the first's length. */
static void set_pair(float *a, float *b, uint64_t count, double mean, double c)
{
    double aa = 0, ab = 0, dd = 0, rest = sqrt(1 - c * c);
    for (uint64_t i = 0; i < count; i++) {
        double x = (double)a[i] - mean, y = (double)b[i] - mean;
        aa += x * x;
        ab += x * y;
    }
    double along = aa > 0 ? ab / aa : 0;
    for (uint64_t i = 0; i < count; i++) {
        double d = (double)b[i] - mean - along * ((double)a[i] - mean);
        dd += d * d;
    }
    double factor = dd > 0 ? rest * sqrt(aa / dd) : 0;
    for (uint64_t i = 0; i < count; i++) {
        double x = (double)a[i] - mean, d = (double)b[i] - mean - along * x;
        b[i] = (float)(mean + c * x + factor * d);
    }
}

static void set_input(const struct run *run, const struct sow_step *step)
{
    uint64_t batch = run->network->batch, sample = step->out->elements / batch;
    if (run->condition < SOW_CURVE_PAIRS) {
        for (uint64_t i = 0; i + 1 < batch; i += 2) {
            set_pair(step->output + i * sample, step->output + (i + 1) * sample, sample,
                     step->node->at.mean, cosines[run->condition]);
        }
        return;
    }
    for (uint64_t i = 0; i < step->out->elements; i++) {
        step->output[i] *= (float)scales[run->condition - SOW_CURVE_PAIRS];
    }
}

/* ---- What is seen ------------------------------------------------------------------------------------ */

struct pair_job {
    const float *x;
    uint64_t sample;
    double *distances, *centred; /* by pair */
};

/* Half the square of the distance of the two unit vectors is 1 - cosine, to all digits. */
static void compare_pair(void *user, uint64_t pair, float *scratch)
{
    const struct pair_job *job = user;
    const float *a = job->x + 2 * pair * job->sample, *b = a + job->sample;
    double sums[5] = {0}, n = (double)job->sample, apart = 0;
    (void)scratch;
    for (uint64_t i = 0; i < job->sample; i++) {
        double x = (double)a[i], y = (double)b[i];
        sums[0] += x;
        sums[1] += y;
        sums[2] += x * x;
        sums[3] += y * y;
        sums[4] += x * y;
    }
    double a_inverse = 1 / sqrt(sums[2]), b_inverse = 1 / sqrt(sums[3]);
    for (uint64_t i = 0; i < job->sample; i++) {
        double d = (double)a[i] * a_inverse - (double)b[i] * b_inverse;
        apart += d * d;
    }
    double va = sums[2] - sums[0] * sums[0] / n, vb = sums[3] - sums[1] * sums[1] / n;
    job->distances[pair] = apart / 2;
    job->centred[pair] = (sums[4] - sums[0] * sums[1] / n) / sqrt(va * vb);
}

static void add(double *sum, double *count, double x)
{
    if (isfinite(x)) {
        *sum += x;
        *count += 1;
    }
}

static void see_pairs(struct run *run, const struct sow_step *step, struct sums *sums)
{
    uint64_t pairs = run->network->batch / 2;
    struct pair_job job = {step->output, step->out->elements / run->network->batch,
                           malloc(2 * pairs * sizeof(double)), NULL};
    if (job.distances == NULL) {
        return;
    }
    job.centred = job.distances + pairs;
    sow_team_run(step->team, pairs, compare_pair, &job);
    for (uint64_t i = 0; i < pairs && !sow_team_stopped(step->team); i++) {
        add(&sums->distance[run->condition], &sums->count[run->condition], job.distances[i]);
        add(&sums->centred[run->condition], &sums->centred_count[run->condition], job.centred[i]);
    }
    free(job.distances);
}

static void see_value(void *user, const struct sow_step *step)
{
    struct run *run = user;
    const struct sow_flow *out = step->out;
    struct sums *sums = &run->sums[out->node];
    enum sow_op op = step->node->op;
    if (op == SOW_OP_INPUT) {
        set_input(run, step);
    }
    if (op == SOW_OP_TOKENS || op == SOW_OP_POSITIONS || op == SOW_OP_SEGMENTS || out->rank == 0 ||
        out->shape[0] != run->network->batch || out->elements == 0) {
        return;
    }
    if (run->condition < SOW_CURVE_PAIRS) {
        see_pairs(run, step, sums);
    } else {
        size_t scale = run->condition - SOW_CURVE_PAIRS;
        double square = sow_second_moment_of(step->team, step->output, out->elements);
        if (!sow_team_stopped(step->team)) {
            add(&sums->square[scale], &sums->square_count[scale], square);
        }
    }
}

/* Asked before every operation, and a last time before the way back. */
static int see_stop(void *user)
{
    struct run *run = user;
    const struct sow_measure_options *options = run->options;
    if (options->progress != NULL) {
        options->progress(options->progress_user, run->done, run->total);
    }
    run->done++;
    return run->asked++ >= run->network->node_count ||
           (options->interrupted != NULL && *options->interrupted != 0);
}

static enum sow_status run_passes(struct run *run, uint32_t seeds, struct sow_error *error)
{
    const struct sow_round_hooks hooks = {.user = run, .value = see_value, .stop = see_stop};
    run->total = (uint64_t)seeds * CONDITIONS * (run->network->node_count + 1);
    for (uint32_t i = 0; i < seeds; i++) {
        for (run->condition = 0; run->condition < CONDITIONS; run->condition++) {
            run->asked = 0;
            enum sow_status status =
                sow_round_run(run->round, sow_plan_seed(run->plan) + i, &hooks, error);
            if (run->asked <= run->network->node_count) {
                return status;
            }
        }
    }
    return SOW_OK;
}

/* ---- Predictions ----------------------------------------------------------------------------------------- */

/* Statistics of all inputs; 0 where they are not one. */
static int input_of(const struct sow_network *network, struct sow_signal_input *input)
{
    int found = 0;
    for (size_t n = 0; n < network->node_count; n++) {
        const struct sow_op_attributes *at = &network->nodes[n].at;
        if (network->nodes[n].op == SOW_OP_INPUT) {
            if (found++ && (at->mean != input->mean || at->std != input->std ||
                            at->correlation != input->place_correlation)) {
                return 0;
            }
            *input = (struct sow_signal_input){at->mean, at->std, at->correlation, 0};
        }
    }
    return found > 0;
}

static enum sow_status predict(struct found *found, const struct run *run,
                               const struct sow_model *model,
                               const struct sow_signal_options *signal, struct sow_error *error)
{
    struct sow_signal_options with = signal != NULL ? *signal : (struct sow_signal_options){0};
    struct sow_signal_input plain, input;
    enum sow_status status = SOW_OK;
    int known = input_of(run->network, &plain);
    with.batch = run->network->batch;
    with.input = &input;
    for (size_t k = 0; k < CONDITIONS && known && status == SOW_OK; k++) {
        struct sow_probe *probe = NULL;
        input = plain;
        if (k < SOW_CURVE_PAIRS) {
            input.sample_correlation = cosines[k];
        } else {
            input.mean *= scales[k - SOW_CURVE_PAIRS];
            input.std *= scales[k - SOW_CURVE_PAIRS];
        }
        status = sow_probe_predict(model, run->plan, &with, &probe, error);
        for (size_t i = 0; i < found->curves.count && status == SOW_OK; i++) {
            const struct sow_probe_value *value = sow_probe_at(probe, i);
            if (value->is_signal && k < SOW_CURVE_PAIRS) {
                found->values[i].pairs[k].predicted = value->sample_correlation;
            } else if (value->is_signal) {
                found->values[i].scales[k - SOW_CURVE_PAIRS].predicted = value->second_moment;
            }
        }
        sow_probe_free(probe);
    }
    return status;
}

/* ---- Results ------------------------------------------------------------------------------------------------ */

static double mean_of(double sum, double count)
{
    return count > 0 ? sum / count : NAN;
}

static void set_value(struct sow_curve_value *value, const struct sums *sums)
{
    for (size_t k = 0; k < SOW_CURVE_PAIRS; k++) {
        struct sow_curve_pair *pair = &value->pairs[k];
        pair->distance = mean_of(sums->distance[k], sums->count[k]);
        pair->cosine = 1 - pair->distance;
        pair->centred = mean_of(sums->centred[k], sums->centred_count[k]);
    }
    for (size_t k = 0; k < SOW_CURVE_SCALES; k++) {
        value->scales[k].second_moment = mean_of(sums->square[k], sums->square_count[k]);
    }
}

/* Between half and twice as large the inputs' second moment has a factor of 16. */
static double response_of(double small, double large)
{
    return small > 0 && large > 0 && isfinite(small) && isfinite(large)
               ? (sow_log(large) - sow_log(small)) / sow_log(16)
               : NAN;
}

static void summarise(struct found *found, const struct run *run)
{
    struct sow_curves *curves = &found->curves;
    const struct sow_network *network = run->network;
    uint32_t last = network->flows[network->outputs[network->output_count - 1]].node;
    const struct sow_curve_value *end = &found->values[last];
    curves->farthest = curves->farthest_from = NAN;
    for (size_t i = 0; i < curves->count; i++) {
        set_value(&found->values[i], &run->sums[i]);
        for (size_t k = 0; k < SOW_CURVE_PAIRS; k++) {
            const struct sow_curve_pair *pair = &found->values[i].pairs[k];
            double off = pair->cosine - pair->predicted;
            off = off < 0 ? -off : off;
            if (isfinite(off) && !(off <= curves->farthest)) {
                curves->farthest = off;
                curves->farthest_from = cosines[k];
                curves->farthest_value = found->values[i].name;
            }
        }
    }
    curves->response =
        response_of(end->scales[0].second_moment, end->scales[SOW_CURVE_SCALES - 1].second_moment);
    curves->response_predicted =
        response_of(end->scales[0].predicted, end->scales[SOW_CURVE_SCALES - 1].predicted);
}

static enum sow_status open_values(struct found *found, const struct sow_network *network,
                                   struct sow_error *error)
{
    size_t bytes = 1;
    for (size_t i = 0; i < network->node_count; i++) {
        bytes += strlen(network->nodes[i].name) + 1;
    }
    found->values = calloc(network->node_count + 1, sizeof *found->values);
    found->names = malloc(bytes);
    if (found->values == NULL || found->names == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory");
    }
    char *to = found->names;
    for (size_t i = 0; i < network->node_count; i++) {
        size_t length = strlen(network->nodes[i].name) + 1;
        found->values[i].name = memcpy(to, network->nodes[i].name, length);
        to += length;
        for (size_t k = 0; k < SOW_CURVE_PAIRS; k++) {
            found->values[i].pairs[k].predicted = NAN;
        }
        for (size_t k = 0; k < SOW_CURVE_SCALES; k++) {
            found->values[i].scales[k].predicted = NAN;
        }
    }
    found->curves.values = found->values;
    found->curves.count = network->node_count;
    return SOW_OK;
}

/* ---- The call -------------------------------------------------------------------------------------------------- */

/* An even number of samples, and something to enter by. */
static enum sow_status make_network(struct run *run, const struct sow_model *model,
                                    const struct sow_signal_options *signal,
                                    struct sow_network **network, struct sow_error *error)
{
    struct sow_signal_options with = signal != NULL ? *signal : (struct sow_signal_options){0};
    with.batch += with.batch % 2;
    enum sow_status status = sow_network_make(model, run->plan, &with, network, error);
    for (size_t n = 0; n < (status == SOW_OK ? (*network)->node_count : 0); n++) {
        if ((*network)->nodes[n].op == SOW_OP_INPUT) {
            sow_part_make(*network, run->options->layers, &run->part);
            run->network = &run->part.followed;
        }
    }
    if (status == SOW_OK && run->network == NULL) {
        status = sow_fail(error, SOW_E_UNSUPPORTED,
                          "the network reads tokens; pairs of inputs at known angles need an input "
                          "of numbers");
    }
    return status;
}

enum sow_status sow_curves_measure(const struct sow_model *model, const struct sow_plan *plan,
                                   const struct sow_signal_options *signal,
                                   const struct sow_measure_options *options,
                                   struct sow_curves **curves, struct sow_error *error)
{
    static const struct sow_measure_options defaults;
    struct run run = {.plan = plan, .options = options != NULL ? options : &defaults};
    struct found *found = calloc(1, sizeof *found);
    struct sow_network *network = NULL;
    struct sow_weights *weights = NULL;
    uint32_t seeds = run.options->seeds > 0 ? run.options->seeds : 1;
    double begin = sow_clock();
    *curves = NULL;
    if (found == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory");
    }
    enum sow_status status = make_network(&run, model, signal, &network, error);
    status = status == SOW_OK ? open_values(found, run.network, error) : status;
    status = status == SOW_OK ? predict(found, &run, model, signal, error) : status;
    status =
        status == SOW_OK ? sow_weights_open(plan, run.options->weights, &weights, error) : status;
    if (status == SOW_OK) {
        sow_weights_interrupt(weights, run.options->interrupted);
    }
    if (status == SOW_OK) {
        status = sow_round_new(run.network, plan, weights, run.options->threads,
                               sow_memory_ceiling(run.options->memory_bytes), &run.round, error);
    }
    run.sums = status == SOW_OK ? calloc(run.network->node_count + 1, sizeof *run.sums) : NULL;
    if (status == SOW_OK) {
        status = run.sums != NULL ? run_passes(&run, seeds, error)
                                  : sow_fail(error, SOW_E_MEMORY, "out of memory");
    }
    if (status == SOW_OK) {
        found->curves.seeds = seeds;
        found->curves.pairs = network->batch / 2;
        found->curves.layers = run.part.layers;
        found->curves.layers_all = run.part.layers_all;
        summarise(found, &run);
        *curves = &found->curves;
    }
    found->curves.seconds = sow_clock() - begin;
    sow_round_free(run.round);
    sow_weights_free(weights);
    sow_network_free(network);
    free(run.sums);
    if (status != SOW_OK) {
        sow_curves_free(&found->curves);
    }
    return status;
}

void sow_curves_free(struct sow_curves *curves)
{
    struct found *found = (struct found *)(void *)curves; /* its first member */
    if (found != NULL) {
        free(found->values);
        free(found->names);
        free(found);
    }
}
