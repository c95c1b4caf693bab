/* SPDX-License-Identifier: MIT */
/* Causal attention by position, forward: how large the outputs of each group of queries are, and how alike those of each
 * two. Weights are 1 / keys, larger for single keys as far as the softmax is from uniform. */
#include <math.h>

#include "core/base/elementary.h"
#include "model/signal/places.h"

void sow_places_parts(const struct sow_predictor *p, const struct sow_node *node,
                      const struct sow_places *like, struct sow_places parts[3])
{
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t flow = node->inputs[node->input_count == 1 ? 0 : i];
        parts[i] = sow_places_or(p->by_place[flow], like, p->states[flow].place);
    }
}

/* How far a key of each group lies from the mean of those that a query of group i sees, squared, after rotation. */
static void distances(const struct sow_reach *reach, const struct sow_places *x, size_t i,
                      double apart[SOW_PLACES])
{
    double means[SOW_PLACES], all = 0, count = reach->keys[i];
    for (size_t k = reach->first[i]; k <= i; k++) {
        means[k] = x->size[k] - reach->kept[k][k] * x->alike[k][k];
        for (size_t l = reach->first[i]; l <= i; l++) {
            means[k] += reach->kept[k][l] * reach->seen[i][l] * x->alike[k][l];
        }
        means[k] /= count;
        all += reach->seen[i][k] * means[k] / count;
    }
    for (size_t k = reach->first[i]; k <= i; k++) {
        double square = x->size[k] - 2 * means[k] + all;
        apart[k] = square > 0 ? square : 0;
    }
}

static void rows_of(struct sow_predictor *p, const struct sow_node *node,
                    const struct sow_reach *reach, const struct sow_places parts[3],
                    struct sow_rows *rows)
{
    const struct sow_local *local = &p->locals[node - p->network->nodes];
    double ln_scale = sow_log_of(node->at.scale * node->at.scale * (double)node->at.head_dim,
                                 local->part[0].log + local->part[1].log);
    for (size_t i = 0; i < reach->groups.count; i++) {
        double apart[SOW_PLACES], own = 0, count = reach->keys[i];
        distances(reach, &parts[1], i, apart);
        for (size_t k = reach->first[i]; k <= i; k++) {
            own += reach->seen[i][k] / count * apart[k];
        }
        double unbiased = count > 1 ? count / (count - 1) : 0;
        double ln_s2 = sow_log_of(own * unbiased * parts[0].size[i], ln_scale);
        struct sow_softmax_row row = sow_softmax_row(p, ln_s2 < 20 ? sow_exp(ln_s2) : 1e9, count);
        rows->same[i] = row.same;
        rows->moved[i] = row.moved;
    }
}

void sow_rows_cross(const struct sow_reach *reach, const struct sow_rows *rows,
                    const struct sow_places *queries, size_t i, size_t j, double *one, double *two)
{
    double roots = sow_sqrt(queries->size[i] * queries->size[j]), common = 0;
    double alike = roots > 0 ? queries->alike[i][j] / roots * reach->kept[i][j] : 0;
    double far = sow_sqrt(rows->same[i] * reach->keys[i] * rows->same[j] * reach->keys[j]);
    size_t from = reach->first[i] > reach->first[j] ? reach->first[i] : reach->first[j];
    for (size_t k = from; k <= i && k <= j; k++) {
        common += sow_both_seen(reach, i, j, k);
    }
    common /= reach->keys[i] * reach->keys[j];
    *one = 1 + (alike > 0 ? alike < 1 ? alike : 1 : 0) * (far - 1);
    *one = *one * common < 1 ? *one : 1 / common;
    *two = common < 1 - 1e-9 ? (1 - *one * common) / (1 - common) : 1;
}

/* Of one query: means over the keys of one value, and of the product of two. */
static double own_size(const struct sow_reach *reach, const struct sow_places *values, size_t i,
                       double same)
{
    double one = 0, two = 0;
    for (size_t k = reach->first[i]; k <= i; k++) {
        one += reach->seen[i][k] * values->size[k];
        for (size_t l = reach->first[i]; l <= i; l++) {
            two += (k == l ? reach->twice[i][k] : reach->seen[i][k] * reach->seen[i][l]) *
                   values->alike[k][l];
        }
    }
    one /= reach->keys[i];
    return reach->pairs[i] > 0 ? same * one + (1 - same) * two / reach->pairs[i] : one;
}

int sow_places_attend(struct sow_predictor *p, const struct sow_node *node, struct sow_places *out)
{
    struct sow_places parts[3];
    const struct sow_reach *reach = sow_reach_of(p, node, (uint64_t)out->tokens);
    struct sow_rows *rows = sow_arena_take(&p->arena, sizeof *rows);
    double mean[SOW_PLACES][SOW_PLACES]; /* [query][key]: of the products with the values it sees */
    if (reach == NULL || rows == NULL) {
        return 0;
    }
    sow_places_parts(p, node, out, parts);
    rows_of(p, node, reach, parts, rows);
    p->locals[node - p->network->nodes].rows = rows;
    const struct sow_places *values = &parts[2];
    for (size_t i = 0; i < out->count; i++) {
        out->size[i] = own_size(reach, values, i, rows->same[i]);
        for (size_t k = 0; k < out->count; k++) {
            mean[i][k] = 0;
            for (size_t l = reach->first[i]; l <= i; l++) {
                mean[i][k] += reach->seen[i][l] / reach->keys[i] * values->alike[k][l];
            }
        }
        for (size_t j = 0; j <= i; j++) {
            double one, two, same = 0, all = 0, keys = reach->keys[i] * reach->keys[j];
            sow_rows_cross(reach, rows, &parts[0], i, j, &one, &two);
            for (size_t k = reach->first[j]; k <= j; k++) {
                double both = sow_both_seen(reach, i, j, k) / keys;
                same += both * values->size[k];
                all += reach->seen[j][k] / reach->keys[j] * mean[i][k] - both * values->alike[k][k];
            }
            out->alike[i][j] = out->alike[j][i] = one * same + two * all;
        }
    }
    return 1;
}
