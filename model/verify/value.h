/* SPDX-License-Identifier: MIT */
/* What the bits of an element mean: its value, its place among the others, the numbers that round to it. */
#ifndef SOW_VERIFY_VALUE_H
#define SOW_VERIFY_VALUE_H

#include "model/verify/statistics.h"

#define SOW_KEYS_MAX 65536u

enum sow_encoding {
    SOW_ENCODING_OPAQUE, /* bytes without a value */
    SOW_ENCODING_IEEE,   /* sign, exponent, mantissa; the highest exponent is infinity and NaN */
    SOW_ENCODING_FN,     /* all ones is NaN, no infinity */
    SOW_ENCODING_FNUZ,   /* minus zero is NaN, no infinity */
    SOW_ENCODING_POWER,  /* 2^(bits - bias), all ones is NaN */
    SOW_ENCODING_SIGNED,
    SOW_ENCODING_UNSIGNED,
    SOW_ENCODING_BOOL,
};

struct sow_value_type {
    enum sow_dtype dtype;
    enum sow_encoding encoding;
    uint32_t width;         /* bytes; of an opaque type 1: its elements are taken as bytes */
    uint32_t mantissa_bits; /* of those narrower than 32 bits */
    int bias;
};

/* Never NULL: what is not known is opaque. */
const struct sow_value_type *sow_value_type(enum sow_dtype dtype);

/* Types of 1 and 2 bytes are counted by their bits. The others are, by the leading bits of their float32. */
static inline int sow_value_narrow(const struct sow_value_type *type)
{
    return type->encoding != SOW_ENCODING_OPAQUE && type->width <= 2;
}
static inline uint32_t sow_value_keys(const struct sow_value_type *type)
{
    return type->width == 1 ? 256 : SOW_KEYS_MAX;
}
/* The value of a narrow type's bits; NAN and INFINITY where they are. */
double sow_value_of(const struct sow_value_type *type, uint32_t bits);
/* The key that stands at `place` of the order of values, -0 before +0 and NaN outside. */
uint32_t sow_value_ordered(const struct sow_value_type *type, uint32_t place);
/* Ends of the cell of a key whose value is finite. */
void sow_value_cell(const struct sow_value_type *type, uint32_t key, double *low, double *high);

/* Representable values between two elements of a floating type, +0 and -0 being one. */
uint64_t sow_value_ulps(const struct sow_value_type *type, const unsigned char *a,
                        const unsigned char *b);
/* Whether sow_value_ulps makes sense: a floating type with a sign. */
int sow_value_floating(const struct sow_value_type *type);

#endif
