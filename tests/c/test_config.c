/* SPDX-License-Identifier: MIT */
/* config.json: what is refused and how (tests/hostile/config/cases.txt), what each family makes of one, and the totals
 * of well-known models. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/checked.h"
#include "model/graph/model.h"
#include "tests/c/cases.h"
#include "tests/c/scratch.h"

/* The model of a config that must be read. */
static struct sow_model *load(const char *config)
{
    struct sow_model *model = NULL;
    struct sow_error error = {.code = SOW_OK};
    if (sow_model_load(write_text("config.json", config), NULL, &model, &error) != SOW_OK) {
        fail_msg("%s:%u: %s\n%s", error.file, error.line, error.message, config);
    }
    return model;
}

/* ---- Hostile files --------------------------------------------------------------------------- */

static void check_place(const struct test_case *test, const struct sow_error *error)
{
    char place[32];
    const char *wanted = case_field(test, "place", NULL);
    snprintf(place, sizeof place, "%u:%u", error->line, error->column);
    if (wanted != NULL &&
        (strcmp(place, wanted) != 0 || strstr(error->file, "config.json") == NULL)) {
        fail_msg("[%s] at %s:%s instead of %s: %s", test->name, error->file, place, wanted,
                 error->message);
    }
}

static void run_case(const struct test_case *test)
{
    struct sow_model *model = NULL;
    struct sow_error error = {.code = SOW_OK};
    size_t length;
    const char *text = case_field(test, "text", &length), *wanted = case_field(test, "sow", NULL);
    enum sow_status status =
        sow_model_load(write_file("config.json", text, length), NULL, &model, &error);
    if (strcmp(wanted, "ok") == 0) {
        if (status != SOW_OK) {
            fail_msg("[%s] refused: %s", test->name, error.message);
        }
    } else if (status == SOW_OK || strstr(error.message, wanted) == NULL) {
        fail_msg("[%s] answered %d \"%s\" instead of \"%s\"", test->name, status, error.message,
                 wanted);
    } else {
        assert_int_equal(error.code, status);
        check_place(test, &error);
    }
    sow_model_free(model);
}

static void test_hostile(void **state)
{
    (void)state;
    assert_true(each_case(SOW_SOURCE_DIR "/tests/hostile/config/cases.txt", run_case) > 130);
}

/* Every prefix of a config is refused, and none of them crashes. */
static void test_cut_anywhere(void **state)
{
    static const char config[] =
        "{\"model_type\": \"gpt2\", \"n_layer\": 1, \"x\": [1.5e3, {\"y\": "
        "null}], \"z\": \"\\u00e9\xc3\xa9\", \"t\": true}";
    (void)state;
    for (size_t length = 0; length < sizeof config - 1; length++) {
        struct sow_model *model = NULL;
        struct sow_error error;
        assert_int_not_equal(
            sow_model_load(write_file("config.json", config, length), NULL, &model, &error),
            SOW_OK);
        if (strstr(error.message, "too early") == NULL && strstr(error.message, "empty") == NULL &&
            strstr(error.message, "inside this text") == NULL &&
            strstr(error.message, "bare word") == NULL && strstr(error.message, "digits") == NULL) {
            fail_msg("cut at %zu: %s", length, error.message);
        }
    }
    sow_model_free(load(config));
}

static void test_too_long(void **state)
{
    size_t length = ((size_t)4 << 20) + 1;
    char *text = malloc(length);
    struct sow_model *model = NULL;
    struct sow_error error;
    (void)state;
    assert_non_null(text);
    memset(text, ' ', length);
    assert_int_equal(sow_model_load(write_file("config.json", text, length), NULL, &model, &error),
                     SOW_E_FORMAT);
    assert_non_null(strstr(error.message, "more than 4194304 bytes"));
    free(text);
}

static void test_what_is_not_there(void **state)
{
    struct sow_model *model = NULL;
    struct sow_error error;
    (void)state;
    assert_int_equal(sow_model_load(at("none.json"), NULL, &model, &error), SOW_E_IO);
    assert_non_null(strstr(error.message, "No such file"));
    assert_int_equal(sow_model_load("", NULL, &model, &error), SOW_E_ARGUMENT);
    assert_int_equal(mkdir(at("empty"), 0777), 0);
    assert_int_equal(sow_model_load(latest, NULL, &model, &error), SOW_E_CONFIG);
    assert_non_null(strstr(error.message, "has no config.json"));
    assert_int_equal(mkdir(at("x.safetensors"), 0777), 0);
    assert_int_not_equal(sow_model_load(latest, NULL, &model, &error), SOW_OK);
}

/* A folder with a config.json, and a config under a name that tells nothing. */
static void test_other_names(void **state)
{
    static const char config[] = "{\"model_type\": \"gpt2\", \"n_layer\": 1}";
    struct sow_model *model = NULL;
    struct sow_error error;
    (void)state;
    write_text("config.json", config);
    assert_int_equal(sow_model_load(scratch, NULL, &model, &error), SOW_OK);
    assert_string_equal(sow_model_family(model), "gpt2");
    sow_model_free(model);
    assert_int_equal(sow_model_load(write_text("gpt2-small", config), NULL, &model, &error),
                     SOW_OK);
    sow_model_free(model);
}

/* ---- Well-known models ----------------------------------------------------------------------- */

static void test_totals(void **state)
{
    static const struct {
        const char *config;
        size_t tensors;
        uint64_t parameters;
    } known[] = {
        {"{\"model_type\":\"gpt2\"}", 148, 124439808},
        {"{\"model_type\":\"gpt2\",\"n_embd\":1024,\"n_layer\":24,\"n_head\":16}", 292, 354823168},
        {"{\"model_type\":\"llama\"}", 291, 6738415616},
        {"{\"model_type\":\"llama\",\"vocab_size\":128256,\"intermediate_size\":14336,"
         "\"num_key_value_heads\":8}",
         291, 8030261248},
        {"{\"model_type\":\"qwen2\",\"hidden_size\":896,\"intermediate_size\":4864,"
         "\"num_hidden_layers\":24,\"num_attention_heads\":14,\"num_key_value_heads\":2,"
         "\"tie_word_embeddings\":true}",
         290, 494032768},
        {"{\"model_type\":\"qwen3\",\"hidden_size\":1024,\"intermediate_size\":3072,"
         "\"num_hidden_layers\":28,\"num_attention_heads\":16,\"num_key_value_heads\":8,"
         "\"tie_word_embeddings\":true}",
         310, 596049920},
        {"{\"model_type\":\"mistral\"}", 291, 7241732096},
        /* F10: heads that do not add up to the hidden size */
        {"{\"model_type\":\"qwen3\",\"vocab_size\":151936,\"hidden_size\":2560,"
         "\"intermediate_size\":9728,\"num_hidden_layers\":36,\"num_attention_heads\":32,"
         "\"num_key_value_heads\":8,\"head_dim\":128,\"tie_word_embeddings\":true}",
         398, 4022468096},
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct sow_model *model = load(known[i].config);
        const struct sow_graph *graph = sow_model_graph(model);
        uint64_t total = 0;
        for (size_t j = 0; j < graph->parameter_count; j++) {
            const struct sow_tensor *tensor = graph->parameters[j].tensor;
            uint64_t elements;
            assert_int_equal(sow_product_u64(tensor->shape, tensor->rank, &elements), 0);
            total += elements;
        }
        assert_int_equal(graph->parameter_count, known[i].tensors);
        assert_int_equal(total, known[i].parameters);
        sow_model_free(model);
    }
}

static const struct sow_parameter *find(const struct sow_model *model, const char *name)
{
    const struct sow_graph *graph = sow_model_graph(model);
    for (size_t i = 0; i < graph->parameter_count; i++) {
        if (strcmp(graph->parameters[i].name, name) == 0) {
            return &graph->parameters[i];
        }
    }
    return NULL;
}

static void check_shape(const struct sow_model *model, const char *name, uint64_t rows,
                        uint64_t columns)
{
    const struct sow_parameter *parameter = find(model, name);
    assert_non_null(parameter);
    assert_int_equal(parameter->tensor->shape[0], rows);
    assert_int_equal(parameter->tensor->rank, columns == 0 ? 1 : 2);
    assert_int_equal(parameter->tensor->shape[1], columns);
}

static void test_f10_head_dim(void **state)
{
#define QWEN3                                                                                      \
    "{\"model_type\":\"qwen3\",\"vocab_size\":151936,\"hidden_size\":2560,\"intermediate_size\":"  \
    "9728,"                                                                                        \
    "\"num_hidden_layers\":1,\"num_attention_heads\":32,\"num_key_value_heads\":8,"
    static const char *const configs[] = {QWEN3 "\"head_dim\":128}",
                                          QWEN3 "\"tie_word_embeddings\":true}"};
    (void)state;
    for (size_t i = 0; i < 2;
         i++) { /* without the field: the family's own default, and not 2560 / 32 */
        struct sow_model *model = load(configs[i]);
        check_shape(model, "model.layers.0.self_attn.q_proj.weight", 4096, 2560);
        check_shape(model, "model.layers.0.self_attn.k_proj.weight", 1024, 2560);
        check_shape(model, "model.layers.0.self_attn.v_proj.weight", 1024, 2560);
        check_shape(model, "model.layers.0.self_attn.o_proj.weight", 2560, 4096);
        check_shape(model, "model.layers.0.self_attn.q_norm.weight", 128, 0);
        check_shape(model, "model.layers.0.self_attn.k_norm.weight", 128, 0);
        int told = 0;
        for (size_t j = 0; sow_model_note(model, j) != NULL; j++) {
            told |=
                strcmp(
                    sow_model_note(model, j),
                    "head_dim is absent: 128, the default of Qwen3Config of transformers 5.24.0") ==
                0;
        }
        assert_int_equal(told, i == 1);
        sow_model_free(model);
    }
#undef QWEN3
}

static void test_architectures(void **state)
{
    (void)state;
    struct sow_model *model =
        load("{\"model_type\":\"gpt2\",\"n_layer\":1,\"architectures\":[\"GPT2Model\"]}");
    assert_non_null(find(model, "wte.weight"));
    assert_non_null(find(model, "h.0.attn.c_attn.weight"));
    assert_int_equal(sow_model_graph(model)->tie_count, 0);
    sow_model_free(model);
    model = load("{\"model_type\":\"gpt2\",\"n_layer\":1,\"tie_word_embeddings\":false}");
    assert_non_null(find(model, "lm_head.weight"));
    sow_model_free(model);
    model = load("{\"model_type\":\"gpt2\",\"n_layer\":1}");
    assert_null(find(model, "lm_head.weight"));
    assert_int_equal(sow_model_graph(model)->tie_count, 1);
    assert_string_equal(sow_model_graph(model)->ties[0].name, "lm_head.weight");
    assert_string_equal(sow_model_graph(model)->ties[0].to, "transformer.wte.weight");
    sow_model_free(model);
}

static void test_padding_row(void **state)
{
    (void)state;
    struct sow_model *model = load(
        "{\"model_type\":\"llama\",\"num_hidden_layers\":1,\"vocab_size\":100,\"pad_token_id\":7}");
    assert_int_equal(find(model, "model.embed_tokens.weight")->zero_row, 7);
    assert_int_equal(find(model, "lm_head.weight")->zero_row, -1);
    sow_model_free(model);
    model = load("{\"model_type\":\"llama\",\"num_hidden_layers\":1,\"vocab_size\":100,\"pad_token_"
                 "id\":-1}");
    assert_int_equal(find(model, "model.embed_tokens.weight")->zero_row, 99);
    sow_model_free(model);
    model = load(
        "{\"model_type\":\"gpt2\",\"n_layer\":1,\"pad_token_id\":7}"); /* GPT2Model has no padding_idx */
    assert_int_equal(find(model, "transformer.wte.weight")->zero_row, -1);
    sow_model_free(model);
}

static void test_dtype(void **state)
{
    (void)state;
    struct sow_model *model = load("{\"model_type\":\"gpt2\",\"torch_dtype\":\"float16\"}");
    assert_int_equal(sow_model_dtype(model), SOW_F16);
    sow_model_free(model);
    model = load("{\"model_type\":\"gpt2\",\"torch_dtype\":\"float16\",\"dtype\":\"bfloat16\"}");
    assert_int_equal(sow_model_dtype(model), SOW_BF16);
    sow_model_free(model);
    model = load("{\"model_type\":\"gpt2\",\"dtype\":null}");
    assert_int_equal(sow_model_dtype(model), 0);
    sow_model_free(model);
}

static int has_note(const struct sow_model *model, const char *note)
{
    for (size_t i = 0; sow_model_note(model, i) != NULL; i++) {
        if (strcmp(sow_model_note(model, i), note) == 0) {
            return 1;
        }
    }
    return 0;
}

/* F12's kind: a field that nobody reads, beside the one that was meant. */
static void test_misspelt_fields_are_told(void **state)
{
    (void)state;
    struct sow_model *model =
        load("{\"model_type\": \"gpt2\", \"n_layers\": 3, \"n_inner\": null, \"n_head\": 12}");
    assert_true(has_note(model, "n_layer is absent: 12, the default of GPT2Config of transformers "
                                "5.24.0; the file has n_layers, which nobody reads"));
    assert_true(has_note(model, "n_inner is null: 4 * n_embd"));
    assert_true(has_note(model, "architectures is absent: GPT2LMHeadModel"));
    assert_true(has_note(model, "n_embd is absent: 768, the default of GPT2Config of transformers "
                                "5.24.0"));
    sow_model_free(model);
}

/* ---- Checkpoints as descriptions --------------------------------------------------------------- */

static const char *write_safetensors(const char *name, const char *header, size_t data)
{
    char bytes[4096] = {0};
    size_t length = strlen(header);
    assert_true(8 + length + data < sizeof bytes);
    bytes[0] = (char)(length & 0xff);
    bytes[1] = (char)(length >> 8);
    memcpy(bytes + 8, header, length);
    return write_file(name, bytes, 8 + length + data);
}

static void check_tensor(const struct sow_model *model, const char *name, enum sow_dtype dtype,
                         uint32_t rank, uint64_t first)
{
    const struct sow_parameter *parameter = find(model, name);
    assert_non_null(parameter);
    assert_int_equal(parameter->dtype, dtype);
    assert_int_equal(parameter->tensor->kind, SOW_KIND_OTHER);
    assert_int_equal(parameter->tensor->rank, rank);
    assert_int_equal(parameter->tensor->shape[0], first);
    assert_int_equal(parameter->layer, -1);
    assert_int_equal(parameter->zero_row, -1);
}

static void test_a_header_as_description(void **state)
{
    struct sow_model *model = NULL;
    struct sow_error error;
    (void)state;
    write_safetensors("w.safetensors",
                      "{\"w\":{\"dtype\":\"BF16\",\"shape\":[2,3],\"data_offsets\":[0,12]},"
                      "\"ids\":{\"dtype\":\"I64\",\"shape\":[4],\"data_offsets\":[12,44]},"
                      "\"none\":{\"dtype\":\"F32\",\"shape\":[0,3],\"data_offsets\":[44,44]}}",
                      44);
    assert_int_equal(sow_model_load(at("w.safetensors"), NULL, &model, &error), SOW_OK);
    assert_string_equal(sow_model_family(model), "");
    assert_null(sow_model_variant(model, 0));
    assert_int_equal(sow_model_graph(model)->operation_count, 0);
    check_tensor(model, "w", SOW_BF16, 2, 2);
    check_tensor(model, "ids", SOW_I64, 1, 4);
    check_tensor(model, "none", SOW_F32, 2, 0);
    sow_model_free(model);
    write_safetensors("e.safetensors", "{}", 0);
    assert_int_equal(sow_model_load(at("e.safetensors"), NULL, &model, &error), SOW_E_FORMAT);
    assert_non_null(strstr(error.message, "the file has no tensor"));
}

static void test_an_index_as_description(void **state)
{
    static const char index[] =
        "{\"metadata\":{\"total_size\":16},\"weight_map\":{\"a\":\"x1.safetensors\","
        "\"b\":\"x2.safetensors\"}}";
    static const char lying[] =
        "{\"weight_map\":{\"a\":\"x1.safetensors\",\"c\":\"x2.safetensors\"}}";
    struct sow_model *model = NULL;
    struct sow_error error;
    (void)state;
    write_safetensors("x1.safetensors",
                      "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8);
    write_safetensors("x2.safetensors",
                      "{\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8);
    assert_int_equal(
        sow_model_load(write_text("model.safetensors.index.json", index), NULL, &model, &error),
        SOW_OK);
    check_tensor(model, "a", SOW_F32, 1, 2);
    check_tensor(model, "b", SOW_F32, 1, 2);
    sow_model_free(model);
    assert_int_equal(
        sow_model_load(write_text("model.safetensors.index.json", lying), NULL, &model, &error),
        SOW_E_MISSING);
    assert_non_null(strstr(error.message, "c"));
}

/* ---- Families -------------------------------------------------------------------------------- */

static void test_families(void **state)
{
    static const char *const families[] = {"gpt2", "llama", "mistral", "qwen2", "qwen3", NULL};
    (void)state;
    for (size_t i = 0; families[i] != NULL; i++) {
        size_t at = 0;
        while (sow_family_name(at) != NULL && strcmp(sow_family_name(at), families[i]) != 0) {
            at++;
        }
        assert_non_null(sow_family_name(at));
    }
}

static void test_users_recipes(void **state)
{
    static const char recipe[] =
        "local c = config { \"mine\", width = size(8) }\n"
        "local x = input { \"batch\", c.width } >> linear(\"mine\", c.width, 4)\n"
        "rule(\"*\", zeros)\n";
    struct sow_model_options options = {.recipes_dir = scratch};
    struct sow_model *model = NULL;
    struct sow_error error;
    (void)state;
    write_text("gpt2.lua", recipe); /* the user's own goes before ours */
    write_text("net.lua", recipe);
    const char *config = "{\"model_type\": \"net\", \"width\": 16}";
    assert_int_equal(sow_model_load(write_text("config.json", config), &options, &model, &error),
                     SOW_OK);
    check_shape(model, "mine.weight", 4, 16);
    sow_model_free(model);
    config = "{\"model_type\": \"gpt2\"}";
    assert_int_equal(sow_model_load(write_text("config.json", config), &options, &model, &error),
                     SOW_OK);
    check_shape(model, "mine.weight", 4, 8);
    sow_model_free(model);
    options.recipes_dir = "/nowhere";
    assert_int_equal(sow_model_load(at("config.json"), &options, &model, &error), SOW_E_IO);
    options.recipes_dir = scratch;
    config = "{\"model_type\": \"llama\"}"; /* not in the user's folder */
    assert_int_equal(sow_model_load(write_text("config.json", config), &options, &model, &error),
                     SOW_OK);
    sow_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_what_is_not_there),
        cmocka_unit_test(test_other_names),
        cmocka_unit_test(test_totals),
        cmocka_unit_test(test_f10_head_dim),
        cmocka_unit_test(test_architectures),
        cmocka_unit_test(test_padding_row),
        cmocka_unit_test(test_dtype),
        cmocka_unit_test(test_misspelt_fields_are_told),
        cmocka_unit_test(test_a_header_as_description),
        cmocka_unit_test(test_an_index_as_description),
        cmocka_unit_test(test_families),
        cmocka_unit_test(test_users_recipes),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
