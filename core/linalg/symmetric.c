/* SPDX-License-Identifier: MIT */
/* Rows are walked whole, in order, and every element is a chain of its own: compilers may vectorise and change no bit. */
#include "core/linalg/symmetric.h"

#include <float.h>

#include "core/base/elementary.h"

static double magnitude(double x)
{
    return x < 0 ? -x : x;
}

/* ---- Tridiagonal form --------------------------------------------------------------------------- */

/* Turns x[0 .. count) into v, so that (1 - beta v v^T) x = alpha e_0; v is scaled by its largest element, which no size
 * of numbers overflows. */
static double reflect(double *x, uint64_t count, double *alpha)
{
    double largest = 0, sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        largest = magnitude(x[i]) > largest ? magnitude(x[i]) : largest;
    }
    *alpha = 0;
    if (largest == 0) {
        return 0;
    }
    for (uint64_t i = 0; i < count; i++) {
        x[i] /= largest;
        sum += x[i] * x[i];
    }
    double length = sow_sqrt(sum), first = x[0];
    length = first > 0 ? -length : length;
    *alpha = length * largest;
    x[0] = first - length;
    return 2 / (sum - first * first + x[0] * x[0]);
}

/* The trailing block, `count` wide, becomes H A H with H = 1 - beta v v^T. */
static void turn_block(double *a, uint64_t n, uint64_t count, const double *v, double beta,
                       double *p)
{
    double along = 0;
    for (uint64_t j = 0; j < count; j++) {
        p[j] = 0;
    }
    for (uint64_t i = 0; i < count; i++) { /* p = beta A v; A is symmetric, so by rows */
        const double *row = a + i * n;
        double factor = beta * v[i];
        for (uint64_t j = 0; j < count; j++) {
            p[j] += factor * row[j];
        }
    }
    for (uint64_t i = 0; i < count; i++) {
        along += p[i] * v[i];
    }
    for (uint64_t i = 0; i < count; i++) {
        p[i] -= beta / 2 * along * v[i];
    }
    for (uint64_t i = 0; i < count; i++) {
        double *row = a + i * n, vi = v[i], pi = p[i];
        for (uint64_t j = 0; j < count; j++) {
            row[j] -= vi * p[j] + pi * v[j];
        }
    }
}

/* ---- Bisection ------------------------------------------------------------------------------------ */

/* How many eigenvalues are below x: negative pivots of A - x. */
static uint64_t count_below(uint64_t n, const double *diagonal, const double *beside, double least,
                            double x)
{
    uint64_t below = 0;
    double pivot = 1;
    for (uint64_t i = 0; i < n; i++) {
        double e = i > 0 ? beside[i - 1] : 0;
        pivot = diagonal[i] - x - e * (e / pivot);
        pivot = magnitude(pivot) < least ? -least : pivot;
        below += pivot < 0;
    }
    return below;
}

struct bounds {
    double low, high, least; /* least: what a pivot is taken for when it is smaller */
};

/* Gershgorin's circles, a little widened. */
static struct bounds bounds_of(uint64_t n, const double *diagonal, const double *beside)
{
    struct bounds bounds = {diagonal[0], diagonal[0], 0};
    for (uint64_t i = 0; i < n; i++) {
        double reach =
            (i > 0 ? magnitude(beside[i - 1]) : 0) + (i + 1 < n ? magnitude(beside[i]) : 0);
        bounds.low = diagonal[i] - reach < bounds.low ? diagonal[i] - reach : bounds.low;
        bounds.high = diagonal[i] + reach > bounds.high ? diagonal[i] + reach : bounds.high;
    }
    double size = magnitude(bounds.low) > magnitude(bounds.high) ? magnitude(bounds.low)
                                                                 : magnitude(bounds.high);
    bounds.least = size * DBL_EPSILON * DBL_EPSILON + DBL_MIN;
    bounds.low -= 2 * DBL_EPSILON * size + DBL_MIN;
    bounds.high += 2 * DBL_EPSILON * size + DBL_MIN;
    return bounds;
}

static double bisect(uint64_t n, const double *diagonal, const double *beside, struct bounds in,
                     uint64_t index)
{
    double size = magnitude(in.low) > magnitude(in.high) ? magnitude(in.low) : magnitude(in.high);
    while (in.high - in.low > DBL_EPSILON * size + DBL_MIN) {
        double middle = in.low + (in.high - in.low) / 2;
        if (middle <= in.low || middle >= in.high) {
            break;
        }
        if (count_below(n, diagonal, beside, in.least, middle) > index) {
            in.high = middle;
        } else {
            in.low = middle;
        }
    }
    return in.low + (in.high - in.low) / 2;
}

double sow_tridiagonal_eigenvalue(uint64_t n, const double *diagonal, const double *beside,
                                  uint64_t index)
{
    return bisect(n, diagonal, beside, bounds_of(n, diagonal, beside), index);
}

void sow_symmetric_eigenvalues(uint64_t n, double *a, double *work, double *values)
{
    double *diagonal = work, *beside = work + n, *v = work + 2 * n, *p = work + 3 * n;
    for (uint64_t k = 0; k + 1 < n; k++) {
        uint64_t count = n - k - 1;
        const double *row = a + k * n + k + 1;
        diagonal[k] = a[k * n + k];
        for (uint64_t i = 0; i < count; i++) {
            v[i] = row[i];
        }
        double beta = reflect(v, count, &beside[k]);
        if (beta != 0 && count > 1) {
            turn_block(a + (k + 1) * n + k + 1, n, count, v, beta, p);
        } else {
            beside[k] = row[0];
        }
    }
    if (n == 0) {
        return;
    }
    diagonal[n - 1] = a[n * n - 1];
    struct bounds bounds = bounds_of(n, diagonal, beside);
    for (uint64_t i = 0; i < n; i++) {
        values[i] = bisect(n, diagonal, beside, bounds, i);
    }
}
