/* SPDX-License-Identifier: MIT */
/* sin and cos by Taylor's series after reduction by pi / 2 in three parts (Cody and Waite 1980), atan
 * by its series after reduction to one of five centres, asinh by log1p. Not for kernels. */
#include "core/base/circular.h"

#include <stddef.h>

#include "core/base/elementary.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

#define PI_HALF 0x1.921fb54442d18p0
#define LN2     0x1.62e42fefa39efp-1

/* The remainder of x after *turns quarter turns, within pi / 4 of 0. */
static double reduce(double x, int *turns)
{
    const double round = 0x1.8p52, inverse = 0x1.45f306dc9c883p-1;
    const double head = 0x1.921fb544p0, middle = 0x1.0b4611a6p-34, tail = 0x1.3198a2e037073p-69;
    double n = (x * inverse + round) - round;
    *turns = (int)((long long)n & 3);
    return ((x - n * head) - n * middle) - n * tail;
}

/* r - r^3/3! + ...: the terms behind the first. */
static double sine(double r)
{
    double square = r * r, sum = 0;
    for (int n = 19; n >= 3; n -= 2) {
        sum = (1 - sum) * square / (n * (n - 1));
    }
    return r - r * sum;
}

static double cosine(double r)
{
    double square = r * r, sum = 0;
    for (int n = 20; n >= 4; n -= 2) {
        sum = (1 - sum) * square / (n * (n - 1));
    }
    double half = 0.5 * square, near = 1 - half;
    return near + ((1 - near - half) + half * sum);
}

static double quarter(double x, int ahead)
{
    int turns;
    if (!(x >= -0x1p31 && x <= 0x1p31)) {
        return sow_log(-1); /* NaN */
    }
    double r = reduce(x, &turns);
    turns = (turns + ahead) & 3;
    double y = turns & 1 ? cosine(r) : sine(r);
    return turns & 2 ? -y : y;
}

double sow_sin(double x)
{
    return quarter(x, 0);
}

double sow_cos(double x)
{
    return quarter(x, 1);
}

double sow_atan(double x)
{
    static const double ends[] = {0.4375, 0.6875, 1.1875, 2.4375};
    static const double centres[] = {0, 0.5, 1, 1.5};
    static const double angles[] = {0, 0x1.dac670561bb4fp-2, 0x1.921fb54442d18p-1,
                                    0x1.f730bd281f69bp-1};
    double a = x < 0 ? -x : x, sum = 0;
    if (x != x || a < 0x1p-27) {
        return x;
    }
    size_t i = 0;
    while (i < COUNT(ends) && a >= ends[i]) {
        i++;
    }
    double t = i < COUNT(ends) ? (a - centres[i]) / (1 + a * centres[i]) : -1 / a;
    double square = t * t;
    for (int n = 47; n >= 3; n -= 2) { /* t - t^3/3 + t^5/5 - ... */
        sum = square * (1.0 / n - sum);
    }
    double y = (i < COUNT(ends) ? angles[i] : PI_HALF) + (t - t * sum);
    return x < 0 ? -y : y;
}

double sow_asinh(double x)
{
    double a = x < 0 ? -x : x;
    if (x != x || a < 0x1p-27) {
        return x;
    }
    double y = a > 0x1p28 ? sow_log(a) + LN2 : sow_log1p(a + a * a / (1 + sow_sqrt(1 + a * a)));
    return x < 0 ? -y : y;
}
