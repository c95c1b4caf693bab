/* SPDX-License-Identifier: MIT */
/* A checkpoint file as a stream of bytes with random access: the header, then the tensors, drawn where they are asked
 * for. Any cut of the stream gives the bytes of the whole; that is what lets threads draw chunks in any order. */
#ifndef SOW_RUN_STREAM_H
#define SOW_RUN_STREAM_H

#include "model/plan/plan.h"
#include "model/run/wholes.h"

struct sow_stream {
    const char *header; /* may be NULL when nobody asks for its bytes */
    uint64_t header_bytes;
    const struct sow_plan_entry **entries; /* in file order, without a gap */
    const uint64_t *begins; /* byte of the file where each begins; one more: the end */
    size_t count;
    uint64_t seed;
    struct sow_wholes *wholes; /* the caller's; may be NULL when no entry is drawn as a whole */
};

/* Whether elements of this type are whole bytes, as a stream needs them. */
int sow_stream_takes(enum sow_dtype dtype);

/* Index of the tensor that holds byte `offset` of the file, which lies behind the header and before the end. */
size_t sow_stream_find(const struct sow_stream *stream, uint64_t offset);

/* Bytes [offset, offset + count) of the file, little-endian. */
void sow_stream_fill(const struct sow_stream *stream, uint64_t offset, void *dst, uint64_t count);

#endif
