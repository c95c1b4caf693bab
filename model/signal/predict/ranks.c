/* SPDX-License-Identifier: MIT */
/* The ranks that the feature vectors of a correct random network have: as normal features, as many as there are directions,
 * whose places are as alike as predicted. With one cosine of two places of a sample, of one place of two samples and of
 * two places of two samples the likeness has four eigenvalues: of what all share, of what sets samples apart, of what sets
 * places apart, and of the rest. A finite number of features spreads each (Marchenko and Pastur 1967; the largest: Johnstone
 * 2001) and drives them apart (Lawley 1956). Not here: the ranks found (measure/statistics.c). */
#include <math.h>

#include "core/base/elementary.h"
#include "sow/signal.h"

#define GROUPS  4
#define LEAST   1e-12 /* of an eigenvalue */
#define TAKEN   32    /* places at most, as measured */
#define PI      3.14159265358979323846
#define STEPS   400
#define LARGEST (-1.2065335745820) /* mean of the Tracy-Widom law of real matrices */

struct group {
    double count, value; /* equal eigenvalues */
};

/* What finite features make of a group's eigenvalues, relative to them. */
struct spread {
    double largest;
    double root, root_log; /* means of s and of s ln s, s the square root */
};

static struct spread spread_of(double count, double features)
{
    double few = count < features ? count : features, many = count < features ? features : count;
    double ratio = few / many, scale = many / features, edge = sow_sqrt(many - 1) + sow_sqrt(few);
    double width = edge * sow_exp(sow_log(1 / sow_sqrt(many - 1) + 1 / sow_sqrt(few)) / 3);
    struct spread spread = {(edge * edge + LARGEST * width) / features, 0, 0};
    if (count == 1) {
        return (struct spread){1, 1, 0};
    }
    for (int i = 0; i < STEPS; i++) {
        double t = (2 * i + 1.0) / STEPS - 1, x = 1 + ratio + 2 * sow_sqrt(ratio) * t;
        double weight = 4 / PI * sow_sqrt(1 - t * t) / (x * STEPS) * few / count;
        double root = sow_sqrt(scale * x);
        spread.root += weight * root;
        spread.root_log += weight * root * sow_log(root);
    }
    return spread;
}

/* Groups whose spread covers their distance are one. Descending; returns how many are left. */
static size_t merge(struct group *groups, size_t count, double features)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        struct group *last = kept > 0 ? &groups[kept - 1] : NULL;
        if (groups[i].count < 1) {
            continue;
        }
        if (last != NULL &&
            last->value <
                groups[i].value * (1 + sow_sqrt((groups[i].count + last->count) / features))) {
            double sum = last->count * last->value + groups[i].count * groups[i].value;
            last->count += groups[i].count;
            last->value = sum / last->count;
        } else {
            groups[kept++] = groups[i];
        }
    }
    return kept;
}

static double driven(const struct group *groups, size_t count, size_t i, double features)
{
    double factor = 1;
    for (size_t k = 0; k < count; k++) {
        if (k != i) {
            factor +=
                groups[k].count * groups[k].value / (groups[i].value - groups[k].value) / features;
        }
    }
    return factor > 0 ? factor : 0;
}

/* The eigenvalues of the likeness of `samples` times `places` vectors, descending. */
static void find_groups(const struct sow_probe_value *value, double samples, double places,
                        struct group groups[GROUPS])
{
    double place = places > 1 ? value->place_correlation : 0,
           sample = samples > 1 ? value->sample_correlation : 0,
           cross = places > 1 && samples > 1 ? value->cross_correlation : 0;
    double b = samples - 1, t = places - 1;
    groups[0] = (struct group){1, 1 + t * place + b * sample + b * t * cross};
    groups[1] = (struct group){b, 1 + t * place - sample - t * cross};
    groups[2] = (struct group){t, 1 - place + b * sample - b * cross};
    groups[3] = (struct group){b * t, 1 - place - sample + cross};
    for (size_t i = 0; i < GROUPS; i++) {
        groups[i].value = groups[i].value > LEAST ? groups[i].value : LEAST;
        for (size_t k = i; k > 0 && groups[k].value > groups[k - 1].value; k--) {
            struct group other = groups[k];
            groups[k] = groups[k - 1];
            groups[k - 1] = other;
        }
    }
}

struct sow_ranks sow_expected_ranks(const struct sow_probe_value *value)
{
    struct sow_ranks ranks = {NAN, NAN, NAN, NAN};
    double all = 1 / value->features;
    for (uint32_t i = 0; i < value->rank; i++) {
        all *= (double)value->shape[i];
    }
    double batch = all / value->places;
    double n = all < TAKEN ? all : TAKEN, samples = batch < n ? batch : n,
           features = value->directions, seen = value->places < TAKEN ? value->places : TAKEN;
    if (!value->is_signal || !(n >= 2) || !(features > 1)) {
        return ranks;
    }
    if (seen > 1) {
        ranks.rank_collapse = sow_sqrt((1 - value->place_correlation) * (1 - 1 / seen));
    }
    struct group groups[GROUPS];
    find_groups(value, samples, n / samples, groups);
    double squares = 0, largest = 0, sum = 0, logs = 0;
    for (size_t i = 0; i < GROUPS; i++) {
        squares += groups[i].count * groups[i].value * groups[i].value;
    }
    /* E[(x y)^2] of vectors of n features: n^2 c^2, and n (1 + c^2) by chance */
    double participation = n * n / (squares + (n * n + squares) / features);
    ranks.participation = participation > 1 ? participation : 1;
    size_t count = merge(groups, GROUPS, features);
    for (size_t i = 0; i < count; i++) {
        struct spread spread = spread_of(groups[i].count, features);
        double size = groups[i].value * driven(groups, count, i, features);
        double root = sow_sqrt(size), log = size > 0 ? sow_log(root) : 0;
        largest = size * spread.largest > largest ? size * spread.largest : largest;
        sum += groups[i].count * root * spread.root;
        logs += groups[i].count * root * (spread.root * log + spread.root_log);
    }
    ranks.stable_rank = n / largest;
    /* of fewer directions than places the small singular values would have to be known */
    ranks.effective_rank = features >= n ? sow_exp(sow_log(sum) - logs / sum) : NAN;
    return ranks;
}
