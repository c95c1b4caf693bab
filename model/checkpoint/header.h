/* SPDX-License-Identifier: MIT */
/* A safetensors header in memory; private to model/checkpoint/. */
#ifndef SOW_CHECKPOINT_HEADER_H
#define SOW_CHECKPOINT_HEADER_H

#include "model/checkpoint/safetensors.h"
#include "model/checkpoint/scan.h"

#define SOW_ST_NAME_MAX 4096 /* bytes of a tensor's name */

/* A tensor and where its name stands in the header text. */
struct sow_st_entry {
    struct sow_st_tensor tensor;
    uint32_t at;
};

struct sow_st_meta {
    struct sow_st_pair pair;
    uint32_t at;
};

struct sow_st_header {
    struct sow_st_entry *entries; /* by offset, ascending, once sow_st_check has passed */
    size_t count, capacity;
    struct sow_st_meta *metadata;
    size_t metadata_count, metadata_capacity;
    char *arena; /* all strings */
    uint64_t data_offset;
};

/* Its name in the format, from sow/dtype.def; NULL when there is no such type. */
const char *sow_st_dtype_name(enum sow_dtype dtype);

/* Fails when two of the names are equal; reorders them. `what` is for the message: "tensor". */
struct sow_st_name {
    uint64_t hash; /* filled by the check */
    const char *name;
    size_t at; /* position in the text */
};
enum sow_status sow_st_check_distinct(const struct sow_scan *scan, struct sow_st_name *names,
                                      size_t count, const char *what);

/* What one entry alone cannot tell: no name twice, and the tensors cover the data without hole or overlap. Sorts the
 * entries by offset. `file_bytes` as for sow_st_parse. */
enum sow_status sow_st_check(struct sow_scan *scan, struct sow_st_header *header,
                             uint64_t file_bytes);

#endif
