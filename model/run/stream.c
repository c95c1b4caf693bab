/* SPDX-License-Identifier: MIT */
/* Bytes of a file on demand. Elements that a cut goes through are drawn whole and copied in part. */
#include "model/run/stream.h"

#include <string.h>

int sow_stream_takes(enum sow_dtype dtype)
{
    uint32_t bits = sow_dtype_bits(dtype);
    return bits == 8 || bits == 16 || bits == 32 || bits == 64;
}

size_t sow_stream_find(const struct sow_stream *stream, uint64_t offset)
{
    size_t low = 0, high = stream->count; /* begins[low] <= offset < begins[high] */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (stream->begins[middle] <= offset) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
/* Files are little-endian. */
static void to_little_endian(unsigned char *bytes, uint64_t count, uint32_t element_bytes)
{
    for (uint64_t at = 0; at < count; at += element_bytes) {
        for (uint32_t i = 0; i < element_bytes / 2; i++) {
            unsigned char byte = bytes[at + i];
            bytes[at + i] = bytes[at + element_bytes - 1 - i];
            bytes[at + element_bytes - 1 - i] = byte;
        }
    }
}
#else
static void to_little_endian(unsigned char *bytes, uint64_t count, uint32_t element_bytes)
{
    (void)bytes;
    (void)count;
    (void)element_bytes;
}
#endif

/* Elements from `first` on, in the machine's order. */
static void fill_elements(const struct sow_stream *stream, const struct sow_plan_entry *entry,
                          unsigned char *dst, uint64_t first, uint64_t count)
{
    if (stream->wholes != NULL && sow_plan_is_whole(entry)) {
        const uint32_t size = sow_dtype_bits(entry->dtype) / 8;
        const unsigned char *bytes = sow_wholes_take(stream->wholes, entry, stream->seed);
        memcpy(dst, bytes + first * size, count * size);
        sow_wholes_give(stream->wholes, bytes);
        return;
    }
    sow_plan_fill(entry, stream->seed, dst, first, count);
}

/* Bytes [offset, offset + count) of one tensor. */
static void fill_tensor(const struct sow_stream *stream, const struct sow_plan_entry *entry,
                        uint64_t offset, unsigned char *dst, uint64_t count)
{
    uint32_t size = sow_dtype_bits(entry->dtype) / 8;
    while (count > 0) {
        uint64_t first = offset / size, skip = offset % size;
        uint64_t done;
        if (skip == 0 && count >= size) {
            done = count - count % size;
            fill_elements(stream, entry, dst, first, done / size);
            to_little_endian(dst, done, size);
        } else {
            unsigned char element[8];
            done = size - skip < count ? size - skip : count;
            fill_elements(stream, entry, element, first, 1);
            to_little_endian(element, size, size);
            memcpy(dst, element + skip, done);
        }
        dst += done;
        offset += done;
        count -= done;
    }
}

void sow_stream_fill(const struct sow_stream *stream, uint64_t offset, void *dst, uint64_t count)
{
    unsigned char *out = dst;
    if (offset < stream->header_bytes && count > 0) {
        uint64_t left = stream->header_bytes - offset;
        uint64_t part = left < count ? left : count;
        memcpy(out, stream->header + offset, part);
        out += part;
        offset += part;
        count -= part;
    }
    for (size_t i = count > 0 ? sow_stream_find(stream, offset) : 0; count > 0; i++) {
        uint64_t left = stream->begins[i + 1] - offset; /* 0 for an empty tensor */
        uint64_t part = left < count ? left : count;
        fill_tensor(stream, stream->entries[i], offset - stream->begins[i], out, part);
        out += part;
        offset += part;
        count -= part;
    }
}
