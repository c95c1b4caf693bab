/* SPDX-License-Identifier: MIT */
/* Drawing a run's files and getting them out. */
#ifndef SOW_RUN_WRITE_H
#define SOW_RUN_WRITE_H

#include "model/run/buffers.h"
#include "model/run/crew.h"
#include "model/run/fingerprint.h"
#include "model/run/layout.h"
#include "model/run/target.h"

struct sow_run {
    const struct sow_files *files;
    uint64_t *file_bytes; /* of each */
    struct sow_buffers buffers;
    struct sow_fingerprint *fingerprint;
    struct sow_wholes *wholes;
    struct sow_crew crew;
    char *notes; /* SOW_NOTES_MAX bytes */

    /* Of files, not of a pipe. */
    const struct sow_folder *folder;
    const char *name;           /* of the one file, when files->files[0].name is "" */
    struct sow_target *targets; /* one a file */
    uint64_t *chunks_left;      /* of each; 0 closes it */
    pthread_mutex_t lock;       /* of targets' begin and end, and of notes */
};

/* Sizes the ring and the crew, and gives the files' streams what they need for tensors drawn as a whole. */
enum sow_status sow_run_begin(struct sow_run *run, struct sow_files *files,
                              const struct sow_init_options *options, char notes[SOW_NOTES_MAX],
                              struct sow_error *error);
/* What the tensors drawn as a whole need in memory, with so many threads. */
struct sow_wholes_need sow_run_wholes(const struct sow_files *files, uint32_t threads);
void sow_run_end(struct sow_run *run);

/* One chunk, drawn into the worker's buffer and fingerprinted; returns the buffer. */
const unsigned char *sow_run_draw(struct sow_run *run, uint32_t worker,
                                  const struct sow_chunk *chunk);

/* All files into run->targets under their temporary names, synced and closed. The caller publishes or discards them. */
enum sow_status sow_run_to_files(struct sow_run *run, struct sow_error *error);
/* The one file to a descriptor, in order, without seeking. */
enum sow_status sow_run_to_pipe(struct sow_run *run, int descriptor, struct sow_error *error);

#endif
