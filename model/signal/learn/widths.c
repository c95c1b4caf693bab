/* SPDX-License-Identifier: MIT */
/* One network at several widths: slopes of log2 against log2, value by value, and which of them are too steep. */
#include <math.h> /* NAN, isfinite: macros; fabs */
#include <stdlib.h>
#include <string.h>

#include "core/base/elementary.h"
#include "core/base/error.h"
#include "model/signal/learn/learn.h"

#define LIMIT_DEFAULT 0.15

struct sow_widths {
    struct sow_width_value *values;
    double *slopes; /* steps + 1 a value */
    size_t count;
};

/* By least squares; `y` by width. NAN where one is not above 0. */
static double slope_of(const double *widths, const double *y, size_t count)
{
    double mean_x = 0, mean_y = 0, xx = 0, xy = 0;
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(y[i]) || y[i] <= 0) {
            return NAN;
        }
        mean_x += sow_log(widths[i]) / (double)count;
        mean_y += sow_log(y[i]) / (double)count;
    }
    for (size_t i = 0; i < count; i++) {
        double x = sow_log(widths[i]) - mean_x;
        xx += x * x;
        xy += x * (sow_log(y[i]) - mean_y);
    }
    return xy / xx;
}

/* What is wrong first. An output may be smaller the wider the network is, at the beginning. */
static void judge(struct sow_width_value *value, uint32_t steps, double limit)
{
    if (value->is_scaled) {
        return;
    }
    int grows = value->size > limit, falls = value->size < -limit && !value->is_output;
    if (grows || falls) {
        value->wrong = 1;
        value->steepest = value->size;
    }
    for (uint32_t t = 1; t <= steps && value->wrong == 0; t++) {
        if (fabs(value->change[t]) > limit) { /* not where it is NAN */
            value->wrong = 2;
            value->step = t;
            value->steepest = value->change[t];
        }
    }
}

static enum sow_status check(const struct sow_learning *const *learned, const double *widths,
                             size_t count, struct sow_error *error)
{
    const struct sow_learning *first = count > 0 ? learned[0] : NULL;
    double least = INFINITY, most = 0;
    for (size_t i = 0; i < count; i++) {
        least = widths[i] < least ? widths[i] : least;
        most = widths[i] > most ? widths[i] : most;
        int same = learned[i]->value_count == first->value_count &&
                   learned[i]->report.steps == first->report.steps;
        for (size_t k = 0; k < first->value_count && same; k++) {
            same = strcmp(learned[i]->values[k].name, first->values[k].name) == 0;
        }
        if (!same) {
            return sow_fail(error, SOW_E_SHAPE,
                            "the networks of widths %g and %g differ in more than their width: "
                            "the one has %zu values, the other %zu",
                            widths[0], widths[i], first->value_count, learned[i]->value_count);
        }
    }
    return least > 0 && most > least
               ? SOW_OK
               : sow_fail(error, SOW_E_ARGUMENT, "at least two different widths are needed");
}

static void fill(struct sow_widths *w, const struct sow_learning *const *learned,
                 const double *widths, size_t count, double limit, double *y)
{
    uint32_t steps = learned[0]->report.steps;
    for (size_t k = 0; k < w->count; k++) {
        const struct sow_learned_value *from = &learned[0]->values[k];
        double *slopes = w->slopes + k * ((size_t)steps + 1);
        for (size_t i = 0; i < count; i++) {
            y[i] = learned[i]->values[k].size;
        }
        double size = slope_of(widths, y, count);
        for (uint32_t t = 0; t <= steps; t++) {
            for (size_t i = 0; i < count; i++) {
                y[i] = learned[i]->values[k].change[t];
            }
            slopes[t] = slope_of(widths, y, count);
        }
        w->values[k] = (struct sow_width_value){.name = from->name,
                                                .word = from->word,
                                                .layer = from->layer,
                                                .is_output = from->is_output,
                                                .is_scaled = from->is_scaled,
                                                .size = size,
                                                .change = slopes,
                                                .steepest = NAN};
        judge(&w->values[k], steps, limit > 0 ? limit : LIMIT_DEFAULT);
    }
}

enum sow_status sow_widths_compare(const struct sow_learning *const *learned, const double *widths,
                                   size_t count, double limit, struct sow_widths **compared,
                                   struct sow_error *error)
{
    enum sow_status status = check(learned, widths, count, error);
    *compared = NULL;
    if (status != SOW_OK) {
        return status;
    }
    struct sow_widths *w = calloc(1, sizeof *w);
    double *y = calloc(count, sizeof *y);
    if (w != NULL) {
        w->count = learned[0]->value_count;
        w->values = calloc(w->count + 1, sizeof *w->values);
        w->slopes =
            calloc(w->count * ((size_t)learned[0]->report.steps + 1) + 1, sizeof *w->slopes);
    }
    if (w == NULL || y == NULL || w->values == NULL || w->slopes == NULL) {
        free(y);
        sow_widths_free(w);
        return sow_fail(error, SOW_E_MEMORY, "out of memory");
    }
    fill(w, learned, widths, count, limit, y);
    free(y);
    *compared = w;
    return SOW_OK;
}

void sow_widths_free(struct sow_widths *compared)
{
    if (compared != NULL) {
        free(compared->values);
        free(compared->slopes);
        free(compared);
    }
}

const struct sow_width_value *sow_width_value_at(const struct sow_widths *compared, size_t index)
{
    return index < compared->count ? &compared->values[index] : NULL;
}
