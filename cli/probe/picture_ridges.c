/* SPDX-License-Identifier: MIT */
/* Histograms by depth: a few results of layers are watched while the first seed is measured, some of their numbers kept,
 * and drawn as ridges, the input behind and the output in front. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "picture.h"

#define BINS   64
#define KEPT   4096  /* numbers of a value */
#define HEIGHT 1.6   /* of a ridge, in distances between two */
#define CUT    0.002 /* of all numbers are beyond each end of the axis */

void sow_cli_ridges_choose(struct sow_cli_ridges *ridges, const struct sow_cli_run *run)
{
    struct sow_cli_point *points;
    size_t count = sow_cli_points(run, &points), results = 0, at = 0;
    for (size_t i = 0; i < count; i++) {
        results += (size_t)points[i].is_result;
    }
    size_t wanted = results < SOW_RIDGES_MAX ? results : SOW_RIDGES_MAX;
    *ridges = (struct sow_cli_ridges){0};
    for (size_t i = 0; i < count && wanted > 0; i++) {
        if (!points[i].is_result) {
            continue;
        }
        /* evenly spread, the first and the last among them */
        if (at++ == (wanted > 1 ? ridges->count * (results - 1) / (wanted - 1) : 0)) {
            ridges->items[ridges->count++] = (struct sow_cli_ridge){
                .name = points[i].value->name,
                .depth = points[i].x,
                .numbers = sow_cli_allocate(NULL, KEPT, sizeof(float)),
            };
        }
    }
    free(points);
}

void sow_cli_ridges_free(struct sow_cli_ridges *ridges)
{
    for (size_t i = 0; i < ridges->count; i++) {
        free(ridges->items[i].numbers);
    }
    ridges->count = 0;
}

void sow_cli_ridges_watch(void *user, uint32_t seed, enum sow_watched what, const char *name,
                          const float *numbers, uint64_t elements)
{
    struct sow_cli_ridges *ridges = user;
    uint64_t step = elements / KEPT + 1;
    (void)seed; /* whose numbers came first stays */
    for (size_t i = 0; what == SOW_WATCH_VALUE && i < ridges->count; i++) {
        struct sow_cli_ridge *ridge = &ridges->items[i];
        if (ridge->count == 0 && strcmp(ridge->name, name) == 0) {
            for (uint64_t k = 0; k < elements; k += step) {
                if (isfinite(numbers[k])) {
                    ridge->numbers[ridge->count++] = numbers[k];
                }
            }
        }
    }
}

/* ---- Drawing ----------------------------------------------------------------------------------------- */

static int compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Ends of the axis: nearly all numbers of all ridges. Returns 0 when there is nothing to draw. */
static int range_of(const struct sow_cli_ridges *ridges, double *low, double *high)
{
    size_t total = 0;
    float *all = sow_cli_allocate(NULL, SOW_RIDGES_MAX * KEPT, sizeof *all);
    for (size_t i = 0; i < ridges->count; i++) {
        memcpy(all + total, ridges->items[i].numbers, ridges->items[i].count * sizeof *all);
        total += ridges->items[i].count;
    }
    qsort(all, total, sizeof *all, compare_floats);
    *low = total > 0 ? all[(size_t)((double)total * CUT)] : 0;
    *high = total > 0 ? all[total - 1 - (size_t)((double)total * CUT)] : 0;
    free(all);
    double margin = (*high - *low) * 0.05;
    *low -= margin;
    *high += margin;
    return *high > *low;
}

/* A spike, as of the zeros of a relu, is cut off, so that the rest is seen. */
static double scale_of(const double bins[BINS])
{
    double most[3] = {0, 0, 0};
    for (int i = 0; i < BINS; i++) {
        double number = bins[i];
        for (int k = 0; k < 3; k++) {
            if (number > most[k]) {
                double other = most[k];
                most[k] = number;
                number = other;
            }
        }
    }
    return most[2] > 0 ? most[2] : most[0];
}

static void add_ridge(struct sow_cli_text *text, const struct sow_cli_ridge *ridge, size_t index,
                      double base, double low, double high)
{
    double bins[BINS] = {0};
    for (size_t i = 0; i < ridge->count; i++) {
        double at = (ridge->numbers[i] - low) / (high - low) * BINS;
        if (at >= 0 && at < BINS) {
            bins[(int)at]++;
        }
    }
    double scale = scale_of(bins);
    sow_cli_add(text, "$ridge%zu << EOD\n", index);
    for (int i = 0; i < BINS; i++) {
        double height = scale > 0 ? fmin(bins[i] / scale, 1.25) * HEIGHT / 1.25 : 0;
        sow_cli_add(text, "%.6g,%.6g,%.6g\n", low + (i + 0.5) * (high - low) / BINS, base,
                    base + height);
    }
    sow_cli_add(text, "EOD\n");
}

void sow_cli_add_ridges(struct sow_cli_text *text, const struct sow_cli_ridges *ridges)
{
    double low, high;
    if (!range_of(ridges, &low, &high)) {
        return;
    }
    sow_cli_add(text, "\n# some numbers of some values, first seed: x, foot, top\n");
    for (size_t i = 0; i < ridges->count; i++) {
        add_ridge(text, &ridges->items[i], i, (double)(ridges->count - 1 - i), low, high);
    }
    sow_cli_add(text,
                "set title 'What the values look like, by depth'\nset xlabel 'value (one seed)'\n"
                "set ylabel 'depth' offset 0,0\nset xrange [%.6g:%.6g]\nset yrange "
                "[-0.1:%.6g]\nset xtics auto\n"
                "set ytics (",
                low, high, (double)ridges->count - 1 + HEIGHT + 0.1);
    for (size_t i = 0; i < ridges->count; i++) {
        sow_cli_add(text, "%s'%.3g' %zu", i > 0 ? ", " : "", ridges->items[i].depth,
                    ridges->count - 1 - i);
    }
    sow_cli_add(text, ")\nplot ");
    for (size_t i = 0; i < ridges->count; i++) {
        sow_cli_add(text,
                    "%s$ridge%zu using 1:(side($2)):3 with filledcurves fc rgb '#BBD9EC' notitle, "
                    "$ridge%zu using 1:3 with lines lw 1.4 lc rgb '%s' notitle",
                    i > 0 ? ", \\\n     " : "", i, i, sow_cli_color(0));
    }
    sow_cli_add(text, "\n");
}
