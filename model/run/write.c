/* SPDX-License-Identifier: MIT */
/* What file and pipe share: how much memory and how many threads, and the drawing of a chunk. */
#include "model/run/write.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"

#define CHUNK_DEFAULT ((uint64_t)4 << 20)
#define RING_BYTES    ((uint64_t)128 << 20) /* at most, unless the caller's chunks are larger */
#define IN_FLIGHT     8u /* chunks that wait for the disk while others are drawn */
#define THREADS_MAX   1024u

/* Whole fingerprint blocks, so that each is drawn by one worker. */
static uint64_t round_to_blocks(uint64_t bytes)
{
    uint64_t most = (uint64_t)1 << 40;
    bytes = bytes > most ? most : bytes;
    return (bytes + SOW_FINGERPRINT_BLOCK - 1) / SOW_FINGERPRINT_BLOCK * SOW_FINGERPRINT_BLOCK;
}

static void size_crew(struct sow_crew *crew, const struct sow_init_options *options)
{
    uint64_t chunks = 0, wanted;
    crew->threads = options->threads == 0 ? sow_cpu_count() : options->threads;
    crew->threads = crew->threads > THREADS_MAX ? THREADS_MAX : crew->threads;
    wanted = crew->threads + IN_FLIGHT;
    if (options->chunk_bytes != 0) {
        crew->chunk_bytes = round_to_blocks(options->chunk_bytes);
    } else {
        crew->chunk_bytes = CHUNK_DEFAULT;
        while (crew->chunk_bytes > SOW_FINGERPRINT_BLOCK &&
               crew->chunk_bytes * wanted > RING_BYTES) {
            crew->chunk_bytes /= 2;
        }
    }
    for (size_t i = 0; i < crew->file_count; i++) {
        chunks += crew->file_bytes[i] / crew->chunk_bytes + 1;
    }
    if (wanted > RING_BYTES / crew->chunk_bytes) {
        wanted = RING_BYTES / crew->chunk_bytes;
    }
    wanted = wanted < 2 ? 2 : wanted;
    crew->workers = (uint32_t)(wanted < chunks ? wanted : chunks);
}

enum sow_status sow_run_begin(struct sow_run *run, const struct sow_files *files,
                              const struct sow_init_options *options, char notes[SOW_NOTES_MAX],
                              struct sow_error *error)
{
    memset(run, 0, sizeof *run);
    run->files = files;
    run->notes = notes;
    pthread_mutex_init(&run->lock, NULL);
    run->file_bytes = calloc(files->count, sizeof run->file_bytes[0]);
    run->targets = calloc(files->count, sizeof run->targets[0]);
    run->chunks_left = calloc(files->count, sizeof run->chunks_left[0]);
    if (run->file_bytes == NULL || run->targets == NULL || run->chunks_left == NULL) {
        sow_run_end(run);
        return sow_fail(error, SOW_E_MEMORY, "no memory for %zu files", files->count);
    }
    for (size_t i = 0; i < files->count; i++) {
        run->file_bytes[i] = files->files[i].bytes;
    }
    run->crew = (struct sow_crew){.file_bytes = run->file_bytes,
                                  .file_count = files->count,
                                  .total_bytes = files->bytes,
                                  .progress = options->progress,
                                  .progress_user = options->progress_user,
                                  .interrupted = options->interrupted};
    size_crew(&run->crew, options);
    enum sow_status status =
        sow_fingerprint_new(run->file_bytes, files->count, &run->fingerprint, error);
    if (status == SOW_OK) {
        status = sow_buffers_make(run->crew.workers, run->crew.chunk_bytes, &run->buffers, error);
    }
    if (status != SOW_OK) {
        sow_run_end(run);
    } else if (run->buffers.small_pages != 0) {
        sow_note(notes, "huge pages refused (%s): small ones are used",
                 strerror(run->buffers.small_pages));
    }
    return status;
}

void sow_run_end(struct sow_run *run)
{
    sow_buffers_free(&run->buffers);
    sow_fingerprint_free(run->fingerprint);
    free(run->chunks_left);
    free(run->targets);
    free(run->file_bytes);
    pthread_mutex_destroy(&run->lock);
}

const unsigned char *sow_run_draw(struct sow_run *run, uint32_t worker,
                                  const struct sow_chunk *chunk)
{
    unsigned char *buffer = run->buffers.bytes + worker * run->buffers.each;
    const struct sow_stream *stream = &run->files->files[chunk->file].stream;
    sow_crew_begin_draw(&run->crew);
    for (uint64_t at = 0; at < chunk->count; at += SOW_FINGERPRINT_BLOCK) {
        uint64_t left = chunk->count - at;
        uint64_t count = left < SOW_FINGERPRINT_BLOCK ? left : SOW_FINGERPRINT_BLOCK;
        sow_stream_fill(stream, chunk->offset + at, buffer + at, count);
        sow_fingerprint_block(run->fingerprint, chunk->file, chunk->offset + at, buffer + at,
                              count); /* while it is in the cache */
    }
    sow_crew_end_draw(&run->crew);
    return buffer;
}
