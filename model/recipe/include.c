/* SPDX-License-Identifier: MIT */
/* include(family, given): runs a recipe of the library from another one, with `given` as its argument, so that one
 * network serves several descriptions. Files of the user are out of reach: a recipe reads none. */
#include "model/recipe/host.h"

#include "core/base/error.h"
#include "model/recipe/embedded.h"

#include <lauxlib.h>
#include <string.h>

static int bridge_include(lua_State *L)
{
    struct sow_host *host = sow_host_of(L);
    struct sow_error error = {.code = SOW_OK};
    const char *family = luaL_checkstring(L, 1);
    const struct sow_embedded *file = sow_embedded_recipes;
    lua_settop(L, 2);
    while (file->name != NULL && (file->family == NULL || strcmp(file->family, family) != 0)) {
        file++;
    }
    if (file->name == NULL) {
        return sow_host_raise(host, SOW_E_CONFIG, "there is no recipe %.60s to include", family);
    }
    if (!host->declared) {
        return sow_host_raise(host, SOW_E_CONFIG, "a recipe cannot be included inside rules");
    }
    if (sow_host_load(host, file->name, "", file->text, file->length, 0, &error) != SOW_OK) {
        return sow_host_raise_error(host, &error);
    }
    lua_pushvalue(L, 2);
    lua_call(L, 1, 0);
    return 0;
}

void sow_bridge_open_include(lua_State *L)
{
    static const luaL_Reg functions[] = {{"include", bridge_include}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
}
