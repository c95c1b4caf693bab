/* SPDX-License-Identifier: MIT */
/* Rows of a table of tensors: one each, or, folded, one for all that differ in nothing but numbers of their names
 * ("h.{0..11}.ln_1.weight"). A number is a dotted part of the name made of digits. */
#ifndef SOW_CLI_FOLD_H
#define SOW_CLI_FOLD_H

#include "table.h"

#define SOW_FOLD_NUMBERS_MAX 3

struct sow_fold_number {
    uint32_t begin, end;  /* bytes of the name */
    uint32_t first, last; /* its value; a range once folded */
};

struct sow_fold_row {
    size_t index;      /* of its first entry */
    size_t head, tail; /* of the list of its entries, by number: fold.next */
    uint64_t count;    /* of entries */
    uint32_t number_count;
    struct sow_fold_number numbers[SOW_FOLD_NUMBERS_MAX];
};

/* What is folded: names, and the order of everything that a row shows but the name (0: the same). */
struct sow_fold_source {
    const void *of;
    size_t count;
    const char *(*name)(const void *of, size_t index);
    int (*compare)(const void *of, size_t a, size_t b);
};

struct sow_fold {
    struct sow_fold_source source;
    struct sow_fold_row *rows; /* in the source's order */
    size_t count;
    size_t *next; /* one an entry */
    /* of sow_cli_fold_print: what stands above the rows, that of this row, that of a neighbour */
    struct sow_cli_text above, shared, other;
};

struct sow_fold sow_cli_fold(const struct sow_fold_source *source, int folded);
struct sow_fold sow_cli_fold_plan(const struct sow_plan *plan, int folded);
void sow_cli_fold_free(struct sow_fold *fold);

/* Adds bytes [begin, end) of the row's name, ranges written as {0..11}; `begin` and `end` are of the first entry's name
 * and cut no number. */
void sow_cli_fold_name(const struct sow_fold *fold, const struct sow_fold_row *row, size_t begin,
                       size_t end, struct sow_cli_text *text);

/* Of one row: `prefix` bytes of its name stand in a line above. */
typedef void sow_cli_fold_fn(void *context, const struct sow_fold_row *row, size_t prefix);

/* Prints the table: `cells` fills those of a row, `below` prints what belongs under it (NULL for nothing). What neighbours'
 * names share, up to the last range and the dot behind it, is printed once, on a line of its own. */
void sow_cli_fold_print(struct sow_fold *fold, struct sow_table *table, sow_cli_fold_fn *cells,
                        sow_cli_fold_fn *below, void *context);

#endif
