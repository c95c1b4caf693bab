/* SPDX-License-Identifier: MIT */
/* Parts of explain that have a file of their own. */
#ifndef SOW_PLAN_EXPLAIN_H
#define SOW_PLAN_EXPLAIN_H

#include "model/plan/inside.h"
#include "model/plan/sheet.h"

/* The row "fans": the true ones, what the frameworks would take of the shape where that differs, why,
 * and what it does to the variance. Nothing for a tensor without fans. */
void sow_explain_fans(struct sow_sheet *sheet, const struct sow_plan_entry *entry,
                      const struct sow_resolution *resolution);
/* "fan_in 4, fan_out differs" at the end of the line. */
void sow_explain_two_fans(struct sow_sheet *sheet, double in, double out);

#endif
