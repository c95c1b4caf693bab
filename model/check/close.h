/* SPDX-License-Identifier: MIT */
/* Pairs of lines (rows or columns) that point nearly the same way, found without looking at all pairs: from a few sums of
 * each. No file in here: near.c reads. */
#ifndef SOW_CHECK_CLOSE_H
#define SOW_CHECK_CLOSE_H

#include <stddef.h>
#include <stdint.h>

#define SOW_SKETCH 8

/* One minus the cosine from which on two lines are near, and the distance of their unit vectors. */
#define SOW_NEAR_COSINE 1e-6
#define SOW_NEAR_CHORD  1.4142137e-3

/* Sums of a line's elements with signs, element k in sum k mod 8, and of their squares. */
struct sow_sketch {
    float sums[SOW_SKETCH];
    float squares;
};

struct sow_pair {
    size_t a, b; /* a < b */
};

/* Divides the sums by the root of `squares` times that of the number of elements in each, length / 8 rounded up: of two
 * lines that are near they then differ by at most SOW_NEAR_CHORD, as a vector of 8; where the sums are of m elements of n
 * alone, by sqrt(n / m) times that if those hold their share of the squares. */
void sow_sketch_scale(struct sow_sketch *sketch, uint64_t length);

/* Pairs among `count` scaled sketches whose sums differ by `reach` or less: all that can be near lines, and others. Those of zeros
 * (squares 0) are in none. Ascending, each once, at most `room`; *looked, if not NULL: pairs that were compared. Of a crowd
 * where all are near all, only some. Returns how many; SIZE_MAX without memory. */
size_t sow_close_pairs(const struct sow_sketch *sketches, size_t count, double reach,
                       struct sow_pair *pairs, size_t room, uint64_t *looked);

#endif
