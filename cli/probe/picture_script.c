/* SPDX-License-Identifier: MIT */
/* The gnuplot script of sow probe's picture: one panel a question, the same script for SVG, PNG and terminals. Colours are
 * those of Okabe and Ito (2008), which the colour-blind tell apart, with a dark red in place of their yellow; dashes and
 * points tell them apart in grey. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "picture.h"

enum { MOMENT = 4, GRADIENT = 7, CORRELATION = 10, CHI_PERP = 11, CHI_PAR = 12 }; /* CSV columns */
enum { SEEN_MOMENT = 13, SEEN_GRADIENT = 14, SEEN_CORRELATION = 15, DEAD = 16, SATURATED = 18 };

#define BAND_MAX   6  /* decades */
#define TITLE_ROOM 56 /* of a network in the key of several */

/* Room below and above all panels and between their rows, in rows. */
#define BELOW 0.17
#define ABOVE 0.34
#define GAP   0.4

static const char *const colors[SOW_RUNS_MAX] = {
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#661100",
};

const char *sow_cli_color(size_t index)
{
    return colors[index % SOW_RUNS_MAX];
}

/* Whatever means something to gnuplot - quotes, \, ` (a command), @ (a macro), { ^ _ (fonts) - is written in octal. */
void sow_cli_add_gnuplot(struct sow_cli_text *text, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 "
                                "-_.,:;=+*/()[]<>!?#|";
    struct sow_cli_text safe = {0};
    sow_cli_add_safe(&safe, word, strlen(word), 0);
    sow_cli_add(text, "\"");
    for (const char *c = safe.bytes; c != NULL && *c != '\0'; c++) {
        if (strchr(plain, *c) != NULL || (unsigned char)*c >= 0x80) {
            sow_cli_add_bytes(text, c, 1);
        } else {
            sow_cli_add(text, "\\%03o", (unsigned char)*c);
        }
    }
    sow_cli_add(text, "\"");
    sow_cli_text_free(&safe);
}

/* ---- What is there ---------------------------------------------------------------------------------------- */

struct extent {
    double low, high, depth;
    double zero;  /* depth of the first zero of the first run that has some; NAN: none */
    double alike; /* least correlation */
    int has_inner, is_seen;
};

static void reach(struct extent *extent, double number)
{
    if (isfinite(number)) {
        extent->low = fmin(extent->low, number);
        extent->high = fmax(extent->high, number);
    }
}

/* Bands are shown whole unless they are very wide. */
static void reach_band(struct extent *extent, double low, double high)
{
    if (high - low < BAND_MAX) {
        reach(extent, low);
        reach(extent, high);
    }
}

static struct extent extent_of(const struct sow_cli_runs *runs, int is_gradient)
{
    struct extent extent = {INFINITY, -INFINITY, 1, NAN, 0, 0, 0};
    for (size_t run = 0; run < runs->count; run++) {
        struct sow_cli_point *points;
        size_t count = sow_cli_points(&runs->items[run], &points);
        for (size_t i = 0; i < count; i++) {
            double predicted = is_gradient ? points[i].gradient : points[i].moment;
            if (points[i].is_result || runs->count == 1) {
                reach(&extent, predicted);
            }
            if (points[i].is_result) {
                reach_band(&extent, is_gradient ? points[i].gradient_low : points[i].moment_low,
                           is_gradient ? points[i].gradient_high : points[i].moment_high);
            }
            reach(&extent, is_gradient ? points[i].seen_gradient : points[i].seen_moment);
            extent.depth = fmax(extent.depth, points[i].x);
            extent.alike =
                fmin(extent.alike, fmin(points[i].correlation, points[i].seen_correlation));
            extent.has_inner |= !points[i].is_result;
            if (predicted == -INFINITY && points[i].is_result && isnan(extent.zero)) {
                extent.zero = points[i].x;
            }
        }
        extent.is_seen |= runs->items[run].measured != NULL;
        free(points);
    }
    return extent;
}

/* ---- Axes -------------------------------------------------------------------------------------------------- */

static void add_depth_axis(struct sow_cli_text *text, const struct extent *extent)
{
    sow_cli_add(text, "set xlabel '%s'\nset xrange [0:%.6g]\nset xtics %.0f\n",
                extent->has_inner ? "depth, in layers" : "values, from the input to the output",
                extent->depth, sow_cli_axis_step(extent->depth / 8));
}

/* ---- Panels -------------------------------------------------------------------------------------------------- */

static void begin_plot(struct sow_cli_text *text, int *any)
{
    sow_cli_add(text, "%s", (*any)++ ? ", \\\n     " : "plot ");
}

static void add_line(struct sow_cli_text *text, const struct sow_cli_runs *runs, size_t run,
                     int column)
{
    sow_cli_add(text, "data using 2:(line(%zu, %d)) with lines lw 2.4 dt %zu lc rgb '%s' ", run,
                column, run + 1, sow_cli_color(run));
    if (runs->count > 1) {
        sow_cli_add(text, "notitle");
    }
    if (runs->count > 1 && column == MOMENT) { /* the key has the point of the plane, too */
        sow_cli_add(text, ", \\\n     NaN with linespoints lw 2.4 dt %zu pt %zu lc rgb '%s' title ",
                    run + 1, run + 4, sow_cli_color(run));
        struct sow_cli_text title = {0};
        sow_cli_add_tail(&title, runs->items[run].title, TITLE_ROOM);
        sow_cli_add_gnuplot(text, title.bytes);
        sow_cli_text_free(&title);
        sow_cli_add(text, " noenhanced");
    } else if (runs->count == 1) {
        sow_cli_add(text, "title 'predicted'");
    }
}

static void add_measured_title(struct sow_cli_text *text, const struct sow_measure_sample *chosen)
{
    if (chosen == NULL) {
        sow_cli_add(text, "notitle");
    } else if (chosen->layers < chosen->layers_all) {
        sow_cli_add(text, "title 'measured, %u of %u layers'", chosen->layers, chosen->layers_all);
    } else {
        sow_cli_add(text, "title 'measured'");
    }
}

/* Bands below, then lines, then what was measured; more may follow in the same line. */
static void add_curves(struct sow_cli_text *text, const struct sow_cli_runs *runs, int column,
                       int seen_column, int has_band, int has_inner)
{
    int any = 0, single = runs->count == 1;
    for (size_t run = 0; run < runs->count && has_band; run++) {
        begin_plot(text, &any);
        sow_cli_add(text,
                    "data using 2:(band(%zu, %d)):(band(%zu, %d)) with filledcurves fs solid "
                    "0.18 noborder fc rgb '%s' ",
                    run, column + 1, run, column + 2, sow_cli_color(run));
        sow_cli_add(text, single ? "title hide('19 of 20 seeds')" : "notitle");
    }
    if (single && has_inner) {
        begin_plot(text, &any);
        sow_cli_add(text,
                    "data using 2:(inner(0, %d)) with points pt 7 ps 0.6*small lc rgb '#888888' "
                    "title 'inside layers'",
                    column);
    }
    for (size_t run = 0; run < runs->count; run++) {
        begin_plot(text, &any);
        add_line(text, runs, run, column);
    }
    for (size_t run = 0; run < runs->count; run++) {
        if (runs->items[run].measured != NULL) {
            begin_plot(text, &any);
            sow_cli_add(text,
                        "data using 2:(line(%zu, %d)) with points pt %zu ps dot "
                        "lw 1.5 lc rgb '%s' ",
                        run, seen_column, run + 4, single ? colors[1] : sow_cli_color(run));
            add_measured_title(text, single ? &runs->items[run].sample.chosen : NULL);
        }
    }
}

/* Zeros have no place on a logarithmic axis: they stand at its foot, where a tick says so. */
static void add_floor(struct sow_cli_text *text, const struct sow_cli_runs *runs, int is_gradient)
{
    sow_cli_add(text, "$zeros << EOD\nNaN,NaN\n");
    for (size_t run = 0; run < runs->count; run++) {
        struct sow_cli_point *points;
        size_t count = sow_cli_points(&runs->items[run], &points);
        for (size_t i = 0; i < count; i++) {
            double predicted = is_gradient ? points[i].gradient : points[i].moment;
            if (predicted == -INFINITY && points[i].is_result) {
                sow_cli_add(text, "%zu,%.6g\n", run, points[i].x);
            }
        }
        free(points);
    }
    sow_cli_add(text, "EOD\n");
}

static void add_zeros(struct sow_cli_text *text, const struct sow_cli_runs *runs, int column,
                      double floor)
{
    for (size_t run = 0; run < runs->count; run++) {
        sow_cli_add(text,
                    ", \\\n     $zeros using 2:($1 == %zu ? %.6g : NaN) with points pt %zu ps "
                    "1.8*small lw 2 lc rgb '%s' %s, \\\n     data using 2:(line(%zu, %d)) with "
                    "points pt 7 ps 0.6*small lc rgb '%s' notitle",
                    run, floor, run + 1, sow_cli_color(run),
                    runs->count == 1 ? "title 'exactly 0'" : "notitle", run, column,
                    sow_cli_color(run));
    }
}

static void add_moments(struct sow_cli_text *text, const struct sow_cli_runs *runs, int is_gradient)
{
    struct extent extent = extent_of(runs, is_gradient);
    sow_cli_add(text, "\nset title '%s%s'\nset ylabel '%s'\n",
                is_gradient ? "Gradient, backward from the output" : "Signal, forward",
                runs->count > 1 && !is_gradient ? " (bands: 19 of 20 seeds)" : "",
                is_gradient ? "mean square of the gradient" : "mean square of the values");
    add_depth_axis(text, &extent);
    double low = extent.low, high = extent.high, floor = NAN;
    if (!isnan(extent.zero)) {
        low = low <= high ? low : 0;
        high = low <= high ? high : 0;
        floor = low - fmax(1, 0.15 * (high - low));
        add_floor(text, runs, is_gradient);
    }
    sow_cli_add_log_axis(text, low, high);
    if (!isnan(floor)) {
        sow_cli_add(text, "set yrange [%.6g:]\nset ytics add ('0' %.6g)\n",
                    floor - 0.06 * (high - floor), floor);
    }
    add_curves(text, runs, is_gradient ? GRADIENT : MOMENT,
               is_gradient ? SEEN_GRADIENT : SEEN_MOMENT, 1, extent.has_inner);
    if (!isnan(floor)) {
        add_zeros(text, runs, is_gradient ? GRADIENT : MOMENT, floor);
    }
    sow_cli_add(text, "\n");
}

/* Whether a sample has several tokens or pixels somewhere, whose correlation is then drawn. */
static int has_places(const struct sow_cli_run *run)
{
    const struct sow_probe_value *value;
    for (size_t i = 0; (value = sow_probe_at(run->probe, i)) != NULL; i++) {
        if (!isnan(value->place_correlation)) {
            return 1;
        }
    }
    return 0;
}

static void add_correlations(struct sow_cli_text *text, const struct sow_cli_runs *runs)
{
    struct extent extent = extent_of(runs, 0);
    int of_places = has_places(&runs->items[0]);
    sow_cli_add(text,
                "\nset title 'Are %s still told apart? (1: all look alike)'\n"
                "set ylabel 'correlation of two %s'\n",
                of_places ? "tokens or pixels" : "inputs", of_places ? "of them" : "inputs");
    add_depth_axis(text, &extent);
    sow_cli_add(text, "set yrange [%.6g:1.05]\nset ytics 0.2\n", fmin(extent.alike, 0) - 0.05);
    add_curves(text, runs, CORRELATION, SEEN_CORRELATION, 0, extent.has_inner);
    sow_cli_add(text, "\n");
}

/* For networks that are no repetition of one layer: the factors of every layer. */
static void add_factors(struct sow_cli_text *text, const struct sow_cli_runs *runs)
{
    struct extent extent = extent_of(runs, 0);
    double low = 0, high = 0;
    int any = 0;
    for (size_t run = 0; run < runs->count; run++) {
        struct sow_cli_point *points;
        size_t count = sow_cli_points(&runs->items[run], &points);
        for (size_t i = 0; i < count; i++) {
            double chi = points[i].value->chi_perp, par = points[i].value->chi_par;
            low = chi > 0 ? fmin(low, log10(chi)) : low;
            high = chi > 0 && isfinite(chi) ? fmax(high, log10(chi)) : high;
            low = par > 0 && runs->count == 1 ? fmin(low, log10(par)) : low;
            high = par > 0 && isfinite(par) && runs->count == 1 ? fmax(high, log10(par)) : high;
        }
        free(points);
    }
    sow_cli_add(text, "\nset title 'What one layer does (1: keeps)'\nset ylabel 'factor'\n");
    add_depth_axis(text, &extent);
    sow_cli_add_log_axis(text, low, high);
    for (size_t run = 0; run < runs->count; run++) {
        begin_plot(text, &any);
        sow_cli_add(
            text, "data using 2:(ten(%zu, %d)) with points pt %zu ps 1.4*small lw 1.8 lc rgb '%s' ",
            run, CHI_PERP, run + 4, sow_cli_color(run));
        sow_cli_add(text, runs->count == 1 ? "title 'small distances'.perp" : "notitle");
    }
    if (runs->count == 1) {
        begin_plot(text, &any);
        sow_cli_add(text,
                    "data using 2:(ten(0, %d)) with points pt 7 ps 0.7*small lc rgb '%s' "
                    "title 'errors of scale'.par",
                    CHI_PAR, colors[1]);
    }
    begin_plot(text, &any);
    sow_cli_add(text, "0 with lines lc rgb grey dt 2 notitle\n");
}

/* Units that no sample wakes, and elements where the activation is flat; beside what a random network has. */
static void add_units(struct sow_cli_text *text, const struct sow_cli_runs *runs)
{
    static const int columns[2] = {DEAD, SATURATED};
    static const char *const titles[2] = {"dead units", "flat elements"};
    struct extent extent = extent_of(runs, 0);
    int any = 0;
    sow_cli_add(text, "\nset title 'Units of activations (lines: expected)'\nset ylabel 'share'\n");
    add_depth_axis(text, &extent);
    sow_cli_add(text, "set yrange [-0.03:1.03]\nset ytics 0.2\n");
    for (size_t run = 0; run < runs->count; run++) {
        for (int i = 0; i < 2 && runs->items[run].measured != NULL; i++) {
            const char *color = runs->count > 1 ? sow_cli_color(run) : colors[i];
            begin_plot(text, &any);
            sow_cli_add(text,
                        "data using 2:(any(%zu, %d)) with lines lw 1.6 dt %d lc rgb '%s' "
                        "notitle",
                        run, columns[i] + 1, i + 1, color);
            begin_plot(text, &any);
            sow_cli_add(text,
                        "data using 2:(any(%zu, %d)) with points pt %d ps small lw 1.5 lc rgb "
                        "'%s' ",
                        run, columns[i], i == 0 ? 7 : 6, color);
            sow_cli_add(text, runs->count == 1 ? "title '%s'" : "notitle", titles[i]);
        }
    }
    for (int i = 0; i < 2 && runs->count > 1; i++) { /* colours tell the networks */
        sow_cli_add(text, ", \\\n     NaN with points pt %d ps small lw 1.5 lc rgb grey title '%s'",
                    i == 0 ? 7 : 6, titles[i]);
    }
    sow_cli_add(text, "\n");
}

/* ---- The script ------------------------------------------------------------------------------------------------ */

static void add_frame(struct sow_cli_text *text, const char *stem, const char *kind, int rows)
{
    struct sow_cli_text name = {0};
    sow_cli_add(
        text,
        "# The picture of sow probe, for gnuplot 5.2 or later. In this folder: gnuplot THIS.gp\n"
        "# or, of another kind: gnuplot -e \"kind='png'\" THIS.gp\n"
        "if (!exists('kind')) kind = '%s'\nfile = exists('out') || kind ne 'term'\n",
        kind);
    sow_cli_add(&name, "./%s.", stem); /* never begins with < or |, which would be a command */
    sow_cli_add(text, "if (!exists('out')) out = ");
    sow_cli_add_gnuplot(text, name.bytes);
    sow_cli_add(text, ".kind\ndata = ");
    sow_cli_add(&name, "csv");
    sow_cli_add_gnuplot(text, name.bytes);
    sow_cli_text_free(&name);
    sow_cli_add(text,
                "\nset encoding utf8\nset datafile separator ','\nset datafile missing NaN\n"
                "sigma = kind eq 'term' ? 'sigma' : 'σ'\nrows = %d\n",
                rows);
    sow_cli_add(
        text, "if (kind eq 'svg') set terminal svg size 1080,70+rows*370 dynamic enhanced font "
              "'sans-serif,13' background '#FFFFFF'\n"
              "if (kind eq 'png') set terminal pngcairo size 2160,140+rows*740 enhanced font "
              "'sans-serif,13' fontscale 2 linewidth 2 pointscale 2 background '#FFFFFF'\n"
              "if (kind eq 'term') set terminal dumb noenhanced mono size 98,rows*40\n"
              "if (file) set output out\n"
              "grey = '#666666'\nsmall = kind eq 'svg' ? 0.65 : 1\n"
              "power(n) = n == 0 ? '1' : n == 1 ? '10' : kind eq 'term' ? sprintf('1e%%d', n) : "
              "sprintf('10^{%%d}', n)\n"
              "hide(s) = kind eq 'term' ? '' : s\n"
              "any(r, c) = column(1) == r ? column(c) : NaN\n"
              "line(r, c) = column(3) == 1 ? any(r, c) : NaN\n"
              "inner(r, c) = column(3) == 0 ? any(r, c) : NaN\n"
              "band(r, c) = kind eq 'term' ? NaN : line(r, c)\n"
              "ten(r, c) = any(r, c) > 0 ? log10(any(r, c)) : NaN\n"
              "set style line 1 lc rgb '#DDDDDD' lw 0.6\nset grid back ls 1\n"
              "set border 3 lc rgb grey lw 0.8\nset tics nomirror out scale 0.5 tc rgb '#333333'\n"
              "set title font ',14' offset 0,kind eq 'term' ? 0 : 1.7\nset ylabel offset 0.8,0\n"
              "set key tmargin center horizontal reverse Left samplen 1.6 width -2 font ',11'\n"
              "if (kind eq 'term') set key width 2\n"
              "if (kind ne 'term') set key at graph 0.5,1.03 bottom center maxrows 1\n"
              "side(x) = kind eq 'term' ? NaN : x\n"
              "edge = kind eq 'term' ? 'edge: chi = 1' : 'edge of chaos, χ_⊥ = 1'\n"
              "perp = kind eq 'term' ? '' : ', χ_⊥'\npar = kind eq 'term' ? '' : ', χ_∥'\n");
}

/* How many titles of the key stand one below the other: at most 4, for two of the longest fit side by side. */
static int rows_of_key(const struct sow_cli_runs *runs)
{
    size_t longest = 0;
    for (size_t run = 0; run < runs->count; run++) {
        size_t columns = sow_cli_columns(runs->items[run].title);
        longest = columns > longest ? columns : longest;
    }
    size_t room = longest < TITLE_ROOM ? longest : TITLE_ROOM, fit = 1000 / (room * 7 + 70);
    return (int)((runs->count + fit - 1) / fit);
}

static double depth_of(const struct sow_cli_runs *runs)
{
    return extent_of(runs, 0).depth;
}

int sow_cli_picture_rows(const struct sow_cli_runs *runs)
{
    int is_seen = extent_of(runs, 0).is_seen;
    int panels = 4 + (is_seen ? 1 + (runs->count == 1) : 0) + sow_cli_has_jacobian(runs) +
                 2 * sow_cli_has_curves(runs) + sow_cli_learned_panels(runs);
    return (panels + 1) / 2;
}

/* Below the name of a row's axis, above the title of the next one's panels. */
double sow_cli_picture_cut(int rows, int row)
{
    double height = 70 + rows * 370.0, below = BELOW / rows * height, above = ABOVE / rows * height,
           gap = GAP / rows * height;
    double panel = (height - below - above - (rows - 1) * gap) / rows;
    return row == 0 ? 0 : row == rows ? height : floor(above + row * (panel + gap) - 0.55 * gap);
}

void sow_cli_add_picture_script(struct sow_cli_text *text, const struct sow_cli_runs *runs,
                                const char *stem, const char *kind)
{
    int is_seen = extent_of(runs, 0).is_seen, rows = sow_cli_picture_rows(runs);
    add_frame(text, stem, kind, rows);
    sow_cli_add(text, "dot = %s*small\n", depth_of(runs) > 60 ? "0.6" : "1.1");
    sow_cli_add(text, "if (kind eq 'term') set multiplot layout rows*2,1\n"
                      "if (kind ne 'term') set multiplot layout rows,2 title ");
    sow_cli_add_gnuplot(text, runs->title);
    sow_cli_add(text,
                " noenhanced font ',16' margins 0.092,0.978,%g/rows,1-%g/rows "
                "spacing 0.112,%g/rows\n",
                BELOW, ABOVE, GAP);
    if (runs->count > 1) { /* one key for all panels, as wide as its longest title asks for */
        int key_rows = rows_of_key(runs);
        sow_cli_add(text,
                    "if (kind ne 'term') set key at screen 0.5,1-%.6g/rows center center "
                    "samplen 3.5 vertical maxrows %d spacing 0.95 width 0\n"
                    "set title offset 0,0\n",
                    key_rows > 2 ? 0.155 : 0.13, key_rows);
    }
    add_moments(text, runs, 0);
    sow_cli_add(text, "if (kind ne 'term') set key at graph 0.5,1.03 bottom center samplen 1.6 "
                      "horizontal maxrows 1 spacing 1 width -2\n");
    add_moments(text, runs, 1);
    add_correlations(text, runs);
    sow_cli_add(text, "if (kind ne 'term') set title offset 0,%s\n", runs->count > 1 ? "1" : "1.7");
    if (sow_cli_has_plane(runs)) {
        sow_cli_add_plane(text, runs);
    } else {
        add_factors(text, runs);
    }
    if (is_seen) {
        add_units(text, runs);
        if (runs->count == 1) {
            sow_cli_add_ridges(text, &runs->items[0].ridges);
        }
    }
    if (sow_cli_has_jacobian(runs)) {
        sow_cli_add_jacobians(text, runs);
    }
    if (sow_cli_has_curves(runs)) {
        sow_cli_add_curves_panels(text, runs);
    }
    if (sow_cli_learned_panels(runs) > 0) {
        sow_cli_add_learned_panels(text, runs);
    }
    sow_cli_add(text, "unset multiplot\n");
}
