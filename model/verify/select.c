/* SPDX-License-Identifier: MIT */
/* Globs compiled once; a glob that matches nothing is a mistake of the caller's, not an empty answer. */
#include "model/verify/select.h"

#include <stdlib.h>

#include "core/base/error.h"

enum sow_status sow_selection_make(struct sow_selection *selection,
                                   const struct sow_statistics_options *options,
                                   struct sow_error *error)
{
    enum sow_status status = SOW_OK;
    selection->count = options->glob_count;
    selection->globs = calloc(options->glob_count + 1, sizeof selection->globs[0]);
    selection->used = calloc(options->glob_count + 1, sizeof selection->used[0]);
    if (selection->globs == NULL || selection->used == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "no memory for %zu patterns", options->glob_count);
    }
    for (size_t i = 0; i < options->glob_count && status == SOW_OK; i++) {
        status = sow_glob_compile(options->globs[i], &selection->globs[i], error);
    }
    return status;
}

void sow_selection_free(struct sow_selection *selection)
{
    free(selection->globs);
    free(selection->used);
}

int sow_selection_has(struct sow_selection *selection, const char *name)
{
    int selected = selection->count == 0;
    for (size_t i = 0; i < selection->count; i++) {
        int matches = sow_glob_run(&selection->globs[i], name);
        selected |= matches;
        selection->used[i] |= matches;
    }
    return selected;
}

enum sow_status sow_selection_check(const struct sow_selection *selection, struct sow_error *error)
{
    for (size_t i = 0; i < selection->count; i++) {
        if (!selection->used[i]) {
            return sow_fail(error, SOW_E_ARGUMENT,
                            "no tensor matches '%.200s'; without a pattern all tensors are shown",
                            selection->globs[i].text);
        }
    }
    return SOW_OK;
}
