/* SPDX-License-Identifier: MIT */
/* Eigenvalues of symmetric matrices whose spectra are known in closed form, and invariants of random ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <math.h>

#include "core/linalg/symmetric.h"
#include "sow/sow.h"

#define PI 3.14159265358979323846

static double *matrix(uint64_t n)
{
    double *a = calloc(n * n + 5 * n, sizeof *a); /* and room for work and values behind it */
    assert_non_null(a);
    return a;
}

static void test_second_differences(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= 65; n += 8) {
        double *a = matrix(n), *work = a + n * n, *values = work + 4 * n;
        for (uint64_t i = 0; i < n; i++) {
            a[i * n + i] = 2;
            if (i + 1 < n) {
                a[i * n + i + 1] = a[(i + 1) * n + i] = -1;
            }
        }
        sow_symmetric_eigenvalues(n, a, work, values);
        for (uint64_t k = 0; k < n; k++) {
            double known = 2 - 2 * cos((double)(k + 1) * PI / (double)(n + 1));
            assert_true(fabs(values[k] - known) < 1e-14);
            assert_true(k == 0 || values[k] >= values[k - 1]);
        }
        free(a);
    }
}

/* A reflection that was scaled: 1 - 2 u u^T has one eigenvalue -1 and all others 1; u u^T has one that is not 0. */
static void test_few_different_eigenvalues_at_any_scale(void **state)
{
    (void)state;
    enum { N = 40 };
    for (int power = -500; power <= 500; power += 250) {
        double *a = matrix(N), *work = a + N * N, *values = work + 4 * N, scale = ldexp(1, power);
        for (uint64_t i = 0; i < N; i++) {
            for (uint64_t k = 0; k < N; k++) {
                double u = i % 2 > 0 ? 1 : -1, v = k % 2 > 0 ? 1 : -1;
                a[i * N + k] = scale * ((i == k) - 2 * u * v / N);
            }
        }
        sow_symmetric_eigenvalues(N, a, work, values);
        assert_true(fabs(values[0] / scale + 1) < 1e-13);
        for (uint64_t i = 1; i < N; i++) {
            assert_true(fabs(values[i] / scale - 1) < 1e-13);
        }
        free(a);
    }
    double zeros[9 + 15] = {0};
    sow_symmetric_eigenvalues(3, zeros, zeros + 9, zeros + 21);
    assert_true(fabs(zeros[21]) < 1e-300 && fabs(zeros[23]) < 1e-300);
}

/* Sums of the eigenvalues and of their squares, and one eigenvalue at a time. */
static void test_random_matrices(void **state)
{
    (void)state;
    enum { N = 150 };
    double *a = matrix(N), *work = a + N * N, *values = work + 4 * N, sum[2] = {0}, found[2] = {0};
    struct sow_draw draw;
    sow_draw_normal(0, 1, &draw, NULL);
    sow_fill(a, SOW_F64, 0, (uint64_t)N * N, &draw, sow_key("symmetric", 3));
    for (uint64_t i = 0; i < N; i++) {
        for (uint64_t k = 0; k < i; k++) {
            a[i * N + k] = a[k * N + i];
        }
    }
    for (uint64_t i = 0; i < N; i++) {
        sum[0] += a[i * N + i];
        for (uint64_t k = 0; k < N; k++) {
            sum[1] += a[i * N + k] * a[i * N + k];
        }
    }
    sow_symmetric_eigenvalues(N, a, work, values);
    for (uint64_t i = 0; i < N; i++) {
        found[0] += values[i];
        found[1] += values[i] * values[i];
    }
    assert_true(fabs(found[0] - sum[0]) < 1e-11 && fabs(found[1] / sum[1] - 1) < 1e-13);
    assert_true(values[N - 1] > 1.8 * sqrt(N) && values[N - 1] < 2.2 * sqrt(N)); /* semicircle */
    for (uint64_t i = 0; i < N; i += 37) {
        double one = sow_tridiagonal_eigenvalue(N, work, work + N, i);
        assert_true(fabs(one - values[i]) < 1e-13 * values[N - 1]);
    }
    free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_second_differences),
        cmocka_unit_test(test_few_different_eigenvalues_at_any_scale),
        cmocka_unit_test(test_random_matrices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
