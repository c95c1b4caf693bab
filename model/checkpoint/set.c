/* SPDX-License-Identifier: MIT */
/* A whole checkpoint, headers only. What is promised and not there is an error at once; what is there and not promised is
 * a warning. */
#include "model/checkpoint/open.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/error.h"
#include "model/checkpoint/header.h"
#include "model/checkpoint/set.h"

#define INDEX_NAME  "model.safetensors.index.json"
#define SINGLE_NAME "model.safetensors"

void sow_st_set_free(struct sow_st_set *set)
{
    if (set == NULL) {
        return;
    }
    for (size_t i = 0; i < set->count; i++) {
        sow_st_free(set->files[i].header);
        free(set->files[i].name);
    }
    if (set->descriptor >= 0) {
        close(set->descriptor);
    }
    free(set->files);
    free(set->folder);
    free(set);
}

const char *sow_st_set_path(const struct sow_st_set *set, size_t file, char path[512])
{
    if (strcmp(set->folder, ".") == 0 || strcmp(set->folder, "/") == 0) {
        snprintf(path, 512, "%s%s", set->folder[0] == '/' ? "/" : "", set->files[file].name);
    } else {
        snprintf(path, 512, "%.255s/%s", set->folder, set->files[file].name);
    }
    return path;
}

static enum sow_status no_memory(const char *path, struct sow_error *error)
{
    return sow_fail_at(error, SOW_E_MEMORY, path, 0, 0, "no memory to open the checkpoint");
}

void sow_st_set_warn(struct sow_st_set *set, const char *what, const char *name)
{
    char quoted[SOW_QUOTE_MAX];
    size_t used = strlen(set->warnings);
    sow_quote(name, quoted);
    if (used + strlen(what) + strlen(quoted) + 4 < sizeof set->warnings) {
        snprintf(set->warnings + used, sizeof set->warnings - used, "%s%s%s", used == 0 ? "" : "\n",
                 quoted, what);
    }
}

/* A file that the user named may be a link; a shard that an index names may not. */
static enum sow_status open_in_set(const struct sow_st_set *set, size_t file, int flags,
                                   const char *path, int *descriptor, uint64_t *bytes,
                                   struct sow_error *error)
{
    return set->is_sharded ? sow_open_shard(set->descriptor, set->files[file].name, flags, path,
                                            descriptor, bytes, error)
                           : sow_open_regular(set->descriptor, set->files[file].name, flags, path,
                                              descriptor, bytes, error);
}

enum sow_status sow_st_set_reopen(const struct sow_st_set *set, size_t file, int flags,
                                  int *descriptor, struct sow_error *error)
{
    char path[512];
    uint64_t bytes = 0;
    sow_st_set_path(set, file, path);
    enum sow_status status = open_in_set(set, file, flags, path, descriptor, &bytes, error);
    if (status == SOW_OK && bytes != set->files[file].bytes) {
        close(*descriptor);
        return sow_fail_at(error, SOW_E_IO, path, 0, 0, "the file changed while it was read");
    }
    return status;
}

/* Opens file `file` of the set, whose name is there. */
static enum sow_status open_file(struct sow_st_set *set, size_t file, struct sow_error *error)
{
    char path[512];
    int descriptor = -1;
    struct sow_st_file *entry = &set->files[file];
    sow_st_set_path(set, file, path);
    enum sow_status status = open_in_set(set, file, 0, path, &descriptor, &entry->bytes, error);
    if (status != SOW_OK) {
        return status;
    }
    status = sow_st_read_header(descriptor, entry->bytes, path, &entry->header, error);
    close(descriptor);
    if (status == SOW_OK) {
        set->tensors += sow_st_count(entry->header);
        set->data_bytes += entry->bytes - sow_st_data_offset(entry->header);
    }
    return status;
}

static enum sow_status make_set(const char *folder, size_t count, struct sow_st_set **set,
                                struct sow_error *error)
{
    struct sow_st_set *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return no_memory(folder, error);
    }
    made->descriptor = -1;
    made->folder = strdup(folder);
    made->files = calloc(count + 1, sizeof made->files[0]);
    if (made->folder == NULL || made->files == NULL) {
        sow_st_set_free(made);
        return no_memory(folder, error);
    }
    made->descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (made->descriptor < 0) {
        sow_fail_at(error, SOW_E_IO, folder, 0, 0, "open: %s", strerror(errno));
        sow_st_set_free(made);
        return SOW_E_IO;
    }
    *set = made;
    return SOW_OK;
}

static enum sow_status add_file(struct sow_st_set *set, const char *name, struct sow_error *error)
{
    set->files[set->count].name = strdup(name);
    if (set->files[set->count].name == NULL) {
        return no_memory(set->folder, error);
    }
    set->count++;
    return SOW_OK;
}

static int ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);
    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

static int is_named(const struct sow_st_set *set, const char *name)
{
    for (size_t i = 0; i < set->count; i++) {
        if (strcmp(set->files[i].name, name) == 0) {
            return 1;
        }
    }
    return 0;
}

/* Warns of safetensors files beside the index that it does not name. */
static void look_for_strangers(struct sow_st_set *set)
{
    int again = openat(set->descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = again < 0 ? NULL : fdopendir(again);
    if (listing == NULL) {
        if (again >= 0) {
            close(again);
        }
        return;
    }
    for (struct dirent *entry; (entry = readdir(listing)) != NULL;) {
        if (ends_with(entry->d_name, ".safetensors") && !is_named(set, entry->d_name)) {
            sow_st_set_warn(set, " is not named by the index", entry->d_name);
        }
    }
    closedir(listing);
}

static enum sow_status open_sharded(const char *path, struct sow_st_set **set,
                                    struct sow_error *error)
{
    struct sow_st_index *index = NULL;
    struct sow_st_set *made = NULL;
    enum sow_status status = sow_st_index_open(path, &index, error);
    if (status != SOW_OK) {
        return status;
    }
    status = make_set(index->folder, index->file_count, &made, error);
    for (size_t i = 0; status == SOW_OK && i < index->file_count; i++) {
        status = add_file(made, index->files[i], error);
    }
    if (status == SOW_OK) {
        made->is_sharded = 1;
        status = sow_st_set_check_present(made, index, open_file, error);
    }
    if (status == SOW_OK) {
        status = sow_st_set_check_index(made, index, error);
    }
    if (status == SOW_OK) {
        look_for_strangers(made);
        *set = made;
    } else {
        sow_st_set_free(made);
    }
    sow_st_index_free(index);
    return status;
}

static enum sow_status open_single(const char *folder, const char *name, struct sow_st_set **set,
                                   struct sow_error *error)
{
    struct sow_st_set *made = NULL;
    enum sow_status status = make_set(folder, 1, &made, error);
    if (status != SOW_OK) {
        return status;
    }
    status = add_file(made, name, error);
    if (status == SOW_OK) {
        status = open_file(made, 0, error);
    }
    if (status != SOW_OK) {
        sow_st_set_free(made);
        return status;
    }
    *set = made;
    return SOW_OK;
}

int sow_st_is_shard_name(const char *name)
{
    const char *pattern = "model-00000-of-00000.safetensors"; /* 0: any digit */
    while (*pattern != '\0' &&
           (*pattern == '0' ? *name >= '0' && *name <= '9' : *name == *pattern)) {
        pattern++;
        name++;
    }
    return *pattern == '\0' && *name == '\0';
}

static int exists(const char *folder, const char *name)
{
    struct stat status;
    char *path = NULL;
    int found = asprintf(&path, "%s/%s", folder, name) >= 0 && lstat(path, &status) == 0;
    free(path);
    return found;
}

static enum sow_status open_folder(const char *path, struct sow_st_set **set,
                                   struct sow_error *error)
{
    int has_single = exists(path, SINGLE_NAME), has_index = exists(path, INDEX_NAME);
    if (has_index && !has_single) {
        return open_sharded(path, set, error);
    }
    if (!has_single) {
        return sow_fail_at(error, SOW_E_MISSING, path, 0, 0,
                           "the folder has neither " SINGLE_NAME " nor " INDEX_NAME
                           "; name a file in it (shards without an index are what an interrupted "
                           "run or download leaves)");
    }
    enum sow_status status = open_single(path, SINGLE_NAME, set, error);
    if (status == SOW_OK && has_index) { /* loaders look for it first */
        sow_st_set_warn(*set,
                        " and its shards are not read: loaders take " SINGLE_NAME " before it",
                        INDEX_NAME);
    }
    return status;
}

enum sow_status sow_st_set_open(const char *path, struct sow_st_set **set, struct sow_error *error)
{
    struct stat status;
    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
        return open_folder(path, set, error);
    }
    if (ends_with(path, ".json")) {
        return open_sharded(path, set, error);
    }
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return open_single(".", path, set, error);
    }
    char *folder = slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
    if (folder == NULL) {
        return no_memory(path, error);
    }
    enum sow_status opened = open_single(folder, slash + 1, set, error);
    free(folder);
    return opened;
}
