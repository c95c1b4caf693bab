/* SPDX-License-Identifier: MIT */
/* What happens over the depth: VANISH, EXPLODE, COLLAPSE, CHAOS, UNSTABLE-SCALE, SEED-NOISE. Looked at are the values that
 * every way from the inputs to the output goes through (of a transformer the residual stream), from the first layer of
 * weights to the input of the last. Steps count in log2, so that no depth overflows. Not here: single operations. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/elementary.h"
#include "model/signal/judge/judge.h"
#include "model/signal/network/recurrent.h"

#define NOISE_TOLD 1.0 /* seed noise that is worth a note */

struct point {
    const struct sow_probe_value *value;
    const struct sow_node *node;
    double
        moment;  /* log2 of the second moment: predicted, or measured with the weights of a file */
    double size; /* the same, a norm behind which begins anew at 0 */
    double
        gradient; /* log2 of the squared norm of the gradient, of relative changes before a norm */
    size_t level; /* layers of weights up to here */
    int is_norm;
    int norm_behind; /* somewhere on the way to the output, be it in a branch */
};

struct chain {
    struct point *points;
    size_t count;
    size_t first, last; /* what is judged */
    int has_branches;
};

static int is_weights(enum sow_op op)
{
    return op == SOW_OP_LINEAR || op == SOW_OP_CONV || op == SOW_OP_CONV_TRANSPOSE ||
           op == SOW_OP_BILINEAR || op == SOW_OP_EMBEDDING;
}

/* What changes the number of places, and sizes with it, whatever the weights. */
static int changes_places(enum sow_op op)
{
    return op == SOW_OP_MAX_POOL || op == SOW_OP_AVERAGE_POOL || op == SOW_OP_GLOBAL_POOL ||
           op == SOW_OP_TAKE;
}

/* ---- The chain ---------------------------------------------------------------------------------- */

/* Marks nodes on a way to the output, and of those the ones that every way goes through: no edge jumps over them. */
static void mark(const struct sow_network *network, unsigned char *on_way, int32_t *jumps)
{
    uint32_t last = network->outputs[network->output_count - 1];
    on_way[network->flows[last].node] = 1;
    for (size_t i = network->node_count; i-- > 0;) {
        const struct sow_node *node = &network->nodes[i];
        for (uint32_t k = 0; on_way[i] && k < node->input_count; k++) {
            uint32_t from = network->flows[node->inputs[k]].node;
            on_way[from] = 1;
            if (network->nodes[from].input_count > 0 || node->input_count == 1) {
                jumps[from + 1]++; /* over from + 1 .. i - 1 */
                jumps[i]--;
            }
        }
    }
}

static double elements_of(const struct sow_probe_value *value, uint64_t batch)
{
    double elements = 1;
    for (uint32_t i = 0; i < value->rank; i++) {
        elements *= (double)value->shape[i];
    }
    return elements / (double)batch;
}

/* Both sums of steps of point k, from those of the one before. */
static void take_step(struct point *points, size_t k)
{
    double size = points[k].moment - points[k - 1].moment;
    double back = points[k].gradient - points[k - 1].gradient; /* of the raw numbers so far */
    back += points[k].norm_behind ? size : 0;
    points[k].size = points[k].is_norm ? 0 : size;
    points[k].gradient = back;
}

static void sum_steps(struct chain *chain)
{
    struct point *points = chain->points;
    double size = 0, gradient = 0;
    for (size_t k = chain->count; k-- > 1;) {
        take_step(points, k);
    }
    for (size_t k = 0; k < chain->count; k++) {
        /* a recurrent layer squashes to a size of its own, and is judged over time */
        int skip =
            k == 0 || changes_places(points[k].node->op) || sow_is_recurrent_op(points[k].node->op);
        size = points[k].is_norm || k == 0 ? 0 : size + (skip ? 0 : points[k].size);
        gradient = k == 0 ? 0 : gradient + (skip ? 0 : points[k].gradient);
        points[k].size = size;
        points[k].gradient = gradient;
    }
}

/* From the first layer of weights to what the last one takes. */
static void find_ends(struct chain *chain)
{
    size_t first = chain->count, last = 0;
    for (size_t k = 0; k < chain->count; k++) {
        if (is_weights(chain->points[k].node->op)) {
            first = k < first ? k : first;
            last = k > 0 ? k - 1 : 0;
        }
    }
    /* a network without a head: its last layers are branches */
    int headless = chain->count > 0 && first < chain->count &&
                   chain->points[chain->count - 1].level > chain->points[last].level + 2;
    chain->first = first;
    chain->last = headless ? chain->count - 1 : last;
}

static int make_chain(const struct sow_judgement *j, struct chain *chain)
{
    const struct sow_network *network = j->network;
    unsigned char *on_way = calloc(network->node_count + 1, 1);
    int32_t *jumps = calloc(network->node_count + 2, sizeof *jumps);
    chain->points = calloc(network->node_count + 1, sizeof *chain->points);
    int made = on_way != NULL && jumps != NULL && chain->points != NULL;
    if (made) {
        mark(network, on_way, jumps);
    }
    int32_t over = 0;
    size_t level = 0, last_norm = 0;
    for (size_t i = 0; made && i < network->node_count; i++) {
        last_norm = on_way[i] && sow_is_norm(network->nodes[i].op) ? i : last_norm;
    }
    for (size_t i = 0; made && i < network->node_count; i++) {
        const struct sow_node *node = &network->nodes[i];
        const struct sow_probe_value *value = sow_probe_at(j->probe, i);
        over += jumps[i];
        level += on_way[i] && (is_weights(node->op) || node->op == SOW_OP_ATTENTION);
        if (!on_way[i] || over > 0 || !value->is_signal) {
            continue;
        }
        size_t before = chain->count > 0 ? chain->points[chain->count - 1].level : 0;
        double moment = value->log2_second_moment, gradient = value->log2_gradient;
        if (sow_judge_reads_file(j)) {
            const struct sow_measured_value *measured = sow_measured_value_at(j->measured, i);
            moment = sow_judge_log2(measured->second_moment);
            gradient = sow_judge_log2(measured->gradient_second_moment);
        }
        chain->points[chain->count++] = (struct point){
            .value = value,
            .node = node,
            .moment = moment,
            .gradient = gradient + sow_judge_log2(elements_of(value, network->batch)),
            .level = level > before ? before + 1 : before,
            .is_norm = sow_is_norm(node->op),
            .norm_behind = i <= last_norm && last_norm > 0,
        };
        chain->has_branches |= node->op == SOW_OP_ADD;
    }
    free(on_way);
    free(jumps);
    return made;
}

/* ---- Rules -------------------------------------------------------------------------------------------- */

static double change_between(const struct chain *chain, size_t from, size_t to, int backward)
{
    const struct point *points = chain->points;
    return backward ? points[from].gradient - points[to].gradient
                    : points[to].size - points[from].size;
}

/* Mean change a layer over one half of the way: without branches over the half where it is larger. A residual stream
 * grows by one branch after another, much at one end and little at the other, so there the smaller half decides. */
static double half_slope(const struct chain *chain, size_t from, size_t to, int backward)
{
    const struct point *points = chain->points;
    size_t middle = from, half = points[from].level + (points[to].level - points[from].level) / 2;
    while (middle < to && points[middle].level < half) {
        middle++;
    }
    size_t before = points[middle].level - points[from].level,
           after = points[to].level - points[middle].level;
    double whole = change_between(chain, from, to, backward) / (double)(before + after);
    if (before == 0 || after == 0) {
        return whole;
    }
    double first = change_between(chain, from, middle, backward) / (double)before,
           second = change_between(chain, middle, to, backward) / (double)after;
    int takes_first = (fabs(first) > fabs(second)) != chain->has_branches;
    return takes_first ? first : second;
}

/* What changed by the factor 2^change on its way from point a to point b. */
struct change {
    const struct point *a, *b;
    double change, threshold; /* log2; threshold > 0 */
};

/* Where activations between a and b, a after b, are flat ("; the slope of sigmoid is 0.25 at most, ..."): the first is told,
 * and the answer is how many activations there are. */
static double say_flat(const struct point *a, const struct point *b, char *text, size_t room)
{
    double activations = 0, slope;
    const struct sow_function *flat = NULL, *tried = NULL;
    for (const struct point *at = b + 1; at <= a; at++) {
        const struct sow_function *function = &at->node->at.function;
        int is_activation = at->node->op == SOW_OP_ACTIVATION;
        int is_new = is_activation && (tried == NULL || !sow_function_same(tried, function));
        activations += is_activation;
        tried = is_new ? function : tried;
        if (flat == NULL && is_new && (slope = sow_judge_steepest(function)) < 0.99) {
            flat = function;
            (void)snprintf(
                text, room,
                "; the slope of %.60s is %.2g at most, so that it lets no more than that "
                "of a gradient through, whatever the gain",
                sow_function_name(flat), slope);
        }
    }
    return flat != NULL ? activations : 0;
}

static void tell(struct sow_judgement *j, enum sow_verdict_id id, enum sow_rule rule,
                 const struct point *where, const struct change *of, const char *what)
{
    struct sow_verdict *verdict =
        sow_judge_add(j, id, rule, where->value->name, where->value->layer);
    if (verdict == NULL) {
        return;
    }
    int falls = of->change < 0;
    double layers = fabs((double)of->a->level - (double)of->b->level);
    char flat[200] = "";
    if (falls && rule == SOW_RULE_GRADIENT) {
        double activations = say_flat(of->a, of->b, flat, sizeof flat);
        layers = layers > activations ? layers : activations;
    }
    verdict->number = of->change;
    verdict->threshold = of->threshold;
    verdict->measured = sow_judge_reads_file(j);
    sow_judge_reason(j, verdict,
                     "%s %s: from %.200s to %.200s their mean square %s 2^%.1f %s what it was, "
                     "on average %.3g times at each of %.0f layers (threshold 2^%g)%s",
                     what, falls ? "die out" : "grow", of->a->value->name, of->b->value->name,
                     falls ? "shrinks to" : "grows to", of->change, falls ? "of" : "times",
                     sow_judge_exp2(of->change / layers), layers,
                     falls ? -of->threshold : of->threshold, flat);
    sow_judge_suggest_critical(j, id, rule);
}

static int is_finite(double x)
{
    return x - x == 0;
}

/* The first point, in the direction of the signal, whose step has the sign and at least half of the mean size. */
static const struct point *begin_of(const struct chain *chain, size_t from, size_t to, double mean)
{
    for (size_t k = from + 1; k <= to; k++) {
        double step = chain->points[k].size - chain->points[k - 1].size;
        if (mean > 0 ? step > 0.5 * mean : step < 0.5 * mean) {
            return &chain->points[k];
        }
    }
    return &chain->points[from];
}

static const struct point *begin_of_gradient(const struct chain *chain, double mean)
{
    for (size_t k = chain->last; k > chain->first; k--) {
        double step = chain->points[k - 1].gradient - chain->points[k].gradient;
        if (mean > 0 ? step > 0.5 * mean : step < 0.5 * mean) {
            return &chain->points[k - 1];
        }
    }
    return &chain->points[chain->first];
}

/* Growth and decay of the signal between two norms. A mean over seeds and the run that is typical both count. */
static void judge_signal(struct sow_judgement *j, const struct chain *chain, size_t from, size_t to)
{
    /* embeddings of std 0.02 are far below what the first branches add, and that is no growth over the depth */
    size_t begin_level = chain->points[from].level + 2;
    while (chain->has_branches && from < to && chain->points[from].level < begin_level) {
        from++;
    }
    const struct point *a = &chain->points[from], *b = &chain->points[to];
    double slope_least = sow_judge_log2(j->thresholds[SOW_THRESHOLD_SLOPE]);
    double change = b->size - a->size, slope = half_slope(chain, from, to, 0);
    double noise = sow_judge_reads_file(j) ? 0 : b->value->seed_noise - a->value->seed_noise;
    double typical = change - 0.5 * 1.4426950408889634 * noise;
    size_t levels = b->level - a->level;
    if (!is_finite(change) || levels < 2) {
        return;
    }
    double vanish = j->thresholds[SOW_THRESHOLD_VANISH],
           explode = j->thresholds[SOW_THRESHOLD_EXPLODE];
    double mean = change / (double)levels;
    if (change > explode && (slope > slope_least || change > 6 * explode)) {
        tell(j, SOW_VERDICT_EXPLODE, SOW_RULE_ONLY, begin_of(chain, from, to, mean),
             &(struct change){a, b, change, explode}, "signals");
    } else if (change < -vanish && (slope < -slope_least || change < -6 * vanish)) {
        tell(j, SOW_VERDICT_VANISH, SOW_RULE_ONLY, begin_of(chain, from, to, mean),
             &(struct change){a, b, change, vanish}, "signals");
    } else if (typical < -vanish && typical / (double)levels < -slope_least) {
        tell(j, SOW_VERDICT_VANISH, SOW_RULE_ONLY, a, &(struct change){a, b, typical, vanish},
             "signals of a typical run");
    }
}

/* log2 of the factor a layer that is too much for gradients and distances. */
static double slope_least_of(const struct sow_judgement *j, const struct chain *chain)
{
    return sow_judge_log2(
        j->thresholds[chain->points[chain->first].norm_behind ? SOW_THRESHOLD_SLOPE_NORMED
                                                              : SOW_THRESHOLD_SLOPE]);
}

static void judge_gradient(struct sow_judgement *j, const struct chain *chain)
{
    const struct point *a = &chain->points[chain->first], *b = &chain->points[chain->last];
    double slope_least = slope_least_of(j, chain);
    double change = a->gradient - b->gradient,
           slope = half_slope(chain, chain->first, chain->last, 1);
    size_t levels = b->level - a->level;
    if (!is_finite(change) || levels < 2) {
        return;
    }
    double vanish = j->thresholds[SOW_THRESHOLD_VANISH],
           explode = j->thresholds[SOW_THRESHOLD_EXPLODE];
    const struct point *where = begin_of_gradient(chain, change / (double)levels);
    if (change > explode && (slope > slope_least || change > 6 * explode)) {
        tell(j, SOW_VERDICT_EXPLODE, SOW_RULE_GRADIENT, where,
             &(struct change){b, a, change, explode}, "gradients");
    } else if (change < -vanish && (slope < -slope_least || change < -6 * vanish)) {
        tell(j, SOW_VERDICT_VANISH, SOW_RULE_GRADIENT, where,
             &(struct change){b, a, change, vanish}, "gradients");
    }
}

static double correlation_of(const struct sow_probe_value *value)
{
    return isnan(value->place_correlation) ? value->sample_correlation : value->place_correlation;
}

/* The last value in front of a mean over places: what that averages is alike whatever the weights. */
static const struct sow_probe_value *last_apart(const struct chain *chain)
{
    size_t k = chain->first;
    while (k < chain->last && chain->points[k + 1].node->op != SOW_OP_GLOBAL_POOL) {
        k++;
    }
    return chain->points[k].value;
}

static void judge_collapse(struct sow_judgement *j, const struct chain *chain)
{
    double threshold = j->thresholds[SOW_THRESHOLD_COLLAPSE];
    const struct sow_probe_value *end = last_apart(chain);
    const struct sow_probe_value *begin = chain->points[chain->first].value;
    if (!(correlation_of(end) > threshold) || correlation_of(begin) > threshold ||
        end->log2_second_moment == -INFINITY) {
        return;
    }
    size_t k = chain->first;
    while (!(correlation_of(chain->points[k].value) > threshold)) {
        k++;
    }
    const struct sow_probe_value *where = chain->points[k].value;
    struct sow_verdict *verdict =
        sow_judge_add(j, SOW_VERDICT_COLLAPSE, SOW_RULE_ONLY, where->name, where->layer);
    if (verdict != NULL) {
        verdict->number = correlation_of(end);
        verdict->threshold = threshold;
        const char *what = isnan(end->place_correlation) ? "inputs" : "places of an input";
        double correlation = correlation_of(end);
        if (1 - correlation < 1e-6) {
            sow_judge_reason(j, verdict,
                             "two %s that have nothing in common are the same to six digits when "
                             "they come to %.200s (threshold: a correlation of %g)",
                             what, end->name, threshold);
        } else {
            sow_judge_reason(j, verdict,
                             "two %s that have nothing in common have a correlation of %.6f when "
                             "they come to %.200s (threshold %g)",
                             what, correlation, end->name, threshold);
        }
    }
}

static void judge_distance(struct sow_judgement *j, const struct chain *chain)
{
    const struct point *a = &chain->points[chain->first], *b = &chain->points[chain->last];
    double threshold = j->thresholds[SOW_THRESHOLD_CHAOS];
    double change = b->value->log2_distance - a->value->log2_distance;
    size_t levels = b->level - a->level;
    double slope = levels > 0 ? change / (double)levels : 0;
    if (!(change > threshold) || !is_finite(change) || slope <= slope_least_of(j, chain)) {
        return;
    }
    struct sow_verdict *verdict =
        sow_judge_add(j, SOW_VERDICT_CHAOS, SOW_RULE_ONLY, a->value->name, a->value->layer);
    if (verdict != NULL) {
        verdict->number = change;
        verdict->threshold = threshold;
        sow_judge_reason(j, verdict,
                         "inputs that are nearly the same are driven apart: from %.200s to %.200s "
                         "the square of their distance, compared with their size, becomes 2^%.1f "
                         "times what it was, %.3g times at each of %zu layers (threshold 2^%g)",
                         a->value->name, b->value->name, change, sow_judge_exp2(slope), levels,
                         threshold);
        sow_judge_suggest_critical(j, SOW_VERDICT_CHAOS, SOW_RULE_ONLY);
    }
}

static void judge_scale(struct sow_judgement *j, const struct chain *chain)
{
    double threshold = j->thresholds[SOW_THRESHOLD_UNSTABLE_SCALE];
    const struct sow_probe_value *end = chain->points[chain->last].value, *where = NULL;
    if (!(end->scale_response > threshold)) {
        return;
    }
    for (size_t k = chain->first; k <= chain->last && where == NULL; k++) {
        where = chain->points[k].value->chi_par > 1.02 ? chain->points[k].value : NULL;
    }
    where = where != NULL ? where : chain->points[chain->first].value;
    struct sow_verdict *verdict =
        sow_judge_add(j, SOW_VERDICT_UNSTABLE_SCALE, SOW_RULE_ONLY, where->name, where->layer);
    if (verdict != NULL) {
        verdict->number = end->scale_response;
        verdict->threshold = threshold;
        sow_judge_reason(j, verdict,
                         "an input whose mean square is 1 %% larger has one that is %.3g %% larger "
                         "when it comes to %.200s (threshold %g %%); this layer makes it grow by a "
                         "factor of %.3g",
                         end->scale_response, end->name, threshold, where->chi_par);
    }
}

static void judge_noise(struct sow_judgement *j, const struct chain *chain)
{
    double threshold = j->thresholds[SOW_THRESHOLD_SEED_NOISE];
    const struct sow_probe_value *end = chain->points[chain->last].value, *where = NULL;
    if (!(end->seed_noise > NOISE_TOLD)) {
        return;
    }
    int is_note = !(end->seed_noise > threshold);
    double told = is_note ? NOISE_TOLD : threshold;
    for (size_t k = chain->first; where == NULL; k++) {
        where = chain->points[k].value->seed_noise > told || k == chain->last
                    ? chain->points[k].value
                    : NULL;
    }
    struct sow_verdict *verdict =
        sow_judge_add(j, SOW_VERDICT_SEED_NOISE, SOW_RULE_ONLY, where->name, where->layer);
    if (verdict != NULL) {
        verdict->severity = is_note ? SOW_SEVERITY_NOTE : verdict->severity;
        verdict->number = end->seed_noise;
        verdict->threshold = threshold;
        sow_judge_reason(j, verdict,
                         "the variance over seeds of ln E[x^2] is %.3g (threshold %g): a typical "
                         "run has %.3g of the mean over seeds, and one run in six less than %.2g",
                         end->seed_noise, threshold, sow_exp(-0.5 * end->seed_noise),
                         sow_exp(-0.5 * end->seed_noise - sow_sqrt(end->seed_noise)));
    }
}

void sow_judge_chain(struct sow_judgement *j)
{
    struct chain chain = {0};
    if (!make_chain(j, &chain)) {
        j->out_of_memory = 1;
    } else {
        find_ends(&chain);
    }
    if (chain.first < chain.last && chain.count > 0) {
        sum_steps(&chain);
        size_t from = 0;
        for (size_t k = 1; k <= chain.last; k++) {
            if (k == chain.last || chain.points[k + 1].is_norm) {
                judge_signal(j, &chain, from, k);
                from = k + 1;
            }
        }
        judge_gradient(j, &chain);
        judge_collapse(j, &chain);
        judge_distance(j, &chain);
        judge_scale(j, &chain);
        judge_noise(j, &chain);
    }
    free(chain.points);
}
