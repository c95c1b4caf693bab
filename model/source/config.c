/* SPDX-License-Identifier: MIT */
/* config.json: the family is `model_type`, and its recipe does the rest. A recipe is looked for in the user's own folder
 * first, then among those inside the library. */
#include "model/source/source.h"

#include "core/base/error.h"
#include "model/recipe/embedded.h"
#include "model/recipe/file.h"
#include "model/recipe/host.h"
#include "model/source/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FAMILY_MAX 64

const char *sow_family_name(size_t index)
{
    for (const struct sow_embedded *file = sow_embedded_recipes; file->name != NULL; file++) {
        if (file->family != NULL && index-- == 0) {
            return file->family;
        }
    }
    return NULL;
}

static const char *family_at(const void *unused, size_t index)
{
    (void)unused;
    return sow_family_name(index);
}

/* "gpt2, llama, ..." */
static void list_families(char *text, size_t size)
{
    text[0] = '\0';
    for (size_t i = 0, used = 0; sow_family_name(i) != NULL && used < size; i++) {
        used += (size_t)snprintf(text + used, size - used, "%s%s", i > 0 ? ", " : "",
                                 sow_family_name(i));
    }
}

/* An error at a field's place. The message may quote the file: control characters become blanks. */
static enum sow_status fail_field(const struct sow_config *config, const char *field,
                                  struct sow_error *error, const char *message)
{
    char plain[640];
    uint32_t line, column;
    snprintf(plain, sizeof plain, "%s", message);
    for (char *at = plain; *at != '\0'; at++) {
        *at = (unsigned char)*at < 0x20 || *at == 0x7f ? ' ' : *at;
    }
    sow_config_where(config, field, &line, &column);
    return sow_fail_at(error, SOW_E_CONFIG, config->path, line, column, "%s", plain);
}

/* The value of model_type, checked to be a plain word: it becomes a file's name. */
static enum sow_status read_family(const struct sow_config *config, const char **family,
                                   struct sow_error *error)
{
    char known[256], message[512];
    const json_t *field = json_object_get(config->root, "model_type");
    list_families(known, sizeof known);
    if (field == NULL && json_is_object(json_object_get(config->root, "weight_map"))) {
        return fail_field(config, "weight_map", error,
                          "this is the index of a sharded checkpoint, not a config; name it "
                          "model.safetensors.index.json");
    }
    if (field == NULL && json_is_string(json_object_get(config->root, "architecture"))) {
        *family = "timm"; /* timm's own config.json, which has no model_type */
        return SOW_OK;
    }
    if (!json_is_string(field)) {
        snprintf(message, sizeof message,
                 "%s model_type, which says what family this is; known are %s",
                 field == NULL ? "the config has no" : "a text is needed as", known);
        return fail_field(config, "model_type", error, message);
    }
    *family = json_string_value(field);
    size_t length = json_string_length(field);
    size_t plain =
        strspn(*family, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.");
    if (length == 0 || length > FAMILY_MAX || plain != length || (*family)[0] == '.') {
        snprintf(message, sizeof message, "model_type is no name of a family; known are %s", known);
        return fail_field(config, "model_type", error, message);
    }
    return SOW_OK;
}

static enum sow_status unknown_family(const struct sow_config *config, const char *family,
                                      struct sow_error *error)
{
    char known[256], message[640];
    list_families(known, sizeof known);
    const char *nearest = sow_nearest(family, family_at, NULL);
    snprintf(message, sizeof message,
             "model_type %s has no recipe; known are %s%s%s%s (or give a folder with a recipe of "
             "your own: --recipes DIR)",
             family, known, nearest ? "; near is " : "", nearest ? nearest : "", "");
    return fail_field(config, "model_type", error, message);
}

/* ---- dtype ------------------------------------------------------------------------------------- */

/* dtype, or torch_dtype as older files say; dtype wins, as in transformers. */
static enum sow_status read_dtype(const struct sow_config *config, enum sow_dtype *dtype,
                                  struct sow_error *error)
{
    static const char *const names[] = {"dtype", "torch_dtype"};
    char message[512];
    for (size_t i = 0; i < 2; i++) {
        const json_t *field = json_object_get(config->root, names[i]);
        if (field == NULL || json_is_null(field)) {
            continue;
        }
        struct sow_error cause = {.code = SOW_OK};
        if (!json_is_string(field)) {
            snprintf(message, sizeof message, "%s must be a text such as \"bfloat16\"", names[i]);
        } else if (sow_dtype_parse(json_string_value(field), dtype, &cause) != SOW_OK) {
            snprintf(message, sizeof message,
                     "%s: %.400s; correct the field, or take it out (--dtype says it too)",
                     names[i], cause.message);
        } else if (!sow_dtype_drawable(*dtype)) {
            snprintf(message, sizeof message,
                     "%s is \"%.80s\"; weights cannot be drawn in it, take a floating type",
                     names[i], json_string_value(field));
        } else {
            return SOW_OK;
        }
        return fail_field(config, names[i], error, message);
    }
    return SOW_OK;
}

/* ---- Running the recipe ------------------------------------------------------------------------ */

/* recipes_dir/FAMILY.lua: SOW_OK with *text NULL when there is none. */
static enum sow_status read_user_recipe(const char *folder, const char *family, char **path,
                                        char **text, size_t *length, struct sow_error *error)
{
    size_t size = strlen(folder) + strlen(family) + 6;
    *text = NULL;
    *path = malloc(size);
    if (*path == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory while looking for a recipe");
    }
    snprintf(*path, size, "%s/%s.lua", folder, family);
    if (access(folder, R_OK | X_OK) != 0) {
        return sow_fail(error, SOW_E_IO, "cannot read the folder of recipes %s", folder);
    }
    if (access(*path, F_OK) != 0) {
        return SOW_OK;
    }
    return sow_file_read(*path, "a recipe", SOW_HOST_TEXT_MAX, text, length, error);
}

static enum sow_status run_recipe(struct sow_host *host, const char *family, const char *folder,
                                  struct sow_error *error)
{
    char *path = NULL, *text = NULL;
    size_t length;
    enum sow_status status = SOW_OK;
    if (folder != NULL) {
        status = read_user_recipe(folder, family, &path, &text, &length, error);
    }
    if (status == SOW_OK && text != NULL) {
        status = sow_host_run(host, path, text, length, error);
    } else if (status == SOW_OK) {
        const struct sow_embedded *file = sow_embedded_recipes;
        while (file->name != NULL && (file->family == NULL || strcmp(file->family, family) != 0)) {
            file++;
        }
        status = file->name == NULL
                     ? unknown_family(host->config, family, error)
                     : sow_host_run(host, file->name, file->text, file->length, error);
    }
    free(path);
    free(text);
    return status;
}

enum sow_status sow_source_family(struct sow_model *model, struct sow_config *config,
                                  const char *family, const char *recipes_dir,
                                  struct sow_error *error)
{
    struct sow_host *host;
    enum sow_status status = sow_host_new(model, config, &host, error);
    if (status != SOW_OK) {
        return status;
    }
    model->family = family; /* lives in the config, which the host holds */
    return run_recipe(host, family, recipes_dir, error);
}

enum sow_status sow_source_config(struct sow_model *model, const char *path, const char *text,
                                  size_t length, const struct sow_model_options *options,
                                  struct sow_error *error)
{
    struct sow_config *config;
    const char *family;
    enum sow_status status = sow_json_parse(path, text, length, &config, error);
    if (status != SOW_OK) {
        return status;
    }
    status = read_family(config, &family, error);
    if (status == SOW_OK) {
        status = read_dtype(config, &model->dtype, error);
    }
    if (status != SOW_OK) {
        sow_config_free(config);
        return status;
    }
    return sow_source_family(model, config, family, options == NULL ? NULL : options->recipes_dir,
                             error);
}
