/* SPDX-License-Identifier: MIT */
/* A config.json as recipes see it: the parsed document, and where its fields stand. Made by model/source/. */
#ifndef SOW_RECIPE_CONFIG_H
#define SOW_RECIPE_CONFIG_H

#include "sow/sow.h"

#include <jansson.h>

/* A key of the top-level object. */
struct sow_config_field {
    const char *name; /* as jansson holds it */
    uint32_t line, column;
};

struct sow_config {
    char *path;                      /* NULL: the fields stand in no file */
    json_t *root;                    /* an object */
    struct sow_config_field *fields; /* in the order of the file */
    size_t field_count;
};

/* Line and column of a top-level field; 0 when it is absent. */
void sow_config_where(const struct sow_config *config, const char *name, uint32_t *line,
                      uint32_t *column);
void sow_config_free(struct sow_config *config);

#endif
