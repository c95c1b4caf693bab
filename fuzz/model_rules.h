/* SPDX-License-Identifier: MIT */
/* What the fuzz targets of configs, recipes and rules share: reading one, working out all rules of a model, and
 * what any error must look like. */
#ifndef SOW_FUZZ_MODEL_RULES_H
#define SOW_FUZZ_MODEL_RULES_H

#include "model/graph/build.h"
#include "model/recipe/rule.h"
#include "model/source/source.h"

#include <stdlib.h>
#include <string.h>

#define TENSORS_MAX 2000 /* of a model whose rules are all worked out */

/* A code, a message, and a place inside the input (`file`, NULL when the error may be elsewhere). */
static void check_error(enum sow_status status, const struct sow_error *error, const char *file,
                        const uint8_t *data, size_t size)
{
    uint32_t lines = 1;
    for (size_t i = 0; i < size; i++) {
        lines += data[i] == '\n' || data[i] == '\r';
    }
    if (error->code != status || error->message[0] == '\0' ||
        memchr(error->message, '\0', sizeof error->message) == NULL ||
        memchr(error->file, '\0', sizeof error->file) == NULL ||
        (file != NULL && strcmp(error->file, file) == 0 && error->line > lines)) {
        abort();
    }
}

/* Rules of every variant, with this --set (NULL: none) before them, for every tensor. */
static void work_out_rules(struct sow_model *model, const char *set)
{
    const struct sow_graph *graph = sow_model_graph(model);
    struct sow_plan_options options = {.sets = &set, .set_count = set != NULL};
    for (size_t i = 0; i < 4 && (i == 0 || sow_model_variant(model, i) != NULL); i++) {
        const struct sow_variant *variant = sow_model_variant(model, i);
        struct sow_rules *rules = NULL;
        struct sow_rule_match match;
        struct sow_error error = {.code = SOW_OK};
        options.variant = variant == NULL ? NULL : variant->name;
        enum sow_status status = sow_rules_make(model, &options, &rules, &error);
        for (size_t j = 0; status == SOW_OK && j < graph->parameter_count && j < TENSORS_MAX; j++) {
            status = sow_rules_match(rules, j, &match, &error);
            if (status == SOW_OK &&
                (match.scheme == NULL || match.argument_count > SOW_RULE_ARGUMENTS_MAX)) {
                abort();
            }
        }
        if (status == SOW_OK) {
            status = sow_rules_check_used(rules, &error);
        }
        if (status != SOW_OK) {
            check_error(status, &error, NULL, NULL, 0);
        }
        sow_rules_free(rules);
    }
}

/* A description read by `read` under this name: a model whose rules can be worked out, or an error as it must look. */
static inline void
read_description(enum sow_status (*read)(struct sow_model *, const char *, const char *, size_t,
                                         const struct sow_model_options *, struct sow_error *),
                 const char *name, const uint8_t *data, size_t size)
{
    struct sow_model *model = sow_model_new();
    struct sow_error error = {.code = SOW_OK};
    if (model == NULL) {
        return;
    }
    enum sow_status status = read(model, name, (const char *)data, size, NULL, &error);
    if (status == SOW_OK) {
        work_out_rules(model, NULL);
    } else {
        check_error(status, &error, name, data, size);
    }
    sow_model_free(model);
}

#endif
