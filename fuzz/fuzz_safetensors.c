/* SPDX-License-Identifier: MIT */
/* Headers from anybody: the input is a whole file. sow_st_parse answers with a header that holds together or with an
 * error; a header that it accepts can be written and read again without a change. */
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

/* Contiguous from 0, ascending, every string readable. */
static void check_header(const struct sow_st_header *header, uint64_t file_bytes)
{
    uint64_t end = 0;
    size_t letters = 0;
    for (size_t i = 0; i < sow_st_count(header); i++) {
        const struct sow_st_tensor *tensor = sow_st_at(header, i);
        check(tensor->offset_begin == end && tensor->offset_end >= end);
        check(tensor->rank <= SOW_RANK_MAX);
        end = tensor->offset_end;
        letters += strlen(tensor->name);
    }
    check(letters <= file_bytes && sow_st_data_offset(header) + end == file_bytes);
}

static void write_and_read(const struct sow_st_header *header, uint64_t data_bytes)
{
    size_t count = sow_st_count(header);
    struct sow_st_tensor *tensors = calloc(count + 1, sizeof tensors[0]);
    struct sow_st_header *back = NULL;
    char *bytes = NULL;
    uint64_t length = 0;
    check(tensors != NULL);
    for (size_t i = 0; i < count; i++) {
        tensors[i] = *sow_st_at(header, i);
    }
    check(sow_st_build(tensors, count, NULL, 0, 8, &bytes, &length, NULL) == SOW_OK);
    check(sow_st_parse("", bytes + 8, length - 8, length + data_bytes, &back, NULL) == SOW_OK);
    check(sow_st_count(back) == count);
    for (size_t i = 0; i < count; i++) {
        const struct sow_st_tensor *again = sow_st_at(back, i);
        check(strcmp(again->name, tensors[i].name) == 0 && again->dtype == tensors[i].dtype &&
              again->rank == tensors[i].rank && again->offset_end == tensors[i].offset_end &&
              memcmp(again->shape, tensors[i].shape, sizeof again->shape) == 0);
    }
    sow_st_free(back);
    free(bytes);
    free(tensors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sow_st_header *header = NULL;
    struct sow_error error;
    uint64_t length = 0;
    if (size < 8) {
        return 0;
    }
    for (size_t i = 0; i < 8; i++) {
        length |= (uint64_t)data[i] << (8 * i);
    }
    length = length < size - 8 ? length : size - 8;
    enum sow_status status =
        sow_st_parse("file", (const char *)data + 8, length, size, &header, &error);
    if (status == SOW_OK) {
        check_header(header, size);
        write_and_read(header, size - 8 - length);
        sow_st_free(header);
    } else {
        check(error.code == status && memchr(error.message, '\0', sizeof error.message) != NULL);
    }
    return 0;
}
