/* SPDX-License-Identifier: MIT */
/* The grammar of model.safetensors.index.json: {"metadata": {...}, "weight_map": {"tensor": "file", ...}}, both in any
 * order. Shard names come from strangers: only plain base names are taken, so that nothing outside the index's folder is
 * ever opened. */
#include "model/checkpoint/index.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"

static int is_base_name(const char *name)
{
    size_t length = strlen(name);
    return length > 0 && length < 256 && strchr(name, '/') == NULL && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

static enum sow_status add_row(struct sow_scan *scan, struct sow_index_rows *rows,
                               const struct sow_index_row *row)
{
    if (rows->count == rows->capacity) {
        size_t larger = rows->capacity == 0 ? 64 : 2 * rows->capacity;
        struct sow_index_row *items = realloc(rows->items, larger * sizeof items[0]);
        if (items == NULL) {
            return sow_fail_at(scan->error, SOW_E_MEMORY, scan->path, 0, 0,
                               "no memory for the index");
        }
        rows->items = items;
        rows->capacity = larger;
    }
    rows->items[rows->count++] = *row;
    return SOW_OK;
}

/* "tensor": "file" */
static enum sow_status scan_row(struct sow_scan *scan, struct sow_index_rows *rows)
{
    char quoted[SOW_QUOTE_MAX], quoted_file[SOW_QUOTE_MAX];
    struct sow_index_row row = {.at = scan->at};
    size_t length;
    enum sow_status status = sow_scan_key(scan, &row.name, &length);
    if (status != SOW_OK) {
        return status;
    }
    if (length > SOW_ST_NAME_MAX) {
        return sow_scan_fail(scan, row.at, "a tensor's name of more than %d bytes",
                             SOW_ST_NAME_MAX);
    }
    size_t file_at = scan->at;
    if (sow_scan_peek(scan) != '"') {
        return sow_scan_fail(scan, file_at, "the file of tensor `%s` is %s, must be a string",
                             sow_quote(row.name, quoted), sow_scan_kind(scan));
    }
    status = sow_scan_string(scan, &row.file, &length);
    if (status == SOW_OK && !is_base_name(row.file)) {
        status = sow_scan_fail(scan, file_at,
                               "tensor `%s` is said to be in `%s`; only a plain file name in the "
                               "index's own folder is taken",
                               sow_quote(row.name, quoted), sow_quote(row.file, quoted_file));
    }
    return status == SOW_OK ? add_row(scan, rows, &row) : status;
}

static enum sow_status scan_map(struct sow_scan *scan, struct sow_index_rows *rows)
{
    if (sow_scan_peek(scan) != '{') {
        return sow_scan_fail(scan, scan->at, "weight_map is %s, must be an object",
                             sow_scan_kind(scan));
    }
    for (int more = sow_scan_open(scan, '}'); more != 0;) {
        enum sow_status status = scan_row(scan, rows);
        if (status != SOW_OK) {
            return status;
        }
        more = sow_scan_next(scan, '}');
        if (more < 0) {
            return SOW_E_FORMAT;
        }
    }
    return SOW_OK;
}

/* Of metadata only total_size is looked at, and only where it is a whole number (some writers make it a float). */
static enum sow_status scan_metadata(struct sow_scan *scan, uint64_t *total_size)
{
    if (sow_scan_peek(scan) != '{') {
        return sow_scan_skip(scan);
    }
    for (int more = sow_scan_open(scan, '}'); more != 0;) {
        const char *key;
        size_t length, arena_begin = scan->arena_used;
        enum sow_status status = sow_scan_key(scan, &key, &length);
        scan->arena_used = arena_begin;
        if (status != SOW_OK) {
            return status;
        }
        int is_total = strcmp(key, "total_size") == 0;
        status = is_total && strcmp(sow_scan_kind(scan), "an integer") == 0
                     ? sow_scan_u64(scan, total_size)
                     : sow_scan_skip(scan);
        if (status != SOW_OK) {
            return status;
        }
        more = sow_scan_next(scan, '}');
        if (more < 0) {
            return SOW_E_FORMAT;
        }
    }
    return SOW_OK;
}

/* A member of the index itself; what is neither map nor metadata is skipped. */
static enum sow_status scan_member(struct sow_scan *scan, struct sow_index_rows *rows,
                                   uint64_t *total_size, int *has_map)
{
    const char *key;
    size_t key_at = scan->at, length, arena_begin = scan->arena_used;
    enum sow_status status = sow_scan_key(scan, &key, &length);
    scan->arena_used = arena_begin;
    if (status != SOW_OK) {
        return status;
    }
    if (strcmp(key, "metadata") == 0) {
        return scan_metadata(scan, total_size);
    }
    if (strcmp(key, "weight_map") != 0) {
        return sow_scan_skip(scan);
    }
    if (*has_map) {
        return sow_scan_fail(scan, key_at, "weight_map appears twice");
    }
    *has_map = 1;
    return scan_map(scan, rows);
}

enum sow_status sow_index_scan(struct sow_scan *scan, struct sow_index_rows *rows,
                               uint64_t *total_size)
{
    int has_map = 0;
    enum sow_status status = sow_scan_byte(scan, '{', "to open the index");
    sow_scan_space(scan);
    int more = status == SOW_OK && sow_scan_peek(scan) != '}';
    scan->at += more ? 0 : 1;
    while (more > 0 && status == SOW_OK) {
        status = scan_member(scan, rows, total_size, &has_map);
        if (status == SOW_OK) {
            more = sow_scan_next(scan, '}');
            status = more < 0 ? SOW_E_FORMAT : SOW_OK;
        }
    }
    sow_scan_space(scan);
    if (status == SOW_OK && scan->at < scan->length) {
        status = sow_scan_fail(scan, scan->at, "something follows the index's closing brace");
    }
    if (status == SOW_OK && !has_map) {
        status = sow_scan_fail(scan, 0,
                               "no weight_map stands in it, so it is no index of a checkpoint (a "
                               "config.json has no weights)");
    }
    return status;
}
