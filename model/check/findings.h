/* SPDX-License-Identifier: MIT */
/* Findings as they are made, one a tensor, from any thread; and folded at the end. Knows nothing of why. */
#ifndef SOW_CHECK_FINDINGS_H
#define SOW_CHECK_FINDINGS_H

#include <pthread.h>
#include <stddef.h>

#include "model/check/codes.h"

/* One thing found in one tensor. Strings live as long as the findings: sow_findings_keep makes such. */
struct sow_raw_finding {
    enum sow_code code;
    int is_note;      /* milder than the code */
    const char *name; /* of the tensor, a file, a field */
    size_t order;     /* findings of one code are told in this order */
    const char *text;
    const char *cause;     /* NULL: none */
    const char *cure;      /* NULL: the code's */
    const char *statistic; /* NULL: no numbers */
    double expected, found;
    uint64_t element; /* UINT64_MAX: none */
};

/* A finding and where its first tensor stands. */
struct sow_folded {
    struct sow_finding finding;
    size_t order;
};

struct sow_findings {
    pthread_mutex_t lock;
    int failed; /* no memory */
    char **strings;
    size_t string_count, string_room;
    struct sow_raw_finding *raw;
    size_t raw_count, raw_room;
    struct sow_folded *folded;
    size_t folded_count;
    const char **names; /* of the folded: slices */
};

void sow_findings_begin(struct sow_findings *findings);
void sow_findings_free(struct sow_findings *findings);
/* A text of their own. Never NULL. */
const char *sow_findings_keep(struct sow_findings *findings, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void sow_findings_add(struct sow_findings *findings, const struct sow_raw_finding *raw);

/* Which codes are wanted, and the names of all tensors, for "all of layers 0-29". */
struct sow_fold_context {
    const char *const *only, *const *ignore;
    size_t only_count, ignore_count;
    const char *const *names;
    size_t name_count;
};
/* Sorts and folds. SOW_E_MEMORY. */
enum sow_status sow_findings_fold(struct sow_findings *findings,
                                  const struct sow_fold_context *context, struct sow_error *error);

#endif
