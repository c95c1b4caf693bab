/* SPDX-License-Identifier: MIT */
/* Formats: IEEE 754; bfloat16; FP8 formats for deep learning (Micikevicius et al. 2022), their FNUZ relatives
 * (Noune et al. 2022) and the scale type of OCP MX 1.0. */
#include "model/verify/value.h"

#include <endian.h>
#include <math.h>
#include <string.h>

static const struct sow_value_type types[] = {
    {SOW_F64, SOW_ENCODING_IEEE, 8, 52, 1023},     {SOW_F32, SOW_ENCODING_IEEE, 4, 23, 127},
    {SOW_F16, SOW_ENCODING_IEEE, 2, 10, 15},       {SOW_BF16, SOW_ENCODING_IEEE, 2, 7, 127},
    {SOW_F8_E5M2, SOW_ENCODING_IEEE, 1, 2, 15},    {SOW_F8_E4M3FN, SOW_ENCODING_FN, 1, 3, 7},
    {SOW_F8_E4M3FNUZ, SOW_ENCODING_FNUZ, 1, 3, 8}, {SOW_F8_E5M2FNUZ, SOW_ENCODING_FNUZ, 1, 2, 16},
    {SOW_F8_E8M0, SOW_ENCODING_POWER, 1, 0, 127},  {SOW_I64, SOW_ENCODING_SIGNED, 8, 0, 0},
    {SOW_I32, SOW_ENCODING_SIGNED, 4, 0, 0},       {SOW_I16, SOW_ENCODING_SIGNED, 2, 0, 0},
    {SOW_I8, SOW_ENCODING_SIGNED, 1, 0, 0},        {SOW_U64, SOW_ENCODING_UNSIGNED, 8, 0, 0},
    {SOW_U32, SOW_ENCODING_UNSIGNED, 4, 0, 0},     {SOW_U16, SOW_ENCODING_UNSIGNED, 2, 0, 0},
    {SOW_U8, SOW_ENCODING_UNSIGNED, 1, 0, 0},      {SOW_BOOL, SOW_ENCODING_BOOL, 1, 0, 0},
};
static const struct sow_value_type opaque = {0, SOW_ENCODING_OPAQUE, 1, 0, 0};

const struct sow_value_type *sow_value_type(enum sow_dtype dtype)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (types[i].dtype == dtype) {
            return &types[i];
        }
    }
    return &opaque;
}

int sow_value_known(enum sow_dtype dtype)
{
    return sow_value_type(dtype)->encoding != SOW_ENCODING_OPAQUE;
}

int sow_value_floating(const struct sow_value_type *type)
{
    return type->encoding == SOW_ENCODING_IEEE || type->encoding == SOW_ENCODING_FN ||
           type->encoding == SOW_ENCODING_FNUZ;
}

static int is_sign_magnitude(const struct sow_value_type *type)
{
    return !sow_value_narrow(type) || sow_value_floating(type);
}

/* 2^exponent * (1 + mantissa / 2^bits), within float64's normal range. */
static double compose(int exponent, uint32_t mantissa, uint32_t bits)
{
    uint64_t whole =
        (uint64_t)(exponent + 1023) << 52 | (bits == 0 ? 0 : (uint64_t)mantissa << (52 - bits));
    double value;
    memcpy(&value, &whole, sizeof value);
    return value;
}

/* Of a narrow floating type; also what would come after the largest, infinity and NaN taken as numbers. */
static double magnitude(const struct sow_value_type *type, uint32_t bits)
{
    uint32_t mantissa = bits & ((1u << type->mantissa_bits) - 1);
    int exponent = (int)(bits >> type->mantissa_bits);
    if (exponent == 0 && type->encoding != SOW_ENCODING_POWER) {
        return (double)mantissa * compose(1 - type->bias - (int)type->mantissa_bits, 0, 0);
    }
    return compose(exponent - type->bias, mantissa, type->mantissa_bits);
}

static double value_of_float(const struct sow_value_type *type, uint32_t bits)
{
    uint32_t sign = sow_value_keys(type) / 2, rest = bits & (sign - 1);
    uint32_t highest = (sign - 1) >> type->mantissa_bits << type->mantissa_bits;
    if (type->encoding == SOW_ENCODING_IEEE && rest >= highest) {
        double infinite = (bits & sign) != 0 ? -INFINITY : INFINITY;
        return rest == highest ? infinite : NAN;
    }
    if ((type->encoding == SOW_ENCODING_FN && rest == sign - 1) ||
        (type->encoding == SOW_ENCODING_FNUZ && bits == sign)) {
        return NAN;
    }
    return (bits & sign) != 0 ? -magnitude(type, rest) : magnitude(type, rest);
}

double sow_value_of(const struct sow_value_type *type, uint32_t bits)
{
    uint32_t keys = sow_value_keys(type);
    switch (type->encoding) {
    case SOW_ENCODING_POWER:
        return bits == keys - 1 ? NAN : magnitude(type, bits);
    case SOW_ENCODING_SIGNED:
        return bits < keys / 2 ? (double)bits : (double)bits - (double)keys;
    case SOW_ENCODING_UNSIGNED:
        return (double)bits;
    case SOW_ENCODING_BOOL:
        return bits != 0;
    case SOW_ENCODING_OPAQUE:
        return NAN;
    default:
        return value_of_float(type, bits);
    }
}

uint32_t sow_value_ordered(const struct sow_value_type *type, uint32_t place)
{
    uint32_t keys = sow_value_keys(type), half = keys / 2;
    if (is_sign_magnitude(type)) {
        return place < half ? keys - 1 - place : place - half;
    }
    if (type->encoding == SOW_ENCODING_SIGNED) {
        return place < half ? half + place : place - half;
    }
    return place;
}

/* Of the leading 16 bits of a float32: all that begin with them. */
static void leading_cell(uint32_t key, double *low, double *high)
{
    uint32_t ends[2] = {(key & 0x7fffu) << 16, ((key & 0x7fffu) + 1) << 16};
    float values[2];
    memcpy(values, ends, sizeof values);
    double begin = (double)values[0],
           end = key == 0x7f7fu || key == 0xff7fu ? 0x1p128 : (double)values[1];
    *low = (key & 0x8000u) != 0 ? -end : begin;
    *high = (key & 0x8000u) != 0 ? -begin : end;
}

void sow_value_cell(const struct sow_value_type *type, uint32_t key, double *low, double *high)
{
    if (!sow_value_narrow(type)) {
        leading_cell(key, low, high);
        return;
    }
    if (!sow_value_floating(type) && type->encoding != SOW_ENCODING_POWER) {
        double value = sow_value_of(type, key);
        *low = value - 0.5;
        *high = value + 0.5;
        return;
    }
    uint32_t sign = type->encoding == SOW_ENCODING_POWER ? 256 : sow_value_keys(type) / 2;
    uint32_t rest = key & (sign - 1);
    double value = magnitude(type, rest), after = (value + magnitude(type, rest + 1)) / 2;
    double before = rest > 0 ? (value + magnitude(type, rest - 1)) / 2 : value + value - after;
    *low = (key & sign) != 0 ? -after : before;
    *high = (key & sign) != 0 ? -before : after;
}

static uint64_t load(const unsigned char *bytes, uint32_t width)
{
    uint64_t bits = 0;
    for (uint32_t i = 0; i < width; i++) {
        bits |= (uint64_t)bytes[i] << (8 * i);
    }
    return bits;
}

uint64_t sow_value_ulps(const struct sow_value_type *type, const unsigned char *a,
                        const unsigned char *b)
{
    uint64_t sign = (uint64_t)1 << (8 * type->width - 1);
    uint64_t left = load(a, type->width), right = load(b, type->width);
    uint64_t left_size = left & (sign - 1), right_size = right & (sign - 1);
    if ((left & sign) != (right & sign)) {
        return left_size + right_size;
    }
    return left_size > right_size ? left_size - right_size : right_size - left_size;
}

static inline uint32_t get_32(const unsigned char *bytes)
{
    uint32_t bits;
    memcpy(&bits, bytes, sizeof bits);
    return le32toh(bits);
}

static inline uint64_t get_64(const unsigned char *bytes)
{
    uint64_t bits;
    memcpy(&bits, bytes, sizeof bits);
    return le64toh(bits);
}

static inline double float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

/* One loop a type, for the compiler to vectorise. */
static void load_32(enum sow_dtype dtype, const unsigned char *bytes, uint64_t count, double *out)
{
    if (dtype == SOW_F32) {
        for (uint64_t i = 0; i < count; i++) {
            out[i] = float_of(get_32(bytes + 4 * i));
        }
    } else if (dtype == SOW_I32) {
        for (uint64_t i = 0; i < count; i++) {
            out[i] = (double)(int32_t)get_32(bytes + 4 * i);
        }
    } else {
        for (uint64_t i = 0; i < count; i++) {
            out[i] = (double)get_32(bytes + 4 * i);
        }
    }
}

static void load_64(enum sow_dtype dtype, const unsigned char *bytes, uint64_t count, double *out)
{
    if (dtype == SOW_F64) {
        for (uint64_t i = 0; i < count; i++) {
            uint64_t bits = get_64(bytes + 8 * i);
            memcpy(out + i, &bits, sizeof bits);
        }
    } else if (dtype == SOW_I64) {
        for (uint64_t i = 0; i < count; i++) {
            out[i] = (double)(int64_t)get_64(bytes + 8 * i);
        }
    } else {
        for (uint64_t i = 0; i < count; i++) {
            out[i] = (double)get_64(bytes + 8 * i);
        }
    }
}

void sow_values_f64(enum sow_dtype dtype, const unsigned char *bytes, uint64_t count, double *out)
{
    const struct sow_value_type *type = sow_value_type(dtype);
    if (type->width == 8) {
        load_64(dtype, bytes, count, out);
    } else if (type->width == 4) {
        load_32(dtype, bytes, count, out);
    } else {
        for (uint64_t i = 0; i < count; i++) {
            uint32_t bits = (uint32_t)load(bytes + i * type->width, type->width);
            out[i] = dtype == SOW_BF16 ? float_of(bits << 16) : sow_value_of(type, bits);
        }
    }
}

void sow_values_f32(enum sow_dtype dtype, const unsigned char *bytes, uint64_t count, float *out)
{
    double tile[256];
    for (uint64_t at = 0; at < count;) {
        uint64_t part = count - at < 256 ? count - at : 256;
        sow_values_f64(dtype, bytes + at * sow_value_type(dtype)->width, part, tile);
        for (uint64_t i = 0; i < part; i++) {
            out[at + i] = (float)tile[i];
        }
        at += part;
    }
}
