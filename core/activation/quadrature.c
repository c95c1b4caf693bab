/* SPDX-License-Identifier: MIT */
/* Composite Gauss-Legendre quadrature against the normal density, in a fixed order of summation. */
#include "core/activation/quadrature.h"

#include "core/activation/quadrature_constants.h"
#include "core/base/elementary.h"

#define LIMIT 12 /* the density is 2e-32 there */

static const double density_at_0 = 0x1.9884533d43651p-2; /* 1 / sqrt(2 pi) */

/* Neumaier 1974: the sum and what rounding took from it. */
struct total {
    double sum, lost;
};

static void add(struct total *total, double term)
{
    double sum = total->sum + term;
    double term_part = sum - total->sum;
    total->lost += (total->sum - (sum - term_part)) + (term - term_part);
    total->sum = sum;
}

static double integrand(double (*f)(double z, const void *context), const void *context, double z)
{
    return f(z, context) * sow_exp(-0.5 * z * z);
}

/* Integral over one panel, without the density's constant. */
static void add_panel(struct total *total, double (*f)(double z, const void *context),
                      const void *context, double low, double high)
{
    double middle = 0.5 * (low + high), half = 0.5 * (high - low);
    for (size_t i = 0; i < sizeof sow_legendre / sizeof sow_legendre[0]; i++) {
        double offset = half * sow_legendre[i].node;
        double pair =
            integrand(f, context, middle - offset) + integrand(f, context, middle + offset);
        add(total, half * sow_legendre[i].weight * pair);
    }
}

double sow_gaussian_mean(double (*f)(double z, const void *context), const void *context,
                         const double *kinks, size_t count)
{
    struct total total = {0, 0};
    double low = -LIMIT;
    size_t next = 0;
    for (int step = -LIMIT + 1; step <= LIMIT; step++) { /* panels end at integers and at kinks */
        for (; next < count && kinks[next] < step; next++) {
            add_panel(&total, f, context, low, kinks[next]);
            low = kinks[next];
        }
        add_panel(&total, f, context, low, step);
        low = step;
    }
    return density_at_0 * (total.sum + total.lost);
}
