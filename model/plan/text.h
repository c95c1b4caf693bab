/* SPDX-License-Identifier: MIT */
/* A growing text, and numbers and strings in it as JSON writes them: the same bytes in every locale.
 * Running out of memory is remembered and reported once, by sow_plan_text_take. */
#ifndef SOW_PLAN_TEXT_H
#define SOW_PLAN_TEXT_H

#include "sow/model.h"

#include <string.h>

struct sow_plan_text {
    char *bytes; /* with a closing 0 once anything was added */
    size_t length, capacity;
    int failed;
};

#define SOW_PLAN_NUMBER_BYTES 32 /* the longest number is "-2.2250738585072014e-308" */

/* The shortest of 15, 16 or 17 significant digits that reads back as `number`: "0.02", "1e-07", "768",
 * "-0.0"; "inf", "-inf" and "nan" for people. Returns the length; out ends with a 0. */
size_t sow_plan_number(double number, char out[SOW_PLAN_NUMBER_BYTES]);
/* The same for a value that is a float32: the shortest of 6 to 9 digits that reads back as that float. */
size_t sow_plan_number_f32(float number, char out[SOW_PLAN_NUMBER_BYTES]);

/* sow_plan_text_bytes where the room may have to grow. */
void sow_plan_text_bytes_slow(struct sow_plan_text *text, const char *bytes, size_t length);

static inline void sow_plan_text_bytes(struct sow_plan_text *text, const char *bytes, size_t length)
{
    if (length == 0 || text->failed || length >= text->capacity - text->length) {
        sow_plan_text_bytes_slow(text, bytes, length);
        return;
    }
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = '\0';
}

void sow_plan_text_add(struct sow_plan_text *text, const char *string);
/* For strings and integers only (%s, PRIu64): what printf does to numbers depends on the locale. */
void sow_plan_text_format(struct sow_plan_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void sow_plan_text_number(struct sow_plan_text *text, double number);
/* `length` bytes of the text itself, from `begin` on, once more. */
void sow_plan_text_repeat(struct sow_plan_text *text, size_t begin, size_t length);
/* A JSON string with its quotes. Bytes that are no UTF-8 become U+FFFD. */
void sow_plan_text_json(struct sow_plan_text *text, const char *string);
/* Hands the bytes over (an empty text is ""); SOW_E_MEMORY, and all is freed, when one call had failed. */
enum sow_status sow_plan_text_take(struct sow_plan_text *text, char **bytes,
                                   struct sow_error *error);
void sow_plan_text_free(struct sow_plan_text *text);

/* A letter, a digit or an underscore, of ASCII. */
int sow_plan_is_word(char character);
/* Where `name` stands in `words` as a whole word; NULL when it does not. */
const char *sow_plan_find_word(const char *words, const char *name);

#endif
