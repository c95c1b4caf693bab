/* SPDX-License-Identifier: MIT */
/* Singular values of rows in float32: the eigenvalues of the smaller of J J^T and J^T J, in double. What lies below a
 * millionth of the largest is rounding of the rows themselves. */
#include <math.h> /* NAN, isfinite: macros; sqrt is IEEE's own operation */
#include <stdlib.h>

#include "core/base/elementary.h"
#include "core/base/error.h"
#include "core/linalg/symmetric.h"
#include "model/signal/measure/jacobian.h"
#include "model/signal/measure/spectrum.h"

#define LANES   8u
#define NOTHING 1e-6 /* of the largest singular value */

/* ---- Gram matrices -------------------------------------------------------------------------------- */

struct gram {
    const float *x;
    uint64_t rows, columns;
    double *g;
};

static double dot(const float *a, const float *b, uint64_t count)
{
    double sums[LANES] = {0}, sum = 0;
    uint64_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        for (uint64_t lane = 0; lane < LANES; lane++) {
            sums[lane] += (double)a[i + lane] * (double)b[i + lane];
        }
    }
    for (; i < count; i++) {
        sum += (double)a[i] * (double)b[i];
    }
    for (uint64_t lane = 0; lane < LANES; lane++) {
        sum += sums[lane];
    }
    return sum;
}

static void gram_row(void *user, uint64_t row, float *scratch)
{
    const struct gram *job = user;
    (void)scratch;
    for (uint64_t i = 0; i <= row; i++) {
        double sum = dot(job->x + row * job->columns, job->x + i * job->columns, job->columns);
        job->g[row * job->rows + i] = sum;
    }
}

double *sow_gram_of(struct sow_team *team, const float *x, uint64_t rows, uint64_t columns)
{
    struct gram job = {x, rows, columns, malloc(rows * rows * sizeof(double))};
    if (job.g == NULL) {
        return NULL;
    }
    sow_team_run(team, rows, gram_row, &job);
    for (uint64_t i = 0; i < rows; i++) {
        for (uint64_t k = 0; k < i; k++) {
            job.g[k * rows + i] = job.g[i * rows + k];
        }
    }
    return job.g;
}

/* ---- Numbers ---------------------------------------------------------------------------------------- */

/* Of `count` singular values with these sums of s^2 and s^4. */
static void set_moments(struct sow_jacobian_numbers *numbers, double square, double fourth,
                        double count)
{
    double mean = square / count, variance = fourth / count - mean * mean;
    *numbers = (struct sow_jacobian_numbers){.mean_square = mean,
                                             .variance = variance > 0 ? variance : 0,
                                             .spread = NAN,
                                             .mean = NAN,
                                             .largest = NAN,
                                             .smallest = NAN,
                                             .condition = NAN,
                                             .rank = NAN};
    numbers->spread = mean > 0 ? numbers->variance / (mean * mean) : NAN;
}

static void set_values(struct sow_jacobian_numbers *numbers, const double *values, uint64_t count)
{
    double sum = 0;
    numbers->largest = values[0];
    numbers->smallest = values[count - 1];
    numbers->rank = 0;
    for (uint64_t i = 0; i < count; i++) {
        sum += values[i];
        numbers->rank += values[i] > NOTHING * values[0];
    }
    numbers->mean = sum / (double)count;
    numbers->condition = numbers->smallest > NOTHING * numbers->largest
                             ? numbers->largest / numbers->smallest
                             : INFINITY;
}

/* v^T J J^T w of independent v and w has the square tr((J J^T)^2) on average. */
static void set_random(struct sow_jacobian_numbers *numbers, const double *g, uint64_t rows,
                       uint64_t least)
{
    double trace = 0, off = 0, n = (double)rows;
    for (uint64_t i = 0; i < rows; i++) {
        trace += g[i * rows + i];
        for (uint64_t k = 0; k < i; k++) {
            off += g[i * rows + k] * g[i * rows + k];
        }
    }
    set_moments(numbers, trace / n, off / (n * (n - 1) / 2), (double)least);
}

/* `g`: n x n, destroyed. */
static enum sow_status set_whole(struct sow_jacobian_numbers *numbers, double *g, uint64_t n,
                                 double *values, struct sow_error *error)
{
    double square = 0, fourth = 0, *work = malloc(5 * n * sizeof *work);
    if (work == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory");
    }
    for (uint64_t i = 0; i < n; i++) {
        square += g[i * n + i];
        for (uint64_t k = 0; k < n; k++) {
            fourth += g[i * n + k] * g[i * n + k];
        }
    }
    sow_symmetric_eigenvalues(n, g, work, work + 4 * n);
    for (uint64_t i = 0; i < n; i++) {
        double l = work[4 * n + n - 1 - i];
        values[i] = sqrt(l > 0 ? l : 0);
    }
    set_moments(numbers, square, fourth, (double)n);
    set_values(numbers, values, n);
    free(work);
    return SOW_OK;
}

static float *turned(const float *j, uint64_t rows, uint64_t columns)
{
    float *to = malloc((rows * columns + 1) * sizeof *to);
    for (uint64_t i = 0; i < rows && to != NULL; i++) {
        for (uint64_t k = 0; k < columns; k++) {
            to[k * rows + i] = j[i * columns + k];
        }
    }
    return to;
}

enum sow_status sow_jacobian_spectrum(struct sow_team *team, const float *j, uint64_t rows,
                                      uint64_t columns, uint64_t least, double *values,
                                      struct sow_jacobian_numbers *numbers, struct sow_error *error)
{
    int turn = values != NULL && columns < rows;
    uint64_t n = turn ? columns : rows, other = turn ? rows : columns;
    float *copy = turn ? turned(j, rows, columns) : NULL;
    double *g = turn && copy == NULL ? NULL : sow_gram_of(team, turn ? copy : j, n, other);
    enum sow_status status = SOW_OK;
    free(copy);
    if (g == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "no memory for a matrix of %llu x %llu",
                        (unsigned long long)n, (unsigned long long)n);
    }
    if (sow_team_stopped(team)) {
        status = sow_fail(error, SOW_E_INTERRUPTED, "interrupted");
    }
    for (uint64_t i = 0; i < n && status == SOW_OK; i++) {
        if (!isfinite(g[i * n + i])) {
            status = sow_fail(error, SOW_E_ARGUMENT,
                              "the Jacobian is not finite: gradients overflow float32 on the way "
                              "back; sow probe without --jacobian shows where");
        }
    }
    if (status == SOW_OK && values != NULL) {
        status = set_whole(numbers, g, n, values, error);
    } else if (status == SOW_OK) {
        set_random(numbers, g, n, least);
    }
    free(g);
    return status;
}
