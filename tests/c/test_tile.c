/* SPDX-License-Identifier: MIT */
/* Tiles of float32: the quick look and the general one, and vectors of two widths, give the same bits. tile.c is included,
 * so that both widths are to be had; tests/python/test_stats.py has numpy as the judge of the numbers. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "model/verify/tile.c"

#define ROUNDS 400u

static uint32_t state = 1;

static uint32_t next(void)
{
    state = state * 1664525u + 1013904223u;
    return state >> 8;
}

/* Of kind 0: any finite bits; 1: about a mean; 2: few values, zeros of both signs; 3: one value; 4: denormals and the ends
 * of the range. */
static float draw(uint32_t kind)
{
    static const float few[] = {0.0f, -0.0f, 1.0f, -1.0f, 0x1p-149f};
    static const float ends[] = {0x1.fffffep127f, -0x1.fffffep127f, 0x1p-149f, 0x1.fffffcp-127f,
                                 -0x1p-126f};
    uint32_t bits = next() << 16 ^ next();
    float value;
    if (kind == 1) {
        return 3.0f + (float)(next() & 0xffff) * 0x1p-20f;
    }
    if (kind >= 2) {
        return kind == 2 ? few[next() % 5] : kind == 3 ? 0.1f : ends[next() % 5];
    }
    bits = (bits & 0x7f800000u) == 0x7f800000u ? bits & 0xbfffffffu : bits;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void assert_same(const struct sow_moments *quick, struct sow_moments general,
                        const struct sow_moments *known)
{
    general.at_min = general.min <= known->min ? general.at_min : 0;
    general.at_max = general.max >= known->max ? general.at_max : 0;
    assert_memory_equal(quick, &general, sizeof general);
}

static void a_quick_look_gives_the_same_bits(void **unused)
{
    const struct sow_value_type *type = sow_value_type(SOW_F32);
    float values[SOW_TILE + 1];
    uint16_t keys[SOW_TILE];
    (void)unused;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint64_t count = round % 2 == 0 ? SOW_TILE : LANES * (1 + next() % (SOW_TILE / LANES));
        unsigned char *bytes = (unsigned char *)values + round % 4; /* not aligned */
        for (uint32_t i = 0; i < count; i++) {
            float value = draw(round % 5);
            memcpy(bytes + 4 * i, &value, sizeof value);
        }
        struct sow_moments known = sow_moments_none(), general, quick;
        known.min = round % 3 == 0 ? known.min : round % 3 == 1 ? -1e30 : 3.0;
        known.max = round % 3 == 0 ? known.max : round % 3 == 1 ? 1e30 : 3.0;
        assert_int_equal(sow_tile_read(type, bytes, count, 0, &general, keys), count);
        assert_int_equal(sow_tile_read_f32(bytes, count, &known, &quick), 1);
        assert_same(&quick, general, &known);
        assert_int_equal(read_f32_narrow(bytes, count, &known, &quick), 1);
        assert_same(&quick, general, &known);
        read_tile_narrow(type, bytes, count, 0, &quick, keys);
        assert_memory_equal(&quick, &general, sizeof general);
        for (uint32_t i = 0; i < count; i++) {
            assert_int_equal(keys[i], (uint32_t)bytes[4 * i + 2] | (uint32_t)bytes[4 * i + 3] << 8);
        }
    }
}

static void what_is_not_finite_or_an_odd_end_is_left_to_the_general_look(void **unused)
{
    const float bad[] = {NAN, INFINITY, -INFINITY};
    float values[SOW_TILE];
    struct sow_moments known = sow_moments_none(), moments;
    (void)unused;
    for (uint32_t i = 0; i < SOW_TILE; i++) {
        values[i] = draw(0);
    }
    assert_int_equal(sow_tile_read_f32((unsigned char *)values, 0, &known, &moments), 0);
    for (uint64_t odd = 1; odd < LANES; odd++) {
        assert_int_equal(sow_tile_read_f32((unsigned char *)values, odd, &known, &moments), 0);
    }
    for (uint32_t i = 0; i < 3 * SOW_TILE; i++) {
        float kept = values[i % SOW_TILE];
        values[i % SOW_TILE] = bad[i / SOW_TILE];
        assert_int_equal(sow_tile_read_f32((unsigned char *)values, SOW_TILE, &known, &moments), 0);
        assert_int_equal(read_f32_narrow((unsigned char *)values, SOW_TILE, &known, &moments), 0);
        values[i % SOW_TILE] = kept;
    }
    values[0] = INFINITY; /* their sum is a NaN */
    values[1] = -INFINITY;
    assert_int_equal(sow_tile_read_f32((unsigned char *)values, SOW_TILE, &known, &moments), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quick_look_gives_the_same_bits),
        cmocka_unit_test(what_is_not_finite_or_an_odd_end_is_left_to_the_general_look),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
