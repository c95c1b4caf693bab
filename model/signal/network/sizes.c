/* SPDX-License-Identifier: MIT */
/* Symbolic sizes to numbers: "tokens", "(tokens+-2)/2". The prelude makes such texts (host.slid); a recipe may write any
 * text, so it is read as one from outside. */
#include <stdio.h>
#include <string.h>

#include "model/signal/network/inside.h"

#define DEPTH_MAX     64
#define IMAGE_DEFAULT 224 /* height and width where nothing else is said: ImageNet's */

struct reader {
    const char *at;
    const struct sow_network *network;
    const struct sow_signal_options *options;
    char *reason; /* 256 bytes; "" while all is well */
    int depth;
};

static int64_t sum(struct reader *reader);

static int64_t complain(struct reader *reader, const char *what, const char *text, size_t length)
{
    if (reader->reason[0] == 0) {
        snprintf(reader->reason, 256, "%s%.*s", what, (int)(length < 100 ? length : 100), text);
    }
    return 0;
}

static int is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int64_t name(struct reader *reader)
{
    const char *begin = reader->at;
    while (is_letter(*reader->at) || is_digit(*reader->at)) {
        reader->at++;
    }
    size_t length = (size_t)(reader->at - begin);
    const struct sow_signal_options *options = reader->options;
    for (size_t i = 0; i < options->size_count; i++) {
        const char *symbol = options->sizes[i].symbol;
        if (strlen(symbol) == length && memcmp(symbol, begin, length) == 0) {
            return (int64_t)options->sizes[i].size;
        }
    }
    if (length == 5 && memcmp(begin, "batch", 5) == 0) {
        return (int64_t)reader->network->batch;
    }
    if (length == 6 && memcmp(begin, "tokens", 6) == 0) {
        return (int64_t)reader->network->tokens;
    }
    if ((length == 6 && memcmp(begin, "height", 6) == 0) ||
        (length == 5 && memcmp(begin, "width", 5) == 0)) {
        return IMAGE_DEFAULT;
    }
    return complain(reader, "no size was given for ", begin, length);
}

/* A name, a number, -x or (x). */
static int64_t atom(struct reader *reader)
{
    int64_t value = 0;
    if (++reader->depth > DEPTH_MAX) {
        return complain(reader, "it is nested too deeply", "", 0);
    }
    if (is_letter(*reader->at)) {
        value = name(reader);
    } else if (*reader->at == '-') {
        reader->at++;
        value = -atom(reader);
    } else if (*reader->at == '(') {
        reader->at++;
        value = sum(reader);
        if (*reader->at != ')') {
            return complain(reader, "a ) is missing at ", reader->at, strlen(reader->at));
        }
        reader->at++;
    } else if (is_digit(*reader->at)) {
        while (is_digit(*reader->at) && value <= (int64_t)SOW_SIZE_MAX) {
            value = value * 10 + (*reader->at++ - '0');
        }
    } else {
        complain(reader, "a size ends too early, at ", reader->at, strlen(reader->at));
    }
    reader->depth--;
    return value;
}

/* Values stay within 2^40 either way, so that sums and products of two of them are known to overflow or not. */
static int64_t bounded(struct reader *reader, int overflows, int64_t value)
{
    int64_t most = (int64_t)SOW_SIZE_MAX;
    if (overflows || value > most || value < -most) {
        return complain(reader, "a size is larger than 2^40", "", 0);
    }
    return value;
}

static int64_t product(struct reader *reader)
{
    int64_t value = bounded(reader, 0, atom(reader));
    while (reader->reason[0] == 0 && (*reader->at == '*' || *reader->at == '/')) {
        char sign = *reader->at++;
        int64_t right = bounded(reader, 0, atom(reader));
        if (sign == '*') {
            int overflows = __builtin_mul_overflow(value, right, &value);
            value = bounded(reader, overflows, value);
        } else if (right == 0) {
            complain(reader, "it divides by 0", "", 0);
        } else {
            int64_t quotient = value / right;
            value = quotient - (value % right != 0 && (value < 0) != (right < 0));
        }
    }
    return value;
}

static int64_t sum(struct reader *reader)
{
    int64_t value = product(reader);
    while (reader->reason[0] == 0 && (*reader->at == '+' || *reader->at == '-')) {
        int minus = *reader->at++ == '-';
        int64_t right = product(reader);
        value = bounded(reader, 0, minus ? value - right : value + right);
    }
    return value;
}

int sow_size_mentions(const char *text, const char *symbol)
{
    while (*text != '\0') {
        const char *begin = text;
        while (is_letter(*text) || is_digit(*text)) {
            text++;
        }
        size_t length = (size_t)(text - begin);
        if (length == strlen(symbol) && memcmp(begin, symbol, length) == 0) {
            return 1;
        }
        text += length == 0;
    }
    return 0;
}

int sow_size_of_symbol(const char *symbol, const struct sow_network *network,
                       const struct sow_signal_options *options, uint64_t *size, char reason[256])
{
    struct reader reader = {symbol, network, options, reason, 0};
    reason[0] = 0;
    int64_t value = sum(&reader);
    if (reason[0] == 0 && *reader.at != 0) {
        complain(&reader, "it cannot be read at ", reader.at, strlen(reader.at));
    }
    if (reason[0] == 0 && value < 1) {
        snprintf(reason, 256, "it comes to %lld, and a size is at least 1", (long long)value);
    }
    *size = (uint64_t)value;
    return reason[0] == 0;
}
