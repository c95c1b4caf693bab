/* SPDX-License-Identifier: MIT */
/* Rows of a label and a text: "  label     words and words", further lines under the words. */
#include "model/plan/sheet.h"

#include <string.h>

#define COLUMNS      100u
#define LABEL_COLUMN 2u
#define TEXT_COLUMN  12u

/* Columns that bytes take: one a UTF-8 sequence. */
static size_t columns_of(const char *bytes, size_t length)
{
    size_t columns = 0;
    for (size_t i = 0; i < length; i++) {
        columns += ((unsigned char)bytes[i] & 0xc0) != 0x80;
    }
    return columns;
}

static void put_blanks(struct sow_plan_text *out, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        sow_plan_text_bytes(out, " ", 1);
    }
}

/* A line of the text, broken at blanks where it would pass the last column. */
static void put_line(struct sow_plan_text *out, const char *line, size_t length, size_t column)
{
    size_t at = 0;
    int first = 1;
    while (at < length) {
        size_t blanks = strspn(line + at, " ");
        blanks = blanks < length - at ? blanks : length - at;
        size_t word = strcspn(line + at + blanks, " \n");
        size_t columns = columns_of(line + at + blanks, word);
        if (!first && column + blanks + columns > COLUMNS) {
            sow_plan_text_add(out, "\n");
            put_blanks(out, TEXT_COLUMN);
            column = TEXT_COLUMN;
            blanks = 0;
            at += strspn(line + at, " ");
        }
        sow_plan_text_bytes(out, line + at, blanks + word);
        column += blanks + columns;
        at += blanks + word;
        first = 0;
    }
    sow_plan_text_add(out, "\n");
}

void sow_sheet_row(struct sow_sheet *sheet, const char *label)
{
    if (sheet->line.length == 0) {
        return;
    }
    size_t label_columns = columns_of(label, strlen(label));
    put_blanks(&sheet->out, LABEL_COLUMN);
    sow_plan_text_add(&sheet->out, label);
    put_blanks(&sheet->out, label_columns + LABEL_COLUMN < TEXT_COLUMN
                                ? TEXT_COLUMN - LABEL_COLUMN - label_columns
                                : 1);
    const char *at = sheet->line.bytes;
    while (*at != '\0') {
        size_t length = strcspn(at, "\n");
        put_line(&sheet->out, at, length, TEXT_COLUMN);
        at += length;
        if (*at == '\n') {
            at++;
            put_blanks(&sheet->out, *at != '\0' ? TEXT_COLUMN : 0);
        }
    }
    sheet->out.failed |= sheet->line.failed;
    sheet->line.length = 0;
    sheet->line.bytes[0] = '\0';
}

void sow_sheet_gap(struct sow_sheet *sheet)
{
    sow_plan_text_add(&sheet->out, "\n");
}

enum sow_status sow_sheet_take(struct sow_sheet *sheet, char **text, struct sow_error *error)
{
    sheet->out.failed |= sheet->line.failed;
    sow_plan_text_free(&sheet->line);
    return sow_plan_text_take(&sheet->out, text, error);
}
