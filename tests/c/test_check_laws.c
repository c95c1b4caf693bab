/* SPDX-License-Identifier: MIT */
/* The tests of sow check on right tensors and on wrong ones, drawn by sow_plan_fill.
 *
 *     build/tests/test_check_laws            3,000 right tensors, and whether the power is what docs/check.md says
 *     build/tests/test_check_laws 100000     measures: alarms among so many, and the table of the power */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/check/tests.h"
#include "model/verify/summary.h"
#include "model/verify/tally.h"

#define ELEMENTS_MAX 1048576u
#define LAWS         9

static struct sow_tally *tally;
static struct sow_moments *blocks;
static unsigned char *bytes;

static int begin(void **state)
{
    (void)state;
    tally = sow_tally_new();
    blocks = calloc(ELEMENTS_MAX * 8 / SOW_BLOCK_BYTES + 1, sizeof blocks[0]);
    bytes = malloc((size_t)ELEMENTS_MAX * 8);
    return tally == NULL || blocks == NULL || bytes == NULL;
}

static int end(void **state)
{
    (void)state;
    sow_tally_free(tally);
    free(blocks);
    free(bytes);
    return 0;
}

/* splitmix64: which law, size and dtype comes next. */
static uint64_t next_word(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* Draws the entry's tensor and runs the tests of `law` on it. */
static struct sow_verdict judge(const struct sow_plan_entry *entry, uint64_t seed,
                                const struct sow_law *law)
{
    struct sow_tensor_statistics row = {.dtype = entry->dtype, .elements = entry->elements};
    struct sow_sample sample = {.row = &row, .type = sow_value_type(entry->dtype)};
    struct sow_moments moments = sow_moments_none();
    uint64_t block = SOW_BLOCK_BYTES / sample.type->width;
    sow_plan_fill(entry, seed, bytes, 0, entry->elements);
    sow_tally_add(tally, sample.type, 0, bytes, entry->elements, blocks);
    for (uint64_t i = 0; !sow_value_narrow(sample.type) && i * block < entry->elements; i++) {
        sow_moments_join(&moments, &blocks[i]);
    }
    assert_int_equal(
        sow_tally_finish(tally, sample.type, entry->elements, bytes, NULL, &moments, NULL), SOW_OK);
    sow_summary_fill(&row, &moments, tally->cells, tally->cell_count);
    sample.cells = tally->cells;
    sample.count = tally->cell_count;
    return sow_tests_run(&sample, law);
}

static struct sow_draw draw_of(uint64_t kind, double std)
{
    struct sow_draw draw;
    switch (kind) {
    case 0:
    case 1:
        assert_int_equal(sow_draw_normal(0, std, &draw, NULL), SOW_OK);
        break;
    case 2:
        assert_int_equal(sow_draw_normal(1, std, &draw, NULL), SOW_OK);
        break;
    case 3:
        assert_int_equal(sow_draw_uniform(-std, std, &draw, NULL), SOW_OK);
        break;
    case 4:
        assert_int_equal(sow_draw_uniform(0, std, &draw, NULL), SOW_OK);
        break;
    case 5:
        assert_int_equal(sow_draw_trunc_normal(0, std, -2 * std, 2 * std, &draw, NULL), SOW_OK);
        break;
    case 6:
        assert_int_equal(sow_draw_trunc_normal(0, std, -2, 2, &draw, NULL), SOW_OK);
        break;
    case 7:
        assert_int_equal(sow_draw_trunc_normal(std, std, 0, 4 * std, &draw, NULL), SOW_OK);
        break;
    default:
        assert_int_equal(sow_draw_trunc_normal(0, std, -3 * std, INFINITY, &draw, NULL), SOW_OK);
        break;
    }
    return draw;
}

static double one_std(uint64_t word)
{
    static const double stds[] = {0.0001, 0.004, 0.00408248, 0.02, 0.02, 0.0361, 0.1, 0.5, 1};
    return stds[word % (sizeof stds / sizeof stds[0])];
}

/* A tensor as recipes have them: one law, blocks of several, or a row of zeros. */
static void make_entry(uint64_t *state, struct sow_plan_entry *entry, struct sow_region regions[2])
{
    static const enum sow_dtype dtypes[] = {SOW_F32,       SOW_BF16,    SOW_F16,
                                            SOW_F8_E4M3FN, SOW_F8_E5M2, SOW_F64};
    static const uint64_t sizes[] = {1, 1, 2, 3, 5, 7, 11, 16, 33, 64, 100, 256, 700, 2048};
    uint64_t word = next_word(state), rows = 1 + word % 5, columns = sizes[word / 8 % 14];
    *entry = (struct sow_plan_entry){.name = "w", .key = "w", .dtype = dtypes[word / 128 % 6]};
    entry->tensor.rank = 2;
    entry->tensor.shape[0] = rows;
    entry->tensor.shape[1] = columns;
    entry->elements = rows * columns;
    entry->draw = draw_of(next_word(state) % LAWS, one_std(next_word(state)));
    entry->regions = regions;
    if (rows > 2 && word / 1024 % 3 == 0) {
        entry->region_count = 2;
        regions[0] = (struct sow_region){
            0, 0, 1, draw_of(next_word(state) % LAWS, one_std(next_word(state))), NAN, NAN};
        regions[1] = (struct sow_region){0, 1, 2, {0}, NAN, NAN};
        assert_int_equal(sow_draw_constant(0, &regions[1].draw, NULL), SOW_OK);
    }
}

struct alarms {
    uint64_t tensors, alarms, per_test[SOW_TEST_COUNT];
    uint64_t hundredths[SOW_TEST_COUNT]; /* chance below 1 % */
};

static struct alarms count_alarms(uint64_t count, uint64_t seed)
{
    struct alarms alarms = {.tensors = count};
    uint64_t state = seed;
    for (uint64_t i = 0; i < count; i++) {
        struct sow_plan_entry entry;
        struct sow_region regions[2];
        struct sow_law law;
        make_entry(&state, &entry, regions);
        assert_true(sow_law_make(&entry, &law));
        struct sow_verdict verdict = judge(&entry, seed + i, &law);
        int bad = verdict.outside;
        for (int test = 0; test < SOW_TEST_COUNT; test++) {
            int fails = sow_verdict_fails(&verdict, (enum sow_test)test);
            alarms.per_test[test] += fails;
            alarms.hundredths[test] += verdict.chance_log[test] < log(0.01);
            bad |= fails;
        }
        if (bad) {
            fprintf(stderr, "alarm: tensor %llu, %llu elements, %s, draw %d std %g%s\n",
                    (unsigned long long)i, (unsigned long long)entry.elements,
                    sow_dtype_name(entry.dtype), entry.draw.distribution, entry.draw.std,
                    entry.region_count > 0 ? ", in blocks" : "");
            for (int test = 0; test < SOW_TEST_COUNT; test++) {
                fprintf(stderr, " %.3g", verdict.chance_log[test]);
            }
            fprintf(stderr, " outside %d\n", verdict.outside);
        }
        alarms.alarms += bad != 0;
    }
    return alarms;
}

/* Right tensors are silent, and the bounds bound: chances below 1 % come in at most 1 % (here: within its own error). */
static void right_tensors_are_silent(void **state)
{
    (void)state;
    struct alarms alarms = count_alarms(3000, 1);
    assert_int_equal(alarms.alarms, 0);
    for (int test = 0; test < SOW_TEST_COUNT; test++) {
        assert_true(alarms.hundredths[test] <= 60);
    }
}

/* How many of `rounds` f32 tensors of `elements`, drawn with a std wrong by a share of `off`, are seen. */
static unsigned seen(uint64_t kind, uint64_t elements, double off, unsigned rounds)
{
    struct sow_plan_entry entry = {.name = "w", .key = "w", .dtype = SOW_F32, .elements = elements};
    struct sow_draw expected = draw_of(kind, 0.02);
    struct sow_law law = sow_law_of(&expected);
    unsigned count = 0;
    entry.tensor.rank = 1;
    entry.tensor.shape[0] = elements;
    entry.draw = draw_of(kind, 0.02 * (1 + off));
    for (unsigned i = 0; i < rounds; i++) {
        struct sow_verdict verdict = judge(&entry, i, &law);
        count += sow_verdict_fails(&verdict, SOW_TEST_SPREAD);
    }
    return count;
}

/* The power that docs/check.md states: a std wrong by 6 / sqrt(n) is seen 99 times of 100. */
static void wrong_std_is_seen(void **state)
{
    (void)state;
    for (uint64_t n = 256; n <= 65536; n *= 16) {
        assert_true(seen(0, n, 6 / sqrt((double)n), 100) >= 95);
        assert_true(seen(0, n, -6 / sqrt((double)n), 100) >= 95);
        assert_true(seen(3, n, 4.5 / sqrt((double)n), 100) >= 95);
        assert_true(seen(0, n, 1 / sqrt((double)n), 100) <= 5);
    }
}

/* F15: 688,128 elements; the cut at 3 sigma takes 1.3 % of the std, and both ways it is seen. */
static void f15_a_cut_at_three_sigma_is_seen(void **state)
{
    (void)state;
    struct sow_plan_entry entry = {.name = "w", .key = "w", .dtype = SOW_F32, .elements = 688128};
    struct sow_draw plain, cut;
    entry.tensor.rank = 1;
    entry.tensor.shape[0] = entry.elements;
    assert_int_equal(sow_draw_normal(0, 0.0328266, &plain, NULL), SOW_OK);
    assert_int_equal(sow_draw_trunc_normal(0, 0.0328266, -0.0984798, 0.0984798, &cut, NULL),
                     SOW_OK);
    struct sow_law plain_law = sow_law_of(&plain), cut_law = sow_law_of(&cut);
    entry.draw = plain;
    struct sow_verdict verdict = judge(&entry, 1, &cut_law);
    assert_true(sow_verdict_fails(&verdict, SOW_TEST_SPREAD) && verdict.outside);
    assert_true(sow_verdict_worst(&verdict) < SOW_TEST_ALPHA_LOG);
    verdict = judge(&entry, 1, &plain_law);
    assert_true(sow_verdict_worst(&verdict) >= SOW_TEST_ALPHA_LOG);
    entry.draw = cut;
    verdict = judge(&entry, 1, &plain_law);
    assert_true(sow_verdict_fails(&verdict, SOW_TEST_SPREAD));
    verdict = judge(&entry, 1, &cut_law);
    assert_true(sow_verdict_worst(&verdict) >= SOW_TEST_ALPHA_LOG && !verdict.outside);
}

/* The same mean and std, another shape. */
static void another_shape_is_seen(void **state)
{
    (void)state;
    struct sow_plan_entry entry = {.name = "w", .key = "w", .dtype = SOW_BF16, .elements = 16384};
    struct sow_draw expected;
    entry.tensor.rank = 1;
    entry.tensor.shape[0] = entry.elements;
    assert_int_equal(sow_draw_normal(0, 0.02, &expected, NULL), SOW_OK);
    assert_int_equal(sow_draw_uniform(-0.02 * sqrt(3), 0.02 * sqrt(3), &entry.draw, NULL), SOW_OK);
    struct sow_law law = sow_law_of(&expected);
    struct sow_verdict verdict = judge(&entry, 1, &law);
    assert_false(sow_verdict_fails(&verdict, SOW_TEST_SPREAD));
    assert_true(sow_verdict_fails(&verdict, SOW_TEST_SHAPE));
    assert_true(sow_verdict_fails(&verdict, SOW_TEST_TAIL_2));
}

static void measure(uint64_t count)
{
    static const char *const names[SOW_TEST_COUNT] = {
        "mean", "spread",    "shape",      "tail 2", "tail 3", "tail 4", "low",
        "high", "low short", "high short", "zeros",  "heap",   "often"};
    struct alarms alarms = count_alarms(count, 20260000);
    printf("%llu right tensors, %llu alarms\n", (unsigned long long)alarms.tensors,
           (unsigned long long)alarms.alarms);
    for (int test = 0; test < SOW_TEST_COUNT; test++) {
        printf("%-10s chance below 1 %% in %.4f %%\n", names[test],
               100 * (double)alarms.hundredths[test] / (double)count);
    }
    printf("seen of 200, std wrong by k / sqrt(n):\n       n   normal k=4.2  k=5  k=6   uniform "
           "k=2.9  k=3.6  k=4.5\n");
    for (uint64_t n = 64; n <= 1048576; n *= 16) {
        double root = sqrt((double)n);
        printf("%8llu %13u %4u %4u %15u %6u %6u\n", (unsigned long long)n,
               seen(0, n, 4.2 / root, 200), seen(0, n, 5 / root, 200), seen(0, n, 6 / root, 200),
               seen(3, n, 2.9 / root, 200), seen(3, n, 3.6 / root, 200),
               seen(3, n, 4.5 / root, 200));
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_tensors_are_silent),
        cmocka_unit_test(wrong_std_is_seen),
        cmocka_unit_test(f15_a_cut_at_three_sigma_is_seen),
        cmocka_unit_test(another_shape_is_seen),
    };
    if (argc > 1) {
        begin(NULL);
        measure(strtoull(argv[1], NULL, 10));
        return end(NULL);
    }
    return cmocka_run_group_tests(tests, begin, end);
}
