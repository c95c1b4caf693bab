/* SPDX-License-Identifier: MIT */
/* The record that a file carries (docs/plan.md): the distinct draws of its tensors, which tensors have
 * which, and keys that are not names. Everything else is in the file's own header. Reading it back is
 * record_read.c. */
#include "model/plan/inside.h"
#include "model/plan/whole.h"
#include "core/base/error.h"
#include "core/tensor/tensor.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* The distinct draws, as the JSON they are written as: equal text, equal draw. */
struct draw_table {
    struct draw_slot {
        size_t begin, length; /* in `texts`; length 0: free */
        uint32_t number;
    } * slots;
    size_t count, capacity;
    struct sow_plan_text texts;
};

static void put_number(struct sow_plan_text *text, double number)
{
    sow_plan_text_add(text, ",");
    if (number - number == 0) {
        sow_plan_text_number(text, number);
    } else {
        sow_plan_text_add(text, "null"); /* an infinite bound */
    }
}

/* ,"conv","out-in-kernel-kernel",8: kind, axes, groups. A header's shape does not tell how it is read. */
static void put_axes(struct sow_plan_text *text, const struct sow_tensor *tensor)
{
    const struct sow_plan_axes axes = sow_plan_axes(tensor);
    sow_plan_text_format(text, ",\"%s\",\"", sow_kind_name(axes.kind));
    for (uint32_t axis = 0; axis < tensor->rank; axis++) {
        sow_plan_text_format(text, "%s%s", axis == 0 ? "" : "-",
                             sow_axis_word((enum sow_axis)axes.axes[axis]));
    }
    sow_plan_text_format(text, "\",%" PRIu64, axes.groups);
}

/* ["normal",0,0.02 without the closing bracket */
static void put_draw(struct sow_plan_text *text, const struct sow_draw *draw,
                     const struct sow_tensor *tensor)
{
    sow_plan_text_format(text, "[\"%s\"", sow_distribution_name(draw->distribution));
    for (enum sow_number i = SOW_MEAN; i < SOW_NUMBERS; i++) {
        if (sow_distribution_has(draw->distribution, i)) {
            put_number(text, sow_draw_number(draw, i));
        }
    }
    if (sow_draw_is_whole(draw)) {
        put_axes(text, tensor);
    }
}

static void put_draws(struct sow_plan_text *text, const struct sow_plan_entry *entry)
{
    put_draw(text, &entry->draw, &entry->tensor);
    for (size_t i = 0; i < entry->region_count; i++) {
        const struct sow_region *region = &entry->regions[i];
        sow_plan_text_format(text, "%s[%" PRIu32 ",%" PRIu64 ",%" PRIu64 ",", i == 0 ? ",[" : ",",
                             region->axis, region->begin, region->end);
        put_draw(text, &region->draw, &entry->tensor);
        sow_plan_text_add(text, "]]");
    }
    sow_plan_text_add(text, entry->region_count > 0 ? "]]" : "]");
}

static struct draw_slot *table_find(const struct draw_table *table, struct draw_slot *slots,
                                    size_t capacity, size_t begin, size_t length)
{
    const char *bytes = table->texts.bytes;
    size_t i = (size_t)XXH3_64bits(bytes + begin, length) & (capacity - 1);
    for (;; i = (i + 1) & (capacity - 1)) {
        struct draw_slot *slot = &slots[i];
        if (slot->length == 0 ||
            (slot->length == length && memcmp(bytes + slot->begin, bytes + begin, length) == 0)) {
            return slot;
        }
    }
}

static int table_grow(struct draw_table *table)
{
    if (table->count * 2 < table->capacity) {
        return 0;
    }
    size_t capacity = table->capacity == 0 ? 64 : table->capacity * 2;
    struct draw_slot *slots = calloc(capacity, sizeof *slots);
    if (slots == NULL) {
        return 1;
    }
    for (size_t i = 0; i < table->capacity; i++) {
        const struct draw_slot *old = &table->slots[i];
        if (old->length > 0) {
            *table_find(table, slots, capacity, old->begin, old->length) = *old;
        }
    }
    free(table->slots);
    table->slots = slots;
    table->capacity = capacity;
    return 0;
}

/* The number of this entry's draw, which is new or known. Nonzero when out of memory. */
static int table_number(struct draw_table *table, const struct sow_plan_entry *entry,
                        uint32_t *number)
{
    size_t before = table->texts.length;
    if (table->count > 0) {
        sow_plan_text_add(&table->texts, ",");
    }
    size_t begin = table->texts.length;
    put_draws(&table->texts, entry);
    if (table->texts.failed || table_grow(table)) {
        return 1;
    }
    size_t length = table->texts.length - begin;
    struct draw_slot *slot = table_find(table, table->slots, table->capacity, begin, length);
    if (slot->length == 0) {
        *slot = (struct draw_slot){begin, length, (uint32_t)table->count++};
    } else {
        table->texts.length = before;
    }
    *number = slot->number;
    return 0;
}

static int same_draw(const struct sow_plan_entry *a, const struct sow_plan_entry *b)
{
    return a->regions == b->regions && a->region_count == b->region_count &&
           sow_draw_equal(&a->draw, &b->draw) && !sow_plan_is_whole(a);
}

static void put_run(struct sow_plan_text *runs, uint32_t number, uint64_t count)
{
    sow_plan_text_format(runs, "%s[%" PRIu32 ",%" PRIu64 "]", runs->length > 0 ? "," : "", number,
                         count);
}

/* [[draw, count], ...] over the tensors in order. */
static int put_runs(struct sow_plan_text *runs, struct draw_table *table,
                    const struct sow_plan *plan, const size_t *indices, size_t count)
{
    uint32_t run = 0, number = 0;
    uint64_t run_count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct sow_plan_entry *entry = &plan->entries[indices[i]];
        int known = i > 0 && same_draw(entry, &plan->entries[indices[i - 1]]);
        if (!known && table_number(table, entry, &number)) {
            return 1;
        }
        if (run_count > 0 && number != run) {
            put_run(runs, run, run_count);
            run_count = 0;
        }
        run = number;
        run_count++;
    }
    if (run_count > 0) {
        put_run(runs, run, run_count);
    }
    return runs->failed;
}

static void put_keys(struct sow_plan_text *text, const struct sow_plan *plan, const size_t *indices,
                     size_t count)
{
    int any = 0;
    for (size_t i = 0; i < count; i++) {
        const struct sow_plan_entry *entry = &plan->entries[indices[i]];
        if (entry->key != entry->name) {
            sow_plan_text_format(text, "%s[%zu,", any ? "," : ",\"keys\":[", i);
            sow_plan_text_json(text, entry->key);
            sow_plan_text_add(text, "]");
            any = 1;
        }
    }
    sow_plan_text_add(text, any ? "]" : "");
}

enum sow_status sow_plan_record(const struct sow_plan *plan, const size_t *indices, size_t count,
                                char **text, struct sow_error *error)
{
    struct draw_table table = {0};
    struct sow_plan_text runs = {0}, out = {0};
    for (size_t i = 0; i < count; i++) {
        if (indices[i] >= plan->count) {
            return sow_fail(error, SOW_E_ARGUMENT, "the plan has no tensor %zu, only %zu",
                            indices[i], plan->count);
        }
    }
    int failed = put_runs(&runs, &table, plan, indices, count);
    sow_plan_text_add(&out, "{\"draws\":[");
    sow_plan_text_bytes(&out, table.texts.bytes, table.texts.length);
    sow_plan_text_add(&out, "],\"runs\":[");
    sow_plan_text_bytes(&out, runs.bytes, runs.length);
    sow_plan_text_add(&out, "]");
    put_keys(&out, plan, indices, count);
    sow_plan_text_add(&out, "}");
    out.failed |= failed;
    free(table.slots);
    sow_plan_text_free(&table.texts);
    sow_plan_text_free(&runs);
    return sow_plan_text_take(&out, text, error);
}
