/* SPDX-License-Identifier: MIT */
/* From the user's SOURCE and options to a plan: what init, plan, explain and verify begin with. */
#include <string.h>

#include "cmd.h"
#include "cli/text/format.h"
#include "cli/text/message.h"

static void add_option(struct sow_cli_text *text, const char *name, const char *value)
{
    if (value != NULL) {
        sow_cli_add(text, " --%s ", name);
        sow_cli_add_shell(text, value);
    }
}

void sow_cli_source_options(struct sow_cli_text *text, const struct sow_cli_options *options)
{
    add_option(text, "dtype", options->dtype != 0 ? sow_dtype_name(options->dtype) : NULL);
    add_option(text, "variant", options->variant);
    add_option(text, "activation", options->activation);
    add_option(text, "activation-expr", options->activation_expr);
    add_option(text, "scheme", options->scheme);
    for (size_t i = 0; i < options->sets.count; i++) {
        add_option(text, "set", options->sets.items[i]);
    }
    add_option(text, "rules", options->rules);
    add_option(text, "recipes", options->recipes);
}

#define SCHEME "--scheme"

/* Of schemes that were typed behind --compare. */
static int fail(const struct sow_error *error, const struct sow_cli_options *options)
{
    struct sow_error told = *error;
    if (options->compare.count > 0 && strcmp(error->file, SCHEME) == 0) {
        snprintf(told.file, sizeof told.file, "--compare");
    } else if (options->compare.count > 0 &&
               strncmp(error->message, SCHEME, sizeof SCHEME - 1) == 0) {
        snprintf(told.message, sizeof told.message, "--compare%s",
                 error->message + sizeof SCHEME - 1);
    }
    return sow_cli_fail(&told);
}

int sow_cli_source_load(const char *path, const struct sow_cli_options *options,
                        struct sow_cli_source *source)
{
    struct sow_error error;
    struct sow_model_options reading = {
        .recipes_dir = options->recipes,
        .activation = options->activation,
        .expression = options->activation_expr,
        .scheme = options->scheme,
        .width = options->width,
    };
    struct sow_plan_options planning = {
        .seed = options->seed,
        .dtype = options->dtype,
        .variant = options->variant,
        .sets = options->sets.items,
        .set_count = options->sets.count,
        .rules_file = options->rules,
    };
    *source = (struct sow_cli_source){0};
    if (sow_model_load(path, &reading, &source->model, &error) != SOW_OK ||
        sow_plan_make(source->model, &planning, &source->plan, &error) != SOW_OK) {
        return fail(&error, options);
    }
    return SOW_EXIT_DONE;
}

#define ZEROS_TOLD 0.5 /* share of a tensor */

void sow_cli_source_underflow(const struct sow_cli_source *source)
{
    const struct sow_plan_entry *entry, *first = NULL;
    unsigned long long others = 0;
    for (size_t i = 0; (entry = sow_plan_at(source->plan, i)) != NULL; i++) {
        if (sow_plan_underflow(entry) > ZEROS_TOLD) {
            others += first != NULL;
            first = first != NULL ? first : entry;
        }
    }
    if (first == NULL) {
        return;
    }
    struct sow_cli_text text = {0};
    sow_cli_add_safe(&text, first->name, strlen(first->name), 0);
    if (others > 0) {
        sow_cli_add(&text, " and %llu more", others);
    }
    sow_cli_add(&text, ": %.3g %% of its elements are drawn as 0, because ",
                100 * sow_plan_underflow(first));
    sow_cli_add_safe(&text, first->scheme_text, strlen(first->scheme_text), 0);
    sow_cli_add(
        &text,
        " is too small for %s, whose least number is %.2g; take larger numbers or another dtype",
        sow_dtype_name(first->dtype), sow_dtype_least(first->dtype));
    sow_cli_say("warning", text.bytes);
    sow_cli_text_free(&text);
}

void sow_cli_source_free(struct sow_cli_source *source)
{
    sow_plan_free(source->plan);
    sow_model_free(source->model);
}

const struct sow_variant *sow_cli_source_variant(const struct sow_cli_source *source,
                                                 const struct sow_cli_options *options)
{
    const struct sow_variant *variant;
    for (size_t i = 0; (variant = sow_model_variant(source->model, i)) != NULL; i++) {
        if (options->variant != NULL ? strcmp(variant->name, options->variant) == 0
                                     : variant->is_default) {
            return variant;
        }
    }
    return NULL;
}
