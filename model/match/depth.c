/* SPDX-License-Identifier: MIT */
/* Runs: weights and activations in turn, with no norm and no residual addition between them. What an activation does to
 * gradients is multiplied over the whole run, so that the size that signals are given depends on how long it is: 1 while
 * that is harmless, then the largest that is, else the critical point. Not here: what follows for a weight (choose.c). */
#include "model/match/inside.h"

#include "core/activation/expression.h"
#include "core/activation/maps.h"
#include "core/base/elementary.h"

#include <math.h>

/* Factors over a run. Errors of scale are what seeds differ in. */
#define HARMLESS_GRADIENTS 10.0 /* squared */
#define HARMLESS_SCALE     5.0

#define LEAST 1e-10 /* second moments that are looked at, up to 1 */
#define HEALS 1e-6  /* chi_par may be above 1 by this */

/* ---- Runs ---------------------------------------------------------------------------------------- */

static int is_link(const struct sow_matching *matching, const struct sow_site *site)
{
    const struct sow_need *need = &site->need;
    return site->walk == SOW_WALK_WEIGHT && need->feeds == SOW_FEEDS_ACTIVATION &&
           need->norm == SOW_NO_SITE && matching->sites[need->site].walk == SOW_WALK_ACTIVATION;
}

/* What a run goes through between its weights. */
static int is_between(const struct sow_site *site)
{
    return site->walk == SOW_WALK_ACTIVATION || site->walk == SOW_WALK_PASS ||
           site->walk == SOW_WALK_SCALE || site->walk == SOW_WALK_MAX_POOL ||
           site->walk == SOW_WALK_AVERAGE_POOL || site->walk == SOW_WALK_GLOBAL_POOL;
}

static const struct sow_parameter *bias_of(const struct sow_matching *matching,
                                           const struct sow_site *site)
{
    for (uint32_t i = 0; i < site->operation->parameter_count; i++) {
        const struct sow_parameter *parameter =
            &matching->graph->parameters[site->operation->parameters[i]];
        if (parameter->tensor->kind == SOW_KIND_BIAS) {
            return parameter;
        }
    }
    return NULL;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

void sow_find_runs(struct sow_matching *matching)
{
    size_t count = matching->graph->operation_count;
    for (size_t i = 0; i < count; i++) { /* up to here, with the site itself */
        struct sow_site *site = &matching->sites[i];
        int links = is_link(matching, site);
        site->place = site->behind = 0;
        site->unbiased = links && bias_of(matching, site) == NULL;
        if (site->operation->input_count > 0 && (links || is_between(site))) {
            const struct sow_site *in = &matching->sites[sow_input_of(matching, site, 0)];
            site->place = in->place + (uint32_t)links;
            site->unbiased |= in->unbiased;
        }
    }
    for (size_t i = count; i-- > 0;) { /* and from here on */
        struct sow_site *site = &matching->sites[i];
        int links = is_link(matching, site);
        uint32_t from_here = site->behind + (uint32_t)links;
        site->run = site->place + site->behind;
        if (site->operation->input_count > 0 && (links || is_between(site))) {
            struct sow_site *in = &matching->sites[sow_input_of(matching, site, 0)];
            in->behind = larger(in->behind, from_here);
            in->unbiased |= site->unbiased;
        }
    }
}

/* ---- The size of the signal ------------------------------------------------------------------------ */

/* What a layer does that keeps the second moment q without biases. */
struct layer {
    double chi_perp, chi_par, square;
};

static int layer_at(const struct sow_function *function, double q, struct layer *layer)
{
    struct sow_maps maps;
    if (sow_maps(function, q, &maps, NULL) != SOW_OK || !(maps.square > 0)) {
        return 0;
    }
    layer->square = q / maps.square;
    layer->chi_perp = layer->square * maps.slope;
    layer->chi_par = layer->square * maps.growth;
    return layer->chi_perp > 0; /* not where it jumps */
}

/* Whether nothing gets out of hand over the run. */
static int is_harmless(const struct layer *layer, uint32_t run)
{
    double gradients = fabs(sow_log(layer->chi_perp)) * run;
    double scale = layer->chi_par > 1 ? sow_log(layer->chi_par) * run : 0;
    return gradients <= sow_log(HARMLESS_GRADIENTS) && scale <= sow_log(HARMLESS_SCALE);
}

/* The largest second moment below 1 that is harmless and where an error of scale heals: of tanh and its kin, and of ELU.
 * It falls to 0 as the run gets longer. 0: there is none. */
static double smaller(const struct sow_function *function, uint32_t run, struct layer *layer)
{
    double low = sow_log(LEAST), high = 0;
    if (!layer_at(function, LEAST, layer) || !is_harmless(layer, run)) {
        return 0;
    }
    for (int i = 0; i < 40; i++) {
        double middle = 0.5 * (low + high);
        if (layer_at(function, sow_exp(middle), layer) && is_harmless(layer, run)) {
            low = middle;
        } else {
            high = middle;
        }
    }
    double q = sow_exp(low);
    return layer_at(function, q, layer) && layer->chi_par < 1 + HEALS ? q : 0;
}

static const struct sow_point unit = {.kind = SOW_POINT_UNIT, .second = 1};

static void find_point(const struct sow_function *function, uint32_t run, int unbiased,
                       struct sow_point *point)
{
    struct layer layer;
    struct sow_criticality critical;
    *point = unit;
    if (run < 2 || !layer_at(function, 1, &layer) || is_harmless(&layer, run)) {
        return;
    }
    point->chi_perp = layer.chi_perp;
    double q = smaller(function, run, &layer);
    if (q > 0) {
        point->kind = SOW_POINT_SMALLER;
        point->second = q;
        point->square = layer.square;
    } else if (sow_function_criticality(function, &critical, NULL) == SOW_OK && critical.q > 0 &&
               (critical.sigma_b2 == 0 || !unbiased) &&
               is_harmless(&(struct layer){1, critical.chi_par, 1}, run)) {
        point->kind = SOW_POINT_CRITICAL;
        point->second = critical.q;
        point->bias = critical.sigma_b2;
    }
}

static const struct sow_point *remembered(struct sow_matching *matching,
                                          const struct sow_function *function,
                                          const struct sow_site *site)
{
    for (size_t i = 0; i < SOW_MATCH_REMEMBERED; i++) {
        const struct sow_remembered_point *old = &matching->points[i];
        if (old->run == site->run && old->run > 0 && old->unbiased == site->unbiased &&
            sow_function_same(&old->function, function)) {
            return &old->point;
        }
    }
    struct sow_remembered_point *made = &matching->points[matching->points_next++];
    matching->points_next %= SOW_MATCH_REMEMBERED;
    made->function = *function;
    made->run = site->run;
    made->unbiased = site->unbiased;
    find_point(function, site->run, site->unbiased, &made->point);
    return &made->point;
}

struct sow_point sow_point_of(struct sow_matching *matching, const struct sow_function *function,
                              const struct sow_site *site)
{
    const struct sow_point *point = remembered(matching, function, site);
    /* where errors of scale heal, the signal comes down to its size by itself */
    return point->kind == SOW_POINT_SMALLER && site->place == 1 ? unit : *point;
}

double sow_after_activation(const struct sow_matching *matching, const struct sow_site *site)
{
    do {
        site = &matching->sites[sow_input_of(matching, site, 0)];
    } while (site->walk != SOW_WALK_ACTIVATION && is_between(site));
    return site->second;
}
