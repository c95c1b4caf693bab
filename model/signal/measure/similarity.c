/* SPDX-License-Identifier: MIT */
/* Mean cosines of feature vectors, of all pairs at once: |sum of n unit vectors|^2 = n + the sum of the cosines of all
 * ordered pairs. Sums over blocks of features, in their order. */
#include <math.h> /* isfinite, NAN: macros; sqrt is IEEE's own operation */
#include <stdlib.h>
#include <string.h>

#include "model/signal/measure/loops.h"
#include "model/signal/measure/statistics.h"

#define VECTORS_MAX 256u
#define SAMPLES_MAX 128u /* where a sample has several places */
#define BLOCK       64u  /* features */

struct cosines {
    const struct sow_view *view;
    uint64_t samples, places; /* taken: VECTORS_MAX at most; places of each sample */
    uint64_t all_places;
    double factors[VECTORS_MAX]; /* 1 / length, by sample and place; 0: does not count */
    double *sums;                /* of each block: |sum|^2 of samples, of places, of all */
};

/* Feature j of vector i lies at this + j * view->inner. */
static const float *vector_at(const struct cosines *job, uint64_t i)
{
    const struct sow_view *view = job->view;
    uint64_t sample = i / job->places * view->samples / job->samples;
    uint64_t place = i % job->places * job->all_places / job->places;
    uint64_t at = sample * job->all_places + place;
    return view->x + at / view->inner * view->features * view->inner + at % view->inner;
}

static void lengths_range(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    struct cosines *job = user;
    const struct sow_view *view = job->view;
    (void)scratch;
    for (uint64_t i = begin; i < end; i++) {
        const float *x = vector_at(job, i);
        double square = view->inner == 1 ? sow_loops_chosen()->dot(x, x, view->features) : 0;
        for (uint64_t j = 0; j < view->features && view->inner != 1; j++) {
            double v = (double)x[j * view->inner];
            square += v * v;
        }
        job->factors[i] = square > 0 && isfinite(square) ? 1 / sqrt(square) : 0;
    }
}

static double square_of(const double *sums)
{
    double square = 0;
    for (uint64_t j = 0; j < BLOCK; j++) {
        square += sums[j] * sums[j];
    }
    return square;
}

/* to += the unit vector i, its features from `first` on. */
static void add_vector(const struct cosines *job, uint64_t i, uint64_t first, double *to)
{
    const struct sow_view *view = job->view;
    const float *x = vector_at(job, i) + first * view->inner;
    uint64_t left = view->features - first, count = left < BLOCK ? left : BLOCK;
    if (view->inner == 1 && job->factors[i] != 0) {
        sow_loops_chosen()->add_scaled(to, x, job->factors[i], count);
        return;
    }
    for (uint64_t j = 0; j < count && job->factors[i] != 0; j++) {
        to[j] += (double)x[j * view->inner] * job->factors[i];
    }
}

static void sums_task(void *user, uint64_t task, float *scratch)
{
    struct cosines *job = user;
    uint64_t first = task * BLOCK;
    double all[BLOCK] = {0}, *to = job->sums + 3 * task;
    (void)scratch;
    to[0] = to[1] = 0;
    for (uint64_t s = 0; s < job->samples; s++) {
        double sum[BLOCK] = {0};
        for (uint64_t p = 0; p < job->places; p++) {
            add_vector(job, s * job->places + p, first, sum);
        }
        to[0] += square_of(sum);
        for (uint64_t j = 0; j < BLOCK; j++) {
            all[j] += sum[j];
        }
    }
    for (uint64_t p = 0; p < job->places && job->places > 1 && job->samples > 1; p++) {
        double sum[BLOCK] = {0};
        for (uint64_t s = 0; s < job->samples; s++) {
            add_vector(job, s * job->places + p, first, sum);
        }
        to[1] += square_of(sum);
    }
    to[2] = square_of(all);
}

/* Of groups: how many vectors count, and ordered pairs of two in the same group. */
struct groups {
    double vectors, pairs;
};

static struct groups groups_of(const struct cosines *job, uint64_t groups, uint64_t group_stride,
                               uint64_t count, uint64_t stride)
{
    struct groups of = {0, 0};
    for (uint64_t g = 0; g < groups; g++) {
        double n = 0;
        for (uint64_t i = 0; i < count; i++) {
            n += job->factors[g * group_stride + i * stride] != 0;
        }
        of.vectors += n;
        of.pairs += n * (n - 1);
    }
    return of;
}

/* `square`: the sum of the groups' |sum|^2. */
static double mean_cosine(double square, struct groups of)
{
    return of.pairs > 0 ? (square - of.vectors) / of.pairs : NAN;
}

struct sow_similarity sow_similarity_of(struct sow_team *team, const struct sow_view *view)
{
    struct cosines job = {.view = view};
    struct sow_similarity none = {NAN, NAN, NAN};
    if (view->samples == 0 || view->features == 0) {
        return none;
    }
    job.all_places = view->outer * view->inner / view->samples;
    uint64_t most = job.all_places > 1 ? SAMPLES_MAX : VECTORS_MAX;
    job.samples = view->samples < most ? view->samples : most;
    uint64_t room = VECTORS_MAX / job.samples;
    job.places = job.all_places < room ? job.all_places : room;
    uint64_t vectors = job.samples * job.places, tasks = (view->features + BLOCK - 1) / BLOCK;
    job.sums = vectors > 1 ? malloc(tasks * 3 * sizeof *job.sums) : NULL;
    if (job.sums == NULL) {
        return none;
    }
    sow_team_ranges(team, vectors, 16, lengths_range, &job);
    sow_team_run(team, tasks, sums_task, &job);
    double sums[3] = {0};
    for (uint64_t i = 0; i < 3 * tasks; i++) {
        sums[i % 3] += job.sums[i];
    }
    free(job.sums);
    struct groups samples = groups_of(&job, job.samples, job.places, job.places, 1);
    struct groups places = groups_of(&job, job.places, 1, job.samples, job.places);
    double all = mean_cosine(sums[2], groups_of(&job, 1, 0, vectors, 1));
    return (struct sow_similarity){.all = all,
                                   .places = job.places > 1 ? mean_cosine(sums[0], samples) : NAN,
                                   .samples = job.places > 1 ? mean_cosine(sums[1], places) : all};
}
