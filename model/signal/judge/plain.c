/* SPDX-License-Identifier: MIT */
/* Growth and decay that no weight is to blame for: sums of a value with itself, scales, squares, between one layer and the
 * next (EXPLODE, VANISH). The rules over the depth (chain.c) count by layers of weights and see none here. Not here: what
 * residual branches add (streams.c). */
#include <math.h>
#include <stdlib.h>

#include "model/signal/judge/judge.h"

/* What became of a value since the last operation that is not plain. */
struct drift {
    double change;  /* log2 of the factor of its second moment */
    size_t origin;  /* the node of that operation */
    size_t first;   /* the first plain node that changed the size; the origin: none yet */
    int is_watched; /* its size means something: no tokens */
};

/* Whether the operation computes with values alone, element by element. */
static int is_plain(enum sow_op op)
{
    return op == SOW_OP_ADD || op == SOW_OP_MULTIPLY || op == SOW_OP_SCALE || op == SOW_OP_CONCAT ||
           op == SOW_OP_DROPOUT || op == SOW_OP_FLATTEN || op == SOW_OP_SPLIT_HEADS ||
           op == SOW_OP_MERGE_HEADS || op == SOW_OP_TO_TOKENS;
}

static double moment_at(const struct sow_judgement *j, size_t node)
{
    return sow_judge_reads_file(j)
               ? sow_judge_log2(sow_measured_value_at(j->measured, node)->second_moment)
               : sow_probe_at(j->probe, node)->log2_second_moment;
}

/* The drift of node i's value, from those of its inputs. Values of different origins begin anew: one may be a branch. */
static struct drift drift_of(const struct sow_judgement *j, const struct drift *drifts, size_t i)
{
    const struct sow_node *node = &j->network->nodes[i];
    struct drift anew = {0, i, i, sow_probe_at(j->probe, i)->is_signal};
    if (!is_plain(node->op) || !anew.is_watched) {
        return anew;
    }
    size_t largest = j->network->flows[node->inputs[0]].node;
    for (uint32_t k = 0; k < node->input_count; k++) {
        size_t from = j->network->flows[node->inputs[k]].node;
        if (drifts[from].origin != drifts[largest].origin) {
            return anew;
        }
        largest = moment_at(j, from) > moment_at(j, largest) ? from : largest;
    }
    struct drift drift = drifts[largest];
    double step = moment_at(j, i) - moment_at(j, largest);
    drift.change += step;
    if (drift.first == drift.origin && fabs(step) > 1e-6) {
        drift.first = i;
    }
    return drift;
}

/* Tells of the value of a node that something reads which no size leaves cold, or that is an output. A residual branch may be
 * scaled down. */
static void judge_value(struct sow_judgement *j, const struct drift *drifts, size_t i,
                        int is_branch)
{
    const struct drift *drift = &drifts[i];
    double explode = j->thresholds[SOW_THRESHOLD_EXPLODE],
           vanish = j->thresholds[SOW_THRESHOLD_VANISH], size = moment_at(j, i);
    /* what brings an unusual size back to a usual one is no fault */
    int grows = drift->change > explode && size > explode,
        falls = drift->change < -vanish && size < -vanish && !is_branch;
    if ((!grows && !falls) || size - size != 0) {
        return;
    }
    const struct sow_probe_value *where = sow_probe_at(j->probe, drift->first);
    struct sow_verdict *verdict = sow_judge_add(j, grows ? SOW_VERDICT_EXPLODE : SOW_VERDICT_VANISH,
                                                SOW_RULE_PLAIN, where->name, where->layer);
    if (verdict == NULL) {
        return;
    }
    verdict->number = drift->change;
    verdict->threshold = grows ? explode : vanish;
    verdict->measured = sow_judge_reads_file(j);
    sow_judge_reason(j, verdict,
                     "from %.200s to %.200s sums, products or scales without a weight make the "
                     "mean square 2^%.1f %s what it was (threshold 2^%g); put a norm behind them, "
                     "or scale by %.4g",
                     sow_probe_at(j->probe, drift->origin)->name, sow_probe_at(j->probe, i)->name,
                     drift->change, grows ? "times" : "of", grows ? explode : -vanish,
                     sow_judge_exp2(-0.5 * drift->change));
}

void sow_judge_plain(struct sow_judgement *j)
{
    const struct sow_network *network = j->network;
    struct drift *drifts = calloc(network->node_count + 1, sizeof *drifts);
    if (drifts == NULL) {
        j->out_of_memory = 1;
        return;
    }
    for (size_t i = 0; i < network->node_count; i++) {
        const struct sow_node *node = &network->nodes[i];
        drifts[i] = drift_of(j, drifts, i);
        for (uint32_t k = 0; k < node->input_count && !sow_is_norm(node->op); k++) {
            size_t from = network->flows[node->inputs[k]].node;
            if (drifts[i].origin != drifts[from].origin) {
                judge_value(j, drifts, from, node->op == SOW_OP_ADD);
            }
        }
        if (network->flows[node->output].uses == 0) {
            judge_value(j, drifts, i, 0);
        }
    }
    free(drifts);
}
