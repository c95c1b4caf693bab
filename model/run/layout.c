/* SPDX-License-Identifier: MIT */
/* From a plan to files: shards, the order of tensors within one, offsets, headers. */
#include "model/run/layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "model/checkpoint/safetensors.h"
#include "model/run/shards.h"

static enum sow_status no_memory(struct sow_error *error, size_t count)
{
    return sow_fail(error, SOW_E_MEMORY, "no memory to lay out %llu tensors",
                    (unsigned long long)count);
}

static void free_file(struct sow_file *file)
{
    free((void *)(uintptr_t)file->stream.header);
    free((void *)file->stream.entries);
    free((void *)(uintptr_t)file->stream.begins);
    memset(file, 0, sizeof *file);
}

void sow_files_free(struct sow_files *layout)
{
    if (layout != NULL) {
        for (size_t i = 0; i < layout->count; i++) {
            free_file(&layout->files[i]);
        }
        free(layout->files);
        free(layout);
    }
}

/* Wide elements first, so that every tensor stands at a multiple of its element; the plan's order among equals. */
static void order_by_width(const struct sow_plan *plan, const size_t *indices, size_t count,
                           size_t *ordered)
{
    size_t used = 0;
    for (uint32_t bits = 64; bits >= 8; bits /= 2) {
        for (size_t i = 0; i < count; i++) {
            if (sow_dtype_bits(sow_plan_at(plan, indices[i])->dtype) == bits) {
                ordered[used++] = indices[i];
            }
        }
    }
}

/* Offsets within the data, and the entries in order. */
static enum sow_status place_tensors(const struct sow_plan *plan, const size_t *ordered,
                                     size_t count, struct sow_st_tensor *tensors,
                                     const struct sow_plan_entry **entries, uint64_t *begins,
                                     struct sow_error *error)
{
    uint64_t offset = 0;
    for (size_t i = 0; i < count; i++) {
        const struct sow_plan_entry *entry = sow_plan_at(plan, ordered[i]);
        entries[i] = entry;
        begins[i] = offset;
        tensors[i] = (struct sow_st_tensor){.name = entry->name,
                                            .dtype = entry->dtype,
                                            .rank = entry->tensor.rank,
                                            .offset_begin = offset};
        memcpy(tensors[i].shape, entry->tensor.shape, sizeof tensors[i].shape);
        if (sow_add_u64(offset, entry->bytes, &offset) || offset > INT64_MAX / 2) {
            return sow_fail(error, SOW_E_SHAPE, "tensor %s ends beyond what a file can hold",
                            entry->name);
        }
        tensors[i].offset_end = offset;
    }
    begins[count] = offset;
    return SOW_OK;
}

/* The file's header with its record: what draws these tensors again. */
static enum sow_status build_header(const struct sow_plan *plan, const size_t *ordered,
                                    size_t count, const struct sow_st_tensor *tensors, char **bytes,
                                    uint64_t *length, struct sow_error *error)
{
    char seed[24], stream[12];
    char *record = NULL;
    enum sow_status status = sow_plan_record(plan, ordered, count, &record, error);
    if (status != SOW_OK) {
        return status;
    }
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)sow_plan_seed(plan));
    snprintf(stream, sizeof stream, "%d", SOW_STREAM_VERSION);
    const struct sow_st_pair metadata[] = {
        {"format", "pt"}, /* what loaders ask for */
        {SOW_RECORD_VERSION, SOW_VERSION},
        {SOW_RECORD_STREAM, stream},
        {SOW_RECORD_SEED, seed},
        {SOW_RECORD_PLAN, record},
        {SOW_RECORD_PLAN_HASH, sow_plan_hash(plan)},
    };
    status = sow_st_build(tensors, count, metadata, sizeof metadata / sizeof metadata[0],
                          SOW_ALIGNMENT, bytes, length, error);
    sow_text_free(record);
    return status;
}

/* A file of the tensors at these plan indices. */
static enum sow_status make_file(const struct sow_plan *plan, const size_t *indices, size_t count,
                                 struct sow_file *file, struct sow_error *error)
{
    char *header = NULL;
    struct sow_st_tensor *tensors = calloc(count + 1, sizeof tensors[0]);
    size_t *ordered = calloc(count + 1, sizeof ordered[0]);
    const struct sow_plan_entry **entries = calloc(count + 1, sizeof entries[0]);
    uint64_t *begins = calloc(count + 1, sizeof begins[0]);
    enum sow_status status = SOW_E_MEMORY;
    file->stream = (struct sow_stream){
        .entries = entries, .begins = begins, .count = count, .seed = sow_plan_seed(plan)};
    if (tensors == NULL || ordered == NULL || entries == NULL || begins == NULL) {
        status = no_memory(error, count);
        goto free_scratch;
    }
    order_by_width(plan, indices, count, ordered);
    status = place_tensors(plan, ordered, count, tensors, entries, begins, error);
    if (status == SOW_OK) {
        status =
            build_header(plan, ordered, count, tensors, &header, &file->stream.header_bytes, error);
    }
    if (status == SOW_OK) {
        file->stream.header = header;
        for (size_t i = 0; i <= count; i++) {
            begins[i] += file->stream.header_bytes;
        }
        file->bytes = begins[count];
    }
free_scratch:
    free(tensors);
    free(ordered);
    if (status != SOW_OK) {
        free_file(file);
    }
    return status;
}

/* Makes the files of all shards; halves a shard whose header is too long, which may lengthen the list. */
static enum sow_status make_files(const struct sow_plan *plan, struct sow_shards *shards,
                                  int may_halve, struct sow_files *layout, struct sow_error *error)
{
    struct sow_error problem;
    for (size_t i = 0; i < shards->count;) {
        struct sow_file *files = realloc(layout->files, shards->count * sizeof layout->files[0]);
        if (files == NULL) {
            return no_memory(error, shards->begins[shards->count]);
        }
        layout->files = files;
        memset(&files[i], 0, sizeof files[i]);
        size_t begin = shards->begins[i], count = shards->begins[i + 1] - begin;
        enum sow_status status =
            make_file(plan, shards->indices + begin, count, &files[i], &problem);
        if (status == SOW_E_FORMAT && may_halve && count > 1) {
            status = sow_shards_halve(shards, i, &problem);
            if (status == SOW_OK) {
                continue;
            }
        }
        if (status != SOW_OK) {
            if (error != NULL) {
                *error = problem;
            }
            return status;
        }
        layout->count = ++i;
    }
    return SOW_OK;
}

static enum sow_status check_dtypes(const struct sow_plan *plan, struct sow_error *error)
{
    for (size_t i = 0; i < sow_plan_count(plan); i++) {
        const struct sow_plan_entry *entry = sow_plan_at(plan, i);
        if (!sow_stream_takes(entry->dtype)) {
            return sow_fail(error, SOW_E_UNSUPPORTED, "tensor %s: sow does not write %s",
                            entry->name, sow_dtype_name(entry->dtype));
        }
    }
    return SOW_OK;
}

enum sow_status sow_files_make(const struct sow_plan *plan, uint64_t shard_bytes,
                               struct sow_files **layout, struct sow_error *error)
{
    struct sow_shards shards = {NULL, NULL, 0};
    struct sow_files *made = calloc(1, sizeof *made);
    enum sow_status status = made == NULL ? no_memory(error, sow_plan_count(plan)) : SOW_OK;
    if (status == SOW_OK) {
        status = check_dtypes(plan, error);
    }
    if (status == SOW_OK) {
        status = sow_shards_cut(plan, shard_bytes, &shards, error);
    }
    if (status == SOW_OK) {
        status = make_files(plan, &shards, shard_bytes != 0, made, error);
    }
    sow_shards_free(&shards);
    if (status != SOW_OK) {
        sow_files_free(made);
        return status;
    }
    for (size_t i = 0; i < made->count; i++) {
        struct sow_file *file = &made->files[i];
        made->bytes += file->bytes;
        made->data_bytes += file->bytes - file->stream.header_bytes;
        if (shard_bytes != 0 && made->count == 1) {
            snprintf(file->name, sizeof file->name, "model.safetensors");
        } else if (shard_bytes != 0) {
            snprintf(file->name, sizeof file->name, "model-%05zu-of-%05zu.safetensors", i + 1,
                     made->count);
        }
    }
    *layout = made;
    return SOW_OK;
}
