/* SPDX-License-Identifier: MIT */
/* Attention by position, forward: how large the outputs of each group of queries are, and how alike those of each
 * two. Weights are 1 / keys, larger for single keys as far as the softmax is from uniform. */
#include <math.h>

#include "core/base/elementary.h"
#include "model/signal/predict/places.h"

void sow_places_parts(const struct sow_predictor *p, const struct sow_node *node,
                      const struct sow_places *like, struct sow_places room[3],
                      const struct sow_places *parts[3])
{
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t flow = node->inputs[node->input_count == 1 ? 0 : i];
        parts[i] = sow_places_or(p->by_place[flow], like, p->states[flow].place, &room[i]);
    }
}

/* Products of a token of each group with the mean of those that a query of group i sees, itself one of them, and of that
 * mean with itself. */
static double means_of(const struct sow_reach *reach, const struct sow_places *x, int rotated,
                       size_t i, double with[SOW_PLACES])
{
    double all = 0, count = reach->keys[i];
    for (size_t k = reach->first[i]; k <= reach->last[i]; k++) {
        const double *kept = reach->kept[k];
        with[k] = x->size[k] - (rotated ? kept[k] : 1) * x->alike[k][k];
        for (size_t l = reach->first[i]; l <= reach->last[i]; l++) {
            with[k] += (rotated ? kept[l] : 1) * reach->seen[i][l] * x->alike[k][l];
        }
        with[k] /= count;
        all += reach->seen[i][k] * with[k] / count;
    }
    return all;
}

/* Ordered pairs of two keys of groups g and h that one query of group i sees. */
static double pairs_seen(const struct sow_reach *reach, size_t i, size_t g, size_t h)
{
    return g == h ? reach->twice[i][g] : reach->seen[i][g] * reach->seen[i][h];
}

/* Keys and values come from the same tokens, whose products are only as many as they have directions: two that differ by A on
 * the average differ by A[s][s] A[t][t] + A[s][t]^2 over directions more, squared (Wishart 1928), and of many keys that counts. */
static void meet(const struct sow_reach *reach, const struct sow_places *const parts[3], size_t i,
                 double *together, double *chance)
{
    const struct sow_places *k = parts[1], *v = parts[2];
    double with[SOW_PLACES], own[SOW_PLACES], all = means_of(reach, v, 0, i, with);
    double keys = reach->keys[i] * reach->keys[i];
    *together = *chance = 0;
    for (size_t g = reach->first[i]; g <= reach->last[i]; g++) {
        own[g] = v->size[g] - 2 * with[g] + all;
        *together += reach->seen[i][g] * own[g] * k->size[g] / keys;
        for (size_t h = reach->first[i]; h <= g; h++) {
            double apart = v->alike[g][h] - with[g] - with[h] + all;
            double pairs = (g == h ? 1 : 2) * pairs_seen(reach, i, g, h) * reach->kept[g][h];
            *together += pairs * apart * k->alike[g][h] / keys;
            *chance += pairs * (own[g] * own[h] + apart * apart) / keys;
        }
    }
    *together = *together > 0 ? *together : 0;
}

/* The variance of the logits of a row, and that over how far keys lie apart, squared. */
static double logits_of(const struct sow_reach *reach, const struct sow_places *const parts[3],
                        size_t i, double ln_scale, double *variance)
{
    double with[SOW_PLACES], own = 0, count = reach->keys[i];
    double all = means_of(reach, parts[1], 1, i, with);
    for (size_t k = reach->first[i]; k <= reach->last[i]; k++) {
        double apart = parts[1]->size[k] - 2 * with[k] + all;
        own += apart > 0 ? reach->seen[i][k] / count * apart : 0;
    }
    own *= count > 1 ? count / (count - 1) : 0;
    double log = sow_log_of(parts[0]->size[i], ln_scale), s2 = sow_log_of(own, log);
    *variance = s2 < 20 ? sow_exp(s2) : 1e9;
    return log < 20 ? sow_exp(log) : 1e9;
}

/* In how many directions tokens differ that a linear layer makes keys from, maybe with a norm behind it. */
static double directions_of(const struct sow_predictor *p, const struct sow_node *node)
{
    uint32_t flow = node->inputs[node->input_count == 1 ? 0 : 1];
    for (int i = 0; i < 4; i++) {
        const struct sow_node *maker = &p->network->nodes[p->network->flows[flow].node];
        if (maker->op == SOW_OP_LINEAR) {
            double most = (double)maker->at.inputs, overlap = p->states[maker->inputs[0]].overlap;
            return overlap > 1 / most ? 1 / overlap : most;
        }
        if (maker->input_count != 1) {
            break;
        }
        flow = maker->inputs[0];
    }
    return (double)(node->at.kv_heads * node->at.head_dim);
}

/* Queries are of a length only as far as they have many features. */
static struct sow_softmax_row row_of(struct sow_predictor *p, double s2, double keys,
                                     double features)
{
    double off = s2 > 0.25 ? sow_sqrt(2 / features) : 0;
    off = off < 0.9 ? off : 0.9;
    struct sow_softmax_row low = sow_softmax_row(p, s2 * (1 - off), keys), high = low;
    high = off > 0 ? sow_softmax_row(p, s2 * (1 + off), keys) : low;
    return (struct sow_softmax_row){0.5 * (low.same + high.same), 0.5 * (low.moved + high.moved)};
}

static void rows_of(struct sow_predictor *p, const struct sow_node *node,
                    const struct sow_reach *reach, const struct sow_places *const parts[3],
                    struct sow_rows *rows)
{
    const struct sow_local *local = &p->locals[node - p->network->nodes];
    double directions = directions_of(p, node);
    double ln_scale = sow_log_of(node->at.scale * node->at.scale * (double)node->at.head_dim,
                                 local->part[0].log + local->part[1].log);
    for (size_t i = 0; i < reach->groups.count; i++) {
        double together, chance, s2, count = reach->keys[i];
        double lift = logits_of(reach, parts, i, ln_scale, &s2);
        struct sow_softmax_row row = row_of(p, s2, count, (double)node->at.head_dim);
        meet(reach, parts, i, &together, &chance);
        double uniform = count > 1 ? (count - 1) / (count * count) : 1, rest = 1 - row.same;
        chance *= rest * rest / directions;
        rows->same[i] = row.same;
        rows->chosen[i] = count > 1 ? (1 - row.same) * sow_sqrt(s2 * count / (count - 1)) : 0;
        rows->spread[i] = count > 1 ? row.moved / uniform : 0;
        rows->reach[i] = rows->spread[i] * together + chance;
        /* both the growth of E[sum p^2] and its beginning are in s2 */
        double grown = s2 > 1e-9 ? (row.same - 1 / count) / (uniform * s2) : 1;
        rows->chance[i] = count > 1 ? lift * (grown < 1 ? grown : 1) * chance : 0;
        rows->lift[i] = count > 1 ? lift * grown * together + rows->chance[i] : 0;
    }
}

void sow_rows_cross(const struct sow_reach *reach, const struct sow_rows *rows,
                    const struct sow_places *queries, size_t i, size_t j, double *one, double *two)
{
    double sizes = queries->size[i] * queries->size[j], common = reach->common[i][j];
    double alike = queries->alike[i][j] * reach->kept[i][j];
    *one = *two = 1;
    if (alike > 0 && sizes > 0) {
        double far = sow_sqrt(rows->same[i] * reach->keys[i] * rows->same[j] * reach->keys[j]);
        alike /= sow_sqrt(sizes);
        *one = 1 + (alike < 1 ? alike : 1) * (far - 1);
        *one = *one * common < 1 ? *one : 1 / common;
        *two = common < 1 - 1e-9 ? (1 - *one * common) / (1 - common) : 1;
    }
}

/* Of one query: the mean of the values, and how far weights that follow the logits lift it. */
static double own_size(const struct sow_reach *reach, const struct sow_places *values, size_t i,
                       double lift)
{
    double one = 0, two = 0, share = 1 / reach->keys[i];
    for (size_t k = reach->first[i]; k <= reach->last[i]; k++) {
        one += reach->seen[i][k] * share * values->size[k];
        for (size_t l = reach->first[i]; l <= reach->last[i]; l++) {
            two += pairs_seen(reach, i, k, l) * values->alike[k][l];
        }
    }
    two = reach->pairs[i] > 0 ? two / reach->pairs[i] : one;
    double size = share * one + (1 - share) * two + lift;
    return size < one ? size : one;
}

/* Of two queries: sums over keys that both see and over two different keys, over the keys of each. */
static void sum_pairs(const struct sow_reach *reach, const struct sow_places *values,
                      double same[SOW_PLACES][SOW_PLACES], double all[SOW_PLACES][SOW_PLACES])
{
    for (size_t i = 0; i < values->count; i++) {
        double mean[SOW_PLACES]; /* products with the values that the query sees */
        for (size_t k = 0; k <= reach->last[i]; k++) {
            mean[k] = 0;
        }
        for (size_t l = reach->first[i]; l <= reach->last[i]; l++) {
            for (size_t k = 0; k <= reach->last[i]; k++) {
                mean[k] += reach->seen[i][l] * values->alike[l][k];
            }
        }
        for (size_t j = 0; j <= i; j++) {
            same[i][j] = all[i][j] = 0;
            for (size_t k = reach->first[j]; k <= reach->last[j]; k++) {
                all[i][j] += reach->seen[j][k] * mean[k];
            }
        }
    }
    for (size_t k = 0; k < values->count; k++) {
        for (size_t i = reach->from[k]; i < values->count; i++) {
            const double *both = sow_both_seen(reach, k, i);
            for (size_t j = reach->from[k]; j <= i; j++) {
                same[i][j] += both[j] * values->size[k];
                all[i][j] -= both[j] * values->alike[k][k];
            }
        }
    }
}

/* What two queries that are alike choose by chance, they choose alike. */
static double chance_of_both(const struct sow_reach *reach, const struct sow_rows *rows,
                             const struct sow_places *queries, size_t i, size_t j)
{
    double sizes = queries->size[i] * queries->size[j];
    double alike = queries->alike[i][j] * reach->kept[i][j];
    if (!(alike > 0 && sizes > 0)) {
        return 0;
    }
    alike /= sow_sqrt(sizes);
    return (alike < 1 ? alike : 1) * sow_sqrt(rows->chance[i] * rows->chance[j]);
}

int sow_places_attend(struct sow_predictor *p, const struct sow_node *node, struct sow_places *out)
{
    struct sow_places room[3];
    const struct sow_places *parts[3];
    const struct sow_reach *reach = sow_reach_of(p, node, (uint64_t)out->tokens);
    struct sow_rows *rows = sow_arena_take(&p->arena, sizeof *rows);
    double same[SOW_PLACES][SOW_PLACES], all[SOW_PLACES][SOW_PLACES];
    if (reach == NULL || rows == NULL) {
        return 0;
    }
    sow_places_parts(p, node, &reach->groups, room, parts);
    rows_of(p, node, reach, parts, rows);
    p->locals[node - p->network->nodes].rows = rows;
    sum_pairs(reach, parts[2], same, all);
    for (size_t i = 0; i < out->count; i++) {
        out->size[i] = own_size(reach, parts[2], i, rows->lift[i]);
        for (size_t j = 0; j <= i; j++) {
            double one, two, keys = reach->keys[i] * reach->keys[j];
            sow_rows_cross(reach, rows, parts[0], i, j, &one, &two);
            double chance = chance_of_both(reach, rows, parts[0], i, j);
            out->alike[i][j] = (one * same[i][j] + two * all[i][j]) / keys + chance;
            out->alike[j][i] = out->alike[i][j];
        }
    }
    return 1;
}
