/* SPDX-License-Identifier: MIT */
/* One value of the command line: seeds, sizes, counts, dtypes, colours. Says exactly why one cannot be. */
#include "format.h"

#include <stdio.h>
#include <string.h>

/* Fills `reason` and returns it. */
#define REFUSE(...) (snprintf(reason, 512, __VA_ARGS__), reason)

#define COUNT_MAX  4096
#define EXTENT_MAX (UINT64_C(1) << 40)

/* The digits at the start of `text`; nonzero when there are none or they pass 64 bits. */
static int read_digits(const char **text, uint64_t *number)
{
    const char *begin = *text;
    int overflow = 0;
    *number = 0;
    for (; **text >= '0' && **text <= '9'; (*text)++) {
        overflow |= __builtin_mul_overflow(*number, (uint64_t)10, number);
        overflow |= __builtin_add_overflow(*number, (uint64_t)(**text - '0'), number);
    }
    return *text == begin || overflow;
}

static const char *read_seed(const char *text, uint64_t *seed, char reason[512])
{
    static const char range[] = "a seed is a decimal number from 0 to 18446744073709551615";
    const char *end = text;
    int bad = read_digits(&end, seed);
    if (text[0] == '\0') {
        return REFUSE("the value is empty; %s", range);
    }
    if (text[0] == '-') {
        return REFUSE("'%.40s' is negative; %s", text, range);
    }
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        return REFUSE("'%.40s' is hexadecimal; %s", text, range);
    }
    if (*end != '\0') {
        return REFUSE("'%.40s' is not made of digits only; %s", text, range);
    }
    return bad ? REFUSE("'%.40s' does not fit into 64 bits; %s", text, range) : NULL;
}

static const char *read_count(const char *text, uint64_t least, uint64_t most, uint64_t *count,
                              char reason[512])
{
    const char *end = text;
    if (read_digits(&end, count) || *end != '\0' || *count < least || *count > most) {
        return REFUSE("'%.40s' is no number from %s to %llu", text, least == 0 ? "0 (all)" : "1",
                      (unsigned long long)most);
    }
    return NULL;
}

/* Bytes of a unit as written after a number, 0 when there is no such unit. Letters in any case. */
static uint64_t unit_of(const char *unit)
{
    static const char letters[] = "kmgt";
    char low[4] = {0};
    for (size_t i = 0; i < 4 && unit[i] != '\0'; i++) {
        low[i] = (char)(unit[i] >= 'A' && unit[i] <= 'Z' ? unit[i] - 'A' + 'a' : unit[i]);
    }
    if (strcmp(low, "") == 0 || strcmp(low, "b") == 0) {
        return 1;
    }
    const char *letter = strchr(letters, low[0]);
    int decimal = strcmp(low + 1, "") == 0 || strcmp(low + 1, "b") == 0;
    if (letter == NULL || low[3] != '\0' || (!decimal && strcmp(low + 1, "ib") != 0)) {
        return 0;
    }
    uint64_t bytes = 1;
    for (const char *step = letters; step <= letter; step++) {
        bytes *= decimal ? 1000 : 1024;
    }
    return bytes;
}

static const char *read_size(const char *text, uint64_t *size, char reason[512])
{
    const char *end = text;
    uint64_t number, fraction = 0, parts = 1;
    int bad = read_digits(&end, &number);
    if (!bad && *end == '.') {
        const char *digits = ++end;
        bad = read_digits(&end, &fraction) || end - digits > 9;
        for (const char *digit = digits; !bad && digit < end; digit++) {
            parts *= 10;
        }
    }
    uint64_t unit = bad ? 0 : unit_of(end);
    if (unit == 0) {
        return REFUSE("'%.40s' is no size; write a number and K, M, G, T, KB, MB, GB, TB (powers "
                      "of 1000) or KiB, MiB, "
                      "GiB, TiB (of 1024), such as 5GB",
                      text);
    }
    if (__builtin_mul_overflow(number, unit, size) ||
        __builtin_mul_overflow(fraction, unit, &fraction) ||
        __builtin_add_overflow(*size, fraction / parts, size)) {
        return REFUSE("'%.40s' does not fit into 64 bits", text);
    }
    if (*size == 0 || fraction % parts != 0) {
        return REFUSE("'%.40s' is no whole number of bytes, at least 1", text);
    }
    return NULL;
}

static const char *read_dtype(const char *text, enum sow_dtype *dtype, char reason[512])
{
    struct sow_error error;
    if (sow_dtype_parse(text, dtype, &error) != SOW_OK) {
        return REFUSE("%.511s", error.message);
    }
    if (!sow_dtype_drawable(*dtype)) {
        return REFUSE("weights are not drawn in %s; take f32, bf16, f16, f64, f8_e4m3fn or f8_e5m2",
                      sow_dtype_name(*dtype));
    }
    return NULL;
}

static const char *read_color(const char *text, enum sow_color *color, char reason[512])
{
    static const char *const names[] = {"auto", "always", "never"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(text, names[i]) == 0) {
            *color = (enum sow_color)i;
            return NULL;
        }
    }
    return REFUSE("'%.40s' is none of auto, always and never", text);
}

const char *sow_cli_value(enum sow_takes takes, const char *text, void *field, char reason[512])
{
    switch (takes) {
    case SOW_TAKES_NOTHING:
        return NULL;
    case SOW_TAKES_TEXT:
    case SOW_TAKES_PATH:
        *(const char **)field = text;
        return text[0] == '\0' ? REFUSE("the value is empty") : NULL;
    case SOW_TAKES_LIST: {
        struct sow_cli_list *list = field;
        list->items = sow_cli_allocate((void *)list->items, list->count + 1, sizeof list->items[0]);
        list->items[list->count++] = text;
        return text[0] == '\0' ? REFUSE("the value is empty") : NULL;
    }
    case SOW_TAKES_SEED:
        return read_seed(text, field, reason);
    case SOW_TAKES_SIZE:
        return read_size(text, field, reason);
    case SOW_TAKES_COUNT:
        return read_count(text, 1, COUNT_MAX, field, reason);
    case SOW_TAKES_THREADS:
        return read_count(text, 0, COUNT_MAX, field, reason);
    case SOW_TAKES_EXTENT:
        return read_count(text, 1, EXTENT_MAX, field, reason);
    case SOW_TAKES_DTYPE:
        return read_dtype(text, field, reason);
    case SOW_TAKES_COLOR:
        return read_color(text, field, reason);
    }
    return NULL;
}
