/* SPDX-License-Identifier: MIT */
/* How second moments run over time: a recurrent layer begins with zeros, and what comes from the last token reaches the
 * first ones weakly. Layers above and below see it, through operations that leave places where they are. */
#include <math.h>

#include "core/base/elementary.h"
#include "model/signal/predict/recurrent_predict.h"

#define HALF    (SOW_TIME_POINTS / 2)
#define NOTHING 700.0 /* below the largest */
#define EXACT   12    /* points at each end that are one place apart */

double sow_log_add(double a, double b)
{
    double high = a > b ? a : b, low = a > b ? b : a;
    return low > -INFINITY ? high + sow_log1p(sow_exp(low - high)) : high;
}

double sow_log_of_series(double log, double growth, double count)
{
    if (!(count > 0) || log == -INFINITY) {
        return -INFINITY;
    }
    if (fabs(growth * count) < 1e-9) {
        return log + sow_log(count);
    }
    /* from the larger end on */
    double down = -fabs(growth), high = growth > 0 ? log + growth * (count - 1) : log;
    return high + sow_log(sow_expm1(down * count) / sow_expm1(down));
}

/* ---- Points ------------------------------------------------------------------------------------ */

/* Places from one end, ascending to the middle. */
static double distance_of(int point, double places)
{
    double middle = (places - 1) / 2;
    if (point < EXACT || middle <= EXACT) {
        return point < middle ? point : middle;
    }
    double share = (double)(point - EXACT + 1) / (double)(HALF - EXACT);
    return (EXACT - 1) * sow_exp(share * sow_log(middle / (EXACT - 1)));
}

static double place_of(int point, double places)
{
    if (places <= SOW_TIME_POINTS) {
        return point < places ? point : places - 1;
    }
    return point < HALF ? distance_of(point, places)
                        : places - 1 - distance_of(SOW_TIME_POINTS - 1 - point, places);
}

/* Of exp(logs) over all places, the points joined by lines. */
static double mean_log(const double *logs, double places)
{
    double total = -INFINITY;
    if (places <= SOW_TIME_POINTS) {
        for (int i = 0; i < places; i++) {
            total = sow_log_add(total, logs[i]);
        }
        return total - sow_log(places);
    }
    for (int i = 0; i + 1 < SOW_TIME_POINTS; i++) {
        double width = place_of(i + 1, places) - place_of(i, places);
        if (width > 0) {
            double pair = sow_log_add(logs[i], logs[i + 1]) - sow_log(2);
            total = sow_log_add(total, pair + sow_log(width));
        }
    }
    return total - sow_log(places - 1);
}

static void set_alike(struct sow_time_profile *profile, const struct sow_alike *alike,
                      uint32_t directions)
{
    double square = 0;
    profile->far = 0;
    for (uint32_t d = 0; d < directions; d++) {
        square += alike[d].pairs[0];
        profile->far += alike[d].far;
    }
    for (int k = 0; k < SOW_TIME_POINTS; k++) {
        double sum = 0;
        for (uint32_t d = 0; d < directions; d++) {
            sum += (size_t)k < alike[d].count ? alike[d].pairs[k] : alike[d].far;
        }
        profile->alike[k] = (float)(square > 0 ? sum / square : 1);
    }
    profile->far = square > 0 ? profile->far / square : 1;
}

struct sow_time_profile *sow_time_profile_make(struct sow_arena *arena, double places,
                                               double (*log)(const void *of, double place),
                                               const void *of, const struct sow_alike *alike,
                                               uint32_t directions)
{
    double logs[SOW_TIME_POINTS], high = -INFINITY;
    for (int i = 0; i < SOW_TIME_POINTS; i++) {
        logs[i] = log(of, place_of(i, places));
        high = logs[i] > high ? logs[i] : high;
    }
    double mean = mean_log(logs, places);
    struct sow_time_profile *profile = NULL;
    if (places > 1 && mean > -INFINITY) {
        profile = sow_arena_take(arena, sizeof *profile);
    }
    if (profile == NULL) {
        return NULL;
    }
    for (int i = 0; i < SOW_TIME_POINTS; i++) {
        double least = high - NOTHING;
        profile->logs[i] = (float)((logs[i] > least ? logs[i] : least) - mean);
    }
    profile->places = places;
    set_alike(profile, alike, directions);
    return profile;
}

static double profile_at(const struct sow_time_profile *profile, double place)
{
    if (profile == NULL) {
        return 0;
    }
    int low = 0, high = SOW_TIME_POINTS - 1;
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (place_of(middle, profile->places) <= place) {
            low = middle;
        } else {
            high = middle;
        }
    }
    double from = place_of(low, profile->places), to = place_of(high, profile->places);
    double share = to > from ? (place - from) / (to - from) : 0;
    double a = (double)profile->logs[low], b = (double)profile->logs[high];
    share = share > 1 ? 1 : share;
    return share == 0 ? a : share == 1 ? b : a + share * (b - a);
}

/* ---- Values ------------------------------------------------------------------------------------ */

/* What changes all places alike, or nearly so. */
static int keeps_places(enum sow_op op)
{
    return op == SOW_OP_DROPOUT || op == SOW_OP_SCALE || op == SOW_OP_LAYER_SCALE;
}

const struct sow_time_profile *sow_signal_profile(const struct sow_predictor *p, uint32_t flow)
{
    const struct sow_node *node = &p->network->nodes[p->network->flows[flow].node];
    while (keeps_places(node->op)) {
        node = &p->network->nodes[p->network->flows[node->inputs[0]].node];
    }
    return p->locals[node - p->network->nodes].profile;
}

double sow_signal_at(const struct sow_predictor *p, uint32_t flow, double place)
{
    return profile_at(sow_signal_profile(p, flow), place);
}

/* The take or the recurrent layer that all of a value goes into, place by place; NULL when there is none. */
static const struct sow_node *reader_of(const struct sow_predictor *p, uint32_t flow)
{
    const struct sow_flow *value = &p->network->flows[flow];
    while (value->uses == 1) { /* of several nothing is known */
        size_t use = p->use_list[p->use_begin[value - p->network->flows]];
        const struct sow_node *node = &p->network->nodes[p->use_node[use]];
        if ((node->op == SOW_OP_TAKE && node->at.axis == 1 && value->rank == 3) ||
            sow_is_recurrent_op(node->op)) {
            return node;
        }
        if (!keeps_places(node->op) && node->op != SOW_OP_LINEAR && node->op != SOW_OP_ACTIVATION &&
            node->op != SOW_OP_LAYER_NORM && node->op != SOW_OP_RMS_NORM) {
            return NULL;
        }
        value = &p->network->flows[node->output];
    }
    return NULL;
}

double sow_gradient_end(const struct sow_predictor *p, uint32_t flow)
{
    const struct sow_node *reader = reader_of(p, flow);
    return reader != NULL && reader->op == SOW_OP_TAKE ? (double)reader->at.index : -1;
}

const struct sow_time_profile *sow_gradient_profile(const struct sow_predictor *p, uint32_t flow)
{
    const struct sow_node *reader = reader_of(p, flow);
    return reader != NULL && reader->op != SOW_OP_TAKE
               ? p->locals[reader - p->network->nodes].profile_back
               : NULL;
}

double sow_gradient_at(const struct sow_predictor *p, uint32_t flow, double place)
{
    const struct sow_node *reader = reader_of(p, flow);
    if (reader == NULL) {
        return 0;
    }
    if (reader->op == SOW_OP_TAKE) {
        double places = (double)p->network->flows[flow].shape[1];
        return place == (double)reader->at.index ? sow_log(places) : -INFINITY;
    }
    return profile_at(p->locals[reader - p->network->nodes].profile_back, place);
}
