/* SPDX-License-Identifier: MIT */
/* Checks of a set of shards against their index; private to model/checkpoint/. */
#ifndef SOW_CHECKPOINT_SET_H
#define SOW_CHECKPOINT_SET_H

#include "model/checkpoint/safetensors.h"

/* Adds the line "NAME WHAT". */
void sow_st_set_warn(struct sow_st_set *set, const char *what, const char *name);

/* Opens the shards that are there with `open_file`; fails when some are not. */
enum sow_status sow_st_set_check_present(struct sow_st_set *set, const struct sow_st_index *index,
                                         enum sow_status (*open_file)(struct sow_st_set *set,
                                                                      size_t file,
                                                                      struct sow_error *error),
                                         struct sow_error *error);

/* Every tensor where the index says, and none besides. */
enum sow_status sow_st_set_check_index(struct sow_st_set *set, const struct sow_st_index *index,
                                       struct sow_error *error);

#endif
