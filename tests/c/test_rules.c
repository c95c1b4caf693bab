/* SPDX-License-Identifier: MIT */
/* Rules of all three origins (--set, a rules file, the variant), the arguments they give, and globs. */
#include "tests/c/recipe_files.h"

#include <math.h>
#include <unistd.h>

#include "model/recipe/rule.h"

/* ---- Rules ----------------------------------------------------------------------------------- */

/* What --set 'NAME=EXPRESSION' gives its first argument. */
static double number(struct sow_model *model, const char *name, const char *expression)
{
    char set[256];
    struct sow_rules *rules;
    struct sow_rule_match match;
    struct sow_error error;
    snprintf(set, sizeof set, "%s=constant{value=%s}", name, expression);
    if (make(model, set, NULL, NULL, &rules, &error) != SOW_OK ||
        sow_rules_match(rules, index_of(model, name), &match, &error) != SOW_OK) {
        fail_msg("%s: %s", set, error.message);
    }
    assert_string_equal(match.scheme, "constant");
    assert_int_equal(match.argument_count, 1);
    assert_string_equal(match.arguments[0].name, "value");
    assert_string_equal(match.file, "--set");
    assert_string_equal(match.text, set);
    assert_null(match.variant);
    double value = match.arguments[0].number;
    sow_rules_free(rules);
    return value;
}

static void test_what_an_expression_sees(void **state)
{
    (void)state;
    struct sow_model *model = load("net.lua", net);
    assert_true(number(model, "in.weight", "fan_in") == 784);
    assert_true(number(model, "in.weight", "fan_out") == 256);
    assert_true(number(model, "in.weight", "shape[1] * 1000 + shape[2]") == 256784);
    assert_true(number(model, "out.weight", "fan_in") == 256); /* (in, out) */
    assert_true(number(model, "out.weight", "elements") == 2560);
    assert_true(number(model, "h.2.f.weight", "layer + 10 * n_layer") == 32);
    assert_true(number(model, "h.0.f.weight", "#name") == 12);
    assert_true(number(model, "qkv", "fan_out") == 10); /* of one block */
    assert_true(number(model, "in.bias", "kind == 'bias' and 1 or 0") == 1);
    assert_true(number(model, "in.weight", "sqrt(2 / (fan_in + fan_out))") == sqrt(2.0 / 1040));
    assert_true(number(model, "in.weight", "pow(fan_in, -0.5)") > 0.035);
    assert_true(number(model, "in.weight", "max(1, 2, 3) + math.pi") == 3 + 3.141592653589793);
    sow_model_free(model);
}

/* What a --set is refused with. */
static void test_sets_that_are_wrong(void **state)
{
    static const struct {
        const char *set, *message;
    } wrong[] = {
        {"*.weight", "is not GLOB=SCHEME"},
        {"{a=b}", "is not GLOB=SCHEME"},
        {"=zeros", "a glob has 1 to 512 bytes"},
        {"*.weight=", "the expression gives nil"},
        {"*.weight=0.5", "the expression gives a number; it must give a scheme"},
        {"*.weight=linear", "the expression gives a function"},
        {"in.{weight=zeros", "is not GLOB=SCHEME"},
        {"in.weight}=zeros", "a } without its partner"},
        /* F12 */
        {"*.weight=normal{weight_std=0.01}",
         "normal has no parameter weight_std; it takes mean, std; did you mean std?"},
        {"*.weight=normal{sd=0.01}",
         "normal has no parameter sd; it takes mean, std; did you mean std?"},
        {"*.weight=normal{0.01}",
         "normal takes its arguments by name: normal { mean = ..., std = ... }"},
        {"*.weight=Normal{std=0.01}", "Normal is not defined; did you mean normal?"},
        {"*.weight=normal(0.01)", "by name and in braces"},
        {"*.weight=zeros{1}", "zeros takes its arguments by name"},
        {"*.weight=normal{std={}}", "std of normal is a table"},
        {"*.weight=normal{std=true}", "std of normal is a boolean"},
        {"*.weight=normal{std=fan}", "fan is not defined"},
        {"*.weight=normal{std=2^-1}", "`^` is not in the recipe language"},
        {"*.weight=normal{std=}", "unexpected symbol"},
        {"*.weight=normal{std=1} zeros", "<eof> expected"},
        {"*.weight=(function() while true do end end)()", "the recipe does not end"},
        {"*.weight=(function() x = 1 end)()", "an expression cannot make globals (x)"},
        {"*.weight=rule('*', zeros)", "rule(...) has no place here"},
        {"*.weight=param('x', {1})", "tensors cannot be declared inside rules"},
        {"*.weight=error({})", "raised an error that is a table"},
        {"*.weight=io.read()", "io is left out"},
        {"in.bias=normal{std=fan_in}", "in.bias has no fan_in: it is a bias; narrow the glob"},
        {"scale=normal{std=fan_in}", "what it is, and in which order its axes are, is not known"},
        {"odd=normal{std=fan_in}", "its blocks have different sizes"},
        {"in.weight=normal{std=layer}", "in.weight is in no layer"},
        {"in.weight=normal{std=function(t) return t.depth end}", "a tensor has no field depth"},
        {"in.weight=normal{std=function(t) return nil end}",
         "std of normal gave nil for in.weight"},
        {"in.weight=normal{std=function(t) t.name = 1 end}", "a tensor cannot be changed"},
        {"in.weight=normal{std=function(t) t.shape[1] = 1 end}", "a shape cannot be changed"},
        {"in.weight=normal{std=shape[3]}", "the tensor has 2 dimensions, and no shape[3]"},
    };
    (void)state;
    struct sow_model *model = load("net.lua", net);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct sow_rules *rules = NULL;
        struct sow_rule_match match;
        struct sow_error error = {.code = SOW_OK};
        enum sow_status status = make(model, wrong[i].set, NULL, NULL, &rules, &error);
        for (size_t j = 0; status == SOW_OK && j < sow_model_graph(model)->parameter_count; j++) {
            enum sow_status matched = sow_rules_match(rules, j, &match, &error);
            status = matched == SOW_E_RULE ? SOW_OK : matched; /* a tensor of no rule */
        }
        if (status != SOW_E_ARGUMENT || strstr(error.message, wrong[i].message) == NULL ||
            strstr(error.message, wrong[i].set) == NULL) {
            fail_msg("--set '%s': %d \"%s\" instead of \"%s\"", wrong[i].set, status, error.message,
                     wrong[i].message);
        }
        sow_rules_free(rules);
    }
    sow_model_free(model);
}

static void test_order(void **state)
{
    (void)state;
    struct sow_model *model =
        load("model.lua",
             "local x = input { \"batch\", 8 } >> linear(\"a\", 8, 8) >> linear(\"b\", 8, 8)\n"
             "variant(\"first\", \"nobody 2024\", function()\n"
             "    rule(\"*.bias\", zeros, \"biases\")\n"
             "    rule(\"*\", he_normal)\n"
             "end)\n"
             "variant(\"second\", \"nobody 2025\", function() rule(\"*\", ones) end)\n");
    struct sow_rules *rules;
    struct sow_rule_match match;
    struct sow_error error;
    assert_string_equal(sow_model_variant(model, 0)->name, "first");
    assert_int_equal(sow_model_variant(model, 0)->is_default, 1);
    assert_string_equal(sow_model_variant(model, 1)->source, "nobody 2025");
    assert_int_equal(sow_model_variant(model, 1)->is_default, 0);
    assert_string_equal(sow_model_variant(model, 2)->name, "matched"); /* it has a graph */
    assert_null(sow_model_variant(model, 3));
    static const char lines[] =
        "-- mine\nrule(\"a.*\",\n     normal { std = 0.5 },\n     \"because\")\n";
    char rules_path[256];
    snprintf(rules_path, sizeof rules_path, "%s", write_file("r.lua", lines, sizeof lines - 1));
    assert_int_equal(make(model, "a.weight = glorot_uniform", NULL, rules_path, &rules, &error),
                     SOW_OK);
    assert_string_equal(scheme_of(rules, model, "a.weight"), "glorot_uniform");
    assert_string_equal(scheme_of(rules, model, "a.bias"), "normal");
    assert_string_equal(scheme_of(rules, model, "b.weight"), "he_normal");
    assert_string_equal(scheme_of(rules, model, "b.bias"), "zeros");
    assert_int_equal(sow_rules_check_used(rules, &error), SOW_OK);
    assert_int_equal(sow_rules_match(rules, index_of(model, "a.bias"), &match, &error), SOW_OK);
    assert_string_equal(match.file, rules_path);
    assert_int_equal(match.line, 2);
    assert_string_equal(match.text, "rule(\"a.*\", normal { std = 0.5 }, \"because\")");
    assert_string_equal(match.reason, "because");
    assert_null(match.variant);
    assert_int_equal(sow_rules_match(rules, index_of(model, "b.bias"), &match, &error), SOW_OK);
    assert_string_equal(match.variant, "first");
    assert_string_equal(match.reason, "biases");
    assert_int_equal(match.line, 3);
    sow_rules_free(rules);
    struct sow_plan_options options = {.variant = "second"};
    assert_int_equal(sow_rules_make(model, &options, &rules, &error), SOW_OK);
    assert_string_equal(scheme_of(rules, model, "b.bias"), "ones");
    sow_rules_free(rules);
    options.variant = "secnd";
    assert_int_equal(sow_rules_make(model, &options, &rules, &error), SOW_E_ARGUMENT);
    assert_non_null(strstr(error.message, "it has first, second, matched; did you mean second?"));
    sow_model_free(model);
}

/* A tensor without a rule, and a rule without a tensor. */
static void test_strictness(void **state)
{
    (void)state;
    struct sow_model *model = load("net.lua", net);
    struct sow_rules *rules;
    struct sow_rule_match match;
    struct sow_error error;
    assert_int_equal(make(model, "*.weight=he_normal", "*.wieght=zeros", NULL, &rules, &error),
                     SOW_OK);
    assert_int_equal(sow_rules_match(rules, index_of(model, "in.bias"), &match, &error),
                     SOW_E_RULE);
    assert_non_null(
        strstr(error.message,
               "no rule claims the tensor in.bias [256]; write one: --set 'in.bias=zeros'"));
    for (size_t i = 0; i < sow_model_graph(model)->parameter_count; i++) {
        (void)sow_rules_match(rules, i, &match, NULL);
    }
    assert_int_equal(sow_rules_check_used(rules, &error), SOW_E_RULE);
    assert_string_equal(error.message,
                        "the rule `*.wieght` claims no tensor: no name fits; near is "
                        "in.weight");
    sow_rules_free(rules);
    assert_int_equal(make(model, "*=zeros", "in.*=ones", NULL, &rules, &error), SOW_OK);
    for (size_t i = 0; i < sow_model_graph(model)->parameter_count; i++) {
        assert_int_equal(sow_rules_match(rules, i, &match, &error), SOW_OK);
    }
    assert_int_equal(sow_rules_check_used(rules, &error), SOW_E_RULE);
    assert_non_null(strstr(
        error.message, "the rule `in.*` claims no tensor: earlier rules claim all that it fits"));
    sow_rules_free(rules);
    sow_model_free(model);
}

static void test_rules_file_that_is_wrong(void **state)
{
    static const struct {
        const char *text, *message;
        enum sow_status status;
        uint32_t line;
    } wrong[] = {
        {"local f = relu", "relu is an activation; write activation(\"relu\")", SOW_E_CONFIG, 1},
        {"rule(\"*\", zeros)\nrule(\"*\", nrmal)", "nrmal is not defined; did you mean normal?",
         SOW_E_CONFIG, 2},
        {"rule(\"*\", = zeros)", "unexpected symbol", SOW_E_SYNTAX, 1},
        {"\nrule(\"{*\", zeros)", "a { without its partner", SOW_E_RULE, 2},
        {"while true do end", "the recipe does not end", SOW_E_CONFIG, 1},
        {"variant(\"x\", \"y\", function() end)", "variant(...) has no place here", SOW_E_CONFIG,
         1},
        {"param(\"x\", { 1 })", "tensors cannot be declared inside rules", SOW_E_CONFIG, 1},
    };
    (void)state;
    struct sow_model *model = load("net.lua", net);
    struct sow_rules *rules;
    struct sow_error error;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        enum sow_status status =
            make(model, NULL, NULL, write_file("r.lua", wrong[i].text, strlen(wrong[i].text)),
                 &rules, &error);
        if (status != wrong[i].status || error.line != wrong[i].line ||
            strcmp(error.file, latest) != 0 || strstr(error.message, wrong[i].message) == NULL) {
            fail_msg("%s: %d %s:%u: %s", wrong[i].text, status, error.file, error.line,
                     error.message);
        }
    }
    assert_int_equal(make(model, NULL, NULL, "/nowhere/r.lua", &rules, &error), SOW_E_IO);
    sow_model_free(model);
}

static void test_fields_of_the_config_in_sight(void **state)
{
    (void)state;
    struct sow_model *model =
        load("config.json", "{\"model_type\": \"gpt2\", \"n_layer\": 2, \"n_embd\": 64, "
                            "\"n_head\": 4, \"my_std\": 0.125}");
    const char *name = "transformer.wte.weight";
    assert_true(number(model, name, "my_std") == 0.125);
    assert_true(number(model, name, "n_embd") == 64);
    assert_true(number(model, name, "initializer_range") ==
                0.02);                                /* absent: the family's default */
    assert_true(number(model, name, "n_layer") == 2); /* of the config: wte is in no layer */
    assert_true(number(model, "transformer.h.1.mlp.c_fc.weight", "layer / n_layer") == 0.5);
    struct sow_rules *rules;
    struct sow_error error;
    const char *text = "rule(\"*\", normal { std = my_std / n_embd })";
    assert_int_equal(
        make(model, NULL, NULL, write_file("r.lua", text, strlen(text)), &rules, &error), SOW_OK);
    struct sow_rule_match match;
    assert_int_equal(sow_rules_match(rules, 0, &match, &error), SOW_OK);
    assert_true(match.arguments[0].number == 0.125 / 64);
    sow_rules_free(rules);
    sow_model_free(model);
}

/* ---- Globs ----------------------------------------------------------------------------------- */

static void test_globs(void **state)
{
    static const struct {
        const char *glob, *name;
        int fits;
    } pairs[] = {
        {"*", "a.b.c", 1},
        {"*", "", 1},
        {"a", "a", 1},
        {"a", "ab", 0},
        {"ab", "a", 0},
        {"*.bias", "h.0.bias", 1},
        {"*.bias", "bias", 0},
        {"a?c", "abc", 1},
        {"a?c", "ac", 0},
        {"a?c",
         "a\xc3\xa9"
         "c",
         1},
        {"a??c",
         "a\xc3\xa9"
         "c",
         0},
        {"?", "\xf0\x9f\x8c\xb1", 1},
        {"h.[0-3].w", "h.2.w", 1},
        {"h.[0-3].w", "h.4.w", 0},
        {"h.[!0-3].w", "h.4.w", 1},
        {"h.[^4].w", "h.4.w", 0},
        {"[]x]", "]", 1},
        {"[]x]", "x", 1},
        {"[a-]", "-", 1},
        {"{a,b}", "a", 1},
        {"{a,b}", "b", 1},
        {"{a,b}", "ab", 0},
        {"{a,b}c", "bc", 1},
        {"x{a,bc}{d,e}", "xbce", 1},
        {"x{a,b{c,d}}y", "xbdy", 1},
        {"x{a,b{c,d}}y", "xby", 0},
        {"{,a}b", "b", 1},
        {"{,a}b", "ab", 1},
        {"*{k,v}_proj*", "l.0.k_proj.weight", 1},
        {"*{k,v}_proj*", "l.0.q_proj.weight", 0},
        {"a*b*c", "a__b__b__c", 1},
        {"a*b*c", "a__c__b", 0},
        {"a,b", "a,b", 1},
        {"*.*", "ab", 0},
        {"h.*.c_*.weight", "h.0.mlp.c_fc.weight", 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (sow_glob_match(pairs[i].glob, pairs[i].name) != pairs[i].fits) {
            fail_msg("%s and %s", pairs[i].glob, pairs[i].name);
        }
    }
    assert_false(sow_glob_match("", ""));
    assert_false(sow_glob_match("{a", "a"));
}

/* Stars that would take a backtracking matcher for ever: the runner's TIMEOUT would end it. */
static void test_glob_is_linear(void **state)
{
    char glob[401], name[2001];
    (void)state;
    for (int i = 0; i < 200; i++) {
        memcpy(glob + 2 * i, "*a", 2);
    }
    glob[400] = '\0';
    memset(name, 'a', 2000);
    name[2000] = '\0';
    assert_true(sow_glob_match(glob, name));
    name[1999] = 'b';
    assert_false(sow_glob_match(glob, name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_an_expression_sees),
        cmocka_unit_test(test_sets_that_are_wrong),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_strictness),
        cmocka_unit_test(test_rules_file_that_is_wrong),
        cmocka_unit_test(test_fields_of_the_config_in_sight),
        cmocka_unit_test(test_globs),
        cmocka_unit_test(test_glob_is_linear),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
