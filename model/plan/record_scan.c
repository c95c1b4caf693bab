/* SPDX-License-Identifier: MIT */
/* The tokens of a record, from bytes that anybody may have written. */
#include "model/plan/record_scan.h"
#include "core/base/checked.h"
#include "core/base/error.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_BYTES_MAX 64

enum sow_status sow_record_fail(const struct sow_record_scan *scan, const char *what)
{
    return sow_fail(scan->error, SOW_E_FORMAT, "byte %zu of sow's record: %s", scan->at, what);
}

static void pass_space(struct sow_record_scan *scan)
{
    while (scan->at < scan->length && memchr(" \t\n\r", scan->text[scan->at], 4) != NULL) {
        scan->at++;
    }
}

int sow_record_next(struct sow_record_scan *scan, char character)
{
    pass_space(scan);
    if (scan->at < scan->length && scan->text[scan->at] == character) {
        scan->at++;
        return 1;
    }
    return 0;
}

enum sow_status sow_record_expect(struct sow_record_scan *scan, char character)
{
    if (sow_record_next(scan, character)) {
        return SOW_OK;
    }
    if (scan->at >= scan->length) {
        return sow_fail(scan->error, SOW_E_FORMAT, "sow's record ends at byte %zu, before a `%c`",
                        scan->at, character);
    }
    unsigned char found = (unsigned char)scan->text[scan->at];
    return sow_fail(scan->error, SOW_E_FORMAT,
                    "byte %zu of sow's record: expected `%c`, found 0x%02x", scan->at, character,
                    found);
}

enum sow_status sow_record_end(struct sow_record_scan *scan)
{
    pass_space(scan);
    return scan->at == scan->length ? SOW_OK : sow_record_fail(scan, "something follows its end");
}

enum sow_status sow_record_word(struct sow_record_scan *scan, char *word, size_t word_bytes)
{
    enum sow_status status = sow_record_expect(scan, '"');
    if (status != SOW_OK) {
        return status;
    }
    size_t length = 0;
    while (scan->at + length < scan->length && scan->text[scan->at + length] != '"') {
        if (length + 1 >= word_bytes) {
            return sow_record_fail(scan, "a word that no record has");
        }
        word[length] = scan->text[scan->at + length];
        length++;
    }
    word[length] = '\0';
    scan->at += length;
    return sow_record_expect(scan, '"');
}

enum sow_status sow_record_u64(struct sow_record_scan *scan, uint64_t *number)
{
    pass_space(scan);
    size_t begin = scan->at;
    uint64_t value = 0;
    while (scan->at < scan->length && scan->text[scan->at] >= '0' && scan->text[scan->at] <= '9') {
        uint64_t digit = (uint64_t)(scan->text[scan->at] - '0');
        if (sow_mul_u64(value, 10, &value) || sow_add_u64(value, digit, &value)) {
            return sow_record_fail(scan, "a number beyond 2^64");
        }
        scan->at++;
    }
    if (scan->at == begin || (scan->text[begin] == '0' && scan->at > begin + 1)) {
        scan->at = begin;
        return sow_record_fail(scan, "expected a whole number from 0 on");
    }
    *number = value;
    return SOW_OK;
}

enum sow_status sow_record_number(struct sow_record_scan *scan, double null_value, double *number)
{
    pass_space(scan);
    const char *token = scan->text + scan->at;
    size_t length = 0, left = scan->length - scan->at;
    while (length < left && memchr("+-.0123456789aeEfilnrstu", token[length], 24) != NULL) {
        length++;
    }
    if (length == 4 && memcmp(token, "null", 4) == 0 && null_value == null_value) {
        scan->at += 4;
        *number = null_value;
        return SOW_OK;
    }
    json_t *value = NULL;
    if (length > 0 && length <= NUMBER_BYTES_MAX) {
        value = json_loadb(token, length, JSON_DECODE_ANY, NULL);
    }
    if (!json_is_number(value)) {
        json_decref(value);
        return sow_record_fail(scan, "expected a number");
    }
    *number = json_number_value(value);
    json_decref(value);
    scan->at += length;
    return SOW_OK;
}

enum sow_status sow_record_string(struct sow_record_scan *scan, char **string, size_t *length)
{
    pass_space(scan);
    const char *token = scan->text + scan->at;
    size_t end = 1, left = scan->length - scan->at;
    if (left == 0 || token[0] != '"') {
        return sow_record_expect(scan, '"');
    }
    while (end < left && token[end] != '"') {
        end += token[end] == '\\' ? 2 : 1;
    }
    json_t *value = end < left ? json_loadb(token, end + 1, JSON_DECODE_ANY, NULL) : NULL;
    if (!json_is_string(value)) {
        json_decref(value);
        return sow_record_fail(scan, "a string that is not closed or not UTF-8");
    }
    *length = json_string_length(value);
    *string = malloc(*length + 1);
    if (*string == NULL) {
        json_decref(value);
        return sow_fail(scan->error, SOW_E_MEMORY, "out of memory for a key");
    }
    memcpy(*string, json_string_value(value), *length + 1);
    json_decref(value);
    scan->at += end + 1;
    return SOW_OK;
}
