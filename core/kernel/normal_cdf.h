/* SPDX-License-Identifier: MIT */
/* The normal distribution function, part of stream version 1: truncation rests on it, so its bits are frozen. */
#ifndef SOW_KERNEL_NORMAL_CDF_H
#define SOW_KERNEL_NORMAL_CDF_H

/* Phi(x) = P(Z <= x) for Z ~ N(0, 1).
 *
 * Values  [0, 1]; relative error below 2e-15 for x >= -9.125, exactly 0 below; Phi(-INFINITY) = 0, Phi(INFINITY) = 1.
 *         1 - Phi(x) keeps its relative accuracy only as sow_normal_cdf(-x).
 * Bits    since stream 1, docs/stream.md section 7.
 * Source  Taylor series about the nearest quarter, derivatives by the Hermite recurrence. */
double sow_normal_cdf(double x);

#endif
