/* SPDX-License-Identifier: MIT */
/* Tokens by their position, behind attention that is causal: the first sees one value, the last all, so that neither sizes
 * nor correlations are the same everywhere. Positions are taken in groups that grow by a third; of a value it is known how
 * large each group is and how alike each two are, and what the other rules know of it, the means over positions, is
 * mended. A value without a table is the same at all positions. Gradients are not told apart. */
#include <math.h>
#include <string.h>

#include "core/base/elementary.h"
#include "model/signal/predict.h"

#define GROUPS 40
#define GROWTH 1.3

/* In units of the mean of E[x^2] over positions. */
struct sow_places {
    size_t count;         /* groups */
    double tokens;        /* of all groups together */
    double group[GROUPS]; /* tokens of each */
    double size[GROUPS];  /* E[x^2] */
    double alike[GROUPS]
                [GROUPS]; /* E[x y], x and y of different tokens; of one token alone nothing */
};

static void set_groups(struct sow_places *places, uint64_t tokens)
{
    double begin = 0;
    places->tokens = (double)tokens;
    places->count = 0;
    while (begin < places->tokens) {
        double end = floor(begin * GROWTH) > begin ? floor(begin * GROWTH) : begin + 1;
        end = end > places->tokens || places->count == GROUPS - 1 ? places->tokens : end;
        places->group[places->count++] = end - begin;
        begin = end;
    }
}

static void mean_of(const struct sow_places *places, double *size, double *alike)
{
    double one = 0, two = 0, n = places->tokens;
    for (size_t i = 0; i < places->count; i++) {
        one += places->group[i] * places->size[i];
        for (size_t j = 0; j < places->count; j++) {
            two += places->group[i] * (places->group[j] - (i == j)) * places->alike[i][j];
        }
    }
    *size = one / n;
    *alike = n > 1 ? two / (n * (n - 1)) : 0;
}

static void scale_by(struct sow_places *places, double size, double alike)
{
    for (size_t i = 0; i < places->count; i++) {
        places->size[i] *= size;
        for (size_t j = 0; j < places->count; j++) {
            places->alike[i][j] *= alike;
        }
    }
}

/* The table of a flow, or of one that is the same everywhere. */
static struct sow_places table_of(const struct sow_predictor *p, uint32_t flow,
                                  const struct sow_places *like)
{
    if (p->by_place[flow] != NULL && p->by_place[flow]->tokens == like->tokens) {
        return *p->by_place[flow];
    }
    struct sow_places made = *like;
    for (size_t i = 0; i < made.count; i++) {
        made.size[i] = 1;
        for (size_t j = 0; j < made.count; j++) {
            made.alike[i][j] = p->states[flow].place;
        }
    }
    return made;
}

/* ---- Attention ------------------------------------------------------------------------------------ */

/* Of the tokens that the last query of a group's middle sees: how many of each group. */
static double seen_of(const struct sow_places *places, size_t group, double counts[GROUPS])
{
    double sum = 0;
    for (size_t k = 0; k < places->count; k++) {
        counts[k] = k < group ? places->group[k] : k == group ? (places->group[k] + 1) / 2 : 0;
        sum += counts[k];
    }
    return sum;
}

/* Means over a token of each of two sets, the smaller within the larger: of one token, and of two. */
static void means_within(const struct sow_places *x, const double few[GROUPS],
                         const double many[GROUPS], double *one, double *two)
{
    double same = 0, pairs = 0, few_sum = 0, many_sum = 0;
    for (size_t k = 0; k < x->count && many[k] > 0; k++) {
        many_sum += many[k];
    }
    for (size_t k = 0; k < x->count && few[k] > 0; k++) {
        double row = -x->alike[k][k];
        for (size_t l = 0; l < x->count && many[l] > 0; l++) {
            row += many[l] * x->alike[k][l];
        }
        few_sum += few[k];
        same += few[k] * x->size[k];
        pairs += few[k] * row;
    }
    *one = same / few_sum;
    double count = few_sum * (many_sum - 1);
    *two = count > 0.5 ? pairs / count : *one;
}

/* How far a token of each group lies from the mean of `seen`, squared; keep: of what two tokens have in common. */
static void distances(const struct sow_places *x, const double seen[GROUPS], double count,
                      double keep, double apart[GROUPS])
{
    double means[GROUPS], all = 0;
    for (size_t k = 0; k < x->count; k++) {
        means[k] = x->size[k] - keep * x->alike[k][k];
        for (size_t l = 0; l < x->count; l++) {
            means[k] += keep * seen[l] * x->alike[k][l];
        }
        means[k] /= count;
        all += seen[k] * means[k] / count;
    }
    for (size_t k = 0; k < x->count; k++) {
        double square = x->size[k] - 2 * means[k] + all;
        apart[k] = square > 0 ? square : 0;
    }
}

/* Sizes of the outputs of queries in the middle of each group, E[sum p^2] of their rows, and how far gradients reach
 * logits: few tokens that stand apart, in keys and in values, make most of it. */
static void attend_alone(struct sow_predictor *p, const struct sow_node *node,
                         const struct sow_places *parts, double seen[GROUPS][GROUPS],
                         double counts[GROUPS], double same[GROUPS], struct sow_places *out)
{
    struct sow_local *local = &p->locals[node - p->network->nodes];
    double keep = sow_rotation_kept(&node->at, (uint64_t)out->tokens), all = 0, moved = 0;
    double ln_scale = sow_log_of(node->at.scale * node->at.scale * (double)node->at.head_dim,
                                 local->part[0].log + local->part[1].log);
    for (size_t i = 0; i < out->count; i++) {
        double value, values, keys[GROUPS], apart[GROUPS], own = 0, reach = 0;
        counts[i] = seen_of(out, i, seen[i]);
        distances(&parts[1], seen[i], counts[i], keep, keys);
        distances(&parts[2], seen[i], counts[i], 1, apart);
        for (size_t k = 0; k <= i; k++) {
            own += seen[i][k] / counts[i] * keys[k];
            reach += seen[i][k] / counts[i] * keys[k] * apart[k];
        }
        double unbiased = counts[i] > 1 ? counts[i] / (counts[i] - 1) : 0;
        double ln_s2 = sow_log_of(own * unbiased * parts[0].size[i], ln_scale);
        same[i] = sow_softmax_row(p, ln_s2 < 20 ? sow_exp(ln_s2) : 1e9, counts[i]);
        means_within(&parts[2], seen[i], seen[i], &value, &values);
        out->size[i] = same[i] * value + (1 - same[i]) * values;
        moved += out->group[i] * same[i] * (1 - same[i]) * reach * unbiased * unbiased;
        all += out->group[i] * same[i];
    }
    local->softmax.same = all / out->tokens;
    local->softmax.moved = moved / out->tokens;
}

static void attend(struct sow_predictor *p, const struct sow_node *node, struct sow_places *out)
{
    const uint32_t *in = node->inputs;
    uint32_t last = node->input_count - 1, middle = last > 0 ? 1 : 0;
    const struct sow_places parts[3] = {table_of(p, in[0], out), table_of(p, in[middle], out),
                                        table_of(p, in[last], out)};
    const struct sow_places *q = &parts[0];
    double seen[GROUPS][GROUPS], counts[GROUPS], same[GROUPS];
    attend_alone(p, node, parts, seen, counts, same, out);
    for (size_t i = 0; i < out->count; i++) {
        for (size_t j = i; j < out->count; j++) {
            double value, values, few = counts[i], many = counts[j];
            double alike =
                q->alike[i][j] > 0 ? q->alike[i][j] / sow_sqrt(q->size[i] * q->size[j]) : 0;
            double cross = (1 + alike * (same[i] * few - 1)) / many;
            means_within(&parts[2], seen[i], seen[j], &value, &values);
            out->alike[i][j] = out->alike[j][i] = cross * value + (1 - cross) * values;
        }
    }
}

/* ---- Operations on each token alone ----------------------------------------------------------------- */

/* Norms over features: each token by its own size. */
static void normalise(const struct sow_predictor *p, const struct sow_node *node,
                      struct sow_places *x)
{
    const struct sow_state *in = &p->states[node->inputs[0]];
    double kept = node->op == SOW_OP_LAYER_NORM ? 1 - in->feature : 1;
    double eps = sow_exp(sow_log_of(node->at.eps, 0) - in->log), roots[GROUPS];
    for (size_t i = 0; i < x->count; i++) {
        double size = x->size[i] * kept;
        roots[i] = sow_sqrt(kept / (size + eps));
        x->size[i] = size / (size + eps);
    }
    for (size_t i = 0; i < x->count; i++) {
        for (size_t j = 0; j < x->count; j++) {
            x->alike[i][j] *= roots[i] * roots[j];
        }
    }
    double norm = kept / (kept + eps); /* what the rule for all positions has made it */
    scale_by(x, 1 / norm, 1 / norm);
}

static void activate(struct sow_predictor *p, const struct sow_node *node, struct sow_places *x)
{
    const struct sow_state *in = &p->states[node->inputs[0]], *out = &p->states[node->output];
    double power = in->par > 0 ? out->par / in->par : 1, root[GROUPS];
    for (size_t i = 0; i < x->count; i++) {
        root[i] = sow_sqrt(x->size[i]);
        x->size[i] = sow_pow(x->size[i], power);
    }
    for (size_t i = 0; i < x->count; i++) {
        for (size_t j = 0; j <= i; j++) {
            double c = root[i] * root[j] > 0 ? x->alike[i][j] / (root[i] * root[j]) : 0;
            c = sow_function_alike(p, &node->at.function, in, c);
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

static void add(const struct sow_predictor *p, const struct sow_node *node, struct sow_places *x)
{
    uint32_t a = node->inputs[0], b = node->inputs[1];
    struct sow_places y = table_of(p, b, x);
    double log = p->states[node->output].log, qa = sow_exp(p->states[a].log - log),
           qb = sow_exp(p->states[b].log - log), both = 2 * sow_sqrt(qa * qb);
    double same = both * sow_cosine(p, SOW_PAIR_SAME, a, b),
           place = both * sow_cosine(p, SOW_PAIR_PLACE, a, b);
    for (size_t i = 0; i < x->count; i++) {
        x->size[i] = qa * x->size[i] + qb * y.size[i] + same * sow_sqrt(x->size[i] * y.size[i]);
        for (size_t j = 0; j < x->count; j++) {
            x->alike[i][j] = qa * x->alike[i][j] + qb * y.alike[i][j] + place;
        }
    }
}

static void multiply(const struct sow_predictor *p, const struct sow_node *node,
                     struct sow_places *x)
{
    struct sow_places y = table_of(p, node->inputs[1], x);
    for (size_t i = 0; i < x->count; i++) {
        x->size[i] *= y.size[i];
        for (size_t j = 0; j < x->count; j++) {
            x->alike[i][j] *= y.alike[i][j];
        }
    }
}

/* Fills *x from the tables of the inputs; 0 where the operation is not one that is followed. */
static int apply(struct sow_predictor *p, const struct sow_node *node, struct sow_places *x)
{
    switch (node->op) {
    case SOW_OP_ATTENTION:
        attend(p, node, x);
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
        scale_by(x, 1, 1 - node->at.p);
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

void sow_forward_places(struct sow_predictor *p, const struct sow_node *node)
{
    struct sow_state *out = &p->states[node->output];
    const struct sow_flow *flow = &p->network->flows[node->output];
    const struct sow_places *known = NULL;
    struct sow_places x = {.count = 0};
    for (uint32_t i = 0; i < node->input_count; i++) {
        known = known == NULL ? p->by_place[node->inputs[i]] : known;
    }
    uint64_t tokens = flow->rank > 1 ? flow->shape[flow->rank - 2] : 1;
    int begins = node->op == SOW_OP_ATTENTION && node->at.causal && node->at.window == 0 &&
                 tokens > 1 && out->log > -INFINITY;
    if ((known == NULL && !begins) || !(out->log > -INFINITY) || out->places < 2) {
        return;
    }
    int is_new = known == NULL;
    if (is_new) {
        set_groups(&x, tokens);
    } else {
        x = *known;
    }
    x = node->input_count > 0 ? table_of(p, node->inputs[0], &x) : x;
    if ((node->op == SOW_OP_ATTENTION && !begins) || !apply(p, node, &x)) {
        return;
    }
    double size, alike;
    mean_of(&x, &size, &alike);
    if (!(size > 0) || !(size < 1e6)) {
        return;
    }
    if (is_new) { /* the rule that takes all positions to be alike is exact here */
        scale_by(&x, 1 / size, alike > 0 ? out->place / alike : 1 / size);
    } else {
        out->log = (node->op == SOW_OP_ATTENTION ? p->locals[node - p->network->nodes].part[2].log
                                                 : out->log) +
                   sow_log(size);
        out->place = alike / size > 1 ? 1 : alike / size;
        scale_by(&x, 1 / size, 1 / size);
    }
    struct sow_places *kept = sow_arena_take(&p->arena, sizeof *kept);
    if (kept != NULL) {
        *kept = x;
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
    return sum / (x->tokens * (x->tokens - 1));
}
