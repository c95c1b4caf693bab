/* SPDX-License-Identifier: MIT */
/* Arithmetic of states, and what the plan says of a tensor's moments. */
#include <math.h>
#include <string.h>

#include "core/base/elementary.h"
#include "model/signal/predict/predict.h"

double sow_log_of(double x, double log)
{
    return x > 0 ? log + sow_log(x) : -INFINITY;
}

struct sow_raw sow_raw_of(const struct sow_state *state, double log)
{
    double square = state->log > -INFINITY ? sow_exp(state->log - log) : 0;
    return (struct sow_raw){square, state->mean * sow_sqrt(square), state->feature * square,
                            state->place * square, state->sample * square};
}

static double ratio(double x, double square)
{
    double r = x / square;
    return r > 1 ? 1 : r < -1 ? -1 : r;
}

void sow_state_set(struct sow_state *state, const struct sow_raw *raw, double log)
{
    state->log = sow_log_of(raw->square, log);
    if (!(raw->square > 0)) {
        state->mean = state->feature = 0;
        state->place = state->sample = 1; /* zeros are all alike */
        return;
    }
    state->mean = ratio(raw->mean, sow_sqrt(raw->square));
    state->feature = ratio(raw->feature, raw->square);
    state->place = ratio(raw->place, raw->square);
    state->sample = ratio(raw->sample, raw->square);
}

double sow_centred(const struct sow_state *state, double moment)
{
    double square = state->mean * state->mean, variance = 1 - square;
    return variance > 1e-15 ? (moment - square) / variance : 1;
}

/* Features share what their mean shares; the rest as far as places or samples do. */
double sow_cross_feature(const struct sow_state *state, double same_feature)
{
    double square = state->mean * state->mean;
    return square + (state->feature - square) * sow_centred(state, same_feature);
}

double sow_both(const struct sow_state *state)
{
    double place = sow_centred(state, state->place), sample = sow_centred(state, state->sample);
    double mean2 = state->mean * state->mean, both = place < sample ? place : sample;
    if (place <
        0) { /* a mean over the places was taken away, from each sample or from all at once */
        both = sample < 0 ? (place > sample ? place : sample) : place * sample;
    }
    return mean2 + (1 - mean2) * both;
}

/* ---- Weights ------------------------------------------------------------------------------------- */

static void add_draw(const struct sow_draw *draw, double share, struct sow_weights *weights)
{
    double mean, std;
    sow_draw_moments(draw, &mean, &std);
    weights->mean += share * mean;
    weights->square += share * (std * std + mean * mean);
}

static double overlap(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    uint64_t low = a > c ? a : c, high = b < d ? b : d;
    return low < high ? (double)(high - low) : 0;
}

struct sow_weights sow_weights_of(const struct sow_plan_entry *entry, uint64_t begin, uint64_t end)
{
    const struct sow_tensor *tensor = &entry->tensor;
    int is_last = tensor->layout == SOW_LAYOUT_IN_OUT && tensor->rank > 1;
    return sow_weights_along(entry, is_last ? tensor->rank - 1 : 0, begin, end);
}

/* Regions of one axis lie apart, and those of two axes cover shares independently of each other. */
struct sow_weights sow_weights_along(const struct sow_plan_entry *entry, uint32_t axis,
                                     uint64_t begin, uint64_t end)
{
    const struct sow_tensor *tensor = &entry->tensor;
    struct sow_weights weights = {0, 0};
    double covered = 0;
    for (size_t i = entry->region_count; i-- > 0;) {
        const struct sow_region *region = &entry->regions[i];
        uint64_t low = 0, high = tensor->rank > 0 ? tensor->shape[region->axis] : 1;
        if (region->axis == axis && end > 0) {
            low = begin;
            high = end;
        }
        if (high > low) {
            double share = overlap(region->begin, region->end, low, high) / (double)(high - low);
            share = share > 1 - covered ? 1 - covered : share;
            add_draw(&region->draw, share, &weights);
            covered += share;
        }
    }
    add_draw(&entry->draw, 1 - covered, &weights);
    return weights;
}

struct sow_weights sow_node_weights(const struct sow_predictor *p, const struct sow_node *node,
                                    uint32_t index, struct sow_weights absent)
{
    return index < node->parameter_count
               ? sow_weights_of(sow_plan_at(p->plan, node->parameters[index]), 0, 0)
               : absent;
}
