/* SPDX-License-Identifier: MIT */
/* Which nodes are one layer, and a table of cosines, without which following two streams of L layers back to where they
 * part would take 2^L steps and not L^2. */
#include "model/signal/predict/shared.h"

#include <math.h>

#include "core/base/elementary.h"
#include "core/base/error.h"

#define COSINES_FIRST 4096 /* powers of two */
#define COSINES_MOST  524288

struct sow_shared {
    uint32_t *first, *last; /* of each node's layer */
    struct sow_cosine_entry {
        uint64_t key; /* 0: free */
        double cosine;
    } * cosines;
    size_t size, used;
};

/* ---- Layers ------------------------------------------------------------------------------------------------ */

static int has_weights(const struct sow_node *node)
{
    return (node->op == SOW_OP_LINEAR || node->op == SOW_OP_CONV ||
            node->op == SOW_OP_CONV_TRANSPOSE) &&
           node->parameter_count > 0;
}

int sow_shared_same(const struct sow_predictor *p, uint32_t node_a, uint32_t node_b)
{
    const struct sow_node *a = &p->network->nodes[node_a], *b = &p->network->nodes[node_b];
    if (a->op != b->op) {
        return 0;
    }
    if (a->op == SOW_OP_ATTENTION) {
        return a->input_count == b->input_count && a->at.heads == b->at.heads &&
               a->at.causal == b->at.causal && a->at.window == b->at.window;
    }
    return has_weights(a) && has_weights(b) && a->parameters[0] == b->parameters[0] &&
           a->at.outputs == b->at.outputs;
}

uint32_t sow_shared_first(const struct sow_predictor *p, uint32_t node)
{
    return p->shared->first[node];
}

uint32_t sow_shared_last(const struct sow_predictor *p, uint32_t node)
{
    return p->shared->last[node];
}

/* `owner`: one an entry of the plan and one for attention, the number of its first node, from 1. */
static int link_uses(struct sow_predictor *p, struct sow_shared *shared, uint32_t *owner,
                     size_t attention)
{
    int found = 0;
    for (uint32_t i = 0; i < p->network->node_count; i++) {
        const struct sow_node *node = &p->network->nodes[i];
        shared->first[i] = shared->last[i] = i;
        if (!has_weights(node) && node->op != SOW_OP_ATTENTION) {
            continue;
        }
        uint32_t *first = &owner[node->op == SOW_OP_ATTENTION ? attention : node->parameters[0]];
        if (*first == 0) {
            *first = i + 1;
        } else {
            found |= has_weights(node) && sow_shared_same(p, *first - 1, i);
            shared->first[i] = *first - 1;
            shared->last[*first - 1] = i;
        }
    }
    for (size_t i = 0; i < p->network->node_count; i++) {
        shared->last[i] = shared->last[shared->first[i]];
    }
    return found;
}

enum sow_status sow_shared_find(struct sow_predictor *p, struct sow_error *error)
{
    size_t nodes = p->network->node_count, entries = sow_plan_count(p->plan);
    struct sow_shared *shared = sow_arena_take(&p->arena, sizeof *shared);
    uint32_t *owner = sow_arena_take(&p->arena, (entries + 1) * sizeof *owner);
    if (shared != NULL) {
        shared->first = sow_arena_take(&p->arena, (nodes + 1) * sizeof *shared->first);
        shared->last = sow_arena_take(&p->arena, (nodes + 1) * sizeof *shared->last);
    }
    if (shared == NULL || owner == NULL || shared->first == NULL || shared->last == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory");
    }
    p->shared = link_uses(p, shared, owner, entries) ? shared : NULL;
    return SOW_OK;
}

/* ---- Cosines that are known -------------------------------------------------------------------------------- */

static struct sow_cosine_entry *slot_of(struct sow_cosine_entry *cosines, size_t size, uint64_t key)
{
    uint64_t hash = key * 0x9e3779b97f4a7c15u;
    size_t at = (size_t)(hash >> 32) & (size - 1);
    while (cosines[at].key != 0 && cosines[at].key != key) {
        at = (at + 1) & (size - 1);
    }
    return &cosines[at];
}

static int grow(struct sow_predictor *p, struct sow_shared *shared)
{
    size_t size = shared->size > 0 ? 2 * shared->size : COSINES_FIRST;
    struct sow_cosine_entry *made =
        size <= COSINES_MOST ? sow_arena_take(&p->arena, size * sizeof *made) : NULL;
    if (made == NULL) {
        return 0;
    }
    for (size_t i = 0; i < shared->size; i++) {
        if (shared->cosines[i].key != 0) {
            *slot_of(made, size, shared->cosines[i].key) = shared->cosines[i];
        }
    }
    shared->cosines = made;
    shared->size = size;
    return 1;
}

static uint64_t key_of(enum sow_cosine_kind kind, enum sow_pairing pairing, uint32_t a, uint32_t b)
{
    uint64_t which = 1 + (uint64_t)pairing + 4 * (uint64_t)kind;
    return which + 16 * (((uint64_t)a << 29) + b);
}

int sow_shared_look(const struct sow_predictor *p, enum sow_cosine_kind kind,
                    enum sow_pairing pairing, uint32_t a, uint32_t b, double *cosine)
{
    const struct sow_shared *shared = p->shared;
    uint64_t key = key_of(kind, pairing, a, b);
    if (shared->size == 0) {
        return 0;
    }
    const struct sow_cosine_entry *entry = slot_of(shared->cosines, shared->size, key);
    *cosine = entry->cosine;
    return entry->key == key ? 1 : 2 * shared->used < COSINES_MOST ? 0 : -1;
}

void sow_shared_keep(struct sow_predictor *p, enum sow_cosine_kind kind, enum sow_pairing pairing,
                     uint32_t a, uint32_t b, double cosine)
{
    struct sow_shared *shared = p->shared;
    uint64_t key = key_of(kind, pairing, a, b);
    if (2 * (shared->used + 1) > shared->size && !grow(p, shared)) {
        return;
    }
    struct sow_cosine_entry *entry = slot_of(shared->cosines, shared->size, key);
    shared->used += entry->key == 0;
    *entry = (struct sow_cosine_entry){key, cosine};
}

/* ---- What both directions need -------------------------------------------------------------------------------- */

double sow_root_ratio(double log_a, double log_b)
{
    return log_a > -INFINITY && log_b > -INFINITY ? sow_exp(0.5 * (log_a - log_b)) : 0;
}

struct sow_state sow_between(const struct sow_state *a, const struct sow_state *b)
{
    struct sow_state middle = *a;
    if (a->log > -INFINITY && b->log > -INFINITY) { /* few scales, so that few are expanded */
        middle.log = a->log == b->log ? a->log : floor(4 * (a->log + b->log) + 0.5) / 8;
        middle.mean = a->mean == b->mean ? a->mean : floor(8 * (a->mean + b->mean) + 0.5) / 16;
    }
    return middle;
}

double sow_rows_meet(const struct sow_local *a, const struct sow_local *b, enum sow_pairing pairing,
                     double alike)
{
    double apart = pairing == SOW_PAIR_PLACE ? a->softmax.apart : a->softmax.alone;
    double same = sow_sqrt(a->softmax.same * b->softmax.same);
    double lift = a->softmax.alone > 0 ? same / a->softmax.alone - 1 : 0;
    return apart * (1 + (alike > 0 ? alike < 1 ? alike : 1 : 0) * lift);
}
