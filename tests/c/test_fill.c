/* SPDX-License-Identifier: MIT */
/* sow_fill and sow_fill_box: any cut of a tensor into ranges or boxes gives the bytes of the whole, and
 * nothing beside the destination is touched. Seeds are fixed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sow/sow.h"

#define COUNT(a)     (sizeof(a) / sizeof *(a))
#define ELEMENTS_MAX 20000
#define GUARD        64
#define FILLER       0x5a

static const enum sow_dtype dtypes[] = {SOW_F64,       SOW_F32,     SOW_F16, SOW_BF16,
                                        SOW_F8_E4M3FN, SOW_F8_E5M2, SOW_I32};

static uint64_t random_state = 20;

/* A number below `limit`. */
static uint64_t below(uint64_t limit)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (z ^ z >> 31) % limit;
}

static struct sow_draw some_draw(enum sow_dtype dtype)
{
    struct sow_draw draw;
    switch (dtype == SOW_I32 ? 0 : below(5)) {
    case 0:
        sow_draw_constant(-2.5, &draw, NULL);
        break;
    case 1:
        sow_draw_uniform(-0.1, 0.3, &draw, NULL);
        break;
    case 2:
        sow_draw_normal(0, 0.02, &draw, NULL);
        break;
    case 3:
        sow_draw_trunc_normal(0, 1, -2, 2, &draw, NULL);
        break;
    default:
        sow_draw_trunc_normal(0.5, 1, -5, 2, &draw, NULL);
        break;
    }
    return draw;
}

static unsigned char whole[8 * ELEMENTS_MAX + 2 * GUARD], part[8 * ELEMENTS_MAX + 2 * GUARD];

static void test_any_cut_into_ranges_gives_the_whole(void **state)
{
    (void)state;
    for (int trial = 0; trial < 2000; trial++) {
        enum sow_dtype dtype = dtypes[below(COUNT(dtypes))];
        size_t size = sow_dtype_bits(dtype) / 8;
        struct sow_draw draw = some_draw(dtype);
        struct sow_key key = sow_key("whole", below(1000));
        uint64_t first = below(3) == 0 ? (UINT64_C(1) << 34) - below(5000) : below(10000);
        uint64_t count = below(trial % 10 == 0 ? ELEMENTS_MAX : 2000), done = 0;
        uint64_t piece_max = 1 + below(trial % 2 ? 50 : 5000);
        memset(whole, FILLER, sizeof whole);
        memset(part, FILLER, sizeof part);
        sow_fill(whole + GUARD, dtype, first, count, &draw, key);
        while (done < count) {
            uint64_t piece = below(piece_max + 1); /* pieces of nothing too */
            piece = piece < count - done ? piece : count - done;
            sow_fill(part + GUARD + done * size, dtype, first + done, piece, &draw, key);
            done += piece;
        }
        assert_memory_equal(part, whole, sizeof whole);
    }
}

/* ---- Boxes -------------------------------------------------------------------------------- */

struct tensor {
    uint32_t rank;
    uint64_t shape[SOW_RANK_MAX], count;
};

static struct tensor some_tensor(void)
{
    struct tensor tensor = {.rank = (uint32_t)below(SOW_RANK_MAX + 1), .count = 1};
    const uint64_t side_max = tensor.rank <= 2 ? 70 : tensor.rank <= 4 ? 9 : 3;
    for (uint32_t axis = 0; axis < tensor.rank; axis++) {
        tensor.shape[axis] = 1 + below(side_max);
        tensor.count *= tensor.shape[axis];
    }
    return tensor;
}

struct box {
    uint64_t start[SOW_RANK_MAX], size[SOW_RANK_MAX];
};

/* Halve the box at a random place of a random axis until it is small or luck says stop; draw the leaves. */
static void draw_in_pieces(const struct tensor *tensor, struct box box, const int64_t *strides,
                           unsigned char *dst, enum sow_dtype dtype, const struct sow_draw *draw,
                           struct sow_key key, int depth)
{
    uint32_t axis = tensor->rank > 0 ? (uint32_t)below(tensor->rank) : 0;
    if (tensor->rank == 0 || depth == 0 || box.size[axis] == 0 || below(5) == 0) {
        int64_t offset = 0;
        for (uint32_t i = 0; i < tensor->rank; i++) {
            offset += (int64_t)box.start[i] * strides[i];
        }
        sow_fill_box(dst + offset * (int64_t)(sow_dtype_bits(dtype) / 8), dtype, tensor->rank,
                     tensor->shape, box.start, box.size, strides, draw, key);
        return;
    }
    struct box low = box, high = box;
    uint64_t at = below(box.size[axis] + 1); /* a piece of nothing too */
    low.size[axis] = at;
    high.start[axis] += at;
    high.size[axis] -= at;
    draw_in_pieces(tensor, low, strides, dst, dtype, draw, key, depth - 1);
    draw_in_pieces(tensor, high, strides, dst, dtype, draw, key, depth - 1);
}

/* Strides of a destination whose axes lie in random order, some backwards, with gaps; *extent is its length
 * and *origin where element 0 is. */
static void some_strides(const struct tensor *tensor, int64_t strides[SOW_RANK_MAX],
                         uint64_t *extent, uint64_t *origin)
{
    uint32_t order[SOW_RANK_MAX];
    uint64_t step = 1 + (below(4) == 0);
    const int shuffled = below(3) != 0;
    *origin = 0;
    for (uint32_t i = 0; i < tensor->rank; i++) {
        order[i] = tensor->rank - 1 - i;
    }
    for (uint32_t i = tensor->rank; shuffled && i > 1; i--) {
        uint32_t j = (uint32_t)below(i), kept = order[i - 1];
        order[i - 1] = order[j];
        order[j] = kept;
    }
    for (uint32_t i = 0; i < tensor->rank; i++) {
        uint32_t axis = order[i];
        strides[axis] = (int64_t)step;
        if (below(3) == 0) {
            strides[axis] = -strides[axis];
            *origin += step * (tensor->shape[axis] - 1);
        }
        step = step * tensor->shape[axis] + (below(4) == 0 ? below(3) : 0);
    }
    *extent = step;
}

static void test_any_cut_into_boxes_gives_the_whole(void **state)
{
    (void)state;
    int done = 0;
    while (done < 4000) {
        struct tensor tensor = some_tensor();
        int64_t strides[SOW_RANK_MAX];
        uint64_t extent, origin, index[SOW_RANK_MAX] = {0};
        some_strides(&tensor, strides, &extent, &origin);
        if (extent > ELEMENTS_MAX || tensor.count > ELEMENTS_MAX) {
            continue;
        }
        done++;
        enum sow_dtype dtype = dtypes[below(COUNT(dtypes))];
        size_t size = sow_dtype_bits(dtype) / 8;
        struct sow_draw draw = some_draw(dtype);
        struct sow_key key = sow_key("boxes", below(1000));
        struct box all = {{0}, {0}};
        memcpy(all.size, tensor.shape, sizeof tensor.shape);
        memset(part, FILLER, sizeof part);
        unsigned char *corner = part + GUARD + origin * size;
        draw_in_pieces(&tensor, all, strides, corner, dtype, &draw, key, 6);
        sow_fill(whole, dtype, 0, tensor.count, &draw, key);
        /* each element is where its strides say; wiping it leaves only what should be untouched */
        for (uint64_t i = 0; i < tensor.count; i++) {
            int64_t offset = 0;
            for (uint32_t axis = 0; axis < tensor.rank; axis++) {
                offset += (int64_t)index[axis] * strides[axis];
            }
            unsigned char *element = corner + offset * (int64_t)size;
            assert_memory_equal(element, whole + i * size, size);
            memset(element, FILLER, size);
            for (uint32_t axis = tensor.rank; axis-- > 0 && ++index[axis] == tensor.shape[axis];) {
                index[axis] = 0;
            }
        }
        for (size_t i = 0; i < sizeof part; i++) {
            assert_int_equal(part[i], FILLER);
        }
    }
}

/* A rank's slice of a large tensor: strides NULL is a dense box. */
static void test_a_shard_of_a_large_tensor(void **state)
{
    (void)state;
    const uint64_t shape[3] = {200000, 3, 50000}; /* 3e10 elements: past 2^34 */
    const uint64_t start[3] = {199990, 1, 49900}, size[3] = {7, 2, 90};
    const struct sow_key key = sow_key("large", 1);
    for (size_t t = 0; t < COUNT(dtypes) - 1; t++) {
        struct sow_draw draw = some_draw(dtypes[t]);
        size_t bytes = sow_dtype_bits(dtypes[t]) / 8;
        sow_fill_box(part, dtypes[t], 3, shape, start, size, NULL, &draw, key);
        for (uint64_t i = 0; i < 7; i++) {
            for (uint64_t j = 0; j < 2; j++) {
                uint64_t first = ((start[0] + i) * 3 + start[1] + j) * 50000 + start[2];
                sow_fill(whole + (i * 2 + j) * 90 * bytes, dtypes[t], first, 90, &draw, key);
            }
        }
        assert_memory_equal(part, whole, 7 * 2 * 90 * bytes);
    }
}

static void test_boxes_of_nothing_write_nothing(void **state)
{
    (void)state;
    const uint64_t shape[2] = {4, 5}, start[2] = {1, 2}, none[2] = {3, 0}, empty_shape[2] = {0, 5};
    const uint64_t zero[2] = {0, 0};
    struct sow_draw draw;
    sow_draw_normal(0, 1, &draw, NULL);
    memset(part, FILLER, sizeof part);
    sow_fill(part, SOW_F32, 5, 0, &draw, sow_key("a", 1));
    sow_fill(NULL, SOW_F32, 5, 0, &draw, sow_key("a", 1));
    sow_fill_box(part, SOW_F32, 2, shape, start, none, NULL, &draw, sow_key("a", 1));
    sow_fill_box(part, SOW_F32, 2, empty_shape, zero, zero, NULL, &draw, sow_key("a", 1));
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(part[i], FILLER);
    }
    /* rank 0 is one element */
    sow_fill_box(part, SOW_F32, 0, NULL, NULL, NULL, NULL, &draw, sow_key("a", 1));
    sow_fill(whole, SOW_F32, 0, 1, &draw, sow_key("a", 1));
    assert_memory_equal(part, whole, 4);
    assert_int_equal(part[4], FILLER);
}

/* What the values promise, whatever the numbers. */
static void test_values_stay_in_bounds(void **state)
{
    (void)state;
    static const double bounds[][2] = {{-0.05, 0.05},       {0, 1}, {1, 1 + 0x1p-23},
                                       {-1e30, 1e-30},      {3, 3}, {0.1, 0.1 + 1e-9},
                                       {16777216, 16777219}};
    static float values[50000];
    for (size_t b = 0; b < COUNT(bounds); b++) {
        struct sow_draw draw;
        assert_int_equal(sow_draw_uniform(bounds[b][0], bounds[b][1], &draw, NULL), SOW_OK);
        sow_fill(values, SOW_F32, 0, COUNT(values), &draw, sow_key("bounds", b));
        for (size_t i = 0; i < COUNT(values); i++) {
            int inside = (double)values[i] >= bounds[b][0] && (double)values[i] <= bounds[b][1];
            if (b == 5) { /* no float lies between: the one nearest to the middle */
                inside = values[i] == (float)(0.1 + 0.5e-9);
            }
            assert_true(inside);
            assert_true(b != 0 || values[i] != 0);
        }
        if (bounds[b][0] < bounds[b][1]) {
            assert_int_equal(sow_draw_trunc_normal(0.5 * bounds[b][0] + 0.5 * bounds[b][1],
                                                   bounds[b][1] - bounds[b][0], bounds[b][0],
                                                   bounds[b][1], &draw, NULL),
                             SOW_OK);
            sow_fill(values, SOW_F32, 0, COUNT(values), &draw, sow_key("bounds", b));
            for (size_t i = 0; i < COUNT(values); i++) {
                assert_true(b == 5 || ((double)values[i] >= bounds[b][0] &&
                                       (double)values[i] <= bounds[b][1]));
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_cut_into_ranges_gives_the_whole),
        cmocka_unit_test(test_any_cut_into_boxes_gives_the_whole),
        cmocka_unit_test(test_a_shard_of_a_large_tensor),
        cmocka_unit_test(test_boxes_of_nothing_write_nothing),
        cmocka_unit_test(test_values_stay_in_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
