/* SPDX-License-Identifier: MIT */
/* Every element alone, in double, rounded to float32 once; and sums over arrays: at most 256 parts, added in order. */
#include <math.h> /* fabs and sqrt: operations of IEEE, exact on every machine */

#include "core/base/elementary.h"
#include "model/signal/learn/learn.h"

#define PARTS    256u
#define PART_MIN 4096u

#define BETA1 0.9
#define BETA2 0.999
#define EPS   1e-8

static uint64_t part_size(uint64_t elements)
{
    uint64_t size = (elements + PARTS - 1) / PARTS;
    return size < PART_MIN ? PART_MIN : size;
}

/* ---- Optimisers ---------------------------------------------------------------------------------- */

struct job {
    const struct sow_update *update;
    double correction1, correction2; /* 1 - beta^(step + 1) */
    uint64_t size;
    struct sow_updated parts[PARTS];
};

static double adam(const struct job *job, uint64_t i, double gradient)
{
    const struct sow_update *u = job->update;
    double first = BETA1 * (double)u->first[i] + (1 - BETA1) * gradient;
    double second = BETA2 * (double)u->second[i] + (1 - BETA2) * gradient * gradient;
    u->first[i] = (float)first;
    u->second[i] = (float)second;
    return -u->rate * (first / job->correction1) / (sqrt(second / job->correction2) + EPS);
}

static void update_range(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    struct job *job = user;
    const struct sow_update *u = job->update;
    struct sow_updated part = {0, 0, 0};
    (void)scratch;
    for (uint64_t i = begin; i < end; i++) {
        double gradient = (double)u->gradient[i], weight = (double)u->weight[i];
        double change = u->optimizer == SOW_ADAM ? adam(job, i, gradient) : -u->rate * gradient;
        part.weight += weight * weight;
        part.change += change * change;
        part.moves |= gradient != 0;
        u->weight[i] = (float)(weight + change);
    }
    job->parts[begin / job->size] = part;
}

struct sow_updated sow_update_run(const struct sow_update *update, struct sow_team *team)
{
    struct job job = {.update = update,
                      .size = part_size(update->elements),
                      .correction1 = 1 - sow_pow(BETA1, update->step + 1.0),
                      .correction2 = 1 - sow_pow(BETA2, update->step + 1.0)};
    struct sow_updated all = {0, 0, 0};
    sow_team_ranges(team, update->elements, job.size, update_range, &job);
    for (size_t i = 0; i < PARTS; i++) {
        all.weight += job.parts[i].weight;
        all.change += job.parts[i].change;
        all.moves |= job.parts[i].moves;
    }
    all.weight /= (double)update->elements;
    all.change /= (double)update->elements;
    return all;
}

/* ---- Distances ------------------------------------------------------------------------------------ */

struct distances {
    const float *x, *from;
    uint64_t size;
    struct sow_distance parts[PARTS];
};

static void distance_range(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    struct distances *job = user;
    struct sow_distance part = {0, 0};
    (void)scratch;
    for (uint64_t i = begin; i < end; i++) {
        double d = (double)job->x[i] - (job->from != NULL ? (double)job->from[i] : 0);
        part.mean_abs += fabs(d);
        part.second_moment += d * d;
    }
    job->parts[begin / job->size] = part;
}

struct sow_distance sow_distance_of(struct sow_team *team, const float *x, const float *from,
                                    uint64_t elements)
{
    struct distances job = {.x = x, .from = from, .size = part_size(elements)};
    struct sow_distance all = {0, 0};
    sow_team_ranges(team, elements, job.size, distance_range, &job);
    for (size_t i = 0; i < PARTS; i++) {
        all.mean_abs += job.parts[i].mean_abs;
        all.second_moment += job.parts[i].second_moment;
    }
    all.mean_abs /= (double)elements;
    all.second_moment /= (double)elements;
    return all;
}
