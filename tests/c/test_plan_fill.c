/* SPDX-License-Identifier: MIT */
/* A plan's tensors filled by any cut: the bytes of the whole, and those of the key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "model/plan/inside.h"
#include "tests/c/plan_made.h"

/* ---- Fill --------------------------------------------------------------------------------------- */

/* Element by element: the last region that has it, else the base. */
static void fill_slowly(const struct sow_plan_entry *entry, uint64_t seed, unsigned char *dst)
{
    uint64_t bytes = sow_dtype_bits(entry->dtype) / 8;
    for (uint64_t element = 0; element < entry->elements; element++) {
        const struct sow_draw *draw = &entry->draw;
        for (size_t i = 0; i < entry->region_count; i++) {
            uint64_t index = element;
            for (uint32_t axis = entry->tensor.rank - 1; axis > entry->regions[i].axis; axis--) {
                index /= entry->tensor.shape[axis];
            }
            index %= entry->tensor.shape[entry->regions[i].axis];
            if (index >= entry->regions[i].begin && index < entry->regions[i].end) {
                draw = &entry->regions[i].draw;
            }
        }
        sow_fill(dst + element * bytes, entry->dtype, element, 1, draw, sow_key(entry->key, seed));
    }
}

static void check_fill(struct sow_parameter parameter, enum sow_dtype dtype)
{
    enum { BYTES_MAX = 4096 };
    struct sow_plan *plan = one(parameter, dtype);
    const struct sow_plan_entry *entry = sow_plan_at(plan, 0);
    unsigned char expected[BYTES_MAX], found[BYTES_MAX];
    uint64_t bytes = entry->bytes / entry->elements;
    assert_true(entry->bytes <= BYTES_MAX);
    fill_slowly(entry, 7, expected);
    for (int round = 0; round < 200; round++) {
        memset(found, 0xa5, sizeof found);
        for (uint64_t at = 0, count; at < entry->elements; at += count) {
            count = round == 0 ? entry->elements : 1 + random_below(entry->elements - at);
            sow_plan_fill(entry, 7, found + at * bytes, at, count);
        }
        assert_memory_equal(found, expected, entry->bytes);
    }
    memset(found, 0xa5, sizeof found);
    sow_plan_fill(entry, 7, found + 8, 3, 0);
    assert_int_equal(found[8], 0xa5);
    sow_plan_fill(entry, 7, found + 8, 3, 5); /* nothing beside it is touched */
    assert_int_equal(found[7], 0xa5);
    assert_int_equal(found[8 + 5 * bytes], 0xa5);
    assert_memory_equal(found + 8, expected + 3 * bytes, 5 * bytes);
    sow_plan_free(plan);
}

static void fill_gives_every_cut_the_same_bytes(void **state)
{
    (void)state;
    static const enum sow_dtype dtypes[] = {SOW_F32, SOW_BF16, SOW_F64, SOW_F8_E4M3FN};
    for (size_t i = 0; i < COUNT(dtypes); i++) {
        struct sow_parameter parameter = parameter_of("w.glorot", sow_tensor_linear(12, 5));
        check_fill(parameter, dtypes[i]);
        parameter.blocks = (struct sow_blocks){.axis = 0, .count = 3, .sizes = uneven};
        check_fill(parameter, dtypes[i]);
        parameter.zero_row = 5; /* within a block */
        check_fill(parameter, dtypes[i]);
        parameter.tensor = kept(sow_tensor_linear_in_out(5, 12));
        parameter.blocks.axis = 1;
        parameter.zero_row = -1;
        check_fill(parameter, dtypes[i]);
        parameter.zero_row = 2; /* across the blocks */
        check_fill(parameter, dtypes[i]);
        const uint64_t kernel[] = {3, 2};
        parameter = parameter_of("w.glorot", sow_tensor_conv(4, 12, kernel, 2, 1));
        parameter.blocks = (struct sow_blocks){.axis = 1, .count = 3, .sizes = uneven};
        check_fill(parameter, dtypes[i]);
        parameter = parameter_of("wte.normal", sow_tensor_embedding(10, 7));
        parameter.zero_row = 0;
        check_fill(parameter, dtypes[i]);
    }
}

static void fill_draws_as_the_key(void **state)
{
    (void)state;
    struct sow_parameter parameter = parameter_of("new.normal", sow_tensor_linear(4, 4));
    parameter.key = "old.normal";
    struct sow_plan *renamed = one(parameter, 0);
    struct sow_plan *before = one(parameter_of("old.normal", *parameter.tensor), 0);
    float a[16], b[16];
    sow_plan_fill(sow_plan_at(renamed, 0), 42, a, 0, 16);
    sow_plan_fill(sow_plan_at(before, 0), 42, b, 0, 16);
    assert_memory_equal(a, b, sizeof a);
    sow_plan_free(renamed);
    sow_plan_free(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fill_gives_every_cut_the_same_bytes),
        cmocka_unit_test(fill_draws_as_the_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
