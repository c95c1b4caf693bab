/* SPDX-License-Identifier: MIT */
/* The numbers of a draw, computed in double once a fill and rounded once to the kernels' width. */
#include "core/kernel/numbers.h"

#include <float.h>
#include <string.h>

/* The float next to x, away from zero when `away`; x finite and not zero. */
static float neighbour(float x, int away)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits += away ? 1 : (uint32_t)-1;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* The smallest float >= x. */
static float round_up(double x)
{
    float nearest = (float)x;
    if ((double)nearest >= x) {
        return nearest;
    }
    return nearest == 0 ? 0x1p-149f : neighbour(nearest, nearest > 0);
}

/* The largest float <= x. */
static float round_down(double x)
{
    return -round_up(-x);
}

/* The nearest float, but never infinite for a finite x, so that no infinity meets another. */
static float round_finite(double x)
{
    if (x > (double)FLT_MAX) {
        return FLT_MAX;
    }
    return x < -(double)FLT_MAX ? -FLT_MAX : (float)x;
}

struct sow_numbers_f32 sow_numbers_f32(const struct sow_draw *draw)
{
    double half = 0.5 * draw->high - 0.5 * draw->low, middle = 0.5 * draw->low + 0.5 * draw->high;
    struct sow_numbers_f32 numbers = {
        .mean = (float)draw->mean,
        .std = (float)draw->std,
        .middle = round_finite(middle),
        .scale = round_finite(half * 0x1p-24),
        .low = round_up(draw->low),
        .high = round_down(draw->high),
    };
    if (numbers.low > numbers.high) { /* no float between them: one is as good as the other */
        numbers.low = numbers.high = numbers.middle;
    }
    return numbers;
}

struct sow_numbers_f64 sow_numbers_f64(const struct sow_draw *draw)
{
    struct sow_numbers_f64 numbers = {
        .mean = draw->mean,
        .std = draw->std,
        .middle = 0.5 * draw->low + 0.5 * draw->high,
        .scale = (0.5 * draw->high - 0.5 * draw->low) * 0x1p-53,
        .low = draw->low,
        .high = draw->high,
    };
    return numbers;
}
