/* SPDX-License-Identifier: MIT */
/* The Lua files inside the library: recipes/NAME.lua as "NAME.lua", the prelude model/recipe/prelude/NAME.lua
 * as "prelude/NAME.lua". The table is written by cmake/embed.cmake when the library is built. */
#ifndef SOW_MODEL_RECIPE_EMBEDDED_H
#define SOW_MODEL_RECIPE_EMBEDDED_H

#include <stddef.h>

/* text    `length` bytes, followed by one 0 that is not counted
 * family  "gpt2" for "gpt2.lua"; NULL for a file of the prelude */
struct sow_embedded {
    const char *name;
    const char *text;
    size_t length;
    const char *family;
};

/* Ends with a row whose name is NULL. */
extern const struct sow_embedded sow_embedded_recipes[];

#endif
