/* SPDX-License-Identifier: MIT */
/* From the parts of a pass to the numbers of each tensor. A tensor that is one part is finished at once; of the others
 * there are never more than two a worker unfinished. */
#include "model/verify/statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/error.h"
#include "model/verify/pass.h"
#include "model/verify/select.h"
#include "model/verify/summary.h"
#include "model/verify/tally.h"

struct sow_statistics {
    struct sow_st_set *owned;
    struct sow_tensor_statistics *rows;
    size_t count;
    struct sow_statistics_report report;
};

struct run {
    struct sow_statistics *statistics;
    const struct sow_visitor *visitor;
    struct sow_pass pass;
    struct sow_pass_item *items;
    size_t item_count;
    struct sow_tally **tallies;  /* one a seat, made on first use */
    struct sow_moments **blocks; /* likewise: of one part */
    pthread_mutex_t lock;        /* of what follows */
    struct sow_ledger **ledgers; /* one a row */
};

static enum sow_status no_memory(struct sow_error *error)
{
    return sow_fail(error, SOW_E_MEMORY, "no memory for the statistics");
}

static enum sow_status finish(struct run *run, uint32_t seat, const struct sow_pass_part *part,
                              const struct sow_ledger *ledger, struct sow_error *error)
{
    struct sow_tensor_statistics *row = &run->statistics->rows[part->item->number];
    const struct sow_value_type *type = sow_value_type(row->dtype);
    const struct sow_moments *blocks = ledger == NULL ? run->blocks[seat] : ledger->blocks;
    struct sow_tally *tally = run->tallies[seat];
    struct sow_moments moments = sow_moments_none();
    uint64_t block = SOW_BLOCK_BYTES / type->width;
    for (uint64_t i = 0; !sow_value_narrow(type) && i * block < row->elements; i++) {
        sow_moments_join(&moments, &blocks[i]);
    }
    enum sow_status status =
        sow_tally_finish(tally, type, part->count, part->bytes[0], ledger, &moments, error);
    if (status != SOW_OK) {
        return status;
    }
    sow_summary_fill(row, &moments, tally->cells, tally->cell_count);
    if (run->visitor != NULL && run->visitor->cells != NULL) {
        status = run->visitor->cells(run->visitor->user, part->item->number, row, tally->cells,
                                     tally->cell_count, error);
    }
    return status;
}

static enum sow_status find_ledger(struct run *run, const struct sow_pass_item *item,
                                   const struct sow_value_type *type, struct sow_ledger **ledger,
                                   struct sow_error *error)
{
    pthread_mutex_lock(&run->lock);
    struct sow_ledger **place = &run->ledgers[item->number];
    *place = *place == NULL ? sow_ledger_new(type, item->elements * type->width) : *place;
    *ledger = *place;
    pthread_mutex_unlock(&run->lock);
    return *ledger == NULL ? no_memory(error) : SOW_OK;
}

/* A part of a tensor of several. */
static enum sow_status post(struct run *run, uint32_t seat, const struct sow_pass_part *part,
                            const struct sow_value_type *type, struct sow_error *error)
{
    struct sow_ledger *ledger = NULL;
    struct sow_tally *tally = run->tallies[seat];
    uint64_t bytes = part->count * type->width;
    enum sow_status status = find_ledger(run, part->item, type, &ledger, error);
    if (status != SOW_OK) {
        return status;
    }
    struct sow_moments *blocks = sow_value_narrow(type)
                                     ? NULL
                                     : ledger->blocks + part->first * type->width / SOW_BLOCK_BYTES;
    sow_tally_add(tally, type, part->first, part->bytes[0], part->count, blocks);
    sow_tally_post(tally, type, part->first, part->bytes[0], part->count, ledger);
    if (atomic_fetch_sub(&ledger->bytes_left, bytes) != bytes) {
        return SOW_OK;
    }
    status = finish(run, seat, part, ledger, error);
    pthread_mutex_lock(&run->lock);
    run->ledgers[part->item->number] = NULL;
    pthread_mutex_unlock(&run->lock);
    sow_ledger_free(ledger);
    return status;
}

static enum sow_status prepare(struct run *run, uint32_t seat, struct sow_error *error)
{
    if (run->tallies[seat] == NULL) {
        run->tallies[seat] = sow_tally_new();
        run->blocks[seat] =
            calloc(run->pass.crew.chunk_bytes / SOW_BLOCK_BYTES + 1, sizeof run->blocks[seat][0]);
    }
    return run->tallies[seat] == NULL || run->blocks[seat] == NULL ? no_memory(error) : SOW_OK;
}

static enum sow_status take_part(void *user, uint32_t seat, const struct sow_pass_part *part,
                                 struct sow_error *error)
{
    struct run *run = user;
    struct sow_tensor_statistics *row = &run->statistics->rows[part->item->number];
    const struct sow_value_type *type = sow_value_type(row->dtype);
    enum sow_status status = SOW_OK;
    if (run->visitor != NULL && run->visitor->part != NULL) {
        struct sow_part visited = {part->item->number, row->dtype, part->first, part->count,
                                   part->bytes[0]};
        status = run->visitor->part(run->visitor->user, &visited, error);
    }
    if (status != SOW_OK || row->is_opaque) {
        return status;
    }
    if (part->first == 0) {
        sow_values_f64(row->dtype, part->bytes[0], 1, &row->first);
    }
    status = prepare(run, seat, error);
    if (status != SOW_OK) {
        return status;
    }
    if (part->count < part->item->elements) {
        return post(run, seat, part, type, error);
    }
    sow_tally_add(run->tallies[seat], type, 0, part->bytes[0], part->count, run->blocks[seat]);
    return finish(run, seat, part, NULL, error);
}

/* ---- The rows ---------------------------------------------------------------------------------- */

static void add_row(struct run *run, const struct sow_st_set *set, size_t file,
                    const struct sow_st_tensor *tensor, int is_read)
{
    struct sow_statistics *statistics = run->statistics;
    struct sow_tensor_statistics *row = &statistics->rows[statistics->count];
    const struct sow_value_type *type = sow_value_type(tensor->dtype);
    sow_summary_begin(row, tensor, set->files[file].name);
    if (is_read && row->bytes > 0 &&
        (!row->is_opaque || (run->visitor != NULL && run->visitor->part != NULL))) {
        run->items[run->item_count++] = (struct sow_pass_item){
            .number = statistics->count,
            .elements = row->bytes / type->width,
            .at = {{file, sow_st_data_offset(set->files[file].header) + tensor->offset_begin,
                    type->width}},
        };
        statistics->report.tensors++;
        statistics->report.bytes += row->bytes;
    }
    statistics->count++;
}

static enum sow_status make_rows(struct run *run, const struct sow_st_set *set,
                                 const struct sow_statistics_options *options,
                                 struct sow_error *error)
{
    struct sow_selection selection;
    const unsigned char *only = run->visitor != NULL ? run->visitor->only : NULL;
    size_t number = 0;
    enum sow_status status = sow_selection_make(&selection, options, error);
    for (size_t i = 0; i < set->count && status == SOW_OK; i++) {
        for (size_t j = 0; j < sow_st_count(set->files[i].header); j++, number++) {
            const struct sow_st_tensor *tensor = sow_st_at(set->files[i].header, j);
            if (sow_selection_has(&selection, tensor->name)) {
                add_row(run, set, i, tensor, only == NULL || only[number] != 0);
            }
        }
    }
    if (status == SOW_OK) {
        status = sow_selection_check(&selection, error);
    }
    sow_selection_free(&selection);
    return status;
}

/* ---- The run ----------------------------------------------------------------------------------- */

static enum sow_status make_tables(struct run *run, const struct sow_st_set *set,
                                   struct sow_error *error)
{
    run->statistics->rows = calloc(set->tensors + 1, sizeof run->statistics->rows[0]);
    run->items = calloc(set->tensors + 1, sizeof run->items[0]);
    run->ledgers = calloc(set->tensors + 1, sizeof run->ledgers[0]);
    if (run->statistics->rows == NULL || run->items == NULL || run->ledgers == NULL) {
        return no_memory(error);
    }
    return SOW_OK;
}

static enum sow_status read_all(struct run *run, const struct sow_st_set *set,
                                const struct sow_statistics_options *options,
                                struct sow_error *error)
{
    const struct sow_st_set *const sets[2] = {set, NULL};
    const struct sow_pass_taker taker = {take_part, run};
    enum sow_status status =
        sow_pass_begin(&run->pass, sets, run->items, run->item_count, options, error);
    if (status != SOW_OK) {
        return status;
    }
    uint32_t seats = run->pass.crew.workers;
    run->tallies = calloc(seats, sizeof run->tallies[0]);
    run->blocks = calloc(seats, sizeof run->blocks[0]);
    status = run->tallies == NULL || run->blocks == NULL ? no_memory(error)
                                                         : sow_pass_run(&run->pass, &taker, error);
    for (uint32_t i = 0; i < seats && run->tallies != NULL && run->blocks != NULL; i++) {
        sow_tally_free(run->tallies[i]);
        free(run->blocks[i]);
    }
    free(run->tallies);
    free(run->blocks);
    sow_pass_end(&run->pass);
    return status;
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

enum sow_status sow_statistics_make(const struct sow_st_set *set,
                                    const struct sow_statistics_options *options,
                                    const struct sow_visitor *visitor,
                                    struct sow_statistics **statistics, struct sow_error *error)
{
    static const struct sow_statistics_options defaults = {0};
    struct run run = {.visitor = visitor, .statistics = calloc(1, sizeof **statistics)};
    double begin = seconds_now();
    if (run.statistics == NULL) {
        return no_memory(error);
    }
    options = options == NULL ? &defaults : options;
    pthread_mutex_init(&run.lock, NULL);
    enum sow_status status = make_tables(&run, set, error);
    if (status == SOW_OK) {
        status = make_rows(&run, set, options, error);
    }
    if (status == SOW_OK) {
        status = read_all(&run, set, options, error);
    }
    for (size_t i = 0; i < set->tensors && run.ledgers != NULL; i++) {
        sow_ledger_free(run.ledgers[i]); /* what a failure left */
    }
    free(run.ledgers);
    free(run.items);
    pthread_mutex_destroy(&run.lock);
    if (status != SOW_OK) {
        sow_statistics_free(run.statistics);
        return status;
    }
    run.statistics->report.files = set->count;
    run.statistics->report.seconds = seconds_now() - begin;
    memcpy(run.statistics->report.warnings, set->warnings, sizeof set->warnings);
    *statistics = run.statistics;
    return SOW_OK;
}

enum sow_status sow_statistics_load(const char *path, const struct sow_statistics_options *options,
                                    struct sow_statistics **statistics, struct sow_error *error)
{
    struct sow_st_set *set = NULL;
    if (path == NULL || path[0] == '\0') {
        return sow_fail(error, SOW_E_ARGUMENT, "sow_statistics_load takes a checkpoint's name");
    }
    enum sow_status status = sow_st_set_open(path, &set, error);
    if (status == SOW_OK) {
        status = sow_statistics_make(set, options, NULL, statistics, error);
        if (status != SOW_OK) {
            sow_st_set_free(set);
        } else {
            (*statistics)->owned = set;
        }
    }
    return status;
}

void sow_statistics_free(struct sow_statistics *statistics)
{
    if (statistics != NULL) {
        sow_st_set_free(statistics->owned);
        free(statistics->rows);
        free(statistics);
    }
}

const struct sow_tensor_statistics *sow_statistics_at(const struct sow_statistics *statistics,
                                                      size_t index)
{
    return index < statistics->count ? &statistics->rows[index] : NULL;
}

const struct sow_statistics_report *sow_statistics_report(const struct sow_statistics *statistics)
{
    return &statistics->report;
}
