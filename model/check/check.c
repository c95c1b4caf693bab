/* SPDX-License-Identifier: MIT */
/* sow_check_load: open, learn what is expected, read once, judge, fold. */
#include "sow/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/elementary.h"
#include "core/base/error.h"
#include "core/tensor/tensor.h"
#include "model/check/run.h"

struct sow_check {
    struct sow_st_set *set;
    struct sow_findings findings;
    struct sow_check_report report;
};

static enum sow_status no_memory(struct sow_error *error)
{
    return sow_fail(error, SOW_E_MEMORY, "no memory for the check");
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* ---- The pass ------------------------------------------------------------------------------------- */

/* Whether rows, columns and twins of it are looked for. */
static int is_ordered(const struct sow_check_tensor *tensor)
{
    return tensor->header->rank > 0 && sow_dtype_drawable(tensor->header->dtype) &&
           tensor->kind != SOW_NAME_BUFFER;
}

static enum sow_status take_part(void *user, const struct sow_part *part, struct sow_error *error)
{
    struct sow_check_run *run = user;
    struct sow_check_tensor *tensor = &run->tensors[part->tensor];
    int failed = 0;
    if (part->first == 0) {
        sow_check_signs(tensor, part);
    }
    if (is_ordered(tensor)) {
        pthread_mutex_lock(&run->findings->lock);
        if (tensor->order.width == 0) {
            failed = sow_order_begin(&tensor->order, tensor->header->shape, tensor->header->rank,
                                     sow_dtype_bits(part->dtype) / 8);
        }
        pthread_mutex_unlock(&run->findings->lock);
        failed = failed || sow_order_add(&tensor->order, part->first, part->count, part->bytes);
    }
    if (failed) {
        return no_memory(error);
    }
    return tensor->entry != NULL ? sow_check_constants(run, part, error) : SOW_OK;
}

/* Bits that tell two drawn elements apart: collision entropy of those that are not 0, at most that of the sample. */
static double entropy_of(const struct sow_cell *cells, size_t count, uint64_t zeros)
{
    double all = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        double n = (double)cells[i].count;
        if (cells[i].low <= 0 && cells[i].high >= 0) {
            n -= n < (double)zeros ? n : (double)zeros;
        }
        all += n;
        squares += n * n;
    }
    return all == 0 ? 0 : -sow_log(squares / (all * all)) / 0.6931471805599453;
}

static enum sow_status take_cells(void *user, size_t number,
                                  const struct sow_tensor_statistics *row,
                                  const struct sow_cell *cells, size_t count,
                                  struct sow_error *error)
{
    struct sow_check_run *run = user;
    struct sow_check_tensor *tensor = &run->tensors[number];
    enum sow_status status = SOW_OK;
    tensor->is_bad = row->finite < row->elements;
    if (is_ordered(tensor) && !row->is_constant) {
        tensor->entropy = entropy_of(cells, count, row->zeros);
        tensor->digest = tensor->order.total;
    }
    const struct sow_sample sample = {row, sow_value_type(row->dtype), cells, count};
    sow_check_values(run, number, &sample);
    if (tensor->entry != NULL) {
        status = sow_check_law(run, number, &sample, error);
    }
    if (tensor->order.width != 0) {
        enum sow_status rows =
            sow_check_symmetry(run, number, row, status == SOW_OK ? error : NULL);
        rows = rows == SOW_OK ? sow_check_near(run, number, row, error) : rows;
        status = status == SOW_OK ? rows : status;
        sow_order_end(&tensor->order);
    }
    return status;
}

/* ---- Before and after ----------------------------------------------------------------------------- */

static enum sow_status make_tensors(struct sow_check_run *run, const struct sow_st_set *set,
                                    struct sow_error *error)
{
    run->set = set;
    run->tensors = calloc(set->tensors + 1, sizeof run->tensors[0]);
    if (run->tensors == NULL) {
        return no_memory(error);
    }
    for (size_t i = 0; i < set->count; i++) {
        const struct sow_st_header *header = set->files[i].header;
        for (size_t j = 0; j < sow_st_count(header); j++) {
            struct sow_check_tensor *tensor = &run->tensors[run->count++];
            tensor->header = sow_st_at(header, j);
            tensor->file = i;
            tensor->offset = sow_st_data_offset(header) + tensor->header->offset_begin;
            tensor->name = sow_name_read(tensor->header->name);
            tensor->first_wrong = UINT64_MAX;
            tensor->kind = sow_name_kind(tensor->header->name, tensor->header->rank);
        }
    }
    return SOW_OK;
}

static enum sow_status read_all(struct sow_check_run *run, struct sow_check *check,
                                struct sow_error *error)
{
    const struct sow_check_options *options = run->options;
    struct sow_statistics_options reading = {
        .threads = options->threads,
        .progress = options->progress,
        .progress_user = options->progress_user,
        .interrupted = options->interrupted,
    };
    struct sow_visitor visitor = {.user = run, .part = take_part, .cells = take_cells};
    struct sow_statistics *statistics = NULL;
    enum sow_status status = sow_statistics_make(run->set, &reading, &visitor, &statistics, error);
    for (size_t i = 0; i < run->count && status == SOW_OK; i++) {
        run->tensors[i].row = sow_statistics_at(statistics, i);
    }
    if (status == SOW_OK) {
        const struct sow_statistics_report *report = sow_statistics_report(statistics);
        check->report.files = report->files;
        check->report.tensors = run->count;
        check->report.bytes = report->bytes;
        status = sow_check_siblings(run, error);
    }
    if (status == SOW_OK) {
        status = sow_check_twins(run, error);
        sow_check_trained(run);
    }
    for (size_t i = 0; i < run->count; i++) {
        sow_order_end(&run->tensors[i].order); /* what a failure left */
        run->tensors[i].row = NULL;
    }
    sow_statistics_free(statistics);
    return status;
}

static void find_loose_files(struct sow_check_run *run)
{
    const char *line = run->set->warnings;
    for (size_t order = 0; *line != '\0'; order++) {
        size_t length = strcspn(line, "\n");
        sow_findings_add(
            run->findings,
            &(struct sow_raw_finding){
                .code = SOW_CODE_LOOSE_FILE,
                .name = sow_findings_keep(run->findings, "%.*s", (int)strcspn(line, " \n"), line),
                .order = order,
                .text = sow_findings_keep(run->findings, "%.*s", (int)length, line),
                .expected = NAN,
                .found = NAN,
                .element = UINT64_MAX,
            });
        line += length + (line[length] == '\n');
    }
}

static enum sow_status fold(struct sow_check_run *run, struct sow_check *check,
                            struct sow_error *error)
{
    const struct sow_check_options *options = run->options;
    const char **names = calloc(run->count + 1, sizeof names[0]);
    struct sow_fold_context context = {options->only,         options->ignore, options->only_count,
                                       options->ignore_count, names,           run->count};
    if (names == NULL) {
        return no_memory(error);
    }
    for (size_t i = 0; i < run->count; i++) {
        names[i] = run->tensors[i].header->name;
    }
    enum sow_status status = sow_findings_fold(run->findings, &context, error);
    free((void *)names);
    for (size_t i = 0; i < run->findings->folded_count && status == SOW_OK; i++) {
        enum sow_severity severity = run->findings->folded[i].finding.severity;
        check->report.errors += severity == SOW_SEVERITY_ERROR;
        check->report.warnings += severity == SOW_SEVERITY_WARNING;
        check->report.notes += severity == SOW_SEVERITY_NOTE;
    }
    return status;
}

static enum sow_status check_codes(const char *const *codes, size_t count, struct sow_error *error)
{
    for (size_t i = 0; i < count; i++) {
        if (sow_check_code_find(codes[i], error) == NULL) {
            return SOW_E_ARGUMENT;
        }
    }
    return SOW_OK;
}

static enum sow_status run_all(struct sow_check *check, const char *path,
                               const struct sow_check_options *options, struct sow_error *error)
{
    struct sow_check_run run = {.options = options, .findings = &check->findings};
    struct sow_check_expect *expect = NULL;
    enum sow_status status = check_codes(options->only, options->only_count, error);
    if (status == SOW_OK) {
        status = check_codes(options->ignore, options->ignore_count, error);
    }
    if (status == SOW_OK) {
        status = sow_st_set_open(path, &check->set, error);
    }
    if (status == SOW_OK) {
        status = make_tensors(&run, check->set, error);
    }
    if (status == SOW_OK) {
        find_loose_files(&run);
        status = sow_check_expect(&run, &expect, &check->report.against, error);
    }
    if (status == SOW_OK) {
        status = read_all(&run, check, error);
    }
    if (status == SOW_OK) {
        status = fold(&run, check, error);
    }
    check->report.judged = run.judged;
    check->report.not_judged = run.has_law ? run.count - run.judged : 0;
    for (size_t i = 0; i < run.other_count; i++) {
        sow_plan_free(run.others[i]);
    }
    free(run.others);
    free((void *)run.other_names);
    free(run.ties);
    sow_check_expect_end(expect);
    free(run.tensors);
    return status;
}

enum sow_status sow_check_load(const char *path, const struct sow_check_options *options,
                               struct sow_check **check, struct sow_error *error)
{
    static const struct sow_check_options defaults = {0};
    double begin = seconds_now();
    if (path == NULL || path[0] == '\0') {
        return sow_fail(error, SOW_E_ARGUMENT, "sow_check_load takes a checkpoint's name");
    }
    struct sow_check *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return no_memory(error);
    }
    sow_findings_begin(&made->findings);
    made->report.against = "";
    enum sow_status status = run_all(made, path, options == NULL ? &defaults : options, error);
    if (status != SOW_OK) {
        sow_check_free(made);
        return status;
    }
    made->report.seconds = seconds_now() - begin;
    *check = made;
    return SOW_OK;
}

void sow_check_free(struct sow_check *check)
{
    if (check != NULL) {
        sow_findings_free(&check->findings);
        sow_st_set_free(check->set);
        free(check);
    }
}

const struct sow_finding *sow_check_at(const struct sow_check *check, size_t index)
{
    return index < check->findings.folded_count ? &check->findings.folded[index].finding : NULL;
}

const struct sow_check_report *sow_check_report(const struct sow_check *check)
{
    return &check->report;
}
