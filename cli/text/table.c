/* SPDX-License-Identifier: MIT */
/* Tables: two blanks between columns, one where the whole would be wider than the terminal. */
#include "table.h"

#include <string.h>

static int gap_of(const struct sow_table *table)
{
    size_t total = 0;
    for (int column = 0; column < table->columns; column++) {
        total += table->widths[column] + (column > 0 ? 2 : 0);
    }
    return total > (size_t)sow_cli_width() ? 1 : 2;
}

/* Prints one row; the last cell that is not empty ends it, so no line ends in blanks. */
static void print(const struct sow_table *table, const char *const *cells, enum sow_style style)
{
    int colored = table->colored && style != SOW_PLAIN;
    size_t blanks = 0;
    fputs(sow_cli_style(style, colored), stdout);
    for (int column = 0; column < table->columns; column++) {
        size_t width = sow_cli_columns(cells[column]), room = table->widths[column];
        size_t pad = room > width ? room - width : 0;
        int right = (int)(table->right >> column & 1);
        if (width > 0) {
            printf("%*s%s", (int)(blanks + (right ? pad : 0)), "", cells[column]);
            blanks = 0;
        }
        blanks += (width > 0 && right ? 0 : pad) + (size_t)table->gap;
    }
    printf("%s\n", sow_cli_style(SOW_PLAIN, colored));
}

static void measure(struct sow_table *table, const char *const *cells)
{
    for (int column = 0; column < table->columns; column++) {
        size_t width = sow_cli_columns(cells[column]);
        table->widths[column] = width > table->widths[column] ? width : table->widths[column];
    }
}

int sow_cli_table_pass(struct sow_table *table)
{
    if (table->printing) {
        table->printing = 0;
        for (int column = 0; column < table->columns; column++) {
            sow_cli_text_free(&table->cells[column]);
        }
        return 0;
    }
    table->printing = table->measuring;
    table->measuring = !table->printing;
    if (table->printing) {
        table->gap = gap_of(table);
        print(table, table->titles, SOW_BOLD);
        return 1;
    }
    measure(table, table->titles);
    for (int column = 0; column < table->columns; column++) {
        sow_cli_text_clear(&table->cells[column]);
    }
    return 1;
}

void sow_cli_table_row(struct sow_table *table)
{
    const char *texts[SOW_TABLE_COLUMNS_MAX];
    for (int column = 0; column < table->columns; column++) {
        texts[column] = table->cells[column].bytes;
    }
    if (table->printing) {
        print(table, texts, SOW_PLAIN);
    } else {
        measure(table, texts);
    }
    for (int column = 0; column < table->columns; column++) {
        sow_cli_text_clear(&table->cells[column]);
    }
}

void sow_cli_table_leave_out(const struct sow_table *table)
{
    if (table->printing) {
        puts("...");
    }
}
