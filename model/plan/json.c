/* SPDX-License-Identifier: MIT */
/* The canonical plan (docs/plan.md): one line a tensor, keys in a fixed order, fields without meaning
 * left out, numbers that read back exactly. The same bytes on every machine and in every locale. */
#include "model/plan/inside.h"

#include <inttypes.h>
#include <string.h>

/* ,"name":number unless the number says nothing (not a number, infinite). */
static void put_field(struct sow_plan_text *text, const char *name, double number)
{
    if (number - number == 0) {
        sow_plan_text_format(text, ",\"%s\":", name);
        sow_plan_text_number(text, number);
    }
}

static void put_word(struct sow_plan_text *text, const char *name, const char *word)
{
    sow_plan_text_format(text, ",\"%s\":", name);
    sow_plan_text_json(text, word);
}

static void put_draw(struct sow_plan_text *text, const struct sow_draw *draw)
{
    put_word(text, "distribution", sow_distribution_name(draw->distribution));
    for (enum sow_number i = SOW_MEAN; i < SOW_NUMBERS; i++) {
        if (sow_distribution_has(draw->distribution, i)) {
            put_field(text, sow_number_names[i], sow_draw_number(draw, i));
        }
    }
    if (sow_draw_is_whole(draw)) {
        put_field(text, "std", draw->std);
    }
}

static void put_region(struct sow_plan_text *text, const struct sow_region *region)
{
    sow_plan_text_format(text, "{\"axis\":%" PRIu32 ",\"begin\":%" PRIu64 ",\"end\":%" PRIu64,
                         region->axis, region->begin, region->end);
    put_draw(text, &region->draw);
    put_field(text, "fan_in", region->fan_in);
    put_field(text, "fan_out", region->fan_out);
    sow_plan_text_add(text, "}");
}

/* From "scheme" on: what tensors of one resolution share. */
static void put_resolved(struct sow_plan_text *text, const struct sow_plan_entry *entry,
                         const struct sow_resolution *resolution)
{
    put_word(text, "scheme", entry->scheme);
    put_draw(text, &entry->draw);
    put_field(text, "fan_in", entry->fan_in);
    put_field(text, "fan_out", entry->fan_out);
    if (entry->rule_file[0] != '\0') {
        put_word(text, "rule", entry->rule);
        put_word(text, "rule_file", entry->rule_file);
    }
    if (entry->rule_line > 0) {
        sow_plan_text_format(text, ",\"rule_line\":%" PRIu32, entry->rule_line);
    }
    put_word(text, "reason", entry->reason);
    if (resolution != NULL && resolution->blocks.count > 0) {
        sow_plan_text_format(text, ",\"blocks\":{\"axis\":%" PRIu32 ",\"sizes\":[",
                             resolution->blocks.axis);
        for (uint32_t i = 0; i < resolution->blocks.count; i++) {
            sow_plan_text_format(text, "%s%" PRIu64, i == 0 ? "" : ",",
                                 resolution->blocks.sizes[i]);
        }
        sow_plan_text_add(text, "]}");
    }
    for (size_t i = 0; i < entry->region_count; i++) {
        sow_plan_text_add(text, i == 0 ? ",\"regions\":[" : ",");
        put_region(text, &entry->regions[i]);
    }
    sow_plan_text_add(text, entry->region_count > 0 ? "]}" : "}");
}

/* `shared` remembers where the last resolution's part stands in the text: neighbours often share it. */
struct shared_part {
    const struct sow_resolution *resolution;
    size_t begin, length;
};

static void put_tensor(struct sow_plan_text *text, const struct sow_plan *plan, size_t index,
                       struct shared_part *shared)
{
    const struct sow_plan_entry *entry = &plan->entries[index];
    const struct sow_resolution *resolution =
        plan->resolutions != NULL ? plan->resolutions[index] : NULL;
    sow_plan_text_add(text, "{\"name\":");
    sow_plan_text_json(text, entry->name);
    if (entry->key != entry->name) {
        put_word(text, "key", entry->key);
    }
    sow_plan_text_add(text, ",\"shape\":[");
    for (uint32_t axis = 0; axis < entry->tensor.rank; axis++) {
        sow_plan_text_format(text, "%s%" PRIu64, axis == 0 ? "" : ",", entry->tensor.shape[axis]);
    }
    sow_plan_text_add(text, "]");
    put_word(text, "dtype", sow_dtype_name(entry->dtype));
    size_t begin = text->length;
    if (resolution != NULL && resolution == shared->resolution) {
        sow_plan_text_repeat(text, shared->begin, shared->length);
    } else {
        put_resolved(text, entry, resolution);
    }
    *shared = (struct shared_part){resolution, begin, text->length - begin};
}

enum sow_status sow_plan_json(const struct sow_plan *plan, char **text, struct sow_error *error)
{
    struct sow_plan_text out = {0};
    struct shared_part shared = {0};
    sow_plan_text_format(&out, "{\"stream\":%d,\"seed\":%" PRIu64 ",\"tensors\":[",
                         SOW_STREAM_VERSION, plan->seed);
    for (size_t i = 0; i < plan->count; i++) {
        sow_plan_text_add(&out, i == 0 ? "\n" : ",\n");
        put_tensor(&out, plan, i, &shared);
    }
    sow_plan_text_format(&out, "\n],\"totals\":{\"tensors\":%zu,\"parameters\":%" PRIu64,
                         plan->count, plan->parameters);
    if (plan->buffers > 0) {
        sow_plan_text_format(&out, ",\"buffers\":%" PRIu64, plan->buffers);
    }
    sow_plan_text_format(&out, ",\"bytes\":%" PRIu64 "},\"hash\":\"%s\"}", plan->bytes, plan->hash);
    return sow_plan_text_take(&out, text, error);
}
