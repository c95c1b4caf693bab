/* SPDX-License-Identifier: MIT */
/* What layers are written with, but for tensors (param.c): op (a value made from values), tie, scopes. Everything that
 * comes from Lua is checked here; the prelude's own checks are for better words. Lua numbers tensors and values from
 * 0. */
#include "model/recipe/bridge.h"

#include "core/base/error.h"
#include "model/graph/utf8.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

void *sow_bridge_take(struct sow_host *host, size_t bytes)
{
    void *taken = sow_arena_take(&host->model->arena, bytes);
    if (taken == NULL) {
        sow_host_raise(host, SOW_E_MEMORY,
                       "no memory is left for the model's names and shapes (at most 1 GiB)");
    }
    return taken;
}

char *sow_bridge_keep(struct sow_host *host, const char *text, size_t length)
{
    char *copy = sow_bridge_take(host, length + 1);
    memcpy(copy, text, length);
    return copy;
}

const char *sow_bridge_keep_word(struct sow_host *host, const char *word, size_t length)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < length; i++) {
        hash = (hash ^ (unsigned char)word[i]) * 16777619u;
    }
    const char **recent = &host->recent[(hash ^ hash >> 16) % SOW_HOST_WORDS];
    if (*recent == NULL || strlen(*recent) != length || memcmp(*recent, word, length) != 0) {
        *recent = sow_bridge_keep(host, word, length);
    }
    return *recent;
}

uint64_t sow_bridge_check_size(lua_State *L, const char *what, uint32_t number, const char *name)
{
    int is_integer;
    lua_Integer size = lua_tointegerx(L, -1, &is_integer);
    if (!is_integer || lua_type(L, -1) != LUA_TNUMBER || size < 1) {
        char which[16] = "";
        const char *shown =
            lua_type(L, -1) == LUA_TNUMBER ? lua_tostring(L, -1) : luaL_typename(L, -1);
        if (number > 0) {
            snprintf(which, sizeof which, " %u", number);
        }
        sow_host_raise(sow_host_of(L), SOW_E_SHAPE,
                       "%s%s of %.300s is %s; it must be an integer of at least 1", what, which,
                       name, shown);
    }
    lua_pop(L, 1);
    return (uint64_t)size;
}

/* ---- Names --------------------------------------------------------------------------------- */

void sow_bridge_check_name(struct sow_host *host, const char *name, size_t length)
{
    if (length == 0 || length > SOW_MODEL_NAME_MAX) {
        sow_host_raise(host, SOW_E_CONFIG, "a name has 1 to %u bytes, and this one %zu",
                       SOW_MODEL_NAME_MAX, length);
    }
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f) {
            sow_host_raise(host, SOW_E_CONFIG, "a control character in a name, at byte %zu", i);
        }
    }
    if (!sow_is_utf8(name, length)) {
        sow_host_raise(host, SOW_E_CONFIG, "a name that is not UTF-8");
    }
}

const char *sow_bridge_full_name(lua_State *L, int index)
{
    struct sow_host *host = sow_host_of(L);
    size_t length, prefix = host->scopes[host->scope_depth].length;
    const char *name = luaL_checklstring(L, index, &length);
    sow_bridge_check_name(host, name, length);
    if (prefix + length > SOW_MODEL_NAME_MAX) {
        sow_host_raise(host, SOW_E_CONFIG, "the name %s... is longer than %u bytes", host->prefix,
                       SOW_MODEL_NAME_MAX);
    }
    char *full = sow_bridge_take(host, prefix + length + 1);
    memcpy(full, host->prefix, prefix);
    memcpy(full + prefix, name, length);
    return full;
}

/* full_name(name) -> the name under the current scope */
static int bridge_full_name(lua_State *L)
{
    struct sow_host *host = sow_host_of(L);
    lua_pushlstring(L, host->prefix, host->scopes[host->scope_depth].length);
    lua_pushvalue(L, 1);
    lua_concat(L, 2);
    return 1;
}

/* enter(name or "" , layer or nil, layer_count) */
static int bridge_enter(lua_State *L)
{
    struct sow_host *host = sow_host_of(L);
    size_t length;
    const char *name = luaL_checklstring(L, 1, &length);
    struct sow_host_scope scope = host->scopes[host->scope_depth];
    if (host->scope_depth + 1 >= SOW_HOST_SCOPES_MAX) {
        return sow_host_raise(host, SOW_E_CONFIG, "more than %u scopes in one another",
                              SOW_HOST_SCOPES_MAX - 1);
    }
    if (length > 0) {
        sow_bridge_check_name(host, name, length);
        if (scope.length + length + 1 > SOW_MODEL_NAME_MAX) {
            return sow_host_raise(host, SOW_E_CONFIG, "the scope %s... is longer than %u bytes",
                                  host->prefix, SOW_MODEL_NAME_MAX);
        }
        memcpy(host->prefix + scope.length, name, length);
        host->prefix[scope.length + length] = '.';
        scope.length += length + 1;
        host->prefix[scope.length] = '\0';
    }
    if (!lua_isnoneornil(L, 2)) {
        scope.layer = (int32_t)luaL_checkinteger(L, 2);
        scope.layer_count = (int32_t)luaL_checkinteger(L, 3);
    }
    host->scopes[++host->scope_depth] = scope;
    host->prefix_kept = NULL;
    return 0;
}

static int bridge_leave(lua_State *L)
{
    struct sow_host *host = sow_host_of(L);
    if (host->scope_depth > 0) {
        host->scope_depth--;
        host->prefix[host->scopes[host->scope_depth].length] = '\0';
        host->prefix_kept = NULL;
    }
    return 0;
}

/* ---- Ties ------------------------------------------------------------------------------------- */

/* tie(name, to): the full names; `to` is declared, `name` is not */
static int bridge_tie(lua_State *L)
{
    struct sow_host *host = sow_host_of(L);
    struct sow_error error = {.code = SOW_OK};
    size_t length;
    const char *name = luaL_checklstring(L, 1, &length);
    sow_bridge_check_name(host, name, length);
    name = sow_bridge_keep(host, name, length);
    uint32_t target = sow_model_find(host->model, luaL_checkstring(L, 2));
    if (target == UINT32_MAX) {
        return sow_host_raise(host, SOW_E_CONFIG,
                              "%s is tied to %s, and there is no tensor of that name", name,
                              lua_tostring(L, 2));
    }
    if (sow_model_find(host->model, name) != UINT32_MAX) {
        return sow_host_raise(host, SOW_E_CONFIG, "%s is tied, and also a tensor of its own", name);
    }
    if (sow_model_add_tie(host->model, name, host->model->parameters[target].name, &error) !=
        SOW_OK) {
        return sow_host_raise_error(host, &error);
    }
    const struct sow_tensor *tensor = &host->model->parameters[target].tensor;
    lua_pushinteger(L, (lua_Integer)target);
    lua_createtable(L, (int)tensor->rank, 0);
    for (uint32_t axis = 0; axis < tensor->rank; axis++) {
        lua_pushinteger(L, (lua_Integer)tensor->shape[axis]);
        lua_rawseti(L, -2, (lua_Integer)axis + 1);
    }
    return 2;
}

/* ---- Operations ---------------------------------------------------------------------------- */

/* A list of numbers below `limit`. */
static uint32_t *read_indices(lua_State *L, int index, size_t limit, uint32_t *count)
{
    struct sow_host *host = sow_host_of(L);
    luaL_checktype(L, index, LUA_TTABLE);
    lua_Unsigned length = lua_rawlen(L, index);
    if (length > 4096) {
        sow_host_raise(host, SOW_E_CONFIG, "an operation of more than 4096 inputs");
    }
    uint32_t *indices = sow_bridge_take(host, (size_t)length * sizeof *indices + 1);
    for (lua_Unsigned i = 0; i < length; i++) {
        lua_rawgeti(L, index, (lua_Integer)i + 1);
        lua_Integer value = luaL_checkinteger(L, -1);
        if (value < 0 || (uint64_t)value >= limit) {
            sow_host_raise(host, SOW_E_CONFIG, "an operation on a value that does not exist");
        }
        indices[i] = (uint32_t)value;
        lua_pop(L, 1);
    }
    *count = (uint32_t)length;
    return indices;
}

/* {name, value, name, value, ...}: a list, so that the order is fixed. */
static struct sow_attribute *read_attributes(lua_State *L, int index, uint32_t *count)
{
    struct sow_host *host = sow_host_of(L);
    luaL_checktype(L, index, LUA_TTABLE);
    lua_Unsigned pairs = lua_rawlen(L, index) / 2;
    *count = (uint32_t)(pairs < 64 ? pairs : 64);
    struct sow_attribute *attributes = sow_bridge_take(host, *count * sizeof *attributes + 1);
    for (uint32_t i = 0; i < *count; i++) {
        size_t length;
        lua_rawgeti(L, index, 2 * (lua_Integer)i + 1);
        lua_rawgeti(L, index, 2 * (lua_Integer)i + 2);
        const char *name = luaL_checklstring(L, -2, &length);
        attributes[i].name = sow_bridge_keep_word(host, name, length);
        if (lua_type(L, -1) == LUA_TSTRING) {
            const char *text = lua_tolstring(L, -1, &length);
            attributes[i].text = sow_bridge_keep_word(host, text, length);
        } else if (lua_isboolean(L, -1)) {
            attributes[i].number = lua_toboolean(L, -1);
        } else {
            attributes[i].number = luaL_checknumber(L, -1);
        }
        lua_pop(L, 2);
    }
    return attributes;
}

static void read_value_shape(lua_State *L, int index, struct sow_value *value)
{
    struct sow_host *host = sow_host_of(L);
    luaL_checktype(L, index, LUA_TTABLE);
    value->rank = (uint32_t)lua_rawlen(L, index);
    if (lua_rawlen(L, index) > SOW_RANK_MAX) {
        sow_host_raise(host, SOW_E_SHAPE, "a value of more than %d dimensions", SOW_RANK_MAX);
    }
    for (uint32_t axis = 0; axis < value->rank; axis++) {
        if (lua_rawgeti(L, index, (lua_Integer)axis + 1) == LUA_TSTRING) {
            size_t length;
            const char *symbol = lua_tolstring(L, -1, &length);
            value->symbol[axis] = sow_bridge_keep_word(host, symbol, length);
            lua_pop(L, 1);
        } else {
            value->shape[axis] = sow_bridge_check_size(L, "size", axis + 1, "a value");
        }
    }
}

/* op(kind, {values}, {tensors}, {attribute, value, ...}, {sizes or symbols}) -> number of the value */
static int bridge_op(lua_State *L)
{
    struct sow_host *host = sow_host_of(L);
    struct sow_operation operation = {.layer = host->scopes[host->scope_depth].layer};
    struct sow_value value = {.rank = 0};
    struct sow_error error = {.code = SOW_OK};
    size_t length;
    if (!host->declared) {
        return sow_host_raise(host, SOW_E_CONFIG, "there is nothing to connect inside rules");
    }
    const char *kind = luaL_checklstring(L, 1, &length);
    operation.kind = sow_bridge_keep_word(host, kind, length);
    operation.inputs = read_indices(L, 2, host->model->graph.value_count, &operation.input_count);
    operation.parameters =
        read_indices(L, 3, host->model->graph.parameter_count, &operation.parameter_count);
    operation.attributes = read_attributes(L, 4, &operation.attribute_count);
    read_value_shape(L, 5, &value);
    if (host->prefix_kept == NULL) {
        host->prefix_kept =
            sow_bridge_keep(host, host->prefix, host->scopes[host->scope_depth].length);
    }
    operation.scope = host->prefix_kept;
    sow_host_where(host, &operation.file, &operation.line);
    if (sow_model_add_operation(host->model, &operation, &value, &error) != SOW_OK) {
        return sow_host_raise_error(host, &error);
    }
    lua_pushinteger(L, (lua_Integer)operation.output);
    return 1;
}

void sow_bridge_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"op", bridge_op},
        {"tie", bridge_tie},
        {"enter", bridge_enter},
        {"leave", bridge_leave},
        {"full_name", bridge_full_name},
        {NULL, NULL},
    };
    luaL_setfuncs(L, functions, 0);
}
