/* SPDX-License-Identifier: MIT */
/* The lowering of a model's graph: names, sizes, attributes, and what it refuses. */
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

#include "model/graph/build.h"
#include "model/signal/network/network.h"
#include "tests/c/scratch.h"

struct loaded {
    struct sow_model *model;
    struct sow_plan *plan;
};

static struct loaded load(const char *text)
{
    struct loaded loaded = {0};
    struct sow_error error;
    struct sow_plan_options planning = {.seed = 0};
    if (sow_model_load(write_text("model.lua", text), NULL, &loaded.model, &error) != SOW_OK ||
        sow_plan_make(loaded.model, &planning, &loaded.plan, &error) != SOW_OK) {
        fail_msg("%u: %s", error.line, error.message);
    }
    return loaded;
}

static void unload(struct loaded *loaded)
{
    sow_plan_free(loaded->plan);
    sow_model_free(loaded->model);
}

static struct sow_network *lower(const char *text, const struct sow_signal_options *options)
{
    struct loaded loaded = load(text);
    struct sow_network *network = NULL;
    struct sow_error error;
    if (sow_network_make(loaded.model, loaded.plan, options, &network, &error) != SOW_OK) {
        fail_msg("%u: %s", error.line, error.message);
    }
    unload(&loaded);
    return network;
}

static void refuses(const char *text, const struct sow_signal_options *options,
                    enum sow_status code, uint32_t line, const char *words)
{
    struct loaded loaded = load(text);
    struct sow_network *network = NULL;
    struct sow_error error = {.code = SOW_OK};
    assert_int_equal(sow_network_make(loaded.model, loaded.plan, options, &network, &error), code);
    if (strstr(error.message, words) == NULL || error.line != line) {
        fail_msg("line %u: \"%s\" instead of \"%s\"", error.line, error.message, words);
    }
    unload(&loaded);
}

#define RULES "param('w', { 3, 4 })\nrule('*', normal { std = 0.02 })\n"

static void test_names_sizes_and_attributes(void **state)
{
    (void)state;
    struct sow_network *network = lower(
        "local x = tokens() >> embedding('wte', 100, 8)\n"
        "x = repeated('h', 2, x, function(x)\n"
        "  return x + (x >> layer_norm('ln', 8, { eps = 1e-3 }) >> linear('qkv', 8, 24)\n"
        "    >> attention { heads = 2, causal = true } >> activation('gelu_new') >> dropout(0.1))\n"
        "end)\n" RULES,
        &(struct sow_signal_options){.batch = 3, .tokens = 5});
    static const char *const names[] = {"tokens",        "wte",           "h.0.ln",      "h.0.qkv",
                                        "h.0.attention", "h.0.gelu_tanh", "h.0.dropout", "h.0.add"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_string_equal(network->nodes[i].name, names[i]);
    }
    const struct sow_node *attention = &network->nodes[4];
    assert_int_equal(attention->op, SOW_OP_ATTENTION);
    assert_int_equal(attention->at.head_dim, 4);
    assert_true(attention->at.causal && !attention->at.rotary && attention->at.scale == 0.5);
    assert_true(network->nodes[2].at.eps == 1e-3 && network->nodes[6].at.p == 0.1);
    assert_int_equal(network->nodes[3].layer, 0);
    assert_int_equal(network->nodes[3].parameter_count, 2);
    const struct sow_flow *flow = &network->flows[network->nodes[3].output];
    assert_int_equal(flow->rank, 3);
    assert_int_equal(flow->elements, 3 * 5 * 24);
    assert_int_equal(network->flows[network->nodes[1].output].uses, 2);
    assert_int_equal(network->output_count, 1);
    assert_string_equal(network->nodes[network->flows[network->outputs[0]].node].name, "h.1.add");
    sow_network_free(network);
}

static void test_symbols(void **state)
{
    (void)state;
    struct sow_signal_size height = {"height", 33};
    struct sow_network *network = lower(
        "local x = input { 'batch', 3, 'height', 32 } >> conv2d('a', 3, 4, { stride = 2 })\n"
        "x = x >> conv2d('b', 4, 4, { padding = 1 }) >> max_pool(2) >> linear('c', 7, 5)\n" RULES,
        &(struct sow_signal_options){.batch = 2, .sizes = &height, .size_count = 1});
    const uint64_t shape[] = {2, 4, 8, 5};
    const struct sow_flow *flow = &network->flows[network->outputs[0]];
    assert_memory_equal(flow->shape, shape, sizeof shape);
    const struct sow_op_attributes *conv = &network->nodes[1].at;
    assert_true(conv->spatial == 2 && conv->kernel[1] == 3 && conv->stride[0] == 2);
    sow_network_free(network);
    refuses("local x = input { 'batch', 3, 'depth', 32 }\n" RULES, NULL, SOW_E_ARGUMENT, 1,
            "no size was given for depth");
    height.size = 2;
    refuses("local x = input { 'batch', 3, 'height', 32 }\nx = x >> conv2d('a', 3, 4)\n" RULES,
            &(struct sow_signal_options){.sizes = &height, .size_count = 1}, SOW_E_ARGUMENT, 2,
            "it comes to 0");
    refuses("local x = input { 'batch', 'a*(' }\n" RULES, NULL, SOW_E_ARGUMENT, 1,
            "no size was given for a");
}

static void test_what_does_not_fit(void **state)
{
    (void)state;
    refuses("local x = tokens() >> embedding('e', 10, 4)\n"
            "x = x + (positions() >> embedding('p', 16, 4))\n" RULES,
            &(struct sow_signal_options){.tokens = 17}, SOW_E_ARGUMENT, 0,
            "17 tokens are more than the 16 positions");
    refuses(RULES, NULL, SOW_E_UNSUPPORTED, 0, "no graph");
    refuses("local x = input { 'batch', 8 }\nx = x >> dropout(1)\n" RULES, NULL, SOW_E_ARGUMENT, 2,
            "p is 1");
}

/* The prelude sees to shapes, so a graph of another origin is played. */
static void test_shapes(void **state)
{
    (void)state;
    struct loaded loaded = load("local x = input { 'batch', 8 }\nlocal y = input { 'batch', 8 }\n"
                                "x = (x >> linear('fc', 8, 8)) + y\n" RULES);
    struct sow_network *network = NULL;
    struct sow_error error;
    loaded.model->values[1].shape[1] = 9;
    assert_int_equal(sow_network_make(loaded.model, loaded.plan, NULL, &network, &error),
                     SOW_E_SHAPE);
    assert_string_equal(error.message,
                        "add (add): the shapes [8, 8] and [8, 9] do not give [8, 8]");
    assert_int_equal(error.line, 3);
    loaded.model->values[0].shape[1] = 7;
    assert_int_equal(sow_network_make(loaded.model, loaded.plan, NULL, &network, &error),
                     SOW_E_SHAPE);
    assert_non_null(strstr(error.message, "fc (linear): its tensor fc.weight of shape [8, 8]"));
    unload(&loaded);
}

/* Line `line` of `text`, when size `axis` of value `value` is 5, is refused with `words`. */
static void misfits(const char *text, size_t value, uint32_t axis, uint32_t line, const char *words)
{
    struct loaded loaded = load(text);
    struct sow_network *network = NULL;
    struct sow_error error;
    loaded.model->values[value].shape[axis] = 5;
    assert_int_equal(sow_network_make(loaded.model, loaded.plan, NULL, &network, &error),
                     SOW_E_SHAPE);
    if (strstr(error.message, words) == NULL || error.line != line) {
        fail_msg("%u: %s", error.line, error.message);
    }
    unload(&loaded);
}

static void test_shapes_of_products(void **state)
{
    (void)state;
    const char *up = "local x = input { 'batch', 6, 4 }\n"
                     "x = x >> conv_transpose1d('up', 6, 8, { stride = 2 })\n" RULES;
    misfits(up, 0, 1, 2, "up (conv_transpose): its tensor up.weight of shape [6, 8, 3]");
    misfits(up, 0, 2, 2,
            "up (conv_transpose): its window does not leave these sizes: it takes "
            "[8, 6, 5] and makes [8, 8, 9]");
    misfits("local x = input { 'batch', 8 }\nx = x >> gated('swiglu')\n" RULES, 0, 1, 2,
            "gated (gated): it needs a gate and a value of one shape, or one value twice as wide: "
            "it takes [8, 5] and makes [8, 4]");
    const char *pair = "local x, y = input { 'batch', 3, 8 }, input { 'batch', 3, 4 }\n"
                       "x = bundle(x, y) >> bilinear('b', 8, 4, 6)\n" RULES;
    misfits(pair, 1, 1, 2, "b (bilinear): its inputs [8, 3, 8] and [8, 5, 4] do not give");
    misfits(pair, 1, 2, 2, "b (bilinear): its tensor b.weight of shape [6, 8, 4]");
    misfits("local x = input { 'batch', 8 }\n"
            "x = x >> linear('q', 8, 6, { layout = 'in-out-out', heads = 3 })\n" RULES,
            1, 1, 2, "q (linear): its tensor q.weight of shape [8, 3, 2]");
}

/* What a source could hand over by mistake, or a prelude record that this library is too old for. */
static void test_unknown(void **state)
{
    (void)state;
    struct loaded loaded = load("local x = input { 'batch', 8 }\nx = x >> dropout(0.5)\n" RULES);
    struct sow_network *network = NULL;
    struct sow_error error;
    loaded.model->operations[1].kind = "warp";
    assert_int_equal(sow_network_make(loaded.model, loaded.plan, NULL, &network, &error),
                     SOW_E_UNSUPPORTED);
    assert_non_null(strstr(error.message, "warp"));
    assert_int_equal(error.line, 2);
    loaded.model->operations[1].kind = "scale";
    assert_int_equal(sow_network_make(loaded.model, loaded.plan, NULL, &network, &error),
                     SOW_E_UNSUPPORTED);
    assert_non_null(strstr(error.message, "its attribute p"));
    unload(&loaded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_sizes_and_attributes), cmocka_unit_test(test_symbols),
        cmocka_unit_test(test_what_does_not_fit),          cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_shapes_of_products),         cmocka_unit_test(test_unknown),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
