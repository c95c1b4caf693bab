/* SPDX-License-Identifier: MIT */
/* Tensors drawn from one stream at other scales or lengths: the signs of their first elements are the same. 128 independent
 * signs meet by chance once in 2^128; what is not symmetric about 0, or a twin already told, is left alone. */
#include "model/check/run.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"

#define SHOWN      4
#define ONES_LEAST 32 /* of a tensor's signs, and of its other ones: else it is one-sided */

void sow_check_signs(struct sow_check_tensor *tensor, const struct sow_part *part)
{
    uint32_t width = sow_dtype_bits(part->dtype) / 8;
    if (part->count < SOW_SIGNS || !sow_dtype_drawable(part->dtype)) {
        return;
    }
    for (uint32_t i = 0; i < SOW_SIGNS; i++) {
        uint64_t sign = part->bytes[(i + 1) * width - 1] >> 7; /* little-endian: the last byte */
        tensor->signs[i / 64] |= sign << i % 64;
    }
    for (uint32_t i = SOW_SIGNS / 64; tensor->signs[0] & 1 && i > 0; i--) {
        tensor->signs[i - 1] = ~tensor->signs[i - 1]; /* a tensor and its negative are one stream */
    }
}

static int ones_of(const struct sow_check_tensor *of)
{
    int ones = 0;
    for (uint32_t i = 0; i < SOW_SIGNS; i++) {
        ones += (int)(of->signs[i / 64] >> i % 64 & 1);
    }
    return ones;
}

/* Drawn, as far as can be seen, and not told already. */
static int has_stream(const struct sow_check_tensor *of)
{
    int ones = ones_of(of);
    return of->kind != SOW_NAME_BUFFER && of->row != NULL && of->entropy >= 3 && !of->is_bad &&
           !of->is_twin && !of->is_tied && ones >= ONES_LEAST && ones <= SOW_SIGNS - ONES_LEAST;
}

static int compare_signs(const void *a, const void *b, void *user)
{
    const struct sow_check_tensor *tensors = user;
    size_t left = *(const size_t *)a, right = *(const size_t *)b;
    int order = memcmp(tensors[left].signs, tensors[right].signs, sizeof tensors[left].signs);
    return order != 0 ? order : (left > right) - (left < right);
}

/* "the same draws in another precision", or at another scale. */
static const char *how_alike(struct sow_check_run *run, const struct sow_check_tensor *first,
                             const struct sow_check_tensor *of)
{
    double ratio = of->row->std / first->row->std;
    if (of->header->dtype != first->header->dtype && of->row->elements == first->row->elements &&
        ratio > 0.99 && ratio < 1.01) {
        return sow_findings_keep(run->findings,
                                 "the same draws as %.200s, in %s where that one is in %s",
                                 first->header->name, sow_dtype_name(of->header->dtype),
                                 sow_dtype_name(first->header->dtype));
    }
    return sow_findings_keep(run->findings,
                             "begins with the same draws as %.200s, %.4g times as large",
                             first->header->name, ratio);
}

static void tell(struct sow_check_run *run, const size_t *members, size_t count)
{
    const struct sow_check_tensor *first = &run->tensors[members[0]];
    for (size_t i = 1; i < count; i++) {
        const struct sow_check_tensor *of = &run->tensors[members[i]];
        sow_check_find(run, members[i],
                       (struct sow_raw_finding){
                           .code = SOW_CODE_STREAM,
                           .statistic = "tensors",
                           .expected = 1,
                           .found = (double)count,
                           .element = UINT64_MAX,
                           .text = how_alike(run, first, of),
                           .cause = "one seed, set anew for each tensor: the same stream",
                       });
    }
}

enum sow_status sow_check_streams(struct sow_check_run *run, struct sow_error *error)
{
    size_t *order = calloc(run->count + 1, sizeof order[0]), count = 0;
    if (order == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "no memory for %zu tensors", run->count);
    }
    for (size_t i = 0; i < run->count; i++) {
        if (has_stream(&run->tensors[i])) {
            order[count++] = i;
        }
    }
    qsort_r(order, count, sizeof order[0], compare_signs, run->tensors);
    for (size_t begin = 0, end; begin < count; begin = end) {
        const struct sow_check_tensor *first = &run->tensors[order[begin]];
        for (end = begin + 1; end < count && memcmp(first->signs, run->tensors[order[end]].signs,
                                                    sizeof first->signs) == 0;) {
            end++;
        }
        if (end - begin > 1) {
            tell(run, &order[begin], end - begin);
        }
    }
    free(order);
    return SOW_OK;
}
