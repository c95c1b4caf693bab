/* SPDX-License-Identifier: MIT */
/* A folder of its own for the files of one test program: made by scratch_make, removed by scratch_remove (cmocka's group
 * setup and teardown). Not a test. */
#ifndef SOW_TESTS_SCRATCH_H
#define SOW_TESTS_SCRATCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char scratch[] = "/tmp/sow-test-XXXXXX";
static const char *latest; /* the path that at() gave last */

/* A path in the scratch folder; the last four stay good. */
static inline const char *at(const char *name)
{
    static char paths[4][512];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", scratch, name);
    return latest = path;
}

static inline void write_bytes(const char *path, const void *bytes, size_t count)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    assert_int_equal(fclose(file), 0);
}

/* Into the scratch folder; the path. */
static inline const char *write_file(const char *name, const void *bytes, size_t count)
{
    write_bytes(at(name), bytes, count);
    return latest;
}

static inline const char *write_text(const char *name, const char *text)
{
    return write_file(name, text, strlen(text));
}

static int scratch_make(void **state)
{
    (void)state;
    return mkdtemp(scratch) == NULL;
}

static int scratch_remove(void **state)
{
    char command[64];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", scratch);
    return system(command);
}

#endif
