/* SPDX-License-Identifier: MIT */
/* The Lua host: one sandboxed state a model, with ceilings on memory, instructions and time, and errors that carry
 * a status and a place. Knows nothing of layers (prelude/, the Lua below this folder) or of files on disk.
 *
 *     text -> sow_host_run -> Lua -> bridge.c, param.c -> struct sow_model */
#ifndef SOW_RECIPE_HOST_H
#define SOW_RECIPE_HOST_H

#include "model/graph/build.h"
#include "model/recipe/config.h"
#include "model/recipe/pool.h"

#include <locale.h>
#include <lua.h>

#define SOW_HOST_TEXT_MAX   ((size_t)4 << 20)   /* bytes of one Lua file */
#define SOW_HOST_BYTES_MAX  ((size_t)128 << 20) /* of Lua memory */
#define SOW_HOST_STRING_MAX ((size_t)4096)      /* of one Lua string */
#define SOW_HOST_SCOPES_MAX 64u                 /* nested scopes */

#define SOW_HOST_WORDS     256u
#define SOW_HOST_FUNCTIONS 16u

/* Steps are instructions of Lua and what costs as much: a base, and more for every tensor declared or rule evaluated, so
 * that a million tensors are fine and an endless loop is not. What tensors bring has an end too: layers are slower than
 * plain tensors, of which a model may have SOW_MODEL_PARAMETERS_MAX. Steps, not time: what runs here runs everywhere. */
#define SOW_HOST_STEPS        INT64_C(5000000)
#define SOW_HOST_STEPS_TENSOR INT64_C(4000)
#define SOW_HOST_STEPS_IN_ALL INT64_C(60000000)
/* What the counter of instructions does not see: memory taken, an object (a text, a table) made, a plain tensor, an option
 * of one, a layer's tensor, an operation, an expression that is new (its numbers are integrals). A step is about 80
 * instructions of the processor whatever it goes to, so that the steps of a run end within a second: 1,400,000 plain
 * tensors, or 100,000 layers and as many activations. */
#define SOW_HOST_BYTES_A_STEP     32
#define SOW_HOST_STEPS_OBJECT     12
#define SOW_HOST_STEPS_PLAIN      2
#define SOW_HOST_STEPS_OPTION     12
#define SOW_HOST_STEPS_DECLARE    34
#define SOW_HOST_STEPS_OPERATION  30
#define SOW_HOST_STEPS_EXPRESSION 50000
#define SOW_HOST_HOOK_STEPS       1000
/* The same for time, which catches what steps do not tell (a walk through a huge empty table). */
#define SOW_HOST_NANOSECONDS        INT64_C(1000000000)
#define SOW_HOST_NANOSECONDS_TENSOR INT64_C(50000)

/* A Lua text that was loaded; its chunk is named "=@" and its index, so that long paths stay whole. */
struct sow_host_file {
    const char *path; /* as shown in messages */
    const char *text; /* kept for the rules' source lines */
    size_t length;
    int prelude; /* errors are reported at the line that called it */
};

struct sow_host_scope {
    size_t length; /* of the prefix */
    int32_t layer, layer_count;
};

struct sow_host {
    lua_State *L;
    struct sow_model *model;   /* owns the host */
    struct sow_config *config; /* owned; NULL for a model.lua */

    struct sow_host_file *files;
    size_t file_count;

    char prefix[SOW_MODEL_NAME_MAX + 2]; /* "transformer.h.0." */
    const char *prefix_kept;             /* the same in the arena; NULL when it changed */
    struct sow_host_scope scopes[SOW_HOST_SCOPES_MAX];
    size_t scope_depth; /* scopes[0] is the outermost: no prefix */

    struct sow_host_word {
        const char *text;
        size_t length;
    } recent[SOW_HOST_WORDS]; /* words kept lately, by hash */

    struct sow_host_function {
        const void *function;        /* its address; NULL for none */
        const char *path;            /* of the recipe that it stands in; NULL for one of ours */
    } functions[SOW_HOST_FUNCTIONS]; /* that called lately, by address; the registry keeps them */

    const void *value_meta, *layer_meta; /* addresses of their metatables: value.c */

    struct sow_pool pool;       /* Lua's memory */
    size_t bytes;               /* of it in use */
    int64_t steps, nanoseconds; /* what is left: steps, and time of the processor */
    int64_t steps_to_give;      /* what more tensors may still bring */
    int64_t started, cpu_started;
    locale_t locale;     /* C: texts compare and numbers read alike, whatever the program has set */
    const char *refused; /* why the allocator said no last time */
    enum sow_status
        refused_code; /* SOW_E_CONFIG at a ceiling of ours, SOW_E_MEMORY where the system has no more */
    uint32_t refused_file, refused_line;
    int running;
    int declared; /* whether tensors may still be declared */

    struct sow_error error; /* raised and on its way out; code 0: none */
};

/* A state with the language in it. The model owns the host afterwards, the host the config (NULL for none), also on
 * failure. */
enum sow_status sow_host_new(struct sow_model *model, struct sow_config *config,
                             struct sow_host **host, struct sow_error *error);

/* Loads `text` as the file `path` and runs it as a recipe. `text` is copied. */
enum sow_status sow_host_run(struct sow_host *host, const char *path, const char *text,
                             size_t length, struct sow_error *error);

/* Loads a chunk and leaves it as a function on the stack, its _ENV being the value at `environment` (a stack index),
 * or the recipe language for 0. `prefix` is put before the text ("return "), and may be "". */
enum sow_status sow_host_load(struct sow_host *host, const char *path, const char *prefix,
                              const char *text, size_t length, int environment,
                              struct sow_error *error);
/* Calls the function below `arguments` values on the stack; errors come back with their place. */
enum sow_status sow_host_call(struct sow_host *host, int arguments, int results,
                              struct sow_error *error);

/* Raises an error from inside a C function called by Lua. The place is the line of the recipe. Does not return. */
int sow_host_raise(struct sow_host *host, enum sow_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Raises what a function of ours reported. */
int sow_host_raise_error(struct sow_host *host, const struct sow_error *error);

/* Lua keeps room for a pointer with each state: asked for ten times a tensor. */
static inline struct sow_host *sow_host_of(lua_State *L)
{
    return *(struct sow_host **)lua_getextraspace(L);
}

/* The innermost line of a recipe (not of the prelude) that is running; "" and 0 when there is none. */
void sow_host_where(struct sow_host *host, const char **path, uint32_t *line);
/* The same for a function in C that Lua called, often: looks from that level on, 1 being the caller. */
void sow_host_caller(struct sow_host *host, int level, const char **path, uint32_t *line);
/* More steps, more time: something was declared or is about to be evaluated. */
void sow_host_extend(struct sow_host *host);
/* At least the base of both: the rules begin, which are evaluated once for each tensor and so end. */
void sow_host_renew(struct sow_host *host);

/* Puts the C functions that the prelude is written with into the table on top of the stack. */
void sow_bridge_open(lua_State *L);         /* names, scopes, ties, options: bridge.c */
void sow_bridge_open_value(lua_State *L);   /* values, layers, operations: value.c */
void sow_bridge_open_param(lua_State *L);   /* tensors: param.c */
void sow_bridge_open_config(lua_State *L);  /* fields of the config: field.c */
void sow_bridge_open_include(lua_State *L); /* a recipe inside another: include.c */
void sow_bridge_open_words(lua_State *L);   /* schemes, activations, arithmetic, words: words.c */

#endif
