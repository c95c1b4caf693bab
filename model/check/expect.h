/* SPDX-License-Identifier: MIT */
/* What a description says about names and shapes, against what the file holds; and which field of a config, set
 * otherwise, would make them agree. */
#ifndef SOW_CHECK_EXPECT_H
#define SOW_CHECK_EXPECT_H

#include "model/check/run.h"
#include "model/graph/model.h"

#define SOW_PREFIX_MAX 128

/* The file's tensors by name. */
struct sow_name_index {
    const struct sow_check_run *run;
    size_t *order;
    char lacks[SOW_PREFIX_MAX]; /* what the file's names lack of the source's; or "" */
    char extra[SOW_PREFIX_MAX]; /* what they have too much; or "" */
};
/* Index of the tensor that the source calls `name`, SIZE_MAX when there is none. */
size_t sow_name_index_find(const struct sow_name_index *index, const char *name);

/* Parameters that are missing or of another shape, and tensors of the file that are extra. */
size_t sow_check_differences(const struct sow_name_index *index, const struct sow_graph *graph);

/* Sets the prefix by which most names of the file differ from the graph's, where there is one; adds the finding. */
void sow_check_prefix(struct sow_check_run *run, struct sow_name_index *index,
                      const struct sow_graph *graph);

/* The folder's config.json, or the path itself; 0 when it is no config. */
int sow_check_config_path(const char *path, char *found, size_t room);

/* A field of the config at `path` that explains all or most of `differences`, and then a model made with it (the
 * caller frees it); *model is NULL when there is none. Adds the finding. */
enum sow_status sow_check_field(struct sow_check_run *run, const struct sow_name_index *index,
                                const char *path, size_t differences, struct sow_model **model,
                                struct sow_error *error);

#endif
