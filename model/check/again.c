/* SPDX-License-Identifier: MIT */
/* Plain reads: what is read again is rare, and mostly in the page cache. */
#include "model/check/again.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/base/error.h"

enum sow_status sow_again_open(struct sow_again *again, const struct sow_check_run *run,
                               size_t tensor, struct sow_error *error)
{
    *again = (struct sow_again){&run->tensors[tensor], run->set, -1};
    return sow_st_set_reopen(run->set, again->tensor->file, O_RDONLY | O_CLOEXEC,
                             &again->descriptor, error);
}

void sow_again_close(struct sow_again *again)
{
    if (again->descriptor >= 0) {
        close(again->descriptor);
    }
    again->descriptor = -1;
}

enum sow_status sow_again_read(const struct sow_again *again, uint64_t from, uint64_t count,
                               unsigned char *bytes, struct sow_error *error)
{
    char path[512];
    while (count > 0) {
        ssize_t got = pread(again->descriptor, bytes, count, (off_t)(again->tensor->offset + from));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return sow_fail(error, SOW_E_IO, "cannot read %s: %s",
                            sow_st_set_path(again->set, again->tensor->file, path),
                            got < 0 ? strerror(errno) : "it became shorter");
        }
        bytes += got;
        from += (uint64_t)got;
        count -= (uint64_t)got;
    }
    return SOW_OK;
}
