/* SPDX-License-Identifier: MIT */
/* Small text files whole. Reads to the end instead of asking for the size, so that a pipe will do. */
#include "model/recipe/file.h"

#include "core/base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Room for at least one more byte and a closing 0. */
static int make_room(char **bytes, size_t length, size_t *capacity)
{
    if (length + 1 < *capacity) {
        return 0;
    }
    size_t wanted = *capacity == 0 ? 16384 : *capacity * 2;
    char *larger = realloc(*bytes, wanted);
    if (larger == NULL) {
        return 1;
    }
    *bytes = larger;
    *capacity = wanted;
    return 0;
}

static enum sow_status read_all(int file, const char *path, const char *what, size_t bytes_max,
                                char **bytes, size_t *length, struct sow_error *error)
{
    size_t capacity = 0;
    *length = 0;
    for (;;) {
        if (make_room(bytes, *length, &capacity)) {
            return sow_fail(error, SOW_E_MEMORY, "out of memory while reading %s", path);
        }
        ssize_t got = read(file, *bytes + *length, capacity - *length - 1);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return sow_fail(error, SOW_E_IO, "cannot read %s: %s", path, strerror(errno));
        }
        if (got == 0) {
            (*bytes)[*length] = '\0';
            return SOW_OK;
        }
        *length += (size_t)got;
        if (*length > bytes_max) {
            return sow_fail_at(error, SOW_E_FORMAT, path, 0, 0,
                               "%s of more than %zu bytes; sow reads no more", what, bytes_max);
        }
    }
}

enum sow_status sow_file_read(const char *path, const char *what, size_t bytes_max, char **bytes,
                              size_t *length, struct sow_error *error)
{
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file < 0 || fstat(file, &status) != 0) {
        enum sow_status code =
            sow_fail(error, SOW_E_IO, "cannot open %s: %s", path, strerror(errno));
        if (file >= 0) {
            close(file);
        }
        return code;
    }
    *bytes = NULL;
    enum sow_status code;
    if (S_ISDIR(status.st_mode)) {
        code = sow_fail(error, SOW_E_FORMAT, "%s is a folder; %s is needed", path, what);
    } else {
        (void)fcntl(file, F_SETFL, 0); /* a pipe may wait now */
        code = read_all(file, path, what, bytes_max, bytes, length, error);
    }
    close(file);
    if (code != SOW_OK) {
        free(*bytes);
        *bytes = NULL;
    }
    return code;
}
