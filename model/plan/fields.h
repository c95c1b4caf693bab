/* SPDX-License-Identifier: MIT */
/* Which fields of the model's config a rule speaks of, with their values and where they stand. */
#ifndef SOW_PLAN_FIELDS_H
#define SOW_PLAN_FIELDS_H

#include "model/graph/model.h"
#include "model/plan/text.h"

/* Adds a line for every field of the config whose name is a word of `words`: "n_layer = 12 (config.json:9)", or
 * what the reader assumed where the field is absent. Nothing for a model without a config. */
void sow_plan_fields(const struct sow_model *model, const char *words, struct sow_plan_text *text);

#endif
