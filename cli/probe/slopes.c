/* SPDX-License-Identifier: MIT */
/* Growth a layer: least squares through the logarithms of the results of layers, the last value of the network, which has a
 * scale of its own, left out. */
#include "slopes.h"

#include <math.h>
#include <stdlib.h>

#include "picture.h"
#include "cli/stats.h"

#define LN_10      2.30258509299404568402
#define LAYERS_MIN 3

/* Against depth, input to output; NAN: not known, as where a value is 0. */
struct slopes {
    size_t layers;
    double signal, gradient, seen_signal, seen_gradient;
};

static double fit(const struct sow_cli_point *points, const size_t *chosen, size_t count,
                  double (*number)(const struct sow_cli_point *point))
{
    double x = 0, y = 0, xx = 0, xy = 0, n = (double)count;
    for (size_t i = 0; i < count; i++) {
        double value = number(&points[chosen[i]]);
        x += (double)i;
        y += value;
        xx += (double)i * (double)i;
        xy += (double)i * value;
    }
    double slope = (xy - x * y / n) / (xx - x * x / n) * LN_10;
    return isfinite(slope) ? slope : NAN;
}

static double moment_of(const struct sow_cli_point *point)
{
    return point->moment;
}

static double gradient_of(const struct sow_cli_point *point)
{
    return point->gradient;
}

static double seen_moment_of(const struct sow_cli_point *point)
{
    return point->seen_moment;
}

static double seen_gradient_of(const struct sow_cli_point *point)
{
    return point->seen_gradient;
}

static struct slopes slopes_of(const struct sow_probe *probe,
                               const struct sow_measurement *measured)
{
    struct sow_cli_run run = {.probe = (struct sow_probe *)(uintptr_t)probe,
                              .measured = (struct sow_measurement *)(uintptr_t)measured};
    struct slopes slopes = {0, NAN, NAN, NAN, NAN};
    struct sow_cli_point *points;
    size_t count = sow_cli_points(&run, &points), used = 0;
    size_t *chosen = sow_cli_allocate(NULL, count + 1, sizeof *chosen);
    for (size_t i = 0; i + 1 < count; i++) {
        int32_t layer = points[i].value->layer;
        int is_left_out = measured != NULL && sow_measurement_report(measured)->layers > 0 &&
                          layer >= (int32_t)sow_measurement_report(measured)->layers;
        if (layer >= 0 && points[i + 1].value->layer != layer && !is_left_out) {
            chosen[used++] = i;
        }
    }
    slopes.layers = used;
    if (used >= LAYERS_MIN) {
        slopes.signal = fit(points, chosen, used, moment_of);
        slopes.gradient = fit(points, chosen, used, gradient_of);
        slopes.seen_signal = fit(points, chosen, used, seen_moment_of);
        slopes.seen_gradient = fit(points, chosen, used, seen_gradient_of);
    }
    free(chosen);
    free(points);
    return slopes;
}

/* "x 0.98 (predicted 1)" */
static void add_growth(struct sow_cli_text *text, double predicted, double seen)
{
    if (isnan(seen)) {
        sow_cli_add(text, "not known");
    } else {
        sow_cli_add(text, "x %.4g", exp(seen));
    }
    if (!isnan(predicted)) {
        sow_cli_add(text, " (predicted %.4g)", exp(predicted));
    }
}

void sow_cli_add_slopes_words(struct sow_cli_text *text, const struct sow_probe *probe,
                              const struct sow_measurement *measured)
{
    struct slopes slopes = slopes_of(probe, measured);
    if (measured == NULL || slopes.layers < LAYERS_MIN) {
        return;
    }
    sow_cli_add(text, "per layer, over %zu: E[x^2] ", slopes.layers);
    add_growth(text, slopes.signal, slopes.seen_signal);
    sow_cli_add(text, " forward, E[grad^2] ");
    add_growth(text, -slopes.gradient, -slopes.seen_gradient);
    sow_cli_add(text, " backward");
}

void sow_cli_slopes_print(const struct sow_probe *probe, const struct sow_measurement *measured)
{
    struct sow_cli_text text = {0};
    sow_cli_add_slopes_words(&text, probe, measured);
    if (text.length > 0) {
        sow_cli_print_paragraph(text.bytes);
    }
    sow_cli_text_free(&text);
}

void sow_cli_add_slopes(struct sow_cli_text *text, const struct sow_probe *probe,
                        const struct sow_measurement *measured)
{
    struct slopes slopes = slopes_of(probe, measured);
    const struct {
        const char *name;
        double number;
    } rows[] = {{"signal", slopes.signal},
                {"gradient", slopes.gradient},
                {"measured_signal", slopes.seen_signal},
                {"measured_gradient", slopes.seen_gradient}};
    sow_cli_add(text, "  \"slopes\": {\"layers\": %zu", slopes.layers);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sow_cli_add(text, ", \"%s\": ", rows[i].name);
        sow_cli_add_number(text, rows[i].number);
    }
    sow_cli_add(text, "},\n");
}
