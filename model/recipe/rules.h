/* SPDX-License-Identifier: MIT */
/* A gathered rule set, for rule.c (gathering) and claim.c (matching) only. */
#ifndef SOW_RECIPE_RULES_H
#define SOW_RECIPE_RULES_H

#include "model/match/match.h"
#include "model/recipe/glob.h"
#include "model/recipe/host.h"
#include "model/recipe/rule.h"

enum sow_rule_origin { SOW_RULE_SET, SOW_RULE_FILE, SOW_RULE_SCHEME, SOW_RULE_VARIANT };

struct sow_rule {
    struct sow_glob *glob;
    enum sow_rule_origin origin;
    struct sow_rule_match match; /* scheme and arguments only when `constant` */
    int reference;               /* of the Lua table that evaluate() takes */
    int constant, used;
    int names_tensors; /* the glob's last dotted part is written out: it may claim buffers */
};

struct sow_rules {
    struct sow_host *host;
    struct sow_rule *rules;
    size_t count, capacity;
    int padding_drawn;             /* as in struct sow_rule_match */
    struct sow_matching *matching; /* what claims the rest, when the variant is `matched` */
    struct sow_arena arena;
};

/* Errors of a --set (or --scheme) name the option as it was written; SOW_E_ARGUMENT. */
enum sow_status sow_rules_blame_option(const char *option, const char *value,
                                       struct sow_error *error);

/* A function of the prelude, on top of the stack. */
void sow_rules_push_bridge(lua_State *L, const char *name);

#endif
