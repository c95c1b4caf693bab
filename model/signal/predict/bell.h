/* SPDX-License-Identifier: MIT */
/* Means of sigmoid and tanh over a normal input, quickly: recurrent layers need thousands of them. Not sow_expand, which
 * does any function and is exact to rounding: here 1e-6 is enough. */
#ifndef SOW_SIGNAL_BELL_H
#define SOW_SIGNAL_BELL_H

#define SOW_BELL_HERMITE 20

enum sow_squash { SOW_SQUASH_SIGMOID, SOW_SQUASH_TANH };

/* Of y = f(mean + sqrt(variance) z). */
struct sow_bell {
    double mean, variance;
    double y, square, fourth;              /* E[y], E[y^2], E[y^4] */
    double slope, slope_square;            /* E[f'], E[f'^2] */
    double coefficients[SOW_BELL_HERMITE]; /* of y in normalised Hermite polynomials */
};

/* Fills `bell`, or leaves it where it is of almost the same numbers (as a step after another is). Errors: below 1e-6 for
 * a std up to 50; a larger one counts as 50, with the slope of the larger. */
void sow_bell_set(struct sow_bell *bell, enum sow_squash f, double mean, double variance);
/* E[y y'] of two inputs with this E[x x']. */
double sow_bell_product(const struct sow_bell *bell, double moment);

#endif
