/* SPDX-License-Identifier: MIT */
/* Plans written into the scratch folder: for the tests of sow_init. Not a test. */
#ifndef SOW_TESTS_RUN_INIT_H
#define SOW_TESTS_RUN_INIT_H

#include "tests/c/checkpoint_plan.h"

#include <dirent.h>

/* Files in a folder that are neither . nor .. */
static inline size_t file_count(const char *folder)
{
    size_t count = 0;
    DIR *listing = opendir(folder);
    assert_non_null(listing);
    for (const struct dirent *entry; (entry = readdir(listing)) != NULL;) {
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    closedir(listing);
    return count;
}

static inline enum sow_status init(const struct sow_plan *plan, struct sow_init_options options,
                                   struct sow_init_report *report, struct sow_error *error)
{
    struct sow_error unused;
    return sow_init(plan, &options, report, error == NULL ? &unused : error);
}

static inline void must_init(const struct sow_plan *plan, struct sow_init_options options,
                             struct sow_init_report *report)
{
    struct sow_error error;
    if (init(plan, options, report, &error) != SOW_OK) {
        fail_msg("%s: %s", error.file, error.message);
    }
}

#endif
