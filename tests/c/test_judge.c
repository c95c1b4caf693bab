/* SPDX-License-Identifier: MIT */
/* Verdicts by what makes them: chains, exact zeros, symmetry, weights that stand out, the first loss, cures. Each on a
 * network small enough to be known by hand. */
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

#include "model/signal/judge/judge.h"
#include "tests/c/scratch.h"

struct judged {
    struct sow_model *model;
    struct sow_plan *plan;
    struct sow_probe *probe;
    struct sow_judgement *judgement;
};

static void judge(struct judged *judged, const char *source, const char *activation,
                  const char *const *sets, size_t set_count)
{
    struct sow_error error = {0};
    struct sow_model_options reading = {.activation = activation};
    struct sow_plan_options planning = {.sets = sets, .set_count = set_count};
    struct sow_judge_options judging = {.planning = &planning};
    if (sow_model_load(source, &reading, &judged->model, &error) != SOW_OK ||
        sow_plan_make(judged->model, &planning, &judged->plan, &error) != SOW_OK ||
        sow_probe_predict(judged->model, judged->plan, NULL, &judged->probe, &error) != SOW_OK ||
        sow_judge(judged->model, judged->plan, NULL, judged->probe, &judging, &judged->judgement,
                  &error) != SOW_OK) {
        fail_msg("%s", error.message);
    }
}

static void judge_lua(struct judged *judged, const char *text)
{
    judge(judged, write_text("model.lua", text), NULL, NULL, 0);
}

static void free_judged(struct judged *judged)
{
    sow_judgement_free(judged->judgement);
    sow_probe_free(judged->probe);
    sow_plan_free(judged->plan);
    sow_model_free(judged->model);
}

static const struct sow_verdict *verdict_of(const struct judged *judged, const char *code)
{
    const struct sow_verdict *verdict;
    for (size_t i = 0; (verdict = sow_verdict_at(judged->judgement, i)) != NULL; i++) {
        if (strcmp(verdict->code->code, code) == 0) {
            return verdict;
        }
    }
    fail_msg("no %s", code);
    return NULL;
}

static void assert_near(double found, double expected, double relative)
{
    if (!(fabs(found - expected) <= relative * fabs(expected))) {
        fail_msg("%.12g is not %.12g", found, expected);
    }
}

/* ---- chain.c ------------------------------------------------------------------------------------------ */

/* Variance 1/n on relu halves the second moment at each layer: 20 of 64, so 2^-20. */
static void halves_at_each_layer(void **state)
{
    (void)state;
    const char *sets[] = {"*.weight=lecun_normal"};
    struct judged judged = {0};
    judge(&judged, "mlp:64,64x20,64", "relu", sets, 1);
    const struct sow_verdict *verdict = verdict_of(&judged, "VANISH");
    assert_near(verdict->number, -20, 1e-9);
    assert_int_equal(verdict->severity, SOW_SEVERITY_ERROR);
    assert_false(sow_judgement_healthy(judged.judgement));
    assert_string_equal(verdict->cure, "--set 'layers.*.weight=he_normal'");
    free_judged(&judged);
}

/* He's variance on tanh: gradients grow by 1.106 a layer, 20, 50 and 80 times. */
static void depth_decides(void **state)
{
    (void)state;
    const char *sets[] = {"*.weight=he_normal"};
    const enum sow_severity expected[] = {SOW_SEVERITY_NOTE, SOW_SEVERITY_WARNING,
                                          SOW_SEVERITY_ERROR};
    const char *const sources[] = {"mlp:256,256x20,10", "mlp:256,256x50,10", "mlp:256,256x80,10"};
    for (size_t i = 0; i < 3; i++) {
        struct judged judged = {0};
        judge(&judged, sources[i], "tanh", sets, 1);
        assert_int_equal(verdict_of(&judged, "CHAOS")->severity, expected[i]);
        assert_int_equal(sow_judgement_healthy(judged.judgement), i == 0);
        free_judged(&judged);
    }
}

/* ---- outlier.c ---------------------------------------------------------------------------------------- */

static void one_layer_stands_out(void **state)
{
    (void)state;
    const char *sets[] = {"layers.3.weight=he_normal{gain=14.142135623730951}"};
    struct judged judged = {0};
    judge(&judged, "mlp:64,64x8,10", "relu", sets, 1);
    const struct sow_verdict *verdict = verdict_of(&judged, "EXPLODE");
    assert_string_equal(verdict->where, "layers.3");
    assert_int_equal(verdict->layer, 3);
    free_judged(&judged);
    const char *small[] = {"layers.3.weight=he_normal{gain=0.14142135623730951}"};
    memset(&judged, 0, sizeof judged);
    judge(&judged, "mlp:64,64x8,10", "relu", small, 1);
    verdict = verdict_of(&judged, "VANISH");
    assert_string_equal(verdict->where, "layers.3");
    assert_near(verdict->number, 100, 1e-6);
    assert_string_equal(verdict->cure,
                        "--set 'layers.3.weight=he_normal{gain=1.4142135623730951}'");
    free_judged(&judged);
}

static void numbers_in_names_are_folded(void **state)
{
    (void)state;
    char pattern[64];
    sow_judge_generalise("h.3.mlp.w2.weight", pattern, sizeof pattern);
    assert_string_equal(pattern, "h.*.mlp.w2.weight");
    sow_judge_generalise("conv12.weight", pattern, sizeof pattern);
    assert_string_equal(pattern, "conv*.weight");
    sow_judge_generalise("a", pattern, sizeof pattern);
    assert_string_equal(pattern, "a");
}

/* ---- streams.c ---------------------------------------------------------------------------------------- */

/* Eight branches of second moment 1 each, on a stream that begins with 1: behind norms it grows to 9, without to 2^8. */
static void judge_stream(struct judged *judged, const char *begin, const char *end,
                         const char *const *sets, size_t set_count)
{
    static const char text[] =
        "local x = input { 'batch', 64 } >> linear('stem', 64, 64)\n"
        "x = repeated('h', 8, x, function(x)\n"
        "    return x + (x %s >> linear('up', 64, 64) >> linear('down', 64, 64))%s\n"
        "end)\n"
        "x = x >> rms_norm('last', 64) >> linear('head', 64, 10)\n"
        "rule('*bias', zeros)\nrule('h.*.norm.weight', ones)\nrule('last.weight', ones)\n"
        "rule('*', lecun_normal)\n";
    char whole[sizeof text + 200];
    (void)snprintf(whole, sizeof whole, text, begin, end);
    if (strstr(begin, "norm") == NULL) {
        char *rule = strstr(whole, "rule('h.*.norm.weight', ones)\n");
        memset(rule, ' ', strlen("rule('h.*.norm.weight', ones)"));
    }
    memset(judged, 0, sizeof *judged);
    judge(judged, write_text("model.lua", whole), NULL, sets, set_count);
}

static int has_code(const struct judged *judged, const char *code)
{
    const struct sow_verdict *verdict;
    for (size_t i = 0; (verdict = sow_verdict_at(judged->judgement, i)) != NULL; i++) {
        if (strcmp(verdict->code->code, code) == 0) {
            return 1;
        }
    }
    return 0;
}

/* "--set 'A' --set 'B'" as the sets that it is pasted as. */
static size_t sets_of(const char *cure, char *text, size_t room, const char *sets[4])
{
    size_t count = 0;
    (void)snprintf(text, room, "%s", cure);
    for (char *at = text; (at = strchr(at, '\'')) != NULL && count < 4; count++) {
        sets[count] = ++at;
        at = strchr(at, '\'');
        *at++ = '\0';
    }
    return count;
}

static void branches_without_a_scale(void **state)
{
    (void)state;
    struct judged judged;
    const char *sets[4];
    char text[400];
    judge_stream(&judged, ">> rms_norm('norm', 64)", "", NULL, 0);
    const struct sow_verdict *verdict = verdict_of(&judged, "EXPLODE");
    assert_int_equal(verdict->severity, SOW_SEVERITY_NOTE);
    assert_string_equal(verdict->where, "h.0.add");
    assert_near(verdict->number, log2(9), 1e-4);
    assert_non_null(strstr(verdict->reason, "to 2^3.2 times"));
    assert_non_null(strstr(verdict->reason, "with 1/sqrt(8) on these weights to 2^1.0"));
    assert_non_null(strstr(verdict->reason, "50 % of the stream behind it, the last 11.1 %"));
    assert_string_equal(verdict->cure, "--set 'h.*.down.weight=normal{std=0.04419}'");
    size_t count = sets_of(verdict->cure, text, sizeof text, sets);
    free_judged(&judged);
    judge_stream(&judged, ">> rms_norm('norm', 64)", "", sets, count);
    assert_false(has_code(&judged, "EXPLODE"));
    free_judged(&judged);
    /* without norms a branch multiplies */
    judge_stream(&judged, "", "", NULL, 0);
    verdict = verdict_of(&judged, "EXPLODE");
    assert_int_equal(verdict->severity, SOW_SEVERITY_WARNING);
    assert_near(verdict->number, 8, 1e-9);
    assert_non_null(strstr(verdict->reason, "on these weights to 2^1.4"));
    assert_false(sow_judgement_healthy(judged.judgement));
    count = sets_of(verdict->cure, text, sizeof text, sets);
    assert_int_equal(count, 1);
    free_judged(&judged);
    judge_stream(&judged, "", "", sets, count);
    assert_true(sow_judgement_healthy(judged.judgement));
    free_judged(&judged);
}

/* However the branches are scaled, they are; and a norm on the stream takes back what they add. */
static void branches_with_a_scale(void **state)
{
    (void)state;
    static const char *const ends[] = {"", " * 0.36", " * 0.36", ""};
    const char *sets[] = {"h.*.down.weight=normal{std=0.0625/sqrt(16)}"};
    const char *by_layer[] = {"h.7.down.weight=normal{std=0.02}", "h.*.down.weight=lecun_normal"};
    struct judged judged;
    for (size_t i = 1; i < sizeof ends / sizeof ends[0]; i++) {
        char begin[64];
        (void)snprintf(begin, sizeof begin, "%s", i == 2 ? "" : ">> rms_norm('norm', 64)");
        /* "x + (branch) * c": the factor is the branch's */
        judge_stream(&judged, begin, ends[i], i == 3 ? sets : NULL, i == 3);
        assert_false(has_code(&judged, "EXPLODE"));
        free_judged(&judged);
    }
    judge_stream(&judged, ">> rms_norm('norm', 64)", "", by_layer, 2);
    assert_false(has_code(&judged, "EXPLODE"));
    free_judged(&judged);
    memset(&judged, 0, sizeof judged);
    judge_lua(&judged, "local x = input { 'batch', 64 } >> linear('stem', 64, 64)\n"
                       "x = repeated('h', 8, x, function(x)\n"
                       "    return x + (x >> linear('up', 64, 64) >> linear('down', 64, 64)) >> "
                       "layer_norm('norm', 64)\n"
                       "end)\nx = x >> linear('head', 64, 10)\n"
                       "rule('*bias', zeros)\nrule('*norm.weight', ones)\n"
                       "rule('*', lecun_normal)\n");
    assert_false(has_code(&judged, "EXPLODE"));
    free_judged(&judged);
}

/* ---- exact.c, symmetry.c ---------------------------------------------------------------------------- */

/* Zeros everywhere: the last bias alone has a gradient, then the last weight never, as its input stays 0. */
static void zeros_never_move(void **state)
{
    (void)state;
    const char *sets[] = {"*.weight=zeros"};
    struct judged judged = {0};
    judge(&judged, "mlp:8,8x2,4", "relu", sets, 1);
    const struct sow_verdict *verdict = verdict_of(&judged, "ZERO-GRAD");
    assert_string_equal(verdict->where, "layers.0.weight");
    assert_int_equal(verdict->severity, SOW_SEVERITY_ERROR);
    assert_true(isnan(verdict->number));
    free_judged(&judged);
}

/* LoRA: with one factor zero its partner waits a step, with both zero neither ever moves. */
static void products_of_zeros(void **state)
{
    (void)state;
    static const char lora[] =
        "local x = input { 'batch', 8 }\n"
        "x = (x >> linear('base', 8, 8)) + (x >> linear('A', 8, 2, { bias = false }) >> "
        "linear('B', 2, 8, { bias = false }))\n"
        "rule('B.weight', zeros)\nrule('A.weight', %s)\nrule('*bias', zeros)\n"
        "rule('*', lecun_normal)\n";
    char text[sizeof lora + 32];
    struct judged judged = {0};
    (void)snprintf(text, sizeof text, lora, "lecun_normal");
    judge_lua(&judged, text);
    const struct sow_verdict *verdict = verdict_of(&judged, "ZERO-GRAD");
    assert_int_equal(verdict->severity, SOW_SEVERITY_NOTE);
    assert_string_equal(verdict->where, "A.weight");
    assert_true(sow_judgement_healthy(judged.judgement));
    free_judged(&judged);
    memset(&judged, 0, sizeof judged);
    (void)snprintf(text, sizeof text, lora, "zeros");
    judge_lua(&judged, text);
    verdict = verdict_of(&judged, "ZERO-GRAD");
    assert_int_equal(verdict->severity, SOW_SEVERITY_ERROR);
    assert_int_equal(verdict->places, 2);
    free_judged(&judged);
}

static void constants_learn_as_one(void **state)
{
    (void)state;
    const char *sets[] = {"*.weight=constant{0.3}"};
    struct judged judged = {0};
    judge(&judged, "mlp:8,8x3,4", "tanh", sets, 1);
    const struct sow_verdict *verdict = verdict_of(&judged, "SYMMETRIC");
    assert_string_equal(verdict->where, "layers.0");
    assert_int_equal(verdict->places, 3); /* the output's units differ by their labels */
    assert_non_null(verdict->cure);
    free_judged(&judged);
    /* a random head tells the units apart at the first step */
    const char *head[] = {"layers.3.weight=lecun_normal", "*.weight=constant{0.3}"};
    memset(&judged, 0, sizeof judged);
    judge(&judged, "mlp:8,8x3,4", "tanh", head, 2);
    const struct sow_verdict *left;
    for (size_t i = 0; (left = sow_verdict_at(judged.judgement, i)) != NULL; i++) {
        assert_true(strcmp(left->code->code, "SYMMETRIC") != 0 || left->places < 3);
    }
    free_judged(&judged);
}

/* ---- loss.c ------------------------------------------------------------------------------------------- */

/* Numbers of scipy.integrate.quad, two logits by their difference alone, and limits. */
static void first_losses(void **state)
{
    (void)state;
    static const struct {
        double classes, std, loss;
    } rows[] = {
        {10, 1, 2.7288638954872795},    {10, 5, 7.969187086392062},
        {1000, 0.5, 7.032613294053152}, {50257, 1, 11.324888025703597},
        {32128, 4, 18.08535702528958},  {32128, 27.713, 114.57347681067222},
        {2, 3, 1.8387123846151816},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_near(sow_expected_loss(rows[i].classes, rows[i].std), rows[i].loss, 1e-6);
    }
    assert_near(sow_expected_loss(10, 0), log(10), 1e-15);
    assert_near(sow_expected_loss(1e6, 0.01), log(1e6) + 0.5e-4, 1e-9);
    /* the largest of C numbers decides: doubling a large s doubles the loss */
    assert_near(sow_expected_loss(1000, 400) / sow_expected_loss(1000, 200), 2, 2e-3);
}

/* GPT-2's own: ln V + 0.0002 d. */
static void gpt2_starts_above_ln_v(void **state)
{
    (void)state;
    struct judged judged = {0};
    judge_lua(&judged, "local x = tokens() >> embedding('e', 50257, 768) >> layer_norm('n', 768)\n"
                       "x = x >> linear('head', 768, 50257, { bias = false })\n"
                       "rule('n.weight', ones)\nrule('n.bias', zeros)\n"
                       "rule('*', normal { std = 0.02 })\n");
    const struct sow_first_loss *loss = sow_first_loss(judged.judgement);
    assert_int_equal(loss->classes, 50257);
    assert_near(loss->uniform, log(50257), 1e-12);
    assert_near(loss->loss, log(50257) + 0.0002 * 768, 1e-3);
    free_judged(&judged);
}

/* ---- The lists ---------------------------------------------------------------------------------------- */

static void thresholds_are_there(void **state)
{
    (void)state;
    const struct sow_verdict_code *code;
    for (size_t i = 0; (code = sow_verdict_code_at(i)) != NULL; i++) {
        int found = code->threshold == NULL;
        const struct sow_threshold *threshold;
        for (size_t k = 0; (threshold = sow_threshold_at(k)) != NULL; k++) {
            found |= code->threshold != NULL && strcmp(threshold->name, code->threshold) == 0;
        }
        assert_true(found);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(halves_at_each_layer),     cmocka_unit_test(depth_decides),
        cmocka_unit_test(one_layer_stands_out),     cmocka_unit_test(numbers_in_names_are_folded),
        cmocka_unit_test(branches_without_a_scale), cmocka_unit_test(branches_with_a_scale),
        cmocka_unit_test(zeros_never_move),         cmocka_unit_test(products_of_zeros),
        cmocka_unit_test(constants_learn_as_one),   cmocka_unit_test(first_losses),
        cmocka_unit_test(gpt2_starts_above_ln_v),   cmocka_unit_test(thresholds_are_there),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
