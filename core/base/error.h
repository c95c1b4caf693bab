/* SPDX-License-Identifier: MIT */
/* Filling a struct sow_error, and finding the word that was meant. */
#ifndef SOW_BASE_ERROR_H
#define SOW_BASE_ERROR_H

#include "sow/base.h"

/* Fills *error (when not NULL), with no file, and returns `code`: `return sow_fail(error, SOW_E_..., "...", ...)`. */
enum sow_status sow_fail(struct sow_error *error, enum sow_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with a place: file may be NULL, line and column 0. */
enum sow_status sow_fail_at(struct sow_error *error, enum sow_status code, const char *file,
                            uint32_t line, uint32_t column, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/* The candidate nearest to `word` (edit distance, case folded), or NULL when none is near.
 * `name_at(context, i)` returns candidate i, NULL past the end. */
const char *sow_nearest(const char *word, const char *(*name_at)(const void *context, size_t index),
                        const void *context);

#endif
