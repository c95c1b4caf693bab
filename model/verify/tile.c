/* SPDX-License-Identifier: MIT */
/* Sums in lanes, in one order, whatever the vectors of the machine: lane j takes the elements j, j + 8, ... The central
 * moments are taken in a second look, about the tile's own mean, so that a large mean costs no digits. */
#include "model/verify/tile.h"

#include <math.h>
#include <string.h>

#define LANES 8u

struct sow_moments sow_moments_none(void)
{
    return (struct sow_moments){.first_bad = UINT64_MAX, .min = INFINITY, .max = -INFINITY};
}

static void join_ends(struct sow_moments *moments, const struct sow_moments *next)
{
    if (next->min <= moments->min) {
        moments->at_min = next->at_min + (next->min == moments->min ? moments->at_min : 0);
        moments->min = next->min;
    }
    if (next->max >= moments->max) {
        moments->at_max = next->at_max + (next->max == moments->max ? moments->at_max : 0);
        moments->max = next->max;
    }
}

void sow_moments_join(struct sow_moments *moments, const struct sow_moments *next)
{
    moments->nan += next->nan;
    moments->inf += next->inf;
    moments->first_bad =
        moments->first_bad < next->first_bad ? moments->first_bad : next->first_bad;
    if (next->finite == 0) {
        return;
    }
    if (moments->finite == 0) {
        uint64_t nan = moments->nan, inf = moments->inf, bad = moments->first_bad;
        *moments = *next;
        moments->nan = nan;
        moments->inf = inf;
        moments->first_bad = bad;
        return;
    }
    join_ends(moments, next);
    moments->zeros += next->zeros;
    double a = (double)moments->finite, b = (double)next->finite, n = a + b;
    double delta = next->mean - moments->mean, step = delta / n;
    double fourth = moments->m4 + next->m4 +
                    delta * step * step * step * a * b * (a * a - a * b + b * b) +
                    6 * step * step * (a * a * next->m2 + b * b * moments->m2) +
                    4 * step * (a * next->m3 - b * moments->m3);
    double third = moments->m3 + next->m3 + delta * step * step * a * b * (a - b) +
                   3 * step * (a * next->m2 - b * moments->m2);
    moments->m2 += next->m2 + delta * step * a * b;
    moments->m3 = third;
    moments->m4 = fourth;
    moments->mean += step * b;
    moments->finite += next->finite;
}

static double sum_lanes(const double lanes[LANES])
{
    return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
           ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

/* Fills up to a whole number of lanes. */
static uint64_t pad(double *values, uint64_t count, double with)
{
    uint64_t padded = (count + LANES - 1) / LANES * LANES;
    for (uint64_t i = count; i < padded; i++) {
        values[i] = with;
    }
    return padded;
}

static double sum_of(double *values, uint64_t count)
{
    double lanes[LANES] = {0};
    uint64_t padded = pad(values, count, 0);
    for (uint64_t i = 0; i < padded; i += LANES) {
        for (uint64_t j = 0; j < LANES; j++) {
            lanes[j] += values[i + j];
        }
    }
    return sum_lanes(lanes);
}

static void find_ends(double *values, uint64_t count, double *min, double *max)
{
    double low[LANES], high[LANES];
    uint64_t padded = pad(values, count, values[0]);
    memcpy(low, values, sizeof low);
    memcpy(high, values, sizeof high);
    for (uint64_t i = LANES; i < padded; i += LANES) {
        for (uint64_t j = 0; j < LANES; j++) {
            low[j] = values[i + j] < low[j] ? values[i + j] : low[j];
            high[j] = values[i + j] > high[j] ? values[i + j] : high[j];
        }
    }
    *min = low[0];
    *max = high[0];
    for (uint64_t j = 1; j < LANES; j++) {
        *min = low[j] < *min ? low[j] : *min;
        *max = high[j] > *max ? high[j] : *max;
    }
}

static uint64_t count_equal(const double *values, uint64_t count, double value)
{
    uint64_t equal = 0;
    for (uint64_t i = 0; i < count; i++) {
        equal += values[i] == value;
    }
    return equal;
}

static void central_moments(double *values, uint64_t count, struct sow_moments *moments)
{
    double second[LANES] = {0}, third[LANES] = {0}, fourth[LANES] = {0};
    uint64_t padded = pad(values, count, moments->mean);
    for (uint64_t i = 0; i < padded; i += LANES) {
        for (uint64_t j = 0; j < LANES; j++) {
            double distance = values[i + j] - moments->mean, square = distance * distance;
            second[j] += square;
            third[j] += square * distance;
            fourth[j] += square * square;
        }
    }
    moments->m2 = sum_lanes(second);
    moments->m3 = sum_lanes(third);
    moments->m4 = sum_lanes(fourth);
}

/* Leaves the finite values, counts the others. */
static uint64_t take_finite(double *values, uint64_t count, uint64_t first,
                            struct sow_moments *moments)
{
    uint64_t kept = 0;
    for (uint64_t i = 0; i < count; i++) {
        if (isfinite(values[i])) {
            values[kept++] = values[i];
            continue;
        }
        moments->nan += isnan(values[i]) != 0;
        moments->inf += isinf(values[i]) != 0;
        moments->first_bad = moments->first_bad < first + i ? moments->first_bad : first + i;
    }
    return kept;
}

/* The leading 16 bits of the value as a float32, the largest finite one at most. */
static void make_keys(const double *values, uint64_t count, uint16_t *keys)
{
    for (uint64_t i = 0; i < count; i++) {
        float value = (float)values[i];
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        uint32_t size = bits & 0x7fffffffu;
        size = size > 0x7f7fffffu ? 0x7f7fffffu : size;
        keys[i] = (uint16_t)((size | (bits & 0x80000000u)) >> 16);
    }
}

uint64_t sow_tile_read(const struct sow_value_type *type, const unsigned char *bytes,
                       uint64_t count, uint64_t first, struct sow_moments *moments,
                       uint16_t keys[SOW_TILE])
{
    double values[SOW_TILE + LANES];
    *moments = sow_moments_none();
    sow_values_f64(type->dtype, bytes, count, values);
    double sum = sum_of(values, count);
    if (!isfinite(sum)) {
        count = take_finite(values, count, first, moments);
        sum = sum_of(values, count);
    }
    if (count == 0) {
        return 0;
    }
    moments->finite = count;
    moments->mean = sum / (double)count;
    find_ends(values, count, &moments->min, &moments->max);
    moments->at_min = count_equal(values, count, moments->min);
    moments->at_max = count_equal(values, count, moments->max);
    moments->zeros = count_equal(values, count, 0);
    make_keys(values, count, keys);
    central_moments(values, count, moments);
    return count;
}
