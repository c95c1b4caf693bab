/* SPDX-License-Identifier: MIT */
/* Members, and values that nobody asks about. */
#include "model/checkpoint/scan.h"

int sow_scan_open(struct sow_scan *scan, char closing)
{
    scan->at++;
    sow_scan_space(scan);
    int is_empty = sow_scan_peek(scan) == (unsigned char)closing;
    scan->at += is_empty ? 1 : 0;
    return !is_empty;
}

int sow_scan_next(struct sow_scan *scan, char closing)
{
    sow_scan_space(scan);
    int byte = sow_scan_peek(scan);
    if (byte == ',') {
        scan->at++;
        sow_scan_space(scan);
        return 1;
    }
    if (byte == closing) {
        scan->at++;
        return 0;
    }
    sow_scan_fail(scan, scan->at, "expected `,` or `%c`, found %s", closing, sow_scan_kind(scan));
    return -1;
}

enum sow_status sow_scan_key(struct sow_scan *scan, const char **key, size_t *length)
{
    enum sow_status status = sow_scan_string(scan, key, length);
    if (status == SOW_OK) {
        status = sow_scan_byte(scan, ':', "after a name");
        sow_scan_space(scan);
    }
    return status;
}

static size_t digits(struct sow_scan *scan)
{
    size_t begin = scan->at;
    while (scan->at < scan->length && scan->bytes[scan->at] >= '0' &&
           scan->bytes[scan->at] <= '9') {
        scan->at++;
    }
    return scan->at - begin;
}

static enum sow_status skip_number(struct sow_scan *scan)
{
    size_t begin = scan->at;
    scan->at += sow_scan_peek(scan) == '-';
    int first = sow_scan_peek(scan);
    size_t whole = digits(scan);
    int good = whole > 0 && (first != '0' || whole == 1);
    if (sow_scan_peek(scan) == '.') {
        scan->at++;
        good = good && digits(scan) > 0;
    }
    if (sow_scan_peek(scan) == 'e' || sow_scan_peek(scan) == 'E') {
        scan->at++;
        scan->at += sow_scan_peek(scan) == '+' || sow_scan_peek(scan) == '-';
        good = good && digits(scan) > 0;
    }
    return good ? SOW_OK : sow_scan_fail(scan, begin, "no JSON value");
}

/* Anything but an object or array. */
static enum sow_status skip_plain(struct sow_scan *scan)
{
    size_t length, arena_begin = scan->arena_used;
    const char *text;
    if (sow_scan_peek(scan) == '"') {
        enum sow_status status = sow_scan_string(scan, &text, &length);
        scan->arena_used = arena_begin;
        return status;
    }
    if (sow_scan_word(scan, "true") || sow_scan_word(scan, "false") ||
        sow_scan_word(scan, "null")) {
        return SOW_OK;
    }
    return skip_number(scan);
}

/* Takes `{` or `[`, and what closes it when nothing is inside: then the value has ended. */
static enum sow_status skip_opening(struct sow_scan *scan, char closing[SOW_SCAN_DEPTH],
                                    size_t *depth, int *ended)
{
    char close = sow_scan_peek(scan) == '{' ? '}' : ']';
    if (*depth == SOW_SCAN_DEPTH) {
        return sow_scan_fail(scan, scan->at, "nested more than %d deep", SOW_SCAN_DEPTH);
    }
    *ended = !sow_scan_open(scan, close);
    if (!*ended) {
        closing[(*depth)++] = close;
    }
    return SOW_OK;
}

enum sow_status sow_scan_skip(struct sow_scan *scan)
{
    char closing[SOW_SCAN_DEPTH]; /* of what is open */
    size_t depth = 0, length, arena_begin = scan->arena_used;
    const char *key;
    for (;;) { /* a value is due */
        int byte = sow_scan_peek(scan), ended = 1;
        enum sow_status status = byte == '{' || byte == '['
                                     ? skip_opening(scan, closing, &depth, &ended)
                                     : skip_plain(scan);
        while (status == SOW_OK && ended && depth > 0) {
            int more = sow_scan_next(scan, closing[depth - 1]);
            if (more < 0) {
                return SOW_E_FORMAT;
            }
            ended = !more;
            depth -= ended ? 1 : 0;
        }
        if (status != SOW_OK || depth == 0) {
            return status;
        }
        if (closing[depth - 1] == '}') {
            status = sow_scan_key(scan, &key, &length);
            scan->arena_used = arena_begin;
            if (status != SOW_OK) {
                return status;
            }
        }
    }
}
