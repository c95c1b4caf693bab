/* SPDX-License-Identifier: MIT */
/* Vectors live in double. A product with W^T is cut by columns, one with W or the Gram matrix by rows: elements are
 * chains of their own, whichever thread has them. */
#include "model/signal/measure/lanczos.h"

#include <math.h> /* NAN, isfinite: macros; sqrt is IEEE's own operation */
#include <stdlib.h>
#include <string.h>

#include "core/linalg/symmetric.h"

#define STEPS 200u
#define CLOSE 1e-13 /* relative change of the largest eigenvalue at which it is taken */
#define BLOCK 32u   /* rows or columns of a task */
#define LANES 4u

struct job {
    const struct sow_matrix *matrix;
    const double *from;
    double *to;
};

static void gram_rows(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct job *job = user;
    uint64_t n = job->matrix->rows;
    (void)scratch;
    for (uint64_t i = begin; i < end; i++) {
        const double *row = job->matrix->gram + i * n;
        double sums[LANES] = {0}, sum = 0;
        uint64_t k = 0;
        for (; k + LANES <= n; k += LANES) {
            for (uint64_t lane = 0; lane < LANES; lane++) {
                sums[lane] += row[k + lane] * job->from[k + lane];
            }
        }
        for (; k < n; k++) {
            sum += row[k] * job->from[k];
        }
        job->to[i] = sum + ((sums[0] + sums[1]) + (sums[2] + sums[3]));
    }
}

static void matrix_rows(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct job *job = user;
    uint64_t n = job->matrix->columns;
    (void)scratch;
    for (uint64_t i = begin; i < end; i++) {
        const float *row = job->matrix->at + i * n;
        double sums[LANES] = {0}, sum = 0;
        uint64_t k = 0;
        for (; k + LANES <= n; k += LANES) {
            for (uint64_t lane = 0; lane < LANES; lane++) {
                sums[lane] += (double)row[k + lane] * job->from[k + lane];
            }
        }
        for (; k < n; k++) {
            sum += (double)row[k] * job->from[k];
        }
        job->to[i] = sum + ((sums[0] + sums[1]) + (sums[2] + sums[3]));
    }
}

static void matrix_columns(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct job *job = user;
    (void)scratch;
    memset(job->to + begin, 0, (end - begin) * sizeof *job->to);
    for (uint64_t i = 0; i < job->matrix->rows; i++) {
        const float *row = job->matrix->at + i * job->matrix->columns;
        for (uint64_t k = begin; k < end; k++) {
            job->to[k] += (double)row[k] * job->from[i];
        }
    }
}

/* to = W W^T from, or W^T W from where W has more rows than columns; `between` has room for the larger side. */
static void multiply(struct sow_team *team, const struct sow_matrix *matrix, const double *from,
                     double *between, double *to)
{
    struct job job = {matrix, from, to};
    if (matrix->gram != NULL) {
        sow_team_ranges(team, matrix->rows, BLOCK, gram_rows, &job);
        return;
    }
    int is_tall = matrix->rows > matrix->columns;
    for (int half = 0; half < 2; half++) {
        job.from = half == 0 ? from : between;
        job.to = half == 0 ? between : to;
        if (half == is_tall) {
            sow_team_ranges(team, matrix->columns, 8 * BLOCK, matrix_columns, &job);
        } else {
            sow_team_ranges(team, matrix->rows, BLOCK, matrix_rows, &job);
        }
    }
}

static double dot(const double *a, const double *b, uint64_t count)
{
    double sums[LANES] = {0}, sum = 0;
    uint64_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        for (uint64_t lane = 0; lane < LANES; lane++) {
            sums[lane] += a[i + lane] * b[i + lane];
        }
    }
    for (; i < count; i++) {
        sum += a[i] * b[i];
    }
    return sum + ((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

static void take_off(double *from, const double *direction, double along, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        from[i] -= along * direction[i];
    }
}

static uint64_t smaller_side(const struct sow_matrix *matrix)
{
    int is_tall = matrix->gram == NULL && matrix->rows > matrix->columns;
    return is_tall ? matrix->columns : matrix->rows;
}

/* The largest eigenvalue of W W^T; basis: (steps + 1) x n. */
static double iterate(struct sow_team *team, const struct sow_matrix *matrix, uint64_t steps,
                      double *basis, double *between)
{
    uint64_t n = smaller_side(matrix);
    double diagonal[STEPS], beside[STEPS], largest = 0, before = -1;
    for (uint64_t step = 0; step < steps && !sow_team_stopped(team); step++) {
        double *v = basis + step * n, *next = v + n;
        multiply(team, matrix, v, between, next);
        diagonal[step] = dot(v, next, n);
        for (int twice = 0; twice < 2; twice++) { /* once leaves rounding behind */
            for (uint64_t i = 0; i <= step; i++) {
                take_off(next, basis + i * n, dot(basis + i * n, next, n), n);
            }
        }
        double length = sqrt(dot(next, next, n));
        largest = sow_tridiagonal_eigenvalue(step + 1, diagonal, beside, step);
        if (!(length > CLOSE * largest) || !(largest - before > CLOSE * largest)) {
            break;
        }
        before = largest;
        beside[step] = length;
        for (uint64_t i = 0; i < n; i++) {
            next[i] /= length;
        }
    }
    return largest;
}

double sow_largest_singular(struct sow_team *team, const struct sow_matrix *matrix)
{
    uint64_t n = smaller_side(matrix), steps = n < STEPS ? n : STEPS;
    double *basis = malloc(((steps + 1) * n + matrix->columns + matrix->rows + 1) * sizeof *basis);
    struct sow_draw draw;
    if (basis == NULL || n == 0) {
        free(basis);
        return NAN;
    }
    sow_draw_normal(0, 1, &draw, NULL);
    sow_fill(basis, SOW_F64, 0, n, &draw, sow_key("probe lanczos", 0));
    double length = sqrt(dot(basis, basis, n));
    for (uint64_t i = 0; i < n; i++) {
        basis[i] /= length;
    }
    double largest = iterate(team, matrix, steps, basis, basis + (steps + 1) * n);
    free(basis);
    return isfinite(largest) ? sqrt(largest > 0 ? largest : 0) : NAN;
}
