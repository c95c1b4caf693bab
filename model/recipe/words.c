/* SPDX-License-Identifier: MIT */
/* Small things for the prelude: errors and notes, the words of the catalogue of schemes and of the activations, and
 * arithmetic with the same bits everywhere (core/base/elementary.h instead of the C library's). */
#include "model/match/match.h"
#include "model/recipe/activation.h"
#include "model/recipe/host.h"

#include "core/activation/gain.h"
#include "core/base/elementary.h"
#include "core/base/error.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

/* ---- Errors and notes ------------------------------------------------------------------------ */

static int raise_as(lua_State *L, enum sow_status code)
{
    return sow_host_raise(sow_host_of(L), code, "%s", luaL_checkstring(L, 1));
}

static int bridge_fail(lua_State *L)
{
    return raise_as(L, SOW_E_CONFIG);
}

static int bridge_fail_shape(lua_State *L)
{
    return raise_as(L, SOW_E_SHAPE);
}

static int bridge_fail_rule(lua_State *L)
{
    return raise_as(L, SOW_E_RULE);
}

/* fail_at(file, line, text): when the recipe has run already */
static int bridge_fail_at(lua_State *L)
{
    struct sow_error error;
    sow_fail_at(&error, SOW_E_RULE, luaL_checkstring(L, 1), (uint32_t)luaL_checkinteger(L, 2), 0,
                "%s", luaL_checkstring(L, 3));
    return sow_host_raise_error(sow_host_of(L), &error);
}

/* note(text): what was assumed; told by `sow plan` */
static int bridge_note(lua_State *L)
{
    struct sow_host *host = sow_host_of(L);
    struct sow_error error = {.code = SOW_OK};
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    if (host->model->note_count < 256 &&
        sow_model_add_note(host->model, text, length, &error) != SOW_OK) {
        return sow_host_raise_error(host, &error);
    }
    return 0;
}

/* where() -> file, line of the recipe that is running */
static int bridge_where(lua_State *L)
{
    const char *path;
    uint32_t line;
    sow_host_where(sow_host_of(L), &path, &line);
    lua_pushstring(L, path);
    lua_pushinteger(L, line);
    return 2;
}

struct word_list {
    lua_State *L;
    int index;
};

static const char *word_at(const void *context, size_t index)
{
    const struct word_list *list = context;
    lua_rawgeti(list->L, list->index, (lua_Integer)index + 1);
    const char *word = lua_type(list->L, -1) == LUA_TSTRING ? lua_tostring(list->L, -1) : NULL;
    lua_pop(list->L, 1); /* the list still holds it */
    return word;
}

/* nearest(word, {words}) -> a word or nil */
static int bridge_nearest(lua_State *L)
{
    struct word_list list = {L, 2};
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_pushstring(L, sow_nearest(luaL_checkstring(L, 1), word_at, &list));
    return 1;
}

/* variant(name, source) */
static int bridge_variant(lua_State *L)
{
    struct sow_host *host = sow_host_of(L);
    struct sow_error error = {.code = SOW_OK};
    const char *kept[2];
    for (int i = 0; i < 2; i++) {
        size_t length;
        const char *text = luaL_checklstring(L, i + 1, &length);
        kept[i] = sow_arena_copy(&host->model->arena, text, length);
        if (kept[i] == NULL) {
            return sow_host_raise(host, SOW_E_MEMORY, "out of memory");
        }
    }
    if (strcmp(kept[0], SOW_MATCHED) == 0) {
        return sow_host_raise(host, SOW_E_CONFIG, "the variant %s is sow's own; take another name",
                              SOW_MATCHED);
    }
    if (sow_model_add_variant(host->model, kept[0], kept[1], 1, &error) != SOW_OK) {
        return sow_host_raise_error(host, &error);
    }
    return 0;
}

/* ---- The catalogue --------------------------------------------------------------------------- */

/* An identifier of Lua's that is no keyword can be a constructor; "nn.init.normal_" cannot. */
static int is_identifier(const char *name)
{
    size_t length = strlen(name);
    return length > 0 && !(name[0] >= '0' && name[0] <= '9') &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") ==
               length;
}

static void push_list(lua_State *L, const char *const *names)
{
    lua_newtable(L);
    for (lua_Integer i = 0; names != NULL && names[i] != NULL; i++) {
        lua_pushstring(L, names[i]);
        lua_rawseti(L, -2, i + 1);
    }
}

/* schemes() -> list of {name, parameters, positional, lists = {names}, words = {name and aliases that are identifiers}} */
static int bridge_schemes(lua_State *L)
{
    const struct sow_scheme *row;
    lua_newtable(L);
    for (size_t i = 0; (row = sow_scheme_at(i)) != NULL; i++) {
        lua_newtable(L);
        lua_pushstring(L, row->name);
        lua_setfield(L, -2, "name");
        lua_newtable(L);
        for (size_t j = 0; j < row->parameter_count; j++) {
            lua_pushstring(L, row->parameters[j].name);
            lua_rawseti(L, -2, (lua_Integer)j + 1);
        }
        lua_setfield(L, -2, "parameters");
        push_list(L, row->positional);
        lua_setfield(L, -2, "positional");
        push_list(L, row->lists);
        lua_setfield(L, -2, "lists");
        lua_newtable(L);
        lua_pushstring(L, row->name);
        lua_rawseti(L, -2, 1);
        lua_Integer count = 1;
        for (size_t j = 0; row->aliases != NULL && row->aliases[j] != NULL; j++) {
            if (is_identifier(row->aliases[j])) {
                lua_pushstring(L, row->aliases[j]);
                lua_rawseti(L, -2, ++count);
            }
        }
        lua_setfield(L, -2, "words");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static enum sow_status read_activation(lua_State *L, struct sow_function *function,
                                       struct sow_error *error)
{
    struct sow_host *host = sow_host_of(L);
    const struct sow_graph_function *before = host->model->graph.functions;
    enum sow_status status =
        sow_model_activation(host->model, luaL_checkstring(L, 1), function, error);
    host->steps -= host->model->graph.functions != before ? SOW_HOST_STEPS_EXPRESSION : 0;
    return status;
}

/* activation(text) -> the catalogue's own name or "expr{...}", {parameter, value, ...} of those that are not at their
 * defaults, and whether it is a gate; or nil and a sentence */
static int bridge_activation(lua_State *L)
{
    struct sow_error error = {.code = SOW_OK};
    struct sow_function function;
    if (read_activation(L, &function, &error) != SOW_OK) {
        lua_pushnil(L);
        lua_pushstring(L, error.message);
        return 2;
    }
    const struct sow_activation *row = function.activation;
    lua_Integer count = 0;
    lua_pushstring(L, sow_function_name(&function));
    lua_newtable(L);
    for (size_t i = 0; row != NULL && i < row->parameter_count; i++) {
        if (function.parameters[i] != row->parameters[i].value) {
            lua_pushstring(L, row->parameters[i].name);
            lua_rawseti(L, -2, ++count);
            lua_pushnumber(L, function.parameters[i]);
            lua_rawseti(L, -2, ++count);
        }
    }
    lua_pushboolean(L, row != NULL && row->is_gate);
    return 3;
}

/* gain(text) -> the exact gain of an activation; NaN where there is none */
static int bridge_gain(lua_State *L)
{
    struct sow_error error = {.code = SOW_OK};
    struct sow_function function;
    struct sow_activation_numbers numbers;
    if (read_activation(L, &function, &error) != SOW_OK ||
        sow_function_numbers(&function, &numbers, &error) != SOW_OK) {
        return sow_host_raise_error(sow_host_of(L), &error);
    }
    lua_pushnumber(L, numbers.gain);
    return 1;
}

/* weights(text): a scheme for every weight, after the user's rules and before the variant's */
static int bridge_weights(lua_State *L)
{
    struct sow_host *host = sow_host_of(L);
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    host->model->scheme = sow_arena_copy(&host->model->arena, text, length);
    return host->model->scheme != NULL ? 0 : sow_host_raise(host, SOW_E_MEMORY, "out of memory");
}

/* ---- Arithmetic ------------------------------------------------------------------------------ */

static int words_sqrt(lua_State *L)
{
    lua_pushnumber(L, sow_sqrt(luaL_checknumber(L, 1)));
    return 1;
}

static int words_exp(lua_State *L)
{
    lua_pushnumber(L, sow_exp(luaL_checknumber(L, 1)));
    return 1;
}

static int words_log(lua_State *L)
{
    lua_pushnumber(L, sow_log(luaL_checknumber(L, 1)));
    return 1;
}

static int words_pow(lua_State *L)
{
    lua_pushnumber(L, sow_pow(luaL_checknumber(L, 1), luaL_checknumber(L, 2)));
    return 1;
}

void sow_bridge_open_words(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"fail", bridge_fail},
        {"fail_shape", bridge_fail_shape},
        {"fail_rule", bridge_fail_rule},
        {"fail_at", bridge_fail_at},
        {"note", bridge_note},
        {"where", bridge_where},
        {"nearest", bridge_nearest},
        {"variant", bridge_variant},
        {"schemes", bridge_schemes},
        {"activation", bridge_activation},
        {"gain", bridge_gain},
        {"weights", bridge_weights},
        {"sqrt", words_sqrt},
        {"exp", words_exp},
        {"log", words_log},
        {"pow", words_pow},
        {NULL, NULL},
    };
    luaL_setfuncs(L, functions, 0);
}
