/* SPDX-License-Identifier: MIT */
/* The law a tensor's elements should follow: draws in known shares (blocks of a fused weight, padding rows), as a mixture
 * whose shares are exact. Numbers are those after rounding to the dtype. No samples in here: see tests.h. */
#ifndef SOW_CHECK_LAW_H
#define SOW_CHECK_LAW_H

#include "model/verify/value.h"

#define SOW_LAW_PARTS_MAX 64

struct sow_law_part {
    struct sow_draw draw;
    double share; /* of the elements; all sum to 1 */
};

struct sow_law {
    struct sow_law_part parts[SOW_LAW_PARTS_MAX];
    size_t count;
};

/* Zero when the slices are too many, or on several axes, or drawn as a whole (sow_draw_is_whole). */
int sow_law_make(const struct sow_plan_entry *entry, struct sow_law *law);
/* The draw of index `at` of the regions' axis, the same up to index *next; there are regions, on one axis. */
const struct sow_draw *sow_law_block(const struct sow_plan_entry *entry, uint64_t at,
                                     uint64_t *next);
struct sow_law sow_law_of(const struct sow_draw *draw);
/* Every element is a constant, of one value or several. */
int sow_law_is_constant(const struct sow_law *law);
int sow_law_has_constant(const struct sow_law *law);

/* P(X < x) and P(X >= x), each accurate where it is small. */
double sow_law_below(const struct sow_law *law, double x);
double sow_law_above(const struct sow_law *law, double x);
/* All values lie in [low, high]; infinite where nothing bounds them. */
void sow_law_bounds(const struct sow_law *law, double *low, double *high);

/* Of what is stored, about the law's own mean. */
struct sow_law_moments {
    double mean, variance;
    double square_variance; /* Var((X - mean)^2) */
    double
        proxy; /* sub-Gaussian: E exp(t (X - mean)) <= exp(proxy t^2 / 2), for the mean of a stratified sample */
    double square_max; /* (X - mean)^2 is at most that; INFINITY without a bound */
    double square_sum,
        square_peak; /* of normal parts: mean of variance^2 over the shares, and the largest variance */
    int is_fine; /* the type's steps are small against the std: rounding leaves a normal a normal */
    int is_one_normal; /* one part, normal or as good as uncut */
    int has_one_mean;  /* all parts have the law's mean */
};
struct sow_law_moments sow_law_moments(const struct sow_law *law,
                                       const struct sow_value_type *type);

#endif
