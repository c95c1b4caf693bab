/* SPDX-License-Identifier: MIT */
/* The panels of --curves, of one network: pairs of inputs at known angles by depth, and inputs of three sizes. Lines are
 * predicted, points measured. */
#include <math.h>
#include <stdlib.h>

#include "picture.h"

int sow_cli_has_curves(const struct sow_cli_runs *runs)
{
    return runs->count == 1 && runs->items[0].asked.curves != NULL;
}

static void add_number(struct sow_cli_text *text, double number)
{
    sow_cli_add(text, isfinite(number) ? ",%.6g" : ",NaN", number);
}

/* Depth, then cosine and prediction of each pair, then log10 of the second moment and its prediction of each scale. */
static void add_data(struct sow_cli_text *text, const struct sow_cli_run *run, double ends[3])
{
    const struct sow_curves *curves = run->asked.curves;
    struct sow_cli_point *points;
    size_t count = sow_cli_points(run, &points), at = 0;
    sow_cli_add(text, "$curves << EOD\n");
    for (size_t i = 0; i < curves->count && at < count; i++) {
        const struct sow_curve_value *value = &curves->values[i];
        if (sow_probe_at(run->probe, i) != points[at].value) {
            continue; /* no signal */
        }
        if (points[at].is_result) {
            sow_cli_add(text, "%.6g", points[at].x);
            for (size_t k = 0; k < SOW_CURVE_PAIRS; k++) {
                add_number(text, value->pairs[k].cosine);
                add_number(text, value->pairs[k].predicted);
            }
            for (size_t k = 0; k < SOW_CURVE_SCALES; k++) {
                double log[2] = {log10(value->scales[k].second_moment),
                                 log10(value->scales[k].predicted)};
                for (int which = 0; which < 2; which++) {
                    add_number(text, log[which]);
                    if (isfinite(log[which])) {
                        ends[0] = fmin(ends[0], log[which]);
                        ends[1] = fmax(ends[1], log[which]);
                    }
                }
            }
            sow_cli_add(text, "\n");
        }
        ends[2] = fmax(ends[2], points[at].x);
        at++;
    }
    sow_cli_add(text, "EOD\n");
    free(points);
}

static void add_lines(struct sow_cli_text *text, size_t count, size_t column,
                      double (*number)(size_t index), const char *unit)
{
    for (size_t k = 0; k < count; k++) {
        const char *color = sow_cli_color(k);
        sow_cli_add(text,
                    "%s$curves using 1:%zu with lines lw 1.8 dt %zu lc rgb '%s' notitle, \\\n     "
                    "$curves using 1:%zu with points pt %zu ps dot lw 1.5 lc rgb '%s' title "
                    "'%s%g'",
                    k > 0 ? ", \\\n     " : "plot ", column + 2 * k + 1, k + 1, color,
                    column + 2 * k, k + 4, color, unit, number(k));
    }
    sow_cli_add(text, "\n");
}

void sow_cli_add_curves_panels(struct sow_cli_text *text, const struct sow_cli_runs *runs)
{
    double ends[3] = {INFINITY, -INFINITY, 1};
    sow_cli_add(text, "\n# pairs and scales, by depth\n");
    add_data(text, &runs->items[0], ends);
    sow_cli_add(text,
                "set title 'Pairs of inputs: what becomes of their cosine'\nset ylabel 'cosine'\n"
                "set xlabel 'depth, in layers'\nset xrange [0:%.6g]\nset xtics auto\n"
                "set yrange [-0.05:1.05]\nset ytics 0.2\n",
                ends[2]);
    add_lines(text, SOW_CURVE_PAIRS, 2, sow_curve_cosine, "");
    sow_cli_add(text, "\nset title 'Inputs of half, of once and of twice their size'\n"
                      "set ylabel 'mean square of the values'\n");
    sow_cli_add_log_axis(text, ends[0], ends[1]);
    add_lines(text, SOW_CURVE_SCALES, 2 + 2 * SOW_CURVE_PAIRS, sow_curve_scale, "times ");
}
