/* SPDX-License-Identifier: MIT */
/* The rows of an index while it is read; private to model/checkpoint/. */
#ifndef SOW_CHECKPOINT_INDEX_H
#define SOW_CHECKPOINT_INDEX_H

#include "model/checkpoint/header.h"

struct sow_index_row {
    const char *name, *file;
    size_t at;       /* of the name in the text */
    uint32_t number; /* of the file; filled later */
};

struct sow_index_rows {
    struct sow_index_row *items;
    size_t count, capacity;
};

/* Reads the whole text. *total_size is left alone when the index does not tell it. */
enum sow_status sow_index_scan(struct sow_scan *scan, struct sow_index_rows *rows,
                               uint64_t *total_size);

#endif
