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
    if (in->mean == 0 && !self_gated && sow_is_homogeneous(function)) {
        enum sow_status status = sow_moments(function, 1, &moments, NULL, error);
        *mean = sow_sqrt(in->second) * moments.mean;
        *second = in->second * sow_second_moment(function);
        return status;
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
static enum sow_status apply(struct sow_matching *matching, const struct sow_function *function,
                             int self_gated, const struct sow_site *in, struct sow_site *out,
                             struct sow_error *error)
{
    const double key[] = {function->parameters[0],
                          function->parameters[1],
                          function->parameters[2],
                          function->parameters[3],
                          in->mean,
                          in->second,
                          self_gated};
    for (size_t i = 0; i < SOW_MATCH_REMEMBERED; i++) {
        const struct sow_remembered *old = &matching->remembered[i];
        if (old->activation == function->activation && memcmp(old->key, key, sizeof key) == 0) {
            out->mean = old->mean;
            out->second = old->second;
            return SOW_OK;
        }
    }
    enum sow_status status = work_out(function, self_gated, in, &out->mean, &out->second, error);
    struct sow_remembered *made = &matching->remembered[matching->remembered_next++];
    matching->remembered_next %= SOW_MATCH_REMEMBERED;
    made->activation = status == SOW_OK ? function->activation : NULL;
    memcpy(made->key, key, sizeof key);
    made->mean = out->mean;
    made->second = out->second;
    return status;
}

static enum sow_status flow_activation(struct sow_matching *matching, uint32_t index,
                                       struct sow_error *error)
{
    struct sow_site *site = &matching->sites[index];
    const struct sow_site *in = &matching->sites[sow_input_of(matching, site, 0)];
    struct sow_function function;
    enum sow_status status = sow_activation_of(site->operation, &function, error);
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
    enum sow_status status = sow_activation_of(gate->operation, &function, error);
    return status == SOW_OK ? apply(matching, &function, 1, signal, site, error) : status;
}

/* ---- Pools --------------------------------------------------------------------------------------- */

static double window_of(const struct sow_matching *matching, const struct sow_site *site)
{
    const struct sow_value *value = &matching->graph->values[site->operation->output];
    double kernel = sow_attribute(site->operation, "kernel", 1), window = 1;
    for (uint32_t axis = 2; axis < value->rank; axis++) {
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
        enum sow_status status = sow_activation_of(in->operation, &function, error);
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
        site->base = (site->branch == 0 ? b : a)->base;
    }
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

static enum sow_status flow_one(struct sow_matching *matching, uint32_t index,
                                struct sow_error *error)
{
    struct sow_site *site = &matching->sites[index];
    enum sow_status status = SOW_OK;
    site->mean = 0;
    site->second = 1;
    site->base = NAN;
    site->cause = SOW_NO_SITE;
    switch (site->walk) {
    case SOW_WALK_SOURCE:
    case SOW_WALK_WEIGHT:
    case SOW_WALK_LOOKUP:
    case SOW_WALK_NORM:
    case SOW_WALK_SOFTMAX:
        break;
    case SOW_WALK_ACTIVATION:
        status = flow_activation(matching, index, error);
        break;
    case SOW_WALK_ADD:
        flow_add(matching, index);
        break;
    case SOW_WALK_MULTIPLY:
        status = flow_multiply(matching, index, error);
        break;
    case SOW_WALK_SCALE:
        flow_scale(matching, site);
        break;
    case SOW_WALK_PASS:
        flow_pass(matching, site, 0);
        break;
    case SOW_WALK_MAX_POOL:
        status = flow_max_pool(matching, index, error);
        break;
    case SOW_WALK_AVERAGE_POOL:
        flow_average_pool(matching, index);
        break;
    case SOW_WALK_ATTENTION: /* an average of values: at most what one of them has */
        flow_pass(matching, site, site->operation->input_count - 1);
        break;
    }
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
    } else if (isnan(site->base)) {
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
