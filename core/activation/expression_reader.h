/* SPDX-License-Identifier: MIT */
/* Reading an expression, shared by its two files: expression.c has the operators and what they are made into,
 * expression_words.c numbers and names. */
#ifndef SOW_ACTIVATION_EXPRESSION_READER_H
#define SOW_ACTIVATION_EXPRESSION_READER_H

#include "core/activation/expression.h"

/* What a value may be. */
enum { SOW_A_NUMBER = 1, SOW_A_TRUE = 2, SOW_A_FALSE = 4 };

struct sow_expression_reader {
    const char *text; /* cleaned, with a closing 0 */
    size_t at;
    struct sow_expression_program *program;
    uint32_t depth, nested; /* values that wait; brackets and signs that are open */
    struct sow_error *error;
    int failed;
};

static inline int sow_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline int sow_is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* The first error counts. Returns 0: what no value may be. */
unsigned sow_expression_fail(struct sow_expression_reader *reader, size_t at, const char *format,
                             ...) __attribute__((format(printf, 3, 4)));
/* "')' is expected, not 'y'". */
unsigned sow_expression_fail_expected(struct sow_expression_reader *reader, const char *what);
/* Passes over `what` and the blanks behind it; 0 when something else stands there. */
int sow_expression_take(struct sow_expression_reader *reader, const char *what);
void sow_expression_skip_blanks(struct sow_expression_reader *reader);
/* What is constant is worked out here. */
void sow_expression_add(struct sow_expression_reader *reader, enum sow_step_code code,
                        uint32_t index, double number);

/* Each returns what its value may be, 0 after an error. */
unsigned sow_expression_read_or(struct sow_expression_reader *reader); /* the whole grammar */
unsigned sow_expression_read_number(struct sow_expression_reader *reader);
unsigned sow_expression_read_word(struct sow_expression_reader *reader);

#endif
