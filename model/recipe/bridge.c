/* SPDX-License-Identifier: MIT */
/* What layers are written with: param (a tensor), op (a value made from values), tie, scopes. Everything that comes
 * from Lua is checked here; the prelude's own checks are for better words. Lua numbers tensors and values from 0. */
#include "model/recipe/host.h"

#include "core/base/checked.h"
#include "core/base/error.h"
#include "model/graph/utf8.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

static void *take(struct sow_host *host, size_t bytes)
{
    void *taken = sow_arena_take(&host->model->arena, bytes);
    if (taken == NULL) {
        sow_host_raise(host, SOW_E_MEMORY,
                       "no memory is left for the model's names and shapes (at most 1 GiB)");
    }
    return taken;
}

/* A copy with a closing 0. */
static char *keep(struct sow_host *host, const char *text, size_t length)
{
    char *copy = take(host, length + 1);
    memcpy(copy, text, length);
    return copy;
}

/* The same for words that come again: kinds, roles, attributes. */
static const char *keep_word(struct sow_host *host, const char *word, size_t length)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < length; i++) {
        hash = (hash ^ (unsigned char)word[i]) * 16777619u;
    }
    const char **recent = &host->recent[(hash ^ hash >> 16) % SOW_HOST_WORDS];
    if (*recent == NULL || strlen(*recent) != length || memcmp(*recent, word, length) != 0) {
        *recent = keep(host, word, length);
    }
    return *recent;
}

/* ---- Names --------------------------------------------------------------------------------- */

/* UTF-8, no control characters, not too long. */
static void check_name(struct sow_host *host, const char *name, size_t length)
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

/* Prefix and the text at `index`, in the arena. */
static const char *full_name(lua_State *L, int index)
{
    struct sow_host *host = sow_host_of(L);
    size_t length, prefix = host->scopes[host->scope_depth].length;
    const char *name = luaL_checklstring(L, index, &length);
    check_name(host, name, length);
    if (prefix + length > SOW_MODEL_NAME_MAX) {
        sow_host_raise(host, SOW_E_CONFIG, "the name %s... is longer than %u bytes", host->prefix,
                       SOW_MODEL_NAME_MAX);
    }
    char *full = take(host, prefix + length + 1);
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
        check_name(host, name, length);
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

/* ---- Tensors ------------------------------------------------------------------------------- */

static int has_option(lua_State *L, int options, const char *name)
{
    return !lua_isnoneornil(L, options) && lua_getfield(L, options, name) != LUA_TNIL &&
           !(lua_isboolean(L, -1) && !lua_toboolean(L, -1)); /* false is none */
}

/* A size at the top of the stack, popped. For messages: `what` of `name`, and which one from 1 (0: the only one). */
static uint64_t check_size(lua_State *L, const char *what, uint32_t number, const char *name)
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

static void read_shape(lua_State *L, int index, const char *name, struct sow_tensor *tensor)
{
    struct sow_host *host = sow_host_of(L);
    uint64_t elements;
    luaL_checktype(L, index, LUA_TTABLE);
    lua_Unsigned rank = lua_rawlen(L, index);
    if (rank > SOW_RANK_MAX) {
        sow_host_raise(host, SOW_E_SHAPE, "%.300s has %d dimensions; at most %d are possible", name,
                       (int)(rank < INT32_MAX ? rank : INT32_MAX), SOW_RANK_MAX);
    }
    tensor->rank = (uint32_t)rank;
    for (uint32_t axis = 0; axis < tensor->rank; axis++) {
        lua_rawgeti(L, index, (lua_Integer)axis + 1);
        tensor->shape[axis] = check_size(L, "size", axis + 1, name);
    }
    if (sow_product_u64(tensor->shape, tensor->rank, &elements) ||
        elements > SOW_MODEL_ELEMENTS_MAX) {
        sow_host_raise(host, SOW_E_SHAPE, "%.300s has more than 2^56 elements", name);
    }
}

static enum sow_kind read_kind(lua_State *L, int index)
{
    const char *word = luaL_checkstring(L, index), *name;
    enum sow_kind kind = SOW_KIND_OTHER;
    while ((name = sow_kind_name(kind)) != NULL && strcmp(name, word) != 0) {
        kind++;
    }
    if (name == NULL) {
        sow_host_raise(sow_host_of(L), SOW_E_CONFIG,
                       "there is no kind of tensor \"%s\"; the first one is \"other\"", word);
    }
    return kind;
}

/* The first axis of outputs; of a tensor without axes the first or, in-out, the last. */
static uint32_t output_axis(const struct sow_tensor *tensor)
{
    for (uint32_t axis = 0; axis < tensor->rank; axis++) {
        if (sow_tensor_axis(tensor, axis) == SOW_AXIS_OUT) {
            return axis;
        }
    }
    return tensor->layout == SOW_LAYOUT_IN_OUT && tensor->rank > 0 ? tensor->rank - 1 : 0;
}

/* {sizes} along the output axis. */
static void read_blocks(lua_State *L, struct sow_parameter *parameter)
{
    struct sow_host *host = sow_host_of(L);
    uint64_t sum = 0;
    luaL_checktype(L, -1, LUA_TTABLE);
    const lua_Unsigned count = lua_rawlen(L, -1);
    if (count == 0 || count > 1024) {
        sow_host_raise(host, SOW_E_SHAPE, "blocks of %s: 1 to 1024 sizes", parameter->name);
    }
    uint64_t *sizes = take(host, (size_t)count * sizeof *sizes);
    for (lua_Unsigned i = 0; i < count; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        sizes[i] = check_size(L, "block", (uint32_t)i + 1, parameter->name);
        if (sow_add_u64(sum, sizes[i], &sum)) {
            sum = UINT64_MAX;
        }
    }
    const struct sow_tensor *tensor = &parameter->tensor;
    uint32_t axis = output_axis(tensor);
    if (tensor->rank == 0 || sum != tensor->shape[axis]) {
        sow_host_raise(host, SOW_E_SHAPE,
                       "the blocks of %s add up to %llu, and its outputs are %llu", parameter->name,
                       (unsigned long long)sum,
                       (unsigned long long)(tensor->rank == 0 ? 1 : tensor->shape[axis]));
    }
    parameter->blocks.axis = axis;
    parameter->blocks.count = (uint32_t)count;
    parameter->blocks.sizes = sizes;
}

static void read_gates(lua_State *L, struct sow_parameter *parameter)
{
    struct sow_host *host = sow_host_of(L);
    size_t length;
    const char *gates = luaL_checklstring(L, -1, &length);
    uint32_t count = 0;
    for (size_t i = 0; i < length; i++) {
        count += gates[i] != ' ' && (i == 0 || gates[i - 1] == ' ');
    }
    if (count != parameter->blocks.count) {
        sow_host_raise(host, SOW_E_SHAPE, "%.300s has %u blocks, and \"%.60s\" names %u gates",
                       parameter->name, parameter->blocks.count, gates, count);
    }
    parameter->blocks.gates = keep_word(host, gates, length);
}

/* A row from 0, or from the end when negative, as torch counts. */
static int64_t read_padding(lua_State *L, const struct sow_parameter *parameter)
{
    int64_t rows = parameter->tensor.rank == 0 ? 0 : (int64_t)parameter->tensor.shape[0];
    int64_t row = luaL_checkinteger(L, -1);
    if (row >= rows || row < -rows) {
        sow_host_raise(sow_host_of(L), SOW_E_SHAPE,
                       "the padding row %lld of %s is not one of its %lld rows", (long long)row,
                       parameter->name, (long long)rows);
    }
    return row < 0 ? row + rows : row;
}

/* What a buffer starts at. */
static double read_value(lua_State *L, const struct sow_parameter *parameter)
{
    double value = luaL_checknumber(L, -1);
    if (parameter->tensor.kind != SOW_KIND_BUFFER) {
        sow_host_raise(sow_host_of(L), SOW_E_CONFIG,
                       "%s has a value, and only a buffer starts without a rule: kind = \"buffer\"",
                       parameter->name);
    }
    if (value - value != 0) {
        sow_host_raise(sow_host_of(L), SOW_E_CONFIG, "the value of %s is not finite",
                       parameter->name);
    }
    return value;
}

static void read_options(lua_State *L, int options, struct sow_parameter *parameter)
{
    struct sow_host *host = sow_host_of(L);
    struct sow_error error;
    size_t length;
    if (has_option(L, options, "layout") &&
        sow_tensor_layout(&parameter->tensor, luaL_checkstring(L, -1), &error) != SOW_OK) {
        sow_host_raise(host, SOW_E_SHAPE, "%.300s: %s", parameter->name, error.message);
    }
    if (has_option(L, options, "stride")) {
        parameter->tensor.stride = check_size(L, "stride", 0, parameter->name);
    }
    if (has_option(L, options, "groups")) {
        parameter->tensor.groups = check_size(L, "groups", 0, parameter->name);
    }
    if (has_option(L, options, "blocks")) {
        read_blocks(L, parameter);
    }
    if (has_option(L, options, "gates")) {
        read_gates(L, parameter);
    }
    if (has_option(L, options, "twin")) {
        parameter->twin = keep_word(host, luaL_checkstring(L, -1), strlen(lua_tostring(L, -1)));
    }
    if (has_option(L, options, "padding")) {
        parameter->zero_row = read_padding(L, parameter);
    }
    if (has_option(L, options, "value")) {
        parameter->value = read_value(L, parameter);
    }
    if (has_option(L, options, "role")) {
        parameter->role = keep_word(host, luaL_checkstring(L, -1), strlen(lua_tostring(L, -1)));
    }
    if (has_option(L, options, "key")) {
        const char *key = luaL_checklstring(L, -1, &length);
        check_name(host, key, length);
        parameter->key = keep(host, key, length);
    }
    if (has_option(L, options, "dtype") &&
        sow_dtype_parse(luaL_checkstring(L, -1), &parameter->dtype, &error) != SOW_OK) {
        sow_host_raise_error(host, &error);
    }
}

/* param(name, {sizes}, kind, options or nil) -> number of the tensor */
static int bridge_param(lua_State *L)
{
    struct sow_host *host = sow_host_of(L);
    struct sow_parameter parameter = {.zero_row = -1, .role = ""};
    struct sow_error error = {.code = SOW_OK};
    uint32_t index;
    if (!host->declared) {
        return sow_host_raise(host, SOW_E_CONFIG, "tensors cannot be declared inside rules");
    }
    lua_settop(L, 4);
    sow_host_extend(host);
    parameter.name = full_name(L, 1);
    read_shape(L, 2, parameter.name, &parameter.tensor);
    parameter.tensor.kind = read_kind(L, 3);
    sow_host_where(host, &parameter.file, &parameter.line);
    parameter.layer = host->scopes[host->scope_depth].layer;
    parameter.layer_count = host->scopes[host->scope_depth].layer_count;
    read_options(L, 4, &parameter);
    if (sow_model_add_parameter(host->model, &parameter, &index, &error) != SOW_OK) {
        return sow_host_raise_error(host, &error);
    }
    lua_pushinteger(L, (lua_Integer)index);
    return 1;
}

/* tie(name, to): the full names; `to` is declared, `name` is not */
static int bridge_tie(lua_State *L)
{
    struct sow_host *host = sow_host_of(L);
    struct sow_error error = {.code = SOW_OK};
    size_t length;
    const char *name = luaL_checklstring(L, 1, &length);
    check_name(host, name, length);
    name = keep(host, name, length);
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
    uint32_t *indices = take(host, (size_t)length * sizeof *indices + 1);
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
    struct sow_attribute *attributes = take(host, *count * sizeof *attributes + 1);
    for (uint32_t i = 0; i < *count; i++) {
        size_t length;
        lua_rawgeti(L, index, 2 * (lua_Integer)i + 1);
        lua_rawgeti(L, index, 2 * (lua_Integer)i + 2);
        const char *name = luaL_checklstring(L, -2, &length);
        attributes[i].name = keep_word(host, name, length);
        if (lua_type(L, -1) == LUA_TSTRING) {
            const char *text = lua_tolstring(L, -1, &length);
            attributes[i].text = keep_word(host, text, length);
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
            value->symbol[axis] = keep_word(host, symbol, length);
            lua_pop(L, 1);
        } else {
            value->shape[axis] = check_size(L, "size", axis + 1, "a value");
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
    operation.kind = keep_word(host, kind, length);
    operation.inputs = read_indices(L, 2, host->model->graph.value_count, &operation.input_count);
    operation.parameters =
        read_indices(L, 3, host->model->graph.parameter_count, &operation.parameter_count);
    operation.attributes = read_attributes(L, 4, &operation.attribute_count);
    read_value_shape(L, 5, &value);
    if (host->prefix_kept == NULL) {
        host->prefix_kept = keep(host, host->prefix, host->scopes[host->scope_depth].length);
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
        {"param", bridge_param},
        {"op", bridge_op},
        {"tie", bridge_tie},
        {"enter", bridge_enter},
        {"leave", bridge_leave},
        {"full_name", bridge_full_name},
        {NULL, NULL},
    };
    luaL_setfuncs(L, functions, 0);
}
