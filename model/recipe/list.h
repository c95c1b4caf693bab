/* SPDX-License-Identifier: MIT */
/* Arguments of schemes that are lists of numbers: from Lua, or from a file that the user names. */
#ifndef SOW_RECIPE_LIST_H
#define SOW_RECIPE_LIST_H

#include "model/recipe/rules.h"

#define SOW_LIST_NUMBERS_MAX (UINT32_C(1) << 20)

/* The Lua list of numbers on top of the stack, copied into the rules' arena. Raises a Lua error. */
void sow_list_from_lua(struct sow_rules *rules, struct sow_argument *argument);
/* Arguments that are lists and were given as a text: the file of that name. A recipe reaches nothing
 * outside itself, so that only --set and --rules may. SOW_E_RULE, SOW_E_IO, SOW_E_SYNTAX with the line. */
enum sow_status sow_list_read_files(struct sow_rules *rules, enum sow_rule_origin origin,
                                    struct sow_rule_match *match, struct sow_error *error);

#endif
