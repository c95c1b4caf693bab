/* SPDX-License-Identifier: MIT */
/* preadv2 with RWF_NOWAIT tells what is in the page cache; the rest comes with O_DIRECT, or as an ordinary read where
 * that is refused. */
#include "model/verify/read.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "model/checkpoint/open.h"

#define SECTOR 4096u

static uint64_t read_cached(int descriptor, unsigned char *bytes, uint64_t count, uint64_t offset)
{
    struct iovec part = {bytes, count};
    ssize_t got = preadv2(descriptor, &part, 1, (off_t)offset, RWF_NOWAIT);
    return got > 0 ? (uint64_t)got : 0;
}

/* As far as it goes; what is left is for the ordinary read, which also finds the words for an error. */
static uint64_t read_direct(int descriptor, unsigned char *bytes, uint64_t count, uint64_t offset)
{
    uint64_t done = 0;
    while (done < count) {
        uint64_t rounded = (count - done + SECTOR - 1) / SECTOR * SECTOR; /* past the end is fine */
        ssize_t got = pread(descriptor, bytes + done, rounded, (off_t)(offset + done));
        if (got <= 0) {
            break;
        }
        done += (uint64_t)got;
        if (done % SECTOR != 0) { /* the file's end */
            break;
        }
    }
    return done < count ? done : count;
}

enum sow_status sow_read_chunk(int buffered, int direct, void *bytes, uint64_t count,
                               uint64_t offset, const char *path, struct sow_error *error)
{
    unsigned char *out = bytes;
    uint64_t done = read_cached(buffered, out, count, offset);
    if (done < count && direct >= 0) {
        done -= done % SECTOR;
        done += read_direct(direct, out + done, count - done, offset + done);
    }
    return sow_read_at(buffered, out + done, count - done, offset + done, path, error);
}

int sow_read_is_cached(int buffered, uint64_t count, uint64_t offset)
{
    unsigned char byte;
    return count > 0 && read_cached(buffered, &byte, 1, offset) == 1 &&
           read_cached(buffered, &byte, 1, offset + count - 1) == 1;
}
