/* SPDX-License-Identifier: MIT */
/* The readers of descriptions, one function a kind. sow_model_load chooses. `model` is empty; it stays the caller's. */
#ifndef SOW_SOURCE_SOURCE_H
#define SOW_SOURCE_SOURCE_H

#include "model/graph/build.h"
#include "model/recipe/config.h"

/* A Hugging Face config.json, whose bytes are given. */
enum sow_status sow_source_config(struct sow_model *model, const char *path, const char *text,
                                  size_t length, const struct sow_model_options *options,
                                  struct sow_error *error);
/* Runs the recipe of a family on a config, which is the model's (or freed) from then on. `recipes_dir` is a folder of the
 * user's own recipes, or NULL. */
enum sow_status sow_source_family(struct sow_model *model, struct sow_config *config,
                                  const char *family, const char *recipes_dir,
                                  struct sow_error *error);
/* Whether this is a short form, "mlp:...", and no path; and its reader. */
int sow_source_is_short(const char *source);
enum sow_status sow_source_short(struct sow_model *model, const char *source,
                                 const struct sow_model_options *options, struct sow_error *error);
/* Whether this is a library's name for a model, "timm:resnet50", and no path; and its reader. */
int sow_source_is_named(const char *source);
enum sow_status sow_source_named(struct sow_model *model, const char *source,
                                 const struct sow_model_options *options, struct sow_error *error);
/* A user's own model.lua. */
enum sow_status sow_source_lua(struct sow_model *model, const char *path, const char *text,
                               size_t length, const struct sow_model_options *options,
                               struct sow_error *error);
/* A safetensors file or a model.safetensors.index.json: names, shapes and dtypes from the headers. */
enum sow_status sow_source_safetensors(struct sow_model *model, const char *path,
                                       struct sow_error *error);

#endif
