/* SPDX-License-Identifier: MIT */
/* What the forms of a draw - in the plan's JSON, in a record, in the hash - share: a distribution's name and which of a
 * draw's numbers it has. One table (form.c); to tell of a new distribution is one row there. */
#ifndef SOW_PLAN_FORM_H
#define SOW_PLAN_FORM_H

#include "sow/sow.h"

/* The numbers of a draw, in the order that every form has them in. */
enum sow_number { SOW_MEAN, SOW_STD, SOW_LOW, SOW_HIGH, SOW_SHIFT, SOW_GAIN, SOW_NUMBERS };
extern const char *const sow_number_names[SOW_NUMBERS]; /* "mean", ... */
double sow_draw_number(const struct sow_draw *draw, enum sow_number number);

/* "normal", ...; NULL for a value that is no distribution. */
const char *sow_distribution_name(enum sow_distribution distribution);
/* Nonzero when `word` names one. */
int sow_distribution_parse(const char *word, enum sow_distribution *distribution);
enum sow_has { SOW_HAS_NOT, SOW_HAS, SOW_HAS_OR_INFINITE };
enum sow_has sow_distribution_has(enum sow_distribution distribution, enum sow_number number);

/* Through the functions that make draws, so that numbers which cannot be are refused. A draw of a whole tensor has
 * its gain only: the rest follows from a tensor (sow_draw_whole). */
enum sow_status sow_draw_from(enum sow_distribution distribution, const double numbers[SOW_NUMBERS],
                              struct sow_draw *draw, struct sow_error *error);
/* Bit for bit, in the numbers that its distribution has. */
int sow_draw_equal(const struct sow_draw *a, const struct sow_draw *b);

#endif
