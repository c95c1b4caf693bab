/* SPDX-License-Identifier: MIT */
/* From a parameter and the rule that claimed it to a resolution, each distinct one kept once. */
#ifndef SOW_PLAN_RESOLVE_H
#define SOW_PLAN_RESOLVE_H

#include "model/plan/inside.h"
#include "model/recipe/rule.h"

/* The resolutions of a plan in the making. */
struct sow_resolver {
    struct sow_model *model;
    struct sow_plan *plan;           /* resolutions live in its arena */
    struct sow_plan_text key;        /* scratch */
    struct sow_resolver_slot *slots; /* open addressing; capacity is a power of two */
    size_t count, capacity;
};

/* SOW_E_ARGUMENT for a scheme that a --set got wrong, SOW_E_RULE for one of a file, SOW_E_SHAPE for fans
 * that are needed and not there or blocks that do not fit. */
enum sow_status sow_resolver_resolve(struct sow_resolver *resolver,
                                     const struct sow_parameter *parameter,
                                     const struct sow_rule_match *match,
                                     const struct sow_resolution **resolution,
                                     struct sow_error *error);
/* One, not looked up: fills *made, which is zeroed. Same errors. */
enum sow_status sow_resolve(struct sow_resolver *resolver, const struct sow_parameter *parameter,
                            const struct sow_rule_match *match, struct sow_resolution *made,
                            struct sow_error *error);
void sow_resolver_free(struct sow_resolver *resolver);

#endif
