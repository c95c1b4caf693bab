/* SPDX-License-Identifier: MIT */
/* Elementary functions in double: a fixed sequence of IEEE operations, the same bits on every target.
 * Not libm, whose last bits differ from one machine to the next. Special values as in C's Annex F, but no
 * exception flags, and NaN results are the positive quiet NaN. Constants: scripts/derive_elementary.py.
 *
 * Largest error in ulp, measured against mpmath on 240,000 points a function, extremes included
 * (tests/python/test_elementary.py): see each function. */
#ifndef SOW_BASE_ELEMENTARY_H
#define SOW_BASE_ELEMENTARY_H

double sow_exp(double x);
double sow_expm1(double x);
double sow_log(double x);
double sow_log1p(double x);
double sow_pow(double x, double y);
double sow_sqrt(double x); /* correctly rounded */
double sow_tanh(double x);
double sow_erf(double x);
double sow_erfc(double x);

#endif
