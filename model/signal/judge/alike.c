/* SPDX-License-Identifier: MIT */
/* Weights among those whose names differ in numbers only (EXPLODE, VANISH): far from both neighbours, or apart where all
 * others follow one law of their fans - the same E[w^2], or the same times fan_in, fan_out, their mean or the larger one.
 * Read off the plan, and off the file where weights come from one: a fresh file follows its law but for chance, and one
 * that was trained follows none, so that only its neighbours count. The law of all layers together is fans.c's. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/elementary.h"
#include "model/signal/judge/alike.h"

#define ODD_NOTE    1.5 /* factor from which on a note is told */
#define OTHERS_MOST 0.5 /* of those that follow it, as many may not */

enum { LAWS = 5 };
static const char *const law_texts[LAWS] = {"fan_in E[w^2]", "E[w^2]", "fan_out E[w^2]",
                                            "(fan_in + fan_out) E[w^2] / 2",
                                            "max(fan_in, fan_out) E[w^2]"};

static double by_law(const struct sow_like *like, int law)
{
    double in = like->entry->fan_in, out = like->entry->fan_out;
    double factors[LAWS] = {in, 1, out, 0.5 * (in + out), in > out ? in : out};
    return like->square * factors[law];
}

/* ---- Gathering ---------------------------------------------------------------------------------- */

static int has_weights(const struct sow_node *node)
{
    return (node->op == SOW_OP_LINEAR || node->op == SOW_OP_CONV ||
            node->op == SOW_OP_CONV_TRANSPOSE) &&
           node->parameter_count > 0;
}

static int is_output(const struct sow_network *network, const struct sow_node *node)
{
    for (size_t i = 0; i < network->output_count; i++) {
        if (network->outputs[i] == node->output) {
            return 1;
        }
    }
    return 0;
}

static const struct sow_node *maker_of(const struct sow_network *network,
                                       const struct sow_node *node)
{
    do {
        node = &network->nodes[network->flows[node->inputs[0]].node];
    } while (node->op == SOW_OP_DROPOUT);
    return node;
}

/* The first that reads the node's value; NULL for none. */
static const struct sow_node *reader_of(const struct sow_network *network,
                                        const struct sow_node *node)
{
    const struct sow_node *end = network->nodes + network->node_count;
    uint32_t flow = node->output;
    for (const struct sow_node *user = node + 1; user < end && network->flows[flow].uses > 0;
         user++) {
        for (uint32_t k = 0; k < user->input_count; k++) {
            if (user->inputs[k] == flow && user->op != SOW_OP_DROPOUT) {
                return user;
            }
            flow = user->inputs[k] == flow ? user->output : flow;
        }
    }
    return NULL;
}

/* Whether all elements in the file are one number: that has a rule of its own. */
static int is_constant_there(const struct sow_judgement *j, const char *name)
{
    const struct sow_finding *finding = NULL;
    for (size_t i = 0; j->checked != NULL && (finding = sow_check_at(j->checked, i)) != NULL; i++) {
        if (strcmp(finding->code->code, "constant") == 0 && finding->tensor_count > 0 &&
            strcmp(finding->tensors[0], name) == 0) {
            return 1;
        }
    }
    return 0;
}

static int by_pattern(const void *a, const void *b)
{
    const struct sow_like *left = a, *right = b;
    int order = strcmp(left->pattern, right->pattern);
    return order != 0 ? order : (left->node > right->node) - (left->node < right->node);
}

size_t sow_likes_gather(struct sow_judgement *j, struct sow_like *likes)
{
    size_t count = 0;
    for (size_t i = 0; i < j->network->node_count; i++) {
        const struct sow_node *node = &j->network->nodes[i];
        double value;
        if (!has_weights(node)) {
            continue;
        }
        const struct sow_plan_entry *entry = sow_plan_at(j->plan, node->parameters[0]);
        double square = j->squares[node->parameters[0]];
        if (sow_constant_of(entry, &value) || !(entry->fan_in > 0) || !(square > 0) ||
            is_constant_there(j, entry->name)) {
            continue; /* zeros and constants have rules of their own */
        }
        char text[600];
        sow_judge_generalise(entry->name, text, sizeof text);
        char *pattern = sow_arena_copy(&j->arena, text, strlen(text));
        if (pattern == NULL) {
            j->out_of_memory = 1;
            return 0;
        }
        const struct sow_node *maker = maker_of(j->network, node);
        likes[count++] = (struct sow_like){
            .pattern = pattern,
            .node = node,
            .maker = maker,
            .reader = reader_of(j->network, node),
            .entry = entry,
            .square = square,
            .is_output = is_output(j->network, node),
            .is_first = maker->input_count == 0,
            .is_normed = sow_is_normed(j->network, node),
            .is_authors = !sow_judge_reads_file(j) && sow_judge_is_authors(j, entry),
        };
    }
    if (count > 1) {
        qsort(likes, count, sizeof *likes, by_pattern);
    }
    return count;
}

double sow_likes_tolerance(const struct sow_judgement *j, const struct sow_like *like)
{
    double elements = (double)like->entry->elements;
    return sow_judge_reads_file(j) ? 0.02 + 5 * sow_sqrt(2 / elements) : 1e-3;
}

/* ---- Where all others follow a law -------------------------------------------------------------- */

struct law {
    int which;
    size_t count;  /* that follow it */
    double number; /* what it gives to them */
    double tolerance;
};

static int ascending(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static int follows(const struct sow_like *like, const struct law *law)
{
    double ratio = by_law(like, law->which) / law->number;
    return ratio < 1 + law->tolerance && ratio > 1 / (1 + law->tolerance);
}

/* The law that most follow. */
static struct law find_law(const struct sow_judgement *j, const struct sow_like *likes,
                           size_t count, double *sorted)
{
    struct law best = {.count = 0};
    for (size_t i = 0; i < count; i++) {
        double tolerance = sow_likes_tolerance(j, &likes[i]);
        best.tolerance = tolerance > best.tolerance ? tolerance : best.tolerance;
    }
    for (int which = 0; which < LAWS; which++) {
        for (size_t i = 0; i < count; i++) {
            sorted[i] = by_law(&likes[i], which);
        }
        qsort(sorted, count, sizeof *sorted, ascending);
        for (size_t begin = 0, end = 0; begin < count; begin++) {
            while (end < count && sorted[end] <= sorted[begin] * (1 + best.tolerance)) {
                end++;
            }
            if (end - begin > best.count) {
                best.which = which;
                best.count = end - begin;
                best.number = sorted[begin + (end - begin) / 2];
            }
        }
    }
    return best;
}

static int same_kind(const struct sow_node *a, const struct sow_node *b)
{
    return a != NULL && b != NULL && a->op == b->op &&
           (a->op != SOW_OP_ACTIVATION || sow_function_same(&a->at.function, &b->at.function));
}

/* Whether nothing but its weights tells the layer from another: what stands before and behind it is the same, and its
 * rule is another. */
static int stands_alike(const struct sow_judgement *j, const struct sow_like *like,
                        const struct sow_like *other)
{
    int same_rule = strcmp(like->entry->scheme_text, other->entry->scheme_text) == 0;
    return like->node->op == other->node->op && same_kind(like->reader, other->reader) &&
           (like->is_first || same_kind(like->maker, other->maker)) && !like->is_output &&
           (sow_judge_reads_file(j) || (!same_rule && !like->is_authors));
}

/* The first that follows the law and stands where `like` does; NULL for none. */
static const struct sow_like *fellow_of(const struct sow_judgement *j, const struct sow_like *likes,
                                        size_t count, const struct law *law,
                                        const struct sow_like *like)
{
    for (size_t i = 0; i < count; i++) {
        if (follows(&likes[i], law) && stands_alike(j, like, &likes[i])) {
            return &likes[i];
        }
    }
    return NULL;
}

static void tell_odd(struct sow_judgement *j, const struct sow_like *like, const struct law *law,
                     const struct sow_like *fellow, size_t count, int is_note)
{
    double ratio = by_law(like, law->which) / law->number, number = ratio > 1 ? ratio : 1 / ratio;
    enum sow_verdict_id id = ratio > 1 ? SOW_VERDICT_EXPLODE : SOW_VERDICT_VANISH;
    enum sow_rule rule = is_note ? SOW_RULE_ODD : SOW_RULE_OUTLIER;
    struct sow_verdict *verdict = sow_judge_add(j, id, rule, like->node->name, like->node->layer);
    if (verdict != NULL) {
        verdict->severity = is_note ? SOW_SEVERITY_NOTE : SOW_SEVERITY_WARNING;
        verdict->measured = sow_judge_reads_file(j);
        verdict->number = number;
        verdict->threshold = j->thresholds[SOW_THRESHOLD_ODD];
        sow_judge_reason(j, verdict,
                         "its weights are out of line: %s is %.4g here and %.4g in %zu of the %zu "
                         "layers like it (%.200s), so that their std is %.3g times as large "
                         "(threshold: a factor of %g in E[w^2])%s",
                         law_texts[law->which], by_law(like, law->which), law->number, law->count,
                         count, like->pattern, sow_sqrt(ratio), verdict->threshold,
                         like->is_normed  ? "; a norm behind it takes the size back, and only its "
                                            "steps of learning are of another size"
                         : like->is_first ? "; what comes first may have reasons for it"
                                          : "");
    }
    sow_judge_suggest(j, id, rule, like->entry->name, fellow->entry->scheme_text);
}

static void judge_odd(struct sow_judgement *j, struct sow_like *likes, size_t count, double *sorted)
{
    struct law law = find_law(j, likes, count, sorted);
    int in_file = sow_judge_reads_file(j);
    size_t others = 0; /* at the ends of the network layers may be of another size */
    for (size_t i = 0; i < count; i++) {
        others += !follows(&likes[i], &law) && !likes[i].is_first && !likes[i].is_output;
    }
    if (law.count < (in_file ? 3 : 2) || (double)others > OTHERS_MOST * (double)law.count) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        double ratio = by_law(&likes[i], law.which) / law.number;
        double number = ratio > 1 ? ratio : 1 / ratio;
        int is_note =
            number < j->thresholds[SOW_THRESHOLD_ODD] || likes[i].is_normed || likes[i].is_first;
        if (follows(&likes[i], &law) || number < ODD_NOTE || (in_file && is_note)) {
            continue;
        }
        const struct sow_like *fellow = fellow_of(j, likes, count, &law, &likes[i]);
        if (fellow != NULL) {
            tell_odd(j, &likes[i], &law, fellow, count, is_note);
            likes[i].is_told = 1;
        }
    }
}

/* ---- Far from both neighbours ------------------------------------------------------------------- */

static double least_of(double a, double b)
{
    return a < b ? a : b;
}

static double most_of(double a, double b)
{
    return a > b ? a : b;
}

/* The two nearest others of `count` at `likes`, as indices. */
static void neighbours_of(size_t i, size_t count, size_t near[2])
{
    near[0] = i > 0 ? i - 1 : i + 1;
    near[1] = i + 1 < count ? i + 1 : i - 1;
    if (near[0] == near[1]) {
        near[1] = i == 0 ? 2 : i - 2;
    }
}

static void judge_far(struct sow_judgement *j, const struct sow_like *likes, size_t i, size_t count)
{
    size_t near[2];
    neighbours_of(i, count, near);
    const struct sow_like *at = &likes[i], *a = &likes[near[0]], *b = &likes[near[1]];
    double threshold = j->thresholds[SOW_THRESHOLD_OUTLIER];
    double above = by_law(at, 0) / most_of(by_law(a, 0), by_law(b, 0));
    double below = most_of(by_law(at, 0) / least_of(by_law(a, 0), by_law(b, 0)),
                           by_law(at, 3) / least_of(by_law(a, 3), by_law(b, 3)));
    if (at->is_told || (!(above > threshold) && !(below < 1 / threshold))) {
        return;
    }
    int large = above > threshold;
    enum sow_verdict_id id = large ? SOW_VERDICT_EXPLODE : SOW_VERDICT_VANISH;
    struct sow_verdict *verdict =
        sow_judge_add(j, id, SOW_RULE_OUTLIER, at->node->name, at->node->layer);
    if (verdict != NULL) {
        verdict->severity = SOW_SEVERITY_WARNING;
        verdict->measured = sow_judge_reads_file(j);
        verdict->number = large ? above : 1 / below;
        verdict->threshold = threshold;
        sow_judge_reason(j, verdict,
                         "its weights are out of line: fan_in E[w^2] is %.4g here, %.4g at %.200s "
                         "and %.4g at %.200s, a factor of %.3g (threshold %g)",
                         by_law(at, 0), by_law(a, 0), a->node->name, by_law(b, 0), b->node->name,
                         verdict->number, threshold);
    }
    sow_judge_suggest(j, id, SOW_RULE_OUTLIER, at->entry->name, a->entry->scheme_text);
}

/* Without the output, and without what a norm makes up for: these may have any size. */
static size_t drop_free(struct sow_like *likes, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (!likes[i].is_output && !likes[i].is_normed) {
            likes[kept++] = likes[i];
        }
    }
    return kept;
}

/* ---- The whole ---------------------------------------------------------------------------------- */

static void judge_group(struct sow_judgement *j, struct sow_like *likes, size_t count,
                        double *sorted)
{
    judge_odd(j, likes, count, sorted);
    count = drop_free(likes, count);
    for (size_t i = 0; i < count && count > 2; i++) {
        judge_far(j, likes, i, count);
    }
}

void sow_judge_alike(struct sow_judgement *j)
{
    struct sow_like *likes = calloc(j->network->node_count + 1, sizeof *likes);
    double *sorted = calloc(j->network->node_count + 1, sizeof *sorted);
    j->out_of_memory |= likes == NULL || sorted == NULL;
    size_t count = likes != NULL && sorted != NULL ? sow_likes_gather(j, likes) : 0;
    if (count > 0) {
        sow_judge_fans(j, likes, count);
    }
    for (size_t begin = 0, end; begin < count; begin = end) {
        for (end = begin + 1;
             end < count && strcmp(likes[begin].pattern, likes[end].pattern) == 0;) {
            end++;
        }
        judge_group(j, likes + begin, end - begin, sorted);
    }
    free(likes);
    free(sorted);
}
