/* SPDX-License-Identifier: MIT */
/* A user's own activation as a Lua expression of x, in the sandbox of the recipes but with a small
 * vocabulary: arithmetic, and every activation of the table as a function. Loops can only come from
 * function literals; the host's budget ends them. */
#include "core/base/circular.h"
#include "core/base/elementary.h"
#include "core/base/error.h"
#include "model/recipe/host.h"
#include "sow/model.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX       INT64_C(300000000) /* of all evaluations together */
#define NANOSECONDS_MAX INT64_C(5000000000)
#define CHUNK           "=expr"

struct sow_expression {
    struct sow_model *model; /* owns the host */
    struct sow_host *host;
    char *text;
    struct sow_error error; /* the first that evaluating it met */
};

/* ---- Vocabulary ------------------------------------------------------------------------------ */

static double absolute(double x)
{
    return fabs(x);
}

static double sign(double x)
{
    return (x > 0) - (x < 0);
}

static const struct {
    const char *name;
    double (*function)(double x);
} functions[] = {
    {"exp", sow_exp},   {"expm1", sow_expm1}, {"log", sow_log},   {"log1p", sow_log1p},
    {"sqrt", sow_sqrt}, {"tanh", sow_tanh},   {"erf", sow_erf},   {"erfc", sow_erfc},
    {"sin", sow_sin},   {"cos", sow_cos},     {"atan", sow_atan}, {"asinh", sow_asinh},
    {"abs", absolute},  {"sign", sign},
};
#define FUNCTION_COUNT (sizeof functions / sizeof functions[0])

/* Upvalue: the index of the function. */
static int call_function(lua_State *L)
{
    size_t index = (size_t)lua_tointeger(L, lua_upvalueindex(1));
    lua_pushnumber(L, functions[index].function(luaL_checknumber(L, 1)));
    return 1;
}

/* Upvalue: the index of the activation. */
static int call_activation(lua_State *L)
{
    struct sow_function function;
    struct sow_error error;
    const struct sow_activation *row =
        sow_activation_at((size_t)lua_tointeger(L, lua_upvalueindex(1)));
    if (row->is_gate || sow_function_named(row->name, NULL, 0, &function, &error) != SOW_OK) {
        return luaL_error(L, "%s takes two signals", row->name);
    }
    lua_pushnumber(L, sow_function_value(&function, luaL_checknumber(L, 1), NULL));
    return 1;
}

static int call_pow(lua_State *L)
{
    lua_pushnumber(L, sow_pow(luaL_checknumber(L, 1), luaL_checknumber(L, 2)));
    return 1;
}

/* min and max; upvalue: 1 for max. */
static int call_extreme(lua_State *L)
{
    int most = (int)lua_tointeger(L, lua_upvalueindex(1));
    double best = luaL_checknumber(L, 1);
    for (int i = 2; i <= lua_gettop(L); i++) {
        double x = luaL_checknumber(L, i);
        best = x != x || (most ? x > best : x < best) ? x : best;
    }
    lua_pushnumber(L, best);
    return 1;
}

static const char *word_at(const void *context, size_t index)
{
    static const char *const others[] = {"x", "min", "max", "pow", "pi"};
    (void)context;
    if (index < FUNCTION_COUNT) {
        return functions[index].name;
    }
    index -= FUNCTION_COUNT;
    if (index < sizeof others / sizeof others[0]) {
        return others[index];
    }
    return sow_gain_name(index - sizeof others / sizeof others[0]);
}

/* The environment's __index: a word that there is not. */
static int unknown_word(lua_State *L)
{
    const char *word = luaL_tolstring(L, 2, NULL);
    const char *nearest = sow_nearest(word, word_at, NULL);
    return luaL_error(L, "%s is not defined%s%s%s", word, nearest ? "; did you mean " : "",
                      nearest ? nearest : "", nearest ? "?" : "");
}

static int refuse_global(lua_State *L)
{
    return luaL_error(L, "an expression cannot make globals");
}

static void add_closure(lua_State *L, const char *name, lua_CFunction function, size_t upvalue)
{
    lua_pushinteger(L, (lua_Integer)upvalue);
    lua_pushcclosure(L, function, 1);
    lua_setfield(L, -2, name);
}

/* Leaves the table of words on the stack. */
static int push_words(lua_State *L)
{
    const struct sow_activation *row;
    lua_newtable(L);
    for (size_t i = 0; (row = sow_activation_at(i)) != NULL; i++) {
        add_closure(L, row->name, call_activation, i);
    }
    for (size_t i = 0; i < FUNCTION_COUNT; i++) {
        add_closure(L, functions[i].name, call_function, i);
    }
    add_closure(L, "min", call_extreme, 0);
    add_closure(L, "max", call_extreme, 1);
    lua_pushcfunction(L, call_pow);
    lua_setfield(L, -2, "pow");
    lua_pushnumber(L, 3.14159265358979323846);
    lua_setfield(L, -2, "pi");
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "math"); /* math.exp is exp */
    lua_createtable(L, 0, 3);
    lua_pushcfunction(L, unknown_word);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, refuse_global);
    lua_setfield(L, -2, "__newindex");
    lua_setmetatable(L, -2);
    return 1;
}

/* ---- Loading and evaluating ------------------------------------------------------------------ */

/* Whatever went wrong inside is the user's word: one sentence, with the expression. */
static enum sow_status blame(const struct sow_expression *expression, struct sow_error *error)
{
    struct sow_error cause = *error;
    const char *why = cause.message;
    if (strncmp(why, "expr:", 5) == 0) { /* Lua's place: "expr:1: " */
        const char *after = strstr(why, ": ");
        why = after != NULL ? after + 2 : why;
    }
    if (strstr(why, "does not end") != NULL) {
        why = "it does not end; is there an endless loop?";
    }
    return sow_fail(error, SOW_E_ARGUMENT, "the expression '%.200s': %s", expression->text, why);
}

static double evaluate(void *user, double x)
{
    struct sow_expression *expression = user;
    struct sow_error *error = &expression->error;
    lua_State *L = expression->host->L;
    if (error->code != SOW_OK) {
        return NAN;
    }
    lua_pushvalue(L, 1);
    lua_pushnumber(L, x);
    if (sow_host_call(expression->host, 1, 1, error) != SOW_OK) {
        blame(expression, error);
        return NAN; /* the stack is empty now */
    }
    double y = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : NAN;
    if (lua_type(L, -1) != LUA_TNUMBER) {
        sow_fail(error, SOW_E_ARGUMENT,
                 "the expression '%.200s' gives a %s; it must give a number for every x",
                 expression->text, luaL_typename(L, -1));
    }
    lua_settop(L, 1);
    return y;
}

/* Leaves the expression as a function at 1, with the words at 1 as its globals. Not sow_host_load, which
 * refuses `^`: no plan comes of an expression. */
static enum sow_status load(struct sow_expression *expression, struct sow_error *error)
{
    static const char prefix[] = "local x = ... return ";
    lua_State *L = expression->host->L;
    size_t length = strlen(expression->text);
    char *chunk = malloc(sizeof prefix + length);
    if (chunk == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory while reading an expression");
    }
    memcpy(chunk, prefix, sizeof prefix - 1);
    memcpy(chunk + sizeof prefix - 1, expression->text, length + 1);
    int status = luaL_loadbufferx(L, chunk, sizeof prefix - 1 + length, CHUNK, "t");
    free(chunk);
    if (status != LUA_OK) {
        const char *why = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
        struct sow_error cause = {.code = SOW_E_ARGUMENT};
        snprintf(cause.message, sizeof cause.message, "%s",
                 why[0] != '\0' ? why : "it is nested too deep for Lua");
        blame(expression, &cause);
        if (error != NULL) {
            *error = cause;
        }
        return SOW_E_ARGUMENT;
    }
    lua_insert(L, 1);
    lua_setupvalue(L, 1, 1);
    return SOW_OK;
}

enum sow_status sow_expression_load(const char *text, struct sow_expression **expression,
                                    struct sow_error *error)
{
    struct sow_expression *made = calloc(1, sizeof *made);
    size_t length = strlen(text);
    enum sow_status status = SOW_E_MEMORY;
    if (made != NULL) {
        made->text = calloc(1, length + 1);
        made->model = sow_model_new();
    }
    if (made == NULL || made->text == NULL || made->model == NULL) {
        sow_expression_free(made);
        return sow_fail(error, SOW_E_MEMORY, "out of memory while starting Lua");
    }
    memcpy(made->text, text, length);
    status = sow_host_new(made->model, NULL, &made->host, error);
    if (status == SOW_OK) {
        made->host->steps = STEPS_MAX;
        made->host->nanoseconds = NANOSECONDS_MAX;
        lua_settop(made->host->L, 0);
        lua_pushcfunction(made->host->L, push_words);
        status = sow_host_call(made->host, 0, 1, error);
    }
    if (status == SOW_OK) {
        status = load(made, error);
    }
    if (status != SOW_OK) {
        sow_expression_free(made);
        return status;
    }
    *expression = made;
    return SOW_OK;
}

enum sow_status sow_expression_function(struct sow_expression *expression, const double *kinks,
                                        size_t kink_count, struct sow_function *function,
                                        struct sow_error *error)
{
    enum sow_status status =
        sow_function_own(evaluate, expression, kinks, kink_count, function, error);
    return status != SOW_OK && expression->error.code != SOW_OK
               ? sow_expression_check(expression, error)
               : status;
}

enum sow_status sow_expression_check(const struct sow_expression *expression,
                                     struct sow_error *error)
{
    if (expression->error.code != SOW_OK && error != NULL) {
        *error = expression->error;
    }
    return expression->error.code;
}

void sow_expression_free(struct sow_expression *expression)
{
    if (expression == NULL) {
        return;
    }
    sow_model_free(expression->model);
    free(expression->text);
    free(expression);
}
