/* SPDX-License-Identifier: MIT */
/* Gains: closed forms, 30-digit values, and closed forms against the quadrature. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "core/activation/gain.h"
#include "sow/sow.h"

static void close_to(double got, double want)
{
    if (!(fabs(got - want) <= 1e-14 * fabs(want))) {
        fail_msg("%.17g instead of %.17g", got, want);
    }
}

static void test_gains(void **state)
{
    (void)state;
    static const struct {
        const char *activation;
        double slope, gain;
    } rows[] = {
        {"linear", NAN, 1},
        {"relu", NAN, 1.4142135623730951},
        {"leaky_relu", NAN, 1.4141428569978354},
        {"leaky_relu", 0.2, 1.3867504905630728},
        {"leaky_relu", 1, 1},
        {"selu", NAN, 1},
        {"tanh", NAN, 1.5925374197228314}, /* these five: mpmath, 30 digits */
        {"sigmoid", NAN, 1.8462285453386054},
        {"gelu", NAN, 1.5335304411955352},
        {"gelu_new", NAN, 1.5335805216661469},
        {"swish", NAN, 1.6765324703310912},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double gain = 0;
        assert_int_equal(sow_gain(rows[i].activation, rows[i].slope, &gain, NULL), SOW_OK);
        close_to(gain, rows[i].gain);
    }
}

static void test_closed_forms_against_quadrature(void **state)
{
    (void)state;
    const struct sow_activation *row;
    for (size_t i = 0; (row = sow_activation_at(i)) != NULL; i++) {
        assert_true(strlen(row->name) > 0 && strlen(row->summary) > 0 && row->aliases != NULL);
        assert_true((row->value == NULL) != (row->sloped == NULL));
        assert_string_equal(sow_gain_name(i), row->name);
        for (int step = -4; step <= 4; step++) {
            double slope = 0.25 * step;
            double exact = sow_activation_second_moment(row, slope);
            close_to(sow_activation_second_moment_by_quadrature(row, slope), exact);
        }
    }
    assert_null(sow_gain_name(SIZE_MAX));
}

static void check_gain_error(const char *activation, double slope, const char *message)
{
    struct sow_error error;
    double gain = -1;
    assert_int_equal(sow_gain(activation, slope, &gain, &error), SOW_E_ARGUMENT);
    assert_string_equal(error.message, message);
    assert_true(gain == -1);
}

static void test_gain_errors(void **state)
{
    (void)state;
    check_gain_error("rellu", NAN, "no activation is called 'rellu'; did you mean relu?");
    check_gain_error("ReLU", NAN, "no activation is called 'ReLU'; did you mean relu?");
    check_gain_error("", NAN,
                     "no activation is called ''; sow knows linear, relu, leaky_relu, tanh, "
                     "sigmoid, selu, gelu, gelu_tanh, silu");
    check_gain_error("tanh", 0.1, "tanh has no slope; leaky_relu has one");
    check_gain_error("leaky_relu", INFINITY, "slope of leaky_relu must be a finite number");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gains),
        cmocka_unit_test(test_closed_forms_against_quadrature),
        cmocka_unit_test(test_gain_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
