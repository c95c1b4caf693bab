/* SPDX-License-Identifier: MIT */
/* Statistical tests of a sample, given as counts of cells, against a law. Each gives the logarithm of an upper bound on the
 * chance that a right tensor looks at least as odd: true for any number of elements, not an approximation for many. */
#ifndef SOW_CHECK_TESTS_H
#define SOW_CHECK_TESTS_H

#include "model/check/law.h"
#include "model/verify/statistics.h"

enum sow_test {
    SOW_TEST_MEAN,   /* sub-Gaussian */
    SOW_TEST_SPREAD, /* chi square (Chernoff), or Bernstein */
    SOW_TEST_SHAPE,  /* Kolmogorov-Smirnov (Dvoretzky-Kiefer-Wolfowitz-Massart) */
    SOW_TEST_TAIL_2, /* how many lie beyond 2, 3 and 4 std: binomial (Chernoff) */
    SOW_TEST_TAIL_3,
    SOW_TEST_TAIL_4,
    SOW_TEST_LOW, /* the smallest and the largest value: too far out, not far enough */
    SOW_TEST_HIGH,
    SOW_TEST_LOW_SHORT,
    SOW_TEST_HIGH_SHORT,
    SOW_TEST_ZEROS, /* too many zeros */
    SOW_TEST_HEAP,  /* too many equal values at an end of the range; both ends in one */
    SOW_TEST_OFTEN, /* a cell between them that is too full: a lattice, values drawn with few bits */
    SOW_TEST_COUNT
};

/* Of each test, so that a right tensor fails any with a chance below 7e-7. */
#define SOW_TEST_ALPHA_LOG (-16.81) /* ln(5e-8) */

struct sow_sample {
    const struct sow_tensor_statistics *row;
    const struct sow_value_type *type;
    const struct sow_cell *cells;
    size_t count;
};

struct sow_verdict {
    double chance_log[SOW_TEST_COUNT]; /* 0: nothing odd */
    struct sow_law_moments moments;
    double distance;    /* largest of the distribution functions */
    double distance_at; /* where */
    int outside;        /* a value lies where the law has none */
    double often_at;    /* the cell that is fullest for its law, and what is in it */
    double often_found, often_expected;
};

/* All elements are finite. */
struct sow_verdict sow_tests_run(const struct sow_sample *sample, const struct sow_law *law);
/* The least of the tests of mean and spread, without the rest. */
double sow_tests_quick(const struct sow_sample *sample, const struct sow_law *law);
int sow_verdict_fails(const struct sow_verdict *verdict, enum sow_test test);
/* The smallest of all. */
double sow_verdict_worst(const struct sow_verdict *verdict);

#endif
