/* SPDX-License-Identifier: MIT */
/* Kernels: every instruction set against the scalar one and the scalar one against the plain reference of the
 * stream; Philox against Random123. What narrow dtypes make of a value is test_rounding.c's.
 * AVX-512 is also run through SIMDe, on any CPU. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/c/every_isa.h"

#include <math.h>

#include "core/kernel/numbers.h"
#include "core/kernel/source.h"
#include "tests/reference/stream_v1.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static const struct sow_draw draws[] = {
    {.distribution = SOW_CONSTANT, .mean = 0.1},
    {.distribution = SOW_UNIFORM, .low = -0.05, .high = 0.05},
    {.distribution = SOW_UNIFORM, .low = -1e-40, .high = 3e-40},
    {.distribution = SOW_UNIFORM, .low = -700, .high = 1000},
    {.distribution = SOW_NORMAL, .mean = 0, .std = 0.02},
    {.distribution = SOW_NORMAL, .mean = 0, .std = 1e-39},
    {.distribution = SOW_NORMAL, .mean = -3, .std = 40000},
    {.distribution = SOW_TRUNC_NORMAL, .mean = 0, .std = 0.02, .low = -0.04, .high = 0.04},
    {.distribution = SOW_TRUNC_NORMAL, .mean = 0, .std = 1, .low = -4, .high = 5},
    {.distribution = SOW_TRUNC_NORMAL, .mean = 0, .std = 1, .low = 1.5, .high = INFINITY},
    {.distribution = SOW_TRUNC_NORMAL, .mean = 0, .std = 0.02, .low = -2, .high = 2},
    {.distribution = SOW_EXP_UNIFORM, .low = -7, .high = 3},
    {.distribution = SOW_MINUS_LN_UNIFORM, .low = 1, .high = 783, .shift = 7},
};

static const enum sow_dtype dtypes[] = {SOW_F64,  SOW_F32,       SOW_F16,
                                        SOW_BF16, SOW_F8_E4M3FN, SOW_F8_E5M2};

/* ---- Philox ------------------------------------------------------------------------------- */

static const struct {
    uint32_t counter[4], key[2], words[4];
} answers[] = {
    /* Random123's kat_vectors, philox4x32 10 */
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

static void test_philox_known_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++) {
        uint32_t words[4];
        sow_philox(answers[i].counter, answers[i].key, words);
        assert_memory_equal(words, answers[i].words, sizeof words);
    }
}

/* The value of docs/stream.md section 4 for U(-2^24, 2^24): k itself. */
static float uniform_of(uint32_t word)
{
    return (float)(((int32_t)word >> 7) | 1);
}

/* The kernels see a counter's words as block and tensor: all 128 bits take part. */
static void test_kernels_draw_philox_words(void **state)
{
    (void)state;
    static _Alignas(SOW_TILE_ALIGN) float tile[SOW_TILE_BYTES / sizeof(float)];
    static float values[SOW_TILE_BYTES / sizeof(float)];
    const struct sow_draw draw = {.distribution = SOW_UNIFORM, .low = -0x1p24, .high = 0x1p24};
    const struct sow_numbers_f32 numbers = sow_numbers_f32(&draw);
    const struct sow_kernels *kernels;
    uint64_t random = 1;
    for (size_t i = 0; (kernels = kernels_at(i)) != NULL; i++) {
        for (size_t trial = 0; trial < 1000; trial++) {
            struct sow_key key = {next_word(&random), next_word(&random)};
            uint64_t block = next_word(&random);
            if (trial < COUNT(answers)) {
                const uint32_t *counter = answers[trial].counter, *seed = answers[trial].key;
                block = (uint64_t)counter[1] << 32 | counter[0];
                key.tensor = (uint64_t)counter[3] << 32 | counter[2];
                key.seed = (uint64_t)seed[1] << 32 | seed[0];
            }
            const struct sow_stream stream = sow_stream(key);
            uint64_t first = block - block % kernels->group_blocks;
            kernels->draw_f32[SOW_UNIFORM](tile, first, 1, &stream, &numbers);
            kernels->store_f32[SOW_F32](values, tile, 1, 0);
            for (uint32_t b = 0; b < kernels->group_blocks; b++) {
                uint32_t words[4];
                sow_stream_block(key, first + b, words);
                for (size_t w = 0; w < 4; w++) {
                    assert_true(values[4 * b + w] == uniform_of(words[w]));
                }
            }
        }
    }
}

/* ---- Scalar against the reference --------------------------------------------------------- */

/* Element i of a float32 draw, from docs/stream.md's plain form. */
static float reference_f32(const struct sow_draw *draw, const struct sow_numbers_f32 *n,
                           struct sow_key key, uint64_t i)
{
    uint32_t words[4];
    float pair[2], value = n->mean;
    i += (uint64_t)(int64_t)draw->shift;
    sow_stream_block(key, i / 4, words);
    if (draw->distribution == SOW_UNIFORM || n->map != NULL) {
        value = fmaf(uniform_of(words[i % 4]), n->scale, n->middle);
    } else if (draw->distribution == SOW_NORMAL || n->cut == SOW_CUT_NOTHING) {
        normal_pair32(words[i % 4 & 2], words[(i % 4 & 2) + 1], n->mean, n->std, pair);
        value = pair[i % 2];
    } else if (draw->distribution == SOW_TRUNC_NORMAL) {
        struct trunc32 c = {n->step,      n->step2,       n->below4 / 4, n->above4 / 4,
                            n->to_middle, n->from_middle, n->shift,      n->cut == SOW_CUT_CENTRAL};
        value = fmaf(trunc_z32(words[i % 4], &c), n->std, n->mean);
    }
    if (draw->distribution != SOW_NORMAL && draw->distribution != SOW_CONSTANT) {
        value = value < n->low ? n->low : value > n->high ? n->high : value;
    }
    return n->map != NULL ? (float)n->map->value((double)value) : value;
}

static double reference_f64(const struct sow_draw *draw, const struct sow_numbers_f64 *n,
                            struct sow_key key, uint64_t i)
{
    uint32_t words[4];
    double pair[2], value = n->mean;
    i += (uint64_t)(int64_t)draw->shift;
    sow_stream_block(key, i / 2, words);
    const uint64_t wide[2] = {words[0] | (uint64_t)words[1] << 32,
                              words[2] | (uint64_t)words[3] << 32};
    if (draw->distribution == SOW_UNIFORM || n->map != NULL) {
        value = fma((double)(((int64_t)wide[i % 2] >> 10) | 1), n->scale, n->middle);
    } else if (draw->distribution == SOW_NORMAL || n->cut == SOW_CUT_NOTHING) {
        normal_pair64(wide[0], wide[1], n->mean, n->std, pair);
        value = pair[i % 2];
    } else if (draw->distribution == SOW_TRUNC_NORMAL) {
        struct trunc64 c = {n->step,      n->step2,       n->below4 / 4, n->above4 / 4,
                            n->to_middle, n->from_middle, n->shift};
        value = fma(trunc_z64(wide[i % 2], &c), n->std, n->mean);
    }
    if (draw->distribution != SOW_NORMAL && draw->distribution != SOW_CONSTANT) {
        value = value < n->low ? n->low : value > n->high ? n->high : value;
    }
    return n->map != NULL ? n->map->value(value) : value;
}

static void test_scalar_is_the_reference(void **state)
{
    (void)state;
    enum { ELEMENTS = 100000 };
    static float narrow_values[ELEMENTS];
    static double wide_values[ELEMENTS];
    const struct sow_key key = sow_key("reference", 5);
    for (size_t d = 0; d < COUNT(draws); d++) {
        const struct sow_numbers_f32 n32 = sow_numbers_f32(&draws[d]);
        const struct sow_numbers_f64 n64 = sow_numbers_f64(&draws[d]);
        sow_fill_with(sow_kernels_at(0), narrow_values, SOW_F32, 0, ELEMENTS, &draws[d], key);
        sow_fill_with(sow_kernels_at(0), wide_values, SOW_F64, 0, ELEMENTS, &draws[d], key);
        for (uint64_t i = 0; i < ELEMENTS; i++) {
            float expected = reference_f32(&draws[d], &n32, key, i);
            assert_memory_equal(&narrow_values[i], &expected, sizeof expected);
            double wide_expected = reference_f64(&draws[d], &n64, key, i);
            assert_memory_equal(&wide_values[i], &wide_expected, sizeof wide_expected);
        }
    }
}

/* ---- Every instruction set against scalar --------------------------------------------------- */

static void test_every_isa_is_scalar(void **state)
{
    (void)state;
    enum { ROOM = 8 * 5000 + 128 };
    static unsigned char expected[ROOM], found[ROOM];
    const struct sow_kernels *scalar = sow_kernels_at(0), *kernels;
    assert_string_equal(scalar->isa, "scalar");
    uint64_t random = 3;
    for (size_t i = 1; (kernels = kernels_at(i)) != NULL; i++) {
        for (size_t trial = 0; trial < COUNT(draws) * COUNT(dtypes) * 40; trial++) {
            const struct sow_draw *draw = &draws[trial % COUNT(draws)];
            enum sow_dtype dtype = dtypes[trial / COUNT(draws) % COUNT(dtypes)];
            uint64_t shift = next_word(&random) % 40;
            uint64_t first = next_word(&random) >> (6 + next_word(&random) % 58);
            uint64_t count = next_word(&random) % (shift == 0 ? 5000 : 300);
            struct sow_key key = {next_word(&random), next_word(&random)};
            memset(expected, 0x5a, sizeof expected);
            memset(found, 0x5a, sizeof found);
            sow_fill_with(scalar, expected + 64, dtype, first, count, draw, key);
            sow_fill_with(kernels, found + 64 + shift % 16, dtype, first, count, draw, key);
            memmove(found + 64, found + 64 + shift % 16, ROOM - 64 - shift % 16);
            memset(found + ROOM - 16, 0x5a, 16);
            if (memcmp(expected, found, sizeof found) != 0) {
                fail_msg("%s differs: draw %zu, %s, first %llu, count %llu, misaligned by %llu",
                         kernels->isa, trial % COUNT(draws), sow_dtype_name(dtype),
                         (unsigned long long)first, (unsigned long long)count,
                         (unsigned long long)(shift % 16));
            }
        }
    }
}

/* Long enough for streaming stores, at an aligned and at a misaligned destination. */
static void test_streaming_stores_write_the_same(void **state)
{
    (void)state;
    enum { BYTES = 9 << 20 };
    unsigned char *expected = malloc(BYTES + 128), *found = malloc(BYTES + 128);
    assert_non_null(expected);
    assert_non_null(found);
    const struct sow_key key = sow_key("stream", 9);
    const struct sow_kernels *kernels;
    for (size_t t = 0; t < COUNT(dtypes); t++) {
        uint64_t count = BYTES / (sow_dtype_bits(dtypes[t]) / 8);
        uint64_t piece = 1000; /* short ranges never stream */
        size_t size = sow_dtype_bits(dtypes[t]) / 8;
        for (uint64_t i = 0; i < count; i += piece) {
            sow_fill(expected + i * size, dtypes[t], 77 + i, count - i < piece ? count - i : piece,
                     &draws[1], key);
        }
        for (size_t i = 1; (kernels = sow_kernels_at(i)) != NULL; i++) {
            for (uintptr_t offset = 0; offset < 64; offset += 37) {
                unsigned char *dst = found + (64 - (uintptr_t)found % 64) + offset;
                sow_fill_with(kernels, dst, dtypes[t], 77, count, &draws[1], key);
                assert_memory_equal(dst, expected, (size_t)count * size);
            }
        }
    }
    free(expected);
    free(found);
}

/* A thread whose library has switched subnormals off, or rounds upward, gets the same bits. */
static void test_floating_point_state_of_the_caller_is_harmless(void **state)
{
    (void)state;
#if defined(__x86_64__)
    enum { ELEMENTS = 3000 };
    static unsigned char expected[8 * ELEMENTS], found[8 * ELEMENTS];
    const struct sow_key key = sow_key("state", 1);
    for (size_t trial = 0; trial < COUNT(draws) * COUNT(dtypes); trial++) {
        const struct sow_draw *draw = &draws[trial % COUNT(draws)];
        enum sow_dtype dtype = dtypes[trial / COUNT(draws)];
        sow_fill(expected, dtype, 0, ELEMENTS, draw, key);
        __builtin_ia32_ldmxcsr(0x1f80 | 0x8040 | 0x4000); /* flush, denormals are zero, round up */
        sow_fill(found, dtype, 0, ELEMENTS, draw, key);
        uint32_t after = __builtin_ia32_stmxcsr();
        __builtin_ia32_ldmxcsr(0x1f80);
        assert_memory_equal(found, expected, ELEMENTS * sow_dtype_bits(dtype) / 8);
        assert_int_equal(after & 0xffc0, 0x1f80 | 0x8040 | 0x4000);
    }
#endif
}

/* ---- Dispatch ----------------------------------------------------------------------------- */

static void test_the_environment_chooses(void **state)
{
    (void)state;
    struct sow_error error;
    assert_int_equal(sow_isa_check(&error), SOW_OK);
    setenv("SOW_ISA", "vax", 1);
    assert_int_equal(sow_isa_check(&error), SOW_E_UNSUPPORTED);
    assert_non_null(strstr(error.message, "vax"));
    assert_non_null(strstr(error.message, "scalar"));
    setenv("SOW_ISA", "scalar", 1);
    assert_int_equal(sow_isa_check(&error), SOW_OK);
    unsetenv("SOW_ISA");
    assert_int_equal(sow_isa_check(&error), SOW_OK);
    /* without a wish: the strongest this CPU has */
    const struct sow_kernels *kernels, *strongest = NULL;
    for (size_t i = 0; (kernels = sow_kernels_at(i)) != NULL; i++) {
        strongest = kernels;
    }
    assert_string_equal(sow_isa(), strongest->isa);
}

int main(void)
{
    unsetenv("SOW_ISA");
    const struct sow_kernels *kernels;
    printf("instruction sets:");
    for (size_t i = 0; (kernels = kernels_at(i)) != NULL; i++) {
        printf(" %s", kernels->isa);
    }
    printf("\n");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_philox_known_answers),
        cmocka_unit_test(test_kernels_draw_philox_words),
        cmocka_unit_test(test_scalar_is_the_reference),
        cmocka_unit_test(test_every_isa_is_scalar),
        cmocka_unit_test(test_streaming_stores_write_the_same),
        cmocka_unit_test(test_floating_point_state_of_the_caller_is_harmless),
        cmocka_unit_test(test_the_environment_chooses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
