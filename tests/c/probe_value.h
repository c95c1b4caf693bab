/* SPDX-License-Identifier: MIT */
/* A value of a prediction by its name, for tests. Not a test. */
#ifndef SOW_TESTS_PROBE_VALUE_H
#define SOW_TESTS_PROBE_VALUE_H

#include <string.h>

#include "sow/signal.h"

static const struct sow_probe_value *value(const struct sow_probe *probe, const char *name)
{
    const struct sow_probe_value *found;
    for (size_t i = 0; (found = sow_probe_at(probe, i)) != NULL; i++) {
        if (strcmp(found->name, name) == 0) {
            return found;
        }
    }
    fail_msg("no value %s", name);
    return NULL;
}

#endif
