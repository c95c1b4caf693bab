/* SPDX-License-Identifier: MIT */
/* Names and keys of a plan: unique, and found again. The table is sorted, not hashed into buckets, so
 * that names made to collide cost no more than others. */
#include "model/plan/inside.h"
#include "core/base/error.h"
#include "core/kernel/map.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int slot_compare(const void *a, const void *b)
{
    const struct sow_plan_slot *left = a, *right = b;
    if (left->hash != right->hash) {
        return left->hash < right->hash ? -1 : 1;
    }
    return strcmp(left->entry->name, right->entry->name);
}

static enum sow_status key_clash(const struct sow_plan_entry *a, const struct sow_plan_entry *b,
                                 uint64_t hash, enum sow_status code, struct sow_error *error)
{
    if (strcmp(a->key, b->key) == 0) {
        return sow_fail(
            error, code,
            "`%s` and `%s` would be drawn with the same key `%s` and start as copies of "
            "each other; give one of them another key",
            a->name, b->name, a->key);
    }
    return sow_fail(error, code,
                    "the keys of `%s` (`%s`) and `%s` (`%s`) have the same FNV-1a 64, %016" PRIx64
                    ", so both would get the same values; give one of them another key",
                    a->name, a->key, b->name, b->key, hash);
}

/* Different functions of one uniform are no copies: a pole's radius and the factor that belongs to it. */
static int made_to_share(const struct sow_plan_entry *a, const struct sow_plan_entry *b)
{
    return strcmp(a->key, b->key) == 0 && a->draw.distribution != b->draw.distribution &&
           sow_map_of(a->draw.distribution) != NULL && sow_map_of(b->draw.distribution) != NULL;
}

/* Two entries of the same key would get the same values. Sorts a table of its own only when some key
 * is not the name. */
static enum sow_status check_keys(const struct sow_plan *plan, enum sow_status code,
                                  struct sow_error *error)
{
    int all_names = 1;
    for (size_t i = 0; i < plan->count && all_names; i++) {
        all_names = plan->entries[i].key == plan->entries[i].name;
    }
    struct sow_plan_slot *slots = plan->slots;
    if (!all_names) {
        slots = malloc(plan->count * sizeof *slots);
        if (slots == NULL) {
            return sow_fail(error, SOW_E_MEMORY, "out of memory for %zu keys", plan->count);
        }
        for (size_t i = 0; i < plan->count; i++) {
            slots[i].hash = sow_key(plan->entries[i].key, 0).tensor;
            slots[i].entry = &plan->entries[i];
        }
        qsort(slots, plan->count, sizeof *slots, slot_compare);
    }
    enum sow_status status = SOW_OK;
    for (size_t i = 1; i < plan->count && status == SOW_OK; i++) {
        for (size_t j = i; j-- > 0 && slots[j].hash == slots[i].hash && status == SOW_OK;) {
            if (!made_to_share(slots[j].entry, slots[i].entry)) {
                status = key_clash(slots[j].entry, slots[i].entry, slots[i].hash, code, error);
            }
        }
    }
    if (!all_names) {
        free(slots);
    }
    return status;
}

enum sow_status sow_plan_index_names(struct sow_plan *plan, enum sow_status code,
                                     struct sow_error *error)
{
    if (plan->count == 0) {
        return SOW_OK;
    }
    plan->slots = malloc(plan->count * sizeof *plan->slots);
    if (plan->slots == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory for %zu names", plan->count);
    }
    for (size_t i = 0; i < plan->count; i++) {
        plan->slots[i].hash = sow_key(plan->entries[i].name, 0).tensor;
        plan->slots[i].entry = &plan->entries[i];
    }
    qsort(plan->slots, plan->count, sizeof *plan->slots, slot_compare);
    for (size_t i = 1; i < plan->count; i++) {
        const char *name = plan->slots[i].entry->name;
        if (plan->slots[i].hash == plan->slots[i - 1].hash &&
            strcmp(plan->slots[i - 1].entry->name, name) == 0) {
            return sow_fail(error, code, "two tensors are called `%s`; names must differ", name);
        }
    }
    return check_keys(plan, code, error);
}

static const char *name_at(const void *context, size_t index)
{
    const struct sow_plan *plan = context;
    return index < plan->count ? plan->entries[index].name : NULL;
}

static void fail_not_found(const struct sow_plan *plan, const char *name, struct sow_error *error)
{
    for (size_t i = 0; i < plan->tie_count; i++) {
        if (strcmp(plan->ties[i].name, name) == 0) {
            sow_fail(error, SOW_E_ARGUMENT,
                     "`%s` is no tensor of its own: it is tied to `%s` and not stored", name,
                     plan->ties[i].to);
            return;
        }
    }
    const char *nearest = sow_nearest(name, name_at, plan);
    if (nearest != NULL) {
        sow_fail(error, SOW_E_ARGUMENT, "no tensor is called `%s`; did you mean `%s`?", name,
                 nearest);
    } else if (plan->count > 0) {
        sow_fail(error, SOW_E_ARGUMENT,
                 "no tensor is called `%s`; the plan has %zu, the first is `%s`", name, plan->count,
                 plan->entries[0].name);
    } else {
        sow_fail(error, SOW_E_ARGUMENT, "no tensor is called `%s`; the plan has none", name);
    }
}

const struct sow_plan_entry *sow_plan_find(const struct sow_plan *plan, const char *name,
                                           struct sow_error *error)
{
    uint64_t hash = sow_key(name, 0).tensor;
    size_t low = 0, high = plan->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct sow_plan_slot *slot = &plan->slots[middle];
        int order =
            slot->hash != hash ? (slot->hash < hash ? -1 : 1) : strcmp(slot->entry->name, name);
        if (order == 0) {
            return slot->entry;
        }
        low = order < 0 ? middle + 1 : low;
        high = order > 0 ? middle : high;
    }
    if (error != NULL) { /* the nearest name takes a look at all of them */
        fail_not_found(plan, name, error);
    }
    return NULL;
}
