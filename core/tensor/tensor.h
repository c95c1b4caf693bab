/* SPDX-License-Identifier: MIT */
/* Shapes and axes as text, for messages. Tensors, fans and element types themselves are in
 * sow/sow.h. */
#ifndef SOW_TENSOR_TENSOR_H
#define SOW_TENSOR_TENSOR_H

#include "sow/sow.h"

/* "[768, 2304]"; cut short with "..." where it does not fit. */
struct sow_shape_text {
    char text[192];
};
struct sow_shape_text sow_shape_text(const uint64_t *shape, uint32_t rank);

/* "out", "in", "kernel", "each"; "" for SOW_AXIS_NONE. */
const char *sow_axis_word(enum sow_axis axis);

#endif
