/* SPDX-License-Identifier: MIT */
/* The hash of what a plan draws (docs/plan.md): XXH3-128 over a canonical little-endian form of each
 * tensor, then over the sum of the digests. Words, rules, paths and the order of tensors do not enter,
 * so the shards of a checkpoint together give the hash of the plan that made them. */
#include "model/plan/inside.h"
#include "model/plan/whole.h"
#include "core/base/error.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

/* The canonical form, gathered in `text`. */
static void put_u64(struct sow_plan_text *text, uint64_t number)
{
    char bytes[8];
    for (int i = 0; i < 8; i++) {
        bytes[i] = (char)(unsigned char)(number >> (8 * i));
    }
    sow_plan_text_bytes(text, bytes, sizeof bytes);
}

static void put_f64(struct sow_plan_text *text, double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    put_u64(text, bits);
}

static void put_string(struct sow_plan_text *text, const char *string)
{
    size_t length = strlen(string);
    put_u64(text, length);
    sow_plan_text_bytes(text, string, length);
}

/* Draws of whole tensors see more than a shape. */
static void put_axes(struct sow_plan_text *text, const struct sow_tensor *tensor)
{
    const struct sow_plan_axes axes = sow_plan_axes(tensor);
    put_u64(text, (uint64_t)axes.kind);
    put_u64(text, axes.groups);
    for (uint32_t axis = 0; axis < tensor->rank; axis++) {
        put_u64(text, axes.axes[axis]);
    }
}

static void put_draw(struct sow_plan_text *text, const struct sow_draw *draw,
                     const struct sow_tensor *tensor)
{
    put_u64(text, (uint64_t)draw->distribution);
    for (enum sow_number i = SOW_MEAN; i < SOW_NUMBERS; i++) {
        if (sow_distribution_has(draw->distribution, i)) {
            put_f64(text, sow_draw_number(draw, i));
        }
    }
    if (sow_draw_is_whole(draw)) {
        put_axes(text, tensor);
    }
}

static void put_entry(struct sow_plan_text *text, const struct sow_plan_entry *entry)
{
    put_string(text, entry->name);
    put_string(text, entry->key);
    put_u64(text, (uint64_t)entry->dtype);
    put_u64(text, entry->tensor.rank);
    for (uint32_t axis = 0; axis < entry->tensor.rank; axis++) {
        put_u64(text, entry->tensor.shape[axis]);
    }
    put_draw(text, &entry->draw, &entry->tensor);
    put_u64(text, entry->region_count);
    for (size_t i = 0; i < entry->region_count; i++) {
        put_u64(text, entry->regions[i].axis);
        put_u64(text, entry->regions[i].begin);
        put_u64(text, entry->regions[i].end);
        put_draw(text, &entry->regions[i].draw, &entry->tensor);
    }
}

/* Adds the digests of a plan's entries to *sum, modulo 2^128. Nonzero when out of memory. */
static int add_digests(const struct sow_plan *plan, struct sow_plan_text *text, XXH128_hash_t *sum)
{
    for (size_t i = 0; i < plan->count; i++) {
        text->length = 0;
        put_entry(text, &plan->entries[i]);
        if (text->failed) {
            return 1;
        }
        XXH128_hash_t digest = XXH3_128bits(text->bytes, text->length);
        sum->low64 += digest.low64;
        sum->high64 += digest.high64 + (sum->low64 < digest.low64);
    }
    return 0;
}

enum sow_status sow_plans_hash(const struct sow_plan *const *plans, size_t plan_count,
                               char hash[33], struct sow_error *error)
{
    struct sow_plan_text text = {0};
    XXH128_hash_t sum = {0, 0};
    uint64_t count = 0;
    int failed = 0;
    for (size_t i = 0; i < plan_count && !failed; i++) {
        failed = add_digests(plans[i], &text, &sum);
        count += plans[i]->count;
    }
    text.length = 0;
    sow_plan_text_add(&text, "sow plan");
    put_u64(&text, SOW_STREAM_VERSION);
    put_u64(&text, plan_count > 0 ? plans[0]->seed : 0);
    put_u64(&text, count);
    put_u64(&text, sum.low64);
    put_u64(&text, sum.high64);
    if (failed || text.failed) {
        sow_plan_text_free(&text);
        return sow_fail(error, SOW_E_MEMORY, "out of memory for the hash of a plan");
    }
    XXH128_hash_t all = XXH3_128bits(text.bytes, text.length);
    sow_plan_text_free(&text);
    snprintf(hash, 33, "%016" PRIx64 "%016" PRIx64, (uint64_t)all.high64, (uint64_t)all.low64);
    return SOW_OK;
}

enum sow_status sow_plan_finish(struct sow_plan *plan, enum sow_status code,
                                struct sow_error *error)
{
    const struct sow_plan *const plans[] = {plan};
    enum sow_status status = sow_plan_index_names(plan, code, error);
    return status != SOW_OK ? status : sow_plans_hash(plans, 1, plan->hash, error);
}
