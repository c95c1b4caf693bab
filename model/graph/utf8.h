/* SPDX-License-Identifier: MIT */
/* Whether bytes are UTF-8 (RFC 3629): no overlong form, no surrogate, nothing above U+10FFFF. */
#ifndef SOW_GRAPH_UTF8_H
#define SOW_GRAPH_UTF8_H

#include <stddef.h>

int sow_is_utf8(const char *text, size_t length);
/* Offset of the first byte that is not; `length` when all are. */
size_t sow_utf8_end(const char *text, size_t length);

#endif
