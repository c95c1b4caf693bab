/* SPDX-License-Identifier: MIT */
/* The tokens of JSON (RFC 8259), one at a time and without recursion: space, strings, whole numbers.
 * Not a JSON library: what may follow what is the caller's grammar. Every byte read is below `length`.
 *
 * Positions in messages are bytes of the file; `base` is where the first byte of the text stands. */
#ifndef SOW_CHECKPOINT_SCAN_H
#define SOW_CHECKPOINT_SCAN_H

#include <stddef.h>

#include "sow/sow.h"

#define SOW_QUOTE_MAX  128 /* bytes of a name in a message, with its 0 */
#define SOW_SCAN_DEPTH 8

struct sow_scan {
    const char *bytes;
    size_t length, at;
    uint64_t base;    /* of bytes[0] in the file */
    int is_text;      /* messages tell line and column, else the byte */
    const char *path; /* for messages */
    char *arena;      /* decoded strings, each with a 0; `length` bytes are always enough */
    size_t arena_used;
    struct sow_error *error; /* may be NULL */
};

/* SOW_E_FORMAT with the place of position `at`: "..., byte N" of the file, or line and column of a text. */
enum sow_status sow_scan_fail(const struct sow_scan *scan, size_t at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The byte at the position, or -1 at the end. */
static inline int sow_scan_peek(const struct sow_scan *scan)
{
    return scan->at < scan->length ? (unsigned char)scan->bytes[scan->at] : -1;
}

void sow_scan_space(struct sow_scan *scan);

/* Takes `byte` and nothing else; `after` is for the message ("after the name"). */
enum sow_status sow_scan_byte(struct sow_scan *scan, char byte, const char *after);

/* A string, decoded into the arena: UTF-8 checked, escapes and surrogate pairs resolved. A NUL in it is refused:
 * the text would end there for whoever reads it as C. */
enum sow_status sow_scan_string(struct sow_scan *scan, const char **text, size_t *text_length);

/* Digits only: no sign, fraction or exponent, no leading zero, at most 2^64 - 1. */
enum sow_status sow_scan_u64(struct sow_scan *scan, uint64_t *number);

/* At the byte that opens an object or array: takes it, and `closing` too where nothing is between them (0), else 1. */
int sow_scan_open(struct sow_scan *scan, char closing);

/* After a member of an object or array: takes `,` (returns 1) or `closing` (0); anything else is an error (-1). */
int sow_scan_next(struct sow_scan *scan, char closing);

/* A name and its colon. */
enum sow_status sow_scan_key(struct sow_scan *scan, const char **key, size_t *length);

/* Takes a value of any kind, at most SOW_SCAN_DEPTH objects and arrays deep. What is in it must be tokens of JSON in a
 * legal order; what it says is not kept. */
enum sow_status sow_scan_skip(struct sow_scan *scan);

/* Takes the word `null`, `true`, ... where it stands here; returns whether it did. */
int sow_scan_word(struct sow_scan *scan, const char *word);

/* What the value that starts with this byte is: "an object", "a string", "an integer" ... */
const char *sow_scan_kind(const struct sow_scan *scan);

/* A name as messages show it: control characters escaped, long ones cut. Returns `quoted`. */
const char *sow_quote(const char *name, char quoted[SOW_QUOTE_MAX]);

#endif
