/* SPDX-License-Identifier: MIT */
/* Profiles of squared gradients towards the borders: the adjoints of what border_forward.c does, by the same tables of taps. */
#include <math.h>

#include "core/base/elementary.h"
#include "model/signal/predict/border.h"

/* ---- Windows ---------------------------------------------------------------------------------------------- */

/* What the places of an input collect from the windows that see them; `sums`: over what they would from even ones. */
static int through(struct sow_predictor *p, const struct sow_node *node, int scatter, double *sums,
                   double *even)
{
    const struct sow_flow *to = &p->network->flows[node->inputs[0]],
                          *from = &p->network->flows[node->output];
    const struct sow_border *out = p->back_border[node->output];
    const double *axes[SOW_SPATIAL_MAX] = {NULL, NULL, NULL};
    *sums = *even = 1;
    for (uint32_t k = 0; k < node->at.spatial; k++) {
        double made[SOW_BORDER_MOST] = {0};
        uint64_t size = from->shape[k + 2], places = to->shape[k + 2];
        int followed = size <= SOW_BORDER_MOST && places <= SOW_BORDER_MOST;
        const double *axis = out != NULL && followed ? out->axis[k] : NULL;
        *sums *=
            sow_border_axis(&node->at, k, scatter, size, axis, places, followed ? made : NULL).sum;
        *even *= sow_border_axis(&node->at, k, scatter, size, NULL, places, NULL).sum;
        if (followed && !sow_border_keep(p, made, places, size == places ? axis : NULL, &axes[k])) {
            return 0;
        }
    }
    uint32_t use = p->first_use[node - p->network->nodes];
    return sow_border_make(p, axes, out, &p->use_border[use]);
}

void sow_border_back_windows(struct sow_predictor *p, const struct sow_node *node)
{
    double even;
    if (node->op == SOW_OP_CONV || node->op == SOW_OP_CONV_TRANSPOSE) {
        p->out_of_memory |= !through(p, node, node->op == SOW_OP_CONV,
                                     &p->locals[node - p->network->nodes].reach, &even);
    }
}

/* ---- The rules -------------------------------------------------------------------------------------------- */

/* Of one input: the output's profile times the power of another, whose mean the gradient gets as well. */
static void times(struct sow_predictor *p, const struct sow_node *node, uint32_t slot,
                  const struct sow_border *other, double power)
{
    uint32_t use = p->first_use[node - p->network->nodes] + slot;
    double mean;
    p->out_of_memory |= !sow_border_product(p, node->output, p->back_border[node->output], 1, other,
                                            power, &p->use_border[use], &mean);
    p->use[use].log += sow_log_of(mean, 0);
}

static void back_pool(struct sow_predictor *p, const struct sow_node *node)
{
    double sums, even;
    p->out_of_memory |= !through(p, node, 1, &sums, &even);
    if (node->op == SOW_OP_AVERAGE_POOL && even > 0) {
        p->use[p->first_use[node - p->network->nodes]].log += sow_log_of(sums / even, 0);
    }
}

static int whole(const struct sow_predictor *p, const struct sow_node *node, uint32_t slot)
{
    const struct sow_flow *in = &p->network->flows[node->inputs[slot]],
                          *out = &p->network->flows[node->output];
    return in->rank == out->rank &&
           (in->elements == out->elements || (node->op == SOW_OP_CONCAT && node->at.axis == 1));
}

static void back_multiply(struct sow_predictor *p, const struct sow_node *node)
{
    const struct sow_local *local = &p->locals[node - p->network->nodes];
    for (uint32_t slot = 0; slot < 2; slot++) {
        uint32_t other = node->inputs[1 - slot];
        if (local->composed != NULL) {
            times(p, node, slot, p->border[local->composed->inputs[0]], local->bend);
        } else if (whole(p, node, slot)) {
            times(p, node, slot, whole(p, node, 1 - slot) ? p->border[other] : NULL, 1);
        }
    }
}

void sow_border_backward(struct sow_predictor *p, const struct sow_node *node)
{
    uint32_t use = p->first_use[node - p->network->nodes];
    if (p->border == NULL || node->input_count == 0) {
        return;
    }
    switch (node->op) {
    case SOW_OP_ACTIVATION:
        times(p, node, 0, p->border[node->inputs[0]], p->locals[node - p->network->nodes].bend);
        break;
    case SOW_OP_LAYER_NORM: /* each pixel by its own size */
    case SOW_OP_RMS_NORM:
        times(p, node, 0, p->border[node->inputs[0]], -1);
        break;
    case SOW_OP_BATCH_NORM:
    case SOW_OP_GROUP_NORM:
    case SOW_OP_DROPOUT:
    case SOW_OP_SCALE:
    case SOW_OP_LAYER_SCALE:
    case SOW_OP_ADD:
    case SOW_OP_CONCAT:
        for (uint32_t i = 0; i < node->input_count; i++) {
            p->use_border[use + i] = whole(p, node, i) ? p->back_border[node->output] : NULL;
        }
        break;
    case SOW_OP_MULTIPLY:
        back_multiply(p, node);
        break;
    case SOW_OP_MAX_POOL:
    case SOW_OP_AVERAGE_POOL:
        back_pool(p, node);
        break;
    default:
        break;
    }
}

void sow_border_gather(struct sow_predictor *p, uint32_t flow)
{
    double total = 0, log = p->border != NULL ? p->adjoints[flow].log : -INFINITY;
    const struct sow_border *made = NULL;
    for (uint32_t i = p->use_begin[flow]; i < p->use_begin[flow + 1] && log > -INFINITY; i++) {
        uint32_t use = p->use_list[i];
        double size = sow_exp(p->use[use].log - log);
        total += size;
        if (total > 0) {
            p->out_of_memory |=
                !sow_border_blend(p, flow, made, p->use_border[use], size / total, &made);
        }
    }
    if (p->border != NULL) {
        p->back_border[flow] = made;
    }
}
