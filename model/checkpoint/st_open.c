/* SPDX-License-Identifier: MIT */
/* From a path to a parsed header: the header's bytes are read, never the data. */
#include "model/checkpoint/open.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/error.h"

#define HEAD_BYTES 512 /* enough to tell what a file is */

static const char *kind_of(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
        return NULL;
    case S_IFDIR:
        return "a folder";
    case S_IFCHR:
        return "a character device";
    case S_IFBLK:
        return "a block device";
    case S_IFIFO:
        return "a pipe";
    case S_IFSOCK:
        return "a socket";
    default:
        return "a special file";
    }
}

enum sow_status sow_open_regular(int folder, const char *name, int flags, const char *path,
                                 int *descriptor, uint64_t *bytes, struct sow_error *error)
{
    struct stat status;
    /* O_NONBLOCK: a pipe without a writer must not hold us; it means nothing to regular files. */
    int opened = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags);
    if (opened < 0 && errno == ELOOP && (flags & O_NOFOLLOW) != 0) {
        return sow_fail_at(error, SOW_E_FORMAT, path, 0, 0,
                           "a symbolic link, which sow does not follow from an index (but into the "
                           "Hub's cache); put the file itself there");
    }
    if (opened < 0) {
        return sow_fail_at(error, SOW_E_IO, path, 0, 0, "open: %s", strerror(errno));
    }
    if (fstat(opened, &status) != 0) {
        sow_fail_at(error, SOW_E_IO, path, 0, 0, "fstat: %s", strerror(errno));
        close(opened);
        return SOW_E_IO;
    }
    const char *kind = kind_of(status.st_mode);
    if (kind != NULL) {
        close(opened);
        return sow_fail_at(error, SOW_E_FORMAT, path, 0, 0, "%s, not a file", kind);
    }
    *descriptor = opened;
    *bytes = (uint64_t)status.st_size;
    return SOW_OK;
}

/* "../../blobs/" and the hexadecimal name of a blob. */
static int is_blob_link(const char *target, size_t length)
{
    static const char folder[] = "../../blobs/";
    size_t at = sizeof folder - 1;
    if (length <= at || strncmp(target, folder, at) != 0) {
        return 0;
    }
    while (at < length && strchr("0123456789abcdef", target[at]) != NULL) {
        at++;
    }
    return at == length;
}

enum sow_status sow_open_shard(int folder, const char *name, int flags, const char *path,
                               int *descriptor, uint64_t *bytes, struct sow_error *error)
{
    char target[128];
    ssize_t length = readlinkat(folder, name, target, sizeof target - 1);
    if (length > 0) {
        target[length] = '\0';
        name = is_blob_link(target, (size_t)length) ? target : name;
    }
    return sow_open_regular(folder, name, flags | O_NOFOLLOW, path, descriptor, bytes, error);
}

enum sow_status sow_read_at(int descriptor, void *bytes, uint64_t count, uint64_t offset,
                            const char *path, struct sow_error *error)
{
    uint64_t done = 0;
    while (done < count) {
        ssize_t got = pread(descriptor, (char *)bytes + done, count - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return sow_fail_at(error, SOW_E_IO, path, 0, 0, "read: %s, byte %llu",
                               got < 0 ? strerror(errno) : "the file became shorter",
                               (unsigned long long)(offset + done));
        }
        done += (uint64_t)got;
    }
    return SOW_OK;
}

/* "(P.P %)" of what is missing. */
static enum sow_status fail_cut_header(const char *path, uint64_t header, uint64_t bytes,
                                       struct sow_error *error)
{
    uint64_t need = 8 + header, missing = need - bytes;
    unsigned permille = (unsigned)((double)missing / (double)need * 1000.0 + 0.5);
    return sow_fail_at(error, SOW_E_FORMAT, path, 0, 0,
                       "the file is cut within its header: that alone needs %llu bytes, the file "
                       "has %llu, at least %llu are missing (%u.%u %%)",
                       (unsigned long long)need, (unsigned long long)bytes,
                       (unsigned long long)missing, permille / 10, permille % 10);
}

/* The header's length, when the file may be what it should be. */
static enum sow_status header_length(const char *head, size_t head_bytes, uint64_t bytes,
                                     const char *path, uint64_t *length, struct sow_error *error)
{
    char text[160];
    uint64_t claim = 0;
    if (bytes == 0) {
        return sow_fail_at(error, SOW_E_FORMAT, path, 0, 0,
                           "an empty file, where a safetensors file should be");
    }
    for (size_t i = 0; i < 8 && i < head_bytes; i++) {
        claim |= (uint64_t)(unsigned char)head[i] << (8 * i);
    }
    if (head_bytes < 9 || claim > SOW_SAFETENSORS_HEADER_MAX || head[8] != '{') {
        const char *what = sow_st_sniff(head, head_bytes, text, sizeof text);
        if (what != NULL) {
            return sow_fail_at(error, SOW_E_FORMAT, path, 0, 0, "not a safetensors file but %s",
                               what);
        }
    }
    if (head_bytes < 8) {
        return sow_fail_at(error, SOW_E_FORMAT, path, 0, 0,
                           "%llu bytes long; a safetensors file has at least 8",
                           (unsigned long long)bytes);
    }
    if (claim > SOW_SAFETENSORS_HEADER_MAX) {
        return sow_fail_at(error, SOW_E_FORMAT, path, 0, 0,
                           "a header of %llu bytes, the format's limit is %u, byte 0",
                           (unsigned long long)claim, SOW_SAFETENSORS_HEADER_MAX);
    }
    if (claim > bytes - 8) {
        return fail_cut_header(path, claim, bytes, error);
    }
    *length = claim;
    return SOW_OK;
}

enum sow_status sow_st_read_header(int descriptor, uint64_t bytes, const char *path,
                                   struct sow_st_header **header, struct sow_error *error)
{
    char head[HEAD_BYTES];
    uint64_t length = 0, head_bytes = bytes < HEAD_BYTES ? bytes : HEAD_BYTES;
    enum sow_status status = sow_read_at(descriptor, head, head_bytes, 0, path, error);
    if (status == SOW_OK) {
        status = header_length(head, head_bytes, bytes, path, &length, error);
    }
    if (status != SOW_OK) {
        return status;
    }
    char *json = malloc(length + 1);
    if (json == NULL) {
        return sow_fail_at(error, SOW_E_MEMORY, path, 0, 0, "no memory for a header of %llu bytes",
                           (unsigned long long)length);
    }
    status = sow_read_at(descriptor, json, length, 8, path, error);
    if (status == SOW_OK) {
        status = sow_st_parse(path, json, length, bytes, header, error);
    }
    free(json);
    return status;
}

enum sow_status sow_st_open(const char *path, struct sow_st_header **header,
                            struct sow_error *error)
{
    int descriptor = -1;
    uint64_t bytes = 0;
    enum sow_status status = sow_open_regular(AT_FDCWD, path, 0, path, &descriptor, &bytes, error);
    if (status != SOW_OK) {
        return status;
    }
    status = sow_st_read_header(descriptor, bytes, path, header, error);
    close(descriptor);
    return status;
}
