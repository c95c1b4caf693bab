/* SPDX-License-Identifier: MIT */
/* A block of a tensor, read again as a sample of its own. Knows no law. */
#include "model/check/blocks.h"

#include <stdlib.h>

#include "core/base/error.h"
#include "model/check/again.h"
#include "model/verify/summary.h"
#include "model/verify/tally.h"

#define ELEMENTS_MAX ((uint64_t)1 << 22) /* of a block: more change no verdict that matters */

struct sow_block {
    struct sow_tally *tally;
    struct sow_moments *moments; /* one for SOW_BLOCK_BYTES */
    unsigned char *bytes;
    struct sow_tensor_statistics row;
};

enum sow_status sow_block_new(struct sow_block **block, struct sow_error *error)
{
    struct sow_block *made = calloc(1, sizeof *made);
    *block = made;
    if (made != NULL) {
        made->tally = sow_tally_new();
        made->bytes = malloc(ELEMENTS_MAX * 8);
        made->moments = calloc(ELEMENTS_MAX * 8 / SOW_BLOCK_BYTES + 1, sizeof made->moments[0]);
    }
    if (made == NULL || made->tally == NULL || made->bytes == NULL || made->moments == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "no memory for the blocks of a tensor");
    }
    return SOW_OK;
}

void sow_block_free(struct sow_block *block)
{
    if (block != NULL) {
        sow_tally_free(block->tally);
        free(block->bytes);
        free(block->moments);
        free(block);
    }
}

/* Elements of indices [begin, end) of the regions' axis, at most ELEMENTS_MAX. */
static enum sow_status gather(struct sow_block *block, const struct sow_again *again,
                              uint64_t begin, uint64_t end, uint64_t *gathered,
                              struct sow_error *error)
{
    const struct sow_tensor *of = &again->tensor->entry->tensor;
    uint32_t axis = again->tensor->entry->regions[0].axis,
             width = sow_dtype_bits(again->tensor->header->dtype) / 8;
    uint64_t inner = 1, outer = 1;
    enum sow_status status = SOW_OK;
    for (uint32_t i = 0; i < of->rank; i++) {
        outer *= i < axis ? of->shape[i] : 1;
        inner *= i > axis ? of->shape[i] : 1;
    }
    *gathered = 0;
    for (uint64_t i = 0; i < outer && *gathered < ELEMENTS_MAX && status == SOW_OK; i++) {
        uint64_t count = (end - begin) * inner, left = ELEMENTS_MAX - *gathered;
        count = count < left ? count : left;
        status = sow_again_read(again, (i * of->shape[axis] + begin) * inner * width, count * width,
                                block->bytes + *gathered * width, error);
        *gathered += count;
    }
    return status;
}

enum sow_status sow_block_read(struct sow_block *block, const struct sow_check_run *run,
                               size_t tensor, uint64_t begin, uint64_t end,
                               struct sow_sample *sample, struct sow_error *error)
{
    const struct sow_check_tensor *of = &run->tensors[tensor];
    const struct sow_value_type *type = sow_value_type(of->header->dtype);
    struct sow_moments moments = sow_moments_none();
    struct sow_again again;
    uint64_t count = 0, step = SOW_BLOCK_BYTES / type->width;
    enum sow_status status = sow_again_open(&again, run, tensor, error);
    if (status == SOW_OK) {
        status = gather(block, &again, begin, end, &count, error);
    }
    sow_again_close(&again);
    if (status == SOW_OK) {
        sow_tally_add(block->tally, type, 0, block->bytes, count, block->moments);
        for (uint64_t i = 0; !sow_value_narrow(type) && i * step < count; i++) {
            sow_moments_join(&moments, &block->moments[i]);
        }
        status = sow_tally_finish(block->tally, type, count, block->bytes, NULL, &moments, error);
    }
    if (status == SOW_OK) {
        sow_summary_begin(&block->row, of->header, "");
        block->row.elements = count;
        sow_summary_fill(&block->row, &moments, block->tally->cells, block->tally->cell_count);
        *sample =
            (struct sow_sample){&block->row, type, block->tally->cells, block->tally->cell_count};
    }
    return status;
}
