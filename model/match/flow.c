/* SPDX-License-Identifier: MIT */
/* Mean and second moment of every value, from the inputs on, with each weight as it is chosen on the way. Taken to be
 * normal and independent wherever that is all one can know before data is seen: what windows and tokens have in common
 * is left out (docs/matched.md says where that matters). */
#include "model/match/inside.h"

#include "core/activation/quadrature.h"
#include "core/base/elementary.h"
#include "core/base/error.h"
#include "core/kernel/normal_cdf.h"

#include <math.h>
#include <string.h>

/* ---- Functions of a normal value --------------------------------------------------------------- */

/* f(mean + std z), f an activation, by itself or times its argument, of the largest of `window` values. */
struct shifted {
    const struct sow_function *function;
    double mean, std;
    int self_gated;
};

static double shifted_value(void *user, double z)
{
    const struct shifted *shifted = user;
    double x = shifted->mean + shifted->std * z;
    double value = sow_function_value(shifted->function, x, NULL);
    return shifted->self_gated ? value * x : value;
}

/* Mean and second moment of f(x), x normal with the moments of `in`. */
static enum sow_status work_out(const struct sow_function *function, int self_gated,
                                const struct sow_site *in, double *mean, double *second,
                                struct sow_error *error)
{
    struct sow_moments moments;
    struct sow_function own;
    double variance = in->second - in->mean * in->mean;
    if (!(variance > 1e-300)) { /* a constant, or nothing */
        struct shifted constant = {function, in->mean, 0, self_gated};
        *mean = shifted_value(&constant, 0);
        *second = *mean * *mean;
        return SOW_OK;
    }
    if (in->mean == 0 && !self_gated) {
        enum sow_status status = sow_moments(function, in->second, &moments, NULL, error);
        *mean = moments.mean;
        *second = in->second == 1 ? sow_second_moment(function) : moments.square;
        return status;
    }
    struct shifted shifted = {function, in->mean, sow_sqrt(variance), self_gated};
    enum sow_status status = sow_function_own(shifted_value, &shifted, NULL, 0, &own, error);
    status = status == SOW_OK ? sow_moments(&own, 1, &moments, NULL, error) : status;
    *mean = moments.mean;
    *second = moments.square;
    return status;
}

/* The same; networks repeat their layers. */
static enum sow_status remembered(struct sow_matching *matching,
                                  const struct sow_function *function, int self_gated,
                                  const struct sow_site *in, double *mean, double *second,
                                  struct sow_error *error)
{
    const double key[] = {in->mean, in->second, self_gated};
    for (size_t i = 0; i < SOW_MATCH_REMEMBERED; i++) {
        const struct sow_remembered *old = &matching->remembered[i];
        if (sow_function_same(&old->function, function) && memcmp(old->key, key, sizeof key) == 0) {
            *mean = old->mean;
            *second = old->second;
            return SOW_OK;
        }
    }
    enum sow_status status = work_out(function, self_gated, in, mean, second, error);
    struct sow_remembered *made = &matching->remembered[matching->remembered_next++];
    matching->remembered_next %= SOW_MATCH_REMEMBERED;
    made->function = status == SOW_OK ? *function : (struct sow_function){0};
    memcpy(made->key, key, sizeof key);
    made->mean = *mean;
    made->second = *second;
    return status;
}

static enum sow_status apply(struct sow_matching *matching, const struct sow_function *function,
                             int self_gated, const struct sow_site *in, struct sow_site *out,
                             struct sow_error *error)
{
    struct sow_site unit = {.second = 1};
    if (in->mean != 0 || self_gated || !(in->second > 1e-300) || !sow_is_homogeneous(function)) {
        return remembered(matching, function, self_gated, in, &out->mean, &out->second, error);
    }
    enum sow_status status =
        remembered(matching, function, 0, &unit, &out->mean, &out->second, error);
    out->mean *= sow_sqrt(in->second);
    out->second *= in->second;
    return status;
}

static enum sow_status flow_activation(struct sow_matching *matching, uint32_t index,
                                       struct sow_error *error)
{
    struct sow_site *site = &matching->sites[index];
    const struct sow_site *in = &matching->sites[sow_input_of(matching, site, 0)];
    struct sow_function function;
    enum sow_status status = sow_activation_of(matching, site->operation, &function, error);
    if (status == SOW_OK) {
        status = apply(matching, &function, 0, in, site, error);
    }
    site->cause = index;
    return status;
}

static enum sow_status flow_multiply(struct sow_matching *matching, uint32_t index,
                                     struct sow_error *error)
{
    struct sow_site *site = &matching->sites[index];
    uint32_t x = sow_self_gate(matching, site);
    const struct sow_site *a = &matching->sites[sow_input_of(matching, site, 0)];
    const struct sow_site *b = &matching->sites[sow_input_of(matching, site, 1)];
    struct sow_function function;
    site->cause = index;
    if (x == 2) {
        site->mean = a == b ? a->second : a->mean * b->mean;
        site->second = a == b ? 3 * a->second * a->second : a->second * b->second;
        return SOW_OK;
    }
    const struct sow_site *gate = x == 0 ? b : a, *signal = x == 0 ? a : b;
    enum sow_status status = sow_activation_of(matching, gate->operation, &function, error);
    return status == SOW_OK ? apply(matching, &function, 1, signal, site, error) : status;
}

/* A packed one has the same moments on both sides. */
static enum sow_status flow_gated(struct sow_matching *matching, uint32_t index,
                                  struct sow_error *error)
{
    struct sow_site *site = &matching->sites[index];
    uint32_t last = site->operation->input_count - 1;
    const struct sow_site *gate = &matching->sites[sow_input_of(matching, site, 0)];
    const struct sow_site *value = &matching->sites[sow_input_of(matching, site, last)];
    struct sow_function function; /* of a gate: phi */
    enum sow_status status = sow_activation_of(matching, site->operation, &function, error);
    status = status == SOW_OK ? apply(matching, &function, 0, gate, site, error) : status;
    site->mean *= value->mean;
    site->second *= value->second;
    site->cause = index;
    return status;
}

/* The state of a recurrent layer once it no longer changes, steps taken as independent: with s = E[sigmoid^2] and
 * t = E[tanh^2], the cell of an lstm has s t / (1 - s), as has a gru; a plain one has t, or 1 with relu. */
static void flow_recurrent(struct sow_matching *matching, uint32_t index)
{
    struct sow_site *site = &matching->sites[index];
    struct sow_function sigmoid, tanh;
    struct sow_moments moments;
    site->cause = index;
    if (sow_function_named("sigmoid", NULL, 0, &sigmoid, NULL) != SOW_OK ||
        sow_function_named("tanh", NULL, 0, &tanh, NULL) != SOW_OK) {
        return;
    }
    double s = sow_second_moment(&sigmoid), t = sow_second_moment(&tanh), cell = s * t / (1 - s);
    const char *kind = site->operation->kind;
    if (strncmp(kind, "rnn", 3) == 0) {
        site->second = sow_attribute_is(site->operation, "nonlinearity", "relu") ? 1 : t;
    } else if (strncmp(kind, "gru", 3) == 0) {
        site->second = cell;
    } else if (sow_moments(&tanh, cell, &moments, NULL, NULL) == SOW_OK) {
        site->second = s * moments.square;
    }
}

/* ---- Pools --------------------------------------------------------------------------------------- */

static double window_of(const struct sow_matching *matching, const struct sow_site *site)
{
    const struct sow_value *value = &matching->graph->values[site->operation->output];
    double kernel = sow_attribute(site->operation, "kernel", 1), window = 1;
    if (site->walk == SOW_WALK_GLOBAL_POOL) { /* a size that is not known counts as 1 */
        uint32_t tokens = sow_attribute_is(site->operation, "over", "tokens") ? 1 : 0;
        value = &matching->graph->values[site->operation->inputs[0]];
        for (uint32_t axis = 2 - tokens; axis + tokens < value->rank; axis++) {
            window *= value->shape[axis] > 0 ? (double)value->shape[axis] : 1;
        }
    }
    for (uint32_t axis = 2; axis < value->rank && site->walk != SOW_WALK_GLOBAL_POOL; axis++) {
        window *= kernel;
    }
    return window < 1 ? 1 : window > 65536 ? 65536 : window;
}

/* The largest of n values f(z), z independent normal and f rising: the density of the largest z is
 * n Phi(z)^(n - 1) phi(z). By the rule of Simpson on [-12, 12]. */
static enum sow_status flow_max_pool(struct sow_matching *matching, uint32_t index,
                                     struct sow_error *error)
{
    struct sow_site *site = &matching->sites[index];
    const struct sow_site *in = &matching->sites[sow_input_of(matching, site, 0)];
    const struct sow_site *under = in; /* the normal value, below an activation */
    struct sow_function function = {0};
    int activated = in->walk == SOW_WALK_ACTIVATION;
    const double n = window_of(matching, site), step = 1.0 / 128;
    if (activated) {
        enum sow_status status = sow_activation_of(matching, in->operation, &function, error);
        if (status != SOW_OK) {
            return status;
        }
        under = &matching->sites[sow_input_of(matching, in, 0)];
    }
    double variance = under->second - under->mean * under->mean;
    double std = variance > 0 ? sow_sqrt(variance) : 0, mean = 0, second = 0, mass = 0;
    for (int i = -12 * 128; i <= 12 * 128; i++) {
        double z = i * step, below = sow_normal_cdf(z);
        double x = under->mean + std * z;
        double value = activated ? sow_function_value(&function, x, NULL) : x;
        double weight = (i & 1 ? 4 : 2) * sow_exp(-z * z / 2) * sow_pow(below, n - 1);
        mass += weight;
        mean += weight * value;
        second += weight * value * value;
    }
    site->mean = mean / mass;
    site->second = second / mass;
    site->cause = index;
    return SOW_OK;
}

static void flow_average_pool(struct sow_matching *matching, uint32_t index)
{
    struct sow_site *site = &matching->sites[index];
    const struct sow_site *in = &matching->sites[sow_input_of(matching, site, 0)];
    double variance = in->second - in->mean * in->mean;
    site->mean = in->mean;
    site->second = in->mean * in->mean + variance / window_of(matching, site);
    site->cause = index;
}

/* ---- The rest ------------------------------------------------------------------------------------ */

/* The signal of one input, as it is. */
static void flow_pass(struct sow_matching *matching, struct sow_site *site, uint32_t input)
{
    const struct sow_site *in = &matching->sites[sow_input_of(matching, site, input)];
    site->mean = in->mean;
    site->second = in->second;
    site->base = in->base;
    site->cause = in->cause;
}

static void flow_add(struct sow_matching *matching, uint32_t index)
{
    struct sow_site *site = &matching->sites[index];
    const struct sow_site *a = &matching->sites[sow_input_of(matching, site, 0)];
    const struct sow_site *b = &matching->sites[sow_input_of(matching, site, 1)];
    site->mean = a->mean + b->mean;
    site->second = a == b ? 4 * a->second : a->second + b->second + 2 * a->mean * b->mean;
    site->cause = index;
    site->base = site->second;
    if (site->branch != SOW_NO_SITE) {
        site->base = sow_base_of(matching, site);
    }
}

/* Of values side by side: by their sizes, or alike where those are not known. */
static void flow_concat(struct sow_matching *matching, struct sow_site *site)
{
    const struct sow_graph *graph = matching->graph;
    double axis = sow_attribute(site->operation, "axis", -1), sum = 0, mean = 0, second = 0;
    for (uint32_t i = 0; i < site->operation->input_count; i++) {
        const struct sow_site *in = &matching->sites[sow_input_of(matching, site, i)];
        const struct sow_value *value = &graph->values[site->operation->inputs[i]];
        double size = axis >= 0 && axis < value->rank ? (double)value->shape[(uint32_t)axis] : 1;
        size = size > 0 ? size : 1;
        sum += size;
        mean += size * in->mean;
        second += size * in->second;
    }
    site->mean = sum > 0 ? mean / sum : 0;
    site->second = sum > 0 ? second / sum : 1;
}

static void flow_scale(struct sow_matching *matching, struct sow_site *site)
{
    double factor = sow_attribute(site->operation, "factor", 1);
    flow_pass(matching, site, 0);
    site->mean *= factor;
    site->second *= factor * factor;
    if (matching->sites[site->stream].tied == SOW_NO_SITE) {
        site->base *= factor * factor;
    }
}

/* What an operation without weights makes of its inputs; others start at mean 0 and second moment 1. */
static enum sow_status flow_through(struct sow_matching *matching, uint32_t index,
                                    struct sow_error *error)
{
    struct sow_site *site = &matching->sites[index];
    switch (site->walk) {
    case SOW_WALK_ACTIVATION:
        return flow_activation(matching, index, error);
    case SOW_WALK_MULTIPLY:
        return flow_multiply(matching, index, error);
    case SOW_WALK_GATED:
        return flow_gated(matching, index, error);
    case SOW_WALK_MAX_POOL:
        return flow_max_pool(matching, index, error);
    case SOW_WALK_AVERAGE_POOL:
        flow_average_pool(matching, index);
        return SOW_OK;
    case SOW_WALK_GLOBAL_POOL:
        if (sow_attribute_is(site->operation, "kind", "max")) {
            return flow_max_pool(matching, index, error);
        }
        flow_average_pool(matching, index);
        return SOW_OK;
    case SOW_WALK_ADD:
        flow_add(matching, index);
        return SOW_OK;
    case SOW_WALK_CONCAT:
        flow_concat(matching, site);
        return SOW_OK;
    case SOW_WALK_SCALE:
        flow_scale(matching, site);
        return SOW_OK;
    case SOW_WALK_RECURRENT:
        flow_recurrent(matching, index);
        return SOW_OK;
    case SOW_WALK_PASS:
    case SOW_WALK_FEATURE:
        flow_pass(matching, site, 0);
        return SOW_OK;
    case SOW_WALK_EXPERTS:   /* weights that add up to 1: at most what one of them has */
    case SOW_WALK_ATTENTION: /* an average of values: the same */
        flow_pass(matching, site, site->operation->input_count - 1);
        return SOW_OK;
    default:
        return SOW_OK;
    }
}

static enum sow_status flow_one(struct sow_matching *matching, uint32_t index,
                                struct sow_error *error)
{
    struct sow_site *site = &matching->sites[index];
    site->mean = 0;
    site->second = 1;
    site->base = NAN;
    site->cause = SOW_NO_SITE;
    enum sow_status status = flow_through(matching, index, error);
    status = status == SOW_OK ? sow_choose(matching, index, error) : status;
    if (fabs(site->second - 1) < 1e-12) { /* rounding: layers that are alike get the same numbers */
        site->second = 1;
    }
    return status;
}

/* What the stream is measured in: what it began with, or 1 behind a norm on it. One that begins with an embedding that is
 * the head too begins small, and the branches are to outgrow it: 1. */
static void flow_base(struct sow_matching *matching, uint32_t index)
{
    struct sow_site *site = &matching->sites[index];
    if (site->walk == SOW_WALK_NORM || site->stream == index) {
        site->base = site->tied != SOW_NO_SITE ? 1 : site->second;
    } else if (isnan(site->base) && site->operation->input_count > 0) {
        site->base = matching->sites[sow_input_of(matching, site, 0)].base;
    }
}

enum sow_status sow_find_flow(struct sow_matching *matching, struct sow_error *error)
{
    enum sow_status status = SOW_OK;
    for (size_t i = 0; i < matching->graph->operation_count && status == SOW_OK; i++) {
        status = flow_one(matching, (uint32_t)i, error);
        flow_base(matching, (uint32_t)i);
    }
    return status;
}
