/* SPDX-License-Identifier: MIT */
/* A checkpoint may have more shards than a process may have open files. */
#include "model/verify/files.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/error.h"

enum sow_status sow_open_files_make(struct sow_open_files *files, const struct sow_st_set *set,
                                    struct sow_error *error)
{
    files->set = set;
    files->files = calloc(set->count + 1, sizeof files->files[0]);
    if (files->files == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "no memory for %zu files", set->count);
    }
    for (size_t i = 0; i < set->count; i++) {
        files->files[i] = (struct sow_open_file){-1, -1, 0};
    }
    pthread_mutex_init(&files->lock, NULL);
    return SOW_OK;
}

static void close_file(struct sow_open_file *file)
{
    if (file->direct >= 0) {
        close(file->direct);
    }
    if (file->buffered >= 0) {
        close(file->buffered);
    }
    file->direct = file->buffered = -1;
}

void sow_open_files_free(struct sow_open_files *files)
{
    if (files->files == NULL) {
        return;
    }
    for (size_t i = 0; i < files->set->count; i++) {
        close_file(&files->files[i]);
    }
    pthread_mutex_destroy(&files->lock);
    free(files->files);
    files->files = NULL;
}

void sow_open_files_expect(struct sow_open_files *files, size_t file, uint64_t uses)
{
    files->files[file].uses_left += uses;
}

enum sow_status sow_open_files_use(struct sow_open_files *files, size_t number,
                                   struct sow_open_file *opened, struct sow_error *error)
{
    enum sow_status status = SOW_OK;
    struct sow_open_file *file = &files->files[number];
    pthread_mutex_lock(&files->lock);
    if (file->buffered < 0) {
        status = sow_st_set_reopen(files->set, number, 0, &file->buffered, error);
        if (status == SOW_OK &&
            sow_st_set_reopen(files->set, number, O_DIRECT, &file->direct, NULL) != SOW_OK) {
            file->direct = -1; /* a hint */
        }
    }
    *opened = *file;
    pthread_mutex_unlock(&files->lock);
    return status;
}

void sow_open_files_used(struct sow_open_files *files, size_t number)
{
    pthread_mutex_lock(&files->lock);
    if (--files->files[number].uses_left == 0) {
        close_file(&files->files[number]);
    }
    pthread_mutex_unlock(&files->lock);
}
