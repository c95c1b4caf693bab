/* SPDX-License-Identifier: MIT */
/* What of Lua's own library a recipe may call. Left out: io, os, package, debug, coroutine, load, dofile, require,
 * pcall (it could swallow the end of the budget), next, string patterns, string.rep, table.*, math.random.
 * Changed: tostring and format never show an address, and pairs walks in a fixed order. */
#include "model/recipe/sandbox.h"

#include "model/recipe/host.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

static int is_scalar(lua_State *L, int index)
{
    int type = lua_type(L, index);
    return type == LUA_TNIL || type == LUA_TBOOLEAN || type == LUA_TNUMBER || type == LUA_TSTRING;
}

/* tostring(x): the type's name for what has no text. */
static int safe_tostring(lua_State *L)
{
    luaL_checkany(L, 1);
    if (is_scalar(L, 1)) {
        luaL_tolstring(L, 1, NULL);
    } else {
        lua_pushstring(L, luaL_typename(L, 1));
    }
    return 1;
}

/* string.format without %p and without tables, by Lua's own at the upvalue. */
static int checked_format(lua_State *L, const char *format)
{
    for (const char *at = strchr(format, '%'); at != NULL; at = strchr(at, '%')) {
        at += 1 + strspn(at + 1, "-+ #0123456789.");
        if (*at == 'p') {
            return luaL_error(L, "string.format has no %%p here");
        }
        at += *at != '\0';
    }
    for (int i = 2; i <= lua_gettop(L); i++) {
        if (!is_scalar(L, i)) {
            return luaL_error(L, "string.format cannot show a %s", luaL_typename(L, i));
        }
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, 1);
    return 1;
}

/* Digits of a number from 0, at least `width` of them, before `end`; where they begin. */
static char *put_digits(char *end, lua_Integer number, int width)
{
    char *at = end;
    for (; number > 0 || at == end || end - at < width; number /= 10) {
        *--at = (char)('0' + number % 10);
    }
    return at;
}

/* What names are made with, %d and %05d of integers from 0 and %s of texts, into `made`: the length, or 0 for all else. */
static size_t simple_format(lua_State *L, const char *format, char *made, size_t room)
{
    size_t used = 0;
    int argument = 2;
    while (*format != '\0') {
        char digits[20];
        const char *piece = format;
        size_t length = strcspn(format, "%");
        format += length;
        if (length == 0) {
            const int is_padded = format[1] == '0' && format[2] >= '1' && format[2] <= '9';
            const char kind = format[is_padded ? 3 : 1];
            if (kind == 'd' && lua_isinteger(L, argument) && lua_tointeger(L, argument) >= 0) {
                piece = put_digits(digits + sizeof digits, lua_tointeger(L, argument),
                                   is_padded ? format[2] - '0' : 0);
                length = (size_t)(digits + sizeof digits - piece);
            } else if (kind == 's' && !is_padded && lua_type(L, argument) == LUA_TSTRING) {
                piece = lua_tolstring(L, argument, &length);
            } else {
                return 0;
            }
            argument++;
            format += is_padded ? 4 : 2;
        }
        if (length > room - used) {
            return 0;
        }
        memcpy(made + used, piece, length);
        used += length;
    }
    return argument == lua_gettop(L) + 1 ? used : 0;
}

/* string.format: a recipe names every tensor with it, so that the simple cases do without the C library's. */
static int safe_format(lua_State *L)
{
    char made[256];
    size_t whole;
    const char *format = luaL_checklstring(L, 1, &whole);
    const size_t length = strlen(format) == whole ? simple_format(L, format, made, sizeof made) : 0;
    if (length == 0) {
        return checked_format(L, format);
    }
    lua_pushlstring(L, made, length);
    return 1;
}

/* ---- pairs in a fixed order: numbers ascending, then texts by their bytes --------------------- */

struct key {
    double number;
    const char *text; /* NULL for a number; held alive by the table */
    size_t length;
    lua_Integer position; /* in the snapshot before sorting */
};

static int compare_keys(const void *left, const void *right)
{
    const struct key *a = left, *b = right;
    if (a->text == NULL || b->text == NULL) {
        return a->text != NULL   ? 1
               : b->text != NULL ? -1
                                 : (a->number > b->number) - (a->number < b->number);
    }
    size_t shorter = a->length < b->length ? a->length : b->length;
    int order = memcmp(a->text, b->text, shorter);
    return order != 0 ? order : (a->length > b->length) - (a->length < b->length);
}

/* The keys of the table at 1, as a new table on top; the array of keys lies in a userdata below it. */
static size_t collect_keys(lua_State *L, struct key **keys)
{
    size_t count = 0;
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        count++;
    }
    sow_host_of(L)->steps -= (int64_t)count;
    *keys = lua_newuserdatauv(L, (count + 1) * sizeof **keys, 0);
    lua_createtable(L, (int)(count < INT32_MAX ? count : INT32_MAX), 0);
    lua_Integer position = 0;
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        struct key *key = &(*keys)[position];
        int type = lua_type(L, -2);
        if (type != LUA_TNUMBER && type != LUA_TSTRING) {
            luaL_error(L, "pairs walks keys that are numbers or texts, and here is a %s",
                       lua_typename(L, type));
        }
        key->text = NULL;
        key->length = 0;
        key->number = type == LUA_TNUMBER ? lua_tonumber(L, -2) : 0;
        if (type == LUA_TSTRING) {
            key->text = lua_tolstring(L, -2, &key->length);
        }
        key->position = ++position;
        lua_pushvalue(L, -2);
        lua_rawseti(L, -4, position);
    }
    return count;
}

/* The next key of a walk. Upvalues: the table, the sorted keys, how far we are. */
static int next_pair(lua_State *L)
{
    lua_Integer at = lua_tointeger(L, lua_upvalueindex(3)) + 1;
    for (;; at++) {
        if (lua_rawgeti(L, lua_upvalueindex(2), at) == LUA_TNIL) {
            return 1;
        }
        lua_pushvalue(L, -1);
        if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) { /* not removed meanwhile */
            break;
        }
        lua_pop(L, 2);
    }
    lua_pushinteger(L, at);
    lua_replace(L, lua_upvalueindex(3));
    return 2;
}

static int sorted_pairs(lua_State *L)
{
    struct key *keys;
    luaL_checktype(L, 1, LUA_TTABLE);
    if (luaL_getmetafield(L, 1, "__name") == LUA_TSTRING) {
        return luaL_error(L, "pairs walks plain tables, not %s", lua_tostring(L, -1));
    }
    lua_settop(L, 1);
    size_t count = collect_keys(L, &keys);
    qsort(keys, count, sizeof *keys, compare_keys);
    lua_pushvalue(L, 1);
    lua_createtable(L, (int)(count < INT32_MAX ? count : INT32_MAX), 0);
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, 3, keys[i].position);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, next_pair, 3);
    return 1;
}

/* set_environment(table): _ENV of what is loaded from now on */
static int set_environment(lua_State *L)
{
    lua_settop(L, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, SOW_ENVIRONMENT);
    return 0;
}

/* ---- Opening ------------------------------------------------------------------------------- */

/* Copies `names` of the table at -1 into the table at `target`. */
static void pick(lua_State *L, int target, const char *const *names)
{
    for (; *names != NULL; names++) {
        lua_getfield(L, -1, *names);
        lua_setfield(L, target, *names);
    }
}

/* A table of the string functions that are bounded, also the methods of texts: ("x"):upper(). */
static void open_strings(lua_State *L, int target)
{
    static const char *const bounded[] = {"len", "lower", "sub", "upper", NULL};
    luaL_requiref(L, "string", luaopen_string, 0);
    lua_newtable(L);
    int strings = lua_gettop(L);
    lua_pushvalue(L, -2);
    pick(L, strings, bounded);
    lua_getfield(L, -1, "format");
    lua_pushcclosure(L, safe_format, 1);
    lua_setfield(L, strings, "format");
    lua_pop(L, 1);
    lua_pushliteral(L, "");
    lua_createtable(L, 0, 1); /* instead of Lua's metatable: no arithmetic on texts */
    lua_pushvalue(L, strings);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
    lua_setfield(L, target, "string");
    lua_pop(L, 1);
}

void sow_sandbox_open(lua_State *L)
{
    static const char *const base[] = {
        "assert", "error",  "getmetatable", "ipairs",   "next", "rawequal", "rawget",
        "rawset", "select", "setmetatable", "tonumber", "type", NULL};
    static const char *const math[] = {"abs",       "ceil", "floor", "max", "min",
                                       "tointeger", "type", "huge",  "pi",  NULL};
    lua_newtable(L);
    int trusted = lua_gettop(L);
    luaL_requiref(L, "_G", luaopen_base, 0);
    pick(L, trusted, base);
    lua_pop(L, 1);
    lua_newtable(L);
    luaL_requiref(L, "math", luaopen_math, 0);
    pick(L, lua_gettop(L) - 1, math);
    lua_pop(L, 1);
    lua_setfield(L, trusted, "math");
    open_strings(L, trusted);
    lua_pushcfunction(L, safe_tostring);
    lua_setfield(L, trusted, "tostring");
    lua_pushcfunction(L, sorted_pairs);
    lua_setfield(L, trusted, "pairs");

    lua_newtable(L);
    sow_bridge_open(L);
    sow_bridge_open_value(L);
    sow_bridge_open_param(L);
    sow_bridge_open_config(L);
    sow_bridge_open_include(L);
    sow_bridge_open_words(L);
    lua_pushcfunction(L, set_environment);
    lua_setfield(L, -2, "set_environment");
    lua_setfield(L, LUA_REGISTRYINDEX, SOW_BRIDGE);
    lua_setfield(L, LUA_REGISTRYINDEX, SOW_TRUSTED);

    lua_newtable(L); /* Lua's own globals: emptied, so that nothing can find its way back to them */
    lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    lua_pushnil(L);
    lua_setfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
}
