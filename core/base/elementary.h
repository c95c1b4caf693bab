/* SPDX-License-Identifier: MIT */
/* Elementary functions in double: a fixed sequence of IEEE operations, the same bits on every
 * target. Not libm, whose last bits differ from one machine to the next. Special values as in
 * C's Annex F, but no exception flags. No allocation, no state, no table but the constants of
 * scripts/derive_elementary.py. The largest errors are those that scripts/measure_elementary.py
 * found against mpmath on 240,000 points each, extremes and subnormals included, and a finer
 * search of the worst regions. */
#ifndef SOW_BASE_ELEMENTARY_H
#define SOW_BASE_ELEMENTARY_H

double sow_exp(double x);           /* 0.75 ulp */
double sow_expm1(double x);         /* 0.95 ulp */
double sow_log(double x);           /* 0.50 ulp */
double sow_log1p(double x);         /* 0.50 ulp */
double sow_pow(double x, double y); /* 0.70 ulp */
double sow_sqrt(double x);          /* correctly rounded */
double sow_tanh(double x);          /* 0.76 ulp */
double sow_erf(double x);           /* 1.08 ulp */
double sow_erfc(double x);          /* 1.73 ulp */

#endif
