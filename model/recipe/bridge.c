/* SPDX-License-Identifier: MIT */
/* What layers are written with, but for tensors (param.c) and values (value.c): names, scopes, ties, options. Everything
 * that comes from Lua is checked here; the prelude's own checks are for better words. Lua numbers tensors from 0. */
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

/* Of the length and of the first and the last eight bytes: for the table of recent words only. */
static size_t hash_word(const char *word, size_t length)
{
    const size_t part = length < 8 ? length : 8;
    uint64_t first = 0, last = 0;
    memcpy(&first, word, part);
    memcpy(&last, word + length - part, part);
    uint64_t hash = (first ^ length) * UINT64_C(0x9e3779b97f4a7c15);
    hash = (hash ^ hash >> 32 ^ last) * UINT64_C(0x9e3779b97f4a7c15);
    return hash >> 56;
}

const char *sow_bridge_keep_word(struct sow_host *host, const char *word, size_t length)
{
    _Static_assert(SOW_HOST_WORDS == 256, "one for each hash");
    struct sow_host_word *recent = &host->recent[hash_word(word, length)];
    if (recent->text == NULL || recent->length != length ||
        memcmp(recent->text, word, length) != 0) {
        recent->text = sow_bridge_keep(host, word, length);
        recent->length = length;
    }
    return recent->text;
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

/* Whether all bytes are printable ASCII, as those of almost every name are: eight at a time. */
static int is_plain(const char *text, size_t length)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    while (length >= 8) {
        uint64_t word;
        memcpy(&word, text, 8);
        /* a top bit: of a byte that has it itself, that is below 0x20, or that is 0x7f */
        if (((word | (word - ones * 0x20) | (word + ones)) & tops) != 0) {
            return 0;
        }
        text += 8;
        length -= 8;
    }
    for (; length > 0 && (unsigned char)*text >= 0x20 && (unsigned char)*text < 0x7f; length--) {
        text++;
    }
    return length == 0;
}

static void check_length(struct sow_host *host, size_t length)
{
    if (length == 0 || length > SOW_MODEL_NAME_MAX) {
        sow_host_raise(host, SOW_E_CONFIG, "a name has 1 to %u bytes, and this one %zu",
                       SOW_MODEL_NAME_MAX, length);
    }
}

void sow_bridge_check_name(struct sow_host *host, const char *name, size_t length)
{
    check_length(host, length);
    if (is_plain(name, length)) {
        return;
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

const char *sow_bridge_full_name(lua_State *L, int index, int suffix)
{
    struct sow_host *host = sow_host_of(L);
    size_t length, more = 0, prefix = host->scopes[host->scope_depth].length;
    const char *name = luaL_checklstring(L, index, &length);
    const char *last = suffix == 0 ? "" : luaL_checklstring(L, suffix, &more);
    if (length == 0 && more > 0) {
        last++;
        more--;
    }
    check_length(host, length + more);
    if (prefix + length + more > SOW_MODEL_NAME_MAX) {
        sow_host_raise(host, SOW_E_CONFIG, "the name %s... is longer than %u bytes", host->prefix,
                       SOW_MODEL_NAME_MAX);
    }
    char *full = sow_bridge_take(host, prefix + length + more + 1);
    memcpy(full, host->prefix, prefix);
    memcpy(full + prefix, name, length);
    memcpy(full + prefix + length, last, more);
    sow_bridge_check_name(host, full + prefix, length + more);
    if (strcmp(full, "__metadata__") == 0) {
        sow_host_raise(host, SOW_E_CONFIG,
                       "a safetensors file keeps the name __metadata__ for its metadata; take "
                       "another one");
    }
    return full;
}

const char *sow_bridge_scope(struct sow_host *host)
{
    if (host->prefix_kept == NULL) {
        host->prefix_kept =
            sow_bridge_keep(host, host->prefix, host->scopes[host->scope_depth].length);
    }
    return host->prefix_kept;
}

/* full_name(name) -> the name under the current scope */
static int bridge_full_name(lua_State *L)
{
    struct sow_host *host = sow_host_of(L);
    const size_t prefix = host->scopes[host->scope_depth].length;
    lua_settop(L, 1);
    if (prefix > 0) {
        lua_pushlstring(L, host->prefix, prefix);
        lua_insert(L, 1);
        lua_concat(L, 2);
    }
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
    const struct sow_tensor *tensor = host->model->parameters[target].tensor;
    lua_pushinteger(L, (lua_Integer)target);
    lua_createtable(L, (int)tensor->rank, 0);
    for (uint32_t axis = 0; axis < tensor->rank; axis++) {
        lua_pushinteger(L, (lua_Integer)tensor->shape[axis]);
        lua_rawseti(L, -2, (lua_Integer)axis + 1);
    }
    return 2;
}

/* ---- Options ---------------------------------------------------------------------------------- */

/* overlay({given}, {defaults}) -> a copy of what was given, or nil and a name that the defaults do not have */
static int bridge_overlay(lua_State *L)
{
    int count = 0;
    lua_settop(L, 2);
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        lua_pushvalue(L, -2);
        if (lua_rawget(L, 2) == LUA_TNIL) {
            lua_pushnil(L);
            lua_pushvalue(L, -4);
            return 2;
        }
        lua_pop(L, 1);
        count++;
    }
    lua_createtable(L, 0, count);
    for (lua_pushnil(L); lua_next(L, 1);) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, 3);
    }
    return 1;
}

void sow_bridge_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"tie", bridge_tie},         {"enter", bridge_enter},
        {"leave", bridge_leave},     {"full_name", bridge_full_name},
        {"overlay", bridge_overlay}, {NULL, NULL},
    };
    luaL_setfuncs(L, functions, 0);
}
