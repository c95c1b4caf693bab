/* SPDX-License-Identifier: MIT */
/* Model x rules -> plan: one entry a parameter, all numbers resolved. No number is drawn here and no
 * file is touched. */
#include "model/plan/inside.h"
#include "model/plan/resolve.h"
#include "core/base/error.h"
#include "model/graph/utf8.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static enum sow_status make_entry(struct sow_plan *plan, const struct sow_parameter *parameter,
                                  enum sow_dtype dtype, const struct sow_resolution *resolution,
                                  struct sow_plan_entry *entry, struct sow_error *error);
static enum sow_status copy_model_words(struct sow_plan *plan, const struct sow_model *model,
                                        struct sow_error *error);

/* What a parameter that fixes no dtype gets. */
static enum sow_status choose_dtype(const struct sow_model *model,
                                    const struct sow_plan_options *options, enum sow_dtype *dtype,
                                    struct sow_error *error)
{
    *dtype = options->dtype != 0 ? options->dtype : sow_model_dtype(model);
    if (*dtype == 0) {
        *dtype = SOW_F32;
    }
    if (sow_dtype_name(*dtype) == NULL) {
        return sow_fail(error, SOW_E_ARGUMENT, "%d is no dtype", (int)*dtype);
    }
    return SOW_OK;
}

static enum sow_status make_entries(struct sow_plan *plan, struct sow_model *model,
                                    const struct sow_plan_options *options, struct sow_rules *rules,
                                    struct sow_error *error)
{
    const struct sow_graph *graph = sow_model_graph(model);
    struct sow_resolver resolver = {.model = model, .plan = plan};
    enum sow_dtype dtype;
    enum sow_status status = choose_dtype(model, options, &dtype, error);
    for (size_t i = 0; i < graph->parameter_count && status == SOW_OK; i++) {
        const struct sow_parameter *parameter = &graph->parameters[i];
        struct sow_rule_match match;
        memset(&match, 0, sizeof match);
        status = sow_rules_match(rules, i, &match, error);
        if (status == SOW_OK) {
            status =
                sow_resolver_resolve(&resolver, parameter, &match, &plan->resolutions[i], error);
        }
        if (status == SOW_OK) {
            status = make_entry(plan, parameter, parameter->dtype != 0 ? parameter->dtype : dtype,
                                plan->resolutions[i], &plan->entries[i], error);
        }
    }
    sow_resolver_free(&resolver);
    return status;
}

enum sow_status sow_plan_make(struct sow_model *model, const struct sow_plan_options *options,
                              struct sow_plan **plan, struct sow_error *error)
{
    static const struct sow_plan_options defaults = {0};
    options = options != NULL ? options : &defaults;
    size_t count = sow_model_graph(model)->parameter_count;
    struct sow_rules *rules = NULL;
    enum sow_status status = sow_rules_make(model, options, &rules, error);
    if (status != SOW_OK) {
        return status;
    }
    struct sow_plan *made = sow_plan_new(options->seed, count);
    if (made != NULL) {
        made->resolutions = calloc(count > 0 ? count : 1, sizeof(*made->resolutions));
    }
    if (made == NULL || made->resolutions == NULL) {
        status = sow_fail(error, SOW_E_MEMORY, "out of memory for a plan of %zu tensors", count);
        goto free_rules;
    }
    status = make_entries(made, model, options, rules, error);
    status = status != SOW_OK      ? status
             : options->may_shadow ? sow_rules_check_fit(rules, error)
                                   : sow_rules_check_used(rules, error);
    status = status != SOW_OK ? status : copy_model_words(made, model, error);
    status = status != SOW_OK ? status : sow_plan_finish(made, SOW_E_CONFIG, error);
free_rules:
    sow_rules_free(rules);
    if (status != SOW_OK) {
        sow_plan_free(made);
        return status;
    }
    *plan = made;
    return SOW_OK;
}

/* ---- Entries -------------------------------------------------------------------------------- */

static enum sow_status copy_name(struct sow_plan *plan, const struct sow_parameter *parameter,
                                 const char *name, const char **copy, struct sow_error *error)
{
    size_t length = strlen(name), valid = sow_utf8_end(name, length);
    if (valid < length) {
        return sow_fail_at(error, SOW_E_CONFIG, parameter->file, parameter->line, 0,
                           "byte %zu of the tensor name `%s` is no UTF-8", valid, name);
    }
    if (length == 0) {
        return sow_fail_at(error, SOW_E_CONFIG, parameter->file, parameter->line, 0,
                           "a tensor has no name");
    }
    *copy = sow_arena_copy(&plan->arena, name, length);
    return *copy != NULL ? SOW_OK : sow_fail(error, SOW_E_MEMORY, "out of memory for names");
}

static enum sow_status make_entry(struct sow_plan *plan, const struct sow_parameter *parameter,
                                  enum sow_dtype dtype, const struct sow_resolution *resolution,
                                  struct sow_plan_entry *entry, struct sow_error *error)
{
    enum sow_status status = copy_name(plan, parameter, parameter->name, &entry->name, error);
    if (status != SOW_OK) {
        return status;
    }
    entry->key = entry->name;
    if (parameter->key != NULL && strcmp(parameter->key, parameter->name) != 0) {
        status = copy_name(plan, parameter, parameter->key, &entry->key, error);
        if (status != SOW_OK) {
            return status;
        }
    }
    entry->tensor = *parameter->tensor;
    entry->dtype = dtype;
    entry->layer = parameter->layer;
    entry->scheme = resolution->scheme;
    entry->scheme_text = resolution->scheme_text;
    entry->draw = resolution->draw;
    entry->regions = resolution->region_count > 0 ? resolution->regions : NULL;
    entry->region_count = resolution->region_count;
    entry->fan_in = resolution->fan_in;
    entry->fan_out = resolution->fan_out;
    entry->rule = resolution->rule;
    entry->rule_file = resolution->rule_file;
    entry->rule_line = resolution->rule_line;
    entry->reason = resolution->reason;
    status = sow_plan_measure(plan, entry, SOW_E_SHAPE, error);
    status = status != SOW_OK ? status : sow_plan_check_dtype(entry, SOW_E_RULE, error);
    return status != SOW_OK ? status : sow_plan_check_finite(entry, error);
}

/* ---- The plan as a whole -------------------------------------------------------------------- */

struct sow_plan *sow_plan_new(uint64_t seed, size_t count)
{
    struct sow_plan *plan = calloc(1, sizeof *plan);
    if (plan == NULL) {
        return NULL;
    }
    plan->seed = seed;
    plan->count = count;
    plan->entries = calloc(count > 0 ? count : 1, sizeof *plan->entries);
    if (plan->entries == NULL) {
        free(plan);
        return NULL;
    }
    return plan;
}

const char *sow_plan_share(struct sow_plan *plan, const char *string)
{
    if (string == NULL || *string == '\0') {
        return "";
    }
    size_t length = strlen(string);
    const char **recent = &plan->recent[XXH3_64bits(string, length) % SOW_PLAN_RECENT];
    if (*recent == NULL || strcmp(*recent, string) != 0) {
        *recent = sow_arena_copy(&plan->arena, string, length);
    }
    return *recent;
}

static int copy_ties(struct sow_plan *plan, const struct sow_graph *graph)
{
    plan->ties = sow_arena_take(&plan->arena, (graph->tie_count + 1) * sizeof *plan->ties);
    int failed = plan->ties == NULL;
    for (size_t i = 0; i < graph->tie_count && !failed; i++) {
        const char *name = graph->ties[i].name, *to = graph->ties[i].to;
        plan->ties[i].name = sow_arena_copy(&plan->arena, name, strlen(name));
        plan->ties[i].to = sow_arena_copy(&plan->arena, to, strlen(to));
        plan->tie_count++;
        failed = plan->ties[i].name == NULL || plan->ties[i].to == NULL;
    }
    return failed;
}

static enum sow_status copy_model_words(struct sow_plan *plan, const struct sow_model *model,
                                        struct sow_error *error)
{
    while (sow_model_note(model, plan->note_count) != NULL) {
        plan->note_count++;
    }
    plan->notes = sow_arena_take(&plan->arena, (plan->note_count + 1) * sizeof(*plan->notes));
    int failed = plan->notes == NULL || copy_ties(plan, sow_model_graph(model));
    for (size_t i = 0; i < plan->note_count && !failed; i++) {
        plan->notes[i] = sow_plan_share(plan, sow_model_note(model, i));
        failed = plan->notes[i] == NULL;
    }
    return failed ? sow_fail(error, SOW_E_MEMORY, "out of memory for the model's notes") : SOW_OK;
}

void sow_plan_free(struct sow_plan *plan)
{
    if (plan == NULL) {
        return;
    }
    sow_arena_free(&plan->arena);
    free(plan->slots);
    free(plan->resolutions);
    free(plan->entries);
    free(plan);
}

size_t sow_plan_count(const struct sow_plan *plan)
{
    return plan->count;
}

const struct sow_plan_entry *sow_plan_at(const struct sow_plan *plan, size_t index)
{
    return index < plan->count ? &plan->entries[index] : NULL;
}

uint64_t sow_plan_seed(const struct sow_plan *plan)
{
    return plan->seed;
}

uint64_t sow_plan_parameters(const struct sow_plan *plan)
{
    return plan->parameters;
}

uint64_t sow_plan_buffers(const struct sow_plan *plan)
{
    return plan->buffers;
}

uint64_t sow_plan_bytes(const struct sow_plan *plan)
{
    return plan->bytes;
}

const char *sow_plan_hash(const struct sow_plan *plan)
{
    return plan->hash;
}
