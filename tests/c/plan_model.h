/* SPDX-License-Identifier: MIT */
/* A model and its rules put together in C, for the tests of plans: these functions stand in for the
 * readers and the Lua host, so that a test says in a few lines what a recipe would.
 * Include it once in a test program; nothing else of it may call sow_model_load. */
#ifndef SOW_TESTS_PLAN_MODEL_H
#define SOW_TESTS_PLAN_MODEL_H

#include "model/recipe/rule.h"
#include "core/base/error.h"
#include "model/plan/fields.h"

#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct sow_model {
    struct sow_graph graph;
    const struct sow_rule_match *rules; /* first match wins */
    size_t rule_count;
    enum sow_dtype dtype;
};

struct sow_rules {
    const struct sow_model *model;
};

const struct sow_graph *sow_model_graph(const struct sow_model *model)
{
    return &model->graph;
}

enum sow_dtype sow_model_dtype(const struct sow_model *model)
{
    return model->dtype;
}

const char *sow_model_family(const struct sow_model *model)
{
    (void)model;
    return "test";
}

const struct sow_variant *sow_model_variant(const struct sow_model *model, size_t index)
{
    static const struct sow_variant variant = {"authors", "A. Author 2020, section 3", 1};
    (void)model;
    return index == 0 ? &variant : NULL;
}

const char *sow_model_note(const struct sow_model *model, size_t index)
{
    (void)model;
    return index == 0 ? "head_dim is absent: 16" : NULL;
}

enum sow_status sow_rules_make(struct sow_model *model, const struct sow_plan_options *options,
                               struct sow_rules **rules, struct sow_error *error)
{
    (void)options;
    *rules = malloc(sizeof **rules);
    if (*rules == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory");
    }
    (*rules)->model = model;
    return SOW_OK;
}

void sow_rules_free(struct sow_rules *rules)
{
    free(rules);
}

enum sow_status sow_rules_match(struct sow_rules *rules, size_t index, struct sow_rule_match *match,
                                struct sow_error *error)
{
    const char *name = rules->model->graph.parameters[index].name;
    for (size_t i = 0; i < rules->model->rule_count; i++) {
        const struct sow_rule_match *rule = &rules->model->rules[i];
        if (strcmp(rule->glob, "*") == 0 || fnmatch(rule->glob, name, 0) == 0) {
            *match = *rule;
            return SOW_OK;
        }
    }
    return sow_fail(error, SOW_E_RULE, "no rule for `%s`", name);
}

enum sow_status sow_rules_check_used(const struct sow_rules *rules, struct sow_error *error)
{
    (void)rules;
    (void)error;
    return SOW_OK;
}

enum sow_status sow_rules_check_fit(const struct sow_rules *rules, struct sow_error *error)
{
    (void)rules;
    (void)error;
    return SOW_OK;
}

/* Of the config that this model has not. */
void sow_plan_fields(const struct sow_model *model, const char *words, struct sow_plan_text *text)
{
    (void)model;
    if (strstr(words, "initializer_range") != NULL) {
        sow_plan_text_add(text, "initializer_range = 0.02 (config.json:12)");
    }
}

/* rule(glob, scheme) without arguments, and with one number. */
static inline struct sow_rule_match plain_rule(const char *glob, const char *scheme)
{
    struct sow_rule_match rule = {.scheme = scheme, .glob = glob, .text = "rule(...)"};
    rule.file = "test.lua";
    rule.line = 7;
    rule.variant = "authors";
    rule.reason = "";
    return rule;
}

static inline struct sow_rule_match number_rule(const char *glob, const char *scheme,
                                                const char *name, double number)
{
    struct sow_rule_match rule = plain_rule(glob, scheme);
    rule.arguments[0] = (struct sow_argument){.name = name, .number = number};
    rule.argument_count = 1;
    return rule;
}

/* That tensor for as long as the program runs, as a model keeps it: tests need few. */
static inline const struct sow_tensor *kept(struct sow_tensor tensor)
{
    static struct sow_tensor all[64];
    static size_t count;
    size_t i = 0;
    while (i < count && memcmp(&all[i], &tensor, sizeof tensor) != 0) {
        i++;
    }
    if (i == sizeof all / sizeof all[0]) {
        abort();
    }
    all[i] = tensor;
    count += i == count;
    return &all[i];
}

static inline struct sow_parameter parameter_of(const char *name, struct sow_tensor tensor)
{
    return (struct sow_parameter){.name = name,
                                  .tensor = kept(tensor),
                                  .zero_row = -1,
                                  .role = "",
                                  .layer = -1,
                                  .file = "test.lua",
                                  .line = 3};
}

static inline struct sow_tensor vector_of(uint64_t size)
{
    return (struct sow_tensor){.shape = {size}, .rank = 1, .kind = SOW_KIND_BIAS};
}

static inline struct sow_model model_of(const struct sow_parameter *parameters, size_t count,
                                        const struct sow_rule_match *rules, size_t rule_count)
{
    return (struct sow_model){.graph = {.parameters = parameters, .parameter_count = count},
                              .rules = rules,
                              .rule_count = rule_count};
}

#endif
