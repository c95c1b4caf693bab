/* SPDX-License-Identifier: MIT */
/* What a resolved scheme can tell about itself: the formula with its numbers, for `explain` and
 * the plan. The catalogue itself is in sow/sow.h; how a family file describes its rows is in
 * row.h. */
#ifndef SOW_SCHEME_SCHEME_H
#define SOW_SCHEME_SCHEME_H

#include "sow/sow.h"

/* How sow_scheme_resolve came to its draw. Numbers a scheme does not use are NAN. */
struct sow_scheme_detail {
    const struct sow_scheme *scheme; /* the row of the catalogue, aliases resolved; static */
    double fan_in, fan_out;          /* that it took, when the scheme needs fans */
    const char *fan_rule;            /* "torch", "keras", "jax"; NULL for the true fans; static */
    double fan_used;                 /* after the mode: the n in gain^2 / n */
    double gain;                     /* as a number, also when an activation's name was given */
    const char *mode;                /* "fan_in", ...; NULL when the scheme has none; static */
    char activation[32];             /* "relu" when the gain came by name, else "" */
    const char *gain_rule; /* "torch", "nfnet", "critical"; NULL for the exact gain; static */
    char formula_with_numbers[256]; /* "std = 1.41421 / sqrt(768) = 0.0510310" */
    char loss[256]; /* of a prior: what the network's first loss is with it; "" otherwise */
    /* Of a scheme with a number for each row (the draw is then row 0's): the caller's list, and what
     * sow_scheme_row needs to know; 0 rows for all others. */
    const double *weights;
    size_t rows;
    double weight_more, weight_sum;
};

/* The number of row `row`, below detail->rows. */
double sow_scheme_row(const struct sow_scheme_detail *detail, size_t row);

/* sow_scheme_resolve, which also fills *detail (may be NULL). Same errors; *draw and *detail are
 * untouched on failure. */
enum sow_status sow_scheme_resolve_detail(const char *scheme, const struct sow_argument *arguments,
                                          size_t count, const struct sow_tensor *tensor,
                                          struct sow_draw *draw, struct sow_scheme_detail *detail,
                                          struct sow_error *error);

#endif
