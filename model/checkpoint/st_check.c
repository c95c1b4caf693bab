/* SPDX-License-Identifier: MIT */
/* What the header says as a whole: names are distinct, and the tensors cover the data from its first byte to the file's
 * last, in order, without hole or overlap (the polyglots of the format's audit hid in such holes). */
#include "model/checkpoint/header.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "core/base/checked.h"
#include "core/base/error.h"

size_t sow_st_count(const struct sow_st_header *header)
{
    return header->count;
}

const struct sow_st_tensor *sow_st_at(const struct sow_st_header *header, size_t index)
{
    return index < header->count ? &header->entries[index].tensor : NULL;
}

const struct sow_st_pair *sow_st_metadata_at(const struct sow_st_header *header, size_t index)
{
    return index < header->metadata_count ? &header->metadata[index].pair : NULL;
}

const char *sow_st_metadata(const struct sow_st_header *header, const char *key)
{
    for (size_t i = 0; i < header->metadata_count; i++) {
        if (strcmp(header->metadata[i].pair.key, key) == 0) {
            return header->metadata[i].pair.value;
        }
    }
    return NULL;
}

uint64_t sow_st_data_offset(const struct sow_st_header *header)
{
    return header->data_offset;
}

/* Names are compared through their hashes; equal hashes through the names, so that names chosen to collide cost no more
 * than a sort of strings. */
static int compare_names(const void *left, const void *right)
{
    const struct sow_st_name *a = left, *b = right;
    if (a->hash != b->hash) {
        return a->hash < b->hash ? -1 : 1;
    }
    return strcmp(a->name, b->name);
}

enum sow_status sow_st_check_distinct(const struct sow_scan *scan, struct sow_st_name *names,
                                      size_t count, const char *what)
{
    char quoted[SOW_QUOTE_MAX];
    for (size_t i = 0; i < count; i++) {
        names[i].hash = XXH3_64bits(names[i].name, strlen(names[i].name));
    }
    qsort(names, count, sizeof names[0], compare_names);
    for (size_t i = 1; i < count; i++) {
        if (compare_names(&names[i - 1], &names[i]) == 0) {
            size_t at = names[i].at > names[i - 1].at ? names[i].at : names[i - 1].at;
            return sow_scan_fail(scan, at, "%s `%s` appears twice", what,
                                 sow_quote(names[i].name, quoted));
        }
    }
    return SOW_OK;
}

static enum sow_status check_names(const struct sow_scan *scan, const struct sow_st_header *header)
{
    size_t most = header->count > header->metadata_count ? header->count : header->metadata_count;
    struct sow_st_name *names = malloc((most + 1) * sizeof names[0]);
    if (names == NULL) {
        return sow_fail_at(scan->error, SOW_E_MEMORY, scan->path, 0, 0, "no memory for %llu names",
                           (unsigned long long)most);
    }
    for (size_t i = 0; i < header->count; i++) {
        names[i] = (struct sow_st_name){.name = header->entries[i].tensor.name,
                                        .at = header->entries[i].at};
    }
    enum sow_status status = sow_st_check_distinct(scan, names, header->count, "tensor");
    for (size_t i = 0; i < header->metadata_count; i++) {
        names[i] = (struct sow_st_name){.name = header->metadata[i].pair.key,
                                        .at = header->metadata[i].at};
    }
    if (status == SOW_OK) {
        status = sow_st_check_distinct(scan, names, header->metadata_count, "metadata");
    }
    free(names);
    return status;
}

/* By offset; empty tensors before what begins at the same byte, else in the header's order. */
static int compare_offsets(const void *left, const void *right)
{
    const struct sow_st_entry *a = left, *b = right;
    if (a->tensor.offset_begin != b->tensor.offset_begin) {
        return a->tensor.offset_begin < b->tensor.offset_begin ? -1 : 1;
    }
    if (a->tensor.offset_end != b->tensor.offset_end) {
        return a->tensor.offset_end < b->tensor.offset_end ? -1 : 1;
    }
    return a->at < b->at ? -1 : a->at > b->at;
}

static void sort_by_offset(struct sow_st_header *header)
{
    size_t i = 1;
    while (i < header->count && compare_offsets(&header->entries[i - 1], &header->entries[i]) < 0) {
        i++;
    }
    if (i < header->count) { /* most files list their tensors in order */
        qsort(header->entries, header->count, sizeof header->entries[0], compare_offsets);
    }
}

static enum sow_status check_contiguous(const struct sow_scan *scan,
                                        const struct sow_st_header *header)
{
    char quoted[SOW_QUOTE_MAX];
    uint64_t end = 0;
    for (size_t i = 0; i < header->count; i++) {
        const struct sow_st_tensor *tensor = &header->entries[i].tensor;
        if (tensor->offset_begin != end) {
            return sow_scan_fail(scan, header->entries[i].at,
                                 "tensor `%s` begins at byte %llu of the data where %llu was due: "
                                 "%s",
                                 sow_quote(tensor->name, quoted),
                                 (unsigned long long)tensor->offset_begin, (unsigned long long)end,
                                 tensor->offset_begin > end ? "a hole" : "an overlap");
        }
        end = tensor->offset_end;
    }
    return SOW_OK;
}

/* The file ends before its tensors do. */
static enum sow_status fail_cut(const struct sow_scan *scan, const struct sow_st_header *header,
                                uint64_t need, uint64_t have)
{
    char quoted[SOW_QUOTE_MAX];
    uint64_t missing = need - have;
    unsigned permille = (unsigned)((double)missing / (double)need * 1000.0 + 0.5);
    size_t first = 0;
    while (header->entries[first].tensor.offset_end + header->data_offset <= have) {
        first++;
    }
    return sow_fail_at(
        scan->error, SOW_E_FORMAT, scan->path, 0, 0,
        "the file is cut: it needs %llu bytes and has %llu, %llu are missing "
        "(%u.%u %%); the first tensor that is cut is `%s`, byte %llu",
        (unsigned long long)need, (unsigned long long)have, (unsigned long long)missing,
        permille / 10, permille % 10, sow_quote(header->entries[first].tensor.name, quoted),
        (unsigned long long)(header->entries[first].tensor.offset_begin + header->data_offset));
}

static enum sow_status check_coverage(const struct sow_scan *scan,
                                      const struct sow_st_header *header, uint64_t file_bytes)
{
    uint64_t need = header->data_offset;
    uint64_t data = header->count == 0 ? 0 : header->entries[header->count - 1].tensor.offset_end;
    if (sow_add_u64(need, data, &need)) {
        return sow_scan_fail(scan, header->entries[header->count - 1].at,
                             "the last tensor ends beyond 2^64 bytes");
    }
    if (file_bytes == UINT64_MAX || file_bytes == need) {
        return SOW_OK;
    }
    if (file_bytes < need) {
        return fail_cut(scan, header, need, file_bytes);
    }
    return sow_fail_at(scan->error, SOW_E_FORMAT, scan->path, 0, 0,
                       "%llu byte%s the last tensor, byte %llu",
                       (unsigned long long)(file_bytes - need),
                       file_bytes - need == 1 ? " follows" : "s follow", (unsigned long long)need);
}

enum sow_status sow_st_check(struct sow_scan *scan, struct sow_st_header *header,
                             uint64_t file_bytes)
{
    enum sow_status status = check_names(scan, header);
    if (status == SOW_OK) {
        sort_by_offset(header);
        status = check_contiguous(scan, header);
    }
    return status == SOW_OK ? check_coverage(scan, header, file_bytes) : status;
}
