/* SPDX-License-Identifier: MIT */
/* Tokens of a record: JSON read front to back, holding nothing but the place. A tree would cost thirty
 * bytes for every byte of a record made to hurt. Numbers and strings are converted by jansson. */
#ifndef SOW_PLAN_RECORD_SCAN_H
#define SOW_PLAN_RECORD_SCAN_H

#include "sow/sow.h"

struct sow_record_scan {
    const char *text;
    size_t length, at;
    struct sow_error *error;
};

/* All of these pass over JSON's white space first. They return SOW_OK, or SOW_E_FORMAT with the byte where
 * the record is not what it should be. */
enum sow_status sow_record_fail(const struct sow_record_scan *scan, const char *what);
enum sow_status sow_record_expect(struct sow_record_scan *scan, char character);
/* A quoted word of plain ASCII, without escapes. */
enum sow_status sow_record_word(struct sow_record_scan *scan, char *word, size_t word_bytes);
enum sow_status sow_record_u64(struct sow_record_scan *scan, uint64_t *number);
/* A finite number; null gives `null_value`, unless that is not a number. */
enum sow_status sow_record_number(struct sow_record_scan *scan, double null_value, double *number);
/* Any string; the caller frees *string with free. */
enum sow_status sow_record_string(struct sow_record_scan *scan, char **string, size_t *length);
enum sow_status sow_record_end(struct sow_record_scan *scan);

/* Nonzero, and past it, when `character` comes next. */
int sow_record_next(struct sow_record_scan *scan, char character);

#endif
