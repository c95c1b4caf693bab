/* SPDX-License-Identifier: MIT */
/* Predictions against closed forms: second moments, gradients, correlations, fixed points. The names begin with those
 * of the acceptance cases they are. */
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

#include "model/signal/network/network.h"
#include "tests/c/probe_value.h"
#include "tests/c/scratch.h"

static enum sow_status try_probe(const char *source, const struct sow_model_options *reading,
                                 const struct sow_signal_options *options, struct sow_probe **probe,
                                 struct sow_error *error)
{
    struct sow_model *model = NULL;
    struct sow_plan *plan = NULL;
    struct sow_plan_options planning = {.seed = 0};
    enum sow_status status = sow_model_load(source, reading, &model, error);
    status = status == SOW_OK ? sow_plan_make(model, &planning, &plan, error) : status;
    status = status == SOW_OK ? sow_probe_predict(model, plan, options, probe, error) : status;
    sow_plan_free(plan);
    sow_model_free(model);
    return status;
}

static struct sow_probe *mlp(const char *widths, const char *activation, const char *scheme)
{
    struct sow_probe *probe = NULL;
    struct sow_error error;
    struct sow_model_options reading = {.activation = activation, .scheme = scheme};
    if (try_probe(widths, &reading, NULL, &probe, &error) != SOW_OK) {
        fail_msg("%s", error.message);
    }
    return probe;
}

static struct sow_probe *lua(const char *text, const struct sow_signal_options *options)
{
    struct sow_probe *probe = NULL;
    struct sow_error error;
    if (try_probe(write_text("model.lua", text), NULL, options, &probe, &error) != SOW_OK) {
        fail_msg("%u: %s", error.line, error.message);
    }
    return probe;
}

static const struct sow_probe_value *last(const struct sow_probe *probe)
{
    return sow_probe_at(probe, (size_t)sow_probe_summary(probe)->values - 1);
}

static void near(double found, double wanted, double relative)
{
    if (!(fabs(found - wanted) <= relative * fabs(wanted) + 1e-13)) {
        fail_msg("%.12g instead of %.12g", found, wanted);
    }
}

static void test_a12_relu_over_100_layers(void **state)
{
    (void)state;
    static const struct {
        const char *scheme;
        double factor;
    } rows[] = {{"he_normal", 1},
                {"lecun_normal", 0.5},
                {"lecun_normal{gain=0.57735026918962576}", 1.0 / 6}};
    for (size_t i = 0; i < 3; i++) {
        struct sow_probe *probe = mlp("mlp:64,64x100,64", "relu", rows[i].scheme);
        const struct sow_probe_value *first = value(probe, "layers.0"),
                                     *deep = value(probe, "layers.100");
        near(deep->log2_second_moment - first->log2_second_moment, 100 * log2(rows[i].factor),
             1e-10);
        near(value(probe, "input")->log2_gradient - deep->log2_gradient,
             101 * log2(rows[i].factor) + log2(2), 1e-10);
        sow_probe_free(probe);
    }
}

static void test_a18_relu_correlations(void **state)
{
    (void)state;
    struct sow_probe *probe = mlp("mlp:64,64x100,64", "relu", "he_normal");
    near(value(probe, "layers.1")->sample_correlation, 0.3183098862, 1e-9);
    near(value(probe, "layers.5")->sample_correlation, 0.7359463506, 1e-9);
    near(value(probe, "layers.100")->sample_correlation, 0.9964231467, 1e-9);
    near(value(probe, "layers.9")->c0, 0.3183098862, 1e-9);
    near(value(probe, "layers.9")->chi_perp, 1, 1e-12);
    near(value(probe, "layers.9")->chi_par, 1, 1e-12);
    /* the sum of 5 / n: 100 rectifiers of width 64 */
    near(sow_probe_summary(probe)->seed_noise, 100 * 5.0 / 64, 1e-9);
    near(value(probe, "layers.100")->scale_response, 1, 1e-12);
    sow_probe_free(probe);
}

static void test_a7_tanh_vanishes(void **state)
{
    (void)state;
    static const double std[] = {2.13546e-1, 4.76421e-2, 1.06519e-2, 2.38182e-3, 5.32592e-4,
                                 1.19091e-4, 2.66296e-5, 5.95456e-6, 1.33148e-6, 2.97728e-7};
    struct sow_probe *probe = mlp("mlp:500,500x10,10", "tanh", "normal{std=0.01}");
    for (int i = 0; i < 10; i++) {
        char name[32];
        snprintf(name, sizeof name, "layers.%d.tanh", i);
        near(sqrt(value(probe, name)->second_moment), std[i], 5e-6);
    }
    sow_probe_free(probe);
}

static void test_a8_tanh_gradients(void **state)
{
    (void)state;
    static const struct {
        const char *widths;
        double product;
    } rows[] = {{"mlp:500,500x10,500", .071370},
                {"mlp:500,500x20,500", .035975},
                {"mlp:500,500x50,500", .014335}};
    for (size_t i = 0; i < 3; i++) {
        struct sow_probe *probe = mlp(rows[i].widths, "tanh", "lecun_normal");
        near(value(probe, "input")->gradient / last(probe)->gradient, rows[i].product, 2e-5);
        sow_probe_free(probe);
    }
}

static void test_a16_a_scale_error_grows(void **state)
{
    (void)state;
    struct sow_probe *probe;
    struct sow_signal_input input = {.std = 1};
    static const struct {
        double q;
        const char *activation, *scheme;
        double wanted;
    } rows[] = {{0.9, "gelu", "lecun_normal{gain=1.5335304412}", 2.902e-8},
                {1.1, "gelu", "lecun_normal{gain=1.5335304412}", 267.9},
                {0.9, "elu", "lecun_normal{gain=1.2451983007}", 0.9997}};
    for (size_t i = 0; i < 3; i++) {
        struct sow_error error;
        struct sow_model_options reading = {.activation = rows[i].activation,
                                            .scheme = rows[i].scheme};
        struct sow_signal_options options = {.input = &input};
        double gain = i < 2 ? 1.5335304412 : 1.2451983007;
        input.std = sqrt(rows[i].q) / gain; /* so that the first layer's output has q */
        assert_int_equal(try_probe("mlp:64,64x50,64", &reading, &options, &probe, &error), SOW_OK);
        near(value(probe, "layers.0")->second_moment, rows[i].q, 1e-9);
        near(last(probe)->second_moment, rows[i].wanted, 0.01);
        sow_probe_free(probe);
    }
}

static void test_fixed_points_of_repeated_layers(void **state)
{
    (void)state;
    /* Schoenholz et al. 2017, tanh, sigma_b^2 = 0.05 */
    static const struct {
        double sigma_w2, q, chi, c, xi_q, xi_c;
    } rows[] = {{1.0, 0.19359252, 0.75903165, 1, 1.747626, 3.626976},
                {1.8, 0.59413217, 1.00822314, 0.95041055, 1.497884, 125.784094},
                {3.0, 1.42800846, 1.20893442, 0.29931764, 1.041461, 9.051456}};
    for (size_t i = 0; i < 3; i++) {
        char text[512];
        snprintf(text, sizeof text,
                 "local x = input { 'batch', 100 }\n"
                 "x = repeated('l', 60, x, function(x) return x >> linear('fc', 100, 100) >> "
                 "activation('tanh') end)\n"
                 "rule('*.weight', normal { std = sqrt(%.17g / 100) })\nrule('*.bias', normal { "
                 "std = sqrt(0.05) })\n",
                 rows[i].sigma_w2);
        struct sow_probe *probe = lua(text, NULL);
        const struct sow_probe_depth *depth = &sow_probe_summary(probe)->depth;
        near(depth->q, rows[i].q, 1e-7);
        near(depth->chi_perp, rows[i].chi, 1e-7);
        near(depth->correlation, rows[i].c, 1e-6);
        near(depth->xi_q, rows[i].xi_q, 1e-5);
        near(depth->xi_c, rows[i].xi_c, 1e-4);
        near(value(probe, "l.59.fc")->second_moment, rows[i].q, 1e-6);
        sow_probe_free(probe);
    }
}

static void test_a35_residuals(void **state)
{
    (void)state;
    struct sow_probe *probe = lua(
        "local x = input { 'batch', 64 }\n"
        "x = repeated('h', 20, x, function(x)\n"
        "  return x + (x >> activation('relu') >> linear('fc', 64, 64, { bias = false })) end)\n"
        "rule('*', he_normal)\n",
        NULL);
    near(last(probe)->second_moment, pow(2, 20), 1e-9);
    near(value(probe, "input")->gradient, pow(2, 20), 1e-9);
    sow_probe_free(probe);
    probe = lua(
        "local x = input { 'batch', 64 }\n"
        "x = repeated('h', 20, x, function(x)\n"
        "  return x + (x >> batch_norm('n', 64) >> linear('fc', 64, 64, { bias = false })) end)\n"
        "rule('*.n.weight', ones)\nrule('*.n.bias', zeros)\nrule('*', lecun_normal)\n",
        NULL);
    near(last(probe)->second_moment, 21, 1e-3); /* eps */
    sow_probe_free(probe);
    probe = lua("local x = input { 'batch', 64 }\n"
                "x = repeated('h', 20, x, function(x)\n"
                "  return x + sqrt(1 / 20) * (x >> activation('relu') >> linear('fc', 64, 64, { "
                "bias = false })) end)\n"
                "rule('*', he_normal)\n",
                NULL);
    near(last(probe)->second_moment, pow(1 + 1.0 / 20, 20), 1e-9);
    sow_probe_free(probe);
}

static void test_a38_shared_ancestors(void **state)
{
    (void)state;
    struct sow_probe *probe =
        lua("local x = input { 'batch', 64 }\n"
            "local y = (x >> linear('a', 64, 64)) + (x >> linear('b', 64, 64))\n"
            "x = x + x\nx = x >> linear('out', 64, 64)\n"
            "local s = input { 'batch', 64 }\n"
            "local z = s * (s >> activation('sigmoid'))\n"
            "z = z >> linear('z', 64, 64)\n"
            "local r = input { 'batch', 64 }\n"
            "r = r + (r >> activation('tanh'))\n"
            "rule('*.weight', lecun_normal)\nrule('*.bias', zeros)\n",
            NULL);
    near(value(probe, "add")->second_moment, 2, 1e-12);
    near(value(probe, "add.2")->second_moment, 4, 1e-12);
    near(value(probe, "multiply")->second_moment, 1 / (1.67653251 * 1.67653251),
         1e-6); /* silu's gain */
    /* E[(z + tanh z)^2] = 1 + E[tanh^2] + 2 E[tanh'] */
    near(value(probe, "add.3")->second_moment, 1 + 0.39429449040 + 2 * 0.605705509602, 1e-9);
    /* d/dx (x + tanh x) = 2 - tanh^2: the last output's gradient */
    near(value(probe, "input.3")->gradient, 1 + 0.46440290245 + 2 * 0.605705509602, 1e-9);
    sow_probe_free(probe);
}

static void test_a36_pools_and_a37_dropout(void **state)
{
    (void)state;
    struct sow_probe *probe =
        lua("local x = input { 'batch', 4, 12, 12 }\n"
            "local a = x >> max_pool(2) >> activation('linear')\n"
            "local b = x >> activation('relu') >> max_pool(3) >> activation('linear')\n"
            "local c = x >> average_pool(2)\n"
            "local d = x >> activation('relu') >> dropout(0.5)\nparam('w', { 2, 2 })\n"
            "rule('*', zeros)\n",
            NULL);
    const struct sow_probe_value *pool = value(probe, "max_pool");
    near(pool->mean, 1.0293753730, 1e-9);
    near(pool->second_moment - pool->mean * pool->mean, 0.4917152369, 1e-9);
    near(value(probe, "max_pool.2")->second_moment, 2.5625591277, 1e-9);
    near(value(probe, "average_pool")->second_moment, 0.25, 1e-12);
    near(value(probe, "dropout")->second_moment, 1, 1e-12);
    sow_probe_free(probe);
}

static void test_a34_gpt2(void **state)
{
    (void)state;
    struct sow_probe *probe = NULL;
    struct sow_error error;
    const char *config = write_text(
        "config.json", "{\"model_type\": \"gpt2\", \"architectures\": [\"GPT2LMHeadModel\"]}");
    if (try_probe(config, NULL, NULL, &probe, &error) != SOW_OK) {
        fail_msg("%s", error.message);
    }
    near(value(probe, "lm_head")->second_moment, 0.3072, 1e-3);
    near(value(probe, "transformer.h.11.mlp.c_proj")->second_moment, 0.005452, 1e-3);
    near(value(probe, "transformer.h.11.gelu_tanh")->second_moment, 0.10648459, 1e-3);
    assert_int_equal(sow_probe_summary(probe)->tokens, 256);
    sow_probe_free(probe);
}

static void test_constant_weights(void **state)
{
    (void)state;
    /* all units alike: each sums the 50 inputs times 0.1, and the next layer 50 equal units */
    struct sow_probe *probe = mlp("mlp:50,50x2,50", "linear", "constant{value=0.1}");
    near(value(probe, "layers.0")->second_moment, 50 * 0.01, 1e-12);
    near(value(probe, "layers.1")->second_moment, 2500 * 0.01 * 0.5, 1e-12);
    near(value(probe, "layers.1")->feature_correlation, 1, 1e-12);
    sow_probe_free(probe);
    probe = mlp("mlp:50,50x2,50", "relu", "zeros");
    assert_true(last(probe)->second_moment == 0 && last(probe)->log2_second_moment == -INFINITY);
    assert_true(value(probe, "input")->gradient == 0);
    sow_probe_free(probe);
}

/* Against 4 x 256 tokens through torch: E[w^2] 0.0728, E[y^2] 2.002, E[grad^2] of scores 21.96, of x 5.22 */
static void test_experts(void **state)
{
    (void)state;
    struct sow_probe *probe = lua("local x = input { 'batch', 256 }\n"
                                  "local free = { bias = false }\n"
                                  "x = x >> experts { router = linear('gate', 256, 8, free), "
                                  "experts = 8, top_k = 2, expert = function(x)\n"
                                  "  return ((x >> linear('w1', 256, 512, free) >> "
                                  "activation('silu')) * (x >> linear('w3', 256, 512, free)))\n"
                                  "    >> linear('w2', 512, 256, free) end }\n"
                                  "rule('*', normal { std = 0.08 })\n",
                                  NULL);
    near(value(probe, "route")->second_moment, 0.0728, 0.05);
    near(last(probe)->second_moment, 2.002, 0.06);
    near(value(probe, "gate")->gradient, 21.96, 0.08);
    near(value(probe, "input")->gradient, 5.22, 0.05);
    sow_probe_free(probe);
}

static void test_no_depth_overflows(void **state)
{
    (void)state;
    static const char *const activations[] = {"relu", "tanh", "gelu", "sin", "softplus"};
    for (size_t i = 0; i < 5; i++) {
        for (int large = 0; large < 2; large++) {
            struct sow_probe *probe = mlp("mlp:256,256x1000,10", activations[i],
                                          large ? "normal{std=1}" : "normal{std=0.001}");
            for (size_t k = 0; k < sow_probe_summary(probe)->values; k++) {
                const struct sow_probe_value *v = sow_probe_at(probe, k);
                assert_false(isnan(v->log2_second_moment) || isnan(v->log2_gradient) ||
                             isnan(v->sample_correlation) || isnan(v->mean));
            }
            if (i == 0) {
                near(last(probe)->log2_second_moment,
                     log2(2) + 1001 * log2(256 * (large ? 1 : 1e-6) / 2), 1e-9);
            }
            sow_probe_free(probe);
        }
    }
}

static void test_refusals(void **state)
{
    (void)state;
    struct sow_probe *probe = NULL;
    struct sow_error error;
    struct sow_signal_input input = {.std = -1};
    struct sow_signal_options options = {.input = &input};
    assert_int_equal(try_probe("mlp:8,8", NULL, &options, &probe, &error), SOW_E_ARGUMENT);
    assert_non_null(strstr(error.message, "not negative"));
    struct sow_model_options reading = {.activation = "exp"};
    input.std = 1e4;
    assert_int_equal(try_probe("mlp:8,8,8", &reading, &options, &probe, &error), SOW_E_ARGUMENT);
    assert_non_null(strstr(error.message, "layers.0.exp (activation)"));
    assert_null(probe);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a12_relu_over_100_layers),
        cmocka_unit_test(test_a18_relu_correlations),
        cmocka_unit_test(test_a7_tanh_vanishes),
        cmocka_unit_test(test_a8_tanh_gradients),
        cmocka_unit_test(test_a16_a_scale_error_grows),
        cmocka_unit_test(test_fixed_points_of_repeated_layers),
        cmocka_unit_test(test_a35_residuals),
        cmocka_unit_test(test_a38_shared_ancestors),
        cmocka_unit_test(test_a36_pools_and_a37_dropout),
        cmocka_unit_test(test_a34_gpt2),
        cmocka_unit_test(test_constant_weights),
        cmocka_unit_test(test_experts),
        cmocka_unit_test(test_no_depth_overflows),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
