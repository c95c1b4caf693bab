/* SPDX-License-Identifier: MIT */
/* Weights that stand out from what the family's own variant has at the ends of its residual branches (EXPLODE), and a
 * scheme that is another activation's, before the depth makes it an error (notes). Read off the plan; how signals fare with
 * it is the other rules' to say, and what stands out among its like is in alike.c. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/activation/maps.h"
#include "core/base/elementary.h"
#include "model/graph/model.h"
#include "model/signal/judge/judge.h"

static int has_weights(const struct sow_node *node)
{
    return (node->op == SOW_OP_LINEAR || node->op == SOW_OP_CONV ||
            node->op == SOW_OP_CONV_TRANSPOSE) &&
           node->parameter_count > 0;
}

static double least_of(double a, double b)
{
    return a < b ? a : b;
}

static double square_of(const struct sow_plan_entry *entry)
{
    return sow_weights_of(entry, 0, 0).square;
}

/* ---- From the family's own ---------------------------------------------------------------------------- */

/* Variance of the hidden weights in the variant itself that stand in front of branches' ends: the least. */
static double plain_square(const struct sow_judgement *j, const struct sow_graph *graph)
{
    double least = INFINITY;
    for (size_t i = 0; i < graph->parameter_count; i++) {
        const struct sow_plan_entry *own = sow_plan_at(j->own, i);
        if (strcmp(graph->parameters[i].role, "mlp.up") == 0 && own->fan_in > 0) {
            least = least_of(least, square_of(own));
        }
    }
    return least;
}

/* A variant that divides the last weights of residual branches by the root of their number, and a user's rule that
 * does not. */
static void judge_branches(struct sow_judgement *j)
{
    const struct sow_graph *graph = sow_model_graph(j->model);
    double threshold = j->thresholds[SOW_THRESHOLD_BRANCHES], plain = INFINITY;
    if (j->own != NULL) {
        plain = plain_square(j, graph);
    }
    for (size_t i = 0; plain - plain == 0 && i < graph->parameter_count; i++) {
        const struct sow_parameter *parameter = &graph->parameters[i];
        const struct sow_plan_entry *now = sow_plan_at(j->plan, i), *own = sow_plan_at(j->own, i);
        double factor = square_of(now) / square_of(own);
        double scaled = plain / square_of(own); /* 2 L in the variant */
        if (strcmp(parameter->role, "residual.output") != 0 || parameter->layer_count < 2 ||
            !(now->fan_in > 0) || scaled < parameter->layer_count || !(factor > threshold) ||
            factor < 0.5 * parameter->layer_count) {
            continue;
        }
        struct sow_verdict *verdict =
            sow_judge_add(j, SOW_VERDICT_EXPLODE, SOW_RULE_BRANCHES, now->name, now->layer);
        if (verdict != NULL) {
            verdict->severity = SOW_SEVERITY_WARNING;
            verdict->number = factor;
            verdict->threshold = threshold;
            sow_judge_reason(
                j, verdict,
                "the last weights of a residual branch miss the factor 1/sqrt(%.4g) that this "
                "family gives them: E[w^2] is %.3g instead of %.3g, and the residual stream of %d "
                "layers grows %.3g times as much (threshold %g)",
                scaled, square_of(now), square_of(own), (int)parameter->layer_count, factor,
                threshold);
        }
        char pattern[600];
        sow_judge_generalise(now->name, pattern, sizeof pattern);
        sow_judge_suggest(j, SOW_VERDICT_EXPLODE, SOW_RULE_BRANCHES, pattern, own->scheme_text);
    }
}

/* ---- From what the activation wants -------------------------------------------------------------------- */

static int has_norms(const struct sow_network *network)
{
    for (size_t i = 0; i < network->node_count; i++) {
        if (sow_is_norm(network->nodes[i].op) || network->nodes[i].op == SOW_OP_ADD) {
            return 1;
        }
    }
    return 0;
}

static int is_told(const struct sow_judgement *j, enum sow_verdict_id id)
{
    for (size_t i = 0; i < j->count; i++) {
        if (j->verdicts[i].verdict.code == sow_verdict_code_at(id)) {
            return 1;
        }
    }
    return 0;
}

/* The weights in the middle of a plain chain; NULL for none. */
static const struct sow_node *middle_of(const struct sow_network *network, uint64_t layers)
{
    const struct sow_node *middle = NULL;
    uint64_t seen = 0;
    for (size_t i = 0; i < network->node_count && seen <= layers / 2; i++) {
        if (has_weights(&network->nodes[i])) {
            middle = &network->nodes[i];
            seen++;
        }
    }
    return middle;
}

/* Whether the activation of the repeated layer has one variance that is critical without biases: tanh's is 1, relu's 2. */
static int critical_of(struct sow_judgement *j, double *sigma_w2)
{
    struct sow_criticality critical;
    const struct sow_probe_depth *depth = &sow_probe_summary(j->probe)->depth;
    if (depth->layers < 1) {
        return 0;
    }
    if (!j->critical_known || !sow_function_same(&j->critical_of, &depth->function)) {
        int has = sow_criticality_quick(&depth->function, &critical, NULL) == SOW_OK &&
                  (critical.universality == SOW_CRITICAL_SCALE_INVARIANT ||
                   critical.universality == SOW_CRITICAL_ZERO);
        j->critical_known = 1;
        j->critical_of = depth->function;
        j->critical = has ? critical.sigma_w2 : 0;
    }
    *sigma_w2 = j->critical;
    return j->critical > 0;
}

void sow_judge_suggest_critical(struct sow_judgement *j, enum sow_verdict_id id, enum sow_rule rule)
{
    char pattern[600], scheme[64] = "lecun_normal";
    double critical;
    const struct sow_node *node = middle_of(j->network, sow_probe_summary(j->probe)->depth.layers);
    if (node == NULL || !critical_of(j, &critical)) {
        return;
    }
    sow_judge_generalise(sow_plan_at(j->plan, node->parameters[0])->name, pattern, sizeof pattern);
    if (fabs(critical - 2) < 1e-9) {
        (void)snprintf(scheme, sizeof scheme, "he_normal");
    } else if (fabs(critical - 1) >= 1e-9) {
        (void)snprintf(scheme, sizeof scheme, "lecun_normal{gain=%.5g}", sow_sqrt(critical));
    }
    sow_judge_suggest(j, id, rule, pattern, scheme);
}

static void tell_scheme(struct sow_judgement *j, const struct sow_node *node, double critical,
                        double whole)
{
    const struct sow_probe_depth *depth = &sow_probe_summary(j->probe)->depth;
    double chi = depth->chi_perp, threshold = j->thresholds[SOW_THRESHOLD_SCHEME];
    enum sow_verdict_id id = chi > 1 ? SOW_VERDICT_CHAOS : SOW_VERDICT_VANISH;
    struct sow_verdict *verdict = sow_judge_add(j, id, SOW_RULE_SCHEME, node->name, node->layer);
    if (verdict == NULL) {
        return;
    }
    verdict->severity = whole > threshold ? SOW_SEVERITY_WARNING : SOW_SEVERITY_NOTE;
    verdict->number = whole;
    verdict->threshold = threshold;
    sow_judge_reason(j, verdict,
                     "its weights do not fit %.60s: fan_in E[w^2] is %.4g, and %.4g would keep "
                     "gradients; so their squares %s by a factor of %.4g a layer, 2^%.1f over %llu "
                     "layers (threshold 2^%g)",
                     depth->activation, depth->sigma_w2, critical, chi > 1 ? "grow" : "shrink", chi,
                     chi > 1 ? whole : -whole, (unsigned long long)depth->layers, threshold);
    sow_judge_suggest_critical(j, id, SOW_RULE_SCHEME);
}

/* A plain chain of an activation that has a critical variance (1 for tanh, 2 for relu), with weights of another: what
 * He's factor does to tanh, and Xavier's to relu. A warning where the factor over the depth counts, below it a note. */
static void judge_scheme(struct sow_judgement *j)
{
    const struct sow_probe_depth *depth = &sow_probe_summary(j->probe)->depth;
    double chi = depth->chi_perp, slope = j->thresholds[SOW_THRESHOLD_SLOPE];
    double critical;
    const struct sow_node *node = middle_of(j->network, depth->layers);
    if (depth->layers < 3 || node == NULL || !(chi > slope || chi < 1 / slope) ||
        is_told(j, chi > 1 ? SOW_VERDICT_CHAOS : SOW_VERDICT_VANISH) ||
        is_told(j, SOW_VERDICT_EXPLODE) || has_norms(j->network) || !critical_of(j, &critical)) {
        return;
    }
    double whole = fabs(sow_log(chi)) * 1.4426950408889634 * (double)depth->layers;
    if ((depth->sigma_w2 > critical) == (chi > 1)) {
        tell_scheme(j, node, critical, whole);
    }
}

void sow_judge_outliers(struct sow_judgement *j)
{
    judge_branches(j);
    judge_scheme(j);
}
