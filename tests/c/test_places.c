/* SPDX-License-Identifier: MIT */
/* Tokens by their position against sums over all tokens: attentions with weights 1 / keys, one behind the other, are one
 * matrix, and what it does to independent tokens and to independent gradients is known. */
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

#include "sow/model.h"
#include "sow/signal.h"
#include "tests/c/probe_value.h"
#include "tests/c/scratch.h"

#define TOKENS 120
#define DIM    8192 /* no chance products of few features */

typedef double matrix[TOKENS][TOKENS];

static struct sow_probe *probe_of(const char *text)
{
    struct sow_model *model = NULL;
    struct sow_plan *plan = NULL;
    struct sow_probe *probe = NULL;
    struct sow_plan_options planning = {.seed = 0};
    struct sow_error error;
    if (sow_model_load(write_text("model.lua", text), NULL, &model, &error) != SOW_OK ||
        sow_plan_make(model, &planning, &plan, &error) != SOW_OK ||
        sow_probe_predict(model, plan, NULL, &probe, &error) != SOW_OK) {
        fail_msg("%u: %s", error.line, error.message);
    }
    sow_plan_free(plan);
    sow_model_free(model);
    return probe;
}

static void near(const char *what, double found, double wanted, double relative)
{
    if (!(fabs(found - wanted) <= relative * fabs(wanted))) {
        fail_msg("%s: %.6g instead of %.6g", what, found, wanted);
    }
}

/* `layers` attentions one behind the other; queries are zeros, so that all keys weigh the same. */
static struct sow_probe *attend(int layers, int window)
{
    char text[1024], hidden[32] = "";
    if (window > 0) {
        snprintf(hidden, sizeof hidden, ", window = %d", window);
    }
    snprintf(
        text, sizeof text,
        "local x = input { 'batch', %d, %d }\n"
        "local free = { bias = false }\n"
        "for i = 1, %d do\n"
        "  local q, k = x >> linear('q' .. i, %d, %d, free), x >> linear('k' .. i, %d, %d, free)\n"
        "  x = bundle(q, k, x) >> attention { heads = 1, causal = true%s }\n"
        "end\n"
        "rule('q*', zeros)\nrule('k*', lecun_normal)\n",
        TOKENS, DIM, layers, DIM, DIM, DIM, DIM, hidden);
    return probe_of(text);
}

static void mask(matrix a, int window)
{
    for (int i = 0; i < TOKENS; i++) {
        int first = window > 0 && i + 1 > window ? i + 1 - window : 0;
        for (int s = 0; s < TOKENS; s++) {
            a[i][s] = s >= first && s <= i ? 1.0 / (i + 1 - first) : 0;
        }
    }
}

static void multiply(matrix a, matrix b, matrix to)
{
    for (int i = 0; i < TOKENS; i++) {
        for (int j = 0; j < TOKENS; j++) {
            double sum = 0;
            for (int s = 0; s < TOKENS; s++) {
                sum += a[i][s] * b[s][j];
            }
            to[i][j] = sum;
        }
    }
}

/* Mean over tokens of the sums of squares. */
static double square(matrix a)
{
    double sum = 0;
    for (int i = 0; i < TOKENS; i++) {
        for (int j = 0; j < TOKENS; j++) {
            sum += a[i][j] * a[i][j];
        }
    }
    return sum / TOKENS;
}

/* Of queries, gradients of the output being independent: per element scale^2 DIM = 1 times the mean over queries of
 * sum a_s a_t (v_s - m) (v_t - m) k_s k_t, where products of values and of keys are those of the rows of `x`. */
static double query_gradient(matrix a, matrix x)
{
    static matrix gram;
    double sum = 0;
    for (int i = 0; i < TOKENS; i++) {
        for (int j = 0; j < TOKENS; j++) {
            gram[i][j] = 0;
            for (int s = 0; s < TOKENS; s++) {
                gram[i][j] += x[i][s] * x[j][s];
            }
        }
    }
    for (int i = 0; i < TOKENS; i++) {
        double mean[TOKENS], all = 0;
        for (int s = 0; s < TOKENS; s++) {
            mean[s] = 0;
            for (int t = 0; t <= i; t++) {
                mean[s] += a[i][t] * gram[s][t];
            }
            all += a[i][s] * mean[s];
        }
        for (int s = 0; s <= i; s++) {
            for (int t = 0; t <= i; t++) {
                sum += a[i][s] * a[i][t] * (gram[s][t] - mean[s] - mean[t] + all) * gram[s][t];
            }
        }
    }
    return sum / TOKENS;
}

/* Forward and backward the same matrix: E[x^2] behind k attentions is the gradient in front of the last k. */
static void test_weights_of_one_over_keys(void **state)
{
    (void)state;
    static const int windows[] = {0, 40, 12, 5, 2, TOKENS, 5000};
    static matrix a, power, next;
    for (size_t w = 0; w < sizeof windows / sizeof windows[0]; w++) {
        struct sow_probe *probe = attend(3, windows[w]);
        mask(a, windows[w]);
        memcpy(power, a, sizeof power);
        for (int k = 1; k <= 3; k++) {
            const char *const names[] = {"input", "attention", "attention.2", "attention.3"};
            near(names[k], value(probe, names[k])->second_moment, square(power), 0.04);
            near(names[3 - k], value(probe, names[3 - k])->gradient, square(power), 0.04);
            multiply(a, power, next);
            memcpy(power, next, sizeof power);
        }
        sow_probe_free(probe);
    }
}

static void test_queries_of_tokens_that_differ_by_position(void **state)
{
    (void)state;
    static const int windows[] = {0, 40, 12};
    static matrix a, one, two;
    for (size_t w = 0; w < sizeof windows / sizeof windows[0]; w++) {
        struct sow_probe *probe = attend(3, windows[w]);
        mask(a, windows[w]);
        multiply(a, a, two);
        memset(one, 0, sizeof one);
        for (int i = 0; i < TOKENS; i++) {
            one[i][i] = 1;
        }
        near("q3", value(probe, "q3")->gradient, query_gradient(a, two), 0.1);
        sow_probe_free(probe);
        probe = attend(1, windows[w]);
        near("q1", value(probe, "q1")->gradient, query_gradient(a, one), 0.03);
        sow_probe_free(probe);
    }
}

/* Sliding windows and one attention that sees all: the long one is not cut to what the windows see. */
static void test_windows_beside_an_attention_that_sees_all(void **state)
{
    (void)state;
    static matrix slide, all, both;
    struct sow_probe *probe = probe_of(
        "local x = input { 'batch', 120, 8192 }\n"
        "for i, window in ipairs { 4, 1000 } do\n"
        "  local q = x >> linear('q' .. i, 8192, 8192, { bias = false })\n"
        "  x = bundle(q, q, x) >> attention { heads = 1, causal = true, window = window }\n"
        "end\n"
        "rule('*', zeros)\n");
    mask(slide, 4);
    mask(all, 0);
    multiply(all, slide, both);
    near("attention", value(probe, "attention")->second_moment, square(slide), 0.1);
    near("attention.2", value(probe, "attention.2")->second_moment, square(both), 0.1);
    near("input", value(probe, "input")->gradient, square(both), 0.1);
    sow_probe_free(probe);
}

/* A window as long as the text hides nothing. */
static void test_a_window_that_hides_nothing(void **state)
{
    (void)state;
    struct sow_probe *bare = attend(3, 0), *wide = attend(3, TOKENS);
    for (size_t i = 0; sow_probe_at(bare, i) != NULL; i++) {
        const struct sow_probe_value *a = sow_probe_at(bare, i), *b = sow_probe_at(wide, i);
        assert_true(a->second_moment == b->second_moment && a->gradient == b->gradient);
    }
    sow_probe_free(bare);
    sow_probe_free(wide);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weights_of_one_over_keys),
        cmocka_unit_test(test_queries_of_tokens_that_differ_by_position),
        cmocka_unit_test(test_windows_beside_an_attention_that_sees_all),
        cmocka_unit_test(test_a_window_that_hides_nothing),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
