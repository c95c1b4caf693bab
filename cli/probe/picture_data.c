/* SPDX-License-Identifier: MIT */
/* The series of a picture: values by depth, with what seeds may make of them, and the same as CSV. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "picture.h"

#define LOG10_2 0.30102999566398119521 /* log10(2) */
#define LOG10_E 0.43429448190325182765
#define FEW     8

/* The result of a layer, or weights outside of layers. */
static int is_result(const struct sow_probe *probe, size_t index)
{
    const struct sow_probe_value *value = sow_probe_at(probe, index),
                                 *next = sow_probe_at(probe, index + 1);
    int ends = value->layer >= 0 && (next == NULL || next->layer != value->layer);
    return value->is_signal && (ends || (value->layer < 0 && value->has_weights));
}

/* Seeds scatter the logarithm with this variance, around a typical value that is half of it below the mean (Hanin and Nica
 * 2020); 19 of 20 lie within two standard deviations. */
static void band(double log10, double noise, double *low, double *high)
{
    double middle = log10 - noise / 2 * LOG10_E, reach = 2 * sqrt(noise) * LOG10_E;
    int known = isfinite(log10) && noise >= 0;
    *low = known ? middle - reach : NAN;
    *high = known ? middle + reach : NAN;
}

static double similar(const struct sow_probe_value *value)
{
    return isnan(value->place_correlation) ? value->sample_correlation : value->place_correlation;
}

static void fill(struct sow_cli_point *point, const struct sow_probe_value *value,
                 const struct sow_measured_value *seen, double noise)
{
    point->value = value;
    point->moment = value->log2_second_moment * LOG10_2;
    point->gradient = value->log2_gradient * LOG10_2;
    point->correlation = similar(value);
    band(point->moment, value->seed_noise, &point->moment_low, &point->moment_high);
    /* what the layers above did to the gradient */
    band(point->gradient, fmax(noise - value->seed_noise, 0), &point->gradient_low,
         &point->gradient_high);
    point->seen_moment = seen != NULL ? log10(seen->second_moment) : NAN;
    point->seen_gradient = seen != NULL ? log10(seen->gradient_second_moment) : NAN;
    point->seen_correlation = seen != NULL ? seen->correlation : NAN;
    point->dead = seen != NULL ? seen->dead : NAN;
    point->dead_expected = seen != NULL ? seen->dead_expected : NAN;
    point->saturated = seen != NULL ? seen->saturated : NAN;
    point->saturated_expected = seen != NULL ? seen->saturated_expected : NAN;
}

/* Results at whole numbers, the others evenly between them. */
static void place(struct sow_cli_point *points, size_t count)
{
    double depth = -1;
    size_t last = 0;
    for (size_t i = 0; i < count; i++) {
        if (points[i].is_result) {
            for (size_t j = last; j < i; j++) {
                points[j].x = depth + (double)(j - last + 1) / (double)(i - last + 1);
            }
            points[i].x = ++depth;
            last = i + 1;
        }
    }
    for (size_t j = last; j < count; j++) {
        points[j].x = depth + (double)(j - last + 1) / (double)(count - last + 1);
    }
}

size_t sow_cli_points(const struct sow_cli_run *run, struct sow_cli_point **points)
{
    const struct sow_probe_summary *summary = sow_probe_summary(run->probe);
    const struct sow_probe_value *value;
    size_t count = 0, results = 0;
    *points = sow_cli_allocate(NULL, summary->values + 1, sizeof **points);
    for (size_t i = 0; (value = sow_probe_at(run->probe, i)) != NULL; i++) {
        if (value->is_signal) {
            struct sow_cli_point *point = &(*points)[count];
            fill(point, value,
                 run->measured != NULL ? sow_measured_value_at(run->measured, i) : NULL,
                 summary->seed_noise);
            point->is_result = count == 0 || is_result(run->probe, i);
            results += (size_t)point->is_result;
            count++;
        }
    }
    for (size_t i = 0; i < count && results < FEW; i++) {
        (*points)[i].is_result = 1;
    }
    place(*points, count);
    return count;
}

/* ---- CSV ------------------------------------------------------------------------------------------------- */

/* gnuplot, too, reads NaN as nothing; zeros have no logarithm and are nothing there. */
static void add_numbers(struct sow_cli_text *text, const double *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        sow_cli_add(text, isfinite(numbers[i]) ? ",%.10g" : ",NaN", numbers[i]);
    }
}

/* Words stand last, without line breaks, and quotes are doubled. */
static void add_word(struct sow_cli_text *text, const char *word)
{
    struct sow_cli_text safe = {0};
    sow_cli_add_safe(&safe, word, strlen(word), 0);
    sow_cli_add(text, ",\"");
    for (const char *c = safe.bytes; c != NULL && *c != '\0'; c++) {
        sow_cli_add_bytes(text, "\"\"", *c == '"' ? 2 : 0);
        sow_cli_add_bytes(text, c, *c != '"');
    }
    sow_cli_add(text, "\"");
    sow_cli_text_free(&safe);
}

static void add_point(struct sow_cli_text *text, const struct sow_cli_point *point)
{
    const double numbers[] = {
        point->moment,         point->moment_low,
        point->moment_high,    point->gradient,
        point->gradient_low,   point->gradient_high,
        point->correlation,    point->value->chi_perp,
        point->value->chi_par, point->seen_moment,
        point->seen_gradient,  point->seen_correlation,
        point->dead,           point->dead_expected,
        point->saturated,      point->saturated_expected,
    };
    add_numbers(text, numbers, sizeof numbers / sizeof numbers[0]);
}

void sow_cli_add_picture_data(struct sow_cli_text *text, const struct sow_cli_runs *runs)
{
    sow_cli_add(text, "run,depth,is_result,log10_second_moment,low,high,log10_gradient,"
                      "gradient_low,gradient_high,correlation,chi_perp,chi_par,"
                      "measured_log10_second_moment,measured_log10_gradient,measured_correlation,"
                      "dead,dead_expected,saturated,saturated_expected,layer,scheme,value,"
                      "operation\n");
    for (size_t run = 0; run < runs->count; run++) {
        struct sow_cli_point *points;
        size_t count = sow_cli_points(&runs->items[run], &points);
        for (size_t i = 0; i < count; i++) {
            sow_cli_add(text, "%zu,%.6g,%d", run, points[i].x, points[i].is_result);
            add_point(text, &points[i]);
            sow_cli_add(text, ",%ld", (long)points[i].value->layer);
            add_word(text, runs->items[run].title);
            add_word(text, points[i].value->name);
            add_word(text, points[i].value->operation);
            sow_cli_add(text, "\n");
        }
        free(points);
    }
}
