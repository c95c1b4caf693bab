/* SPDX-License-Identifier: MIT */
/* Plan: one entry a parameter, all numbers resolved. What the layers below (checkpoint's user run, verify) need beyond
 * the public sow/model.h: making a plan from a record, and the record from a plan. */
#ifndef SOW_PLAN_PLAN_H
#define SOW_PLAN_PLAN_H

#include "sow/model.h"

/* The record that travels in a file's __metadata__: a compact JSON text of the draws of `count` entries, in the order
 * `indices` gives (the order of the tensors in the file). The caller frees with sow_text_free. */
enum sow_status sow_plan_record(const struct sow_plan *plan, const size_t *indices, size_t count, char **text,
                                struct sow_error *error);

/* A tensor as a container's header lists it. */
struct sow_listed_tensor {
    const char *name;
    uint32_t rank;
    uint64_t shape[SOW_RANK_MAX];
    enum sow_dtype dtype;
};

/* The plan back from a record and the header it came with (same order). SOW_E_FORMAT when they do not fit together.
 * Outside bytes: everything is checked. */
enum sow_status sow_plan_from_record(const char *record, size_t length, uint64_t seed,
                                     const struct sow_listed_tensor *tensors, size_t count, struct sow_plan **plan,
                                     struct sow_error *error);

#endif
