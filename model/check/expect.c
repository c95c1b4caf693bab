/* SPDX-License-Identifier: MIT */
/* The entries of the file's tensors, from a description or from the record in the file. */
#include "model/check/expect.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "core/tensor/tensor.h"
#include "model/verify/expected.h"

struct sow_check_expect {
    struct sow_model *model;
    struct sow_plan *plan;
    struct sow_expected record;
    int has_record;
    struct sow_name_index index;
};

/* ---- Names ---------------------------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b, void *user)
{
    const struct sow_check_run *run = user;
    return strcmp(run->tensors[*(const size_t *)a].header->name,
                  run->tensors[*(const size_t *)b].header->name);
}

static enum sow_status make_index(struct sow_name_index *index, struct sow_check_run *run,
                                  struct sow_error *error)
{
    index->run = run;
    index->order = calloc(run->count + 1, sizeof index->order[0]);
    if (index->order == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "no memory for %zu names", run->count);
    }
    for (size_t i = 0; i < run->count; i++) {
        index->order[i] = i;
    }
    qsort_r(index->order, run->count, sizeof index->order[0], compare_names, run);
    return SOW_OK;
}

static size_t find_exactly(const struct sow_name_index *index, const char *name)
{
    size_t low = 0, high = index->run->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2, tensor = index->order[middle];
        int order = strcmp(index->run->tensors[tensor].header->name, name);
        if (order == 0) {
            return tensor;
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return SIZE_MAX;
}

size_t sow_name_index_find(const struct sow_name_index *index, const char *name)
{
    size_t found = find_exactly(index, name), lacking = strlen(index->lacks);
    char longer[1024];
    if (found == SIZE_MAX && lacking > 0 && strncmp(name, index->lacks, lacking) == 0) {
        found = find_exactly(index, name + lacking);
    }
    if (found == SIZE_MAX && index->extra[0] != '\0' &&
        (size_t)snprintf(longer, sizeof longer, "%s%s", index->extra, name) < sizeof longer) {
        found = find_exactly(index, longer);
    }
    return found;
}

static int same_shape(const struct sow_st_tensor *found, const struct sow_tensor *expected)
{
    return found->rank == expected->rank &&
           memcmp(found->shape, expected->shape, found->rank * sizeof found->shape[0]) == 0;
}

size_t sow_check_differences(const struct sow_name_index *index, const struct sow_graph *graph)
{
    size_t found = 0, wrong = 0;
    for (size_t i = 0; i < graph->parameter_count; i++) {
        const struct sow_parameter *parameter = &graph->parameters[i];
        size_t at = sow_name_index_find(index, parameter->name);
        found += at != SIZE_MAX;
        wrong += at == SIZE_MAX || !same_shape(index->run->tensors[at].header, parameter->tensor);
    }
    for (size_t i = 0; i < graph->tie_count; i++) {
        found += sow_name_index_find(index, graph->ties[i].name) != SIZE_MAX;
    }
    for (size_t i = 0; i < index->run->count; i++) {
        /* buffers that some versions save are no difference */
        found +=
            index->run->tensors[i].entry == NULL && index->run->tensors[i].kind == SOW_NAME_BUFFER;
    }
    return wrong + (index->run->count > found ? index->run->count - found : 0);
}

/* ---- Findings ------------------------------------------------------------------------------------- */

static void find_missing(struct sow_check_run *run, const struct sow_parameter *parameter,
                         size_t order)
{
    struct sow_shape_text shape = sow_shape_text(parameter->tensor->shape, parameter->tensor->rank);
    sow_findings_add(
        run->findings,
        &(struct sow_raw_finding){
            .code = SOW_CODE_MISSING,
            .name = sow_findings_keep(run->findings, "%s", parameter->name),
            .order = order,
            .expected = NAN,
            .found = NAN,
            .element = UINT64_MAX,
            .text = sow_findings_keep(run->findings, "expected with shape %.90s, not in the file",
                                      shape.text),
        });
}

static void find_extra(struct sow_check_run *run, size_t tensor)
{
    const struct sow_st_tensor *header = run->tensors[tensor].header;
    struct sow_shape_text shape = sow_shape_text(header->shape, header->rank);
    sow_check_find(run, tensor,
                   (struct sow_raw_finding){
                       .code = SOW_CODE_EXTRA,
                       .is_note = run->tensors[tensor].kind == SOW_NAME_BUFFER,
                       .expected = NAN,
                       .found = NAN,
                       .element = UINT64_MAX,
                       .text = sow_findings_keep(run->findings,
                                                 "shape %.90s, %s: the source has no such tensor",
                                                 shape.text, sow_dtype_name(header->dtype)),
                   });
}

static void find_shape(struct sow_check_run *run, size_t tensor, const struct sow_tensor *expected)
{
    const struct sow_st_tensor *header = run->tensors[tensor].header;
    struct sow_shape_text is = sow_shape_text(header->shape, header->rank);
    struct sow_shape_text should = sow_shape_text(expected->shape, expected->rank);
    uint64_t before = expected->rank > 0 ? expected->shape[0] : 0,
             rows = header->rank > 0 ? header->shape[0] : 0;
    int padded = run->tensors[tensor].kind == SOW_NAME_EMBEDDING && rows > before &&
                 rows - before <= 1024 && rows % 64 == 0;
    int transposed = header->rank == 2 && expected->rank == 2 &&
                     header->shape[0] == expected->shape[1] &&
                     header->shape[1] == expected->shape[0];
    sow_check_find(run, tensor,
                   (struct sow_raw_finding){
                       .code = SOW_CODE_SHAPE,
                       .expected = NAN,
                       .found = NAN,
                       .element = UINT64_MAX,
                       .cause = transposed ? "stored transposed"
                                : padded   ? "the vocabulary was padded to a multiple of 64 or 128"
                                           : NULL,
                       .text = sow_findings_keep(run->findings, "shape %.90s, expected %.90s",
                                                 is.text, should.text),
                   });
}

static void find_dtype(struct sow_check_run *run, size_t tensor, enum sow_dtype expected)
{
    sow_check_find(run, tensor,
                   (struct sow_raw_finding){
                       .code = SOW_CODE_DTYPE,
                       .expected = NAN,
                       .found = NAN,
                       .element = UINT64_MAX,
                       .text = sow_findings_keep(run->findings, "stored as %s, expected %s",
                                                 sow_dtype_name(run->tensors[tensor].header->dtype),
                                                 sow_dtype_name(expected)),
                   });
}

/* ---- From a description ----------------------------------------------------------------------------- */

/* Names and shapes of `graph` against the file; tells what differs. */
static void compare_graph(struct sow_check_run *run, const struct sow_name_index *index,
                          const struct sow_graph *graph, unsigned char *seen)
{
    for (size_t i = 0; i < graph->parameter_count; i++) {
        const struct sow_parameter *parameter = &graph->parameters[i];
        size_t at = sow_name_index_find(index, parameter->name);
        if (at == SIZE_MAX) {
            find_missing(run, parameter, i);
            continue;
        }
        seen[at] = 1;
        if (!same_shape(run->tensors[at].header, parameter->tensor)) {
            find_shape(run, at, parameter->tensor);
        }
    }
    for (size_t i = 0; i < graph->tie_count; i++) {
        size_t at = sow_name_index_find(index, graph->ties[i].name);
        if (at != SIZE_MAX) {
            seen[at] = 1;
        }
    }
    for (size_t i = 0; i < run->count; i++) {
        if (!seen[i]) {
            find_extra(run, i);
        }
    }
}

static enum sow_status compare_names_and_shapes(struct sow_check_run *run,
                                                struct sow_check_expect *expect,
                                                const struct sow_plan_options *options,
                                                struct sow_error *error)
{
    const struct sow_graph *graph = sow_model_graph(expect->model);
    struct sow_model *other = NULL;
    unsigned char *seen = calloc(run->count + 1, 1);
    enum sow_status status = SOW_OK;
    if (seen == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "no memory for %zu names", run->count);
    }
    sow_check_prefix(run, &expect->index, graph);
    size_t differences = sow_check_differences(&expect->index, graph);
    if (differences > 0) {
        status =
            sow_check_field(run, &expect->index, run->options->source, differences, &other, error);
    }
    if (status == SOW_OK && other != NULL) { /* the rest is judged as if the field were right */
        sow_model_free(expect->model);
        expect->model = other;
        sow_plan_free(expect->plan);
        expect->plan = NULL;
        status = sow_plan_make(other, options, &expect->plan, error);
    }
    if (status == SOW_OK) {
        compare_graph(run, &expect->index, sow_model_graph(expect->model), seen);
    }
    free(seen);
    return status;
}

/* Entries where names and shapes agree; dtypes where someone asked for one. */
static void take_entries(struct sow_check_run *run, const struct sow_check_expect *expect)
{
    int is_asked = (run->options->plan != NULL && run->options->plan->dtype != 0) ||
                   sow_model_dtype(expect->model) != 0;
    for (size_t i = 0; i < sow_plan_count(expect->plan); i++) {
        const struct sow_plan_entry *entry = sow_plan_at(expect->plan, i);
        size_t at = sow_name_index_find(&expect->index, entry->name);
        run->layers = entry->layer + 1 > run->layers ? entry->layer + 1 : run->layers;
        if (at == SIZE_MAX || !same_shape(run->tensors[at].header, &entry->tensor)) {
            continue;
        }
        run->tensors[at].entry = entry;
        if (run->tensors[at].header->dtype != entry->dtype && is_asked) {
            find_dtype(run, at, entry->dtype);
        }
    }
}

static enum sow_status take_ties(struct sow_check_run *run, const struct sow_check_expect *expect,
                                 struct sow_error *error)
{
    const struct sow_graph *graph = sow_model_graph(expect->model);
    run->ties = calloc(graph->tie_count + 1, sizeof run->ties[0]);
    if (run->ties == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "no memory for %zu ties", graph->tie_count);
    }
    for (size_t i = 0; i < graph->tie_count; i++) {
        size_t a = sow_name_index_find(&expect->index, graph->ties[i].name);
        size_t b = sow_name_index_find(&expect->index, graph->ties[i].to);
        if (a != SIZE_MAX && b != SIZE_MAX) {
            run->ties[run->tie_count++] = (struct sow_check_tie){a, b};
            run->tensors[a].is_tied = 1;
        }
    }
    return SOW_OK;
}

static const char *used_variant(const struct sow_check_run *run, const struct sow_model *model)
{
    const struct sow_variant *variant;
    const char *asked = run->options->plan == NULL ? NULL : run->options->plan->variant;
    for (size_t i = 0; asked == NULL && (variant = sow_model_variant(model, i)) != NULL; i++) {
        asked = variant->is_default ? variant->name : NULL;
    }
    return asked;
}

/* The plans of all variants but the one in use. Those that cannot be made are left out. */
static enum sow_status plan_others(struct sow_check_run *run, const struct sow_check_expect *expect,
                                   const struct sow_plan_options *options, struct sow_error *error)
{
    const struct sow_variant *variant;
    const char *used = used_variant(run, expect->model);
    size_t count = 0;
    while (sow_model_variant(expect->model, count) != NULL) {
        count++;
    }
    run->others = calloc(count + 1, sizeof run->others[0]);
    run->other_names = calloc(count + 1, sizeof run->other_names[0]);
    if (run->others == NULL || run->other_names == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "no memory for %zu variants", count);
    }
    for (size_t i = 0; (variant = sow_model_variant(expect->model, i)) != NULL; i++) {
        struct sow_plan_options other = *options;
        other.variant = variant->name;
        if ((used == NULL || strcmp(used, variant->name) != 0) &&
            sow_plan_make(expect->model, &other, &run->others[run->other_count], NULL) == SOW_OK) {
            run->other_names[run->other_count++] = variant->name;
        }
    }
    return SOW_OK;
}

static enum sow_status from_source(struct sow_check_run *run, struct sow_check_expect *expect,
                                   const char **against, struct sow_error *error)
{
    static const struct sow_plan_options defaults = {0};
    const struct sow_plan_options *options =
        run->options->plan == NULL ? &defaults : run->options->plan;
    enum sow_status status =
        sow_model_load(run->options->source, run->options->model, &expect->model, error);
    if (status == SOW_OK) {
        status = sow_plan_make(expect->model, options, &expect->plan, error);
    }
    if (status == SOW_OK) {
        status = compare_names_and_shapes(run, expect, options, error);
    }
    if (status == SOW_OK) {
        take_entries(run, expect);
        status = take_ties(run, expect, error);
    }
    if (status == SOW_OK) {
        status = plan_others(run, expect, options, error);
    }
    if (status == SOW_OK) {
        const char *variant = used_variant(run, expect->model);
        run->has_law = 1;
        *against = sow_findings_keep(run->findings, variant != NULL ? "%s, variant %s" : "%s",
                                     run->options->source, variant);
    }
    return status;
}

/* ---- From the record ------------------------------------------------------------------------------ */

static int has_record(const struct sow_st_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        if (sow_st_metadata(set->files[i].header, "sow.plan") != NULL) {
            return 1;
        }
    }
    return 0;
}

static enum sow_status from_record(struct sow_check_run *run, struct sow_check_expect *expect,
                                   const char **against, struct sow_error *error)
{
    struct sow_verify_report report = {0};
    struct sow_error problem;
    size_t tensor = 0;
    enum sow_status status = sow_expected_make(run->set, NULL, &expect->record, &report, &problem);
    if (status == SOW_E_MEMORY) {
        return sow_fail(error, status, "%s", problem.message);
    }
    if (status != SOW_OK) {
        sow_findings_add(
            run->findings,
            &(struct sow_raw_finding){
                .code = SOW_CODE_RECORD,
                .name = sow_findings_keep(run->findings, "%s", run->set->files[0].name),
                .text = sow_findings_keep(run->findings, "%s", problem.message),
                .expected = NAN,
                .found = NAN,
                .element = UINT64_MAX,
            });
        return SOW_OK;
    }
    expect->has_record = 1;
    for (size_t i = 0; i < expect->record.file_count; i++) {
        for (size_t j = 0; j < expect->record.streams[i].count; j++, tensor++) {
            struct sow_check_tensor *of = &run->tensors[tensor];
            of->entry = expect->record.streams[i].entries[j];
            if (of->name.count > 0 && of->name.numbers[0] < 100000 &&
                (int32_t)of->name.numbers[0] + 1 > run->layers) {
                run->layers = (int32_t)of->name.numbers[0] + 1;
            }
        }
    }
    run->has_law = 1;
    *against = "the record in the file";
    return SOW_OK;
}

enum sow_status sow_check_expect(struct sow_check_run *run, struct sow_check_expect **expect,
                                 const char **against, struct sow_error *error)
{
    struct sow_check_expect *made = calloc(1, sizeof *made);
    *expect = made;
    *against = "";
    if (made == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "no memory for what is expected");
    }
    enum sow_status status = make_index(&made->index, run, error);
    if (status == SOW_OK && run->options->source != NULL) {
        return from_source(run, made, against, error);
    }
    if (status == SOW_OK && !run->options->no_record && has_record(run->set)) {
        return from_record(run, made, against, error);
    }
    return status;
}

void sow_check_expect_end(struct sow_check_expect *expect)
{
    if (expect != NULL) {
        sow_plan_free(expect->plan);
        sow_model_free(expect->model);
        if (expect->has_record) {
            sow_expected_free(&expect->record);
        }
        free(expect->index.order);
        free(expect);
    }
}
