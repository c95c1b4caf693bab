/* SPDX-License-Identifier: MIT */
/* Plans: numbers, blocks, padding rows, dtypes, names and keys, canonical JSON, the hash and the fill.
 * The model and its rules are stand-ins (plan_model.h); recipes have tests of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/c/plan_model.h"
#include "model/plan/inside.h"

#include <float.h>
#include <inttypes.h>
#include <jansson.h>
#include <locale.h>
#include <stdio.h>
#include <time.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static enum sow_status make(struct sow_model *model, uint64_t seed, enum sow_dtype dtype,
                            struct sow_plan **plan, struct sow_error *error)
{
    struct sow_plan_options options = {.seed = seed, .dtype = dtype};
    *plan = NULL;
    memset(error, 0, sizeof *error);
    return sow_plan_make(model, &options, plan, error);
}

static struct sow_plan *made(struct sow_model *model, uint64_t seed, enum sow_dtype dtype)
{
    struct sow_plan *plan;
    struct sow_error error;
    if (make(model, seed, dtype, &plan, &error) != SOW_OK) {
        fail_msg("%s", error.message);
    }
    return plan;
}

static void assert_error(struct sow_model *model, enum sow_dtype dtype, enum sow_status code,
                         const char *const *words)
{
    struct sow_plan *plan;
    struct sow_error error;
    assert_int_equal(make(model, 1, dtype, &plan, &error), code);
    assert_int_equal(error.code, code);
    assert_null(plan);
    for (; *words != NULL; words++) {
        if (strstr(error.message, *words) == NULL) {
            fail_msg("no `%s` in: %s", *words, error.message);
        }
    }
}

#define ASSERT_ERROR(model, dtype, code, ...)                                                      \
    assert_error(model, dtype, code, (const char *const[]){__VA_ARGS__, NULL})

/* A small model with everything in it. */
static const struct sow_rule_match rules[] = {
    {.scheme = "normal",
     .arguments = {{"std", NULL, 0.02}},
     .argument_count = 1,
     .glob = "*.normal",
     .text = "rule(\"*.normal\", normal { std = c.initializer_range })",
     .file = "test.lua",
     .line = 9,
     .variant = "authors",
     .reason = "as the authors' code"},
    {.scheme = "glorot_uniform", .glob = "*.glorot", .text = "", .file = "--set", .line = 1},
    {.scheme = "he_normal", .glob = "*.he", .text = "", .file = "test.lua", .line = 11},
    {.scheme = "ones", .glob = "*.scale", .text = "", .file = "test.lua", .line = 12},
    {.scheme = "zeros", .glob = "*", .text = "", .file = "test.lua", .line = 13, .reason = "rest"},
};

static const uint64_t thirds[] = {4, 4, 4};
static const uint64_t uneven[] = {8, 2, 2};
static const uint64_t with_empty[] = {8, 0, 4};

static struct sow_plan *one(struct sow_parameter parameter, enum sow_dtype dtype)
{
    struct sow_model model = model_of(&parameter, 1, rules, COUNT(rules));
    return made(&model, 42, dtype);
}

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
    parameters[0].tensor = sow_tensor_linear(UINT64_C(1) << 29, UINT64_C(1) << 28);
    struct sow_plan *plan = made(&model, 1, SOW_F32);
    assert_true(sow_plan_bytes(plan) == (UINT64_C(1) << 59) + 4);
    sow_plan_free(plan);
    parameters[0].tensor.rank = SOW_RANK_MAX + 1;
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

    parameters[0].tensor = (struct sow_tensor){.rank = 0}; /* one number */
    parameters[1].tensor = sow_tensor_linear(0, 4);        /* none */
    model = model_of(parameters, 2, rules, COUNT(rules));
    plan = made(&model, 1, SOW_F32);
    assert_int_equal(sow_plan_parameters(plan), 1);
    sow_plan_free(plan);
}

/* ---- Fill --------------------------------------------------------------------------------------- */

static uint64_t random_state = 1;

static uint64_t random_below(uint64_t end)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (random_state >> 33) % end;
}

/* Element by element: the last region that has it, else the base. */
static void fill_slowly(const struct sow_plan_entry *entry, uint64_t seed, unsigned char *dst)
{
    uint64_t bytes = sow_dtype_bits(entry->dtype) / 8;
    for (uint64_t element = 0; element < entry->elements; element++) {
        const struct sow_draw *draw = &entry->draw;
        for (size_t i = 0; i < entry->region_count; i++) {
            uint64_t index = element;
            for (uint32_t axis = entry->tensor.rank - 1; axis > entry->regions[i].axis; axis--) {
                index /= entry->tensor.shape[axis];
            }
            index %= entry->tensor.shape[entry->regions[i].axis];
            if (index >= entry->regions[i].begin && index < entry->regions[i].end) {
                draw = &entry->regions[i].draw;
            }
        }
        sow_fill(dst + element * bytes, entry->dtype, element, 1, draw, sow_key(entry->key, seed));
    }
}

static void check_fill(struct sow_parameter parameter, enum sow_dtype dtype)
{
    enum { BYTES_MAX = 4096 };
    struct sow_plan *plan = one(parameter, dtype);
    const struct sow_plan_entry *entry = sow_plan_at(plan, 0);
    unsigned char expected[BYTES_MAX], found[BYTES_MAX];
    uint64_t bytes = entry->bytes / entry->elements;
    assert_true(entry->bytes <= BYTES_MAX);
    fill_slowly(entry, 7, expected);
    for (int round = 0; round < 200; round++) {
        memset(found, 0xa5, sizeof found);
        for (uint64_t at = 0, count; at < entry->elements; at += count) {
            count = round == 0 ? entry->elements : 1 + random_below(entry->elements - at);
            sow_plan_fill(entry, 7, found + at * bytes, at, count);
        }
        assert_memory_equal(found, expected, entry->bytes);
    }
    memset(found, 0xa5, sizeof found);
    sow_plan_fill(entry, 7, found + 8, 3, 0);
    assert_int_equal(found[8], 0xa5);
    sow_plan_fill(entry, 7, found + 8, 3, 5); /* nothing beside it is touched */
    assert_int_equal(found[7], 0xa5);
    assert_int_equal(found[8 + 5 * bytes], 0xa5);
    assert_memory_equal(found + 8, expected + 3 * bytes, 5 * bytes);
    sow_plan_free(plan);
}

static void fill_gives_every_cut_the_same_bytes(void **state)
{
    (void)state;
    static const enum sow_dtype dtypes[] = {SOW_F32, SOW_BF16, SOW_F64, SOW_F8_E4M3FN};
    for (size_t i = 0; i < COUNT(dtypes); i++) {
        struct sow_parameter parameter = parameter_of("w.glorot", sow_tensor_linear(12, 5));
        check_fill(parameter, dtypes[i]);
        parameter.blocks = (struct sow_blocks){.axis = 0, .count = 3, .sizes = uneven};
        check_fill(parameter, dtypes[i]);
        parameter.zero_row = 5; /* within a block */
        check_fill(parameter, dtypes[i]);
        parameter.tensor = sow_tensor_linear_in_out(5, 12);
        parameter.blocks.axis = 1;
        parameter.zero_row = -1;
        check_fill(parameter, dtypes[i]);
        parameter.zero_row = 2; /* across the blocks */
        check_fill(parameter, dtypes[i]);
        const uint64_t kernel[] = {3, 2};
        parameter = parameter_of("w.glorot", sow_tensor_conv(4, 12, kernel, 2, 1));
        parameter.blocks = (struct sow_blocks){.axis = 1, .count = 3, .sizes = uneven};
        check_fill(parameter, dtypes[i]);
        parameter = parameter_of("wte.normal", sow_tensor_embedding(10, 7));
        parameter.zero_row = 0;
        check_fill(parameter, dtypes[i]);
    }
}

static void fill_draws_as_the_key(void **state)
{
    (void)state;
    struct sow_parameter parameter = parameter_of("new.normal", sow_tensor_linear(4, 4));
    parameter.key = "old.normal";
    struct sow_plan *renamed = one(parameter, 0);
    struct sow_plan *before = one(parameter_of("old.normal", parameter.tensor), 0);
    float a[16], b[16];
    sow_plan_fill(sow_plan_at(renamed, 0), 42, a, 0, 16);
    sow_plan_fill(sow_plan_at(before, 0), 42, b, 0, 16);
    assert_memory_equal(a, b, sizeof a);
    sow_plan_free(renamed);
    sow_plan_free(before);
}

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
    assert_true(made_seconds < 20); /* generous: it may be under a sanitizer */
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
        cmocka_unit_test(fill_gives_every_cut_the_same_bytes),
        cmocka_unit_test(fill_draws_as_the_key),
        cmocka_unit_test(json_is_canonical),
        cmocka_unit_test(json_numbers_read_back),
        cmocka_unit_test(hash_is_of_what_is_drawn),
        cmocka_unit_test(hash_of_parts_is_that_of_the_whole),
        cmocka_unit_test(f01_a_million_tensors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
