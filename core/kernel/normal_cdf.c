/* SPDX-License-Identifier: MIT */
/* The normal distribution function by a table of quarters and a Taylor series: no exponential, only + - * / and fma. */
#include "core/kernel/normal_cdf.h"

#include "core/base/fma.h"
#include "core/kernel/stream_constants.h"

#define TERMS      18
#define LOWER_EDGE 9.125 /* beyond the table; Phi(-9.125) is about 3.6e-20 */

/* Phi(-t) for t >= 0. With t = t0 + d: Phi(-t) = Phi(-t0) - phi(t0) (d + H1 d^2/2! + H2 d^3/3! + ...), where
 * H1 = -t0 and H(n+1) = -t0 H(n) - n H(n-1). */
static double lower_tail(double t)
{
    if (!(t < LOWER_EDGE)) {
        return 0.0;
    }
    int quarter = (int)(t * 4.0 + 0.5);
    double t0 = 0.25 * quarter;
    double d = t - t0;
    double power = d, sum = d; /* d^(n+1) / (n+1)! */
    double previous = 1.0, hermite = -t0;
    for (int n = 1; n <= TERMS; n++) {
        power = power * d / (n + 1);
        sum = sow_fma(hermite, power, sum);
        double next = sow_fma(-t0, hermite, -(n * previous));
        previous = hermite;
        hermite = next;
    }
    return sow_fma(-cdf_table[quarter][1], sum, cdf_table[quarter][0]);
}

double sow_normal_cdf(double x)
{
    return x <= 0.0 ? lower_tail(-x) : 1.0 - lower_tail(x);
}
