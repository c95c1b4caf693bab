/* SPDX-License-Identifier: MIT */
/* A growing text with JSON's strings and numbers. Not a JSON library: documents are put together by
 * their writers (json.c, record.c). */
#include "model/plan/text.h"
#include "core/base/checked.h"
#include "core/base/error.h"
#include "model/graph/utf8.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS_MAX 17

/* number = 0.d1 d2 d3 ... * 10^point, without its sign. */
struct digits {
    char digit[DIGITS_MAX + 1];
    int count;
    int point;
};

/* The decimal separator of the locale stands between the first digit and the others; it is passed over. */
static void digits_read(const char *printed, struct digits *digits)
{
    digits->count = 0;
    const char *at = printed;
    for (; *at != 'e'; at++) {
        if (*at >= '0' && *at <= '9' && digits->count < DIGITS_MAX) {
            digits->digit[digits->count++] = *at;
        }
    }
    int negative = at[1] == '-', exponent = 0;
    for (at += 2; *at >= '0' && *at <= '9'; at++) {
        exponent = exponent * 10 + (*at - '0');
    }
    digits->point = (negative ? -exponent : exponent) + 1;
    while (digits->count > 1 && digits->digit[digits->count - 1] == '0') {
        digits->count--;
    }
}

static size_t digits_write(const struct digits *digits, char *out)
{
    char *at = out;
    int point = digits->point, count = digits->count;
    if (point > 16 || point < -3) { /* below 0.0001 and from 1e16 on */
        *at++ = digits->digit[0];
        if (count > 1) {
            *at++ = '.';
            memcpy(at, digits->digit + 1, (size_t)count - 1);
            at += count - 1;
        }
        return (size_t)(at - out) + (size_t)snprintf(at, 8, "e%d", point - 1);
    }
    if (point <= 0) {
        *at++ = '0';
        *at++ = '.';
        for (int i = point; i < 0; i++) {
            *at++ = '0';
        }
    }
    for (int i = 0; i < count || i < point; i++) {
        if (i == point && point > 0) {
            *at++ = '.';
        }
        *at++ = i < count ? digits->digit[i] : '0';
    }
    *at = '\0';
    return (size_t)(at - out);
}

static size_t number_write(double number, int digits_min, int digits_max, int is_f32, char *out)
{
    if (number != number || number - number != 0) {
        const char *word = number != number ? "nan" : number < 0 ? "-inf" : "inf";
        return (size_t)snprintf(out, SOW_PLAN_NUMBER_BYTES, "%s", word);
    }
    if (number == 0) {
        return (size_t)snprintf(out, SOW_PLAN_NUMBER_BYTES, "%s", signbit(number) ? "-0.0" : "0");
    }
    char printed[SOW_PLAN_NUMBER_BYTES];
    double magnitude = number < 0 ? -number : number;
    for (int count = digits_min; count <= digits_max; count++) {
        snprintf(printed, sizeof printed, "%.*e", count - 1, magnitude);
        double back = is_f32 ? (double)strtof(printed, NULL) : strtod(printed, NULL);
        if (back == magnitude) {
            break;
        }
    }
    struct digits digits;
    digits_read(printed, &digits);
    size_t sign = number < 0;
    out[0] = '-';
    return sign + digits_write(&digits, out + sign);
}

size_t sow_plan_number(double number, char out[SOW_PLAN_NUMBER_BYTES])
{
    return number_write(number, 15, 17, 0, out);
}

size_t sow_plan_number_f32(float number, char out[SOW_PLAN_NUMBER_BYTES])
{
    return number_write((double)number, 6, 9, 1, out);
}

/* Room for `more` bytes and a closing 0; nonzero when there is none. */
static int text_reserve(struct sow_plan_text *text, size_t more)
{
    uint64_t wanted;
    if (text->failed || sow_add_u64(text->length, more, &wanted) ||
        sow_add_u64(wanted, 1, &wanted) || wanted > SIZE_MAX / 2) {
        text->failed = 1;
        return 1;
    }
    if (wanted <= text->capacity) {
        return 0;
    }
    size_t capacity = text->capacity < 256 ? 256 : text->capacity;
    while (capacity < wanted) {
        capacity *= 2;
    }
    char *bytes = realloc(text->bytes, capacity);
    if (bytes == NULL) {
        text->failed = 1;
        return 1;
    }
    text->bytes = bytes;
    text->capacity = capacity;
    return 0;
}

void sow_plan_text_bytes_slow(struct sow_plan_text *text, const char *bytes, size_t length)
{
    if (text_reserve(text, length)) {
        return;
    }
    if (length > 0) {
        memcpy(text->bytes + text->length, bytes, length);
    }
    text->length += length;
    text->bytes[text->length] = '\0';
}

void sow_plan_text_add(struct sow_plan_text *text, const char *string)
{
    sow_plan_text_bytes(text, string, strlen(string));
}

void sow_plan_text_format(struct sow_plan_text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0 || text_reserve(text, (size_t)length)) {
        text->failed = 1;
        return;
    }
    va_start(arguments, format);
    vsnprintf(text->bytes + text->length, (size_t)length + 1, format, arguments);
    va_end(arguments);
    text->length += (size_t)length;
}

void sow_plan_text_number(struct sow_plan_text *text, double number)
{
    char out[SOW_PLAN_NUMBER_BYTES];
    sow_plan_text_bytes(text, out, sow_plan_number(number, out));
}

void sow_plan_text_repeat(struct sow_plan_text *text, size_t begin, size_t length)
{
    if (text_reserve(text, length)) {
        return;
    }
    memcpy(text->bytes + text->length, text->bytes + begin, length);
    text->length += length;
    text->bytes[text->length] = '\0';
}

static void text_json_character(struct sow_plan_text *text, unsigned char character)
{
    static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    for (size_t i = 0; i + 1 < sizeof letters; i += 2) {
        if ((unsigned char)letters[i] == character) {
            sow_plan_text_bytes(text, "\\", 1);
            sow_plan_text_bytes(text, letters + i + 1, 1);
            return;
        }
    }
    sow_plan_text_format(text, "\\u%04x", (unsigned)character);
}

/* Well-formed UTF-8 without its quotes. */
static void text_json_run(struct sow_plan_text *text, const char *run, size_t length)
{
    size_t plain = 0; /* start of what needs no escape */
    for (size_t i = 0; i < length; i++) {
        unsigned char character = (unsigned char)run[i];
        if (character < 0x20 || character == '"' || character == '\\') {
            sow_plan_text_bytes(text, run + plain, i - plain);
            text_json_character(text, character);
            plain = i + 1;
        }
    }
    sow_plan_text_bytes(text, run + plain, length - plain);
}

void sow_plan_text_json(struct sow_plan_text *text, const char *string)
{
    size_t length = strlen(string), at = 0;
    sow_plan_text_bytes(text, "\"", 1);
    while (at < length) {
        size_t end = at + sow_utf8_end(string + at, length - at);
        text_json_run(text, string + at, end - at);
        if (end < length) {
            sow_plan_text_bytes(text, "\xef\xbf\xbd", 3);
            end++;
        }
        at = end;
    }
    sow_plan_text_bytes(text, "\"", 1);
}

enum sow_status sow_plan_text_take(struct sow_plan_text *text, char **bytes,
                                   struct sow_error *error)
{
    sow_plan_text_bytes(text, "", 0);
    if (text->failed) {
        sow_plan_text_free(text);
        return sow_fail(error, SOW_E_MEMORY, "out of memory while writing a text");
    }
    *bytes = text->bytes;
    *text = (struct sow_plan_text){0};
    return SOW_OK;
}

void sow_plan_text_free(struct sow_plan_text *text)
{
    free(text->bytes);
    *text = (struct sow_plan_text){0};
}

void sow_text_free(char *text)
{
    free(text);
}

int sow_plan_is_word(char character)
{
    return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
           (character >= '0' && character <= '9') || character == '_';
}

const char *sow_plan_find_word(const char *words, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = words; (at = strstr(at, name)) != NULL; at++) {
        if ((at == words || !sow_plan_is_word(at[-1])) && !sow_plan_is_word(at[length])) {
            return at;
        }
    }
    return NULL;
}
