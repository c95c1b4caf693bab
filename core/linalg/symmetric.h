/* SPDX-License-Identifier: MIT */
/* Eigenvalues of a symmetric matrix in double: Householder's reflections make it tridiagonal (Householder 1958), and
 * bisection finds the eigenvalues by Sturm's counts (Givens 1954). A fixed sequence of IEEE operations, so the same bits
 * everywhere; it always ends. No eigenvectors. */
#ifndef SOW_LINALG_SYMMETRIC_H
#define SOW_LINALG_SYMMETRIC_H

#include <stdint.h>

/* `a`: n x n finite numbers, both triangles, destroyed. `work`: 4 n doubles. `values`: n, ascending. Each is off by a
 * few roundings of the largest in magnitude. Time: 2 n^3 operations and 60 n^2 divisions. */
void sow_symmetric_eigenvalues(uint64_t n, double *a, double *work, double *values);

/* Eigenvalue `index`, from 0 in ascending order, of the tridiagonal matrix with `diagonal` (n) and `beside` it (n - 1). */
double sow_tridiagonal_eigenvalue(uint64_t n, const double *diagonal, const double *beside,
                                  uint64_t index);

#endif
