/* SPDX-License-Identifier: MIT */
/* What should be constant - tensors, padding rows, gates - compared element by element, and why it is not. */
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "model/check/run.h"

/* ---- Comparing ------------------------------------------------------------------------------------ */

static uint64_t inner_of(const struct sow_plan_entry *entry, uint32_t axis)
{
    uint64_t inner = 1;
    for (uint32_t i = axis + 1; i < entry->tensor.rank; i++) {
        inner *= entry->tensor.shape[i];
    }
    return inner;
}

/* Elements [first, first + count) of the tensor against one constant; `bytes` is element `begin`. */
static void compare_run(struct sow_check_tensor *tensor, const struct sow_part *part,
                        uint64_t first, uint64_t count, double constant)
{
    struct sow_draw draw;
    unsigned char bytes[8];
    double expected, values[256];
    uint32_t width = sow_dtype_bits(part->dtype) / 8;
    sow_draw_constant(constant, &draw, NULL);
    sow_fill(bytes, part->dtype, 0, 1, &draw, (struct sow_key){0, 0});
    /* sow_fill writes the machine's order, the file is little-endian: of a constant, let the values decide */
    const union {
        uint16_t number;
        unsigned char bytes[2];
    } order = {1};
    for (uint32_t i = 0; order.bytes[0] == 0 && i < width / 2; i++) {
        unsigned char byte = bytes[i];
        bytes[i] = bytes[width - 1 - i];
        bytes[width - 1 - i] = byte;
    }
    sow_values_f64(part->dtype, bytes, 1, &expected);
    for (uint64_t at = 0; at < count; at += 256) {
        uint64_t some = count - at < 256 ? count - at : 256, wrong = 0, bad = UINT64_MAX;
        sow_values_f64(part->dtype, part->bytes + (first + at - part->first) * width, some, values);
        for (uint64_t i = some; i > 0; i--) {
            if (values[i - 1] != expected) {
                wrong++;
                bad = first + at + i - 1;
            }
        }
        if (wrong > 0) {
            uint64_t known = atomic_load(&tensor->first_wrong);
            atomic_fetch_add(&tensor->wrong, wrong);
            while (bad < known &&
                   !atomic_compare_exchange_weak(&tensor->first_wrong, &known, bad)) {
            }
        }
    }
}

/* Indices [begin, end) of `axis` that meet the part. */
static void compare_slice(struct sow_check_tensor *tensor, const struct sow_part *part,
                          uint32_t axis, uint64_t begin, uint64_t end, double constant)
{
    uint64_t inner = inner_of(tensor->entry, axis),
             stride = inner * tensor->entry->tensor.shape[axis];
    uint64_t last = part->first + part->count;
    for (uint64_t start = part->first - part->first % stride; start < last; start += stride) {
        uint64_t from = start + begin * inner > part->first ? start + begin * inner : part->first;
        uint64_t to = start + end * inner < last ? start + end * inner : last;
        if (from < to) {
            compare_run(tensor, part, from, to - from, constant);
        }
    }
}

/* Whether regions [from, count) leave index `at` alone. */
static int is_on_top(const struct sow_plan_entry *entry, size_t from, uint64_t at)
{
    for (size_t i = from; i < entry->region_count; i++) {
        if (at >= entry->regions[i].begin && at < entry->regions[i].end) {
            return 0;
        }
    }
    return 1;
}

static uint64_t next_edge(const struct sow_plan_entry *entry, uint64_t at, uint64_t end)
{
    uint64_t next = end;
    for (size_t i = 0; i < entry->region_count; i++) {
        uint64_t low = entry->regions[i].begin, high = entry->regions[i].end;
        next = low > at && low < next ? low : next;
        next = high > at && high < next ? high : next;
    }
    return next;
}

enum sow_status sow_check_constants(struct sow_check_run *run, const struct sow_part *part,
                                    struct sow_error *error)
{
    struct sow_check_tensor *tensor = &run->tensors[part->tensor];
    const struct sow_plan_entry *entry = tensor->entry;
    struct sow_law law;
    (void)error;
    if (!sow_value_known(part->dtype) || !sow_law_make(entry, &law) ||
        !sow_law_has_constant(&law)) {
        return SOW_OK;
    }
    if (entry->region_count == 0) {
        compare_run(tensor, part, part->first, part->count, entry->draw.mean);
        return SOW_OK;
    }
    uint32_t axis = entry->regions[0].axis;
    uint64_t size = entry->tensor.shape[axis];
    for (uint64_t at = 0, next; at < size; at = next) {
        const struct sow_draw *draw = &entry->draw;
        next = next_edge(entry, at, size);
        for (size_t i = 0; i < entry->region_count; i++) {
            const struct sow_region *region = &entry->regions[i];
            if (at >= region->begin && at < region->end && is_on_top(entry, i + 1, at)) {
                draw = &region->draw;
            }
        }
        if (draw->distribution == SOW_CONSTANT) {
            compare_slice(tensor, part, axis, at, next, draw->mean);
        }
    }
    return SOW_OK;
}

/* ---- Why ------------------------------------------------------------------------------------------ */

/* Why there are several values where one belongs. Only what is wrong nearly everywhere was drawn. */
static const char *cause_of_several(struct sow_check_run *run, const struct sow_check_tensor *of,
                                    const struct sow_tensor_statistics *row, const char *why)
{
    if (of->kind == SOW_NAME_BUFFER) {
        return "moved by forward passes in training mode, or by training; or written over";
    }
    uint64_t fewer = row->at_min < row->at_max ? row->at_min : row->at_max;
    if (row->at_min + row->at_max == row->elements && fewer >= row->elements / 8) {
        return sow_findings_keep(run->findings,
                                 "two values, %.6g and %.6g: a slice was set (a forget gate's "
                                 "bias, a prior) in a tensor that should have none; of two biases "
                                 "that are added one is enough",
                                 row->min, row->max);
    }
    return of->wrong * 2 < row->elements
               ? NULL
               : sow_findings_keep(run->findings,
                                   "drawn at random where a constant belongs%s%.200s",
                                   why != NULL ? ": " : "", why != NULL ? why : "");
}

/* Why a constant is another one: what is there instead, and what the rule says about its own. */
static const char *cause_of_constant(struct sow_check_run *run, size_t tensor,
                                     const struct sow_law *law,
                                     const struct sow_tensor_statistics *row)
{
    const struct sow_check_tensor *of = &run->tensors[tensor];
    const char *reason = of->entry->reason;
    const char *why = reason != NULL && reason[0] != '\0' ? reason : NULL;
    double expected = law->parts[0].draw.mean;
    if (!sow_law_is_constant(law)) {
        return sow_findings_keep(run->findings,
                                 "the whole tensor was drawn, and the slice that is constant "
                                 "(padding) with it");
    }
    if (!row->is_constant) {
        return cause_of_several(run, of, row, why);
    }
    if (law->count > 1) {
        return sow_findings_keep(run->findings,
                                 "%s: the slice that differs was never set (a forget gate's bias, "
                                 "a prior of one class)",
                                 row->min == 0 ? "left at 0" : "one value everywhere");
    }
    if (strstr(of->header->name, "var") != NULL && row->min == 0) {
        return "a running variance of 0, which is divided by: made and never set to 1";
    }
    if (strstr(of->header->name, "num_batches_tracked") != NULL) {
        return sow_findings_keep(
            run->findings, "a count of %.0f batches: the model ran in training mode", row->min);
    }
    const char *here = why != NULL ? why : of->entry->scheme_text;
    if (row->min == 1 && expected == 0) {
        return sow_findings_keep(run->findings, "set to 1 as most scales are; here: %.200s", here);
    }
    if (row->min == 0) {
        return sow_findings_keep(run->findings, "left at 0; here: %.200s", here);
    }
    return NULL;
}

void sow_check_wrong_constants(struct sow_check_run *run, size_t tensor, const struct sow_law *law,
                               const struct sow_tensor_statistics *row)
{
    const struct sow_check_tensor *of = &run->tensors[tensor];
    struct sow_raw_finding raw = {.code = sow_law_is_constant(law) ? SOW_CODE_CONSTANT_VALUE
                                                                   : SOW_CODE_PADDING,
                                  .statistic = "value",
                                  .expected = law->count == 1 ? law->parts[0].draw.mean : NAN,
                                  .found = row->is_constant ? row->min : row->mean,
                                  .element = of->first_wrong};
    unsigned long long wrong = of->wrong, first = of->first_wrong, all = row->elements;
    if (law->count == 1 && row->is_constant) {
        raw.text = sow_findings_keep(run->findings, "all %llu elements are %.6g, expected %.6g",
                                     all, row->min, raw.expected);
    } else if (law->count == 1) {
        raw.text = sow_findings_keep(
            run->findings,
            "%llu of %llu elements are not %.6g (mean %.4g, std %.4g; the first is %llu)", wrong,
            all, raw.expected, row->mean, row->std, first);
    } else {
        raw.text = sow_findings_keep(
            run->findings,
            "%llu of %llu elements are not the constant of their slice (%s; the first is %llu)",
            wrong, all, of->entry->scheme_text, first);
    }
    raw.cause = cause_of_constant(run, tensor, law, row);
    sow_check_find(run, tensor, raw);
}
