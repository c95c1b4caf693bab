/* SPDX-License-Identifier: MIT */
/* The fields of a config.json for Lua: absent, null and a value are told apart, and errors name the field's line.
 * What a family makes of them is the prelude's and the recipes' (field.lua). */
#include "model/recipe/host.h"

#include <lauxlib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 64

void sow_config_where(const struct sow_config *config, const char *name, uint32_t *line,
                      uint32_t *column)
{
    *line = *column = 0;
    for (size_t i = 0; i < config->field_count; i++) {
        if (strcmp(config->fields[i].name, name) == 0) {
            *line = config->fields[i].line;
            *column = config->fields[i].column;
        }
    }
}

void sow_config_free(struct sow_config *config)
{
    if (config != NULL) {
        json_decref(config->root);
        free(config->path);
        free(config->fields);
        free(config);
    }
}

/* Integers stay integers. Null inside a list or an object becomes the light userdata NULL, so that lengths hold. */
static void push_json(lua_State *L, json_t *json, int depth)
{
    if (depth > DEPTH_MAX || !lua_checkstack(L, 4)) {
        luaL_error(L, "a field that is nested more than %d deep", DEPTH_MAX);
    }
    size_t i;
    const char *key;
    json_t *member;
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        lua_newtable(L);
        json_object_foreach(json, key, member)
        {
            push_json(L, member, depth + 1);
            lua_setfield(L, -2, key);
        }
        break;
    case JSON_ARRAY:
        lua_newtable(L);
        json_array_foreach(json, i, member)
        {
            push_json(L, member, depth + 1);
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        }
        break;
    case JSON_STRING:
        lua_pushlstring(L, json_string_value(json), json_string_length(json));
        break;
    case JSON_INTEGER:
        lua_pushinteger(L, json_integer_value(json));
        break;
    case JSON_REAL:
        lua_pushnumber(L, json_real_value(json));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        lua_pushboolean(L, json_is_true(json));
        break;
    default:
        lua_pushlightuserdata(L, NULL);
    }
}

/* field(name) -> "absent" | "null" | "value", value, "list" | "object" of a table: empty ones look alike in Lua */
static int bridge_field(lua_State *L)
{
    struct sow_host *host = sow_host_of(L);
    const char *name = luaL_checkstring(L, 1);
    json_t *field = host->config == NULL ? NULL : json_object_get(host->config->root, name);
    if (field == NULL || json_is_null(field)) {
        lua_pushstring(L, field == NULL ? "absent" : "null");
        return 1;
    }
    lua_pushliteral(L, "value");
    push_json(L, field, 0);
    lua_pushstring(L, json_is_array(field) ? "list" : json_is_object(field) ? "object" : NULL);
    return 3;
}

/* field_names() -> list of the top-level names, in the order of the file; those that are no plain name are left out */
static int bridge_field_names(lua_State *L)
{
    const struct sow_config *config = sow_host_of(L)->config;
    lua_Integer count = 0;
    lua_newtable(L);
    for (size_t i = 0; config != NULL && i < config->field_count && count < 1000; i++) {
        if (strlen(config->fields[i].name) < 64) {
            lua_pushstring(L, config->fields[i].name);
            lua_rawseti(L, -2, ++count);
        }
    }
    return 1;
}

/* config_path() -> "gpt2/config.json", or nil for a model.lua */
static int bridge_config_path(lua_State *L)
{
    const struct sow_config *config = sow_host_of(L)->config;
    lua_pushstring(L, config == NULL ? NULL : config->path);
    return 1;
}

/* fail_field(name, message): an error at the field's place in the config; at the recipe's line when it has none */
static int bridge_fail_field(lua_State *L)
{
    struct sow_host *host = sow_host_of(L);
    struct sow_error error = {.code = SOW_E_CONFIG};
    const char *name = luaL_checkstring(L, 1), *message = luaL_checkstring(L, 2);
    strncpy(error.message, message, sizeof error.message - 1);
    if (host->config != NULL && host->config->path != NULL) {
        sow_config_where(host->config, name, &error.line, &error.column);
        strncpy(error.file, host->config->path, sizeof error.file - 1);
    }
    return sow_host_raise_error(host, &error);
}

void sow_bridge_open_config(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"field", bridge_field},
        {"field_names", bridge_field_names},
        {"config_path", bridge_config_path},
        {"fail_field", bridge_fail_field},
        {NULL, NULL},
    };
    luaL_setfuncs(L, functions, 0);
}
