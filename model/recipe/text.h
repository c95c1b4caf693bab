/* SPDX-License-Identifier: MIT */
/* Lua text before Lua sees it: what the recipe language leaves out, and where a statement ends. Not a parser. */
#ifndef SOW_RECIPE_TEXT_H
#define SOW_RECIPE_TEXT_H

#include "sow/sow.h"

/* SOW_E_SYNTAX when `text` is compiled Lua or uses `^`, whose value is the C library's. `path` is for the message. */
enum sow_status sow_text_check(const char *path, const char *text, size_t length,
                               struct sow_error *error);

/* The statement that starts at `line` (from 1): up to the line where its brackets close, blanks and comments folded
 * into one space. Writes at most `size` bytes with a closing 0. */
void sow_text_statement(const char *text, size_t length, uint32_t line, char *out, size_t size);

#endif
