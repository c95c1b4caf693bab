/* SPDX-License-Identifier: MIT */
/* LD_PRELOAD shim: a system that refuses. In the environment:
 *   REFUSE=fallocate,ftruncate,...  calls that fail: fallocate ftruncate rename renameat2 fchmod madvise o_direct fsync
 *                                   fsync_folder close statvfs (which then tells of endless space instead)
 *   REFUSE_ERRNO=38                 with this errno (ENOSYS)
 *   REFUSE_AFTER=N                  writes fail with ENOSPC once N bytes are written, the last one being cut short */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static int refused(const char *call)
{
    const char *list = getenv("REFUSE"), *number = getenv("REFUSE_ERRNO");
    size_t length = strlen(call);
    while (list != NULL && *list != '\0') {
        size_t word = strcspn(list, ",");
        if (word == length && strncmp(list, call, length) == 0) {
            errno = number == NULL ? ENOSYS : atoi(number);
            return 1;
        }
        list += word + (list[word] == ',');
    }
    return 0;
}

/* The function that this one hides. */
#define REAL(name) ((__typeof__(&(name)))(uintptr_t)dlsym(RTLD_NEXT, #name))

static int is_folder(int descriptor)
{
    struct stat status;
    return fstat(descriptor, &status) == 0 && S_ISDIR(status.st_mode);
}

static int is_written_file(int descriptor)
{
    struct stat status;
    int flags = fcntl(descriptor, F_GETFL);
    return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY && fstat(descriptor, &status) == 0 &&
           S_ISREG(status.st_mode);
}

int fallocate(int descriptor, int mode, off_t offset, off_t length)
{
    return refused("fallocate") ? -1 : REAL(fallocate)(descriptor, mode, offset, length);
}

int ftruncate(int descriptor, off_t length)
{
    return refused("ftruncate") ? -1 : REAL(ftruncate)(descriptor, length);
}

int rename(const char *from, const char *to)
{
    return refused("rename") ? -1 : REAL(rename)(from, to);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    return refused("rename") ? -1 : REAL(renameat)(from_folder, from, to_folder, to);
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags)
{
    return refused("rename") || refused("renameat2")
               ? -1
               : REAL(renameat2)(from_folder, from, to_folder, to, flags);
}

int fchmod(int descriptor, mode_t mode)
{
    return refused("fchmod") ? -1 : REAL(fchmod)(descriptor, mode);
}

int madvise(void *address, size_t length, int advice)
{
    return refused("madvise") ? -1 : REAL(madvise)(address, length, advice);
}

int openat(int folder, const char *path, int flags, ...)
{
    mode_t mode = 0;
    if ((flags & O_CREAT) != 0) {
        va_list arguments;
        va_start(arguments, flags);
        mode = va_arg(arguments, mode_t);
        va_end(arguments);
    }
    return (flags & O_DIRECT) != 0 && refused("o_direct") ? -1
                                                          : REAL(openat)(folder, path, flags, mode);
}

int fsync(int descriptor)
{
    return refused(is_folder(descriptor) ? "fsync_folder" : "fsync") ? -1 : REAL(fsync)(descriptor);
}

int close(int descriptor)
{
    int lost = is_written_file(descriptor);
    int result = REAL(close)(descriptor);
    return lost && refused("close") ? -1 : result;
}

int fstatvfs(int descriptor, struct statvfs *disk)
{
    int result = REAL(fstatvfs)(descriptor, disk);
    if (result == 0 && refused("statvfs")) {
        disk->f_bavail = disk->f_bfree = disk->f_blocks = (fsblkcnt_t)1 << 40;
    }
    return result;
}

ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t offset)
{
    static atomic_llong written;
    const char *after = getenv("REFUSE_AFTER");
    if (after != NULL) {
        long long left = atoll(after) - atomic_fetch_add(&written, (long long)count);
        if (left <= 0) {
            errno = ENOSPC;
            return -1;
        }
        count = left < (long long)count ? (size_t)left : count;
    }
    return REAL(pwrite)(descriptor, bytes, count, offset);
}
