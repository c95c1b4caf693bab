/* SPDX-License-Identifier: MIT */
/* Strict JSON (RFC 8259) with errors that name what is wrong and where: a bare Infinity, a comment, a trailing comma, a
 * byte-order mark, single quotes, a cut file. jansson builds the values; this says where they stand. */
#ifndef SOW_SOURCE_JSON_H
#define SOW_SOURCE_JSON_H

#include "model/recipe/config.h"

#define SOW_JSON_DEPTH_MAX 64

/* Parses a document whose top is an object. `path` is for messages and is copied. The caller frees *config. */
enum sow_status sow_json_parse(const char *path, const char *text, size_t length,
                               struct sow_config **config, struct sow_error *error);

#endif
