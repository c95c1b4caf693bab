/* SPDX-License-Identifier: MIT */
/* Lua text before Lua sees it. Knows Lua's strings and comments, so that a `^` inside them is left alone. */
#include "model/recipe/text.h"

#include "core/base/error.h"

#include <string.h>

/* Lua 5.4 manual, section 3.1. */
enum token { TOKEN_END, TOKEN_BLANK, TOKEN_COMMENT, TOKEN_STRING, TOKEN_OTHER };

/* Length of a long bracket's opening ("[[" or "[==[") at `at`, with its number of equal signs; 0 when it is none. */
static size_t long_bracket(const char *text, size_t length, size_t at, size_t *level)
{
    size_t end = at + 1;
    while (end < length && text[end] == '=') {
        end++;
    }
    *level = end - at - 1;
    return at < length && text[at] == '[' && end < length && text[end] == '[' ? end + 1 - at : 0;
}

/* End of a long string or comment whose opening ends at `at`. */
static size_t skip_long(const char *text, size_t length, size_t at, size_t level)
{
    for (; at < length; at++) {
        size_t end = at + 1;
        while (text[at] == ']' && end < length && text[end] == '=') {
            end++;
        }
        if (text[at] == ']' && end - at - 1 == level && end < length && text[end] == ']') {
            return end + 1;
        }
    }
    return length;
}

static size_t skip_quoted(const char *text, size_t length, size_t at)
{
    char quote = text[at++];
    while (at < length && text[at] != quote && text[at] != '\n') {
        at += text[at] == '\\' && at + 1 < length ? 2 : 1;
    }
    return at < length ? at + 1 : length;
}

/* The kind of what stands at *at; moves *at behind it. */
static enum token next_token(const char *text, size_t length, size_t *at)
{
    size_t level, opening, i = *at;
    if (i >= length) {
        return TOKEN_END;
    }
    if (text[i] == '-' && i + 1 < length && text[i + 1] == '-') {
        opening = long_bracket(text, length, i + 2, &level);
        if (opening > 0) {
            *at = skip_long(text, length, i + 2 + opening, level);
            return TOKEN_COMMENT;
        }
        const char *newline = memchr(text + i, '\n', length - i);
        *at = newline == NULL ? length : (size_t)(newline - text);
        return TOKEN_COMMENT;
    }
    if (text[i] == '"' || text[i] == '\'') {
        *at = skip_quoted(text, length, i);
        return TOKEN_STRING;
    }
    opening = long_bracket(text, length, i, &level);
    if (opening > 0) {
        *at = skip_long(text, length, i + opening, level);
        return TOKEN_STRING;
    }
    *at = i + 1;
    return strchr(" \t\r\n\f\v", text[i]) != NULL && text[i] != '\0' ? TOKEN_BLANK : TOKEN_OTHER;
}

static void place(const char *text, size_t at, uint32_t *line, uint32_t *column)
{
    *line = *column = 1;
    for (size_t i = 0; i < at; i++) {
        *column = text[i] == '\n' ? 1 : *column + 1;
        *line += text[i] == '\n';
    }
}

enum sow_status sow_text_check(const char *path, const char *text, size_t length,
                               struct sow_error *error)
{
    if (length > 0 && text[0] == '\x1b') {
        return sow_fail_at(error, SOW_E_SYNTAX, path, 0, 0,
                           "this is compiled Lua; sow runs Lua text only, because bytecode can "
                           "break out of any sandbox");
    }
    for (size_t at = 0, start = 0;; start = at) {
        enum token token = next_token(text, length, &at);
        if (token == TOKEN_END) {
            return SOW_OK;
        }
        if (token == TOKEN_OTHER && (text[start] == '^' || text[start] == '\0')) {
            uint32_t line, column;
            place(text, start, &line, &column);
            return text[start] == '^'
                       ? sow_fail_at(error, SOW_E_SYNTAX, path, line, column,
                                     "`^` is not in the recipe language: it is the C library's "
                                     "pow, which differs between machines; write pow(x, y)")
                       : sow_fail_at(error, SOW_E_SYNTAX, path, line, column,
                                     "a NUL byte; this is not a text");
        }
    }
}

void sow_text_statement(const char *text, size_t length, uint32_t line, char *out, size_t size)
{
    size_t at = 0, used = 0;
    for (uint32_t i = 1; i < line; i++) {
        const char *newline = memchr(text + at, '\n', length - at);
        if (newline == NULL) {
            at = length;
            break;
        }
        at = (size_t)(newline - text) + 1;
    }
    int depth = 0, blank = 0;
    for (size_t start = at; used + 8 < size; start = at) {
        enum token token = next_token(text, length, &at);
        if (token == TOKEN_END || (token == TOKEN_BLANK && text[start] == '\n' && depth <= 0)) {
            break;
        }
        if (token == TOKEN_BLANK || token == TOKEN_COMMENT) {
            blank = used > 0;
            continue;
        }
        depth += token == TOKEN_OTHER && strchr("({[", text[start]) != NULL;
        depth -= token == TOKEN_OTHER && strchr(")}]", text[start]) != NULL;
        if (blank) {
            out[used++] = ' ';
            blank = 0;
        }
        size_t bytes = at - start < size - used - 8 ? at - start : size - used - 8;
        memcpy(out + used, text + start, bytes);
        used += bytes;
    }
    if (used + 8 >= size && size >= 12) {
        memcpy(out + used, "...", 3);
        used += 3;
    }
    if (size > 0) {
        out[used] = '\0';
    }
}
