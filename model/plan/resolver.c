/* SPDX-License-Identifier: MIT */
/* The resolutions of a plan in the making: each distinct one is worked out once (resolve.c) and found
 * again by the bytes of everything it is made from. */
#include "model/plan/resolve.h"
#include "core/base/error.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct sow_resolver_slot {
    uint64_t hash;
    char *key; /* NULL: free */
    size_t key_length;
    const struct sow_resolution *resolution;
};

static void key_string(struct sow_plan_text *key, const char *string)
{
    sow_plan_text_bytes(key, string == NULL ? "" : string, string == NULL ? 1 : strlen(string) + 1);
}

static void key_u64(struct sow_plan_text *key, uint64_t number)
{
    sow_plan_text_bytes(key, (const char *)&number, sizeof number);
}

/* Everything a resolution is made from; equal bytes, equal resolution. */
static void key_write(struct sow_plan_text *key, const struct sow_parameter *parameter,
                      const struct sow_rule_match *match)
{
    key->length = 0;
    const struct sow_tensor *tensor = parameter->tensor;
    const uint64_t numbers[] = {tensor->rank,
                                (uint64_t)tensor->kind,
                                (uint64_t)tensor->layout,
                                tensor->groups,
                                tensor->stride,
                                parameter->blocks.axis,
                                parameter->blocks.count,
                                (uint64_t)parameter->zero_row,
                                (uint64_t)parameter->layer_count,
                                parameter->line,
                                match->line,
                                match->argument_count};
    sow_plan_text_bytes(key, (const char *)numbers, sizeof numbers);
    sow_plan_text_bytes(key, (const char *)tensor->shape, tensor->rank * sizeof tensor->shape[0]);
    sow_plan_text_bytes(key, (const char *)tensor->axes, sizeof tensor->axes);
    for (uint32_t i = 0; i < parameter->blocks.count; i++) {
        key_u64(key, parameter->blocks.sizes[i]);
    }
    for (size_t i = 0; i < match->argument_count; i++) {
        key_string(key, match->arguments[i].name);
        key_string(key, match->arguments[i].text);
        sow_plan_text_bytes(key, (const char *)&match->arguments[i].number, sizeof(double));
        key_u64(key, match->arguments[i].list_count);
        if (match->arguments[i].list != NULL) {
            sow_plan_text_bytes(key, (const char *)match->arguments[i].list,
                                match->arguments[i].list_count * sizeof(double));
        }
    }
    const char *const strings[] = {match->scheme,   match->glob,     match->text,
                                   match->file,     match->variant,  match->reason,
                                   parameter->role, parameter->file, parameter->blocks.gates};
    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++) {
        key_string(key, strings[i]);
    }
}

static struct sow_resolver_slot *slot_find(struct sow_resolver_slot *slots, size_t capacity,
                                           uint64_t hash, const char *key, size_t length)
{
    for (size_t i = (size_t)hash & (capacity - 1);; i = (i + 1) & (capacity - 1)) {
        struct sow_resolver_slot *slot = &slots[i];
        if (slot->key == NULL || (slot->hash == hash && slot->key_length == length &&
                                  memcmp(slot->key, key, length) == 0)) {
            return slot;
        }
    }
}

/* At most half full. */
static int resolver_grow(struct sow_resolver *resolver)
{
    if (resolver->count * 2 < resolver->capacity) {
        return 0;
    }
    size_t capacity = resolver->capacity == 0 ? 64 : resolver->capacity * 2;
    struct sow_resolver_slot *slots = calloc(capacity, sizeof *slots);
    if (slots == NULL) {
        return 1;
    }
    for (size_t i = 0; i < resolver->capacity; i++) {
        const struct sow_resolver_slot *old = &resolver->slots[i];
        if (old->key != NULL) {
            *slot_find(slots, capacity, old->hash, old->key, old->key_length) = *old;
        }
    }
    free(resolver->slots);
    resolver->slots = slots;
    resolver->capacity = capacity;
    return 0;
}

static enum sow_status out_of_memory(struct sow_error *error)
{
    return sow_fail(error, SOW_E_MEMORY, "out of memory while making the plan");
}

/* Two biases that are added share one scheme for gates: the second of them starts at zero. */
static void share_with_twin(const struct sow_resolver *resolver,
                            const struct sow_parameter *parameter, struct sow_rule_match *match)
{
    const struct sow_scheme *scheme = sow_scheme_find(match->scheme, NULL);
    if (parameter->twin == NULL || scheme == NULL || !scheme->sets_gates) {
        return;
    }
    const struct sow_resolution *its = NULL;
    for (size_t i = (size_t)(parameter - sow_model_graph(resolver->model)->parameters);
         i > 0 && its == NULL; i--) {
        its = strcmp(resolver->plan->entries[i - 1].name, parameter->twin) == 0
                  ? resolver->plan->resolutions[i - 1]
                  : NULL;
    }
    if (its != NULL && strcmp(its->scheme, scheme->name) == 0) {
        match->scheme = "zeros";
        match->argument_count = 0;
        match->reason = "the bias it is added to has it already; it counts once";
    }
}

enum sow_status sow_resolver_resolve(struct sow_resolver *resolver,
                                     const struct sow_parameter *parameter,
                                     const struct sow_rule_match *claimed,
                                     const struct sow_resolution **resolution,
                                     struct sow_error *error)
{
    struct sow_plan_text *key = &resolver->key;
    struct sow_rule_match shared = *claimed, *match = &shared;
    share_with_twin(resolver, parameter, &shared);
    if (parameter->tensor->rank > SOW_RANK_MAX) {
        return sow_fail_at(error, SOW_E_SHAPE, parameter->file, parameter->line, 0,
                           "`%s` has %" PRIu32 " axes; at most %d are possible", parameter->name,
                           parameter->tensor->rank, SOW_RANK_MAX);
    }
    key_write(key, parameter, match);
    if (key->failed || resolver_grow(resolver)) {
        return out_of_memory(error);
    }
    uint64_t hash = XXH3_64bits(key->bytes, key->length);
    struct sow_resolver_slot *slot =
        slot_find(resolver->slots, resolver->capacity, hash, key->bytes, key->length);
    if (slot->key == NULL) {
        struct sow_resolution *made = sow_arena_take(&resolver->plan->arena, sizeof *made);
        char *kept = malloc(key->length);
        if (made == NULL || kept == NULL) {
            free(kept);
            return out_of_memory(error);
        }
        memcpy(kept, key->bytes, key->length);
        enum sow_status status = sow_resolve(resolver, parameter, match, made, error);
        if (status != SOW_OK) {
            free(kept);
            return status;
        }
        *slot = (struct sow_resolver_slot){hash, kept, key->length, made};
        resolver->count++;
    }
    *resolution = slot->resolution;
    return SOW_OK;
}

void sow_resolver_free(struct sow_resolver *resolver)
{
    for (size_t i = 0; i < resolver->capacity; i++) {
        free(resolver->slots[i].key);
    }
    free(resolver->slots);
    sow_plan_text_free(&resolver->key);
}
