/* SPDX-License-Identifier: MIT */
/* Recipes written to a folder of their own and loaded, and the rules of a model: for the tests of both. Not
 * a test. */
#ifndef SOW_TESTS_RECIPE_FILES_H
#define SOW_TESTS_RECIPE_FILES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/graph/model.h"
#include "model/recipe/rule.h"
#include "tests/c/scratch.h"

static inline enum sow_status try_load(const char *name, const char *text, struct sow_model **model,
                                       struct sow_error *error)
{
    *model = NULL;
    error->code = SOW_OK;
    return sow_model_load(write_text(name, text), NULL, model, error);
}

static inline struct sow_model *load(const char *name, const char *text)
{
    struct sow_model *model;
    struct sow_error error;
    if (try_load(name, text, &model, &error) != SOW_OK) {
        fail_msg("%s:%u: %s", error.file, error.line, error.message);
    }
    return model;
}

/* ---- Rules of a model --- */

static const char net[] =
    "local x = input { \"batch\", 784 }\n"
    "x = x >> linear(\"in\", 784, 256) >> activation(\"relu\")\n"
    "x = repeated(\"h\", 3, x, function(x)\n"
    "    return x + (x >> linear(\"f\", 256, 256) >> activation(\"relu\"))\n"
    "end)\n"
    "x = x >> linear(\"out\", 256, 10, { layout = \"in-out\" })\n"
    "param(\"scale\", { 3 })\n"
    "param(\"qkv\", { 30, 10 }, { kind = \"linear\", blocks = { 10, 10, 10 } })\n"
    "param(\"odd\", { 30, 10 }, { kind = \"linear\", blocks = { 10, 20 } })\n";

/* The rules of a model with these --set options and this rules file; the error otherwise. */
static inline enum sow_status make(struct sow_model *model, const char *set, const char *other,
                                   const char *file, struct sow_rules **rules,
                                   struct sow_error *error)
{
    const char *sets[] = {set, other};
    struct sow_plan_options options = {.sets = sets,
                                       .set_count = set == NULL     ? 0
                                                    : other == NULL ? 1
                                                                    : 2,
                                       .rules_file = file};
    return sow_rules_make(model, &options, rules, error);
}

static inline size_t index_of(const struct sow_model *model, const char *name)
{
    const struct sow_graph *graph = sow_model_graph(model);
    for (size_t i = 0; i < graph->parameter_count; i++) {
        if (strcmp(graph->parameters[i].name, name) == 0) {
            return i;
        }
    }
    fail_msg("no tensor %s", name);
    return 0;
}

static inline const char *scheme_of(struct sow_rules *rules, const struct sow_model *model,
                                    const char *name)
{
    struct sow_rule_match match;
    struct sow_error error;
    if (sow_rules_match(rules, index_of(model, name), &match, &error) != SOW_OK) {
        fail_msg("%s", error.message);
    }
    return match.scheme;
}

#endif
