/* SPDX-License-Identifier: MIT */
/* Aligned columns in two passes: show every row to the measure, then print each. Nothing is kept but widths. */
#ifndef SOW_CLI_TABLE_H
#define SOW_CLI_TABLE_H

#include "format.h"

#define SOW_TABLE_COLUMNS_MAX 8

struct sow_table {
    int columns;
    const char *titles[SOW_TABLE_COLUMNS_MAX];
    unsigned right; /* bit a column: aligned to the right */
    size_t widths[SOW_TABLE_COLUMNS_MAX];
    int colored;
    int gap; /* between columns, set with the title */
};

void sow_cli_table_measure(struct sow_table *table, const struct sow_cli_text *cells);
void sow_cli_table_title(struct sow_table *table);
void sow_cli_table_row(const struct sow_table *table, const struct sow_cli_text *cells);

#endif
