/* SPDX-License-Identifier: MIT */
/* What the bytes of a checkpoint should be: for every file a stream, from its own record or from a plan. */
#ifndef SOW_VERIFY_EXPECTED_H
#define SOW_VERIFY_EXPECTED_H

#include "model/checkpoint/safetensors.h"
#include "model/run/stream.h"

struct sow_expected {
    struct sow_stream *streams; /* one a file; no header bytes */
    struct sow_plan **records;  /* one a file; all NULL when a plan was given */
    size_t *firsts;             /* number of each file's first tensor, counted over all files */
    size_t file_count;
    struct sow_wholes *wholes; /* of the streams; made by sow_expected_prepare */
};

/* Compares names, shapes and dtypes; SOW_E_MISMATCH when they differ (report->tensor, differing_tensors). SOW_E_MISSING
 * without a record. Fills the report's seed and plan_hash. */
enum sow_status sow_expected_make(const struct sow_st_set *set, const struct sow_plan *plan,
                                  struct sow_expected *expected, struct sow_verify_report *report,
                                  struct sow_error *error);
/* Memory for tensors drawn as a whole, before any stream is read by so many threads. */
enum sow_status sow_expected_prepare(struct sow_expected *expected, uint32_t threads,
                                     struct sow_error *error);
void sow_expected_free(struct sow_expected *expected);

/* Private to model/verify/: the two ways. */
enum sow_status sow_expected_from_records(const struct sow_st_set *set,
                                          struct sow_expected *expected,
                                          struct sow_verify_report *report,
                                          struct sow_error *error);
enum sow_status sow_expected_from_plan(const struct sow_st_set *set, const struct sow_plan *plan,
                                       struct sow_expected *expected,
                                       struct sow_verify_report *report, struct sow_error *error);

#endif
