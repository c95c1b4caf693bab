/* SPDX-License-Identifier: MIT */
/* Recipes: what the sandbox refuses (tests/hostile/recipe/cases.txt), and what all that are shipped must be. Not here:
 * rules (test_rules.c), and that every word ends (test_endless.c). */
#include "tests/c/cases.h"
#include "tests/c/recipe_files.h"

#include "model/recipe/embedded.h"

/* ---- Hostile recipes ------------------------------------------------------------------------- */

static void run_case(const struct test_case *test)
{
    char text[16384];
    size_t length = 0;
    struct sow_model *model = NULL;
    struct sow_error error = {.code = SOW_OK};
    const char *wanted = case_field(test, "sow", NULL), *place = case_field(test, "place", NULL);
    for (size_t i = 0; i < test->count; i++) {
        if (strcmp(test->fields[i].key, "lua") == 0) {
            assert_true(length + test->fields[i].length + 2 < sizeof text);
            length += length > 0 ? 1 : 0;
            text[length > 0 ? length - 1 : 0] = '\n';
            memcpy(text + length, test->fields[i].value, test->fields[i].length);
            length += test->fields[i].length;
        }
    }
    enum sow_status status =
        sow_model_load(write_file("case.lua", text, length), NULL, &model, &error);
    if (strcmp(wanted, "ok") == 0) {
        if (status != SOW_OK) {
            fail_msg("[%s] refused: %u: %s", test->name, error.line, error.message);
        }
    } else if (status == SOW_OK || strstr(error.message, wanted) == NULL) {
        fail_msg("[%s] answered %d \"%s\" instead of \"%s\"", test->name, status, error.message,
                 wanted);
    } else if (strcmp(error.file, latest) != 0 ||
               (place != NULL && error.line != strtoul(place, NULL, 10))) {
        fail_msg("[%s] at %s:%u instead of line %s", test->name, error.file, error.line, place);
    }
    sow_model_free(model);
}

static void test_hostile(void **state)
{
    (void)state;
    assert_true(each_case(SOW_SOURCE_DIR "/tests/hostile/recipe/cases.txt", run_case) > 110);
}

static void test_brackets_without_end(void **state)
{
    static char text[200001];
    struct sow_model *model;
    struct sow_error error;
    (void)state;
    for (int i = 0; i < 2; i++) {
        memset(text, i == 0 ? '(' : '{', sizeof text - 1);
        memcpy(text, "x = ", 4);
        assert_int_equal(try_load("deep.lua", text, &model, &error), SOW_E_SYNTAX);
        assert_non_null(strstr(error.message, "nested too deep"));
        assert_string_equal(error.file, latest);
    }
}

/* The ceilings hold for the compiler too. */
static void test_texts_too_long_for_lua(void **state)
{
    static char text[200000] = "param(\"";
    struct sow_model *model;
    struct sow_error error;
    (void)state;
    memset(text + 7, 'x', 5000);
    memcpy(text + 5007, "\", { 1 })", 9);
    assert_int_equal(try_load("literal.lua", text, &model, &error), SOW_E_CONFIG);
    assert_non_null(strstr(error.message, "a text of more than 4096 bytes"));
    assert_string_equal(error.file, latest);
    memset(text, ' ', sizeof text - 1);
    memcpy(text, "--[[", 4);
    memcpy(text + sizeof text - 30, "]] param(\"w\", { 1 })", 21);
    sow_model_free(load("comment.lua", text)); /* comments are no texts */
}

static void test_too_long(void **state)
{
    size_t length = ((size_t)4 << 20) + 1;
    char *text = malloc(length + 1);
    struct sow_model *model;
    struct sow_error error;
    (void)state;
    assert_non_null(text);
    memset(text, '\n', length);
    text[length] = '\0';
    assert_int_equal(try_load("long.lua", text, &model, &error), SOW_E_FORMAT);
    assert_non_null(strstr(error.message, "more than 4194304 bytes"));
    free(text);
}

/* F01 b: 1,400,000 tensors are a model; a loop that declares them without end is not. */
static void test_f01_many_tensors(void **state)
{
    struct sow_error error;
    (void)state;
    struct sow_model *model = load("b.lua", "for i = 0, 1399999 do\n"
                                            "    param(string.format(\"t%07d\", i), { 1 })\n"
                                            "end\n"
                                            "rule(\"*\", zeros)\n");
    assert_int_equal(sow_model_graph(model)->parameter_count, 1400000);
    assert_string_equal(sow_model_graph(model)->parameters[1399999].name, "t1399999");
    sow_model_free(model);
    assert_int_equal(try_load("c.lua",
                              "local i = 0\nwhile true do\n"
                              "    param(string.format(\"t%07d\", i), { 1 }) i = i + 1\nend",
                              &model, &error),
                     SOW_E_CONFIG);
    assert_non_null(strstr(error.message, "more than 1500000 tensors"));
    assert_non_null(strstr(error.file, "/c.lua"));
    assert_int_equal(error.line, 3);
}

/* What a real network may be: layers and activations by the hundred thousand. */
static void test_many_layers(void **state)
{
    (void)state;
    struct sow_model *model =
        load("deep.lua", "local x = input { \"batch\", 16 }\n"
                         "for i = 0, 99999 do\n"
                         "    x = x >> linear(\"layers.\" .. i .. \".proj\", 16, 16)"
                         " >> activation(\"relu\")\n"
                         "end\n");
    assert_int_equal(sow_model_graph(model)->parameter_count, 200000);
    assert_int_equal(sow_model_graph(model)->operation_count, 200001);
    sow_model_free(model);
}

/* F14: 100,000 tensors whose names share their start. */
static void test_f14_many_layers(void **state)
{
    (void)state;
    struct sow_model *model =
        load("f14.lua", "repeated(\"layers\", 100000, function(i)\n"
                        "    param(\"w\", { 4, 4 }, { kind = \"linear\" })\n"
                        "end)\n"
                        "rule(\"*\", normal { std = function(t) return 1 / (t.layer + 1) end })\n");
    struct sow_rules *rules;
    struct sow_rule_match match;
    struct sow_error error;
    assert_int_equal(sow_model_graph(model)->parameter_count, 100000);
    assert_int_equal(sow_rules_make(model, NULL, &rules, &error), SOW_OK);
    for (size_t i = 0; i < 100000; i++) {
        assert_int_equal(sow_rules_match(rules, i, &match, &error), SOW_OK);
        assert_true(match.arguments[0].number == 1.0 / (double)(i + 1));
    }
    sow_rules_free(rules);
    sow_model_free(model);
}

/* ---- The shipped recipes --------------------------------------------------------------------- */

/* Every scheme of the catalogue, and every alias that is an identifier, is a word of the language. */
static void test_schemes_are_words(void **state)
{
    (void)state;
    struct sow_model *model = load("net.lua", net);
    const struct sow_scheme *row;
    size_t words = 0;
    for (size_t i = 0; (row = sow_scheme_at(i)) != NULL; i++) {
        for (size_t j = 0; j == 0 || (row->aliases != NULL && row->aliases[j - 1] != NULL); j++) {
            const char *word = j == 0 ? row->name : row->aliases[j - 1];
            if (word[strspn(word,
                            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] !=
                '\0') {
                continue;
            }
            char set[128];
            struct sow_rules *rules;
            struct sow_error error;
            snprintf(set, sizeof set, "in.weight=%s", word);
            assert_int_equal(make(model, set, NULL, NULL, &rules, &error), SOW_OK);
            assert_string_equal(scheme_of(rules, model, "in.weight"), word);
            sow_rules_free(rules);
            words++;
        }
    }
    assert_true(words > 20);
    sow_model_free(model);
}

/* No file inside the library uses `^` (the C library's pow); recipes are refused when they do, the prelude is not. */
static void test_no_pow_of_the_c_library(void **state)
{
    (void)state;
    for (const struct sow_embedded *file = sow_embedded_recipes; file->name != NULL; file++) {
        assert_null(memchr(file->text, '^', file->length));
    }
}

/* The text of docs/recipes.md from "## Every word" on. */
static char *read_every_word(void)
{
    char *text = calloc(1, 65536);
    FILE *file = fopen(SOW_SOURCE_DIR "/docs/recipes.md", "r");
    assert_non_null(file);
    assert_true(fread(text, 1, 65535, file) > 0);
    fclose(file);
    char *section = strstr(text, "## Every word");
    assert_non_null(section);
    memmove(text, section, strlen(section) + 1);
    return text;
}

/* Whether `word` stands in `text` between characters that no word has. */
static int has_word(const char *text, const char *word, size_t length)
{
    static const char *const letters = "abcdefghijklmnopqrstuvwxyz_0123456789";
    char copy[64];
    assert_true(length < sizeof copy);
    memcpy(copy, word, length);
    copy[length] = '\0';
    for (const char *at = strstr(text, copy); at != NULL; at = strstr(at + 1, copy)) {
        if (strchr(letters, at[-1]) == NULL && strchr(letters, at[length]) == NULL) {
            return 1;
        }
    }
    return 0;
}

/* The manual's list of words is the prelude's. */
static void test_every_word_is_documented(void **state)
{
    static const char *const marks[] = {"\nfunction words.", "\nwords."};
    char *text = read_every_word();
    size_t count = 0;
    (void)state;
    for (const struct sow_embedded *file = sow_embedded_recipes; file->name != NULL; file++) {
        for (size_t i = 0; file->family == NULL && i < 2; i++) {
            const char *at = file->text;
            while ((at = strstr(at, marks[i])) != NULL) {
                at += strlen(marks[i]);
                size_t length = strspn(at, "abcdefghijklmnopqrstuvwxyz_0123456789");
                if (!has_word(text, at, length)) {
                    fail_msg("%.*s is not in docs/recipes.md", (int)length, at);
                }
                count++;
            }
        }
    }
    assert_true(count > 30);
    free(text);
}

static void test_variants_of_gpt2(void **state)
{
    static const char *const c_proj = "transformer.h.0.attn.c_proj.weight",
                             *const wpe = "transformer.wpe.weight";
    static const struct {
        const char *variant, *tensor;
        double std;
    } wanted[] = {
        {"transformers", c_proj, 0.02 / 4.898979485566356},
        {"transformers", wpe, 0.02},
        {"openai", c_proj, 0.02},
        {"openai", wpe, 0.01},
        {"nanogpt", c_proj, 0.02 / 4.898979485566356},
        {"nanogpt", wpe, 0.02},
    };
    (void)state;
    struct sow_model *model = load("config.json", "{\"model_type\": \"gpt2\"}");
    assert_string_equal(sow_model_variant(model, 0)->name, "transformers");
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        struct sow_plan_options options = {.variant = wanted[i].variant};
        struct sow_rules *rules;
        struct sow_rule_match match;
        struct sow_error error;
        assert_int_equal(sow_rules_make(model, &options, &rules, &error), SOW_OK);
        assert_int_equal(sow_rules_match(rules, index_of(model, wanted[i].tensor), &match, &error),
                         SOW_OK);
        assert_string_equal(match.scheme, "normal");
        assert_true(match.arguments[0].number == wanted[i].std);
        for (size_t j = 0; j < sow_model_graph(model)->parameter_count; j++) {
            assert_int_equal(sow_rules_match(rules, j, &match, &error), SOW_OK);
            assert_true(match.reason[0] != '\0' && match.text[0] != '\0' && match.line > 0);
        }
        assert_int_equal(sow_rules_check_used(rules, &error), SOW_OK);
        sow_rules_free(rules);
    }
    sow_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_brackets_without_end),
        cmocka_unit_test(test_texts_too_long_for_lua),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_f01_many_tensors),
        cmocka_unit_test(test_many_layers),
        cmocka_unit_test(test_f14_many_layers),
        cmocka_unit_test(test_schemes_are_words),
        cmocka_unit_test(test_no_pow_of_the_c_library),
        cmocka_unit_test(test_every_word_is_documented),
        cmocka_unit_test(test_variants_of_gpt2),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
