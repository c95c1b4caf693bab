/* SPDX-License-Identifier: MIT */
/* The catalogue: every row is complete and every number is right. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "core/scheme/scheme.h"
#include "tests/c/scheme_arguments.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])
#define LEFT_AT_2    0.87962566103423978 /* std of N(0, 1) cut at 2 sigmas */

static void close_to(double got, double want)
{
    if (!(fabs(got - want) <= 1e-14 * fabs(want))) {
        fail_msg("%.17g instead of %.17g", got, want);
    }
}

/* ---- rows --------------------------------------------------------------------------------- */

static void test_every_row_is_complete(void **state)
{
    (void)state;
    const struct sow_scheme *scheme;
    size_t count = 0;
    for (; (scheme = sow_scheme_at(count)) != NULL; count++) {
        assert_true(strlen(scheme->name) > 0 && strlen(scheme->formula) > 0);
        assert_true(strlen(scheme->source) > 0 && strlen(scheme->summary) > 0);
        assert_non_null(scheme->aliases);
        assert_ptr_equal(sow_scheme_find(scheme->name, NULL), scheme);
        for (size_t i = 0; scheme->aliases[i] != NULL; i++) {
            assert_ptr_equal(sow_scheme_find(scheme->aliases[i], NULL),
                             scheme); /* so: all differ */
        }
        for (size_t i = 0; i < scheme->parameter_count; i++) {
            const struct sow_scheme_parameter *parameter = &scheme->parameters[i];
            assert_true(strlen(parameter->name) > 0 && strlen(parameter->summary) > 0);
            assert_true(parameter->default_text == NULL || strlen(parameter->default_text) > 0);
        }
    }
    assert_true(count >= 17);
    assert_null(sow_scheme_at(SIZE_MAX));
}

static void test_words_of_the_frameworks(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"xavier_uniform_", "glorot_uniform"},
        {"xavier_normal_", "glorot_normal"},
        {"kaiming_uniform_", "he_uniform"},
        {"kaiming_normal_", "he_normal"},
        {"trunc_normal_", "trunc_normal_absolute"},
        {"GlorotUniform", "glorot_uniform"},
        {"GlorotNormal", "glorot_trunc_normal"},
        {"HeUniform", "he_uniform"},
        {"HeNormal", "he_trunc_normal"},
        {"LecunUniform", "lecun_uniform"},
        {"LecunNormal", "lecun_trunc_normal"},
        {"lecun_normal_", "lecun_trunc_normal"},
        {"TruncatedNormal", "trunc_normal"},
        {"truncated_normal", "trunc_normal"},
        {"RandomNormal", "normal"},
        {"RandomUniform", "uniform"},
        {"VarianceScaling", "variance_scaling"},
        {"zeros_", "zeros"},
        {"Ones", "ones"},
        {"constant_", "constant"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct sow_scheme *scheme = sow_scheme_find(rows[i][0], NULL);
        assert_non_null(scheme);
        assert_string_equal(scheme->name, rows[i][1]);
    }
}

/* ---- numbers ------------------------------------------------------------------------------ */

static struct sow_draw resolve(const char *scheme, struct arguments arguments,
                               const struct sow_tensor *tensor)
{
    struct sow_draw draw = {SOW_CONSTANT, NAN, NAN, NAN, NAN, NAN, NAN};
    struct sow_error error = {.message = ""};
    if (sow_scheme_resolve(scheme, arguments.list, arguments.count, tensor, &draw, &error) !=
        SOW_OK) {
        fail_msg("%s: %s", scheme, error.message);
    }
    return draw;
}

static void test_constants(void **state)
{
    (void)state;
    const struct sow_draw zero = resolve("zeros", (struct arguments){0}, NULL);
    const struct sow_draw one = resolve("ones", (struct arguments){0}, NULL);
    const struct sow_draw seven =
        resolve("constant", (struct arguments){{number("value", 7)}, 1}, NULL);
    const struct sow_draw still =
        resolve("normal", (struct arguments){{number("std", 0), number("mean", 3)}, 2}, NULL);
    assert_true(zero.distribution == SOW_CONSTANT && zero.mean == 0);
    assert_true(one.distribution == SOW_CONSTANT && one.mean == 1);
    assert_true(seven.distribution == SOW_CONSTANT && seven.mean == 7);
    assert_true(still.distribution == SOW_CONSTANT && still.mean == 3);
}

static void test_uniform_and_normal(void **state)
{
    (void)state;
    struct sow_draw draw = resolve("uniform", (struct arguments){{number("bound", 0.25)}, 1}, NULL);
    assert_true(draw.distribution == SOW_UNIFORM && draw.low == -0.25 && draw.high == 0.25);
    draw =
        resolve("uniform", (struct arguments){{number("low", 0), number("high", 0.01)}, 2}, NULL);
    assert_true(draw.distribution == SOW_UNIFORM && draw.low == 0 && draw.high == 0.01);
    draw = resolve("normal", (struct arguments){{number("std", 0.02)}, 1}, NULL);
    assert_true(draw.distribution == SOW_NORMAL && draw.mean == 0 && draw.std == 0.02);
}

static void test_truncated_normal(void **state)
{
    (void)state;
    double mean, std;
    struct sow_draw draw =
        resolve("trunc_normal", (struct arguments){{number("std", 0.02)}, 1}, NULL);
    assert_true(draw.distribution == SOW_TRUNC_NORMAL && draw.std == 0.02);
    assert_true(draw.low == -0.04 && draw.high == 0.04);
    sow_draw_moments(&draw, &mean, &std);
    assert_true(fabs(std - 0.02 * LEFT_AT_2) < 1e-15);

    /* F15: cut at three sigmas, not at three. */
    draw = resolve(
        "trunc_normal",
        (struct arguments){{number("std", sqrt(2.0 / (512 + 1344))), number("bounds", 3)}, 2},
        NULL);
    close_to(draw.std, 0.032826608214930636);
    close_to(draw.high, 3 * draw.std);
    sow_draw_moments(&draw, &mean, &std);
    assert_true(fabs(std / draw.std - 0.9865783925581086) < 1e-12);

    draw = resolve("trunc_normal",
                   (struct arguments){{number("std", 0.02), word("std_of", "after")}, 2}, NULL);
    close_to(draw.std, 0.02 / LEFT_AT_2);
    sow_draw_moments(&draw, &mean, &std);
    assert_true(fabs(std - 0.02) < 1e-15);

    draw = resolve(
        "trunc_normal",
        (struct arguments){
            {number("std", 2), number("mean", 1), number("low", -1), number("high", INFINITY)}, 4},
        NULL);
    assert_true(draw.low == -1 && draw.high == INFINITY && draw.mean == 1 && draw.std == 2);
}

static void test_absolute_cuts(void **state)
{
    (void)state;
    double mean, std;
    struct sow_draw draw = resolve(
        "trunc_normal",
        (struct arguments){
            {number("std", 0.02), number("low_absolute", -0.03), number("high_absolute", 0.05)}, 3},
        NULL);
    assert_true(draw.low == -0.03 && draw.high == 0.05 && draw.std == 0.02);

    draw = resolve("trunc_normal",
                   (struct arguments){{number("std", 0.02), number("low_absolute", -0.04),
                                       number("high_absolute", 0.06), word("std_of", "after")},
                                      4},
                   NULL);
    sow_draw_moments(&draw, &mean, &std);
    assert_true(fabs(std - 0.02) < 1e-14 && draw.low == -0.04 && draw.high == 0.06);

    draw = resolve("trunc_normal_", (struct arguments){{number("std", 0.02)}, 1}, NULL);
    sow_draw_moments(&draw, &mean, &std); /* at 100 sigmas nothing is cut */
    assert_true(draw.low == -2 && draw.high == 2 && fabs(std - 0.02) < 1e-15);
}

static void test_variance_forms(void **state)
{
    (void)state;
    static const struct {
        const char *scheme;
        enum sow_distribution distribution;
        double variance;
    } rows[] = {
        {"glorot_uniform", SOW_UNIFORM, 2.0 / (256 + 512)},
        {"glorot_normal", SOW_NORMAL, 2.0 / (256 + 512)},
        {"glorot_trunc_normal", SOW_TRUNC_NORMAL, 2.0 / (256 + 512)},
        {"he_uniform", SOW_UNIFORM, 2.0 / 256},
        {"he_normal", SOW_NORMAL, 2.0 / 256},
        {"he_trunc_normal", SOW_TRUNC_NORMAL, 2.0 / 256},
        {"lecun_uniform", SOW_UNIFORM, 1.0 / 256},
        {"lecun_normal", SOW_NORMAL, 1.0 / 256},
        {"lecun_trunc_normal", SOW_TRUNC_NORMAL, 1.0 / 256},
        {"variance_scaling", SOW_TRUNC_NORMAL, 1.0 / 256},
    };
    const struct sow_tensor tensors[] = {sow_tensor_linear(512, 256),
                                         sow_tensor_linear_in_out(256, 512)};
    for (size_t i = 0; i < COUNT(rows) * 2; i++) {
        const struct sow_draw draw =
            resolve(rows[i / 2].scheme, (struct arguments){0}, &tensors[i % 2]);
        double mean, std;
        sow_draw_moments(&draw, &mean, &std);
        assert_int_equal(draw.distribution, rows[i / 2].distribution);
        assert_true(mean == 0);
        close_to(std, sqrt(rows[i / 2].variance));
        if (draw.distribution == SOW_TRUNC_NORMAL) {
            close_to(draw.std, sqrt(rows[i / 2].variance) / LEFT_AT_2);
            close_to(draw.high, 2 * draw.std);
        }
    }
}

static void test_exact_where_it_can_be(void **state)
{
    (void)state;
    struct sow_tensor tensor = sow_tensor_linear(512, 512);
    assert_true(resolve("he_normal", (struct arguments){0}, &tensor).std == 0.0625);
    tensor = sow_tensor_linear(96, 96);
    assert_true(resolve("glorot_uniform", (struct arguments){0}, &tensor).high == sqrt(3.0 / 96));
}

static void test_modes_and_gains(void **state)
{
    (void)state;
    const uint64_t kernel[] = {3, 3};
    const struct sow_tensor tensor = sow_tensor_conv(64, 32, kernel, 2, 4); /* fans 72 and 144 */
    static const struct {
        const char *mode;
        double fan;
    } modes[] = {
        {"fan_in", 72}, {"fan_out", 144}, {"fan_avg", 108}, {"fan_geo_avg", 101.82337649086284}};
    for (size_t i = 0; i < COUNT(modes); i++) {
        struct arguments arguments = {{word("mode", modes[i].mode), number("gain", 3)}, 2};
        close_to(resolve("lecun_normal", arguments, &tensor).std, 3 / sqrt(modes[i].fan));
        close_to(resolve("he_uniform", arguments, &tensor).high, 3 * sqrt(3 / modes[i].fan));
        arguments = (struct arguments){
            {word("mode", modes[i].mode), number("scale", 2), word("distribution", "normal")}, 3};
        close_to(resolve("variance_scaling", arguments, &tensor).std, sqrt(2 / modes[i].fan));
    }
    struct arguments tanh_gain = {{word("gain", "tanh")}, 1};
    struct arguments leaky = {{word("gain", "leaky_relu"), number("slope", 0.2)}, 2};
    struct arguments named = {{word("activation", "tanh")}, 1};
    struct arguments torch_gain = {{word("gain", "torch"), word("activation", "tanh")}, 2};
    struct arguments critical = {{word("gain", "critical"), word("activation", "selu")}, 2};
    struct arguments torch_relu = {{word("gain", "torch")}, 1};
    struct arguments torch_slope = {
        {word("gain", "torch"), word("activation", "leaky_relu"), number("slope", 0.2)}, 3};
    struct arguments none = {{number("gain", 0)}, 1};
    close_to(resolve("glorot_normal", tanh_gain, &tensor).std, 1.5925374197228312 / sqrt(108));
    close_to(resolve("glorot_normal", named, &tensor).std, 1.5925374197228312 / sqrt(108));
    close_to(resolve("he_normal", named, &tensor).std,
             1.5925374197228312 / sqrt(9.0 * tensor.shape[1]));
    close_to(resolve("glorot_normal", torch_gain, &tensor).std, 5.0 / 3 / sqrt(108));
    close_to(resolve("he_normal", torch_relu, &tensor).std, sqrt(2.0 / (9.0 * tensor.shape[1])));
    close_to(resolve("glorot_normal", torch_slope, &tensor).std, 1.3867504905630728 / sqrt(108));
    double selu_std = resolve("glorot_normal", critical, &tensor).std;
    assert_true(fabs(selu_std - sqrt(0.9332058018 / 108)) < 1e-10);
    close_to(resolve("he_normal", leaky, &tensor).std, sqrt(2 / 1.04 / 72));
    assert_int_equal(resolve("he_uniform", none, &tensor).distribution, SOW_CONSTANT);
    assert_int_equal(resolve("he_trunc_normal", none, &tensor).distribution, SOW_CONSTANT);
}

/* ---- detail ------------------------------------------------------------------------------- */

static void check_detail(const char *scheme, struct arguments arguments, const char *formula)
{
    const struct sow_tensor tensor = sow_tensor_linear(512, 768);
    struct sow_scheme_detail detail;
    struct sow_draw draw;
    assert_int_equal(sow_scheme_resolve_detail(scheme, arguments.list, arguments.count, &tensor,
                                               &draw, &detail, NULL),
                     SOW_OK);
    assert_string_equal(detail.formula_with_numbers, formula);
    assert_ptr_equal(detail.scheme, sow_scheme_find(scheme, NULL));
}

static void test_formulas_with_numbers(void **state)
{
    (void)state;
    check_detail("zeros", (struct arguments){0}, "every element = 0");
    check_detail("normal", (struct arguments){{number("std", 0.02)}, 1}, "mean = 0, std = 0.02");
    check_detail("uniform", (struct arguments){{number("bound", 0.1)}, 1},
                 "low = -0.1, high = 0.1");
    check_detail(
        "trunc_normal", (struct arguments){{number("std", 0.02)}, 1},
        "mean = 0, std = 0.02 before the cut at -0.04 and 0.04 (-2 and 2 sigmas), 0.0175925 after "
        "it");
    check_detail("kaiming_normal_", (struct arguments){0},
                 "std = gain / sqrt(fan_in) = 1.41421 / sqrt(768) = 0.051031");
    check_detail("glorot_uniform", (struct arguments){0},
                 "bound = gain sqrt(3 / fan_avg) = 1 * sqrt(3 / 640) = 0.0684653");
    check_detail(
        "lecun_trunc_normal", (struct arguments){0},
        "std = gain / sqrt(fan_in) = 1 / sqrt(768) = 0.0360844 after the cut at 2 sigmas, sigma = "
        "std / 0.879626 = 0.0410224");
}

static void test_detail_fields(void **state)
{
    (void)state;
    const struct sow_tensor tensor = sow_tensor_linear(512, 768);
    const struct sow_argument arguments[] = {word("gain", "swish"), word("mode", "fan_avg")};
    struct sow_scheme_detail detail;
    struct sow_draw draw;
    assert_int_equal(
        sow_scheme_resolve_detail("he_normal", arguments, 2, &tensor, &draw, &detail, NULL),
        SOW_OK);
    assert_true(detail.fan_in == 768 && detail.fan_out == 512 && detail.fan_used == 640);
    assert_string_equal(detail.mode, "fan_avg");
    assert_string_equal(detail.activation, "swish");
    close_to(detail.gain, 1.6765324703310909);
    assert_int_equal(sow_scheme_resolve_detail("ones", NULL, 0, NULL, &draw, &detail, NULL),
                     SOW_OK);
    assert_true(isnan(detail.fan_in) && isnan(detail.fan_used) && isnan(detail.gain));
    assert_null(detail.mode);
    assert_string_equal(detail.activation, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_is_complete),
        cmocka_unit_test(test_words_of_the_frameworks),
        cmocka_unit_test(test_constants),
        cmocka_unit_test(test_uniform_and_normal),
        cmocka_unit_test(test_truncated_normal),
        cmocka_unit_test(test_absolute_cuts),
        cmocka_unit_test(test_variance_forms),
        cmocka_unit_test(test_exact_where_it_can_be),
        cmocka_unit_test(test_modes_and_gains),
        cmocka_unit_test(test_formulas_with_numbers),
        cmocka_unit_test(test_detail_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
