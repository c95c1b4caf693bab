/* SPDX-License-Identifier: MIT */
/* Making draws, and what they are in the mean. Checks everything that sow_fill takes for granted. */
#include "sow/sow.h"

#include <math.h> /* isfinite, isnan and INFINITY: macros, no function of libm */

#include "core/base/elementary.h"
#include "core/base/error.h"
#include "core/kernel/map.h"

#define MASS_MIN   1e-9     /* what the quantile's polynomials reach (docs/stream.md section 6) */
#define WIDTH_MIN  0x1p-100 /* of a uniform's interval: float32 steps below are no longer normal */
#define NUMBER_MAX 0x1.fffffep127 /* the largest float32 */

static int usable(double x)
{
    return x >= -NUMBER_MAX && x <= NUMBER_MAX;
}

/* ---- Constant, uniform, normal -------------------------------------------------------------- */

enum sow_status sow_draw_constant(double value, struct sow_draw *draw, struct sow_error *error)
{
    if (!isfinite(value)) {
        return sow_fail(error, SOW_E_ARGUMENT, "a constant must be a finite number");
    }
    *draw = (struct sow_draw){.distribution = SOW_CONSTANT, .mean = value};
    return SOW_OK;
}

enum sow_status sow_draw_uniform(double low, double high, struct sow_draw *draw,
                                 struct sow_error *error)
{
    if (!usable(low) || !usable(high) || low > high) {
        return sow_fail(
            error, SOW_E_ARGUMENT,
            "uniform on [%.9g, %.9g]: the bounds must be finite in float32, and low <= high", low,
            high);
    }
    if (low < high && high - low < WIDTH_MIN) {
        return sow_fail(error, SOW_E_ARGUMENT,
                        "uniform on [%.9g, %.9g]: narrower than 2^-100, float32 has no room in it; "
                        "use a constant or a wider interval",
                        low, high);
    }
    *draw = (struct sow_draw){.distribution = SOW_UNIFORM, .low = low, .high = high};
    return SOW_OK;
}

enum sow_status sow_draw_normal(double mean, double std, struct sow_draw *draw,
                                struct sow_error *error)
{
    if (!usable(mean) || !usable(std) || std < 0) {
        return sow_fail(
            error, SOW_E_ARGUMENT,
            "normal with mean %.9g and std %.9g: both must be finite in float32, and std >= 0",
            mean, std);
    }
    *draw = (struct sow_draw){.distribution = SOW_NORMAL, .mean = mean, .std = std};
    return SOW_OK;
}

/* ---- Functions of a uniform ----------------------------------------------------------------- */

enum sow_status sow_draw_of_uniform(enum sow_distribution distribution, double low, double high,
                                    double shift, struct sow_draw *draw, struct sow_error *error)
{
    const struct sow_map *map = sow_map_of(distribution);
    if (map == NULL) {
        return sow_fail(error, SOW_E_ARGUMENT, "distribution %d is no function of a uniform",
                        (int)distribution);
    }
    if (!(low >= map->least && high <= map->most) || (map->most_is_open && high == map->most)) {
        return sow_fail(
            error, SOW_E_ARGUMENT,
            "%s for u on [%.9g, %.9g]: u must stay in [%.9g, %.9g%c, where it is finite", map->name,
            low, high, map->least, map->most, map->most_is_open ? ')' : ']');
    }
    if (!(high - low >= WIDTH_MIN)) {
        return sow_fail(error, SOW_E_ARGUMENT,
                        "%s for u on [%.9g, %.9g]: the interval must be 2^-100 wide at least",
                        map->name, low, high);
    }
    if (!(shift > -0x1p53 && shift < 0x1p53) || shift != (double)(int64_t)shift ||
        (shift != 0 && distribution != SOW_MINUS_LN_UNIFORM)) {
        return sow_fail(error, SOW_E_ARGUMENT,
                        "%s with a shift of %.9g: it is a whole number of elements, and 0 for all "
                        "functions but -ln u",
                        map->name, shift);
    }
    *draw =
        (struct sow_draw){.distribution = distribution, .low = low, .high = high, .shift = shift};
    return SOW_OK;
}

/* ---- Truncated normal --------------------------------------------------------------------- */

/* The standard normal distribution conditioned on [alpha, beta]. */
struct truncated {
    double mass, mean, std;
};

#define PANELS       32
#define NODES        8
#define EXPONENT_CUT 45.0 /* what lies so far down, e^-45, is left out */

/* Gauss-Legendre nodes and weights on [-1, 1], the positive half. */
static const double node[NODES / 2] = {0x1.77ac94f3c7345p-3, 0x1.0d129583284b4p-1,
                                       0x1.97e4ab249f41ep-1, 0x1.ebab1cb0acc67p-1};
static const double weight[NODES / 2] = {0x1.736360b199343p-2, 0x1.413c50a255615p-2,
                                         0x1.c76fb531d2b96p-3, 0x1.9ea1d04ca0374p-4};

/* Integral over [a, b] of (x - centre)^power exp((peak^2 - x^2) / 2). */
static double integral(double a, double b, double peak, double centre, int power)
{
    const double half = (b - a) / (2 * PANELS);
    double sum = 0;
    for (int panel = 0; panel < PANELS; panel++) {
        double middle = a + (2 * panel + 1) * half;
        for (int i = 0; i < NODES; i++) {
            double offset = half * node[i / 2];
            double x = i % 2 ? middle + offset : middle - offset;
            double density = sow_exp(-0.5 * (x - peak) * (x + peak));
            double moment = power == 0 ? 1 : power == 1 ? x - centre : (x - centre) * (x - centre);
            sum += weight[i / 2] * moment * density;
        }
    }
    return sum * half;
}

static struct truncated truncated(double alpha, double beta)
{
    /* scaled by the density at its peak, so that nothing underflows */
    double peak = alpha > 0 ? alpha : beta < 0 ? beta : 0;
    double reach = sow_sqrt(peak * peak + 2 * EXPONENT_CUT);
    double a = alpha > -reach ? alpha : -reach, b = beta < reach ? beta : reach;
    double scaled = integral(a, b, peak, 0, 0);
    double mean = alpha == -beta ? 0 : peak + integral(a, b, peak, peak, 1) / scaled;
    double variance = integral(a, b, peak, mean, 2) / scaled;
    const double density_0 = 0x1.9884533d43651p-2; /* 1 / sqrt(2 pi) */
    return (struct truncated){
        .mass = scaled * density_0 * sow_exp(-0.5 * peak * peak),
        .mean = mean,
        .std = sow_sqrt(variance),
    };
}

enum sow_status sow_draw_trunc_normal(double mean, double std, double low, double high,
                                      struct sow_draw *draw, struct sow_error *error)
{
    if (!usable(mean) || !usable(std) || std <= 0) {
        return sow_fail(
            error, SOW_E_ARGUMENT,
            "truncated normal with mean %.9g and std %.9g: both must be finite in float32, "
            "and std > 0",
            mean, std);
    }
    if (isnan(low) || isnan(high) || low >= high) {
        return sow_fail(error, SOW_E_ARGUMENT,
                        "truncated normal on [%.9g, %.9g]: low must be below high", low, high);
    }
    double mass = truncated((low - mean) / std, (high - mean) / std).mass;
    if (!(mass >= MASS_MIN)) {
        return sow_fail(
            error, SOW_E_ARGUMENT,
            "truncated normal with mean %.9g and std %.9g: [%.9g, %.9g] holds a probability of "
            "%.3g, and less than 1e-9 cannot be drawn; move the bounds or the mean",
            mean, std, low, high, mass);
    }
    *draw = (struct sow_draw){
        .distribution = SOW_TRUNC_NORMAL, .mean = mean, .std = std, .low = low, .high = high};
    return SOW_OK;
}

/* ---- Whole tensors -------------------------------------------------------------------------- */

int sow_draw_is_whole(const struct sow_draw *draw)
{
    return draw->distribution >= SOW_ORTHOGONAL && draw->distribution <= SOW_HADAMARD;
}

/* ---- Moments ------------------------------------------------------------------------------ */

/* Of f(u), by the nodes above: u = low + width s^2 (3 - 2 s), so that a logarithm that is infinite at an end does no
 * harm. Relative error of the variance below 1e-9. */
static void map_moments(const struct sow_map *map, double low, double high, double *mean,
                        double *std)
{
    double sums[2] = {0, 0}, about = map->value(0.5 * low + 0.5 * high);
    for (int panel = 0; panel < PANELS * NODES; panel++) {
        double middle = (panel / NODES + 0.5) / PANELS,
               offset = 0.5 / PANELS * node[panel % NODES / 2];
        double s = panel % 2 ? middle + offset : middle - offset;
        double u = low + (high - low) * (s * s * (3 - 2 * s));
        double part = weight[panel % NODES / 2] * 0.5 / PANELS * (6 * s * (1 - s));
        double value = map->value(u) - about;
        sums[0] += part * value;
        sums[1] += part * value * value;
    }
    *mean = about + sums[0];
    *std = sow_sqrt(sums[1] - sums[0] * sums[0]);
}

void sow_draw_moments(const struct sow_draw *draw, double *mean, double *std)
{
    const struct sow_map *map = sow_map_of(draw->distribution);
    struct truncated moments;
    if (map != NULL) {
        map_moments(map, draw->low, draw->high, mean, std);
        return;
    }
    switch (draw->distribution) {
    case SOW_CONSTANT:
        *mean = draw->mean;
        *std = 0;
        break;
    case SOW_UNIFORM:
        *mean = 0.5 * draw->low + 0.5 * draw->high;
        *std = (0.5 * draw->high - 0.5 * draw->low) / sow_sqrt(3);
        break;
    case SOW_NORMAL:
        *mean = draw->mean;
        *std = draw->std;
        break;
    case SOW_TRUNC_NORMAL:
        moments =
            truncated((draw->low - draw->mean) / draw->std, (draw->high - draw->mean) / draw->std);
        *mean = draw->mean + draw->std * moments.mean;
        *std = draw->std * moments.std;
        break;
    case SOW_ORTHOGONAL:
    case SOW_DELTA_ORTHOGONAL:
    case SOW_IDENTITY:
    case SOW_HADAMARD:
        *mean = 0;
        *std = draw->std;
        break;
    default:
        break;
    }
}
