/* SPDX-License-Identifier: MIT */
/* Rules: gathered in order (--set, --rules, --scheme, the variant), matched by name, their schemes worked out by Lua - once where
 * they are the same for every tensor. */
#include "model/recipe/rule.h"

#include "core/base/error.h"
#include "model/recipe/file.h"
#include "model/recipe/rules.h"
#include "model/recipe/sandbox.h"
#include "model/recipe/text.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum sow_status no_memory(struct sow_error *error)
{
    return sow_fail(error, SOW_E_MEMORY, "out of memory while gathering the rules");
}

void sow_rules_push_bridge(lua_State *L, const char *name)
{
    lua_getfield(L, LUA_REGISTRYINDEX, SOW_BRIDGE);
    lua_getfield(L, -1, name);
    lua_remove(L, -2);
}

/* ---- Gathering ------------------------------------------------------------------------------- */

/* Whether the last dotted part has no wildcard. Alternatives in braces are written out too, when they begin and end
 * in that part. */
static int names_tensors(const char *glob)
{
    const char *dot = strrchr(glob, '.');
    int depth = 0;
    for (const char *at = dot == NULL ? glob : dot + 1; *at != '\0'; at++) {
        depth += *at == '{';
        depth -= *at == '}';
        if (depth < 0 || strchr("*?[]", *at) != NULL) {
            return 0;
        }
    }
    return 1;
}

/* A new last rule for the Lua table on top of the stack, which is popped and kept. */
static enum sow_status add_rule(struct sow_rules *rules, enum sow_rule_origin origin,
                                const char *glob, struct sow_rule **added, struct sow_error *error)
{
    lua_State *L = rules->host->L;
    if (rules->count == rules->capacity) {
        size_t capacity = rules->capacity == 0 ? 16 : rules->capacity * 2;
        struct sow_rule *larger = realloc(rules->rules, capacity * sizeof *larger);
        if (larger == NULL) {
            return no_memory(error);
        }
        rules->rules = larger;
        rules->capacity = capacity;
    }
    struct sow_rule *rule = &rules->rules[rules->count];
    memset(rule, 0, sizeof *rule);
    rule->origin = origin;
    rule->glob = sow_arena_take(&rules->arena, sizeof *rule->glob);
    rule->match.glob = sow_arena_copy(&rules->arena, glob, strlen(glob));
    if (rule->glob == NULL || rule->match.glob == NULL) {
        return no_memory(error);
    }
    rule->match.text = rule->match.file = rule->match.reason = "";
    rule->names_tensors = names_tensors(rule->match.glob);
    rule->reference = luaL_ref(L, LUA_REGISTRYINDEX);
    rules->count++;
    *added = rule;
    return sow_glob_compile(rule->match.glob, rule->glob, error);
}

static const char *copy_field(struct sow_rules *rules, const char *name)
{
    size_t length = 0;
    lua_getfield(rules->host->L, -1, name);
    const char *text = lua_tolstring(rules->host->L, -1, &length);
    const char *copy = sow_arena_copy(&rules->arena, text == NULL ? "" : text, length);
    lua_pop(rules->host->L, 1);
    return copy == NULL ? "" : copy;
}

/* The statement that starts at `line` of the file `path`, blanks folded, in the model's arena; "" when unknown. */
static const char *statement_of(struct sow_host *host, const char *path, uint32_t line)
{
    char statement[512];
    for (size_t i = host->file_count; i-- > 0;) {
        if (host->files[i].path == path || strcmp(host->files[i].path, path) == 0) {
            sow_text_statement(host->files[i].text, host->files[i].length, line, statement,
                               sizeof statement);
            const char *kept = sow_arena_copy(&host->model->arena, statement, strlen(statement));
            return kept == NULL ? "" : kept;
        }
    }
    return "";
}

/* Takes over the list of rules on top of the stack, which is popped. */
static enum sow_status add_list(struct sow_rules *rules, enum sow_rule_origin origin,
                                const char *variant, struct sow_error *error)
{
    lua_State *L = rules->host->L;
    enum sow_status status = SOW_OK;
    lua_getfield(L, -1, "padding_drawn");
    rules->padding_drawn |= lua_toboolean(L, -1);
    lua_pop(L, 1);
    for (lua_Integer i = 1; status == SOW_OK && lua_rawgeti(L, -1, i) == LUA_TTABLE; i++) {
        const char *glob = copy_field(rules, "glob"), *file = copy_field(rules, "file");
        const char *reason = copy_field(rules, "reason");
        lua_getfield(L, -1, "line");
        uint32_t line = (uint32_t)lua_tointeger(L, -1);
        lua_pop(L, 1);
        struct sow_rule *rule;
        status = add_rule(rules, origin, glob, &rule, error);
        if (status == SOW_E_ARGUMENT && error != NULL) {
            struct sow_error cause = *error;
            status = sow_fail_at(error, SOW_E_RULE, file, line, 0, "%s", cause.message);
        }
        if (status == SOW_OK) {
            rule->match.file = file;
            rule->match.line = line;
            rule->match.reason = reason;
            rule->match.variant = variant;
            rule->match.text = statement_of(rules->host, file, line);
        }
    }
    lua_settop(L, 0);
    return status;
}

/* Behind the glob: the first '=' outside its brackets. NULL when there is none. */
static const char *find_equals(const char *set)
{
    int depth = 0;
    for (; *set != '\0'; set++) {
        depth += *set == '{' || *set == '[';
        depth -= *set == '}' || *set == ']';
        if (*set == '=' && depth <= 0) {
            return set;
        }
    }
    return NULL;
}

/* Blanks around a glob are the user's, not the glob's. */
static const char *copy_trimmed(struct sow_arena *arena, const char *text, size_t length)
{
    while (length > 0 && text[0] == ' ') {
        text++;
        length--;
    }
    while (length > 0 && text[length - 1] == ' ') {
        length--;
    }
    return sow_arena_copy(arena, text, length);
}

enum sow_status sow_rules_blame_option(const char *option, const char *value,
                                       struct sow_error *error)
{
    if (error == NULL) {
        return SOW_E_ARGUMENT;
    }
    struct sow_error cause = *error;
    return sow_fail(error, cause.code == SOW_E_MEMORY ? SOW_E_MEMORY : SOW_E_ARGUMENT,
                    "%s '%.300s': %s", option, value, cause.message);
}

/* A rule that is an expression of the command line: `scheme` for what `glob` fits, from `option` with `value`. */
static enum sow_status add_expression(struct sow_rules *rules, enum sow_rule_origin origin,
                                      const char *option, const char *value, const char *glob,
                                      const char *scheme, struct sow_error *error)
{
    lua_State *L = rules->host->L;
    struct sow_rule *rule;
    const char *text = sow_arena_copy(&rules->arena, value, strlen(value));
    if (glob == NULL || text == NULL) {
        return no_memory(error);
    }
    sow_rules_push_bridge(L, "set_scope");
    enum sow_status status =
        sow_host_load(rules->host, option, "return ", scheme, strlen(scheme), -1, error);
    if (status != SOW_OK) {
        return sow_rules_blame_option(option, value, error);
    }
    lua_createtable(L, 0, 1);
    lua_insert(L, -2);
    lua_setfield(L, -2, "expression");
    status = add_rule(rules, origin, glob, &rule, error);
    if (status == SOW_OK) {
        rule->match.file = option;
        rule->match.text = text;
        rule->match.reason = origin == SOW_RULE_SET ? "your --set" : "your --scheme";
    }
    lua_settop(L, 0);
    return status == SOW_OK ? SOW_OK : sow_rules_blame_option(option, value, error);
}

static enum sow_status add_set(struct sow_rules *rules, const char *set, struct sow_error *error)
{
    const char *equals = find_equals(set);
    if (equals == NULL) {
        return sow_fail(error, SOW_E_ARGUMENT,
                        "--set '%.300s' is not GLOB=SCHEME; write for example "
                        "--set '*.weight=normal{std=0.02}'",
                        set);
    }
    const char *glob = copy_trimmed(&rules->arena, set, (size_t)(equals - set));
    return add_expression(rules, SOW_RULE_SET, "--set", set, glob, equals + 1, error);
}

static enum sow_status add_file(struct sow_rules *rules, const char *path, const char *text,
                                size_t length, struct sow_error *error)
{
    lua_State *L = rules->host->L;
    sow_rules_push_bridge(L, "rules_of_file");
    sow_rules_push_bridge(L, "file_scope");
    enum sow_status status = sow_host_load(rules->host, path, "", text, length, -1, error);
    if (status != SOW_OK) {
        return status;
    }
    lua_remove(L, -2);
    status = sow_host_call(rules->host, 1, 1, error);
    return status == SOW_OK ? add_list(rules, SOW_RULE_FILE, NULL, error) : status;
}

/* ---- Variants -------------------------------------------------------------------------------- */

static const char *variant_name(const void *context, size_t index)
{
    const struct sow_variant *variant = sow_model_variant(context, index);
    return variant == NULL ? NULL : variant->name;
}

static enum sow_status unknown_variant(const struct sow_model *model, const char *name,
                                       struct sow_error *error)
{
    if (strcmp(name, SOW_MATCHED) == 0) { /* every model with a graph has it */
        struct sow_matching *none = NULL;
        return sow_matching_make(sow_model_graph(model), &none, error);
    }
    char known[256] = "";
    const char *nearest = sow_nearest(name, variant_name, model);
    for (size_t i = 0, used = 0; sow_model_variant(model, i) != NULL && used < sizeof known; i++) {
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "",
                                 sow_model_variant(model, i)->name);
    }
    return sow_fail(error, SOW_E_ARGUMENT, "%s has no variant %s; it has %s%s%s%s",
                    model->family[0] == '\0' ? "this model" : model->family, name,
                    known[0] == '\0' ? "none" : known, nearest ? "; did you mean " : "",
                    nearest ? nearest : "", nearest ? "?" : "");
}

static enum sow_status add_variant(struct sow_rules *rules, const char *name,
                                   struct sow_error *error)
{
    struct sow_model *model = rules->host->model;
    size_t index = 0;
    while (index < model->variant_count &&
           (name == NULL ? !model->variants[index].is_default
                         : strcmp(model->variants[index].name, name) != 0)) {
        index++;
    }
    if (index < model->variant_count && strcmp(model->variants[index].name, SOW_MATCHED) == 0) {
        return sow_matching_make(sow_model_graph(model), &rules->matching, error);
    }
    if (index >= model->variant_count) {
        return name == NULL ? SOW_OK : unknown_variant(model, name, error);
    }
    sow_rules_push_bridge(rules->host->L, "rules_of_variant");
    lua_pushinteger(rules->host->L, (lua_Integer)index + 1);
    enum sow_status status = sow_host_call(rules->host, 1, 1, error);
    return status == SOW_OK ? add_list(rules, SOW_RULE_VARIANT, model->variants[index].name, error)
                            : status;
}

/* What gather() is called with: Lua runs it protected, for it takes Lua's memory. */
struct gathering {
    struct sow_rules *rules;
    const struct sow_plan_options *options;
    const char *text; /* of the rules file */
    size_t length;
    enum sow_status status;
    struct sow_error *error;
};

static int gather(lua_State *L)
{
    struct gathering *call = lua_touserdata(L, 1);
    const struct sow_plan_options *options = call->options;
    lua_settop(L, 0);
    call->status = SOW_OK;
    for (size_t i = 0; options != NULL && call->status == SOW_OK && i < options->set_count; i++) {
        call->status = add_set(call->rules, options->sets[i], call->error);
    }
    if (call->status == SOW_OK && call->text != NULL) {
        call->status =
            add_file(call->rules, options->rules_file, call->text, call->length, call->error);
    }
    const char *scheme = call->rules->host->model->scheme;
    if (call->status == SOW_OK && scheme != NULL) {
        call->status = add_expression(call->rules, SOW_RULE_SCHEME, "--scheme", scheme, "*.weight",
                                      scheme, call->error);
    }
    if (call->status == SOW_OK) {
        call->status =
            add_variant(call->rules, options == NULL ? NULL : options->variant, call->error);
    }
    return 0;
}

enum sow_status sow_rules_make(struct sow_model *model, const struct sow_plan_options *options,
                               struct sow_rules **rules, struct sow_error *error)
{
    struct sow_rules *made = calloc(1, sizeof *made);
    struct gathering call = {.rules = made, .options = options, .error = error};
    char *text = NULL;
    enum sow_status status = made == NULL ? no_memory(error) : SOW_OK;
    if (status == SOW_OK && options != NULL && options->rules_file != NULL) {
        status = sow_file_read(options->rules_file, "a rules file", SOW_HOST_TEXT_MAX, &text,
                               &call.length, error);
    }
    if (status == SOW_OK) {
        made->host = model->host;
        sow_host_renew(made->host);
        call.text = text;
        lua_settop(made->host->L, 0);
        lua_pushcfunction(made->host->L, gather);
        lua_pushlightuserdata(made->host->L, &call);
        status = sow_host_call(made->host, 1, 0, error);
        status = status == SOW_OK ? call.status : status;
    }
    free(text);
    if (status != SOW_OK) {
        sow_rules_free(made);
        return status;
    }
    *rules = made;
    return SOW_OK;
}

void sow_rules_free(struct sow_rules *rules)
{
    if (rules == NULL) {
        return;
    }
    for (size_t i = 0; rules->host != NULL && i < rules->count; i++) {
        luaL_unref(rules->host->L, LUA_REGISTRYINDEX, rules->rules[i].reference);
    }
    free(rules->rules);
    sow_matching_free(rules->matching);
    sow_arena_free(&rules->arena);
    free(rules);
}
