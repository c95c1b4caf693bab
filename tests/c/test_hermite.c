/* SPDX-License-Identifier: MIT */
/* The quick expansions of activations against a slow rule that shares no node with them: panels of an eighth in z, ended at
 * kinks and at powers of two of x, in long double. And kept values against fresh ones, bit for bit. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "core/activation/hermite.h"
#include "core/activation/maps.h"
#include "core/base/elementary.h"
#include "model/signal/predict/predict.h"

#define HALF  8
#define ENDS  2000
#define REACH 14.0

struct slow {
    long double mean, square, slope, slope_square, pull, hermite[SOW_HERMITE];
    long double size; /* E[|f z|] + std E[|f'|] */
};

static void add_panel(const struct sow_function *f, double mean, double std, long double low,
                      long double high, struct slow *slow)
{
    static const long double nodes[] = {0.0950125098376374401853L, 0.2816035507792589132304L,
                                        0.4580167776572273863424L, 0.6178762444026437484467L,
                                        0.7554044083550030338951L, 0.8656312023878317438805L,
                                        0.9445750230732325760779L, 0.9894009349916499325962L};
    static const long double weights[] = {0.1894506104550684962854L, 0.1826034150449235888668L,
                                          0.1691565193950025381893L, 0.1495959888165767320815L,
                                          0.1246289712555338720525L, 0.0951585116824927848099L,
                                          0.0622535239386478928628L, 0.0271524594117540948518L};
    for (int j = 0; j < 2 * HALF; j++) {
        long double half = 0.5L * (high - low), side = j % 2 == 0 ? -1 : 1;
        long double z = 0.5L * (low + high) + side * half * nodes[j / 2];
        long double w = half * weights[j / 2] * expl(-0.5L * z * z) * 0.3989422804014326779399L;
        double slope, y = sow_function_value(f, (double)(mean + std * z), &slope);
        long double before = 0, now = 1;
        slow->mean += w * y;
        slow->square += w * y * y;
        slow->slope += w * slope;
        slow->slope_square += w * slope * slope;
        slow->pull += w * y * slope * z;
        slow->size += w * (fabsl(y * z) + fabs(slope) * std);
        for (int k = 0; k < SOW_HERMITE; k++) {
            slow->hermite[k] += w * y * now;
            long double next = (z * now - sqrtl(k) * before) / sqrtl(k + 1.0L);
            before = now;
            now = next;
        }
    }
}

static int by_size(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static void expand_slowly(const struct sow_function *f, double mean, double std, struct slow *slow)
{
    double ends[ENDS];
    size_t count = 0;
    for (int i = 0; i <= 224; i++) {
        ends[count++] = -REACH + i * 0.125;
    }
    for (double x = 1.0 / 16; x < REACH * std; x *= 2) {
        ends[count++] = (x - mean) / std;
        ends[count++] = (-x - mean) / std;
    }
    ends[count++] = -mean / std;
    for (size_t i = 0; i < f->kink_count; i++) {
        ends[count++] = (f->kinks[i] - mean) / std;
    }
    qsort(ends, count, sizeof ends[0], by_size);
    *slow = (struct slow){0};
    for (size_t i = 0; i + 1 < count; i++) {
        if (ends[i] >= -REACH && ends[i + 1] <= REACH && ends[i + 1] > ends[i]) {
            add_panel(f, mean, std, ends[i], ends[i + 1], slow);
        }
    }
}

static void assert_near(const char *name, const char *what, double std, double is,
                        long double should, long double size)
{
    if (!(fabsl(is - should) <= 1e-12L * size)) {
        fail_msg("%s, std %g: %s is %.17g and should be %.17Lg (of size %Lg)", name, std, what, is,
                 should, size);
    }
}

static void compare(const struct sow_function *f, double mean, double std)
{
    struct sow_pointwise pointwise = sow_pointwise_of(f);
    struct sow_expansion e;
    struct slow slow;
    const char *name = f->activation->name;
    assert_int_equal(sow_expand(&pointwise, mean, std, &e, NULL), SOW_OK);
    expand_slowly(f, mean, std, &slow);
    long double root = sqrtl(slow.square), steep = sqrtl(slow.square * slow.slope_square);
    assert_near(name, "mean", std, e.mean, slow.mean, root);
    assert_near(name, "square", std, e.square, slow.square, slow.square);
    assert_near(name, "slope", std, e.slope, slow.slope, sqrtl(slow.slope_square));
    assert_near(name, "slope_square", std, e.slope_square, slow.slope_square, slow.slope_square);
    assert_near(name, "growth", std, e.growth, slow.pull / std, steep / std);
    if (!e.is_linear) {
        for (int k = 0; k < SOW_HERMITE; k++) {
            assert_near(name, "a coefficient's square", std, e.coefficients[k] * e.coefficients[k],
                        slow.hermite[k] * slow.hermite[k], slow.square);
            assert_near(name, "a coefficient", std, e.coefficients[k], slow.hermite[k], 100 * root);
        }
    }
    for (double c = -1; c <= 1 && !e.is_linear; c += 0.25) { /* as far as the coefficients tell */
        long double sum = 0;
        for (int k = SOW_HERMITE; k-- > 0;) {
            sum = sum * c + slow.hermite[k] * slow.hermite[k];
        }
        long double rest = fabs(c) < 0.6 ? 1e-11L : 1; /* the tail's law is not tested here */
        assert_true(fabsl(sow_expansion_product(&e, c) - sum) <=
                    1e-12L * slow.square + rest * fabsl(e.tail.total));
    }
}

/* Smooth and steep, kinked and jumping, one and two sides. Left out: what rounds away its own digits (tanhshrink of small
 * inputs), what oscillates (sin of wide ones), and exp, which has no mean beyond. */
static void test_expansions(void **state)
{
    static const char *const names[] = {
        "relu6", "gelu",         "gelu_tanh",  "silu",        "mish",      "elu",    "selu",
        "tanh",  "sigmoid",      "softplus",   "squareplus",  "softsign",  "arctan", "asinh",
        "erf",   "laplace",      "gaussian",   "hardtanh",    "hardswish", "square", "hardshrink",
        "relu",  "relu_squared", "softshrink", "hardsigmoid", "lecun_tanh"};
    static const double stds[] = {0.3, 0.70, 0.71, 0.72, 1, 1.3, 2.01, 3.9, 4.1, 7, 30, 1000};
    struct sow_function f;
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(sow_function_named(names[i], NULL, 0, &f, NULL), SOW_OK);
        for (size_t k = 0; k < sizeof stds / sizeof stds[0]; k++) {
            compare(&f, 0, stds[k]);
        }
        compare(&f, 0.4, 1);
        compare(&f, -2, 0.7);
        compare(&f, 50, 20);
    }
}

/* The table and the expansions kept change no bit, whatever was asked for before. */
static void test_kept(void **state)
{
    static const char *const names[] = {"gelu", "relu6", "mish"};
    struct sow_predictor p = {.arena = {0}};
    const struct sow_expansion *kept;
    struct sow_expansion fresh;
    struct sow_function f[3];
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(sow_function_named(names[i], NULL, 0, &f[i], NULL), SOW_OK);
    }
    for (size_t i = 0; i < 600; i++) {
        const struct sow_function *at = &f[i % 3];
        struct sow_pointwise pointwise = sow_pointwise_of(at);
        double std = 0.5 + 0.03 * (double)i * (double)(i % 7), mean = i % 5 == 0 ? 0.25 : 0;
        assert_int_equal(sow_expand_function(&p, at, 0, mean, std, &kept, NULL), SOW_OK);
        assert_int_equal(sow_expand(&pointwise, mean, std, &fresh, NULL), SOW_OK);
        assert_memory_equal(kept->coefficients, fresh.coefficients, sizeof fresh.coefficients);
        assert_memory_equal(&kept->square, &fresh.square, sizeof fresh.square);
        assert_memory_equal(&kept->growth, &fresh.growth, sizeof fresh.growth);
    }
    sow_arena_free(&p.arena);
}

/* What is told to people is what the slow search finds. */
static void test_quick_search(void **state)
{
    const struct sow_activation *row;
    (void)state;
    for (size_t i = 0; (row = sow_activation_at(i)) != NULL; i++) {
        struct sow_function f;
        struct sow_criticality slow, quick;
        struct sow_fixed_point slowly, quickly;
        assert_int_equal(sow_function_named(row->name, NULL, 0, &f, NULL), SOW_OK);
        enum sow_status status = sow_function_criticality(&f, &slow, NULL);
        assert_int_equal(sow_criticality_quick(&f, &quick, NULL), status);
        if (status == SOW_OK) {
            assert_int_equal(quick.universality, slow.universality);
            assert_true(isnan(slow.sigma_w2) ||
                        fabs(quick.sigma_w2 - slow.sigma_w2) <= 1e-9 * slow.sigma_w2);
        }
        status = sow_function_fixed_point(&f, 1.3, 0.1, &slowly, NULL);
        assert_int_equal(sow_fixed_point_quick(&f, 1.3, 0.1, &quickly, NULL), status);
        if (status == SOW_OK && isfinite(slowly.q)) {
            assert_true(fabs(quickly.q - slowly.q) <= 1e-10 * slowly.q);
            assert_true(isnan(slowly.chi_perp) ||
                        fabs(quickly.chi_perp - slowly.chi_perp) <= 1e-10 * slowly.chi_perp);
        } else if (status == SOW_OK) {
            assert_true(quickly.q == slowly.q);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_expansions),
                                       cmocka_unit_test(test_kept),
                                       cmocka_unit_test(test_quick_search)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
