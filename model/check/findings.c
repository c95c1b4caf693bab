/* SPDX-License-Identifier: MIT */
/* Keeping, sorting and folding of findings. One that differs from another in nothing but the numbers of its name and its
 * measured numbers joins it. */
#include "model/check/findings.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "model/check/names.h"

void sow_findings_begin(struct sow_findings *findings)
{
    memset(findings, 0, sizeof *findings);
    pthread_mutex_init(&findings->lock, NULL);
}

void sow_findings_free(struct sow_findings *findings)
{
    for (size_t i = 0; i < findings->string_count; i++) {
        free(findings->strings[i]);
    }
    free(findings->strings);
    free(findings->raw);
    free(findings->folded);
    free((void *)findings->names);
    pthread_mutex_destroy(&findings->lock);
}

/* Room for one more; called with the lock held. */
static int grow(void **items, size_t *room, size_t count, size_t size)
{
    if (count < *room) {
        return 0;
    }
    size_t larger = *room == 0 ? 32 : *room * 2;
    void *moved = realloc(*items, larger * size);
    if (moved == NULL) {
        return -1;
    }
    *items = moved;
    *room = larger;
    return 0;
}

const char *sow_findings_keep(struct sow_findings *findings, const char *format, ...)
{
    char text[1600];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    char *copy = strdup(text);
    pthread_mutex_lock(&findings->lock);
    if (copy == NULL || grow((void **)&findings->strings, &findings->string_room,
                             findings->string_count, sizeof findings->strings[0]) != 0) {
        free(copy);
        copy = NULL;
        findings->failed = 1;
    } else {
        findings->strings[findings->string_count++] = copy;
    }
    pthread_mutex_unlock(&findings->lock);
    return copy == NULL ? "" : copy;
}

void sow_findings_add(struct sow_findings *findings, const struct sow_raw_finding *raw)
{
    pthread_mutex_lock(&findings->lock);
    if (grow((void **)&findings->raw, &findings->raw_room, findings->raw_count,
             sizeof findings->raw[0]) != 0) {
        findings->failed = 1;
    } else {
        findings->raw[findings->raw_count++] = *raw;
    }
    pthread_mutex_unlock(&findings->lock);
}

/* ---- Folding ------------------------------------------------------------------------------------- */

struct item {
    struct sow_raw_finding raw;
    struct sow_name name;
};

static int compare_text(const char *a, const char *b)
{
    return strcmp(a == NULL ? "" : a, b == NULL ? "" : b);
}

/* 0: they may be folded. */
static int compare_kinds(const struct item *a, const struct item *b)
{
    int order = a->raw.is_note - b->raw.is_note;
    order = order != 0 ? order : (int)a->raw.code - (int)b->raw.code;
    order = order != 0 ? order
                       : (a->name.pattern > b->name.pattern) - (a->name.pattern < b->name.pattern);
    order = order != 0 ? order : compare_text(a->raw.cause, b->raw.cause);
    order = order != 0 ? order : compare_text(a->raw.cure, b->raw.cure);
    return order != 0 ? order : compare_text(a->raw.statistic, b->raw.statistic);
}

static int compare_items(const void *a, const void *b)
{
    const struct item *left = a, *right = b;
    int order = compare_kinds(left, right);
    order = order != 0
                ? order
                : (left->raw.order > right->raw.order) - (left->raw.order < right->raw.order);
    return order != 0 ? order : strcmp(left->raw.name, right->raw.name);
}

static int is_listed(const char *code, const char *const *codes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(code, codes[i]) == 0) {
            return 1;
        }
    }
    return 0;
}

static int is_wanted(const struct sow_raw_finding *raw, const struct sow_fold_context *context)
{
    const char *code = sow_check_code(raw->code)->code;
    return (context->only_count == 0 || is_listed(code, context->only, context->only_count)) &&
           !is_listed(code, context->ignore, context->ignore_count);
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

/* How many of the ascending `patterns` are `pattern`. */
static size_t count_equal(const uint64_t *patterns, size_t count, uint64_t pattern)
{
    size_t low = 0, high = count, alike = 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (patterns[middle] < pattern) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; low < count && patterns[low] == pattern; low++) {
        alike++;
    }
    return alike;
}

static void fold_group(struct sow_findings *findings, const struct item *items, size_t count,
                       size_t alike, const char **names)
{
    char where[1024], layers[256];
    const struct sow_raw_finding *raw = &items[0].raw;
    const struct sow_check_code *code = sow_check_code(raw->code);
    struct sow_folded *folded = &findings->folded[findings->folded_count++];
    struct sow_finding *made = &folded->finding;
    folded->order = raw->order;
    for (size_t i = 0; i < count; i++) {
        names[i] = items[i].raw.name;
    }
    int is_grid = sow_names_join(names, count, where, sizeof where, layers, sizeof layers);
    *made = (struct sow_finding){
        .code = code,
        .severity = raw->is_note ? SOW_SEVERITY_NOTE : code->severity,
        .where = is_grid ? sow_findings_keep(findings, "%s", where)
                         : sow_findings_keep(findings, "%s and %zu like it", where, count - 1),
        .scope = "",
        .tensors = names,
        .tensor_count = count,
        .text = raw->text,
        .cause = raw->cause,
        .cure = raw->cure != NULL ? raw->cure : code->cure,
        .statistic = raw->statistic,
        .expected = raw->expected,
        .found = raw->found,
        .found_min = raw->found,
        .found_max = raw->found,
        .element = raw->element,
    };
    if (is_grid && layers[0] != '\0') {
        made->scope = sow_findings_keep(findings, count == alike ? "all of %s" : "%s", layers);
    }
    for (size_t i = 1; i < count; i++) {
        double found = items[i].raw.found;
        made->found_min = found < made->found_min ? found : made->found_min;
        made->found_max = found > made->found_max ? found : made->found_max;
    }
}

static int compare_folded(const void *a, const void *b)
{
    const struct sow_folded *left = a, *right = b;
    int order = (int)right->finding.severity - (int)left->finding.severity;
    order = order != 0 ? order
                       : (left->finding.code > right->finding.code) -
                             (left->finding.code < right->finding.code);
    order = order != 0 ? order : (left->order > right->order) - (left->order < right->order);
    return order != 0 ? order : strcmp(left->finding.where, right->finding.where);
}

static void fold_all(struct sow_findings *findings, const struct item *items, size_t count,
                     uint64_t *patterns, size_t pattern_count)
{
    qsort(patterns, pattern_count, sizeof patterns[0], compare_u64);
    for (size_t begin = 0, end; begin < count; begin = end) {
        for (end = begin + 1; end < count && compare_kinds(&items[begin], &items[end]) == 0;) {
            end++;
        }
        fold_group(findings, &items[begin], end - begin,
                   count_equal(patterns, pattern_count, items[begin].name.pattern),
                   findings->names + begin);
    }
    qsort(findings->folded, findings->folded_count, sizeof findings->folded[0], compare_folded);
}

enum sow_status sow_findings_fold(struct sow_findings *findings,
                                  const struct sow_fold_context *context, struct sow_error *error)
{
    size_t count = 0;
    struct item *items = calloc(findings->raw_count + 1, sizeof items[0]);
    uint64_t *patterns = calloc(context->name_count + 1, sizeof patterns[0]);
    findings->folded = calloc(findings->raw_count + 1, sizeof findings->folded[0]);
    findings->names = calloc(findings->raw_count + 1, sizeof findings->names[0]);
    if (items == NULL || patterns == NULL || findings->folded == NULL || findings->names == NULL) {
        findings->failed = 1;
    } else {
        for (size_t i = 0; i < findings->raw_count; i++) {
            if (is_wanted(&findings->raw[i], context)) {
                items[count++] =
                    (struct item){findings->raw[i], sow_name_read(findings->raw[i].name)};
            }
        }
        for (size_t i = 0; i < context->name_count; i++) {
            patterns[i] = sow_name_read(context->names[i]).pattern;
        }
        qsort(items, count, sizeof items[0], compare_items);
        fold_all(findings, items, count, patterns, context->name_count);
    }
    free(items);
    free(patterns);
    return findings->failed ? sow_fail(error, SOW_E_MEMORY, "no memory for the findings") : SOW_OK;
}
