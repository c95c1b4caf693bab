/* SPDX-License-Identifier: MIT */
/* JSON text: RFC 8259 section 7. */
#include "model/checkpoint/emit.h"

#include <string.h>

static void put(struct sow_emit *emit, const char *bytes, size_t count)
{
    if (emit->bytes != NULL) {
        memcpy(emit->bytes + emit->length, bytes, count);
    }
    emit->length += count;
}

void sow_emit_text(struct sow_emit *emit, const char *text)
{
    put(emit, text, strlen(text));
}

void sow_emit_u64(struct sow_emit *emit, uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    put(emit, digits + at, sizeof digits - at);
}

static void put_unit(struct sow_emit *emit, uint32_t unit)
{
    static const char hex[] = "0123456789abcdef";
    char text[6] = {'\\', 'u', 0, 0, 0, 0};
    for (int i = 0; i < 4; i++) {
        text[2 + i] = hex[unit >> (12 - 4 * i) & 15];
    }
    put(emit, text, sizeof text);
}

/* The character at `s`, valid UTF-8 of `size` bytes, as one unit or two. */
static void put_escaped(struct sow_emit *emit, const unsigned char *s, size_t size)
{
    uint32_t code = size == 1 ? s[0] : s[0] & (0xffu >> (size + 1));
    for (size_t i = 1; i < size; i++) {
        code = code << 6 | (s[i] & 0x3f);
    }
    if (code < 0x10000) {
        put_unit(emit, code);
    } else {
        put_unit(emit, 0xd800 + ((code - 0x10000) >> 10));
        put_unit(emit, 0xdc00 + ((code - 0x10000) & 0x3ff));
    }
}

void sow_emit_string(struct sow_emit *emit, const char *text)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const unsigned char *s = (const unsigned char *)text;
    put(emit, "\"", 1);
    while (*s != 0) {
        size_t size = *s < 0x80 ? 1 : *s < 0xe0 ? 2 : *s < 0xf0 ? 3 : 4;
        const char *shorter = strchr(from, *s);
        if (shorter != NULL) {
            char escape[2] = {'\\', to[shorter - from]};
            put(emit, escape, 2);
        } else if (*s < 0x20 || (emit->ascii && size > 1)) {
            put_escaped(emit, s, size);
        } else {
            put(emit, (const char *)s, size);
        }
        s += size;
    }
    put(emit, "\"", 1);
}
