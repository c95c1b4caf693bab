/* SPDX-License-Identifier: MIT */
/* What every dtype makes of a value: each boundary between two neighbours of a narrow format, on every instruction set,
 * and constants in integers. The values themselves are test_kernels.c's. */
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

struct format {
    enum sow_dtype dtype;
    int mantissa, exponent_min; /* of the smallest normal number */
    double largest;
    int saturates;
};

static const struct format formats[] = {
    {SOW_F16, 10, -14, 65504, 0},
    {SOW_BF16, 7, -126, 0x1.fep127, 0},
    {SOW_F8_E4M3FN, 3, -6, 448, 1},
    {SOW_F8_E5M2, 2, -14, 57344, 1},
};

/* The number of `format` nearest to x, in doubles, where all of this is exact. */
static double nearest(const struct format *format, double x)
{
    double size = fabs(x);
    if (isinf(size)) {
        return copysign(format->saturates ? format->largest : INFINITY, x);
    }
    int exponent = size == 0 ? format->exponent_min : ilogb(size);
    exponent = exponent < format->exponent_min ? format->exponent_min : exponent;
    double unit = ldexp(1, exponent - format->mantissa);
    size = rint(size / unit) * unit;
    if (size > format->largest) {
        size = format->saturates ? format->largest : INFINITY;
    }
    return copysign(size, x);
}

/* What an encoding means. */
static double decode(const struct format *format, uint32_t bits)
{
    int width = (int)sow_dtype_bits(format->dtype), exponent_bits = width - 1 - format->mantissa;
    uint32_t mantissa = bits & ((1u << format->mantissa) - 1);
    int exponent = (int)(bits >> format->mantissa & ((1u << exponent_bits) - 1));
    double size = exponent == 0 ? ldexp(mantissa, format->exponent_min - format->mantissa)
                                : ldexp(mantissa + (1u << format->mantissa),
                                        exponent - 1 + format->exponent_min - format->mantissa);
    if (!format->saturates && exponent == (1 << exponent_bits) - 1) {
        size = mantissa == 0 ? INFINITY : NAN;
    }
    return bits >> (width - 1) ? -size : size;
}

/* One group of a tile at a time: a tile's order is private, so it is learnt from the float32 store. */
struct rounder {
    const struct sow_kernels *kernels;
    uint32_t group;       /* elements */
    uint32_t place[1024]; /* in the tile, of each element */
    float values[1024];   /* waiting */
    uint32_t waiting;
};

static void rounder_init(struct rounder *rounder, const struct sow_kernels *kernels)
{
    static _Alignas(SOW_TILE_ALIGN) float tile[1024];
    static float order[1024];
    rounder->kernels = kernels;
    rounder->group = kernels->group_blocks * 4;
    rounder->waiting = 0;
    for (uint32_t i = 0; i < rounder->group; i++) {
        tile[i] = (float)i;
    }
    kernels->store_f32[SOW_F32](order, tile, 1, 0);
    for (uint32_t i = 0; i < rounder->group; i++) {
        rounder->place[i] = (uint32_t)order[i];
    }
}

static void rounder_flush(struct rounder *rounder, const struct format *format)
{
    static _Alignas(SOW_TILE_ALIGN) float tile[1024];
    static _Alignas(SOW_TILE_ALIGN) unsigned char bytes[4096];
    size_t size = sow_dtype_bits(format->dtype) / 8;
    for (uint32_t i = 0; i < rounder->group; i++) {
        tile[rounder->place[i]] = i < rounder->waiting ? rounder->values[i] : 0;
    }
    rounder->kernels->store_f32[format->dtype](bytes, tile, 1, 0);
    for (uint32_t i = 0; i < rounder->waiting; i++) {
        uint16_t as_16;
        memcpy(&as_16, bytes + 2 * i, sizeof as_16);
        uint32_t bits = size == 2 ? as_16 : bytes[i];
        double found = decode(format, bits), expected = nearest(format, (double)rounder->values[i]);
        if (found != expected || signbit(found) != signbit(expected)) {
            fail_msg("%s stores %a in %s as %a, not %a", rounder->kernels->isa,
                     (double)rounder->values[i], sow_dtype_name(format->dtype), found, expected);
        }
    }
    rounder->waiting = 0;
}

static void round_value(struct rounder *rounder, const struct format *format, double x)
{
    float value = (float)x;
    if (isnan(value)) {
        return;
    }
    rounder->values[rounder->waiting++] = value;
    if (rounder->waiting == rounder->group) {
        rounder_flush(rounder, format);
    }
}

/* Every number of the format, every midpoint to the next, and the floats on either side of both. */
static void test_rounding_at_every_boundary(void **state)
{
    (void)state;
    static struct rounder rounder;
    const struct sow_kernels *kernels;
    for (size_t k = 0; (kernels = kernels_at(k)) != NULL; k++) {
        rounder_init(&rounder, kernels);
        for (size_t f = 0; f < COUNT(formats); f++) {
            const struct format *format = &formats[f];
            uint32_t codes = 1u << (sow_dtype_bits(format->dtype) - 1);
            for (uint32_t code = 0; code + 1 < codes; code++) {
                double low = decode(format, code), high = decode(format, code + 1);
                double points[2] = {low, isinf(high) ? format->largest *
                                                           (1 + ldexp(1, -format->mantissa - 2))
                                                     : 0.5 * low + 0.5 * high};
                for (size_t p = 0; p < 2; p++) {
                    float point = (float)points[p];
                    for (int sign = -1; sign <= 1; sign += 2) {
                        round_value(&rounder, format, sign * points[p]);
                        round_value(&rounder, format, (double)(sign * nextafterf(point, INFINITY)));
                        round_value(&rounder, format, (double)(sign * nextafterf(point, 0)));
                    }
                }
            }
            const double extremes[] = {0,
                                       -0.0,
                                       0x1p-149,
                                       -0x1p-149,
                                       0x1.fffffep127,
                                       -0x1.fffffep127,
                                       INFINITY,
                                       -INFINITY,
                                       65519.99,
                                       65520,
                                       464,
                                       465,
                                       61440,
                                       1e30};
            for (size_t e = 0; e < COUNT(extremes); e++) {
                round_value(&rounder, format, extremes[e]);
            }
            uint64_t random = 11;
            for (int i = 0; i < 100000; i++) {
                round_value(&rounder, format, (double)float32((uint32_t)next_word(&random)));
            }
            rounder_flush(&rounder, format);
        }
    }
}

static void test_integers_take_constants(void **state)
{
    (void)state;
    static const struct {
        enum sow_dtype dtype;
        double value;
        uint64_t bits;
    } rows[] = {
        {SOW_I8, 2.5, 2},
        {SOW_I8, 3.5, 4},
        {SOW_I8, -128.5, 0x80},
        {SOW_I8, -1, 0xff},
        {SOW_I8, 1e9, 0x7f},
        {SOW_U8, -1, 0},
        {SOW_U8, 255.5, 0xff},
        {SOW_I16, -40000, 0x8000},
        {SOW_U16, 65534.5, 65534},
        {SOW_I32, -0x1p31, 0x80000000u},
        {SOW_U32, 0x1p32, 0xffffffffu},
        {SOW_I64, 0x1p63, INT64_MAX},
        {SOW_I64, -0x1p63, 0x8000000000000000u},
        {SOW_I64, -1, UINT64_MAX},
        {SOW_U64, 0x1p64, UINT64_MAX},
        {SOW_U64, 0x1.8p63, 0xc000000000000000u},
        {SOW_BOOL, 1, 1},
        {SOW_BOOL, 7, 1},
        {SOW_BOOL, 0, 0},
        {SOW_BOOL, -3, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct sow_draw draw = {.distribution = SOW_CONSTANT, .mean = rows[i].value};
        size_t size = sow_dtype_bits(rows[i].dtype) / 8;
        unsigned char bytes[32];
        memset(bytes, 0x5a, sizeof bytes);
        sow_fill(bytes, rows[i].dtype, 1, 3, &draw, sow_key("", 0));
        for (size_t element = 0; element < 3; element++) {
            uint64_t found = 0;
            uint8_t as_8;
            uint16_t as_16;
            uint32_t as_32;
            memcpy(&as_8, bytes + element * size, 1);
            memcpy(&as_16, bytes + element * size, 2);
            memcpy(&as_32, bytes + element * size, 4);
            memcpy(&found, bytes + element * size, 8);
            found = size == 1 ? as_8 : size == 2 ? as_16 : size == 4 ? as_32 : found;
            assert_true(found == rows[i].bits);
        }
        assert_int_equal(bytes[3 * size], 0x5a);
    }
    /* nothing else is written at all */
    unsigned char bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    const struct sow_draw uniform = {.distribution = SOW_UNIFORM, .low = -0.05, .high = 0.05};
    sow_fill(bytes, SOW_I8, 0, 8, &uniform, sow_key("", 0));
    const struct sow_draw tenth = {.distribution = SOW_CONSTANT, .mean = 0.1};
    sow_fill(bytes, SOW_F4, 0, 8, &tenth, sow_key("", 0));
    assert_memory_equal(bytes, "\1\2\3\4\5\6\7\10", 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rounding_at_every_boundary),
        cmocka_unit_test(test_integers_take_constants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
