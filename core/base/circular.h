/* SPDX-License-Identifier: MIT */
/* Sine, cosine and their like in double, as core/base/elementary.h has the others: a fixed sequence
 * of IEEE operations, the same bits on every target. */
#ifndef SOW_BASE_CIRCULAR_H
#define SOW_BASE_CIRCULAR_H

/* Error below 3e-16 for |x| <= 2^20, then growing with x; NaN beyond 2^31. */
double sow_sin(double x);
double sow_cos(double x);
double sow_atan(double x);  /* below 3 ulp */
double sow_asinh(double x); /* below 4 ulp */

#endif
