/* SPDX-License-Identifier: MIT */
/* A plan as canonical JSON, whose numbers read back exactly, and its hash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "model/plan/inside.h"
#include "tests/c/plan_made.h"

#include <float.h>
#include <inttypes.h>
#include <jansson.h>
#include <locale.h>
#include <stdio.h>

/* ---- JSON --------------------------------------------------------------------------------------- */

static void json_is_canonical(void **state)
{
    (void)state;
    struct sow_parameter parameters[] = {
        parameter_of("h.0.normal", sow_tensor_linear(8, 4)),
        parameter_of("h.1.normal", sow_tensor_linear(8, 4)),
        parameter_of("qkv.glorot", sow_tensor_linear(12, 4)),
        parameter_of("say \"\\\n\x01\xc3\xa9", vector_of(3)),
    };
    parameters[1].key = "h.0.other";
    parameters[2].blocks = (struct sow_blocks){.axis = 0, .count = 3, .sizes = uneven};
    struct sow_rule_match own[3] = {rules[0], rules[1], rules[4]};
    own[0].reason = "";
    struct sow_model model = model_of(parameters, 4, own, 3);
    struct sow_plan *plan = made(&model, UINT64_MAX, SOW_BF16);
    char *text = NULL;
    assert_int_equal(sow_plan_json(plan, &text, NULL), SOW_OK);
    const char *start =
        "{\"stream\":1,\"seed\":18446744073709551615,\"tensors\":[\n"
        "{\"name\":\"h.0.normal\",\"shape\":[8,4],\"dtype\":\"bf16\","
        "\"scheme\":\"normal\",\"distribution\":\"normal\",\"mean\":0,\"std\":0.02,"
        "\"fan_in\":4,\"fan_out\":8,\"rule\":\"*.normal\",\"rule_file\":\"test.lua\","
        "\"rule_line\":9,\"reason\":\"normal{std=0.02}: ";
    assert_memory_equal(text, start, strlen(start));
    assert_non_null(strstr(text, "\n{\"name\":\"h.1.normal\",\"key\":\"h.0.other\",\"shape\""));
    assert_non_null(strstr(text, "{\"name\":\"say \\\"\\\\\\n\\u0001\xc3\xa9\","));
    assert_non_null(strstr(text,
                           "\"blocks\":{\"axis\":0,\"sizes\":[8,2,2]},\"regions\":[{\"axis\":0,"
                           "\"begin\":0,\"end\":8,\"distribution\":\"uniform\",\"low\":-"));
    char end[128];
    snprintf(end, sizeof end,
             "\n],\"totals\":{\"tensors\":4,\"parameters\":115,\"bytes\":230},\"hash\":\"%s\"}",
             sow_plan_hash(plan));
    assert_string_equal(text + strlen(text) - strlen(end), end);
    sow_text_free(text);
    sow_plan_free(plan);

    model = model_of(parameters, 0, own, 2);
    plan = made(&model, 0, 0);
    assert_int_equal(sow_plan_json(plan, &text, NULL), SOW_OK);
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_int_equal(json_array_size(json_object_get(root, "tensors")), 0);
    json_decref(root);
    sow_text_free(text);
    sow_plan_free(plan);
}

/* The number of a one-tensor plan, through its JSON and back. */
static double through_json(double number, const char **text_in_json)
{
    static char kept[64];
    struct sow_parameter parameter = parameter_of("w", vector_of(1));
    struct sow_rule_match rule = number_rule("*", "constant", "value", number);
    struct sow_model model = model_of(&parameter, 1, &rule, 1);
    struct sow_plan *plan = made(&model, 1, SOW_F64);
    char *text = NULL;
    assert_int_equal(sow_plan_json(plan, &text, NULL), SOW_OK);
    const char *at = strstr(text, "\"mean\":") + 7;
    snprintf(kept, sizeof kept, "%.*s", (int)strcspn(at, ","), at);
    *text_in_json = kept;
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    double back = json_number_value(
        json_object_get(json_array_get(json_object_get(root, "tensors"), 0), "mean"));
    json_decref(root);
    sow_text_free(text);
    sow_plan_free(plan);
    return back;
}

static void check_numbers(void)
{
    static const struct {
        double number;
        const char *text;
    } cases[] = {{0, "0"},
                 {-0.0, "-0.0"},
                 {1, "1"},
                 {-768, "-768"},
                 {0.02, "0.02"},
                 {0.1, "0.1"},
                 {1.0 / 3, "0.3333333333333333"},
                 {0.0001, "0.0001"},
                 {0.00001, "1e-5"},
                 {-2.5e-7, "-2.5e-7"},
                 {1e15, "1000000000000000"},
                 {9007199254740993.0, "9007199254740992"},
                 {1e16, "1e16"},
                 {1.5e300, "1.5e300"},
                 {123456.789, "123456.789"},
                 {0.05103103630798288, "0.05103103630798288"},
                 {DBL_MAX, "1.797693134862316e308"},
                 {DBL_MIN, "2.225073858507201e-308"},
                 {4.9406564584124654e-324, "4.94065645841247e-324"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *text;
        double back = through_json(cases[i].number, &text);
        assert_memory_equal(&back, &cases[i].number, sizeof back);
        if (cases[i].number < 1e308 && fabs(cases[i].number) > 1e-300) {
            assert_string_equal(text, cases[i].text);
        }
    }
    for (int i = 0; i < 3000; i++) {
        uint64_t bits = random_below(UINT64_C(1) << 31) << 33 ^
                        random_below(UINT64_C(1) << 31) << 12 ^ random_below(UINT64_C(1) << 31);
        double number;
        const char *text;
        memcpy(&number, &bits, sizeof number);
        if (number - number == 0) {
            double back = through_json(number, &text);
            assert_memory_equal(&back, &number, sizeof back);
        }
    }
}

static void json_numbers_read_back(void **state)
{
    (void)state;
    check_numbers();
    if (setlocale(LC_ALL, "de_DE.UTF-8") != NULL) { /* where it is installed */
        check_numbers();
        setlocale(LC_ALL, "C");
    }
}

/* ---- Hash --------------------------------------------------------------------------------------- */

static void hash_of(struct sow_model *model, uint64_t seed, enum sow_dtype dtype, char hash[33])
{
    struct sow_plan *plan = made(model, seed, dtype);
    memcpy(hash, sow_plan_hash(plan), 33);
    sow_plan_free(plan);
}

static void hash_is_of_what_is_drawn(void **state)
{
    (void)state;
    struct sow_parameter parameters[] = {parameter_of("a.normal", sow_tensor_linear(8, 4)),
                                         parameter_of("b.glorot", sow_tensor_linear(12, 4)),
                                         parameter_of("c.bias", vector_of(3))};
    struct sow_rule_match own[5];
    memcpy(own, rules, sizeof own);
    struct sow_model model = model_of(parameters, 3, own, 5);
    char hash[33], other[33];
    hash_of(&model, 42, SOW_F32, hash);
    assert_string_equal(hash,
                        "9729329a081fa1645b0cad6fccb84cfe"); /* docs/plan.md: the same everywhere */

    struct sow_parameter turned[] = {parameters[2], parameters[0], parameters[1]};
    struct sow_model other_order = model_of(turned, 3, own, 5);
    hash_of(&other_order, 42, SOW_F32, other);
    assert_string_equal(hash, other);
    own[0].reason = "other words";
    own[0].file = "elsewhere.lua";
    parameters[0].role = "residual.output";
    hash_of(&model, 42, SOW_F32, other);
    assert_string_equal(hash, other);

    hash_of(&model, 43, SOW_F32, other);
    assert_string_not_equal(hash, other);
    hash_of(&model, 42, SOW_BF16, other);
    assert_string_not_equal(hash, other);
    parameters[0].key = "d";
    hash_of(&model, 42, SOW_F32, other);
    assert_string_not_equal(hash, other);
    parameters[0].key = NULL;
    parameters[1].blocks = (struct sow_blocks){.axis = 0, .count = 3, .sizes = uneven};
    hash_of(&model, 42, SOW_F32, other);
    assert_string_not_equal(hash, other);
    parameters[1].blocks.count = 0;
    own[0].arguments[0].number = 0.020000000000000004;
    hash_of(&model, 42, SOW_F32, other);
    assert_string_not_equal(hash, other);
}

static void hash_of_parts_is_that_of_the_whole(void **state)
{
    (void)state;
    struct sow_parameter parameters[] = {parameter_of("a.normal", sow_tensor_linear(8, 4)),
                                         parameter_of("b.glorot", sow_tensor_linear(12, 4)),
                                         parameter_of("c.bias", vector_of(3))};
    struct sow_model whole = model_of(parameters, 3, rules, COUNT(rules));
    struct sow_model first = model_of(parameters, 2, rules, COUNT(rules));
    struct sow_model second = model_of(parameters + 2, 1, rules, COUNT(rules));
    char hash[33], together[33];
    hash_of(&whole, 42, SOW_F32, hash);
    struct sow_plan *parts[] = {made(&second, 42, SOW_F32), made(&first, 42, SOW_F32)};
    assert_int_equal(
        sow_plans_hash((const struct sow_plan *const[]){parts[0], parts[1]}, 2, together, NULL),
        SOW_OK);
    assert_string_equal(hash, together);
    sow_plan_free(parts[0]);
    sow_plan_free(parts[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_canonical),
        cmocka_unit_test(json_numbers_read_back),
        cmocka_unit_test(hash_is_of_what_is_drawn),
        cmocka_unit_test(hash_of_parts_is_that_of_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
