/* SPDX-License-Identifier: MIT */
/* Laws from plan entries, their distribution functions and moments. */
#include "model/check/law.h"

#include <math.h>
#include <string.h>

#include "core/base/elementary.h"
#include "core/kernel/map.h"

#define UNCUT 6.0 /* bounds this many std away cut nothing that can be seen */
#define CELLS 512
#define REACH 6.0 /* std within which steps of the type count */
/* std beyond which no element lies: n 2 Phi(-9.5) < 2e-11 for 10^10 of them, far below what is tested for */
#define UNSEEN 9.5

#define TINY 0x1p-10 /* of the scale: values below it count as 0 in moments */

/* ---- From an entry -------------------------------------------------------------------------------- */

static int same_draw(const struct sow_draw *a, const struct sow_draw *b)
{
    return a->distribution == b->distribution && a->mean == b->mean && a->std == b->std &&
           (a->low == b->low || (isnan(a->low) && isnan(b->low))) &&
           (a->high == b->high || (isnan(a->high) && isnan(b->high)));
}

static int add_part(struct sow_law *law, const struct sow_draw *draw, double share)
{
    for (size_t i = 0; i < law->count; i++) {
        if (same_draw(&law->parts[i].draw, draw)) {
            law->parts[i].share += share;
            return 1;
        }
    }
    if (law->count == SOW_LAW_PARTS_MAX) {
        return 0;
    }
    law->parts[law->count++] = (struct sow_law_part){*draw, share};
    return 1;
}

/* The draw of index `at` of the regions' axis: the last region that holds it. */
static const struct sow_draw *draw_at(const struct sow_plan_entry *entry, uint64_t at)
{
    const struct sow_draw *draw = &entry->draw;
    for (size_t i = 0; i < entry->region_count; i++) {
        if (at >= entry->regions[i].begin && at < entry->regions[i].end) {
            draw = &entry->regions[i].draw;
        }
    }
    return draw;
}

/* The next index after `at` where a region begins or ends. */
static uint64_t next_edge(const struct sow_plan_entry *entry, uint64_t at, uint64_t size)
{
    uint64_t next = size;
    for (size_t i = 0; i < entry->region_count; i++) {
        uint64_t begin = entry->regions[i].begin, end = entry->regions[i].end;
        next = begin > at && begin < next ? begin : next;
        next = end > at && end < next ? end : next;
    }
    return next;
}

int sow_law_make(const struct sow_plan_entry *entry, struct sow_law *law)
{
    law->count = 0;
    if (sow_plan_is_whole(entry)) {
        return 0; /* its elements hang together */
    }
    if (entry->region_count == 0) {
        return add_part(law, &entry->draw, 1);
    }
    uint32_t axis = entry->regions[0].axis;
    uint64_t size = entry->tensor.shape[axis];
    if (entry->region_count > 4 * SOW_LAW_PARTS_MAX) {
        return 0;
    }
    for (size_t i = 1; i < entry->region_count; i++) {
        if (entry->regions[i].axis != axis) {
            return 0;
        }
    }
    for (uint64_t at = 0, next; at < size; at = next) {
        next = next_edge(entry, at, size);
        if (!add_part(law, draw_at(entry, at), (double)(next - at) / (double)size)) {
            return 0;
        }
    }
    return law->count > 0;
}

const struct sow_draw *sow_law_block(const struct sow_plan_entry *entry, uint64_t at,
                                     uint64_t *next)
{
    *next = next_edge(entry, at, entry->tensor.shape[entry->regions[0].axis]);
    return draw_at(entry, at);
}

struct sow_law sow_law_of(const struct sow_draw *draw)
{
    struct sow_law law = {.count = 1};
    law.parts[0] = (struct sow_law_part){*draw, 1};
    return law;
}

int sow_law_is_constant(const struct sow_law *law)
{
    int all = 1;
    for (size_t i = 0; i < law->count; i++) {
        all &= law->parts[i].draw.distribution == SOW_CONSTANT;
    }
    return all;
}

int sow_law_has_constant(const struct sow_law *law)
{
    int any = 0;
    for (size_t i = 0; i < law->count; i++) {
        any |= law->parts[i].draw.distribution == SOW_CONSTANT;
    }
    return any;
}

/* ---- Distribution functions ----------------------------------------------------------------------- */

/* P(Z < z); not the stream's sow_normal_cdf, whose frozen series takes ten times as long. */
static double normal_below(double z)
{
    return 0.5 * sow_erfc(-0.7071067811865476 * z);
}

/* The share of u below that of `x` where the function rises, above it where it falls: which of them, in *rises. */
static double share_of(const struct sow_map *map, const struct sow_draw *draw, double x, int *rises)
{
    double low = map->value(draw->low), high = map->value(draw->high);
    *rises = low < high;
    if (x <= (*rises ? low : high)) {
        return *rises ? 0 : 1;
    }
    if (x >= (*rises ? high : low)) {
        return *rises ? 1 : 0;
    }
    return (map->back(x) - draw->low) / (draw->high - draw->low);
}

/* P(a < Z < b), accurate in both tails. */
static double normal_between(double a, double b)
{
    if (a >= b) {
        return 0;
    }
    return a > 0 ? normal_below(-a) - normal_below(-b) : normal_below(b) - normal_below(a);
}

static double part_below(const struct sow_draw *draw, double x)
{
    const struct sow_map *map = sow_map_of(draw->distribution);
    double a, b, z;
    if (map != NULL) {
        int rises;
        double share = share_of(map, draw, x, &rises);
        return rises ? share : 1 - share;
    }
    switch (draw->distribution) {
    case SOW_CONSTANT:
        return draw->mean < x;
    case SOW_UNIFORM:
        return x <= draw->low    ? 0
               : x >= draw->high ? 1
                                 : (x - draw->low) / (draw->high - draw->low);
    case SOW_NORMAL:
        return draw->std == 0 ? draw->mean < x : normal_below((x - draw->mean) / draw->std);
    default:
        a = (draw->low - draw->mean) / draw->std;
        b = (draw->high - draw->mean) / draw->std;
        z = (x - draw->mean) / draw->std;
        return z <= a ? 0 : z >= b ? 1 : normal_between(a, z) / normal_between(a, b);
    }
}

static double part_above(const struct sow_draw *draw, double x)
{
    double a, b, z;
    if (draw->distribution == SOW_UNIFORM || sow_map_of(draw->distribution) != NULL) {
        return 1 - part_below(draw, x);
    }
    switch (draw->distribution) {
    case SOW_CONSTANT:
        return draw->mean >= x;
    case SOW_NORMAL:
        return draw->std == 0 ? draw->mean >= x : normal_below((draw->mean - x) / draw->std);
    default:
        a = (draw->low - draw->mean) / draw->std;
        b = (draw->high - draw->mean) / draw->std;
        z = (x - draw->mean) / draw->std;
        return z <= a ? 1 : z >= b ? 0 : normal_between(z, b) / normal_between(a, b);
    }
}

double sow_law_below(const struct sow_law *law, double x)
{
    double sum = 0;
    for (size_t i = 0; i < law->count; i++) {
        sum += law->parts[i].share * part_below(&law->parts[i].draw, x);
    }
    return sum;
}

double sow_law_above(const struct sow_law *law, double x)
{
    double sum = 0;
    for (size_t i = 0; i < law->count; i++) {
        sum += law->parts[i].share * part_above(&law->parts[i].draw, x);
    }
    return sum;
}

static void part_bounds(const struct sow_draw *draw, double *low, double *high)
{
    const struct sow_map *map = sow_map_of(draw->distribution);
    if (map != NULL) {
        double a = map->value(draw->low), b = map->value(draw->high);
        *low = a < b ? a : b;
        *high = a < b ? b : a;
        *low -= fabs(*low) * 0x1p-23; /* values are rounded after the function, and may step over */
        *high += fabs(*high) * 0x1p-23;
        return;
    }
    int is_bounded = draw->distribution == SOW_UNIFORM || draw->distribution == SOW_TRUNC_NORMAL;
    *low = draw->distribution == SOW_CONSTANT ? draw->mean : is_bounded ? draw->low : -INFINITY;
    *high = draw->distribution == SOW_CONSTANT ? draw->mean : is_bounded ? draw->high : INFINITY;
}

void sow_law_bounds(const struct sow_law *law, double *low, double *high)
{
    *low = INFINITY;
    *high = -INFINITY;
    for (size_t i = 0; i < law->count; i++) {
        double begin, end;
        part_bounds(&law->parts[i].draw, &begin, &end);
        *low = begin < *low ? begin : *low;
        *high = end > *high ? end : *high;
    }
}

/* ---- Moments -------------------------------------------------------------------------------------- */

/* Of one part: mean, variance, fourth central moment. */
struct moments {
    double mean, variance, fourth;
};

/* Sums over cells; `value` stands for the cell. */
static void add_cell(struct moments *sums, double probability, double value, double about)
{
    double distance = value - about, square = distance * distance;
    sums->mean += probability * distance;
    sums->variance += probability * square;
    sums->fourth += probability * square * square;
}

/* Where all but 1e-22 of a part lies. */
static void part_range(const struct sow_draw *draw, double *low, double *high)
{
    double mean = draw->mean, reach = 10 * draw->std;
    const struct sow_map *map = sow_map_of(draw->distribution);
    part_bounds(draw, low, high);
    if (map != NULL && (isinf(*low) || isinf(*high))) { /* a logarithm of 0 */
        double nearly = map->value(draw->low + 1e-22 * (draw->high - draw->low));
        *(isinf(*low) ? low : high) = nearly;
    }
    if (draw->distribution == SOW_NORMAL || draw->distribution == SOW_TRUNC_NORMAL) {
        *low = mean - reach > *low ? mean - reach : *low;
        *high = mean + reach < *high ? mean + reach : *high;
    }
}

/* As drawn. */
static struct moments exact_moments(const struct sow_draw *draw)
{
    struct moments made = {draw->mean, 0, 0};
    double low, high, std;
    if (draw->distribution == SOW_CONSTANT) {
        return made;
    }
    sow_draw_moments(draw, &made.mean, &std);
    made.variance = std * std;
    if (draw->distribution == SOW_NORMAL) {
        made.fourth = 3 * made.variance * made.variance;
    } else if (draw->distribution == SOW_UNIFORM) {
        made.fourth = 1.8 * made.variance * made.variance;
    } else { /* only sets a width: cells are enough */
        struct moments sums = {0, 0, 0};
        part_range(draw, &low, &high);
        for (int i = 0; i < CELLS; i++) {
            double begin = low + (high - low) * i / CELLS,
                   end = low + (high - low) * (i + 1) / CELLS;
            add_cell(&sums, part_below(draw, end) - part_below(draw, begin), (begin + end) / 2,
                     made.mean);
        }
        made.fourth = sums.fourth;
    }
    return made;
}

/* Place of the first key in the order of values whose value is at least `x`; NaN and infinities are beyond. */
static uint32_t find_place(const struct sow_value_type *type, double x)
{
    uint32_t low = 0, high = sow_value_keys(type);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        double value = sow_value_of(type, sow_value_ordered(type, middle));
        int below = isnan(value) ? middle < sow_value_keys(type) / 2 : value < x;
        low = below ? middle + 1 : low;
        high = below ? high : middle;
    }
    return low;
}

/* As rounded to a narrow type, to nearest, saturated: a sum over its values. */
static struct moments lattice_moments(const struct sow_draw *draw,
                                      const struct sow_value_type *type)
{
    struct moments sums = {0, 0, 0}, plain = exact_moments(draw);
    double low, high, about = plain.mean, tiny = TINY * sow_sqrt(plain.variance + about * about);
    double from = 0;
    part_range(draw, &low, &high);
    uint32_t place = find_place(type, low), end = find_place(type, high);
    place -= place > 0;
    for (; place <= end && place < sow_value_keys(type); place++) {
        uint32_t key = sow_value_ordered(type, place);
        double value = sow_value_of(type, key), cell_low, cell_high;
        if (!isfinite(value)) {
            continue;
        }
        if (fabs(value) < tiny && value < 0) { /* to the first value that is not tiny */
            place = find_place(type, tiny) - 1;
            sow_value_cell(type, sow_value_ordered(type, place), &cell_low, &cell_high);
            value = 0;
        } else {
            sow_value_cell(type, key, &cell_low, &cell_high);
        }
        double to = place >= end ? 1 : part_below(draw, cell_high);
        add_cell(&sums, to - from, value, about);
        from = to;
    }
    double shift = sums.mean, variance = sums.variance - shift * shift;
    return (struct moments){about + shift, variance,
                            sums.fourth - 4 * shift * shift * sums.variance};
}

static int is_normal(const struct sow_draw *draw)
{
    return draw->distribution == SOW_NORMAL ||
           (draw->distribution == SOW_TRUNC_NORMAL && draw->low <= draw->mean - UNCUT * draw->std &&
            draw->high >= draw->mean + UNCUT * draw->std);
}

/* Of the drawn value: normal, its variance; a truncated normal keeps that of the normal; a bounded one by Hoeffding. */
static double proxy_of(const struct sow_draw *draw, double variance)
{
    if (draw->distribution == SOW_TRUNC_NORMAL) {
        double width = (draw->high - draw->low) / 2;
        return width * width < draw->std * draw->std ? width * width : draw->std * draw->std;
    }
    if (sow_map_of(draw->distribution) != NULL) {
        double low, high;
        part_range(draw, &low, &high);
        return (high - low) * (high - low) / 4;
    }
    return variance;
}

/* Distance of neighbouring values of the type about `x`. */
static double spacing_at(const struct sow_value_type *type, double x)
{
    if (!sow_value_narrow(type)) {
        return fabs(x) * 0x1p-23;
    }
    uint32_t place = find_place(type, fabs(x)), half = sow_value_keys(type) / 2;
    place -= place > half && !isfinite(sow_value_of(type, sow_value_ordered(type, place))) ? 2 : 0;
    place += place == half;
    double value = sow_value_of(type, sow_value_ordered(type, place));
    double before = sow_value_of(type, sow_value_ordered(type, place - 1));
    return value - before;
}

/* What rounding to the type does to a part: the largest step that matters, against its std. */
static double step_of(const struct sow_value_type *type, const struct moments *part)
{
    return spacing_at(type, fabs(part->mean) + REACH * sow_sqrt(part->variance));
}

struct sow_law_moments sow_law_moments(const struct sow_law *law, const struct sow_value_type *type)
{
    struct sow_law_moments made = {.has_one_mean = 1,
                                   .is_fine = 1,
                                   .is_one_normal =
                                       law->count == 1 && is_normal(&law->parts[0].draw)};
    struct moments parts[SOW_LAW_PARTS_MAX];
    double low, high, far = 0;
    for (size_t i = 0; i < law->count; i++) {
        const struct sow_draw *draw = &law->parts[i].draw;
        parts[i] = sow_value_narrow(type) && draw->distribution != SOW_CONSTANT
                       ? lattice_moments(draw, type)
                       : exact_moments(draw);
        made.mean += law->parts[i].share * parts[i].mean;
    }
    for (size_t i = 0; i < law->count; i++) {
        const struct sow_draw *draw = &law->parts[i].draw;
        double share = law->parts[i].share, shift = parts[i].mean - made.mean;
        double square = parts[i].variance + shift * shift;
        double fourth =
            parts[i].fourth + 6 * shift * shift * parts[i].variance + shift * shift * shift * shift;
        made.variance += share * square;
        made.square_variance += share * (fourth > square * square ? fourth - square * square : 0);
        double step = draw->distribution == SOW_CONSTANT ? 0 : step_of(type, &parts[i]);
        double wide = sow_sqrt(proxy_of(draw, parts[i].variance)) + step / 2;
        made.proxy += share * wide * wide;
        made.is_fine &=
            step * 4 <= sow_sqrt(parts[i].variance) || draw->distribution == SOW_CONSTANT;
        part_bounds(draw, &low, &high);
        double reach = fabs(parts[i].mean - made.mean) + UNSEEN * sow_sqrt(parts[i].variance);
        double bound = fabs(high - made.mean) > fabs(low - made.mean) ? fabs(high - made.mean)
                                                                      : fabs(low - made.mean);
        bound = (bound < reach ? bound : reach) + step;
        far = bound > far ? bound : far;
        made.square_sum += share * parts[i].variance * parts[i].variance;
        made.square_peak =
            parts[i].variance > made.square_peak ? parts[i].variance : made.square_peak;
        made.has_one_mean &=
            fabs(shift) <= 1e-3 * sow_sqrt(parts[i].variance) || draw->distribution == SOW_CONSTANT;
    }
    made.square_max = far * far;
    return made;
}
