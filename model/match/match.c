/* SPDX-License-Identifier: MIT */
/* The variant `matched` as a whole: the passes in order, and the answer for one parameter. */
#include "model/match/inside.h"

#include "core/base/elementary.h"
#include "core/base/error.h"
#include "core/tensor/tensor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static const char *kind_at(const void *context, size_t index)
{
    (void)context;
    return sow_walk_kind(index);
}

static enum sow_status unknown_kind(const struct sow_operation *operation, struct sow_error *error)
{
    const char *nearest = sow_nearest(operation->kind, kind_at, NULL);
    return sow_fail_at(error, SOW_E_CONFIG, operation->file, operation->line, 0,
                       "the variant matched does not know what the operation %.60s does to a "
                       "signal%s%s; take another variant, or rules of your own",
                       operation->kind, nearest != NULL ? "; near is " : "",
                       nearest != NULL ? nearest : "");
}

static enum sow_status find_walks(struct sow_matching *matching, struct sow_error *error)
{
    const struct sow_graph *graph = matching->graph;
    for (size_t i = 0; i < graph->operation_count; i++) {
        const struct sow_operation *operation = &graph->operations[i];
        const struct sow_walk_row *row = sow_walk_find(operation->kind);
        if (row == NULL) {
            return unknown_kind(operation, error);
        }
        matching->sites[i].walk = row->walk;
        matching->sites[i].operation = operation;
    }
    return SOW_OK;
}

/* Parameters that one operation looks rows up in and another weighs with. */
static enum sow_status find_tied(struct sow_matching *matching, struct sow_error *error)
{
    const struct sow_graph *graph = matching->graph;
    uint8_t *uses = calloc(graph->parameter_count + 1, 1);
    if (uses == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory while walking the graph");
    }
    for (size_t i = 0; i < graph->operation_count; i++) {
        const struct sow_site *site = &matching->sites[i];
        for (uint32_t j = 0; j < site->operation->parameter_count; j++) {
            uses[site->operation->parameters[j]] |= site->walk == SOW_WALK_LOOKUP   ? 1
                                                    : site->walk == SOW_WALK_WEIGHT ? 2
                                                                                    : 0;
            if (site->walk == SOW_WALK_WEIGHT) {
                matching->choices[site->operation->parameters[j]].head = (uint32_t)i;
            }
        }
    }
    for (size_t i = 0; i < graph->parameter_count; i++) {
        matching->choices[i].tied = uses[i] == 3;
        matching->choices[i].site = SOW_NO_SITE;
    }
    free(uses);
    return SOW_OK;
}

enum sow_status sow_matching_make(const struct sow_graph *graph, struct sow_matching **matching,
                                  struct sow_error *error)
{
    if (graph->operation_count == 0) {
        return sow_fail(error, SOW_E_ARGUMENT,
                        "the variant matched reads what each weight feeds off the model's graph, "
                        "and this source has none; take a config.json or a model.lua");
    }
    struct sow_matching *made = calloc(1, sizeof *made);
    if (made != NULL) {
        made->graph = graph;
        made->sites = calloc(graph->operation_count, sizeof *made->sites);
        made->choices = calloc(graph->parameter_count + 1, sizeof *made->choices);
    }
    enum sow_status status = SOW_OK;
    if (made == NULL || made->sites == NULL || made->choices == NULL) {
        status = sow_fail(error, SOW_E_MEMORY, "out of memory while walking the graph");
    }
    status = status == SOW_OK ? find_walks(made, error) : status;
    status = status == SOW_OK ? find_tied(made, error) : status;
    status = status == SOW_OK ? sow_find_streams(made, error) : status;
    status = status == SOW_OK ? sow_find_needs(made, error) : status;
    if (status == SOW_OK) {
        sow_find_runs(made);
        status = sow_find_flow(made, error);
    }
    if (status != SOW_OK) {
        sow_matching_free(made);
        return status;
    }
    *matching = made;
    return SOW_OK;
}

void sow_matching_free(struct sow_matching *matching)
{
    if (matching == NULL) {
        return;
    }
    sow_arena_free(&matching->arena);
    free(matching->sites);
    free(matching->choices);
    free(matching);
}

/* ---- One parameter ------------------------------------------------------------------------------- */

static void set(struct sow_matched *matched, const char *scheme)
{
    matched->scheme = scheme;
    matched->argument_count = 0;
}

static void add(struct sow_matched *matched, const char *name, const char *text, double number)
{
    matched->arguments[matched->argument_count++] =
        (struct sow_argument){.name = name, .text = text, .number = number};
}

/* The gain of what follows by its name, where it is that and nothing else. */
static int write_by_name(const struct sow_matching *matching, const struct sow_choice *choice,
                         struct sow_matched *matched)
{
    struct sow_function function;
    if (choice->law != SOW_LAW_HE) {
        return 0;
    }
    const struct sow_site *after = &matching->sites[matching->sites[choice->site].need.site];
    if (sow_activation_of(matching, after->operation, &function, NULL) != SOW_OK) {
        return 0;
    }
    const struct sow_activation *row = function.activation;
    if (row == NULL) { /* an expression: its gain as a number */
        return 0;
    }
    int sloped = row->parameter_count == 1 && strcmp(row->parameters[0].name, "slope") == 0;
    double gain = sow_sqrt(1 / choice->left);
    if ((row->parameter_count > 0 && !sloped) || row->is_gate ||
        !(fabs(gain - choice->number) <= 1e-12 * gain)) {
        return 0;
    }
    set(matched, "he_normal");
    if (strcmp(row->name, "relu") != 0) {
        add(matched, "activation", row->name, 0);
    }
    if (sloped) {
        add(matched, "slope", NULL, function.parameters[0]);
    }
    return 1;
}

static void write_scheme(const struct sow_matching *matching, const struct sow_choice *choice,
                         struct sow_matched *matched)
{
    if (write_by_name(matching, choice, matched)) {
        return;
    }
    switch (choice->law) {
    case SOW_LAW_NONE:
        set(matched, "zeros");
        break;
    case SOW_LAW_FAN_IN:
    case SOW_LAW_HE:
    case SOW_LAW_GLOROT:
        set(matched, choice->law == SOW_LAW_HE       ? "he_normal"
                     : choice->law == SOW_LAW_GLOROT ? "glorot_normal"
                                                     : "lecun_normal");
        if (choice->law == SOW_LAW_HE || choice->number != 1) {
            add(matched, "gain", NULL, choice->number);
        }
        break;
    case SOW_LAW_STD:
    case SOW_LAW_BIAS:
        set(matched, "normal");
        add(matched, "std", NULL, choice->number);
        break;
    case SOW_LAW_VALUE:
        set(matched, choice->number == 1 ? "ones" : choice->number == 0 ? "zeros" : "constant");
        if (choice->number != 1 && choice->number != 0) {
            add(matched, "value", NULL, choice->number);
        }
        break;
    }
}

static enum sow_status unknown_use(const struct sow_parameter *parameter, struct sow_error *error)
{
    return sow_fail_at(error, SOW_E_RULE, parameter->file, parameter->line, 0,
                       "the variant matched cannot tell what the tensor %.300s %s is for: no "
                       "operation of the graph uses it in a way it knows; say how it starts: "
                       "--set '%.300s=normal{std=0.02}'",
                       parameter->name,
                       sow_shape_text(parameter->tensor->shape, parameter->tensor->rank).text,
                       parameter->name);
}

enum sow_status sow_matching_at(struct sow_matching *matching, size_t index,
                                struct sow_matched *matched, struct sow_error *error)
{
    const struct sow_parameter *parameter = &matching->graph->parameters[index];
    const struct sow_choice *choice = &matching->choices[index];
    char text[768];
    if (choice->law == SOW_LAW_NONE && parameter->tensor->kind != SOW_KIND_BIAS) {
        return unknown_use(parameter, error);
    }
    write_scheme(matching, choice, matched);
    sow_match_words(matching, index, text, sizeof text);
    size_t length = strlen(text);
    const char **recent = &matching->recent[XXH3_64bits(text, length) % 256];
    if (*recent == NULL || strcmp(*recent, text) != 0) {
        *recent = sow_arena_copy(&matching->arena, text, length);
    }
    matched->reason = *recent;
    return matched->reason != NULL
               ? SOW_OK
               : sow_fail(error, SOW_E_MEMORY, "out of memory while giving reasons");
}

int sow_matching_add(const struct sow_matching *matching, size_t operation,
                     struct sow_matched_add *add)
{
    const struct sow_site *site = &matching->sites[operation];
    if (site->walk != SOW_WALK_ADD || site->branch == SOW_NO_SITE || site->projected) {
        return 0;
    }
    *add = (struct sow_matched_add){site->operation->inputs[1 - site->branch],
                                    site->operation->inputs[site->branch], site->stream,
                                    matching->sites[site->stream].branches};
    return 1;
}
