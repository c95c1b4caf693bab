/* SPDX-License-Identifier: MIT */
/* sow probe --compare: one network with several schemes, or variants, as one table, one JSON and one CSV. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/text/message.h"
#include "picture.h"
#include "probe.h"
#include "cli/text/table.h"

enum { TITLE, SIGNAL, MOMENT, GRADIENTS, GRADIENT, CORRELATION, CHI_PERP, LOSS, COLUMNS };

#define BARS     16 /* half as many on a narrow terminal, and beside losses */
#define NARROW   100
#define LEAST    22 /* of a scheme's columns */
#define LOG10_2  0.30102999566398119521
#define SPAN_MIN 1.0 /* decades that fill the height */

/* What all runs have in common, so that bars of two rows compare. */
struct scale {
    double low, high;
};

static double number_of(const struct sow_cli_point *point, int is_gradient)
{
    return is_gradient ? point->gradient : point->moment;
}

static struct scale scale_of(const struct sow_cli_runs *runs, int is_gradient)
{
    struct scale scale = {INFINITY, -INFINITY};
    for (size_t run = 0; run < runs->count; run++) {
        struct sow_cli_point *points;
        size_t count = sow_cli_points(&runs->items[run], &points);
        for (size_t i = 0; i < count; i++) {
            double number = number_of(&points[i], is_gradient);
            if (points[i].is_result && isfinite(number)) {
                scale.low = fmin(scale.low, number);
                scale.high = fmax(scale.high, number);
            }
        }
        free(points);
    }
    return scale;
}

static void add_bars(struct sow_cli_text *text, const struct sow_cli_point *points, size_t count,
                     int is_gradient, const struct scale *scale, size_t bars)
{
    size_t depth = 0, used = 0, at = 0;
    for (size_t i = 0; i < count; i++) {
        depth += (size_t)points[i].is_result;
    }
    size_t wide = depth < bars ? depth : bars;
    for (size_t i = 0; i < count; i++) {
        if (points[i].is_result && at++ * wide / depth == used && used < wide) {
            double number = number_of(&points[i], is_gradient);
            double part = (number - scale->low) / fmax(scale->high - scale->low, SPAN_MIN) * 7.999;
            sow_cli_add(text, "%s", isfinite(number) ? sow_cli_bar(1 + (int)part) : "0");
            used++;
        }
    }
}

static void add_moment(struct sow_cli_text *text, double log10)
{
    if (log10 == -INFINITY) {
        sow_cli_add(text, "0");
    } else if (fabs(log10) > 100) {
        sow_cli_add(text, "2^%.0f", log10 / LOG10_2);
    } else {
        sow_cli_add(text, "%.3g", pow(10, log10));
    }
}

static void make_cells(const struct sow_cli_run *run, const struct scale scales[2],
                       struct sow_cli_text *cells)
{
    struct sow_cli_point *points;
    const struct sow_probe_summary *summary = sow_probe_summary(run->probe);
    size_t count = sow_cli_points(run, &points);
    size_t bars = sow_cli_width() < NARROW || run->learned != NULL ? BARS / 2 : BARS;
    sow_cli_add_safe(&cells[TITLE], run->title, strlen(run->title), 0);
    if (count > 0) {
        const struct sow_cli_point *last = &points[count - 1];
        add_bars(&cells[SIGNAL], points, count, 0, &scales[0], bars);
        add_bars(&cells[GRADIENTS], points, count, 1, &scales[1], bars);
        add_moment(&cells[MOMENT], last->moment);
        add_moment(&cells[GRADIENT], points[0].gradient);
        sow_cli_add(&cells[CORRELATION], isnan(last->correlation) ? "%s" : "%s%.4f", "",
                    fabs(last->correlation) < 1e-6 ? 0 : last->correlation);
    }
    if (summary->depth.layers > 0 && !isnan(summary->depth.chi_perp)) {
        sow_cli_add(&cells[CHI_PERP], "%.4g", summary->depth.chi_perp);
    }
    if (run->learned != NULL) {
        const struct sow_learning_report *report = sow_learning_report(run->learned);
        double last = report->loss[report->done];
        sow_cli_add(&cells[LOSS], isfinite(last) ? "%.4g to %.4g" : "%.4g to no number",
                    report->loss[0], last);
    }
    free(points);
}

/* What is wrong with each, below the table. */
static void print_codes(const struct sow_cli_runs *runs)
{
    putchar('\n');
    for (size_t run = 0; run < runs->count; run++) {
        struct sow_cli_text text = {0};
        if (runs->items[run].compared != NULL) {
            sow_cli_add_safe(&text, runs->items[run].title, strlen(runs->items[run].title), 0);
            sow_cli_add(&text, ": ");
            sow_cli_add_codes(&text, runs->items[run].compared);
            sow_cli_print_paragraph(text.bytes);
        }
        sow_cli_text_free(&text);
    }
}

void sow_cli_compare_table(const struct sow_cli_runs *runs, const struct sow_cli_options *options)
{
    struct scale scales[2] = {scale_of(runs, 0), scale_of(runs, 1)};
    int learned = runs->items[0].learned != NULL;
    struct sow_table table = {.columns = learned ? COLUMNS : LOSS,
                              .titles = {"scheme", "signal", "E[x^2] out", "gradient",
                                         "E[grad^2] in", "corr", "chi_perp", "loss"},
                              .right = 1u << MOMENT | 1u << GRADIENT | 1u << CORRELATION |
                                       1u << CHI_PERP,
                              .spare = 1u << CHI_PERP | 1u << CORRELATION,
                              .least = LEAST,
                              .colored = sow_cli_colored(stdout, options->color)};
    while (sow_cli_table_pass(&table)) {
        for (size_t run = 0; run < runs->count; run++) {
            make_cells(&runs->items[run], scales, table.cells);
            sow_cli_table_row(&table);
        }
    }
    putchar('\n');
    sow_cli_print_paragraph("bars: input (left) to output (right), one scale for all rows; "
                            "predicted means over seeds");
    if ((table.left_out >> CHI_PERP & 1) == 0) {
        sow_cli_print_paragraph("chi_perp: of the repeated layer, where it settles; gradients "
                                "vanish below 1, explode above");
    }
    if (learned) {
        const struct sow_learning_report *report = sow_learning_report(runs->items[0].learned);
        printf("loss: before and after %u steps on one random batch\n", report->steps);
    }
    print_codes(runs);
}

void sow_cli_compare_json(const struct sow_cli_runs *runs, const struct sow_cli_options *options)
{
    struct sow_cli_text text = {0};
    puts("{\"compared\": [");
    for (size_t run = 0; run < runs->count; run++) {
        sow_cli_text_clear(&text);
        sow_cli_add(&text, "%s{\"scheme\": ", run > 0 ? ",\n" : "");
        sow_cli_add_json(&text, runs->items[run].title);
        sow_cli_add(&text, ", \"probe\": ");
        fputs(text.bytes, stdout);
        sow_cli_probe_json(runs->items[run].probe, runs->items[run].measured,
                           &runs->items[run].sample, runs->items[run].compared,
                           &runs->items[run].asked, runs->items[run].learned, NULL, options);
        fputs("}", stdout);
    }
    puts("\n]}");
    sow_cli_text_free(&text);
}

void sow_cli_add_compared_losses(struct sow_cli_text *text, const struct sow_cli_runs *runs)
{
    int any = 0;
    for (size_t run = 0; run < runs->count; run++) {
        const struct sow_learning *learned = runs->items[run].learned;
        for (uint32_t t = 0; learned != NULL && t <= sow_learning_report(learned)->done; t++) {
            double loss = sow_learning_report(learned)->loss[t];
            sow_cli_add(text, any++ ? "" : "\nrun,step,loss\n");
            sow_cli_add(text, isfinite(loss) ? "%zu,%u,%.10g\n" : "%zu,%u,NaN\n", run, t, loss);
        }
    }
}
