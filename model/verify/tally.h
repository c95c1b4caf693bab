/* SPDX-License-Identifier: MIT */
/* Counting a tensor's elements: how often each key, and the moments of what is too wide to be counted by its bits. */
#ifndef SOW_VERIFY_TALLY_H
#define SOW_VERIFY_TALLY_H

#include <stdatomic.h>

#include "model/verify/value.h"

/* Of finite values, about their own mean: m2 is the sum of squares, and so on. */
struct sow_moments {
    uint64_t finite, nan, inf, zeros, at_min, at_max;
    uint64_t first_bad; /* UINT64_MAX when there is none */
    double mean, m2, m3, m4, min, max;
};

/* Starts with nothing in it. */
struct sow_moments sow_moments_none(void);
/* Adds `next`, which comes after (Pebay 2008). The order decides the last bits. */
void sow_moments_join(struct sow_moments *moments, const struct sow_moments *next);

/* A tensor that is more than one part: what its parts have added so far. */
struct sow_ledger {
    _Atomic uint64_t *counts;    /* one a key */
    struct sow_moments *blocks;  /* of wide types */
    _Atomic uint64_t bytes_left; /* whoever takes the last finishes it */
    _Atomic uint64_t first_bad;
};
struct sow_ledger *sow_ledger_new(const struct sow_value_type *type, uint64_t bytes);
void sow_ledger_free(struct sow_ledger *ledger);

/* A worker's tables; empty between two parts. */
struct sow_tally {
    uint32_t counts[2][SOW_KEYS_MAX]; /* equal neighbours must not wait for each other */
    unsigned char touched[SOW_KEYS_MAX / 64];
    struct sow_cell *cells; /* room for one a key, made on first use */
    double *values;
    size_t cell_count;
};
struct sow_tally *sow_tally_new(void);
void sow_tally_free(struct sow_tally *tally);

/* Counts `count` elements, which begin a block at element `first`; moments of wide types go to blocks[0...]. */
void sow_tally_add(struct sow_tally *tally, const struct sow_value_type *type, uint64_t first,
                   const unsigned char *bytes, uint64_t count, struct sow_moments *blocks);
/* Empties the tables into the ledger; `first` and `bytes` are those of the part. */
void sow_tally_post(struct sow_tally *tally, const struct sow_value_type *type, uint64_t first,
                    const unsigned char *bytes, uint64_t count, struct sow_ledger *ledger);

/* The cells, ascending, and what the counts tell of the moments (all of a narrow type; a wide type's are those of its
 * blocks): of the tables' own counts, which are emptied, or of a ledger's. SOW_E_MEMORY. */
enum sow_status sow_tally_finish(struct sow_tally *tally, const struct sow_value_type *type,
                                 uint64_t count, const unsigned char *bytes,
                                 const struct sow_ledger *ledger, struct sow_moments *moments,
                                 struct sow_error *error);

#endif
