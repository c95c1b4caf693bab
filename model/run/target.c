/* SPDX-License-Identifier: MIT */
/* Temporary file, write, sync, close. Linux calls; every one that may be missing has another way or a clear end. */
#include "model/run/target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/base/error.h"

#define SECTOR 4096u /* what O_DIRECT wants of offsets, sizes and addresses, on any disk of today */

void sow_note(char notes[SOW_NOTES_MAX], const char *format, ...)
{
    char line[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    size_t used = strlen(notes);
    if (strstr(notes, line) == NULL && used + strlen(line) + 2 < SOW_NOTES_MAX) {
        snprintf(notes + used, SOW_NOTES_MAX - used, "%s%s", used == 0 ? "" : "\n", line);
    }
}

/* "call: why" of the target, with what a full disk needs to know. */
static enum sow_status fail(const struct sow_target *target, const char *call, int problem,
                            uint64_t offset, struct sow_error *error)
{
    struct statvfs disk;
    if ((problem == ENOSPC || problem == EDQUOT) && target->folder->descriptor >= 0 &&
        fstatvfs(target->folder->descriptor, &disk) == 0) {
        return sow_fail_at(error, SOW_E_IO, target->path, 0, 0,
                           "%s: %s, byte %llu; the file needs %llu bytes, %llu are free", call,
                           strerror(problem), (unsigned long long)offset,
                           (unsigned long long)target->bytes,
                           (unsigned long long)disk.f_bavail * disk.f_frsize);
    }
    return sow_fail_at(error, SOW_E_IO, target->path, 0, 0, "%s: %s, byte %llu", call,
                       strerror(problem), (unsigned long long)offset);
}

/* Room for the whole file at once: fewer extents, and a full disk is known now. */
static int preallocate(struct sow_target *target, char notes[SOW_NOTES_MAX])
{
    int problem;
    do {
        problem = fallocate(target->file, 0, 0, (off_t)target->bytes) == 0 ? 0 : errno;
    } while (problem == EINTR);
    if (problem == ENOSPC || problem == EDQUOT || problem == EFBIG || problem == EIO) {
        return problem;
    }
    if (problem != 0) {
        sow_note(notes, "fallocate refused (%s): not preallocated", strerror(problem));
        if (ftruncate(target->file, (off_t)target->bytes) != 0) {
            sow_note(notes, "ftruncate refused (%s): the file grows as it is written",
                     strerror(errno));
        }
    }
    return 0;
}

/* A free name NAME.tmp-PID beside the target, created. */
static int create_temporary(struct sow_target *target)
{
    for (int attempt = 0; attempt < 100; attempt++) {
        int used = snprintf(target->temporary, sizeof target->temporary, "%.200s.tmp-%ld",
                            target->name, (long)getpid());
        if (attempt > 0) { /* process ids repeat, in containers above all */
            snprintf(target->temporary + used, sizeof target->temporary - (size_t)used, "-%d",
                     attempt);
        }
        target->file = openat(target->folder->descriptor, target->temporary,
                              O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (target->file >= 0 || errno != EEXIST) {
            break;
        }
    }
    return target->file >= 0 ? 0 : errno;
}

enum sow_status sow_target_create(struct sow_target *target, const struct sow_folder *folder,
                                  const char *name, uint64_t bytes, char notes[SOW_NOTES_MAX],
                                  struct sow_error *error)
{
    *target = (struct sow_target){.folder = folder, .file = -1, .direct = -1, .bytes = bytes};
    snprintf(target->name, sizeof target->name, "%s", name);
    snprintf(target->path, sizeof target->path, "%.255s/%s", folder->path, name);
    if (strcmp(folder->path, ".") == 0) {
        snprintf(target->path, sizeof target->path, "%s", name);
    }
    int problem = create_temporary(target);
    if (problem != 0) {
        return sow_fail_at(error, SOW_E_IO, target->path, 0, 0, "create %s: %s", target->temporary,
                           strerror(problem));
    }
    target->state = SOW_TARGET_TEMPORARY;
    problem = bytes > 0 ? preallocate(target, notes) : 0;
    if (problem != 0) {
        fail(target, "fallocate", problem, 0, error);
        sow_target_discard(target);
        return SOW_E_IO;
    }
    target->direct =
        openat(folder->descriptor, target->temporary, O_WRONLY | O_DIRECT | O_CLOEXEC | O_NOFOLLOW);
    if (target->direct < 0) {
        sow_note(notes, "O_DIRECT refused (%s): written through the page cache", strerror(errno));
    }
    return SOW_OK;
}

static int write_all(int descriptor, const char *bytes, uint64_t count, uint64_t offset,
                     uint64_t *done)
{
    while (*done < count) {
        ssize_t put = pwrite(descriptor, bytes + *done, count - *done, (off_t)(offset + *done));
        if (put < 0 && errno != EINTR) {
            return errno;
        }
        if (put == 0) {
            return EIO;
        }
        *done += put > 0 ? (uint64_t)put : 0;
    }
    return 0;
}

enum sow_status sow_target_write(struct sow_target *target, const void *bytes, uint64_t count,
                                 uint64_t offset, int *refused, struct sow_error *error)
{
    uint64_t done = 0, sectors = count - count % SECTOR;
    int problem = 0;
    if (target->direct >= 0 && offset % SECTOR == 0 && sectors > 0) {
        problem = write_all(target->direct, bytes, sectors, offset, &done);
        if (problem == EINVAL || problem == EOPNOTSUPP) { /* the hint was taken and then refused */
            *refused = problem;
            done -= done % SECTOR;
            problem = 0;
        }
    }
    uint64_t buffered_from = done;
    if (problem == 0) {
        problem = write_all(target->file, bytes, count, offset, &done);
    }
    if (problem != 0) {
        return fail(target, "write", problem, offset + done, error);
    }
    if (done - buffered_from >= SECTOR) { /* start the disk now rather than at the sync */
        sync_file_range(target->file, (off_t)(offset + buffered_from),
                        (off_t)(done - buffered_from), SYNC_FILE_RANGE_WRITE);
    }
    return SOW_OK;
}

enum sow_status sow_target_close(struct sow_target *target, struct sow_error *error)
{
    const char *call = NULL;
    int problem = 0;
    if (fsync(target->file) != 0) {
        call = "fsync";
        problem = errno;
    }
    if (target->direct >= 0 && close(target->direct) != 0 && call == NULL) {
        call = "close";
        problem = errno;
    }
    target->direct = -1;
    if (close(target->file) != 0 && call == NULL) {
        call = "close";
        problem = errno;
    }
    target->file = -1;
    return call == NULL ? SOW_OK : fail(target, call, problem, target->bytes, error);
}

void sow_target_discard(struct sow_target *target)
{
    if (target->state == SOW_TARGET_NONE) {
        return;
    }
    if (target->direct >= 0) {
        close(target->direct);
    }
    if (target->file >= 0) {
        close(target->file);
    }
    unlinkat(target->folder->descriptor,
             target->state == SOW_TARGET_PUBLISHED ? target->name : target->temporary, 0);
    target->direct = target->file = -1;
    target->state = SOW_TARGET_NONE;
}
