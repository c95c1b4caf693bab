/* SPDX-License-Identifier: MIT */
/* What is wrong in itself: values that are no numbers, matrices of one value, a layer unlike its siblings, std 1. */
#include "model/check/run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/elementary.h"
#include "core/base/error.h"
#include "core/tensor/tensor.h"

#define RATIO        2.0 /* of a layer's std to the median of its siblings */
#define SIBLINGS_MIN 3
#define UNIT_COUNT   1000 /* elements from which "std 1" says something */
#define NORMS_MIN    2    /* scales that say that a file is trained */
#define LARGE        1e9  /* no initial weight is beyond */
#define LARGE_MEANT  1e6
#define SMALLEST     0x1p-126 /* of the normal numbers of f32 and bf16 */

static int is_float(const struct sow_tensor_statistics *row)
{
    return sow_dtype_drawable(row->dtype) && !row->is_opaque;
}

/* ---- One tensor ---------------------------------------------------------------------------------- */

static void find_not_finite(struct sow_check_run *run, size_t tensor,
                            const struct sow_tensor_statistics *row)
{
    struct sow_raw_finding raw = {
        .statistic = "elements", .expected = 0, .element = row->first_bad};
    const char *name = run->tensors[tensor].header->name;
    if (row->nan > 0) {
        raw.code = SOW_CODE_NAN;
        raw.found = (double)row->nan;
        raw.text = sow_findings_keep(
            run->findings, "%llu of %llu elements are NaN, the first bad one is %llu",
            (unsigned long long)row->nan, (unsigned long long)row->elements,
            (unsigned long long)row->first_bad);
        sow_check_find(run, tensor, raw);
    }
    if (row->inf > 0) {
        raw.code = SOW_CODE_INF;
        raw.cause =
            strstr(name, "log") != NULL || strstr(name, "decay") != NULL
                ? "the logarithm of a zero: drawn in low precision, a uniform is 0 now and then"
                : NULL;
        raw.found = (double)row->inf;
        raw.text = sow_findings_keep(
            run->findings, "%llu of %llu elements are infinite, the first bad one is %llu",
            (unsigned long long)row->inf, (unsigned long long)row->elements,
            (unsigned long long)row->first_bad);
        sow_check_find(run, tensor, raw);
    }
}

/* A weight of one value. Where a law is known it is judged by that instead. */
static void find_constant(struct sow_check_run *run, size_t tensor,
                          const struct sow_tensor_statistics *row)
{
    const struct sow_check_tensor *of = &run->tensors[tensor];
    int is_matrix = row->rank >= 2 && row->elements >= 4;
    struct sow_raw_finding raw = {
        .statistic = "value", .expected = NAN, .found = row->min, .element = UINT64_MAX};
    if (!is_matrix || !row->is_constant || of->entry != NULL || of->kind == SOW_NAME_BUFFER ||
        of->kind == SOW_NAME_NORM || of->kind == SOW_NAME_BIAS) {
        return;
    }
    raw.code = row->min == 0 ? SOW_CODE_ZEROS : SOW_CODE_CONSTANT;
    raw.is_note = row->min == 0 && of->kind == SOW_NAME_ZERO;
    raw.text = sow_findings_keep(run->findings, "all %llu elements are %.6g",
                                 (unsigned long long)row->elements, row->min);
    sow_check_find(run, tensor, raw);
}

/* Whether a matrix has std 1 within five standard errors, or a hundredth. */
static void find_unit_std(struct sow_check_run *run, size_t tensor,
                          const struct sow_tensor_statistics *row)
{
    const struct sow_check_tensor *of = &run->tensors[tensor];
    double error = 5 / sow_sqrt(2 * (double)row->elements);
    int is_weight = of->kind == SOW_NAME_WEIGHT || of->kind == SOW_NAME_EMBEDDING;
    if (of->entry != NULL || !is_weight || row->rank < 2 || row->elements < UNIT_COUNT ||
        fabs(row->std - 1) > (error > 0.01 ? error : 0.01) || fabs(row->mean) > 0.1) {
        return;
    }
    sow_check_find(run, tensor,
                   (struct sow_raw_finding){
                       .code = SOW_CODE_UNIT_STD,
                       .statistic = "std",
                       .expected = NAN,
                       .found = row->std,
                       .text = sow_findings_keep(run->findings, "std %.4g", row->std),
                       .cause = of->kind == SOW_NAME_EMBEDDING
                                    ? "torch.nn.Embedding's default, N(0, 1)"
                                    : NULL,
                       .element = UINT64_MAX,
                   });
}

/* Whether what is expected is itself that large. */
static int is_large_meant(const struct sow_check_tensor *of)
{
    const struct sow_draw *draw = of->entry == NULL ? NULL : &of->entry->draw;
    return draw != NULL && fabs(draw->mean) + draw->std > LARGE_MEANT;
}

/* Memory read as numbers. Pointers are below the normal range or, as halves, anywhere. */
static void find_garbage(struct sow_check_run *run, size_t tensor, const struct sow_sample *sample)
{
    const struct sow_tensor_statistics *row = sample->row;
    struct sow_check_tensor *of = &run->tensors[tensor];
    double most = fabs(row->min) > fabs(row->max) ? row->min : row->max;
    uint64_t tiny = 0;
    for (size_t i = 0; i < sample->count; i++) {
        const struct sow_cell *cell = &sample->cells[i];
        int is_tiny = cell->low > -SMALLEST && cell->high < SMALLEST;
        tiny += is_tiny ? cell->count : 0;
    }
    tiny = tiny > row->zeros ? tiny - row->zeros : 0;
    if (of->kind == SOW_NAME_BUFFER || row->is_constant || is_large_meant(of) ||
        !(fabs(most) > LARGE || (tiny > 8 && tiny > row->finite / 8))) {
        return;
    }
    of->is_bad = 1;
    sow_check_find(
        run, tensor,
        (struct sow_raw_finding){
            .code = SOW_CODE_GARBAGE,
            .statistic = "value",
            .expected = NAN,
            .found = most,
            .element = UINT64_MAX,
            .cause = "memory that was never filled",
            .text = sow_findings_keep(
                run->findings, "values from %.4g to %.4g, %llu of %llu not 0 but below 1e-38",
                row->min, row->max, (unsigned long long)tiny, (unsigned long long)row->elements),
        });
}

/* A variance that is divided by. Where a law is known it is judged by that instead. */
static void find_variance(struct sow_check_run *run, size_t tensor,
                          const struct sow_tensor_statistics *row)
{
    const char *name = run->tensors[tensor].header->name;
    if (run->tensors[tensor].entry != NULL || row->finite == 0 || row->min > 0 ||
        (strstr(name, "running_var") == NULL && strstr(name, "moving_variance") == NULL)) {
        return;
    }
    sow_check_find(
        run, tensor,
        (struct sow_raw_finding){
            .code = SOW_CODE_VARIANCE,
            .statistic = "value",
            .expected = 1,
            .found = row->min,
            .element = UINT64_MAX,
            .cause = row->is_constant ? "made and never set to 1" : NULL,
            .text = sow_findings_keep(run->findings, "values from %.4g to %.4g, %llu of %llu are 0",
                                      row->min, row->max, (unsigned long long)row->zeros,
                                      (unsigned long long)row->elements),
        });
}

void sow_check_values(struct sow_check_run *run, size_t tensor, const struct sow_sample *sample)
{
    const struct sow_tensor_statistics *row = sample->row;
    if (row->is_opaque || row->elements == 0) {
        return;
    }
    if (row->nan + row->inf > 0 && run->tensors[tensor].kind == SOW_NAME_BUFFER && row->nan == 0) {
        return; /* a mask of -inf */
    }
    find_not_finite(run, tensor, row);
    if (is_float(row)) {
        find_garbage(run, tensor, sample);
        find_constant(run, tensor, row);
        find_variance(run, tensor, row);
        find_unit_std(run, tensor, row);
    }
}

/* ---- Over layers --------------------------------------------------------------------------------- */

struct sibling {
    size_t tensor;
    uint64_t pattern, shape;
    double std;
};

static int compare_groups(const struct sibling *a, const struct sibling *b)
{
    int order = (a->pattern > b->pattern) - (a->pattern < b->pattern);
    return order != 0 ? order : (a->shape > b->shape) - (a->shape < b->shape);
}

static int compare_siblings(const void *a, const void *b)
{
    const struct sibling *left = a, *right = b;
    int order = compare_groups(left, right);
    return order != 0 ? order : (left->std > right->std) - (left->std < right->std);
}

/* Siblings, by ascending std. A few far from the median are outliers; many are a spread that is meant. */
static void judge_siblings(struct sow_check_run *run, const struct sibling *siblings, size_t count)
{
    double median = siblings[count / 2].std;
    size_t far = 0;
    for (size_t i = 0; i < count; i++) {
        double ratio = siblings[i].std / median;
        far += ratio > RATIO || ratio < 1 / RATIO;
    }
    if (count < SIBLINGS_MIN || median <= 0 || far == 0 || far * 3 > count) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        double ratio = siblings[i].std / median;
        if (ratio <= RATIO && ratio >= 1 / RATIO) {
            continue;
        }
        sow_check_find(
            run, siblings[i].tensor,
            (struct sow_raw_finding){
                .code = SOW_CODE_SIBLING,
                .statistic = "std",
                .expected = median,
                .found = siblings[i].std,
                .element = UINT64_MAX,
                .text = sow_findings_keep(
                    run->findings, "std %.4g, the median of its %zu siblings is %.4g (factor %.4g)",
                    siblings[i].std, count - 1, median, ratio),
            });
    }
}

/* Whether a tensor without a law takes part. */
static int has_siblings(const struct sow_check_tensor *of)
{
    return of->name.count > 0 && of->entry == NULL && of->row != NULL && is_float(of->row) &&
           of->row->rank >= 2 && of->row->elements >= 64 && !of->row->is_constant &&
           of->kind != SOW_NAME_BUFFER && of->kind != SOW_NAME_ZERO && of->row->std > 0 &&
           !of->is_bad;
}

enum sow_status sow_check_siblings(struct sow_check_run *run, struct sow_error *error)
{
    struct sibling *siblings = calloc(run->count + 1, sizeof siblings[0]);
    size_t count = 0;
    if (siblings == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "no memory for %zu tensors", run->count);
    }
    for (size_t i = 0; i < run->count; i++) {
        const struct sow_check_tensor *of = &run->tensors[i];
        if (has_siblings(of)) {
            struct sibling *made = &siblings[count++];
            *made = (struct sibling){i, of->name.pattern, of->row->rank, of->row->std};
            for (uint32_t axis = 0; axis < of->row->rank; axis++) {
                made->shape = made->shape * 0x9e3779b97f4a7c15u + of->row->shape[axis];
            }
        }
    }
    qsort(siblings, count, sizeof siblings[0], compare_siblings);
    for (size_t begin = 0, end; begin < count; begin = end) {
        for (end = begin + 1;
             end < count && compare_groups(&siblings[begin], &siblings[end]) == 0;) {
            end++;
        }
        judge_siblings(run, &siblings[begin], end - begin);
    }
    free(siblings);
    return SOW_OK;
}

/* ---- Trained --------------------------------------------------------------------------------------- */

/* The scale of a norm, long enough to tell: 1 (a constant) before training. */
static int is_scale(const struct sow_check_tensor *of)
{
    const char *last = strrchr(of->header->name, '.');
    return of->kind == SOW_NAME_NORM && of->row->elements >= 8 && is_float(of->row) &&
           strstr(last == NULL ? of->header->name : last, "bias") == NULL &&
           of->row->finite == of->row->elements;
}

/* About 1, but not there: what was drawn by mistake is about 0, or wider. */
static int has_moved(const struct sow_tensor_statistics *row)
{
    return !row->is_constant && fabs(row->mean - 1) < 0.5 && row->std < 0.2 * row->mean;
}

void sow_check_trained(struct sow_check_run *run)
{
    size_t scales = 0, moved = 0, counters = 0, first = SIZE_MAX;
    for (size_t i = 0; i < run->count; i++) {
        const struct sow_check_tensor *of = &run->tensors[i];
        int counts = strstr(of->header->name, "num_batches_tracked") != NULL && of->row->min > 0;
        int moves = is_scale(of) && has_moved(of->row);
        scales += (size_t)is_scale(of);
        moved += (size_t)moves;
        counters += (size_t)counts;
        first = (counts || moves) && first == SIZE_MAX ? i : first;
    }
    if (counters < NORMS_MIN && (moved < NORMS_MIN || moved * 2 < scales)) {
        return;
    }
    sow_check_find(
        run, first,
        (struct sow_raw_finding){
            .code = SOW_CODE_TRAINED,
            .expected = NAN,
            .found = NAN,
            .element = UINT64_MAX,
            .text = sow_findings_keep(
                run->findings,
                "%zu of %zu norm scales have left their constant, %zu batch counters are not 0",
                moved, scales, counters),
        });
    for (size_t i = 0; i < run->findings->raw_count; i++) {
        struct sow_raw_finding *raw = &run->findings->raw[i];
        raw->is_note |= raw->code == SOW_CODE_SIBLING || raw->code == SOW_CODE_UNIT_STD ||
                        raw->code == SOW_CODE_ZERO_ROWS || raw->code == SOW_CODE_NEAR_ROWS ||
                        raw->code == SOW_CODE_NEAR_COLUMNS;
    }
}
