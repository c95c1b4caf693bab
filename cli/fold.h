/* SPDX-License-Identifier: MIT */
/* Rows of a plan: one an entry, or, folded, one for all entries that differ in nothing but numbers of their names
 * ("h.{0..11}.ln_1.weight"). A number is a dotted part of the name made of digits. */
#ifndef SOW_CLI_FOLD_H
#define SOW_CLI_FOLD_H

#include "format.h"

#define SOW_FOLD_NUMBERS_MAX 3

struct sow_fold_number {
    uint32_t begin, end;  /* bytes of the name */
    uint32_t first, last; /* its value; a range once folded */
};

struct sow_fold_row {
    size_t index;   /* of its first entry */
    uint64_t count; /* of entries */
    uint32_t number_count;
    struct sow_fold_number numbers[SOW_FOLD_NUMBERS_MAX];
};

struct sow_fold {
    const struct sow_plan *plan;
    struct sow_fold_row *rows; /* in the plan's order */
    size_t count;
};

/* Free with free(fold.rows). */
struct sow_fold sow_cli_fold(const struct sow_plan *plan, int folded);

/* Adds bytes [begin, end) of the row's name, ranges written as {0..11}; `begin` and `end` are of the first entry's name
 * and cut no number. */
void sow_cli_fold_name(const struct sow_fold *fold, const struct sow_fold_row *row, size_t begin,
                       size_t end, struct sow_cli_text *text);
/* End of the part of the name up to its last range and the dot behind it; 0 when there is no range. */
size_t sow_cli_fold_prefix(const struct sow_fold *fold, const struct sow_fold_row *row);

#endif
