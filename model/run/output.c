/* SPDX-License-Identifier: MIT */
/* Checks of the output's place. The checks of a moment ago are no promise: what could still go wrong is caught again
 * where it happens (publish.c). */
#include "model/run/output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/base/error.h"
#include "model/checkpoint/safetensors.h"

#define INDEX "model.safetensors.index.json"

static enum sow_status open_folder(struct sow_output *output, struct sow_error *error)
{
    output->folder.descriptor = open(output->folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (output->folder.descriptor < 0) {
        return sow_fail_at(error, SOW_E_IO, output->folder.path, 0, 0,
                           errno == ENOENT ? "there is no such folder; make it first (mkdir -p)"
                                           : "open: %s",
                           strerror(errno));
    }
    return SOW_OK;
}

/* Cuts "a/b" into the folder and the name. */
static enum sow_status split_path(const char *path, struct sow_output *output,
                                  struct sow_error *error)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    size_t folder_length = slash == NULL ? 0 : (size_t)(slash - path);
    if (*name == '\0') {
        return sow_fail_at(error, SOW_E_EXISTS, path, 0, 0,
                           "names a folder; name a file in it, or give --shard-size");
    }
    if (strlen(name) >= sizeof output->name || folder_length >= sizeof output->folder.path) {
        return sow_fail_at(error, SOW_E_IO, path, 0, 0,
                           "the path is too long: at most %zu bytes of folder and %zu of name; "
                           "take a shorter one, or change the folder (cd) first",
                           sizeof output->folder.path - 1, sizeof output->name - 1);
    }
    snprintf(output->name, sizeof output->name, "%s", name);
    if (slash == NULL) {
        snprintf(output->folder.path, sizeof output->folder.path, ".");
    } else {
        int length = folder_length > 0 ? (int)folder_length : 1; /* "/name" is in "/" */
        snprintf(output->folder.path, sizeof output->folder.path, "%.*s", length, path);
    }
    return SOW_OK;
}

static enum sow_status check_file(const char *path, int force, struct sow_error *error)
{
    struct stat status;
    if (lstat(path, &status) != 0) {
        return SOW_OK; /* absent, or the folder's error comes next */
    }
    if (S_ISDIR(status.st_mode)) {
        return sow_fail_at(
            error, SOW_E_EXISTS, path, 0, 0,
            "is a folder; name a file in it, or give --shard-size to fill the folder "
            "with shards");
    }
    if (!S_ISREG(status.st_mode)) {
        return sow_fail_at(error, SOW_E_EXISTS, path, 0, 0,
                           S_ISLNK(status.st_mode)
                               ? "is a symbolic link; name the file itself"
                               : "is not a regular file; -o - writes to a pipe or a device");
    }
    if (!force) {
        return sow_fail_at(error, SOW_E_EXISTS, path, 0, 0, "exists; --force overwrites it");
    }
    return SOW_OK;
}

static enum sow_status open_file(const struct sow_init_options *options, struct sow_output *output,
                                 struct sow_error *error)
{
    output->kind = SOW_OUTPUT_FILE;
    enum sow_status status = check_file(options->output, options->force, error);
    if (status == SOW_OK) {
        status = split_path(options->output, output, error);
    }
    return status == SOW_OK ? open_folder(output, error) : status;
}

/* model.safetensors, model-00001-of-00007.safetensors, model.safetensors.index.json */
static int is_checkpoint_name(const char *name)
{
    return strcmp(name, INDEX) == 0 || strcmp(name, "model.safetensors") == 0 ||
           sow_st_is_shard_name(name);
}

/* Calls `visit` for every file of a checkpoint in the folder. */
static enum sow_status
each_checkpoint_file(const struct sow_output *output,
                     enum sow_status (*visit)(const struct sow_output *output, const char *name,
                                              void *user, struct sow_error *error),
                     void *user, struct sow_error *error)
{
    enum sow_status status = SOW_OK;
    int again = openat(output->folder.descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = again < 0 ? NULL : fdopendir(again);
    if (listing == NULL) {
        sow_fail_at(error, SOW_E_IO, output->folder.path, 0, 0, "list: %s", strerror(errno));
        if (again >= 0) {
            close(again);
        }
        return SOW_E_IO;
    }
    for (struct dirent *entry; status == SOW_OK && (entry = readdir(listing)) != NULL;) {
        if (is_checkpoint_name(entry->d_name)) {
            status = visit(output, entry->d_name, user, error);
        }
    }
    closedir(listing);
    return status;
}

static enum sow_status refuse(const struct sow_output *output, const char *name, void *user,
                              struct sow_error *error)
{
    (void)user;
    return sow_fail_at(error, SOW_E_EXISTS, output->folder.path, 0, 0,
                       "holds %s already; --force replaces the checkpoint in it", name);
}

/* What mkdir would say of the folder above, in a dry run. */
static enum sow_status check_parent(const char *path, const char *folder, struct sow_error *error)
{
    char parent[sizeof((struct sow_folder *)0)->path];
    snprintf(parent, sizeof parent, "%s", folder);
    char *slash = strrchr(parent, '/');
    if (slash == NULL || slash == parent) {
        return SOW_OK;
    }
    *slash = '\0';
    if (access(parent, F_OK) != 0) {
        return sow_fail_at(error, SOW_E_IO, path, 0, 0, "mkdir: %s", strerror(errno));
    }
    return SOW_OK;
}

static enum sow_status open_shard_folder(const struct sow_init_options *options,
                                         struct sow_output *output, struct sow_error *error)
{
    struct stat status;
    const char *path = options->output;
    size_t length = strlen(path);
    output->kind = SOW_OUTPUT_FOLDER;
    while (length > 1 && path[length - 1] == '/') {
        length--;
    }
    if (length == 0 || length >= sizeof output->folder.path) {
        return sow_fail_at(error, SOW_E_ARGUMENT, path, 0, 0, "no folder's name");
    }
    snprintf(output->folder.path, sizeof output->folder.path, "%.*s", (int)length, path);
    if (stat(output->folder.path, &status) == 0) {
        if (!S_ISDIR(status.st_mode)) {
            return sow_fail_at(error, SOW_E_EXISTS, path, 0, 0,
                               "is not a folder; with --shard-size the output is a folder");
        }
        enum sow_status opened = open_folder(output, error);
        if (opened == SOW_OK && !options->force) {
            opened = each_checkpoint_file(output, refuse, NULL, error);
        }
        return opened;
    }
    if (options->dry_run) {
        return check_parent(path, output->folder.path, error);
    }
    if (mkdir(output->folder.path, 0777) != 0) {
        return sow_fail_at(error, SOW_E_IO, path, 0, 0, "mkdir: %s", strerror(errno));
    }
    output->made_folder = 1;
    return open_folder(output, error);
}

/* Of the nearest folder that exists: a dry run's need not. */
static int disk_of(const char *path, struct statvfs *disk)
{
    char folder[sizeof((struct sow_folder *)0)->path];
    snprintf(folder, sizeof folder, "%s", path);
    while (statvfs(folder, disk) != 0) {
        char *slash = strrchr(folder, '/');
        if (strcmp(folder, ".") == 0 || strcmp(folder, "/") == 0) {
            return -1;
        }
        if (slash == NULL) {
            snprintf(folder, sizeof folder, ".");
        } else {
            slash[slash == folder] = '\0'; /* the root keeps its slash */
        }
    }
    return 0;
}

/* Bytes free for us where the output goes; UINT64_MAX when the system does not tell. */
static uint64_t free_bytes_of(const struct sow_output *output)
{
    struct statvfs disk;
    int problem = output->folder.descriptor >= 0 ? fstatvfs(output->folder.descriptor, &disk)
                                                 : disk_of(output->folder.path, &disk);
    return problem != 0 || disk.f_blocks == 0 ? UINT64_MAX
                                              : (uint64_t)disk.f_bavail * disk.f_frsize;
}

static enum sow_status check_room(const struct sow_output *output, const struct sow_files *files,
                                  uint64_t free_bytes, struct sow_error *error)
{
    if (free_bytes >= files->bytes) {
        return SOW_OK;
    }
    return sow_fail_at(error, SOW_E_IO, output->folder.path, 0, 0,
                       "too little space: %llu bytes are needed, %llu are free, %llu are missing",
                       (unsigned long long)files->bytes, (unsigned long long)free_bytes,
                       (unsigned long long)(files->bytes - free_bytes));
}

enum sow_status sow_output_open(const struct sow_init_options *options,
                                const struct sow_files *files, struct sow_output *output,
                                uint64_t *free_bytes, struct sow_error *error)
{
    enum sow_status status;
    memset(output, 0, sizeof *output);
    output->folder.descriptor = -1;
    output->force = options->force;
    *free_bytes = UINT64_MAX;
    if (strcmp(options->output, "-") == 0) {
        output->kind = SOW_OUTPUT_PIPE;
        if (options->shard_bytes != 0) {
            return sow_fail(error, SOW_E_ARGUMENT, "shards cannot go to one pipe; name a folder");
        }
        if (!options->dry_run && isatty(STDOUT_FILENO)) {
            return sow_fail(error, SOW_E_ARGUMENT,
                            "weights are not for a terminal; send standard output to a file or a "
                            "pipe");
        }
        return SOW_OK;
    }
    status = options->shard_bytes == 0 ? open_file(options, output, error)
                                       : open_shard_folder(options, output, error);
    if (status == SOW_OK) {
        *free_bytes = free_bytes_of(output);
        status = check_room(output, files, *free_bytes, error);
    }
    if (status != SOW_OK) {
        sow_output_close(output, 1);
    }
    return status;
}

void sow_output_close(struct sow_output *output, int failed)
{
    if (output->folder.descriptor >= 0) {
        close(output->folder.descriptor);
        output->folder.descriptor = -1;
    }
    if (failed && output->made_folder) {
        rmdir(output->folder.path); /* only when empty */
    }
}

struct stale {
    const struct sow_files *files;
    size_t removed;
};

static enum sow_status remove_file(const struct sow_output *output, const char *name,
                                   size_t *removed, struct sow_error *error)
{
    if (unlinkat(output->folder.descriptor, name, 0) == 0) {
        (*removed)++;
    } else if (errno != ENOENT) {
        return sow_fail_at(error, SOW_E_IO, output->folder.path, 0, 0, "remove %s: %s", name,
                           strerror(errno));
    }
    return SOW_OK;
}

static enum sow_status remove_stale(const struct sow_output *output, const char *name, void *user,
                                    struct sow_error *error)
{
    struct stale *stale = user;
    for (size_t i = 0; i < stale->files->count; i++) {
        if (strcmp(name, stale->files->files[i].name) == 0) {
            return SOW_OK; /* the rename will replace it */
        }
    }
    return remove_file(output, name, &stale->removed, error);
}

enum sow_status sow_output_remove_stale(const struct sow_output *output,
                                        const struct sow_files *files, char notes[SOW_NOTES_MAX],
                                        struct sow_error *error)
{
    struct stale stale = {files, 0};
    enum sow_status status = remove_file(output, INDEX, &stale.removed, error);
    if (status == SOW_OK) { /* no index, no checkpoint: from here on nothing looks whole */
        status = sow_folder_sync(&output->folder, error);
    }
    if (status == SOW_OK) {
        status = each_checkpoint_file(output, remove_stale, &stale, error);
    }
    if (stale.removed > 0) {
        sow_note(notes, "removed %zu files of an earlier checkpoint from %s", stale.removed,
                 output->folder.path);
    }
    return status;
}
