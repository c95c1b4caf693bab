/* SPDX-License-Identifier: MIT */
/* Sums over nodes (core/activation/hermite.h). Where the mean is 0, x and -x are taken together: one density and one row
 * of polynomials serve both, the even ones with f(x) + f(-x), the odd ones with f(x) - f(-x). */
#include "core/activation/hermite.h"

#include <math.h>
#include <string.h>

#include "core/activation/quadrature_constants.h"
#include "core/base/elementary.h"
#include "core/base/fma.h"

#define NODES       SOW_NODES
#define WIDTH       1.8   /* of a panel, in z */
#define STEP        0.35  /* of the trapezoidal rule, in z */
#define STEP_MOST   0.125 /* in x */
#define STEPS_MAX   180   /* on one side */
#define REACH       10.5  /* of the trapezoidal rule: h_47 times the density is 1e-12 there */
#define ENDS_MAX    160
#define OCTAVES_MAX 44  /* narrower panels than this share of a std weigh nothing */
#define FAR         1e6 /* |mean| / std from which on x = 0 is no place for the grid's origin */

static const double inverse_root_2pi = 0x1.9884533d43651p-2;

/* Two numbers at once, which every compiler meant here can. */
typedef double two __attribute__((vector_size(16)));
typedef int64_t two_integers __attribute__((vector_size(16)));

/* Nodes are x = origin + t. */
struct work {
    const struct sow_pointwise *f;
    struct sow_hermite_sums *sums;
    double origin, mean, std; /* mean: in t */
    int paired;               /* t > 0 stands for -t too */
    two lanes[SOW_HERMITE];
    /* h_(k+1) = up[k] z h_k - down[k] h_(k-1) */
    double up[SOW_HERMITE], down[SOW_HERMITE];
};

/* What f is at 16 nodes, those on the other side of 0 in the second place. */
struct values {
    double y[2][NODES], slope[2][NODES];
};

/* ---- Sixteen nodes ----------------------------------------------------------------------------- */

/* exp(x) within 2 ulp, -700 < x <= 0. */
static two exp_of(two x)
{
    static const double terms[] = {1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800,
                                   1.0 / 362880,     1.0 / 40320,     1.0 / 5040,     1.0 / 720,
                                   1.0 / 120,        1.0 / 24,        1.0 / 6,        0.5};
    const two round = {0x1.8p52, 0x1.8p52};
    two shifted = x * 1.4426950408889634 + round, n = shifted - round;
    two r = (x - n * 0x1.62e42fefa0000p-1) - n * 0x1.cf79abc9e3b3ap-40;
    two sum = {terms[0], terms[0]};
    for (size_t i = 1; i < sizeof terms / sizeof terms[0]; i++) {
        sum = sum * r + terms[i];
    }
    two y = 1 + (r + r * r * sum);
    two_integers bits, power;
    memcpy(&bits, &y, sizeof bits);
    memcpy(&power, &shifted, sizeof power);
    bits += power << 52; /* the low bits of n + round are those of n */
    memcpy(&y, &bits, sizeof y);
    return y;
}

static void take_values(const struct sow_pointwise *f, const double x[NODES], double y[NODES],
                        double slope[NODES])
{
    if (f->many != NULL) {
        f->many(f->of, x, y, slope);
        return;
    }
    for (size_t j = 0; j < NODES; j++) {
        y[j] = f->value(f->of, x[j], &slope[j]);
    }
}

static int are_zeros(const struct values *values)
{
    int zeros = 1;
    for (size_t j = 0; j < NODES; j++) {
        zeros &= values->y[0][j] == 0 && values->y[1][j] == 0 && values->slope[0][j] == 0 &&
                 values->slope[1][j] == 0;
    }
    return zeros;
}

/* h_k times its weight, f's even part to the even k, the odd one to the odd: 8 nodes at a time, which registers hold. */
static void add_hermite(struct work *work, const double z[NODES], const double weights[NODES],
                        const double even[NODES], const double odd[NODES])
{
    for (size_t first = 0; first < NODES; first += 8) {
        two x[4], before[4] = {{0}}, now[4], part[2][4];
        memcpy(x, z + first, sizeof x);
        memcpy(now, weights + first, sizeof now);
        memcpy(part[0], even + first, sizeof part[0]);
        memcpy(part[1], odd + first, sizeof part[1]);
        for (size_t k = 0; k < SOW_HERMITE; k++) {
            two down = {work->down[k], work->down[k]}, up = {work->up[k], work->up[k]};
            const two *y = part[k % 2];
            work->lanes[k] += (now[0] * y[0] + now[1] * y[1]) + (now[2] * y[2] + now[3] * y[3]);
            for (size_t j = 0; j < 4; j++) {
                two next = (up * x[j]) * now[j] - down * before[j];
                before[j] = now[j];
                now[j] = next;
            }
        }
    }
}

static void add_means(struct work *work, const struct values *values, const double z[NODES],
                      const double weights[NODES])
{
    struct sow_hermite_sums *sums = work->sums;
    for (int side = 0; side <= work->paired; side++) {
        const double *ys = values->y[side], *slopes = values->slope[side];
        for (size_t j = 0; j < NODES; j++) {
            double y = ys[j], slope = slopes[j], weight = weights[j], square = y * y * weight;
            sums->bad |= !(y - y == 0);
            sums->mean += y * weight;
            sums->square += square;
            sums->fourth += y * y * square;
            sums->slope += slope * weight;
            sums->slope_square += slope * slope * weight;
            sums->pull += y * slope * (side == 0 ? z[j] : -z[j]) * weight;
            sums->spread += z[j] * z[j] * square;
            sums->apart += j % 2 == 0 ? square : -square;
            sums->slope_apart += j % 2 == 0 ? slope * slope * weight : -(slope * slope * weight);
            sums->size += (fabs(y * z[j]) + fabs(slope) * work->std) * weight;
        }
    }
}

/* Nodes t and their weights, the density not yet in them. */
static void add_nodes(struct work *work, const double t[NODES], const double widths[NODES])
{
    double x[NODES], z[NODES], weights[NODES], even[NODES], odd[NODES];
    struct values values;
    for (size_t j = 0; j < NODES; j++) {
        x[j] = work->origin + t[j];
    }
    take_values(work->f, x, values.y[0], values.slope[0]);
    if (work->paired) {
        for (size_t j = 0; j < NODES; j++) {
            x[j] = -t[j];
        }
        take_values(work->f, x, values.y[1], values.slope[1]);
    } else {
        memset(values.y[1], 0, sizeof values.y[1]);
        memset(values.slope[1], 0, sizeof values.slope[1]);
    }
    double base = work->sums->base;
    if (base == 0 && are_zeros(&values)) {
        return;
    }
    double inverse = 1 / work->std;
    for (size_t j = 0; j < NODES; j++) {
        z[j] = (t[j] - work->mean) * inverse;
        double here = values.y[0][j] - base, there = work->paired ? values.y[1][j] - base : 0;
        even[j] = here + there;
        odd[j] = here - there;
    }
    for (size_t j = 0; j < NODES; j += 2) {
        two at, width;
        memcpy(&at, z + j, sizeof at);
        memcpy(&width, widths + j, sizeof width);
        width *= (inverse * inverse_root_2pi) * exp_of(-0.5 * at * at);
        memcpy(weights + j, &width, sizeof width);
    }
    add_means(work, &values, z, weights);
    add_hermite(work, z, weights, even, odd);
}

static double value_at(const struct sow_pointwise *f, double x)
{
    double slope, y = f->value(f->of, x, &slope);
    return y - y == 0 ? y : 0;
}

static void begin(struct work *work, const struct sow_pointwise *f, double mean, double std,
                  struct sow_hermite_sums *sums)
{
    double origin = fabs(mean) > FAR * std ? mean : 0;
    *sums = (struct sow_hermite_sums){.base = value_at(f, mean)};
    *work = (struct work){.f = f,
                          .sums = sums,
                          .origin = origin,
                          .mean = mean - origin,
                          .std = std,
                          .paired = mean == 0};
    for (size_t k = 0; k < SOW_HERMITE; k++) {
        work->up[k] = 1 / sow_sqrt((double)(k + 1));
        work->down[k] = sow_sqrt((double)k) * work->up[k];
    }
}

/* The integral of f^2 beyond t, or near enough. */
static double beyond(const struct work *work, double t)
{
    double slope, y = work->f->value(work->f->of, work->origin + t, &slope);
    double z = (t - work->mean) / work->std;
    return y * y * inverse_root_2pi * sow_exp(-0.5 * z * z) / fabs(z);
}

static void end(const struct work *work, double reach)
{
    for (size_t k = 0; k < SOW_HERMITE; k++) {
        work->sums->hermite[k] = work->lanes[k][0] + work->lanes[k][1];
    }
    work->sums->edge =
        beyond(work, work->mean - reach * work->std) + beyond(work, work->mean + reach * work->std);
}

/* The largest 2^k <= x, x > 0 and normal. */
static double power_below(double x)
{
    return sow_bits_double(sow_double_bits(x) & 0x7ff0000000000000u);
}

/* The largest integer <= x, |x| < 2^51. */
static double floor_of(double x)
{
    double whole = (x + 0x1.8p52) - 0x1.8p52;
    return whole > x ? whole - 1 : whole;
}

/* ---- The trapezoidal rule ---------------------------------------------------------------------- */

int sow_hermite_smooth(const struct sow_pointwise *f, double mean, double std, int halvings,
                       struct sow_hermite_sums *sums)
{
    struct work work;
    double step = power_below(STEP * std), t[NODES], widths[NODES];
    step = (step < STEP_MOST ? step : STEP_MOST) / (1 << halvings);
    if (REACH * std > STEPS_MAX * step) {
        return 0;
    }
    begin(&work, f, mean, std, sums);
    /* whole sixteens of j step, so that they are the same ones as std moves; one is at 0, so that halves of a bump
     * differ, and of a pair it stands on both sides */
    double block = NODES * step, high = work.mean + REACH * std;
    double first = work.paired ? 0 : floor_of((work.mean - REACH * std) / block);
    for (double at = first; at * block < high; at++) {
        for (size_t j = 0; j < NODES; j++) {
            t[j] = at * block + (double)j * step;
            widths[j] = work.paired && t[j] == 0 ? 0.5 * step : step;
        }
        add_nodes(&work, t, widths);
    }
    end(&work, REACH);
    return 1;
}

/* ---- Panels ------------------------------------------------------------------------------------ */

struct ends {
    double at[ENDS_MAX], low, high;
    size_t count;
};

static void insert(struct ends *ends, double end)
{
    if (!(end > ends->low && end < ends->high) || ends->count == ENDS_MAX) {
        return;
    }
    size_t at = ends->count;
    while (at > 0 && ends->at[at - 1] > end) {
        ends->at[at] = ends->at[at - 1];
        at--;
    }
    ends->at[at] = end;
    ends->count++;
}

/* Multiples of 2^k or 3 2^k; where they are wide, powers of two towards x = 0, where activations bend; kinks. */
static void make_ends(const struct work *work, double limit, struct ends *ends)
{
    double power = power_below(WIDTH * work->std);
    double unit = 1.5 * power <= WIDTH * work->std ? 1.5 * power : power;
    double reach = limit * work->std;
    double first = work->paired ? 0 : floor_of((work->mean - reach) / unit);
    double last = -floor_of(-(work->mean + reach) / unit);
    ends->low = first * unit;
    ends->high = last * unit;
    ends->at[0] = ends->low;
    ends->at[1] = ends->high;
    ends->count = 2;
    for (double at = first + 1; at < last; at++) {
        insert(ends, at * unit);
    }
    insert(ends, -work->origin);
    for (int i = 0; i < OCTAVES_MAX && power >= 1; i++, power *= 0.5) {
        insert(ends, power - work->origin);
        insert(ends, -power - work->origin);
    }
    for (size_t i = 0; i < work->f->kink_count; i++) {
        double kink = work->f->kinks[i] - work->origin;
        insert(ends, work->paired ? fabs(kink) : kink);
    }
}

static void add_panel(struct work *work, double low, double high)
{
    double t[NODES], widths[NODES];
    double middle = 0.5 * (low + high), half = 0.5 * (high - low);
    for (size_t j = 0; j < NODES; j++) {
        t[j] = middle + (j % 2 == 0 ? -half : half) * sow_legendre[j / 2].node;
        widths[j] = half * sow_legendre[j / 2].weight;
    }
    add_nodes(work, t, widths);
}

void sow_hermite_panels(const struct sow_pointwise *f, double mean, double std, double limit,
                        int depth, struct sow_hermite_sums *sums)
{
    struct work work;
    struct ends ends;
    int parts = 1 << depth;
    begin(&work, f, mean, std, sums);
    make_ends(&work, limit, &ends);
    for (size_t i = 0; i + 1 < ends.count; i++) {
        double step = (ends.at[i + 1] - ends.at[i]) / parts;
        for (int part = 0; part < parts && step > 0; part++) {
            double low = ends.at[i] + part * step;
            add_panel(&work, low, part + 1 < parts ? low + step : ends.at[i + 1]);
        }
    }
    end(&work, limit);
}
