/* SPDX-License-Identifier: MIT */
/* A safetensors file or its sharded index as a description: names, shapes and dtypes, and no graph. What a tensor is, and
 * in which order its axes are, no header tells; so kinds stay "other" and only rules apply. */
#include "model/source/source.h"

#include "core/base/checked.h"
#include "core/base/error.h"
#include "model/checkpoint/safetensors.h"
#include "model/recipe/host.h"

#include <stdio.h>
#include <string.h>

static enum sow_status add_tensor(struct sow_model *model, const struct sow_st_tensor *tensor,
                                  const char *path, struct sow_error *error)
{
    struct sow_parameter parameter = {.zero_row = -1, .role = "", .layer = -1, .file = path};
    uint64_t elements;
    uint32_t index;
    size_t length = strlen(tensor->name);
    if (length == 0 || length > SOW_MODEL_NAME_MAX) {
        return sow_fail_at(error, SOW_E_FORMAT, path, 0, 0,
                           "a tensor's name of %zu bytes; sow takes 1 to %u", length,
                           SOW_MODEL_NAME_MAX);
    }
    if (sow_product_u64(tensor->shape, tensor->rank, &elements) ||
        elements > SOW_MODEL_ELEMENTS_MAX) {
        return sow_fail_at(error, SOW_E_FORMAT, path, 0, 0, "%.300s has more than 2^56 elements",
                           tensor->name);
    }
    parameter.name = sow_arena_copy(&model->arena, tensor->name, length);
    struct sow_tensor shape = {.rank = tensor->rank};
    memcpy(shape.shape, tensor->shape, sizeof shape.shape);
    parameter.tensor = sow_model_keep_tensor(model, &shape);
    if (parameter.name == NULL || parameter.tensor == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "the names of %s take too much memory", path);
    }
    parameter.dtype = tensor->dtype;
    enum sow_status status = sow_model_add_parameter(model, &parameter, &index, error);
    if (status == SOW_E_CONFIG && error != NULL) {
        error->code = status = SOW_E_FORMAT;
        snprintf(error->file, sizeof error->file, "%s", path);
    }
    return status;
}

static enum sow_status add_file(struct sow_model *model, const struct sow_st_set *set, size_t file,
                                struct sow_error *error)
{
    char path[512];
    const struct sow_st_header *header = set->files[file].header;
    sow_st_set_path(set, file, path);
    const char *kept = sow_arena_copy(&model->arena, path, strlen(path));
    enum sow_status status =
        kept == NULL ? sow_fail(error, SOW_E_MEMORY, "out of memory while reading %s", path)
                     : SOW_OK;
    for (size_t i = 0; status == SOW_OK && i < sow_st_count(header); i++) {
        status = add_tensor(model, sow_st_at(header, i), kept, error);
    }
    return status;
}

/* Shards beside the index that it does not name, and the like. */
static enum sow_status add_warnings(struct sow_model *model, const char *warnings,
                                    struct sow_error *error)
{
    enum sow_status status = SOW_OK;
    while (status == SOW_OK && *warnings != '\0') {
        size_t length = strcspn(warnings, "\n");
        status = sow_model_add_note(model, warnings, length, error);
        warnings += length + (warnings[length] == '\n');
    }
    return status;
}

enum sow_status sow_source_safetensors(struct sow_model *model, const char *path,
                                       struct sow_error *error)
{
    struct sow_host *host; /* for --set and rules files */
    struct sow_st_set *set = NULL;
    enum sow_status status = sow_st_set_open(path, &set, error);
    for (size_t i = 0; status == SOW_OK && i < set->count; i++) {
        status = add_file(model, set, i, error);
    }
    if (status == SOW_OK) {
        status = add_warnings(model, set->warnings, error);
    }
    sow_st_set_free(set);
    if (status == SOW_OK && model->graph.parameter_count == 0) {
        status = sow_fail_at(error, SOW_E_FORMAT, path, 0, 0, "the file has no tensor");
    }
    return status == SOW_OK ? sow_host_new(model, NULL, &host, error) : status;
}
