/* SPDX-License-Identifier: MIT */
/* A block of a tensor (of a fused weight, of what is not padding) as a sample of its own. */
#ifndef SOW_CHECK_BLOCKS_H
#define SOW_CHECK_BLOCKS_H

#include "model/check/run.h"

struct sow_block; /* room to read one in; opaque */

/* SOW_E_MEMORY; free it all the same. */
enum sow_status sow_block_new(struct sow_block **block, struct sow_error *error);
void sow_block_free(struct sow_block *block);

/* Reads indices [begin, end) of the axis that the tensor's regions are on, its first 2^22 elements at most. *sample lives
 * until the next call. */
enum sow_status sow_block_read(struct sow_block *block, const struct sow_check_run *run,
                               size_t tensor, uint64_t begin, uint64_t end,
                               struct sow_sample *sample, struct sow_error *error);

#endif
