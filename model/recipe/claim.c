/* SPDX-License-Identifier: MIT */
/* Which rule claims a tensor, and what its scheme is for it. Rules whose scheme is the same for every tensor are worked
 * out once; the others see the tensor: name, shape, elements, fan_in, fan_out, layer, n_layer, kind, role. */
#include "model/recipe/rules.h"
#include "model/recipe/list.h"

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/base/number.h"
#include "core/tensor/tensor.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

/* ---- A tensor for Lua ------------------------------------------------------------------------ */

/* The fans of one block where blocks are alike; none, and why, where they differ or cannot be known. */
static const char *fans_of(const struct sow_parameter *parameter, struct sow_fans *fans)
{
    struct sow_tensor tensor = *parameter->tensor;
    const struct sow_blocks *blocks = &parameter->blocks;
    for (uint32_t i = 1; i < blocks->count; i++) {
        if (blocks->sizes[i] != blocks->sizes[0]) {
            return "its blocks have different sizes; a scheme such as glorot_uniform takes each "
                   "block's own";
        }
    }
    if (blocks->count > 0) {
        tensor.shape[blocks->axis] = blocks->sizes[0];
    }
    if (sow_tensor_fans(&tensor, fans, NULL) == SOW_OK) {
        return NULL;
    }
    return tensor.kind == SOW_KIND_OTHER
               ? "what it is, and in which order its axes are, is not known; "
                 "take its sizes instead: shape[1], shape[2]"
           : tensor.kind == SOW_KIND_BUFFER ? "it is a buffer; give it zeros, ones or constant"
           : tensor.kind == SOW_KIND_BIAS
               ? "it is a bias; narrow the glob, or give it a rule of its own first"
           : tensor.kind == SOW_KIND_NORM ? "it is the scale of a normalisation; narrow the glob, "
                                            "or give it a rule of its own first"
                                          : "its shape does not fit its kind";
}

static void set_number(lua_State *L, const char *name, double value)
{
    if (value > -9e15 && value < 9e15 && value == (double)(int64_t)value) {
        lua_pushinteger(L, (int64_t)value);
    } else {
        lua_pushnumber(L, value);
    }
    lua_setfield(L, -2, name);
}

static void set_text(lua_State *L, const char *name, const char *text)
{
    lua_pushstring(L, text);
    lua_setfield(L, -2, name);
}

/* The parameter as a table, on top of the stack. */
static void push_tensor(lua_State *L, const struct sow_parameter *parameter)
{
    const struct sow_tensor *tensor = parameter->tensor;
    struct sow_fans fans;
    uint64_t elements = 0;
    lua_createtable(L, 0, 10);
    set_text(L, "name", parameter->name);
    set_text(L, "kind", sow_kind_name(tensor->kind));
    set_text(L, "role", parameter->role);
    lua_createtable(L, (int)tensor->rank, 0);
    for (uint32_t axis = 0; axis < tensor->rank; axis++) {
        lua_pushinteger(L, (lua_Integer)tensor->shape[axis]);
        lua_rawseti(L, -2, (lua_Integer)axis + 1);
    }
    lua_setfield(L, -2, "shape");
    if (sow_product_u64(tensor->shape, tensor->rank, &elements) == 0) {
        set_number(L, "elements", (double)elements);
    }
    const char *why = fans_of(parameter, &fans);
    if (why != NULL) {
        set_text(L, "why_no_fans", why);
    } else {
        set_number(L, "fan_in", fans.in);
        set_number(L, "fan_out", fans.out);
    }
    if (parameter->layer >= 0) {
        set_number(L, "layer", parameter->layer);
        set_number(L, "n_layer", parameter->layer_count);
    }
}

/* ---- A rule's scheme ------------------------------------------------------------------------- */

struct evaluation {
    struct sow_rules *rules;
    struct sow_rule *rule;
    const struct sow_parameter *parameter;
    struct sow_rule_match *match;
};

/* The catalogue's own text, which lives for ever; a copy for words it does not have. */
static const char *keep_word(struct sow_rules *rules, const struct sow_scheme *scheme,
                             const char *word)
{
    for (size_t i = 0; scheme != NULL && i < scheme->parameter_count; i++) {
        if (strcmp(scheme->parameters[i].name, word) == 0) {
            return scheme->parameters[i].name;
        }
    }
    for (const char *const *alias = scheme == NULL ? NULL : scheme->aliases;
         alias != NULL && *alias != NULL; alias++) {
        if (strcmp(*alias, word) == 0) {
            return *alias;
        }
    }
    if (scheme != NULL && strcmp(scheme->name, word) == 0) {
        return scheme->name;
    }
    const char *copy = sow_arena_copy(&rules->arena, word, strlen(word));
    return copy == NULL ? "" : copy;
}

/* Lua: evaluate(rule, tensor) -> word, {name, value, ...}, constant. Runs protected. */
static int evaluate(lua_State *L)
{
    struct evaluation *call = lua_touserdata(L, 1);
    struct sow_rule_match *match = call->match;
    sow_rules_push_bridge(L, "evaluate");
    lua_rawgeti(L, LUA_REGISTRYINDEX, call->rule->reference);
    push_tensor(L, call->parameter);
    lua_call(L, 2, 3);
    const char *word = luaL_checkstring(L, -3);
    const struct sow_scheme *scheme = sow_scheme_find(word, NULL);
    lua_Unsigned count = lua_rawlen(L, -2) / 2;
    if (count > SOW_RULE_ARGUMENTS_MAX) {
        return luaL_error(L, "%s has more than %d arguments", word, SOW_RULE_ARGUMENTS_MAX);
    }
    match->scheme = keep_word(call->rules, scheme, word);
    match->argument_count = (size_t)count;
    for (lua_Unsigned i = 0; i < count; i++) {
        struct sow_argument *argument = &match->arguments[i];
        lua_rawgeti(L, -2, 2 * (lua_Integer)i + 1);
        argument->name = keep_word(call->rules, scheme, lua_tostring(L, -1));
        lua_pop(L, 1);
        argument->number = 0;
        argument->text = NULL;
        argument->list = NULL;
        argument->list_count = 0;
        int type = lua_rawgeti(L, -2, 2 * (lua_Integer)i + 2);
        if (type == LUA_TSTRING) {
            argument->text = keep_word(call->rules, NULL, lua_tostring(L, -1));
        } else if (type == LUA_TTABLE) {
            sow_list_from_lua(call->rules, argument);
        } else {
            argument->number = lua_tonumber(L, -1);
        }
        lua_pop(L, 1);
    }
    call->rule->constant = lua_toboolean(L, -1);
    return 0;
}

static enum sow_status work_out(struct sow_rules *rules, struct sow_rule *rule,
                                const struct sow_parameter *parameter, struct sow_rule_match *match,
                                struct sow_error *error)
{
    struct evaluation call = {rules, rule, parameter, match};
    struct sow_host *host = rules->host;
    *match = rule->match;
    if (rule->constant) {
        return SOW_OK;
    }
    sow_host_extend(host);
    lua_settop(host->L, 0);
    lua_pushcfunction(host->L, evaluate);
    lua_pushlightuserdata(host->L, &call);
    enum sow_status status = sow_host_call(host, 1, 0, error);
    status = status != SOW_OK ? status : sow_list_read_files(rules, rule->origin, match, error);
    if (status == SOW_OK) {
        rule->match = rule->constant ? *match : rule->match;
        return SOW_OK;
    }
    if (rule->origin == SOW_RULE_SET || rule->origin == SOW_RULE_SCHEME) {
        return sow_rules_blame_option(rule->match.file, rule->match.text, error);
    }
    if (error != NULL && error->code == SOW_E_CONFIG) {
        error->code = status = SOW_E_RULE;
    }
    return status;
}

/* ---- Matching -------------------------------------------------------------------------------- */

/* The variant `matched` has no rules: it answers for every tensor that the user's own left. */
static enum sow_status match_rest(struct sow_matching *matching, size_t index,
                                  struct sow_rule_match *match, struct sow_error *error)
{
    struct sow_matched matched;
    enum sow_status status = sow_matching_at(matching, index, &matched, error);
    if (status != SOW_OK) {
        return status;
    }
    memset(match, 0, sizeof *match);
    match->scheme = matched.scheme;
    match->argument_count = matched.argument_count;
    memcpy(match->arguments, matched.arguments, sizeof matched.arguments);
    match->glob = match->file = match->variant = SOW_MATCHED;
    match->text = "";
    match->reason = matched.reason;
    return SOW_OK;
}

static enum sow_status no_rule(const struct sow_model *model, const struct sow_parameter *parameter,
                               struct sow_error *error)
{
    int bias = parameter->tensor->kind == SOW_KIND_BIAS,
        norm = parameter->tensor->kind == SOW_KIND_NORM;
    const char *scheme = bias ? "zeros" : norm ? "ones" : "normal{std=0.02}";
    return sow_fail_at(error, SOW_E_RULE, model->variant_count > 0 ? parameter->file : NULL,
                       model->variant_count > 0 ? parameter->line : 0, 0,
                       "no rule claims the tensor %.300s %s; write one: --set '%.300s=%s', or "
                       "rule(...) in a rules file%s",
                       parameter->name,
                       sow_shape_text(parameter->tensor->shape, parameter->tensor->rank).text,
                       parameter->name, scheme,
                       model->graph.operation_count > 0 ? "; or take --variant matched" : "");
}

/* Whether the rule may have this tensor. A wildcard means the weights: it takes no buffer. */
static int fits(const struct sow_rule *rule, const struct sow_parameter *parameter)
{
    return (parameter->tensor->kind != SOW_KIND_BUFFER || rule->names_tensors) &&
           sow_glob_run(rule->glob, parameter->name);
}

/* What a buffer's layer says it starts at. */
static enum sow_status claim_itself(struct sow_rules *rules, const struct sow_parameter *parameter,
                                    struct sow_rule_match *match, struct sow_error *error)
{
    char reason[128];
    const char *last = strrchr(parameter->name, '.');
    last = parameter->role[0] != '\0' ? parameter->role : last != NULL ? last + 1 : parameter->name;
    snprintf(reason, sizeof reason, "buffer: %.60s starts at %s", last,
             sow_number_text(parameter->value).text);
    memset(match, 0, sizeof *match);
    match->scheme = parameter->value == 0 ? "zeros" : parameter->value == 1 ? "ones" : "constant";
    if (parameter->value != 0 && parameter->value != 1) {
        match->argument_count = 1;
        match->arguments[0] = (struct sow_argument){.name = "value", .number = parameter->value};
    }
    match->glob = SOW_RULE_BUFFER;
    match->file = SOW_RULE_LAYER;
    match->text = "";
    match->reason = sow_arena_copy(&rules->arena, reason, strlen(reason));
    return match->reason != NULL
               ? SOW_OK
               : sow_fail(error, SOW_E_MEMORY, "out of memory while matching the rules");
}

enum sow_status sow_rules_match(struct sow_rules *rules, size_t index, struct sow_rule_match *match,
                                struct sow_error *error)
{
    const struct sow_model *model = rules->host->model;
    const struct sow_parameter *parameter = &model->parameters[index];
    struct sow_rule *claimed = NULL;
    for (size_t i = 0; i < rules->count; i++) {
        struct sow_rule *rule = &rules->rules[i];
        if (claimed != NULL && rule->origin != SOW_RULE_VARIANT) {
            continue;
        }
        if (fits(rule, parameter)) {
            rule->used =
                1; /* a rule of the variant also when the user's own came first: it is not wrong */
            claimed = claimed == NULL ? rule : claimed;
            if (rule->origin == SOW_RULE_VARIANT) {
                break;
            }
        }
    }
    if (claimed == NULL && parameter->tensor->kind == SOW_KIND_BUFFER) {
        return claim_itself(rules, parameter, match, error);
    }
    if (claimed == NULL && rules->matching != NULL) {
        return match_rest(rules->matching, index, match, error);
    }
    enum sow_status status = claimed == NULL ? no_rule(model, parameter, error)
                                             : work_out(rules, claimed, parameter, match, error);
    match->padding_drawn = rules->padding_drawn;
    return status;
}

static const char *parameter_name(const void *context, size_t index)
{
    const struct sow_model *model = context;
    return index < model->graph.parameter_count && index < 4096 ? model->parameters[index].name
                                                                : NULL;
}

/* Why a rule claims nothing, as far as that can be told; NULL when no name fits. */
static const char *why_unused(const struct sow_rules *rules, const struct sow_rule *rule)
{
    const struct sow_graph *graph = &rules->host->model->graph;
    const char *why = NULL;
    for (size_t i = 0; i < graph->parameter_count; i++) {
        if (fits(rule, &graph->parameters[i])) {
            return ": earlier rules claim all that it fits";
        }
        if (sow_glob_run(rule->glob, graph->parameters[i].name)) {
            why = ": it fits buffers only, and those a rule claims when its last part is written "
                  "out, as in *.running_var";
        }
    }
    return why;
}

/* The first rule that no tensor got; `fits_some` too: also one that fits some that others got. */
static enum sow_status check_rules(const struct sow_rules *rules, int fits_some,
                                   struct sow_error *error)
{
    for (size_t i = 0; i < rules->count; i++) {
        const struct sow_rule *rule = &rules->rules[i];
        const char *why = rule->used ? NULL : why_unused(rules, rule);
        if (rule->used || (why != NULL && !fits_some)) {
            continue;
        }
        const char *nearest =
            why != NULL ? NULL : sow_nearest(rule->match.glob, parameter_name, rules->host->model);
        uint32_t line = rule->origin == SOW_RULE_SET ? 0 : rule->match.line;
        return sow_fail_at(error, SOW_E_RULE, rule->match.file, line, 0,
                           "the rule `%.200s` claims no tensor%s%s%s", rule->match.glob,
                           why != NULL ? why : ": no name fits",
                           nearest != NULL ? "; near is " : "", nearest != NULL ? nearest : "");
    }
    return SOW_OK;
}

enum sow_status sow_rules_check_used(const struct sow_rules *rules, struct sow_error *error)
{
    return check_rules(rules, 1, error);
}

enum sow_status sow_rules_check_fit(const struct sow_rules *rules, struct sow_error *error)
{
    return check_rules(rules, 0, error);
}
