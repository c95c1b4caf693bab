/* SPDX-License-Identifier: MIT */
/* Means over two inputs by their several ways against one another: the series, the plane, closed forms. Other judges are
 * in tests/python/test_pairs.py and test_acceptance_activations.py. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/activation/pair.h"
#include "core/activation/plane.h"

static void near_to(double got, double want, double tolerance, const char *what)
{
    if (!(fabs(got - want) <= tolerance)) {
        fail_msg("%s: %.17g instead of %.17g", what, got, want);
    }
}

static struct sow_function function_of(const char *name)
{
    struct sow_function function;
    assert_int_equal(sow_function_named(name, NULL, 0, &function, NULL), SOW_OK);
    return function;
}

static struct sow_expansion expand(const struct sow_pointwise *f, double mean, double std)
{
    struct sow_expansion expansion;
    assert_int_equal(sow_expand(f, mean, std, &expansion, NULL), SOW_OK);
    return expansion;
}

static void test_plane_is_as_the_series(void **state)
{
    static const char *const names[] = {"tanh", "gelu",         "elu",        "relu6",
                                        "mish", "relu_squared", "hardshrink", "square"};
    static const double correlations[] = {-0.5, -0.2, 0, 0.3, 0.5};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct sow_function function = function_of(names[i]);
        struct sow_pointwise f = sow_pointwise_of(&function);
        for (double mean = -0.5; mean <= 0.5; mean += 0.5) {
            struct sow_expansion e = expand(&f, mean, 0.8);
            for (size_t k = 0; k < sizeof correlations / sizeof correlations[0]; k++) {
                double c = correlations[k], slope_square = e.jumps ? NAN : e.slope_square;
                struct sow_plane_means means;
                assert_true(sow_expansion_converged(&e, c));
                assert_true(sow_plane_means(&f, mean, 0.8, c, e.square, slope_square, &means));
                near_to(means.product, sow_expansion_product(&e, c), 1e-11 * e.square, names[i]);
                if (!e.jumps) {
                    near_to(means.slopes, sow_expansion_slopes(&e, c), 1e-11 * e.slope_square,
                            names[i]);
                }
            }
        }
    }
}

static void test_steep_series_are_known_as_such(void **state)
{
    (void)state;
    struct sow_function function = function_of("hardtanh");
    struct sow_pointwise f = sow_pointwise_of(&function);
    struct sow_expansion e = expand(&f, 0, 1);
    assert_true(sow_expansion_converged(&e, 0.3));
    assert_false(sow_expansion_converged(&e, 0.99));
    assert_false(sow_expansion_converged(&e, -0.99));
}

/* Both means of one and of two inputs from closed forms, against the quadrature of what they stand for. */
static void test_closed_forms_are_as_quadrature(void **state)
{
    static const char *const names[] = {"sin", "cos", "exp"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct sow_function function = function_of(names[i]);
        struct sow_pointwise f = sow_pointwise_of(&function), plain = f;
        plain.closed = NULL;
        for (double mean = -0.4; mean < 1; mean += 0.7) {
            struct sow_expansion closed = expand(&f, mean, 1.1), e = expand(&plain, mean, 1.1);
            assert_ptr_equal(closed.closed, &function);
            near_to(closed.mean, e.mean, 1e-10 * closed.square, names[i]);
            near_to(closed.square, e.square, 1e-10 * closed.square, names[i]);
            near_to(closed.fourth, e.fourth, 1e-7 * closed.fourth, names[i]);
            near_to(closed.slope, e.slope, 1e-10 * closed.square, names[i]);
            near_to(closed.slope_square, e.slope_square, 1e-10 * closed.square, names[i]);
            near_to(closed.growth, e.growth, 1e-9 * closed.square, names[i]);
            for (double c = -1; c <= 1; c += 0.5) {
                double product = sow_expansion_product(&closed, c);
                near_to(product, sow_expansion_product(&e, c), 1e-10 * closed.square, names[i]);
                near_to(sow_expansion_slopes(&closed, c), sow_expansion_slopes(&e, c),
                        1e-9 * closed.slope_square, names[i]);
            }
        }
    }
}

static void test_narrow_inputs_of_waves_take_the_series(void **state)
{
    (void)state;
    struct sow_function function = function_of("sin");
    struct sow_pointwise f = sow_pointwise_of(&function);
    struct sow_expansion e = expand(&f, 0, 1e-5);
    assert_null(e.closed);
    near_to(e.fourth / (e.square * e.square), 3, 1e-8, "a line's fourth moment");
}

static double hiss(const void *of, double x, double *slope)
{
    (void)of;
    *slope = NAN;
    return sin(3000 * x);
}

/* What the plane cannot do in bounded time it refuses, and leaves to the series. */
static void test_wild_functions_end(void **state)
{
    (void)state;
    const struct sow_pointwise f = {.value = hiss};
    struct sow_plane_means means;
    assert_false(sow_plane_means(&f, 0, 10, 0.9, 0.5, NAN, &means));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plane_is_as_the_series),
        cmocka_unit_test(test_steep_series_are_known_as_such),
        cmocka_unit_test(test_closed_forms_are_as_quadrature),
        cmocka_unit_test(test_narrow_inputs_of_waves_take_the_series),
        cmocka_unit_test(test_wild_functions_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
