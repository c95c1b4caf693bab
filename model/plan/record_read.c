/* SPDX-License-Identifier: MIT */
/* A plan back from a file's record and header. The bytes may come from anybody: every index, count,
 * bound and number is checked, and time and memory stay in proportion to the header.
 *
 *     {"draws":[DRAW,...],"runs":[[draw,count],...],"keys":[[tensor,"key"],...]}
 *     DRAW: ["normal",mean,std] or ["normal",mean,std,[[axis,begin,end,["constant",0]],...]]
 *           or ["orthogonal",gain,"conv","out-in-kernel-kernel",groups]: a draw of whole tensors */
#include "model/plan/inside.h"
#include "model/plan/record_scan.h"
#include "model/plan/record_whole.h"
#include "core/base/checked.h"
#include "core/base/error.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_BYTES_MAX 100000000u /* it stands in a header of at most so many */

/* What the regions of a draw ask of a shape. */
struct region_needs {
    uint64_t end_max[SOW_RANK_MAX];
    double covered[SOW_RANK_MAX]; /* indices in all regions of the axis together */
};

struct record_draw {
    struct sow_draw draw;
    const char *text; /* "normal{mean=0, std=0.02}" */
    const struct sow_region *regions;
    size_t region_count;
    const struct region_needs *needs; /* NULL without regions */
    struct sow_record_axes axes;      /* of whole draws */
    uint64_t dtypes;                  /* bit d: goes to dtype d */
};

struct record {
    struct sow_record_scan scan;
    struct sow_plan *plan;
    struct record_draw *draws;
    size_t draw_count, draw_capacity;
    struct sow_region *regions; /* of the draw being read */
    size_t region_count, region_capacity;
    struct sow_record_axes axes; /* of the draw being read */
};

static enum sow_status read_draws(struct record *record);
static enum sow_status read_runs(struct record *record, const struct sow_listed_tensor *tensors);
static enum sow_status read_keys(struct record *record);

static enum sow_status expect_member(struct record *record, const char *name)
{
    char word[16];
    enum sow_status status = sow_record_word(&record->scan, word, sizeof word);
    if (status == SOW_OK && strcmp(word, name) != 0) {
        return sow_fail(record->scan.error, SOW_E_FORMAT,
                        "byte %zu of sow's record: expected \"%s\", found \"%s\"", record->scan.at,
                        name, word);
    }
    return status != SOW_OK ? status : sow_record_expect(&record->scan, ':');
}

static enum sow_status read_record(struct record *record, const struct sow_listed_tensor *tensors)
{
    struct sow_record_scan *scan = &record->scan;
    enum sow_status status = sow_record_expect(scan, '{');
    status = status != SOW_OK ? status : expect_member(record, "draws");
    status = status != SOW_OK ? status : read_draws(record);
    status = status != SOW_OK ? status : sow_record_expect(scan, ',');
    status = status != SOW_OK ? status : expect_member(record, "runs");
    status = status != SOW_OK ? status : read_runs(record, tensors);
    if (status == SOW_OK && sow_record_next(scan, ',')) {
        status = expect_member(record, "keys");
        status = status != SOW_OK ? status : read_keys(record);
    }
    status = status != SOW_OK ? status : sow_record_expect(scan, '}');
    return status != SOW_OK ? status : sow_record_end(scan);
}

enum sow_status sow_plan_from_record(const char *text, size_t length, uint64_t seed,
                                     const struct sow_listed_tensor *tensors, size_t count,
                                     struct sow_plan **plan, struct sow_error *error)
{
    struct record record = {.scan = {text, length, 0, error}};
    if (length > RECORD_BYTES_MAX) {
        return sow_fail(error, SOW_E_FORMAT, "sow's record has %zu bytes; at most %u are possible",
                        length, RECORD_BYTES_MAX);
    }
    record.plan = sow_plan_new(seed, count);
    if (record.plan == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory for a plan of %zu tensors", count);
    }
    enum sow_status status = read_record(&record, tensors);
    status = status != SOW_OK ? status : sow_plan_finish(record.plan, SOW_E_FORMAT, error);
    free(record.draws);
    free(record.regions);
    if (status != SOW_OK) {
        sow_plan_free(record.plan);
        return status;
    }
    *plan = record.plan;
    return SOW_OK;
}

/* Room for one more of `bytes` each in *items; nonzero when there is none. */
static int grow(void **items, size_t count, size_t *capacity, size_t bytes)
{
    if (count < *capacity) {
        return 0;
    }
    size_t wanted = *capacity == 0 ? 8 : *capacity * 2;
    void *grown = wanted > SIZE_MAX / 2 / bytes ? NULL : realloc(*items, wanted * bytes);
    if (grown == NULL) {
        return 1;
    }
    *items = grown;
    *capacity = wanted;
    return 0;
}

static enum sow_status out_of_memory(struct record *record)
{
    return sow_fail(record->scan.error, SOW_E_MEMORY, "out of memory while reading sow's record");
}

/* ---- Draws ---------------------------------------------------------------------------------- */

/* "name",number,... of a draw, behind its bracket. Bounds may be null for infinity. */
static enum sow_status read_numbers(struct record *record, struct sow_draw *draw)
{
    double numbers[SOW_NUMBERS] = {0};
    struct sow_error inner = {0};
    char word[32];
    enum sow_distribution distribution;
    enum sow_status status = sow_record_word(&record->scan, word, sizeof word);
    if (status == SOW_OK && !sow_distribution_parse(word, &distribution)) {
        return sow_record_fail(&record->scan, "a distribution that does not exist");
    }
    for (enum sow_number i = SOW_MEAN; i < SOW_NUMBERS && status == SOW_OK; i++) {
        enum sow_has has = sow_distribution_has(distribution, i);
        double null = has != SOW_HAS_OR_INFINITE ? NAN : i == SOW_LOW ? -INFINITY : INFINITY;
        if (has != SOW_HAS_NOT) {
            status = sow_record_expect(&record->scan, ',');
            status =
                status != SOW_OK ? status : sow_record_number(&record->scan, null, &numbers[i]);
        }
    }
    if (status == SOW_OK && sow_draw_from(distribution, numbers, draw, &inner) != SOW_OK) {
        status = sow_record_fail(&record->scan, inner.message);
    }
    if (status == SOW_OK && sow_draw_is_whole(draw)) {
        status = sow_record_axes(&record->scan, &record->axes);
    }
    return status;
}

/* [axis,begin,end,DRAW] */
static enum sow_status read_region(struct record *record)
{
    struct sow_record_scan *scan = &record->scan;
    uint64_t axis_begin_end[3] = {0};
    struct sow_region region = {.fan_in = NAN, .fan_out = NAN};
    enum sow_status status = sow_record_expect(scan, '[');
    for (int i = 0; i < 3 && status == SOW_OK; i++) {
        status = sow_record_u64(scan, &axis_begin_end[i]);
        status = status != SOW_OK ? status : sow_record_expect(scan, ',');
    }
    status = status != SOW_OK ? status : sow_record_expect(scan, '[');
    status = status != SOW_OK ? status : read_numbers(record, &region.draw);
    status = status != SOW_OK ? status : sow_record_expect(scan, ']');
    status = status != SOW_OK ? status : sow_record_expect(scan, ']');
    if (status != SOW_OK) {
        return status;
    }
    if (axis_begin_end[0] >= SOW_RANK_MAX || axis_begin_end[1] >= axis_begin_end[2]) {
        return sow_record_fail(scan, "a region without elements");
    }
    region.axis = (uint32_t)axis_begin_end[0];
    region.begin = axis_begin_end[1];
    region.end = axis_begin_end[2];
    void *items = record->regions;
    if (grow(&items, record->region_count, &record->region_capacity, sizeof region)) {
        return out_of_memory(record);
    }
    record->regions = items;
    record->regions[record->region_count++] = region;
    return SOW_OK;
}

static enum sow_status keep_regions(struct record *record, struct record_draw *draw)
{
    size_t bytes = record->region_count * sizeof *record->regions;
    struct sow_region *regions = sow_arena_take(&record->plan->arena, bytes);
    struct region_needs *needs = sow_arena_take(&record->plan->arena, sizeof *needs);
    if (regions == NULL || needs == NULL) {
        return out_of_memory(record);
    }
    memcpy(regions, record->regions, bytes);
    for (size_t i = 0; i < record->region_count; i++) {
        uint64_t *end_max = &needs->end_max[regions[i].axis];
        *end_max = regions[i].end > *end_max ? regions[i].end : *end_max;
        needs->covered[regions[i].axis] += (double)(regions[i].end - regions[i].begin);
    }
    draw->regions = regions;
    draw->region_count = record->region_count;
    draw->needs = needs;
    return SOW_OK;
}

static const char *draw_text(struct record *record, const struct sow_draw *draw)
{
    struct sow_plan_text text = {0};
    sow_plan_text_add(&text, sow_distribution_name(draw->distribution));
    const char *before = "{";
    for (enum sow_number i = SOW_MEAN; i < SOW_NUMBERS; i++) {
        if (sow_distribution_has(draw->distribution, i)) {
            sow_plan_text_format(&text, "%s%s=", before, sow_number_names[i]);
            sow_plan_text_number(&text, sow_draw_number(draw, i));
            before = ", ";
        }
    }
    sow_plan_text_add(&text, "}");
    const char *kept = text.failed ? NULL : sow_plan_share(record->plan, text.bytes);
    sow_plan_text_free(&text);
    return kept;
}

/* ["normal",mean,std] or ["normal",mean,std,[REGION,...]] */
static enum sow_status read_draw(struct record *record)
{
    struct sow_record_scan *scan = &record->scan;
    struct record_draw draw = {0};
    record->region_count = 0;
    record->axes = (struct sow_record_axes){.kind = SOW_KIND_OTHER};
    enum sow_status status = sow_record_expect(scan, '[');
    status = status != SOW_OK ? status : read_numbers(record, &draw.draw);
    if (status == SOW_OK && sow_record_next(scan, ',')) {
        status = sow_record_expect(scan, '[');
        do {
            status = status != SOW_OK ? status : read_region(record);
        } while (status == SOW_OK && sow_record_next(scan, ','));
        status = status != SOW_OK ? status : sow_record_expect(scan, ']');
        status = status != SOW_OK ? status : keep_regions(record, &draw);
    }
    status = status != SOW_OK ? status : sow_record_expect(scan, ']');
    if (status != SOW_OK) {
        return status;
    }
    draw.axes = record->axes;
    draw.text = draw_text(record, &draw.draw);
    void *items = record->draws;
    if (draw.text == NULL ||
        grow(&items, record->draw_count, &record->draw_capacity, sizeof draw)) {
        return out_of_memory(record);
    }
    record->draws = items;
    record->draws[record->draw_count++] = draw;
    return SOW_OK;
}

/* [DRAW,...] */
static enum sow_status read_draws(struct record *record)
{
    enum sow_status status = sow_record_expect(&record->scan, '[');
    if (status != SOW_OK || sow_record_next(&record->scan, ']')) {
        return status;
    }
    do {
        status = read_draw(record);
    } while (status == SOW_OK && sow_record_next(&record->scan, ','));
    return status != SOW_OK ? status : sow_record_expect(&record->scan, ']');
}

/* ---- Tensors -------------------------------------------------------------------------------- */

/* Regions lie in the shape, and all together cover it at most four times: blocks do once, a padding row
 * less than once again. More would let a few bytes ask for hours of work. */
static int regions_fit(const struct region_needs *needs, const struct sow_listed_tensor *tensor)
{
    double times = 0;
    for (uint32_t axis = 0; axis < SOW_RANK_MAX; axis++) {
        uint64_t size = axis < tensor->rank ? tensor->shape[axis] : 0;
        if (needs->end_max[axis] > size) {
            return 0;
        }
        times += size > 0 ? needs->covered[axis] / (double)size : 0;
    }
    return times <= 4;
}

static enum sow_status make_entry(struct record *record, struct record_draw *draw,
                                  const struct sow_listed_tensor *tensor,
                                  struct sow_plan_entry *entry)
{
    struct sow_error *error = record->scan.error;
    entry->name = sow_arena_copy(&record->plan->arena, tensor->name, strlen(tensor->name));
    if (entry->name == NULL) {
        return out_of_memory(record);
    }
    entry->key = entry->name;
    entry->tensor.rank = tensor->rank;
    if (tensor->rank > SOW_RANK_MAX || sow_dtype_name(tensor->dtype) == NULL) {
        return sow_fail(error, SOW_E_FORMAT, "`%s` has a rank or dtype that sow never writes",
                        entry->name);
    }
    memcpy(entry->tensor.shape, tensor->shape, tensor->rank * sizeof tensor->shape[0]);
    entry->dtype = tensor->dtype;
    entry->layer = -1;
    entry->scheme = sow_distribution_name(draw->draw.distribution);
    entry->scheme_text = draw->text;
    entry->draw = draw->draw;
    entry->regions = draw->regions;
    entry->region_count = draw->region_count;
    entry->fan_in = entry->fan_out = NAN;
    entry->rule = "";
    entry->rule_file = "";
    entry->reason = "from the file's record";
    if (draw->needs != NULL && !regions_fit(draw->needs, tensor)) {
        return sow_fail(error, SOW_E_FORMAT,
                        "the regions that sow's record gives `%s` do not fit its shape",
                        entry->name);
    }
    enum sow_status status = sow_plan_measure(record->plan, entry, SOW_E_FORMAT, error);
    if (status == SOW_OK && draw->axes.kind != SOW_KIND_OTHER) {
        status = sow_record_whole_entry(record->plan, &draw->axes, entry, error);
    }
    uint64_t dtype_bit = UINT64_C(1) << ((unsigned)entry->dtype & 63);
    if (status == SOW_OK && (draw->dtypes & dtype_bit) == 0) {
        status = sow_plan_check_dtype(entry, SOW_E_FORMAT, error);
        draw->dtypes |= dtype_bit;
    }
    return status == SOW_E_UNSUPPORTED ? SOW_E_FORMAT : status;
}

/* [[draw,count],...]: draws numbered in the order of their first use, all tensors covered. */
static enum sow_status read_runs(struct record *record, const struct sow_listed_tensor *tensors)
{
    struct sow_record_scan *scan = &record->scan;
    size_t tensor = 0, used = 0, count = record->plan->count;
    enum sow_status status = sow_record_expect(scan, '[');
    int more = status == SOW_OK && !sow_record_next(scan, ']');
    while (status == SOW_OK && more) {
        uint64_t number = 0, run = 0;
        status = sow_record_expect(scan, '[');
        status = status != SOW_OK ? status : sow_record_u64(scan, &number);
        status = status != SOW_OK ? status : sow_record_expect(scan, ',');
        status = status != SOW_OK ? status : sow_record_u64(scan, &run);
        status = status != SOW_OK ? status : sow_record_expect(scan, ']');
        if (status != SOW_OK) {
            return status;
        }
        if (number >= record->draw_count || number > used) {
            return sow_record_fail(scan, "a run of a draw that is not there");
        }
        if (run == 0 || run > count - tensor) {
            return sow_fail(scan->error, SOW_E_FORMAT,
                            "byte %zu of sow's record: a run of %" PRIu64
                            " tensors, but the file has %zu and %zu are taken",
                            scan->at, run, count, tensor);
        }
        used = number == used ? used + 1 : used;
        for (; run > 0 && status == SOW_OK; run--, tensor++) {
            status = make_entry(record, &record->draws[number], &tensors[tensor],
                                &record->plan->entries[tensor]);
        }
        more = status == SOW_OK && sow_record_next(scan, ',');
        status = status != SOW_OK || more ? status : sow_record_expect(scan, ']');
    }
    if (status == SOW_OK && (tensor != count || used != record->draw_count)) {
        return sow_fail(
            scan->error, SOW_E_FORMAT,
            "sow's record tells of %zu tensors and uses %zu of its %zu draws, but the file "
            "has %zu tensors; the file was changed after sow wrote it",
            tensor, used, record->draw_count, count);
    }
    return status;
}

/* [[tensor,"key"],...], tensors ascending */
static enum sow_status read_keys(struct record *record)
{
    struct sow_record_scan *scan = &record->scan;
    uint64_t next = 0;
    enum sow_status status = sow_record_expect(scan, '[');
    do {
        uint64_t tensor = 0;
        char *key = NULL;
        size_t length = 0;
        status = status != SOW_OK ? status : sow_record_expect(scan, '[');
        status = status != SOW_OK ? status : sow_record_u64(scan, &tensor);
        if (status == SOW_OK && (tensor < next || tensor >= record->plan->count)) {
            status = sow_record_fail(scan, "a key for a tensor that is not there, or out of order");
        }
        status = status != SOW_OK ? status : sow_record_expect(scan, ',');
        status = status != SOW_OK ? status : sow_record_string(scan, &key, &length);
        status = status != SOW_OK ? status : sow_record_expect(scan, ']');
        if (status == SOW_OK) {
            struct sow_plan_entry *entry = &record->plan->entries[tensor];
            if (strcmp(key, entry->name) != 0) {
                entry->key = sow_arena_copy(&record->plan->arena, key, length);
            }
            status = entry->key == NULL ? out_of_memory(record) : SOW_OK;
            next = tensor + 1;
        }
        free(key);
    } while (status == SOW_OK && sow_record_next(scan, ','));
    return status != SOW_OK ? status : sow_record_expect(scan, ']');
}
