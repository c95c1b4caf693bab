/* SPDX-License-Identifier: MIT */
/* SYMMETRIC in weights that are in a file: layers and units that are copies, constants. What the check of the file found
 * is held against the network: rows are units or their inputs, and units that are equal on both sides never part. */
#include <string.h>

#include "model/signal/judge/judge.h"

enum side { IN = 1, OUT = 2 }; /* of a unit: what comes in, what goes out */

/* The node whose weight has this name; NULL where it is none, or an embedding's too: rows of padding are no units. */
static const struct sow_node *node_of(const struct sow_judgement *j, const char *tensor)
{
    const struct sow_node *found = NULL;
    for (size_t i = 0; i < j->network->node_count; i++) {
        const struct sow_node *node = &j->network->nodes[i];
        if (node->parameter_count == 0 ||
            strcmp(sow_plan_at(j->plan, node->parameters[0])->name, tensor) != 0) {
            continue;
        }
        if (node->op == SOW_OP_EMBEDDING) {
            return NULL;
        }
        found = node->op == SOW_OP_LINEAR || node->op == SOW_OP_CONV ? node : found;
    }
    return found;
}

/* Which side of the units of its layer a finding is about; 0: none. */
static int side_of(const struct sow_judgement *j, const struct sow_finding *finding,
                   const struct sow_node *node)
{
    int rows = strcmp(finding->code->code, "equal-rows") == 0 ||
               strcmp(finding->code->code, "permuted-rows") == 0 ||
               strcmp(finding->code->code, "near-rows") == 0;
    int columns = strcmp(finding->code->code, "equal-columns") == 0 ||
                  strcmp(finding->code->code, "near-columns") == 0;
    int turned = node->op == SOW_OP_LINEAR &&
                 sow_weight_turned(&sow_plan_at(j->plan, node->parameters[0])->tensor);
    return !rows && !columns ? 0 : rows != turned ? IN : OUT;
}

/* The weights that read the node's units, through what works on each unit alone; NULL: none, or several. */
static const struct sow_node *reader_of(const struct sow_network *network,
                                        const struct sow_node *node)
{
    const struct sow_node *end = network->nodes + network->node_count;
    uint32_t flow = node->output;
    for (const struct sow_node *user = node + 1; user < end; user++) {
        for (uint32_t k = 0; k < user->input_count; k++) {
            if (user->inputs[k] != flow) {
                continue;
            }
            if (user->op == SOW_OP_LINEAR || user->op == SOW_OP_CONV) {
                return user;
            }
            if (user->op != SOW_OP_ACTIVATION && user->op != SOW_OP_DROPOUT &&
                user->op != SOW_OP_MAX_POOL && user->op != SOW_OP_AVERAGE_POOL &&
                user->op != SOW_OP_GLOBAL_POOL && !sow_is_norm(user->op)) {
                return NULL;
            }
            flow = user->output;
            break;
        }
    }
    return NULL;
}

static int is_near(const struct sow_finding *finding)
{
    return strncmp(finding->code->code, "near-", 5) == 0;
}

/* Whether another finding says that what goes out of the node's units is equal too, or, where `near` is, nearly. */
static int goes_out_equal(const struct sow_judgement *j, const struct sow_node *node, int near)
{
    const struct sow_node *reader = reader_of(j->network, node);
    const struct sow_finding *finding;
    if (reader == NULL) {
        return 0;
    }
    const char *name = sow_plan_at(j->plan, reader->parameters[0])->name;
    for (size_t i = 0; (finding = sow_check_at(j->checked, i)) != NULL; i++) {
        for (size_t k = 0; k < finding->tensor_count; k++) {
            if (strcmp(finding->tensors[k], name) == 0 && side_of(j, finding, reader) == OUT &&
                (near || !is_near(finding))) {
                return 1;
            }
        }
    }
    return 0;
}

static void tell(struct sow_judgement *j, const struct sow_finding *finding, const char *where,
                 int32_t layer, enum sow_severity severity, const char *what)
{
    enum sow_rule rule = is_near(finding)                 ? SOW_RULE_COPIES_NEAR
                         : severity == SOW_SEVERITY_ERROR ? SOW_RULE_COPIES
                                                          : SOW_RULE_COPIES_ONE_SIDE;
    const char *kept = sow_arena_copy(&j->arena, where, strlen(where)); /* the check goes first */
    if (kept == NULL) {
        j->out_of_memory = 1;
        return;
    }
    struct sow_verdict *verdict = sow_judge_add(j, SOW_VERDICT_SYMMETRIC, rule, kept, layer);
    if (verdict != NULL) {
        verdict->severity = severity;
        verdict->measured = 1;
        sow_judge_reason(j, verdict, "in the file, %.200s: %.500s%s", finding->where, finding->text,
                         what);
    }
}

/* Units of one layer. */
static void judge_units(struct sow_judgement *j, const struct sow_finding *finding)
{
    for (size_t k = 0; k < finding->tensor_count; k++) {
        const struct sow_node *node = node_of(j, finding->tensors[k]);
        if (node == NULL || side_of(j, finding, node) != IN) {
            continue;
        }
        if (is_near(finding)) {
            tell(j, finding, node->name, node->layer, SOW_SEVERITY_WARNING,
                 goes_out_equal(j, node, 1)
                     ? "; what reads these units is nearly equal too: they learn as one for long"
                     : "; these units start as one but for noise");
            continue;
        }
        int never = goes_out_equal(j, node, 0);
        tell(j, finding, node->name, node->layer, never ? SOW_SEVERITY_ERROR : SOW_SEVERITY_WARNING,
             never ? "; what reads these units is equal too, so that they learn as one"
                   : "; these units start as one, and only what reads them tells them apart");
    }
}

void sow_judge_copies(struct sow_judgement *j)
{
    const struct sow_finding *finding;
    for (size_t i = 0; j->checked != NULL && (finding = sow_check_at(j->checked, i)) != NULL; i++) {
        const char *code = finding->code->code;
        const struct sow_node *node =
            finding->tensor_count > 0 ? node_of(j, finding->tensors[0]) : NULL;
        if (strcmp(code, "equal-rows") == 0 || strcmp(code, "equal-columns") == 0 ||
            strcmp(code, "permuted-rows") == 0 || is_near(finding)) {
            judge_units(j, finding);
        } else if (strcmp(code, "identical-layers") == 0 ||
                   (node != NULL &&
                    (strcmp(code, "twins") == 0 || strcmp(code, "permuted-copy") == 0))) {
            tell(j, finding, node != NULL ? node->name : finding->where,
                 node != NULL ? node->layer : -1, SOW_SEVERITY_ERROR, "");
        } else if (node != NULL && strcmp(code, "constant") == 0) {
            tell(j, finding, node->name, node->layer, SOW_SEVERITY_ERROR,
                 ": all units of the layer start as one");
        }
    }
}
