/* SPDX-License-Identifier: MIT */
/* A few elements of a wide type that stay in the cache while they are looked at twice. */
#ifndef SOW_VERIFY_TILE_H
#define SOW_VERIFY_TILE_H

#include "model/verify/tally.h"

#define SOW_TILE 1024u /* elements */

/* Moments of `count` elements, the first of which is element `first` of its tensor, and the keys of the finite ones, whose
 * number it returns. */
uint64_t sow_tile_read(const struct sow_value_type *type, const unsigned char *bytes,
                       uint64_t count, uint64_t first, struct sow_moments *moments,
                       uint16_t keys[SOW_TILE]);

/* The same moments of float32, quicker, or 0 when the tile has something else than finite values or is an odd end. Keys are
 * not made: they are the leading halves of the elements. at_min and at_max are left 0 where they cannot matter, `known`
 * being what comes before. */
int sow_tile_read_f32(const unsigned char *bytes, uint64_t count, const struct sow_moments *known,
                      struct sow_moments *moments);

#endif
