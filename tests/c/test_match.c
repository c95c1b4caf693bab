/* SPDX-License-Identifier: MIT */
/* The variant `matched` on graphs of all shapes: what is told apart (residual from sum, gate from activation, head from
 * layer), the numbers that follow, and what it cannot tell. The networks run in torch in tests/python/test_matched.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/match/inside.h"
#include "model/recipe/embedded.h"
#include "sow/model.h"
#include "tests/c/scratch.h"

static enum sow_status try(const char *text, const char *set, struct sow_plan **plan,
                           struct sow_error *error)
{
    struct sow_model *model = NULL;
    struct sow_plan_options options = {
        .variant = "matched", .sets = &set, .set_count = set != NULL};
    *plan = NULL;
    enum sow_status status = sow_model_load(write_text("model.lua", text), NULL, &model, error);
    status = status == SOW_OK ? sow_plan_make(model, &options, plan, error) : status;
    sow_model_free(model);
    return status;
}

static struct sow_plan *matched(const char *text)
{
    struct sow_plan *plan;
    struct sow_error error;
    if (try(text, NULL, &plan, &error) != SOW_OK) {
        fail_msg("%s:%u: %s", error.file, error.line, error.message);
    }
    return plan;
}

static const struct sow_plan_entry *entry(const struct sow_plan *plan, const char *name)
{
    struct sow_error error;
    const struct sow_plan_entry *found = sow_plan_find(plan, name, &error);
    if (found == NULL) {
        fail_msg("%s", error.message);
    }
    return found;
}

/* Variance, and words of the reason. */
static void check(const struct sow_plan *plan, const char *name, const char *scheme,
                  double variance, const char *words)
{
    const struct sow_plan_entry *found = entry(plan, name);
    double mean, std;
    sow_draw_moments(&found->draw, &mean, &std);
    if (strcmp(found->scheme, scheme) != 0 || fabs(std * std - variance) > 1e-9 * variance ||
        strstr(found->reason, words) == NULL) {
        fail_msg("%s: %s of variance %.12g instead of %s of %.12g; %s", name, found->scheme,
                 std * std, scheme, variance, found->reason);
    }
    assert_string_equal(found->rule, "matched");
    assert_string_equal(found->rule_file, "matched");
}

static void constant(const struct sow_plan *plan, const char *name, double value)
{
    const struct sow_plan_entry *found = entry(plan, name);
    assert_int_equal(found->draw.distribution, SOW_CONSTANT);
    if (fabs(found->draw.mean - value) > 1e-12) {
        fail_msg("%s: %.15g instead of %.15g; %s", name, found->draw.mean, value, found->reason);
    }
}

/* E[phi(z)^2] as sow activations prints it. */
static double left_by(const char *activation)
{
    struct sow_function function;
    struct sow_activation_numbers numbers;
    assert_int_equal(sow_function_named(activation, NULL, 0, &function, NULL), SOW_OK);
    assert_int_equal(sow_function_numbers(&function, &numbers, NULL), SOW_OK);
    return numbers.second_moment;
}

static void test_what_a_layer_feeds(void **state)
{
    (void)state;
    static const char text[] = "local x = input { \"batch\", 100 }\n"
                               "x = x >> linear(\"a\", 100, 60) >> activation(\"relu\")\n"
                               "x = x >> linear(\"b\", 60, 40) >> activation(\"tanh\")\n"
                               "x = x >> linear(\"c\", 40, 20) >> activation(\"gelu\")\n"
                               "x = x >> linear(\"d\", 20, 30) >> activation(\"leaky_relu\")\n"
                               "x = x >> linear(\"e\", 30, 10) >> activation(\"sigmoid\")\n"
                               "x = x >> linear(\"f\", 10, 5)\n";
    struct sow_plan *plan = matched(text);
    check(plan, "a.weight", "he_normal", 2.0 / 100,
          "feeds relu, which halves the second moment: He; variance 2/fan_in, fan_in = 100");
    check(plan, "b.weight", "glorot_normal", 2.0 / (60 + 40),
          "feeds tanh, which saturates: Glorot");
    check(plan, "c.weight", "lecun_normal", 1 / left_by("tanh") / 40,
          "feeds gelu at unit scale; its exact gain is taken by the layer behind it; its input "
          "comes out of tanh, second moment 0.394294");
    check(plan, "d.weight", "he_normal", 2 / 1.0001 / left_by("gelu") / 20,
          "multiplies the second moment by 0.50005: He; its input comes out of gelu");
    check(plan, "e.weight", "glorot_normal", 2.0 / (30 + 10), "feeds sigmoid");
    check(plan, "f.weight", "lecun_normal", 1 / left_by("sigmoid") / 100,
          "the output: variance 1 / fan_in^2");
    constant(plan, "a.bias", 0);
    sow_plan_free(plan);
}

/* A network of `count` layers of 64 units of this activation, and what the hidden weights and biases get. */
static void run_of(struct sow_plan **plan, int count, const char *activation, const char *layer)
{
    static char text[60000];
    size_t length = (size_t)snprintf(text, sizeof text, "local x = input { \"batch\", 64 }\n");
    for (int i = 0; i < count; i++) {
        length += (size_t)snprintf(text + length, sizeof text - length, layer, i, activation, i);
    }
    (void)snprintf(text + length, sizeof text - length, "x = x >> linear(\"head\", 64, 10)\n");
    *plan = matched(text);
}

/* tanh at unit scale multiplies squared gradients by 1.1778 a layer: tenfold after 14.07 layers. Beyond, the gain at which
 * all layers together make it 10: chi_perp there is 10^(1/50), and signals settle where they are told to. */
static void test_long_runs_of_tanh(void **state)
{
    (void)state;
    static const char layer[] = "x = x >> linear(\"l%d\", 64, 64) >> activation(\"%s\")\n";
    struct sow_plan *plan;
    struct sow_function tanh;
    struct sow_fixed_point point;
    run_of(&plan, 14, "tanh", layer);
    check(plan, "l7.weight", "glorot_normal", 1 / left_by("tanh") / 64, "saturates: Glorot");
    sow_plan_free(plan);
    run_of(&plan, 15, "tanh", layer);
    check(plan, "l0.weight", "glorot_normal", 1.0 / 64, "saturates: Glorot");
    assert_non_null(strstr(entry(plan, "l7.weight")->reason, "one of 15 in a row"));
    sow_plan_free(plan);
    run_of(&plan, 50, "tanh", layer);
    double mean, std;
    sow_draw_moments(&entry(plan, "l7.weight")->draw, &mean, &std);
    assert_int_equal(sow_function_named("tanh", NULL, 0, &tanh, NULL), SOW_OK);
    assert_int_equal(sow_function_fixed_point(&tanh, 64 * std * std, 0, &point, NULL), SOW_OK);
    assert_true(fabs(pow(point.chi_perp, 50) / 10 - 1) < 1e-4);
    assert_string_equal(entry(plan, "l1.weight")->scheme_text,
                        entry(plan, "l49.weight")->scheme_text);
    check(plan, "l0.weight", "glorot_normal", 1.0 / 64, "saturates: Glorot");
    constant(plan, "l7.bias", 0);
    sow_plan_free(plan);
    /* norms and residual streams end a run */
    run_of(&plan, 50, "tanh",
           "x = x >> linear(\"l%d\", 64, 64) >> activation(\"%s\") >> layer_norm(\"n%d\", 64)\n");
    check(plan, "l7.weight", "glorot_normal", 1.0 / 64, "saturates: Glorot");
    sow_plan_free(plan);
}

/* GELU's critical point is that of Roberts, Yaida and Hanin 2022, section 5.3.4: C_W = 1.98305826, C_b = 0.17292239,
 * K = (3 + sqrt(17)) / 2. It needs biases. */
static void test_long_runs_of_gelu(void **state)
{
    (void)state;
    static const char layer[] = "x = x >> linear(\"l%d\", 64, 64) >> activation(\"%s\")\n";
    struct sow_plan *plan;
    double mean, std, k = (3 + sqrt(17)) / 2, c_w = 1.98305826, c_b = 0.17292239;
    run_of(&plan, 11, "gelu", layer);
    check(plan, "l7.weight", "lecun_normal", 1 / left_by("gelu") / 64, "at unit scale");
    constant(plan, "l7.bias", 0);
    sow_plan_free(plan);
    run_of(&plan, 40, "gelu", layer);
    sow_draw_moments(&entry(plan, "l0.weight")->draw, &mean, &std);
    assert_true(fabs(64 * std * std / (k - c_b) - 1) < 1e-7);
    sow_draw_moments(&entry(plan, "l7.weight")->draw, &mean, &std);
    assert_true(fabs(64 * std * std / c_w - 1) < 1e-7);
    assert_non_null(strstr(entry(plan, "l7.weight")->reason, "one of 40 in a row: its critical"));
    sow_draw_moments(&entry(plan, "l7.bias")->draw, &mean, &std);
    assert_true(fabs(std * std / c_b - 1) < 1e-7);
    assert_non_null(strstr(entry(plan, "l7.bias")->reason, "a bias of variance 0.172922"));
    constant(plan, "head.bias", 0);
    sow_plan_free(plan);
    run_of(&plan, 40, "gelu",
           "x = x >> linear(\"l%d\", 64, 64, { bias = false }) >> activation(\"%s\")\n");
    check(plan, "l7.weight", "lecun_normal", 1 / left_by("gelu") / 64, "at unit scale");
    sow_plan_free(plan);
}

/* What stands between a layer and its activation does not hide it; a sigmoid behind the head leaves it the head. */
static void test_between(void **state)
{
    (void)state;
    struct sow_plan *plan = matched(
        "local x = input { \"batch\", 3, 16, 16 }\n"
        "x = x >> conv2d(\"c\", 3, 8, { padding = 1 }) >> dropout(0.1) >> max_pool(2) >> "
        "activation(\"relu\")\n"
        "x = x >> conv2d(\"g\", 8, 8, { padding = 1, groups = 4 }) >> activation(\"relu\")\n"
        "x = x >> average_pool(8) >> flatten() >> linear(\"head\", 8, 1) >> "
        "activation(\"sigmoid\")\n");
    check(plan, "c.weight", "he_normal", 2.0 / 27, "feeds relu");
    assert_true(entry(plan, "g.weight")->fan_in == 18);
    check(plan, "head.weight", "lecun_normal",
          1 / (1 / (4 * atan(1)) + (1 - 1 / (4 * atan(1))) / 64) / 64, "the output");
    sow_plan_free(plan);
}

static void test_max_pool_by_order_statistics(void **state)
{
    (void)state;
    struct sow_plan *plan = matched("local x = input { \"batch\", 4, 36, 36 }\n"
                                    "x = x >> conv2d(\"a\", 4, 4) >> activation(\"relu\") >> "
                                    "max_pool(2)\n"
                                    "x = x >> conv2d(\"b\", 4, 4) >> activation(\"relu\") >> "
                                    "max_pool(3)\n"
                                    "x = x >> conv2d(\"c\", 4, 4) >> activation(\"relu\")\n");
    check(plan, "b.weight", "he_normal", 0.6477585885 / 36, "the largest of a window");
    check(plan, "c.weight", "he_normal", 0.3902348981 / 36, "the largest of a window");
    sow_plan_free(plan);
}

#define RESIDUAL "local x = input { \"batch\", 16 } >> linear(\"stem\", 16, 16)\n"

static void test_residual_streams(void **state)
{
    (void)state;
    struct sow_plan *plan = matched(
        RESIDUAL
        "x = repeated(\"h\", 5, x, function(x)\n"
        "  x = x + (x >> rms_norm(\"n1\", 16) >> linear(\"a\", 16, 16))\n"
        "  return (x >> rms_norm(\"n2\", 16) >> linear(\"b\", 16, 64) >> activation(\"relu\")\n"
        "      >> linear(\"c\", 64, 16)) + x\n"
        "end)\n"
        "x = x >> rms_norm(\"n\", 16) >> linear(\"head\", 16, 4)\n");
    check(plan, "stem.weight", "lecun_normal", 1.0 / 16, "begins a residual stream");
    check(plan, "h.0.a.weight", "lecun_normal", 1.0 / 10 / 16,
          "ends one of 10 residual branches on its stream: / sqrt(10)");
    check(plan, "h.4.c.weight", "lecun_normal", 1.0 / 10 / 64, "/ sqrt(10)");
    check(plan, "h.3.b.weight", "he_normal", 2.0 / 16, "feeds relu");
    constant(plan, "h.3.n1.weight", 1);
    check(plan, "head.weight", "lecun_normal", 1.0 / 256, "the output");
    sow_plan_free(plan);
    /* Post-norm: the norm stands on the stream. Parallel branches: one after the other, or summed first. */
    plan = matched(RESIDUAL "x = repeated(\"h\", 3, x, function(x)\n"
                            "  x = (x + (x >> linear(\"a\", 16, 16))) >> layer_norm(\"n\", 16)\n"
                            "  local y = x >> rms_norm(\"m\", 16)\n"
                            "  return x + (y >> linear(\"p\", 16, 16) >> activation(\"relu\") >> "
                            "linear(\"q\", 16, 16)) + (y >> linear(\"r\", 16, 16))\n"
                            "end)\n");
    check(plan, "h.0.a.weight", "lecun_normal", 1.0 / 9 / 16, "one of 9");
    check(plan, "h.2.q.weight", "lecun_normal", 1.0 / 9 / 16, "one of 9");
    check(plan, "h.2.r.weight", "lecun_normal", 1.0 / 9 / 16, "one of 9");
    sow_plan_free(plan);
    plan = matched(RESIDUAL "x = repeated(\"h\", 3, x, function(x)\n"
                            "  local y = x >> rms_norm(\"m\", 16)\n"
                            "  return x + ((y >> linear(\"p\", 16, 16) >> activation(\"relu\") >> "
                            "linear(\"q\", 16, 16)) + (y >> linear(\"r\", 16, 16)))\n"
                            "end)\n");
    check(plan, "h.2.q.weight", "lecun_normal", 1.0 / 3 / 2 / 16, "this term of a sum is 0.5");
    check(plan, "h.2.r.weight", "lecun_normal", 1.0 / 3 / 2 / 16, "one of 3");
    sow_plan_free(plan);
}

/* A shortcut with a projection is the stream still; a weight between blocks begins a new one. */
static void test_shortcuts(void **state)
{
    (void)state;
    struct sow_plan *plan =
        matched(RESIDUAL "local function block(name, x, shortcut)\n"
                         "  return scope(name, function()\n"
                         "    local y = x >> linear(\"a\", 16, 16) >> activation(\"relu\") >> "
                         "linear(\"b\", 16, 16)\n"
                         "    return y + (shortcut and x >> linear(\"s\", 16, 16) or x)\n"
                         "  end)\n"
                         "end\n"
                         "x = block(\"one\", x)\n"
                         "x = block(\"two\", x, true)\n"
                         "x = block(\"three\", x)\n"
                         "x = x >> linear(\"down\", 16, 16)\n"
                         "x = block(\"four\", x)\n"
                         "x = x >> linear(\"head\", 16, 4)\n");
    assert_non_null(strstr(entry(plan, "one.b.weight")->reason, "one of 3 residual branches"));
    assert_non_null(strstr(entry(plan, "three.b.weight")->reason, "one of 3 residual branches"));
    assert_non_null(strstr(entry(plan, "two.s.weight")->reason, "begins a residual stream"));
    assert_non_null(strstr(entry(plan, "four.b.weight")->reason, "the only residual branch"));
    sow_plan_free(plan);
}

static void test_gates(void **state)
{
    (void)state;
    struct sow_plan *plan = matched(
        "local x = input { \"batch\", 16 }\n"
        "x = (x >> linear(\"g\", 16, 32) >> activation(\"silu\")) * (x >> linear(\"u\", 16, "
        "32)) >> linear(\"d\", 32, 16) >> activation(\"relu\")\n"
        "local y = x >> linear(\"s\", 16, 16)\n"
        "y = y * (y >> activation(\"sigmoid\")) >> linear(\"t\", 16, 16) >> "
        "activation(\"relu\")\n");
    check(plan, "g.weight", "lecun_normal", 1.0 / 16, "goes through silu and gates");
    check(plan, "u.weight", "lecun_normal", 1.0 / 16, "is multiplied by another signal");
    check(plan, "d.weight", "he_normal", 2 / left_by("silu") / 32, "a gated product, a silu(b)");
    check(plan, "s.weight", "lecun_normal", 1.0 / 16, "gates itself");
    check(plan, "t.weight", "he_normal", 2 / left_by("silu") / 16, "comes out of x sigmoid(x)");
    sow_plan_free(plan);
}

static void test_embeddings_and_attention(void **state)
{
    (void)state;
    struct sow_plan *plan = matched(
        "local x = (tokens() >> embedding(\"t\", 50, 32)) + (positions() >> embedding(\"p\", 9, "
        "32))\n"
        "x = x * 4\n"
        "local h = x >> rms_norm(\"n\", 32)\n"
        "local function l(name) return h >> linear(name, 32, 32) end\n"
        "x = x + (bundle(l(\"q\"), l(\"k\"), l(\"v\")) >> attention { heads = 2, scale = 1 } >> "
        "linear(\"o\", 32, 32))\n"
        "x = x >> rms_norm(\"m\", 32) >> linear(\"head\", 32, 50)\n");
    check(plan, "t.weight", "normal", 0.5 / 16, "this term is 0.5 behind the factor 4");
    check(plan, "p.weight", "normal", 0.5 / 16, "this term is 0.5 behind the factor 4");
    check(plan, "q.weight", "lecun_normal", 1.0 / 4 / 32, "q k * 1 over 16 features");
    check(plan, "v.weight", "lecun_normal", 1.0 / 32, "values");
    check(plan, "o.weight", "lecun_normal", 1.0 / 32, "the only residual branch");
    sow_plan_free(plan);
    plan = matched("local x = (tokens() >> embedding(\"t\", 50, 64)) * 8\n"
                   "x = x + (x >> rms_norm(\"n\", 64) >> linear(\"a\", 64, 64))\n"
                   "x = x >> rms_norm(\"m\", 64) >> tied(\"head.weight\", \"t.weight\")\n");
    check(plan, "t.weight", "normal", 1.0 / 64 / 8, "embedding and output head in one");
    check(plan, "a.weight", "lecun_normal", 1.0 / 64, "residual branch");
    sow_plan_free(plan);
}

/* The user's own rules come first; the rest is matched. A layer used twice is decided by its first use. */
static void test_beside_rules(void **state)
{
    (void)state;
    struct sow_plan *plan;
    struct sow_error error;
    assert_int_equal(try("local l = linear(\"a\", 8, 8)\n"
                         "local x = input { \"batch\", 8 } >> l >> activation(\"relu\") >> l\n",
                         "*.bias=ones", &plan, &error),
                     SOW_OK);
    check(plan, "a.weight", "he_normal", 2.0 / 8, "feeds relu");
    assert_string_equal(entry(plan, "a.bias")->rule_file, "--set");
    sow_plan_free(plan);
}

static void fails(const char *text, enum sow_status code, const char *words)
{
    struct sow_plan *plan;
    struct sow_error error = {.code = SOW_OK};
    assert_int_equal(try(text, NULL, &plan, &error), code);
    assert_null(plan);
    if (strstr(error.message, words) == NULL) {
        fail_msg("no `%s` in: %s", words, error.message);
    }
}

static void test_vision_layers(void **state)
{
    (void)state;
    struct sow_plan *plan = matched(
        "local x = input { \"batch\", 3, 8, 8 } >> conv2d(\"p\", 3, 16, { kernel = 4, stride = 4 "
        "}) >> "
        "to_tokens()\n"
        "x = concat(learned(\"cls\", { 1, 1, 16 }), x, { axis = 2 }) + learned(\"pos\", { 1, 5, 16 "
        "})\n"
        "x = repeated(\"b\", 4, x, function(x)\n"
        "  return x + (x >> layer_norm(\"n\", 16) >> linear(\"g\", 16, 32, { blocks = { 16, 16 } "
        "}) >> "
        "gated(\"geglu\") >> linear(\"d\", 16, 16) >> layer_scale(\"s\", 16))\n"
        "end)\n"
        "x = x >> layer_norm(\"n\", 16) >> take(1) >> linear(\"head\", 16, 2)\n");
    check(plan, "p.weight", "lecun_normal", 0.5 / 48, "this term of a sum is 0.5");
    check(plan, "cls", "normal", 0.5, "a learned value");
    check(plan, "pos", "normal", 0.5, "a learned value");
    check(plan, "b.0.g.weight", "lecun_normal", 1.0 / 16, "the gated unit geglu");
    check(plan, "b.0.d.weight", "lecun_normal", 1 / left_by("geglu") / 16,
          "a gated product, geglu");
    constant(plan, "b.0.s", 0.5);
    sow_plan_free(plan);
    plan = matched(
        "local function c(name, x) return x >> conv2d(name, 4, 4, { padding = 1, bias = false }) "
        ">> batch_norm(name .. \"_bn\", 4) end\n"
        "local relu = activation(\"relu\")\n"
        "local x = c(\"stem\", input { \"batch\", 4, 8, 8 }) >> relu\n"
        "x = ((x >> conv2d(\"down\", 4, 4, { kernel = 1 })) + c(\"b\", c(\"a\", x) >> relu)) >> "
        "relu\n"
        "x = (x + c(\"e\", c(\"d\", x) >> relu)) >> relu\n"
        "x = x >> global_pool {} >> linear(\"head\", 4, 2)\n");
    check(plan, "a.weight", "he_normal", 2.0 / 36, "a normalisation comes first");
    check(plan, "b.weight", "lecun_normal", 1.0 / 36, "a normalisation comes first");
    constant(plan, "a_bn.weight", 1);
    constant(plan, "b_bn.weight", sqrt(0.5));
    constant(plan, "e_bn.weight", sqrt(0.5));
    assert_string_equal(entry(plan, "b_bn.running_var")->rule, "buffer");
    sow_plan_free(plan);
}

static void test_recurrent_and_experts(void **state)
{
    (void)state;
    struct sow_plan *plan = matched("local x = input { \"batch\", 5, 20 } >> lstm(\"l\", 20, 30)\n"
                                    "x = x >> linear(\"head\", 30, 3)\n");
    check(plan, "l.weight_ih_l0", "glorot_normal", 2.0 / 50, "a recurrent layer");
    check(plan, "l.weight_hh_l0", "glorot_normal", 1.0 / 30, "from step to step");
    constant(plan, "l.bias_hh_l0", 0);
    sow_plan_free(plan);
    plan = matched(
        "local x = input { \"batch\", 16 } >> linear(\"stem\", 16, 16)\n"
        "x = x + (x >> rms_norm(\"n\", 16, { offset = 1 }) >> experts { router = linear(\"gate\", "
        "16, 4, { bias = false }), experts = 4, expert = function(x)\n"
        "  return x >> linear(\"w1\", 16, 32) >> activation(\"relu\") >> linear(\"w2\", 32, 16)\n"
        "end })\n"
        "x = x >> linear(\"head\", 16, 3)\n");
    check(plan, "gate.weight", "lecun_normal", 1.0 / 16, "feeds a softmax");
    check(plan, "experts.3.w1.weight", "he_normal", 2.0 / 16, "feeds relu");
    check(plan, "experts.3.w2.weight", "lecun_normal", 1.0 / 32, "the only residual branch");
    constant(plan, "n.weight", 0);
    sow_plan_free(plan);
}

/* What layers record under a word of their own has a row in ops.c. */
static void test_every_operation_is_known(void **state)
{
    (void)state;
    int found = 0;
    for (const struct sow_embedded *file = sow_embedded_recipes; file->name != NULL; file++) {
        static const char call[] = "host.record(\"";
        for (const char *at = strstr(file->text, call); at != NULL; at = strstr(at + 1, call)) {
            char kind[64];
            const char *word = at + sizeof call - 1;
            snprintf(kind, sizeof kind, "%.*s", (int)strcspn(word, "\""), word);
            if (sow_walk_find(kind) == NULL) {
                fail_msg("the operation %s of %s has no row in model/match/ops.c", kind,
                         file->name);
            }
            found++;
        }
    }
    assert_true(found > 20);
}

static void test_what_it_cannot_tell(void **state)
{
    (void)state;
    fails("local x = input { \"batch\", 8 } >> linear(\"a\", 8, 8)\nparam(\"p\", { 3, 4 })\n",
          SOW_E_RULE, "cannot tell what the tensor p [3, 4] is for");
    fails("param(\"p\", { 3, 4 })\n", SOW_E_ARGUMENT, "this source has none");
    fails("variant(\"matched\", \"mine\", function() end)\nparam(\"p\", { 3, 4 })\n", SOW_E_CONFIG,
          "sow's own");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_layer_feeds),
        cmocka_unit_test(test_long_runs_of_tanh),
        cmocka_unit_test(test_long_runs_of_gelu),
        cmocka_unit_test(test_between),
        cmocka_unit_test(test_max_pool_by_order_statistics),
        cmocka_unit_test(test_residual_streams),
        cmocka_unit_test(test_shortcuts),
        cmocka_unit_test(test_gates),
        cmocka_unit_test(test_embeddings_and_attention),
        cmocka_unit_test(test_beside_rules),
        cmocka_unit_test(test_vision_layers),
        cmocka_unit_test(test_recurrent_and_experts),
        cmocka_unit_test(test_every_operation_is_known),
        cmocka_unit_test(test_what_it_cannot_tell),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
