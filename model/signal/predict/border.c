/* SPDX-License-Identifier: MIT */
/* Profiles of second moments towards the borders: their arithmetic. Which operation does what: border_forward.c,
 * border_back.c. */
#include "model/signal/predict/border.h"

#include <math.h>
#include <string.h>

#include "core/base/elementary.h"
#include "core/base/error.h"

#define EVEN      1e-12 /* what differs by less is the same */
#define TAPS_MOST 4096
#define LEAST     1e-6 /* of a profile, where it is raised to a power */

enum sow_status sow_border_prepare(struct sow_predictor *p, struct sow_error *error)
{
    const struct sow_network *network = p->network;
    size_t uses = 0;
    int found = 0;
    for (size_t i = 0; i < network->node_count; i++) {
        uses += network->nodes[i].input_count;
        found |=
            network->nodes[i].op == SOW_OP_CONV || network->nodes[i].op == SOW_OP_CONV_TRANSPOSE;
    }
    if (!found) {
        return SOW_OK;
    }
    p->border = sow_arena_take(&p->arena, (network->flow_count + 1) * sizeof *p->border);
    p->back_border = sow_arena_take(&p->arena, (network->flow_count + 1) * sizeof *p->back_border);
    p->use_border = sow_arena_take(&p->arena, (uses + 1) * sizeof *p->use_border);
    return p->border && p->back_border && p->use_border
               ? SOW_OK
               : sow_fail(error, SOW_E_MEMORY, "out of memory");
}

/* ---- Windows ---------------------------------------------------------------------------------------------- */

/* The windows whose tap k lies on the `size` places, from *from on; 0: none. */
static uint64_t windows_inside(const struct sow_op_attributes *at, uint32_t axis, uint64_t k,
                               uint64_t size, uint64_t windows, uint64_t *from)
{
    uint64_t stride = at->stride[axis], padding = at->padding[axis];
    *from = padding > k ? (padding - k + stride - 1) / stride : 0;
    if (size + padding <= k) {
        return 0;
    }
    uint64_t end = (size - 1 + padding - k) / stride + 1;
    end = end < windows ? end : windows;
    return end > *from ? end - *from : 0;
}

struct sow_border_step sow_border_axis(const struct sow_op_attributes *at, uint32_t axis,
                                       int scatter, uint64_t from, const double *profile,
                                       uint64_t to, double *made)
{
    struct sow_border_step step = {0, 0};
    double roots[SOW_BORDER_MOST], all = 0;
    uint64_t windows = scatter ? from : to, size = scatter ? to : from, begin;
    for (uint64_t i = 0; profile != NULL && i < from; i++) {
        roots[i] = sow_sqrt(profile[i]);
        all += roots[i] / (double)from;
    }
    for (uint64_t k = 0; k < at->kernel[axis] && k < TAPS_MOST; k++) {
        uint64_t count = windows_inside(at, axis, k, size, windows, &begin);
        double sum = (double)count, root = (double)count;
        if (profile != NULL || made != NULL) {
            sum = root = 0;
            for (uint64_t w = begin; w < begin + count; w++) {
                uint64_t place = w * at->stride[axis] + k - at->padding[axis];
                uint64_t source = scatter ? w : place, target = scatter ? place : w;
                double x = profile != NULL ? profile[source] : 1;
                sum += x;
                root += profile != NULL ? roots[source] : 1;
                if (made != NULL) {
                    made[target] += x;
                }
            }
        }
        root /= (double)to * (profile != NULL && all > 0 ? all : 1);
        step.sum += sum / (double)to;
        step.pairs += root * root;
    }
    return step;
}

/* ---- Profiles --------------------------------------------------------------------------------------------- */

int sow_border_keep(struct sow_predictor *p, const double *made, uint64_t count, const double *like,
                    const double **axis)
{
    double mean = 0, even = 0, same = 0;
    *axis = NULL;
    for (uint64_t i = 0; i < count; i++) {
        mean += made[i] / (double)count;
    }
    for (uint64_t i = 0; i < count && mean > 0; i++) {
        double x = made[i] / mean, apart = like != NULL ? fabs(x - like[i]) : 1;
        even = fabs(x - 1) > even ? fabs(x - 1) : even;
        same = apart > same ? apart : same;
    }
    if (!(even > EVEN)) {
        return 1;
    }
    if (same <= EVEN) {
        *axis = like;
        return 1;
    }
    double *kept = sow_arena_take(&p->arena, count * sizeof *kept);
    for (uint64_t i = 0; kept != NULL && i < count; i++) {
        kept[i] = made[i] / mean;
    }
    *axis = kept;
    return kept != NULL;
}

int sow_border_make(struct sow_predictor *p, const double *const axes[SOW_SPATIAL_MAX],
                    const struct sow_border *like, const struct sow_border **made)
{
    int any = 0, same = like != NULL;
    *made = NULL;
    for (int i = 0; i < SOW_SPATIAL_MAX; i++) {
        any |= axes[i] != NULL;
        same &= like != NULL && axes[i] == like->axis[i];
    }
    if (!any || same) {
        *made = any ? like : NULL;
        return 1;
    }
    struct sow_border *border = sow_arena_take(&p->arena, sizeof *border);
    if (border != NULL) {
        memcpy(border->axis, axes, sizeof border->axis);
    }
    *made = border;
    return border != NULL;
}

static double raised(const double *axis, uint64_t i, double power)
{
    if (axis == NULL || power == 0) {
        return 1;
    }
    double x = axis[i] > LEAST ? axis[i] : LEAST;
    return power == 1 ? x : power == -1 ? 1 / x : sow_pow(x, power);
}

int sow_border_product(struct sow_predictor *p, uint32_t flow, const struct sow_border *a, double x,
                       const struct sow_border *b, double y, const struct sow_border **made,
                       double *mean)
{
    const struct sow_flow *of = &p->network->flows[flow];
    const double *axes[SOW_SPATIAL_MAX] = {NULL, NULL, NULL};
    *mean = 1;
    if ((b == NULL || y == 0) && (a == NULL || x == 1)) {
        *made = a;
        return 1;
    }
    for (uint32_t k = 0; k < SOW_SPATIAL_MAX && k + 2 < of->rank; k++) {
        const double *one = a != NULL ? a->axis[k] : NULL, *two = b != NULL ? b->axis[k] : NULL;
        double numbers[SOW_BORDER_MOST], sum = 0;
        uint64_t size = of->shape[k + 2];
        if (one == NULL && two == NULL) {
            continue;
        }
        for (uint64_t i = 0; i < size; i++) {
            numbers[i] = raised(one, i, x) * raised(two, i, y);
            sum += numbers[i] / (double)size;
        }
        *mean *= sum;
        if (!sow_border_keep(p, numbers, size, one, &axes[k])) {
            return 0;
        }
    }
    return sow_border_make(p, axes, a, made);
}

int sow_border_blend(struct sow_predictor *p, uint32_t flow, const struct sow_border *a,
                     const struct sow_border *b, double share, const struct sow_border **made)
{
    const struct sow_flow *of = &p->network->flows[flow];
    const double *axes[SOW_SPATIAL_MAX] = {NULL, NULL, NULL};
    share = share > 0 ? share < 1 ? share : 1 : 0;
    if (a == b || share == 0 || share == 1) {
        *made = share < 1 ? a : b;
        return 1;
    }
    for (uint32_t k = 0; k < SOW_SPATIAL_MAX && k + 2 < of->rank; k++) {
        const double *one = a != NULL ? a->axis[k] : NULL, *two = b != NULL ? b->axis[k] : NULL;
        double numbers[SOW_BORDER_MOST];
        uint64_t size = of->shape[k + 2];
        if (one == NULL && two == NULL) {
            continue;
        }
        for (uint64_t i = 0; i < size; i++) {
            numbers[i] =
                (1 - share) * (one != NULL ? one[i] : 1) + share * (two != NULL ? two[i] : 1);
        }
        if (!sow_border_keep(p, numbers, size, one, &axes[k])) {
            return 0;
        }
    }
    return sow_border_make(p, axes, a, made);
}
