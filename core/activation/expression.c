/* SPDX-License-Identifier: MIT */
/* Reading an expression of x: Lua's operators with Lua's precedence, from `or` down to `^`, into the steps of
 * program.c. What is constant is worked out here. Numbers and truths are told apart while reading, so that running
 * cannot fail. */
#include "core/activation/expression_reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/error.h"

#define NESTED_MAX 64

/* ---- Errors -------------------------------------------------------------------------------------- */

unsigned sow_expression_fail(struct sow_expression_reader *reader, size_t at, const char *format,
                             ...)
{
    char why[256];
    va_list arguments;
    if (!reader->failed) {
        va_start(arguments, format);
        vsnprintf(why, sizeof why, format, arguments);
        va_end(arguments);
        sow_fail(reader->error, SOW_E_ARGUMENT, "the expression '%.200s': %s (at character %zu)",
                 reader->text, why, at + 1);
    }
    reader->failed = 1;
    return 0;
}

unsigned sow_expression_fail_expected(struct sow_expression_reader *reader, const char *what)
{
    const char *found = reader->text + reader->at;
    if (*found == '\0') {
        return sow_expression_fail(reader, reader->at, "%s is expected, and it ends", what);
    }
    return sow_expression_fail(reader, reader->at, "%s is expected, not '%.1s'", what, found);
}

/* ---- Words -------------------------------------------------------------------------- */

void sow_expression_skip_blanks(struct sow_expression_reader *reader)
{
    reader->at += strspn(reader->text + reader->at, " ");
}

int sow_expression_take(struct sow_expression_reader *reader, const char *what)
{
    size_t length = strlen(what);
    if (strncmp(reader->text + reader->at, what, length) != 0 ||
        (sow_is_letter(what[0]) && (sow_is_letter(reader->text[reader->at + length]) ||
                                    sow_is_digit(reader->text[reader->at + length])))) {
        return 0;
    }
    reader->at += length;
    sow_expression_skip_blanks(reader);
    return 1;
}

/* ---- Steps ------------------------------------------------------------------------------------------- */

/* Operators whose operands are all numbers are worked out at once. */
static int fold(struct sow_expression_program *program, uint32_t operands)
{
    struct sow_expression_step *first = &program->steps[program->count - 1 - operands];
    for (uint32_t i = 0; i < operands; i++) {
        if (first[i].code != SOW_STEP_NUMBER) {
            return 0;
        }
    }
    double x = 0;
    sow_expression_run(first, operands + 1, &x, &x, NULL, 1);
    *first = (struct sow_expression_step){.code = SOW_STEP_NUMBER, .number = x};
    program->count -= operands;
    return 1;
}

void sow_expression_add(struct sow_expression_reader *reader, enum sow_step_code code,
                        uint32_t index, double number)
{
    struct sow_expression_program *program = reader->program;
    uint32_t operands = code <= SOW_STEP_TRUTH ? 0 : code >= SOW_STEP_NOT ? 1 : 2;
    if (program->count == SOW_EXPRESSION_STEPS_MAX ||
        reader->depth + (operands == 0) > SOW_EXPRESSION_DEPTH_MAX) {
        sow_expression_fail(reader, reader->at,
                            "it is too long: at most %d steps, %d values waiting",
                            SOW_EXPRESSION_STEPS_MAX, SOW_EXPRESSION_DEPTH_MAX);
    }
    if (reader->failed) {
        return;
    }
    program->steps[program->count++] = (struct sow_expression_step){code, index, number};
    reader->depth += operands == 0;
    reader->depth -= operands == 2;
    if (operands > 0 && (code <= SOW_STEP_MAX || code >= SOW_STEP_NEGATE)) {
        fold(program, operands);
    }
}

/* ---- Operators ---------------------------------------------------------------------------------------- */

/* Nonzero when a side of an operator is no number. */
static int need_number(struct sow_expression_reader *reader, unsigned kind, size_t at,
                       const char *operator)
{
    if (!reader->failed && kind != SOW_A_NUMBER) {
        sow_expression_fail(reader, at,
                            "%s takes numbers, and this may be true or false", operator);
    }
    return reader->failed;
}

static unsigned read_primary(struct sow_expression_reader *reader)
{
    char c = reader->text[reader->at];
    if (sow_is_digit(c) || c == '.') {
        return sow_expression_read_number(reader);
    }
    if (sow_is_letter(c)) {
        return sow_expression_read_word(reader);
    }
    if (!sow_expression_take(reader, "(")) {
        return sow_expression_fail_expected(reader, "x, a number or a function");
    }
    unsigned kind = sow_expression_read_or(reader);
    if (!reader->failed && !sow_expression_take(reader, ")")) {
        return sow_expression_fail_expected(reader, "an operator or ')'");
    }
    return kind;
}

static unsigned read_unary(struct sow_expression_reader *reader);

/* Binds tighter than a minus before it, and takes one after it: -x^-2. */
static unsigned read_power(struct sow_expression_reader *reader)
{
    size_t at = reader->at;
    unsigned kind = read_primary(reader);
    if (!reader->failed && sow_expression_take(reader, "^") &&
        !need_number(reader, kind, at, "^")) {
        at = reader->at;
        kind = read_unary(reader);
        need_number(reader, kind, at, "^");
        sow_expression_add(reader, SOW_STEP_POWER, 0, 0);
    }
    return kind;
}

static unsigned read_unary(struct sow_expression_reader *reader)
{
    unsigned kind;
    if (++reader->nested > NESTED_MAX) {
        return sow_expression_fail(reader, reader->at, "it is nested too deep");
    }
    size_t at = reader->at;
    if (sow_expression_take(reader, "not")) {
        kind = read_unary(reader);
        sow_expression_add(reader, SOW_STEP_NOT, 0, 0);
        kind = (kind & SOW_A_FALSE ? SOW_A_TRUE : 0) |
               (kind & (SOW_A_NUMBER | SOW_A_TRUE) ? SOW_A_FALSE : 0);
    } else if (reader->text[reader->at] == '-' && reader->text[reader->at + 1] != '-') {
        sow_expression_take(reader, "-");
        kind = read_unary(reader);
        need_number(reader, kind, at, "-");
        sow_expression_add(reader, SOW_STEP_NEGATE, 0, 0);
    } else {
        kind = read_power(reader);
    }
    reader->nested--;
    return kind;
}

/* One level of operators of two sides, from the left. `codes` belong to `operators`; a longer one stands before
 * a shorter one that it begins with. */
struct level {
    const char *const *operators;
    const enum sow_step_code *codes;
    size_t count;
    int compares;
};

static unsigned read_level(struct sow_expression_reader *reader, const struct level *level,
                           unsigned (*next)(struct sow_expression_reader *reader))
{
    size_t at = reader->at;
    unsigned kind = next(reader);
    for (size_t i = 0; !reader->failed && i < level->count;) {
        const char *operator= level->operators[i];
        if (!sow_expression_take(reader, operator)) {
            i++;
            continue;
        }
        size_t other = reader->at;
        if (!need_number(reader, kind, at, operator)) {
            kind = next(reader);
            need_number(reader, kind, other, operator);
            sow_expression_add(reader, level->codes[i], 0, 0);
            kind = level->compares ? SOW_A_TRUE | SOW_A_FALSE : SOW_A_NUMBER;
        }
        i = 0;
    }
    return reader->failed ? 0 : kind;
}

static unsigned read_product(struct sow_expression_reader *reader)
{
    static const char *const operators[] = {"*", "/"};
    static const enum sow_step_code codes[] = {SOW_STEP_MULTIPLY, SOW_STEP_DIVIDE};
    return read_level(reader, &(struct level){operators, codes, 2, 0}, read_unary);
}

static unsigned read_sum(struct sow_expression_reader *reader)
{
    static const char *const operators[] = {"+", "-"};
    static const enum sow_step_code codes[] = {SOW_STEP_ADD, SOW_STEP_SUBTRACT};
    return read_level(reader, &(struct level){operators, codes, 2, 0}, read_product);
}

static unsigned read_comparison(struct sow_expression_reader *reader)
{
    static const char *const operators[] = {"<=", "<", ">=", ">", "==", "~="};
    static const enum sow_step_code codes[] = {SOW_STEP_LESS_OR_EQUAL, SOW_STEP_LESS,
                                               SOW_STEP_MORE_OR_EQUAL, SOW_STEP_MORE,
                                               SOW_STEP_EQUAL,         SOW_STEP_UNEQUAL};
    return read_level(reader, &(struct level){operators, codes, 6, 1}, read_sum);
}

static unsigned read_and(struct sow_expression_reader *reader)
{
    unsigned kind = read_comparison(reader);
    while (!reader->failed && sow_expression_take(reader, "and")) {
        unsigned other = read_comparison(reader);
        sow_expression_add(reader, SOW_STEP_AND, 0, 0);
        kind = (kind & SOW_A_FALSE) | (kind & (SOW_A_NUMBER | SOW_A_TRUE) ? other : 0);
    }
    return kind;
}

unsigned sow_expression_read_or(struct sow_expression_reader *reader)
{
    if (++reader->nested > NESTED_MAX) {
        return sow_expression_fail(reader, reader->at, "it is nested too deep");
    }
    unsigned kind = read_and(reader);
    while (!reader->failed && sow_expression_take(reader, "or")) {
        unsigned other = read_and(reader);
        sow_expression_add(reader, SOW_STEP_OR, 0, 0);
        kind = (kind & (SOW_A_NUMBER | SOW_A_TRUE)) | (kind & SOW_A_FALSE ? other : 0);
    }
    reader->nested--;
    return kind;
}

/* ---- The whole ------------------------------------------------------------------------------------------- */

/* Blanks for other white space; what else is no printable ASCII is refused. */
static void copy_text(struct sow_expression_reader *reader, const char *text, size_t length)
{
    char *copy = reader->program->text;
    size_t kept = length <= SOW_EXPRESSION_TEXT_MAX ? length : SOW_EXPRESSION_TEXT_MAX;
    for (size_t i = 0; i < kept; i++) {
        char c = text[i];
        copy[i] = c == '\t' || c == '\n' || c == '\r' ? ' ' : c;
    }
    copy[kept] = '\0';
    for (size_t i = 0; i < kept; i++) {
        if (copy[i] < ' ' || copy[i] > '~') {
            copy[i] = '\0'; /* what the message shows */
            sow_expression_fail(reader, i, "a character that is not of the keyboard's plain ones");
            return;
        }
    }
    if (length > kept) {
        copy[40] = '\0';
        sow_expression_fail(reader, kept, "it is longer than %d characters",
                            SOW_EXPRESSION_TEXT_MAX);
    }
}

enum sow_status sow_expression_compile(const char *text, size_t length,
                                       struct sow_expression_program *program,
                                       struct sow_error *error)
{
    struct sow_expression_reader reader = {
        .text = program->text, .program = program, .error = error};
    program->count = 0;
    copy_text(&reader, text, length);
    sow_expression_skip_blanks(&reader);
    const char *comment = strstr(program->text, "--");
    if (comment != NULL) {
        sow_expression_fail(&reader, (size_t)(comment - program->text),
                            "-- would begin a comment in Lua; write - -x");
    }
    if (!reader.failed) {
        snprintf(program->name, sizeof program->name, "expr{%s}", program->text);
        unsigned kind = sow_expression_read_or(&reader);
        if (!reader.failed && reader.text[reader.at] != '\0') {
            sow_expression_fail_expected(&reader, "an operator");
        } else if (!reader.failed && kind != SOW_A_NUMBER) {
            sow_expression_fail(&reader, 0,
                                kind & SOW_A_NUMBER
                                    ? "it may give false or true; end it with `or NUMBER`"
                                    : "it gives true or false, not a number");
        }
    }
    return reader.failed ? SOW_E_ARGUMENT : SOW_OK;
}

const char *sow_expression_inside(const char *text, size_t *length)
{
    static const char start[] = "expr{";
    size_t before = sizeof start - 1, all = strlen(text);
    if (all <= before || strncmp(text, start, before) != 0 || text[all - 1] != '}') {
        return NULL;
    }
    *length = all - before - 1;
    return text + before;
}

enum sow_status sow_expression_compile_braced(const char *text,
                                              struct sow_expression_program *program,
                                              struct sow_error *error)
{
    size_t length;
    const char *inside = sow_expression_inside(text, &length);
    return inside != NULL
               ? sow_expression_compile(inside, length, program, error)
               : sow_fail(error, SOW_E_ARGUMENT, "'%.100s' is not expr{EXPRESSION}", text);
}
