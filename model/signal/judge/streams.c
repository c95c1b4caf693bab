/* SPDX-License-Identifier: MIT */
/* Residual streams whose branches are not scaled with the depth (EXPLODE): N branches that each add as much as the first
 * one, where 1/N of E[w^2] at their ends would keep the stream at its size. Behind a norm each adds a constant: the stream
 * grows with N, later branches count for less, and networks train all the same - a note. Without norms each multiplies the
 * stream. What a family's authors wrote is not judged; what is missing from theirs is in outlier.c. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/elementary.h"
#include "model/graph/model.h"
#include "model/match/match.h"
#include "model/signal/judge/judge.h"

#define BRANCHES_LEAST 4
#define SCALED         3.0 /* up to this over N is scaled: 1/N, or 2/N by layers of two branches */
#define GROWTH_LEAST   1.0 /* log2: a stream that grows less needs no word */
#define NESTED_MOST    4   /* sums in a branch */
#define PATTERNS_MOST  8

/* One stream, from its first addition on. */
struct stream {
    uint32_t branches,
        seen; /* additions on it; and those that end in weights that are not scaled */
    int is_scaled, is_reset, has_norms, is_authors;
    uint32_t last_add; /* node */
    const struct sow_probe_value *begin, *first_branch, *first_sum, *last_branch, *last_sum;
    const struct sow_node *first_node;
    struct kind {
        const struct sow_plan_entry *entry; /* the first of those whose names differ in numbers */
        int is_scaled;                      /* at least one of them */
    } kinds[PATTERNS_MOST];
    size_t kind_count;
};

/* The end of a branch: its last weights, and what multiplies their result. */
struct end {
    const struct sow_node *node;
    double factor; /* squared */
};

static const struct sow_node *made_by(const struct sow_judgement *j, uint32_t flow)
{
    return &j->network->nodes[j->network->flows[flow].node];
}

static const struct sow_probe_value *value_of(const struct sow_judgement *j,
                                              const struct sow_node *node)
{
    return sow_probe_at(j->probe, (size_t)(node - j->network->nodes));
}

static int is_matrix(const struct sow_node *node)
{
    return (node->op == SOW_OP_LINEAR || node->op == SOW_OP_CONV) && node->parameter_count > 0;
}

static double square_of(const struct sow_judgement *j, const struct sow_node *node, double *fan_in)
{
    const struct sow_plan_entry *entry = sow_plan_at(j->plan, node->parameters[0]);
    *fan_in = entry->fan_in > 0 ? entry->fan_in : 1;
    return sow_weights_of(entry, 0, 0).square;
}

/* The weights at the ends of the branch that the flow is the result of. 0: it ends in something else, a norm perhaps. */
static size_t find_ends(const struct sow_judgement *j, uint32_t flow, double factor,
                        struct end ends[NESTED_MOST])
{
    const struct sow_node *node = made_by(j, flow);
    while (node->op == SOW_OP_SCALE || node->op == SOW_OP_LAYER_SCALE ||
           node->op == SOW_OP_DROPOUT) {
        double fan_in;
        factor *= node->op == SOW_OP_SCALE         ? node->at.factor * node->at.factor
                  : node->op == SOW_OP_LAYER_SCALE ? square_of(j, node, &fan_in)
                                                   : 1;
        node = made_by(j, node->inputs[0]);
    }
    if (node->op == SOW_OP_ADD) { /* branches side by side */
        struct end more[NESTED_MOST];
        size_t count = 0;
        for (uint32_t k = 0; k < 2; k++) {
            const struct sow_node *side = made_by(j, node->inputs[k]);
            size_t found = side->op != SOW_OP_ADD ? find_ends(j, node->inputs[k], factor, more) : 0;
            for (size_t i = 0; i < found && count < NESTED_MOST; i++) {
                ends[count++] = more[i];
            }
        }
        return count;
    }
    ends[0] = (struct end){node, factor};
    return (size_t)is_matrix(node);
}

/* Whether the weights are a share of the others in their branch, or of 1/fan_in where there are none, as small as
 * `share`. Notes on the way whether a norm stands in front of the branch. */
static int is_scaled(const struct sow_judgement *j, const struct end *end, uint32_t stream,
                     double share, int *has_norm)
{
    double fan_in, plain = 0, plain_in = 0;
    double square = square_of(j, end->node, &fan_in) * end->factor, in = square * fan_in;
    size_t from = j->network->flows[stream].node;
    const struct sow_node *node = end->node;
    while (node->input_count > 0 && j->network->flows[node->inputs[0]].node > from) {
        node = made_by(j, node->inputs[0]);
        *has_norm |= sow_is_norm(node->op);
        if (is_matrix(node)) {
            double other = square_of(j, node, &fan_in);
            plain = other > 0 && (plain == 0 || other < plain) ? other : plain;
            plain_in = other > 0 && (plain_in == 0 || other * fan_in < plain_in) ? other * fan_in
                                                                                 : plain_in;
        }
    }
    return plain > 0 ? square <= share * plain || in <= share * plain_in : in <= share;
}

int sow_judge_is_authors(const struct sow_judgement *j, const struct sow_plan_entry *entry)
{
    const char *family = sow_model_family(j->model), *name;
    size_t length = family != NULL ? strlen(family) : 0;
    if (length == 0 || strncmp(entry->rule_file, family, length) != 0 ||
        strcmp(entry->rule_file + length, ".lua") != 0) {
        return 0;
    }
    for (size_t i = 0; (name = sow_family_name(i)) != NULL; i++) {
        if (strcmp(name, family) == 0) {
            return 1;
        }
    }
    return 0;
}

/* ---- Gathering ---------------------------------------------------------------------------------------- */

static void add_end(const struct sow_judgement *j, struct stream *stream,
                    const struct sow_plan_entry *entry, int is_scaled)
{
    char pattern[600], other[600];
    size_t i = 0;
    sow_judge_generalise(entry->name, pattern, sizeof pattern);
    for (; i < stream->kind_count; i++) {
        sow_judge_generalise(stream->kinds[i].entry->name, other, sizeof other);
        if (strcmp(pattern, other) == 0) {
            break;
        }
    }
    if (i < PATTERNS_MOST) {
        stream->kind_count = i < stream->kind_count ? stream->kind_count : i + 1;
        stream->kinds[i].entry = stream->kinds[i].entry != NULL ? stream->kinds[i].entry : entry;
        stream->kinds[i].is_scaled |= is_scaled;
    }
    stream->is_authors |= sow_judge_is_authors(j, entry);
}

/* Whether a norm stands on the stream, between this addition and the one before. */
static int is_normed_between(const struct sow_judgement *j, uint32_t flow, uint32_t before)
{
    const struct sow_node *node = made_by(j, flow);
    while (node->input_count > 0 && (size_t)(node - j->network->nodes) > before) {
        if (sow_is_norm(node->op)) {
            return 1;
        }
        node = made_by(j, node->inputs[0]);
    }
    return 0;
}

static void look_at_add(const struct sow_judgement *j, const struct sow_node *node,
                        const struct sow_matched_add *add, struct stream *stream)
{
    struct end ends[NESTED_MOST];
    size_t count = find_ends(j, add->branch, 1, ends);
    if (stream->begin == NULL) {
        stream->begin = value_of(j, made_by(j, add->stream));
    } else if (is_normed_between(j, add->stream, stream->last_add)) {
        stream->is_reset = 1;
    }
    stream->branches = add->branches;
    stream->last_add = (uint32_t)(node - j->network->nodes);
    for (size_t i = 0; i < count; i++) {
        int scaled =
            is_scaled(j, &ends[i], add->stream, SCALED / add->branches, &stream->has_norms);
        add_end(j, stream, sow_plan_at(j->plan, ends[i].node->parameters[0]), scaled);
    }
    stream->seen += count > 0;
    stream->last_branch = value_of(j, made_by(j, add->branch));
    stream->last_sum = value_of(j, node);
    if (stream->first_sum == NULL) {
        stream->first_branch = stream->last_branch;
        stream->first_sum = stream->last_sum;
        stream->first_node = node;
    }
}

/* ---- Telling ------------------------------------------------------------------------------------------- */

static double share_of(const struct sow_probe_value *branch, const struct sow_probe_value *sum)
{
    return sow_judge_exp2(branch->log2_second_moment - sum->log2_second_moment);
}

/* log2 of what the stream would grow to with E[w^2] / N at the ends. */
static double growth_scaled(const struct stream *stream, double growth)
{
    double n = stream->branches;
    if (stream->has_norms) {
        return growth > 100 ? growth - sow_judge_log2(n)
                            : sow_judge_log2(1 + (sow_judge_exp2(growth) - 1) / n);
    }
    double each = sow_judge_exp2(growth / n) - 1; /* what a branch adds to 1 */
    return n * sow_judge_log2(1 + each / n);
}

static void suggest(struct sow_judgement *j, const struct stream *stream, enum sow_rule rule)
{
    for (size_t i = 0; i < stream->kind_count; i++) {
        char pattern[600], scheme[64];
        const struct sow_plan_entry *entry = stream->kinds[i].entry;
        double square = sow_weights_of(entry, 0, 0).square / stream->branches;
        if (!stream->kinds[i].is_scaled) {
            sow_judge_generalise(entry->name, pattern, sizeof pattern);
            (void)snprintf(scheme, sizeof scheme, "normal{std=%.4g}", sow_sqrt(square));
            sow_judge_suggest(j, SOW_VERDICT_EXPLODE, rule, pattern, scheme);
        }
    }
}

/* "..., as those like h.0.out.weight are", or what the scale would do where none has it. */
static void say_scaled(const struct stream *stream, const struct kind *scaled, double growth,
                       char *text, size_t room)
{
    if (scaled != NULL) {
        (void)snprintf(text, room, " (those like %.200s are)", scaled->entry->name);
    } else {
        (void)snprintf(text, room, ", with 1/sqrt(%u) on these weights to 2^%.1f",
                       (unsigned)stream->branches, growth_scaled(stream, growth));
    }
}

static void say(struct sow_judgement *j, const struct stream *stream, const struct kind *plain,
                const struct kind *scaled, struct sow_verdict *verdict)
{
    char more[300];
    say_scaled(stream, scaled, verdict->number, more, sizeof more);
    sow_judge_reason(
        j, verdict,
        "the last weights of residual branches, such as %.200s, are not scaled with their number, "
        "%u%s: %s, and the stream grows to 2^%.1f times what it began with%s; the first branch is "
        "%.3g %% of the stream behind it, the last %.3g %%%s",
        plain->entry->name, (unsigned)stream->branches, scaled != NULL ? more : "",
        stream->has_norms ? "each adds as much as the first"
                          : "no norm stands before a branch, so that each multiplies the stream",
        verdict->number, scaled != NULL ? "" : more,
        100 * share_of(stream->first_branch, stream->first_sum),
        100 * share_of(stream->last_branch, stream->last_sum),
        stream->has_norms ? ". Behind norms that is no harm, only later branches count for less"
                          : "");
}

static void tell(struct sow_judgement *j, const struct stream *stream)
{
    double growth = stream->last_sum->log2_second_moment - stream->begin->log2_second_moment;
    double threshold = j->thresholds[SOW_THRESHOLD_STREAM];
    const struct kind *plain = NULL, *scaled = NULL;
    for (size_t i = 0; i < stream->kind_count; i++) {
        plain = plain == NULL && !stream->kinds[i].is_scaled ? &stream->kinds[i] : plain;
        scaled = scaled == NULL && stream->kinds[i].is_scaled ? &stream->kinds[i] : scaled;
    }
    if (plain == NULL || !(growth > GROWTH_LEAST) || growth - growth != 0) {
        return;
    }
    struct sow_verdict *verdict =
        sow_judge_add(j, SOW_VERDICT_EXPLODE, SOW_RULE_STREAM, stream->first_node->name,
                      stream->first_node->layer);
    if (verdict == NULL) {
        return;
    }
    int is_note = stream->has_norms || !(growth > threshold);
    verdict->severity = is_note ? SOW_SEVERITY_NOTE : SOW_SEVERITY_WARNING;
    verdict->number = growth;
    verdict->threshold = threshold;
    say(j, stream, plain, scaled, verdict);
    suggest(j, stream, SOW_RULE_STREAM);
    if (!stream->has_norms) { /* what the chain says follows from it */
        suggest(j, stream, SOW_RULE_ONLY);
        suggest(j, stream, SOW_RULE_GRADIENT);
    }
}

static int has_adds(const struct sow_network *network)
{
    size_t count = 0;
    for (size_t i = 0; i < network->node_count; i++) {
        count += network->nodes[i].op == SOW_OP_ADD;
    }
    return count >= BRANCHES_LEAST;
}

void sow_judge_streams(struct sow_judgement *j)
{
    const struct sow_graph *graph = sow_model_graph(j->model);
    struct sow_matching *matching = NULL;
    for (size_t i = 0; i < j->count; i++) {
        if (j->verdicts[i].rule == SOW_RULE_BRANCHES) {
            return; /* a family's, and told with its own numbers */
        }
    }
    if (!has_adds(j->network) || sow_matching_make(graph, &matching, NULL) != SOW_OK) {
        return; /* what cannot be walked is not judged */
    }
    struct stream *streams = calloc(graph->operation_count, sizeof *streams);
    j->out_of_memory |= streams == NULL;
    for (size_t i = 0; streams != NULL && i < graph->operation_count; i++) {
        struct sow_matched_add add;
        if (sow_matching_add(matching, i, &add) && add.branches >= BRANCHES_LEAST) {
            look_at_add(j, made_by(j, graph->operations[i].output), &add, &streams[add.first]);
        }
    }
    for (size_t i = 0; streams != NULL && i < graph->operation_count; i++) {
        const struct stream *stream = &streams[i];
        if (stream->branches > 0 && stream->seen == stream->branches && !stream->is_reset &&
            !stream->is_authors) {
            tell(j, stream);
        }
    }
    free(streams);
    sow_matching_free(matching);
}
