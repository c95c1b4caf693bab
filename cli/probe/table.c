/* SPDX-License-Identifier: MIT */
/* The table of sow probe: two lines of bars over the whole depth, then a row a value. Of repeated layers the first and
 * the last are shown, and some results between them. No colour says anything that the text does not. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "probe.h"
#include "cli/text/table.h"

enum { NAME, OPERATION, SECOND_MOMENT, CORRELATION, GRADIENT, CHI_PERP, CHI_PAR, COLUMNS };

#define BARS       60 /* of a line */
#define BESIDE     36 /* columns before them and behind */
#define ROWS_MAX   40 /* that fit a screen */
#define MIDDLES    4  /* results shown of the layers left out */
#define NAME_ROOM  38
#define NAME_LEAST 16
#define NUMBERS    58 /* columns of all others, where they are narrow */

struct view {
    const struct sow_probe *probe;
    size_t count;
    unsigned char *shown; /* one a value: 1 shown, 2 shown and something before it left out */
    struct sow_table table;
};

/* ---- Which rows ---------------------------------------------------------------------------------- */

/* One more than the last value of the run of layers that begins at `begin`: values of one layer after another. */
static size_t run_end(const struct view *view, size_t begin, int32_t *last)
{
    size_t end = begin;
    int32_t layer = sow_probe_at(view->probe, begin)->layer;
    *last = layer;
    while (end < view->count) {
        int32_t next = sow_probe_at(view->probe, end)->layer;
        if (next < *last || next < 0) {
            break;
        }
        *last = next;
        end++;
    }
    return end;
}

/* Of one run: level 0 shows the first and last layer whole, 1 their weights and results, 2 results only. */
static void choose_run(struct view *view, size_t begin, size_t end, int32_t last, int level)
{
    int32_t first = sow_probe_at(view->probe, begin)->layer, layers = last - first + 1;
    for (size_t i = begin; i < end; i++) {
        const struct sow_probe_value *value = sow_probe_at(view->probe, i);
        int is_result = i + 1 == end || sow_probe_at(view->probe, i + 1)->layer != value->layer;
        int at_end = value->layer == first || value->layer == last;
        int step = (layers - 1) / (MIDDLES + 1);
        int is_middle = step < 1 || (value->layer - first) % step == 0;
        int whole = at_end && (level == 0 || (level == 1 && value->has_weights));
        view->shown[i] = (unsigned char)(whole || (is_result && (at_end || is_middle)));
    }
}

static size_t choose(struct view *view, int all, int level)
{
    size_t shown = 0;
    for (size_t i = 0; i < view->count;) {
        const struct sow_probe_value *value = sow_probe_at(view->probe, i);
        int32_t last;
        size_t end = i + 1;
        if (value->layer >= 0 && !all) {
            end = run_end(view, i, &last);
            choose_run(view, i, end, last, level);
        } else {
            view->shown[i] = (unsigned char)value->is_signal;
        }
        i = end;
    }
    int left_out = 0;
    for (size_t i = 0; i < view->count; i++) {
        int is_signal = sow_probe_at(view->probe, i)->is_signal;
        view->shown[i] = (unsigned char)(view->shown[i] && is_signal ? 1 + left_out : 0);
        left_out = view->shown[i] > 0 ? 0 : left_out | is_signal;
        shown += view->shown[i] > 0;
    }
    return shown;
}

/* ---- Cells ------------------------------------------------------------------------------------------ */

static void add_moment(struct sow_cli_text *text, double log2, double number)
{
    if (log2 == -INFINITY) {
        sow_cli_add(text, "0");
    } else if (log2 < -332 || log2 > 332) { /* beyond 1e+-100 */
        sow_cli_add(text, "2^%.0f", log2);
    } else {
        sow_cli_add(text, "%.4g", number);
    }
}

static void add_number(struct sow_cli_text *text, double number)
{
    number = fabs(number) < 1e-12 ? 0 : number; /* what rounding leaves */
    if (!isnan(number)) {
        int small = number != 0 && fabs(number) < 1e-4;
        sow_cli_add(text, small ? "%.1e" : fabs(number) < 1000 ? "%.4f" : "%.3g", number);
    }
}

static void make_cells(struct view *view, size_t index)
{
    const struct sow_probe_value *value = sow_probe_at(view->probe, index);
    struct sow_cli_text *cells = view->table.cells;
    int room = sow_cli_width() - NUMBERS; /* in 80 columns ends of names do */
    room = room < NAME_LEAST ? NAME_LEAST : room > NAME_ROOM ? NAME_ROOM : room;
    sow_cli_add_tail(&cells[NAME], value->name, (size_t)room);
    sow_cli_add(&cells[OPERATION], "%s", value->operation);
    add_moment(&cells[SECOND_MOMENT], value->log2_second_moment, value->second_moment);
    add_number(&cells[CORRELATION], isnan(value->place_correlation) ? value->sample_correlation
                                                                    : value->place_correlation);
    add_moment(&cells[GRADIENT], value->log2_gradient, value->gradient);
    add_number(&cells[CHI_PERP], value->chi_perp);
    add_number(&cells[CHI_PAR], value->chi_par);
}

/* ---- Bars --------------------------------------------------------------------------------------------- */

/* Whether bars count this value: the result of a layer, or weights outside of layers; of few values, all. */
static int is_depth(const struct view *view, size_t i, int few)
{
    const struct sow_probe_value *value = sow_probe_at(view->probe, i),
                                 *next = sow_probe_at(view->probe, i + 1);
    int is_result = value->layer >= 0 && (next == NULL || next->layer != value->layer);
    return value->is_signal && (few || is_result || (value->layer < 0 && value->has_weights));
}

static void print_bars(const struct view *view, const char *title, int gradient, int few)
{
    double numbers[BARS], low = INFINITY, high = -INFINITY;
    size_t used = 0, depth = 0, at = 0;
    for (size_t i = 0; i < view->count; i++) {
        depth += (size_t)is_depth(view, i, few);
    }
    size_t room = (size_t)(sow_cli_prose_width() - BESIDE), most = room < BARS ? room : BARS;
    size_t wide = depth < most ? depth : most;
    for (size_t i = 0; i < view->count && wide > 0; i++) {
        const struct sow_probe_value *value = sow_probe_at(view->probe, i);
        /* the first of each stretch */
        if (is_depth(view, i, few) && at++ * wide / depth == used && used < wide) {
            double number = gradient ? value->log2_gradient : value->log2_second_moment;
            numbers[used++] = number;
            low = isfinite(number) && number < low ? number : low;
            high = isfinite(number) && number > high ? number : high;
        }
    }
    if (depth < 8 && !few) {
        print_bars(view, title, gradient, 1);
        return;
    }
    printf("%-10s", title);
    for (size_t i = 0; i < used; i++) {
        double span =
            high - low > 3 ? high - low : 3; /* a factor of 8 is the least that fills the height */
        double part = (numbers[i] - low) / span * 7.999;
        fputs(isfinite(numbers[i]) ? sow_cli_bar(1 + (int)part) : "0", stdout);
    }
    if (isfinite(low)) {
        printf("  2^%.1f to 2^%.1f", low > -0.05 && low < 0.05 ? 0.0 : low,
               high > -0.05 && high < 0.05 ? 0.0 : high);
    }
    putchar('\n');
}

/* ---- The whole ------------------------------------------------------------------------------------------- */

static void print_depth(const struct sow_probe_depth *depth)
{
    struct sow_cli_text text = {0};
    if (depth->layers == 0) {
        return;
    }
    sow_cli_add(&text,
                "at infinite depth (%s, sigma_w^2 %.4g, sigma_b^2 %.4g): ", depth->activation,
                depth->sigma_w2, depth->sigma_b2);
    if (depth->q == 0) {
        sow_cli_add(&text, "the signal dies out");
    } else if (!isfinite(depth->q)) {
        sow_cli_add(&text, "the signal grows without bound");
    } else {
        sow_cli_add(&text, "second moment %.4g, chi_perp %.4g, chi_par %.4g, correlation %.4g",
                    depth->q, depth->chi_perp, depth->chi_par, depth->correlation);
        if (isfinite(depth->xi_c) && depth->xi_c > 0) {
            sow_cli_add(&text, "; inputs are told apart over about %.3g layers (6 xi_c)",
                        6 * depth->xi_c);
        }
    }
    sow_cli_print_paragraph(text.bytes);
    sow_cli_text_free(&text);
}

static void print_rows(struct view *view)
{
    while (sow_cli_table_pass(&view->table)) {
        for (size_t i = 0; i < view->count; i++) {
            if (view->shown[i] == 0) {
                continue;
            }
            make_cells(view, i);
            if (view->shown[i] > 1) {
                sow_cli_table_leave_out(&view->table);
            }
            sow_cli_table_row(&view->table);
        }
    }
}

unsigned char *sow_cli_probe_shown(const struct sow_probe *probe, int all)
{
    size_t count = sow_probe_summary(probe)->values;
    struct view view = {
        .probe = probe, .count = count, .shown = sow_cli_allocate(NULL, count + 1, 1)};
    for (int level = 0; level < 3; level++) {
        if (choose(&view, all, level) <= ROWS_MAX) {
            break;
        }
    }
    return view.shown;
}

/* How much of a file was read. */
static void print_weights(const struct sow_measurement *measured,
                          const struct sow_cli_options *options)
{
    struct sow_cli_text text = {0};
    size_t count = 0;
    while (sow_measured_weight_at(measured, count) != NULL) {
        count++;
    }
    sow_cli_add(&text, "measured with the %zu %s of the network in ", count,
                count == 1 ? "tensor" : "tensors");
    sow_cli_add_safe(&text, options->weights, strlen(options->weights), 0);
    sow_cli_print_paragraph(text.bytes);
    sow_cli_text_free(&text);
}

void sow_cli_probe_table(const struct sow_probe *probe, const struct sow_measurement *measured,
                         const struct sow_cli_options *options, int rows)
{
    const struct sow_probe_summary *summary = sow_probe_summary(probe);
    struct view view = {
        .probe = probe,
        .count = summary->values,
        .shown = sow_cli_probe_shown(probe, options->all),
        .table = {.columns = COLUMNS,
                  .titles = {"value", "operation", "E[x^2]", "corr", "E[grad^2]", "chi_perp",
                             "chi_par"},
                  .right = 1u << SECOND_MOMENT | 1u << CORRELATION | 1u << GRADIENT |
                           1u << CHI_PERP | 1u << CHI_PAR,
                  .colored = sow_cli_colored(stdout, options->color)},
    };
    sow_cli_print_paragraph(
        measured != NULL
            ? "predicted, and measured beside it; from the input (left) to the output (right)"
            : "predicted: means over seeds, no weight was drawn; from the input (left) to the "
              "output (right)");
    if (measured != NULL && options->weights != NULL) {
        print_weights(measured, options);
    }
    print_bars(&view, "signal", 0, 0);
    print_bars(&view, "gradient", 1, 0);
    putchar('\n');
    if (rows) {
        if (measured != NULL) {
            sow_cli_measured_table(probe, measured, view.shown, options);
        } else {
            print_rows(&view);
        }
        putchar('\n');
    }
    print_depth(&summary->depth);
    struct sow_cli_text noise = {0};
    sow_cli_add(&noise, "seed noise %.3g: the variance over seeds of ln E[x^2] at the output%s",
                summary->seed_noise, summary->seed_noise > 1 ? "; above 1 seeds differ" : "");
    sow_cli_print_paragraph(noise.bytes);
    sow_cli_text_free(&noise);
    free(view.shown);
}
