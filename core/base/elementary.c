/* SPDX-License-Identifier: MIT */
/* exp, log, pow and erf from two kernels that carry a tail: exp of a pair, log to a pair. A pair
 * is an unevaluated sum of two doubles (Dekker 1971); products are exact by fma. Logarithms by
 * log m = 2 atanh((m - 1) / (m + 1)) and exponentials by Taylor's series, both after reduction
 * by log 2; erfc through (1 + 2 x) exp(x^2) erfc(x), which is nearly flat (Shepherd and
 * Laframboise 1981). */
#include "core/base/elementary.h"

#include <stddef.h>
#include <stdint.h>

#include "core/base/elementary_constants.h"
#include "core/base/fma.h"
#include "core/base/root.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* hi + lo, |lo| <= ulp(hi) / 2 or so. */
struct pair {
    double hi, lo;
};

static double infinity(void)
{
    return sow_bits_double(0x7ff0000000000000u);
}

static double not_a_number(void)
{
    return sow_bits_double(0x7ff8000000000000u);
}

static double magnitude(double x)
{
    return sow_bits_double(sow_double_bits(x) & 0x7fffffffffffffffu);
}

static int is_negative(double x)
{
    return (int)(sow_double_bits(x) >> 63);
}

static double with_sign_of(double x, double sign)
{
    return is_negative(sign) ? -magnitude(x) : magnitude(x);
}

static double power_of_two(int k) /* -1022 <= k <= 1023 */
{
    return sow_bits_double((uint64_t)(k + 1023) << 52);
}

/* x 2^k, rounded once; |k| <= 1990. */
static double scale(double x, int k)
{
    if (k > 1023) {
        return x * power_of_two(1023) * power_of_two(k - 1023);
    }
    if (k < -1022) { /* the first factor keeps 1 <= x < 2^53 normal */
        return x * power_of_two(-969) * power_of_two(k + 969);
    }
    return x * power_of_two(k);
}

/* a + b, exactly. */
static struct pair sum(double a, double b)
{
    struct pair s;
    s.hi = a + b;
    double b_part = s.hi - a;
    s.lo = (a - (s.hi - b_part)) + (b - b_part);
    return s;
}

/* a * b, exactly: by fma, or by halves of 26 bits (Dekker 1971), which is faster than fma in software. 2^-400 < |a b|
 * or both small: here nothing comes near double's ends. */
static struct pair product(double a, double b)
{
    struct pair p;
    p.hi = a * b;
#if SOW_HARDWARE_FMA
    p.lo = sow_fma(a, b, -p.hi);
#else
    const double split = 0x1p27 + 1;
    double a_far = split * a, b_far = split * b;
    double a_high = a_far - (a_far - a), b_high = b_far - (b_far - b);
    double a_low = a - a_high, b_low = b - b_high;
    p.lo = ((a_high * b_high - p.hi) + a_high * b_low + a_low * b_high) + a_low * b_low;
#endif
    return p;
}

static struct pair multiply(struct pair a, struct pair b)
{
    struct pair p = product(a.hi, b.hi);
    return sum(p.hi, p.lo + (a.hi * b.lo + a.lo * b.hi));
}

static struct pair divide(struct pair a, struct pair b)
{
    double quotient = a.hi / b.hi;
    struct pair back =
        product(quotient, b.hi); /* a.hi - back.hi is exact, and so is what is left */
    double rest = ((a.hi - back.hi) - back.lo) + (a.lo - quotient * b.lo);
    return sum(quotient, rest / b.hi);
}

/* terms[0] + terms[1] x + ... */
static double polynomial(const double *terms, size_t count, double x)
{
    double value = terms[count - 1];
    for (size_t i = count - 1; i-- > 0;) {
        value = value * x + terms[i];
    }
    return value;
}

/* exp(x) = 2^*k (hi + lo), |x.hi| <= 800; hi is 1 + r rounded. */
static struct pair exp_kernel(struct pair x, int *k)
{
    const double round = 0x1.8p52; /* adding and taking it away rounds to an integer */
    double n = (x.hi * SOW_LN2_INVERSE + round) - round;
    struct pair r = sum(x.hi - n * SOW_LN2_HEAD, x.lo - n * SOW_LN2_TAIL);
    double rest = r.hi * r.hi * polynomial(sow_exp_terms, COUNT(sow_exp_terms), r.hi);
    struct pair y = sum(1.0, r.hi);
    y.lo += rest + (r.lo + r.lo * r.hi);
    *k = (int)n;
    return y;
}

/* log(x + tail) with about 68 bits; x > 0 and finite, |tail| <= ulp(x). */
static struct pair log_kernel(double x, double tail)
{
    int k = 0;
    if (x < 0x1p-1022) {
        x *= 0x1p54;
        k = -54;
    }
    uint64_t bits = sow_double_bits(x);
    k += (int)(bits >> 52) - 1023;
    double m = sow_bits_double((bits & 0xfffffffffffffu) | 0x3ff0000000000000u);
    if (m > 0x1.6a09e667f3bcdp0) { /* sqrt 2 */
        m *= 0.5;
        k += 1;
    }
    struct pair numerator = sum(m - 1.0, scale(tail, -k));
    struct pair denominator = sum(2.0, numerator.hi);
    denominator.lo += numerator.lo;
    struct pair s = divide(numerator, denominator);
    struct pair u = multiply(s, s);
    /* atanh(s) = s + s u (1/3 + u (1/5 + u tail)) */
    double tail_sum = u.hi * polynomial(sow_atanh_terms, COUNT(sow_atanh_terms), u.hi);
    struct pair series = sum(SOW_FIFTH_HEAD, SOW_FIFTH_TAIL + tail_sum);
    series = multiply(u, series);
    struct pair third = sum(SOW_THIRD_HEAD, series.hi);
    series = sum(third.hi, third.lo + (series.lo + SOW_THIRD_TAIL));
    series = multiply(s, multiply(u, series));
    struct pair atanh = sum(s.hi, series.hi);
    atanh.lo += s.lo + series.lo;
    struct pair y = sum(k * SOW_LN2_HEAD, 2 * atanh.hi);
    return sum(y.hi, y.lo + (2 * atanh.lo + k * SOW_LN2_TAIL));
}

double sow_exp(double x)
{
    if (x != x) {
        return x;
    }
    if (x > 710) {
        return infinity();
    }
    if (x < -746) {
        return 0;
    }
    int k;
    struct pair y = exp_kernel((struct pair){x, 0}, &k);
    return scale(y.hi + y.lo, k);
}

/* exp(x) - 1, |x| <= 60. */
static struct pair expm1_pair(double x)
{
    int k;
    struct pair y = exp_kernel((struct pair){x, 0}, &k);
    double factor = power_of_two(k);
    struct pair z = sum(y.hi * factor, -1.0);
    return sum(z.hi, z.lo + y.lo * factor);
}

double sow_expm1(double x)
{
    if (x != x || magnitude(x) < 0x1p-54) {
        return x;
    }
    if (x > 60) {
        return sow_exp(x);
    }
    if (x < -60) {
        return -1;
    }
    struct pair y = expm1_pair(x);
    return y.hi + y.lo;
}

double sow_log(double x)
{
    if (x == 0) {
        return -infinity();
    }
    if (x < 0) {
        return not_a_number();
    }
    if (x != x || x == infinity()) {
        return x;
    }
    struct pair y = log_kernel(x, 0);
    return y.hi + y.lo;
}

double sow_log1p(double x)
{
    if (x == -1) {
        return -infinity();
    }
    if (x < -1) {
        return not_a_number();
    }
    if (x != x || x == infinity() || magnitude(x) < 0x1p-54) {
        return x;
    }
    struct pair z = sum(1.0, x);
    struct pair y = log_kernel(z.hi, z.lo);
    return y.hi + y.lo;
}

/* 0 when y is no integer, 1 when odd, 2 when even. */
static int parity(double y)
{
    double a = magnitude(y);
    if (a >= 0x1p53) {
        return 2;
    }
    if (a < 1) {
        return a == 0 ? 2 : 0;
    }
    uint64_t whole = (uint64_t)a;
    if ((double)whole != a) {
        return 0;
    }
    return whole & 1 ? 1 : 2;
}

/* pow where x or y is 0 or infinite (and y is not 0, x is not 1): the magnitude. */
static double pow_at_the_ends(double x, double y)
{
    double a = magnitude(x);
    if (magnitude(y) == infinity()) {
        if (a == 1) {
            return 1;
        }
        return (a > 1) == (y > 0) ? infinity() : 0;
    }
    return (a == 0) == (y > 0) ? 0 : infinity();
}

/* |x|^y for finite nonzero x and y. */
static double pow_of_magnitude(double x, double y)
{
    struct pair l = log_kernel(magnitude(x), 0);
    double estimate = y * l.hi;
    if (estimate > 710) {
        return infinity();
    }
    if (estimate < -746) {
        return 0;
    }
    struct pair p = product(y, l.hi);
    p.lo += y * l.lo;
    int k;
    struct pair z = exp_kernel(p, &k);
    return scale(z.hi + z.lo, k);
}

double sow_pow(double x, double y)
{
    if (y == 0 || x == 1) {
        return 1;
    }
    if (x != x || y != y) {
        return not_a_number();
    }
    int kind = parity(y);
    int negative = is_negative(x) && kind == 1;
    double result;
    if (x == 0 || magnitude(x) == infinity() || magnitude(y) == infinity()) {
        result = pow_at_the_ends(x, y);
    } else if (is_negative(x) && kind == 0) {
        return not_a_number();
    } else {
        result = pow_of_magnitude(x, y);
    }
    return negative ? -result : result;
}

double sow_sqrt(double x)
{
    if (x != x || x == 0 || x == infinity()) {
        return x;
    }
    return x < 0 ? not_a_number() : sow_root(x);
}

double sow_tanh(double x)
{
    double a = magnitude(x);
    if (x != x || a < 0x1p-28) {
        return x;
    }
    if (a > 22) {
        return with_sign_of(1, x);
    }
    struct pair numerator = expm1_pair(2 * a); /* tanh = (e^2a - 1) / (e^2a + 1) */
    struct pair denominator = sum(2.0, numerator.hi);
    denominator.lo += numerator.lo;
    struct pair y = divide(numerator, denominator);
    return with_sign_of(y.hi + y.lo, x);
}

/* erf(x), |x| <= 1/2. */
static struct pair erf_centre(double x)
{
    return sum(x, x * polynomial(sow_erf_terms, COUNT(sow_erf_terms), x * x));
}

/* erfc(x) = 2^*k (hi + lo), 1/2 <= x <= 27.3. */
static struct pair erfc_kernel(double x, int *k)
{
    struct pair square = product(x, x);
    struct pair e = exp_kernel((struct pair){-square.hi, -square.lo}, k);
    double t = (x - SOW_ERFC_CENTRE) / (x + SOW_ERFC_CENTRE);
    double rest = t * polynomial(sow_erfc_terms + 1, COUNT(sow_erfc_terms) - 1, t);
    struct pair flat = divide(sum(sow_erfc_terms[0], rest), sum(2 * x, 1.0));
    return multiply(e, flat);
}

double sow_erf(double x)
{
    double a = magnitude(x);
    if (x != x || a == 0) {
        return x;
    }
    if (a <= 0.5) {
        struct pair y = erf_centre(x);
        return y.hi + y.lo;
    }
    if (a > 6) {
        return with_sign_of(1, x);
    }
    int k;
    struct pair y = erfc_kernel(a, &k);
    double factor = power_of_two(k);
    struct pair z = sum(1.0, -y.hi * factor);
    return with_sign_of(z.hi + (z.lo - y.lo * factor), x);
}

double sow_erfc(double x)
{
    if (x != x) {
        return x;
    }
    if (magnitude(x) <= 0.5) {
        struct pair y = erf_centre(x);
        struct pair z = sum(1.0, -y.hi);
        return z.hi + (z.lo - y.lo);
    }
    if (x > 27.3) {
        return 0;
    }
    if (x < -6) {
        return 2;
    }
    int k;
    struct pair y = erfc_kernel(magnitude(x), &k);
    if (x > 0) {
        return scale(y.hi + y.lo, k);
    }
    double factor = power_of_two(k);
    struct pair z = sum(2.0, -y.hi * factor);
    return z.hi + (z.lo - y.lo * factor);
}
