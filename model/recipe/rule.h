/* SPDX-License-Identifier: MIT */
/* Rules as the plan sees them: for each parameter the scheme that the first matching rule gives, with its arguments
 * evaluated. The Lua behind it stays in this folder. */
#ifndef SOW_RECIPE_RULE_H
#define SOW_RECIPE_RULE_H

#include "model/graph/model.h"

#define SOW_RULE_ARGUMENTS_MAX 16

/* The rule that claimed a parameter, evaluated for it. Strings live as long as the rule set. */
struct sow_rule_match {
    const char *scheme; /* as written; resolved by the catalogue */
    struct sow_argument arguments[SOW_RULE_ARGUMENTS_MAX]; /* numbers or words */
    size_t argument_count;
    const char *glob;
    const char *text; /* the rule's source line(s), for explain; "" when unknown */
    const char *file; /* "gpt2.lua", the --rules file's path, or "--set" */
    uint32_t line;
    const char *variant; /* NULL for the user's own rules */
    const char *reason;  /* words for the plan */
    int padding_drawn;   /* the variant draws the row that the model says is zero */
};

struct sow_rules; /* opaque: --set, --rules and the variant, in that order */

/* Gathers the rules for this model. Errors: unknown variant (nearest), syntax errors with file:line, SOW_E_ARGUMENT for a
 * malformed --set. The caller owns *rules; it must be freed before the model. */
enum sow_status sow_rules_make(struct sow_model *model, const struct sow_plan_options *options,
                               struct sow_rules **rules, struct sow_error *error);
void sow_rules_free(struct sow_rules *rules);

#define SOW_RULE_BUFFER "buffer" /* glob and file of a buffer's own claim */
#define SOW_RULE_LAYER  "layer"

/* The first rule that matches parameter `index` of the model's graph. SOW_E_RULE when none does, naming the tensor and
 * what to write. Marks the rule as used. A buffer starts as its layer says unless a rule names it: a glob whose last
 * dotted part is written out. */
enum sow_status sow_rules_match(struct sow_rules *rules, size_t index, struct sow_rule_match *match,
                                struct sow_error *error);

/* After all parameters were matched: SOW_E_RULE for a rule that claimed none (file:line, the glob, nearest names). */
enum sow_status sow_rules_check_used(const struct sow_rules *rules, struct sow_error *error);
/* The same, but a rule is well when it fits a tensor that earlier rules claim. */
enum sow_status sow_rules_check_fit(const struct sow_rules *rules, struct sow_error *error);

/* Glob match on the whole name: '*' any run (dots included), '?' one character, '[abc]' a set, '{a,b}' alternatives.
 * Linear time in pattern x name; no recursion on input. */
int sow_glob_match(const char *glob, const char *name);

#endif
