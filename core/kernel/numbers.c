/* SPDX-License-Identifier: MIT */
/* The numbers of a draw, computed in double once a fill and rounded once to the kernels' width. */
#include "core/kernel/numbers.h"

#include <float.h>
#include <string.h>

#include "core/kernel/normal_cdf.h"

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

/* What a truncated normal's bounds leave of the normal distribution. */
struct cut {
    enum sow_cut cut;
    double below, above, mass; /* beyond the bounds, and between them */
};

static struct cut cut_of(const struct sow_draw *draw)
{
    double alpha = (draw->low - draw->mean) / draw->std,
           beta = (draw->high - draw->mean) / draw->std;
    struct cut cut = {SOW_CUT_TAIL, sow_normal_cdf(alpha), sow_normal_cdf(-beta), 0};
    if (alpha >= 0) {
        cut.mass = sow_normal_cdf(-alpha) - sow_normal_cdf(-beta);
    } else if (beta <= 0) {
        cut.mass = sow_normal_cdf(beta) - sow_normal_cdf(alpha);
    } else {
        cut.mass = (1 - cut.below) - cut.above;
    }
    if (alpha <= -6 && beta >= 6) {
        cut.cut = SOW_CUT_NOTHING;
    } else if (alpha >= -3.1 && alpha <= 3.1 && beta >= -3.1 && beta <= 3.1) {
        cut.cut = SOW_CUT_CENTRAL;
    }
    return cut;
}

/* ---- float32 ------------------------------------------------------------------------------ */

struct sow_numbers_f32 sow_numbers_f32(const struct sow_draw *draw)
{
    double half = 0.5 * draw->high - 0.5 * draw->low, middle = 0.5 * draw->low + 0.5 * draw->high;
    struct sow_numbers_f32 numbers = {
        .mean = draw->distribution == SOW_CONSTANT ? (float)draw->mean : round_finite(draw->mean),
        .std = round_finite(draw->std),
        .middle = round_finite(middle),
        .scale = round_finite(half * 0x1p-24),
        .low = round_up(draw->low),
        .high = round_down(draw->high),
        .map = sow_map_of(draw->distribution),
    };
    float largest = 0x1.fffffep23f * numbers.scale;
    numbers.centred = numbers.middle == 0 && -largest >= numbers.low && largest <= numbers.high;
    if (numbers.low > numbers.high) { /* no float between them: one is as good as the other */
        numbers.low = numbers.high = numbers.middle;
    }
    if (draw->distribution == SOW_TRUNC_NORMAL) {
        struct cut cut = cut_of(draw);
        numbers.cut = cut.cut;
        numbers.step = (float)(cut.mass * 0x1p-32);
        numbers.step2 = (float)(cut.mass * 0x1p-31);
        numbers.step4 = (float)(cut.mass * 0x1p-30);
        numbers.below4 = 4 * (float)cut.below;
        numbers.above4 = 4 * (float)cut.above;
        numbers.to_middle = (float)(cut.below + 0.5 * cut.mass);
        numbers.from_middle = (float)(cut.above + 0.5 * cut.mass);
        numbers.shift = (float)(cut.below - cut.above);
    }
    return numbers;
}

/* ---- float64 ------------------------------------------------------------------------------ */

struct sow_numbers_f64 sow_numbers_f64(const struct sow_draw *draw)
{
    struct sow_numbers_f64 numbers = {
        .mean = draw->mean,
        .std = draw->std,
        .middle = 0.5 * draw->low + 0.5 * draw->high,
        .scale = (0.5 * draw->high - 0.5 * draw->low) * 0x1p-53,
        .low = draw->low,
        .high = draw->high,
        .map = sow_map_of(draw->distribution),
    };
    double largest = 0x1.fffffffffffffp52 * numbers.scale;
    numbers.centred = numbers.middle == 0 && -largest >= numbers.low && largest <= numbers.high;
    if (draw->distribution == SOW_TRUNC_NORMAL) {
        struct cut cut = cut_of(draw);
        numbers.cut = cut.cut;
        numbers.step = cut.mass * 0x1p-64;
        numbers.step2 = cut.mass * 0x1p-63;
        numbers.step4 = cut.mass * 0x1p-62;
        numbers.below4 = 4 * cut.below;
        numbers.above4 = 4 * cut.above;
        numbers.to_middle = cut.below + 0.5 * cut.mass;
        numbers.from_middle = cut.above + 0.5 * cut.mass;
        numbers.shift = cut.below - cut.above;
    }
    return numbers;
}
