/* SPDX-License-Identifier: MIT */
/* model.lua: a user's own network, the same language as the recipes, without a config. */
#include "model/source/source.h"

#include "model/recipe/host.h"

enum sow_status sow_source_lua(struct sow_model *model, const char *path, const char *text,
                               size_t length, struct sow_error *error)
{
    struct sow_host *host;
    enum sow_status status = sow_host_new(model, NULL, &host, error);
    return status == SOW_OK ? sow_host_run(host, path, text, length, error) : status;
}
