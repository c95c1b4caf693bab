/* SPDX-License-Identifier: MIT */
/* The last step: a complete file gets its name in one call, which never overwrites unasked - not even by a race. */
#include "model/run/target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/error.h"

static int is_missing_call(int problem)
{
    return problem == ENOSYS || problem == EINVAL || problem == EOPNOTSUPP;
}

static enum sow_status fail_rename(const char *path, int problem, struct sow_error *error)
{
    return sow_fail_at(
        error, SOW_E_IO, path, 0, 0,
        "rename: %s; without it a file cannot appear whole, so nothing is left here; "
        "write to a local folder, or through a pipe with -o -",
        strerror(problem));
}

enum sow_status sow_folder_probe(struct sow_folder *folder, const char *path,
                                 struct sow_error *error)
{
    char from[64], to[64];
    snprintf(from, sizeof from, ".sow.tmp-%ld-a", (long)getpid());
    snprintf(to, sizeof to, ".sow.tmp-%ld-b", (long)getpid());
    int file = openat(folder->descriptor, from, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (file < 0) {
        return sow_fail_at(error, SOW_E_IO, path, 0, 0, "create a file in its folder: %s",
                           strerror(errno));
    }
    close(file);
    unlinkat(folder->descriptor, to, 0);
    int problem = 0;
    folder->has_noreplace =
        renameat2(folder->descriptor, from, folder->descriptor, to, RENAME_NOREPLACE) == 0;
    if (!folder->has_noreplace && renameat(folder->descriptor, from, folder->descriptor, to) != 0) {
        problem = errno;
    }
    unlinkat(folder->descriptor, problem == 0 ? to : from, 0);
    return problem == 0 ? SOW_OK : fail_rename(path, problem, error);
}

/* Where rename cannot be told to spare what is there, an empty file of ours holds the name first. */
static int rename_over_placeholder(struct sow_target *target)
{
    int folder = target->folder->descriptor;
    int file = openat(folder, target->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file < 0) {
        return errno;
    }
    close(file);
    if (renameat(folder, target->temporary, folder, target->name) != 0) {
        int problem = errno;
        unlinkat(folder, target->name, 0);
        return problem;
    }
    return 0;
}

enum sow_status sow_target_publish(struct sow_target *target, int force, struct sow_error *error)
{
    int folder = target->folder->descriptor;
    int problem = 0;
    if (force) {
        problem = renameat(folder, target->temporary, folder, target->name) == 0 ? 0 : errno;
    } else if (target->folder->has_noreplace) {
        problem = renameat2(folder, target->temporary, folder, target->name, RENAME_NOREPLACE) == 0
                      ? 0
                      : errno;
    } else {
        problem = rename_over_placeholder(target);
    }
    if (problem == 0) {
        target->state = SOW_TARGET_PUBLISHED;
        return SOW_OK;
    }
    if (problem == EEXIST) {
        return sow_fail_at(error, SOW_E_EXISTS, target->path, 0, 0,
                           "appeared while this run was writing; --force overwrites it");
    }
    return fail_rename(target->path, problem, error);
}

enum sow_status sow_folder_sync(const struct sow_folder *folder, struct sow_error *error)
{
    /* EINVAL and EBADF: file systems that know no sync of a folder. */
    if (fsync(folder->descriptor) != 0 && !is_missing_call(errno) && errno != EBADF) {
        return sow_fail_at(error, SOW_E_IO, folder->path, 0, 0, "fsync of the folder: %s",
                           strerror(errno));
    }
    return SOW_OK;
}
