/* SPDX-License-Identifier: MIT */
/* What a record tells of draws of whole tensors beyond a gain: how the tensor's axes are read. */
#ifndef SOW_PLAN_RECORD_WHOLE_H
#define SOW_PLAN_RECORD_WHOLE_H

#include "model/plan/plan.h"
#include "model/plan/record_scan.h"

/* kind SOW_KIND_OTHER: no draw is whole. */
struct sow_record_axes {
    enum sow_kind kind;
    char layout[SOW_RANK_MAX * 8]; /* "out-in-kernel-kernel" */
    uint64_t groups;
};

/* ,"conv","out-in-kernel-kernel",8 behind a gain. All whole draws of a tensor have one read. */
enum sow_status sow_record_axes(struct sow_record_scan *scan, struct sow_record_axes *axes);

/* Gives the entry, whose shape and regions stand, its axes, and its draws the numbers that follow from them. The
 * regions become the entry's own. SOW_E_FORMAT when the shape and the axes do not fit together. */
enum sow_status sow_record_whole_entry(struct sow_plan *plan, const struct sow_record_axes *axes,
                                       struct sow_plan_entry *entry, struct sow_error *error);

#endif
