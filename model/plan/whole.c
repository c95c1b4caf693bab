/* SPDX-License-Identifier: MIT */
/* Whole-tensor draws of a planned entry: the base draw, then the regions over it, each in the steps it has. */
#include "model/plan/whole.h"
#include "model/plan/inside.h"
#include "core/base/error.h"

#include <stdlib.h>
#include <string.h>

struct sow_plan_axes sow_plan_axes(const struct sow_tensor *tensor)
{
    struct sow_plan_axes read = {.kind = SOW_KIND_LINEAR, .groups = 1};
    int is_conv = tensor->kind == SOW_KIND_CONV && tensor->groups > 1;
    for (uint32_t axis = 0; axis < tensor->rank && axis < SOW_RANK_MAX; axis++) {
        enum sow_axis is = sow_tensor_axis(tensor, axis);
        if (is == SOW_AXIS_NONE && tensor->rank == 2) {
            is = axis == 0 ? SOW_AXIS_OUT : SOW_AXIS_IN;
        }
        read.axes[axis] = (uint8_t)is;
        is_conv |= is == SOW_AXIS_KERNEL;
    }
    if (tensor->kind == SOW_KIND_CONV_TRANSPOSE) {
        read.kind = SOW_KIND_CONV_TRANSPOSE;
    } else if (is_conv) {
        read.kind = SOW_KIND_CONV;
    }
    if (read.kind != SOW_KIND_LINEAR && tensor->groups > 1) {
        read.groups = tensor->groups;
    }
    return read;
}

struct sow_tensor sow_plan_block(const struct sow_tensor *tensor, const struct sow_region *region)
{
    struct sow_tensor block = *tensor;
    block.packed_axis = region->axis;
    block.packed = tensor->shape[region->axis];
    block.packed_begin = region->begin;
    block.shape[region->axis] = region->end - region->begin;
    return block;
}

int sow_plan_is_whole(const struct sow_plan_entry *entry)
{
    int is_whole = sow_draw_is_whole(&entry->draw) && !sow_plan_covered(entry);
    for (size_t i = 0; i < entry->region_count; i++) {
        is_whole |= sow_draw_is_whole(&entry->regions[i].draw);
    }
    return is_whole;
}

/* ---- Drawing -------------------------------------------------------------------------------- */

static const struct sow_draw *draw_of(const struct sow_plan_entry *entry, size_t part)
{
    return part == 0 ? &entry->draw : &entry->regions[part - 1].draw;
}

static struct sow_tensor tensor_of(const struct sow_plan_entry *entry, size_t part)
{
    return part == 0 ? entry->tensor : sow_plan_block(&entry->tensor, &entry->regions[part - 1]);
}

struct sow_whole_room sow_plan_drawing_room(const struct sow_plan_entry *entry)
{
    struct sow_whole_room most = {0, 0};
    for (size_t part = (size_t)sow_plan_covered(entry); part <= entry->region_count; part++) {
        struct sow_tensor tensor = tensor_of(entry, part);
        struct sow_whole_room room = sow_whole_room(&tensor, draw_of(entry, part));
        most.shared = room.shared > most.shared ? room.shared : most.shared;
        most.own = room.own > most.own ? room.own : most.own;
    }
    return most;
}

double sow_plan_drawing_operations(const struct sow_plan_entry *entry)
{
    double sum = 0;
    for (size_t part = (size_t)sow_plan_covered(entry); part <= entry->region_count; part++) {
        struct sow_tensor tensor = tensor_of(entry, part);
        sum += sow_draw_is_whole(draw_of(entry, part))
                   ? sow_whole_operations(&tensor, draw_of(entry, part))
                   : 0;
    }
    return sum;
}

static void begin_part(struct sow_plan_drawing *drawing, size_t part)
{
    drawing->part = part;
    drawing->stage = 0;
    if (part <= drawing->entry->region_count && sow_draw_is_whole(draw_of(drawing->entry, part))) {
        struct sow_tensor tensor = tensor_of(drawing->entry, part);
        drawing->whole =
            sow_whole_begin(sow_kernels_chosen(), drawing->bytes, drawing->entry->dtype, &tensor,
                            draw_of(drawing->entry, part), drawing->key, drawing->shared);
    }
}

void sow_plan_drawing_begin(struct sow_plan_drawing *drawing, const struct sow_plan_entry *entry,
                            uint64_t seed, void *bytes, void *shared)
{
    *drawing = (struct sow_plan_drawing){
        .entry = entry, .key = sow_key(entry->key, seed), .bytes = bytes, .shared = shared};
    begin_part(drawing, (size_t)sow_plan_covered(entry));
    drawing->stage = UINT64_MAX; /* before the first */
}

int sow_plan_drawing_next(struct sow_plan_drawing *drawing)
{
    const struct sow_plan_entry *entry = drawing->entry;
    drawing->stage++;
    while (drawing->part <= entry->region_count) {
        int is_whole = sow_draw_is_whole(draw_of(entry, drawing->part));
        if (drawing->stage < (is_whole ? sow_whole_stages(&drawing->whole) : 1)) {
            drawing->steps = is_whole ? sow_whole_steps(&drawing->whole, drawing->stage) : 1;
            return 1;
        }
        begin_part(drawing, drawing->part + 1);
    }
    return 0;
}

void sow_plan_drawing_step(const struct sow_plan_drawing *drawing, uint64_t step, void *own)
{
    const struct sow_plan_entry *entry = drawing->entry;
    if (sow_draw_is_whole(draw_of(entry, drawing->part))) {
        sow_whole_step(&drawing->whole, drawing->stage, step, own);
    } else if (drawing->part == 0) {
        sow_fill(drawing->bytes, entry->dtype, 0, entry->elements, &entry->draw, drawing->key);
    } else {
        sow_plan_fill_region(entry, drawing->part - 1, drawing->key, drawing->bytes);
    }
}

enum sow_status sow_plan_draw_whole(const struct sow_plan_entry *entry, uint64_t seed, void *dst,
                                    struct sow_error *error)
{
    const struct sow_whole_room room = sow_plan_drawing_room(entry);
    struct sow_plan_drawing drawing;
    unsigned char *scratch = NULL;
    if (room.shared + room.own > 0) {
        scratch = aligned_alloc(64, room.shared + room.own);
        if (scratch == NULL) {
            return sow_fail(error, SOW_E_MEMORY,
                            "no memory to draw `%s`: %llu MiB beside the tensor are needed",
                            entry->name, (unsigned long long)((room.shared + room.own) >> 20) + 1);
        }
    }
    sow_plan_drawing_begin(&drawing, entry, seed, dst, scratch);
    while (sow_plan_drawing_next(&drawing)) {
        for (uint64_t step = 0; step < drawing.steps; step++) {
            sow_plan_drawing_step(&drawing, step, scratch == NULL ? NULL : scratch + room.shared);
        }
    }
    free(scratch);
    return SOW_OK;
}
