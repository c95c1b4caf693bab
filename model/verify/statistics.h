/* SPDX-License-Identifier: MIT */
/* One streaming pass over the tensors of a checkpoint, and the numbers of each (struct sow_tensor_statistics).
 *
 * A tensor is cut into blocks from its own first byte, whatever the chunks and threads; what is not an integer is summed
 * block by block in order. Values of 8 and 16 bits are counted by their bits: all their numbers come from the counts.
 * Tensors are finished as the pass goes by, so memory does not grow with the checkpoint. */
#ifndef SOW_VERIFY_STATISTICS_H
#define SOW_VERIFY_STATISTICS_H

#include "model/checkpoint/safetensors.h"
#include "sow/model.h"

/* Parts of a tensor begin at multiples of it. */
#define SOW_BLOCK_BYTES ((uint64_t)256 << 10)

/* Elements whose value stands for [low, high): the numbers that are stored as it, or that share its leading bits. */
struct sow_cell {
    double low, high;
    uint64_t count;
};

/* A part of a tensor, whole blocks but for its end: elements [first, first + count). */
struct sow_part {
    size_t tensor; /* index of sow_statistics_at */
    enum sow_dtype dtype;
    uint64_t first, count;
    const unsigned char *bytes; /* little-endian, not aligned */
};

/* What else is wanted of the pass. Both are called from the workers, for several tensors at a time and in any order; of
 * one tensor every part once, then the cells once. They return SOW_OK or end the pass. */
struct sow_visitor {
    void *user;
    const unsigned char
        *only; /* one a tensor of the set: read nothing but these; NULL: all. Without globs */
    /* A part of any tensor; the elements of an opaque one are bytes here. May be NULL. */
    enum sow_status (*part)(void *user, const struct sow_part *part, struct sow_error *error);
    /* The finished numbers and the cells of the finite values, ascending and apart. May be NULL. */
    enum sow_status (*cells)(void *user, size_t tensor,
                             const struct sow_tensor_statistics *statistics,
                             const struct sow_cell *cells, size_t count, struct sow_error *error);
};

/* sow_statistics_load of an open set, which must outlive the result; `visitor` may be NULL. */
enum sow_status sow_statistics_make(const struct sow_st_set *set,
                                    const struct sow_statistics_options *options,
                                    const struct sow_visitor *visitor,
                                    struct sow_statistics **statistics, struct sow_error *error);

/* Whether the pass knows the type's values: the floating types from 8 bits on, integers and bool. */
int sow_value_known(enum sow_dtype dtype);
/* Values of `count` elements, as float32 (rounded where they do not fit) or exact but for 64-bit integers. */
void sow_values_f32(enum sow_dtype dtype, const unsigned char *bytes, uint64_t count, float *out);
void sow_values_f64(enum sow_dtype dtype, const unsigned char *bytes, uint64_t count, double *out);

#endif
