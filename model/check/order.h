/* SPDX-License-Identifier: MIT */
/* Sums over a tensor's rows and columns that do not depend on the order of the elements: what has the same values has the
 * same sums, in any order, and else hardly ever. What is suspected is read again before it is told. */
#ifndef SOW_CHECK_ORDER_H
#define SOW_CHECK_ORDER_H

#include <stddef.h>
#include <stdint.h>

/* Row r is elements [r columns, (r + 1) columns). Too many rows or columns, and their sums are not kept. */
struct sow_order {
    uint64_t rows, columns; /* of the view as a matrix */
    uint32_t width;         /* bytes of an element */
    uint64_t total;         /* of all elements; atomic */
    uint64_t *row_sums;     /* NULL: not kept; atomic */
    uint32_t *column_sums;  /* likewise */
};

/* Decides what is kept of a tensor of this shape, and makes room. Nonzero without memory. */
int sow_order_begin(struct sow_order *order, const uint64_t *shape, uint32_t rank, uint32_t width);
/* Adds elements [first, first + count). From any thread, each element once. Nonzero without memory. */
int sow_order_add(struct sow_order *order, uint64_t first, uint64_t count,
                  const unsigned char *bytes);
void sow_order_end(struct sow_order *order);

#endif
