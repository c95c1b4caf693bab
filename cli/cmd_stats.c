/* SPDX-License-Identifier: MIT */
/* sow stats: the library's numbers of every tensor as a table for people; stats_json.c has them for machines. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "cli/text/fold.h"
#include "cli/text/message.h"
#include "stats.h"
#include "cli/text/table.h"

enum { NAME, SHAPE, DTYPE, MEAN, STD, MIN, MAX, HISTOGRAM, COLUMNS };

#define BARS  16  /* of a sparkline */
#define ALIKE 1.2 /* largest ratio of neighbouring std within a folded row */

/* All tensors of a row together. */
struct total {
    uint64_t elements, finite, nan, inf, zeros, first_bad;
    double sum, stds, min, max; /* sum and stds: times the count */
    uint64_t bins[SOW_HISTOGRAM_BINS];
    int is_constant, is_opaque;
};

struct view {
    const struct sow_statistics *statistics;
    size_t count;
    size_t *classes; /* a number each: tensors that may share a row have the same */
    struct sow_fold fold;
    struct sow_table table;
};

static const struct sow_tensor_statistics *tensor_at(const struct view *view, size_t index)
{
    return sow_statistics_at(view->statistics, index);
}

/* ---- Which tensors are alike ----------------------------------------------------------------- */

static int compare_double(double a, double b)
{
    return isnan(a) || isnan(b) ? isnan(a) - isnan(b) : (a > b) - (a < b);
}

/* Names with every number taken as the same. */
static int compare_patterns(const char *a, const char *b)
{
    int begins = 1; /* a dotted part */
    while (*a != '\0' && *b != '\0') {
        size_t left = begins ? strspn(a, "0123456789") : 0,
               right = begins ? strspn(b, "0123456789") : 0;
        int numbers =
            left > 0 && right > 0 && strchr(".", a[left]) != NULL && strchr(".", b[right]) != NULL;
        if (!numbers && *a != *b) {
            return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
        }
        begins = !numbers && *a == '.';
        a += numbers ? left : 1;
        b += numbers ? right : 1;
    }
    return (*a != '\0') - (*b != '\0');
}

/* Everything that must agree; the std only nearly. */
static int compare_kinds(const struct sow_tensor_statistics *a,
                         const struct sow_tensor_statistics *b)
{
    int order = compare_patterns(a->name, b->name);
    order = order != 0 ? order : (int)a->dtype - (int)b->dtype;
    order = order != 0 ? order : (int)a->rank - (int)b->rank;
    for (uint32_t i = 0; i < a->rank && order == 0; i++) {
        order = (a->shape[i] > b->shape[i]) - (a->shape[i] < b->shape[i]);
    }
    order = order != 0 ? order : (a->finite < a->elements) - (b->finite < b->elements);
    order = order != 0 ? order : a->is_constant - b->is_constant;
    return order == 0 && a->is_constant ? compare_double(a->mean, b->mean) : order;
}

static int compare_likeness(const void *a, const void *b, void *context)
{
    const struct sow_tensor_statistics *left = tensor_at(context, *(const size_t *)a),
                                       *right = tensor_at(context, *(const size_t *)b);
    int order = compare_kinds(left, right);
    return order != 0 ? order : compare_double(left->std, right->std);
}

static void classify(struct view *view)
{
    size_t *order = sow_cli_allocate(NULL, view->count + 1, sizeof *order);
    view->classes = sow_cli_allocate(NULL, view->count + 1, sizeof *view->classes);
    for (size_t i = 0; i < view->count; i++) {
        order[i] = i;
    }
    qsort_r(order, view->count, sizeof *order, compare_likeness, view);
    size_t class = 0;
    for (size_t i = 0; i < view->count; i++) {
        const struct sow_tensor_statistics *tensor = tensor_at(view, order[i]);
        if (i > 0) {
            const struct sow_tensor_statistics *before = tensor_at(view, order[i - 1]);
            class += compare_kinds(before, tensor) != 0 || tensor->std > ALIKE * before->std;
        }
        view->classes[order[i]] = class;
    }
    free(order);
}

static const char *name_at(const void *view, size_t index)
{
    return tensor_at(view, index)->name;
}

static int compare_classes(const void *context, size_t a, size_t b)
{
    const struct view *view = context;
    return (view->classes[a] > view->classes[b]) - (view->classes[a] < view->classes[b]);
}

/* ---- The rows ---------------------------------------------------------------------------------- */

static void add_tensor(struct total *total, const struct sow_tensor_statistics *tensor)
{
    double n = (double)tensor->finite;
    if (total->elements == 0) { /* nothing yet, or nothing of elements */
        *total = (struct total){.min = INFINITY, .max = -INFINITY, .is_constant = 1};
        total->first_bad = tensor->first_bad;
    }
    total->elements += tensor->elements;
    total->finite += tensor->finite;
    total->nan += tensor->nan;
    total->inf += tensor->inf;
    total->zeros += tensor->zeros;
    total->is_constant &= tensor->is_constant;
    total->is_opaque |= tensor->is_opaque;
    if (tensor->finite > 0) {
        total->sum += n * tensor->mean;
        total->stds += n * tensor->std;
        total->min = tensor->min < total->min ? tensor->min : total->min;
        total->max = tensor->max > total->max ? tensor->max : total->max;
        for (int bin = 0; bin < SOW_HISTOGRAM_BINS; bin++) {
            total->bins[bin] += tensor->histogram[bin];
        }
    }
}

static struct total total_of(const struct view *view, const struct sow_fold_row *row)
{
    struct total total = {0};
    for (size_t i = row->head, left = row->count; left > 0; i = view->fold.next[i], left--) {
        add_tensor(&total, tensor_at(view, i));
    }
    return total;
}

static void add_sparkline(struct sow_cli_text *text, const struct total *total)
{
    uint64_t bars[BARS] = {0}, most = 0;
    for (int bin = 0; bin < SOW_HISTOGRAM_BINS; bin++) {
        uint64_t *bar = &bars[bin * BARS / SOW_HISTOGRAM_BINS];
        *bar += total->bins[bin];
        most = *bar > most ? *bar : most;
    }
    for (int bar = 0; bar < BARS && most > 0; bar++) {
        int height = (int)((8 * bars[bar] + most - 1) / most);
        sow_cli_add(text, "%s", sow_cli_bar(height));
    }
}

/* What the picture does not show. */
static void add_notes(struct sow_cli_text *text, const struct total *total, uint64_t tensors)
{
    const char *before = text->length > 0 ? " " : "";
    if (total->is_opaque) {
        sow_cli_add(text, "values not read");
    } else if (total->elements == 0) {
        sow_cli_add(text, "empty");
    } else if (total->is_constant) {
        sow_cli_add(text, "all %.6g", total->min);
        return;
    }
    if (total->zeros > 0) {
        sow_cli_add(text, "%s%llu zero%s", before, (unsigned long long)total->zeros,
                    total->zeros > 1 ? "s" : "");
        before = ", ";
    }
    if (total->nan > 0) {
        sow_cli_add(text, "%s%llu NaN", before, (unsigned long long)total->nan);
        before = ", ";
    }
    if (total->inf > 0) {
        sow_cli_add(text, "%s%llu Inf", before, (unsigned long long)total->inf);
    }
    if (total->first_bad != UINT64_MAX && tensors == 1) {
        sow_cli_add(text, " (element %llu)", (unsigned long long)total->first_bad);
    }
}

static void make_cells(void *context, const struct sow_fold_row *row, size_t prefix)
{
    struct view *view = context;
    const struct sow_tensor_statistics *tensor = tensor_at(view, row->index);
    struct total total = total_of(view, row);
    struct sow_cli_text *cells = view->table.cells;
    sow_cli_add(&cells[NAME], prefix > 0 ? "  " : "");
    sow_cli_fold_name(&view->fold, row, prefix, strlen(tensor->name), &cells[NAME]);
    sow_cli_add_shape(&cells[SHAPE], tensor->shape, tensor->rank);
    sow_cli_add(&cells[DTYPE], "%s", sow_dtype_name(tensor->dtype));
    if (total.finite > 0) {
        double mean = row->count == 1 ? tensor->mean : total.sum / (double)total.finite;
        double std = row->count == 1 ? tensor->std : total.stds / (double)total.finite;
        sow_cli_add(&cells[MEAN], "%.3g", total.is_constant ? total.min : mean);
        sow_cli_add(&cells[STD], "%.4g", total.is_constant ? 0 : std);
        sow_cli_add(&cells[MIN], "%.3g", total.min);
        sow_cli_add(&cells[MAX], "%.3g", total.max);
    }
    add_sparkline(&cells[HISTOGRAM], &total);
    add_notes(&cells[HISTOGRAM], &total, row->count);
}

static void print_totals(const struct view *view)
{
    const struct sow_statistics_report *report = sow_statistics_report(view->statistics);
    struct sow_cli_text text = {0};
    uint64_t elements = 0, zeros = 0, nan = 0, inf = 0, bytes = 0;
    enum sow_dtype dtype = view->count > 0 ? tensor_at(view, 0)->dtype : (enum sow_dtype)0;
    int mixed = 0;
    for (size_t i = 0; i < view->count; i++) {
        const struct sow_tensor_statistics *tensor = tensor_at(view, i);
        elements += tensor->elements;
        bytes += tensor->bytes;
        zeros += tensor->zeros;
        nan += tensor->nan;
        inf += tensor->inf;
        mixed |= tensor->dtype != dtype;
    }
    sow_cli_add(&text, "\n");
    sow_cli_add_count(&text, view->count);
    sow_cli_add(&text, " tensor%s, ", view->count == 1 ? "" : "s");
    sow_cli_add_count(&text, elements);
    sow_cli_add(&text, " elements, ");
    sow_cli_add_count(&text, bytes);
    sow_cli_add(&text, " bytes in %s; ",
                mixed             ? "mixed dtypes"
                : view->count > 0 ? sow_dtype_name(dtype)
                                  : "nothing");
    sow_cli_add_count(&text, zeros);
    sow_cli_add(&text, " zeros, %llu NaN, %llu Inf\nread in ", (unsigned long long)nan,
                (unsigned long long)inf);
    sow_cli_add_speed(&text, report->bytes, report->seconds);
    sow_cli_add(&text, "\n");
    fputs(text.bytes, stdout);
    sow_cli_text_free(&text);
}

static void print_table(const struct sow_statistics *statistics,
                        const struct sow_cli_options *options)
{
    struct view view = {
        .statistics = statistics,
        .table = {.columns = COLUMNS,
                  .titles = {"tensor", "shape", "dtype", "mean", "std", "min", "max", "histogram"},
                  .right = 1u << MEAN | 1u << STD | 1u << MIN | 1u << MAX,
                  .colored = sow_cli_colored(stdout, options->color)},
    };
    while (tensor_at(&view, view.count) != NULL) {
        view.count++;
    }
    classify(&view);
    struct sow_fold_source source = {&view, view.count, name_at, compare_classes};
    if (view.count > 0) {
        view.fold = sow_cli_fold(&source, !options->all);
        sow_cli_fold_print(&view.fold, &view.table, make_cells, NULL, &view);
    }
    print_totals(&view);
    free(view.classes);
    sow_cli_fold_free(&view.fold);
}

int sow_cmd_stats(const struct sow_cli_options *options)
{
    struct sow_error error;
    struct sow_statistics *statistics = NULL;
    struct sow_cli_progress progress;
    struct sow_statistics_options reading = {
        .globs = options->arguments + 1,
        .glob_count = (size_t)options->argument_count - 1,
        .threads = (uint32_t)options->threads,
        .progress = sow_cli_progress,
        .progress_user = &progress,
        .interrupted = sow_cli_interrupts(),
    };
    sow_cli_progress_begin(&progress, "reading", options->quiet);
    enum sow_status status =
        sow_statistics_load(options->arguments[0], &reading, &statistics, &error);
    sow_cli_progress_end(&progress);
    if (status != SOW_OK) {
        return sow_cli_fail(&error);
    }
    sow_cli_say("warning", sow_statistics_report(statistics)->warnings);
    if (options->json) {
        sow_cli_stats_json(statistics);
    } else {
        print_table(statistics, options);
    }
    sow_statistics_free(statistics);
    return SOW_EXIT_DONE;
}
