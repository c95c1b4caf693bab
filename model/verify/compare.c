/* SPDX-License-Identifier: MIT */
/* Workers read chunks, hash them, and compare them with drawn pieces that stay in the cache. Nothing stops at the first
 * difference: the count is wanted, and the first by place is not the first by time. */
#include "model/verify/compare.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "model/verify/read.h"

#define PIECE_BYTES ((uint64_t)256 << 10)

enum sow_status sow_compare_begin(struct sow_compare *compare, const struct sow_st_set *set,
                                  const struct sow_expected *expected,
                                  const struct sow_verify_options *options, struct sow_error *error)
{
    memset(compare, 0, sizeof *compare);
    compare->set = set;
    compare->expected = expected;
    pthread_mutex_init(&compare->lock, NULL);
    compare->file_bytes = calloc(set->count + 1, sizeof compare->file_bytes[0]);
    compare->differs = calloc(set->tensors + 1, sizeof compare->differs[0]);
    if (compare->file_bytes == NULL || compare->differs == NULL) {
        sow_compare_end(compare);
        return sow_fail(error, SOW_E_MEMORY, "no memory for %zu tensors", set->tensors);
    }
    for (size_t i = 0; i < set->count; i++) {
        compare->file_bytes[i] = set->files[i].bytes;
        compare->crew.total_bytes += set->files[i].bytes;
    }
    compare->crew.file_bytes = compare->file_bytes;
    compare->crew.file_count = set->count;
    compare->crew.progress = options->progress;
    compare->crew.progress_user = options->progress_user;
    compare->crew.interrupted = options->interrupted;
    sow_crew_size(&compare->crew, options->threads, 0, SOW_FINGERPRINT_BLOCK);
    enum sow_status status = sow_open_files_make(&compare->files, set, error);
    for (size_t i = 0; i < set->count && status == SOW_OK; i++) {
        sow_open_files_expect(&compare->files, i,
                              (set->files[i].bytes + compare->crew.chunk_bytes - 1) /
                                  compare->crew.chunk_bytes);
    }
    if (status == SOW_OK) {
        status = sow_fingerprint_new(compare->file_bytes, set->count, &compare->fingerprint, error);
    }
    if (status == SOW_OK) {
        status = sow_buffers_make(compare->crew.workers, compare->crew.chunk_bytes + PIECE_BYTES,
                                  &compare->buffers, error);
    }
    if (status != SOW_OK) {
        sow_compare_end(compare);
    }
    return status;
}

void sow_compare_end(struct sow_compare *compare)
{
    sow_open_files_free(&compare->files);
    sow_buffers_free(&compare->buffers);
    sow_fingerprint_free(compare->fingerprint);
    free(compare->differs);
    free(compare->file_bytes);
    pthread_mutex_destroy(&compare->lock);
}

static void note_difference(struct sow_compare *compare, size_t file, uint64_t offset)
{
    pthread_mutex_lock(&compare->lock);
    if (!compare->found || file < compare->first_file ||
        (file == compare->first_file && offset < compare->first_offset)) {
        compare->found = 1;
        compare->first_file = file;
        compare->first_offset = offset;
    }
    pthread_mutex_unlock(&compare->lock);
}

/* The tensors of a piece that differs: marks them, notes the first byte. */
static void look_closer(struct sow_compare *compare, size_t file, uint64_t offset,
                        const unsigned char *found, const unsigned char *wanted, uint64_t count)
{
    const struct sow_stream *stream = &compare->expected->streams[file];
    size_t tensor = sow_stream_find(stream, offset);
    for (uint64_t at = 0; at < count; tensor++) {
        uint64_t left = stream->begins[tensor + 1] - (offset + at);
        uint64_t part = left < count - at ? left : count - at;
        if (memcmp(found + at, wanted + at, part) != 0) {
            uint64_t first = at;
            while (found[first] == wanted[first]) {
                first++;
            }
            atomic_store_explicit(&compare->differs[compare->expected->firsts[file] + tensor], 1,
                                  memory_order_relaxed);
            note_difference(compare, file, offset + first);
        }
        at += part;
    }
}

/* The data of a chunk, piece by piece. */
static void compare_chunk(struct sow_compare *compare, const struct sow_chunk *chunk,
                          const unsigned char *bytes, unsigned char *wanted)
{
    const struct sow_stream *stream = &compare->expected->streams[chunk->file];
    uint64_t end = chunk->offset + chunk->count;
    uint64_t offset = chunk->offset < stream->header_bytes ? stream->header_bytes : chunk->offset;
    while (offset < end) {
        uint64_t count = end - offset < PIECE_BYTES ? end - offset : PIECE_BYTES;
        const unsigned char *found = bytes + (offset - chunk->offset);
        sow_stream_fill(stream, offset, wanted, count);
        if (memcmp(found, wanted, count) != 0) {
            look_closer(compare, chunk->file, offset, found, wanted, count);
        }
        offset += count;
    }
}

static void work(struct sow_crew *crew, void *user, uint32_t worker)
{
    struct sow_compare *compare = user;
    unsigned char *bytes = compare->buffers.bytes + worker * compare->buffers.each;
    struct sow_chunk chunk;
    struct sow_error error;
    while (sow_crew_take(crew, &chunk)) {
        struct sow_open_file file;
        char path[512];
        enum sow_status status = sow_open_files_use(&compare->files, chunk.file, &file, &error);
        if (status == SOW_OK) {
            status = sow_read_chunk(file.buffered, file.direct, bytes, chunk.count, chunk.offset,
                                    sow_st_set_path(compare->set, chunk.file, path), &error);
        }
        if (status != SOW_OK) {
            sow_crew_fail(crew, status, &error);
            return;
        }
        sow_crew_begin_draw(crew);
        sow_fingerprint_chunk(compare->fingerprint, chunk.file, chunk.offset, bytes, chunk.count);
        compare_chunk(compare, &chunk, bytes, bytes + crew->chunk_bytes);
        sow_crew_end_draw(crew);
        sow_open_files_used(&compare->files, chunk.file);
        sow_crew_done(crew, chunk.count);
    }
}

enum sow_status sow_compare_run(struct sow_compare *compare, struct sow_error *error)
{
    return sow_crew_run(&compare->crew, work, NULL, compare, error);
}
