/* SPDX-License-Identifier: MIT */
/* The bytes before the data: length, header, padding. Compact JSON with the keys in the order of the reference writer
 * (Rust, safetensors 0.8), except that metadata is sorted: there its order is a hash map's. */
#include "model/checkpoint/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "model/checkpoint/emit.h"
#include "model/checkpoint/header.h"

static int compare_pairs(const void *left, const void *right)
{
    const struct sow_st_pair *a = left, *b = right;
    return strcmp(a->key, b->key);
}

static void emit_metadata(struct sow_emit *emit, const struct sow_st_pair *pairs, size_t count)
{
    sow_emit_text(emit, "\"__metadata__\":{");
    for (size_t i = 0; i < count; i++) {
        sow_emit_text(emit, i == 0 ? "" : ",");
        sow_emit_string(emit, pairs[i].key);
        sow_emit_text(emit, ":");
        sow_emit_string(emit, pairs[i].value);
    }
    sow_emit_text(emit, "}");
}

static void emit_tensor(struct sow_emit *emit, const struct sow_st_tensor *tensor)
{
    sow_emit_string(emit, tensor->name);
    sow_emit_text(emit, ":{\"dtype\":\"");
    sow_emit_text(emit, sow_st_dtype_name(tensor->dtype));
    sow_emit_text(emit, "\",\"shape\":[");
    for (uint32_t axis = 0; axis < tensor->rank; axis++) {
        sow_emit_text(emit, axis == 0 ? "" : ",");
        sow_emit_u64(emit, tensor->shape[axis]);
    }
    sow_emit_text(emit, "],\"data_offsets\":[");
    sow_emit_u64(emit, tensor->offset_begin);
    sow_emit_text(emit, ",");
    sow_emit_u64(emit, tensor->offset_end);
    sow_emit_text(emit, "]}");
}

static void emit_header(struct sow_emit *emit, const struct sow_st_tensor *tensors, size_t count,
                        const struct sow_st_pair *pairs, size_t pair_count)
{
    sow_emit_text(emit, "{");
    if (pair_count > 0) {
        emit_metadata(emit, pairs, pair_count);
    }
    for (size_t i = 0; i < count; i++) {
        sow_emit_text(emit, i == 0 && pair_count == 0 ? "" : ",");
        emit_tensor(emit, &tensors[i]);
    }
    sow_emit_text(emit, "}");
}

/* Length of prefix and padded header. Near the limit the alignment gives way. */
static uint64_t padded_length(uint64_t header_bytes, uint64_t alignment)
{
    const uint64_t most = 8 + (uint64_t)SOW_SAFETENSORS_HEADER_MAX;
    uint64_t length = 8 + header_bytes;
    uint64_t aligned = (length + alignment - 1) / alignment * alignment;
    if (aligned > most) {
        aligned = (length + 7) / 8 * 8;
    }
    return aligned > most ? length : aligned;
}

enum sow_status sow_st_build(const struct sow_st_tensor *tensors, size_t count,
                             const struct sow_st_pair *metadata, size_t metadata_count,
                             uint64_t alignment, char **bytes, uint64_t *length,
                             struct sow_error *error)
{
    struct sow_emit emit = {NULL, 0, 0};
    enum sow_status status = SOW_OK;
    struct sow_st_pair *pairs = calloc(metadata_count + 1, sizeof pairs[0]);
    char *made = NULL;
    if (pairs == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "no memory for a header");
    }
    for (size_t i = 0; i < metadata_count; i++) {
        pairs[i] = metadata[i];
    }
    qsort(pairs, metadata_count, sizeof pairs[0], compare_pairs);
    emit_header(&emit, tensors, count, pairs, metadata_count);
    if (emit.length > SOW_SAFETENSORS_HEADER_MAX) {
        status = sow_fail(error, SOW_E_FORMAT,
                          "the header of these %llu tensors takes %llu bytes, %llu over the "
                          "format's limit of %u: no reader would open the file; --shard-size "
                          "splits the header too",
                          (unsigned long long)count, (unsigned long long)emit.length,
                          (unsigned long long)(emit.length - SOW_SAFETENSORS_HEADER_MAX),
                          SOW_SAFETENSORS_HEADER_MAX);
        goto free_pairs;
    }
    uint64_t header_bytes = emit.length, total = padded_length(header_bytes, alignment);
    made = malloc(total);
    if (made == NULL) {
        status = sow_fail(error, SOW_E_MEMORY, "no memory for a header of %llu bytes",
                          (unsigned long long)total);
        goto free_pairs;
    }
    for (unsigned i = 0; i < 8; i++) {
        made[i] = (char)((total - 8) >> (8 * i) & 0xff);
    }
    emit = (struct sow_emit){made + 8, 0, 0};
    emit_header(&emit, tensors, count, pairs, metadata_count);
    memset(made + 8 + header_bytes, ' ', total - 8 - header_bytes);
    *bytes = made;
    *length = total;
free_pairs:
    free(pairs);
    return status;
}
