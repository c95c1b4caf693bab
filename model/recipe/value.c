/* SPDX-License-Identifier: MIT */
/* Values and layers as the prelude holds them, and the operations between values. In C because a network has them by
 * the hundred thousand; what a layer is lies in prelude/layers/. Everything that comes from Lua is checked here; the
 * prelude's own checks are for better words. Lua numbers tensors and values from 0. */
#include "model/recipe/bridge.h"

#include "core/base/error.h"

#include <lauxlib.h>

/* A value is a table with a number and a shape, a bundle one with a list of values, a layer one with its function and
 * what messages say of it. Their keys are addresses, which no recipe has: so nothing is read or changed outside. */
static const char number_key, shape_key, list_key; /* of values */
static const char connect_key, takes_bundle_key;   /* of layers */
static const char kind_key, name_key;              /* of layers, for messages */
static const char value_meta, layer_meta;          /* of the registry: their metatables */

/* Whether the object at `index` has that metatable. */
static int is_made(lua_State *L, int index, const char *meta)
{
    if (lua_type(L, index) != LUA_TTABLE || !lua_getmetatable(L, index)) {
        return 0;
    }
    const struct sow_host *host = sow_host_of(L);
    const void *found = lua_topointer(L, -1);
    lua_pop(L, 1);
    return found == (meta == &value_meta ? host->value_meta : host->layer_meta);
}

/* object[key] = the value at `index`, the object being on top of the stack */
static void put(lua_State *L, int index, const char *key)
{
    lua_pushvalue(L, index);
    lua_rawsetp(L, -2, key);
}

static void set_meta(lua_State *L, const char *meta)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, meta);
    lua_setmetatable(L, -2);
}

/* ---- Operations ------------------------------------------------------------------------------- */

/* The length of a list at `index`. */
static uint32_t length_of(lua_State *L, int index)
{
    luaL_checktype(L, index, LUA_TTABLE);
    lua_Unsigned length = lua_rawlen(L, index);
    if (length > 4096) {
        sow_host_raise(sow_host_of(L), SOW_E_CONFIG, "an operation of more than 4096 inputs");
    }
    return (uint32_t)length;
}

/* A number below `limit` on top of the stack, popped. */
static uint32_t index_at_top(lua_State *L, size_t limit)
{
    int is_integer;
    lua_Integer index = lua_tointegerx(L, -1, &is_integer);
    if (!is_integer || index < 0 || (uint64_t)index >= limit) {
        sow_host_raise(sow_host_of(L), SOW_E_CONFIG, "an operation on a value that does not exist");
    }
    lua_pop(L, 1);
    return (uint32_t)index;
}

static void read_inputs(lua_State *L, int index, struct sow_operation *operation)
{
    struct sow_host *host = sow_host_of(L);
    const uint32_t count = length_of(L, index);
    uint32_t *inputs = sow_bridge_take(host, count * sizeof *inputs + 1);
    for (uint32_t i = 0; i < count; i++) {
        if (lua_rawgeti(L, index, (lua_Integer)i + 1) != LUA_TTABLE) {
            lua_createtable(L, 0, 0); /* has no number */
        }
        lua_rawgetp(L, -1, &number_key);
        inputs[i] = index_at_top(L, host->model->graph.value_count);
        lua_pop(L, 1);
    }
    operation->inputs = inputs;
    operation->input_count = count;
}

static void read_parameters(lua_State *L, int index, struct sow_operation *operation)
{
    struct sow_host *host = sow_host_of(L);
    const uint32_t count = length_of(L, index);
    uint32_t *parameters = sow_bridge_take(host, count * sizeof *parameters + 1);
    for (uint32_t i = 0; i < count; i++) {
        lua_rawgeti(L, index, (lua_Integer)i + 1);
        parameters[i] = index_at_top(L, host->model->graph.parameter_count);
    }
    operation->parameters = parameters;
    operation->parameter_count = count;
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

static void check_declared(struct sow_host *host)
{
    if (!host->declared) {
        sow_host_raise(host, SOW_E_CONFIG, "there is nothing to connect inside rules");
    }
}

/* record(kind, {values}, {tensors}, {attribute, value, ...}, {sizes or symbols}) -> the value it makes; kept with the
 * value, the sizes must stay as they are */
static int bridge_record(lua_State *L)
{
    struct sow_host *host = sow_host_of(L);
    struct sow_operation operation = {.layer = host->scopes[host->scope_depth].layer};
    struct sow_value value = {.rank = 0};
    struct sow_error error;
    size_t length;
    error.code = SOW_OK; /* a kilobyte of text: not cleared for every operation */
    check_declared(host);
    host->steps -= SOW_HOST_STEPS_OPERATION;
    const char *kind = luaL_checklstring(L, 1, &length);
    operation.kind = sow_bridge_keep_word(host, kind, length);
    read_inputs(L, 2, &operation);
    read_parameters(L, 3, &operation);
    operation.attributes = read_attributes(L, 4, &operation.attribute_count);
    read_value_shape(L, 5, &value);
    operation.scope = sow_bridge_scope(host);
    sow_host_caller(host, 2, &operation.file, &operation.line); /* 1 is the prelude */
    if (sow_model_add_operation(host->model, &operation, &value, &error) != SOW_OK) {
        return sow_host_raise_error(host, &error);
    }
    lua_createtable(L, 0, 2);
    lua_pushinteger(L, (lua_Integer)operation.output);
    lua_rawsetp(L, -2, &number_key);
    put(L, 5, &shape_key);
    set_meta(L, &value_meta);
    return 1;
}

/* ---- Values and layers ------------------------------------------------------------------------ */

/* bundle_of({values}) -> several values as one */
static int bridge_bundle(lua_State *L)
{
    lua_createtable(L, 0, 1);
    put(L, 1, &list_key);
    set_meta(L, &value_meta);
    return 1;
}

/* layer(kind, name or nil, connect, takes_bundle): `connect(x, shape)` makes a value from a value, or from a bundle's
 * list (then without a shape) when it takes_bundle. The name is for messages. */
static int bridge_layer(lua_State *L)
{
    lua_settop(L, 4);
    lua_createtable(L, 0, 4);
    put(L, 1, &kind_key);
    put(L, 2, &name_key);
    put(L, 3, &connect_key);
    put(L, 4, &takes_bundle_key);
    set_meta(L, &layer_meta);
    return 1;
}

/* x >> f, where x is a value and f a layer that takes it; the upvalue, a function, has the rest and the errors */
static int bridge_connect(lua_State *L)
{
    lua_settop(L, 2);
    if (is_made(L, 1, &value_meta) && is_made(L, 2, &layer_meta)) {
        const int is_bundle = lua_rawgetp(L, 1, &list_key) != LUA_TNIL;
        lua_rawgetp(L, 2, &takes_bundle_key);
        if (!is_bundle || lua_toboolean(L, -1)) {
            lua_rawgetp(L, 2, &connect_key);
            lua_pushvalue(L, is_bundle ? 3 : 1);
            lua_rawgetp(L, 1, &shape_key);
            lua_call(L, 2, 1);
            return 1;
        }
        lua_settop(L, 2);
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 2, 1);
    return 1;
}

/* connecting(function(x, f)) -> the function behind >> */
static int bridge_connecting(lua_State *L)
{
    lua_settop(L, 1);
    lua_pushcclosure(L, bridge_connect, 1);
    return 1;
}

static int bridge_is_value(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_pushboolean(L, is_made(L, 1, &value_meta));
    return 1;
}

static int bridge_is_layer(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_pushboolean(L, is_made(L, 1, &layer_meta));
    return 1;
}

static int bridge_is_bundle(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_pushboolean(L, is_made(L, 1, &value_meta) && lua_rawgetp(L, 1, &list_key) != LUA_TNIL);
    return 1;
}

/* shape(x) of a value; nil of a bundle. Not to be written to. */
static int bridge_shape(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_rawgetp(L, 1, &shape_key);
    return 1;
}

/* layer_words(x) -> kind, name of a layer */
static int bridge_layer_words(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_rawgetp(L, 1, &kind_key);
    lua_rawgetp(L, 1, &name_key);
    return 2;
}

/* with_last({sizes}, size or nil): a copy with another last size, or without it */
static int bridge_with_last(lua_State *L)
{
    lua_settop(L, 2);
    luaL_checktype(L, 1, LUA_TTABLE);
    const lua_Unsigned rank = lua_rawlen(L, 1);
    lua_createtable(L, rank < SOW_RANK_MAX ? (int)rank : SOW_RANK_MAX, 0);
    for (lua_Unsigned i = 1; i < rank; i++) {
        lua_rawgeti(L, 1, (lua_Integer)i);
        lua_rawseti(L, -2, (lua_Integer)i);
    }
    lua_pushvalue(L, 2);
    lua_rawseti(L, -2, (lua_Integer)rank);
    return 1;
}

/* metatables(of values, of layers) */
static int bridge_metatables(lua_State *L)
{
    lua_settop(L, 2);
    sow_host_of(L)->value_meta =
        lua_topointer(L, 1); /* the registry keeps them, so that these stay theirs */
    sow_host_of(L)->layer_meta = lua_topointer(L, 2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &layer_meta);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &value_meta);
    return 0;
}

void sow_bridge_open_value(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"record", bridge_record},
        {"bundle_of", bridge_bundle},
        {"layer", bridge_layer},
        {"connecting", bridge_connecting},
        {"is_value", bridge_is_value},
        {"is_layer", bridge_is_layer},
        {"is_bundle", bridge_is_bundle},
        {"shape", bridge_shape},
        {"layer_words", bridge_layer_words},
        {"with_last", bridge_with_last},
        {"metatables", bridge_metatables},
        {NULL, NULL},
    };
    luaL_setfuncs(L, functions, 0);
}
