/* SPDX-License-Identifier: MIT */
/* Draws of whole tensors: any order of the steps and every instruction set gives the bytes of sow_fill_whole, nothing
 * beside the tensor is touched, and what cannot be drawn is refused. Their law is tests/python/test_orthogonal.py. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/linalg/whole.h"
#include "sow/sow.h"
#include "tests/c/every_isa.h"

#define ROWS    90
#define COLUMNS 53

static struct sow_tensor tensors[6];

static int make_tensors(void **state)
{
    (void)state;
    const uint64_t kernel[2] = {3, 3};
    tensors[0] = sow_tensor_linear(ROWS, COLUMNS);
    tensors[1] = sow_tensor_linear(COLUMNS, ROWS);
    tensors[2] = sow_tensor_linear_in_out(COLUMNS, COLUMNS);
    tensors[3] = sow_tensor_conv(40, 36, kernel, 2, 1);
    tensors[4] = sow_tensor_conv(40, 36, kernel, 2, 4);
    tensors[5] = sow_tensor_linear(30, COLUMNS); /* the second of three blocks */
    tensors[5].packed = 90;
    tensors[5].packed_begin = 30;
    return 0;
}

static uint64_t elements_of(const struct sow_tensor *tensor)
{
    uint64_t count = tensor->packed > 0 ? tensor->packed : tensor->shape[0];
    for (uint32_t axis = 1; axis < tensor->rank; axis++) {
        count *= tensor->shape[axis];
    }
    return count;
}

/* All steps of a stage in an order that has nothing to do with theirs. */
static void fill_shuffled(const struct sow_kernels *kernels, unsigned char *dst,
                          enum sow_dtype dtype, const struct sow_tensor *tensor,
                          const struct sow_draw *draw, struct sow_key key)
{
    struct sow_whole_room room = sow_whole_room(tensor, draw);
    unsigned char *shared = aligned_alloc(64, room.shared + room.own + 64);
    assert_non_null(shared);
    struct sow_whole whole = sow_whole_begin(kernels, dst, dtype, tensor, draw, key, shared);
    uint64_t seed = 1;
    for (uint64_t stage = 0; stage < sow_whole_stages(&whole); stage++) {
        uint64_t steps = sow_whole_steps(&whole, stage), first = next_word(&seed) % steps;
        for (uint64_t i = 0; i < steps; i++) {
            uint64_t step = steps - 1 - (i + first) % steps;
            memset(shared + room.shared, 0xff, room.own); /* steps leave nothing to one another */
            sow_whole_step(&whole, stage, step, shared + room.shared);
        }
    }
    free(shared);
}

static void test_steps_and_instruction_sets(void **state)
{
    (void)state;
    static const enum sow_distribution distributions[] = {SOW_ORTHOGONAL, SOW_DELTA_ORTHOGONAL,
                                                          SOW_IDENTITY, SOW_HADAMARD};
    const struct sow_key key = sow_key("w", 7);
    for (size_t t = 0; t < 6; t++) {
        for (size_t d = 0; d < 4; d++) {
            struct sow_draw draw;
            if (sow_draw_whole(distributions[d], 1.25, &tensors[t], &draw, NULL) != SOW_OK) {
                continue; /* no convolution */
            }
            const enum sow_dtype dtype = (t + d) % 2 == 0 ? SOW_F64 : SOW_BF16;
            const size_t bytes = elements_of(&tensors[t]) * sow_dtype_bits(dtype) / 8;
            const uint64_t scratch_bytes = sow_whole_scratch(&tensors[t], &draw);
            unsigned char *whole = malloc(bytes + 3), *other = malloc(bytes + 3);
            void *scratch = scratch_bytes == 0 ? NULL : aligned_alloc(64, scratch_bytes);
            memset(whole, 0xa5, bytes + 3);
            sow_fill_whole(whole + 1, dtype, &tensors[t], &draw, key, scratch);
            assert_true(whole[0] == 0xa5 && whole[bytes + 1] == 0xa5);
            const struct sow_kernels *kernels;
            for (size_t i = 0; (kernels = kernels_at(i)) != NULL; i++) {
                memset(other, 0xa5, bytes + 3);
                fill_shuffled(kernels, other + 1, dtype, &tensors[t], &draw, key);
                assert_memory_equal(whole, other, bytes + 3);
            }
            free(scratch);
            free(whole);
            free(other);
        }
    }
}

static void check_refused(enum sow_distribution distribution, double gain,
                          const struct sow_tensor *tensor, enum sow_status status,
                          const char *words)
{
    struct sow_error error = {0};
    struct sow_draw draw = {.mean = 3};
    assert_int_equal(sow_draw_whole(distribution, gain, tensor, &draw, &error), status);
    assert_non_null(strstr(error.message, words));
    assert_true(draw.mean == 3);
}

static void test_refusals(void **state)
{
    (void)state;
    struct sow_tensor vector = {.rank = 1, .kind = SOW_KIND_BIAS, .shape = {8}};
    struct sow_tensor huge = sow_tensor_linear(128256, 16384), empty = sow_tensor_linear(0, 4);
    struct sow_tensor cut = sow_tensor_conv(10, 12, (const uint64_t[]){3}, 1, 1);
    cut.groups = 4;
    check_refused(SOW_ORTHOGONAL, 1, &vector, SOW_E_SHAPE, "two axes");
    check_refused(SOW_ORTHOGONAL, 1, &empty, SOW_E_SHAPE, "no size may be 0");
    check_refused(SOW_ORTHOGONAL, 1, &huge, SOW_E_UNSUPPORTED, "normal{std=");
    check_refused(SOW_ORTHOGONAL, 1, &cut, SOW_E_SHAPE, "groups");
    check_refused(SOW_ORTHOGONAL, 1e39, &tensors[0], SOW_E_ARGUMENT, "finite in float32");
    check_refused(SOW_ORTHOGONAL, NAN, &tensors[0], SOW_E_ARGUMENT, "finite in float32");
    check_refused(SOW_NORMAL, 1, &tensors[0], SOW_E_ARGUMENT, "whole tensor");
    check_refused(SOW_DELTA_ORTHOGONAL, 1, &tensors[0], SOW_E_SHAPE, "no kernel");
    struct sow_draw draw;
    assert_int_equal(sow_draw_whole(SOW_IDENTITY, 1, &huge, &draw, NULL), SOW_OK); /* no work */
}

static void test_moments(void **state)
{
    (void)state;
    struct sow_draw draw;
    double mean, std;
    assert_int_equal(sow_draw_whole(SOW_ORTHOGONAL, -2, &tensors[0], &draw, NULL), SOW_OK);
    sow_draw_moments(&draw, &mean, &std);
    assert_true(mean == 0 && fabs(std - 2 / sqrt(ROWS)) < 1e-15);
    assert_int_equal(sow_draw_whole(SOW_DELTA_ORTHOGONAL, 1, &tensors[3], &draw, NULL), SOW_OK);
    sow_draw_moments(&draw, &mean, &std);
    assert_true(fabs(std - sqrt(36.0 / (40 * 36 * 9))) < 1e-15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps_and_instruction_sets),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_moments),
    };
    return cmocka_run_group_tests(tests, make_tensors, NULL);
}
