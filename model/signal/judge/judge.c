/* SPDX-License-Identifier: MIT */
/* A judgement from the outside: the lists, and the order of the rules. No rule is in here. */
#include "model/signal/judge/judge.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"

static const struct sow_verdict_code codes[] = {
#define SOW_VERDICT(id, code, severity, ...) {code, SOW_SEVERITY_##severity, __VA_ARGS__},
#include "model/signal/judge/verdicts.def"
};

static const struct sow_threshold thresholds[] = {
#define SOW_THRESHOLD(id, name, value, meaning) {name, value, meaning},
#include "model/signal/judge/verdicts.def"
};

const struct sow_verdict_code *sow_verdict_code_at(size_t index)
{
    return index < SOW_VERDICT_COUNT ? &codes[index] : NULL;
}

const struct sow_threshold *sow_threshold_at(size_t index)
{
    return index < SOW_THRESHOLD_COUNT ? &thresholds[index] : NULL;
}

/* ---- Adding ------------------------------------------------------------------------------------ */

struct sow_verdict *sow_judge_add(struct sow_judgement *j, enum sow_verdict_id id,
                                  enum sow_rule rule, const char *where, int32_t layer)
{
    for (size_t i = 0; i < j->count; i++) {
        if (j->verdicts[i].verdict.code == &codes[id] && j->verdicts[i].rule == (int)rule) {
            j->verdicts[i].verdict.places++;
            return NULL;
        }
    }
    if (j->count == j->room) {
        size_t room = j->room + 16;
        struct sow_judged *grown = realloc(j->verdicts, room * sizeof *grown);
        if (grown == NULL) {
            j->out_of_memory = 1;
            return NULL;
        }
        j->verdicts = grown;
        j->room = room;
    }
    struct sow_judged *made = &j->verdicts[j->count++];
    *made = (struct sow_judged){.verdict = {.code = &codes[id],
                                            .severity = codes[id].severity,
                                            .where = where,
                                            .layer = layer,
                                            .places = 1,
                                            .reason = "",
                                            .number = NAN,
                                            .threshold = NAN},
                                .rule = (int)rule};
    return &made->verdict;
}

void sow_judge_reason(struct sow_judgement *j, struct sow_verdict *verdict, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    char *copy = sow_arena_copy(&j->arena, text, strlen(text));
    j->out_of_memory |= copy == NULL;
    verdict->reason = copy != NULL ? copy : "";
}

void sow_judge_suggest(struct sow_judgement *j, enum sow_verdict_id id, enum sow_rule rule,
                       const char *glob, const char *scheme)
{
    char text[1200];
    int length = snprintf(text, sizeof text, "%s=%s", glob, scheme);
    size_t i = 0;
    while (i < j->count &&
           (j->verdicts[i].verdict.code != &codes[id] || j->verdicts[i].rule != (int)rule)) {
        i++;
    }
    if (i == j->count || length < 0 || (size_t)length >= sizeof text) {
        return;
    }
    struct sow_judged *at = &j->verdicts[i];
    for (size_t k = 0; k < at->set_count && k < SOW_SUGGESTED_MAX; k++) {
        if (strcmp(at->sets[k], text) == 0) {
            return;
        }
    }
    if (at->set_count < SOW_SUGGESTED_MAX) {
        at->sets[at->set_count] = sow_arena_copy(&j->arena, text, (size_t)length);
        j->out_of_memory |= at->sets[at->set_count] == NULL;
    }
    at->set_count += at->set_count <= SOW_SUGGESTED_MAX;
}

static int ends_part(char c)
{
    return c == '.' || c == '\0';
}

void sow_judge_generalise(const char *name, char *pattern, size_t room)
{
    int has_whole = 0;
    for (const char *at = name; *at != '\0'; at++) {
        size_t digits = strspn(at, "0123456789");
        has_whole |= digits > 0 && (at == name || at[-1] == '.') && ends_part(at[digits]);
    }
    size_t length = 0;
    char before = '.';
    for (const char *at = name; *at != '\0' && length + 2 < room;) {
        size_t digits = strspn(at, "0123456789");
        int folds = digits > 0 && ends_part(at[digits]) && (!has_whole || before == '.');
        size_t step = folds ? digits : 1;
        before = at[step - 1];
        pattern[length++] = folds ? '*' : before;
        at += step;
    }
    pattern[length] = '\0';
}

static int by_code(const void *a, const void *b)
{
    const struct sow_judged *left = a, *right = b;
    ptrdiff_t order = left->verdict.code - right->verdict.code;
    int notes = (left->verdict.severity == SOW_SEVERITY_NOTE) -
                (right->verdict.severity == SOW_SEVERITY_NOTE);
    return notes != 0   ? notes
           : order != 0 ? (order > 0) - (order < 0)
                        : (left->rule > right->rule) - (left->rule < right->rule);
}

static void fill_squares(struct sow_judgement *j)
{
    j->squares = sow_arena_take(&j->arena, (sow_plan_count(j->plan) + 1) * sizeof *j->squares);
    if (j->squares == NULL) {
        j->out_of_memory = 1;
        return;
    }
    int in_file = sow_judge_reads_file(j);
    const struct sow_measured_weight *read =
        in_file ? sow_measured_weight_at(j->measured, 0) : NULL;
    for (size_t i = 0, next = 0; i < sow_plan_count(j->plan); i++) {
        const struct sow_plan_entry *entry = sow_plan_at(j->plan, i);
        j->squares[i] = in_file ? NAN : sow_weights_of(entry, 0, 0).square;
        if (read != NULL && strcmp(read->name, entry->name) == 0) {
            j->squares[i] = read->second_moment;
            read = sow_measured_weight_at(j->measured, ++next);
        }
    }
}

/* ---- The whole ------------------------------------------------------------------------------------ */

enum sow_status sow_judge_all(struct sow_judgement *j, struct sow_error *error)
{
    fill_squares(j);
    if (j->out_of_memory) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory");
    }
    sow_judge_exact(j);
    sow_judge_chain(j);
    sow_judge_layers(j);
    sow_judge_plain(j);
    sow_judge_alike(j);
    sow_judge_outliers(j);
    sow_judge_streams(j);
    sow_judge_loss(j);
    sow_judge_measured(j);
    sow_judge_copies(j);
    if (j->out_of_memory) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory");
    }
    if (j->count > 1) {
        qsort(j->verdicts, j->count, sizeof *j->verdicts, by_code);
    }
    return SOW_OK;
}

static enum sow_status set_thresholds(struct sow_judgement *j,
                                      const struct sow_judge_options *options,
                                      struct sow_error *error)
{
    for (size_t i = 0; i < SOW_THRESHOLD_COUNT; i++) {
        j->thresholds[i] = thresholds[i].value;
    }
    for (size_t k = 0; options != NULL && k < options->threshold_count; k++) {
        const struct sow_threshold *given = &options->thresholds[k];
        size_t i = 0;
        while (i < SOW_THRESHOLD_COUNT && strcmp(thresholds[i].name, given->name) != 0) {
            i++;
        }
        if (i == SOW_THRESHOLD_COUNT) {
            return sow_fail(error, SOW_E_ARGUMENT,
                            "there is no threshold %.60s; those there are stand in the list that "
                            "`sow probe --codes` prints",
                            given->name);
        }
        if (!(given->value > 0 && given->value - given->value == 0)) {
            return sow_fail(error, SOW_E_ARGUMENT, "the threshold %.60s must be a number above 0",
                            given->name);
        }
        j->thresholds[i] = given->value;
    }
    return SOW_OK;
}

/* The variant as it is, where rules of the user's stand before it. NULL: there are none, or it does not stand alone. */
static struct sow_plan *own_plan(struct sow_model *model, const struct sow_plan *plan,
                                 const struct sow_plan_options *planning)
{
    struct sow_plan *own = NULL;
    if (planning == NULL || (planning->set_count == 0 && planning->rules_file == NULL)) {
        return NULL;
    }
    struct sow_plan_options options = *planning;
    options.set_count = 0;
    options.rules_file = NULL;
    if (sow_plan_make(model, &options, &own, NULL) == SOW_OK &&
        sow_plan_count(own) == sow_plan_count(plan)) {
        return own;
    }
    sow_plan_free(own);
    return NULL;
}

enum sow_status sow_judge(struct sow_model *model, const struct sow_plan *plan,
                          const struct sow_signal_options *signal, const struct sow_probe *probe,
                          const struct sow_judge_options *options, struct sow_judgement **judgement,
                          struct sow_error *error)
{
    struct sow_judgement *j = calloc(1, sizeof *j);
    if (j == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory");
    }
    j->network = sow_probe_network(probe);
    j->plan = plan;
    j->probe = probe;
    j->measured = options != NULL ? options->measured : NULL;
    j->checked = options != NULL ? options->checked : NULL;
    j->model = model;
    struct sow_plan *own = NULL;
    const struct sow_plan_options *planning = options != NULL ? options->planning : NULL;
    enum sow_status status = set_thresholds(j, options, error);
    if (status == SOW_OK) {
        j->own = own = own_plan(model, plan, planning);
        status = sow_judge_all(j, error);
    }
    if (status == SOW_OK && j->count > 0 && (options == NULL || !options->without_cures)) {
        sow_judge_cures(j, model, signal, planning);
    }
    j->own = NULL;
    sow_plan_free(own);
    if (status == SOW_OK && j->out_of_memory) {
        status = sow_fail(error, SOW_E_MEMORY, "out of memory");
    }
    if (status != SOW_OK) {
        sow_judgement_free(j);
        return status;
    }
    *judgement = j;
    return SOW_OK;
}

void sow_judgement_free(struct sow_judgement *judgement)
{
    if (judgement != NULL) {
        sow_arena_free(&judgement->arena);
        free(judgement->verdicts);
        free(judgement);
    }
}

const struct sow_verdict *sow_verdict_at(const struct sow_judgement *judgement, size_t index)
{
    return index < judgement->count ? &judgement->verdicts[index].verdict : NULL;
}

int sow_judgement_healthy(const struct sow_judgement *judgement)
{
    /* notes come last */
    return judgement->count == 0 || judgement->verdicts[0].verdict.severity == SOW_SEVERITY_NOTE;
}

const struct sow_first_loss *sow_first_loss(const struct sow_judgement *judgement)
{
    return &judgement->loss;
}

const char *sow_judgement_cure(const struct sow_judgement *judgement)
{
    return judgement->cure;
}
