/* SPDX-License-Identifier: MIT */
/* Errors as values: a code, a place and a sentence for a person. Prints nothing. */
#include "core/base/error.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define WORD_MAX 64 /* longer words have no near neighbour */

static void fill(struct sow_error *error, enum sow_status code, const char *file, uint32_t line,
                 uint32_t column, const char *format, va_list arguments)
{
    error->code = code;
    error->line = line;
    error->column = column;
    error->file[0] = '\0';
    if (file != NULL) {
        snprintf(error->file, sizeof error->file, "%s", file);
    }
    vsnprintf(error->message, sizeof error->message, format, arguments);
}

enum sow_status sow_fail(struct sow_error *error, enum sow_status code, const char *format, ...)
{
    if (error != NULL) {
        va_list arguments;
        va_start(arguments, format);
        fill(error, code, NULL, 0, 0, format, arguments);
        va_end(arguments);
    }
    return code;
}

enum sow_status sow_fail_at(struct sow_error *error, enum sow_status code, const char *file,
                            uint32_t line, uint32_t column, const char *format, ...)
{
    if (error != NULL) {
        va_list arguments;
        va_start(arguments, format);
        fill(error, code, file, line, column, format, arguments);
        va_end(arguments);
    }
    return code;
}

static int same_letter(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Levenshtein distance, letters folded to lower case, two neighbours swapped being one error; at most WORD_MAX. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t a_length = strlen(a), b_length = strlen(b);
    size_t rows[3][WORD_MAX + 1];
    if (a_length > WORD_MAX || b_length > WORD_MAX) {
        return WORD_MAX;
    }
    for (size_t j = 0; j <= b_length; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a_length; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *swapped = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t best = above[j - 1] + (same_letter(a[i - 1], b[j - 1]) ? 0 : 1);
            best = above[j] + 1 < best ? above[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) &&
                same_letter(a[i - 2], b[j - 1]) && swapped[j - 2] + 1 < best) {
                best = swapped[j - 2] + 1;
            }
            row[j] = best;
        }
    }
    return rows[a_length % 3][b_length];
}

/* Whether one word stands in the other: "weight_std" for "std". */
static int is_part(const char *a, const char *b)
{
    return strlen(a) >= 3 && strlen(b) >= 3 && (strstr(a, b) != NULL || strstr(b, a) != NULL);
}

const char *sow_nearest(const char *word, const char *(*name_at)(const void *context, size_t index),
                        const void *context)
{
    const char *nearest = NULL, *part = NULL;
    size_t limit = (strlen(word) + 1) / 3; /* a third of the letters may be wrong, of few one */
    limit = limit > 0 ? limit : 1;
    for (size_t i = 0;; i++) {
        const char *candidate = name_at(context, i);
        if (candidate == NULL) {
            return nearest != NULL ? nearest : part;
        }
        size_t distance = edit_distance(word, candidate);
        if (distance < limit || (distance == limit && nearest == NULL)) {
            nearest = candidate;
            limit = distance;
        }
        if (part == NULL && is_part(word, candidate)) {
            part = candidate;
        }
    }
}
