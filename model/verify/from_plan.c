/* SPDX-License-Identifier: MIT */
/* A plan against headers, both ways: what the checkpoint lacks, what it has besides, what differs in shape or dtype. */
#include "model/verify/expected.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "core/tensor/tensor.h"
#include "model/checkpoint/scan.h"

/* Names in a message: the first three, and how many there are. */
struct list {
    char text[3 * (SOW_QUOTE_MAX + 4)];
    size_t count;
};

static void list_add(struct list *list, const char *name)
{
    char quoted[SOW_QUOTE_MAX];
    size_t used = strlen(list->text);
    if (list->count < 3) {
        snprintf(list->text + used, sizeof list->text - used, "%s`%.60s`", used == 0 ? "" : ", ",
                 sow_quote(name, quoted));
    } else if (list->count == 3) {
        snprintf(list->text + used, sizeof list->text - used, ", ...");
    }
    list->count++;
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* Plan entries that no header lists. */
static enum sow_status find_missing(const struct sow_st_set *set, const struct sow_plan *plan,
                                    struct list *missing, struct sow_error *error)
{
    size_t used = 0;
    const char **names = calloc(set->tensors + 1, sizeof names[0]);
    if (names == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "no memory for %zu names", set->tensors);
    }
    for (size_t i = 0; i < set->count; i++) {
        for (size_t j = 0; j < sow_st_count(set->files[i].header); j++) {
            names[used++] = sow_st_at(set->files[i].header, j)->name;
        }
    }
    qsort(names, used, sizeof names[0], compare_names);
    for (size_t i = 0; i < sow_plan_count(plan); i++) {
        const char *name = sow_plan_at(plan, i)->name;
        if (bsearch(&name, names, used, sizeof names[0], compare_names) == NULL) {
            list_add(missing, name);
        }
    }
    free(names);
    return SOW_OK;
}

static int same_shape(const struct sow_st_tensor *tensor, const struct sow_plan_entry *entry)
{
    int same = tensor->rank == entry->tensor.rank;
    for (uint32_t axis = 0; same && axis < tensor->rank; axis++) {
        same = tensor->shape[axis] == entry->tensor.shape[axis];
    }
    return same;
}

/* What is wrong with the first tensor that is wrong. */
static void describe(const struct sow_st_tensor *tensor, const struct sow_plan_entry *entry,
                     char *text, size_t text_bytes)
{
    char quoted[SOW_QUOTE_MAX];
    if (!same_shape(tensor, entry)) {
        struct sow_shape_text found = sow_shape_text(tensor->shape, tensor->rank);
        struct sow_shape_text planned = sow_shape_text(entry->tensor.shape, entry->tensor.rank);
        snprintf(text, text_bytes, "tensor `%s` has shape %.90s, the plan says %.90s",
                 sow_quote(tensor->name, quoted), found.text, planned.text);
    } else {
        snprintf(text, text_bytes, "tensor `%s` is %s, the plan says %s (--dtype)",
                 sow_quote(tensor->name, quoted), sow_dtype_name(tensor->dtype),
                 sow_dtype_name(entry->dtype));
    }
}

static enum sow_status fail_names(const struct list *missing, const struct list *extra,
                                  struct sow_error *error)
{
    char lacks[600] = "", besides[600] = "";
    if (missing->count > 0) {
        snprintf(lacks, sizeof lacks, "lacks %zu tensor%s of the plan: %s", missing->count,
                 missing->count == 1 ? "" : "s", missing->text);
    }
    if (extra->count > 0) {
        snprintf(besides, sizeof besides, "%sholds %zu tensor%s that the plan lacks: %s",
                 missing->count > 0 ? "; and " : "", extra->count, extra->count == 1 ? "" : "s",
                 extra->text);
    }
    return sow_fail(error, SOW_E_MISMATCH, "the checkpoint %.340s%.340s", lacks, besides);
}

enum sow_status sow_expected_from_plan(const struct sow_st_set *set, const struct sow_plan *plan,
                                       struct sow_expected *expected,
                                       struct sow_verify_report *report, struct sow_error *error)
{
    struct list missing = {"", 0}, extra = {"", 0};
    char first[512] = "";
    size_t wrong = 0;
    report->seed = sow_plan_seed(plan);
    snprintf(report->plan_hash, sizeof report->plan_hash, "%s", sow_plan_hash(plan));
    enum sow_status status = find_missing(set, plan, &missing, error);
    for (size_t i = 0; i < set->count && status == SOW_OK; i++) {
        struct sow_stream *stream = &expected->streams[i];
        stream->seed = report->seed;
        for (size_t j = 0; j < stream->count; j++) {
            const struct sow_st_tensor *tensor = sow_st_at(set->files[i].header, j);
            const struct sow_plan_entry *entry = sow_plan_find(plan, tensor->name, NULL);
            stream->entries[j] = entry;
            if (entry == NULL) {
                list_add(&extra, tensor->name);
            } else if (!same_shape(tensor, entry) || tensor->dtype != entry->dtype) {
                if (wrong++ == 0) {
                    describe(tensor, entry, first, sizeof first);
                    snprintf(report->tensor, sizeof report->tensor, "%.511s", tensor->name);
                }
            }
        }
    }
    report->differing_tensors = missing.count + extra.count + wrong;
    if (status == SOW_OK && missing.count + extra.count > 0) {
        return fail_names(&missing, &extra, error);
    }
    if (status == SOW_OK && wrong > 0) {
        return sow_fail(error, SOW_E_MISMATCH, "%s; %zu of %zu tensors differ so", first, wrong,
                        set->tensors);
    }
    return status;
}
