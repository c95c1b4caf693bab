/* SPDX-License-Identifier: MIT */
/* Small text files whole, with a ceiling. */
#ifndef SOW_RECIPE_FILE_H
#define SOW_RECIPE_FILE_H

#include "sow/sow.h"

/* The bytes of `path` and a closing 0 that is not counted; the caller frees them. SOW_E_IO with the system's reason,
 * SOW_E_FORMAT for a folder and for more than `bytes_max` bytes (`what` is "a config", "a Lua file"). */
enum sow_status sow_file_read(const char *path, const char *what, size_t bytes_max, char **bytes,
                              size_t *length, struct sow_error *error);

#endif
