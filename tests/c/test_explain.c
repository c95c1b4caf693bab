/* SPDX-License-Identifier: MIT */
/* What explain tells of a tensor, and the values it shows: those that are drawn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/c/plan_model.h"
#include "model/plan/plan.h"
#include "model/plan/value.h"

#include <stdio.h>

static const uint64_t uneven[] = {8, 2, 2};

static char *explained(struct sow_parameter parameter, const struct sow_rule_match *rule,
                       enum sow_dtype dtype)
{
    struct sow_model model = model_of(&parameter, 1, rule, 1);
    struct sow_plan_options options = {.seed = 42, .dtype = dtype};
    struct sow_plan *plan = NULL;
    struct sow_error error = {0};
    char *text = NULL;
    if (sow_plan_make(&model, &options, &plan, &error) != SOW_OK ||
        sow_plan_explain(plan, parameter.name, &text, &error) != SOW_OK) {
        fail_msg("%s", error.message);
    }
    sow_plan_free(plan);
    return text;
}

/* No line is too long or ends in a blank; then lines that were broken become whole again. */
static void unwrap(char *text)
{
    for (const char *line = text; *line != '\0';) {
        size_t length = strcspn(line, "\n");
        assert_true(length <= 100);
        assert_true(length == 0 || line[length - 1] != ' ');
        line += length + (line[length] == '\n');
    }
    char *out = text;
    for (const char *at = text; *at != '\0';) {
        int broken = strncmp(at, "\n            ", 13) == 0 && at[13] != ' ';
        *out++ = broken ? ' ' : *at;
        at += broken ? 13 : 1;
    }
    *out = '\0';
}

static void assert_tells(char *text, const char *const *words)
{
    unwrap(text);
    for (; *words != NULL; words++) {
        if (strstr(text, *words) == NULL) {
            fail_msg("no `%s` in:\n%s", *words, text);
        }
    }
    sow_text_free(text);
}

#define ASSERT_TELLS(text, ...) assert_tells(text, (const char *const[]){__VA_ARGS__, NULL})

static void a_formula_with_its_numbers(void **state)
{
    (void)state;
    struct sow_rule_match rule = plain_rule("*.weight", "he_normal");
    struct sow_parameter parameter = parameter_of("fc1.weight", sow_tensor_linear(256, 768));
    parameter.role = "mlp.up";
    parameter.layer = 3;
    parameter.layer_count = 12;
    rule.text =
        "rule(\"*.weight\", he_normal { gain = gain_of(fan_in, n_layer, initializer_range) })";
    rule.reason =
        "the authors' own words, which are long enough to pass the end of the line and be "
        "broken into two";
    ASSERT_TELLS(explained(parameter, &rule, SOW_BF16), "fc1.weight\n\n",
                 "shape     [256, 768] bf16, 196608 elements, 393216 bytes\n",
                 "linear, axes (out, in), mlp.up, layer 3 of 0..11; declared at test.lua:3",
                 "fans      fan_in 768, fan_out 256\n", "rule(\"*.weight\", he_normal",
                 "test.lua:7, variant authors: A. Author 2020, section 3", "the authors' own words",
                 "fields    initializer_range = 0.02 (config.json:12)\n",
                 "tensor    fan_in = 768, n_layer = 12\n", "he_normal\n", "He",
                 "gain      1.41421, the gain of relu\n", "sqrt(768) = 0.051031",
                 "draw      normal, mean 0, std 0.05103103630798",
                 "rounded once, to 8 significant bits", "seed 42",
                 "assumed   head_dim is absent: 16\n");
}

static void values_are_those_drawn(void **state)
{
    (void)state;
    struct sow_rule_match rule = number_rule("*", "normal", "std", 0.5);
    static const enum sow_dtype dtypes[] = {SOW_F64,  SOW_F32,       SOW_F16,
                                            SOW_BF16, SOW_F8_E4M3FN, SOW_F8_E5M2};
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        char *text = explained(parameter_of("w", vector_of(5)), &rule, dtypes[i]);
        const char *at = strstr(text, "values    ");
        assert_non_null(at);
        at += 10;
        struct sow_draw draw;
        sow_draw_normal(0, 0.5, &draw, NULL);
        for (uint64_t element = 0; element < 5; element++) {
            unsigned char bytes[8], wide[8];
            char *end;
            sow_fill(bytes, dtypes[i], element, 1, &draw, sow_key("w", 42));
            double shown = strtod(at, &end);
            assert_true(end > at);
            if (dtypes[i] == SOW_F64) {
                assert_true(shown == sow_value(SOW_F64, bytes));
            } else { /* the shortest digits of the float32 */
                assert_true((float)shown == (float)sow_value(dtypes[i], bytes));
                sow_fill(wide, SOW_F32, element, 1, &draw, sow_key("w", 42));
                assert_true(fabs(shown - sow_value(SOW_F32, wide)) <= fabs(shown) / 8 + 0.001);
            }
            at = end;
        }
        sow_text_free(text);
    }
}

static void blocks_and_what_torch_would_do(void **state)
{
    (void)state;
    struct sow_rule_match rule = plain_rule("*", "glorot_uniform");
    struct sow_parameter parameter = parameter_of("qkv.weight", sow_tensor_linear(12, 4));
    parameter.blocks = (struct sow_blocks){.axis = 0, .count = 3, .sizes = uneven};
    ASSERT_TELLS(explained(parameter, &rule, 0), "8 + 2 + 2 on axis 0: 3 matrices in one tensor",
                 "fan_in 4, fan_out differs, of each block; torch.nn.init would take fan_in 4, "
                 "fan_out 12",
                 "numbers   block 0: ", "block 2: ", "regions   axis 0 [0, 8): uniform on [",
                 "axis 0 [10, 12): uniform on [",
                 "block 1, from element 32:", "block 2, from element 40:");
    parameter = parameter_of("c_attn.weight", sow_tensor_linear_in_out(4, 12));
    ASSERT_TELLS(explained(parameter, &rule, 0), "axes (in, out)",
                 "torch.nn.init would take fan_in 12, fan_out 4: it takes axis 0 for the outputs");
    const uint64_t kernel[] = {3, 3};
    parameter = parameter_of("conv.weight", sow_tensor_conv(8, 8, kernel, 2, 4));
    ASSERT_TELLS(explained(parameter, &rule, 0), "4 groups", "fan_in 18, fan_out 18",
                 "fan_out 72: it leaves the groups out");
}

static void truncation_and_padding(void **state)
{
    (void)state;
    struct sow_rule_match rule = number_rule("*", "trunc_normal", "std", 0.02);
    struct sow_parameter parameter = parameter_of("wte.weight", sow_tensor_embedding(10, 4));
    parameter.zero_row = 9;
    parameter.key = "old.weight";
    ASSERT_TELLS(explained(parameter, &rule, 0),
                 "draw      trunc_normal, mean 0, std 0.02 on [-0.04, 0.04]", "std 0.0175",
                 "after the cut", "padding   row 9 is padding and starts as zeros",
                 "key       old.weight (FNV-1a 64 ", "drawn under this name instead of its own");
    rule = plain_rule("*", "zeros");
    rule.variant = NULL;
    rule.file = "--set";
    rule.line = 0;
    ASSERT_TELLS(explained(parameter_of("b", vector_of(2)), &rule, SOW_F8_E4M3FN),
                 "--set, a rule of your own", "draw      constant 0\n", "values     0", "448");
}

static void integers_and_unknown_names(void **state)
{
    (void)state;
    struct sow_rule_match rule = number_rule("*", "constant", "value", -7);
    ASSERT_TELLS(explained(parameter_of("ids", vector_of(3)), &rule, SOW_I64),
                 "values    -7                -7                -7\n");
    struct sow_parameter parameter = parameter_of("h.0.weight", vector_of(2));
    struct sow_model model = model_of(&parameter, 1, &rule, 1);
    struct sow_plan *plan = NULL;
    struct sow_error error = {0};
    char *text = NULL;
    assert_int_equal(sow_plan_make(&model, NULL, &plan, &error), SOW_OK);
    assert_int_equal(sow_plan_explain(plan, "h.0.wieght", &text, &error), SOW_E_ARGUMENT);
    assert_null(text);
    assert_non_null(strstr(error.message, "did you mean `h.0.weight`"));
    sow_plan_free(plan);
}

static void small_floats_read_right(void **state)
{
    (void)state;
    static const struct {
        enum sow_dtype dtype;
        uint16_t bits;
        const char *text;
    } cases[] = {
        {SOW_F16, 0x3c00, "1"},
        {SOW_F16, 0x7bff, "65504"},
        {SOW_F16, 0x0001, "5.9604645e-8"},
        {SOW_F16, 0xfc00, "-inf"},
        {SOW_F16, 0x7e00, "nan"},
        {SOW_BF16, 0x3f80, "1"},
        {SOW_BF16, 0xbdcd, "-0.100097656"},
        {SOW_BF16, 0x8000, "-0.0"},
        {SOW_F8_E4M3FN, 0x7e, "448"},
        {SOW_F8_E4M3FN, 0x7f, "nan"},
        {SOW_F8_E4M3FN, 0x01, "0.001953125"},
        {SOW_F8_E4M3FN, 0xb8, "-1"},
        {SOW_F8_E5M2, 0x7b, "57344"},
        {SOW_F8_E5M2, 0x7c, "inf"},
        {SOW_F8_E5M2, 0x01, "1.5258789e-5"},
        {SOW_I8, 0x80, "-128"},
        {SOW_U8, 0x80, "128"},
        {SOW_I16, 0xffff, "-1"},
        {SOW_BOOL, 1, "1"},
        {SOW_C64, 0, "nan"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned char bytes[8] = {0};
        char text[32];
        if (sow_dtype_bits(cases[i].dtype) == 8) {
            bytes[0] = (unsigned char)cases[i].bits;
        } else {
            memcpy(bytes, &cases[i].bits, 2);
        }
        sow_value_text(cases[i].dtype, bytes, text);
        assert_string_equal(text, cases[i].text);
    }
    int64_t low = INT64_MIN;
    uint64_t high = UINT64_MAX;
    char text[32];
    sow_value_text(SOW_I64, &low, text);
    assert_string_equal(text, "-9223372036854775808");
    sow_value_text(SOW_U64, &high, text);
    assert_string_equal(text, "18446744073709551615");
    assert_true(sow_value(SOW_I64, &low) == -0x1p63);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_formula_with_its_numbers),     cmocka_unit_test(values_are_those_drawn),
        cmocka_unit_test(blocks_and_what_torch_would_do), cmocka_unit_test(truncation_and_padding),
        cmocka_unit_test(integers_and_unknown_names),     cmocka_unit_test(small_floats_read_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
