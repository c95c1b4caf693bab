/* SPDX-License-Identifier: MIT */
/* Aligned columns in two passes: each row is made twice, once to be measured, once to be printed. Nothing is kept but
 * widths.
 *
 *     struct sow_table table = {.columns = 2, .titles = {"layer", "std"}};
 *     while (sow_cli_table_pass(&table)) {
 *         for (...) { add to table.cells[0] and table.cells[1]; sow_cli_table_row(&table); }
 *     } */
#ifndef SOW_CLI_TABLE_H
#define SOW_CLI_TABLE_H

#include "format.h"

#define SOW_TABLE_COLUMNS_MAX 8

struct sow_table {
    int columns;
    const char *titles[SOW_TABLE_COLUMNS_MAX];
    unsigned right; /* bit a column: aligned to the right */
    unsigned
        spare; /* bit a column: left out, the last first, where all of them would be too wide */
    size_t
        least; /* columns of the first column's ends that stay where it is too wide; 0: all stay */
    int colored;
    struct sow_cli_text cells[SOW_TABLE_COLUMNS_MAX]; /* of the next row */
    int measuring, printing;                          /* which pass this is */
    size_t widths[SOW_TABLE_COLUMNS_MAX];
    unsigned left_out; /* of `spare` */
    int gap;           /* between columns */
};

/* Begins the first pass, then the second, for which it prints the titles; then 0, and nothing is left to free. */
int sow_cli_table_pass(struct sow_table *table);
/* Takes the row of `cells`, which are empty afterwards. */
void sow_cli_table_row(struct sow_table *table);
/* "...": rows are left out here. */
void sow_cli_table_leave_out(const struct sow_table *table);

#endif
