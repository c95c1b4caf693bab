/* SPDX-License-Identifier: MIT */
/* Elementary functions and fma: special values as in C's Annex F, one digest for all bits, and
 * libm as a coarse second opinion. The fine one, against mpmath, is
 * tests/python/test_elementary.py. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/root.h"
#include "tests/c/elementary_digest.h"

static void same(double got, double want)
{
    if (want != want) {
        assert_true(got != got);
        return;
    }
    assert_true(sow_double_bits(got) == sow_double_bits(want)); /* signs of zeros, too */
}

static void test_digest(void **state)
{
    (void)state;
    assert_true(elementary_digest() == ELEMENTARY_DIGEST);
}

static void test_special_values(void **state)
{
    (void)state;
    const struct {
        double (*function)(double);
        double nan, minus_infinity, minus_one, minus_zero, zero, infinity;
    } rows[] = {
        {sow_exp, NAN, 0, 0x1.78b56362cef38p-2, 1, 1, INFINITY},
        {sow_expm1, NAN, -1, -0x1.43a54e4e98864p-1, -0.0, 0, INFINITY},
        {sow_log, NAN, NAN, NAN, -INFINITY, -INFINITY, INFINITY},
        {sow_log1p, NAN, NAN, -INFINITY, -0.0, 0, INFINITY},
        {sow_sqrt, NAN, NAN, NAN, -0.0, 0, INFINITY},
        {sow_tanh, NAN, -1, -0x1.85efab514f394p-1, -0.0, 0, 1},
        {sow_erf, NAN, -1, -0x1.af767a741088bp-1, -0.0, 0, 1},
        {sow_erfc, NAN, 2, 0x1.d7bb3d3a08445p+0, 1, 1, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        same(rows[i].function(NAN), NAN);
        same(rows[i].function(-INFINITY), rows[i].minus_infinity);
        same(rows[i].function(-1), rows[i].minus_one);
        same(rows[i].function(-0.0), rows[i].minus_zero);
        same(rows[i].function(0), rows[i].zero);
        same(rows[i].function(INFINITY), rows[i].infinity);
    }
}

static void test_ends(void **state)
{
    (void)state;
    same(sow_exp(709.782712893384), 0x1.fffffffffff2ap+1023);
    same(sow_exp(709.79), INFINITY);
    same(sow_exp(-745.13), 0x1p-1074);
    same(sow_exp(-745.14), 0);
    same(sow_exp(0x1p-1074), 1);
    same(sow_log(1), 0);
    same(sow_log(0x1p-1074), -0x1.74385446d71c3p+9);
    same(sow_log1p(0x1p-1074), 0x1p-1074);
    same(sow_sqrt(0x1p-1074), 0x1p-537);
    same(sow_sqrt(0x1.fffffffffffffp1023), 0x1.fffffffffffffp511);
    uint64_t words = 1;
    for (int i = 0; i < 100000; i++) {
        double x = fabs(next_argument(&words));
        if (x > 0 && x < INFINITY) {
            same(sow_root_software(x), sow_sqrt(x));
        }
    }
    same(sow_tanh(-0x1p-1074), -0x1p-1074);
    same(sow_tanh(20), 1);
    same(sow_erf(6), 1);
    same(sow_erfc(27.3), 0);
    same(sow_erfc(26.5432), erfc(26.5432));
}

/* C11 F.10.4.4. */
static void test_pow(void **state)
{
    (void)state;
    static const double rows[][3] = {
        {0, -3, INFINITY},
        {-0.0, -3, -INFINITY},
        {-0.0, -2, INFINITY},
        {0, -0.5, INFINITY},
        {-0.0, -INFINITY, INFINITY},
        {0, 3, 0},
        {-0.0, 3, -0.0},
        {-0.0, 2, 0},
        {-1, INFINITY, 1},
        {-1, -INFINITY, 1},
        {1, NAN, 1},
        {NAN, 0, 1},
        {NAN, -0.0, 1},
        {-2, 0.5, NAN},
        {0.5, -INFINITY, INFINITY},
        {2, -INFINITY, 0},
        {-0.5, INFINITY, 0},
        {-2, INFINITY, INFINITY},
        {-INFINITY, -3, -0.0},
        {-INFINITY, -2, 0},
        {-INFINITY, 3, -INFINITY},
        {-INFINITY, 2, INFINITY},
        {INFINITY, -0.1, 0},
        {INFINITY, 0.1, INFINITY},
        {NAN, 1, NAN},
        {2, NAN, NAN},
        {2, 10, 1024},
        {-2, 3, -8},
        {-2, 0x1p60, INFINITY},
        {2, -1074, 0x1p-1074},
        {2, -1076, 0},
        {2, 1023, 0x1p1023},
        {2, 1024, INFINITY},
        {-8, 0x1p-1, NAN},
        {0x1p-1074, 0.5, 0x1p-537},
        {10, 2, 100},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        same(sow_pow(rows[i][0], rows[i][1]), rows[i][2]);
    }
}

static void check_fma(double a, double b, double c)
{
    same(sow_fma_software(a, b, c), fma(a, b, c));
    same(sow_fma(a, b, c), fma(a, b, c));
    float x = (float)a, y = (float)b, z = (float)c;
    same((double)sow_fmaf_software(x, y, z), (double)fmaf(x, y, z));
    same((double)sow_fmaf(x, y, z), (double)fmaf(x, y, z));
}

static void test_fma_special_values(void **state)
{
    (void)state;
    static const double values[] = {0,
                                    -0.0,
                                    1,
                                    -1,
                                    INFINITY,
                                    -INFINITY,
                                    NAN,
                                    0x1p-1074,
                                    -0x1p-1022,
                                    0x1.fffffffffffffp1023,
                                    -0x1.fffffffffffffp1023,
                                    0x1p-126,
                                    -0x1p-149,
                                    0x1.fffffep127,
                                    0x1.0000000000001p0,
                                    0x1p-537,
                                    0x1.8p-538,
                                    0x1p600};
    const size_t count = sizeof values / sizeof values[0];
    for (size_t i = 0; i < count * count * count; i++) {
        check_fma(values[i % count], values[i / count % count], values[i / count / count]);
    }
}

/* Few bits make ties, near products make cancellation, low exponents make subnormals. */
static double hard_number(uint64_t *state, int exponent)
{
    uint64_t word = next_word(state), significand = next_word(state) & 0xfffffffffffffu;
    uint64_t mask = ~UINT64_C(0) << (word & 63);
    exponent = exponent < 0 ? 0 : exponent > 2046 ? 2046 : exponent;
    return sow_bits_double((word & 0x8000000000000000u) | (uint64_t)exponent << 52 |
                           (significand & (word & 64 ? mask : ~UINT64_C(0)) & 0xfffffffffffffu));
}

static void test_fma_hard_cases(void **state)
{
    (void)state;
    uint64_t random = 7;
    for (int i = 0; i < 1000000; i++) {
        int range = i & 1 ? 2047 : 200, offset = i & 1 ? 0 : 923;
        int a_exponent = (int)(next_word(&random) % (uint64_t)range) + offset;
        int b_exponent = (int)(next_word(&random) % (uint64_t)range) + offset;
        double a = hard_number(&random, a_exponent), b = hard_number(&random, b_exponent);
        int distance = (int)(next_word(&random) % 240) - 120;
        double c = hard_number(&random, a_exponent + b_exponent - 1023 + distance);
        check_fma(a, b, i % 8 == 0 ? -a * b : c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digest),
        cmocka_unit_test(test_special_values),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_pow),
        cmocka_unit_test(test_fma_special_values),
        cmocka_unit_test(test_fma_hard_cases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
