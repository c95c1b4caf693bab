/* SPDX-License-Identifier: MIT */
/* From an element's bits to its value. Only for showing values: what is compared and written is bits. */
#include "model/plan/value.h"
#include "model/plan/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* A small float: sign, `exponent_bits`, `fraction_bits`. Infinities exist unless `finite_only`, where only
 * the all-ones pattern is no number (OCP 8-bit E4M3). */
struct small_float {
    int exponent_bits, fraction_bits, finite_only;
};

static double power_of_two(int exponent)
{
    double power = 1;
    for (; exponent > 0; exponent--) {
        power *= 2;
    }
    for (; exponent < 0; exponent++) {
        power /= 2;
    }
    return power;
}

static double small_value(struct small_float format, uint32_t bits)
{
    uint32_t fraction_max = (UINT32_C(1) << format.fraction_bits) - 1;
    uint32_t exponent_max = (UINT32_C(1) << format.exponent_bits) - 1;
    uint32_t fraction = bits & fraction_max;
    uint32_t exponent = bits >> format.fraction_bits & exponent_max;
    double sign = bits >> (format.fraction_bits + format.exponent_bits) & 1 ? -1 : 1;
    int bias = (int)(exponent_max >> 1);
    if (exponent == exponent_max && !format.finite_only) {
        return fraction == 0 ? sign * (double)INFINITY : (double)NAN;
    }
    if (exponent == exponent_max && fraction == fraction_max) {
        return (double)NAN;
    }
    double significand = (double)(exponent == 0 ? fraction : fraction + fraction_max + 1);
    int shift = (exponent == 0 ? 1 : (int)exponent) - bias - format.fraction_bits;
    return sign * significand * power_of_two(shift);
}

static double float_value(enum sow_dtype dtype, const void *bytes)
{
    static const struct small_float f16 = {5, 10, 0}, e5m2 = {5, 2, 0}, e4m3 = {4, 3, 1};
    uint64_t bits64;
    uint32_t bits32;
    uint16_t bits16;
    uint8_t bits8;
    float single;
    double number;
    switch (dtype) {
    case SOW_F64:
        memcpy(&bits64, bytes, sizeof bits64);
        memcpy(&number, &bits64, sizeof number);
        return number;
    case SOW_F32:
        memcpy(&single, bytes, sizeof single);
        return (double)single;
    case SOW_BF16:
        memcpy(&bits16, bytes, sizeof bits16);
        bits32 = (uint32_t)bits16 << 16;
        memcpy(&single, &bits32, sizeof single);
        return (double)single;
    case SOW_F16:
        memcpy(&bits16, bytes, sizeof bits16);
        return small_value(f16, bits16);
    case SOW_F8_E4M3FN:
        memcpy(&bits8, bytes, sizeof bits8);
        return small_value(e4m3, bits8);
    case SOW_F8_E5M2:
        memcpy(&bits8, bytes, sizeof bits8);
        return small_value(e5m2, bits8);
    default:
        return (double)NAN;
    }
}

/* An integer of `dtype` widened; nonzero in *negative when it is -*magnitude. */
static int integer_value(enum sow_dtype dtype, const void *bytes, uint64_t *magnitude,
                         int *negative)
{
    int is_signed = dtype == SOW_I64 || dtype == SOW_I32 || dtype == SOW_I16 || dtype == SOW_I8;
    int is_unsigned = dtype == SOW_U64 || dtype == SOW_U32 || dtype == SOW_U16 || dtype == SOW_U8 ||
                      dtype == SOW_BOOL;
    uint64_t bits = 0;
    if (!is_signed && !is_unsigned) {
        return 0;
    }
    uint32_t width = sow_dtype_bits(dtype);
    if (width == 64) {
        memcpy(&bits, bytes, 8);
    } else if (width == 32) {
        uint32_t bits32;
        memcpy(&bits32, bytes, 4);
        bits = bits32;
    } else if (width == 16) {
        uint16_t bits16;
        memcpy(&bits16, bytes, 2);
        bits = bits16;
    } else {
        bits = *(const unsigned char *)bytes;
    }
    *negative = is_signed && bits >> (width - 1) & 1;
    *magnitude = !*negative ? bits : (~bits + 1) & (UINT64_MAX >> (64 - width));
    return 1;
}

double sow_value(enum sow_dtype dtype, const void *bytes)
{
    uint64_t magnitude;
    int negative;
    if (integer_value(dtype, bytes, &magnitude, &negative)) {
        return negative ? -(double)magnitude : (double)magnitude;
    }
    return float_value(dtype, bytes);
}

void sow_value_text(enum sow_dtype dtype, const void *bytes, char out[32])
{
    uint64_t magnitude;
    int negative;
    if (integer_value(dtype, bytes, &magnitude, &negative)) {
        snprintf(out, 32, "%s%" PRIu64, negative ? "-" : "", magnitude);
    } else if (dtype == SOW_F64) {
        sow_plan_number(float_value(dtype, bytes), out);
    } else {
        sow_plan_number_f32((float)float_value(dtype, bytes), out);
    }
}
