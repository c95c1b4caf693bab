/* SPDX-License-Identifier: MIT */
/* What a plan is made of, for the files of this folder only. A plan has two levels: entries, one a
 * parameter, and resolutions, one for each distinct way parameters were resolved - a model repeats its
 * layers, so a thousand layers share what one of them needs. */
#ifndef SOW_PLAN_INSIDE_H
#define SOW_PLAN_INSIDE_H

#include "model/plan/plan.h"
#include "model/plan/form.h"
#include "model/graph/arena.h"
#include "model/graph/model.h"
#include "core/scheme/scheme.h"
#include "model/plan/text.h"

#define SOW_PLAN_RECENT       256u
#define SOW_PLAN_REGIONS_MAX  (UINT64_C(1) << 24) /* of all tensors together */
#define SOW_PLAN_ELEMENTS_MAX (UINT64_C(1) << 57) /* what the stream can number in any dtype */
#define SOW_PLAN_BYTES_MAX    (UINT64_MAX / 2)    /* what a file offset can hold */

/* What entries share, and what explain tells beyond the entry. */
struct sow_resolution {
    const char *scheme, *scheme_text;
    struct sow_draw draw;
    struct sow_region *regions;
    uint32_t region_count;
    double fan_in, fan_out;
    const char *rule, *rule_file, *reason;
    uint32_t rule_line;

    const char *rule_text;
    const char *variant, *variant_source; /* "" for the user's own rules */
    const char *why;                      /* the rule's own words */
    const char *fields;                   /* of the config, one a line */
    const char *role;
    const char *declared_file;
    uint32_t declared_line;
    int32_t layer_count;
    struct sow_tensor tensor;
    struct sow_blocks blocks;
    int64_t zero_row;
    const struct sow_scheme_detail
        *details; /* one, or one a block where blocks differ; NULL from a record */
    uint32_t detail_count;
};

/* Entries by FNV-1a 64 of their name, ascending, then by name. */
struct sow_plan_slot {
    uint64_t hash;
    const struct sow_plan_entry *entry;
};

struct sow_plan {
    uint64_t seed;
    struct sow_plan_entry *entries;
    const struct sow_resolution **resolutions; /* of each entry; NULL in a plan from a record */
    size_t count;
    struct sow_plan_slot *slots;
    uint64_t parameters, buffers, bytes, regions; /* totals */
    struct sow_tie *ties;                         /* names that are other tensors */
    size_t tie_count;
    const char **notes; /* of the model's source */
    size_t note_count;
    char hash[33];
    struct sow_arena arena;
    const char *recent[SOW_PLAN_RECENT]; /* strings shared lately, by hash */
};

/* An empty plan with room for `count` entries; NULL when out of memory. */
struct sow_plan *sow_plan_new(uint64_t seed, size_t count);
/* A copy in the plan's arena, shared with an equal earlier one where that is cheap to know: rules, reasons
 * and files repeat. "" for NULL; NULL when out of memory. */
const char *sow_plan_share(struct sow_plan *plan, const char *string);
/* Sizes of an entry whose name, tensor and dtype stand, added to the plan's totals. `code` for what does
 * not fit. */
enum sow_status sow_plan_measure(struct sow_plan *plan, struct sow_plan_entry *entry,
                                 enum sow_status code, struct sow_error *error);
/* Nothing but a constant that the dtype holds goes to an integer dtype, and nothing to an opaque one. */
enum sow_status sow_plan_check_dtype(const struct sow_plan_entry *entry, enum sow_status code,
                                     struct sow_error *error);
/* No number of a floating dtype is out of its reach: an infinite weight is no start. Of plans that are made, not
 * of records, which must be read whatever they say. */
enum sow_status sow_plan_check_finite(const struct sow_plan_entry *entry, struct sow_error *error);
/* When all entries stand: names and keys are unique (`code` when not), the table for sow_plan_find and the
 * hash. */
enum sow_status sow_plan_finish(struct sow_plan *plan, enum sow_status code,
                                struct sow_error *error);
enum sow_status sow_plan_index_names(struct sow_plan *plan, enum sow_status code,
                                     struct sow_error *error);

/* Nonzero when the regions cover every element, so that the base draw is not seen. */
int sow_plan_covered(const struct sow_plan_entry *entry);
/* The elements of one region, drawn by a draw that is not whole; dst is the entry's element 0. */
void sow_plan_fill_region(const struct sow_plan_entry *entry, size_t region, struct sow_key key,
                          void *dst);

#endif
