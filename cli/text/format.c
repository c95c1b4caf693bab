/* SPDX-License-Identifier: MIT */
/* Text for people: a growing string and what is put into it. No locale: digits and UTF-8 are the same everywhere. */
#include "format.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define WIDTH 100 /* where nothing tells it, and the widest that reads well */

void *sow_cli_allocate(void *old, size_t count, size_t size)
{
    void *memory = reallocarray(old, count > 0 ? count : 1, size);
    if (memory == NULL) {
        fputs("sow: error: out of memory\n", stderr);
        exit(SOW_EXIT_IO);
    }
    return memory;
}

void sow_cli_text_free(struct sow_cli_text *text)
{
    free(text->bytes);
    *text = (struct sow_cli_text){0};
}

void sow_cli_text_clear(struct sow_cli_text *text)
{
    text->length = 0;
    sow_cli_add_bytes(text, "", 0);
}

/* Makes room for `length` bytes and a NUL. */
static void reserve(struct sow_cli_text *text, size_t length)
{
    if (text->capacity - text->length <= length) {
        text->capacity = (text->length + length + 32) * 2;
        text->bytes = sow_cli_allocate(text->bytes, text->capacity, 1);
    }
}

void sow_cli_add_bytes(struct sow_cli_text *text, const char *bytes, size_t length)
{
    reserve(text, length);
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = '\0';
}

void sow_cli_add(struct sow_cli_text *text, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    size_t room = text->capacity - text->length;
    int length = vsnprintf(room > 0 ? text->bytes + text->length : NULL, room, format, arguments);
    if (length >= 0 && (size_t)length >= room) {
        reserve(text, (size_t)length);
        vsnprintf(text->bytes + text->length, (size_t)length + 1, format, again);
    }
    text->length += length > 0 ? (size_t)length : 0;
    va_end(again);
    va_end(arguments);
}

/* Bytes of the UTF-8 character at `bytes`, 0 when it is none; *code is its code point. */
static size_t read_utf8(const unsigned char *bytes, size_t length, uint32_t *code)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t size = bytes[0] < 0x80 ? 1 : bytes[0] >= 0xf0 ? 4 : bytes[0] >= 0xe0 ? 3 : 2;
    *code = size == 1 ? bytes[0] : bytes[0] & (0xffu >> (size + 1));
    if (size > length || bytes[0] >= 0xf8 || (bytes[0] >= 0x80 && bytes[0] < 0xc0)) {
        return 0;
    }
    for (size_t i = 1; i < size; i++) {
        if ((bytes[i] & 0xc0) != 0x80) {
            return 0;
        }
        *code = *code << 6 | (bytes[i] & 0x3fu);
    }
    int surrogate = *code >= 0xd800 && *code < 0xe000;
    return *code < least[size] || *code > 0x10ffff || surrogate ? 0 : size;
}

/* Control characters (C0, C1, DEL) and those that turn the direction of text. */
static int is_unsafe(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x200e || code == 0x200f ||
           code == 0x061c || (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2066 && code <= 0x2069);
}

void sow_cli_add_safe(struct sow_cli_text *text, const char *bytes, size_t length, int lines)
{
    for (size_t i = 0; i < length;) {
        uint32_t code;
        size_t size = read_utf8((const unsigned char *)bytes + i, length - i, &code);
        int keep = size > 0 && (!is_unsafe(code) || (lines && code == '\n'));
        size = size > 0 ? size : 1;
        for (size_t j = i; !keep && j < i + size; j++) {
            sow_cli_add(text, "\\x%02x", (unsigned char)bytes[j]);
        }
        if (keep) {
            sow_cli_add_bytes(text, bytes + i, size);
        }
        i += size;
    }
}

void sow_cli_add_tail(struct sow_cli_text *text, const char *name, size_t room)
{
    size_t length = strlen(name), skip = length > room ? length - room + 2 : 0;
    while ((name[skip] & 0xC0) == 0x80) { /* not into the middle of a code point */
        skip++;
    }
    sow_cli_add(text, skip > 0 ? ".." : "");
    sow_cli_add_safe(text, name + skip, length - skip, 0);
}

void sow_cli_add_size(struct sow_cli_text *text, uint64_t bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 999.95 && unit < 6) {
        value /= 1000;
        unit++;
    }
    sow_cli_add(text, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

void sow_cli_add_speed(struct sow_cli_text *text, uint64_t bytes, double seconds)
{
    double speed = seconds > 0 ? (double)bytes / seconds * 1e-9 : 0;
    sow_cli_add(text, "%.2f s, %.*f GB/s", seconds, speed < 0.1 ? 4 : 2, speed);
}

void sow_cli_add_count(struct sow_cli_text *text, uint64_t count)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)count);
    for (int i = 0; i < length; i++) {
        sow_cli_add_bytes(text, ",", i > 0 && (length - i) % 3 == 0);
        sow_cli_add_bytes(text, &digits[i], 1);
    }
}

void sow_cli_add_shell(struct sow_cli_text *text, const char *word)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@%+,";
    int odd = 0;
    for (const char *c = word; *c != '\0'; c++) {
        odd |= (unsigned char)*c < 0x20 || *c == 0x7f;
    }
    if (word[0] != '\0' && word[strspn(word, plain)] == '\0') {
        sow_cli_add(text, "%s", word);
        return;
    }
    sow_cli_add(text, odd ? "$'" : "'");
    for (const char *c = word; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            sow_cli_add(text, "\\x%02x", (unsigned char)*c);
        } else if (odd && (*c == '\'' || *c == '\\')) {
            sow_cli_add(text, "\\%c", *c);
        } else if (*c == '\'') {
            sow_cli_add(text, "'\\''");
        } else {
            sow_cli_add_bytes(text, c, 1);
        }
    }
    sow_cli_add(text, "'");
}

void sow_cli_add_json(struct sow_cli_text *text, const char *string)
{
    sow_cli_add(text, "\"");
    for (const char *c = string; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\') {
            sow_cli_add(text, "\\%c", *c);
        } else if ((unsigned char)*c < 0x20) {
            sow_cli_add(text, "\\u%04x", *c);
        } else {
            sow_cli_add_bytes(text, c, 1);
        }
    }
    sow_cli_add(text, "\"");
}

void sow_cli_add_number(struct sow_cli_text *text, double number)
{
    sow_cli_add(text, isfinite(number) ? "%.17g" : "null", number);
}

void sow_cli_add_key_number(struct sow_cli_text *text, const char *key, double number)
{
    sow_cli_add(text, ", \"%s\": ", key);
    sow_cli_add_number(text, number);
}

void sow_cli_add_key_text(struct sow_cli_text *text, const char *key, const char *value)
{
    sow_cli_add(text, ", \"%s\": ", key);
    if (value == NULL) {
        sow_cli_add(text, "null");
    } else {
        sow_cli_add_json(text, value);
    }
}

void sow_cli_add_shape(struct sow_cli_text *text, const uint64_t *shape, uint32_t rank)
{
    for (uint32_t i = 0; i < rank; i++) {
        sow_cli_add(text, "%s%llu", i > 0 ? " x " : "", (unsigned long long)shape[i]);
    }
    sow_cli_add(text, rank == 0 ? "scalar" : "");
}

void sow_cli_add_paragraph(struct sow_cli_text *text, const char *words, int indent, int width)
{
    int column = 0;
    while (*words != '\0') {
        size_t length = strcspn(words, " \n");
        int columns = (int)length; /* bytes: near enough for words of ASCII */
        if (column > 0 && column + 1 + columns > width) {
            sow_cli_add(text, "\n");
            column = 0;
        }
        if (length > 0) {
            sow_cli_add(text, "%*s", column == 0 ? indent : 1, "");
            sow_cli_add_bytes(text, words, length);
            column += (column == 0 ? indent : 1) + columns;
        }
        words += length;
        if (*words == '\n') {
            sow_cli_add(text, column > 0 ? "\n" : "");
            column = 0;
        }
        words += *words != '\0';
    }
    sow_cli_add(text, column > 0 ? "\n" : "");
}

void sow_cli_print_paragraph(const char *words)
{
    struct sow_cli_text text = {0};
    sow_cli_add_paragraph(&text, words, 4, sow_cli_prose_width());
    fputs(text.length > 4 ? text.bytes + 4 : "", stdout);
    sow_cli_text_free(&text);
}

size_t sow_cli_columns(const char *text)
{
    size_t columns = 0;
    for (; *text != '\0'; text++) {
        columns += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return columns;
}

int sow_cli_given_width(void)
{
    struct winsize size;
    uint64_t columns = 0;
    char reason[512];
    const char *variable = getenv("COLUMNS");
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40) {
        return size.ws_col;
    }
    if (variable != NULL && sow_cli_value(SOW_TAKES_COUNT, variable, &columns, reason) == NULL &&
        columns >= 40) {
        return (int)columns;
    }
    return 0;
}

int sow_cli_width(void)
{
    int width = sow_cli_given_width();
    return width > 0 ? width : WIDTH;
}

int sow_cli_prose_width(void)
{
    int width = sow_cli_width();
    return width < WIDTH ? width : WIDTH;
}

int sow_cli_colored(FILE *stream, enum sow_color color)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    if (color != SOW_COLOR_AUTO) {
        return color == SOW_COLOR_ALWAYS;
    }
    return (no_color == NULL || no_color[0] == '\0') && term != NULL && strcmp(term, "dumb") != 0 &&
           isatty(fileno(stream));
}

/* What the locale says, where it says something; pipes and files get UTF-8 whatever it says. */
static int is_plain_terminal(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && value[0] != '\0') {
            const char *dot = strchr(value, '.');
            return (dot == NULL ||
                    (strncasecmp(dot, ".utf-8", 6) != 0 && strncasecmp(dot, ".utf8", 5) != 0)) &&
                   isatty(STDOUT_FILENO);
        }
    }
    return 0;
}

const char *sow_cli_bar(int height)
{
    static const char *const blocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const plain[] = {" ", ".", ":", "-", "=", "+", "*", "#", "@"};
    return is_plain_terminal() ? plain[height] : blocks[height];
}

const char *sow_cli_style(enum sow_style style, int colored)
{
    static const char *const escapes[] = {
        [SOW_PLAIN] = "\033[0m",
        [SOW_BOLD] = "\033[1m",
        [SOW_DIM] = "\033[2m",
        [SOW_RED] = "\033[1;31m",
    };
    return colored ? escapes[style] : "";
}
