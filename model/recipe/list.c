/* SPDX-License-Identifier: MIT */
/* Lists of numbers for schemes. A file of them is text: numbers between blanks, commas, semicolons or
 * ends of lines; what stands behind a # is not read. */
#include "model/recipe/list.h"

#include "core/base/error.h"
#include "model/recipe/file.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX ((size_t)64 << 20)

void sow_list_from_lua(struct sow_rules *rules, struct sow_argument *argument)
{
    lua_State *L = rules->host->L;
    lua_Unsigned count = lua_rawlen(L, -1);
    if (count > SOW_LIST_NUMBERS_MAX) {
        sow_host_raise(rules->host, SOW_E_RULE, "%s is a list of more than %u numbers",
                       argument->name, SOW_LIST_NUMBERS_MAX);
    }
    double *list = sow_arena_take(&rules->arena, ((size_t)count + 1) * sizeof *list);
    if (list == NULL) {
        sow_host_raise(rules->host, SOW_E_MEMORY, "out of memory for a list of numbers");
    }
    for (lua_Unsigned i = 0; i < count; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        list[i] = lua_tonumber(L, -1);
        lua_pop(L, 1);
    }
    argument->list = list;
    argument->list_count = (size_t)count;
}

/* One number, made a text of its own in place; nonzero when it is none. */
static int read_number(lua_State *L, char *word, size_t length, double *number)
{
    char after = word[length];
    word[length] = '\0';
    size_t taken = lua_stringtonumber(L, word);
    word[length] = after;
    if (taken == 0) {
        return 1;
    }
    *number = lua_tonumber(L, -1);
    lua_pop(L, 1);
    return 0;
}

static enum sow_status read_numbers(struct sow_rules *rules, const char *path, char *text,
                                    struct sow_argument *argument, struct sow_error *error)
{
    static const char between[] = " \t\r,;";
    size_t capacity = strlen(text) / 2 + 1, count = 0;
    uint32_t line = 1;
    capacity = capacity < SOW_LIST_NUMBERS_MAX ? capacity : SOW_LIST_NUMBERS_MAX;
    double *list = sow_arena_take(&rules->arena, capacity * sizeof *list);
    if (list == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory for the numbers of %s", path);
    }
    for (char *at = text; *at != '\0';) {
        size_t length = strcspn(at, " \t\r,;\n#");
        if (length == 0) {
            line += *at == '\n';
            at += *at == '#'                ? strcspn(at, "\n")
                  : strspn(at, between) > 0 ? strspn(at, between)
                                            : 1;
            continue;
        }
        if (count == capacity) {
            return sow_fail(error, SOW_E_SYNTAX, "%s has more than %zu numbers", path, count);
        }
        if (read_number(rules->host->L, at, length, &list[count])) {
            return sow_fail(error, SOW_E_SYNTAX, "line %u of %s: \"%.*s\" is no number", line, path,
                            (int)(length < 40 ? length : 40), at);
        }
        count++;
        at += length;
    }
    if (count == 0) {
        return sow_fail(error, SOW_E_SYNTAX, "there is no number in %s", path);
    }
    argument->list = list;
    argument->list_count = count;
    return SOW_OK;
}

static int is_list(const struct sow_scheme *scheme, const char *name)
{
    for (size_t i = 0; scheme != NULL && scheme->lists != NULL && scheme->lists[i] != NULL; i++) {
        if (strcmp(scheme->lists[i], name) == 0) {
            return 1;
        }
    }
    return 0;
}

enum sow_status sow_list_read_files(struct sow_rules *rules, enum sow_rule_origin origin,
                                    struct sow_rule_match *match, struct sow_error *error)
{
    const struct sow_scheme *scheme = sow_scheme_find(match->scheme, NULL);
    for (size_t i = 0; i < match->argument_count; i++) {
        struct sow_argument *argument = &match->arguments[i];
        char *text = NULL;
        size_t length;
        if (argument->text == NULL || !is_list(scheme, argument->name)) {
            continue;
        }
        if (origin == SOW_RULE_VARIANT) {
            return sow_fail_at(
                error, SOW_E_RULE, match->file, match->line, 0,
                "a recipe reads no file: write the numbers of %s as a list, or the rule "
                "into --set or a --rules file",
                argument->name);
        }
        enum sow_status status = sow_file_read(argument->text, "a file of numbers", FILE_BYTES_MAX,
                                               &text, &length, error);
        status =
            status != SOW_OK ? status : read_numbers(rules, argument->text, text, argument, error);
        free(text);
        if (status != SOW_OK) {
            return status;
        }
    }
    return SOW_OK;
}
