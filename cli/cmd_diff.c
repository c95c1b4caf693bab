/* SPDX-License-Identifier: MIT */
/* sow diff: what the library found to differ between two checkpoints, as a table or as JSON. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "cli/text/fold.h"
#include "cli/text/message.h"
#include "stats.h"
#include "cli/text/table.h"

enum { NAME, WHAT, DIFFERING, DISTANCE, ULP_MAX, ULP_MEAN, RATIO, SHIFT, COLUMNS };

#define METADATA_MAX 20 /* bytes of a value that are shown */

struct view {
    const struct sow_diff *diff;
    size_t tensors; /* differences of tensors; those of metadata come after them */
    struct sow_fold fold;
    struct sow_table table;
};

/* ---- Folding ------------------------------------------------------------------------------------- */

static int compare_sides(const struct sow_tensor_statistics *a,
                         const struct sow_tensor_statistics *b)
{
    int order = (a == NULL) - (b == NULL);
    if (order != 0 || a == NULL) {
        return order;
    }
    order = (int)a->dtype - (int)b->dtype;
    order = order != 0 ? order : (int)a->rank - (int)b->rank;
    for (uint32_t i = 0; i < a->rank && order == 0; i++) {
        order = (a->shape[i] > b->shape[i]) - (a->shape[i] < b->shape[i]);
    }
    return order;
}

static int compare_differences(const void *diff, size_t a, size_t b)
{
    const struct sow_difference *left = sow_diff_at(diff, a), *right = sow_diff_at(diff, b);
    int order = (int)left->kind - (int)right->kind;
    order = order != 0 ? order : compare_sides(left->a, right->a);
    return order != 0 ? order : compare_sides(left->b, right->b);
}

static const char *name_at(const void *diff, size_t index)
{
    return sow_diff_at(diff, index)->name;
}

/* ---- The table ----------------------------------------------------------------------------------- */

static void add_what(struct sow_cli_text *text, const struct sow_difference *difference)
{
    switch (difference->kind) {
    case SOW_DIFF_ONLY_A:
        sow_cli_add(text, "only in A: ");
        sow_cli_add_shape(text, difference->a->shape, difference->a->rank);
        break;
    case SOW_DIFF_ONLY_B:
        sow_cli_add(text, "only in B: ");
        sow_cli_add_shape(text, difference->b->shape, difference->b->rank);
        break;
    case SOW_DIFF_SHAPE:
        sow_cli_add(text, "shape ");
        sow_cli_add_shape(text, difference->a->shape, difference->a->rank);
        sow_cli_add(text, " -> ");
        sow_cli_add_shape(text, difference->b->shape, difference->b->rank);
        break;
    case SOW_DIFF_DTYPE:
        sow_cli_add(text, "%s -> %s", sow_dtype_name(difference->a->dtype),
                    sow_dtype_name(difference->b->dtype));
        break;
    default:
        sow_cli_add(text, "%s", sow_dtype_name(difference->a->dtype));
    }
}

/* The numbers of a row: of folded tensors the sums, the largest, and what is furthest from no change. */
struct total {
    uint64_t differing, elements;
    double distance_max, ulp_max, ulp_sum, ratio, shift;
};

static void take_largest(double *largest, double number)
{
    if (isnan(*largest) || fabs(number) > fabs(*largest)) {
        *largest = number;
    }
}

/* Of a ratio: at least 1, whichever way it goes. */
static double change_of(double ratio)
{
    return ratio < 1 ? 1 / ratio : ratio;
}

static struct total total_of(const struct view *view, const struct sow_fold_row *row)
{
    struct total total = {0, 0, NAN, NAN, 0, NAN, NAN};
    for (size_t i = row->head, left = row->count; left > 0; i = view->fold.next[i], left--) {
        const struct sow_difference *difference = sow_diff_at(view->diff, i);
        total.differing += difference->differing;
        total.elements += difference->a != NULL ? difference->a->elements : 0;
        take_largest(&total.distance_max, difference->distance_max);
        take_largest(&total.ulp_max, difference->ulp_max);
        take_largest(&total.shift, difference->mean_shift);
        total.ulp_sum += difference->ulp_mean * (double)difference->differing;
        if (isnan(total.ratio) || change_of(difference->std_ratio) > change_of(total.ratio)) {
            total.ratio = difference->std_ratio;
        }
    }
    return total;
}

static void add_number(struct sow_cli_text *text, double number)
{
    if (!isnan(number)) {
        sow_cli_add(text, "%.3g", number);
    }
}

static void make_cells(void *context, const struct sow_fold_row *row, size_t prefix)
{
    struct view *view = context;
    const struct sow_difference *first = sow_diff_at(view->diff, row->index);
    struct total total = total_of(view, row);
    struct sow_cli_text *cells = view->table.cells;
    sow_cli_add(&cells[NAME], prefix > 0 ? "  " : "");
    sow_cli_fold_name(&view->fold, row, prefix, strlen(first->name), &cells[NAME]);
    add_what(&cells[WHAT], first);
    if (total.differing > 0) {
        sow_cli_add(&cells[DIFFERING], "%.3g%%",
                    100 * (double)total.differing / (double)total.elements);
    } else if (first->kind == SOW_DIFF_DTYPE) {
        sow_cli_add(&cells[DIFFERING], "none");
    }
    add_number(&cells[DISTANCE], total.distance_max);
    add_number(&cells[ULP_MAX], total.ulp_max);
    if (!isnan(total.ulp_max)) {
        add_number(&cells[ULP_MEAN], total.ulp_sum / (double)total.differing);
    }
    add_number(&cells[RATIO], total.ratio);
    add_number(&cells[SHIFT], total.shift);
}

static void add_value(struct sow_cli_text *text, const char *value)
{
    if (value == NULL) {
        sow_cli_add(text, "(none)");
        return;
    }
    size_t length = strlen(value), shown = length < METADATA_MAX ? length : METADATA_MAX;
    while (shown < length && ((unsigned char)value[shown] & 0xc0) == 0x80) {
        shown--; /* not within a character */
    }
    sow_cli_add(text, "\"");
    sow_cli_add_safe(text, value, shown, 0);
    sow_cli_add(text, shown < length ? "...\" (%zu bytes)" : "\"", length);
}

static void print_metadata(const struct view *view)
{
    const struct sow_difference *difference;
    struct sow_cli_text text = {0};
    for (size_t i = view->tensors; (difference = sow_diff_at(view->diff, i)) != NULL; i++) {
        sow_cli_text_clear(&text);
        sow_cli_add(&text, "metadata ");
        sow_cli_add_safe(&text, difference->name, strlen(difference->name), 0);
        sow_cli_add(&text, ": ");
        add_value(&text, difference->text_a);
        sow_cli_add(&text, " -> ");
        add_value(&text, difference->text_b);
        puts(text.bytes);
    }
    sow_cli_text_free(&text);
}

static void print_totals(const struct view *view)
{
    const struct sow_diff_report *report = sow_diff_report(view->diff);
    const struct sow_difference *difference;
    struct sow_cli_text text = {0};
    uint64_t kinds[SOW_DIFF_METADATA + 1] = {0};
    for (size_t i = 0; (difference = sow_diff_at(view->diff, i)) != NULL; i++) {
        kinds[difference->kind]++;
    }
    sow_cli_add(&text, sow_diff_at(view->diff, 0) == NULL ? "equal: " : "different: ");
    sow_cli_add_count(&text, report->equal);
    sow_cli_add(&text, " of ");
    sow_cli_add_count(&text, report->tensors);
    sow_cli_add(&text, " tensors are equal bit for bit");
    if (kinds[SOW_DIFF_ONLY_A] + kinds[SOW_DIFF_ONLY_B] > 0) {
        sow_cli_add(&text, ", %llu only in A, %llu only in B",
                    (unsigned long long)kinds[SOW_DIFF_ONLY_A],
                    (unsigned long long)kinds[SOW_DIFF_ONLY_B]);
    }
    if (kinds[SOW_DIFF_METADATA] > 0) {
        sow_cli_add(&text, ", %llu of metadata differ%s",
                    (unsigned long long)kinds[SOW_DIFF_METADATA],
                    kinds[SOW_DIFF_METADATA] == 1 ? "s" : "");
    }
    if (report->bytes > 0) {
        sow_cli_add(&text, "\ncompared ");
        sow_cli_add_count(&text, report->bytes);
        sow_cli_add(&text, " bytes of A in ");
        sow_cli_add_speed(&text, report->bytes, report->seconds);
    }
    puts(text.bytes);
    sow_cli_text_free(&text);
}

/* Whether elements of any tensor were compared. */
static int any_numbers(const struct view *view)
{
    for (size_t i = 0; i < view->tensors; i++) {
        enum sow_diff_kind kind = sow_diff_at(view->diff, i)->kind;
        if (kind == SOW_DIFF_BITS || kind == SOW_DIFF_DTYPE) {
            return 1;
        }
    }
    return 0;
}

static void print_table(const struct sow_diff *diff, const struct sow_cli_options *options)
{
    struct view view = {
        .diff = diff,
        .table = {.columns = COLUMNS,
                  .titles = {"tensor", "differs in", "differ", "distance", "ulp max", "ulp mean",
                             "std B/A", "shift"},
                  .right = 1u << DIFFERING | 1u << DISTANCE | 1u << ULP_MAX | 1u << ULP_MEAN |
                           1u << RATIO | 1u << SHIFT,
                  .colored = sow_cli_colored(stdout, options->color)},
    };
    const struct sow_difference *difference;
    while ((difference = sow_diff_at(diff, view.tensors)) != NULL &&
           difference->kind != SOW_DIFF_METADATA) {
        view.tensors++;
    }
    struct sow_fold_source source = {diff, view.tensors, name_at, compare_differences};
    if (view.tensors > 0) {
        view.table.columns = any_numbers(&view) ? COLUMNS : WHAT + 1;
        view.fold = sow_cli_fold(&source, !options->all);
        sow_cli_fold_print(&view.fold, &view.table, make_cells, NULL, &view);
        sow_cli_fold_free(&view.fold);
    }
    print_metadata(&view);
    print_totals(&view);
}

int sow_cmd_diff(const struct sow_cli_options *options)
{
    struct sow_error error;
    struct sow_diff *diff = NULL;
    struct sow_cli_progress progress;
    struct sow_statistics_options reading = {
        .globs = options->arguments + 2,
        .glob_count = (size_t)options->argument_count - 2,
        .threads = (uint32_t)options->threads,
        .progress = sow_cli_progress,
        .progress_user = &progress,
        .interrupted = sow_cli_interrupts(),
    };
    sow_cli_progress_begin(&progress, "comparing", options->quiet);
    enum sow_status status =
        sow_diff_load(options->arguments[0], options->arguments[1], &reading, &diff, &error);
    sow_cli_progress_end(&progress);
    if (status != SOW_OK) {
        return sow_cli_fail(&error);
    }
    sow_cli_say("warning", sow_diff_report(diff)->warnings);
    if (options->json) {
        sow_cli_diff_json(diff);
    } else {
        print_table(diff, options);
    }
    int code = sow_diff_at(diff, 0) == NULL ? SOW_EXIT_DONE : SOW_EXIT_NO;
    sow_diff_free(diff);
    return code;
}
