/* SPDX-License-Identifier: MIT */
/* Model: arrays that grow while it is built, and a table of its names. No reader and no Lua in here. */
#include "model/graph/build.h"

#include "core/base/error.h"
#include "model/graph/pages.h"

#include <stdlib.h>
#include <string.h>

struct sow_model *sow_model_new(void)
{
    struct sow_model *model = calloc(1, sizeof *model);
    if (model != NULL) {
        model->arena.bytes_max = SOW_MODEL_BYTES_MAX;
        model->family = "";
    }
    return model;
}

void sow_model_free(struct sow_model *model)
{
    if (model == NULL) {
        return;
    }
    if (model->host_free != NULL) {
        model->host_free(model->host);
    }
    free(model->parameters);
    free(model->operations);
    free(model->values);
    free(model->ties);
    free(model->names.slots);
    free(model->variants);
    free(model->notes);
    sow_arena_free(&model->arena);
    free(model);
}

static enum sow_status no_memory(struct sow_error *error)
{
    return sow_fail(error, SOW_E_MEMORY, "out of memory while building the model");
}

/* By how much arrays grow: what is not written yet takes no memory, and what is copied takes time. */
#define GROWTH 4u

/* Room for one more element of `size` bytes behind `array`, of which there will be at most `most`; NULL (and the old array
 * intact) when out of memory. */
static void *grown(void *array, size_t count, size_t *capacity, size_t size, size_t most)
{
    if (count < *capacity) {
        return array;
    }
    size_t wanted = *capacity == 0 ? 16 : *capacity * GROWTH;
    wanted = wanted > most / GROWTH ? most : wanted;
    void *larger = wanted > SIZE_MAX / size ? NULL : sow_pages_new(wanted * size);
    if (larger == NULL && *capacity > 0) { /* a small machine: as little as goes on */
        wanted = *capacity + *capacity / 2 + 1;
        larger = sow_pages_new(wanted * size);
    }
    if (larger != NULL) {
        if (count > 0) {
            memcpy(larger, array, count * size);
        }
        free(array);
        *capacity = wanted;
    }
    return larger;
}

/* FNV-1 64 folded, for the table only. The last byte goes in without a multiplication after it: names that differ in
 * their last digit lie side by side, so that the next of many numbered names is in the cache. */
static uint32_t hash_name(const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *name != '\0'; name++) {
        hash = hash * UINT64_C(0x100000001b3) ^ (unsigned char)*name;
    }
    return (uint32_t)(hash ^ hash >> 32);
}

/* Where the name is, or the empty slot where it belongs. */
static struct sow_name_slot *slot_of(const struct sow_model *model, const char *name, uint32_t hash)
{
    size_t mask = model->names.capacity - 1;
    size_t at = hash & mask;
    const struct sow_name_slot *slots = model->names.slots;
    while (slots[at].index != 0 &&
           (slots[at].hash != hash ||
            strcmp(model->parameters[slots[at].index - 1].name, name) != 0)) {
        at = (at + 1) & mask;
    }
    return &model->names.slots[at];
}

/* Keeps the table at most half full. The names themselves are not looked at again: they lie all over the memory. */
static int grow_names(struct sow_names *names, size_t count)
{
    if (count * 2 < names->capacity) {
        return 0;
    }
    size_t capacity = names->capacity == 0 ? 64 : names->capacity * GROWTH;
    struct sow_name_slot *slots = sow_pages_new(capacity * sizeof *slots);
    if (slots == NULL) {
        return 1;
    }
    memset(slots, 0, capacity * sizeof *slots);
    for (size_t i = 0; i < names->capacity; i++) {
        if (names->slots[i].index != 0) {
            size_t at = names->slots[i].hash & (capacity - 1);
            while (slots[at].index != 0) {
                at = (at + 1) & (capacity - 1);
            }
            slots[at] = names->slots[i];
        }
    }
    free(names->slots);
    names->slots = slots;
    names->capacity = capacity;
    return 0;
}

uint32_t sow_model_find(const struct sow_model *model, const char *name)
{
    if (model->names.capacity == 0) {
        return UINT32_MAX;
    }
    uint32_t index = slot_of(model, name, hash_name(name))->index;
    return index == 0 ? UINT32_MAX : index - 1;
}

/* Of what tells most tensors apart: for the table of those kept lately only. */
static uint32_t hash_tensor(const struct sow_tensor *tensor)
{
    uint64_t hash = (uint64_t)tensor->kind * 8 + tensor->rank;
    for (uint32_t axis = 0; axis < tensor->rank; axis++) {
        hash = (hash ^ tensor->shape[axis]) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    return (uint32_t)hash % SOW_MODEL_ALIKE;
}

const struct sow_tensor *sow_model_keep_tensor(struct sow_model *model,
                                               const struct sow_tensor *tensor)
{
    const struct sow_tensor **alike = &model->alike[hash_tensor(tensor)];
    if (*alike == NULL || memcmp(*alike, tensor, sizeof *tensor) != 0) {
        struct sow_tensor *kept = sow_arena_take(&model->arena, sizeof *kept);
        if (kept == NULL) {
            return NULL;
        }
        memcpy(kept, tensor, sizeof *kept);
        *alike = kept;
    }
    return *alike;
}

enum sow_status sow_model_add_parameter(struct sow_model *model,
                                        const struct sow_parameter *parameter, uint32_t *index,
                                        struct sow_error *error)
{
    size_t count = model->graph.parameter_count;
    if (count >= SOW_MODEL_PARAMETERS_MAX) {
        return sow_fail(error, SOW_E_CONFIG, "the model has more than %u tensors",
                        SOW_MODEL_PARAMETERS_MAX);
    }
    void *larger = grown(model->parameters, count, &model->parameter_capacity,
                         sizeof *model->parameters, SOW_MODEL_PARAMETERS_MAX);
    if (larger == NULL) {
        return no_memory(error);
    }
    model->parameters = larger;
    model->graph.parameters = larger;
    if (grow_names(&model->names, count)) {
        return no_memory(error);
    }
    model->parameters[count] = *parameter;
    uint32_t hash = hash_name(parameter->name);
    struct sow_name_slot *slot = slot_of(model, parameter->name, hash);
    if (slot->index != 0) {
        const struct sow_parameter *twin = &model->parameters[slot->index - 1];
        return sow_fail(error, SOW_E_CONFIG, "there already is a tensor %.300s, declared at %s:%u",
                        parameter->name, twin->file, twin->line);
    }
    *slot = (struct sow_name_slot){(uint32_t)count + 1, hash};
    *index = (uint32_t)count;
    model->graph.parameter_count++;
    return SOW_OK;
}

enum sow_status sow_model_add_operation(struct sow_model *model, struct sow_operation *operation,
                                        struct sow_value *value, struct sow_error *error)
{
    size_t count = model->graph.operation_count;
    if (count >= SOW_MODEL_OPERATIONS_MAX) {
        return sow_fail(error, SOW_E_CONFIG, "the model has more than %u operations",
                        SOW_MODEL_OPERATIONS_MAX);
    }
    void *operations = grown(model->operations, count, &model->operation_capacity,
                             sizeof *model->operations, SOW_MODEL_OPERATIONS_MAX);
    if (operations == NULL) {
        return no_memory(error);
    }
    model->operations = operations;
    model->graph.operations = operations;
    void *values = grown(model->values, model->graph.value_count, &model->value_capacity,
                         sizeof *model->values, SOW_MODEL_OPERATIONS_MAX);
    if (values == NULL) {
        return no_memory(error);
    }
    model->values = values;
    model->graph.values = values;
    operation->output = (uint32_t)model->graph.value_count;
    value->operation = (uint32_t)count;
    model->operations[count] = *operation;
    model->values[model->graph.value_count] = *value;
    model->graph.operation_count++;
    model->graph.value_count++;
    return SOW_OK;
}

enum sow_status sow_model_add_tie(struct sow_model *model, const char *name, const char *to,
                                  struct sow_error *error)
{
    void *larger = grown(model->ties, model->graph.tie_count, &model->tie_capacity,
                         sizeof *model->ties, SIZE_MAX);
    if (larger == NULL) {
        return no_memory(error);
    }
    model->ties = larger;
    model->graph.ties = larger;
    model->ties[model->graph.tie_count].name = name;
    model->ties[model->graph.tie_count].to = to;
    model->graph.tie_count++;
    return SOW_OK;
}

enum sow_status sow_model_add_variant(struct sow_model *model, const char *name, const char *source,
                                      int may_be_default, struct sow_error *error)
{
    void *larger = grown(model->variants, model->variant_count, &model->variant_capacity,
                         sizeof *model->variants, SIZE_MAX);
    if (larger == NULL) {
        return no_memory(error);
    }
    model->variants = larger;
    model->variants[model->variant_count].name = name;
    model->variants[model->variant_count].source = source;
    model->variants[model->variant_count].is_default = model->variant_count == 0 && may_be_default;
    model->variant_count++;
    return SOW_OK;
}

enum sow_status sow_model_add_note(struct sow_model *model, const char *text, size_t length,
                                   struct sow_error *error)
{
    const char *copy = sow_arena_copy(&model->arena, text, length);
    void *larger = grown((void *)model->notes, model->note_count, &model->note_capacity,
                         sizeof *model->notes, SIZE_MAX);
    if (larger != NULL) {
        model->notes = larger;
    }
    if (copy == NULL || larger == NULL) {
        return no_memory(error);
    }
    model->notes[model->note_count++] = copy;
    return SOW_OK;
}

const struct sow_graph *sow_model_graph(const struct sow_model *model)
{
    return &model->graph;
}

enum sow_dtype sow_model_dtype(const struct sow_model *model)
{
    return model->dtype;
}

const char *sow_model_family(const struct sow_model *model)
{
    return model->family;
}

const struct sow_variant *sow_model_variant(const struct sow_model *model, size_t index)
{
    return index < model->variant_count ? &model->variants[index] : NULL;
}

const char *sow_model_note(const struct sow_model *model, size_t index)
{
    return index < model->note_count ? model->notes[index] : NULL;
}
