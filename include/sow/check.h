/* SPDX-License-Identifier: MIT */
/* Check: does a checkpoint look as its recipe says? Any checkpoint, whoever wrote it, read once; the findings are folded
 * over layers. Without a description the record in the file serves, and without that only what is wrong in itself is
 * found. docs/check.md has every code with an example and its cure.
 *
 *     struct sow_check *check;
 *     if (sow_check_load("model.safetensors", NULL, &check, &error) == SOW_OK) {
 *         for (size_t i = 0; (finding = sow_check_at(check, i)) != NULL; i++) { ... }
 *     }
 */
#ifndef SOW_CHECK_H
#define SOW_CHECK_H

#include "sow/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Codes: what can be found ------------------------------------------------------------------- */

enum sow_severity {
    SOW_SEVERITY_NOTE = 0, /* worth knowing; the checkpoint passes */
    SOW_SEVERITY_WARNING,  /* right in some models, a bug in most */
    SOW_SEVERITY_ERROR,    /* not what was asked for, or never right */
};
/* "note", "warning", "error". */
SOW_API const char *sow_severity_name(enum sow_severity severity);

/* A row of the one list. Codes are stable: scripts may rest on them. */
struct sow_check_code {
    const char *code; /* "twins" */
    enum sow_severity severity;
    int needs_source; /* found only where it is known what should be there */
    const char *title;
    const char *meaning; /* what it usually means, in words */
    const char *cure;    /* what to do */
};
/* NULL past the end. */
SOW_API const struct sow_check_code *sow_check_code_at(size_t index);
/* NULL with a did-you-mean in *error (SOW_E_ARGUMENT). */
SOW_API const struct sow_check_code *sow_check_code_find(const char *code, struct sow_error *error);

/* ---- The check ---------------------------------------------------------------------------------- */

struct sow_check_options {
    /* a description as for sow_model_load; NULL: the record in the file, or nothing */
    const char *source;
    const struct sow_model_options *model; /* with `source`; NULL for the defaults */
    const struct sow_plan_options *plan;   /* with `source`: variant, rules; seed and dtype 0 */
    int no_record;                         /* without `source`: do not take the record either */
    /* codes to report alone, and codes to leave out; none: all */
    const char *const *only, *const *ignore;
    size_t only_count, ignore_count;
    uint32_t threads; /* 0: all; they change no finding */
    sow_progress_fn *progress;
    void *progress_user;
    const volatile int *interrupted;
};

/* One thing found. Strings live as long as the check. */
struct sow_finding {
    const struct sow_check_code *code;
    enum sow_severity severity; /* the code's, or a milder one where the case is harmless */
    /* "h.{0..29}.mlp.up_proj.weight"; a file's or a field's name where it is about that */
    const char *where;
    const char *scope; /* "all of layers 0-29", "layers 3, 7 of 12"; "" when it is one tensor */
    const char *const *tensors; /* each by its full name, in the order of the files */
    size_t tensor_count;
    const char *
        text; /* what was found, with the numbers of the first tensor; one sentence, no full stop */
    const char
        *cause; /* the scheme or mistake that fits better, in words; NULL when none is known */
    const char *cure;
    const char
        *statistic; /* what the numbers are: "std", "mean", "rows", ...; NULL without numbers */
    /* of the first tensor, and over all of them; NAN when there is no number */
    double expected, found, found_min, found_max;
    uint64_t element; /* the first bad one, UINT64_MAX when it is not one element */
};

struct sow_check_report {
    uint64_t files, tensors, bytes; /* read */
    uint64_t judged;                /* tensors whose law was known and tested */
    uint64_t not_judged;            /* integers, bool, empty and opaque tensors: no law is tested */
    uint64_t errors, warnings, notes; /* findings */
    double seconds;
    const char
        *against; /* "gpt2/config.json, variant hf"; "the record in the file"; "" for lint alone */
};

struct sow_check; /* opaque, immutable */

/* `path`: a safetensors file, a folder, or an index. `options` may be NULL. SOW_OK when it could be checked, whatever was
 * found: it passes when the report counts no error and no warning. SOW_E_MISSING when shards are, before anything is
 * read; SOW_E_ARGUMENT for an unknown code; SOW_E_FORMAT, SOW_E_IO, and what sow_model_load and sow_plan_make give. */
SOW_API enum sow_status sow_check_load(const char *path, const struct sow_check_options *options,
                                       struct sow_check **check, struct sow_error *error);
SOW_API void sow_check_free(struct sow_check *check);
/* The worst first, then in the order of the files; NULL past the end. */
SOW_API const struct sow_finding *sow_check_at(const struct sow_check *check, size_t index);
SOW_API const struct sow_check_report *sow_check_report(const struct sow_check *check);

#ifdef __cplusplus
}
#endif
#endif
