/* SPDX-License-Identifier: MIT */
/* A folder of its own for the files of one test program: made by scratch_make, removed by scratch_remove (cmocka's group
 * setup and teardown). Not a test. */
#ifndef SOW_TESTS_SCRATCH_H
#define SOW_TESTS_SCRATCH_H

#include <stdio.h>
#include <stdlib.h>

static char scratch[] = "/tmp/sow-test-XXXXXX";

/* A path in the scratch folder; the last four stay good. */
static const char *at(const char *name)
{
    static char paths[4][512];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", scratch, name);
    return path;
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
