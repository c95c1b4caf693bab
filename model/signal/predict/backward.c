/* SPDX-License-Identifier: MIT */
/* What each operation does to the gradient of a loss, on the way back. Cotangents are independent of the signals, which
 * is exact for fresh weights and for random cotangents at the output. */
#include <math.h>
#include <string.h>

#include "core/base/elementary.h"
#include "model/signal/predict/predict.h"

static const struct sow_adjoint none = {-INFINITY, 0, 0, 0, 0};

static struct sow_adjoint scaled(const struct sow_adjoint *adjoint, double factor)
{
    struct sow_adjoint made = *adjoint;
    made.log += sow_log_of(factor, 0);
    return made;
}

/* The correlation of places from that of fewer or more of them, where sums over all places have the second moments that they
 * had: n (1 + (n - 1) c) over n stays. */
static double place_of(double place, double from, double to)
{
    return to > 1 ? place * (from - 1) / (to - 1) : 1;
}

/* ---- Weights -------------------------------------------------------------------------------------------- */

/* `outputs` gradients reach an input through the weights. */
struct sow_adjoint sow_back_weights(const struct sow_adjoint *adjoint, double outputs,
                                    const struct sow_weights *weights)
{
    double mean2 = weights->mean * weights->mean, spread = weights->square - mean2;
    spread = spread > 0 ? spread : 0;
    double shared = mean2 * (1 + (outputs - 1) * adjoint->feature);
    struct sow_adjoint made = scaled(adjoint, outputs * (spread + shared));
    made.log -= made.loan;
    made.loan = 0;
    made.feature = spread + shared > 0 ? shared / (spread + shared) : 0;
    return made;
}

/* The attention that takes this value as packed queries, keys and values; NULL when there is none. */
static struct sow_local *packed_reader(const struct sow_predictor *p, uint32_t flow)
{
    for (uint32_t i = p->use_begin[flow]; i < p->use_begin[flow + 1]; i++) {
        const struct sow_node *node = &p->network->nodes[p->use_node[p->use_list[i]]];
        if (node->op == SOW_OP_ATTENTION && node->input_count == 1 &&
            p->network->flows[flow].uses == 1) {
            return &p->locals[p->use_node[p->use_list[i]]];
        }
    }
    return NULL;
}

struct sow_local *sow_back_packed(const struct sow_predictor *p, const struct sow_node *node,
                                  struct sow_adjoint parts[3])
{
    const struct sow_plan_entry *weight = sow_plan_at(p->plan, node->parameters[0]);
    struct sow_local *reader = packed_reader(p, node->output);
    uint64_t begin = 0;
    for (int i = 0; i < 3 && reader != NULL; i++) {
        uint64_t size = (uint64_t)reader->part[i].features;
        struct sow_weights weights = sow_weights_of(weight, begin, begin + size);
        parts[i] = sow_back_weights(&reader->adjoint[i], (double)size, &weights);
        begin += size;
    }
    return reader;
}

static struct sow_adjoint back_linear(const struct sow_predictor *p, const struct sow_node *node)
{
    struct sow_adjoint parts[3];
    double log = -INFINITY, sum = 0, place = 0, feature = 0;
    if (sow_back_packed(p, node, parts) == NULL) {
        struct sow_weights weights =
            sow_weights_of(sow_plan_at(p->plan, node->parameters[0]), 0, 0);
        return sow_back_weights(&p->adjoints[node->output], (double)node->at.outputs, &weights);
    }
    for (int i = 0; i < 3; i++) {
        log = parts[i].log > log ? parts[i].log : log;
    }
    for (int i = 0; i < 3 && log > -INFINITY; i++) {
        double share = sow_exp(parts[i].log - log);
        sum += share;
        place += share * parts[i].place;
        feature += share * parts[i].feature;
    }
    return sum > 0 ? (struct sow_adjoint){log + sow_log(sum), feature / sum, place / sum, 0, 0}
                   : none;
}

/* Convolutions, transposed or not: what reaches an input through the taps is counted in border_back.c. */
static struct sow_adjoint back_conv(const struct sow_predictor *p, const struct sow_node *node)
{
    const struct sow_flow *out = &p->network->flows[node->output];
    struct sow_weights weights = sow_weights_of(sow_plan_at(p->plan, node->parameters[0]), 0, 0);
    double channels = (double)out->shape[1] / (double)node->at.groups;
    double reach = p->locals[node - p->network->nodes].reach;
    if (node->op == SOW_OP_CONV_TRANSPOSE) {
        return sow_back_weights(&p->adjoints[node->output], channels * reach, &weights);
    }
    struct sow_adjoint made = sow_back_weights(&p->adjoints[node->output], channels, &weights);
    made.log += sow_log_of(reach, 0);
    made.place =
        place_of(made.place, p->states[node->output].places, p->states[node->inputs[0]].places);
    return made;
}

/* ---- Elements -------------------------------------------------------------------------------------------- */

static int is_pool(const struct sow_node *node)
{
    return node->op == SOW_OP_MAX_POOL || node->op == SOW_OP_GLOBAL_POOL;
}

/* What slopes are where the gradient arrives, over what they are anywhere: a max pool gives its part to the largest. */
static double chosen_slopes(const struct sow_predictor *p, const struct sow_node *node)
{
    const struct sow_local *local = &p->locals[node - p->network->nodes];
    double pooled = 0;
    for (uint32_t i = p->use_begin[node->output]; i < p->use_begin[node->output + 1]; i++) {
        uint32_t use = p->use_list[i];
        const struct sow_node *reader = &p->network->nodes[p->use_node[use]];
        double count, share;
        if (local->chosen > 0 && p->use[use].log > -INFINITY && is_pool(reader) &&
            sow_pool_window(p->network, reader, &count, &share)) {
            pooled += sow_exp(p->use[use].log - p->adjoints[node->output].log);
        }
    }
    return 1 + (pooled < 1 ? pooled : 1) * (local->chosen - 1);
}

static struct sow_adjoint back_function(const struct sow_predictor *p, const struct sow_node *node)
{
    const struct sow_local *local = &p->locals[node - p->network->nodes];
    double square = local->slope_square * chosen_slopes(p, node);
    struct sow_adjoint made = scaled(&p->adjoints[node->output], square);
    if (local->slope_square > 0) {
        made.place *= local->slope_place / local->slope_square;
        made.feature *= local->slope_feature / local->slope_square;
        made.sample *= local->slope_sample / local->slope_square;
    }
    return made;
}

static struct sow_adjoint back_multiply(const struct sow_predictor *p, const struct sow_node *node,
                                        uint32_t slot)
{
    const struct sow_local *local = &p->locals[node - p->network->nodes];
    if (local->composed != NULL) { /* all goes to x */
        return node->inputs[slot] == local->composed->inputs[0] ? back_function(p, node) : none;
    }
    const struct sow_state *other = &p->states[node->inputs[1 - slot]];
    struct sow_adjoint made = p->adjoints[node->output];
    made.log += other->log;
    made.place *= other->place;
    made.feature *= other->feature;
    made.sample *= sow_both(other);
    return made;
}

/* A value that was repeated over an axis collects all gradients. */
static struct sow_adjoint collected(const struct sow_predictor *p, const struct sow_node *node,
                                    uint32_t slot, struct sow_adjoint made)
{
    const struct sow_flow *from = &p->network->flows[node->inputs[slot]],
                          *to = &p->network->flows[node->output];
    double in = (double)from->elements, out = (double)to->elements;
    if (node->op == SOW_OP_CONCAT) {
        out *= (double)from->shape[node->at.axis] / (double)to->shape[node->at.axis];
    }
    made.loan = 0;
    return out > in ? scaled(&made, out / in) : made;
}

/* ---- Across places ------------------------------------------------------------------------------------------- */

/* Of how many other windows the largest element of one is the largest too: two that have m elements in common, of `count` each,
 * have it there in m of 2 count - m cases. */
static double chosen_again(const struct sow_node *node, const struct sow_flow *out, double count)
{
    double sum = 0, reach[3] = {0, 0, 0};
    for (uint32_t i = 0; i < node->at.spatial && i < 3; i++) {
        reach[i] = floor(((double)node->at.kernel[i] - 1) / (double)node->at.stride[i]);
        reach[i] = reach[i] < 16 ? reach[i] : 16;
    }
    for (double a = -reach[0]; a <= reach[0]; a++) {
        for (double b = -reach[1]; b <= reach[1]; b++) {
            for (double c = -reach[2]; c <= reach[2]; c++) {
                const double at[3] = {fabs(a), fabs(b), fabs(c)};
                double common = 1,
                       there = 1; /* windows at the border have no neighbour beyond it */
                for (uint32_t i = 0; i < node->at.spatial && i < 3; i++) {
                    double windows = (double)out->shape[i + 2];
                    common *= (double)node->at.kernel[i] - at[i] * (double)node->at.stride[i];
                    there *= at[i] < windows ? 1 - at[i] / windows : 0;
                }
                sum += at[0] + at[1] + at[2] > 0 ? there * common / (2 * count - common) : 0;
            }
        }
    }
    return sum;
}

static struct sow_adjoint back_pool(const struct sow_predictor *p, const struct sow_node *node)
{
    const struct sow_flow *in = &p->network->flows[node->inputs[0]],
                          *out = &p->network->flows[node->output];
    struct sow_adjoint made = p->adjoints[node->output];
    double ratio = (double)out->elements / (double)in->elements, count = 1 / ratio, share;
    double places_in = p->states[node->inputs[0]].places,
           places_out = p->states[node->output].places;
    if (sow_pool_window(p->network, node, &count,
                        &share)) { /* which one is the largest is chance */
        made.place = place_of(made.place, places_out, places_in);
        made.sample *= ratio;
        double again = node->op == SOW_OP_MAX_POOL ? chosen_again(node, out, count) : 0;
        return scaled(&made, ratio * (1 + again * p->adjoints[node->output].place));
    }
    /* each output gives 1/count to its window; the sum of all gradients stays */
    double windows = ratio * share * count,
           d = ratio * share / count; /* windows that reach an element */
    d *= windows > 1 && made.place > 0 ? 1 + (windows - 1) * made.place : 1;
    double sum = places_out * (1 + (places_out - 1) * made.place) * share * share;
    made.log += sow_log_of(d, 0);
    made.place = places_in > 1 ? (sum / (places_in * d) - 1) / (places_in - 1) : 1;
    made.place = made.place > 1 ? 1 : made.place;
    return made;
}

/* To values: sums of rows of the softmax. To queries and keys: through its derivative, p (g - sum p g). */
static void back_attention(struct sow_predictor *p, const struct sow_node *node)
{
    struct sow_local *local = &p->locals[node - p->network->nodes];
    const struct sow_adjoint *out = &p->adjoints[node->output];
    const struct sow_softmax *softmax = &local->softmax;
    const struct sow_state *q = &local->part[0], *k = &local->part[1], *v = &local->part[2];
    double group = (double)node->at.heads / (double)node->at.kv_heads, t = q->places;
    double same = softmax->same + (t - 1) * softmax->cross * out->place;
    double all = 1 + (t - 1) * out->place;
    struct sow_adjoint *back = local->adjoint;
    back[2] = scaled(out, group * same);
    back[2].place = t > 1 && same > 0 ? (all / same - 1) / (t - 1) : 1;
    back[2].place = back[2].place > 1 ? 1 : back[2].place;
    double scale = node->at.scale;
    double logits = scale * scale * (double)node->at.head_dim * softmax->moved;
    back[0] = (struct sow_adjoint){out->log + v->log + k->log + sow_log_of(logits, 0), 0,
                                   out->place, 0, 0};
    back[1] = (struct sow_adjoint){out->log + v->log + q->log + sow_log_of(logits * group, 0), 0,
                                   out->place, 0, 0};
    sow_back_parts(p, node);
}

void sow_back_parts(struct sow_predictor *p, const struct sow_node *node)
{
    const struct sow_adjoint *back = p->locals[node - p->network->nodes].adjoint;
    struct sow_adjoint *use = &p->use[p->first_use[node - p->network->nodes]];
    double group = (double)node->at.heads / (double)node->at.kv_heads;
    if (node->input_count > 1) {
        memcpy(use, back, 3 * sizeof *back);
        return;
    }
    double log = -INFINITY, sum = 0, place = 0, sizes = 0;
    for (int i = 0; i < 3; i++) {
        log = back[i].log > log ? back[i].log : log;
        sizes += i == 0 ? group : 1;
    }
    for (int i = 0; i < 3 && log > -INFINITY; i++) {
        double share = (i == 0 ? group : 1) / sizes * sow_exp(back[i].log - log);
        sum += share;
        place += share * back[i].place;
    }
    *use = sum > 0 ? (struct sow_adjoint){log + sow_log(sum), 0, place / sum, 0, 0} : none;
}

static struct sow_adjoint back_dropout(const struct sow_node *node, const struct sow_local *local,
                                       struct sow_adjoint made)
{
    made.place *= 1 - node->at.p; /* its zeros fall independently */
    made.sample *= 1 - node->at.p;
    made.log += local->ln_back;
    return made;
}

/* ---- The rules ------------------------------------------------------------------------------------------------- */

static struct sow_adjoint back_of(struct sow_predictor *p, const struct sow_node *node,
                                  uint32_t slot)
{
    const struct sow_local *local = &p->locals[node - p->network->nodes];
    struct sow_adjoint made = p->adjoints[node->output];
    switch (node->op) {
    case SOW_OP_LINEAR:
        return back_linear(p, node);
    case SOW_OP_CONV:
    case SOW_OP_CONV_TRANSPOSE:
        return back_conv(p, node);
    case SOW_OP_RNN:
    case SOW_OP_RNN_CELL:
    case SOW_OP_LSTM:
    case SOW_OP_LSTM_CELL:
    case SOW_OP_GRU:
    case SOW_OP_GRU_CELL:
        return sow_back_recurrent(p, node);
    case SOW_OP_BILINEAR:
        return sow_back_bilinear(p, node, slot);
    case SOW_OP_GATED:
        return sow_back_gated(p, node, slot);
    case SOW_OP_ACTIVATION:
        return back_function(p, node);
    case SOW_OP_LAYER_NORM:
    case SOW_OP_BATCH_NORM:
    case SOW_OP_GROUP_NORM:
    case SOW_OP_RMS_NORM:
        return sow_back_norm(p, node);
    case SOW_OP_DROPOUT:
        return back_dropout(node, local, made);
    case SOW_OP_SCALE:
    case SOW_OP_LAYER_SCALE:
        made.log += local->ln_back;
        return made;
    case SOW_OP_ADD:
    case SOW_OP_CONCAT:
        return collected(p, node, slot, made);
    case SOW_OP_MULTIPLY:
        return collected(p, node, slot, back_multiply(p, node, slot));
    case SOW_OP_TAKE:
        return scaled(&made, 1 / (double)p->network->flows[node->inputs[0]].shape[node->at.axis]);
    case SOW_OP_MAX_POOL:
    case SOW_OP_AVERAGE_POOL:
    case SOW_OP_GLOBAL_POOL:
        return back_pool(p, node);
    case SOW_OP_FLATTEN: /* places were features */
        made.place = p->states[node->inputs[0]].places > 1 ? made.feature : 1;
        return made;
    case SOW_OP_ROUTE:
        return sow_back_route(p, node);
    case SOW_OP_EXPERTS:
        return sow_back_experts(p, node, slot);
    case SOW_OP_EMBEDDING:
        return none;
    default:
        return made;
    }
}

void sow_backward(struct sow_predictor *p, const struct sow_node *node)
{
    uint32_t first = p->first_use[node - p->network->nodes];
    if (!(p->adjoints[node->output].log > -INFINITY)) {
        for (uint32_t i = 0; i < node->input_count; i++) {
            p->use[first + i] = none;
        }
        for (int i = 0; i < 3; i++) {
            p->locals[node - p->network->nodes].adjoint[i] = none;
        }
    } else if (node->op == SOW_OP_ATTENTION) {
        back_attention(p, node);
    } else {
        for (uint32_t i = 0; i < node->input_count; i++) {
            p->use[first + i] = back_of(p, node, i);
        }
    }
}
