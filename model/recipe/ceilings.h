/* SPDX-License-Identifier: MIT */
/* The ceilings of a Lua state, for host.c, which sets them up. What a recipe is given more is in host.h. */
#ifndef SOW_RECIPE_CEILINGS_H
#define SOW_RECIPE_CEILINGS_H

#include "model/recipe/host.h"

#include <time.h>

/* A lua_Alloc; `user` is the host. Without `old`, `old_bytes` is the kind of object, 0 for what is none. */
void *sow_ceilings_allocate(void *user, void *old, size_t old_bytes, size_t bytes);
/* A hook for every SOW_HOST_HOOK_STEPS instructions; raises when steps or time are used up. */
void sow_ceilings_count(lua_State *L, lua_Debug *unused);
int64_t sow_ceilings_clock(clockid_t clock); /* nanoseconds */

#endif
