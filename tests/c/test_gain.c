/* SPDX-License-Identifier: MIT */
/* Gains: closed forms, 30-digit values, closed forms against the quadrature, and the rules by word. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "core/activation/gain.h"
#include "core/activation/quadrature.h"
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
        {"prelu", NAN, 1.3719886811400708},
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
        assert_true(strlen(row->name) > 0 && strlen(row->formula) > 0 && row->aliases != NULL);
        assert_string_equal(sow_gain_name(i), row->name);
        int has_slope = row->parameter_count > 0 && strcmp(row->parameters[0].name, "slope") == 0;
        for (int step = -4; step <= 4; step++) {
            const struct sow_argument slope = {.name = "slope", .number = 0.25 * step};
            struct sow_function function;
            double gain;
            assert_int_equal(
                sow_function_named(row->name, &slope, (size_t)has_slope, &function, NULL), SOW_OK);
            double exact = sow_second_moment(&function);
            close_to(sow_second_moment_by_quadrature(&function), exact);
            assert_int_equal(sow_gain(row->name, has_slope ? slope.number : NAN, &gain, NULL),
                             SOW_OK);
            close_to(gain, 1 / sqrt(exact));
        }
    }
    assert_null(sow_gain_name(SIZE_MAX));
}

static void test_rules(void **state)
{
    (void)state;
    static const struct {
        enum sow_gain_rule rule;
        const char *activation;
        double slope, gain;
    } rows[] = {
        {SOW_GAIN_EXACT, "tanh", NAN, 1.5925374197228314},
        {SOW_GAIN_TORCH, "tanh", NAN, 5.0 / 3},
        {SOW_GAIN_TORCH, "sigmoid", NAN, 1},
        {SOW_GAIN_TORCH, "selu", NAN, 0.75},
        {SOW_GAIN_TORCH, "leaky_relu", 0.2, 1.3867504905630728},
        {SOW_GAIN_NFNET, "relu", NAN, 1.7139588594436646},
        {SOW_GAIN_CRITICAL, "tanh", NAN, 1},
        {SOW_GAIN_CRITICAL, "relu", NAN, 1.4142135623730951},
        {SOW_GAIN_CRITICAL, "elu", NAN, 1.2234285},   /* sqrt 1.4967774354 */
        {SOW_GAIN_CRITICAL, "gelu", NAN, 1.40821100}, /* sqrt 1.9830582574 */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double gain = 0;
        assert_int_equal(
            sow_gain_by_rule(rows[i].rule, rows[i].activation, rows[i].slope, &gain, NULL), SOW_OK);
        double tolerance = rows[i].rule == SOW_GAIN_CRITICAL ? 1e-6 : 1e-14;
        if (!(fabs(gain - rows[i].gain) <= tolerance * gain)) {
            fail_msg("%s of %s: %.17g", sow_gain_rule_name(rows[i].rule), rows[i].activation, gain);
        }
    }
}

static void check_rule_error(enum sow_gain_rule rule, const char *activation, const char *message)
{
    struct sow_error error;
    double gain = -1;
    assert_int_equal(sow_gain_by_rule(rule, activation, NAN, &gain, &error), SOW_E_ARGUMENT);
    assert_string_equal(error.message, message);
    assert_true(gain == -1);
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
    check_gain_error("ReLu", NAN, "no activation is called 'ReLu'; did you mean relu?");
    check_gain_error("", NAN, "no activation is called ''; `sow activations` lists them");
    check_gain_error("tanh", 0.1, "tanh has no slope; leaky_relu has one");
    check_gain_error("leaky_relu", INFINITY, "slope of leaky_relu must be a finite number");
    check_rule_error(SOW_GAIN_TORCH, "gelu",
                     "torch has no gain for gelu, only for linear, relu, leaky_relu, selu, tanh, "
                     "sigmoid; gain = \"exact\" has one for every activation");
    check_rule_error(SOW_GAIN_CRITICAL, "sigmoid",
                     "sigmoid cannot be made critical at any scale; centre it, change the "
                     "activation, or take gain = \"exact\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gains),
        cmocka_unit_test(test_closed_forms_against_quadrature),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_gain_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
