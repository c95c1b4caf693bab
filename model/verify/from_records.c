/* SPDX-License-Identifier: MIT */
/* Each file's own record (docs/plan.md), drawn again; and whether the files belong together. */
#include "model/verify/expected.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/checked.h"
#include "core/base/error.h"

/* Decimal digits and nothing else. */
static int parse_u64(const char *text, uint64_t *number)
{
    uint64_t value = 0;
    if (*text == '\0') {
        return -1;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9' || sow_mul_u64(value, 10, &value) ||
            sow_add_u64(value, (uint64_t)(*text - '0'), &value)) {
            return -1;
        }
    }
    *number = value;
    return 0;
}

static enum sow_status read_number(const struct sow_st_header *header, const char *key,
                                   const char *path, uint64_t *number, struct sow_error *error)
{
    const char *text = sow_st_metadata(header, key);
    if (text == NULL || parse_u64(text, number) != 0) {
        return sow_fail_at(error, SOW_E_FORMAT, path, 0, 0, "the record's `%s` is %s", key,
                           text == NULL ? "missing" : "no whole number");
    }
    return SOW_OK;
}

/* The header's tensors as the plan's reader wants them. */
static struct sow_listed_tensor *list_tensors(const struct sow_st_header *header)
{
    size_t count = sow_st_count(header);
    struct sow_listed_tensor *listed = calloc(count + 1, sizeof listed[0]);
    for (size_t i = 0; listed != NULL && i < count; i++) {
        const struct sow_st_tensor *tensor = sow_st_at(header, i);
        listed[i].name = tensor->name;
        listed[i].rank = tensor->rank;
        listed[i].dtype = tensor->dtype;
        memcpy(listed[i].shape, tensor->shape, sizeof listed[i].shape);
    }
    return listed;
}

static enum sow_status read_record(const struct sow_st_header *header, const char *path,
                                   uint64_t *seed, struct sow_plan **plan, struct sow_error *error)
{
    uint64_t stream = 0;
    struct sow_error problem;
    const char *record = sow_st_metadata(header, SOW_RECORD_PLAN);
    if (record == NULL) {
        return sow_fail_at(
            error, SOW_E_MISSING, path, 0, 0,
            "holds no record of sow, so its bytes alone do not tell what they should "
            "be; name the model and the seed: --source CONFIG --seed N");
    }
    enum sow_status status = read_number(header, SOW_RECORD_STREAM, path, &stream, error);
    if (status == SOW_OK) {
        status = read_number(header, SOW_RECORD_SEED, path, seed, error);
    }
    if (status == SOW_OK && stream != SOW_STREAM_VERSION) {
        status = sow_fail_at(error, SOW_E_FORMAT, path, 0, 0,
                             "was drawn with stream version %llu; this sow draws version %d",
                             (unsigned long long)stream, SOW_STREAM_VERSION);
    }
    if (status != SOW_OK) {
        return status;
    }
    struct sow_listed_tensor *listed = list_tensors(header);
    if (listed == NULL) {
        return sow_fail_at(error, SOW_E_MEMORY, path, 0, 0, "no memory for the record");
    }
    status = sow_plan_from_record(record, strlen(record), *seed, listed, sow_st_count(header), plan,
                                  &problem);
    free(listed);
    if (status != SOW_OK) {
        return sow_fail_at(error, status, path, 0, 0, "%s", problem.message);
    }
    return SOW_OK;
}

/* All shards must come from one run. */
static enum sow_status check_same(const struct sow_st_set *set, size_t file, uint64_t seed,
                                  const struct sow_verify_report *report, struct sow_error *error)
{
    char path[512];
    const char *hash = sow_st_metadata(set->files[file].header, SOW_RECORD_PLAN_HASH);
    sow_st_set_path(set, file, path);
    if (seed != report->seed) {
        return sow_fail_at(error, SOW_E_FORMAT, path, 0, 0,
                           "was drawn from seed %llu, %s from seed %llu: shards of different runs",
                           (unsigned long long)seed, set->files[0].name,
                           (unsigned long long)report->seed);
    }
    if (hash != NULL && strcmp(hash, report->plan_hash) != 0) {
        return sow_fail_at(error, SOW_E_FORMAT, path, 0, 0,
                           "belongs to plan %.32s, %s to plan %s: shards of different runs", hash,
                           set->files[0].name, report->plan_hash);
    }
    return SOW_OK;
}

enum sow_status sow_expected_from_records(const struct sow_st_set *set,
                                          struct sow_expected *expected,
                                          struct sow_verify_report *report, struct sow_error *error)
{
    char path[512];
    for (size_t i = 0; i < set->count; i++) {
        uint64_t seed = 0;
        struct sow_stream *stream = &expected->streams[i];
        const struct sow_st_header *header = set->files[i].header;
        enum sow_status status =
            read_record(header, sow_st_set_path(set, i, path), &seed, &expected->records[i], error);
        if (status != SOW_OK) {
            return status;
        }
        if (i == 0) {
            const char *hash = sow_st_metadata(header, SOW_RECORD_PLAN_HASH);
            report->seed = seed;
            snprintf(report->plan_hash, sizeof report->plan_hash, "%.32s",
                     hash == NULL ? "" : hash);
        }
        status = check_same(set, i, seed, report, error);
        if (status != SOW_OK) {
            return status;
        }
        stream->seed = seed;
        for (size_t j = 0; j < stream->count; j++) {
            stream->entries[j] = sow_plan_at(expected->records[i], j);
        }
    }
    return SOW_OK;
}
