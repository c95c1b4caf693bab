/* SPDX-License-Identifier: MIT */
/* Streams for the files of a set: the header gives the bytes' places, record or plan what is drawn there. */
#include "model/verify/expected.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"

void sow_expected_free(struct sow_expected *expected)
{
    for (size_t i = 0; i < expected->file_count; i++) {
        if (expected->streams != NULL) {
            free((void *)expected->streams[i].entries);
            free((void *)(uintptr_t)expected->streams[i].begins);
        }
        if (expected->records != NULL) {
            sow_plan_free(expected->records[i]);
        }
    }
    sow_wholes_free(expected->wholes);
    free(expected->streams);
    free(expected->records);
    free(expected->firsts);
    memset(expected, 0, sizeof *expected);
}

enum sow_status sow_expected_prepare(struct sow_expected *expected, uint32_t threads,
                                     struct sow_error *error)
{
    struct sow_wholes_need need = {0};
    for (size_t i = 0; i < expected->file_count; i++) {
        for (size_t j = 0; j < expected->streams[i].count; j++) {
            sow_wholes_count(&need, expected->streams[i].entries[j], threads);
        }
    }
    enum sow_status status = sow_wholes_new(&need, threads, &expected->wholes, error);
    for (size_t i = 0; i < expected->file_count; i++) {
        expected->streams[i].wholes = expected->wholes;
    }
    return status;
}

/* A stream with the header's places and no entries yet. */
static int place(const struct sow_st_header *header, struct sow_stream *stream)
{
    size_t count = sow_st_count(header);
    uint64_t data = sow_st_data_offset(header);
    uint64_t *begins = calloc(count + 1, sizeof begins[0]);
    *stream = (struct sow_stream){.header_bytes = data,
                                  .entries = calloc(count + 1, sizeof stream->entries[0]),
                                  .begins = begins,
                                  .count = count};
    if (begins == NULL || stream->entries == NULL) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        begins[i] = data + sow_st_at(header, i)->offset_begin;
    }
    begins[count] = data + (count == 0 ? 0 : sow_st_at(header, count - 1)->offset_end);
    return 0;
}

static enum sow_status place_all(const struct sow_st_set *set, struct sow_expected *expected,
                                 struct sow_error *error)
{
    size_t first = 0;
    int problem;
    memset(expected, 0, sizeof *expected);
    expected->streams = calloc(set->count + 1, sizeof expected->streams[0]);
    expected->records = calloc(set->count + 1, sizeof expected->records[0]);
    expected->firsts = calloc(set->count + 1, sizeof expected->firsts[0]);
    expected->file_count = set->count;
    problem = expected->streams == NULL || expected->records == NULL || expected->firsts == NULL;
    for (size_t i = 0; i < set->count && !problem; i++) {
        problem = place(set->files[i].header, &expected->streams[i]) != 0;
        expected->firsts[i] = first;
        first += sow_st_count(set->files[i].header);
    }
    return problem ? sow_fail(error, SOW_E_MEMORY, "no memory for %zu tensors", set->tensors)
                   : SOW_OK;
}

static enum sow_status check_dtypes(const struct sow_expected *expected, struct sow_error *error)
{
    for (size_t i = 0; i < expected->file_count; i++) {
        for (size_t j = 0; j < expected->streams[i].count; j++) {
            const struct sow_plan_entry *entry = expected->streams[i].entries[j];
            if (!sow_stream_takes(entry->dtype)) {
                return sow_fail(error, SOW_E_UNSUPPORTED, "tensor %s: sow does not draw %s",
                                entry->name, sow_dtype_name(entry->dtype));
            }
        }
    }
    return SOW_OK;
}

enum sow_status sow_expected_make(const struct sow_st_set *set, const struct sow_plan *plan,
                                  struct sow_expected *expected, struct sow_verify_report *report,
                                  struct sow_error *error)
{
    enum sow_status status = place_all(set, expected, error);
    if (status == SOW_OK) {
        status = plan == NULL ? sow_expected_from_records(set, expected, report, error)
                              : sow_expected_from_plan(set, plan, expected, report, error);
    }
    if (status == SOW_OK) {
        status = check_dtypes(expected, error);
    }
    if (status != SOW_OK) {
        sow_expected_free(expected);
    }
    return status;
}
