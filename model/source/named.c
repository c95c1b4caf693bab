/* SPDX-License-Identifier: MIT */
/* A model by a library's name for it: timm:resnet50, torchvision:vit_b_16,num_classes=10. It becomes the config
 * { "model_type": LIBRARY, "architecture": NAME, KEY: VALUE, ... }, and the library's recipe does the rest. */
#include "model/source/source.h"

#include "core/base/error.h"

#include <stdio.h>
#include <string.h>

#define TEXT_MAX 1024

static const char *const libraries[] = {"timm", "torchvision"};

/* The library whose name and ':' begin the source; NULL for none. */
static const char *find_library(const char *source)
{
    for (size_t i = 0; i < sizeof libraries / sizeof libraries[0]; i++) {
        size_t length = strlen(libraries[i]);
        if (strncmp(source, libraries[i], length) == 0 && source[length] == ':') {
            return libraries[i];
        }
    }
    return NULL;
}

int sow_source_is_named(const char *source)
{
    return find_library(source) != NULL;
}

static size_t word_length(const char *text)
{
    return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
}

/* Numbers, true and false stand as they are in JSON, whose reader has the last word; other words are texts. */
static int is_plain(const char *word, size_t length)
{
    size_t first = word[0] == '-';
    if ((length == 4 && memcmp(word, "true", 4) == 0) ||
        (length == 5 && memcmp(word, "false", 5) == 0)) {
        return 1;
    }
    return first < length && word[first] >= '0' && word[first] <= '9' &&
           first + strspn(word + first, "0123456789.-e") >= length;
}

static enum sow_status bad_source(const char *source, const char *library, struct sow_error *error)
{
    return sow_fail(error, SOW_E_ARGUMENT,
                    "'%.200s' is not %s:NAME or %s:NAME,key=value,...; write for example "
                    "%s:resnet50,num_classes=10",
                    source, library, library, library);
}

enum sow_status sow_source_named(struct sow_model *model, const char *source,
                                 const struct sow_model_options *options, struct sow_error *error)
{
    char text[TEXT_MAX + 256];
    const char *library = find_library(source), *at = source + strlen(library) + 1;
    size_t length = word_length(at);
    if (length == 0 || strlen(source) > TEXT_MAX / 4) {
        return bad_source(source, library, error);
    }
    int used = snprintf(text, sizeof text, "{\"model_type\": \"%s\", \"architecture\": \"%.*s\"",
                        library, (int)length, at);
    for (at += length; *at == ','; at += length) {
        size_t key = word_length(++at);
        const char *value = at + key + 1;
        length = at[key] == '=' ? word_length(value) : 0;
        if (key == 0 || length == 0) {
            return bad_source(source, library, error);
        }
        const char *quote = is_plain(value, length) ? "" : "\"";
        used += snprintf(text + used, sizeof text - (size_t)used, ", \"%.*s\": %s%.*s%s", (int)key,
                         at, quote, (int)length, value, quote);
        length += key + 1;
    }
    if (*at != '\0') {
        return bad_source(source, library, error);
    }
    used += snprintf(text + used, sizeof text - (size_t)used, "}");
    return sow_source_config(model, source, text, (size_t)used, options, error);
}
