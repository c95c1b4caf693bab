/* SPDX-License-Identifier: MIT */
/* Numbers, names and calls in an expression: the vocabulary is x, pi, min, max, pow, the functions of program.c and
 * every activation of the table. Operators are in expression.c. */
#include "core/activation/expression_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"

#define WORD_MAX 32

/* ---- Numbers and names -------------------------------------------------------------------------------- */

/* The number as strtod wants it, whatever the locale's decimal point. */
static double number_of(const char *text, size_t length)
{
    char point[32], copy[2 * SOW_EXPRESSION_TEXT_MAX];
    snprintf(point, sizeof point, "%.1f", 0.5);
    const char *sign = point + 1; /* "0.5": what stands between */
    size_t used = 0, sign_length = strlen(point) - 2;
    for (size_t i = 0; i < length && used + sign_length + 1 < sizeof copy; i++) {
        if (text[i] == '.') {
            memcpy(copy + used, sign, sign_length);
            used += sign_length;
        } else {
            copy[used++] = text[i];
        }
    }
    copy[used] = '\0';
    return strtod(copy, NULL);
}

static size_t digits_at(const char *text)
{
    return strspn(text, "0123456789");
}

unsigned sow_expression_read_number(struct sow_expression_reader *reader)
{
    const char *begin = reader->text + reader->at, *end = begin;
    size_t digits = digits_at(end);
    end += digits;
    if (*end == '.') {
        size_t more = digits_at(end + 1);
        digits += more;
        end += 1 + more;
    }
    if (digits > 0 && (*end == 'e' || *end == 'E')) {
        const char *exponent = end + 1 + (end[1] == '+' || end[1] == '-');
        end = exponent + digits_at(exponent);
        digits = digits_at(exponent);
    }
    if (digits == 0 || sow_is_letter(*end) || *end == '.') {
        return sow_expression_fail(reader, reader->at, "a number such as 0.5 or 1e-3 is expected");
    }
    double number = number_of(begin, (size_t)(end - begin));
    if (!(number - number == 0)) {
        return sow_expression_fail(reader, reader->at, "the number is too large");
    }
    reader->at += (size_t)(end - begin);
    sow_expression_skip_blanks(reader);
    sow_expression_add(reader, SOW_STEP_NUMBER, 0, number);
    return SOW_A_NUMBER;
}

static const char *word_at(const void *context, size_t index)
{
    static const char *const others[] = {"x", "min", "max", "pow", "pi"};
    const struct sow_activation *row;
    (void)context;
    if (index < sow_step_function_count) {
        return sow_step_functions[index].name;
    }
    index -= sow_step_function_count;
    if (index < sizeof others / sizeof others[0]) {
        return others[index];
    }
    row = sow_activation_at(index - sizeof others / sizeof others[0]);
    return row != NULL ? row->name : NULL;
}

static int is_called(const struct sow_activation *row, const char *word)
{
    int found = strcmp(row->name, word) == 0;
    for (size_t i = 0; row->aliases[i] != NULL; i++) {
        found |= strcmp(row->aliases[i], word) == 0;
    }
    return found;
}

/* An argument; it must be a number. */
static void read_argument(struct sow_expression_reader *reader, const char *word)
{
    size_t at = reader->at;
    unsigned kind = sow_expression_read_or(reader);
    if (!reader->failed && kind != SOW_A_NUMBER) {
        sow_expression_fail(reader, at, "%s takes numbers, and this may be true or false", word);
    }
}

/* `(` and as many arguments as the function takes: from `least` to `most`. Two and more are joined by `code`. */
static unsigned read_call(struct sow_expression_reader *reader, const char *word, size_t at,
                          uint32_t least, uint32_t most, enum sow_step_code code, uint32_t index)
{
    uint32_t count = 0;
    if (!sow_expression_take(reader, "(")) {
        return sow_expression_fail(reader, reader->at, "%s is a function: write %s(x)", word, word);
    }
    while (!reader->failed && *(reader->text + reader->at) != ')') {
        read_argument(reader, word);
        if (++count > 1 && count <= most) {
            sow_expression_add(reader, code, 0, 0);
        }
        if (!reader->failed && !sow_expression_take(reader, ",")) {
            break;
        }
    }
    if (!reader->failed && !sow_expression_take(reader, ")")) {
        sow_expression_fail_expected(reader, "')'");
    }
    if (!reader->failed && (count < least || count > most)) {
        sow_expression_fail(reader, at, "%s takes %s, not %u", word,
                            most == 1       ? "one number"
                            : least == most ? "two numbers"
                                            : "at least one number",
                            count);
    }
    if (most == 1) {
        sow_expression_add(reader, code, index, 0);
    }
    return reader->failed ? 0 : SOW_A_NUMBER;
}

static unsigned fail_unknown(struct sow_expression_reader *reader, const char *word, size_t at)
{
    static const char *const statements[] = {"function", "if",     "while", "for",
                                             "local",    "return", "end",   "break",
                                             "do",       "nil",    "goto",  "repeat"};
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
        if (strcmp(word, statements[i]) == 0) {
            return sow_expression_fail(
                reader, at, "%s has no place in one expression; choose with `x > 0 and A or B`",
                word);
        }
    }
    const char *nearest = sow_nearest(word, word_at, NULL);
    return sow_expression_fail(reader, at, "%s is not defined%s%s%s", word,
                               nearest ? "; did you mean " : "", nearest ? nearest : "",
                               nearest ? "?" : "");
}

static unsigned call_activation(struct sow_expression_reader *reader, const char *word, size_t at)
{
    const struct sow_activation *row;
    for (uint32_t i = 0; (row = sow_activation_at(i)) != NULL; i++) {
        if (is_called(row, word)) {
            return row->is_gate ? sow_expression_fail(reader, at,
                                                      "%s takes two signals, and here is one", word)
                                : read_call(reader, word, at, 1, 1, SOW_STEP_ACTIVATION, i);
        }
    }
    return fail_unknown(reader, word, at);
}

unsigned sow_expression_read_word(struct sow_expression_reader *reader)
{
    char word[WORD_MAX + 1];
    size_t at = reader->at, length = 0;
    const char *begin = reader->text + at;
    while (sow_is_letter(begin[length]) || sow_is_digit(begin[length])) {
        length++;
    }
    snprintf(word, sizeof word, "%.*s", (int)length, begin);
    reader->at += length;
    sow_expression_skip_blanks(reader);
    if (strcmp(word, "math") == 0 && sow_expression_take(reader, ".")) { /* math.exp is exp */
        return sow_is_letter(reader->text[reader->at])
                   ? sow_expression_read_word(reader)
                   : sow_expression_fail_expected(reader, "a name");
    }
    if (strcmp(word, "x") == 0) {
        sow_expression_add(reader, SOW_STEP_X, 0, 0);
        return SOW_A_NUMBER;
    }
    if (strcmp(word, "pi") == 0) {
        sow_expression_add(reader, SOW_STEP_NUMBER, 0, 0x1.921fb54442d18p+1);
        return SOW_A_NUMBER;
    }
    if (strcmp(word, "true") == 0 || strcmp(word, "false") == 0) {
        sow_expression_add(reader, SOW_STEP_TRUTH, 0, word[0] == 't');
        return word[0] == 't' ? SOW_A_TRUE : SOW_A_FALSE;
    }
    if (strcmp(word, "min") == 0 || strcmp(word, "max") == 0) {
        return read_call(reader, word, at, 1, UINT32_MAX,
                         word[1] == 'i' ? SOW_STEP_MIN : SOW_STEP_MAX, 0);
    }
    if (strcmp(word, "pow") == 0) {
        return read_call(reader, word, at, 2, 2, SOW_STEP_POWER, 0);
    }
    for (uint32_t i = 0; i < sow_step_function_count; i++) {
        if (strcmp(word, sow_step_functions[i].name) == 0) {
            return read_call(reader, word, at, 1, 1, SOW_STEP_FUNCTION, i);
        }
    }
    return call_activation(reader, word, at);
}
