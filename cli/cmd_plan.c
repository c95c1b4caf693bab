/* SPDX-License-Identifier: MIT */
/* sow plan: a table of what would be drawn, for people, or the canonical JSON. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "cli/text/fold.h"
#include "cli/text/message.h"
#include "cli/text/table.h"

#define NAME_LEAST 20 /* columns, where the terminal is narrow */

enum { NAME, SHAPE, FAN_IN, FAN_OUT, SCHEME, NUMBERS, RULE, BYTES, COLUMNS };

/* One rule as it claimed tensors: the first entry it gave a scheme to. */
struct claim {
    const struct sow_plan_entry *entry;
    size_t file; /* its place among the files: --set, --rules, then as they appear */
    uint64_t tensors;
};

struct view {
    const struct sow_plan *plan;
    struct sow_fold fold;
    const char *rules_file; /* the user's; NULL for none */
    int mixed;              /* dtypes differ, and stand beside the shapes */
    struct sow_table table;
    struct claim *claims;
    size_t claim_count, claim_capacity;
};

static size_t file_place(const struct view *view, const char *file)
{
    size_t place = 0;
    if (strcmp(file, "--set") == 0) {
        return 0;
    }
    if (view->rules_file != NULL && strcmp(file, view->rules_file) == 0) {
        return 1;
    }
    if (strcmp(file, "--scheme") == 0) {
        return 2;
    }
    while (place < view->claim_count && strcmp(view->claims[place].entry->rule_file, file) != 0) {
        place++;
    }
    return place + 3;
}

/* Number of the rule that claimed this entry, from 1. */
static size_t rule_number(struct view *view, const struct sow_plan_entry *entry)
{
    for (size_t i = 0; i < view->claim_count; i++) {
        const struct sow_plan_entry *other = view->claims[i].entry;
        if (other->rule_line == entry->rule_line && strcmp(other->rule, entry->rule) == 0 &&
            strcmp(other->rule_file, entry->rule_file) == 0) {
            return i + 1;
        }
    }
    if (view->claim_count == view->claim_capacity) {
        view->claim_capacity = view->claim_capacity * 2 + 8;
        view->claims = sow_cli_allocate(view->claims, view->claim_capacity, sizeof *view->claims);
    }
    view->claims[view->claim_count] = (struct claim){entry, file_place(view, entry->rule_file), 0};
    return ++view->claim_count;
}

/* The order in which rules are tried, as far as places tell it. */
static int compare_claims(const void *a, const void *b)
{
    const struct claim *left = a, *right = b;
    if (left->file != right->file) {
        return left->file < right->file ? -1 : 1;
    }
    return (left->entry->rule_line > right->entry->rule_line) -
           (left->entry->rule_line < right->entry->rule_line);
}

/* "0.02", "+-0.0361", "0.02 in +-0.04", "0" */
static void add_numbers(struct sow_cli_text *text, const struct sow_draw *draw)
{
    int bounded = draw->distribution == SOW_UNIFORM || draw->distribution == SOW_TRUNC_NORMAL;
    if (sow_draw_is_whole(draw)) {
        sow_cli_add(text, "%.6g, gain %.6g", draw->std, draw->gain);
        return;
    }
    if (draw->distribution > SOW_TRUNC_NORMAL) { /* a function of a uniform */
        double mean, std;
        sow_draw_moments(draw, &mean, &std);
        sow_cli_add(text, "%.6g, mean %.6g", std, mean);
        return;
    }
    if (draw->distribution == SOW_CONSTANT) {
        sow_cli_add(text, "%.6g", draw->mean);
    } else if (draw->distribution != SOW_UNIFORM) {
        sow_cli_add(text, "%.6g%s", draw->std, bounded ? " in " : "");
    }
    if (bounded && draw->low == -draw->high) {
        sow_cli_add(text, "+-%.6g", draw->high);
    } else if (bounded) {
        sow_cli_add(text, "[%.6g, %.6g]", draw->low, draw->high);
    }
    if (draw->distribution >= SOW_NORMAL && draw->mean != 0) {
        sow_cli_add(text, ", mean %.6g", draw->mean);
    }
}

/* The cells of a row; its name begins at byte `prefix`, which a line above told, or at 0. */
static void make_cells(void *context, const struct sow_fold_row *row, size_t prefix)
{
    struct view *view = context;
    const struct sow_plan_entry *entry = sow_plan_at(view->plan, row->index);
    struct sow_cli_text *cells = view->table.cells;
    sow_cli_add(&cells[NAME], prefix > 0 ? "  " : "");
    sow_cli_fold_name(&view->fold, row, prefix, strlen(entry->name), &cells[NAME]);
    sow_cli_add_shape(&cells[SHAPE], entry->tensor.shape, entry->tensor.rank);
    if (view->mixed) {
        sow_cli_add(&cells[SHAPE], " %s", sow_dtype_name(entry->dtype));
    }
    if (!isnan(entry->fan_in)) {
        sow_cli_add(&cells[FAN_IN], "%.10g", entry->fan_in);
        if (!isnan(entry->fan_out)) { /* blocks may differ in it */
            sow_cli_add(&cells[FAN_OUT], "%.10g", entry->fan_out);
        }
    }
    sow_cli_add(&cells[SCHEME], "%s", entry->scheme);
    add_numbers(&cells[NUMBERS], &entry->draw);
    sow_cli_add(&cells[RULE], "%zu", rule_number(view, entry));
    sow_cli_add_size(&cells[BYTES], entry->bytes * row->count);
}

#define REGIONS_SHOWN 64 /* of one tensor: a prior can have thousands */

/* A region drawn with other numbers than the rest, under the row of its tensor. */
static void print_regions(void *context, const struct sow_fold_row *row, size_t prefix)
{
    const struct view *view = context;
    const struct sow_plan_entry *entry = sow_plan_at(view->plan, row->index);
    int indent = prefix > 0 ? 4 : 2;
    struct sow_cli_text text = {0};
    size_t shown = entry->region_count <= REGIONS_SHOWN ? entry->region_count : REGIONS_SHOWN;
    for (size_t i = 0; i < shown; i++) {
        const struct sow_region *region = &entry->regions[i];
        const struct sow_draw *draw = &region->draw;
        int same = draw->distribution == entry->draw.distribution &&
                   draw->mean == entry->draw.mean && draw->std == entry->draw.std &&
                   draw->low == entry->draw.low && draw->high == entry->draw.high &&
                   draw->gain == entry->draw.gain;
        if (same) {
            continue;
        }
        sow_cli_text_clear(&text);
        sow_cli_add(&text, "%*sindices %llu to %llu of axis %u: ", indent, "",
                    (unsigned long long)region->begin, (unsigned long long)region->end - 1,
                    (unsigned)region->axis);
        add_numbers(&text, draw);
        printf("%s%s%s\n", sow_cli_style(SOW_DIM, view->table.colored), text.bytes,
               sow_cli_style(SOW_PLAIN, view->table.colored));
    }
    if (shown < entry->region_count) {
        printf("%s%*sand %zu more%s\n", sow_cli_style(SOW_DIM, view->table.colored), indent, "",
               entry->region_count - shown, sow_cli_style(SOW_PLAIN, view->table.colored));
    }
    sow_cli_text_free(&text);
}

/* How many tensors each rule claims; the rules then stand in the order in which they match. */
static void count_claims(struct view *view)
{
    for (size_t i = 0; i < view->fold.count; i++) {
        const struct sow_fold_row *row = &view->fold.rows[i];
        size_t number = rule_number(view, sow_plan_at(view->plan, row->index));
        view->claims[number - 1].tensors += row->count;
    }
    qsort(view->claims, view->claim_count, sizeof *view->claims, compare_claims);
}

static void print_rules(const struct view *view)
{
    struct sow_table table = {.columns = 4,
                              .titles = {"rule", "claims (first match wins)", "tensors", "from"},
                              .right = 1 | 4};
    struct sow_cli_text *cells = table.cells;
    table.colored = view->table.colored;
    while (sow_cli_table_pass(&table)) {
        for (size_t i = 0; i < view->claim_count; i++) {
            const struct sow_plan_entry *entry = view->claims[i].entry;
            sow_cli_add(&cells[0], "%zu", i + 1);
            sow_cli_add_safe(&cells[1], entry->rule, strlen(entry->rule), 0);
            sow_cli_add(&cells[2], "%llu", (unsigned long long)view->claims[i].tensors);
            sow_cli_add_safe(&cells[3], entry->rule_file, strlen(entry->rule_file), 0);
            if (entry->rule_line > 0) {
                sow_cli_add(&cells[3], ":%u", (unsigned)entry->rule_line);
            }
            sow_cli_table_row(&table);
        }
    }
}

/* Nonzero when not all tensors have the dtype of the first. */
static int has_mixed_dtypes(const struct sow_plan *plan)
{
    for (size_t i = 1; i < sow_plan_count(plan); i++) {
        if (sow_plan_at(plan, i)->dtype != sow_plan_at(plan, 0)->dtype) {
            return 1;
        }
    }
    return 0;
}

static void print_totals(const struct sow_plan *plan, int mixed)
{
    struct sow_cli_text text = {0};
    const char *dtype = mixed || sow_plan_count(plan) == 0
                            ? "mixed dtypes"
                            : sow_dtype_name(sow_plan_at(plan, 0)->dtype);
    sow_cli_add_count(&text, sow_plan_count(plan));
    sow_cli_add(&text, " tensors, ");
    sow_cli_add_count(&text, sow_plan_parameters(plan));
    sow_cli_add(&text, " parameters, ");
    if (sow_plan_buffers(plan) > 0) {
        sow_cli_add_count(&text, sow_plan_buffers(plan));
        sow_cli_add(&text, " elements of buffers, ");
    }
    sow_cli_add_count(&text, sow_plan_bytes(plan));
    sow_cli_add(&text, " bytes in %s\nstream %d, seed %llu, plan %s\n", dtype, SOW_STREAM_VERSION,
                (unsigned long long)sow_plan_seed(plan), sow_plan_hash(plan));
    fputs(text.bytes, stdout);
    sow_cli_text_free(&text);
}

/* Whose initialisation this is, and which others there are. */
static void print_variants(const struct sow_cli_source *source,
                           const struct sow_cli_options *options)
{
    struct sow_cli_text text = {0};
    const struct sow_variant *variant, *used = sow_cli_source_variant(source, options);
    const char *before = "other variants: ";
    if (used != NULL) {
        sow_cli_add(&text, "variant %s: ", used->name);
        sow_cli_add_safe(&text, used->source, strlen(used->source), 0);
        sow_cli_print_paragraph(text.bytes);
        sow_cli_text_clear(&text);
    }
    for (size_t i = 0; (variant = sow_model_variant(source->model, i)) != NULL; i++) {
        if (variant != used) {
            sow_cli_add(&text, "%s%s", before, variant->name);
            before = ", ";
        }
    }
    sow_cli_print_paragraph(text.length > 0 ? text.bytes : "");
    sow_cli_text_free(&text);
}

static void print_notes(const struct sow_model *model)
{
    struct sow_cli_text text = {0};
    const char *note;
    for (size_t i = 0; (note = sow_model_note(model, i)) != NULL; i++) {
        sow_cli_text_clear(&text);
        sow_cli_add(&text, "note: ");
        sow_cli_add_safe(&text, note, strlen(note), 0);
        sow_cli_print_paragraph(text.bytes);
    }
    sow_cli_text_free(&text);
}

static void print_table(const struct sow_cli_source *source, const struct sow_cli_options *options)
{
    struct view view = {
        .plan = source->plan,
        .fold = sow_cli_fold_plan(source->plan, !options->all),
        .rules_file = options->rules,
        .mixed = has_mixed_dtypes(source->plan),
        .table = {.columns = COLUMNS,
                  .titles = {"tensor", "shape", "fan in", "fan out", "scheme", "std/bound", "rule",
                             "bytes"},
                  .spare = 1u << BYTES,
                  .least = NAME_LEAST,
                  .right = 1u << FAN_IN | 1u << FAN_OUT | 1u << RULE | 1u << BYTES,
                  .colored = sow_cli_colored(stdout, options->color)},
    };
    count_claims(&view);
    sow_cli_fold_print(&view.fold, &view.table, make_cells, print_regions, &view);
    putchar('\n');
    print_rules(&view);
    putchar('\n');
    print_totals(source->plan, view.mixed);
    print_variants(source, options);
    free(view.claims);
    sow_cli_fold_free(&view.fold);
}

static int print_json(const struct sow_plan *plan)
{
    struct sow_error error;
    char *json;
    if (sow_plan_json(plan, &json, &error) != SOW_OK) {
        return sow_cli_fail(&error);
    }
    puts(json);
    sow_text_free(json);
    return SOW_EXIT_DONE;
}

int sow_cmd_plan(const struct sow_cli_options *options)
{
    struct sow_cli_source source;
    struct sow_cli_text text = {0};
    int code = sow_cli_source_load(options->arguments[0], options, &source);
    if (code == SOW_EXIT_DONE && options->json) {
        code = print_json(source.plan);
    } else if (code == SOW_EXIT_DONE) {
        print_table(&source, options);
        print_notes(source.model);
        sow_cli_source_underflow(&source);
        if (!options->quiet && sow_plan_count(source.plan) > 0) {
            sow_cli_text_clear(&text);
            sow_cli_add(&text, "sow explain ");
            sow_cli_add_shell(&text, options->arguments[0]);
            sow_cli_add(&text, " ");
            sow_cli_add_shell(&text, sow_plan_at(source.plan, 0)->name);
            sow_cli_source_options(&text, options);
            sow_cli_say("next", text.bytes);
        }
    }
    sow_cli_text_free(&text);
    sow_cli_source_free(&source);
    return code;
}
