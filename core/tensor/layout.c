/* SPDX-License-Identifier: MIT */
/* Which axis of a weight is what: the two common orders, or one word an axis. Never guessed from sizes:
 * a square matrix looks the same both ways. */
#include "core/tensor/tensor.h"

#include <string.h>

#include "core/base/error.h"

/* Index is enum sow_axis. */
static const char *const axis_words[] = {"", "out", "in", "kernel", "each"};

const char *sow_axis_word(enum sow_axis axis)
{
    return axis_words[axis];
}

enum sow_axis sow_tensor_axis(const struct sow_tensor *tensor, uint32_t index)
{
    if (index >= tensor->rank || tensor->rank > SOW_RANK_MAX) {
        return SOW_AXIS_NONE;
    }
    if (tensor->layout == SOW_LAYOUT_AXES) {
        return tensor->axes[index] <= SOW_AXIS_EACH ? (enum sow_axis)tensor->axes[index]
                                                    : SOW_AXIS_NONE;
    }
    if (tensor->kind == SOW_KIND_BILINEAR && tensor->rank == 3) {
        uint32_t out = tensor->layout == SOW_LAYOUT_OUT_IN ? 0 : 2;
        return index == out ? SOW_AXIS_OUT : SOW_AXIS_IN;
    }
    if (tensor->kind != SOW_KIND_LINEAR && tensor->kind != SOW_KIND_CONV) {
        return SOW_AXIS_NONE;
    }
    uint32_t place = tensor->layout == SOW_LAYOUT_OUT_IN ? index : tensor->rank - 1 - index;
    return place == 0 ? SOW_AXIS_OUT : place == 1 ? SOW_AXIS_IN : SOW_AXIS_KERNEL;
}

/* The axis that `length` bytes name; SOW_AXIS_NONE when they name none. */
static enum sow_axis parse_axis(const char *word, size_t length)
{
    for (int axis = SOW_AXIS_OUT; axis <= SOW_AXIS_EACH; axis++) {
        if (strlen(axis_words[axis]) == length && memcmp(axis_words[axis], word, length) == 0) {
            return (enum sow_axis)axis;
        }
    }
    return SOW_AXIS_NONE;
}

/* "out-in" and "in-out" mean all the axes of these kinds, kernel sizes included. */
static int has_short_layouts(const struct sow_tensor *tensor)
{
    return tensor->kind != SOW_KIND_CONV_TRANSPOSE;
}

enum sow_status sow_tensor_layout(struct sow_tensor *tensor, const char *layout,
                                  struct sow_error *error)
{
    if (has_short_layouts(tensor) &&
        (strcmp(layout, "out-in") == 0 || strcmp(layout, "in-out") == 0)) {
        tensor->layout = layout[0] == 'o' ? SOW_LAYOUT_OUT_IN : SOW_LAYOUT_IN_OUT;
        return SOW_OK;
    }
    uint8_t axes[SOW_RANK_MAX] = {SOW_AXIS_NONE};
    uint32_t count = 0;
    for (const char *word = layout;;) {
        size_t length = strcspn(word, "-");
        enum sow_axis axis = parse_axis(word, length);
        if (axis == SOW_AXIS_NONE) {
            return sow_fail(error, SOW_E_SHAPE,
                            "the layout \"%.80s\" is not \"out-in\", \"in-out\" or a word for each "
                            "axis joined by -: out, in, kernel, each (\"each-out-in\")",
                            layout);
        }
        if (count < SOW_RANK_MAX) {
            axes[count] = (uint8_t)axis;
        }
        count++;
        if (word[length] == '\0') {
            break;
        }
        word += length + 1;
    }
    if (count != tensor->rank) {
        return sow_fail(error, SOW_E_SHAPE,
                        "the layout \"%.80s\" names %u axes, and the shape is %s; a word for each "
                        "axis: out, in, kernel, each",
                        layout, count, sow_shape_text(tensor->shape, tensor->rank).text);
    }
    tensor->layout = SOW_LAYOUT_AXES;
    memcpy(tensor->axes, axes, sizeof axes);
    return SOW_OK;
}
