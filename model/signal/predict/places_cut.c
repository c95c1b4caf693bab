/* SPDX-License-Identifier: MIT */
/* Tokens that are put beside others or taken out, by position: a class token of zeros beside large patches is not of their
 * size behind any norm, and where only it goes on, it alone gets a gradient at first. Groups end where such tokens do. */
#include <math.h>

#include "core/base/elementary.h"
#include "model/signal/predict/places.h"

int sow_along_tokens(const struct sow_predictor *p, const struct sow_node *node)
{
    const struct sow_flow *in = node->input_count > 0 ? &p->network->flows[node->inputs[0]] : NULL;
    return (node->op == SOW_OP_CONCAT || node->op == SOW_OP_TAKE) && in->rank == 3 &&
           node->at.axis == 1;
}

static uint64_t tokens_of(const struct sow_predictor *p, uint32_t flow)
{
    return p->network->flows[flow].shape[1];
}

/* Parts the group that token `at` is in, so that it begins one. */
static void cut(struct sow_places *places, double at)
{
    double begin = 0;
    size_t g = 0;
    while (g < places->count && begin + places->group[g] <= at) {
        begin += places->group[g++];
    }
    if (g == places->count || begin == at || places->count == SOW_PLACES) {
        return;
    }
    for (size_t h = places->count++; h > g; h--) {
        places->group[h] = places->group[h - 1];
    }
    places->group[g + 1] = begin + places->group[g] - at;
    places->group[g] = at - begin;
}

void sow_places_cut(const struct sow_predictor *p, struct sow_places *places)
{
    for (size_t i = 0; i < p->network->node_count && places->followed == places->tokens; i++) {
        const struct sow_node *node = &p->network->nodes[i];
        if (!sow_along_tokens(p, node)) {
            continue;
        }
        if (node->op == SOW_OP_TAKE) {
            if ((double)tokens_of(p, node->inputs[0]) == places->tokens) {
                cut(places, (double)node->at.index);
                cut(places, (double)node->at.index + 1);
            }
            continue;
        }
        double at = 0;
        for (uint32_t k = 0; k + 1 < node->input_count; k++) {
            at += (double)tokens_of(p, node->inputs[k]);
            if ((double)tokens_of(p, node->output) == places->tokens) {
                cut(places, at);
            }
        }
    }
}

/* ---- Side by side ------------------------------------------------------------------------------------------ */

/* Which input the tokens of each group come from. */
static void parts_of(const struct sow_predictor *p, const struct sow_node *node,
                     const struct sow_places *places, uint32_t part[SOW_PLACES])
{
    double begin = 0, end = (double)tokens_of(p, node->inputs[0]);
    uint32_t k = 0;
    for (size_t g = 0; g < places->count; g++) {
        while (begin >= end && k + 1 < node->input_count) {
            end += (double)tokens_of(p, node->inputs[++k]);
        }
        part[g] = k;
        begin += places->group[g];
    }
}

void sow_places_concat(struct sow_predictor *p, const struct sow_node *node, struct sow_places *x)
{
    double log = p->states[node->output].log;
    uint32_t part[SOW_PLACES];
    parts_of(p, node, x, part);
    for (size_t i = 0; i < x->count; i++) {
        uint32_t a = node->inputs[part[i]];
        x->size[i] = p->states[a].log > -INFINITY ? sow_exp(p->states[a].log - log) : 0;
        for (size_t j = 0; j <= i; j++) {
            uint32_t b = node->inputs[part[j]];
            double c = part[i] == part[j] ? p->states[a].place : 0;
            if (part[i] != part[j] && x->size[i] * x->size[j] > 0) {
                c = sow_cosine(p, SOW_PAIR_PLACE, a, b);
            }
            x->alike[i][j] = x->alike[j][i] = c * sow_sqrt(x->size[i] * x->size[j]);
        }
    }
}

struct sow_adjoint sow_places_part(const struct sow_predictor *p, const struct sow_node *node,
                                   uint32_t slot, const struct sow_places *gradient,
                                   const struct sow_adjoint *whole)
{
    double one = 0, two = 0, tokens = (double)tokens_of(p, node->inputs[slot]);
    struct sow_adjoint made = *whole;
    uint32_t part[SOW_PLACES];
    parts_of(p, node, gradient, part);
    for (size_t g = 0; g < gradient->count; g++) {
        for (size_t h = 0; part[g] == slot && h < gradient->count; h++) {
            double pairs = gradient->group[g] * (gradient->group[h] - (g == h));
            two += part[h] == slot ? pairs * gradient->alike[g][h] : 0;
        }
        one += part[g] == slot ? gradient->group[g] * gradient->size[g] : 0;
    }
    one /= tokens;
    made.log += sow_log_of(one, 0);
    made.place = one > 0 && tokens > 1 ? two / (tokens * (tokens - 1)) / one : 1;
    made.place = made.place > 1 ? 1 : made.place;
    return made;
}

/* ---- One of many ------------------------------------------------------------------------------------------- */

static size_t group_at(const struct sow_places *places, uint64_t place)
{
    double end = 0;
    for (size_t g = 0; g < places->count; g++) {
        end += places->group[g];
        if ((double)place < end) {
            return places->followed == places->tokens || g <= places->middle ? g
                                                                             : places->count - 1;
        }
    }
    return places->count - 1;
}

double sow_places_lift(const struct sow_predictor *p, const struct sow_node *node)
{
    const struct sow_places *x = p->by_place[node->inputs[0]];
    if (x == NULL || !sow_along_tokens(p, node)) {
        return 0;
    }
    return sow_log_of(x->size[group_at(x, node->at.index)], 0);
}

void sow_places_taken(const struct sow_node *node, struct sow_places *x)
{
    size_t taken = group_at(x, node->at.index);
    sow_places_scale(x, 0, 0);
    for (size_t i = 0; i < x->count; i++) {
        x->size[i] = i == taken ? x->tokens / x->group[i] : 0;
        for (size_t j = 0; j < x->count; j++) {
            x->alike[i][j] = 0;
        }
    }
}
