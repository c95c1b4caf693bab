/* SPDX-License-Identifier: MIT */
/* Means over two jointly normal inputs: E[f(x) f(y)], and E[f'(x) f'(y)], x and y of one mean and std and of any
 * correlation, from one expansion in normalised Hermite polynomials (Mehler: sum a_k^2 c^k). Kinked functions, whose
 * coefficients decay slowly, in closed form where they are lines on both sides of 0, else with the tail as the power
 * law its last coefficients show; its total is known, for the sum of all a_k^2 is E[f^2]. */
#ifndef SOW_ACTIVATION_PAIR_H
#define SOW_ACTIVATION_PAIR_H

#include "core/activation/row.h"

#define SOW_HERMITE    48 /* coefficients */
#define SOW_TAIL_NODES 16
#define SOW_NODES      16

/* f of one variable, its derivative (NAN where it has none to tell) and where either jumps. */
struct sow_pointwise {
    double (*value)(const void *of, double x, double *slope);
    const void *of;
    const double *kinks; /* ascending */
    size_t kink_count;
    int jumps;
    const struct sow_function
        *closed; /* this function, whose row may have closed forms; NULL: not */
    /* f at SOW_NODES x at once, to the same bits; NULL: one by one. Lists of x return while f is expanded for one std after
     * another. */
    void (*many)(const void *of, const double x[SOW_NODES], double y[SOW_NODES],
                 double slope[SOW_NODES]);
};

/* The part of a sum over k that lies beyond the coefficients: total * the law k^-power, taken at c. */
struct sow_tail {
    double total, even;           /* even: the share of even k */
    double terms[SOW_TAIL_NODES]; /* k over the first, of terms that stand for the law */
};

/* Of f(mean + std z). Where f jumps the slopes are those of the pieces between, as automatic differentiation sees it. */
struct sow_expansion {
    double std;
    double mean, square, fourth; /* E[f], E[f^2], E[f^4] */
    double slope, slope_square;  /* E[f'], E[f'^2] */
    double growth;               /* d E[f^2] / d std^2, = E[f f' z] / std */
    double coefficients[SOW_HERMITE];
    struct sow_tail tail, slope_tail;
    int jumps;
    int is_linear; /* low x below 0, high x above, and mean 0: all in closed form */
    double low, high;
    const struct sow_function *closed; /* not NULL: all from the row's closed forms, mean `at` */
    double at;
};

/* mean finite, std >= 0 and below 1e100. SOW_E_ARGUMENT where f is not finite, or has no second moment. */
enum sow_status sow_expand(const struct sow_pointwise *f, double mean, double std,
                           struct sow_expansion *expansion, struct sow_error *error);
/* From the row's closed forms; 0 where it has none for such inputs. */
int sow_closed_means(const struct sow_function *function, double mean, double std, double c,
                     struct sow_closed_means *means);
/* For sow_function: `pointwise` refers to it. */
struct sow_pointwise sow_pointwise_of(const struct sow_function *function);
/* E[f(x) f(y)] and E[f'(x) f'(y)]; c is held to [-1, 1]. */
double sow_expansion_product(const struct sow_expansion *expansion, double c);
double sow_expansion_slopes(const struct sow_expansion *expansion, double c);
/* Whether both are the sums of their series to 1e-12, with no law for a tail in them. */
int sow_expansion_converged(const struct sow_expansion *expansion, double c);

#endif
