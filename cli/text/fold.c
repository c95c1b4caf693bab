/* SPDX-License-Identifier: MIT */
/* Folding: for each number of the names, from the last to the first, sort the rows so that those that differ in it alone
 * stand together, and join neighbours. n log n for any plan. */
#include "fold.h"

#include <stdlib.h>
#include <string.h>

/* What the comparison leaves out, and whose names it reads. */
struct view {
    const struct sow_fold_source *source;
    uint32_t skip;
};

static const char *name_of(const struct sow_fold_source *source, size_t index)
{
    return source->name(source->of, index);
}

static int compare_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* Any order that tells different numbers apart will do; NAN equals NAN. */
static int compare_numbers(const double *a, const double *b, size_t count)
{
    return memcmp(a, b, count * sizeof *a);
}

static int compare_draws(const struct sow_draw *a, const struct sow_draw *b)
{
    const double left[6] = {a->mean, a->std, a->low, a->high, a->shift, a->gain},
                 right[6] = {b->mean, b->std, b->low, b->high, b->shift, b->gain};
    int order = compare_u64((uint64_t)a->distribution, (uint64_t)b->distribution);
    return order != 0 ? order : compare_numbers(left, right, 6);
}

static int compare_regions(const struct sow_region *a, const struct sow_region *b)
{
    int order = compare_u64(a->axis, b->axis);
    order = order != 0 ? order : compare_u64(a->begin, b->begin);
    order = order != 0 ? order : compare_u64(a->end, b->end);
    return order != 0 ? order : compare_draws(&a->draw, &b->draw);
}

/* Everything that a row shows, but the name. */
static int compare_entries(const struct sow_plan_entry *a, const struct sow_plan_entry *b)
{
    const double left[2] = {a->fan_in, a->fan_out}, right[2] = {b->fan_in, b->fan_out};
    int order = compare_u64(a->tensor.rank, b->tensor.rank);
    for (uint32_t i = 0; order == 0 && i < a->tensor.rank; i++) {
        order = compare_u64(a->tensor.shape[i], b->tensor.shape[i]);
    }
    order = order != 0 ? order : compare_u64((uint64_t)a->dtype, (uint64_t)b->dtype);
    order = order != 0 ? order : strcmp(a->scheme, b->scheme);
    order = order != 0 ? order : compare_draws(&a->draw, &b->draw);
    order = order != 0 ? order : compare_numbers(left, right, 2);
    order = order != 0 ? order : compare_u64(a->rule_line, b->rule_line);
    order = order != 0 ? order : strcmp(a->rule, b->rule);
    order = order != 0 ? order : strcmp(a->rule_file, b->rule_file);
    order = order != 0 ? order : compare_u64(a->region_count, b->region_count);
    for (size_t i = 0; order == 0 && i < a->region_count; i++) {
        order = compare_regions(&a->regions[i], &b->regions[i]);
    }
    return order;
}

/* The names without their numbers. */
static int compare_patterns(const char *a, const struct sow_fold_row *left, const char *b,
                            const struct sow_fold_row *right)
{
    size_t from = 0, other = 0;
    for (uint32_t i = 0; i < left->number_count; i++) {
        size_t length = left->numbers[i].begin - from;
        int order = compare_u64(length, right->numbers[i].begin - other);
        order = order != 0 ? order : memcmp(a + from, b + other, length);
        if (order != 0) {
            return order;
        }
        from = left->numbers[i].end;
        other = right->numbers[i].end;
    }
    return strcmp(a + from, b + other);
}

/* All but number `skip`; 0 means that the rows may be joined if it allows. */
static int compare_but(const struct sow_fold_row *a, const struct sow_fold_row *b,
                       const struct view *view)
{
    const struct sow_fold_source *source = view->source;
    int order = compare_u64(a->number_count, b->number_count);
    order = order != 0
                ? order
                : compare_patterns(name_of(source, a->index), a, name_of(source, b->index), b);
    for (uint32_t i = 0; order == 0 && i < a->number_count; i++) {
        if (i != view->skip) {
            order = compare_u64(a->numbers[i].first, b->numbers[i].first);
            order = order != 0 ? order : compare_u64(a->numbers[i].last, b->numbers[i].last);
        }
    }
    return order != 0 ? order : source->compare(source->of, a->index, b->index);
}

static int compare_rows(const void *a, const void *b, void *context)
{
    const struct sow_fold_row *left = a, *right = b;
    const struct view *view = context;
    int order = compare_but(left, right, view);
    if (order == 0 && view->skip < left->number_count) {
        order = compare_u64(left->numbers[view->skip].first, right->numbers[view->skip].first);
    }
    return order != 0 ? order : compare_u64(left->index, right->index);
}

static int compare_places(const void *a, const void *b)
{
    return compare_u64(((const struct sow_fold_row *)a)->index,
                       ((const struct sow_fold_row *)b)->index);
}

/* The first numbers of a name; one with a leading zero or over nine digits is a word. */
static void find_numbers(const char *name, struct sow_fold_row *row)
{
    for (size_t begin = 0; row->number_count < SOW_FOLD_NUMBERS_MAX;) {
        size_t length = strcspn(name + begin, "."), digits = strspn(name + begin, "0123456789");
        int leading_zero = name[begin] == '0' && length > 1;
        if (length > 0 && digits == length && length <= 9 && !leading_zero &&
            begin < UINT32_MAX - 10) {
            uint32_t value = 0;
            for (size_t i = 0; i < length; i++) {
                value = value * 10 + (uint32_t)(name[begin + i] - '0');
            }
            row->numbers[row->number_count++] =
                (struct sow_fold_number){(uint32_t)begin, (uint32_t)(begin + length), value, value};
        }
        if (name[begin + length] == '\0') {
            return;
        }
        begin += length + 1;
    }
}

/* Joins rows that differ only in number `skip` and continue each other there. */
static void join(struct sow_fold *fold, uint32_t skip)
{
    struct view view = {&fold->source, skip};
    size_t kept = 0;
    qsort_r(fold->rows, fold->count, sizeof *fold->rows, compare_rows, &view);
    for (size_t i = 1; i < fold->count; i++) {
        struct sow_fold_row *last = &fold->rows[kept], *row = &fold->rows[i];
        if (skip < row->number_count && compare_but(last, row, &view) == 0 &&
            last->numbers[skip].last + 1 == row->numbers[skip].first) {
            last->numbers[skip].last = row->numbers[skip].last;
            last->count += row->count;
            fold->next[last->tail] = row->head;
            last->tail = row->tail;
            if (row->index < last->index) { /* offsets must be those of the first entry's name */
                struct sow_fold_row first = *row;
                first.numbers[skip].first = last->numbers[skip].first;
                first.count = last->count;
                first.head = last->head;
                *last = first;
            }
        } else {
            fold->rows[++kept] = *row;
        }
    }
    fold->count = kept + 1;
}

struct sow_fold sow_cli_fold(const struct sow_fold_source *source, int folded)
{
    struct sow_fold fold = {.source = *source, .count = source->count};
    uint32_t numbers_max = 0;
    fold.rows = sow_cli_allocate(NULL, fold.count, sizeof *fold.rows);
    fold.next = sow_cli_allocate(NULL, fold.count, sizeof *fold.next);
    for (size_t i = 0; i < fold.count; i++) {
        fold.rows[i] = (struct sow_fold_row){.index = i, .head = i, .tail = i, .count = 1};
        if (folded) {
            find_numbers(name_of(source, i), &fold.rows[i]);
        }
        numbers_max =
            fold.rows[i].number_count > numbers_max ? fold.rows[i].number_count : numbers_max;
    }
    for (uint32_t skip = numbers_max; skip > 0; skip--) {
        join(&fold, skip - 1);
    }
    if (numbers_max > 0) {
        qsort(fold.rows, fold.count, sizeof *fold.rows, compare_places);
    }
    return fold;
}

void sow_cli_fold_free(struct sow_fold *fold)
{
    free(fold->rows);
    free(fold->next);
    sow_cli_text_free(&fold->above);
    sow_cli_text_free(&fold->shared);
    sow_cli_text_free(&fold->other);
    *fold = (struct sow_fold){0};
}

static const char *plan_name(const void *plan, size_t index)
{
    return sow_plan_at(plan, index)->name;
}

static int plan_compare(const void *plan, size_t a, size_t b)
{
    return compare_entries(sow_plan_at(plan, a), sow_plan_at(plan, b));
}

struct sow_fold sow_cli_fold_plan(const struct sow_plan *plan, int folded)
{
    struct sow_fold_source source = {plan, sow_plan_count(plan), plan_name, plan_compare};
    return sow_cli_fold(&source, folded);
}

void sow_cli_fold_name(const struct sow_fold *fold, const struct sow_fold_row *row, size_t begin,
                       size_t end, struct sow_cli_text *text)
{
    const char *name = name_of(&fold->source, row->index);
    for (uint32_t i = 0; i < row->number_count; i++) {
        const struct sow_fold_number *number = &row->numbers[i];
        if (number->first == number->last || number->begin < begin || number->end > end) {
            continue;
        }
        sow_cli_add_safe(text, name + begin, number->begin - begin, 0);
        sow_cli_add(text, "{%u..%u}", (unsigned)number->first, (unsigned)number->last);
        begin = number->end;
    }
    sow_cli_add_safe(text, name + begin, end - begin, 0);
}

/* End of the part of the name up to its last range and the dot behind it; 0 when there is no range. */
static size_t prefix_of(const struct sow_fold *fold, const struct sow_fold_row *row)
{
    const char *name = name_of(&fold->source, row->index);
    size_t prefix = 0;
    for (uint32_t i = 0; i < row->number_count; i++) {
        if (row->numbers[i].first != row->numbers[i].last && name[row->numbers[i].end] == '.') {
            prefix = row->numbers[i].end + 1;
        }
    }
    return prefix;
}

/* The same when a neighbour shares that part, else 0. With `printing` it is printed, on a line of its own, where the row
 * before did not have it. */
static size_t heading_of(struct sow_fold *fold, size_t i, int printing)
{
    struct sow_cli_text *text = &fold->shared, *other = &fold->other;
    size_t prefix = prefix_of(fold, &fold->rows[i]);
    int shared = 0;
    sow_cli_text_clear(text);
    sow_cli_fold_name(fold, &fold->rows[i], 0, prefix, text);
    for (size_t j = i > 0 ? i - 1 : i + 1; prefix > 0 && j <= i + 1 && j < fold->count; j += 2) {
        sow_cli_text_clear(other);
        sow_cli_fold_name(fold, &fold->rows[j], 0, prefix_of(fold, &fold->rows[j]), other);
        shared |= strcmp(text->bytes, other->bytes) == 0;
    }
    if (i == 0) {
        sow_cli_text_clear(&fold->above);
    }
    if (shared && printing && strcmp(text->bytes, fold->above.bytes) != 0) {
        puts(text->bytes);
    }
    sow_cli_text_clear(&fold->above);
    sow_cli_add(&fold->above, "%s", shared ? text->bytes : "");
    return shared ? prefix : 0;
}

void sow_cli_fold_print(struct sow_fold *fold, struct sow_table *table, sow_cli_fold_fn *cells,
                        sow_cli_fold_fn *below, void *context)
{
    while (sow_cli_table_pass(table)) {
        for (size_t i = 0; i < fold->count; i++) {
            size_t prefix = heading_of(fold, i, table->printing);
            cells(context, &fold->rows[i], prefix);
            sow_cli_table_row(table);
            if (table->printing && below != NULL) {
                below(context, &fold->rows[i], prefix);
            }
        }
    }
}
