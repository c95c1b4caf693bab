/* SPDX-License-Identifier: MIT */
/* Each element is mixed to 32 bits that are 0 for all bits 0; rows sum them and their squares, columns sum them alone. */
#include "model/check/order.h"

#include <stdlib.h>
#include <string.h>

#define ROWS_MAX    ((uint64_t)1 << 22)
#define COLUMNS_MAX ((uint64_t)1 << 18)
#define PIECE       4096u /* elements mixed at a time where rows are not kept */

#define INLINE static inline __attribute__((always_inline))

INLINE uint32_t mix(uint32_t bits)
{
    bits *= 0x9e3779b1u;
    bits ^= bits >> 15;
    bits *= 0x85ebca77u;
    return bits ^ bits >> 13;
}

/* 16 bits need less: one product, which a vector makes of twice as many. */
INLINE uint32_t mix_half(uint32_t bits)
{
    bits *= 0x9e37u;
    return bits ^ bits >> 15;
}

INLINE uint32_t load(const unsigned char *bytes, uint32_t width)
{
    uint32_t low = 0;
    uint16_t half;
    uint64_t all;
    if (width == 1) {
        return bytes[0];
    }
    if (width == 2) {
        memcpy(&half, bytes, sizeof half);
        return half;
    }
    if (width == 4) {
        memcpy(&low, bytes, sizeof low);
        return low;
    }
    memcpy(&all, bytes, sizeof all);
    return (uint32_t)all * 0xc2b2ae3du + (uint32_t)(all >> 32);
}

INLINE uint32_t mix_at(const unsigned char *bytes, uint32_t width)
{
    uint32_t bits = load(bytes, width);
    return width == 2 ? mix_half(bits) : mix(bits);
}

/* A row, or a part of one, beginning at the column that `columns` (may be NULL) is the sum of. */
INLINE uint64_t sum_row(const unsigned char *bytes, uint64_t count, uint32_t width,
                        uint32_t *columns)
{
    uint32_t first = 0, second = 0;
    if (columns == NULL) {
        for (uint64_t i = 0; i < count; i++) {
            uint32_t mixed = mix_at(bytes + i * width, width);
            first += mixed;
            second += mixed * mixed;
        }
    } else {
        for (uint64_t i = 0; i < count; i++) {
            uint32_t mixed = mix_at(bytes + i * width, width);
            columns[i] += mixed;
            first += mixed;
            second += mixed * mixed;
        }
    }
    return (uint64_t)second << 32 | first;
}

INLINE uint64_t sum_any(const unsigned char *bytes, uint64_t count, uint32_t width,
                        uint32_t *columns)
{
    switch (width) {
    case 1:
        return sum_row(bytes, count, 1, columns);
    case 2:
        return sum_row(bytes, count, 2, columns);
    case 4:
        return sum_row(bytes, count, 4, columns);
    default:
        return sum_row(bytes, count, 8, columns);
    }
}

typedef uint64_t sum_fn(const unsigned char *bytes, uint64_t count, uint32_t width,
                        uint32_t *columns);

static uint64_t sum_narrow(const unsigned char *bytes, uint64_t count, uint32_t width,
                           uint32_t *columns)
{
    return sum_any(bytes, count, width, columns);
}

#if defined(__x86_64__) && defined(__GNUC__)
#define HAS_WIDE 1
__attribute__((target("avx2"))) static uint64_t sum_wide(const unsigned char *bytes, uint64_t count,
                                                         uint32_t width, uint32_t *columns)
{
    return sum_any(bytes, count, width, columns);
}
#endif

static sum_fn *choose(void)
{
#ifdef HAS_WIDE
    if (__builtin_cpu_supports("avx2")) {
        return sum_wide;
    }
#endif
    return sum_narrow;
}

/* Both halves apart: a carry from one would depend on the order. */
static void add(uint64_t *sum, uint64_t more)
{
    uint64_t known = __atomic_load_n(sum, __ATOMIC_RELAXED), next;
    do {
        next = ((known >> 32) + (more >> 32)) << 32 | (uint32_t)((uint32_t)known + (uint32_t)more);
    } while (
        !__atomic_compare_exchange_n(sum, &known, next, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}

int sow_order_begin(struct sow_order *order, const uint64_t *shape, uint32_t rank, uint32_t width)
{
    *order = (struct sow_order){.rows = rank > 0 ? shape[0] : 1, .columns = 1, .width = width};
    for (uint32_t axis = 1; axis < rank; axis++) {
        order->columns *= shape[axis]; /* of a tensor in a file: it fits */
    }
    if (order->rows < 2 || order->columns < 2) {
        return 0;
    }
    if (order->rows <= ROWS_MAX) {
        order->row_sums = calloc(order->rows, sizeof order->row_sums[0]);
    }
    if (order->columns <= COLUMNS_MAX) {
        order->column_sums = calloc(order->columns, sizeof order->column_sums[0]);
    }
    int failed = (order->rows <= ROWS_MAX && order->row_sums == NULL) ||
                 (order->columns <= COLUMNS_MAX && order->column_sums == NULL);
    if (failed) {
        sow_order_end(order);
    }
    return failed;
}

void sow_order_end(struct sow_order *order)
{
    free(order->row_sums);
    free(order->column_sums);
    order->row_sums = NULL;
    order->column_sums = NULL;
}

/* Where rows are not kept, pieces stand for them. */
static uint64_t add_pieces(sum_fn *sum, uint64_t count, uint32_t width, const unsigned char *bytes)
{
    uint64_t total = 0;
    for (uint64_t begin = 0; begin < count; begin += PIECE) {
        uint64_t part = count - begin < PIECE ? count - begin : PIECE;
        add(&total, sum(bytes + begin * width, part, width, NULL));
    }
    return total;
}

int sow_order_add(struct sow_order *order, uint64_t first, uint64_t count,
                  const unsigned char *bytes)
{
    sum_fn *sum = choose();
    uint64_t width = order->width, columns = order->columns, total = 0;
    uint32_t *mine = NULL;
    if (order->row_sums == NULL && order->column_sums == NULL) {
        add(&order->total, add_pieces(sum, count, order->width, bytes));
        return 0;
    }
    if (order->column_sums != NULL) {
        mine = calloc(columns, sizeof mine[0]);
        if (mine == NULL) {
            return -1;
        }
    }
    for (uint64_t at = 0; at < count;) {
        uint64_t row = (first + at) / columns, column = (first + at) % columns;
        uint64_t part = columns - column < count - at ? columns - column : count - at;
        uint64_t sums =
            sum(bytes + at * width, part, order->width, mine == NULL ? NULL : mine + column);
        if (order->row_sums != NULL) {
            add(&order->row_sums[row], sums);
        }
        add(&total, sums);
        at += part;
    }
    for (uint64_t i = 0; mine != NULL && i < columns; i++) {
        __atomic_fetch_add(&order->column_sums[i], mine[i], __ATOMIC_RELAXED);
    }
    free(mine);
    add(&order->total, total);
    return 0;
}
