/* SPDX-License-Identifier: MIT */
/* A weight as the matrices it holds, for schemes that draw a matrix as one thing: which element of the tensor is
 * row i, column j of which matrix. It knows no scheme. */
#ifndef SOW_TENSOR_MATRICES_H
#define SOW_TENSOR_MATRICES_H

#include "sow/sow.h"

/* Some axes read as one index, the last of them running fastest. */
struct sow_index {
    uint32_t rank;
    uint64_t size[SOW_RANK_MAX], stride[SOW_RANK_MAX]; /* strides in elements of the tensor */
    uint64_t count;                                    /* the product of the sizes */
};

struct sow_matrices {
    struct sow_index row, column; /* of one matrix */
    struct sow_index each;        /* a matrix an index of the axes `each` ... */
    uint64_t groups;              /* ... and a group of a convolution: */
    uint64_t group_stride;        /* elements from one to the next */
    uint64_t taps;                /* of a kernel; 0 when the weight has none */
    uint64_t origin; /* element 0 of matrix 0: of the block in its packed weight, at the tap */
    uint64_t before; /* elements of the packed weight that lie in blocks before this one */
};

/* What the columns run over. */
enum sow_matrix_form {
    SOW_MATRIX_FLAT, /* inputs and taps: the weight flattened to (out, rest) */
    SOW_MATRIX_CENTRE, /* inputs only, at the middle tap (size / 2): the rest of the weight is in no matrix */
};

/* Rows are the outputs, columns the other axes, both in the order they are stored in. A transposed convolution is
 * read as the convolution it is the transpose of: its rows are its inputs. A tensor of two axes that nobody named
 * has rows and columns. SOW_E_SHAPE where there is no matrix, or more than one reading. */
enum sow_status sow_tensor_matrices(const struct sow_tensor *tensor, enum sow_matrix_form form,
                                    struct sow_matrices *matrices, struct sow_error *error);

/* How many. */
uint64_t sow_matrices_count(const struct sow_matrices *matrices);
/* The element at row 0, column 0 of matrix `number`. */
uint64_t sow_matrices_begin(const struct sow_matrices *matrices, uint64_t number);
/* Elements from index 0 to index `at`. */
uint64_t sow_index_offset(const struct sow_index *index, uint64_t at);

#endif
