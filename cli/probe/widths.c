/* SPDX-License-Identifier: MIT */
/* sow probe --widths: the first steps of one network at several widths, and whether its values move alike in all of them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/text/message.h"
#include "probe.h"
#include "signal_options.h"
#include "cli/stats.h"
#include "cli/text/table.h"
#include "widths.h"

#define WIDTHS_MAX   16
#define SEEDS        4
#define STEPS        3
#define NAME_ROOM    38
#define LIMIT        0.15
#define SLOPES_SHOWN 4

struct widths {
    const struct sow_cli_options *options;
    uint64_t numbers[WIDTHS_MAX];
    double widths[WIDTHS_MAX];
    struct sow_learning *learned[WIDTHS_MAX];
    char hash[33]; /* of the plan before */
    size_t count;
    double limit;
    struct sow_probe *probe; /* of the first */
    struct sow_widths *compared;
};

/* ---- One width ------------------------------------------------------------------------------------- */

/* `text` with every {} replaced by the width; the caller frees it. */
static char *with_width(const char *text, uint64_t width)
{
    struct sow_cli_text out = {0};
    const char *at;
    for (; (at = strstr(text, "{}")) != NULL; text = at + 2) {
        sow_cli_add_bytes(&out, text, (size_t)(at - text));
        sow_cli_add(&out, "%llu", (unsigned long long)width);
    }
    sow_cli_add(&out, "%s", text);
    return out.bytes;
}

static struct sow_cli_list list_with_width(const struct sow_cli_list *list, uint64_t width)
{
    struct sow_cli_list out = {sow_cli_allocate(NULL, list->count + 1, sizeof *out.items),
                               list->count};
    for (size_t i = 0; i < list->count; i++) {
        out.items[i] = with_width(list->items[i], width);
    }
    return out;
}

static void list_free(struct sow_cli_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free((void *)(uintptr_t)list->items[i]);
    }
    free((void *)list->items);
}

static int check_differs(struct widths *w, size_t i, const char *hash)
{
    if (i > 0 && strcmp(w->hash, hash) == 0) {
        return sow_cli_usage(
            w->options->verb,
            "--widths: %llu and %llu give the same network; write {} where the "
            "width stands in SOURCE, as in mlp:32,{}x2,10 or gpt2-{}.json, or read "
            "it in a model.lua: config { width = size(64) }",
            (unsigned long long)w->numbers[i - 1], (unsigned long long)w->numbers[i]);
    }
    snprintf(w->hash, sizeof w->hash, "%s", hash);
    return SOW_EXIT_DONE;
}

static int run_width(struct widths *w, size_t i)
{
    struct sow_cli_options with = *w->options;
    struct sow_cli_source source = {0};
    struct sow_cli_signal sent;
    struct sow_error error;
    char *path = with_width(w->options->arguments[0], w->numbers[i]);
    with.arguments[0] = path;
    with.sets = list_with_width(&w->options->sets, w->numbers[i]);
    with.rates = list_with_width(&w->options->rates, w->numbers[i]);
    with.width = strcmp(path, w->options->arguments[0]) == 0 ? w->numbers[i] : 0;
    with.seeds = with.seeds > 0 ? with.seeds : SEEDS;
    with.steps = with.steps > 0 ? with.steps : STEPS;
    int code = sow_cli_signal_read(&with, &sent);
    if (code == SOW_EXIT_DONE) {
        code = sow_cli_source_load(path, &with, &source);
    }
    if (code == SOW_EXIT_DONE) {
        code = check_differs(w, i, sow_plan_hash(source.plan));
    }
    if (code == SOW_EXIT_DONE) {
        code = sow_cli_learn_run(&source, &sent.how, &with, &w->learned[i]);
    }
    if (code == SOW_EXIT_DONE && i == 0 &&
        sow_probe_predict(source.model, source.plan, &sent.how, &w->probe, &error) != SOW_OK) {
        code = sow_cli_fail(&error);
    }
    sow_cli_source_free(&source);
    list_free(&with.sets);
    list_free(&with.rates);
    free(path);
    return code;
}

/* ---- What is asked for ----------------------------------------------------------------------------- */

static int read_widths(struct widths *w)
{
    const char *text = w->options->widths;
    while (w->count < WIDTHS_MAX) {
        char *end;
        unsigned long long number = *text >= '1' && *text <= '9' ? strtoull(text, &end, 10) : 0;
        if (number == 0 || number > 1u << 24 || (*end != ',' && *end != '\0')) {
            break;
        }
        w->numbers[w->count] = number;
        w->widths[w->count++] = (double)number;
        if (*end == '\0') {
            return w->count > 1
                       ? SOW_EXIT_DONE
                       : sow_cli_usage(w->options->verb, "--widths: at least two are needed");
        }
        text = end + 1;
    }
    return sow_cli_usage(w->options->verb,
                         "--widths %.80s: it is 2 to %d widths between commas, such as 64,128,256",
                         w->options->widths, WIDTHS_MAX);
}

/* --threshold width=0.2; the others are not of this picture. */
static int read_limit(struct widths *w)
{
    const struct sow_cli_list *list = &w->options->thresholds;
    w->limit = LIMIT;
    for (size_t i = 0; i < list->count; i++) {
        char *end = NULL;
        int is_width = strncmp(list->items[i], "width=", 6) == 0;
        w->limit = is_width ? strtod(list->items[i] + 6, &end) : 0;
        if (!is_width || end == list->items[i] + 6 || *end != '\0' || !(w->limit > 0)) {
            return sow_cli_usage(w->options->verb,
                                 "--threshold %.80s: with --widths there is one, width=%g, a slope "
                                 "above 0",
                                 list->items[i], LIMIT);
        }
    }
    return SOW_EXIT_DONE;
}

static int run_all(struct widths *w)
{
    struct sow_error error;
    int code = read_widths(w);
    code = code == SOW_EXIT_DONE ? read_limit(w) : code;
    for (size_t i = 0; i < w->count && code == SOW_EXIT_DONE; i++) {
        code = run_width(w, i);
    }
    if (code == SOW_EXIT_DONE &&
        sow_widths_compare((const struct sow_learning *const *)w->learned, w->widths, w->count,
                           w->limit, &w->compared, &error) != SOW_OK) {
        code = sow_cli_fail(&error);
    }
    return code;
}

/* ---- For people ------------------------------------------------------------------------------------ */

enum { NAME, FIRST, LAST, AT_0, AFTER, COLUMNS = AFTER + SLOPES_SHOWN };

static void add_slope(struct sow_cli_text *text, double slope, int wrong)
{
    if (!isnan(slope)) {
        sow_cli_add(text, "%s%+.2f", wrong ? "! " : "", slope);
    }
}

static uint32_t shown_step(uint32_t steps, int column)
{
    uint32_t last = steps < SLOPES_SHOWN ? (uint32_t)column + 1 : 0;
    return column + 1 < SLOPES_SHOWN ? (uint32_t)column + 1 : last > 0 ? last : steps;
}

static void make_cells(const struct widths *w, size_t index, uint32_t steps,
                       struct sow_cli_text *cells)
{
    const struct sow_width_value *value = sow_width_value_at(w->compared, index);
    sow_cli_add_tail(&cells[NAME], value->name, NAME_ROOM);
    sow_cli_add(&cells[FIRST], "%.3g", sow_learned_value_at(w->learned[0], index)->size);
    sow_cli_add(&cells[LAST], "%.3g", sow_learned_value_at(w->learned[w->count - 1], index)->size);
    add_slope(&cells[AT_0], value->size, value->wrong == 1);
    for (int i = 0; i < SLOPES_SHOWN && (uint32_t)i < steps; i++) {
        double slope = value->change[shown_step(steps, i)];
        add_slope(&cells[AFTER + i], slope, !value->is_scaled && fabs(slope) > w->limit);
    }
}

static void print_table(const struct widths *w, uint32_t steps)
{
    char titles[2][32], after[SLOPES_SHOWN][32];
    uint32_t columns = AFTER + (steps < SLOPES_SHOWN ? steps : SLOPES_SHOWN);
    unsigned char *shown = sow_cli_probe_shown(w->probe, w->options->all);
    struct sow_table table = {.columns = (int)columns,
                              .titles = {"value", titles[0], titles[1], "slope at 0"},
                              .right = ~1u,
                              .colored = sow_cli_colored(stdout, w->options->color)};
    snprintf(titles[0], sizeof titles[0], "|x| at %llu", (unsigned long long)w->numbers[0]);
    snprintf(titles[1], sizeof titles[1], "at %llu", (unsigned long long)w->numbers[w->count - 1]);
    for (uint32_t i = 0; AFTER + i < columns; i++) {
        snprintf(after[i], sizeof after[i], "after %u", shown_step(steps, (int)i));
        table.titles[AFTER + i] = after[i];
    }
    while (sow_cli_table_pass(&table)) {
        for (size_t i = 0; sow_width_value_at(w->compared, i) != NULL; i++) {
            if (shown[i] == 0 || isnan(sow_learned_value_at(w->learned[0], i)->size)) {
                continue;
            }
            make_cells(w, i, steps, table.cells);
            if (shown[i] > 1) {
                sow_cli_table_leave_out(&table);
            }
            sow_cli_table_row(&table);
        }
    }
    free(shown);
}

static const struct sow_width_value *first_wrong(const struct widths *w, size_t *count)
{
    const struct sow_width_value *value, *first = NULL;
    *count = 0;
    for (size_t i = 0; (value = sow_width_value_at(w->compared, i)) != NULL; i++) {
        *count += value->wrong != 0;
        first = first == NULL && value->wrong != 0 ? value : first;
    }
    return first;
}

static void print_verdict(const struct widths *w)
{
    struct sow_cli_text text = {0};
    size_t count;
    const struct sow_width_value *wrong = first_wrong(w, &count);
    if (wrong == NULL) {
        printf("widths agree: values move as much at width %llu as at %llu (slopes within %g)\n",
               (unsigned long long)w->numbers[w->count - 1], (unsigned long long)w->numbers[0],
               w->limit);
        return;
    }
    sow_cli_add(&text, "widths do not agree: ");
    sow_cli_add_safe(&text, wrong->name, strlen(wrong->name), 0);
    sow_cli_add(&text, count > 1 ? " and %zu more values: " : ": ", count - 1);
    if (wrong->wrong == 1) {
        sow_cli_add(&text, "at the beginning it");
    } else {
        sow_cli_add(&text, "how far %u %s it", wrong->step,
                    wrong->step == 1 ? "step moves" : "steps move");
    }
    sow_cli_add(&text,
                " changes by a factor of %.3g with each doubling of the width (slope %+.2f, "
                "limit %g). A learning rate that is right at one width is wrong at another; muP "
                "makes them agree (docs/steps.md)",
                exp2(wrong->steepest), wrong->steepest, w->limit);
    sow_cli_print_paragraph(text.bytes);
    sow_cli_text_free(&text);
}

static void print_text(const struct widths *w)
{
    const struct sow_learning_report *report = sow_learning_report(w->learned[0]);
    struct sow_cli_text text = {0};
    sow_cli_add(&text,
                "%zu widths, %u steps of %s, %u seeds: slopes of log2 mean |x| at the beginning, "
                "and of log2 mean |x_t - x_0| after t steps, against log2 of the width",
                w->count, report->steps,
                w->options->optimizer != NULL ? w->options->optimizer : "adam", report->seeds);
    sow_cli_print_paragraph(text.bytes);
    sow_cli_text_free(&text);
    putchar('\n');
    if (!w->options->brief) {
        print_table(w, report->steps);
        putchar('\n');
    }
    print_verdict(w);
}

/* ---- For machines ---------------------------------------------------------------------------------- */

static void print_json(const struct widths *w)
{
    const struct sow_width_value *value;
    struct sow_cli_text text = {0};
    uint32_t steps = sow_learning_report(w->learned[0])->steps;
    size_t count;
    sow_cli_add(&text, "{\"widths\": [");
    for (size_t i = 0; i < w->count; i++) {
        sow_cli_add(&text, "%s%llu", i > 0 ? ", " : "", (unsigned long long)w->numbers[i]);
    }
    sow_cli_add(&text, "], \"limit\": %g, \"agree\": %s,\n  \"values\": [", w->limit,
                first_wrong(w, &count) == NULL ? "true" : "false");
    for (size_t i = 0; (value = sow_width_value_at(w->compared, i)) != NULL; i++) {
        sow_cli_add(&text, "%s\n    {\"name\": ", i > 0 ? "," : "");
        sow_cli_add_json(&text, value->name);
        sow_cli_add(&text, ", \"operation\": \"%s\", \"layer\": %ld, \"size\": ", value->word,
                    (long)value->layer);
        sow_cli_add_number(&text, value->size);
        for (uint32_t t = 0; t <= steps; t++) {
            sow_cli_add(&text, t > 0 ? ", " : ", \"change\": [");
            sow_cli_add_number(&text, value->change[t]);
        }
        sow_cli_add(&text, "], \"wrong\": %s}",
                    value->wrong == 0   ? "null"
                    : value->wrong == 1 ? "\"size\""
                                        : "\"change\"");
    }
    sow_cli_add(&text, "],\n  \"learning\": [");
    for (size_t i = 0; i < w->count; i++) {
        sow_cli_add(&text, i > 0 ? ",\n  " : "\n  ");
        sow_cli_add_learning(&text, w->learned[i], w->options);
    }
    sow_cli_add(&text, "]}\n");
    fputs(text.bytes, stdout);
    sow_cli_text_free(&text);
}

/* ---- The whole ------------------------------------------------------------------------------------- */

int sow_cli_widths(const struct sow_cli_options *options)
{
    struct widths w = {.options = options};
    size_t count;
    int code = run_all(&w);
    if (code == SOW_EXIT_DONE && options->json) {
        print_json(&w);
    } else if (code == SOW_EXIT_DONE) {
        print_text(&w);
    }
    if (code == SOW_EXIT_DONE && first_wrong(&w, &count) != NULL) {
        code = SOW_EXIT_NO;
    }
    sow_widths_free(w.compared);
    sow_probe_free(w.probe);
    for (size_t i = 0; i < w.count; i++) {
        sow_learning_free(w.learned[i]);
    }
    return code;
}
