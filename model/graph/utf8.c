/* SPDX-License-Identifier: MIT */
/* Whether bytes are UTF-8. The second byte's range tells overlong forms and surrogates (Unicode, table 3-7). */
#include "model/graph/utf8.h"

size_t sow_utf8_end(const char *text, size_t length)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t at = 0;
    while (at < length) {
        unsigned char lead = bytes[at], low = 0x80, high = 0xbf;
        size_t more = lead < 0x80 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
        if ((lead >= 0x80 && lead < 0xc2) || lead > 0xf4 || more >= length - at) {
            return at;
        }
        low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : low;
        high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : high;
        for (size_t i = 1; i <= more; i++) {
            if (bytes[at + i] < low || bytes[at + i] > high) {
                return at;
            }
            low = 0x80;
            high = 0xbf;
        }
        at += more + 1;
    }
    return length;
}

int sow_is_utf8(const char *text, size_t length)
{
    return sow_utf8_end(text, length) == length;
}
