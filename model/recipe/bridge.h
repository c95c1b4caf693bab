/* SPDX-License-Identifier: MIT */
/* What the functions behind Lua's words share: what is kept with the model, names, sizes. All raise Lua errors. For
 * bridge.c (scopes, ties), param.c (tensors) and value.c (operations). */
#ifndef SOW_RECIPE_BRIDGE_H
#define SOW_RECIPE_BRIDGE_H

#include "model/recipe/host.h"

/* Zeroed bytes that live as long as the model. */
void *sow_bridge_take(struct sow_host *host, size_t bytes);
/* A copy with a closing 0. */
char *sow_bridge_keep(struct sow_host *host, const char *text, size_t length);
/* The same for words that come again: kinds, roles, attributes. */
const char *sow_bridge_keep_word(struct sow_host *host, const char *word, size_t length);

/* Names are UTF-8 without control characters, of 1 to SOW_MODEL_NAME_MAX bytes. */
void sow_bridge_check_name(struct sow_host *host, const char *name, size_t length);
/* The name at `index` behind the scope's prefix, with the suffix at `suffix` (0: none), kept. A name that is empty has the
 * scope's: the suffix then goes without its first byte, the dot. */
const char *sow_bridge_full_name(lua_State *L, int index, int suffix);
/* The scope's prefix, kept once. */
const char *sow_bridge_scope(struct sow_host *host);
/* A size at the top of the stack, popped. For messages: `what` of `name`, and which one from 1 (0: the only one). */
uint64_t sow_bridge_check_size(lua_State *L, const char *what, uint32_t number, const char *name);

#endif
