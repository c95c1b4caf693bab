/* SPDX-License-Identifier: MIT */
/* Judging from the inside: one file a kind of rule, each adds verdicts to the judgement. chain.c what happens over the
 * depth, layer.c what happens at one operation, alike.c weights that stand out among their like, fans.c fan_out for fan_in,
 * plain.c growth that no weight is to blame for,
 * outlier.c weights that stand out from what is known to fit, streams.c residual branches without a scale, exact.c and
 * symmetry.c what the plan's constants forbid for ever, loss.c the first loss, measured.c numbers that left float32, copies.c
 * what is twice in a file, cure.c the options that heal. */
#ifndef SOW_SIGNAL_JUDGE_H
#define SOW_SIGNAL_JUDGE_H

#include "core/base/elementary.h"
#include "model/graph/arena.h"
#include "model/signal/predict/predict.h"
#include "sow/judge.h"

enum sow_verdict_id {
#define SOW_VERDICT(id, ...) SOW_VERDICT_##id,
#include "model/signal/judge/verdicts.def"
    SOW_VERDICT_COUNT
};

enum sow_threshold_id {
#define SOW_THRESHOLD(id, ...) SOW_THRESHOLD_##id,
#include "model/signal/judge/verdicts.def"
    SOW_THRESHOLD_COUNT
};

#define SOW_SUGGESTED_MAX 3

struct sow_judgement {
    const struct sow_network *network;
    const struct sow_plan *plan;
    const struct sow_probe *probe;
    const struct sow_measurement *measured;
    const struct sow_check *checked; /* NULL: no file */
    struct sow_model *model;
    const struct sow_plan *own; /* the variant's without --set and rules; NULL: none */
    double *squares; /* E[w^2] of each entry: planned, or in the file and NAN where not read */
    double thresholds[SOW_THRESHOLD_COUNT];
    struct sow_judged {
        struct sow_verdict verdict;
        int rule;
        const char *sets[SOW_SUGGESTED_MAX]; /* "GLOB=scheme", what the rule itself would try */
        size_t set_count;                    /* above the maximum: too many to be tried */
    } * verdicts;
    size_t count, room;
    int critical_known;
    struct sow_function critical_of;
    double critical; /* its critical variance, which takes time to find; 0: it has none */
    struct sow_first_loss loss;
    const char *cure;       /* of all verdicts, where none of theirs is; NULL: there is none */
    struct sow_arena arena; /* of the verdicts' strings, and of squares */
    int out_of_memory;
};

enum sow_rule { /* verdicts of one code and rule are told once, with the number of places */
                SOW_RULE_ONLY,
                SOW_RULE_GRADIENT,
                SOW_RULE_LAYER,
                SOW_RULE_SOFTMAX,
                SOW_RULE_TIME,
                SOW_RULE_FIRST_STEP,
                SOW_RULE_UNREAD,
                SOW_RULE_OUTLIER,
                SOW_RULE_ODD,
                SOW_RULE_FANS,
                SOW_RULE_ONE_NUMBER,
                SOW_RULE_BRANCHES,
                SOW_RULE_STREAM,
                SOW_RULE_PLAIN,
                SOW_RULE_SCHEME,
                SOW_RULE_COPIES,
                SOW_RULE_COPIES_ONE_SIDE,
                SOW_RULE_COPIES_NEAR,
                SOW_RULE_MEASURED,
                SOW_RULE_MEASURED_GRADIENT,
                SOW_RULE_STORED,
};

/* Whether weights were measured that stand in a file: the plan does not tell them. */
static inline int sow_judge_reads_file(const struct sow_judgement *j)
{
    return j->checked != NULL && j->measured != NULL;
}

static inline double sow_judge_log2(double x)
{
    return sow_log(x) * 1.4426950408889634;
}

static inline double sow_judge_exp2(double x)
{
    return sow_exp(x * 0.6931471805599453);
}

/* Adds a verdict, or counts one more place where there is one of this code and rule. Returns it when it is new: its
 * numbers and reason are then to be set. NULL else. */
struct sow_verdict *sow_judge_add(struct sow_judgement *j, enum sow_verdict_id id,
                                  enum sow_rule rule, const char *where, int32_t layer);
void sow_judge_reason(struct sow_judgement *j, struct sow_verdict *verdict, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The cure to try first, of the verdict of this code and rule; one for each kind of tensor at fault. */
void sow_judge_suggest(struct sow_judgement *j, enum sow_verdict_id id, enum sow_rule rule,
                       const char *glob, const char *scheme);
/* The variance that is critical for the activation of the layers that repeat, where it has one. */
void sow_judge_suggest_critical(struct sow_judgement *j, enum sow_verdict_id id,
                                enum sow_rule rule);

void sow_judge_chain(struct sow_judgement *j);
void sow_judge_layers(struct sow_judgement *j);
void sow_judge_copies(struct sow_judgement *j);
void sow_judge_streams(struct sow_judgement *j);
void sow_judge_alike(struct sow_judgement *j);
void sow_judge_plain(struct sow_judgement *j);
void sow_judge_outliers(struct sow_judgement *j);
void sow_judge_exact(struct sow_judgement *j);
/* `stuck`: a byte an entry of the plan, 1 for parameters that never move. */
void sow_judge_symmetry(struct sow_judgement *j, const unsigned char *stuck);
void sow_judge_loss(struct sow_judgement *j);
void sow_judge_measured(struct sow_judgement *j);
/* Expected cross-entropy of `classes` logits that are independent and normal of this std, over labels that know
 * nothing: E[ln sum exp z] (nats, error below 1e-6 relative). */
double sow_expected_loss(double classes, double std);
/* Fills verdict->cure where options heal it. */
void sow_judge_cures(struct sow_judgement *j, struct sow_model *model,
                     const struct sow_signal_options *signal,
                     const struct sow_plan_options *planning);
/* Everything but the cures. */
enum sow_status sow_judge_all(struct sow_judgement *j, struct sow_error *error);

/* "h.3.mlp.c_fc.weight" as "h.*.mlp.c_fc.weight", into the caller's buffer; "conv3.weight" as "conv*.weight" where no part
 * of the name is a number: w1, w2 and w3 of a gated layer are not alike. */
void sow_judge_generalise(const char *name, char *pattern, size_t room);
int sow_is_norm(enum sow_op op);
/* Whether what reads the node's value first is a norm: it takes back any size. */
int sow_is_normed(const struct sow_network *network, const struct sow_node *node);

/* Whether the rule of the weights is in the recipe of a family that sow ships. */
int sow_judge_is_authors(const struct sow_judgement *j, const struct sow_plan_entry *entry);

/* The largest |slope| of the function between -10 and 10. */
double sow_judge_steepest(const struct sow_function *function);

/* The number c when every element of the entry is c at the start; 0 when it has none. */
int sow_constant_of(const struct sow_plan_entry *entry, double *value);

#endif
