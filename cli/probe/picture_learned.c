/* SPDX-License-Identifier: MIT */
/* The panels of --steps: the loss by step, how fast weights move beside their size, and, of one network, how far its values
 * have moved by depth. */
#include <math.h>
#include <stdlib.h>

#include "picture.h"

#define POINTS  400 /* of a line */
#define WEIGHTS 16  /* of one network: lines that can still be told apart */

static const struct sow_learning *learned_of(const struct sow_cli_runs *runs, size_t run)
{
    return runs->items[run].learned;
}

int sow_cli_learned_panels(const struct sow_cli_runs *runs)
{
    for (size_t run = 0; run < runs->count; run++) {
        if (learned_of(runs, run) != NULL) {
            return runs->count == 1 ? 3 : 2;
        }
    }
    return 0;
}

static void add_number(struct sow_cli_text *text, double number)
{
    sow_cli_add(text, isfinite(number) ? ",%.6g" : ",NaN", number);
}

static void reach(double ends[2], double number)
{
    if (isfinite(number)) {
        ends[0] = fmin(ends[0], number);
        ends[1] = fmax(ends[1], number);
    }
}

static uint32_t done_of(const struct sow_cli_runs *runs)
{
    uint32_t done = 1;
    for (size_t run = 0; run < runs->count; run++) {
        const struct sow_learning *learned = learned_of(runs, run);
        if (learned != NULL && sow_learning_report(learned)->done > done) {
            done = sow_learning_report(learned)->done;
        }
    }
    return done;
}

/* Whether step t is drawn: the last one always. */
static int is_point(uint32_t t, uint32_t last)
{
    return t % ((last + POINTS - 1) / POINTS > 0 ? (last + POINTS - 1) / POINTS : 1) == 0 ||
           t == last;
}

static void begin(struct sow_cli_text *text, int *any)
{
    sow_cli_add(text, "%s", (*any)++ ? ", \\\n     " : "plot ");
}

/* ---- The loss ------------------------------------------------------------------------------------- */

static void add_losses(struct sow_cli_text *text, const struct sow_cli_runs *runs)
{
    double ends[2] = {INFINITY, -INFINITY};
    int any = 0;
    for (size_t run = 0; run < runs->count; run++) {
        const struct sow_learning *learned = learned_of(runs, run);
        uint32_t done = learned != NULL ? sow_learning_report(learned)->done : 0;
        sow_cli_add(text, "$loss%zu << EOD\n", run);
        for (uint32_t t = 0; learned != NULL && t <= done; t++) {
            double loss = sow_learning_report(learned)->loss[t];
            if (is_point(t, done)) {
                sow_cli_add(text, "%u", t);
                add_number(text, loss);
                sow_cli_add(text, "\n");
            }
            reach(ends, loss);
        }
        sow_cli_add(text, "%sEOD\n", learned != NULL ? "" : "NaN,NaN\n");
    }
    if (!(ends[0] <= ends[1])) {
        ends[0] = ends[1] = 0;
    }
    double margin = ends[1] > ends[0] ? 0.06 * (ends[1] - ends[0]) : 0.5;
    sow_cli_add(text,
                "set title 'Loss on the one random batch'\nset xlabel 'steps'\nset ylabel 'loss'\n"
                "set xrange [0:%u]\nset xtics auto\nset yrange [%.6g:%.6g]\nset ytics auto\n",
                done_of(runs), ends[0] - margin, ends[1] + margin);
    for (size_t run = 0; run < runs->count; run++) {
        begin(text, &any);
        sow_cli_add(text, "$loss%zu using 1:2 with lines lw 2.4 dt %zu lc rgb '%s' notitle", run,
                    run + 1, sow_cli_color(run));
    }
    sow_cli_add(text, "\n");
}

/* ---- Weights -------------------------------------------------------------------------------------- */

/* Weights whose ratio is known, WEIGHTS of them at most, evenly from the first to the last. Returns how many. */
static size_t choose(const struct sow_learning *learned, size_t chosen[WEIGHTS])
{
    const struct sow_learned_weight *weight;
    size_t known = 0, at = 0, count = 0;
    for (int counting = 1; counting >= 0; counting--) {
        for (size_t i = 0; (weight = sow_learned_weight_at(learned, i)) != NULL; i++) {
            if (!(weight->rms > 0)) {
                continue;
            }
            if (counting) {
                known++;
            } else if (known <= WEIGHTS || at * (WEIGHTS - 1) / (known - 1) == count) {
                chosen[count++] = i;
            }
            at += (size_t)!counting;
        }
    }
    return count;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of all weights that step t moves and that did not begin as zeros; NAN when there is none. */
static double median(const struct sow_learning *learned, uint32_t t)
{
    const struct sow_learned_weight *weight;
    size_t count = 0, used = 0;
    while (sow_learned_weight_at(learned, count) != NULL) {
        count++;
    }
    double *ratios = sow_cli_allocate(NULL, count + 1, sizeof *ratios);
    for (size_t i = 0; (weight = sow_learned_weight_at(learned, i)) != NULL; i++) {
        if (weight->rms > 0 && weight->ratio[t] > 0 && isfinite(weight->ratio[t])) {
            ratios[used++] = weight->ratio[t];
        }
    }
    qsort(ratios, used, sizeof *ratios, by_size);
    double middle = used > 0 ? ratios[used / 2] : NAN;
    free(ratios);
    return middle;
}

/* The step, from 1 on; log10 of the ratios of the chosen weights, or of the median of all. */
static void add_ratios(struct sow_cli_text *text, const struct sow_learning *learned,
                       const size_t *chosen, size_t count, size_t run, double ends[2])
{
    uint32_t done = learned != NULL ? sow_learning_report(learned)->done : 0;
    sow_cli_add(text, "$updates%zu << EOD\n", run);
    for (uint32_t t = 1; t <= done; t++) {
        if (!is_point(t, done)) {
            continue;
        }
        sow_cli_add(text, "%u", t);
        for (size_t k = 0; k < (count > 0 ? count : 1); k++) {
            double ratio = count > 0 ? sow_learned_weight_at(learned, chosen[k])->ratio[t - 1]
                                     : median(learned, t - 1);
            add_number(text, log10(ratio));
            reach(ends, log10(ratio));
        }
        sow_cli_add(text, "\n");
    }
    sow_cli_add(text, "%sEOD\n", done > 0 ? "" : "NaN,NaN\n");
}

/* From the colour of the first run to that of the second. */
static void add_line(struct sow_cli_text *text, size_t index, size_t count)
{
    static const int from[3] = {0x00, 0x72, 0xB2}, to[3] = {0xD5, 0x5E, 0x00};
    double part = count > 1 ? (double)index / (double)(count - 1) : 0;
    sow_cli_add(text, "$updates0 using 1:%zu with linespoints pt 7 ps 0.35*small lw 1.2 lc rgb '#",
                index + 2);
    for (int i = 0; i < 3; i++) {
        sow_cli_add(text, "%02X", (unsigned)(from[i] + part * (to[i] - from[i])));
    }
    sow_cli_add(text, "' %s",
                index == 0           ? "title 'first'"
                : index + 1 == count ? "title 'last'"
                                     : "notitle");
}

static void add_updates(struct sow_cli_text *text, const struct sow_cli_runs *runs)
{
    double ends[2] = {-3, -3};
    size_t chosen[WEIGHTS], count = 0;
    int any = 0, single = runs->count == 1;
    if (single) {
        count = choose(learned_of(runs, 0), chosen);
    }
    sow_cli_add(text, "\n# update/weight by step, log10: %s\n",
                single ? "weights from the first to the last" : "the median of all weights");
    for (size_t run = 0; run < runs->count; run++) {
        add_ratios(text, learned_of(runs, run), chosen, count, run, ends);
    }
    sow_cli_add(text,
                "set title 'How fast weights move%s'\nset xlabel 'steps'\n"
                "set ylabel 'update / weight'\nset xrange [0:%u]\nset xtics auto\n",
                single ? "" : " (median)", done_of(runs));
    sow_cli_add_log_axis(text, ends[0], ends[1]);
    for (size_t k = 0; k < count; k++) {
        begin(text, &any);
        add_line(text, k, count);
    }
    for (size_t run = 0; run < runs->count && count == 0; run++) {
        begin(text, &any);
        sow_cli_add(text, "$updates%zu using 1:2 with lines lw 2.4 dt %zu lc rgb '%s' notitle", run,
                    run + 1, sow_cli_color(run));
    }
    begin(text, &any);
    sow_cli_add(text, "-3 with lines lc rgb grey dt 2 %s\n", single ? "title '0.001'" : "notitle");
}

/* ---- Values --------------------------------------------------------------------------------------- */

/* Results of layers by depth: log10 of how far the first step, and all of them, moved them, over their size. */
static void add_values(struct sow_cli_text *text, const struct sow_cli_run *run)
{
    const struct sow_learned_value *value;
    uint32_t done = sow_learning_report(run->learned)->done;
    double ends[2] = {INFINITY, -INFINITY}, depth = 1;
    struct sow_cli_point *points;
    size_t count = sow_cli_points(run, &points), at = 0;
    sow_cli_add(text,
                "\n# depth; mean |x_t - x_0| / mean |x_0|, log10, after 1 and after %u\n"
                "$moved << EOD\nNaN,NaN,NaN\n",
                done);
    for (size_t i = 0; (value = sow_learned_value_at(run->learned, i)) != NULL && at < count; i++) {
        if (sow_probe_at(run->probe, i) != points[at].value) {
            continue; /* no signal */
        }
        if (points[at].is_result && done > 0 && value->size > 0) {
            double first = log10(value->change[1] / value->size),
                   last = log10(value->change[done] / value->size);
            sow_cli_add(text, "%.6g", points[at].x);
            add_number(text, first);
            add_number(text, last);
            sow_cli_add(text, "\n");
            reach(ends, first);
            reach(ends, last);
        }
        depth = fmax(depth, points[at++].x);
    }
    free(points);
    sow_cli_add(text,
                "EOD\nset title 'How far values move, beside their size'\n"
                "set xlabel 'depth, in layers'\nset ylabel 'moved / size'\nset xrange [0:%.6g]\n"
                "set xtics auto\n",
                depth);
    sow_cli_add_log_axis(text, ends[0], ends[1]);
    sow_cli_add(text,
                "plot $moved using 1:2 with linespoints pt 7 ps dot lw 1.6 lc rgb '%s' title "
                "'after 1', \\\n     $moved using 1:3 with linespoints pt 5 ps dot lw 1.6 "
                "dt 2 lc rgb '%s' title '%s%u'\n",
                sow_cli_color(0), sow_cli_color(1), "after ", done);
}

void sow_cli_add_learned_panels(struct sow_cli_text *text, const struct sow_cli_runs *runs)
{
    sow_cli_add(text, "\n# the loss by step\n");
    add_losses(text, runs);
    add_updates(text, runs);
    if (runs->count == 1) {
        add_values(text, &runs->items[0]);
    }
}
