/* SPDX-License-Identifier: MIT */
/* What of Lua's own library a recipe may call: nothing that reaches outside, nothing that runs long out of the
 * counter's sight, nothing whose result differs from one run or machine to the next. */
#ifndef SOW_RECIPE_SANDBOX_H
#define SOW_RECIPE_SANDBOX_H

#include <lua.h>

/* In the registry: */
#define SOW_ENVIRONMENT "sow.environment" /* _ENV of recipes, made by the prelude */
#define SOW_TRUSTED     "sow.trusted"     /* _ENV of the prelude */
#define SOW_BRIDGE      "sow.bridge"      /* the C functions the prelude gets */

/* Fills the three. */
void sow_sandbox_open(lua_State *L);

#endif
