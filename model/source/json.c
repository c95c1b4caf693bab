/* SPDX-License-Identifier: MIT */
/* Strict JSON: a walk over the text that knows the grammar and the usual mistakes, then jansson for the values. */
#include "model/source/json.h"

#include "core/base/error.h"
#include "model/graph/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What may stand at a place of the walk. */
enum expect { VALUE, VALUE_OR_END, KEY, KEY_OR_END, COLON, COMMA_OR_END, NOTHING };

struct walk {
    const char *path, *text;
    size_t length, at;
    char open[SOW_JSON_DEPTH_MAX]; /* '{' or '[' */
    size_t open_at[SOW_JSON_DEPTH_MAX];
    size_t depth;
    size_t line_at, line_start; /* how far lines are counted, and where the last of them starts */
    uint32_t line;
    struct sow_config_field *fields; /* places of the top-level keys; names come from jansson */
    size_t field_count, field_capacity;
    struct sow_error *error;
};

/* ---- Places and errors ------------------------------------------------------------------------- */

static void place(const struct walk *walk, size_t at, uint32_t *line, uint32_t *column)
{
    *line = *column = 1;
    for (size_t i = 0; i < at; i++) {
        *column = walk->text[i] == '\n' ? 1 : *column + 1;
        *line += walk->text[i] == '\n';
    }
}

static enum sow_status fail(const struct walk *walk, size_t at, const char *message)
{
    uint32_t line, column;
    place(walk, at, &line, &column);
    return sow_fail_at(walk->error, SOW_E_SYNTAX, walk->path, line, column, "%s", message);
}

static int starts(const struct walk *walk, size_t at, const char *word)
{
    size_t length = strlen(word);
    return walk->length - at >= length && memcmp(walk->text + at, word, length) == 0;
}

static int is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static enum sow_status fail_truncated(const struct walk *walk)
{
    char message[160];
    uint32_t line, column;
    if (walk->depth == 0) {
        return fail(walk, walk->length, "the file is empty; a JSON object is needed");
    }
    place(walk, walk->open_at[walk->depth - 1], &line, &column);
    snprintf(message, sizeof message,
             "the file ends too early: the %c of line %u is still open; is it cut short?",
             walk->open[walk->depth - 1], line);
    return fail(walk, walk->length, message);
}

/* A mistake that has a name; the rest is "unexpected". */
static enum sow_status fail_here(const struct walk *walk, const char *needed)
{
    static const struct {
        const char *start, *message;
    } known[] = {
        {"\xef\xbb\xbf", "the file starts with a byte-order mark, which JSON forbids (RFC 8259, "
                         "section 8.1); save it "
                         "as UTF-8 without one"},
        {"//", "a comment; JSON has none (RFC 8259); remove it"},
        {"/*", "a comment; JSON has none (RFC 8259); remove it"},
        {"#", "a comment; JSON has none (RFC 8259); remove it"},
        {"Infinity", "a bare Infinity is not JSON (RFC 8259, section 6); write a number, null, or "
                     "remove the field"},
        {"-Infinity", "a bare -Infinity is not JSON (RFC 8259, section 6); write a number, null, "
                      "or remove the field"},
        {"NaN",
         "a bare NaN is not JSON (RFC 8259, section 6); write a number, null, or remove the field"},
        {"'", "single quotes; texts stand in double quotes in JSON"},
        {"True", "True is Python's; JSON writes true"},
        {"False", "False is Python's; JSON writes false"},
        {"None", "None is Python's; JSON writes null"},
        {"+", "a plus sign in front of a number; JSON has none"},
        {".", "a number starts with a digit in JSON: 0.5, not .5"},
    };
    char message[200];
    if (walk->at >= walk->length) {
        return fail_truncated(walk);
    }
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (starts(walk, walk->at, known[i].start)) {
            return fail(walk, walk->at, known[i].message);
        }
    }
    unsigned char c = (unsigned char)walk->text[walk->at];
    if (is_word((char)c)) {
        int length = 0;
        while (length < 40 && walk->at + (size_t)length < walk->length &&
               is_word(walk->text[walk->at + (size_t)length])) {
            length++;
        }
        snprintf(message, sizeof message, "%s is needed, and here is the bare word %.*s", needed,
                 length, walk->text + walk->at);
    } else if (c > 0x20 && c < 0x7f) {
        snprintf(message, sizeof message, "%s is needed, and here is %c", needed, c);
    } else {
        snprintf(message, sizeof message, "%s is needed, and here is the byte 0x%02x", needed, c);
    }
    return fail(walk, walk->at, message);
}

/* ---- Texts, numbers, words --------------------------------------------------------------------- */

/* At a quote; moves behind the closing one. */
static enum sow_status walk_text(struct walk *walk)
{
    size_t start = walk->at++;
    for (; walk->at < walk->length && walk->text[walk->at] != '"'; walk->at++) {
        unsigned char c = (unsigned char)walk->text[walk->at];
        if (c < 0x20) {
            return fail(walk, walk->at,
                        c == '\n'
                            ? "a text goes over the end of its line; is a closing quote missing?"
                            : "a control character inside a text; write it as \\u00XX");
        }
        if (c == '\\' && ++walk->at < walk->length &&
            (walk->text[walk->at] == '\0' || strchr("\"\\/bfnrtu", walk->text[walk->at]) == NULL)) {
            return fail(walk, walk->at - 1, "a backslash before a character that needs none");
        }
    }
    if (walk->at >= walk->length) {
        return fail(walk, start, "the file ends inside this text; is it cut short?");
    }
    size_t valid = sow_utf8_end(walk->text + start, walk->at - start);
    if (valid < walk->at - start) {
        return fail(walk, start + valid, "a byte that is not UTF-8");
    }
    walk->at++;
    return SOW_OK;
}

static size_t digits(struct walk *walk)
{
    size_t start = walk->at;
    while (walk->at < walk->length && walk->text[walk->at] >= '0' && walk->text[walk->at] <= '9') {
        walk->at++;
    }
    return walk->at - start;
}

static int next_is(const struct walk *walk, const char *set)
{
    return walk->at < walk->length && walk->text[walk->at] != '\0' &&
           strchr(set, walk->text[walk->at]) != NULL;
}

static enum sow_status walk_number(struct walk *walk)
{
    size_t start = walk->at;
    walk->at += walk->text[walk->at] == '-';
    int zero = next_is(walk, "0");
    size_t count = digits(walk);
    if (count == 0) {
        walk->at = start;
        return starts(walk, start, "-I") ? fail_here(walk, "a value")
                                         : fail(walk, start, "a minus sign without a number");
    }
    if (zero && (count > 1 || next_is(walk, "xX"))) {
        return fail(
            walk, start,
            "a number that starts with 0; JSON has decimal numbers only, without leading zeros");
    }
    if (next_is(walk, ".")) {
        walk->at++;
        if (digits(walk) == 0) {
            return fail(walk, start, "a decimal point needs digits on both sides in JSON");
        }
    }
    if (next_is(walk, "eE")) {
        walk->at++;
        walk->at += next_is(walk, "+-") ? 1 : 0;
        if (digits(walk) == 0) {
            return fail(walk, start, "an exponent without digits");
        }
    }
    return SOW_OK;
}

static enum sow_status walk_word(struct walk *walk)
{
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < 3; i++) {
        size_t length = strlen(words[i]);
        if (starts(walk, walk->at, words[i]) &&
            (walk->length - walk->at == length || !is_word(walk->text[walk->at + length]))) {
            walk->at += length;
            return SOW_OK;
        }
    }
    return fail_here(walk, "a value");
}

/* ---- The walk ---------------------------------------------------------------------------------- */

static enum sow_status open_container(struct walk *walk, enum expect *expect)
{
    char c = walk->text[walk->at];
    if (walk->depth == SOW_JSON_DEPTH_MAX) {
        return fail(walk, walk->at, "nested more than 64 deep; no config needs that");
    }
    walk->open[walk->depth] = c;
    walk->open_at[walk->depth] = walk->at;
    walk->depth++;
    walk->at++;
    *expect = c == '{' ? KEY_OR_END : VALUE_OR_END;
    return SOW_OK;
}

static enum sow_status close_container(struct walk *walk, enum expect *expect)
{
    char wanted = walk->open[walk->depth - 1] == '{' ? '}' : ']';
    if (*expect == KEY || *expect == VALUE) {
        return fail(walk, walk->at, "a comma before this bracket; JSON allows no trailing comma");
    }
    if (walk->text[walk->at] != wanted) {
        return fail(walk, walk->at,
                    wanted == '}' ? "] closes what { opened" : "} closes what [ opened");
    }
    walk->depth--;
    walk->at++;
    *expect = walk->depth == 0 ? NOTHING : COMMA_OR_END;
    return SOW_OK;
}

static enum sow_status walk_value(struct walk *walk, enum expect *expect)
{
    char c = walk->text[walk->at];
    if (c == '{' || c == '[') {
        return open_container(walk, expect);
    }
    *expect = walk->depth == 0 ? NOTHING : COMMA_OR_END;
    return c == '"'                             ? walk_text(walk)
           : c == '-' || (c >= '0' && c <= '9') ? walk_number(walk)
                                                : walk_word(walk);
}

/* Up to here, going on from the last time. */
static void count_lines(struct walk *walk)
{
    for (; walk->line_at < walk->at; walk->line_at++) {
        if (walk->text[walk->line_at] == '\n') {
            walk->line++;
            walk->line_start = walk->line_at + 1;
        }
    }
}

static enum sow_status walk_key(struct walk *walk, enum expect *expect)
{
    if (walk->text[walk->at] != '"') {
        return fail_here(walk, "a name in double quotes");
    }
    if (walk->depth == 1) {
        if (walk->field_count == walk->field_capacity) {
            size_t capacity = walk->field_capacity == 0 ? 32 : walk->field_capacity * 2;
            struct sow_config_field *larger = realloc(walk->fields, capacity * sizeof *larger);
            if (larger == NULL) {
                return sow_fail(walk->error, SOW_E_MEMORY, "out of memory while reading %s",
                                walk->path);
            }
            walk->fields = larger;
            walk->field_capacity = capacity;
        }
        count_lines(walk);
        struct sow_config_field *field = &walk->fields[walk->field_count++];
        field->name = NULL;
        field->line = walk->line;
        field->column = (uint32_t)(walk->at - walk->line_start) + 1;
    }
    *expect = COLON;
    return walk_text(walk);
}

static enum sow_status walk_step(struct walk *walk, enum expect *expect)
{
    char c = walk->text[walk->at];
    if ((c == '}' || c == ']') && walk->depth > 0 && *expect != COLON) {
        return close_container(walk, expect);
    }
    switch (*expect) {
    case VALUE:
    case VALUE_OR_END:
        return walk_value(walk, expect);
    case KEY:
    case KEY_OR_END:
        return walk_key(walk, expect);
    case COLON:
        if (c != ':') {
            return fail_here(walk, "a colon");
        }
        walk->at++;
        *expect = VALUE;
        return SOW_OK;
    case COMMA_OR_END:
        if (c != ',') {
            return fail_here(walk, "a comma");
        }
        walk->at++;
        *expect = walk->open[walk->depth - 1] == '{' ? KEY : VALUE;
        return SOW_OK;
    default:
        return fail(walk, walk->at, "something stands after the end of the JSON document");
    }
}

static enum sow_status walk_all(struct walk *walk)
{
    enum expect expect = VALUE;
    enum sow_status status = SOW_OK;
    while (status == SOW_OK) {
        while (next_is(walk, " \t\r\n")) {
            walk->at++;
        }
        if (walk->at >= walk->length) {
            return expect == NOTHING ? SOW_OK : fail_truncated(walk);
        }
        if (walk->depth == 0 && expect == VALUE && walk->text[walk->at] != '{') {
            return fail_here(walk, "a JSON object { ... }");
        }
        status = walk_step(walk, &expect);
    }
    return status;
}

/* ---- Values ------------------------------------------------------------------------------------ */

static enum sow_status build(struct walk *walk, struct sow_config *config)
{
    json_error_t cause;
    const char *key;
    json_t *value;
    size_t i = 0;
    config->root = json_loadb(walk->text, walk->length, JSON_REJECT_DUPLICATES, &cause);
    if (config->root == NULL) {
        int twice = json_error_code(&cause) == json_error_duplicate_key;
        return sow_fail_at(walk->error, SOW_E_SYNTAX, walk->path,
                           cause.line > 0 ? (uint32_t)cause.line : 0,
                           cause.column > 0 ? (uint32_t)cause.column : 0, "%s%s", cause.text,
                           twice ? ": a name stands twice in one object" : "");
    }
    json_object_foreach(config->root, key, value)
    { /* in the order of the file */
        if (i < walk->field_count) {
            walk->fields[i++].name = key;
        }
    }
    config->fields = walk->fields;
    config->field_count = i;
    walk->fields = NULL;
    return SOW_OK;
}

enum sow_status sow_json_parse(const char *path, const char *text, size_t length,
                               struct sow_config **config, struct sow_error *error)
{
    struct walk walk = {.path = path, .text = text, .length = length, .line = 1, .error = error};
    struct sow_config *made = calloc(1, sizeof *made);
    if (made != NULL) {
        made->path = strdup(path);
    }
    enum sow_status status =
        made == NULL || made->path == NULL
            ? sow_fail(error, SOW_E_MEMORY, "out of memory while reading %s", path)
            : walk_all(&walk);
    if (status == SOW_OK) {
        status = build(&walk, made);
    }
    free(walk.fields);
    if (status != SOW_OK) {
        sow_config_free(made);
        return status;
    }
    *config = made;
    return SOW_OK;
}
