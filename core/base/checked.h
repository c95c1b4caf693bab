/* SPDX-License-Identifier: MIT */
/* Checked 64-bit arithmetic: every product or sum of numbers from outside goes through here.
 * Each function returns nonzero when the result does not fit, and then leaves *result alone. */
#ifndef SOW_BASE_CHECKED_H
#define SOW_BASE_CHECKED_H

#include <stdint.h>

static inline int sow_add_u64(uint64_t a, uint64_t b, uint64_t *result)
{
    uint64_t sum;
    if (__builtin_add_overflow(a, b, &sum)) {
        return 1;
    }
    *result = sum;
    return 0;
}

static inline int sow_mul_u64(uint64_t a, uint64_t b, uint64_t *result)
{
    uint64_t product;
    if (__builtin_mul_overflow(a, b, &product)) {
        return 1;
    }
    *result = product;
    return 0;
}

/* Product of `rank` sizes; 1 for rank 0. */
static inline int sow_product_u64(const uint64_t *shape, uint32_t rank, uint64_t *result)
{
    uint64_t product = 1;
    int zero = 0;
    for (uint32_t axis = 0; axis < rank; axis++) {
        zero |= shape[axis] == 0;
    }
    for (uint32_t axis = 0; !zero && axis < rank; axis++) {
        if (sow_mul_u64(product, shape[axis], &product)) {
            return 1;
        }
    }
    *result = zero ? 0 : product;
    return 0;
}

#endif
