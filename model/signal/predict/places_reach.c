/* SPDX-License-Identifier: MIT */
/* Groups of positions, and who sees whom: counted token by token where groups are small, at eight tokens
 * of each elsewhere. */
#include <math.h>
#include <string.h>

#include "core/base/circular.h"
#include "core/base/elementary.h"
#include "model/signal/predict/places.h"

#define GROWTH  1.3
#define SAMPLES 8   /* tokens of a group that stand for all */
#define WINDOWS 7.5 /* that are followed */
#define TURNS   256
#define KINDS   32

/* ---- Groups ------------------------------------------------------------------------------------------ */

/* Of all attentions with a causal mask, the shortest that hides something of `tokens`; 0: none. */
static uint64_t shortest_window(const struct sow_network *network, uint64_t tokens, int *others,
                                int *causal)
{
    uint64_t shortest = tokens, longest = 0;
    *causal = 0;
    for (size_t i = 0; i < network->node_count; i++) {
        const struct sow_op_attributes *at = &network->nodes[i].at;
        if (network->nodes[i].op == SOW_OP_ATTENTION && at->causal) {
            *causal = 1;
            uint64_t window = at->window > 0 && at->window < tokens ? at->window : tokens;
            shortest = window < shortest ? window : shortest;
            longest = window > longest ? window : longest;
        }
    }
    *others = longest > shortest;
    return shortest < tokens ? shortest : 0;
}

void sow_places_group(struct sow_predictor *p, struct sow_places *places, uint64_t tokens)
{
    double begin = 0, most = (double)tokens;
    int others, causal;
    uint64_t window = shortest_window(p->network, tokens, &others, &causal);
    places->tokens = places->followed = most;
    if (!causal) {
        places->count = 1;
        places->middle = 0;
        places->group[0] = most;
        sow_places_cut(p, places);
        return;
    }
    if (window > 0) {
        double windows = window < 4 ? 30 : WINDOWS * (double)window, all = most;
        most = window < 8 ? 1 : floor((double)window / 4);
        if (others) { /* some see farther */
            most = most > all / (SOW_PLACES - 5) ? most : ceil(all / (SOW_PLACES - 5));
        } else {
            places->followed = windows < all ? floor(windows) : all;
        }
    }
    places->count = places->middle = 0;
    while (begin < places->followed) {
        double end = floor(begin * GROWTH) > begin ? floor(begin * GROWTH) : begin + 1;
        end = end > begin + most ? begin + most : end;
        int last = places->count == SOW_PLACES - 1;
        if (last && window > 0 && !others) {
            places->followed = end < places->followed ? end : places->followed;
        }
        end = end > places->followed || last ? places->followed : end;
        places->middle = begin <= places->followed / 2 ? places->count : places->middle;
        places->group[places->count++] = end - begin;
        begin = end;
    }
    sow_places_cut(p, places);
}

/* ---- Who sees whom ------------------------------------------------------------------------------------- */

/* Tokens of a group in [low, high). */
static double within(double begin, double size, double low, double high)
{
    low = low > begin ? low : begin;
    high = high < begin + size ? high : begin + size;
    return high > low ? high - low : 0;
}

/* Sample k of a group's tokens, from 0, and how many it stands for. */
static double sample_of(double size, size_t k, double *stands_for)
{
    double samples = size < SAMPLES ? size : SAMPLES;
    *stands_for = size / samples;
    return floor(((double)k + 0.5) * size / samples);
}

static size_t samples_of(double size)
{
    return size < SAMPLES ? (size_t)size : SAMPLES;
}

/* Tokens before and behind a query that it sees, itself among neither. */
static void sight(const struct sow_reach *reach, double *before, double *behind)
{
    double window = reach->window > 0 ? (double)reach->window : 1e300;
    *before = reach->at.causal ? window - 1 : floor(window / 2);
    *behind = reach->at.causal ? 0 : *before;
}

/* Row i of seen and twice: means over the queries of group i. */
static void see(struct sow_reach *reach, const double *begins, size_t i)
{
    const double *group = reach->groups.group;
    size_t groups = reach->groups.count;
    double one, before, behind;
    sight(reach, &before, &behind);
    for (size_t k = 0; k < samples_of(group[i]); k++) {
        double query = begins[i] + sample_of(group[i], k, &one), share = one / group[i];
        double low = query > before ? query - before : 0;
        for (size_t g = 0; g < groups; g++) {
            double count = within(begins[g], group[g], low, query + 1 + behind);
            reach->seen[i][g] += share * count;
            reach->twice[i][g] += share * count * (count > 1 ? count - 1 : 0);
        }
    }
    reach->first[i] = reach->last[i] = i;
    for (size_t g = groups; g-- > 0;) {
        reach->keys[i] += reach->seen[i][g];
        reach->heard[g][i] = reach->seen[i][g];
        reach->first[i] = reach->seen[i][g] > 0 ? g : reach->first[i];
        reach->last[i] = reach->seen[i][g] > 0 && g > reach->last[i] ? g : reach->last[i];
        reach->from[g] = reach->seen[i][g] > 0 && i < reach->from[g] ? i : reach->from[g];
    }
    for (size_t g = reach->first[i]; g <= reach->last[i]; g++) {
        for (size_t h = reach->first[i]; h <= reach->last[i]; h++) {
            reach->pairs[i] += g == h ? reach->twice[i][g] : reach->seen[i][g] * reach->seen[i][h];
        }
    }
}

/* Of key group g: both[i][j][g] of all i and j. */
static void see_both(struct sow_reach *reach, const double *begins, size_t g)
{
    size_t count = reach->groups.count;
    const double *group = reach->groups.group;
    double before, behind;
    sight(reach, &before, &behind);
    double stands_for, heard[SOW_PLACES], *rows = &reach->both[g * count * count];
    for (size_t k = 0; k < samples_of(group[g]); k++) {
        double key = begins[g] + sample_of(group[g], k, &stands_for);
        for (size_t i = 0; i < count; i++) {
            heard[i] = within(begins[i], group[i], key - behind, key + 1 + before);
        }
        for (size_t i = 0; i < count; i++) {
            for (size_t j = 0; heard[i] > 0 && j < count; j++) {
                double pairs = heard[i] * (heard[j] - (i == j)),
                       all = group[i] * (group[j] - (i == j));
                double met = all > 0 && pairs > 0 ? stands_for * pairs / all : 0;
                rows[i * count + j] += met;
                reach->common[i][j] += met / (reach->keys[i] * reach->keys[j]);
            }
        }
    }
}

const double *sow_both_seen(const struct sow_reach *reach, size_t key, size_t i)
{
    size_t count = reach->groups.count;
    return &reach->both[(key * count + i) * count];
}

/* ---- Rotation ---------------------------------------------------------------------------------------------- */

/* |sum over n places of e^(i turn place)| / n. */
static double together(double turn, double n)
{
    double half = sow_sin(0.5 * turn);
    return fabs(half) > 1e-9 ? sow_sin(0.5 * turn * n) / (n * half) : 1;
}

/* Mean over pairs of features and of tokens of the cosine of the angle between them. */
static void turn_apart(struct sow_reach *reach, const double *begins)
{
    size_t count = reach->groups.count;
    const double *group = reach->groups.group;
    uint64_t turns = reach->at.rotary ? reach->at.head_dim / 2 : 0;
    turns = turns < TURNS ? turns : TURNS;
    for (size_t g = 0; g < count; g++) {
        for (size_t h = 0; h < count; h++) {
            reach->kept[g][h] = turns > 0 ? 0 : 1;
        }
    }
    for (uint64_t k = 0; k < turns; k++) {
        double x[SOW_PLACES], y[SOW_PLACES], long_way[SOW_PLACES];
        double turn = sow_rotary_frequency(&reach->at, k, (uint64_t)reach->groups.tokens);
        for (size_t g = 0; g < count; g++) {
            double middle = turn * (begins[g] + 0.5 * (group[g] - 1));
            long_way[g] = together(turn, group[g]);
            x[g] = long_way[g] * sow_cos(middle);
            y[g] = long_way[g] * sow_sin(middle);
        }
        for (size_t g = 0; g < count; g++) {
            for (size_t h = 0; h < count; h++) {
                double n = group[g], cosine = x[g] * x[h] + y[g] * y[h];
                if (g == h) {
                    cosine = n > 1 ? (n * long_way[g] * long_way[g] - 1) / (n - 1) : 1;
                }
                reach->kept[g][h] += cosine / (double)turns;
            }
        }
    }
}

/* ---- Made once ------------------------------------------------------------------------------------------------ */

static int same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static int same_turns(const struct sow_op_attributes *a, const struct sow_op_attributes *b)
{
    const struct sow_rope *x = &a->rope, *y = &b->rope;
    if (!a->rotary && !b->rotary) {
        return 1;
    }
    return a->rotary == b->rotary && a->head_dim == b->head_dim && same_text(x->kind, y->kind) &&
           x->theta == y->theta && x->factor == y->factor && x->share == y->share &&
           x->original == y->original && x->low == y->low && x->high == y->high &&
           x->fractions == y->fractions;
}

static struct sow_reach *make_reach(struct sow_predictor *p, const struct sow_node *node,
                                    uint64_t tokens, uint64_t window)
{
    struct sow_reach *reach = sow_arena_take(&p->arena, sizeof *reach);
    double begins[SOW_PLACES], begin = 0;
    if (reach == NULL) {
        return NULL;
    }
    sow_places_group(p, &reach->groups, tokens);
    size_t count = reach->groups.count;
    reach->both = sow_arena_take(&p->arena, count * count * count * sizeof *reach->both);
    if (reach->both == NULL) {
        return NULL;
    }
    reach->window = window;
    reach->at = node->at;
    for (size_t i = 0; i < count; i++) {
        begins[i] = begin;
        reach->from[i] = i;
        begin += reach->groups.group[i];
    }
    for (size_t i = 0; i < count; i++) {
        see(reach, begins, i);
    }
    for (size_t i = 0; i < count; i++) {
        see_both(reach, begins, i);
    }
    turn_apart(reach, begins);
    reach->next = p->reaches;
    p->reaches = reach;
    return reach;
}

struct sow_reach *sow_reach_of(struct sow_predictor *p, const struct sow_node *node,
                               uint64_t tokens)
{
    uint64_t window = node->at.window < tokens ? node->at.window : 0;
    int kinds = 0;
    for (struct sow_reach *reach = p->reaches; reach != NULL; reach = reach->next) {
        if (reach->groups.tokens == (double)tokens && reach->window == window &&
            reach->at.causal == node->at.causal && same_turns(&reach->at, &node->at)) {
            return reach;
        }
        kinds++;
    }
    return kinds == KINDS ? NULL : make_reach(p, node, tokens, window);
}
