/* SPDX-License-Identifier: MIT */
/* One tensor against its law, by the tests; one finding a tensor or block, with the cause. Constants are in constants.c. */
#include "model/check/run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/elementary.h"
#include "core/base/error.h"
#include "model/check/blocks.h"

#define FAR          12.0       /* std from the mean, which no draw is */
#define HEAVY        20.0       /* kurtosis */
#define CONSTANT_FEW (1.0 / 64) /* share of a mixture */

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
                     const struct sow_tensor_statistics *row, const struct sow_law *law,
                     const char *where)
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
                           run->findings, "%sall %llu elements are %.6g, expected %s", where,
                           (unsigned long long)row->elements, row->min, of->entry->scheme_text),
                   });
    return 1;
}

/* What a test says of a sample, with its cause. `where` stands before the text. */
static void tell(struct sow_check_run *run, size_t tensor, const struct sow_sample *sample,
                 const struct sow_law *law, const struct sow_verdict *verdict, const char *where)
{
    struct sow_raw_finding raw = {.element = UINT64_MAX};
    const char *expected_as = NULL;
    enum sow_code known = SOW_CODE_COUNT;
    raw.cause = sow_check_cause(run, tensor, sample, &expected_as);
    if (raw.cause == NULL && where[0] == '\0') {
        raw.cause = read_signs(run, tensor, sample, verdict, &known);
        raw.code = known;
    }
    if (describe(run, sample, law, verdict, expected_as, known, &raw)) {
        raw.text = sow_findings_keep(run->findings, "%s%s", where, raw.text);
        sow_check_find(run, tensor, raw);
    }
}

/* ---- Blocks --------------------------------------------------------------------------------------- */

/* Drawn blocks of one axis, where judging each is worth reading them again, else 0: in a mixture, a few constant rows
 * hide nothing, and what is drawn from one law throughout is one sample. */
static size_t count_blocks(const struct sow_plan_entry *entry, const struct sow_law *law)
{
    size_t blocks = 0, laws = 0;
    double constant = 0;
    for (size_t i = 0; i < law->count; i++) {
        int is_constant = law->parts[i].draw.distribution == SOW_CONSTANT;
        laws += !is_constant;
        constant += is_constant ? law->parts[i].share : 0;
    }
    if (law->count == 1 || (laws == 1 && constant < CONSTANT_FEW)) {
        return 0;
    }
    uint64_t size = entry->tensor.shape[entry->regions[0].axis];
    for (uint64_t at = 0, next; at < size; at = next) {
        blocks += sow_law_block(entry, at, &next)->distribution != SOW_CONSTANT;
    }
    return blocks;
}

/* The entry as if block `at` were all of it. */
static struct sow_plan_entry alone(const struct sow_plan_entry *entry, const struct sow_draw *draw,
                                   uint64_t at)
{
    struct sow_plan_entry made = *entry;
    for (size_t i = 0; i < entry->region_count; i++) {
        const struct sow_region *region = &entry->regions[i];
        if (at >= region->begin && at < region->end) {
            made.fan_in = region->fan_in;
            made.fan_out = region->fan_out;
        }
    }
    made.draw = *draw;
    made.region_count = 0;
    return made;
}

static void tell_block(struct sow_check_run *run, size_t tensor, const struct sow_sample *sample,
                       uint64_t at, size_t wrong)
{
    struct sow_check_tensor *of = &run->tensors[tensor];
    const struct sow_plan_entry *entry = of->entry;
    uint64_t next;
    const struct sow_draw *draw = sow_law_block(entry, at, &next);
    struct sow_law law = sow_law_of(draw);
    struct sow_plan_entry block = alone(entry, draw, at);
    const char *where = sow_findings_keep(
        run->findings,
        wrong > 1 ? "block [%llu, %llu) of axis %u, the first of %zu: "
                  : "block [%llu, %llu) of axis %u: ",
        (unsigned long long)at, (unsigned long long)next, (unsigned)entry->regions[0].axis, wrong);
    of->entry = &block; /* the cause is that of the block; nobody else looks at this tensor now */
    if (!find_flat(run, tensor, sample->row, &law, where)) {
        struct sow_verdict verdict = sow_tests_run(sample, &law);
        tell(run, tensor, sample, &law, &verdict, where);
    }
    of->entry = entry;
}

/* Each block against its own draw, by tests so much stricter that all of them together raise no more false alarms than
 * half a tensor. The first that fails is told. */
static enum sow_status judge_blocks(struct sow_check_run *run, size_t tensor, size_t blocks,
                                    int *told, struct sow_error *error)
{
    const struct sow_plan_entry *entry = run->tensors[tensor].entry;
    uint64_t size = entry->tensor.shape[entry->regions[0].axis], first = 0, next;
    double alpha_log = SOW_TEST_ALPHA_LOG - sow_log(2 * (double)blocks);
    struct sow_block *block = NULL;
    struct sow_sample sample;
    size_t wrong = 0;
    enum sow_status status = sow_block_new(&block, error);
    for (uint64_t at = 0; at < size && status == SOW_OK; at = next) {
        const struct sow_draw *draw = sow_law_block(entry, at, &next);
        if (draw->distribution == SOW_CONSTANT) {
            continue;
        }
        status = sow_block_read(block, run, tensor, at, next, &sample, error);
        if (status == SOW_OK) {
            struct sow_law law = sow_law_of(draw);
            struct sow_verdict verdict = sow_tests_run(&sample, &law);
            if (sow_verdict_worst(&verdict) < alpha_log || verdict.outside) {
                first = wrong++ == 0 ? at : first;
            }
        }
    }
    if (status == SOW_OK && wrong > 0) {
        sow_law_block(entry, first, &next);
        status = sow_block_read(block, run, tensor, first, next, &sample, error);
    }
    if (status == SOW_OK && wrong > 0) {
        tell_block(run, tensor, &sample, first, wrong);
        *told = 1;
    }
    sow_block_free(block);
    return status;
}

/* ---- All of it ------------------------------------------------------------------------------------ */

static void find_not_judged(struct sow_check_run *run, size_t tensor, const char *text)
{
    sow_check_find(run, tensor,
                   (struct sow_raw_finding){.code = SOW_CODE_OPAQUE,
                                            .expected = NAN,
                                            .found = NAN,
                                            .element = UINT64_MAX,
                                            .text = text});
}

enum sow_status sow_check_law(struct sow_check_run *run, size_t tensor,
                              const struct sow_sample *sample, struct sow_error *error)
{
    const struct sow_check_tensor *of = &run->tensors[tensor];
    const struct sow_tensor_statistics *row = sample->row;
    struct sow_law law;
    int told = 0;
    if (row->elements == 0) {
        return SOW_OK;
    }
    if (!sow_law_make(of->entry, &law)) {
        find_not_judged(run, tensor,
                        sow_plan_is_whole(of->entry)
                            ? "it is drawn as a whole, and its elements are not independent; "
                              "`sow verify` compares it bit for bit"
                            : "its slices are on several axes, or more than can be told apart");
        return SOW_OK;
    }
    if (of->wrong > row->nan + row->inf) { /* those are told already */
        sow_check_wrong_constants(run, tensor, &law, row);
    }
    if (sow_law_is_constant(&law)) {
        count_judged(run);
        return SOW_OK;
    }
    if (!sow_dtype_drawable(row->dtype)) {
        find_not_judged(run, tensor,
                        sow_findings_keep(run->findings, "stored as %s, expected %s",
                                          sow_dtype_name(row->dtype), of->entry->scheme_text));
    }
    if (!sow_dtype_drawable(row->dtype) || row->finite < row->elements || of->is_bad) {
        return SOW_OK;
    }
    count_judged(run);
    if (of->wrong > 0 || find_flat(run, tensor, row, &law, "")) {
        return SOW_OK;
    }
    size_t blocks = count_blocks(of->entry, &law);
    enum sow_status status = blocks > 0 ? judge_blocks(run, tensor, blocks, &told, error) : SOW_OK;
    struct sow_verdict verdict = sow_tests_run(sample, &law);
    if (status == SOW_OK && !told &&
        (sow_verdict_worst(&verdict) < SOW_TEST_ALPHA_LOG || verdict.outside)) {
        tell(run, tensor, sample, &law, &verdict, "");
    }
    return status;
}
