/* SPDX-License-Identifier: MIT */
/* What the crew calls a file is a unit here: a tensor, or some small ones that stand together. */
#include "model/verify/pass.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "model/verify/read.h"
#include "model/verify/statistics.h"

#define PAGE ((uint64_t)4096)

static uint64_t bytes_on(const struct sow_pass_item *item, int side)
{
    return item->elements * item->at[side].width;
}

static uint32_t width_of(const struct sow_pass *pass, const struct sow_pass_item *item)
{
    uint32_t width = item->at[0].width;
    return pass->sides == 2 && item->at[1].width > width ? item->at[1].width : width;
}

/* Whether `next` begins where `item` ends, on all sides. */
static int follows(const struct sow_pass *pass, const struct sow_pass_item *item)
{
    const struct sow_pass_item *next = item + 1;
    for (int side = 0; side < pass->sides; side++) {
        if (item->at[side].file != next->at[side].file ||
            item->at[side].offset + bytes_on(item, side) != next->at[side].offset) {
            return 0;
        }
    }
    return 1;
}

static void make_units(struct sow_pass *pass, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct sow_pass_item *item = &pass->items[i];
        uint64_t bytes = item->elements * width_of(pass, item);
        size_t last = pass->unit_count - 1;
        if (i > 0 && follows(pass, item - 1) && bytes <= SOW_BLOCK_BYTES &&
            pass->unit_bytes[last] <= SOW_BLOCK_BYTES - bytes) {
            pass->units[last].count++;
            pass->unit_bytes[last] += bytes;
        } else {
            pass->units[pass->unit_count] = (struct sow_pass_unit){i, 1};
            pass->unit_bytes[pass->unit_count++] = bytes;
        }
    }
}

/* How often each file will be used. */
static void expect_uses(struct sow_pass *pass)
{
    for (size_t i = 0; i < pass->unit_count; i++) {
        uint64_t chunks =
            (pass->unit_bytes[i] + pass->crew.chunk_bytes - 1) / pass->crew.chunk_bytes;
        pass->crew.total_bytes += pass->unit_bytes[i];
        for (int side = 0; side < pass->sides; side++) {
            sow_open_files_expect(&pass->files[side],
                                  pass->items[pass->units[i].first].at[side].file, chunks);
        }
    }
}

enum sow_status sow_pass_begin(struct sow_pass *pass, const struct sow_st_set *const sets[2],
                               const struct sow_pass_item *items, size_t count,
                               const struct sow_statistics_options *options,
                               struct sow_error *error)
{
    memset(pass, 0, sizeof *pass);
    pass->items = items;
    pass->sides = sets[1] == NULL ? 1 : 2;
    pass->units = calloc(count + 1, sizeof pass->units[0]);
    pass->unit_bytes = calloc(count + 1, sizeof pass->unit_bytes[0]);
    enum sow_status status = SOW_OK;
    if (pass->units == NULL || pass->unit_bytes == NULL) {
        status = sow_fail(error, SOW_E_MEMORY, "no memory for %zu tensors", count);
    }
    for (int side = 0; side < pass->sides && status == SOW_OK; side++) {
        status = sow_open_files_make(&pass->files[side], sets[side], error);
    }
    if (status == SOW_OK) {
        make_units(pass, count);
        pass->crew.file_bytes = pass->unit_bytes;
        pass->crew.file_count = pass->unit_count;
        pass->crew.progress = options->progress;
        pass->crew.progress_user = options->progress_user;
        pass->crew.interrupted = options->interrupted;
        /* With two widths the narrower side must have whole blocks too: at most 8 times as many elements in them. */
        sow_crew_size(&pass->crew, options->threads, 0,
                      SOW_BLOCK_BYTES * (pass->sides == 2 ? 8 : 1));
        expect_uses(pass);
        status = sow_buffers_make(pass->crew.workers,
                                  (size_t)pass->sides * (pass->crew.chunk_bytes + 2 * PAGE),
                                  &pass->buffers, error);
    }
    if (status != SOW_OK) {
        sow_pass_end(pass);
    }
    return status;
}

void sow_pass_end(struct sow_pass *pass)
{
    for (int side = 0; side < 2; side++) {
        sow_open_files_free(&pass->files[side]);
    }
    sow_buffers_free(&pass->buffers);
    free(pass->units);
    free(pass->unit_bytes);
    memset(pass, 0, sizeof *pass);
}

/* Reads bytes [begin, begin + count) of what starts at `place`; *bytes is where they are in the buffer. */
static enum sow_status read_side(struct sow_pass *pass, int side,
                                 const struct sow_pass_place *place, uint64_t begin, uint64_t count,
                                 unsigned char *buffer, const unsigned char **bytes,
                                 struct sow_error *error)
{
    struct sow_open_files *files = &pass->files[side];
    struct sow_open_file file;
    char path[512];
    uint64_t from = place->offset + begin, aligned = from / PAGE * PAGE;
    enum sow_status status = sow_open_files_use(files, place->file, &file, error);
    if (status == SOW_OK) {
        status = sow_read_chunk(file.buffered, file.direct, buffer, count + (from - aligned),
                                aligned, sow_st_set_path(files->set, place->file, path), error);
        sow_open_files_used(files, place->file);
    }
    *bytes = buffer + (from - aligned);
    return status;
}

/* The items of a chunk: a part of one, or several whole ones. */
static enum sow_status give_parts(struct sow_pass *pass, uint32_t worker,
                                  const struct sow_chunk *chunk, struct sow_pass_part *part,
                                  struct sow_error *error)
{
    const struct sow_pass_unit *unit = &pass->units[chunk->file];
    enum sow_status status = SOW_OK;
    if (unit->count == 1) {
        return pass->taker.part(pass->taker.user, worker, part, error);
    }
    for (size_t i = 0; i < unit->count && status == SOW_OK; i++) {
        part->item = &pass->items[unit->first + i];
        part->count = part->item->elements;
        status = pass->taker.part(pass->taker.user, worker, part, error);
        for (int side = 0; side < pass->sides; side++) {
            part->bytes[side] += bytes_on(part->item, side);
        }
    }
    return status;
}

static enum sow_status read_chunk(struct sow_pass *pass, const struct sow_chunk *chunk,
                                  unsigned char *buffer, struct sow_pass_part *part,
                                  struct sow_error *error)
{
    const struct sow_pass_unit *unit = &pass->units[chunk->file];
    const struct sow_pass_item *item = &pass->items[unit->first];
    uint32_t width = width_of(pass, item);
    enum sow_status status = SOW_OK;
    *part = (struct sow_pass_part){item, chunk->offset / width, chunk->count / width, {NULL, NULL}};
    for (int side = 0; side < pass->sides && status == SOW_OK; side++) {
        uint64_t bytes = part->count * item->at[side].width;
        if (unit->count > 1) {
            const struct sow_pass_item *last = item + unit->count - 1;
            bytes = last->at[side].offset + bytes_on(last, side) - item->at[side].offset;
        }
        status = read_side(pass, side, &item->at[side], part->first * item->at[side].width, bytes,
                           buffer + (size_t)side * (pass->crew.chunk_bytes + 2 * PAGE),
                           &part->bytes[side], error);
    }
    return status;
}

static void work(struct sow_crew *crew, void *user, uint32_t worker)
{
    struct sow_pass *pass = user;
    struct sow_chunk chunk;
    struct sow_error error;
    while (sow_crew_take(crew, &chunk)) {
        struct sow_pass_part part;
        unsigned char *buffer = pass->buffers.bytes + worker * pass->buffers.each;
        enum sow_status status = read_chunk(pass, &chunk, buffer, &part, &error);
        if (status == SOW_OK) {
            sow_crew_begin_draw(crew);
            status = give_parts(pass, worker, &chunk, &part, &error);
            sow_crew_end_draw(crew);
        }
        if (status != SOW_OK) {
            sow_crew_fail(crew, status, &error);
            return;
        }
        sow_crew_done(crew, chunk.count);
    }
}

enum sow_status sow_pass_run(struct sow_pass *pass, const struct sow_pass_taker *taker,
                             struct sow_error *error)
{
    pass->taker = *taker;
    return sow_crew_run(&pass->crew, work, NULL, pass, error);
}
