/* SPDX-License-Identifier: MIT */
/* Matrix products: every instruction set (AVX-512 also through SIMDe) has the bits of libm's fma in a plain loop, for
 * odd sizes, strides, transposed factors, unaligned places and any cut among threads, and is near the product
 * in double. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/c/every_isa.h"

#include <math.h>

#include "core/linalg/gemm.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* Floats of very different sizes, so that another order of summation has other bits. */
static void fill(float *at, uint64_t count, uint64_t seed)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t word = next_word(&seed);
        at[i] = ldexpf((float)(int32_t)(word >> 32), -31 + (int)(word % 24) - 12);
    }
}

/* The definition. */
static void plain(const struct sow_gemm *p)
{
    for (uint64_t i = 0; i < p->rows; i++) {
        for (uint64_t j = 0; j < p->columns; j++) {
            float sum = p->accumulate ? p->c[i * p->c_row + j] : 0;
            for (uint64_t k = 0; k < p->depth; k++) {
                sum = fmaf(p->a.at[i * p->a.row + k * p->a.column],
                           p->b.at[k * p->b.row + j * p->b.column], sum);
            }
            p->c[i * p->c_row + j] = sum;
        }
    }
}

struct bench {
    float *a, *b, *c, *expected, *found, *scratch;
};

enum { ROOM = 1 << 20 };

static int setup(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    float **all[] = {&bench->a,        &bench->b,     &bench->c,
                     &bench->expected, &bench->found, &bench->scratch};
    for (size_t i = 0; i < COUNT(all); i++) {
        *all[i] = aligned_alloc(SOW_TILE_ALIGN, ROOM * sizeof(float));
        fill(*all[i], ROOM, i);
    }
    *state = bench;
    return 0;
}

static int teardown(void **state)
{
    struct bench *bench = *state;
    free(bench->a);
    free(bench->b);
    free(bench->c);
    free(bench->expected);
    free(bench->found);
    free(bench->scratch);
    free(bench);
    return 0;
}

/* One product on an instruction set, in two pieces cut at row `cut`. */
static void compute(const struct bench *bench, const struct sow_kernels *kernels,
                    struct sow_gemm product, uint64_t cut)
{
    struct sow_gemm above = product, below = product;
    above.rows = cut;
    below.rows -= cut;
    below.a.at += cut * below.a.row;
    below.c += cut * below.c_row;
    sow_gemm_with(kernels, &above, bench->scratch);
    sow_gemm_with(kernels, &below, bench->scratch);
}

static void check(const struct bench *bench, uint64_t rows, uint64_t columns, uint64_t depth,
                  uint64_t word)
{
    uint64_t shift = word % 5, wide_a = word >> 8 & 1, wide_b = word >> 9 & 1, gap = word >> 10 & 7;
    struct sow_gemm product = {rows,
                               columns,
                               depth,
                               {bench->a + shift, depth + gap, 1},
                               {bench->b + gap, columns + gap, 1},
                               bench->expected + shift,
                               columns + gap,
                               (int)(word >> 16 & 1)};
    const struct sow_kernels *kernels;
    if (wide_a) {
        product.a.row = 1;
        product.a.column = rows + gap;
    }
    if (wide_b) {
        product.b.row = 1;
        product.b.column = depth + gap;
    }
    size_t used = (size_t)(rows * (columns + gap) + 16);
    memcpy(bench->expected, bench->c, used * sizeof(float));
    plain(&product);
    for (size_t i = 0; (kernels = kernels_at(i)) != NULL; i++) {
        memcpy(bench->found, bench->c, used * sizeof(float));
        product.c = bench->found + shift;
        compute(bench, kernels, product, rows > 0 ? (word >> 24) % (rows + 1) : 0);
        if (memcmp(bench->found, bench->expected, used * sizeof(float)) != 0) {
            fail_msg("%s differs: %d x %d x %d, %llx", kernels->isa, (int)rows, (int)columns,
                     (int)depth, (unsigned long long)word);
        }
    }
}

static void test_every_isa_is_the_plain_chain(void **state)
{
    static const uint64_t sizes[][3] = {{0, 3, 4},    {3, 0, 4},     {3, 4, 0},     {1, 1, 1},
                                        {1, 64, 64},  {64, 1, 64},   {6, 16, 256},  {7, 17, 257},
                                        {14, 32, 33}, {15, 33, 700}, {169, 31, 40}, {5, 2049, 9},
                                        {170, 50, 1}, {2, 3, 1025}};
    uint64_t random = 7;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        for (int repeat = 0; repeat < 6; repeat++) {
            check(*state, sizes[i][0], sizes[i][1], sizes[i][2], next_word(&random));
        }
    }
    for (int trial = 0; trial < 60; trial++) {
        check(*state, next_word(&random) % 50, next_word(&random) % 70, next_word(&random) % 90,
              next_word(&random));
    }
}

/* |error| <= depth * 2^-24 * sum |a b|, the bound of any order of summation (Higham 2002, section 3.1). */
static void test_product_is_near_the_one_in_double(void **state)
{
    const struct bench *bench = *state;
    enum { ROWS = 37, COLUMNS = 65, DEPTH = 301 };
    const struct sow_gemm product = {
        ROWS,         COLUMNS, DEPTH, {bench->a, DEPTH, 1}, {bench->b, COLUMNS, 1},
        bench->found, COLUMNS, 0};
    sow_gemm(&product, bench->scratch);
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t j = 0; j < COLUMNS; j++) {
            double sum = 0, size = 0;
            for (size_t k = 0; k < DEPTH; k++) {
                double term = (double)bench->a[i * DEPTH + k] * bench->b[k * COLUMNS + j];
                sum += term;
                size += fabs(term);
            }
            assert_true(fabs(bench->found[i * COLUMNS + j] - sum) <= size * DEPTH * 0x1p-24);
        }
    }
}

/* Subnormals are kept whatever the caller's thread has set. */
static void test_floating_point_state_of_the_caller_is_harmless(void **state)
{
#if defined(__x86_64__)
    const struct bench *bench = *state;
    float a = 0x1p-100f, b = 0x1p-40f, c = 0;
    const struct sow_gemm product = {1, 1, 1, {&a, 1, 1}, {&b, 1, 1}, &c, 1, 0};
    __builtin_ia32_ldmxcsr(0x1f80 | 0x8040 | 0x4000); /* flush, denormals are zero, round up */
    sow_gemm(&product, bench->scratch);
    uint32_t after = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(0x1f80);
    assert_true(c == 0x1p-140f);
    assert_int_equal(after & 0xffc0, 0x1f80 | 0x8040 | 0x4000);
#endif
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_isa_is_the_plain_chain),
        cmocka_unit_test(test_product_is_near_the_one_in_double),
        cmocka_unit_test(test_floating_point_state_of_the_caller_is_harmless),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
