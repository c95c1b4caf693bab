/* SPDX-License-Identifier: MIT */
/* Every word of the recipe language, repeated without end, comes to an end: its steps are counted. Run with a hundredth of
 * the steps that a recipe has, which end in the same way; a whole run is in tests/hostile/recipe/cases.txt. */
#include "tests/c/recipe_files.h"

#include "model/graph/build.h"
#include "model/recipe/host.h"
#include "model/recipe/sandbox.h"

#include <lauxlib.h>

#define SHARE 100

/* A line or more a word that is a function, to be repeated; of the conv words, which differ in their number of axes, all. */
static const char *const endless[] = {
    "param(\"t\" .. i, { 1 })",
    "param(\"t\" .. i, { 4, 4 }, { kind = \"linear\", role = \"head\", dtype = \"f32\", layout = "
    "\"in-out\" })",
    "learned(\"t\" .. i, { 4 })",
    "layer_scale(\"t\" .. i, 4)",
    "linear(\"t\" .. i, 4, 4)",
    "x = x >> linear(\"t\" .. i, 4, 4)",
    "bilinear(\"t\" .. i, 4, 4, 4)",
    "tied(\"t\" .. i, \"w\")",
    "embedding(\"t\" .. i, 4, 4)",
    "layer_norm(\"t\" .. i, 4)",
    "rms_norm(\"t\" .. i, 4)",
    "batch_norm(\"t\" .. i, 4)",
    "group_norm(\"t\" .. i, 4, 2)",
    "conv1d(\"t\" .. i, 4, 4)",
    "conv2d(\"t\" .. i, 4, 4)",
    "conv3d(\"t\" .. i, 4, 4)",
    "depthwise_conv1d(\"t\" .. i, 4)",
    "depthwise_conv2d(\"t\" .. i, 4)",
    "depthwise_conv3d(\"t\" .. i, 4)",
    "conv_transpose1d(\"t\" .. i, 4, 4)",
    "conv_transpose2d(\"t\" .. i, 4, 4)",
    "conv_transpose3d(\"t\" .. i, 4, 4)",
    "rnn(\"t\" .. i, 4, 4)",
    "lstm(\"t\" .. i, 4, 4)",
    "gru(\"t\" .. i, 4, 4)",
    "rnn_cell(\"t\" .. i, 4, 4)",
    "lstm_cell(\"t\" .. i, 4, 4)",
    "gru_cell(\"t\" .. i, 4, 4)",
    ("x = x >> experts { router = linear(\"r\" .. i, 4, 9), experts = 9, name = \"e\" .. i,"
     " expert = function(y) return y >> linear(\"w\", 4, 4) end }"),
    "x = x >> split_heads(2) >> merge_heads()",
    "x = bundle(x, x, x) >> attention { heads = 2 }",
    "x = x >> route { experts = 4 }",
    "x = x >> activation(\"relu\")",
    "x = x >> activation(expr \"max(x, 0) - 1\")",
    "x = bundle(x, x) >> gated(\"swiglu\")",
    "x = x >> dropout(0.1)",
    "local y = z >> max_pool(1) >> flatten()",
    "local y = z >> average_pool(1)",
    "local y = z >> to_tokens() >> take(1)",
    "local y = z >> global_pool()",
    "local y = concat(x, x)",
    "local y = expr(\"max(x, 0) - \" .. i)",
    "local y = tokens() + positions() * segments()",
    "local y = input { \"batch\", 4, mean = 0 }",
    "x = repeated(\"h\", 3, x, function(y) return scope(\"s\", function() return y end) end)",
    "rule(\"*\" .. i, normal { std = 0.02 })",
    "variant(\"v\" .. i, \"x\", function() end)",
    "weights(\"zeros\")",

    "local y = assert(type(i)) .. tostring(i) .. tonumber(\"1\")",
    "for key in pairs({ 1 }) do for j in ipairs({ 1 }) do local y = select(1, i) end end",
    "local y = abs(i) + ceil(i) + floor(i) + max(i, 1) + min(i, 1) + tointeger(i)",
    "local y = sqrt(i) + exp(i) + log(i) + pow(i, 2)",

    "note(\"n\" .. i)",
    "local y = { nullable(1), extra(integer), size(1), depth(1), also(\"w\", size(1)) }",
    "local y = config { \"a class\", unread {}, width = 4 }",
    "local y = architecture(\"A\", { \"AModel\" })",
    "local y = activation_facts(\"act\", \"relu\")",
    "x = x >> transformers_activation(\"act\", \"relu\")",
    "local y = check_padding(\"pad\", 4)",
    "local y = labels()",
    "no_other_fields()",
};

enum { ENDLESS = sizeof endless / sizeof endless[0] };

/* These end a recipe themselves (a family has its variants once), or have no place but in a config's recipe or a variant. */
static const char *const others[] = {"error",  "refuse",        "include",
                                     "choose", "padding_drawn", "decoder"};

static int is_other(const char *word)
{
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (strcmp(others[i], word) == 0) {
            return 1;
        }
    }
    return 0;
}

/* Whether one of the lines calls the word. */
static int is_endless(const char *word)
{
    static const char *const letters = "abcdefghijklmnopqrstuvwxyz_0123456789";
    size_t length = strlen(word);
    for (size_t i = 0; i < ENDLESS; i++) {
        for (const char *at = strstr(endless[i], word); at != NULL; at = strstr(at + 1, word)) {
            int begins = at == endless[i] || strchr(letters, at[-1]) == NULL;
            if (begins && strchr(letters, at[length]) == NULL) {
                return 1;
            }
        }
    }
    return 0;
}

/* Ends in the recipe's line, and before there are as many tensors as a model may have. */
static void check_endless(const char *line)
{
    char text[512];
    struct sow_host *host;
    struct sow_error error = {.code = SOW_OK};
    struct sow_model *model = sow_model_new();
    snprintf(text, sizeof text,
             "local x, z, i = input { \"batch\", 4 }, input { \"batch\", 4, 8, 8 }, 0\n"
             "param(\"w\", { 4, 4 })\nwhile true do\n    %s\n    i = i + 1\nend",
             line);
    assert_non_null(model);
    assert_int_equal(sow_host_new(model, NULL, &host, &error), SOW_OK);
    host->steps = SOW_HOST_STEPS / SHARE;
    host->steps_to_give = SOW_HOST_STEPS_IN_ALL / SHARE;
    if (sow_host_run(host, "endless.lua", text, strlen(text), &error) != SOW_E_CONFIG ||
        strstr(error.message, "the recipe does not end: stopped after five million") == NULL) {
        fail_msg("%s: %s", line, error.message);
    }
    assert_string_equal(error.file, "endless.lua");
    assert_in_range(error.line, 3, 6);
    assert_in_range(sow_model_graph(model)->parameter_count, 1, SOW_MODEL_PARAMETERS_MAX / SHARE);
    sow_model_free(model);
}

static void test_every_line_ends(void **state)
{
    (void)state;
    for (size_t i = 0; i < ENDLESS; i++) {
        check_endless(endless[i]);
    }
}

/* The words as Lua has them; what is no function (a scheme, a kind of field, pi) makes nothing that a line does not. */
static void test_every_word_has_a_line(void **state)
{
    (void)state;
    size_t count = 0;
    struct sow_model *model = load("net.lua", net);
    lua_State *L = ((struct sow_host *)model->host)->L;
    lua_getfield(L, LUA_REGISTRYINDEX, SOW_ENVIRONMENT);
    assert_int_equal(luaL_getmetafield(L, -1, "__index"), LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
        const char *word = lua_tostring(L, -2);
        int is_function = lua_isfunction(L, -1);
        if (is_function && is_endless(word) == is_other(word)) {
            fail_msg("%s needs a line in endless[], or a place in others[]", word);
        }
        count += (size_t)is_function;
    }
    lua_pop(L, 2);
    assert_in_range(count, 80, 1000);
    sow_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_line_ends),
        cmocka_unit_test(test_every_word_has_a_line),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
