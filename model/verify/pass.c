/* SPDX-License-Identifier: MIT */
/* What the crew calls a file is a unit here: a tensor, or some small ones that stand together. What is in the page cache
 * is read when it is this worker's turn to compute, into the buffer that was used last, while its tables are in the CPU's cache; the disk is waited for before. */
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

static enum sow_status make_stack(struct sow_pass *pass, struct sow_error *error)
{
    pass->free_seats = calloc(pass->crew.workers, sizeof pass->free_seats[0]);
    if (pass->free_seats == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "no memory for %u seats", pass->crew.workers);
    }
    for (uint32_t i = 0; i < pass->crew.workers; i++) {
        pass->free_seats[pass->free_count++] = i;
    }
    return SOW_OK;
}

enum sow_status sow_pass_begin(struct sow_pass *pass, const struct sow_st_set *const sets[2],
                               const struct sow_pass_item *items, size_t count,
                               const struct sow_statistics_options *options,
                               struct sow_error *error)
{
    memset(pass, 0, sizeof *pass);
    pass->items = items;
    pass->sides = sets[1] == NULL ? 1 : 2;
    pthread_mutex_init(&pass->lock, NULL);
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
    if (status == SOW_OK) {
        status = make_stack(pass, error);
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
    free(pass->free_seats);
    pthread_mutex_destroy(&pass->lock);
    memset(pass, 0, sizeof *pass);
}

/* One a worker: there is always one. */
static uint32_t take_seat(struct sow_pass *pass)
{
    pthread_mutex_lock(&pass->lock);
    uint32_t seat = pass->free_seats[--pass->free_count];
    pthread_mutex_unlock(&pass->lock);
    return seat;
}

static void leave_seat(struct sow_pass *pass, uint32_t seat)
{
    pthread_mutex_lock(&pass->lock);
    pass->free_seats[pass->free_count++] = seat;
    pthread_mutex_unlock(&pass->lock);
}

/* What a chunk is of one side: bytes [offset, offset + count) of a file. */
struct extent {
    size_t number;
    uint64_t offset, count;
    struct sow_open_file file;
};

static void find_extents(const struct sow_pass *pass, const struct sow_chunk *chunk,
                         struct sow_pass_part *part, struct extent extents[2])
{
    const struct sow_pass_unit *unit = &pass->units[chunk->file];
    const struct sow_pass_item *item = &pass->items[unit->first];
    uint32_t width = width_of(pass, item);
    *part = (struct sow_pass_part){item, chunk->offset / width, chunk->count / width, {NULL, NULL}};
    for (int side = 0; side < pass->sides; side++) {
        const struct sow_pass_place *place = &item->at[side];
        uint64_t bytes = part->count * place->width;
        if (unit->count > 1) {
            const struct sow_pass_item *last = item + unit->count - 1;
            bytes = last->at[side].offset + bytes_on(last, side) - place->offset;
        }
        extents[side] =
            (struct extent){place->file, place->offset + part->first * place->width, bytes, {0}};
    }
}

static enum sow_status open_extents(struct sow_pass *pass, struct extent extents[2], int *is_cached,
                                    struct sow_error *error)
{
    enum sow_status status = SOW_OK;
    *is_cached = 1;
    for (int side = 0; side < pass->sides && status == SOW_OK; side++) {
        struct extent *extent = &extents[side];
        status = sow_open_files_use(&pass->files[side], extent->number, &extent->file, error);
        *is_cached = *is_cached && status == SOW_OK &&
                     sow_read_is_cached(extent->file.buffered, extent->count, extent->offset);
    }
    return status;
}

static enum sow_status read_extents(struct sow_pass *pass, const struct extent extents[2],
                                    unsigned char *buffer, struct sow_pass_part *part,
                                    struct sow_error *error)
{
    enum sow_status status = SOW_OK;
    char path[512];
    for (int side = 0; side < pass->sides && status == SOW_OK; side++) {
        const struct extent *extent = &extents[side];
        unsigned char *to = buffer + (size_t)side * (pass->crew.chunk_bytes + 2 * PAGE);
        uint64_t before = extent->offset % PAGE;
        status =
            sow_read_chunk(extent->file.buffered, extent->file.direct, to, extent->count + before,
                           extent->offset - before,
                           sow_st_set_path(pass->files[side].set, extent->number, path), error);
        sow_open_files_used(&pass->files[side], extent->number);
        part->bytes[side] = to + before;
    }
    return status;
}

/* The items of a chunk: a part of one, or several whole ones. */
static enum sow_status give_parts(struct sow_pass *pass, uint32_t seat,
                                  const struct sow_chunk *chunk, struct sow_pass_part *part,
                                  struct sow_error *error)
{
    const struct sow_pass_unit *unit = &pass->units[chunk->file];
    enum sow_status status = SOW_OK;
    if (unit->count == 1) {
        return pass->taker.part(pass->taker.user, seat, part, error);
    }
    for (size_t i = 0; i < unit->count && status == SOW_OK; i++) {
        part->item = &pass->items[unit->first + i];
        part->count = part->item->elements;
        status = pass->taker.part(pass->taker.user, seat, part, error);
        for (int side = 0; side < pass->sides; side++) {
            part->bytes[side] += bytes_on(part->item, side);
        }
    }
    return status;
}

static enum sow_status take_chunk(struct sow_pass *pass, const struct sow_chunk *chunk,
                                  struct sow_error *error)
{
    struct sow_pass_part part;
    struct extent extents[2];
    int is_cached;
    find_extents(pass, chunk, &part, extents);
    enum sow_status status = open_extents(pass, extents, &is_cached, error);
    if (status != SOW_OK) {
        return status;
    }
    if (is_cached) {
        sow_crew_begin_draw(&pass->crew);
    }
    uint32_t seat = take_seat(pass);
    status =
        read_extents(pass, extents, pass->buffers.bytes + seat * pass->buffers.each, &part, error);
    if (!is_cached) {
        sow_crew_begin_draw(&pass->crew);
    }
    if (status == SOW_OK) {
        status = give_parts(pass, seat, chunk, &part, error);
    }
    leave_seat(pass, seat);
    sow_crew_end_draw(&pass->crew);
    return status;
}

static void work(struct sow_crew *crew, void *user, uint32_t worker)
{
    struct sow_pass *pass = user;
    struct sow_chunk chunk;
    struct sow_error error;
    (void)worker;
    while (sow_crew_take(crew, &chunk)) {
        enum sow_status status = take_chunk(pass, &chunk, &error);
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
