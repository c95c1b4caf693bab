/* SPDX-License-Identifier: MIT */
/* ZERO-GRAD, exactly: which parameters have a gradient that is zero whatever the inputs and labels are. Known of a value is
 * whether it is one constant, and of a gradient whether it can be anything but zero; a parameter that has a gradient is
 * no constant any more, and all is walked again until no further one moves. What is left never moves. What one operation
 * does is in exact_ops.c. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/signal/judge/exact.h"

int sow_constant_of(const struct sow_plan_entry *entry, double *value)
{
    const struct sow_draw *draw = &entry->draw;
    int is_constant = draw->distribution == SOW_CONSTANT ||
                      (draw->distribution == SOW_NORMAL && draw->std == 0) ||
                      (draw->distribution == SOW_UNIFORM && draw->low == draw->high);
    *value = draw->distribution == SOW_UNIFORM ? draw->low : draw->mean;
    for (size_t i = 0; i < entry->region_count && is_constant; i++) {
        const struct sow_draw *part = &entry->regions[i].draw;
        is_constant = part->distribution == SOW_CONSTANT && part->mean == *value;
    }
    return is_constant;
}

static int walk(struct sow_exact *e)
{
    const struct sow_network *network = e->network;
    int moved = 0;
    for (size_t i = 0; i < network->node_count; i++) {
        e->values[network->nodes[i].output] = sow_exact_value(e, &network->nodes[i]);
    }
    memset(e->live, 0, network->flow_count);
    for (size_t i = 0; i < network->output_count; i++) {
        e->live[network->outputs[i]] = 1;
    }
    for (size_t i = network->node_count; i-- > 0;) {
        const struct sow_node *node = &network->nodes[i];
        int live = e->live[node->output];
        for (uint32_t k = 0; k < node->input_count; k++) {
            e->live[node->inputs[k]] |= (unsigned char)(live && sow_exact_lets_back(e, node, k));
        }
        for (uint32_t k = 0; k < node->parameter_count; k++) {
            int learns = sow_exact_learns(e, node, k);
            uint32_t entry = node->parameters[k];
            e->used[entry] |= (unsigned char)(learns >= 0);
            if (live && learns == 1 && !e->moves[entry]) {
                e->moves[entry] = 2; /* seen in this walk; constants change after it */
                moved = 1;
            }
        }
    }
    return moved;
}

/* ---- Telling ------------------------------------------------------------------------------------------ */

static const char *why_of(const struct sow_exact *e, uint32_t entry)
{
    for (size_t i = 0; i < e->network->node_count; i++) {
        const struct sow_node *node = &e->network->nodes[i];
        for (uint32_t k = 0; k < node->parameter_count; k++) {
            if (node->parameters[k] == entry) {
                return !e->live[node->output] ? "no gradient reaches its operation"
                       : sow_exact_learns(e, node, k) == 0
                           ? "the input of its operation is the same for every sample"
                           : "its gradient waits for the first step";
            }
        }
    }
    return "";
}

/* The last operation, from the parameter on, that lets nothing back. */
static const char *stop_of(const struct sow_exact *e)
{
    for (size_t i = e->network->node_count; i-- > 0;) {
        const struct sow_node *node = &e->network->nodes[i];
        for (uint32_t k = 0; k < node->input_count; k++) {
            if (e->live[node->output] && !sow_exact_lets_back(e, node, k) &&
                e->network->nodes[e->network->flows[node->inputs[k]].node].input_count > 0) {
                return node->name;
            }
        }
    }
    return NULL;
}

/* The first operation whose output is one number for every sample while its input is not; NULL where none is. */
static const struct sow_node *first_constant(const struct sow_exact *e)
{
    for (size_t i = 0; i < e->network->node_count; i++) {
        const struct sow_node *node = &e->network->nodes[i];
        if (node->input_count > 0 && node->parameter_count > 0 &&
            isnan(e->values[node->inputs[0]]) && !isnan(e->values[node->output])) {
            return node;
        }
    }
    return NULL;
}

/* An input of mean 0 and std 0. */
static int sends_zeros(const struct sow_exact *e)
{
    for (size_t i = 0; i < e->network->node_count; i++) {
        const struct sow_node *node = &e->network->nodes[i];
        if (node->op == SOW_OP_INPUT && e->values[node->output] == 0) {
            return 1;
        }
    }
    return 0;
}

static void tell(struct sow_judgement *j, const struct sow_exact *e, uint32_t entry,
                 enum sow_rule rule)
{
    const struct sow_plan_entry *at = sow_plan_at(j->plan, entry);
    struct sow_verdict *verdict =
        sow_judge_add(j, SOW_VERDICT_ZERO_GRAD, rule, at->name, at->layer);
    if (verdict == NULL) {
        return;
    }
    const char *stop = stop_of(e), *why = why_of(e, entry);
    int first = rule == SOW_RULE_FIRST_STEP;
    verdict->severity = first ? SOW_SEVERITY_NOTE : verdict->severity;
    const struct sow_node *source = first ? NULL : first_constant(e);
    double value = source != NULL ? e->values[source->output] : 0;
    char made[300] = "";
    if (source != NULL) {
        (void)snprintf(made, sizeof made, "; %.200s makes %g of whatever it gets", source->name,
                       value);
    }
    if (!first && source == NULL && sends_zeros(e)) {
        (void)snprintf(made, sizeof made, "; the input is all zeros");
    }
    sow_judge_reason(j, verdict, "its gradient is exactly zero %s: %s%s%.200s%s%s",
                     first ? "at the first step only" : "for ever, whatever the inputs", why,
                     stop != NULL ? ", because " : "", stop != NULL ? stop : "",
                     stop != NULL ? " lets none back" : "", made);
}

static void settle(struct sow_exact *e, size_t entries)
{
    for (size_t i = 0; i < entries; i++) {
        if (e->moves[i] == 2) {
            e->moves[i] = 1;
            e->constants[i] = NAN;
        }
    }
}

static void find(struct sow_judgement *j, struct sow_exact *e, unsigned char *late)
{
    size_t entries = sow_plan_count(j->plan);
    for (size_t i = 0; i < entries; i++) {
        double value;
        e->constants[i] = sow_constant_of(sow_plan_at(j->plan, i), &value) ? value : NAN;
    }
    int moved = walk(e);
    for (size_t i = 0; i < entries; i++) {
        late[i] = e->used[i] && !e->moves[i];
    }
    /* told while the values are those of the first step, taken back where the gradient never comes */
    while (moved) {
        settle(e, entries);
        moved = walk(e);
    }
    const struct sow_node *source = first_constant(e);
    uint32_t cause = source != NULL ? source->parameters[0] : 0;
    if (source != NULL && e->used[cause] && !e->moves[cause]) { /* where it starts */
        tell(j, e, cause, SOW_RULE_ONLY);
        late[cause] = 0;
        e->used[cause] = 0;
    }
    for (size_t i = 0; i < entries; i++) {
        if (e->used[i] && !e->moves[i]) {
            tell(j, e, (uint32_t)i, SOW_RULE_ONLY);
        } else if (late[i]) {
            tell(j, e, (uint32_t)i, SOW_RULE_FIRST_STEP);
        }
    }
    if (source != NULL && !e->moves[cause]) {
        e->used[cause] = 1;
    }
}

/* Parameters with no way to the last output: the prediction sends no gradient to them, and a loss of the last output sends
 * none either. A network may have several outputs: a note. */
static void tell_unread(struct sow_judgement *j, const struct sow_exact *e)
{
    const struct sow_network *network = e->network;
    uint32_t last = network->outputs[network->output_count - 1];
    memset(e->live, 0, network->flow_count);
    memset(e->used, 0, sow_plan_count(j->plan));
    e->live[last] = 1;
    for (size_t i = network->node_count; i-- > 0;) {
        const struct sow_node *node = &network->nodes[i];
        for (uint32_t k = 0; k < node->input_count; k++) {
            e->live[node->inputs[k]] |= e->live[node->output];
        }
        for (uint32_t k = 0; k < node->parameter_count; k++) {
            e->used[node->parameters[k]] |= e->live[node->output];
        }
    }
    const char *end = "";
    for (size_t i = network->node_count; i-- > 0;) {
        const struct sow_node *node = &network->nodes[i];
        if (!e->live[node->output] && network->flows[node->output].uses == 0) {
            end = node->name; /* of values on no way, the one whose parameters come next */
        }
        if (e->live[node->output] || node->parameter_count == 0 || e->used[node->parameters[0]] ||
            !e->moves[node->parameters[0]]) {
            continue;
        }
        struct sow_verdict *verdict =
            sow_judge_add(j, SOW_VERDICT_ZERO_GRAD, SOW_RULE_UNREAD,
                          sow_plan_at(j->plan, node->parameters[0])->name, node->layer);
        if (verdict != NULL) {
            verdict->severity = SOW_SEVERITY_NOTE;
            sow_judge_reason(j, verdict,
                             "nothing reads %.200s, and it is not the last value: its weights move "
                             "only if the loss takes it too; gradients here begin at %.200s",
                             end, network->nodes[network->flows[last].node].name);
        }
    }
}

void sow_judge_exact(struct sow_judgement *j)
{
    size_t flows = j->network->flow_count + 1, entries = sow_plan_count(j->plan) + 1;
    struct sow_exact e = {.plan = j->plan, .network = j->network, .probe = j->probe};
    e.values = calloc(flows, sizeof *e.values);
    e.live = calloc(flows, 1);
    e.constants = calloc(entries, sizeof *e.constants);
    e.moves = calloc(entries, 1);
    e.used = calloc(entries, 1);
    unsigned char *late = calloc(entries, 1);
    if (e.values && e.live && e.constants && e.moves && e.used && late) {
        find(j, &e, late);
        for (size_t i = 0; i + 1 < entries; i++) {
            late[i] = e.used[i] && !e.moves[i];
        }
        sow_judge_symmetry(j, late);
        tell_unread(j, &e);
    } else {
        j->out_of_memory = 1;
    }
    free(e.values);
    free(e.live);
    free(e.constants);
    free(e.moves);
    free(e.used);
    free(late);
}
