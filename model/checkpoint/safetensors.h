/* SPDX-License-Identifier: MIT */
/* safetensors: header bytes in and out, shards and their index. Knows names, shapes, dtypes and offsets; never draws and
 * never opens tensor data. Layout of a file:
 *
 *     0 .. 7         N, length of the header, unsigned 64-bit little-endian, at most 100,000,000
 *     8 .. 8 + N     UTF-8 JSON: {"__metadata__":{...},"name":{"dtype":...,"shape":[...],"data_offsets":[begin,end]},...},
 *                    padded at the end with spaces
 *     8 + N .. end   the tensors, contiguous, little-endian, no hole, no overlap */
#ifndef SOW_CHECKPOINT_SAFETENSORS_H
#define SOW_CHECKPOINT_SAFETENSORS_H

#include "sow/sow.h"

#define SOW_SAFETENSORS_HEADER_MAX 100000000u

struct sow_st_tensor {
    const char *name;
    enum sow_dtype dtype;
    uint32_t rank;
    uint64_t shape[SOW_RANK_MAX];
    uint64_t offset_begin, offset_end; /* in the data buffer */
};

struct sow_st_pair {
    const char *key, *value;
};

struct sow_st_header; /* opaque; owns its strings */

/* Parses header bytes (without the length prefix); `file_bytes` is the size of the whole file, for coverage checks
 * (UINT64_MAX: unknown). `path` is for messages. Rejects whatever the format rejects, naming the byte. */
enum sow_status sow_st_parse(const char *path, const char *json, size_t length, uint64_t file_bytes,
                             struct sow_st_header **header, struct sow_error *error);
/* Opens `path`, says what it is when it is no safetensors file (Git LFS pointer, HTML, zip, folder, empty, ...), reads
 * and parses the header only. */
enum sow_status sow_st_open(const char *path, struct sow_st_header **header,
                            struct sow_error *error);
void sow_st_free(struct sow_st_header *header);

size_t sow_st_count(const struct sow_st_header *header);
/* by offset, ascending */
const struct sow_st_tensor *sow_st_at(const struct sow_st_header *header, size_t index);
/* NULL when absent */
const char *sow_st_metadata(const struct sow_st_header *header, const char *key);
/* NULL past the end */
const struct sow_st_pair *sow_st_metadata_at(const struct sow_st_header *header, size_t index);
/* 8 + N */
uint64_t sow_st_data_offset(const struct sow_st_header *header);

/* Builds prefix + header for these tensors (offsets given), padded with spaces so that data starts at a multiple of
 * `alignment` (at least 8). Metadata keys are written sorted. SOW_E_FORMAT when over the limit, saying how far and that
 * --shard-size splits it. The caller frees *bytes with free. */
enum sow_status sow_st_build(const struct sow_st_tensor *tensors, size_t count,
                             const struct sow_st_pair *metadata, size_t metadata_count,
                             uint64_t alignment, char **bytes, uint64_t *length,
                             struct sow_error *error);

/* A sharded checkpoint: model.safetensors.index.json, or the folder that holds it. Shard names are plain base names. */
struct sow_st_index {
    const char **files; /* distinct shard file names: the shorter first, then by bytes */
    size_t file_count;
    const char **names;  /* tensor names */
    uint32_t *name_file; /* index into files */
    size_t name_count;
    char *folder;        /* the index's own folder */
    char *arena;         /* all strings */
    uint64_t total_size; /* as the index tells it; UINT64_MAX when it does not */
};
/* Parses the text of an index; `path` is for messages. */
enum sow_status sow_st_index_parse(const char *path, const char *text, size_t length,
                                   const char *folder, struct sow_st_index **index,
                                   struct sow_error *error);
enum sow_status sow_st_index_open(const char *path, struct sow_st_index **index,
                                  struct sow_error *error);
void sow_st_index_free(struct sow_st_index *index);

/* A checkpoint with all its headers: one file, or all shards of an index, checked against each other. */
struct sow_st_file {
    char *name; /* base name */
    uint64_t bytes;
    struct sow_st_header *header;
};
struct sow_st_set {
    char *folder;
    int descriptor; /* of the folder */
    int is_sharded; /* then links are not followed */
    struct sow_st_file *files;
    size_t count, tensors;
    uint64_t data_bytes;
    char warnings[1024]; /* one a line */
};
/* `path`: a safetensors file, an index, or a folder with model.safetensors or an index. SOW_E_MISSING when shards are
 * missing (how many, which, what was in them); SOW_E_FORMAT when index and shards disagree. */
enum sow_status sow_st_set_open(const char *path, struct sow_st_set **set, struct sow_error *error);
void sow_st_set_free(struct sow_st_set *set);
/* "model-00001-of-00007.safetensors" and its like. */
int sow_st_is_shard_name(const char *name);
/* "folder/name" of a file, for messages. Returns `path`. */
const char *sow_st_set_path(const struct sow_st_set *set, size_t file, char path[512]);
/* The file's descriptor for reading, as long as it has the size its header was checked against. */
enum sow_status sow_st_set_reopen(const struct sow_st_set *set, size_t file, int flags,
                                  int *descriptor, struct sow_error *error);

#endif
