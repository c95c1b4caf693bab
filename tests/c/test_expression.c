/* SPDX-License-Identifier: MIT */
/* Expressions of x: what they mean, their derivatives against differences of their values, and what is none, each with
 * the character where it ends to be one. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "core/activation/expression.h"

static struct sow_expression_program program;

static void compile(const char *text)
{
    struct sow_error error;
    if (sow_expression_compile(text, strlen(text), &program, &error) != SOW_OK) {
        fail_msg("%s", error.message);
    }
}

static double at(double x, double *slope)
{
    double value;
    sow_expression_run(program.steps, program.count, &x, &value, slope, 1);
    return value;
}

static void test_what_they_mean(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double x, value;
    } rows[] = {
        {"1 + 2 * 3", 0, 7},
        {"(1 + 2) * 3", 0, 9},
        {"2 ^ 3 ^ 2", 0, 512}, /* from the right */
        {"-2 ^ 2", 0, -4},     /* the minus is weaker */
        {"2 ^ -1", 0, 0.5},
        {"- - x", 3, 3},
        {"7 - 2 - 1", 0, 4},
        {"8 / 4 / 2", 0, 1},
        {"x ^ 2", -3, 9},
        {"x ^ 3", -2, -8},
        {"pow(x, 2)", -3, 9},
        {"max(x, 0)", -1, 0},
        {"max(x, 0, 5)", 2, 5},
        {"min(x, 0, -5) + min(x)", 2, -3},
        {"x > 0 and x or 0.5 * x", -4, -2},
        {"x > 0 and x or 0.5 * x", 4, 4},
        {"x >= 1 and 1 or x <= -1 and -1 or x", 0.25, 0.25},
        {"x >= 1 and 1 or x <= -1 and -1 or x", 1, 1},
        {"x >= 1 and 1 or x <= -1 and -1 or x", -7, -1},
        {"not (x > 0) and 1 or 2", -1, 1},
        {"x ~= 0 and x == 3 and 1 or 2", 3, 1},
        {"true and x or 2", 5, 5},
        {"false or x", 5, 5},
        {"x and 3", 0, 3}, /* as in Lua 0 is true */
        {"x or 3", 0, 0},
        {"math.max(x, math.pi) - pi", 1, 0},
        {".5e1 + 5. + 1E-1", 0, 10.1},
        {"1.0507009873554804934193349852946", 0, 1.0507009873554805},
        {"abs(x) + sign(x)", -2, 1},
        {"relu(x) + relu6(7) + identity(x)", 2, 10},
        {" \n x\t+ 1 ", 1, 2},
        {"leaky_relu(x)", -1, -0.01},
        {"sqrt(2.85) - 1", 0, 0.68819430161341357},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        compile(rows[i].text);
        double value = at(rows[i].x, NULL);
        if (!(fabs(value - rows[i].value) <= 1e-15 * fabs(rows[i].value))) {
            fail_msg("%s at %g gives %.17g, not %.17g", rows[i].text, rows[i].x, value,
                     rows[i].value);
        }
    }
    compile("sqrt(2.85) - 1 + 2 * max(3, 4)");
    assert_int_equal(program.count, 1); /* what is constant is worked out once */
}

/* Richardson's extrapolation of central differences. */
static double difference(double x, double step)
{
    double near = (at(x + step, NULL) - at(x - step, NULL)) / (2 * step);
    double far = (at(x + 2 * step, NULL) - at(x - 2 * step, NULL)) / (4 * step);
    return (4 * near - far) / 3;
}

static void test_derivatives(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "x * tanh(log(1 + exp(x)))",
        "x * sigmoid(x) + 0.1 * sin(3 * x)",
        "exp(-x * x / 2) - expm1(x / 3) + log1p(x * x)",
        "sqrt(x ^ 2 + 4) / (2 + cos(x))",
        "erf(x) - erfc(x / 2) * atan(x) + asinh(2 * x)",
        "pow(1 + x ^ 2, 0.3) + 2 ^ x + (1.5 + tanh(x)) ^ (x / 2)",
        "x > 0.3 and x ^ 3 or -x",
        "max(min(x, 1.5), -0.5, x / 4) - abs(x - 0.33)",
        "gelu(2 * x) * silu(x) - softplus(x - 1) / mish(3)",
        "not (x < 0) and 1 / (1 + x) or exp(x)",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        compile(texts[i]);
        for (double x = -3.987; x < 4; x += 0.25) {
            double slope, wanted = difference(x, 1e-3);
            (void)at(x, &slope);
            if (!(fabs(slope - wanted) <= 1e-8 * (1 + fabs(wanted)))) {
                fail_msg("%s at %g: slope %.12g, differences %.12g", texts[i], x, slope, wanted);
            }
        }
    }
}

/* Where branches meet, and where a slope is 0 inside and infinite outside: as torch has it. */
static void test_slopes_at_kinks(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double x, slope;
    } rows[] = {
        {"max(x, 0)", 0, 0.5},
        {"min(x, 0)", 0, 0.5},
        {"max(x, -x)", 0, 0},
        {"abs(x)", 0, 0},
        {"sign(x)", 0, 0},
        {"relu(x)", 0, 0},
        {"sqrt(max(x, 0))", -1, 0},
        {"max(x, 0) ^ 0.5", -1, 0},
        {"x > 0 and log(x) or 0", -1, 0},
        {"x ^ 0", 0, 0},
        {"x ^ 1", 0, 1},
        {"x * 0", 5, 0},
        {"0 ^ (x + 1)", 2, 0},
        {"max(x, 0) ^ 0.5", 0, INFINITY},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double slope;
        compile(rows[i].text);
        (void)at(rows[i].x, &slope);
        if (slope != rows[i].slope) {
            fail_msg("%s at %g: slope %g, not %g", rows[i].text, rows[i].x, slope, rows[i].slope);
        }
    }
}

/* Many places at once are those places one by one, whatever the count. */
static void test_many_places(void **state)
{
    (void)state;
    double x[200], values[200], slopes[200];
    compile("x > 0 and x * tanh(x) or 0.3 * exp(x) - 0.3");
    for (size_t i = 0; i < 200; i++) {
        x[i] = -5 + 0.0501 * (double)i;
    }
    for (size_t count = 0; count <= 200; count += 19) {
        sow_expression_run(program.steps, program.count, x, values, slopes, count);
        for (size_t i = 0; i < count; i++) {
            double slope, value = at(x[i], &slope);
            assert_true(values[i] == value && slopes[i] == slope);
        }
    }
}

static void refused(const char *text, size_t length, const char *why)
{
    struct sow_error error = {.code = SOW_OK};
    assert_int_equal(sow_expression_compile(text, length, &program, &error), SOW_E_ARGUMENT);
    if (strstr(error.message, why) == NULL) {
        fail_msg("'%s' does not say '%s'", error.message, why);
    }
}

static void test_what_is_none(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"", "x, a number or a function is expected, and it ends (at character 1)"},
        {"x +", "it ends (at character 4)"},
        {"max(x, 0", "')' is expected, and it ends (at character 9)"},
        {"x $ 2", "an operator is expected, not '$' (at character 3)"},
        {"foo(x)", "foo is not defined"},
        {"1 + tanhh(x)", "tanhh is not defined; did you mean tanh? (at character 5)"},
        {"os.exit()", "os is not defined"},
        {"tanh", "tanh is a function: write tanh(x)"},
        {"tanh()", "tanh takes one number, not 0 (at character 1)"},
        {"tanh(x, 1)", "tanh takes one number, not 2"},
        {"pow(x)", "pow takes two numbers, not 1"},
        {"max()", "max takes at least one number, not 0"},
        {"swiglu(x)", "swiglu takes two signals"},
        {"x > 0", "it gives true or false, not a number"},
        {"x > 0 and x", "it may give false or true; end it with `or NUMBER`"},
        {"0 < x < 1", "< takes numbers, and this may be true or false (at character 1)"},
        {"1 + (x > 0)", "+ takes numbers, and this may be true or false (at character 5)"},
        {"-(x > 0)", "- takes numbers"},
        {"(x > 0) ^ 2", "^ takes numbers"},
        {"abs(x > 0)", "abs takes numbers, and this may be true or false (at character 5)"},
        {"x = 1", "an operator is expected, not '=' (at character 3)"},
        {"x; x", "an operator is expected, not ';'"},
        {"x -- y", "-- would begin a comment in Lua; write - -x (at character 3)"},
        {"x .. x", "an operator is expected, not '.'"},
        {"x // 2", "not '/'"},
        {"x % 2", "not '%'"},
        {"'a'", "not '''"},
        {"{}", "not '{'"},
        {"0x10", "a number such as 0.5 or 1e-3 is expected (at character 1)"},
        {"1e", "a number such as"},
        {"1.2.3", "a number such as"},
        {"1e999", "the number is too large"},
        {"while true do end", "while has no place in one expression"},
        {"(function() return 1 end)()", "function has no place in one expression"},
        {"math.", "a name is expected"},
        {"x + \xc3\xa9", "(at character 5)"},
    };
    char text[2100] = "", more[4096];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        refused(rows[i].text, strlen(rows[i].text), rows[i].why);
    }
    refused("x\0+ 1", 5, "(at character 2)");
    memset(text, '(', 300);
    refused(text, 300, "it is nested too deep");
    memset(text, '-', 1);
    for (size_t i = 0; i < 1000; i++) {
        text[i] = i % 2 == 0 ? '-' : ' ';
    }
    refused(text, 1000, "it is nested too deep");
    memset(text, 'x', 1001);
    refused(text, 1001, "it is longer than 1000 characters");
    for (size_t i = 0; i < 500; i++) {
        memcpy(text + 2 * i, "x+", 2);
    }
    refused(text, 999, "it is too long: at most 256 steps");
    more[0] = '\0';
    for (int i = 0; i < 40; i++) { /* values that wait for their operator */
        strcat(more, "x^");
    }
    strcat(more, "x");
    refused(more, strlen(more), "it is too long: at most 256 steps, 32 values waiting");
}

static void test_functions(void **state)
{
    (void)state;
    static const char f22[] = "max(x,0) - (sqrt(2.85)-1)";
    struct sow_expression_program copy;
    struct sow_function function, moved;
    struct sow_activation_numbers numbers;
    compile(f22);
    assert_int_equal(sow_expression_own(&program, NULL, 0, &function, NULL), SOW_OK);
    assert_true(sow_is_expression(&function) && !function.jumps);
    assert_true(function.kink_count == 1 && function.kinks[0] == 0);
    assert_string_equal(sow_function_name(&function), "expr{max(x,0) - (sqrt(2.85)-1)}");
    copy = program;
    moved = sow_expression_move(&function, &copy);
    memset(&program, 0, sizeof program);
    assert_true(fabs(sow_function_value(&moved, 2, NULL) - (2 - 0.68819430161341357)) < 1e-15);
    assert_int_equal(sow_function_numbers(&moved, &numbers, NULL), SOW_OK);
    assert_true(fabs(numbers.chi_perp - 1.1778235924868328) < 1e-12);
    assert_int_equal(sow_function_named("relu", NULL, 0, &function, NULL), SOW_OK);
    assert_false(sow_is_expression(&function));
    assert_false(sow_function_same(&function, &moved));
    assert_int_equal(sow_expression_compile_braced("expr{x}", &program, NULL), SOW_OK);
    assert_int_equal(sow_expression_compile_braced("expr{x", &program, NULL), SOW_E_ARGUMENT);
    assert_int_equal(sow_expression_compile_braced("relu", &program, NULL), SOW_E_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_they_mean),  cmocka_unit_test(test_derivatives),
        cmocka_unit_test(test_slopes_at_kinks), cmocka_unit_test(test_many_places),
        cmocka_unit_test(test_what_is_none),    cmocka_unit_test(test_functions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
