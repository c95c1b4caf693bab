/* SPDX-License-Identifier: MIT */
/* Whole draws out of a record. The bytes may come from anybody: shapes, axes, gains and the work they ask for are
 * checked by sow_draw_whole, as for a plan that was made. */
#include "model/plan/record_whole.h"
#include "model/plan/inside.h"
#include "model/plan/whole.h"
#include "core/base/error.h"

#include <string.h>

static enum sow_status read_kind(struct sow_record_scan *scan, enum sow_kind *kind)
{
    static const enum sow_kind kinds[] = {SOW_KIND_LINEAR, SOW_KIND_CONV, SOW_KIND_CONV_TRANSPOSE};
    char word[24];
    enum sow_status status = sow_record_word(scan, word, sizeof word);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && status == SOW_OK; i++) {
        if (strcmp(word, sow_kind_name(kinds[i])) == 0) {
            *kind = kinds[i];
            return SOW_OK;
        }
    }
    return status != SOW_OK ? status : sow_record_fail(scan, "a kind that no whole draw has");
}

enum sow_status sow_record_axes(struct sow_record_scan *scan, struct sow_record_axes *axes)
{
    struct sow_record_axes read = {.kind = SOW_KIND_OTHER};
    enum sow_status status = sow_record_expect(scan, ',');
    status = status != SOW_OK ? status : read_kind(scan, &read.kind);
    status = status != SOW_OK ? status : sow_record_expect(scan, ',');
    status = status != SOW_OK ? status : sow_record_word(scan, read.layout, sizeof read.layout);
    status = status != SOW_OK ? status : sow_record_expect(scan, ',');
    status = status != SOW_OK ? status : sow_record_u64(scan, &read.groups);
    if (status != SOW_OK) {
        return status;
    }
    if (axes->kind != SOW_KIND_OTHER && (axes->kind != read.kind || axes->groups != read.groups ||
                                         strcmp(axes->layout, read.layout) != 0)) {
        return sow_record_fail(scan, "whole draws of one tensor that read its axes differently");
    }
    *axes = read;
    return SOW_OK;
}

static enum sow_status number(struct sow_draw *draw, const struct sow_tensor *tensor,
                              const struct sow_plan_entry *entry, struct sow_error *error)
{
    struct sow_error inner = {0};
    if (!sow_draw_is_whole(draw) ||
        sow_draw_whole(draw->distribution, draw->gain, tensor, draw, &inner) == SOW_OK) {
        return SOW_OK;
    }
    return sow_fail(error, SOW_E_FORMAT, "what sow's record draws into `%s` cannot be: %s",
                    entry->name, inner.message);
}

enum sow_status sow_record_whole_entry(struct sow_plan *plan, const struct sow_record_axes *axes,
                                       struct sow_plan_entry *entry, struct sow_error *error)
{
    struct sow_error inner = {0};
    struct sow_region *regions =
        sow_arena_take(&plan->arena, entry->region_count * sizeof *regions + 1);
    if (regions == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory while reading sow's record");
    }
    entry->tensor.kind = axes->kind;
    entry->tensor.groups = axes->groups;
    if (sow_tensor_layout(&entry->tensor, axes->layout, &inner) != SOW_OK) {
        return sow_fail(error, SOW_E_FORMAT, "what sow's record tells of `%s` cannot be: %s",
                        entry->name, inner.message);
    }
    enum sow_status status = SOW_OK;
    for (size_t i = 0; i < entry->region_count && status == SOW_OK; i++) {
        regions[i] = entry->regions[i];
        const struct sow_tensor block = sow_plan_block(&entry->tensor, &regions[i]);
        status = number(&regions[i].draw, &block, entry, error);
    }
    entry->regions = entry->region_count > 0 ? regions : NULL;
    if (status != SOW_OK) {
        return status;
    }
    if (sow_plan_covered(entry) && sow_draw_is_whole(&entry->draw)) {
        entry->draw = regions[0].draw; /* as a plan that was made has it */
        return SOW_OK;
    }
    return number(&entry->draw, &entry->tensor, entry, error);
}
