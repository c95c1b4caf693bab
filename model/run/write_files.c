/* SPDX-License-Identifier: MIT */
/* Each worker draws a chunk and writes it where it stands. Files are created when their first chunk comes and synced
 * when their last is out, so that the end of one shard does not hold up the next. */
#include "model/run/write.h"

#include <string.h>

static enum sow_status open_target(struct sow_run *run, size_t file, struct sow_error *error)
{
    enum sow_status status = SOW_OK;
    struct sow_target *target = &run->targets[file];
    const char *name = run->files->files[file].name;
    pthread_mutex_lock(&run->lock);
    if (target->state == SOW_TARGET_NONE) {
        status = sow_target_create(target, run->folder, *name == '\0' ? run->name : name,
                                   run->file_bytes[file], run->notes, error);
        run->chunks_left[file] =
            (run->file_bytes[file] + run->crew.chunk_bytes - 1) / run->crew.chunk_bytes;
    }
    pthread_mutex_unlock(&run->lock);
    return status;
}

static enum sow_status write_chunk(struct sow_run *run, uint32_t worker,
                                   const struct sow_chunk *chunk, struct sow_error *error)
{
    struct sow_target *target = &run->targets[chunk->file];
    int refused = 0;
    const unsigned char *bytes = sow_run_draw(run, worker, chunk);
    enum sow_status status =
        sow_target_write(target, bytes, chunk->count, chunk->offset, &refused, error);
    pthread_mutex_lock(&run->lock);
    if (refused != 0) {
        sow_note(run->notes, "O_DIRECT refused (%s): written through the page cache",
                 strerror(refused));
    }
    int is_last = --run->chunks_left[chunk->file] == 0;
    pthread_mutex_unlock(&run->lock);
    if (status == SOW_OK && is_last) {
        status = sow_target_close(target, error);
    }
    return status;
}

static void work(struct sow_crew *crew, void *user, uint32_t worker)
{
    struct sow_run *run = user;
    struct sow_chunk chunk;
    struct sow_error error;
    while (sow_crew_take(crew, &chunk)) {
        enum sow_status status = open_target(run, chunk.file, &error);
        if (status == SOW_OK) {
            status = write_chunk(run, worker, &chunk, &error);
        }
        if (status != SOW_OK) {
            sow_crew_fail(crew, status, &error);
            return;
        }
        sow_crew_done(crew, chunk.count);
    }
}

enum sow_status sow_run_to_files(struct sow_run *run, struct sow_error *error)
{
    return sow_crew_run(&run->crew, work, NULL, run, error);
}
