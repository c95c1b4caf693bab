/* SPDX-License-Identifier: MIT */
/* The model and its graph: what layers record (operations, values, attributes, shapes, lines), and the small pieces under
 * it: arena, names, UTF-8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/graph/build.h"
#include "model/graph/utf8.h"
#include "tests/c/scratch.h"

static struct sow_model *load(const char *name, const char *text)
{
    struct sow_model *model = NULL;
    struct sow_error error;
    if (sow_model_load(write_text(name, text), NULL, &model, &error) != SOW_OK) {
        fail_msg("%s:%u: %s", error.file, error.line, error.message);
    }
    return model;
}

/* "SCOPE|KIND(inputs; tensors; attributes) -> [shape] @LINE" */
static const char *show(const struct sow_graph *graph, size_t index)
{
    static char text[1024];
    const struct sow_operation *operation = &graph->operations[index];
    const struct sow_value *value = &graph->values[operation->output];
    int used = snprintf(text, sizeof text, "%s|%s(", operation->scope, operation->kind);
    for (uint32_t i = 0; i < operation->input_count; i++) {
        used += snprintf(text + used, sizeof text - (size_t)used, "%s%u", i > 0 ? " " : "",
                         operation->inputs[i]);
    }
    for (uint32_t i = 0; i < operation->parameter_count; i++) {
        used += snprintf(text + used, sizeof text - (size_t)used, "%s%s", i > 0 ? " " : "; ",
                         graph->parameters[operation->parameters[i]].name);
    }
    for (uint32_t i = 0; i < operation->attribute_count; i++) {
        const struct sow_attribute *attribute = &operation->attributes[i];
        used += attribute->text != NULL
                    ? snprintf(text + used, sizeof text - (size_t)used, "%s%s=%s",
                               i > 0 ? " " : "; ", attribute->name, attribute->text)
                    : snprintf(text + used, sizeof text - (size_t)used, "%s%s=%g",
                               i > 0 ? " " : "; ", attribute->name, attribute->number);
    }
    used += snprintf(text + used, sizeof text - (size_t)used, ") -> [");
    for (uint32_t i = 0; i < value->rank; i++) {
        used += value->symbol[i] != NULL
                    ? snprintf(text + used, sizeof text - (size_t)used, "%s%s", i > 0 ? ", " : "",
                               value->symbol[i])
                    : snprintf(text + used, sizeof text - (size_t)used, "%s%llu", i > 0 ? ", " : "",
                               (unsigned long long)value->shape[i]);
    }
    snprintf(text + used, sizeof text - (size_t)used, "] @%u", operation->line);
    return text;
}

static void check_graph(const struct sow_model *model, const char *const *wanted)
{
    const struct sow_graph *graph = sow_model_graph(model);
    size_t count = 0;
    for (; wanted[count] != NULL; count++) {
        assert_true(count < graph->operation_count);
        assert_string_equal(show(graph, count), wanted[count]);
        assert_int_equal(graph->values[graph->operations[count].output].operation, count);
    }
    assert_int_equal(graph->operation_count, count);
    assert_int_equal(graph->value_count, count);
}

/* ---- What layers record ---------------------------------------------------------------------- */

static void test_gpt2(void **state)
{
    static const char *const wanted[] = {
        "transformer.|tokens() -> [batch, tokens] @41",
        "transformer.|embedding(0; transformer.wte.weight; rows=10 features=8) -> [batch, tokens, "
        "8] @41",
        "transformer.|positions() -> [tokens] @41",
        "transformer.|embedding(2; transformer.wpe.weight; rows=6 features=8) -> [tokens, 8] @41",
        "transformer.|add(1 3) -> [batch, tokens, 8] @41",
        "transformer.h.0.|layer_norm(4; transformer.h.0.ln_1.weight transformer.h.0.ln_1.bias; "
        "eps=1e-05) -> [batch, tokens, 8] @30",
        "transformer.h.0.|linear(5; transformer.h.0.attn.c_attn.weight "
        "transformer.h.0.attn.c_attn.bias; inputs=8 outputs=24) -> [batch, tokens, 24] @31",
        "transformer.h.0.|attention(6; heads=2 kv_heads=2 head_dim=4 causal=1 rotary=0) -> [batch, "
        "tokens, 8] @32",
        "transformer.h.0.|linear(7; transformer.h.0.attn.c_proj.weight "
        "transformer.h.0.attn.c_proj.bias; inputs=8 outputs=8) -> [batch, tokens, 8] @33",
        "transformer.h.0.|add(4 8) -> [batch, tokens, 8] @32",
        "transformer.h.0.|layer_norm(9; transformer.h.0.ln_2.weight transformer.h.0.ln_2.bias; "
        "eps=1e-05) -> [batch, tokens, 8] @34",
        "transformer.h.0.|linear(10; transformer.h.0.mlp.c_fc.weight "
        "transformer.h.0.mlp.c_fc.bias; inputs=8 outputs=32) -> [batch, tokens, 32] @35",
        "transformer.h.0.|activation(11; name=gelu_tanh) -> [batch, tokens, 32] @35",
        "transformer.h.0.|linear(12; transformer.h.0.mlp.c_proj.weight "
        "transformer.h.0.mlp.c_proj.bias; inputs=32 outputs=8) -> [batch, tokens, 8] @36",
        "transformer.h.0.|add(9 13) -> [batch, tokens, 8] @34",
        "transformer.|layer_norm(14; transformer.ln_f.weight transformer.ln_f.bias; eps=1e-05) -> "
        "[batch, tokens, 8] @43",
        "|linear(15; transformer.wte.weight; inputs=8 outputs=10 tied=lm_head.weight) -> [batch, "
        "tokens, 10] @46",
        NULL,
    };
    (void)state;
    struct sow_model *model =
        load("config.json", "{\"model_type\":\"gpt2\",\"vocab_size\":10,\"n_positions\":6,"
                            "\"n_embd\":8,\"n_layer\":1,\"n_head\":2}");
    check_graph(model, wanted);
    const struct sow_parameter *parameter = &sow_model_graph(model)->parameters[4];
    assert_string_equal(parameter->name, "transformer.h.0.attn.c_attn.weight");
    assert_string_equal(parameter->role, "attention.qkv");
    assert_string_equal(parameter->file, "gpt2.lua");
    assert_int_equal(parameter->line, 31);
    assert_int_equal(parameter->layer, 0);
    assert_int_equal(parameter->layer_count, 1);
    assert_int_equal(parameter->tensor->kind, SOW_KIND_LINEAR);
    assert_int_equal(parameter->tensor->layout, SOW_LAYOUT_IN_OUT);
    assert_int_equal(parameter->blocks.count, 3);
    assert_int_equal(parameter->blocks.axis, 1);
    assert_int_equal(parameter->blocks.sizes[2], 8);
    sow_model_free(model);
}

/* Grouped queries, head norms, a gate and its product, as Qwen3 has them. */
static void test_gated_decoder(void **state)
{
    static const char *const wanted[] = {
        "l.|input() -> [batch, tokens, 8] @2",
        "l.|linear(0; l.q.weight; inputs=8 outputs=16) -> [batch, tokens, 16] @3",
        "l.|split_heads(1; heads=4) -> [batch, tokens, 4, 4] @3",
        "l.|rms_norm(2; l.q_norm.weight; eps=1e-06) -> [batch, tokens, 4, 4] @3",
        "l.|merge_heads(3) -> [batch, tokens, 16] @3",
        "l.|linear(0; l.k.weight; inputs=8 outputs=8) -> [batch, tokens, 8] @4",
        "l.|linear(0; l.v.weight; inputs=8 outputs=8) -> [batch, tokens, 8] @5",
        "l.|attention(4 5 6; heads=4 kv_heads=2 head_dim=4 causal=0 rotary=1 window=16) -> [batch, "
        "tokens, 16] @6",
        "l.|linear(7; l.gate.weight; inputs=16 outputs=4) -> [batch, tokens, 4] @7",
        "l.|activation(8; name=silu) -> [batch, tokens, 4] @7",
        "l.|linear(7; l.up.weight; inputs=16 outputs=4) -> [batch, tokens, 4] @8",
        "l.|multiply(9 10) -> [batch, tokens, 4] @9",
        "l.|scale(11; factor=0.5) -> [batch, tokens, 4] @9",
        "l.|dropout(12; p=0.1) -> [batch, tokens, 4] @9",
        NULL,
    };
    (void)state;
    struct sow_model *model =
        load("gated.lua", "local function l(n, i, o) return linear(n, i, o, { bias = false }) end\n"
                          "scope(\"l\", function() local x = input { \"batch\", \"tokens\", 8 }\n"
                          "    local q = x >> l(\"q\", 8, 16) >> split_heads(4) >> "
                          "rms_norm(\"q_norm\", 4, { eps = 1e-6 }) >> merge_heads()\n"
                          "    local k = x >> l(\"k\", 8, 8)\n"
                          "    local v = x >> l(\"v\", 8, 8)\n"
                          "    x = bundle(q, k, v) >> attention { heads = 4, kv_heads = 2, rotary "
                          "= true, window = 16 }\n"
                          "    local gate = x >> l(\"gate\", 16, 4) >> activation(\"swish\")\n"
                          "    local up = x >> l(\"up\", 16, 4)\n"
                          "    x = gate * up * 0.5 >> dropout(0.1)\n"
                          "end)\n");
    check_graph(model, wanted);
    sow_model_free(model);
}

static void test_convolutions(void **state)
{
    static const char *const wanted[] = {
        "|input() -> [batch, 4, 9, width] @1",
        "|conv(0; c.weight c.bias; spatial=2 groups=2 padding1=1 stride1=2 padding2=1 stride2=1) "
        "-> "
        "[batch, 6, 5, width] @2",
        "|max_pool(1; kernel=2 stride=2 padding=0) -> [batch, 6, 2, (width+0)/2] @2",
        "|input() -> [batch, 2, 8] @3",
        "|conv(3; d.weight; spatial=1 groups=1 padding1=0 stride1=1) -> [batch, 3, 6] @4",
        "|average_pool(4; kernel=3 stride=3 padding=0) -> [batch, 3, 2] @4",
        "|flatten(5) -> [batch, 6] @4",
        NULL,
    };
    (void)state;
    struct sow_model *model =
        load("conv.lua", "local x = input { \"batch\", 4, 9, \"width\" }\n"
                         "x = x >> conv2d(\"c\", 4, 6, { kernel = 3, stride = { 2, 1 }, padding = "
                         "1, groups = 2 }) >> max_pool(2)\n"
                         "x = input { \"batch\", 2, 8 }\n"
                         "x = x >> conv1d(\"d\", 2, 3, { layout = \"in-out\", bias = false }) >> "
                         "average_pool(3) >> flatten()\n");
    check_graph(model, wanted);
    const struct sow_graph *graph = sow_model_graph(model);
    static const uint64_t shapes[2][4] = {{6, 2, 3, 3}, {3, 2, 3, 0}};
    assert_memory_equal(graph->parameters[0].tensor->shape, shapes[0], sizeof shapes[0]);
    assert_int_equal(graph->parameters[0].tensor->groups, 2);
    assert_memory_equal(graph->parameters[2].tensor->shape, shapes[1], sizeof shapes[1]);
    assert_int_equal(graph->parameters[2].tensor->layout, SOW_LAYOUT_IN_OUT);
    sow_model_free(model);
}

/* Channels and tokens: normalisations with statistics, pools over everything, values side by side. */
static void test_vision(void **state)
{
    static const char *const wanted[] = {
        "|input() -> [batch, 4, 6, 6] @1",
        "|batch_norm(0; n.weight n.bias n.running_mean n.running_var n.num_batches_tracked; "
        "eps=1e-05 "
        "axis=1) -> [batch, 4, 6, 6] @2",
        "|group_norm(1; g.weight g.bias; eps=1e-06 groups=2 axis=1) -> [batch, 4, 6, 6] @3",
        "|batch_norm(2; eps=1e-05 axis=1) -> [batch, 4, 6, 6] @4",
        "|to_tokens(3) -> [batch, 36, 4] @5",
        "|learned(; cls) -> [1, 1, 4] @6",
        "|concat(5 4; axis=1) -> [batch, 37, 4] @6",
        "|learned(; pos) -> [1, 37, 4] @7",
        "|add(6 7) -> [batch, 37, 4] @7",
        "|layer_scale(8; ls.gamma; axis=2) -> [batch, 37, 4] @8",
        "|take(9; axis=1 index=0) -> [batch, 4] @9",
        "|global_pool(9; kind=max over=tokens) -> [batch, 4] @10",
        "|concat(10 11; axis=1) -> [batch, 8] @11",
        "|global_pool(3; kind=average over=sizes) -> [batch, 4] @12",
        "|input() -> [batch, 3, 5, width] @13",
        "|to_tokens(14) -> [batch, 5*width, 3] @13",
        "|global_pool(15; kind=average over=tokens skip=1) -> [batch, 3] @13",
        NULL,
    };
    (void)state;
    struct sow_model *model = load(
        "vision.lua", "local x = input { \"batch\", 4, 6, 6 }\n"
                      "x = x >> batch_norm(\"n\", 4)\n"
                      "x = x >> group_norm(\"g\", 4, 2, { eps = 1e-6 })\n"
                      "x = x >> batch_norm(\"plain\", 4, { affine = false, statistics = false })\n"
                      "local t = x >> to_tokens()\n"
                      "t = concat(learned(\"cls\", { 1, 1, 4 }), t, { axis = 2 })\n"
                      "t = t + learned(\"pos\", { 1, 37, 4 }, { role = \"position\" })\n"
                      "t = t >> layer_scale(\"ls.gamma\", 4)\n"
                      "local a = t >> take(1)\n"
                      "local b = t >> global_pool { kind = \"max\", over = \"tokens\" }\n"
                      "a = concat(a, b)\n"
                      "x = x >> global_pool()\n"
                      "x = input { \"batch\", 3, 5, \"width\" } >> to_tokens() "
                      ">> global_pool { over = \"tokens\", skip = 1 }\n");
    check_graph(model, wanted);
    const struct sow_graph *graph = sow_model_graph(model);
    const struct sow_parameter *variance = &graph->parameters[3], *counter = &graph->parameters[4];
    assert_int_equal(variance->tensor->kind, SOW_KIND_BUFFER);
    assert_true(variance->value == 1 && counter->value == 0);
    assert_int_equal(variance->dtype, 0);
    assert_int_equal(counter->dtype, SOW_I64);
    assert_int_equal(counter->tensor->rank, 0);
    assert_string_equal(variance->role, "running variance");
    sow_model_free(model);
}

static void check_refused(const char *text, const char *message)
{
    struct sow_model *model = NULL;
    struct sow_error error;
    char recipe[1024];
    snprintf(recipe, sizeof recipe, "local x = input { \"batch\", 4, 6, 6 }\n%s\n", text);
    assert_int_not_equal(sow_model_load(write_text("refused.lua", recipe), NULL, &model, &error),
                         SOW_OK);
    assert_string_equal(error.message, message);
    assert_int_equal(error.line, 2);
}

static void test_shapes_that_do_not_meet(void **state)
{
    (void)state;
    check_refused(
        "x = x >> batch_norm(\"n\", 5)",
        "batch_norm \"n\" takes [batch, 5, ...], and gets a value of shape [batch, 4, 6, 6]");
    check_refused("group_norm(\"g\", 4, 3)",
                  "group_norm \"g\": 3 groups do not divide 4 features evenly");
    check_refused(
        "concat(x, learned(\"l\", { 1, 4, 6, 5 }), { axis = 2 })",
        "concat along axis 2: the shapes [batch, 4, 6, 6] and [1, 4, 6, 5] do not fit together");
    check_refused(
        "concat(x, x, { axis = 5 })",
        "concat: a value with 4 axes has no axis 5; they count from 1, or from -1 at the end");
    check_refused("x = x >> take(5)", "take(5): axis 2 of [batch, 4, 6, 6] has no such place");
    check_refused("param(\"p\", { 2 }, { value = 1 })",
                  "p has a value, and only a buffer starts without a rule: kind = \"buffer\"");
    check_refused("param(\"p\", { 2 }, { kind = \"buffer\", value = huge })",
                  "the value of p is not finite");
}

static void test_layers_of_more_kinds(void **state)
{
    static const char *const wanted[] = {
        "|input(; mean=0.1 std=2 correlation=0.3) -> [batch, 4, 9, width] @1",
        "|conv(0; d.weight; spatial=2 groups=4 padding1=1 stride1=1 padding2=1 stride2=1) -> "
        "[batch, 8, 9, width] @2",
        "|conv_transpose(1; u.weight u.bias; spatial=2 groups=2 padding1=1 stride1=2 "
        "output_padding1=0 padding2=1 stride2=2 output_padding2=0) -> [batch, 6, 18, width*2+0] @3",
        "|input() -> [batch, tokens, 5] @4",
        "|lstm(3; l.weight_ih_l0 l.weight_hh_l0 l.bias_ih_l0 l.bias_hh_l0 l.weight_ih_l0_reverse "
        "l.weight_hh_l0_reverse l.bias_ih_l0_reverse l.bias_hh_l0_reverse; inputs=5 hidden=3 "
        "gates=i f g o bidirectional=1 bias=1 names=torch) -> [batch, tokens, 6] @5",
        "|gru(4; g.kernel g.recurrent_kernel g.bias; inputs=6 hidden=4 gates=z r n bidirectional=0 "
        "bias=1 names=keras) -> [batch, tokens, 4] @6",
        "|gated(5; name=glu first=value) -> [batch, tokens, 2] @7",
        "|bilinear(6 5; b.weight; inputs1=2 inputs2=4 outputs=3) -> [batch, tokens, 3] @8",
        NULL,
    };
    (void)state;
    struct sow_model *model = load(
        "kinds.lua",
        "local x = input { \"batch\", 4, 9, \"width\", mean = 0.1, std = 2, correlation = 0.3 }\n"
        "x = x >> depthwise_conv2d(\"d\", 4, { multiplier = 2, padding = 1, bias = false })\n"
        "x = x >> conv_transpose2d(\"u\", 8, 6, { kernel = 4, stride = 2, padding = 1, groups = 2 "
        "})\n"
        "local t = input { \"batch\", \"tokens\", 5 }\n"
        "t = t >> lstm(\"l\", 5, 3, { bidirectional = true })\n"
        "t = t >> gru(\"g\", 6, 4, { names = \"keras\" })\n"
        "local h = t >> gated(\"glu\", { first = \"value\" })\n"
        "h = bundle(h, t) >> bilinear(\"b\", 2, 4, 3, { bias = false })\n");
    check_graph(model, wanted);
    const struct sow_graph *graph = sow_model_graph(model);
    assert_int_equal(graph->parameters[1].tensor->stride, 4);
    assert_int_equal(graph->parameters[1].tensor->groups, 2);
    assert_int_equal(graph->parameters[3].blocks.count, 4);
    assert_string_equal(graph->parameters[3].blocks.gates, "i f g o");
    assert_string_equal(graph->parameters[6].twin, "l.bias_ih_l0");
    assert_int_equal(graph->parameters[13].blocks.axis, 1); /* g.bias is [2, 12] */
    sow_model_free(model);
}

static void test_a_layer_used_twice_shares_its_tensors(void **state)
{
    static const char *const wanted[] = {
        "|input() -> [batch, 8] @2",
        "layers.0.|linear(0; shared.weight shared.bias; inputs=8 outputs=8) -> [batch, 8] @3",
        "layers.1.|linear(1; shared.weight shared.bias; inputs=8 outputs=8) -> [batch, 8] @3",
        NULL,
    };
    (void)state;
    struct sow_model *model =
        load("shared.lua", "local shared = linear(\"shared\", 8, 8)\n"
                           "repeated(\"layers\", 2, input { \"batch\", 8 }, function(x)\n"
                           "    return x >> shared\n"
                           "end)\n");
    check_graph(model, wanted);
    assert_int_equal(sow_model_graph(model)->parameter_count, 2);
    assert_int_equal(sow_model_graph(model)->parameters[0].layer, -1);
    sow_model_free(model);
}

static void test_keys_and_layers(void **state)
{
    (void)state;
    struct sow_model *model = load("keys.lua", "linear(\"new\", 2, 3, { key = \"old.name\" })\n"
                                               "repeated(\"a\", 2, function(i)\n"
                                               "    repeated(\"b\", 3, function(j) param(\"w\", { "
                                               "1 + i, 1 + j }, { dtype = \"bf16\" }) end)\n"
                                               "end)\n");
    const struct sow_graph *graph = sow_model_graph(model);
    assert_string_equal(graph->parameters[0].key, "old.name.weight");
    assert_string_equal(graph->parameters[1].key, "old.name.bias");
    assert_int_equal(graph->parameter_count, 8);
    const struct sow_parameter *last = &graph->parameters[7];
    assert_string_equal(last->name, "a.1.b.2.w");
    assert_null(last->key);
    assert_int_equal(last->layer, 2);
    assert_int_equal(last->layer_count, 3);
    assert_int_equal(last->dtype, SOW_BF16);
    assert_int_equal(graph->parameters[0].dtype, 0);
    assert_int_equal(last->tensor->shape[0] * 10 + last->tensor->shape[1], 23);
    sow_model_free(model);
}

/* ---- The small pieces ------------------------------------------------------------------------ */

static void test_arena(void **state)
{
    struct sow_arena arena = {.bytes_max = 1 << 20};
    (void)state;
    size_t taken = 0;
    for (size_t i = 1; i < 2000; i++) {
        unsigned char *bytes = sow_arena_take(&arena, i % 97);
        assert_non_null(bytes);
        assert_int_equal((uintptr_t)bytes % _Alignof(max_align_t), 0);
        for (size_t j = 0; j < i % 97; j++) {
            assert_int_equal(bytes[j], 0);
            bytes[j] = 0xff;
        }
        taken += i % 97;
    }
    assert_true(arena.bytes >= taken);
    assert_string_equal(sow_arena_copy(&arena, "abcdef", 3), "abc");
    assert_null(sow_arena_take(&arena, 2 << 20)); /* over the ceiling */
    assert_null(sow_arena_take(&arena, SIZE_MAX));
    assert_null(sow_arena_copy(&arena, "", SIZE_MAX));
    assert_non_null(sow_arena_take(&arena, 100));
    sow_arena_free(&arena);
    assert_null(arena.blocks);
}

static void test_names(void **state)
{
    struct sow_model *model = sow_model_new();
    struct sow_error error;
    (void)state;
    assert_non_null(model);
    assert_int_equal(sow_model_find(model, "t0"), UINT32_MAX);
    for (uint32_t i = 0; i < 10000; i++) {
        char name[32];
        uint32_t index;
        int length = snprintf(name, sizeof name, "t%u", i);
        struct sow_parameter parameter = {
            .name = sow_arena_copy(&model->arena, name, (size_t)length), .file = "here", .line = i};
        assert_int_equal(sow_model_add_parameter(model, &parameter, &index, &error), SOW_OK);
        assert_int_equal(index, i);
    }
    assert_int_equal(sow_model_find(model, "t9999"), 9999);
    assert_int_equal(sow_model_find(model, "t10000"), UINT32_MAX);
    struct sow_parameter twin = {.name = "t77"};
    uint32_t index;
    assert_int_equal(sow_model_add_parameter(model, &twin, &index, &error), SOW_E_CONFIG);
    assert_string_equal(error.message, "there already is a tensor t77, declared at here:77");
    assert_int_equal(sow_model_graph(model)->parameter_count, 10000);
    sow_model_free(model);
    sow_model_free(NULL);
}

static void test_utf8(void **state)
{
    static const char *const good[] = {"",
                                       "a",
                                       "\xc3\xa9",
                                       "\xe6\xbc\xa2",
                                       "\xf0\x9f\x8c\xb1",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\x80",
                                      "\xc3",
                                      "\xc0\xaf",
                                      "\xc1\xbf",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "a\xe6\xbc",
                                      "\xc3\x28"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(sow_is_utf8(good[i], strlen(good[i])));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(sow_is_utf8(bad[i], strlen(bad[i])));
    }
    assert_int_equal(sow_utf8_end("ab\xff", 3), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gpt2),
        cmocka_unit_test(test_gated_decoder),
        cmocka_unit_test(test_convolutions),
        cmocka_unit_test(test_vision),
        cmocka_unit_test(test_shapes_that_do_not_meet),
        cmocka_unit_test(test_layers_of_more_kinds),
        cmocka_unit_test(test_a_layer_used_twice_shares_its_tensors),
        cmocka_unit_test(test_keys_and_layers),
        cmocka_unit_test(test_arena),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_utf8),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
