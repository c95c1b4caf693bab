/* SPDX-License-Identifier: MIT */
/* model.safetensors.index.json: which tensor is in which shard. Opens the index itself, no shard. */
#include "model/checkpoint/open.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/error.h"
#include "model/checkpoint/index.h"

#define INDEX_NAME      "model.safetensors.index.json"
#define INDEX_BYTES_MAX ((uint64_t)256 << 20)

void sow_st_index_free(struct sow_st_index *index)
{
    if (index != NULL) {
        free(index->files);
        free(index->names);
        free(index->name_file);
        free(index->folder);
        free(index->arena);
        free(index);
    }
}

static enum sow_status no_memory(const char *path, struct sow_error *error)
{
    return sow_fail_at(error, SOW_E_MEMORY, path, 0, 0, "no memory for the index");
}

static enum sow_status read_text(const char *path, char **text, size_t *length,
                                 struct sow_error *error)
{
    int descriptor = -1;
    uint64_t bytes = 0;
    enum sow_status status = sow_open_regular(AT_FDCWD, path, 0, path, &descriptor, &bytes, error);
    if (status != SOW_OK) {
        return status;
    }
    if (bytes > INDEX_BYTES_MAX) {
        close(descriptor);
        return sow_fail_at(error, SOW_E_FORMAT, path, 0, 0,
                           "an index of %llu bytes; the most sow takes is %llu",
                           (unsigned long long)bytes, (unsigned long long)INDEX_BYTES_MAX);
    }
    char *made = malloc(bytes + 1);
    status = made == NULL ? no_memory(path, error)
                          : sow_read_at(descriptor, made, bytes, 0, path, error);
    close(descriptor);
    if (status != SOW_OK) {
        free(made);
        return status;
    }
    *text = made;
    *length = bytes;
    return SOW_OK;
}

static enum sow_status check_names(const struct sow_scan *scan, const struct sow_index_rows *rows)
{
    struct sow_st_name *names = calloc(rows->count + 1, sizeof names[0]);
    if (names == NULL) {
        return no_memory(scan->path, scan->error);
    }
    for (size_t i = 0; i < rows->count; i++) {
        names[i] = (struct sow_st_name){.name = rows->items[i].name, .at = rows->items[i].at};
    }
    enum sow_status status = sow_st_check_distinct(scan, names, rows->count, "tensor");
    free(names);
    return status;
}

/* Shorter names first: shards come in the order of their numbers. */
static int by_file(const void *left, const void *right)
{
    const struct sow_index_row *const *a = left, *const *b = right;
    size_t a_length = strlen((*a)->file), b_length = strlen((*b)->file);
    return a_length != b_length ? (a_length < b_length ? -1 : 1) : strcmp((*a)->file, (*b)->file);
}

/* Numbers the distinct files. `sorted` has room for all rows. */
static void number_files(struct sow_index_rows *rows, struct sow_index_row **sorted,
                         struct sow_st_index *index)
{
    for (size_t i = 0; i < rows->count; i++) {
        sorted[i] = &rows->items[i];
    }
    qsort(sorted, rows->count, sizeof sorted[0], by_file);
    for (size_t i = 0; i < rows->count; i++) {
        if (i == 0 || strcmp(sorted[i]->file, sorted[i - 1]->file) != 0) {
            index->files[index->file_count++] = sorted[i]->file;
        }
        sorted[i]->number = (uint32_t)(index->file_count - 1);
    }
}

static enum sow_status take_rows(const char *path, struct sow_index_rows *rows,
                                 struct sow_st_index *index, struct sow_error *error)
{
    struct sow_index_row **sorted = calloc(rows->count + 1, sizeof sorted[0]);
    index->files = calloc(rows->count + 1, sizeof index->files[0]);
    index->names = calloc(rows->count + 1, sizeof index->names[0]);
    index->name_file = calloc(rows->count + 1, sizeof index->name_file[0]);
    if (sorted == NULL || index->files == NULL || index->names == NULL ||
        index->name_file == NULL) {
        free(sorted);
        return no_memory(path, error);
    }
    number_files(rows, sorted, index);
    free(sorted);
    for (size_t i = 0; i < rows->count; i++) {
        index->names[i] = rows->items[i].name;
        index->name_file[i] = rows->items[i].number;
    }
    index->name_count = rows->count;
    return SOW_OK;
}

enum sow_status sow_st_index_parse(const char *path, const char *text, size_t length,
                                   const char *folder, struct sow_st_index **index,
                                   struct sow_error *error)
{
    struct sow_scan scan = {
        .bytes = text, .length = length, .is_text = 1, .path = path, .error = error};
    struct sow_index_rows rows = {NULL, 0, 0};
    enum sow_status status;
    struct sow_st_index *made = calloc(1, sizeof *made);
    scan.arena = malloc(length + 1);
    if (made != NULL) {
        made->arena = scan.arena;
        made->total_size = UINT64_MAX;
        made->folder = strdup(folder);
    }
    if (made == NULL || made->folder == NULL || scan.arena == NULL) {
        status = no_memory(path, error);
        goto free_rows;
    }
    status = sow_index_scan(&scan, &rows, &made->total_size);
    if (status == SOW_OK) {
        status = check_names(&scan, &rows);
    }
    if (status == SOW_OK) {
        status = take_rows(path, &rows, made, error);
    }
free_rows:
    free(rows.items);
    if (status == SOW_OK) {
        *index = made;
    } else if (made != NULL) {
        sow_st_index_free(made);
    } else {
        free(scan.arena);
    }
    return status;
}

/* The index's path, and its folder: of the index itself or of the folder that holds it. */
static int index_paths(const char *path, char **index_path, char **folder)
{
    struct stat status;
    const char *slash = strrchr(path, '/');
    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
        *folder = strdup(path);
        return asprintf(index_path, "%s/%s", path, INDEX_NAME) < 0 || *folder == NULL ? -1 : 0;
    }
    *index_path = strdup(path);
    *folder = slash == NULL   ? strdup(".")
              : slash == path ? strdup("/")
                              : strndup(path, (size_t)(slash - path));
    return *index_path == NULL || *folder == NULL ? -1 : 0;
}

/* What the file is when it is no JSON; NULL when it may be. */
static const char *sniff(const char *text, size_t length, char *what, size_t what_bytes)
{
    if (length == 0) {
        return "an empty file";
    }
    if (strchr("{[ \t\r\n", text[0]) != NULL && text[0] != '\0') {
        return NULL;
    }
    return sow_st_sniff(text, length < 512 ? length : 512, what, what_bytes);
}

enum sow_status sow_st_index_open(const char *path, struct sow_st_index **index,
                                  struct sow_error *error)
{
    char *index_path = NULL, *folder = NULL, *text = NULL, what[160];
    size_t length = 0;
    enum sow_status status = index_paths(path, &index_path, &folder) != 0
                                 ? no_memory(path, error)
                                 : read_text(index_path, &text, &length, error);
    if (status == SOW_OK) {
        const char *kind = sniff(text, length, what, sizeof what);
        status = kind != NULL ? sow_fail_at(error, SOW_E_FORMAT, index_path, 0, 0,
                                            "not an index but %s", kind)
                              : sow_st_index_parse(index_path, text, length, folder, index, error);
    }
    free(text);
    free(folder);
    free(index_path);
    return status;
}
