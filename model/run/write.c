/* SPDX-License-Identifier: MIT */
/* What file and pipe share: how much memory and how many threads, and the drawing of a chunk. */
#include "model/run/write.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"

struct sow_wholes_need sow_run_wholes(const struct sow_files *files, uint32_t threads)
{
    struct sow_wholes_need need = {0};
    for (size_t i = 0; i < files->count; i++) {
        for (size_t j = 0; j < files->files[i].stream.count; j++) {
            sow_wholes_count(&need, files->files[i].stream.entries[j], threads);
        }
    }
    return need;
}

/* Memory for tensors that are drawn as a whole, where there are some. */
static enum sow_status make_wholes(struct sow_run *run, struct sow_files *files,
                                   struct sow_error *error)
{
    const struct sow_wholes_need need = sow_run_wholes(files, run->crew.threads);
    enum sow_status status = sow_wholes_new(&need, run->crew.threads, &run->wholes, error);
    sow_wholes_interrupt(run->wholes, run->crew.interrupted);
    for (size_t i = 0; i < files->count; i++) {
        files->files[i].stream.wholes = run->wholes;
    }
    return status;
}

enum sow_status sow_run_begin(struct sow_run *run, struct sow_files *files,
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
    sow_crew_size(&run->crew, options->threads, options->chunk_bytes, SOW_FINGERPRINT_BLOCK);
    enum sow_status status =
        sow_fingerprint_new(run->file_bytes, files->count, &run->fingerprint, error);
    if (status == SOW_OK) {
        status = sow_buffers_make(run->crew.workers, run->crew.chunk_bytes, &run->buffers, error);
    }
    if (status == SOW_OK) {
        status = make_wholes(run, files, error);
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
    sow_wholes_free(run->wholes);
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
