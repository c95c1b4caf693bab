/* SPDX-License-Identifier: MIT */
/* Records from anybody: sow_plan_from_record answers with a plan or an error. A plan that it gives can be
 * filled from end to end, and written and read again without a change. */
#include "model/plan/plan.h"

#include <stdlib.h>
#include <string.h>

#define TENSORS 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct sow_listed_tensor tensors[TENSORS] = {
    {"a", 2, {8, 4}, SOW_F32},
    {"b", 2, {8, 4}, SOW_BF16},
    {"c", 3, {3, 2, 2}, SOW_F64},
    {"ids", 1, {2}, SOW_I64},
};

static void fill_all(const struct sow_plan *plan)
{
    for (size_t i = 0; i < sow_plan_count(plan); i++) {
        const struct sow_plan_entry *entry = sow_plan_at(plan, i);
        void *bytes = malloc(entry->bytes);
        if (bytes != NULL) {
            sow_plan_fill(entry, 42, bytes, 0, entry->elements);
        }
        free(bytes);
    }
}

static void write_and_read(const struct sow_plan *plan)
{
    static const size_t indices[TENSORS] = {0, 1, 2, 3};
    char *record = NULL, *json = NULL;
    struct sow_plan *back = NULL;
    if (sow_plan_record(plan, indices, sow_plan_count(plan), &record, NULL) != SOW_OK ||
        sow_plan_json(plan, &json, NULL) != SOW_OK ||
        sow_plan_from_record(record, strlen(record), 42, tensors, sow_plan_count(plan), &back,
                             NULL) != SOW_OK ||
        strcmp(sow_plan_hash(plan), sow_plan_hash(back)) != 0) {
        abort();
    }
    sow_plan_free(back);
    sow_text_free(json);
    sow_text_free(record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (size_t count = 1; count <= TENSORS; count += TENSORS - 1) {
        struct sow_plan *plan = NULL;
        struct sow_error error;
        enum sow_status status =
            sow_plan_from_record((const char *)data, size, 42, tensors, count, &plan, &error);
        if (status == SOW_OK) {
            fill_all(plan);
            write_and_read(plan);
        } else if (error.code != status ||
                   memchr(error.message, '\0', sizeof error.message) == NULL) {
            abort();
        }
        sow_plan_free(plan);
    }
    return 0;
}
