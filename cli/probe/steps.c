/* SPDX-License-Identifier: MIT */
/* The tables of sow probe --steps: the loss as a line of bars, how far values move, how fast weights do, and which of them
 * stay. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "learn.h"
#include "cli/text/table.h"

enum { NAME, SIZE, AFTER, AFTER_END = AFTER + 4, VALUE_COLUMNS = AFTER_END };
enum { WEIGHT, RMS, RATE, RATIO, RATIO_LAST, MOVES, WEIGHT_COLUMNS };

#define BARS      60
#define NAME_ROOM 38
#define NAMES_MAX 6 /* of tensors that are listed in one sentence */

/* ---- The loss -------------------------------------------------------------------------------------- */

static void print_what(const struct sow_learning_report *report,
                       const struct sow_cli_options *options)
{
    struct sow_cli_text text = {0};
    int adam = options->optimizer == NULL || strcmp(options->optimizer, "adam") == 0;
    sow_cli_add(&text, "%u %s of %s on one batch of %llu samples with ", report->steps,
                report->steps == 1 ? "step" : "steps", adam ? "Adam" : "plain SGD",
                (unsigned long long)report->batch);
    if (report->classes > 0) {
        sow_cli_add(&text, "random labels of %llu classes (cross-entropy)",
                    (unsigned long long)report->classes);
    } else {
        sow_cli_add(&text, "random targets from N(0, 1) (mean square of the difference)");
    }
    if (report->seeds > 1) {
        sow_cli_add(&text, ", means over %u seeds", report->seeds);
    }
    sow_cli_print_paragraph(text.bytes);
    sow_cli_text_free(&text);
}

static void print_loss(const struct sow_learning_report *report)
{
    uint32_t times = report->done + 1, wide = times < BARS ? times : BARS;
    const double *loss = report->loss;
    double low = INFINITY, high = -INFINITY;
    for (uint32_t t = 0; t < times; t++) {
        low = isfinite(loss[t]) && loss[t] < low ? loss[t] : low;
        high = isfinite(loss[t]) && loss[t] > high ? loss[t] : high;
    }
    /* a hundredth of the loss is the least that fills the height */
    double span = high - low > 0.01 * fabs(high) ? high - low : 0.01 * fabs(high);
    printf("%-10s", "loss");
    for (uint32_t i = 0; i < wide; i++) {
        double x = loss[wide > 1 ? (uint64_t)i * report->done / (wide - 1) : 0];
        double part = span > 0 ? (x - low) / span * 7.999 : 0;
        fputs(isfinite(x) ? sow_cli_bar(1 + (int)part) : "!", stdout);
    }
    printf("  %.5g to ", loss[0]);
    if (isfinite(loss[report->done])) {
        printf("%.5g\n\n", loss[report->done]);
    } else {
        puts("what is not finite\n");
    }
}

/* ---- Values ---------------------------------------------------------------------------------------- */

struct view {
    const struct sow_learning *learned;
    uint32_t steps;    /* that were taken */
    uint32_t after[4]; /* the steps that are shown */
    char titles[4][32];
    int columns;
    struct sow_table table;
};

static void add_number(struct sow_cli_text *text, double number)
{
    if (!isnan(number)) {
        sow_cli_add(text, "%.3g", number);
    }
}

/* The first steps, one in the middle and the last: four at most. */
static void choose_steps(struct view *view)
{
    uint32_t last = view->steps, wanted[] = {1, 2, last > 6 ? last / 2 : 3, last};
    for (int i = 0; i < 4; i++) {
        uint32_t before = view->columns > 0 ? view->after[view->columns - 1] : 0;
        if (wanted[i] > before && wanted[i] <= last) {
            view->after[view->columns++] = wanted[i];
        }
    }
    view->table = (struct sow_table){.columns = AFTER + view->columns,
                                     .titles = {"value", "mean |x|"},
                                     .right = ~1u,
                                     .colored = view->table.colored};
    for (int i = 0; i < view->columns; i++) {
        snprintf(view->titles[i], sizeof view->titles[i], i == 0 ? "moved after %u" : "after %u",
                 view->after[i]);
        view->table.titles[AFTER + i] = view->titles[i];
    }
}

static void value_cells(struct view *view, size_t index)
{
    const struct sow_learned_value *value = sow_learned_value_at(view->learned, index);
    sow_cli_add_tail(&view->table.cells[NAME], value->name, NAME_ROOM);
    add_number(&view->table.cells[SIZE], value->size);
    for (int i = 0; i < view->columns; i++) {
        add_number(&view->table.cells[AFTER + i], value->change[view->after[i]]);
    }
}

static void print_values(struct view *view, const unsigned char *shown)
{
    choose_steps(view);
    while (sow_cli_table_pass(&view->table)) {
        for (size_t i = 0; sow_learned_value_at(view->learned, i) != NULL; i++) {
            if (shown[i] == 0 || isnan(sow_learned_value_at(view->learned, i)->size)) {
                continue;
            }
            value_cells(view, i);
            if (shown[i] > 1) {
                sow_cli_table_leave_out(&view->table);
            }
            sow_cli_table_row(&view->table);
        }
    }
    putchar('\n');
}

/* ---- Weights --------------------------------------------------------------------------------------- */

static void weight_cells(struct view *view, const struct sow_learned_weight *weight)
{
    sow_cli_add_tail(&view->table.cells[WEIGHT], weight->name, NAME_ROOM);
    add_number(&view->table.cells[RMS], weight->rms);
    add_number(&view->table.cells[RATE], weight->rate);
    if (view->steps > 0) {
        add_number(&view->table.cells[RATIO], weight->ratio[0]);
        add_number(&view->table.cells[RATIO_LAST], weight->ratio[view->steps - 1]);
    }
    if (weight->moves < 0) {
        sow_cli_add(&view->table.cells[MOVES], "never");
    } else if (weight->moves == 0) {
        sow_cli_add(&view->table.cells[MOVES], "at once");
    } else {
        sow_cli_add(&view->table.cells[MOVES], "from step %ld on", (long)weight->moves);
    }
}

static int32_t last_layer(const struct sow_learning *learned)
{
    const struct sow_learned_weight *weight;
    int32_t last = -1;
    for (size_t i = 0; (weight = sow_learned_weight_at(learned, i)) != NULL; i++) {
        last = weight->layer > last ? weight->layer : last;
    }
    return last;
}

/* Of repeated layers the first and the last. */
static void print_weights(struct view *view, int all)
{
    const struct sow_learned_weight *weight;
    int32_t last = last_layer(view->learned);
    view->table =
        (struct sow_table){.columns = WEIGHT_COLUMNS,
                           .titles = {"weight", "rms", "rate", "update/weight", "at last", "moves"},
                           .right = 1u << RMS | 1u << RATE | 1u << RATIO | 1u << RATIO_LAST,
                           .colored = view->table.colored};
    while (sow_cli_table_pass(&view->table)) {
        int left_out = 0;
        for (size_t i = 0; (weight = sow_learned_weight_at(view->learned, i)) != NULL; i++) {
            if (!all && weight->layer > 0 && weight->layer < last) {
                left_out = 1;
                continue;
            }
            weight_cells(view, weight);
            if (left_out) {
                sow_cli_table_leave_out(&view->table);
            }
            left_out = 0;
            sow_cli_table_row(&view->table);
        }
    }
    putchar('\n');
}

/* "never moved: a, b, c and 4 more". `moves` -1: never; else from that step on. */
static int print_movers(const struct sow_learning *learned, int32_t moves, const char *words)
{
    const struct sow_learned_weight *weight;
    struct sow_cli_text text = {0};
    size_t count = 0;
    for (size_t i = 0; (weight = sow_learned_weight_at(learned, i)) != NULL; i++) {
        if (weight->moves == moves && count++ < NAMES_MAX) {
            sow_cli_add(&text, count > 1 ? ", " : "%s: ", words);
            sow_cli_add_safe(&text, weight->name, strlen(weight->name), 0);
        }
    }
    if (count > NAMES_MAX) {
        sow_cli_add(&text, " and %zu more", count - NAMES_MAX);
    }
    if (count > 0) {
        sow_cli_print_paragraph(text.bytes);
    }
    sow_cli_text_free(&text);
    return count > 0;
}

static void print_still(const struct view *view)
{
    char words[64];
    int any = 0;
    for (uint32_t t = 1; t < view->steps; t++) {
        snprintf(words, sizeof words, "no gradient before step %u", t);
        any |= print_movers(view->learned, (int32_t)t, words);
    }
    if (view->steps > 0) {
        snprintf(words, sizeof words, "never moved in %u %s", view->steps,
                 view->steps == 1 ? "step" : "steps");
        any |= print_movers(view->learned, -1, words);
    }
    if (!sow_cli_learns(view->learned)) {
        printf("the loss is not finite after step %u: take a smaller --lr\n", view->steps);
        any = 1;
    }
    fputs(any ? "\n" : "", stdout);
}

/* ---- The whole ------------------------------------------------------------------------------------- */

void sow_cli_steps_table(const struct sow_learning *learned, const unsigned char *shown,
                         const struct sow_cli_options *options)
{
    const struct sow_learning_report *report = sow_learning_report(learned);
    struct view view = {.learned = learned,
                        .steps = report->done,
                        .table = {.colored = sow_cli_colored(stdout, options->color)}};
    print_what(report, options);
    print_loss(report);
    if (!options->brief) {
        print_values(&view, shown);
        print_weights(&view, options->all);
    }
    print_still(&view);
}
