/* SPDX-License-Identifier: MIT */
/* Sums in lanes, in one order, whatever the vectors of the machine: SSE2, AVX2 and NEON give the same bits. The central
 * moments are taken in a second look, about the tile's own mean, so that a large mean costs no digits. */
#include "model/verify/tile.h"

#include <endian.h>
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

/* Fills up to a whole number of lanes. */
static uint64_t pad(double *values, uint64_t count, double with)
{
    uint64_t padded = (count + LANES - 1) / LANES * LANES;
    for (uint64_t i = count; i < padded; i++) {
        values[i] = with;
    }
    return padded;
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

#define WIDTH       2
#define NAMED(name) name##_narrow
#include "model/verify/tile_tmpl.h"
#undef NAMED
#undef WIDTH

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define HAS_WIDE 1
#pragma GCC push_options
#pragma GCC target("avx2")
#define WIDTH       4
#define NAMED(name) name##_wide
#include "model/verify/tile_tmpl.h"
#undef NAMED
#undef WIDTH
#pragma GCC pop_options
#endif

uint64_t sow_tile_read(const struct sow_value_type *type, const unsigned char *bytes,
                       uint64_t count, uint64_t first, struct sow_moments *moments,
                       uint16_t keys[SOW_TILE])
{
#ifdef HAS_WIDE
    if (__builtin_cpu_supports("avx2")) {
        return read_tile_wide(type, bytes, count, first, moments, keys);
    }
#endif
    return read_tile_narrow(type, bytes, count, first, moments, keys);
}

int sow_tile_read_f32(const unsigned char *bytes, uint64_t count, const struct sow_moments *known,
                      struct sow_moments *moments)
{
    const uint16_t one = 1;
    if (count == 0 || count % LANES != 0 || le16toh(one) != one) {
        return 0;
    }
#ifdef HAS_WIDE
    if (__builtin_cpu_supports("avx2")) {
        return read_f32_wide(bytes, count, known, moments);
    }
#endif
    return read_f32_narrow(bytes, count, known, moments);
}
