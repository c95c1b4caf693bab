/* SPDX-License-Identifier: MIT */
/* Gradients by position: those of a token that few see, or whose stream is small, are not those of the others. Each
 * operation's tables from that of its output, behind the rules of backward.c, whose means over positions are mended; a
 * gradient without a table is the same at all positions. Attention itself is in places_attend_back.c. */
#include <math.h>
#include <string.h>

#include "core/base/elementary.h"
#include "model/signal/predict/places.h"

/* ---- Tables --------------------------------------------------------------------------------------------- */

static struct sow_places *keep(struct sow_predictor *p, const struct sow_places *table)
{
    struct sow_places *kept = p->spare_place;
    if (kept != NULL) {
        p->spare_place = kept->next;
    } else {
        kept = sow_arena_take(&p->arena, sizeof *kept);
    }
    if (kept != NULL) {
        sow_places_copy(kept, table);
    }
    return kept;
}

static void give_back(struct sow_predictor *p, struct sow_places **table)
{
    if (*table != NULL) {
        (*table)->next = p->spare_place;
        p->spare_place = *table;
        *table = NULL;
    }
}

/* Mends the means of `adjoint`, and keeps the table in units of its own mean; NULL where it is nothing. */
static struct sow_places *settle(struct sow_predictor *p, struct sow_places *table,
                                 struct sow_adjoint *adjoint)
{
    double size, alike;
    sow_places_mean(table, &size, &alike);
    if (!(size > 0) || !(size < 1e30)) {
        return NULL;
    }
    adjoint->log += sow_log(size);
    adjoint->place = alike / size > 1 ? 1 : alike / size;
    sow_places_scale(table, 1 / size, 1 / size);
    return keep(p, table);
}

/* Adds share times y, or times one that is the same everywhere. */
static void add(struct sow_places *sum, const struct sow_places *y, double share, double alike)
{
    for (size_t i = 0; i < sum->count; i++) {
        sum->size[i] += share * (y != NULL ? y->size[i] : 1);
        for (size_t j = 0; j < sum->count; j++) {
            sum->alike[i][j] += share * (y != NULL ? y->alike[i][j] : alike);
        }
    }
}

/* Of gradients that add up: each table as large as its part is. NULL where none has one. */
static struct sow_places *mixture(struct sow_predictor *p, size_t count,
                                  struct sow_places *const tables[],
                                  const struct sow_adjoint parts[], const double weights[])
{
    struct sow_places sum;
    double log = -INFINITY, total = 0;
    sum.count = 0;
    for (size_t i = 0; i < count; i++) {
        if (tables[i] != NULL && sum.count == 0) {
            sow_places_copy(&sum, tables[i]);
        }
        log = parts[i].log > log ? parts[i].log : log;
    }
    if (sum.count == 0 || !(log > -INFINITY)) {
        return NULL;
    }
    sow_places_scale(&sum, 0, 0);
    for (size_t i = 0; i < count; i++) {
        double share = weights[i] * sow_exp(parts[i].log - log);
        int fits = tables[i] != NULL && tables[i]->tokens == sum.tokens;
        add(&sum, fits ? tables[i] : NULL, share, parts[i].place);
        total += share;
    }
    sow_places_scale(&sum, 1 / total, 1 / total);
    return keep(p, &sum);
}

/* ---- Each token alone -------------------------------------------------------------------------------------- */

/* Back through a norm a gradient is divided by the token's own size. */
static void normalise(const struct sow_predictor *p, const struct sow_node *node,
                      struct sow_places *x)
{
    const struct sow_state *in = &p->states[node->inputs[0]];
    struct sow_places room;
    const struct sow_places *sizes =
        sow_places_or(p->by_place[node->inputs[0]], x, in->place, &room);
    double kept = node->op == SOW_OP_LAYER_NORM ? 1 - in->feature : 1;
    double eps = sow_exp(sow_log_of(node->at.eps, 0) - in->log), roots[SOW_PLACES];
    for (size_t i = 0; i < x->count; i++) {
        double square = (kept + eps) / (sizes->size[i] * kept + eps);
        x->size[i] *= square;
        roots[i] = sow_sqrt(square);
    }
    sow_places_stretch(x, roots);
}

static void activate(struct sow_predictor *p, const struct sow_node *node, struct sow_places *x)
{
    const struct sow_state *in = &p->states[node->inputs[0]];
    const struct sow_local *local = &p->locals[node - p->network->nodes];
    const struct sow_places *sizes = p->by_place[node->inputs[0]];
    double same = local->slope_square > 0 ? local->slope_place / local->slope_square : 1;
    for (size_t i = 0; i < x->count; i++) {
        for (size_t j = 0; j <= i; j++) {
            if (node->op == SOW_OP_ACTIVATION && sizes != NULL && local->slope_square > 0) {
                double root = sow_sqrt(sizes->size[i] * sizes->size[j]);
                double c = root > 0 ? sizes->alike[i][j] / root : 0;
                same = sow_function_alike(p, &node->at.function, 1, in, c);
            }
            x->alike[i][j] = x->alike[j][i] = x->alike[i][j] * same;
        }
    }
}

static void multiply(const struct sow_predictor *p, const struct sow_node *node, uint32_t slot,
                     struct sow_places *x)
{
    uint32_t flow = node->inputs[1 - slot];
    struct sow_places room;
    sow_places_multiply(x, sow_places_or(p->by_place[flow], x, p->states[flow].place, &room));
}

/* Makes of the table of the output's gradient that of an input's; 0 where the operation is not one that is followed. */
static int apply(struct sow_predictor *p, const struct sow_node *node, uint32_t slot,
                 struct sow_places *x)
{
    const struct sow_flow *in = &p->network->flows[node->inputs[slot]];
    if (in->rank < 2 || (double)in->shape[in->rank - 2] != x->tokens) {
        return 0;
    }
    switch (node->op) {
    case SOW_OP_LAYER_NORM:
    case SOW_OP_RMS_NORM:
        normalise(p, node, x);
        return 1;
    case SOW_OP_ACTIVATION:
        activate(p, node, x);
        return 1;
    case SOW_OP_MULTIPLY:
        if (p->locals[node - p->network->nodes].composed != NULL) {
            activate(p, node, x);
        } else {
            multiply(p, node, slot, x);
        }
        return 1;
    case SOW_OP_DROPOUT:
        sow_places_scale(x, 1, 1 - node->at.p);
        return 1;
    case SOW_OP_LINEAR:
    case SOW_OP_ADD:
    case SOW_OP_SCALE:
    case SOW_OP_LAYER_SCALE:
    case SOW_OP_SPLIT_HEADS:
    case SOW_OP_MERGE_HEADS:
        return 1;
    default:
        return 0;
    }
}

/* ---- Attention ------------------------------------------------------------------------------------------------- */

static void back_attention(struct sow_predictor *p, const struct sow_node *node)
{
    struct sow_local *local = &p->locals[node - p->network->nodes];
    const struct sow_adjoint *out = &p->adjoints[node->output];
    const struct sow_flow *flow = &p->network->flows[node->output];
    const struct sow_reach *reach = sow_reach_of(p, node, flow->shape[flow->rank - 2]);
    struct sow_places back[3], room;
    const struct sow_places *gradient =
        sow_places_or(p->back_place[node->output], &reach->groups, out->place, &room);
    double group = (double)node->at.heads / (double)node->at.kv_heads;
    double logits = node->at.scale * node->at.scale * (double)node->at.head_dim;
    const struct sow_state *q = &local->part[0], *k = &local->part[1], *v = &local->part[2];
    const double logs[3] = {v->log + k->log + sow_log_of(logits, 0),
                            v->log + q->log + sow_log_of(logits * group, 0), sow_log_of(group, 0)};
    sow_places_attend_back(p, node, gradient, back);
    for (int i = 0; i < 3; i++) {
        struct sow_adjoint made = {out->log + logs[i], i == 2 ? out->feature : 0, 0, 0, 0};
        local->back_place[i] = settle(p, &back[i], &made);
        local->adjoint[i] = made;
        if (local->back_place[i] == NULL) {
            local->adjoint[i] = (struct sow_adjoint){-INFINITY, 0, 0, 0, 0};
        }
    }
    sow_back_parts(p, node);
    uint32_t use = p->first_use[node - p->network->nodes];
    if (node->input_count > 1) {
        memcpy(&p->use_place[use], local->back_place, sizeof local->back_place);
        memset(local->back_place, 0, sizeof local->back_place);
    } else {
        const double weights[3] = {group, 1, 1};
        p->use_place[use] = mixture(p, 3, local->back_place, local->adjoint, weights);
    }
}

/* Tokens that were put side by side: each part its own gradient. */
static void back_concat(struct sow_predictor *p, const struct sow_node *node, uint32_t first)
{
    const struct sow_places *gradient = p->back_place[node->output];
    for (uint32_t i = 0; gradient != NULL && i < node->input_count; i++) {
        p->use[first + i] = sow_places_part(p, node, i, gradient, &p->use[first + i]);
    }
}

/* A token that was taken out of many. */
static void back_take(struct sow_predictor *p, const struct sow_node *node, uint32_t first)
{
    struct sow_places x;
    if (p->by_place[node->inputs[0]] != NULL) {
        sow_places_like(&x, p->by_place[node->inputs[0]]);
        sow_places_taken(node, &x);
        p->use_place[first] = settle(p, &x, &p->use[first]);
    }
}

/* A linear layer that makes packed queries, keys and values. */
static void back_packed(struct sow_predictor *p, struct sow_local *reader,
                        const struct sow_adjoint parts[3], uint32_t use)
{
    const double weights[3] = {1, 1, 1};
    p->use_place[use] = mixture(p, 3, reader->back_place, parts, weights);
    for (int i = 0; i < 3; i++) {
        give_back(p, &reader->back_place[i]);
    }
}

/* ---- The rules ----------------------------------------------------------------------------------------------------- */

void sow_backward_places(struct sow_predictor *p, const struct sow_node *node)
{
    struct sow_local *local = &p->locals[node - p->network->nodes];
    struct sow_places *out = p->back_place[node->output];
    uint32_t first = p->first_use[node - p->network->nodes];
    struct sow_adjoint parts[3];
    struct sow_local *reader = NULL;
    if (!(p->adjoints[node->output].log > -INFINITY)) {
        give_back(p, &p->back_place[node->output]);
        return;
    }
    if (node->op == SOW_OP_ATTENTION && local->rows != NULL) {
        back_attention(p, node);
    } else if (node->op == SOW_OP_CONCAT && sow_along_tokens(p, node)) {
        back_concat(p, node, first);
    } else if (node->op == SOW_OP_TAKE && sow_along_tokens(p, node)) {
        back_take(p, node, first);
    } else if (node->op == SOW_OP_LINEAR && (reader = sow_back_packed(p, node, parts)) != NULL) {
        back_packed(p, reader, parts, first);
    } else {
        for (uint32_t i = 0; i < node->input_count; i++) {
            const struct sow_places *known = out;
            for (uint32_t k = 0; k < node->input_count && known == NULL; k++) {
                known = node->op == SOW_OP_LINEAR || node->op == SOW_OP_ADD
                            ? NULL /* nothing changes */
                            : p->by_place[node->inputs[k]];
            }
            if (known == NULL || !(p->use[first + i].log > -INFINITY)) {
                continue;
            }
            struct sow_places x, room;
            sow_places_copy(&x, sow_places_or(out, known, p->adjoints[node->output].place, &room));
            p->use_place[first + i] =
                apply(p, node, i, &x) ? settle(p, &x, &p->use[first + i]) : NULL;
        }
    }
    give_back(p, &p->back_place[node->output]);
}

static void lift(struct sow_places *sum, double alike)
{
    for (size_t i = 0; i < sum->count; i++) {
        for (size_t j = 0; j < sum->count; j++) {
            sum->alike[i][j] += alike;
        }
    }
}

void sow_gather_places(struct sow_predictor *p, uint32_t flow)
{
    uint32_t begin = p->use_begin[flow], end = p->use_begin[flow + 1];
    struct sow_places sum;
    double size, alike;
    sum.count = 0;
    for (uint32_t i = begin; i < end && sum.count == 0; i++) {
        if (p->use_place[p->use_list[i]] != NULL) {
            sow_places_copy(&sum, p->use_place[p->use_list[i]]);
        }
    }
    if (sum.count == 0 || !(p->adjoints[flow].log > -INFINITY)) {
        return;
    }
    sow_places_scale(&sum, 0, 0);
    for (uint32_t i = begin; i < end; i++) {
        uint32_t use = p->use_list[i];
        double share = sow_exp(p->use[use].log - p->adjoints[flow].log);
        struct sow_places *table = p->use_place[use];
        int fits = table != NULL && table->tokens == sum.tokens;
        if (share > 0) {
            add(&sum, fits ? table : NULL, share, p->use[use].place);
        }
        give_back(p, &p->use_place[use]);
    }
    sow_places_mean(&sum, &size, &alike);
    if (size > 0 && size < 1e30) {
        sow_places_scale(&sum, 1 / size, 1 / size);
        if (p->shared != NULL) { /* what uses have in common is in the means alone */
            lift(&sum, p->adjoints[flow].place - alike / size);
            alike = p->adjoints[flow].place * size;
        }
        p->adjoints[flow].place = alike / size > 1 ? 1 : alike / size;
        p->back_place[flow] = keep(p, &sum);
    }
}
