/* SPDX-License-Identifier: MIT */
/* What the parts of a check share: the checkpoint, what is expected of it, and what was measured. */
#ifndef SOW_CHECK_RUN_H
#define SOW_CHECK_RUN_H

#include "model/check/findings.h"
#include "model/check/names.h"
#include "model/check/order.h"
#include "model/check/tests.h"
#include "model/checkpoint/safetensors.h"

#define SOW_SIGNS 128

struct sow_check_tensor {
    const struct sow_st_tensor *header;
    size_t file;
    uint64_t offset; /* of its first byte in the file */
    /* what is expected; NULL when nothing is, or the shape differs */
    const struct sow_plan_entry *entry;
    enum sow_name_kind kind;
    struct sow_name name;
    const struct sow_tensor_statistics *row; /* after the pass */
    /* elements of constant slices that are not what they should be, and the first of them */
    _Atomic uint64_t wrong, first_wrong;
    /* bits an element, of those that are not 0; 0 for constants and what is no float */
    double entropy;
    uint64_t digest;                /* of the values in any order; 0 when there is none */
    int is_tied;                    /* stored though the source has it under another name */
    int is_bad;                     /* holds values that are no numbers, or no weights */
    int is_twin;                    /* told as a twin or a permuted copy of another */
    uint64_t signs[SOW_SIGNS / 64]; /* of the first elements, a bit each */
    struct sow_order order;
};

/* Two tensors that are one in the source. */
struct sow_check_tie {
    size_t tensor, to;
};

struct sow_check_run {
    const struct sow_st_set *set;
    const struct sow_check_options *options;
    struct sow_findings *findings;
    struct sow_check_tensor *tensors;
    size_t count;
    /* The other ways to initialise this model, for "which one fits better". */
    struct sow_plan **others;
    const char **other_names;
    size_t other_count;
    struct sow_check_tie *ties;
    size_t tie_count;
    int has_law;     /* a source or a record */
    int32_t layers;  /* of the model, 0 when it has none */
    uint64_t judged; /* under the findings' lock */
};

/* A finding of one tensor; the rest of *raw is the caller's. */
static inline void sow_check_find(struct sow_check_run *run, size_t tensor,
                                  struct sow_raw_finding raw)
{
    raw.name = run->tensors[tensor].header->name;
    raw.order = tensor;
    sow_findings_add(run->findings, &raw);
}

/* ---- The parts ------------------------------------------------------------------------------------ */

/* lint.c: of one tensor's numbers alone; called from the pass. Cells are those of sow_visitor. */
void sow_check_values(struct sow_check_run *run, size_t tensor, const struct sow_sample *sample);
/* lint.c: after the pass, over layers. SOW_E_MEMORY. */
enum sow_status sow_check_siblings(struct sow_check_run *run, struct sow_error *error);
/* lint.c: after all that finds; where the weights look trained, says so and makes notes of what training brings about. */
void sow_check_trained(struct sow_check_run *run);

/* constants.c: of a tensor whose entry is known. A part: counts what should be constant and is not; then the finding. */
enum sow_status sow_check_constants(struct sow_check_run *run, const struct sow_part *part,
                                    struct sow_error *error);
void sow_check_wrong_constants(struct sow_check_run *run, size_t tensor, const struct sow_law *law,
                               const struct sow_tensor_statistics *row);

/* judge.c: the cells of such a tensor against the law, and its blocks, which are read again. */
enum sow_status sow_check_law(struct sow_check_run *run, size_t tensor,
                              const struct sow_sample *sample, struct sow_error *error);

/* cause.c: the scheme that fits better than the expected one, in words that live as long as the findings; NULL. Of the
 * residual scaling *expected_as is how the expected std comes about ("0.02/sqrt(2*12)"), else NULL. */
const char *sow_check_cause(struct sow_check_run *run, size_t tensor,
                            const struct sow_sample *sample, const char **expected_as);

/* expect.c: the entries, from the source, its other variants, or the record; what is missing, extra, of another shape.
 * *against: in words. Free with sow_check_expect_end. */
struct sow_check_expect;
enum sow_status sow_check_expect(struct sow_check_run *run, struct sow_check_expect **expect,
                                 const char **against, struct sow_error *error);
void sow_check_expect_end(struct sow_check_expect *expect);

/* streams.c: keeps the signs of the first elements; from the pass, of the part that begins the tensor. */
void sow_check_signs(struct sow_check_tensor *tensor, const struct sow_part *part);
/* streams.c: after the twins, which are marked. SOW_E_MEMORY. */
enum sow_status sow_check_streams(struct sow_check_run *run, struct sow_error *error);

/* zeros.c: rows and columns of zeros alone; called by the next. */
void sow_check_zero_lines(struct sow_check_run *run, size_t tensor,
                          const struct sow_tensor_statistics *row);

/* symmetry.c: equal and permuted rows and columns; called from the pass with the tensor's sums complete. */
enum sow_status sow_check_symmetry(struct sow_check_run *run, size_t tensor,
                                   const struct sow_tensor_statistics *row,
                                   struct sow_error *error);

/* near.c: rows and columns that are nearly copies; called after the one before. */
enum sow_status sow_check_near(struct sow_check_run *run, size_t tensor,
                               const struct sow_tensor_statistics *row, struct sow_error *error);

/* twins.c: after the pass; ties first. */
enum sow_status sow_check_twins(struct sow_check_run *run, struct sow_error *error);

#endif
