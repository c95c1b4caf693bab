/* SPDX-License-Identifier: MIT */
/* How a family file describes its schemes, and what a resolve function may ask of its call. To
 * add a scheme: one row and one function, side by side, in a family file. A new family file is
 * also one line in catalogue.c. */
#ifndef SOW_SCHEME_ROW_H
#define SOW_SCHEME_ROW_H

#include "core/scheme/scheme.h"

/* One resolution under way. Names, duplicates and required parameters are already checked;
 * `draw` and `detail` are never NULL. */
struct sow_call {
    const struct sow_scheme *scheme;
    const struct sow_argument *arguments;
    size_t count;
    const struct sow_tensor *tensor; /* NULL when the caller has none */
    struct sow_fans fans;            /* only when the scheme needs them */
    struct sow_draw *draw;
    struct sow_scheme_detail *detail;
    struct sow_error *error;
};

struct sow_scheme_row {
    struct sow_scheme scheme;
    enum sow_status (*resolve)(const struct sow_call *call);
};

/* What one file brings into the catalogue. */
struct sow_scheme_family {
    const struct sow_scheme_row *rows;
    size_t count;
};
extern const struct sow_scheme_family sow_scheme_constant;
extern const struct sow_scheme_family sow_scheme_basic;
extern const struct sow_scheme_family sow_scheme_variance;
extern const struct sow_scheme_family sow_scheme_prior;
extern const struct sow_scheme_family sow_scheme_whole;
extern const struct sow_scheme_family sow_scheme_recurrent;
extern const struct sow_scheme_family sow_scheme_state_space;

/* The argument called `name`; NULL when the caller left it to its default. */
const struct sow_argument *sow_call_find(const struct sow_call *call, const char *name);
/* Its default as the row has it; NULL when required. */
const char *sow_call_default(const struct sow_call *call, const char *name);

/* Each gives the argument's value, else the default of the row; SOW_E_ARGUMENT when it is of the
 * wrong type or out of range. `limit` may be infinite, `size` is finite and not negative. */
enum sow_status sow_call_number(const struct sow_call *call, const char *name, double *value);
enum sow_status sow_call_size(const struct sow_call *call, const char *name, double *value);
enum sow_status sow_call_limit(const struct sow_call *call, const char *name, double *value);
/* Index of the word in a NULL-terminated list. */
enum sow_status sow_call_word(const struct sow_call *call, const char *name,
                              const char *const *words, size_t *index);

/* The parameters gain, activation and slope (gain.c); also told in the detail. */
enum sow_status sow_call_gain(const struct sow_call *call, double *gain);

/* normal(mean, std), or the constant `mean` when std is 0. */
enum sow_status sow_call_normal(const struct sow_call *call, double mean, double std);
/* normal(mean, sigma) cut at [low, high], or the constant when sigma is 0. */
enum sow_status sow_call_trunc_normal(const struct sow_call *call, double mean, double sigma,
                                      double low, double high);

/* printf into the detail's formula_with_numbers. */
void sow_call_explain(const struct sow_call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* printf into the detail's loss. */
void sow_call_tell_loss(const struct sow_call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
