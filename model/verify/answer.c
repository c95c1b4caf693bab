/* SPDX-License-Identifier: MIT */
/* The first differing element: where it is, what it should be, what it is. */
#include "model/verify/answer.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/error.h"
#include "model/checkpoint/open.h"
#include "model/checkpoint/scan.h"
#include "model/plan/value.h"

/* "0x3c23 (0.00994873)" of an element in the file's byte order. */
static void describe_value(enum sow_dtype dtype, const unsigned char *little, char text[40])
{
    static const char hex[] = "0123456789abcdef";
    char value[32], digits[17] = "";
    unsigned char native[8];
    uint32_t size = sow_dtype_bits(dtype) / 8;
    for (uint32_t i = 0; i < size; i++) {
        digits[2 * i] = hex[little[size - 1 - i] >> 4];
        digits[2 * i + 1] = hex[little[size - 1 - i] & 15];
        native[i] = little[__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? size - 1 - i : i];
    }
    digits[2 * size] = '\0';
    sow_value_text(dtype, native, value);
    snprintf(text, 40, "0x%s (%.18s)", digits, value);
}

static enum sow_status describe_first(const struct sow_compare *compare,
                                      struct sow_verify_report *report, struct sow_error *error)
{
    unsigned char expected[8] = {0}, found[8] = {0};
    char path[512];
    int descriptor = -1;
    size_t file = compare->first_file;
    const struct sow_stream *stream = &compare->expected->streams[file];
    size_t tensor = sow_stream_find(stream, compare->first_offset);
    const struct sow_plan_entry *entry = stream->entries[tensor];
    uint64_t size = sow_dtype_bits(entry->dtype) / 8;
    snprintf(report->tensor, sizeof report->tensor, "%.511s", entry->name);
    report->element = (compare->first_offset - stream->begins[tensor]) / size;
    uint64_t offset = stream->begins[tensor] + report->element * size;
    enum sow_status status = sow_st_set_reopen(compare->set, file, 0, &descriptor, error);
    if (status != SOW_OK) {
        return status;
    }
    status = sow_read_at(descriptor, found, size, offset, sow_st_set_path(compare->set, file, path),
                         error);
    close(descriptor);
    sow_stream_fill(stream, offset, expected, size);
    describe_value(entry->dtype, expected, report->expected);
    describe_value(entry->dtype, found, report->found);
    return status;
}

enum sow_status sow_compare_answer(const struct sow_compare *compare,
                                   struct sow_verify_report *report, struct sow_error *error)
{
    char path[512], quoted[SOW_QUOTE_MAX];
    if (!compare->found) {
        return SOW_OK;
    }
    for (size_t i = 0; i < compare->set->tensors; i++) {
        report->differing_tensors += compare->differs[i];
    }
    enum sow_status status = describe_first(compare, report, error);
    if (status != SOW_OK) {
        return status;
    }
    return sow_fail_at(
        error, SOW_E_MISMATCH, sow_st_set_path(compare->set, compare->first_file, path), 0, 0,
        "tensor `%s`, element %llu: expected %s, found %s; %llu of %zu tensors "
        "differ",
        sow_quote(report->tensor, quoted), (unsigned long long)report->element, report->expected,
        report->found, (unsigned long long)report->differing_tensors, compare->set->tensors);
}
