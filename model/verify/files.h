/* SPDX-License-Identifier: MIT */
/* The files of a set while chunks of them are read: opened at the first, closed after the last. */
#ifndef SOW_VERIFY_FILES_H
#define SOW_VERIFY_FILES_H

#include <pthread.h>

#include "model/checkpoint/safetensors.h"

struct sow_open_file {
    int buffered, direct; /* -1 when not open; direct also where O_DIRECT is refused */
    uint64_t uses_left;
};

struct sow_open_files {
    const struct sow_st_set *set;
    pthread_mutex_t lock;
    struct sow_open_file *files;
};

enum sow_status sow_open_files_make(struct sow_open_files *files, const struct sow_st_set *set,
                                    struct sow_error *error);
void sow_open_files_free(struct sow_open_files *files);
/* Before the reading: one more use of the file is to come. */
void sow_open_files_expect(struct sow_open_files *files, size_t file, uint64_t uses);
/* The descriptors, valid until this use is over. */
enum sow_status sow_open_files_use(struct sow_open_files *files, size_t file,
                                   struct sow_open_file *opened, struct sow_error *error);
void sow_open_files_used(struct sow_open_files *files, size_t file);

#endif
