/* SPDX-License-Identifier: MIT */
/* model.lua: a user's own network, the same language as the recipes, without a config but for a width from outside. */
#include "model/source/source.h"

#include <stdlib.h>

#include "core/base/error.h"
#include "model/recipe/host.h"

/* { "width": width }, which stands in no file */
static struct sow_config *make_config(uint64_t width)
{
    struct sow_config *config = calloc(1, sizeof *config);
    if (config == NULL) {
        return NULL;
    }
    config->root = json_object();
    if (config->root == NULL ||
        json_object_set_new(config->root, "width", json_integer((json_int_t)width)) != 0) {
        sow_config_free(config);
        return NULL;
    }
    return config;
}

enum sow_status sow_source_lua(struct sow_model *model, const char *path, const char *text,
                               size_t length, const struct sow_model_options *options,
                               struct sow_error *error)
{
    struct sow_host *host;
    struct sow_config *config = NULL;
    if (options != NULL && options->width > 0) {
        config = make_config(options->width);
        if (config == NULL) {
            return sow_fail(error, SOW_E_MEMORY, "out of memory while opening %s", path);
        }
    }
    enum sow_status status = sow_host_new(model, config, &host, error);
    return status == SOW_OK ? sow_host_run(host, path, text, length, error) : status;
}
