/* SPDX-License-Identifier: MIT */
/* Indexes from anybody: sow_st_index_parse answers with an index whose shard names are plain base names, or an error. */
#include "model/checkpoint/safetensors.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int condition)
{
    if (!condition) {
        abort();
    }
}

static void check_index(const struct sow_st_index *index, size_t size)
{
    size_t letters = 0;
    for (size_t i = 0; i < index->file_count; i++) {
        const char *file = index->files[i];
        letters += strlen(file);
        check(file[0] != '\0' && strchr(file, '/') == NULL && strcmp(file, ".") != 0 &&
              strcmp(file, "..") != 0 && strlen(file) < 256);
    }
    for (size_t i = 0; i < index->name_count; i++) {
        letters += strlen(index->names[i]);
        check(index->name_file[i] < index->file_count);
    }
    check(letters <= size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sow_st_index *index = NULL;
    struct sow_error error;
    enum sow_status status =
        sow_st_index_parse("index", (const char *)data, size, ".", &index, &error);
    if (status == SOW_OK) {
        check_index(index, size);
        sow_st_index_free(index);
    } else {
        check(error.code == status && memchr(error.message, '\0', sizeof error.message) != NULL);
    }
    return 0;
}
