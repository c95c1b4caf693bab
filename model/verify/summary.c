/* SPDX-License-Identifier: MIT */
/* Mean, std, standardised moments and the histogram, each in one fixed order of operations. */
#include "model/verify/summary.h"

#include <math.h>
#include <string.h>

#include "core/base/elementary.h"

#define CUT 4.0 /* std from the mean to the ends of the histogram */

void sow_summary_begin(struct sow_tensor_statistics *row, const struct sow_st_tensor *tensor,
                       const char *file)
{
    memset(row, 0, sizeof *row);
    row->name = tensor->name;
    row->file = file;
    row->dtype = tensor->dtype;
    row->rank = tensor->rank;
    memcpy(row->shape, tensor->shape, sizeof row->shape);
    row->elements = 1;
    for (uint32_t i = 0; i < tensor->rank; i++) {
        row->elements *= tensor->shape[i]; /* the reader has checked it */
    }
    row->bytes = tensor->offset_end - tensor->offset_begin;
    row->is_opaque = !sow_value_known(tensor->dtype);
    row->first_bad = UINT64_MAX;
    row->first = row->min = row->max = row->mean = row->std = NAN;
    row->skewness = row->kurtosis = row->histogram_low = row->histogram_high = NAN;
}

/* Elements up to `edge`, cells taken as evenly filled between min and max; *at moves on with ascending edges. */
struct walk {
    const struct sow_tensor_statistics *row;
    const struct sow_cell *cells;
    size_t count, at;
    uint64_t before;
};

static uint64_t count_to(struct walk *walk, double edge)
{
    for (; walk->at < walk->count; walk->at++) {
        const struct sow_cell *cell = &walk->cells[walk->at];
        double low = cell->low > walk->row->min ? cell->low : walk->row->min;
        double high = cell->high < walk->row->max ? cell->high : walk->row->max;
        if (high > edge) {
            double part = edge > low ? (edge - low) / (high - low) : 0;
            return walk->before + (uint64_t)(part * (double)cell->count + 0.5);
        }
        walk->before += cell->count;
    }
    return walk->before;
}

static void make_histogram(struct sow_tensor_statistics *row, const struct sow_cell *cells,
                           size_t count)
{
    struct walk walk = {row, cells, count, 0, 0};
    double low = row->mean - CUT * row->std, high = row->mean + CUT * row->std;
    row->histogram_low = low > row->min ? low : row->min;
    row->histogram_high = high < row->max ? high : row->max;
    double step = (row->histogram_high - row->histogram_low) / SOW_HISTOGRAM_BINS;
    if (!(step > 0) || !isfinite(step)) {
        return;
    }
    uint64_t before = row->histogram_low > row->min ? count_to(&walk, row->histogram_low) : 0;
    row->below = before;
    for (int bin = 0; bin < SOW_HISTOGRAM_BINS; bin++) {
        int last = bin == SOW_HISTOGRAM_BINS - 1;
        uint64_t to = last && row->histogram_high >= row->max
                          ? row->finite
                          : count_to(&walk, last ? row->histogram_high
                                                 : row->histogram_low + step * (bin + 1));
        row->histogram[bin] = to - before;
        before = to;
    }
    row->above = row->finite - before;
}

void sow_summary_fill(struct sow_tensor_statistics *row, const struct sow_moments *moments,
                      const struct sow_cell *cells, size_t count)
{
    double n = (double)moments->finite;
    row->finite = moments->finite;
    row->nan = moments->nan;
    row->inf = moments->inf;
    row->zeros = moments->zeros;
    row->first_bad = moments->first_bad;
    if (moments->finite == 0) {
        return;
    }
    row->min = moments->min;
    row->max = moments->max;
    row->at_min = moments->at_min;
    row->at_max = moments->at_max;
    row->is_constant = row->finite == row->elements && row->min == row->max;
    if (row->min == row->max) { /* not what sums would round it to */
        row->mean = row->histogram_low = row->histogram_high = row->min;
        row->std = 0;
        return;
    }
    row->mean = moments->mean;
    row->std = sow_sqrt(moments->m2 / n);
    if (moments->m2 > 0) {
        row->skewness = (moments->m3 / n) / (row->std * row->std * row->std);
        row->kurtosis = n * moments->m4 / (moments->m2 * moments->m2);
    }
    make_histogram(row, cells, count);
}
