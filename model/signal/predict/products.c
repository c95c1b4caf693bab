/* SPDX-License-Identifier: MIT */
/* Layers that multiply two signals, forward and back: gated units y = a phi(b), and bilinear ones, y_o = sum of
 * x_i w_oij z_j. A plain product of two values is in several.c. */
#include <math.h>
#include <string.h>

#include "core/base/elementary.h"
#include "model/signal/predict/predict.h"

static const struct sow_weights no_bias = {0, 0};

/* ---- Gated units ---------------------------------------------------------------------------- */

/* Gate and value; of one value that a linear layer made, each by its own part of the weights. */
static void take_halves(struct sow_predictor *p, const struct sow_node *node,
                        struct sow_state halves[2])
{
    const struct sow_node *maker = &p->network->nodes[p->network->flows[node->inputs[0]].node];
    for (uint32_t i = 0; i < 2; i++) {
        halves[i] = p->states[node->inputs[node->input_count == 1 ? 0 : i]];
    }
    if (node->input_count > 1) {
        return;
    }
    const struct sow_flow *out = &p->network->flows[node->output];
    uint64_t width = out->shape[out->rank - 1];
    int gate_first = strcmp(node->at.first, "gate") == 0;
    for (uint32_t i = 0; i < 2; i++) {
        uint64_t begin = (i == 0) == gate_first ? 0 : width;
        struct sow_weights bias = {0, 0};
        if (maker->op == SOW_OP_LINEAR) {
            struct sow_weights weights =
                sow_weights_of(sow_plan_at(p->plan, maker->parameters[0]), begin, begin + width);
            if (maker->parameter_count > 1) {
                bias = sow_weights_of(sow_plan_at(p->plan, maker->parameters[1]), begin,
                                      begin + width);
            }
            sow_linear_rule(&p->states[maker->inputs[0]], (double)maker->at.inputs, 1, 1, &weights,
                            &bias, &halves[i], NULL);
        }
        halves[i].features = (double)width;
    }
}

enum sow_status sow_forward_gated(struct sow_predictor *p, const struct sow_node *node,
                                  struct sow_error *error)
{
    struct sow_local *local = &p->locals[node - p->network->nodes];
    struct sow_state halves[2], gate;
    take_halves(p, node, halves);
    const struct sow_state *b = &halves[0], *a = &halves[1];
    enum sow_status status =
        sow_forward_function(p, node, &node->at.function, 0, b, &gate, local, error);
    if (status != SOW_OK) {
        return status;
    }
    double cosines[4], root = gate.log > -INFINITY ? sow_exp(0.5 * (b->log - gate.log)) : 0;
    for (int i = 0; i < 4; i++) {
        cosines[i] = a->mean * gate.mean;
        if (node->input_count > 1) { /* Stein: Cov(phi(b), a) = E[phi'] Cov(b, a) */
            double c = sow_cosine(p, (enum sow_pairing)i, node->inputs[0], node->inputs[1]);
            cosines[i] += local->slope * root * (c - a->mean * b->mean);
        }
    }
    sow_product_rule(a, &gate, cosines, &p->states[node->output]);
    local->part[0] = gate;
    local->part[1] = *a;
    return SOW_OK;
}

/* To the gate: a phi'(b); to the value: phi(b). To both side by side: the mean of the two. */
struct sow_adjoint sow_back_gated(const struct sow_predictor *p, const struct sow_node *node,
                                  uint32_t slot)
{
    const struct sow_local *local = &p->locals[node - p->network->nodes];
    const struct sow_state *phi = &local->part[0], *value = &local->part[1];
    struct sow_adjoint made = p->adjoints[node->output], back[2] = {made, made};
    double slopes = local->slope_square;
    back[0].log += value->log + sow_log_of(slopes, 0);
    back[0].place *= slopes > 0 ? value->place * local->slope_place / slopes : 0;
    back[0].feature *= slopes > 0 ? value->feature * local->slope_feature / slopes : 0;
    back[1].log += phi->log;
    back[1].place *= phi->place;
    back[1].feature *= phi->feature;
    if (node->input_count > 1) {
        return back[slot];
    }
    double log = back[0].log > back[1].log ? back[0].log : back[1].log;
    if (!(log > -INFINITY)) {
        return (struct sow_adjoint){-INFINITY, 0, 0, 0, 0};
    }
    double u = sow_exp(back[0].log - log), v = sow_exp(back[1].log - log);
    return (struct sow_adjoint){log + sow_log(0.5 * (u + v)), 0,
                                (u * back[0].place + v * back[1].place) / (u + v), 0, 0};
}

/* ---- Bilinear ----------------------------------------------------------------------------- */

/* A linear map of all products x_i z_j. */
void sow_forward_bilinear(struct sow_predictor *p, const struct sow_node *node)
{
    const struct sow_state *x = &p->states[node->inputs[0]], *z = &p->states[node->inputs[1]];
    struct sow_state *out = &p->states[node->output], products;
    struct sow_weights weights = sow_node_weights(p, node, 0, no_bias),
                       bias = sow_node_weights(p, node, 1, no_bias);
    double n = (double)node->at.inputs, m = (double)node->at.inputs2, pairs = n * m, cosines[4];
    for (int i = 0; i < 4; i++) { /* of x_i and z_j, as often different features as not the same */
        cosines[i] = x->mean * z->mean;
    }
    sow_product_rule(x, z, cosines, &products);
    /* two products share x_i, or z_j, or neither */
    products.feature = pairs > 1 ? ((m - 1) * z->feature + (n - 1) * x->feature +
                                    (n - 1) * (m - 1) * x->feature * z->feature) /
                                       (pairs - 1)
                                 : 1;
    double loud = (x->kurtosis - x->kept > 1 ? (x->kurtosis - x->kept - 1) / n : 0) +
                  (z->kurtosis - z->kept > 1 ? (z->kurtosis - z->kept - 1) / m : 0);
    products.kurtosis = 1 + pairs * loud;
    sow_linear_rule(&products, pairs, 1, 1, &weights, &bias, out,
                    &p->locals[node - p->network->nodes]);
    out->features = (double)node->at.outputs;
}

struct sow_adjoint sow_back_bilinear(const struct sow_predictor *p, const struct sow_node *node,
                                     uint32_t slot)
{
    const struct sow_state *other = &p->states[node->inputs[1 - slot]];
    struct sow_weights weights = sow_node_weights(p, node, 0, no_bias);
    double others = (double)(slot == 0 ? node->at.inputs2 : node->at.inputs);
    struct sow_adjoint made =
        sow_back_weights(&p->adjoints[node->output], (double)node->at.outputs, &weights);
    made.log += sow_log_of(others, 0) + other->log;
    made.place *= other->place;
    return made;
}
