/* SPDX-License-Identifier: MIT */
/* Two checkpoints: names matched, what both have compared in one pass, and the statistics of what differs in another. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/error.h"
#include "model/verify/distance.h"
#include "model/verify/select.h"
#include "model/verify/statistics.h"

/* A tensor of one side. */
struct side {
    const struct sow_st_tensor *tensor;
    size_t file, number; /* number: over all files */
};

/* A tensor of both sides, or of one. */
struct pair {
    struct side at[2]; /* tensor is NULL where it is missing */
    enum sow_diff_kind kind;
    int compared, differs;
    struct sow_distance distance;
};

struct sow_diff {
    struct sow_st_set *sets[2];
    struct sow_statistics *statistics[2];
    struct pair *pairs;
    size_t pair_count;
    struct sow_difference *differences;
    size_t count;
    struct sow_diff_report report;
};

static enum sow_status no_memory(struct sow_error *error)
{
    return sow_fail(error, SOW_E_MEMORY, "no memory to compare the checkpoints");
}

/* ---- Names ------------------------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b)
{
    const struct side *left = a, *right = b;
    return strcmp(left->tensor->name, right->tensor->name);
}

/* All tensors of a set, in order. */
static struct side *list_tensors(const struct sow_st_set *set)
{
    struct side *list = calloc(set->tensors + 1, sizeof list[0]);
    size_t number = 0;
    for (size_t i = 0; list != NULL && i < set->count; i++) {
        for (size_t j = 0; j < sow_st_count(set->files[i].header); j++, number++) {
            list[number] = (struct side){sow_st_at(set->files[i].header, j), i, number};
        }
    }
    return list;
}

static uint64_t elements_of(const struct sow_st_tensor *tensor)
{
    uint64_t elements = 1;
    for (uint32_t i = 0; i < tensor->rank; i++) {
        elements *= tensor->shape[i];
    }
    return elements;
}

static enum sow_diff_kind kind_of(const struct sow_st_tensor *a, const struct sow_st_tensor *b)
{
    if (b == NULL) {
        return SOW_DIFF_ONLY_A;
    }
    if (a->rank != b->rank || memcmp(a->shape, b->shape, a->rank * sizeof a->shape[0]) != 0) {
        return SOW_DIFF_SHAPE;
    }
    return a->dtype != b->dtype ? SOW_DIFF_DTYPE : SOW_DIFF_BITS;
}

/* A pair whose numbers will be compared unless its kind forbids. */
static void add_pair(struct sow_diff *diff, const struct side *a, const struct side *b)
{
    struct pair *pair = &diff->pairs[diff->pair_count++];
    pair->at[0] = *a;
    pair->kind = kind_of(a->tensor, b == NULL ? NULL : b->tensor);
    pair->distance.first = UINT64_MAX;
    pair->differs = pair->kind != SOW_DIFF_BITS;
    if (b == NULL) {
        return;
    }
    pair->at[1] = *b;
    diff->report.tensors++;
    for (int side = 0; side < 2; side++) {
        pair->distance.types[side] = sow_value_type(pair->at[side].tensor->dtype);
    }
    uint64_t bytes = a->tensor->offset_end - a->tensor->offset_begin;
    int known = sow_value_known(a->tensor->dtype) && sow_value_known(b->tensor->dtype);
    pair->compared =
        bytes > 0 && (pair->kind == SOW_DIFF_BITS || (pair->kind == SOW_DIFF_DTYPE && known));
    pair->distance.elements = known ? elements_of(a->tensor) : bytes;
    diff->report.bytes += pair->compared ? bytes : 0;
}

/* In the order of A, then what only B has in the order of B. */
static enum sow_status match(struct sow_diff *diff, const struct sow_statistics_options *options,
                             struct sow_error *error)
{
    struct sow_selection selection;
    size_t counts[2] = {diff->sets[0]->tensors, diff->sets[1]->tensors};
    struct side *a = list_tensors(diff->sets[0]), *b = list_tensors(diff->sets[1]);
    unsigned char *matched = calloc(counts[1] + 1, 1);
    diff->pairs = calloc(counts[0] + counts[1] + 1, sizeof diff->pairs[0]);
    enum sow_status status = sow_selection_make(&selection, options, error);
    if (a == NULL || b == NULL || matched == NULL || diff->pairs == NULL) {
        status = no_memory(error);
    }
    if (status == SOW_OK) {
        qsort(b, counts[1], sizeof b[0], compare_names);
        for (size_t i = 0; i < counts[0]; i++) {
            const struct side *other = bsearch(&a[i], b, counts[1], sizeof b[0], compare_names);
            if (other != NULL) {
                matched[other->number] = 1;
            }
            if (sow_selection_has(&selection, a[i].tensor->name)) {
                add_pair(diff, &a[i], other);
            }
        }
        free(b);
        b = list_tensors(diff->sets[1]);
        status = b == NULL ? no_memory(error) : SOW_OK;
    }
    for (size_t i = 0; status == SOW_OK && i < counts[1]; i++) {
        if (sow_selection_has(&selection, b[i].tensor->name) && !matched[i]) {
            struct pair *pair = &diff->pairs[diff->pair_count++];
            *pair = (struct pair){.at = {{0}, b[i]}, .kind = SOW_DIFF_ONLY_B, .differs = 1};
            pair->distance.first = UINT64_MAX;
        }
    }
    status = status == SOW_OK ? sow_selection_check(&selection, error) : status;
    sow_selection_free(&selection);
    free(a);
    free(b);
    free(matched);
    return status;
}

/* ---- Numbers ----------------------------------------------------------------------------------- */

struct comparison {
    struct sow_diff *diff;
    pthread_mutex_t lock;
};

static enum sow_status take_part(void *user, uint32_t seat, const struct sow_pass_part *part,
                                 struct sow_error *error)
{
    struct comparison *comparison = user;
    (void)seat;
    return sow_distance_add(&comparison->diff->pairs[part->item->number].distance, part,
                            &comparison->lock, error);
}

static size_t make_items(const struct sow_diff *diff, struct sow_pass_item *items)
{
    size_t count = 0;
    for (size_t i = 0; i < diff->pair_count; i++) {
        const struct pair *pair = &diff->pairs[i];
        if (!pair->compared) {
            continue;
        }
        struct sow_pass_item *item = &items[count++];
        item->number = i;
        item->elements = pair->distance.elements;
        for (int side = 0; side < 2; side++) {
            const struct sow_st_header *header =
                diff->sets[side]->files[pair->at[side].file].header;
            item->at[side] = (struct sow_pass_place){pair->at[side].file,
                                                     sow_st_data_offset(header) +
                                                         pair->at[side].tensor->offset_begin,
                                                     pair->distance.types[side]->width};
        }
    }
    return count;
}

static enum sow_status compare(struct sow_diff *diff, const struct sow_statistics_options *options,
                               struct sow_error *error)
{
    const struct sow_st_set *const sets[2] = {diff->sets[0], diff->sets[1]};
    struct comparison comparison = {.diff = diff};
    const struct sow_pass_taker taker = {take_part, &comparison};
    struct sow_pass pass;
    struct sow_pass_item *items = calloc(diff->pair_count + 1, sizeof items[0]);
    if (items == NULL) {
        return no_memory(error);
    }
    enum sow_status status =
        sow_pass_begin(&pass, sets, items, make_items(diff, items), options, error);
    if (status == SOW_OK) {
        pthread_mutex_init(&comparison.lock, NULL);
        status = sow_pass_run(&pass, &taker, error);
        pthread_mutex_destroy(&comparison.lock);
        sow_pass_end(&pass);
    }
    free(items);
    return status;
}

/* The statistics of both sides, read for those pairs whose numbers differ. */
static enum sow_status describe(struct sow_diff *diff, const struct sow_statistics_options *options,
                                int side, struct sow_error *error)
{
    struct sow_statistics_options reading = *options;
    unsigned char *only = calloc(diff->sets[side]->tensors + 1, 1);
    struct sow_visitor visitor = {.only = only};
    if (only == NULL) {
        return no_memory(error);
    }
    for (size_t i = 0; i < diff->pair_count; i++) {
        const struct pair *pair = &diff->pairs[i];
        if (pair->at[side].tensor != NULL) {
            only[pair->at[side].number] = pair->compared && pair->differs;
        }
    }
    reading.glob_count = 0;
    reading.progress = NULL;
    enum sow_status status =
        sow_statistics_make(diff->sets[side], &reading, &visitor, &diff->statistics[side], error);
    free(only);
    return status;
}

/* ---- The answer -------------------------------------------------------------------------------- */

static struct sow_difference *add_difference(struct sow_diff *diff, enum sow_diff_kind kind,
                                             const char *name)
{
    struct sow_difference *difference = &diff->differences[diff->count++];
    *difference = (struct sow_difference){
        .kind = kind,
        .name = name,
        .first = UINT64_MAX,
        .first_a = NAN,
        .first_b = NAN,
        .distance_max = NAN,
        .distance_mean = NAN,
        .ulp_max = NAN,
        .ulp_mean = NAN,
        .std_ratio = NAN,
        .mean_shift = NAN,
    };
    return difference;
}

static void tell_pair(struct sow_diff *diff, const struct pair *pair)
{
    const struct side *named = pair->at[0].tensor != NULL ? &pair->at[0] : &pair->at[1];
    struct sow_difference *difference = add_difference(diff, pair->kind, named->tensor->name);
    const struct sow_tensor_statistics *rows[2] = {NULL, NULL};
    for (int side = 0; side < 2; side++) {
        if (pair->at[side].tensor != NULL) {
            rows[side] = sow_statistics_at(diff->statistics[side], pair->at[side].number);
        }
    }
    difference->a = rows[0];
    difference->b = rows[1];
    if (!pair->compared) {
        return;
    }
    sow_distance_tell(&pair->distance, difference);
    if (rows[0]->std > 0) {
        difference->std_ratio = rows[1]->std / rows[0]->std;
        difference->mean_shift = (rows[1]->mean - rows[0]->mean) / rows[0]->std;
    }
}

/* Keys of `from` that `with` has not or has otherwise; those it has not only when `missing`. */
static void tell_metadata(struct sow_diff *diff, const struct sow_st_header *from,
                          const struct sow_st_header *with, int reversed)
{
    const struct sow_st_pair *pair;
    for (size_t i = 0; (pair = sow_st_metadata_at(from, i)) != NULL; i++) {
        const char *other = sow_st_metadata(with, pair->key);
        if (other == NULL || (!reversed && strcmp(pair->value, other) != 0)) {
            struct sow_difference *difference = add_difference(diff, SOW_DIFF_METADATA, pair->key);
            difference->text_a = reversed ? NULL : pair->value;
            difference->text_b = reversed ? pair->value : other;
        }
    }
}

static size_t count_metadata(const struct sow_st_set *set)
{
    size_t count = 0;
    for (size_t i = 0; i < set->count; i++) {
        for (size_t j = 0; sow_st_metadata_at(set->files[i].header, j) != NULL; j++) {
            count++;
        }
    }
    return count;
}

static enum sow_status answer(struct sow_diff *diff, const struct sow_statistics_options *options,
                              struct sow_error *error)
{
    int any = 0;
    enum sow_status status = SOW_OK;
    for (size_t i = 0; i < diff->pair_count; i++) {
        diff->pairs[i].differs |= diff->pairs[i].distance.first != UINT64_MAX;
        any |= diff->pairs[i].differs;
        diff->report.equal += !diff->pairs[i].differs;
    }
    for (int side = 0; side < 2 && any && status == SOW_OK; side++) {
        status = describe(diff, options, side, error);
    }
    if (status != SOW_OK) {
        return status;
    }
    size_t room = diff->pair_count + count_metadata(diff->sets[0]) + count_metadata(diff->sets[1]);
    diff->differences = calloc(room + 1, sizeof diff->differences[0]);
    if (diff->differences == NULL) {
        return no_memory(error);
    }
    for (size_t i = 0; i < diff->pair_count; i++) {
        if (diff->pairs[i].differs) {
            tell_pair(diff, &diff->pairs[i]);
        }
    }
    size_t files = diff->sets[0]->count == diff->sets[1]->count ? diff->sets[0]->count : 0;
    for (size_t i = 0; i < files && options->glob_count == 0; i++) {
        const struct sow_st_header *a = diff->sets[0]->files[i].header,
                                   *b = diff->sets[1]->files[i].header;
        tell_metadata(diff, a, b, 0);
        tell_metadata(diff, b, a, 1);
    }
    return SOW_OK;
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void join_warnings(struct sow_diff *diff)
{
    char *out = diff->report.warnings;
    size_t left = strlen(diff->sets[0]->warnings), right = strlen(diff->sets[1]->warnings);
    memcpy(out, diff->sets[0]->warnings, left + 1);
    if (right > 0 && left + right + 2 < sizeof diff->report.warnings) {
        out[left] = '\n';
        memcpy(out + left + (left > 0), diff->sets[1]->warnings, right + 1);
    }
}

enum sow_status sow_diff_load(const char *a, const char *b,
                              const struct sow_statistics_options *options, struct sow_diff **diff,
                              struct sow_error *error)
{
    static const struct sow_statistics_options defaults = {0};
    const char *const paths[2] = {a, b};
    double begin = seconds_now();
    struct sow_diff *made = calloc(1, sizeof *made);
    enum sow_status status = made == NULL ? no_memory(error) : SOW_OK;
    options = options == NULL ? &defaults : options;
    for (int side = 0; side < 2 && status == SOW_OK; side++) {
        status = paths[side] == NULL || paths[side][0] == '\0'
                     ? sow_fail(error, SOW_E_ARGUMENT, "sow_diff_load takes two checkpoints' names")
                     : sow_st_set_open(paths[side], &made->sets[side], error);
    }
    status = status == SOW_OK ? match(made, options, error) : status;
    status = status == SOW_OK ? compare(made, options, error) : status;
    status = status == SOW_OK ? answer(made, options, error) : status;
    if (status != SOW_OK) {
        sow_diff_free(made);
        return status;
    }
    join_warnings(made);
    made->report.seconds = seconds_now() - begin;
    *diff = made;
    return SOW_OK;
}

void sow_diff_free(struct sow_diff *diff)
{
    if (diff == NULL) {
        return;
    }
    for (size_t i = 0; i < diff->pair_count; i++) {
        sow_distance_free(&diff->pairs[i].distance);
    }
    for (int side = 0; side < 2; side++) {
        sow_statistics_free(diff->statistics[side]);
        sow_st_set_free(diff->sets[side]);
    }
    free(diff->pairs);
    free(diff->differences);
    free(diff);
}

const struct sow_difference *sow_diff_at(const struct sow_diff *diff, size_t index)
{
    return index < diff->count ? &diff->differences[index] : NULL;
}

const struct sow_diff_report *sow_diff_report(const struct sow_diff *diff)
{
    return &diff->report;
}
