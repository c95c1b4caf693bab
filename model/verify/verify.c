/* SPDX-License-Identifier: MIT */
/* sow_verify: open, learn what the bytes should be, compare. */
#include "sow/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/error.h"
#include "model/verify/answer.h"

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Whether the records make the plan whose hash they carry. Of a shard alone that cannot be told. */
static enum sow_status check_plan_hash(const struct sow_st_set *set,
                                       const struct sow_expected *expected, const char *path,
                                       struct sow_verify_report *report, struct sow_error *error)
{
    char hash[33];
    if (!set->is_sharded && sow_st_is_shard_name(set->files[0].name)) {
        return SOW_OK;
    }
    enum sow_status status =
        sow_plans_hash((const struct sow_plan *const *)expected->records, set->count, hash, error);
    if (status != SOW_OK) {
        return status;
    }
    if (report->plan_hash[0] != '\0' && strcmp(hash, report->plan_hash) != 0) {
        return sow_fail_at(error, SOW_E_MISMATCH, path, 0, 0,
                           "every byte is what the record says, but the record makes plan %s and "
                           "the file names plan %s",
                           hash, report->plan_hash);
    }
    snprintf(report->plan_hash, sizeof report->plan_hash, "%s", hash);
    return SOW_OK;
}

static enum sow_status compare_all(const struct sow_st_set *set, struct sow_expected *expected,
                                   const struct sow_verify_options *options,
                                   struct sow_verify_report *report, struct sow_error *error)
{
    struct sow_compare compare;
    enum sow_status status = sow_compare_begin(&compare, set, expected, options, error);
    if (status != SOW_OK) {
        return status;
    }
    status = sow_expected_prepare(expected, compare.crew.threads, error);
    sow_wholes_interrupt(expected->wholes, compare.crew.interrupted);
    status = status != SOW_OK ? status : sow_compare_run(&compare, error);
    if (status == SOW_OK) {
        sow_fingerprint_text(compare.fingerprint, report->fingerprint);
        status = sow_compare_answer(&compare, report, error);
    }
    if (status == SOW_OK && options->interrupted != NULL && *options->interrupted != 0) {
        status = sow_fail(error, SOW_E_INTERRUPTED, "interrupted"); /* half-drawn tensors differ */
    }
    sow_compare_end(&compare);
    return status;
}

static enum sow_status verify_set(const struct sow_st_set *set, const char *path,
                                  const struct sow_verify_options *options,
                                  struct sow_verify_report *report, struct sow_error *error)
{
    struct sow_expected expected;
    report->files = set->count;
    report->tensors = set->tensors;
    for (size_t i = 0; i < set->count; i++) {
        report->bytes += set->files[i].bytes;
    }
    snprintf(report->warnings, sizeof report->warnings, "%s", set->warnings);
    enum sow_status status = sow_expected_make(set, options->plan, &expected, report, error);
    if (status != SOW_OK) {
        return status;
    }
    status = compare_all(set, &expected, options, report, error);
    if (status == SOW_OK && options->plan == NULL && set->count > 0) {
        status = check_plan_hash(set, &expected, path, report, error);
    }
    sow_expected_free(&expected);
    return status;
}

enum sow_status sow_verify(const char *path, const struct sow_verify_options *options,
                           struct sow_verify_report *report, struct sow_error *error)
{
    static const struct sow_verify_options defaults = {0};
    struct sow_verify_report unused;
    struct sow_st_set *set = NULL;
    double begin = seconds_now();
    report = report == NULL ? &unused : report;
    options = options == NULL ? &defaults : options;
    memset(report, 0, sizeof *report);
    if (path == NULL || path[0] == '\0') {
        return sow_fail(error, SOW_E_ARGUMENT, "sow_verify takes the name of a checkpoint");
    }
    enum sow_status status = sow_st_set_open(path, &set, error);
    if (status == SOW_OK) {
        status = verify_set(set, path, options, report, error);
        sow_st_set_free(set);
    }
    report->seconds = seconds_now() - begin;
    return status;
}
