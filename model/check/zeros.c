/* SPDX-License-Identifier: MIT */
/* Rows and columns of zeros alone, by their sums, where no law is known: what nobody filled. */
#include "model/check/run.h"

#include <math.h>

#include "core/base/elementary.h"

#define SAFE_BITS 40.0 /* chance of such a line below 2^-40 a tensor */

static double log2_of(double x)
{
    return sow_log(x) / 0.6931471805599453;
}

/* Columns of zeros alone: half of a weight that was cut along its inputs. */
static void find_zero_columns(struct sow_check_run *run, size_t tensor,
                              const struct sow_tensor_statistics *row)
{
    const struct sow_check_tensor *of = &run->tensors[tensor];
    const struct sow_order *order = &of->order;
    uint64_t found = 0, first = 0, last = 0;
    for (uint64_t i = 0; order->column_sums != NULL && i < order->columns; i++) {
        if (order->column_sums[i] == 0) {
            first = found++ == 0 ? i : first;
            last = i;
        }
    }
    double bits = (double)order->rows * 3 - log2_of((double)order->columns + 1);
    if (found == 0 || found == order->columns || found * order->rows > row->zeros ||
        row->zeros > found * order->rows * 5 / 4 || of->entry != NULL || bits < SAFE_BITS) {
        return;
    }
    sow_check_find(
        run, tensor,
        (struct sow_raw_finding){
            .code = SOW_CODE_ZERO_ROWS,
            .statistic = "columns",
            .expected = 0,
            .found = (double)found,
            .element = first,
            .cause = "a shard that was not loaded, or inputs that nothing feeds",
            .text = sow_findings_keep(run->findings, "columns %llu to %llu: %llu are all zero",
                                      (unsigned long long)first, (unsigned long long)last,
                                      (unsigned long long)found),
        });
}

/* Rows of zeros alone, where the other elements' zeros cannot make them. */
static void find_zero_rows(struct sow_check_run *run, size_t tensor,
                           const struct sow_tensor_statistics *row)
{
    const struct sow_check_tensor *of = &run->tensors[tensor];
    const struct sow_order *order = &of->order;
    uint64_t found = 0, first = 0, last = 0;
    for (uint64_t i = 0; order->row_sums != NULL && i < order->rows; i++) {
        if (order->row_sums[i] == 0) {
            first = found++ == 0 ? i : first;
            last = i;
        }
    }
    if (found == 0 || found == order->rows || found * order->columns > row->zeros ||
        of->entry != NULL) {
        return;
    }
    double others = (double)(row->zeros - found * order->columns);
    double chance = others / (double)(row->elements - found * order->columns);
    double bits = chance <= 0 ? 1e9 : -log2_of(chance) * (double)order->columns;
    if (bits < log2_of((double)order->rows) + SAFE_BITS) {
        return;
    }
    sow_check_find(
        run, tensor,
        (struct sow_raw_finding){
            .code = SOW_CODE_ZERO_ROWS,
            .is_note = found == 1 && of->kind == SOW_NAME_EMBEDDING,
            .statistic = "rows",
            .expected = 0,
            .found = (double)found,
            .element = first * order->columns,
            .text = sow_findings_keep(
                run->findings,
                found == 1 ? "row %llu is all zero" : "rows %llu to %llu: %llu are all zero",
                (unsigned long long)first, (unsigned long long)last, (unsigned long long)found),
        });
}

void sow_check_zero_lines(struct sow_check_run *run, size_t tensor,
                          const struct sow_tensor_statistics *row)
{
    find_zero_rows(run, tensor, row);
    find_zero_columns(run, tensor, row);
}
