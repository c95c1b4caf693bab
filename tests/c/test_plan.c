/* SPDX-License-Identifier: MIT */
/* Plans: the numbers and reasons of each tensor, blocks and rows, names and keys, sizes. Not here: what is done with a
 * plan (test_plan_fill.c, test_plan_text.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "model/plan/inside.h"
#include "tests/c/plan_made.h"

#include <stdio.h>
#include <time.h>

static void numbers_and_reasons(void **state)
{
    (void)state;
    struct sow_plan *plan = one(parameter_of("a.he", sow_tensor_linear(256, 768)), 0);
    const struct sow_plan_entry *entry = sow_plan_at(plan, 0);
    assert_string_equal(entry->name, "a.he");
    assert_ptr_equal(entry->key, entry->name);
    assert_string_equal(entry->scheme, "he_normal");
    assert_int_equal(entry->draw.distribution, SOW_NORMAL);
    assert_true(fabs(entry->draw.std - 0.05103103630798288) < 1e-16);
    assert_true(entry->fan_in == 768 && entry->fan_out == 256);
    assert_string_equal(entry->rule, "*.he");
    assert_string_equal(entry->rule_file, "test.lua");
    assert_int_equal(entry->rule_line, 11);
    assert_non_null(strstr(entry->reason, "768"));
    assert_int_equal(entry->elements, 256 * 768);
    assert_int_equal(entry->bytes, 256 * 768 * 4);
    assert_int_equal(sow_plan_parameters(plan), 256 * 768);
    assert_int_equal(sow_plan_bytes(plan), 256 * 768 * 4);
    assert_int_equal(sow_plan_count(plan), 1);
    assert_int_equal(sow_plan_seed(plan), 42);
    assert_null(sow_plan_at(plan, 1));
    sow_plan_free(plan);

    plan = one(parameter_of("a.normal", sow_tensor_linear(2, 2)), 0);
    assert_string_equal(sow_plan_at(plan, 0)->scheme_text, "normal{std=0.02}");
    assert_non_null(strstr(sow_plan_at(plan, 0)->reason, "as the authors' code"));
    sow_plan_free(plan);
    sow_plan_free(NULL);
}

static void vectors_have_no_fans(void **state)
{
    (void)state;
    struct sow_plan *plan = one(parameter_of("a.bias", vector_of(768)), 0);
    assert_true(isnan(sow_plan_at(plan, 0)->fan_in));
    assert_true(isnan(sow_plan_at(plan, 0)->fan_out));
    sow_plan_free(plan);
    struct sow_parameter parameter = parameter_of("bias.he", vector_of(768));
    struct sow_model model = model_of(&parameter, 1, rules, COUNT(rules));
    ASSERT_ERROR(&model, 0, SOW_E_SHAPE, "bias.he", "*.he");
}

static void dtype_order(void **state)
{
    (void)state;
    struct sow_parameter parameters[] = {parameter_of("a.bias", vector_of(6)),
                                         parameter_of("b.bias", vector_of(6))};
    parameters[0].dtype = SOW_F64;
    struct sow_model model = model_of(parameters, 2, rules, COUNT(rules));
    const struct {
        enum sow_dtype config, option, expected;
    } cases[] = {{0, 0, SOW_F32},
                 {SOW_BF16, 0, SOW_BF16},
                 {SOW_BF16, SOW_F16, SOW_F16},
                 {0, SOW_F8_E5M2, SOW_F8_E5M2}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        model.dtype = cases[i].config;
        struct sow_plan *plan = made(&model, 1, cases[i].option);
        assert_int_equal(sow_plan_at(plan, 0)->dtype, SOW_F64);
        assert_int_equal(sow_plan_at(plan, 1)->dtype, cases[i].expected);
        assert_int_equal(sow_plan_bytes(plan), 48 + 6 * sow_dtype_bits(cases[i].expected) / 8);
        sow_plan_free(plan);
    }
    ASSERT_ERROR(&model, (enum sow_dtype)99, SOW_E_ARGUMENT, "99");
    ASSERT_ERROR(&model, SOW_C64, SOW_E_UNSUPPORTED, "b.bias", "c64");
}

static void integers_take_their_constants(void **state)
{
    (void)state;
    struct sow_parameter parameter = parameter_of("ids", vector_of(4));
    struct sow_rule_match rule = number_rule("*", "constant", "value", 255);
    struct sow_model model = model_of(&parameter, 1, &rule, 1);
    const struct {
        enum sow_dtype dtype;
        double value;
        int good;
    } cases[] = {{SOW_U8, 255, 1},           {SOW_U8, 256, 0},        {SOW_U8, -1, 0},
                 {SOW_I8, 127, 1},           {SOW_I8, -128, 1},       {SOW_I8, 128, 0},
                 {SOW_I8, 0.5, 0},           {SOW_BOOL, 1, 1},        {SOW_BOOL, 2, 0},
                 {SOW_I64, 0x1p62, 1},       {SOW_I64, -0x1p63, 1},   {SOW_I64, 0x1p63, 0},
                 {SOW_U64, 0x1p63, 1},       {SOW_U64, 0x1p64, 0},    {SOW_U32, 4294967295.0, 1},
                 {SOW_U32, 4294967296.0, 0}, {SOW_I32, 1.0000001, 0}, {SOW_F32, 0.5, 1}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct sow_plan *plan;
        struct sow_error error;
        rule.arguments[0].number = cases[i].value;
        parameter.dtype = cases[i].dtype;
        enum sow_status status = make(&model, 1, 0, &plan, &error);
        assert_int_equal(status, cases[i].good ? SOW_OK : SOW_E_RULE);
        assert_true(cases[i].good || strstr(error.message, "`ids`") != NULL);
        sow_plan_free(plan);
    }
    parameter = parameter_of("ids.he", sow_tensor_linear(2, 2));
    parameter.dtype = SOW_I64;
    model = model_of(&parameter, 1, rules, COUNT(rules));
    ASSERT_ERROR(&model, 0, SOW_E_RULE, "ids.he", "i64", "constants only");
}

/* ---- Blocks and rows -------------------------------------------------------------------------- */

static void like_blocks_are_one_draw(void **state)
{
    (void)state;
    struct sow_parameter parameter = parameter_of("qkv.glorot", sow_tensor_linear_in_out(4, 12));
    parameter.blocks = (struct sow_blocks){.axis = 1, .count = 3, .sizes = thirds};
    struct sow_plan *plan = one(parameter, 0);
    const struct sow_plan_entry *entry = sow_plan_at(plan, 0);
    assert_int_equal(entry->region_count, 0);
    assert_true(entry->fan_in == 4 && entry->fan_out == 4);
    struct sow_tensor block = sow_tensor_linear_in_out(4, 4);
    struct sow_draw draw;
    assert_int_equal(sow_scheme_resolve("glorot_uniform", NULL, 0, &block, &draw, NULL), SOW_OK);
    assert_true(sow_draw_equal(&draw, &entry->draw));
    sow_plan_free(plan);
}

static void unlike_blocks_are_regions(void **state)
{
    (void)state;
    struct sow_parameter parameter = parameter_of("qkv.glorot", sow_tensor_linear(12, 4));
    parameter.blocks = (struct sow_blocks){.axis = 0, .count = 3, .sizes = uneven};
    struct sow_plan *plan = one(parameter, 0);
    const struct sow_plan_entry *entry = sow_plan_at(plan, 0);
    assert_int_equal(entry->region_count, 3);
    assert_true(entry->fan_in == 4 && isnan(entry->fan_out));
    uint64_t begin = 0;
    for (size_t i = 0; i < 3; i++) {
        const struct sow_region *region = &entry->regions[i];
        struct sow_tensor block = sow_tensor_linear(uneven[i], 4);
        struct sow_draw draw;
        assert_int_equal(sow_scheme_resolve("glorot_uniform", NULL, 0, &block, &draw, NULL),
                         SOW_OK);
        assert_true(sow_draw_equal(&draw, &region->draw));
        assert_int_equal(region->begin, begin);
        assert_int_equal(region->end, begin + uneven[i]);
        assert_true(region->fan_in == 4 && region->fan_out == (double)uneven[i]);
        begin = region->end;
    }
    sow_plan_free(plan);

    parameter.blocks.sizes = with_empty;
    plan = one(parameter, 0);
    assert_int_equal(sow_plan_at(plan, 0)->region_count, 2);
    sow_plan_free(plan);
}

static void blocks_must_fit(void **state)
{
    (void)state;
    struct sow_parameter parameter = parameter_of("qkv.glorot", sow_tensor_linear(13, 4));
    parameter.blocks = (struct sow_blocks){.axis = 0, .count = 3, .sizes = thirds};
    struct sow_model model = model_of(&parameter, 1, rules, COUNT(rules));
    ASSERT_ERROR(&model, 0, SOW_E_SHAPE, "qkv.glorot", "12", "13");
    parameter.blocks.axis = 2;
    ASSERT_ERROR(&model, 0, SOW_E_SHAPE, "qkv.glorot", "axis 2");
}

static void padding_rows(void **state)
{
    (void)state;
    struct sow_parameter parameter = parameter_of("wte.normal", sow_tensor_embedding(10, 3));
    parameter.zero_row = 9;
    struct sow_plan *plan = one(parameter, 0);
    const struct sow_plan_entry *entry = sow_plan_at(plan, 0);
    assert_int_equal(entry->region_count, 1);
    assert_int_equal(entry->regions[0].begin, 9);
    assert_int_equal(entry->regions[0].end, 10);
    float values[30];
    sow_plan_fill(entry, 42, values, 0, 30);
    assert_true(values[26] != 0);
    assert_true(values[27] == 0 && values[28] == 0 && values[29] == 0);
    sow_plan_free(plan);

    parameter.name = "wte.zeros"; /* zeros already: nothing to say */
    plan = one(parameter, 0);
    assert_int_equal(sow_plan_at(plan, 0)->region_count, 0);
    sow_plan_free(plan);

    parameter.name = "wte.scale";
    plan = one(parameter, 0);
    assert_int_equal(sow_plan_at(plan, 0)->region_count, 1);
    sow_plan_free(plan);

    parameter.zero_row = 10;
    struct sow_model model = model_of(&parameter, 1, rules, COUNT(rules));
    ASSERT_ERROR(&model, 0, SOW_E_SHAPE, "wte.scale", "row 10", "10 rows");
}

/* ---- Names and keys ---------------------------------------------------------------------------- */

static void names_differ(void **state)
{
    (void)state;
    struct sow_parameter parameters[] = {parameter_of("a.b", vector_of(2)),
                                         parameter_of("a.c", vector_of(2)),
                                         parameter_of("a.b", vector_of(2))};
    struct sow_model model = model_of(parameters, 3, rules, COUNT(rules));
    ASSERT_ERROR(&model, 0, SOW_E_CONFIG, "a.b");
    parameters[2].name = "";
    ASSERT_ERROR(&model, 0, SOW_E_CONFIG, "no name");
    parameters[2].name = "caf\xe9";
    ASSERT_ERROR(&model, 0, SOW_E_CONFIG, "UTF-8");
    parameters[2].name = "caf\xc3\xa9";
    sow_plan_free(made(&model, 1, 0));
}

static void keys_clash(void **state)
{
    (void)state;
    struct sow_parameter parameters[] = {parameter_of("a.b", vector_of(2)),
                                         parameter_of("a.c", vector_of(2)),
                                         parameter_of("a.d", vector_of(2))};
    struct sow_model model = model_of(parameters, 3, rules, COUNT(rules));
    parameters[2].key = "a.d"; /* its own name is no other key */
    struct sow_plan *plan = made(&model, 1, 0);
    assert_ptr_equal(sow_plan_at(plan, 2)->key, sow_plan_at(plan, 2)->name);
    sow_plan_free(plan);
    parameters[2].key = "a.b";
    ASSERT_ERROR(&model, 0, SOW_E_CONFIG, "`a.b`", "`a.d`", "copies");
    parameters[0].key = "elsewhere"; /* now a.b is free */
    plan = made(&model, 1, 0);
    assert_string_equal(sow_plan_at(plan, 2)->key, "a.b");
    sow_plan_free(plan);
    parameters[2].key = "elsewhere";
    ASSERT_ERROR(&model, 0, SOW_E_CONFIG, "`a.b`", "`a.d`", "`elsewhere`");

    /* Two names with the same FNV-1a 64. */
    parameters[0] = parameter_of("8yn0iYCKYHlIj4-BwPqk", vector_of(2));
    parameters[2] = parameter_of("GReLUrM4wMqfg9yzV3KQ", vector_of(2));
    assert_int_equal(sow_key(parameters[0].name, 0).tensor, sow_key(parameters[2].name, 0).tensor);
    ASSERT_ERROR(&model, 0, SOW_E_CONFIG, "8yn0iYCKYHlIj4-BwPqk", "GReLUrM4wMqfg9yzV3KQ", "FNV-1a");
    parameters[2].key = "another"; /* the way out */
    plan = made(&model, 1, 0);
    struct sow_error error;
    for (size_t i = 0; i < 3; i++) {
        assert_ptr_equal(sow_plan_find(plan, parameters[i].name, &error), sow_plan_at(plan, i));
    }
    sow_plan_free(plan);
}

static void find_suggests(void **state)
{
    (void)state;
    struct sow_parameter parameters[] = {parameter_of("h.0.attn.c_attn.weight", vector_of(2)),
                                         parameter_of("h.1.attn.c_attn.weight", vector_of(2))};
    struct sow_model model = model_of(parameters, 2, rules, COUNT(rules));
    struct sow_plan *plan = made(&model, 1, 0);
    struct sow_error error = {0};
    assert_ptr_equal(sow_plan_find(plan, "h.1.attn.c_attn.weight", &error), sow_plan_at(plan, 1));
    assert_null(sow_plan_find(plan, "h.1.attn.c_atn.weight", &error));
    assert_int_equal(error.code, SOW_E_ARGUMENT);
    assert_non_null(strstr(error.message, "did you mean `h.1.attn.c_attn.weight`"));
    assert_null(sow_plan_find(plan, "zzz", NULL));
    sow_plan_free(plan);

    const struct sow_tie tie = {"head.weight", "h.0.attn.c_attn.weight"};
    model.graph.ties = &tie;
    model.graph.tie_count = 1;
    plan = made(&model, 1, 0);
    assert_null(sow_plan_find(plan, "head.weight", &error));
    assert_non_null(strstr(error.message, "tied to `h.0.attn.c_attn.weight`"));
    sow_plan_free(plan);
}

/* ---- Sizes -------------------------------------------------------------------------------------- */

static void sizes_are_checked(void **state)
{
    (void)state;
    struct sow_parameter parameters[2] = {
        parameter_of("big", sow_tensor_linear(UINT64_C(1) << 33, UINT64_C(1) << 33)),
        parameter_of("other", vector_of(1))};
    struct sow_model model = model_of(parameters, 2, rules, COUNT(rules));
    ASSERT_ERROR(&model, 0, SOW_E_SHAPE, "`big`", "2^57");
    parameters[0].tensor = kept(sow_tensor_linear(UINT64_C(1) << 29, UINT64_C(1) << 28));
    struct sow_plan *plan = made(&model, 1, SOW_F32);
    assert_true(sow_plan_bytes(plan) == (UINT64_C(1) << 59) + 4);
    sow_plan_free(plan);
    struct sow_tensor wide = *parameters[0].tensor;
    wide.rank = SOW_RANK_MAX + 1;
    parameters[0].tensor = kept(wide);
    ASSERT_ERROR(&model, 0, SOW_E_SHAPE, "`big`", "9 axes");

    struct sow_parameter *many = calloc(64, sizeof *many);
    char names[64][8];
    for (int i = 0; i < 64; i++) {
        snprintf(names[i], sizeof names[i], "t%d", i);
        many[i] = parameter_of(names[i], vector_of(UINT64_C(1) << 57));
        many[i].dtype = SOW_F64;
    }
    model = model_of(many, 64, rules, COUNT(rules));
    ASSERT_ERROR(&model, 0, SOW_E_SHAPE, "2^63 bytes");
    free(many);

    parameters[0].tensor = kept((struct sow_tensor){.rank = 0}); /* one number */
    parameters[1].tensor = kept(sow_tensor_linear(0, 4));        /* none */
    model = model_of(parameters, 2, rules, COUNT(rules));
    plan = made(&model, 1, SOW_F32);
    assert_int_equal(sow_plan_parameters(plan), 1);
    sow_plan_free(plan);
}

/* ---- Many tensors ------------------------------------------------------------------------------- */

/* Of this process's CPU: the machine may be busy. */
static double seconds_now(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

/* F01, b: 1,400,000 tensors of one element. */
static void f01_a_million_tensors(void **state)
{
    (void)state;
    enum { MANY = 1400000 };
    struct sow_parameter *parameters = malloc(MANY * sizeof *parameters);
    char *names = malloc(MANY * 9);
    assert_non_null(parameters);
    assert_non_null(names);
    for (int i = 0; i < MANY; i++) {
        snprintf(names + 9 * i, 9, "t%07d", i);
        parameters[i] = parameter_of(names + 9 * i, vector_of(1));
    }
    struct sow_rule_match rule = number_rule("*", "normal", "std", 0.02);
    struct sow_model model = model_of(parameters, MANY, &rule, 1);
    double start = seconds_now();
    struct sow_plan *plan = made(&model, 1, SOW_F32);
    double made_seconds = seconds_now() - start;
    assert_int_equal(sow_plan_count(plan), MANY);
    assert_int_equal(sow_plan_bytes(plan), 4 * MANY);
    start = seconds_now();
    char *text = NULL;
    assert_int_equal(sow_plan_json(plan, &text, NULL), SOW_OK);
    print_message("%d tensors: plan %.2f s, json %.2f s\n", MANY, made_seconds,
                  seconds_now() - start);
    sow_text_free(text);
    sow_plan_free(plan);
    free(names);
    free(parameters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_and_reasons),
        cmocka_unit_test(vectors_have_no_fans),
        cmocka_unit_test(dtype_order),
        cmocka_unit_test(integers_take_their_constants),
        cmocka_unit_test(like_blocks_are_one_draw),
        cmocka_unit_test(unlike_blocks_are_regions),
        cmocka_unit_test(blocks_must_fit),
        cmocka_unit_test(padding_rows),
        cmocka_unit_test(names_differ),
        cmocka_unit_test(keys_clash),
        cmocka_unit_test(find_suggests),
        cmocka_unit_test(sizes_are_checked),
        cmocka_unit_test(f01_a_million_tensors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
