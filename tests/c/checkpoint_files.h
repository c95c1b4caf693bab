/* SPDX-License-Identifier: MIT */
/* Safetensors files byte by byte in a folder of their own, and what hostile ones are answered: for the tests of headers
 * and of indexes. Not a test. */
#ifndef SOW_TESTS_CHECKPOINT_FILES_H
#define SOW_TESTS_CHECKPOINT_FILES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/checkpoint/safetensors.h"
#include "tests/c/cases.h"
#include "tests/c/scratch.h"

/* A safetensors file of this header and `data` bytes. */
static inline void write_tensors(const char *name, const char *header, size_t length,
                                 uint64_t claim, size_t data)
{
    char *bytes = calloc(1, 8 + length + data + 1);
    assert_non_null(bytes);
    for (int i = 0; i < 8; i++) {
        bytes[i] = (char)(claim >> (8 * i) & 0xff);
    }
    memcpy(bytes + 8, header, length);
    memset(bytes + 8 + length, 'x', data);
    write_file(name, bytes, 8 + length + data);
    free(bytes);
}

static inline void write_header(const char *name, const char *header, size_t data)
{
    write_tensors(name, header, strlen(header), strlen(header), data);
}

static inline void check_answer(const struct test_case *test, enum sow_status status,
                                const struct sow_error *error)
{
    const char *wanted = case_field(test, "sow", NULL);
    if (strcmp(wanted, "ok") == 0) {
        if (status != SOW_OK) {
            fail_msg("[%s] refused: %s", test->name, error->message);
        }
        return;
    }
    if (status != SOW_E_FORMAT || strstr(error->message, wanted) == NULL) {
        fail_msg("[%s] wanted \"%s\", got %d \"%s\"", test->name, wanted, (int)status,
                 status == SOW_OK ? "" : error->message);
    }
}

#endif
