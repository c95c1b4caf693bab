/* SPDX-License-Identifier: MIT */
/* One reading of tensors of a checkpoint, or of pairs of tensors of two: all threads, whole blocks from each tensor's own
 * first byte. Small neighbours are read together. */
#ifndef SOW_VERIFY_PASS_H
#define SOW_VERIFY_PASS_H

#include "model/checkpoint/safetensors.h"
#include "model/run/buffers.h"
#include "model/run/crew.h"
#include "model/verify/files.h"

/* Elements of `width` bytes from `offset` of a file. */
struct sow_pass_place {
    size_t file;
    uint64_t offset;
    uint32_t width;
};

struct sow_pass_item {
    size_t number; /* the caller's */
    uint64_t elements;
    struct sow_pass_place at[2]; /* one a side */
};

/* Elements [first, first + count) of an item; bytes[1] with two sides. */
struct sow_pass_part {
    const struct sow_pass_item *item;
    uint64_t first, count;
    const unsigned char *bytes[2];
};

/* What is done with a part. A seat, below crew.workers, is taken by one thread at a time, the few that were left last
 * first: whoever keeps tables keeps one for each. */
struct sow_pass_taker {
    enum sow_status (*part)(void *user, uint32_t seat, const struct sow_pass_part *part,
                            struct sow_error *error);
    void *user;
};

struct sow_pass_unit {
    size_t first, count; /* items */
};

struct sow_pass {
    const struct sow_pass_item *items;
    int sides;
    struct sow_open_files files[2];
    struct sow_pass_unit *units;
    uint64_t *unit_bytes; /* of the wider side */
    size_t unit_count;
    struct sow_buffers buffers;
    pthread_mutex_t lock; /* of what follows */
    uint32_t *free_seats; /* a stack: what was used last is still in the CPU's cache */
    uint32_t free_count;
    struct sow_crew crew; /* crew.workers is known after the beginning */
    struct sow_pass_taker taker;
};

/* Items of one file stand in the order of their offsets; none is empty. Sets and items outlive the pass. A part begins at
 * a multiple of SOW_BLOCK_BYTES of its side's bytes. */
enum sow_status sow_pass_begin(struct sow_pass *pass, const struct sow_st_set *const sets[2],
                               const struct sow_pass_item *items, size_t count,
                               const struct sow_statistics_options *options,
                               struct sow_error *error);
enum sow_status sow_pass_run(struct sow_pass *pass, const struct sow_pass_taker *taker,
                             struct sow_error *error);
void sow_pass_end(struct sow_pass *pass);

#endif
