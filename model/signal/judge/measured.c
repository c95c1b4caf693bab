/* SPDX-License-Identifier: MIT */
/* Numbers that have no room in their type: values that left float32, as only a measurement shows, and weights that become
 * zeros in the dtype of their tensor (VANISH). Beyond 3.4e38 they are infinite, and not a number after the next
 * subtraction (EXPLODE); below 1.4e-45 they are exactly 0 (VANISH). A value that must be 0 is not meant. */
#include <math.h>

#include "model/signal/judge/judge.h"

/* Of the square of float32's least number, 2^-149, less what a sum over elements that are not all 0 may still show. */
#define LOG2_LEAST (-260.0)
/* Above this zeros have another reason: an expert that no token went to, units that are dead. */
#define LOG2_SMALL  (-100.0)
#define STORED_TOLD 0.5 /* share of a tensor */

static uint64_t elements_of(const struct sow_measured_value *value)
{
    uint64_t elements = 1;
    for (uint32_t i = 0; i < value->rank; i++) {
        elements *= value->shape[i];
    }
    return elements;
}

static void tell_overflow(struct sow_judgement *j, const struct sow_measured_value *value,
                          uint64_t count, enum sow_rule rule, const char *what)
{
    struct sow_verdict *verdict =
        sow_judge_add(j, SOW_VERDICT_EXPLODE, rule, value->name, value->layer);
    if (verdict == NULL) {
        return;
    }
    double all = (double)elements_of(value) * (double)sow_measurement_report(j->measured)->seeds;
    verdict->measured = 1;
    sow_judge_reason(
        j, verdict,
        "%s left float32, which ends at 3.4e38: %llu of the %.0f there are infinite or "
        "not a number",
        what, (unsigned long long)count, all > (double)count ? all : (double)count);
}

static void tell_underflow(struct sow_judgement *j, const struct sow_measured_value *value,
                           double log2_predicted, enum sow_rule rule, const char *what)
{
    struct sow_verdict *verdict =
        sow_judge_add(j, SOW_VERDICT_VANISH, rule, value->name, value->layer);
    if (verdict == NULL) {
        return;
    }
    verdict->measured = 1;
    if (log2_predicted < LOG2_LEAST) {
        sow_judge_reason(j, verdict,
                         "%s left float32: they are predicted at 2^%.0f, its least number is "
                         "2^-149, and every one there is exactly 0",
                         what, log2_predicted / 2);
    } else {
        sow_judge_reason(j, verdict,
                         "%s are exactly 0, every one of them, where they are predicted at 2^%.1f",
                         what, log2_predicted / 2);
    }
}

/* A layer that makes zeros of what is none: in a file its weights are zeros, or one of its sums underflowed. */
static int makes_zeros(const struct sow_judgement *j, const struct sow_node *node)
{
    int is_layer =
        node->op == SOW_OP_LINEAR || node->op == SOW_OP_CONV || node->op == SOW_OP_CONV_TRANSPOSE;
    return is_layer && sow_measured_value_at(j->measured, j->network->flows[node->inputs[0]].node)
                               ->second_moment > 0;
}

/* Weights that are drawn and then stored as zeros. Of a file the numbers are what they are. */
static void judge_stored(struct sow_judgement *j)
{
    for (size_t i = 0; i < sow_plan_count(j->plan); i++) {
        const struct sow_plan_entry *entry = sow_plan_at(j->plan, i);
        double share = sow_plan_underflow(entry);
        if (!(share > STORED_TOLD)) {
            continue;
        }
        struct sow_verdict *verdict =
            sow_judge_add(j, SOW_VERDICT_VANISH, SOW_RULE_STORED, entry->name, entry->layer);
        if (verdict != NULL) {
            verdict->number = share;
            verdict->threshold = STORED_TOLD;
            sow_judge_reason(j, verdict,
                             "%.3g %% of its elements become 0: %.200s is too small for %s, whose "
                             "least number is %.2g (threshold %g %%)",
                             100 * share, entry->scheme_text, sow_dtype_name(entry->dtype),
                             sow_dtype_least(entry->dtype), 100 * STORED_TOLD);
        }
    }
}

void sow_judge_measured(struct sow_judgement *j)
{
    if (!sow_judge_reads_file(j)) {
        judge_stored(j);
    }
    size_t count = j->measured != NULL ? j->network->node_count : 0;
    for (size_t i = 0; i < count; i++) {
        const struct sow_measured_value *value = sow_measured_value_at(j->measured, i);
        const struct sow_probe_value *predicted = sow_probe_at(j->probe, i);
        if (value->non_finite > 0) {
            tell_overflow(j, value, value->non_finite, SOW_RULE_MEASURED, "signals");
        }
        if (value->second_moment == 0 && value->non_finite == 0 &&
            predicted->log2_second_moment > -INFINITY &&
            (predicted->log2_second_moment <= LOG2_SMALL ||
             makes_zeros(j, &j->network->nodes[i]))) {
            tell_underflow(j, value, predicted->log2_second_moment, SOW_RULE_MEASURED, "signals");
        }
    }
    for (size_t i = count; i-- > 0;) { /* the way that gradients go */
        const struct sow_measured_value *value = sow_measured_value_at(j->measured, i);
        const struct sow_probe_value *predicted = sow_probe_at(j->probe, i);
        if (value->gradient_non_finite > 0) {
            tell_overflow(j, value, value->gradient_non_finite, SOW_RULE_MEASURED_GRADIENT,
                          "gradients");
        }
        if (value->gradient_second_moment == 0 && value->gradient_non_finite == 0 &&
            predicted->log2_gradient > -INFINITY && predicted->log2_gradient <= LOG2_SMALL) {
            tell_underflow(j, value, predicted->log2_gradient, SOW_RULE_MEASURED_GRADIENT,
                           "gradients");
        }
    }
}
