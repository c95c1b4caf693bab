/* SPDX-License-Identifier: MIT */
/* The readers of descriptions, one function a kind. sow_model_load chooses. `model` is empty; it stays the caller's. */
#ifndef SOW_SOURCE_SOURCE_H
#define SOW_SOURCE_SOURCE_H

#include "model/graph/build.h"

/* A Hugging Face config.json, whose bytes are given. */
enum sow_status sow_source_config(struct sow_model *model, const char *path, const char *text,
                                  size_t length, const struct sow_model_options *options,
                                  struct sow_error *error);
/* A user's own model.lua. */
enum sow_status sow_source_lua(struct sow_model *model, const char *path, const char *text,
                               size_t length, struct sow_error *error);
/* A safetensors file or a model.safetensors.index.json: names, shapes and dtypes from the headers. */
enum sow_status sow_source_safetensors(struct sow_model *model, const char *path,
                                       struct sow_error *error);

#endif
