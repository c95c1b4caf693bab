/* SPDX-License-Identifier: MIT */
/* Entries with draws of a whole tensor or block (sow_draw_is_whole): what of the layout such a draw needs to know, and
 * the drawing in steps that threads may share. No threads here. */
#ifndef SOW_PLAN_WHOLE_H
#define SOW_PLAN_WHOLE_H

#include "core/linalg/whole.h"
#include "model/plan/plan.h"

/* The axes as records and hashes have them, the same for all tensors that are drawn alike: linear, conv (kernel axes
 * or groups) or conv_transpose. */
struct sow_plan_axes {
    enum sow_kind kind;
    uint8_t axes[SOW_RANK_MAX]; /* enum sow_axis */
    uint64_t groups;
};
struct sow_plan_axes sow_plan_axes(const struct sow_tensor *tensor);

/* What a region of an entry is: a block of the packed weight. */
struct sow_tensor sow_plan_block(const struct sow_tensor *tensor, const struct sow_region *region);

/* One entry being drawn. Stages follow one another, the steps of a stage are taken in any order and at once. */
struct sow_plan_drawing {
    const struct sow_plan_entry *entry;
    struct sow_key key;
    unsigned char *bytes; /* all of the entry's, in the machine's order */
    void *shared;
    size_t part; /* 0 is the base draw, i is region i - 1 */
    struct sow_whole whole;
    uint64_t stage, steps;
};
/* Of the largest part. */
struct sow_whole_room sow_plan_drawing_room(const struct sow_plan_entry *entry);
/* Floating-point operations, about. */
double sow_plan_drawing_operations(const struct sow_plan_entry *entry);
void sow_plan_drawing_begin(struct sow_plan_drawing *drawing, const struct sow_plan_entry *entry,
                            uint64_t seed, void *bytes, void *shared);
/* On to the next stage, when all steps of the last one are done: drawing->steps. 0 when there is none. */
int sow_plan_drawing_next(struct sow_plan_drawing *drawing);
void sow_plan_drawing_step(const struct sow_plan_drawing *drawing, uint64_t step, void *own);

#endif
