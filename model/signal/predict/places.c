/* SPDX-License-Identifier: MIT */
/* Tokens by their position: under a causal mask the first sees one value, the last all, and a class token is put beside
 * larger ones, so that neither sizes nor correlations are the same everywhere. Each operation's table from those of its inputs; what the other rules know of
 * a value, the means over positions, is mended. A value without a table is the same at all positions. Attention itself is in
 * places_attend.c, gradients are in places_back.c. */
#include "model/signal/predict/places.h"

#include <math.h>
#include <string.h>

#include "core/base/elementary.h"

/* Sum over the ordered pairs of tokens that are not both followed. One in the middle has as many neighbours as are followed,
 * all others are many windows away. */
static double pairs_beyond(const struct sow_places *places)
{
    size_t last = places->count - 1, middle = places->middle;
    double n = places->tokens, followed = places->followed, beyond = n - followed, near = 0;
    double ends = sow_sqrt(places->size[0] * places->size[last]);
    double far = ends > 0 ? places->alike[0][last] / ends * places->size[middle] : 0;
    for (size_t j = 0; j <= last; j++) {
        near += (places->group[j] - (j == middle)) * places->alike[middle][j];
    }
    return beyond * near +
           (n * (n - 1) - followed * (followed - 1) - beyond * (followed - 1)) * far;
}

void sow_places_mean(const struct sow_places *places, double *size, double *alike)
{
    double one = 0, two = 0, n = places->tokens, followed = places->followed;
    for (size_t i = 0; i < places->count; i++) {
        one += places->group[i] * places->size[i];
        for (size_t j = 0; j < places->count; j++) {
            two += places->group[i] * (places->group[j] - (i == j)) * places->alike[i][j];
        }
    }
    if (n > followed) {
        one += (n - followed) * places->size[places->middle];
        two += pairs_beyond(places);
    }
    *size = one / n;
    *alike = n > 1 ? two / (n * (n - 1)) : 0;
}

void sow_places_scale(struct sow_places *places, double size, double alike)
{
    for (size_t i = 0; i < places->count; i++) {
        places->size[i] *= size;
        for (size_t j = 0; j < places->count; j++) {
            places->alike[i][j] *= alike;
        }
    }
}

void sow_places_multiply(struct sow_places *places, const struct sow_places *other)
{
    for (size_t i = 0; i < places->count; i++) {
        places->size[i] *= other->size[i];
        for (size_t j = 0; j < places->count; j++) {
            places->alike[i][j] *= other->alike[i][j];
        }
    }
}

void sow_places_stretch(struct sow_places *places, const double factors[])
{
    for (size_t i = 0; i < places->count; i++) {
        for (size_t j = 0; j < places->count; j++) {
            places->alike[i][j] *= factors[i] * factors[j];
        }
    }
}

void sow_places_like(struct sow_places *to, const struct sow_places *like)
{
    to->count = like->count;
    to->tokens = like->tokens;
    to->followed = like->followed;
    to->middle = like->middle;
    memcpy(to->group, like->group, like->count * sizeof like->group[0]);
}

void sow_places_copy(struct sow_places *to, const struct sow_places *from)
{
    sow_places_like(to, from);
    memcpy(to->size, from->size, from->count * sizeof from->size[0]);
    for (size_t i = 0; i < from->count; i++) {
        memcpy(to->alike[i], from->alike[i], from->count * sizeof from->alike[i][0]);
    }
}

const struct sow_places *sow_places_or(const struct sow_places *table,
                                       const struct sow_places *like, double alike,
                                       struct sow_places *room)
{
    if (table != NULL && table->tokens == like->tokens) {
        return table;
    }
    sow_places_like(room, like);
    for (size_t i = 0; i < room->count; i++) {
        room->size[i] = 1;
        for (size_t j = 0; j < room->count; j++) {
            room->alike[i][j] = alike;
        }
    }
    return room;
}

static const struct sow_places *table_of(const struct sow_predictor *p, uint32_t flow,
                                         const struct sow_places *like, struct sow_places *room)
{
    return sow_places_or(p->by_place[flow], like, p->states[flow].place, room);
}

/* ---- Operations on each token alone ----------------------------------------------------------------- */

/* Norms over features: each token by its own size. */
static void normalise(const struct sow_predictor *p, const struct sow_node *node,
                      struct sow_places *x)
{
    const struct sow_state *in = &p->states[node->inputs[0]];
    double kept = node->op == SOW_OP_LAYER_NORM ? 1 - in->feature : 1;
    double eps = sow_exp(sow_log_of(node->at.eps, 0) - in->log), roots[SOW_PLACES];
    for (size_t i = 0; i < x->count; i++) {
        double size = x->size[i] * kept;
        roots[i] = sow_sqrt(kept / (size + eps));
        x->size[i] = size / (size + eps);
    }
    sow_places_stretch(x, roots);
    double norm = kept / (kept + eps); /* what the rule for all positions has made it */
    sow_places_scale(x, 1 / norm, 1 / norm);
}

static void activate(struct sow_predictor *p, const struct sow_node *node, struct sow_places *x)
{
    const struct sow_state *in = &p->states[node->inputs[0]], *out = &p->states[node->output];
    double power = in->par > 0 ? out->par / in->par : 1, root[SOW_PLACES];
    for (size_t i = 0; i < x->count; i++) {
        root[i] = sow_sqrt(x->size[i]);
        x->size[i] = sow_pow(x->size[i], power);
    }
    for (size_t i = 0; i < x->count; i++) {
        for (size_t j = 0; j <= i; j++) {
            double c = root[i] * root[j] > 0 ? x->alike[i][j] / (root[i] * root[j]) : 0;
            c = sow_function_alike(p, &node->at.function, 0, in, c);
            x->alike[i][j] = x->alike[j][i] = c * sow_sqrt(x->size[i] * x->size[j]);
        }
    }
}

/* y = share x + a rest that all positions have in common, by what it has done to the means. */
static void mix(const struct sow_predictor *p, const struct sow_node *node, struct sow_places *x)
{
    double before = 1 - p->states[node->inputs[0]].place, after = 1 - p->states[node->output].place;
    double share = before > 1e-12 ? after / before : 1;
    for (size_t i = 0; i < x->count; i++) {
        x->size[i] = share * x->size[i] + 1 - share;
        for (size_t j = 0; j < x->count; j++) {
            x->alike[i][j] = share * x->alike[i][j] + 1 - share;
        }
    }
}

static void add(struct sow_predictor *p, const struct sow_node *node, struct sow_places *x)
{
    uint32_t a = node->inputs[0], b = node->inputs[1];
    struct sow_places room;
    const struct sow_places *y = table_of(p, b, x, &room);
    double log = p->states[node->output].log, qa = sow_exp(p->states[a].log - log),
           qb = sow_exp(p->states[b].log - log), both = 2 * sow_sqrt(qa * qb);
    double same = both * sow_cosine(p, SOW_PAIR_SAME, a, b),
           place = both * sow_cosine(p, SOW_PAIR_PLACE, a, b);
    for (size_t i = 0; i < x->count; i++) {
        x->size[i] = qa * x->size[i] + qb * y->size[i] + same * sow_sqrt(x->size[i] * y->size[i]);
        for (size_t j = 0; j < x->count; j++) {
            x->alike[i][j] = qa * x->alike[i][j] + qb * y->alike[i][j] + place;
        }
    }
}

static void multiply(const struct sow_predictor *p, const struct sow_node *node,
                     struct sow_places *x)
{
    struct sow_places room;
    sow_places_multiply(x, table_of(p, node->inputs[1], x, &room));
}

/* Fills *x from the tables of the inputs; 0 where the operation is not one that is followed. */
static int apply(struct sow_predictor *p, const struct sow_node *node, struct sow_places *x)
{
    switch (node->op) {
    case SOW_OP_ATTENTION:
        return sow_places_attend(p, node, x);
    case SOW_OP_CONCAT:
        sow_places_concat(p, node, x);
        return 1;
    case SOW_OP_LAYER_NORM:
    case SOW_OP_RMS_NORM:
        normalise(p, node, x);
        return 1;
    case SOW_OP_ACTIVATION:
        activate(p, node, x);
        return 1;
    case SOW_OP_LINEAR:
        mix(p, node, x);
        return 1;
    case SOW_OP_ADD:
        add(p, node, x);
        return 1;
    case SOW_OP_MULTIPLY:
        multiply(p, node, x);
        return p->locals[node - p->network->nodes].composed == NULL;
    case SOW_OP_DROPOUT:
        sow_places_scale(x, 1, 1 - node->at.p);
        return 1;
    case SOW_OP_SCALE:
    case SOW_OP_LAYER_SCALE:
    case SOW_OP_SPLIT_HEADS:
    case SOW_OP_MERGE_HEADS:
        return 1;
    default:
        return 0;
    }
}

/* Of attention's mean size: what tokens of many features would not have. */
static double chance_of(const struct sow_predictor *p, const struct sow_node *node,
                        const struct sow_places *x)
{
    const struct sow_rows *rows = p->locals[node - p->network->nodes].rows;
    double sum = 0;
    for (size_t i = 0; i < x->count; i++) {
        sum += x->group[i] * rows->chance[i];
    }
    return (sum + (x->tokens - x->followed) * rows->chance[x->middle]) / x->tokens;
}

void sow_forward_places(struct sow_predictor *p, const struct sow_node *node)
{
    struct sow_state *out = &p->states[node->output];
    const struct sow_flow *flow = &p->network->flows[node->output];
    const struct sow_places *known = NULL;
    struct sow_places x, room;
    for (uint32_t i = 0; i < node->input_count; i++) {
        known = known == NULL ? p->by_place[node->inputs[i]] : known;
    }
    uint64_t tokens = flow->rank > 1 ? flow->shape[flow->rank - 2] : 1;
    int concat = node->op == SOW_OP_CONCAT && sow_along_tokens(p, node);
    int begins = tokens > 1 && (node->op == SOW_OP_ATTENTION || concat);
    if ((known == NULL && !begins) || !(out->log > -INFINITY) || out->places < 2) {
        return;
    }
    int is_new = known == NULL || concat;
    int all_seen = node->at.window == 0 || node->at.window >= tokens;
    if (is_new) {
        sow_places_group(p, &x, tokens);
    } else {
        sow_places_like(&x, known);
    }
    if (node->input_count > 0 && !concat) {
        sow_places_copy(&x, table_of(p, node->inputs[0], &x, &room));
    }
    if (((node->op == SOW_OP_ATTENTION || node->op == SOW_OP_CONCAT) && !begins) ||
        !apply(p, node, &x)) {
        return;
    }
    double size, alike;
    sow_places_mean(&x, &size, &alike);
    if (!(size > 0) || !(size < 1e6)) {
        return;
    }
    if (is_new && all_seen &&
        !concat) { /* the rule for all positions is exact here, but for chance */
        double chance = chance_of(p, node, &x);
        out->log += sow_log(size / (size - chance));
        out->place *= (size - chance) / size;
        sow_places_scale(&x, 1 / size, alike > 0 ? out->place / alike : 1 / size);
    } else {
        out->log = (node->op == SOW_OP_ATTENTION ? p->locals[node - p->network->nodes].part[2].log
                                                 : out->log) +
                   sow_log(size);
        out->place = alike / size > 1 ? 1 : alike / size;
        sow_places_scale(&x, 1 / size, 1 / size);
    }
    struct sow_places *kept = sow_arena_take(&p->arena, sizeof *kept);
    if (kept != NULL) {
        sow_places_copy(kept, &x);
    }
    p->by_place[node->output] = kept;
}

double sow_place_correlation(const struct sow_predictor *p, uint32_t flow)
{
    const struct sow_places *x = p->by_place[flow];
    double sum = 0;
    if (x == NULL || x->tokens < 2) {
        return p->states[flow].place;
    }
    for (size_t i = 0; i < x->count; i++) {
        for (size_t j = 0; j < x->count; j++) {
            double sizes = sow_sqrt(x->size[i] * x->size[j]),
                   pairs = x->group[i] * (x->group[j] - (i == j));
            double c = sizes > 0 ? x->alike[i][j] / sizes : 1;
            sum += pairs * (c < 1 ? c : 1);
        }
    }
    if (x->tokens > x->followed && x->size[x->middle] > 0) {
        sum += pairs_beyond(x) / x->size[x->middle];
    }
    return sum / (x->tokens * (x->tokens - 1));
}
