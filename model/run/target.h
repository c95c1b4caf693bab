/* SPDX-License-Identifier: MIT */
/* A file that appears whole or not at all: written under a temporary name in its folder, synced, renamed. Preallocation
 * and O_DIRECT are hints; where they are refused the bytes are the same and the report has a note. */
#ifndef SOW_RUN_TARGET_H
#define SOW_RUN_TARGET_H

#include <stdint.h>

#include "sow/model.h"

#define SOW_NOTES_MAX sizeof(((struct sow_init_report *)0)->notes)

/* The folder that a run writes into. */
struct sow_folder {
    int descriptor;    /* -1 when there is none */
    char path[4096];   /* "." for the current one */
    int has_noreplace; /* renameat2 knows RENAME_NOREPLACE here */
};

struct sow_target {
    const struct sow_folder *folder;
    char name[256], temporary[256];
    char path[512];   /* for messages; cut when longer */
    int file, direct; /* descriptors; `direct` -1 without O_DIRECT */
    uint64_t bytes;
    enum { SOW_TARGET_NONE, SOW_TARGET_TEMPORARY, SOW_TARGET_PUBLISHED } state;
};

/* Adds a line, unless it is there already. */
void sow_note(char notes[SOW_NOTES_MAX], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Sees whether files can be made and renamed here, before anything is written: some network and object stores cannot.
 * `path` is the output's, for messages. */
enum sow_status sow_folder_probe(struct sow_folder *folder, const char *path,
                                 struct sow_error *error);
enum sow_status sow_folder_sync(const struct sow_folder *folder, struct sow_error *error);

/* Creates the temporary file with room for `bytes`. */
enum sow_status sow_target_create(struct sow_target *target, const struct sow_folder *folder,
                                  const char *name, uint64_t bytes, char notes[SOW_NOTES_MAX],
                                  struct sow_error *error);
/* Any thread, any order; aligned writes from aligned memory go past the page cache. `refused` is set to the errno of a
 * refused direct write, after which the rest is buffered. */
enum sow_status sow_target_write(struct sow_target *target, const void *bytes, uint64_t count,
                                 uint64_t offset, int *refused, struct sow_error *error);
/* Syncs and closes; an error of either is a failure: network file systems report a full disk here. */
enum sow_status sow_target_close(struct sow_target *target, struct sow_error *error);
/* Gives the file its name. Without `force` an existing file stays: SOW_E_EXISTS. */
enum sow_status sow_target_publish(struct sow_target *target, int force, struct sow_error *error);
/* Removes whatever there is of it, published or not. */
void sow_target_discard(struct sow_target *target);

#endif
