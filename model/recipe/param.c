/* SPDX-License-Identifier: MIT */
/* param: a tensor as a recipe or a layer declares it, its sizes and its options. What it is connected with is
 * bridge.c. A model has up to two million of these, so that each costs little: no table is made, and only the options
 * that were written are looked at. */
#include "model/recipe/bridge.h"

#include "core/base/checked.h"
#include "core/base/error.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

/* "..., and got a number"; objects of the language have names of their own. */
static void raise_got(lua_State *L, int index, const char *wanted)
{
    const char *name = luaL_typename(L, index);
    const char *article = lua_isnoneornil(L, index) ? "" : "a ";
    if (luaL_getmetafield(L, index, "__name") == LUA_TSTRING) {
        name = lua_tostring(L, -1);
        article = "";
    }
    sow_host_raise(sow_host_of(L), SOW_E_CONFIG, "%s, and got %s%s", wanted, article, name);
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
        int is_integer;
        const int type = lua_rawgeti(L, index, (lua_Integer)axis + 1);
        const lua_Integer size = lua_tointegerx(L, -1, &is_integer);
        tensor->shape[axis] = type == LUA_TNUMBER && is_integer && size >= 1
                                  ? (uint64_t)size
                                  : sow_bridge_check_size(L, "size", axis + 1, name);
    }
    lua_pop(L, (int)rank);
    if (sow_product_u64(tensor->shape, tensor->rank, &elements) ||
        elements > SOW_MODEL_ELEMENTS_MAX) {
        sow_host_raise(host, SOW_E_SHAPE, "%.300s has more than 2^56 elements", name);
    }
}

/* A parameter while it is read: then its tensor is kept, once for all that are alike. */
struct draft {
    struct sow_parameter parameter;
    struct sow_tensor tensor;
};

/* ---- Options: each reader finds the value on top of the stack ------------------------------- */

/* A text that is kept: words come again. */
static const char *word_at_top(lua_State *L, const char *wanted)
{
    size_t length;
    if (lua_type(L, -1) != LUA_TSTRING) {
        raise_got(L, -1, wanted);
    }
    const char *word = lua_tolstring(L, -1, &length);
    return sow_bridge_keep_word(sow_host_of(L), word, length);
}

static void read_kind(lua_State *L, struct draft *draft)
{
    const char *name;
    enum sow_kind kind = SOW_KIND_OTHER;
    if (lua_type(L, -1) != LUA_TSTRING) {
        raise_got(L, -1, "kind is a text");
    }
    const char *word = lua_tostring(L, -1);
    while ((name = sow_kind_name(kind)) != NULL && strcmp(name, word) != 0) {
        kind++;
    }
    if (name == NULL) {
        sow_host_raise(sow_host_of(L), SOW_E_CONFIG,
                       "there is no kind of tensor \"%.300s\"; the first one is \"other\"", word);
    }
    draft->tensor.kind = kind;
}

static void read_layout(lua_State *L, struct draft *draft)
{
    struct sow_error error;
    const char *word = word_at_top(L, "layout is a text");
    if (sow_tensor_layout(&draft->tensor, word, &error) != SOW_OK) {
        sow_host_raise(sow_host_of(L), SOW_E_SHAPE, "%.300s: %s", draft->parameter.name,
                       error.message);
    }
}

static void read_stride(lua_State *L, struct draft *draft)
{
    lua_pushvalue(L, -1);
    draft->tensor.stride = sow_bridge_check_size(L, "stride", 0, draft->parameter.name);
}

static void read_groups(lua_State *L, struct draft *draft)
{
    lua_pushvalue(L, -1);
    draft->tensor.groups = sow_bridge_check_size(L, "groups", 0, draft->parameter.name);
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
static void read_blocks(lua_State *L, struct draft *draft)
{
    struct sow_host *host = sow_host_of(L);
    uint64_t sum = 0;
    luaL_checktype(L, -1, LUA_TTABLE);
    const lua_Unsigned count = lua_rawlen(L, -1);
    if (count == 0 || count > 1024) {
        sow_host_raise(host, SOW_E_SHAPE, "blocks of %s: 1 to 1024 sizes", draft->parameter.name);
    }
    uint64_t *sizes = sow_bridge_take(host, (size_t)count * sizeof *sizes);
    for (lua_Unsigned i = 0; i < count; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        sizes[i] = sow_bridge_check_size(L, "block", (uint32_t)i + 1, draft->parameter.name);
        if (sow_add_u64(sum, sizes[i], &sum)) {
            sum = UINT64_MAX;
        }
    }
    const struct sow_tensor *tensor = &draft->tensor;
    uint32_t axis = output_axis(tensor);
    if (tensor->rank == 0 || sum != tensor->shape[axis]) {
        sow_host_raise(host, SOW_E_SHAPE,
                       "the blocks of %s add up to %llu, and its outputs are %llu",
                       draft->parameter.name, (unsigned long long)sum,
                       (unsigned long long)(tensor->rank == 0 ? 1 : tensor->shape[axis]));
    }
    draft->parameter.blocks.axis = axis;
    draft->parameter.blocks.count = (uint32_t)count;
    draft->parameter.blocks.sizes = sizes;
}

static void read_gates(lua_State *L, struct draft *draft)
{
    struct sow_host *host = sow_host_of(L);
    const char *gates = word_at_top(L, "gates is a text");
    uint32_t count = 0;
    for (size_t i = 0; gates[i] != '\0'; i++) {
        count += gates[i] != ' ' && (i == 0 || gates[i - 1] == ' ');
    }
    if (count != draft->parameter.blocks.count) {
        sow_host_raise(host, SOW_E_SHAPE, "%.300s has %u blocks, and \"%.60s\" names %u gates",
                       draft->parameter.name, draft->parameter.blocks.count, gates, count);
    }
    draft->parameter.blocks.gates = gates;
}

/* The full name of the tensor that is added to it. */
static void read_twin(lua_State *L, struct draft *draft)
{
    draft->parameter.twin = sow_bridge_full_name(L, -1, 0);
}

/* A row from 0, or from the end when negative, as torch counts. */
static void read_padding(lua_State *L, struct draft *draft)
{
    int64_t rows = draft->tensor.rank == 0 ? 0 : (int64_t)draft->tensor.shape[0];
    int64_t row = luaL_checkinteger(L, -1);
    if (row >= rows || row < -rows) {
        sow_host_raise(sow_host_of(L), SOW_E_SHAPE,
                       "the padding row %lld of %s is not one of its %lld rows", (long long)row,
                       draft->parameter.name, (long long)rows);
    }
    draft->parameter.zero_row = row < 0 ? row + rows : row;
}

/* What a buffer starts at. */
static void read_value(lua_State *L, struct draft *draft)
{
    double value = luaL_checknumber(L, -1);
    if (draft->tensor.kind != SOW_KIND_BUFFER) {
        sow_host_raise(sow_host_of(L), SOW_E_CONFIG,
                       "%s has a value, and only a buffer starts without a rule: kind = \"buffer\"",
                       draft->parameter.name);
    }
    if (value - value != 0) {
        sow_host_raise(sow_host_of(L), SOW_E_CONFIG, "the value of %s is not finite",
                       draft->parameter.name);
    }
    draft->parameter.value = value;
}

static void read_role(lua_State *L, struct draft *draft)
{
    draft->parameter.role = word_at_top(L, "role is a text");
}

static void read_key(lua_State *L, struct draft *draft)
{
    size_t length;
    const char *key = luaL_checklstring(L, -1, &length);
    sow_bridge_check_name(sow_host_of(L), key, length);
    draft->parameter.key = sow_bridge_keep(sow_host_of(L), key, length);
}

static void read_dtype(lua_State *L, struct draft *draft)
{
    struct sow_error error;
    const char *word = word_at_top(L, "dtype is a text");
    if (sow_dtype_parse(word, &draft->parameter.dtype, &error) != SOW_OK) {
        sow_host_raise_error(sow_host_of(L), &error);
    }
}

/* In the order in which they are read: blocks lie along an axis that kind and layout tell, and so on. */
static const struct option {
    const char *name;
    void (*read)(lua_State *L, struct draft *draft);
} options[] = {
    {"kind", read_kind},     {"layout", read_layout},   {"stride", read_stride},
    {"groups", read_groups}, {"blocks", read_blocks},   {"gates", read_gates},
    {"twin", read_twin},     {"padding", read_padding}, {"value", read_value},
    {"role", read_role},     {"key", read_key},         {"dtype", read_dtype},
};

enum { OPTION_COUNT = sizeof options / sizeof options[0] };

static const char *option_name(const void *unused, size_t index)
{
    (void)unused;
    return index < OPTION_COUNT ? options[index].name : NULL;
}

/* The row of the key below the top of the stack. */
static size_t find_option(lua_State *L)
{
    size_t row = 0;
    if (lua_type(L, -2) != LUA_TSTRING) {
        raise_got(L, -2, "param takes its options by name, { name = value }");
    }
    const char *key = lua_tostring(L, -2);
    while (row < OPTION_COUNT &&
           (options[row].name[0] != key[0] || strcmp(options[row].name, key) != 0)) {
        row++;
    }
    if (row == OPTION_COUNT) {
        const char *near = sow_nearest(key, option_name, NULL);
        sow_host_raise(sow_host_of(L), SOW_E_CONFIG, "param has no option %.300s%s%s%s", key,
                       near != NULL ? "; did you mean " : "", near != NULL ? near : "",
                       near != NULL ? "?" : "");
    }
    return row;
}

/* { name = value }; false is none. */
static void read_options(lua_State *L, int index, struct draft *draft)
{
    int at[OPTION_COUNT] = {0}; /* places on the stack */
    if (lua_type(L, index) != LUA_TTABLE || lua_getmetatable(L, index)) {
        raise_got(L, index, "param takes its options in braces, { name = value }");
    }
    luaL_checkstack(L, 2 * OPTION_COUNT, NULL);
    lua_pushnil(L);
    while (lua_next(L, index)) {
        size_t row = find_option(L);
        if (lua_toboolean(L, -1)) {
            lua_insert(L, -2);
            at[row] = lua_gettop(L) - 1;
        } else {
            lua_pop(L, 1);
        }
    }
    for (size_t row = 0; row < OPTION_COUNT; row++) {
        if (at[row] != 0) {
            sow_host_of(L)->steps -= SOW_HOST_STEPS_OPTION;
            lua_pushvalue(L, at[row]);
            options[row].read(L, draft);
            lua_pop(L, 1);
        }
    }
}

/* ---- The words ------------------------------------------------------------------------------- */

/* What every tensor has: a name, the sizes at `shape` on the stack, and where that stands in the recipe. */
static void begin(lua_State *L, const char *name, int shape, int caller, struct draft *draft)
{
    struct sow_host *host = sow_host_of(L);
    sow_host_extend(host);
    memset(&draft->tensor, 0, sizeof draft->tensor); /* its gaps too: compared as bytes */
    draft->parameter =
        (struct sow_parameter){.name = name,
                               .layer = host->scopes[host->scope_depth].layer,
                               .layer_count = host->scopes[host->scope_depth].layer_count,
                               .role = "",
                               .zero_row = -1};
    read_shape(L, shape, name, &draft->tensor);
    sow_host_caller(host, caller, &draft->parameter.file, &draft->parameter.line);
}

static void check_declared(struct sow_host *host)
{
    if (!host->declared) {
        sow_host_raise(host, SOW_E_CONFIG, "tensors cannot be declared inside rules");
    }
}

static uint32_t add(lua_State *L, struct draft *draft)
{
    struct sow_host *host = sow_host_of(L);
    struct sow_error error;
    uint32_t index;
    error.code = SOW_OK;
    draft->parameter.tensor = sow_model_keep_tensor(host->model, &draft->tensor);
    if (draft->parameter.tensor == NULL) {
        sow_host_raise(host, SOW_E_MEMORY, "no memory is left for the model's shapes");
    }
    if (sow_model_add_parameter(host->model, &draft->parameter, &index, &error) != SOW_OK) {
        sow_host_raise_error(host, &error);
    }
    return index;
}

/* param(name, { sizes }, { kind = "other", ... } or nil): a tensor that is connected with nothing */
static int bridge_param(lua_State *L)
{
    struct draft draft;
    lua_settop(L, 3);
    check_declared(sow_host_of(L));
    if (lua_type(L, 1) != LUA_TSTRING) {
        raise_got(L, 1, "param takes its name first, a text");
    }
    sow_host_of(L)->steps -= SOW_HOST_STEPS_PLAIN;
    begin(L, sow_bridge_full_name(L, 1, 0), 2, 1, &draft);
    if (!lua_isnil(L, 3)) {
        read_options(L, 3, &draft);
    }
    add(L, &draft);
    return 0;
}

/* The key of a layer, at the top of the stack, and the suffix of the tensor at `suffix`. */
static void read_layer_key(lua_State *L, int suffix, struct draft *draft)
{
    if (lua_type(L, -1) != LUA_TSTRING) {
        raise_got(L, -1, "key is a text");
    }
    lua_pushvalue(L, -1);
    lua_pushvalue(L, suffix);
    lua_concat(L, 2);
    read_key(L, draft);
    lua_pop(L, 1);
}

/* declare(name, suffix, { sizes }, kind, options of the layer, options of the tensor or nil) -> its number: the tensor
 * `name .. suffix` with what it shares with its layer, role and key. A layer without a name has its scope's. */
static int bridge_declare(lua_State *L)
{
    enum { NAME = 1, SUFFIX, SIZES, KIND, LAYER, OWN };
    struct draft draft;
    lua_settop(L, OWN);
    check_declared(sow_host_of(L));
    if (lua_type(L, NAME) != LUA_TSTRING) {
        raise_got(L, NAME, "the name of a tensor is a text");
    }
    sow_host_of(L)->steps -= SOW_HOST_STEPS_DECLARE;
    begin(L, sow_bridge_full_name(L, NAME, SUFFIX), SIZES, 2, &draft); /* 1 is the prelude */
    lua_pushvalue(L, KIND);
    read_kind(L, &draft);
    lua_getfield(L, LAYER, "role");
    read_role(L, &draft);
    if (lua_getfield(L, LAYER, "key") != LUA_TNIL && lua_toboolean(L, -1)) {
        read_layer_key(L, SUFFIX, &draft);
    }
    lua_settop(L, OWN);
    if (!lua_isnil(L, OWN)) {
        read_options(L, OWN, &draft);
    }
    lua_pushinteger(L, (lua_Integer)add(L, &draft));
    return 1;
}

void sow_bridge_open_param(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"declare", bridge_declare},
        {"param", bridge_param},
        {NULL, NULL},
    };
    luaL_setfuncs(L, functions, 0);
}
