/* SPDX-License-Identifier: MIT */
/* Plan: one entry a parameter, all numbers resolved. What the layers below (checkpoint's user run, verify) need beyond
 * the public sow/model.h: making a plan from a record, and the record from a plan. */
#ifndef SOW_PLAN_PLAN_H
#define SOW_PLAN_PLAN_H

#include "sow/model.h"

/* The record that travels in a file's __metadata__: a compact JSON text of the draws of `count` entries, in the order
 * `indices` gives (the order of the tensors in the file). The caller frees with sow_text_free. */
enum sow_status sow_plan_record(const struct sow_plan *plan, const size_t *indices, size_t count,
                                char **text, struct sow_error *error);

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
                                     const struct sow_listed_tensor *tensors, size_t count,
                                     struct sow_plan **plan, struct sow_error *error);

/* The hash of several plans of one seed taken as one: the shards of a checkpoint give the sow_plan_hash of the plan that
 * made them, in any order. 32 hex digits and a 0. */
enum sow_status sow_plans_hash(const struct sow_plan *const *plans, size_t plan_count,
                               char hash[33], struct sow_error *error);

/* The keys of sow's record in a file's __metadata__ (docs/plan.md): the writer's SOW_VERSION (for people,
 * never compared), the stream's version and the seed in decimal, what sow_plan_record writes of this
 * file's tensors, and the sow_plan_hash of the whole plan, the same in every shard. */
#define SOW_RECORD_VERSION   "sow"
#define SOW_RECORD_STREAM    "sow.stream"
#define SOW_RECORD_SEED      "sow.seed"
#define SOW_RECORD_PLAN      "sow.plan"
#define SOW_RECORD_PLAN_HASH "sow.plan_hash"

#endif
