/* SPDX-License-Identifier: MIT */
/* Tables: two blanks between columns, one where the whole would be wider than the terminal. Where that is not enough
 * for a terminal, spare columns are left out and the first one shows ends. */
#include "table.h"

#include <string.h>

static int is_left_out(const struct sow_table *table, int column)
{
    return (int)(table->left_out >> column & 1);
}

/* Of all columns behind the first, with what stands between. */
static size_t width_behind(const struct sow_table *table, size_t gap)
{
    size_t total = 0;
    for (int column = 1; column < table->columns; column++) {
        total += is_left_out(table, column) ? 0 : gap + table->widths[column];
    }
    return total;
}

static void fit(struct sow_table *table)
{
    size_t room = (size_t)sow_cli_width(), first = table->widths[0];
    size_t least = table->least > 0 && table->least < first ? table->least : first;
    table->gap = width_behind(table, 2) + first > room ? 1 : 2;
    if (sow_cli_given_width() == 0) { /* a pipe or a file: who reads it wants all of it */
        return;
    }
    for (int column = table->columns - 1; column > 0; column--) {
        if ((table->spare >> column & 1) != 0 && width_behind(table, 1) + least > room) {
            table->left_out |= 1u << column;
        }
    }
    size_t behind = width_behind(table, 1);
    if (least < first && behind + first > room) {
        table->widths[0] = behind + least > room ? least : room - behind;
    }
}

/* Prints one row; the last cell that is not empty ends it, so no line ends in blanks. */
static void print(const struct sow_table *table, const char *const *cells, enum sow_style style)
{
    int colored = table->colored && style != SOW_PLAIN;
    size_t blanks = 0;
    struct sow_cli_text first = {0};
    sow_cli_add_tail(&first, cells[0], table->widths[0]);
    fputs(sow_cli_style(style, colored), stdout);
    for (int column = 0; column < table->columns; column++) {
        const char *cell = column > 0 ? cells[column] : first.bytes;
        size_t width = sow_cli_columns(cell), room = table->widths[column];
        size_t pad = room > width ? room - width : 0;
        int right = (int)(table->right >> column & 1);
        if (is_left_out(table, column)) {
            continue;
        }
        if (width > 0) {
            printf("%*s%s", (int)(blanks + (right ? pad : 0)), "", cell);
            blanks = 0;
        }
        blanks += (width > 0 && right ? 0 : pad) + (size_t)table->gap;
    }
    printf("%s\n", sow_cli_style(SOW_PLAIN, colored));
    sow_cli_text_free(&first);
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
        fit(table);
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
