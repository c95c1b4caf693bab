/* SPDX-License-Identifier: MIT */
/* Rows of a label and a text, wrapped for a person at 100 columns. */
#ifndef SOW_PLAN_SHEET_H
#define SOW_PLAN_SHEET_H

#include "model/plan/text.h"

struct sow_sheet {
    struct sow_plan_text out;
    struct sow_plan_text line; /* of the row in the making */
};

/* Puts the line out under `label` and empties it; nothing for an empty line. Line breaks in it stay. */
void sow_sheet_row(struct sow_sheet *sheet, const char *label);
/* An empty line. */
void sow_sheet_gap(struct sow_sheet *sheet);
/* Hands the text over, as sow_plan_text_take does, and frees the sheet. */
enum sow_status sow_sheet_take(struct sow_sheet *sheet, char **text, struct sow_error *error);

#endif
