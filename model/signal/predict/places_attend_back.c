/* SPDX-License-Identifier: MIT */
/* Attention by position, backward. A value collects the gradients of all queries that see it. A query gets
 * p (g v - sum p g v) of each key, so only how values and keys differ counts; a key gets the same of each later query. With
 * m_i the mean of the values that query i sees, two such differences have the product
 *     A = (v_s - m_i) (v_t - m_j) = v_s v_t - m_j v_s - m_i v_t + m_i m_j.
 * Exact for weights 1 / keys; beyond, as far as the rows are from uniform, as for keys and values that differ equally. */
#include <math.h>
#include <string.h>

#include "core/base/elementary.h"
#include "model/signal/predict/places.h"

typedef double table[SOW_PLACES][SOW_PLACES];

struct way_back {
    struct sow_reach *reach; /* nothing of it changes */
    const struct sow_rows *rows;
    const struct sow_places *gradient, *queries, *keys;
    struct sow_places values; /* less what all have in common */
    table weights;            /* of two different queries: how many, over the keys of each */
    table one, two;           /* the same times those of sow_rows_cross */
    table with;               /* [query][key]: the key's value times the mean that the query sees */
    table with_own;           /* the same of a key that it sees */
    table means;              /* products of the means of two different queries */
    double own_mean[SOW_PLACES]; /* of one query's with itself */
};

/* to[i][k] = sum over j of a[i][j] b[j][k] */
static void multiply(size_t count, table a, table b, table to)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < count; k++) {
            to[i][k] = 0;
        }
        for (size_t j = 0; j < count; j++) {
            double factor = a[i][j];
            for (size_t k = 0; factor != 0 && k < count; k++) {
                to[i][k] += factor * b[j][k];
            }
        }
    }
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
    struct sow_reach *reach = w->reach;
    struct sow_places *v = &w->values;
    size_t count = v->count;
    table products;
    multiply(count, reach->seen, v->alike, w->with);
    for (size_t i = 0; i < count; i++) {
        for (size_t g = 0; g < count; g++) {
            double lone = v->size[g] - v->alike[g][g];
            w->with_own[i][g] = (w->with[i][g] + lone) / reach->keys[i];
            w->with[i][g] /= reach->keys[i];
        }
    }
    multiply(count, w->with, reach->heard, products);
    for (size_t i = 0; i < count; i++) {
        double sum = 0;
        for (size_t g = 0; g < count; g++) {
            sum += reach->seen[i][g] * w->with_own[i][g];
            w->means[i][g] = products[i][g] / reach->keys[g];
        }
        w->own_mean[i] = sum / reach->keys[i];
    }
    for (size_t g = 0; g < count; g++) {
        double lone = v->size[g] - v->alike[g][g];
        for (size_t i = reach->from[g]; i < count; i++) {
            const double *both = sow_both_seen(reach, g, i);
            for (size_t j = reach->from[g]; j < count; j++) {
                w->means[i][j] += lone * both[j] / (reach->keys[i] * reach->keys[j]);
            }
            w->with[i][g] += lone * reach->seen[i][g] / (reach->groups.group[g] * reach->keys[i]);
        }
    }
}

static void weigh(struct way_back *w)
{
    const double *group = w->reach->groups.group, *keys = w->reach->keys;
    for (size_t i = 0; i < w->gradient->count; i++) {
        for (size_t j = 0; j < w->gradient->count; j++) {
            double one, two, alike = w->gradient->alike[i][j];
            w->weights[i][j] = group[i] * (group[j] - (i == j)) * alike / (keys[i] * keys[j]);
            sow_rows_cross(w->reach, w->rows, w->queries, i, j, &one, &two);
            w->one[i][j] = w->weights[i][j] * one;
            w->two[i][j] = w->weights[i][j] * two;
        }
    }
}

/* ---- To values ------------------------------------------------------------------------------------------------ */

static void to_values(struct way_back *w, struct sow_places *back)
{
    struct sow_reach *reach = w->reach;
    const double *group = reach->groups.group;
    size_t count = reach->groups.count;
    double own[SOW_PLACES];
    table heard, products;
    multiply(count, reach->heard, w->two, heard);
    for (size_t i = 0; i < count; i++) {
        own[i] = reach->pairs[i] > 0
                     ? group[i] * w->gradient->size[i] * (1 - w->rows->same[i]) / reach->pairs[i]
                     : 0;
        for (size_t g = reach->first[i]; g <= reach->last[i]; g++) {
            heard[g][i] += own[i] * reach->seen[i][g];
        }
    }
    multiply(count, heard, reach->seen, products);
    for (size_t g = 0; g < count; g++) {
        double sum = 0, met = 0;
        for (size_t i = reach->from[g]; i < count; i++) {
            const double *both = sow_both_seen(reach, g, i);
            double seen = reach->seen[i][g];
            sum += group[i] * w->gradient->size[i] * w->rows->same[i] / reach->keys[i] * seen;
            met += own[i] * (seen * seen - reach->twice[i][g]);
            for (size_t j = reach->from[g]; j < count; j++) {
                sum += both[j] * w->one[i][j];
                met += both[j] * w->two[i][j];
            }
        }
        products[g][g] -= met;
        back->size[g] = sum / group[g];
        for (size_t h = 0; h < count; h++) {
            double all = group[g] * (group[h] - (g == h));
            back->alike[g][h] = all > 0 ? products[g][h] / all : 0;
        }
    }
}

/* ---- To queries -------------------------------------------------------------------------------------------------- */

/* Of two queries: the sum over their keys of A[s][t] k_s k_t, over the keys of each. */
static void query_products(struct way_back *w, table to)
{
    struct sow_reach *reach = w->reach;
    const struct sow_places *k = w->keys, *v = &w->values;
    size_t count = reach->groups.count;
    table kept, kept_values, keys_seen, products, sums;
    for (size_t g = 0; g < count; g++) {
        for (size_t h = 0; h < count; h++) {
            kept[g][h] = reach->kept[g][h] * k->alike[g][h];
            kept_values[g][h] = kept[g][h] * v->alike[g][h];
        }
    }
    multiply(count, reach->seen, kept, keys_seen);
    multiply(count, reach->seen, kept_values, products);
    for (size_t g = 0; g < count; g++) {
        double lone = (k->size[g] - kept[g][g]) / reach->groups.group[g];
        for (size_t i = 0; i < count; i++) {
            keys_seen[i][g] += reach->seen[i][g] * lone;
            products[i][g] -= w->with[i][g] * keys_seen[i][g];
        }
    }
    multiply(count, products, reach->heard, to);
    multiply(count, keys_seen, reach->heard, sums);
    for (size_t g = 0; g < count; g++) {
        double lone = v->size[g] * k->size[g] - kept_values[g][g];
        for (size_t i = reach->from[g]; i < count; i++) {
            const double *both = sow_both_seen(reach, g, i);
            for (size_t j = reach->from[g]; j < count; j++) {
                to[i][j] += both[j] * lone;
            }
            keys_seen[i][g] *= w->with[i][g];
        }
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            to[i][j] += w->means[i][j] * sums[i][j];
        }
    }
    /* the mean of the first query's values with the second's keys */
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            for (size_t g = reach->first[i]; g <= reach->last[i] && g <= reach->last[j]; g++) {
                to[i][j] -= reach->seen[i][g] * keys_seen[j][g];
            }
            to[i][j] /= reach->keys[i] * reach->keys[j];
        }
    }
}

static void to_queries(struct way_back *w, struct sow_places *back)
{
    size_t count = w->reach->groups.count;
    table products;
    query_products(w, products);
    for (size_t i = 0; i < count; i++) {
        back->size[i] = w->gradient->size[i] * w->rows->reach[i];
        for (size_t j = 0; j <= i; j++) {
            double one = w->weights[i][j] != 0 ? w->one[i][j] / w->weights[i][j] : 1;
            back->alike[i][j] = back->alike[j][i] =
                w->gradient->alike[i][j] * w->reach->kept[i][j] * one * products[i][j];
        }
    }
}

/* ---- To keys ------------------------------------------------------------------------------------------------------- */

/* Of two keys, from one query and from two: heard[key][query] of `weights`, `own` of one query with itself. */
static void key_products(struct way_back *w, table weights, const double *own, table to)
{
    struct sow_reach *reach = w->reach;
    size_t count = reach->groups.count;
    table heard, means, mean_heard, rest, turned;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            means[i][j] = weights[i][j] * w->means[i][j];
        }
    }
    multiply(count, reach->heard, weights, heard);
    multiply(count, reach->heard, means, mean_heard);
    for (size_t g = 0; g < count; g++) {
        for (size_t j = 0; j < count; j++) {
            double alone = own[j] * reach->heard[g][j];
            double with = heard[g][j] * w->with[j][g] + alone * w->with_own[j][g];
            mean_heard[g][j] += alone * w->own_mean[j] - with;
            heard[g][j] += alone;
            turned[g][j] = with;
        }
    }
    multiply(count, heard, reach->seen, to);
    multiply(count, mean_heard, reach->seen, rest);
    for (size_t g = 0; g < count; g++) {
        for (size_t h = 0; h < count; h++) {
            to[g][h] = to[g][h] * w->values.alike[g][h] + rest[g][h];
        }
    }
    multiply(count, turned, reach->seen, rest);
    for (size_t g = 0; g < count; g++) {
        for (size_t h = 0; h < count; h++) {
            to[g][h] -= rest[h][g];
        }
    }
}

/* A key is taken by queries that point its way: for normal q, and p in proportion to exp(scale q k), by parts
 *     E[p q] = scale E[q^2] (k E[p (1 - p)] - the other keys in its place), E[p (1 - p)] = (1 - E[sum p^2]) / keys.
 * Two queries that take one key are alike by that beyond what they have in common, by E[q^2] times the variance of their
 * logits over head_dim, and many more queries than head_dim by little else. */
static double chosen_alike(const struct way_back *w, size_t i, size_t j)
{
    const struct sow_places *q = w->queries;
    double sizes = sow_sqrt(q->size[i] * q->size[j]), alike = q->alike[i][j] * w->reach->kept[i][j];
    double chosen = w->rows->chosen[i] * w->rows->chosen[j] / (double)w->reach->at.head_dim;
    alike += sizes * chosen;
    return alike < sizes ? alike : sizes;
}

static void to_keys(struct way_back *w, struct sow_places *back)
{
    struct sow_reach *reach = w->reach;
    const struct sow_places *q = w->queries, *v = &w->values;
    const double *group = reach->groups.group;
    size_t count = reach->groups.count;
    double own[SOW_PLACES];
    table weights, products;
    for (size_t i = 0; i < count; i++) {
        own[i] = group[i] * w->gradient->size[i] * q->size[i] * w->rows->spread[i] /
                 (reach->keys[i] * reach->keys[i]);
        for (size_t j = 0; j < count; j++) {
            weights[i][j] = w->one[i][j] * chosen_alike(w, i, j);
        }
    }
    key_products(w, weights, own, products);
    for (size_t g = 0; g < count; g++) {
        double sum = 0, met = 0;
        for (size_t i = reach->from[g]; i < count; i++) {
            const double *both = sow_both_seen(reach, g, i);
            double seen = reach->seen[i][g];
            double rest = w->own_mean[i] - 2 * w->with_own[i][g];
            sum += own[i] * seen * (v->size[g] + rest);
            met += own[i] * (seen * seen - reach->twice[i][g]) * (v->alike[g][g] + rest);
            for (size_t j = reach->from[g]; j < count; j++) {
                double pairs = both[j] * weights[i][j];
                rest = w->means[i][j] - w->with_own[i][g] - w->with_own[j][g];
                sum += pairs * (v->size[g] + rest);
                met += pairs * (v->alike[g][g] + rest);
            }
        }
        products[g][g] -= met;
        back->size[g] = sum > 0 ? sum / group[g] : 0;
        for (size_t h = 0; h < count; h++) {
            double all = group[g] * (group[h] - (g == h));
            back->alike[g][h] = all > 0 ? reach->kept[g][h] * products[g][h] / all : 0;
        }
    }
}

void sow_places_attend_back(struct sow_predictor *p, const struct sow_node *node,
                            const struct sow_places *gradient, struct sow_places back[3])
{
    struct sow_places room[3];
    const struct sow_places *parts[3];
    struct way_back w;
    w.reach = sow_reach_of(p, node, (uint64_t)gradient->tokens);
    w.rows = p->locals[node - p->network->nodes].rows;
    w.gradient = gradient;
    sow_places_parts(p, node, gradient, room, parts);
    w.queries = parts[0];
    w.keys = parts[1];
    sow_places_copy(&w.values, parts[2]);
    less_common(&w.values);
    weigh(&w);
    take_means(&w);
    for (int i = 0; i < 3; i++) {
        sow_places_like(&back[i], &w.reach->groups);
    }
    to_queries(&w, &back[0]);
    to_keys(&w, &back[1]);
    to_values(&w, &back[2]);
}
