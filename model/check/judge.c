/* SPDX-License-Identifier: MIT */
/* One tensor against its law: constants exactly, the rest by the tests; one finding a tensor, with the cause. */
#include "model/check/run.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/elementary.h"
#include "core/base/error.h"

#define FAR   12.0 /* std from the mean, which no draw is */
#define HEAVY 20.0 /* kurtosis */

/* ---- Constants ------------------------------------------------------------------------------------ */

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

static void find_wrong_constants(struct sow_check_run *run, size_t tensor,
                                 const struct sow_law *law, const struct sow_tensor_statistics *row)
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

/* ---- The law -------------------------------------------------------------------------------------- */

static const char *name_of(enum sow_distribution distribution)
{
    static const char *const names[] = {"constant", "uniform", "normal", "truncated normal"};
    return names[distribution];
}

static void count_judged(struct sow_check_run *run)
{
    pthread_mutex_lock(&run->findings->lock);
    run->judged++;
    pthread_mutex_unlock(&run->findings->lock);
}

static void describe_zeros(struct sow_check_run *run, const struct sow_tensor_statistics *row,
                           const struct sow_law *law, struct sow_raw_finding *raw)
{
    raw->code = SOW_CODE_ZERO_ROWS;
    raw->statistic = "elements";
    raw->expected = 0;
    raw->found = (double)row->zeros;
    raw->text = sow_findings_keep(run->findings, "%llu of %llu elements are 0, expected %s",
                                  (unsigned long long)row->zeros, (unsigned long long)row->elements,
                                  name_of(law->parts[0].draw.distribution));
}

/* The code, the numbers and the sentence of what failed; the first of them that explains the others. `known`: the code
 * that the values themselves gave, or SOW_CODE_COUNT. */
static int describe(struct sow_check_run *run, const struct sow_sample *sample,
                    const struct sow_law *law, const struct sow_verdict *verdict,
                    const char *expected_as, enum sow_code known, struct sow_raw_finding *raw)
{
    const struct sow_tensor_statistics *row = sample->row;
    double std = sow_sqrt(verdict->moments.variance), low, high;
    struct sow_findings *findings = run->findings;
    sow_law_bounds(law, &low, &high);
    if (known == SOW_CODE_ZERO_ROWS) {
        describe_zeros(run, row, law, raw);
    } else if (known == SOW_CODE_COUNT && sow_verdict_fails(verdict, SOW_TEST_SPREAD)) {
        raw->code = SOW_CODE_STD;
        raw->statistic = "std";
        raw->expected = std;
        raw->found = row->std;
        raw->text = sow_findings_keep(findings, "std %.5g, expected %.5g%s%s (factor %.4g)",
                                      row->std, std, expected_as != NULL ? " = " : "",
                                      expected_as != NULL ? expected_as : "", row->std / std);
    } else if (known == SOW_CODE_COUNT && sow_verdict_fails(verdict, SOW_TEST_MEAN)) {
        raw->code = SOW_CODE_MEAN;
        raw->statistic = "mean";
        raw->expected = verdict->moments.mean;
        raw->found = row->mean;
        raw->text =
            sow_findings_keep(findings, "mean %.5g, expected %.5g (%.3g std away)", row->mean,
                              verdict->moments.mean, (row->mean - verdict->moments.mean) / std);
    } else if (known == SOW_CODE_COUNT && verdict->outside) {
        raw->code = SOW_CODE_BOUNDS;
        raw->statistic = "bound";
        raw->expected = row->min < low ? low : high;
        raw->found = row->min < low ? row->min : row->max;
        raw->text =
            sow_findings_keep(findings, "values from %.5g to %.5g, expected within [%.5g, %.5g]",
                              row->min, row->max, low, high);
    } else if (known != SOW_CODE_LAW && sow_verdict_fails(verdict, SOW_TEST_HEAP)) {
        int top = row->at_max >= row->at_min;
        raw->code = SOW_CODE_CLIPPED;
        raw->statistic = "elements";
        raw->expected = NAN;
        raw->found = (double)(top ? row->at_max : row->at_min);
        raw->text = sow_findings_keep(
            findings, "%llu elements are %.5g and %llu are %.5g, the ends of the range",
            (unsigned long long)row->at_min, row->min, (unsigned long long)row->at_max, row->max);
    } else if (sow_verdict_worst(verdict) < SOW_TEST_ALPHA_LOG) {
        raw->code = SOW_CODE_LAW;
        raw->statistic = "kurtosis";
        raw->expected = NAN;
        raw->found = row->kurtosis;
        raw->text = sow_findings_keep(findings,
                                      "not the %s expected: Kolmogorov-Smirnov distance %.3g near "
                                      "%.4g, kurtosis %.3g, values from %.5g to %.5g, "
                                      "%llu zeros",
                                      law->count == 1 ? name_of(law->parts[0].draw.distribution)
                                                      : "mixture",
                                      verdict->distance, verdict->distance_at, row->kurtosis,
                                      row->min, row->max, (unsigned long long)row->zeros);
    } else {
        return 0;
    }
    return 1;
}

/* Signs in the values themselves that name a cause no other scheme does. *code: of the finding. NULL: none. */
static const char *read_signs(struct sow_check_run *run, size_t tensor,
                              const struct sow_sample *sample, const struct sow_verdict *verdict,
                              enum sow_code *code)
{
    const struct sow_tensor_statistics *row = sample->row;
    const struct sow_order *order = &run->tensors[tensor].order;
    double std = sow_sqrt(verdict->moments.variance);
    double reach = (fabs(row->min) > fabs(row->max) ? fabs(row->min) : fabs(row->max)) / std;
    uint64_t first = 0, rows = 0;
    for (uint64_t i = 0; order->row_sums != NULL && i < order->rows; i++) {
        first = order->row_sums[i] == 0 && rows++ == 0 ? i : first;
    }
    if (rows > 0 && order->columns > 1 && sow_verdict_fails(verdict, SOW_TEST_ZEROS)) {
        *code = SOW_CODE_ZERO_ROWS;
        return sow_findings_keep(
            run->findings, "%s: from element %llu on (a count past 2^31, a shard not loaded)",
            first + rows == order->rows ? "the tail was never filled" : "rows were never filled",
            (unsigned long long)(first * order->columns));
    }
    if (reach > FAR && row->kurtosis > HEAVY) {
        *code = sow_verdict_fails(verdict, SOW_TEST_HEAP) ? SOW_CODE_CLIPPED : SOW_CODE_LAW;
        return sow_findings_keep(
            run->findings,
            "a few values %.0f std out, as far as %.4g: infinities of the inverse normal, drawn in "
            "low precision, set to the bound",
            reach, row->max > -row->min ? row->max : row->min);
    }
    if (sow_verdict_fails(verdict, SOW_TEST_ZEROS)) {
        *code = SOW_CODE_LAW;
        return sow_findings_keep(run->findings,
                                 "%llu elements are exactly 0: not drawn, or too small for the "
                                 "type they were drawn in",
                                 (unsigned long long)row->zeros);
    }
    if (sow_verdict_fails(verdict, SOW_TEST_OFTEN) &&
        !sow_verdict_fails(verdict, SOW_TEST_SPREAD) &&
        !sow_verdict_fails(verdict, SOW_TEST_MEAN)) {
        *code = SOW_CODE_LAW;
        return sow_findings_keep(
            run->findings,
            "drawn in low precision (bf16, f16): values stand on a lattice, %.0f of them near %.4g "
            "where %.3g are expected",
            verdict->often_found, verdict->often_at, verdict->often_expected);
    }
    if (sow_verdict_fails(verdict, SOW_TEST_HEAP)) {
        *code = SOW_CODE_CLIPPED;
        return "clipped: what lay beyond the bound was set to it, not drawn again";
    }
    return NULL;
}

/* A random tensor that holds one value. */
static int find_flat(struct sow_check_run *run, size_t tensor,
                     const struct sow_tensor_statistics *row, const struct sow_law *law)
{
    const struct sow_check_tensor *of = &run->tensors[tensor];
    struct sow_law_moments moments = sow_law_moments(law, sow_value_type(row->dtype));
    if (!row->is_constant || row->elements < 2) {
        return 0;
    }
    sow_check_find(run, tensor,
                   (struct sow_raw_finding){
                       .code = row->min == 0 ? SOW_CODE_ZEROS : SOW_CODE_CONSTANT,
                       .statistic = "std",
                       .expected = sow_sqrt(moments.variance),
                       .found = 0,
                       .cause = row->min == 0 ? "never filled, or a gain of 0" : NULL,
                       .element = UINT64_MAX,
                       .text = sow_findings_keep(
                           run->findings, "all %llu elements are %.6g, expected %s",
                           (unsigned long long)row->elements, row->min, of->entry->scheme_text),
                   });
    return 1;
}

void sow_check_law(struct sow_check_run *run, size_t tensor, const struct sow_sample *sample)
{
    const struct sow_check_tensor *of = &run->tensors[tensor];
    const struct sow_tensor_statistics *row = sample->row;
    struct sow_law law;
    if (row->elements == 0 || !sow_law_make(of->entry, &law)) {
        return;
    }
    if (of->wrong > row->nan + row->inf) { /* those are told already */
        find_wrong_constants(run, tensor, &law, row);
    }
    if (sow_law_is_constant(&law)) {
        count_judged(run);
        return;
    }
    if (!sow_dtype_drawable(row->dtype) || row->finite < row->elements || of->is_bad) {
        return;
    }
    count_judged(run);
    if (of->wrong > 0 || find_flat(run, tensor, row, &law)) {
        return;
    }
    struct sow_verdict verdict = sow_tests_run(sample, &law);
    struct sow_raw_finding raw = {.element = UINT64_MAX};
    if (sow_verdict_worst(&verdict) >= SOW_TEST_ALPHA_LOG && !verdict.outside) {
        return;
    }
    const char *expected_as = NULL;
    raw.cause = sow_check_cause(run, tensor, sample, &expected_as);
    enum sow_code known = SOW_CODE_COUNT;
    if (raw.cause == NULL) {
        raw.cause = read_signs(run, tensor, sample, &verdict, &known);
        raw.code = known;
    }
    if (describe(run, sample, &law, &verdict, expected_as, known, &raw)) {
        sow_check_find(run, tensor, raw);
    }
}
