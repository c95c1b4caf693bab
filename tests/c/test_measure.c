/* SPDX-License-Identifier: MIT */
/* The parts of a measurement that no network shows alone: float32 functions against libm, spectra and similarity of
 * arrays whose values are known, the ceiling of memory, an interruption. Operations have their judge in
 * tests/python/test_measure.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <math.h>

#include "model/signal/measure/float_math.h"
#include "model/signal/measure/statistics.h"
#include "model/signal/measure/step.h"
#include "sow/measure.h"

#define EXAMPLE SOW_SOURCE_DIR "/examples/mlp.lua"

/* In units of the last place of the true value. */
static double ulps(float found, double expected)
{
    return fabs((double)found - expected) /
           (double)(nextafterf(fabsf((float)expected), INFINITY) - fabsf((float)expected));
}

static void test_float_functions_are_near_libm(void **state)
{
    (void)state;
    double worst[2] = {0};
    for (int i = -870000; i <= 880000; i++) {
        float x = (float)i * 1e-4f, t = x / 10;
        worst[0] = fmax(worst[0], ulps(sow_expf(x), exp((double)x)));
        worst[1] = fmax(worst[1], ulps(sow_tanhf(t), tanh((double)t)));
    }
    assert_true(worst[0] < 1.5 && worst[1] < 2);
    assert_true(sow_tanhf(-0.0f) == 0);
    assert_true(sow_tanhf(1000) == 1 && sow_sigmoidf(1000) == 1 && sow_sigmoidf(-1000) < 1e-37f);
    assert_true(isnan(sow_expf(NAN)) && isnan(sow_tanhf(NAN)) && isnan(sow_sigmoidf(NAN)));
}

/* Every activation, and the quick forms of some, which must also keep their slopes where squares of x overflow. */
static void test_activations_keep_what_left_float32(void **state)
{
    (void)state;
    const float far[] = {1e10f, -1e10f, 3e38f, -3e38f, INFINITY};
    const struct sow_activation *activation;
    for (size_t i = 0; (activation = sow_activation_at(i)) != NULL; i++) {
        struct sow_function function;
        float x = NAN, y = 1, dy = 1, dx = 1;
        assert_int_equal(sow_function_named(activation->name, NULL, 0, &function, NULL), SOW_OK);
        sow_function_values(&function, &x, &y, 1);
        sow_function_slopes(&function, &x, &dy, &dx, 1);
        assert_true(isnan(y) && isnan(dx));
    }
    for (const char *const *name = (const char *const[]){"relu", "silu", "gelu_tanh", "gelu", NULL};
         *name != NULL; name++) {
        struct sow_function function;
        float y[5], dx[5], dy[5] = {1, 1, 1, 1, 1};
        assert_int_equal(sow_function_named(*name, NULL, 0, &function, NULL), SOW_OK);
        sow_function_values(&function, far, y, 5);
        sow_function_slopes(&function, far, dy, dx, 5);
        assert_true(y[0] == far[0] && y[2] == far[2] && isinf(y[4]));
        assert_true(fabsf(y[1]) < 1e-20f && fabsf(y[3]) < 10);
        assert_true(dx[0] == 1 && dx[2] == 1 && fabsf(dx[1]) < 1e-30f && fabsf(dx[3]) < 1e-30f);
    }
}

static struct sow_team *make_team(uint32_t threads)
{
    struct sow_team *team;
    assert_int_equal(sow_team_new(threads, 0, &team, NULL), SOW_OK);
    return team;
}

static void test_spectrum_and_similarity(void **state)
{
    (void)state;
    enum { N = 32, FEATURES = 4096 };
    struct sow_team *team = make_team(2);
    float *x = calloc((size_t)N * FEATURES, sizeof *x);
    struct sow_draw draw;
    assert_non_null(x);
    struct sow_view view = {x, N, FEATURES, 1, N};
    sow_draw_normal(0, 1, &draw, NULL);
    sow_fill(x, SOW_F32, 0, (uint64_t)N * FEATURES, &draw, sow_key("x", 1));
    struct sow_ranks random = sow_ranks_of(team, &view);
    double independent = (double)N * FEATURES / (N + FEATURES + 1);
    assert_true(fabs(random.participation / independent - 1) < 0.01);
    assert_true(fabs(sow_similarity_of(team, &view).samples) <
                4 / sqrt((double)N * N / 2 * FEATURES));
    struct sow_moments moments = sow_moments_of(team, x, (uint64_t)N * FEATURES);
    assert_true(fabs(moments.kurtosis - 3) < 4 * sqrt(24.0 / (N * FEATURES)));

    memset(x, 0, (size_t)N * FEATURES * sizeof *x); /* orthogonal rows of lengths 1 and 3 */
    for (size_t i = 0; i < N; i++) {
        x[i * FEATURES + 7 * i] = i < N / 2 ? 1 : 3;
    }
    struct sow_ranks two = sow_ranks_of(team, &view);
    assert_true(fabs(two.participation - 160.0 * 160 / (16 + 16 * 81)) < 1e-9);
    assert_true(fabs(two.stable_rank - 160.0 / 9) < 1e-9);
    assert_true(fabs(two.effective_rank - exp(16 * (log(64) / 64 + log(64 / 3.0) * 3 / 64))) <
                1e-9);
    assert_true(fabs(sow_similarity_of(team, &view).samples) < 1e-12);
    for (size_t i = 0; i < (size_t)N * FEATURES; i++) {
        x[i] = (float)(i % FEATURES % 5) * (i / FEATURES % 2 ? 2.0f : 0.5f);
    }
    assert_true(fabs(sow_similarity_of(team, &view).samples - 1) < 1e-12);
    x[5] = INFINITY;
    x[70001] = NAN;
    assert_int_equal(sow_moments_of(team, x, (uint64_t)N * FEATURES).non_finite, 2);
    free(x);
    sow_team_free(team);
}

static int stop_soon;

static void count_down(void *user, uint64_t done, uint64_t total)
{
    (void)total;
    *(int *)user = done >= 30;
}

static void test_a_part_is_chosen_by_size(void **state)
{
    (void)state;
    struct sow_model *model;
    struct sow_plan *plan;
    struct sow_measure_sample sample;
    struct sow_error error;
    assert_int_equal(sow_model_load("mlp:64,64x9,10", NULL, &model, NULL), SOW_OK);
    assert_int_equal(sow_plan_make(model, &(struct sow_plan_options){0}, &plan, NULL), SOW_OK);
    assert_int_equal(sow_measure_choose(model, plan, NULL, NULL, &sample, NULL), SOW_OK);
    assert_int_equal(sample.layers, sample.layers_all);
    assert_int_equal(sample.batch, 8);
    assert_int_equal(sample.tokens, sample.tokens_all);
    assert_true(sample.cost.operations == sample.cost_all.operations);
    /* six products of all weights: forward, and both ways back */
    assert_true(sample.cost.products == 6.0 * 8 * (9 * (64 * 64 + 64) + 64 * 10 + 10));
    struct sow_measure_options options = {.memory_bytes = sample.cost.memory_bytes - 1};
    uint64_t all = sample.layers_all;
    assert_int_equal(sow_measure_choose(model, plan, NULL, &options, &sample, NULL), SOW_OK);
    assert_true(sample.batch < 8 && sample.cost.memory_bytes < sample.cost_all.memory_bytes);
    assert_int_equal(sample.tokens, sample.tokens_all); /* there are none to leave out */
    options = (struct sow_measure_options){.memory_bytes = 1};
    assert_int_equal(sow_measure_choose(model, plan, NULL, &options, &sample, NULL), SOW_OK);
    assert_true(sample.batch == 2 && (all == 0 || sample.layers == 1));
    assert_int_equal(sow_measure_choose(model, plan,
                                        &(struct sow_signal_options){.batch = UINT64_MAX}, NULL,
                                        &sample, &error),
                     SOW_E_ARGUMENT);
    sow_plan_free(plan);
    sow_model_free(model);
}

static void test_interruption_keeps_what_is_known(void **state)
{
    (void)state;
    struct sow_model *model;
    struct sow_plan *plan;
    struct sow_measurement *measured;
    struct sow_error error;
    assert_int_equal(sow_model_load(EXAMPLE, NULL, &model, NULL), SOW_OK);
    assert_int_equal(sow_plan_make(model, &(struct sow_plan_options){0}, &plan, NULL), SOW_OK);
    struct sow_measure_options options = {.seeds = 1000,
                                          .progress = count_down,
                                          .progress_user = &stop_soon,
                                          .interrupted = &stop_soon};
    assert_int_equal(sow_measure(model, plan, NULL, &options, &measured, &error),
                     SOW_E_INTERRUPTED);
    assert_non_null(measured);
    assert_int_equal(sow_measurement_report(measured)->seeds, 1);
    assert_true(sow_measured_value_at(measured, 1)->second_moment > 1);
    sow_measurement_free(measured);
    options = (struct sow_measure_options){.memory_bytes = 1000};
    assert_int_equal(sow_measure(model, plan, NULL, &options, &measured, &error), SOW_E_MEMORY);
    assert_null(measured);
    assert_non_null(strstr(error.message, "--batch"));
    sow_plan_free(plan);
    sow_model_free(model);
}

static void raise_flag(void *user, uint64_t task, float *scratch)
{
    volatile int *flag = user;
    (void)scratch;
    *flag = task >= 2;
}

static void test_a_team_leaves_out_tasks(void **state)
{
    (void)state;
    volatile int flag = 0;
    struct sow_team *team = make_team(1);
    sow_team_interrupt(team, &flag);
    sow_team_run(team, 3, raise_flag, (void *)(uintptr_t)&flag);
    assert_true(flag && !sow_team_stopped(team)); /* the last task raised it: none was left out */
    flag = 0;
    sow_team_run(team, 1000, raise_flag, (void *)(uintptr_t)&flag);
    assert_true(sow_team_stopped(team));
    flag = 0;
    sow_team_run(team, 1, raise_flag, (void *)(uintptr_t)&flag);
    assert_true(sow_team_stopped(team)); /* what was left out stays so */
    sow_team_free(team);
}

struct watched {
    int flag;
    int whole; /* nothing is interrupted */
};

static void raise_at(void *user, uint32_t seed, enum sow_watched what, const char *name,
                     const float *numbers, uint64_t elements)
{
    struct watched *watched = user;
    (void)seed;
    (void)numbers;
    (void)elements;
    if (what == SOW_WATCH_VALUE && strcmp(name, "hidden.1.fc") == 0) {
        watched->flag = !watched->whole;
    }
}

/* An interruption while a value is looked at: that value is left out whole, those before are what they always are. */
static void test_interruption_within_a_value(void **state)
{
    (void)state;
    struct sow_model *model;
    struct sow_plan *plan;
    struct sow_measurement *m[2];
    assert_int_equal(sow_model_load(EXAMPLE, NULL, &model, NULL), SOW_OK);
    assert_int_equal(sow_plan_make(model, NULL, &plan, NULL), SOW_OK);
    for (int whole = 0; whole < 2; whole++) {
        struct watched watched = {0, whole};
        struct sow_measure_options options = {
            .watch = raise_at, .watch_user = &watched, .interrupted = &watched.flag};
        assert_int_equal(sow_measure(model, plan, NULL, &options, &m[whole], NULL),
                         whole ? SOW_OK : SOW_E_INTERRUPTED);
    }
    int reached = 0;
    const struct sow_measured_value *value;
    for (size_t i = 0; (value = sow_measured_value_at(m[1], i)) != NULL; i++) {
        const struct sow_measured_value *cut = sow_measured_value_at(m[0], i);
        reached |= strcmp(value->name, "hidden.1.fc") == 0;
        assert_false(isnan(value->second_moment));
        assert_true(reached ? isnan(cut->second_moment)
                            : cut->second_moment == value->second_moment);
    }
    assert_true(reached);
    sow_measurement_free(m[0]);
    sow_measurement_free(m[1]);
    sow_plan_free(plan);
    sow_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_float_functions_are_near_libm),
        cmocka_unit_test(test_activations_keep_what_left_float32),
        cmocka_unit_test(test_spectrum_and_similarity),
        cmocka_unit_test(test_a_part_is_chosen_by_size),
        cmocka_unit_test(test_interruption_keeps_what_is_known),
        cmocka_unit_test(test_a_team_leaves_out_tasks),
        cmocka_unit_test(test_interruption_within_a_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
