/* SPDX-License-Identifier: MIT */
/* What is wrong at one operation: layers of weights that are far too large (EXPLODE), activations on their flat parts
 * (SATURATED), units that nothing switches on (DEAD). From predicted moments; where there is a measurement, from it. */
#include <math.h>
#include <stdio.h>

#include "core/activation/expression.h"
#include "core/base/elementary.h"
#include "model/signal/judge/judge.h"
#include "model/signal/network/recurrent.h"

#define FLAT   0.05 /* of the steepest slope */
#define MORE   0.4 /* of the threshold `dead`: from there on a mean that is to blame gets a warning */
#define REACH  8.0  /* standard deviations that count */
#define INPUTS 1000 /* that a unit is dead for */

#define FEW        100 /* inputs */
#define ALMOST_ALL 0.95

#define FAR       1e4 /* functions are looked at so far from 0 */
#define TURNS_MAX 16

static const struct sow_probe_value *input_of(const struct sow_judgement *j,
                                              const struct sow_node *node, uint32_t slot)
{
    return sow_probe_at(j->probe, j->network->flows[node->inputs[slot]].node);
}

static double normal_below(double x)
{
    return 0.5 * sow_erfc(-x * 0.7071067811865476);
}

static double deviation_of(const struct sow_probe_value *value)
{
    double variance = value->second_moment - value->mean * value->mean;
    return variance > 0 ? sow_sqrt(variance) : 0;
}

/* ---- Layers of weights ------------------------------------------------------------------------------ */

int sow_is_norm(enum sow_op op)
{
    return op == SOW_OP_LAYER_NORM || op == SOW_OP_RMS_NORM || op == SOW_OP_BATCH_NORM ||
           op == SOW_OP_GROUP_NORM;
}

int sow_is_normed(const struct sow_network *network, const struct sow_node *node)
{
    if (network->flows[node->output].uses == 0) {
        return 0;
    }
    for (const struct sow_node *user = node + 1; user < network->nodes + network->node_count;
         user++) {
        for (uint32_t k = 0; k < user->input_count; k++) {
            if (user->inputs[k] == node->output) {
                return sow_is_norm(user->op);
            }
        }
    }
    return 0;
}

static void judge_gain(struct sow_judgement *j, const struct sow_node *node)
{
    const struct sow_plan_entry *weight = sow_plan_at(j->plan, node->parameters[0]);
    int is_tied = node->op == SOW_OP_LINEAR && weight->fan_in != (double)node->at.inputs;
    double fan = is_tied ? (double)node->at.inputs : weight->fan_in; /* an embedding's is another */
    double factor = j->squares[node->parameters[0]] * fan;
    double threshold = j->thresholds[SOW_THRESHOLD_LAYER];
    /* what makes up for an input that is small, such as a mean over many places, is no fault */
    size_t index = (size_t)(node - j->network->nodes);
    int in_file = sow_judge_reads_file(j);
    double out = in_file ? sow_measured_value_at(j->measured, index)->second_moment
                         : sow_probe_at(j->probe, index)->second_moment;
    double least = threshold * (1 - 1e-9); /* 256 x 0.5^2 is 64, whatever the rounding */
    if (!(factor >= least) || !(out > 0.9 * least) || sow_is_normed(j->network, node)) {
        return;
    }
    struct sow_verdict *verdict =
        sow_judge_add(j, SOW_VERDICT_EXPLODE, SOW_RULE_LAYER, node->name, node->layer);
    if (verdict != NULL) {
        verdict->measured = in_file;
        verdict->number = factor;
        verdict->threshold = threshold;
        sow_judge_reason(j, verdict,
                         "its weights multiply the second moment by fan_in E[w^2] = %.0f x %.4g = "
                         "%.4g (threshold %g)",
                         fan, factor / fan, factor, threshold);
    }
    char pattern[600], scheme[80];
    sow_judge_generalise(weight->name, pattern, sizeof pattern);
    (void)snprintf(scheme, sizeof scheme, "normal{std=%.4g}", 1 / sow_sqrt(fan));
    sow_judge_suggest(j, SOW_VERDICT_EXPLODE, SOW_RULE_LAYER, pattern,
                      is_tied ? scheme : "normal{std=1/sqrt(fan_in)}");
}

/* ---- Activations ------------------------------------------------------------------------------------ */

static double slope_at(const struct sow_function *function, double x)
{
    double slope, step = 1e-6 * (1 + fabs(x));
    double value = sow_function_value(function, x, &slope);
    (void)value;
    if (isnan(slope)) {
        slope = (sow_function_value(function, x + step, NULL) -
                 sow_function_value(function, x - step, NULL)) /
                (2 * step);
    }
    return fabs(slope);
}

double sow_judge_steepest(const struct sow_function *function)
{
    double most = 0;
    for (int i = -200; i <= 200; i++) {
        double slope = slope_at(function, 0.05 * i + 1e-3);
        most = slope > most ? slope : most;
    }
    return most;
}

/* The x below which the slope is 0; -INFINITY where there is none. */
static double edge_of(const struct sow_function *function)
{
    double low = -1e4, high = 0.5;
    if (slope_at(function, low) != 0 || slope_at(function, -1e3) != 0 ||
        slope_at(function, high) == 0 ||
        sow_function_value(function, low, NULL) != sow_function_value(function, -1e3, NULL)) {
        return -INFINITY;
    }
    if (slope_at(function, -1e-200) == 0 && slope_at(function, 1e-200) != 0) {
        return 0; /* where halving never ends */
    }
    for (int i = 0; i < 60; i++) {
        double middle = 0.5 * (low + high);
        if (slope_at(function, middle) == 0) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return high;
}

/* What is true of a function whatever its input: layers share it. */
struct shape {
    const struct sow_function *function;
    double edge; /* edge_of */
    int is_flat; /* at both ends */
    /* where it turns from flat to steep, from steep to flat and so on, ascending */
    double turns[TURNS_MAX];
    size_t turn_count;
};

/* Where flat begins or ends between low and high, which differ. */
static double turn_between(const struct sow_function *function, double least, double low,
                           double high)
{
    int flat_low = slope_at(function, low) < least;
    for (int i = 0; i < 60; i++) {
        double middle = 0.5 * (low + high);
        if ((slope_at(function, middle) < least) == flat_low) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return high;
}

/* Looks from -FAR to FAR, in steps of 0.05 and farther out of a twentieth. */
static void take_shape(struct shape *shape, const struct sow_function *function)
{
    if (shape->function != NULL && sow_function_same(shape->function, function)) {
        return;
    }
    double least = FLAT * sow_judge_steepest(function), before = -FAR;
    *shape = (struct shape){.function = function, .edge = edge_of(function)};
    shape->is_flat = slope_at(function, -FAR) < least && slope_at(function, FAR) < least &&
                     !function->jumps; /* infinitely steep: a share of that is no measure */
    int was_flat = 1;
    while (shape->is_flat && before < FAR) {
        double step = fabs(before) > 1 ? 0.05 * fabs(before) : 0.05;
        double x = before + step < FAR ? before + step : FAR;
        int flat = slope_at(function, x) < least;
        if (flat != was_flat && shape->turn_count == TURNS_MAX) {
            shape->is_flat = 0; /* a wave */
        } else if (flat != was_flat) {
            shape->turns[shape->turn_count++] = turn_between(function, least, before, x);
        }
        was_flat = flat;
        before = x;
    }
}

/* Share of units below the edge for one input. */
static double off_share(const struct sow_probe_value *in, double edge)
{
    double deviation = deviation_of(in);
    return deviation > 0 ? normal_below((edge - in->mean) / deviation) : in->mean < edge;
}

/* A share of all elements as one of those that a rectifier lets through: relu6 is off for half of any input, and that is
 * no saturation. */
static double of_those_on(const struct shape *shape, const struct sow_probe_value *value,
                          double share)
{
    double off = shape->edge >= 0 ? off_share(value, shape->edge) : 0;
    return off > 0 && off < 1 ? (share - off) / (1 - off) : share;
}

/* Share of normal elements whose slope is flat; NAN where the function is not flat at both ends. */
static double saturated_share(const struct shape *shape, const struct sow_probe_value *value)
{
    double deviation = deviation_of(value), steep = 0;
    for (size_t i = 0; i + 1 < shape->turn_count; i += 2) {
        double low = shape->turns[i] - value->mean, high = shape->turns[i + 1] - value->mean;
        steep += deviation > 0 ? normal_below(high / deviation) - normal_below(low / deviation)
                               : low <= 0 && high > 0;
    }
    return shape->is_flat ? 1 - steep : NAN;
}

static void judge_saturation(struct sow_judgement *j, const struct sow_node *node,
                             const struct shape *shape, const struct sow_measured_value *measured)
{
    const struct sow_probe_value *in = input_of(j, node, 0);
    double threshold = j->thresholds[SOW_THRESHOLD_SATURATED];
    int is_large = in->log2_second_moment > 300; /* beyond a double's squares: flat if ever */
    double share = is_large ? slope_at(&node->at.function, 1e100) == 0 &&
                                  slope_at(&node->at.function, -1e100) == 0
                            : saturated_share(shape, in);
    /* measured: what is flat at both ends only, as predicted */
    int found = measured != NULL && !isnan(measured->saturated) && !isnan(share);
    share = of_those_on(shape, in, found ? measured->saturated : share);
    if (!(share > threshold)) {
        return;
    }
    struct sow_verdict *verdict =
        sow_judge_add(j, SOW_VERDICT_SATURATED, SOW_RULE_ONLY, node->name, node->layer);
    if (verdict != NULL) {
        verdict->number = share;
        verdict->threshold = threshold;
        verdict->measured = found;
        sow_judge_reason(j, verdict,
                         "its input has the std 2^%.1f, so that the slope of %.1f %% of the "
                         "elements is below a twentieth of the steepest (threshold %g %%)",
                         0.5 * in->log2_second_moment, 100 * share, 100 * threshold);
    }
}

/* Share of units below the edge for INPUTS inputs: of a unit over seeds, h = mean + deviation (sqrt(c) z + sqrt(1 - c) e). */
static double dead_share(const struct sow_probe_value *in, double edge)
{
    double deviation = deviation_of(in), share = 0;
    if (deviation == 0) {
        return in->mean < edge;
    }
    double square = in->mean * in->mean / (deviation * deviation);
    double c = in->sample_correlation * (1 + square) - square; /* of deviations */
    c = c > 0 ? (c < 1 - 1e-9 ? c : 1 - 1e-9) : 0;
    double at = (edge - in->mean) / deviation;
    const int steps = 400;
    for (int i = 0; i < steps; i++) {
        double low = -REACH + 2 * REACH * i / steps, high = low + 2 * REACH / steps;
        double z = 0.5 * (low + high);
        double below = normal_below((at - sow_sqrt(c) * z) / sow_sqrt(1 - c));
        double all = below > 0 ? sow_exp(INPUTS * sow_log(below)) : 0;
        share += all * (normal_below(high) - normal_below(low));
    }
    return share;
}

/* Of those who would be on if their inputs had the mean 0: a dead fraction is compared with what depth alone makes. */
static double dead_more(const struct sow_probe_value *in, double edge, double share)
{
    double deviation = deviation_of(in);
    struct sow_probe_value centred = *in;
    centred.mean = 0;
    centred.second_moment = deviation * deviation;
    double square = in->mean * in->mean / (deviation * deviation);
    centred.sample_correlation = in->sample_correlation * (1 + square) - square;
    double usual = deviation > 0 ? dead_share(&centred, edge < 0 ? edge : 0) : 0;
    return usual < share ? (share - usual) / (1 - usual) : 0;
}

/* Of units that must be off for all that was measured. A file's may be trained, and then many are off for most inputs: few
 * inputs prove nothing, and leave only a layer of which next to nothing is left. */
static double dead_least(const struct sow_judgement *j, const struct sow_measured_value *measured)
{
    double threshold = j->thresholds[SOW_THRESHOLD_DEAD], places = 1;
    for (uint32_t i = 0; i < measured->rank; i++) {
        places *= (double)measured->shape[i];
    }
    places /= (double)measured->shape[measured->rank == 4 || measured->rank == 5 ? 1
                                      : measured->rank > 0 ? measured->rank - 1
                                                           : 0];
    return sow_judge_reads_file(j) && places < FEW && threshold < ALMOST_ALL ? ALMOST_ALL
                                                                             : threshold;
}

static int is_all_zero(const struct sow_judgement *j, const struct sow_node *node)
{
    size_t made_by = j->network->flows[node->inputs[0]].node;
    return sow_measured_value_at(j->measured, made_by)->second_moment == 0;
}

static void judge_dead(struct sow_judgement *j, const struct sow_node *node,
                       const struct shape *shape, const struct sow_measured_value *measured)
{
    const struct sow_probe_value *in = input_of(j, node, 0);
    double threshold = j->thresholds[SOW_THRESHOLD_DEAD], edge = shape->edge;
    if (edge == -INFINITY || fabs(in->log2_second_moment) > 900) {
        return;
    }
    int found = measured != NULL && !isnan(measured->dead) &&
                measured->dead > dead_least(j, measured) &&
                measured->dead > 2 * measured->dead_expected &&
                !is_all_zero(j, node); /* what left float32 is told by measured.c */
    double least = MORE * threshold, off = off_share(in, edge);
    int has_mean = in->mean * in->mean > 0.5 * in->second_moment;
    /* fewer are off for all inputs than for one, and that is quickly known */
    if (!found && !(off > (has_mean ? least : threshold))) {
        return;
    }
    double share = dead_share(in, edge);
    int is_partly = !found && !(share > threshold);
    if (is_partly && !(has_mean && dead_more(in, edge, share) > least)) {
        return;
    }
    struct sow_verdict *verdict =
        sow_judge_add(j, SOW_VERDICT_DEAD, SOW_RULE_ONLY, node->name, node->layer);
    if (verdict != NULL) {
        verdict->number = found ? measured->dead : share;
        verdict->threshold = is_partly ? least : threshold;
        verdict->measured = found;
        verdict->severity = is_partly ? SOW_SEVERITY_WARNING : verdict->severity;
        sow_judge_reason(j, verdict,
                         "its input has the mean %.3g and the std %.3g over units, so that %.1f %% "
                         "of the units are off for every input (threshold %g %%)",
                         in->mean, deviation_of(in), 100 * verdict->number,
                         100 * verdict->threshold);
    }
}

/* ---- Softmax ------------------------------------------------------------------------------------------- */

/* Logits of std s over T keys: beyond sqrt(2 ln T) the largest few decide, and 1 - sqrt(2 ln T) / s is the expected
 * sum of squared probabilities (Derrida 1981, the random energy model). */
static void judge_attention(struct sow_judgement *j, const struct sow_node *node)
{
    /* one input: queries, keys and values side by side */
    const struct sow_probe_value *query = input_of(j, node, 0);
    const struct sow_probe_value *key = node->input_count < 3 ? query : input_of(j, node, 1);
    double log2_s2 = query->log2_second_moment + key->log2_second_moment +
                     (sow_log((double)node->at.head_dim) + 2 * sow_log(fabs(node->at.scale))) *
                         1.4426950408889634;
    double keys = (double)key->shape[key->rank > 1 ? key->rank - 2 : 0];
    double threshold = j->thresholds[SOW_THRESHOLD_SATURATED];
    double least = sow_sqrt(2 * sow_log(keys));
    double s = log2_s2 < 600 ? sow_exp(0.5 * log2_s2 * 0.6931471805599453) : 1e90;
    double share = keys > 3 && s > least ? 1 - least / s : 0;
    if (!(share > threshold)) {
        return;
    }
    struct sow_verdict *verdict =
        sow_judge_add(j, SOW_VERDICT_SATURATED, SOW_RULE_SOFTMAX, node->name, node->layer);
    if (verdict != NULL) {
        verdict->number = share;
        verdict->threshold = threshold;
        sow_judge_reason(j, verdict,
                         "logits of std %.3g over %.0f keys: the softmax gives a few keys "
                         "everything (mean sum of squared probabilities %.2f, threshold %g)",
                         s, keys, share, threshold);
    }
}

/* ---- Time ----------------------------------------------------------------------------------------------- */

/* Small changes, and gradients, from one end of the sequence to the other. That they fall is what recurrent layers do. */
static void judge_time(struct sow_judgement *j, const struct sow_node *node,
                       const struct sow_probe_value *value)
{
    double steps = value->rank == 3 ? (double)value->shape[1] : 1, chi = value->chi_perp;
    double threshold = j->thresholds[SOW_THRESHOLD_EXPLODE];
    double number = chi > 0 ? (steps - 1) * sow_log(chi) * 1.4426950408889634 : 0;
    if (!(number > threshold) || !(chi > j->thresholds[SOW_THRESHOLD_SLOPE])) {
        return;
    }
    struct sow_verdict *verdict =
        sow_judge_add(j, SOW_VERDICT_EXPLODE, SOW_RULE_TIME, node->name, node->layer);
    if (verdict != NULL) {
        verdict->number = number;
        verdict->threshold = threshold;
        sow_judge_reason(
            j, verdict,
            "the second moment of small changes, and of gradients, grows by a factor of "
            "%.3g in each step of time, 2^%.1f over %.0f steps (threshold 2^%g)",
            chi, number, steps, threshold);
    }
}

void sow_judge_layers(struct sow_judgement *j)
{
    struct shape shape = {.function = NULL};
    for (size_t i = 0; i < j->network->node_count; i++) {
        const struct sow_node *node = &j->network->nodes[i];
        const struct sow_measured_value *measured =
            j->measured != NULL ? sow_measured_value_at(j->measured, i) : NULL;
        if (node->op == SOW_OP_LINEAR || node->op == SOW_OP_CONV) {
            judge_gain(j, node);
        } else if (node->op == SOW_OP_ACTIVATION) {
            take_shape(&shape, &node->at.function);
            judge_saturation(j, node, &shape, measured);
            judge_dead(j, node, &shape, measured);
        } else if (node->op == SOW_OP_ATTENTION) {
            judge_attention(j, node);
        } else if (sow_is_recurrent_op(node->op)) {
            judge_time(j, node, sow_probe_at(j->probe, i));
        }
    }
}
