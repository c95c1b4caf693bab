/* SPDX-License-Identifier: MIT */
/* sow_model_load: what the source is, by its name and its first bytes, and then its reader. */
#include "model/source/source.h"

#include "core/base/error.h"
#include "model/recipe/file.h"
#include "model/recipe/host.h"
#include "model/source/kind.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG_MAX ((size_t)4 << 20)

static int ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);
    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

static enum sow_status wrong_kind(const char *path, const char *what, struct sow_error *error)
{
    return sow_fail_at(error, SOW_E_FORMAT, path, 0, 0, "this is %s", what);
}

/* A text source, whole; said for what it is when it is something else. */
static enum sow_status load_text(struct sow_model *model, const char *path, int lua,
                                 const struct sow_model_options *options, struct sow_error *error)
{
    char *text;
    size_t length;
    enum sow_status status =
        sow_file_read(path, lua ? "a Lua file" : "a config", lua ? SOW_HOST_TEXT_MAX : CONFIG_MAX,
                      &text, &length, error);
    if (status != SOW_OK) {
        return status;
    }
    const char *what = sow_source_describe(text, length);
    if (what != NULL) {
        status = wrong_kind(path, what, error);
    } else if (!lua && sow_source_sniff(text, length) == SOW_SOURCE_SAFETENSORS) {
        status =
            wrong_kind(path, "a safetensors file under another name; call it .safetensors", error);
    } else {
        status = lua ? sow_source_lua(model, path, text, length, options, error)
                     : sow_source_config(model, path, text, length, options, error);
    }
    free(text);
    return status;
}

/* FOLDER/config.json. */
static enum sow_status load_folder(struct sow_model *model, const char *folder,
                                   const struct sow_model_options *options, struct sow_error *error)
{
    size_t size = strlen(folder) + sizeof "/config.json";
    char *path = malloc(size);
    if (path == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory while opening %s", folder);
    }
    snprintf(path, size, "%s%sconfig.json", folder, ends_with(folder, "/") ? "" : "/");
    enum sow_status status =
        access(path, F_OK) != 0
            ? sow_fail(error, SOW_E_CONFIG,
                       "the folder %s has no config.json; name a file in it: a model.lua, a "
                       "safetensors file or a model.safetensors.index.json",
                       folder)
            : load_text(model, path, 0, options, error);
    free(path);
    return status;
}

/* The first bytes of a file whose name tells nothing. */
static enum sow_status sniff(const char *path, enum sow_source_kind *kind, struct sow_error *error)
{
    char start[64];
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    ssize_t got = file < 0 ? -1 : read(file, start, sizeof start);
    int cause = errno;
    if (file >= 0) {
        close(file);
    }
    if (got < 0) {
        return sow_fail(error, SOW_E_IO, "cannot read %s: %s", path, strerror(cause));
    }
    const char *what = sow_source_describe(start, (size_t)got);
    *kind = sow_source_sniff(start, (size_t)got);
    if (what != NULL) {
        return wrong_kind(path, what, error);
    }
    return *kind != SOW_SOURCE_UNKNOWN
               ? SOW_OK
               : sow_fail_at(error, SOW_E_FORMAT, path, 0, 0,
                             "this is no description of a model; sow reads a config.json, "
                             "a model.lua, a .safetensors file and a model.safetensors.index.json");
}

/* A family's name alone, and a short form that is none, are what people try first. */
static enum sow_status fail_open(const char *source, int number, struct sow_error *error)
{
    const char *name, *reason = strerror(number);
    for (size_t i = 0; (name = sow_family_name(i)) != NULL && number == ENOENT; i++) {
        if (strcmp(name, source) == 0) {
            return sow_fail(error, SOW_E_IO,
                            "cannot open %s: %s; %s is a family, and a model of it is described by "
                            "its config.json: give that file or its folder",
                            source, reason, source);
        }
    }
    int is_word = number == ENOENT && strpbrk(source, "/.") == NULL;
    return sow_fail(error, SOW_E_IO, "cannot open %s: %s%s", source, reason,
                    is_word ? "; what needs no file is written mlp:784,256x3,10, timm:resnet50 or "
                              "torchvision:resnet50"
                            : "");
}

static enum sow_status load(struct sow_model *model, const char *source,
                            const struct sow_model_options *options, struct sow_error *error)
{
    struct stat status;
    enum sow_source_kind kind = SOW_SOURCE_UNKNOWN;
    if (sow_source_is_short(source)) {
        return sow_source_short(model, source, options, error);
    }
    if (options != NULL &&
        (options->activation != NULL || options->expression != NULL || options->scheme != NULL)) {
        int is_scheme = options->activation == NULL && options->expression == NULL;
        return sow_fail(error, SOW_E_ARGUMENT,
                        "--%s belongs to a short form such as mlp:784,256x3,10; %s is a file and "
                        "says its own%s",
                        options->activation != NULL ? "activation"
                        : is_scheme                 ? "scheme"
                                                    : "activation-expr",
                        source, is_scheme ? ": write --set '*.weight=SCHEME'" : "");
    }
    if (sow_source_is_named(source)) {
        return sow_source_named(model, source, options, error);
    }
    if (stat(source, &status) != 0) {
        return fail_open(source, errno, error);
    }
    if (S_ISDIR(status.st_mode)) {
        return load_folder(model, source, options, error);
    }
    if (ends_with(source, ".lua")) {
        return load_text(model, source, 1, options, error);
    }
    if (ends_with(source, ".index.json") || ends_with(source, ".safetensors")) {
        return sow_source_safetensors(model, source, error);
    }
    if (!ends_with(source, ".json") && S_ISREG(status.st_mode)) {
        enum sow_status code = sniff(source, &kind, error);
        if (code != SOW_OK) {
            return code;
        }
    }
    return kind == SOW_SOURCE_SAFETENSORS ? sow_source_safetensors(model, source, error)
                                          : load_text(model, source, 0, options, error);
}

enum sow_status sow_model_load(const char *source, const struct sow_model_options *options,
                               struct sow_model **model, struct sow_error *error)
{
    if (source == NULL || source[0] == '\0') {
        return sow_fail(error, SOW_E_ARGUMENT, "the source has no name");
    }
    struct sow_model *made = sow_model_new();
    if (made == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory while opening %s", source);
    }
    enum sow_status status = load(made, source, options, error);
    if (status != SOW_OK) {
        sow_model_free(made);
        return status;
    }
    *model = made;
    return SOW_OK;
}
