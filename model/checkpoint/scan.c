/* SPDX-License-Identifier: MIT */
/* Tokens of JSON: RFC 8259 sections 2 to 7, RFC 3629 for UTF-8. */
#include "model/checkpoint/scan.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/checked.h"
#include "core/base/error.h"

enum sow_status sow_scan_fail(const struct sow_scan *scan, size_t at, const char *format, ...)
{
    char text[sizeof scan->error->message - 32];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (scan->is_text) {
        uint32_t line = 1, column = 1;
        for (size_t i = 0; i < at && i < scan->length; i++) {
            line += scan->bytes[i] == '\n';
            column = scan->bytes[i] == '\n' ? 1 : column + 1;
        }
        return sow_fail_at(scan->error, SOW_E_FORMAT, scan->path, line, column, "%s", text);
    }
    return sow_fail_at(scan->error, SOW_E_FORMAT, scan->path, 0, 0, "%s, byte %llu", text,
                       (unsigned long long)(scan->base + at));
}

void sow_scan_space(struct sow_scan *scan)
{
    while (scan->at < scan->length) {
        char byte = scan->bytes[scan->at];
        if (byte != ' ' && byte != '\n' && byte != '\t' && byte != '\r') {
            return;
        }
        scan->at++;
    }
}

/* The byte at the position as messages show it. */
static const char *found(const struct sow_scan *scan, char text[32])
{
    int byte = sow_scan_peek(scan);
    if (byte < 0) {
        return "the end";
    }
    snprintf(text, 32, byte > ' ' && byte < 0x7f ? "`%c`" : "the byte 0x%02x", (unsigned)byte);
    return text;
}

enum sow_status sow_scan_byte(struct sow_scan *scan, char byte, const char *after)
{
    char text[32];
    sow_scan_space(scan);
    if (sow_scan_peek(scan) != (unsigned char)byte) {
        return sow_scan_fail(scan, scan->at, "expected `%c` %s, found %s", byte, after,
                             found(scan, text));
    }
    scan->at++;
    return SOW_OK;
}

static int hex_digit(char byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    if (byte >= 'a' && byte <= 'f') {
        return byte - 'a' + 10;
    }
    return byte >= 'A' && byte <= 'F' ? byte - 'A' + 10 : -1;
}

/* The four digits after \u; -1 when they are not there. */
static int32_t hex_unit(const struct sow_scan *scan, size_t at)
{
    int32_t unit = 0;
    if (scan->length - at < 4) {
        return -1;
    }
    for (size_t i = 0; i < 4; i++) {
        int digit = hex_digit(scan->bytes[at + i]);
        if (digit < 0) {
            return -1;
        }
        unit = unit * 16 + digit;
    }
    return unit;
}

static void put_utf8(struct sow_scan *scan, uint32_t code)
{
    char *out = scan->arena + scan->arena_used;
    if (code < 0x80) {
        *out++ = (char)code;
    } else if (code < 0x800) {
        *out++ = (char)(0xc0 | code >> 6);
        *out++ = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *out++ = (char)(0xe0 | code >> 12);
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
        *out++ = (char)(0x80 | (code & 0x3f));
    } else {
        *out++ = (char)(0xf0 | code >> 18);
        *out++ = (char)(0x80 | (code >> 12 & 0x3f));
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
        *out++ = (char)(0x80 | (code & 0x3f));
    }
    scan->arena_used = (size_t)(out - scan->arena);
}

/* \uXXXX, the position being behind the u. */
static enum sow_status unicode_escape(struct sow_scan *scan)
{
    size_t at = scan->at - 2;
    int32_t unit = hex_unit(scan, scan->at);
    if (unit < 0) {
        return sow_scan_fail(scan, at, "\\u without four hexadecimal digits");
    }
    scan->at += 4;
    if (unit == 0) {
        return sow_scan_fail(scan, at, "a NUL character in a string");
    }
    if (unit < 0xd800 || unit > 0xdfff) {
        put_utf8(scan, (uint32_t)unit);
        return SOW_OK;
    }
    int32_t low = -1;
    if (unit < 0xdc00 && scan->length - scan->at >= 6 && scan->bytes[scan->at] == '\\' &&
        scan->bytes[scan->at + 1] == 'u') {
        low = hex_unit(scan, scan->at + 2);
    }
    if (low < 0xdc00 || low > 0xdfff) {
        return sow_scan_fail(scan, at, "half of a surrogate pair");
    }
    scan->at += 6;
    put_utf8(scan, 0x10000 + ((uint32_t)(unit - 0xd800) << 10) + (uint32_t)(low - 0xdc00));
    return SOW_OK;
}

/* What stands behind a backslash. */
static enum sow_status escape(struct sow_scan *scan)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    int byte = sow_scan_peek(scan);
    const char *known = byte > 0 ? strchr(from, byte) : NULL;
    scan->at++;
    if (known != NULL) {
        scan->arena[scan->arena_used++] = to[known - from];
        return SOW_OK;
    }
    if (byte == 'u') {
        return unicode_escape(scan);
    }
    return sow_scan_fail(scan, scan->at - 2, "an unknown escape in a string");
}

/* Bytes of the UTF-8 character at `at`, 0 when it is none: no overlong form, no surrogate, nothing beyond U+10FFFF. */
static size_t utf8_length(const struct sow_scan *scan, size_t at)
{
    const unsigned char *s = (const unsigned char *)scan->bytes + at;
    size_t left = scan->length - at;
    size_t size = s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;
    if (size == 0 || size > left) {
        return 0;
    }
    for (size_t i = 1; i < size; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f)) {
        return 0;
    }
    return size;
}

/* Copies plain characters up to the next quote or backslash. */
static enum sow_status copy_plain(struct sow_scan *scan)
{
    while (scan->at < scan->length) {
        unsigned char byte = (unsigned char)scan->bytes[scan->at];
        if (byte == '"' || byte == '\\') {
            return SOW_OK;
        }
        if (byte < 0x20) {
            return sow_scan_fail(scan, scan->at, "the control character 0x%02x in a string", byte);
        }
        size_t size = byte < 0x80 ? 1 : utf8_length(scan, scan->at);
        if (size == 0) {
            return sow_scan_fail(scan, scan->at, "bytes that are not UTF-8 (0x%02x) in a string",
                                 byte);
        }
        for (size_t i = 0; i < size; i++) {
            scan->arena[scan->arena_used++] = scan->bytes[scan->at++];
        }
    }
    return SOW_OK;
}

enum sow_status sow_scan_string(struct sow_scan *scan, const char **text, size_t *text_length)
{
    size_t begin = scan->arena_used, opening = scan->at;
    if (sow_scan_peek(scan) != '"') {
        return sow_scan_fail(scan, scan->at, "expected a string, found %s", sow_scan_kind(scan));
    }
    scan->at++;
    for (;;) {
        enum sow_status status = copy_plain(scan);
        if (status != SOW_OK) {
            return status;
        }
        int byte = sow_scan_peek(scan);
        if (byte < 0) {
            return sow_scan_fail(scan, opening, "a string without an end");
        }
        scan->at++;
        if (byte == '"') {
            break;
        }
        status = escape(scan);
        if (status != SOW_OK) {
            return status;
        }
    }
    *text = scan->arena + begin;
    *text_length = scan->arena_used - begin;
    scan->arena[scan->arena_used++] = '\0';
    return SOW_OK;
}

enum sow_status sow_scan_u64(struct sow_scan *scan, uint64_t *number)
{
    size_t begin = scan->at;
    uint64_t value = 0;
    int too_large = 0;
    while (scan->at < scan->length && scan->bytes[scan->at] >= '0' &&
           scan->bytes[scan->at] <= '9') {
        uint64_t digit = (uint64_t)(scan->bytes[scan->at] - '0');
        too_large |= sow_mul_u64(value, 10, &value) || sow_add_u64(value, digit, &value);
        scan->at++;
    }
    int next = sow_scan_peek(scan);
    if (scan->at == begin) {
        return sow_scan_fail(scan, begin, "expected a whole number from 0, found %s",
                             sow_scan_kind(scan));
    }
    if (next == '.' || next == 'e' || next == 'E') {
        return sow_scan_fail(scan, begin, "a number with a fraction or an exponent");
    }
    if (scan->at - begin > 1 && scan->bytes[begin] == '0') {
        return sow_scan_fail(scan, begin, "a number with a leading zero");
    }
    if (too_large) {
        return sow_scan_fail(scan, begin, "a number over 18446744073709551615");
    }
    *number = value;
    return SOW_OK;
}

int sow_scan_word(struct sow_scan *scan, const char *word)
{
    size_t size = strlen(word);
    if (scan->length - scan->at < size || memcmp(scan->bytes + scan->at, word, size) != 0) {
        return 0;
    }
    scan->at += size;
    return 1;
}

const char *sow_scan_kind(const struct sow_scan *scan)
{
    int byte = sow_scan_peek(scan);
    size_t at = scan->at;
    switch (byte) {
    case -1:
        return "the end";
    case '{':
        return "an object";
    case '[':
        return "an array";
    case '"':
        return "a string";
    case 't':
    case 'f':
        return "true or false";
    case 'n':
        return "null";
    default:
        break;
    }
    if (byte != '-' && (byte < '0' || byte > '9')) {
        return "no JSON value";
    }
    for (at++; at < scan->length && scan->bytes[at] >= '0' && scan->bytes[at] <= '9';) {
        at++;
    }
    if (at < scan->length && (scan->bytes[at] == '.' || (scan->bytes[at] | 0x20) == 'e')) {
        return "a number with a fraction or an exponent";
    }
    return byte == '-' ? "a negative number" : "an integer";
}

const char *sow_quote(const char *name, char quoted[SOW_QUOTE_MAX])
{
    size_t used = 0;
    for (const unsigned char *s = (const unsigned char *)name; *s != 0; s++) {
        int starts = (*s & 0xc0) != 0x80; /* a character, not its second byte */
        if (used + 8 > SOW_QUOTE_MAX && (starts || used + 4 >= SOW_QUOTE_MAX)) {
            memcpy(quoted + used, "...", 3);
            used += 3;
            break;
        }
        if (*s < 0x20 || *s == 0x7f) {
            used += (size_t)snprintf(quoted + used, SOW_QUOTE_MAX - used, "\\x%02x", *s);
        } else {
            quoted[used++] = (char)*s;
        }
    }
    quoted[used] = '\0';
    return quoted;
}
