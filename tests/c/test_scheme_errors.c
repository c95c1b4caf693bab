/* SPDX-License-Identifier: MIT */
/* Every mistake in a scheme's name and arguments is named, and changes no draw. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/c/scheme_arguments.h"

static void check_error(const char *scheme, struct arguments arguments, const char *message)
{
    const struct sow_tensor tensor = sow_tensor_linear(512, 256);
    struct sow_draw draw = {SOW_NORMAL, 1, 2, 3, 4, 0, 5};
    struct sow_error error = {.message = ""};
    assert_int_equal(
        sow_scheme_resolve(scheme, arguments.list, arguments.count, &tensor, &draw, &error),
        SOW_E_ARGUMENT);
    assert_string_equal(error.message, message);
    assert_true(draw.mean == 1 && draw.std == 2 && draw.low == 3 && draw.high == 4);
    assert_int_equal(
        sow_scheme_resolve(scheme, arguments.list, arguments.count, &tensor, &draw, NULL),
        SOW_E_ARGUMENT);
}

/* Case F12 and its siblings: a parameter nobody reads. */
static void test_f12_a_parameter_nobody_reads(void **state)
{
    (void)state;
    check_error("normal", (struct arguments){{number("weight_std", 0.01)}, 1},
                "normal has no parameter weight_std; it takes mean, std; did you mean std?");
    check_error("normal", (struct arguments){{number("sd", 0.01)}, 1},
                "normal has no parameter sd; it takes mean, std; did you mean std?");
    check_error("normal", (struct arguments){{word("std", "0.01")}, 1},
                "std of normal must be a number, not the word \"0.01\"");
    check_error("normal", (struct arguments){{number(NULL, 0.01)}, 1},
                "normal takes its parameters by name; it takes mean, std");
    check_error(
        "he_normal", (struct arguments){{word("mode", "fanin")}, 1},
        "mode of he_normal cannot be \"fanin\"; it is fan_in, fan_out, fan_avg or fan_geo_avg; did "
        "you mean fan_in?");
    check_error("Normal", (struct arguments){{number("std", 0.01)}, 1},
                "no scheme is called 'Normal'; did you mean normal?");
    check_error("normal", (struct arguments){0},
                "normal needs std (standard deviation); it has no default");
}

static void test_wrong_names(void **state)
{
    (void)state;
    check_error("he_norml", (struct arguments){0},
                "no scheme is called 'he_norml'; did you mean he_normal?");
    check_error("", (struct arguments){0}, "no scheme is called ''; `sow schemes` lists them");
    check_error("glockenspiel", (struct arguments){0},
                "no scheme is called 'glockenspiel'; `sow schemes` lists them");
    check_error("zeros", (struct arguments){{number("value", 1)}, 1},
                "zeros has no parameter value; it takes no parameters");
    check_error(
        "kaiming_uniform_", (struct arguments){{word("nonlinearity", "relu")}, 1},
        "he_uniform has no parameter nonlinearity; it takes gain, activation, slope, mode, fan");
    check_error("normal", (struct arguments){{number("std", 1), number("std", 2)}, 2},
                "normal was given std twice");
    check_error("constant", (struct arguments){0},
                "constant needs value (the number); it has no default");
}

static void test_wrong_values(void **state)
{
    (void)state;
    check_error("normal", (struct arguments){{number("std", -0.5)}, 1},
                "std of normal is -0.5; it cannot be negative");
    check_error("normal", (struct arguments){{number("std", NAN)}, 1},
                "std of normal is not a number (NaN): something in its expression is 0/0 or worse");
    check_error("normal", (struct arguments){{number("std", INFINITY)}, 1},
                "std of normal is infinite");
    check_error("constant", (struct arguments){{number("value", -INFINITY)}, 1},
                "value of constant is infinite");
    check_error(
        "he_normal", (struct arguments){{number("mode", 1)}, 1},
        "mode of he_normal is a word, not a number: fan_in, fan_out, fan_avg or fan_geo_avg");
    check_error("he_normal", (struct arguments){{word("gain", "rellu")}, 1},
                "no activation is called 'rellu'; did you mean relu?");
    check_error("he_normal", (struct arguments){{number("gain", -1)}, 1},
                "gain of he_normal is -1; it cannot be negative");
    check_error("he_normal", (struct arguments){{number("slope", 0.2)}, 1},
                "relu has no slope; leaky_relu has one");
    check_error(
        "lecun_normal", (struct arguments){{number("slope", 0.2)}, 1},
        "slope of lecun_normal belongs to an activation; write gain = \"leaky_relu\" with it");
    check_error("glorot_normal", (struct arguments){{word("gain", "torch")}, 1},
                "gain of glorot_normal is \"torch\", of which activation? write activation = "
                "\"tanh\" with it");
    check_error("glorot_normal",
                (struct arguments){{word("activation", "tanh"), number("gain", 2)}, 2},
                "glorot_normal was given both an activation and a gain that needs none; gain with "
                "an activation is exact, torch, nfnet or critical");
    check_error("glorot_normal", (struct arguments){{number("activation", 2)}, 1},
                "activation of glorot_normal is a word such as \"tanh\", not a number");
    check_error("variance_scaling", (struct arguments){{word("distribution", "gauss")}, 1},
                "distribution of variance_scaling cannot be \"gauss\"; it is uniform, normal, "
                "trunc_normal, "
                "truncated_normal or untruncated_normal");
}

static void test_wrong_limits(void **state)
{
    (void)state;
    check_error("uniform", (struct arguments){0}, "uniform needs either bound, or low and high");
    check_error("uniform",
                (struct arguments){{number("bound", 1), number("low", 0), number("high", 1)}, 3},
                "uniform needs either bound, or low and high, not both");
    check_error("uniform", (struct arguments){{number("low", 0)}, 1},
                "uniform was given low without high; they go together");
    check_error("uniform", (struct arguments){{number("low", 1), number("high", 1)}, 2},
                "low of uniform must be below high, and 1 is not below 1");
    check_error("uniform", (struct arguments){{number("low", 0), number("high", INFINITY)}, 2},
                "high of uniform is infinite");
    check_error("uniform", (struct arguments){{number("bound", 0)}, 1},
                "bound of uniform is 0; it must be above 0");
    check_error("trunc_normal", (struct arguments){{number("std", 1), number("bounds", 0)}, 2},
                "bounds of trunc_normal is 0; it must be above 0 (in sigmas)");
    check_error(
        "trunc_normal",
        (struct arguments){
            {number("std", 1), number("bounds", 2), number("low", -1), number("high", 1)}, 4},
        "trunc_normal was given its cut twice; give bounds, or low and high (in sigmas), or "
        "low_absolute and high_absolute");
    check_error("trunc_normal",
                (struct arguments){{number("std", 1), number("high_absolute", 1)}, 2},
                "trunc_normal was given high_absolute without low_absolute; they go together");
    check_error("trunc_normal", (struct arguments){{number("std", 1), word("std_of", "both")}, 2},
                "std_of of trunc_normal cannot be \"both\"; it is before or after");
    check_error("trunc_normal",
                (struct arguments){{number("std", 1), number("low_absolute", -1),
                                    number("high_absolute", 1), word("std_of", "after")},
                                   4},
                "nothing between -1 and 1 can have std 1: a uniform has 0.57735");
}

static void test_no_mass_and_no_fans(void **state)
{
    (void)state;
    const struct sow_argument arguments[] = {number("std", 1), number("low", 50),
                                             number("high", 60)};
    const struct sow_tensor vector = {.shape = {4096}, .rank = 1, .kind = SOW_KIND_BIAS};
    struct sow_draw draw;
    struct sow_error error;
    assert_int_equal(sow_scheme_resolve("trunc_normal", arguments, 3, NULL, &draw, &error),
                     SOW_E_ARGUMENT);
    assert_int_equal(sow_scheme_resolve("he_normal", NULL, 0, NULL, &draw, &error), SOW_E_SHAPE);
    assert_string_equal(error.message, "he_normal needs a tensor to take fan_in and fan_out from");
    assert_int_equal(sow_scheme_resolve("he_normal", NULL, 0, &vector, &draw, &error), SOW_E_SHAPE);
    assert_string_equal(error.message,
                        "fan_in needs a weight of rank >= 2, the shape is [4096]; use zeros, "
                        "ones or constant for vectors");
    assert_int_equal(sow_scheme_resolve("zeros", NULL, 0, &vector, &draw, &error), SOW_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_f12_a_parameter_nobody_reads),
        cmocka_unit_test(test_wrong_names),
        cmocka_unit_test(test_wrong_values),
        cmocka_unit_test(test_wrong_limits),
        cmocka_unit_test(test_no_mass_and_no_fans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
