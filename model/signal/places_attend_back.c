/* SPDX-License-Identifier: MIT */
/* Causal attention by position, backward. A value collects the gradients of all later queries that see it. A query gets
 * p (g v - sum p g v) of each key, so only how values and keys differ counts; a key gets the same of each later query. With
 * m_i the mean of the values that query i sees, two such differences have the product
 *     A = (v_s - m_i) (v_t - m_j) = v_s v_t - m_j v_s - m_i v_t + m_i m_j.
 * Exact for weights 1 / keys; beyond, as far as the rows are from uniform, as for keys and values that differ equally. */
#include <math.h>
#include <string.h>

#include "core/base/elementary.h"
#include "model/signal/places.h"

typedef double table[SOW_PLACES][SOW_PLACES];

struct way_back {
    const struct sow_reach *reach;
    const struct sow_rows *rows;
    const struct sow_places *gradient;
    struct sow_places parts[3]; /* the values less what all have in common */
    table one, two;             /* of sow_rows_cross */
    table with;     /* [query][key]: the key's value times the mean that the query sees */
    table with_own; /* the same of a key that it sees */
    table means;    /* products of the means of two different queries */
    double own_mean[SOW_PLACES]; /* of one query's with itself */
};

/* Two different queries of groups i and j, how many, over the keys of each. */
static double queries_of(const struct way_back *w, size_t i, size_t j)
{
    const double *group = w->reach->groups.group, *keys = w->reach->keys;
    return group[i] * (group[j] - (i == j)) * w->gradient->alike[i][j] / (keys[i] * keys[j]);
}

/* ---- Means of values --------------------------------------------------------------------------------- */

/* Differences are small where values are alike: what all have in common is taken away first. */
static void less_common(struct sow_places *values)
{
    double size, alike;
    sow_places_mean(values, &size, &alike);
    for (size_t i = 0; i < values->count; i++) {
        values->size[i] -= alike;
        for (size_t j = 0; j < values->count; j++) {
            values->alike[i][j] -= alike;
        }
    }
}

static void take_means(struct way_back *w)
{
    const struct sow_reach *reach = w->reach;
    const struct sow_places *v = &w->parts[2];
    size_t count = v->count;
    for (size_t i = 0; i < count; i++) {
        w->own_mean[i] = 0;
        for (size_t g = 0; g < count; g++) {
            double sum = 0, lone = v->size[g] - v->alike[g][g];
            for (size_t h = reach->first[i]; h <= i; h++) {
                sum += reach->seen[i][h] * v->alike[g][h];
            }
            w->with[i][g] =
                (sum + lone * reach->seen[i][g] / reach->groups.group[g]) / reach->keys[i];
            w->with_own[i][g] = (sum + lone) / reach->keys[i];
        }
        for (size_t g = reach->first[i]; g <= i; g++) {
            w->own_mean[i] += reach->seen[i][g] / reach->keys[i] * w->with_own[i][g];
        }
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j <= i; j++) {
            double sum = 0, keys = reach->keys[i] * reach->keys[j];
            for (size_t g = reach->first[j]; g <= j; g++) {
                double lone = v->size[g] - v->alike[g][g];
                sum += reach->seen[j][g] / reach->keys[j] *
                       (w->with[i][g] -
                        lone * reach->seen[i][g] / reach->groups.group[g] / reach->keys[i]);
                sum += lone * sow_both_seen(reach, i, j, g) / keys;
            }
            w->means[i][j] = w->means[j][i] = sum;
        }
    }
}

/* ---- Sums over pairs of queries ---------------------------------------------------------------------------- */

/* to[g][j] = sum over i of seen[i][g] weights[i][j] */
static void hear(const struct sow_reach *reach, table weights, table to)
{
    size_t count = reach->groups.count;
    memset(to, 0, sizeof(table));
    for (size_t i = 0; i < count; i++) {
        for (size_t g = reach->first[i]; g <= i; g++) {
            for (size_t j = 0; j < count; j++) {
                to[g][j] += reach->seen[i][g] * weights[i][j];
            }
        }
    }
}

/* sum over j of heard[g][j] seen[j][h] */
static double hear_twice(const struct sow_reach *reach, table heard, size_t g, size_t h)
{
    double sum = 0;
    for (size_t j = h; j < reach->groups.count; j++) {
        sum += heard[g][j] * reach->seen[j][h];
    }
    return sum;
}

/* ---- To values ------------------------------------------------------------------------------------------------ */

static void to_values(struct way_back *w, struct sow_places *back)
{
    const struct sow_reach *reach = w->reach;
    const double *group = reach->groups.group;
    size_t count = reach->groups.count;
    table weights, heard;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            weights[i][j] = queries_of(w, i, j) * w->two[i][j];
        }
    }
    hear(reach, weights, heard);
    for (size_t g = 0; g < count; g++) {
        double own = 0, met = 0;
        for (size_t i = g; i < count; i++) {
            own += group[i] * w->gradient->size[i] * w->rows->same[i] / reach->keys[i] *
                   reach->seen[i][g];
            for (size_t j = g; j < count; j++) {
                double both = sow_both_seen(reach, i, j, g);
                own += both * queries_of(w, i, j) * w->one[i][j];
                met += both * weights[i][j];
            }
        }
        back->size[g] = own / group[g];
        for (size_t h = 0; h <= g; h++) {
            double sum = hear_twice(reach, heard, g, h) - (g == h ? met : 0);
            for (size_t i = g; i < count; i++) {
                double pairs = sow_pairs_seen(reach, i, g, h);
                sum += pairs > 0 ? group[i] * w->gradient->size[i] * (1 - w->rows->same[i]) /
                                       reach->pairs[i] * pairs
                                 : 0;
            }
            double all = group[g] * (group[h] - (g == h));
            back->alike[g][h] = back->alike[h][g] = all > 0 ? sum / all : 0;
        }
    }
}

/* ---- To queries -------------------------------------------------------------------------------------------------- */

/* of two queries' sums over keys: sum over s, t of A[s][t] k_s k_t */
static double query_product(const struct way_back *w, table keys_seen, table products, size_t i,
                            size_t j)
{
    const struct sow_reach *reach = w->reach;
    const struct sow_places *k = &w->parts[1], *v = &w->parts[2];
    double sum = 0;
    for (size_t g = reach->first[j]; g <= j; g++) {
        double both = sow_both_seen(reach, i, j, g);
        sum +=
            reach->seen[j][g] * products[i][g] +
            both * (v->size[g] * k->size[g] - v->alike[g][g] * k->alike[g][g] * reach->kept[g][g]);
        sum += reach->seen[j][g] * (w->means[i][j] - w->with[i][g]) * keys_seen[i][g];
    }
    for (size_t g = reach->first[i]; g <= i; g++) {
        sum -= reach->seen[i][g] * w->with[j][g] * keys_seen[j][g];
    }
    return sum / (reach->keys[i] * reach->keys[j]);
}

static void to_queries(struct way_back *w, struct sow_places *back)
{
    const struct sow_reach *reach = w->reach;
    const struct sow_places *k = &w->parts[1], *v = &w->parts[2];
    size_t count = reach->groups.count;
    table keys_seen, products; /* [query][key]: sums over the keys that a query sees */
    for (size_t i = 0; i < count; i++) {
        back->size[i] = w->gradient->size[i] * w->rows->reach[i];
        for (size_t g = 0; g < count; g++) {
            double kk = reach->kept[g][g] * k->alike[g][g];
            keys_seen[i][g] = reach->seen[i][g] / reach->groups.group[g] * (k->size[g] - kk);
            products[i][g] = 0;
            for (size_t h = reach->first[i]; h <= i; h++) {
                double both = reach->seen[i][h] * reach->kept[g][h] * k->alike[g][h];
                keys_seen[i][g] += both;
                products[i][g] += both * v->alike[g][h];
            }
        }
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j <= i; j++) {
            double product = query_product(w, keys_seen, products, i, j);
            back->alike[i][j] = back->alike[j][i] =
                w->gradient->alike[i][j] * reach->kept[i][j] * w->one[i][j] * product;
        }
    }
}

/* ---- To keys ------------------------------------------------------------------------------------------------------- */

/* Of tokens of groups g and h, from one query each; both kinds of A. */
static void key_pairs(struct way_back *w, table weights, struct sow_places *back)
{
    const struct sow_reach *reach = w->reach;
    const struct sow_places *q = &w->parts[0], *v = &w->parts[2];
    const double *group = reach->groups.group;
    size_t count = reach->groups.count;
    table heard, means, mean_heard;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            means[i][j] = weights[i][j] * w->means[i][j];
        }
    }
    hear(reach, weights, heard);
    hear(reach, means, mean_heard);
    for (size_t g = 0; g < count; g++) {
        for (size_t h = 0; h <= g; h++) {
            double sum = hear_twice(reach, heard, g, h) * v->alike[g][h] +
                         hear_twice(reach, mean_heard, g, h),
                   own = 0;
            for (size_t j = h; j < count; j++) {
                sum -= heard[g][j] * reach->seen[j][h] * w->with[j][g];
            }
            for (size_t j = g; j < count; j++) {
                sum -= heard[h][j] * reach->seen[j][g] * w->with[j][h];
                own += group[j] * w->gradient->size[j] * q->size[j] * w->rows->spread[j] /
                       (reach->keys[j] * reach->keys[j]) * sow_pairs_seen(reach, j, g, h) *
                       (v->alike[g][h] - w->with_own[j][g] - w->with_own[j][h] + w->own_mean[j]);
            }
            double all = group[g] * (group[h] - (g == h));
            back->alike[g][h] = back->alike[h][g] =
                all > 0 ? reach->kept[g][h] * (sum + own) / all : 0;
        }
    }
}

static void to_keys(struct way_back *w, struct sow_places *back)
{
    const struct sow_reach *reach = w->reach;
    const struct sow_places *q = &w->parts[0], *v = &w->parts[2];
    const double *group = reach->groups.group;
    size_t count = reach->groups.count;
    table weights;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            weights[i][j] = queries_of(w, i, j) * w->one[i][j] * q->alike[i][j] * reach->kept[i][j];
        }
    }
    key_pairs(w, weights, back);
    for (size_t g = 0; g < count; g++) {
        double sum = 0, met = 0;
        for (size_t i = g; i < count; i++) {
            sum += group[i] * reach->seen[i][g] * w->gradient->size[i] * q->size[i] *
                   w->rows->spread[i] / (reach->keys[i] * reach->keys[i]) *
                   (v->size[g] - 2 * w->with_own[i][g] + w->own_mean[i]);
            for (size_t j = g; j < count; j++) {
                double both = sow_both_seen(reach, i, j, g) * weights[i][j];
                double rest = w->means[i][j] - w->with_own[i][g] - w->with_own[j][g];
                sum += both * (v->size[g] + rest);
                met += both * (v->alike[g][g] + rest);
            }
        }
        back->size[g] = sum > 0 ? sum / group[g] : 0;
        back->alike[g][g] -=
            group[g] > 1 ? reach->kept[g][g] * met / (group[g] * (group[g] - 1)) : 0;
    }
}

void sow_places_attend_back(struct sow_predictor *p, const struct sow_node *node,
                            const struct sow_places *gradient, struct sow_places back[3])
{
    struct way_back w = {.reach = sow_reach_of(p, node, (uint64_t)gradient->tokens),
                         .rows = p->locals[node - p->network->nodes].rows,
                         .gradient = gradient};
    sow_places_parts(p, node, gradient, w.parts);
    less_common(&w.parts[2]);
    for (size_t i = 0; i < gradient->count; i++) {
        for (size_t j = 0; j < gradient->count; j++) {
            sow_rows_cross(w.reach, w.rows, &w.parts[0], i, j, &w.one[i][j], &w.two[i][j]);
        }
    }
    take_means(&w);
    back[0] = back[1] = back[2] = *gradient;
    to_queries(&w, &back[0]);
    to_keys(&w, &back[1]);
    to_values(&w, &back[2]);
}
