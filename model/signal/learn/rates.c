/* SPDX-License-Identifier: MIT */
/* Learning rates by tensor, in the language of rules: "GLOB=EXPRESSION" is planned as the rule GLOB=constant{value=
 * EXPRESSION}, and the plan's constants are the rates. */
#include <math.h> /* isfinite: macro */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "model/signal/learn/learn.h"

#define RATE_DEFAULT 0.001

/* The first `=` outside of brackets, as rules are cut; NULL when there is none. */
static const char *find_equals(const char *text)
{
    int depth = 0;
    for (; *text != '\0'; text++) {
        depth += *text == '[' || *text == '{' ? 1 : *text == ']' || *text == '}' ? -1 : 0;
        if (*text == '=' && depth <= 0) {
            return text;
        }
    }
    return NULL;
}

static char *rule_of(const char *rate)
{
    const char *equals = find_equals(rate);
    size_t size = strlen(rate) + sizeof "=constant{value=()}";
    char *rule = equals != NULL ? malloc(size) : NULL;
    if (rule != NULL) {
        snprintf(rule, size, "%.*s=constant{value=(%s)}", (int)(equals - rate), rate, equals + 1);
    }
    return rule;
}

/* The planner speaks of --set and of a constant; here it is --lr and a rate. */
static enum sow_status blame(const struct sow_learn_options *options, char *const *rules,
                             const struct sow_error *cause, struct sow_error *error)
{
    const char *said = cause->message, *constant;
    char quoted[400] = "", rest[768];
    for (size_t i = 0; i < options->rate_count && quoted[0] == '\0'; i++) {
        size_t length = strlen(rules[i]);
        if (strncmp(said, "--set '", 7) == 0 && strncmp(said + 7, rules[i], length) == 0 &&
            said[7 + length] == '\'') {
            snprintf(quoted, sizeof quoted, "--lr '%.300s'", options->rates[i]);
            said += 8 + length;
        }
    }
    constant = strstr(said, "value of constant");
    if (constant != NULL) {
        snprintf(rest, sizeof rest, "%.*sthe learning rate%s", (int)(constant - said), said,
                 constant + sizeof "value of constant" - 1);
        said = rest;
    }
    return sow_fail_at(error, cause->code, quoted[0] == '\0' ? "--lr" : NULL, 0, 0, "%s%s", quoted,
                       said);
}

static enum sow_status take(const struct sow_plan *plan, const struct sow_plan *planned,
                            double *rates, struct sow_error *error)
{
    for (size_t i = 0; i < sow_plan_count(plan); i++) {
        const struct sow_plan_entry *entry = sow_plan_at(planned, i);
        rates[i] = entry->draw.mean;
        if (!isfinite(rates[i]) || rates[i] < 0) {
            return sow_fail_at(error, SOW_E_ARGUMENT, "--lr", 0, 0,
                               "the learning rate of %.200s is %g; it is a finite number, "
                               "at least 0",
                               entry->name, rates[i]);
        }
    }
    return SOW_OK;
}

/* `rules` has room for one more than there are rates: that of all other tensors. */
static enum sow_status fill(struct sow_model *model, const struct sow_plan *plan,
                            const struct sow_learn_options *options, char **rules, double *rates,
                            struct sow_error *error)
{
    char rest[64];
    struct sow_error cause;
    struct sow_plan *planned = NULL;
    for (size_t i = 0; i < options->rate_count; i++) {
        rules[i] = rule_of(options->rates[i]);
        if (rules[i] == NULL) {
            return sow_fail(error, SOW_E_ARGUMENT,
                            "--lr '%.300s' is not GLOB=RATE; write for example --lr "
                            "'*.weight=0.1/fan_in'",
                            options->rates[i]);
        }
    }
    snprintf(rest, sizeof rest, "*=constant{value=%.17g}",
             options->rate == 0 ? RATE_DEFAULT : options->rate);
    rules[options->rate_count] = rest;
    struct sow_plan_options planning = {.sets = (const char *const *)rules,
                                        .set_count = options->rate_count + 1,
                                        .dtype = SOW_F64,
                                        .may_shadow = 1};
    enum sow_status status = sow_plan_make(model, &planning, &planned, &cause);
    status =
        status == SOW_OK ? take(plan, planned, rates, error) : blame(options, rules, &cause, error);
    rules[options->rate_count] = NULL;
    sow_plan_free(planned);
    return status;
}

enum sow_status sow_rates_fill(struct sow_model *model, const struct sow_plan *plan,
                               const struct sow_learn_options *options, double *rates,
                               struct sow_error *error)
{
    char **rules = calloc(options->rate_count + 1, sizeof *rules);
    if (rules == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory");
    }
    enum sow_status status = fill(model, plan, options, rules, rates, error);
    for (size_t i = 0; i < options->rate_count; i++) {
        free(rules[i]);
    }
    free(rules);
    return status;
}
