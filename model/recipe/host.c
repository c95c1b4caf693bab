/* SPDX-License-Identifier: MIT */
/* The Lua host: a state, its ceilings, and errors with a place. What recipes may call is opened in sandbox.c,
 * bridge.c, field.c and words.c; the language itself is the prelude (*.lua). */
#include "model/recipe/host.h"

#include "core/base/error.h"
#include "model/match/match.h"
#include "model/recipe/ceilings.h"
#include "model/recipe/embedded.h"
#include "model/recipe/sandbox.h"
#include "model/recipe/text.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Places -------------------------------------------------------------------------------- */

/* The file behind a chunk's name, "=@12" or "@12: ..." in a message; NULL when it is none of ours. */
static const struct sow_host_file *file_of(const struct sow_host *host, const char *chunk,
                                           const char **end)
{
    size_t index = 0;
    chunk += *chunk == '=';
    if (*chunk++ != '@') {
        return NULL;
    }
    for (; *chunk >= '0' && *chunk <= '9' && index < host->file_count; chunk++) {
        index = 10 * index + (size_t)(*chunk - '0');
    }
    *end = chunk;
    return index < host->file_count ? &host->files[index] : NULL;
}

void sow_host_where(struct sow_host *host, const char **path, uint32_t *line)
{
    lua_Debug frame;
    const char *end;
    *path = "";
    *line = 0;
    for (int level = 0; lua_getstack(host->L, level, &frame); level++) {
        lua_getinfo(host->L, "S", &frame);
        const struct sow_host_file *file = file_of(host, frame.source, &end); /* "=[C]": none */
        if (file != NULL && !file->prelude) {
            lua_getinfo(host->L, "l", &frame); /* last: it counts lines from afar */
            *path = file->path;
            *line = (uint32_t)frame.currentline;
            return;
        }
    }
}

/* The path of the recipe that the function on top of the stack, which is popped, stands in; NULL for one of ours. Lua takes
 * long to tell; so some are known by their address, and kept, that no other one gets it. */
static const char *path_of(struct sow_host *host, lua_Debug *frame)
{
    const char *end;
    const void *function = lua_topointer(host->L, -1);
    struct sow_host_function *known =
        &host->functions[((uintptr_t)function >> 4) % SOW_HOST_FUNCTIONS];
    if (known->function == function) {
        lua_pop(host->L, 1);
        return known->path;
    }
    lua_getinfo(host->L, "S", frame);
    const struct sow_host_file *file = file_of(host, frame->source, &end);
    known->function = NULL;
    lua_rawsetp(host->L, LUA_REGISTRYINDEX, known);
    known->function = function;
    known->path = file != NULL && !file->prelude ? file->path : NULL;
    return known->path;
}

void sow_host_caller(struct sow_host *host, int level, const char **path, uint32_t *line)
{
    lua_Debug frame;
    *path = "";
    *line = 0;
    for (; lua_getstack(host->L, level, &frame); level++) {
        lua_getinfo(host->L, "fl", &frame);
        const char *found = path_of(host, &frame);
        if (found != NULL) {
            *path = found;
            *line = (uint32_t)frame.currentline;
            return;
        }
    }
}

/* ---- Errors -------------------------------------------------------------------------------- */

int sow_host_raise_error(struct sow_host *host, const struct sow_error *error)
{
    host->error = *error;
    if (host->error.file[0] == '\0') {
        const char *path;
        sow_host_where(host, &path, &host->error.line);
        snprintf(host->error.file, sizeof host->error.file, "%s", path);
    }
    lua_pushlightuserdata(host->L, host);
    return lua_error(host->L);
}

int sow_host_raise(struct sow_host *host, enum sow_status code, const char *format, ...)
{
    struct sow_error error = {.code = code};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error.message, sizeof error.message, format, arguments);
    va_end(arguments);
    return sow_host_raise_error(host, &error);
}

/* A message of Lua's own: its place goes into line and file. */
static void adopt_message(struct sow_host *host, enum sow_status code, const char *message)
{
    const char *end, *path;
    struct sow_error *error = &host->error;
    const struct sow_host_file *file = file_of(host, message, &end);
    sow_host_where(host, &path, &error->line);
    if (file != NULL && *end == ':') {
        char *after;
        unsigned long line = strtoul(end + 1, &after, 10);
        if (!file->prelude && error->line == 0) {
            path = file->path;
            error->line = (uint32_t)line;
        }
        message = after[0] == ':' && after[1] == ' ' ? after + 2 : after;
    }
    error->code = code;
    snprintf(error->file, sizeof error->file, "%s", path);
    snprintf(error->message, sizeof error->message, "%s", message);
    if (strstr(message, "stack overflow") != NULL) {
        snprintf(error->message, sizeof error->message,
                 "the recursion is too deep; does a function call itself without end?");
    }
}

/* The message handler of every protected call: runs where the error was raised, so that the place is known. */
static int on_error(lua_State *L)
{
    struct sow_host *host = sow_host_of(L);
    if (host->error.code != SOW_OK) {
        return 1;
    }
    if (lua_type(L, 1) == LUA_TSTRING || lua_type(L, 1) == LUA_TNUMBER) {
        adopt_message(host, SOW_E_CONFIG, lua_tostring(L, 1));
    } else {
        char message[80];
        snprintf(message, sizeof message, "the recipe raised an error that is a %s, not a text",
                 luaL_typename(L, 1));
        adopt_message(host, SOW_E_CONFIG, message);
    }
    return 1;
}

/* A recipe's own words reach a terminal: no control characters, and never nothing. */
static void clean_message(struct sow_error *error)
{
    if (error->message[0] == '\0') {
        snprintf(error->message, sizeof error->message,
                 "the recipe raised an error without a text");
    }
    for (char *at = error->message; *at != '\0'; at++) {
        *at = (unsigned char)*at < 0x20 || *at == 0x7f ? ' ' : *at;
    }
}

/* From Lua's status to ours, after a call that failed. */
static enum sow_status failed(struct sow_host *host, int status, struct sow_error *error)
{
    if (status == LUA_ERRMEM) {
        const char *path = host->refused_line > 0 ? host->files[host->refused_file].path : "";
        sow_fail_at(&host->error, host->refused_code, path, host->refused_line, 0,
                    "the recipe asks for %s", host->refused);
    } else if (host->error.code == SOW_OK) { /* LUA_ERRERR: no room for the handler either */
        sow_fail(&host->error, SOW_E_CONFIG,
                 "the recursion is too deep; does a function call itself without end?");
    }
    enum sow_status code = host->error.code;
    clean_message(&host->error);
    if (error != NULL) {
        *error = host->error;
    }
    host->error.code = SOW_OK;
    lua_settop(host->L, 0);
    return code;
}

enum sow_status sow_host_call(struct sow_host *host, int arguments, int results,
                              struct sow_error *error)
{
    int handler = lua_gettop(host->L) - arguments;
    int outermost = !host->running;
    lua_pushcfunction(host->L, on_error);
    lua_insert(host->L, handler);
    if (outermost) {
        host->started = sow_ceilings_clock(CLOCK_MONOTONIC); /* cheap to ask for: looked at first */
        host->cpu_started = sow_ceilings_clock(CLOCK_THREAD_CPUTIME_ID);
        host->running = 1;
    }
    locale_t before = uselocale(host->locale);
    int status = lua_pcall(host->L, arguments, results, handler);
    uselocale(before);
    if (outermost) {
        host->nanoseconds -= sow_ceilings_clock(CLOCK_THREAD_CPUTIME_ID) - host->cpu_started;
        host->running = 0;
    }
    if (status != LUA_OK) {
        return failed(host, status, error);
    }
    lua_remove(host->L, handler);
    return SOW_OK;
}

/* ---- Texts --------------------------------------------------------------------------------- */

/* Keeps a text and gives it a number. */
static enum sow_status add_file(struct sow_host *host, const char *path, const char *text,
                                size_t length, int prelude, struct sow_error *error)
{
    struct sow_host_file *files =
        realloc(host->files, (host->file_count + 1) * sizeof *host->files);
    if (files == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory while loading %s", path);
    }
    host->files = files;
    struct sow_host_file *file = &files[host->file_count];
    file->path = sow_arena_copy(&host->model->arena, path, strlen(path));
    file->text = prelude ? text : sow_arena_copy(&host->model->arena, text, length);
    file->length = length;
    file->prelude = prelude;
    if (file->path == NULL || file->text == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory while loading %s", path);
    }
    host->file_count++;
    return SOW_OK;
}

/* What load() below is called with. */
struct parts {
    const char *part[2];
    size_t length[2];
    int next;
};

static const char *read_part(lua_State *L, void *user, size_t *length)
{
    struct parts *parts = user;
    (void)L;
    while (parts->next < 2) {
        int i = parts->next++;
        if (parts->length[i] > 0) {
            *length = parts->length[i];
            return parts->part[i];
        }
    }
    *length = 0;
    return NULL;
}

/* What Lua's own loader of files leaves out too: a byte-order mark and a first line that starts with #. */
static void skip_start(const char **text, size_t *length)
{
    if (*length >= 3 && memcmp(*text, "\xef\xbb\xbf", 3) == 0) {
        *text += 3;
        *length -= 3;
    }
    while (*length > 0 && **text == '#' &&
           (*text)[1] != '\n') { /* its newline stays: lines keep their number */
        const char *newline = memchr(*text, '\n', *length);
        size_t skipped = newline == NULL ? *length : (size_t)(newline - *text);
        *text += skipped;
        *length -= skipped;
    }
}

/* What the compiler said, which has no line when it is about memory or depth. */
static enum sow_status failed_load(struct sow_host *host, int lua_status, const char *path,
                                   struct sow_error *error)
{
    if (lua_status == LUA_ERRMEM) {
        sow_fail_at(&host->error, host->refused_code, path, 0, 0, "the recipe asks for %s",
                    host->refused);
        lua_status = LUA_ERRRUN;
    } else if (lua_type(host->L, -1) == LUA_TSTRING) {
        adopt_message(host, SOW_E_SYNTAX, lua_tostring(host->L, -1));
    }
    if (host->error.code != SOW_OK && host->error.file[0] == '\0') {
        sow_fail_at(&host->error, SOW_E_SYNTAX, path, 0, 0,
                    "brackets or blocks are nested too deep for Lua");
    }
    return failed(host, lua_status, error);
}

enum sow_status sow_host_load(struct sow_host *host, const char *path, const char *prefix,
                              const char *text, size_t length, int environment,
                              struct sow_error *error)
{
    char chunk[24];
    if (length > SOW_HOST_TEXT_MAX) {
        return sow_fail_at(error, SOW_E_CONFIG, path, 0, 0,
                           "a Lua file of %zu bytes; at most %zu are read", length,
                           SOW_HOST_TEXT_MAX);
    }
    skip_start(&text, &length);
    enum sow_status status = sow_text_check(path, text, length, error);
    if (status == SOW_OK) {
        status = add_file(host, path, text, length, 0, error);
    }
    if (status != SOW_OK) {
        return status;
    }
    lua_State *L = host->L;
    environment = environment == 0 ? 0 : lua_absindex(L, environment);
    struct parts parts = {{prefix, text}, {strlen(prefix), length}, 0};
    snprintf(chunk, sizeof chunk, "=@%zu", host->file_count - 1);
    int outermost = !host->running;
    host->running = 1; /* the ceilings hold for the compiler too */
    locale_t before = uselocale(host->locale);
    int lua_status = lua_load(L, read_part, &parts, chunk, "t");
    uselocale(before);
    host->running = !outermost;
    if (lua_status != LUA_OK) {
        return failed_load(host, lua_status, path, error);
    }
    if (environment != 0) {
        lua_pushvalue(L, environment);
    } else {
        lua_getfield(L, LUA_REGISTRYINDEX, SOW_ENVIRONMENT);
    }
    lua_setupvalue(L, -2, 1);
    return SOW_OK;
}

enum sow_status sow_host_run(struct sow_host *host, const char *path, const char *text,
                             size_t length, struct sow_error *error)
{
    host->declared = 1;
    enum sow_status status = sow_host_load(host, path, "", text, length, 0, error);
    if (status == SOW_OK) {
        status = sow_host_call(host, 0, 0, error);
    }
    host->declared = 0;
    if (status == SOW_OK) {
        lua_getfield(host->L, LUA_REGISTRYINDEX, SOW_BRIDGE);
        lua_getfield(host->L, -1, "finish");
        lua_remove(host->L, -2);
        status = sow_host_call(host, 0, 0, error);
    }
    if (status == SOW_OK && host->model->graph.operation_count > 0) {
        status = sow_model_add_variant(host->model, SOW_MATCHED, SOW_MATCHED_SOURCE, 0, error);
    }
    if (status == SOW_OK && host->model->graph.parameter_count == 0) {
        return sow_fail_at(error, SOW_E_CONFIG, path, 0, 0, "the recipe declares no tensor");
    }
    return status;
}

/* ---- The state ----------------------------------------------------------------------------- */

/* In this order: each may use what the earlier ones made. A name that ends in / is all files of that folder. */
static const char *const prelude_files[] = {
    "prelude/language.lua", "prelude/value.lua", "prelude/layer.lua", "prelude/layers/",
    "prelude/scheme.lua",   "prelude/kind.lua",  "prelude/field.lua", "prelude/decoder.lua",
};

static void load_prelude(lua_State *L, const struct sow_embedded *file)
{
    struct sow_error error;
    struct sow_host *host = sow_host_of(L);
    if (add_file(host, file->name, file->text, file->length, 1, &error) != SOW_OK) {
        luaL_error(L, "%s", error.message);
    }
    char chunk[24];
    snprintf(chunk, sizeof chunk, "=@%zu", host->file_count - 1);
    if (luaL_loadbufferx(L, file->text, file->length, chunk, "t") != LUA_OK) {
        lua_error(L);
    }
    lua_getfield(L, LUA_REGISTRYINDEX, SOW_TRUSTED);
    lua_setupvalue(L, -2, 1);
    lua_getfield(L, LUA_REGISTRYINDEX, SOW_BRIDGE);
    lua_call(L, 1, 0);
}

static int open_language(lua_State *L)
{
    sow_sandbox_open(L);
    for (size_t i = 0; i < sizeof prelude_files / sizeof prelude_files[0]; i++) {
        const char *name = prelude_files[i];
        size_t length = strlen(name), compared = name[length - 1] == '/' ? length : length + 1;
        for (const struct sow_embedded *file = sow_embedded_recipes; file->name != NULL; file++) {
            if (strncmp(file->name, name, compared) == 0) {
                load_prelude(L, file);
            }
        }
    }
    return 0;
}

static void host_free(void *user)
{
    struct sow_host *host = user;
    if (host->L != NULL) {
        lua_close(host->L);
    }
    sow_pool_free(&host->pool);
    sow_config_free(host->config);
    free(host->files);
    if (host->locale != (locale_t)0) {
        freelocale(host->locale);
    }
    free(host);
}

enum sow_status sow_host_new(struct sow_model *model, struct sow_config *config,
                             struct sow_host **host, struct sow_error *error)
{
    struct sow_host *made = calloc(1, sizeof *made);
    if (made == NULL) {
        sow_config_free(config);
        return sow_fail(error, SOW_E_MEMORY, "out of memory while starting Lua");
    }
    made->model = model;
    made->config = config;
    made->steps = SOW_HOST_STEPS;
    made->steps_to_give = SOW_HOST_STEPS_IN_ALL;
    made->nanoseconds = SOW_HOST_NANOSECONDS;
    made->scopes[0].layer = -1;
    model->host = made;
    model->host_free = host_free;
    made->locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    made->L = made->locale == (locale_t)0 ? NULL : lua_newstate(sow_ceilings_allocate, made);
    if (made->L == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory while starting Lua");
    }
    *(struct sow_host **)lua_getextraspace(made->L) = made;
    lua_sethook(made->L, sow_ceilings_count, LUA_MASKCOUNT, SOW_HOST_HOOK_STEPS);
#if LUA_VERSION_RELEASE_NUM >= 50404
    lua_gc(made->L, LUA_GCGEN, 0, 0); /* what a layer leaves is young, and the prelude is old */
#endif
    lua_pushcfunction(made->L, open_language);
    *host = made;
    return sow_host_call(made, 0, 0, error);
}
