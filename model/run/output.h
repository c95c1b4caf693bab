/* SPDX-License-Identifier: MIT */
/* Where a run's output goes, and everything that can be known to be wrong with it before writing. */
#ifndef SOW_RUN_OUTPUT_H
#define SOW_RUN_OUTPUT_H

#include "model/run/layout.h"
#include "model/run/target.h"

struct sow_output {
    enum { SOW_OUTPUT_PIPE, SOW_OUTPUT_FILE, SOW_OUTPUT_FOLDER } kind;
    struct sow_folder folder; /* not of a pipe */
    char name[256];           /* of the one file */
    int force;
    int made_folder;
};

/* Looks at the place: does it exist, is it what it should be, would something be overwritten, is there room for the
 * files. Writes nothing, but makes the folder of a sharded run unless `dry`. Fills *free_bytes. */
enum sow_status sow_output_open(const struct sow_init_options *options,
                                const struct sow_files *files, struct sow_output *output,
                                uint64_t *free_bytes, struct sow_error *error);
/* Closes; after a failure also removes the folder it made, if it is empty. */
void sow_output_close(struct sow_output *output, int failed);

/* Of a sharded run with force: what an earlier run left and this one does not replace, above all an index. */
enum sow_status sow_output_remove_stale(const struct sow_output *output,
                                        const struct sow_files *files, char notes[SOW_NOTES_MAX],
                                        struct sow_error *error);

#endif
