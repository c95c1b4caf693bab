/* SPDX-License-Identifier: MIT */
/* Logits as a classifier's: the cross-entropy over labels that know nothing, and the entropy of what it predicts. */
#include <math.h> /* NAN */
#include <stdlib.h>

#include "core/base/elementary.h"
#include "model/signal/measure/loops.h"
#include "model/signal/measure/statistics.h"

#define CHUNK 1024u /* of a row */
#define ROWS  4u    /* of a task */

struct logits {
    const float *x;
    uint64_t classes;
    double *numbers; /* loss and entropy of each row */
};

/* ln sum e^x - mean x is the mean of -ln p over all labels; with x' = x - max x, the entropy is ln sum e^x' less the mean
 * of x' under p. */
static void logits_rows(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct logits *job = user;
    float *below = scratch, *e = scratch + CHUNK;
    for (uint64_t row = begin; row < end; row++) {
        const float *x = job->x + row * job->classes;
        double all = 0, tilt = 0, sum = 0;
        float most = x[0];
        for (uint64_t i = 1; i < job->classes; i++) {
            most = x[i] > most ? x[i] : most;
        }
        for (uint64_t first = 0; first < job->classes; first += CHUNK) {
            uint64_t left = job->classes - first, count = left < CHUNK ? left : CHUNK;
            for (uint64_t i = 0; i < count; i++) {
                below[i] = x[first + i] - most;
                all += (double)below[i];
            }
            sow_loops_chosen()->exponentials(below, e, count);
            tilt += sow_loops_chosen()->dot(e, below, count);
            for (uint64_t i = 0; i < count; i++) {
                sum += (double)e[i];
            }
        }
        job->numbers[2 * row] = sow_log(sum) - all / (double)job->classes;
        job->numbers[2 * row + 1] = sow_log(sum) - tilt / sum;
    }
}

struct sow_first sow_first_of(struct sow_team *team, const float *x, uint64_t rows,
                              uint64_t classes)
{
    struct sow_first first = {NAN, NAN};
    struct logits job = {x, classes, malloc((2 * rows + 1) * sizeof(double))};
    if (job.numbers == NULL || rows == 0) {
        free(job.numbers);
        return first;
    }
    sow_team_ranges(team, rows, ROWS, logits_rows, &job);
    first = (struct sow_first){0, 0};
    for (uint64_t row = 0; row < rows; row++) {
        first.loss += job.numbers[2 * row] / (double)rows;
        first.entropy += job.numbers[2 * row + 1] / (double)rows;
    }
    free(job.numbers);
    return first;
}
