/* SPDX-License-Identifier: MIT */
/* Axes sorted into rows, columns and copies, with their strides in the stored tensor. */
#include "core/tensor/matrices.h"

#include <string.h>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/tensor/tensor.h"

static enum sow_status fail(const struct sow_tensor *tensor, const char *rule, const char *way_out,
                            struct sow_error *error)
{
    return sow_fail(error, SOW_E_SHAPE, "%s, the shape is %s; %s", rule,
                    sow_shape_text(tensor->shape, tensor->rank).text, way_out);
}

/* Sizes of the tensor as it is stored, a block's packed axis being whole. */
static enum sow_status stored_shape(const struct sow_tensor *tensor, uint64_t *shape,
                                    uint64_t *elements, struct sow_error *error)
{
    if (tensor->rank < 2 || tensor->rank > SOW_RANK_MAX) {
        return fail(tensor, "a matrix needs two axes or more",
                    "use zeros, ones or constant for vectors", error);
    }
    memcpy(shape, tensor->shape, tensor->rank * sizeof *shape);
    for (uint32_t axis = 0; axis < tensor->rank; axis++) {
        if (shape[axis] == 0) {
            return fail(tensor, "there is no matrix without elements",
                        "no size may be 0 (zeros draws an empty tensor)", error);
        }
    }
    if (tensor->packed > 0 && tensor->packed_axis < tensor->rank) {
        shape[tensor->packed_axis] = tensor->packed;
    }
    return sow_product_u64(shape, tensor->rank, elements) || *elements > UINT64_MAX / 64
               ? fail(tensor, "that is too many elements", "is the shape right?", error)
               : SOW_OK;
}

static void add_axis(struct sow_index *index, uint64_t size, uint64_t stride)
{
    index->size[index->rank] = size;
    index->stride[index->rank++] = stride;
    index->count *= size;
}

/* What an axis is here; a matrix whose axes nobody named is (rows, columns). */
static enum sow_axis role_of(const struct sow_tensor *tensor, uint32_t axis)
{
    enum sow_axis is = sow_tensor_axis(tensor, axis);
    if (is == SOW_AXIS_NONE && tensor->rank == 2) {
        is = axis == 0 ? SOW_AXIS_OUT : SOW_AXIS_IN;
    }
    if (tensor->kind == SOW_KIND_CONV_TRANSPOSE && (is == SOW_AXIS_OUT || is == SOW_AXIS_IN)) {
        is = is == SOW_AXIS_OUT ? SOW_AXIS_IN : SOW_AXIS_OUT;
    }
    return is;
}

/* The rows, which are those of all groups, are cut into the groups' own. */
static enum sow_status cut_groups(const struct sow_tensor *tensor, struct sow_matrices *matrices,
                                  struct sow_error *error)
{
    struct sow_index *row = &matrices->row;
    int is_conv = tensor->kind == SOW_KIND_CONV || tensor->kind == SOW_KIND_CONV_TRANSPOSE;
    matrices->groups = is_conv && tensor->groups > 1 ? tensor->groups : 1;
    if (matrices->groups == 1) {
        return SOW_OK;
    }
    if (row->rank != 1 || row->size[0] % matrices->groups != 0) {
        return fail(tensor, "the groups of a convolution must divide its channels",
                    "is the layout right?", error);
    }
    row->size[0] /= matrices->groups;
    row->count /= matrices->groups;
    matrices->group_stride = row->size[0] * row->stride[0];
    return SOW_OK;
}

enum sow_status sow_tensor_matrices(const struct sow_tensor *tensor, enum sow_matrix_form form,
                                    struct sow_matrices *matrices, struct sow_error *error)
{
    uint64_t shape[SOW_RANK_MAX], elements = 0, stride = 1, strides[SOW_RANK_MAX];
    enum sow_status status = stored_shape(tensor, shape, &elements, error);
    if (status != SOW_OK) {
        return status;
    }
    *matrices = (struct sow_matrices){
        .row = {.count = 1}, .column = {.count = 1}, .each = {.count = 1}, .groups = 1};
    for (uint32_t axis = tensor->rank; axis-- > 0; stride *= shape[axis]) {
        strides[axis] = stride;
    }
    if (tensor->packed > 0 && tensor->packed_axis < tensor->rank) {
        matrices->origin = tensor->packed_begin * strides[tensor->packed_axis];
        matrices->before = tensor->packed_begin * (elements / tensor->packed);
    }
    for (uint32_t axis = 0; axis < tensor->rank; axis++) {
        uint64_t size = tensor->shape[axis];
        enum sow_axis is = role_of(tensor, axis);
        if (is == SOW_AXIS_NONE) {
            return fail(tensor, "a weight of more than two axes can be read in several ways",
                        "say which axis is what: a kind (conv) or a layout (\"each-out-in\")",
                        error);
        }
        if (is == SOW_AXIS_KERNEL) {
            matrices->taps = (matrices->taps > 0 ? matrices->taps : 1) * size;
        }
        if (is == SOW_AXIS_KERNEL && form == SOW_MATRIX_CENTRE) {
            matrices->origin += size / 2 * strides[axis];
            continue;
        }
        add_axis(is == SOW_AXIS_OUT    ? &matrices->row
                 : is == SOW_AXIS_EACH ? &matrices->each
                                       : &matrices->column,
                 size, strides[axis]);
    }
    if (matrices->row.rank == 0 || matrices->column.rank == 0) {
        return fail(tensor, "a matrix needs an axis out and an axis in or kernel",
                    "say which axis is what", error);
    }
    return cut_groups(tensor, matrices, error);
}

uint64_t sow_matrices_count(const struct sow_matrices *matrices)
{
    return matrices->each.count * matrices->groups;
}

uint64_t sow_matrices_begin(const struct sow_matrices *matrices, uint64_t number)
{
    return matrices->origin + sow_index_offset(&matrices->each, number / matrices->groups) +
           number % matrices->groups * matrices->group_stride;
}

uint64_t sow_index_offset(const struct sow_index *index, uint64_t at)
{
    uint64_t offset = 0;
    for (uint32_t axis = index->rank; axis-- > 0;) {
        offset += at % index->size[axis] * index->stride[axis];
        at /= index->size[axis];
    }
    return offset;
}
