/* SPDX-License-Identifier: MIT */
/* From moments and cells to the numbers that are told of a tensor. */
#ifndef SOW_VERIFY_SUMMARY_H
#define SOW_VERIFY_SUMMARY_H

#include "model/verify/tally.h"

/* What the header tells; the rest as it is of nothing. Strings are not copied. */
void sow_summary_begin(struct sow_tensor_statistics *row, const struct sow_st_tensor *tensor,
                       const char *file);
/* The rest, but for `first`. Cells are ascending. */
void sow_summary_fill(struct sow_tensor_statistics *row, const struct sow_moments *moments,
                      const struct sow_cell *cells, size_t count);

#endif
