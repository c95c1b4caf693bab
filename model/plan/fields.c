/* SPDX-License-Identifier: MIT */
/* Fields of a config that the words of a rule name. The words are the rule's own text and reason, so that a
 * field behind a local variable of the recipe is found when the reason names it. */
#include "model/plan/fields.h"
#include "model/graph/build.h"
#include "model/recipe/host.h"

#include <inttypes.h>
#include <string.h>

#define NAME_BYTES_MAX 64

static void put_value(struct sow_plan_text *text, const json_t *value)
{
    if (json_is_string(value)) {
        sow_plan_text_json(text, json_string_value(value));
    } else if (json_is_integer(value)) {
        sow_plan_text_format(text, "%" PRId64, (int64_t)json_integer_value(value));
    } else if (json_is_real(value)) {
        sow_plan_text_number(text, json_real_value(value));
    } else {
        sow_plan_text_add(text, json_is_true(value)    ? "true"
                                : json_is_false(value) ? "false"
                                                       : "null");
    }
}

/* The field as the file has it, or the note on its absence. */
static void put_field(const struct sow_model *model, const struct sow_config *config,
                      const char *name, struct sow_plan_text *text)
{
    const json_t *value = json_object_get(config->root, name);
    if (value != NULL && !json_is_array(value) && !json_is_object(value)) {
        uint32_t line, column;
        sow_config_where(config, name, &line, &column);
        sow_plan_text_format(text, "%s%s = ", text->length > 0 ? "\n" : "", name);
        put_value(text, value);
        sow_plan_text_format(text, " (%s:%" PRIu32 ")", config->path, line);
    }
    size_t length = strlen(name);
    const char *note;
    for (size_t i = 0; (note = sow_model_note(model, i)) != NULL; i++) {
        if (strncmp(note, name, length) == 0 && strncmp(note + length, " is ", 4) == 0) {
            sow_plan_text_format(text, "%s%s", text->length > 0 ? "\n" : "", note);
        }
    }
}

void sow_plan_fields(const struct sow_model *model, const char *words, struct sow_plan_text *text)
{
    const struct sow_host *host = model->host;
    const struct sow_config *config = host == NULL ? NULL : host->config;
    const char *at = words;
    while (config != NULL && *at != '\0') {
        const char *begin = at;
        char name[NAME_BYTES_MAX];
        if (!sow_plan_is_word(*at)) {
            at++;
            continue;
        }
        while (sow_plan_is_word(*at)) {
            at++;
        }
        size_t length = (size_t)(at - begin);
        if (length < sizeof name) {
            memcpy(name, begin, length);
            name[length] = '\0';
            if (sow_plan_find_word(words, name) == begin) { /* not again */
                put_field(model, config, name, text);
            }
        }
    }
}
