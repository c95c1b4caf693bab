/* SPDX-License-Identifier: MIT */
/* libsow-model: what is wrong with how a network starts, where it starts and what cures it. Part of libsow-model, beside
 * sow/signal.h. A pure function of a prediction, a plan and, where one was made, a measurement.
 *
 *     model, plan, probe -> sow_judge -> sow_verdict_at(0), (1), ...; none that is no note: healthy */
#ifndef SOW_JUDGE_H
#define SOW_JUDGE_H

#include "sow/check.h"
#include "sow/measure.h"
#include "sow/signal.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A row of the one list (model/signal/judge/verdicts.def). Codes are stable: scripts may rest on them. */
struct sow_verdict_code {
    const char *code; /* "VANISH" */
    enum sow_severity severity;
    const char *threshold; /* name of the row below; NULL where there is none: found exactly */
    const char *title, *meaning, *cure; /* in words */
};
/* NULL past the end. */
SOW_API const struct sow_verdict_code *sow_verdict_code_at(size_t index);

/* A number that decides. */
struct sow_threshold {
    const char *name; /* "vanish" */
    double value;
    const char *meaning; /* NULL in options */
};
/* With their defaults; NULL past the end. */
SOW_API const struct sow_threshold *sow_threshold_at(size_t index);

struct sow_judge_options {
    const struct sow_threshold *thresholds; /* instead of the defaults */
    size_t threshold_count;
    const struct sow_measurement *measured; /* NULL: none */
    const struct sow_check *checked;        /* the file whose weights were measured; NULL: none */
    /* how the plan was made, which cures are tried with; NULL: by the defaults */
    const struct sow_plan_options *planning;
    int without_cures; /* nonzero: none is tried, which takes most of the time */
};

/* Strings live as long as the judgement. */
struct sow_verdict {
    const struct sow_verdict_code *code;
    enum sow_severity severity; /* the code's, or a note where it heals by itself */
    const char *where;          /* name of the value, or of the tensor, where it starts */
    int32_t layer;              /* -1 outside of repeated layers */
    uint64_t places;            /* values or tensors that it is true of, that one among them */
    int measured;               /* found in measured numbers; 0: predicted, or read off the plan */
    const char *reason;         /* which rule and which numbers; one sentence, no full stop */
    double number, threshold;   /* what was compared; NAN where it is exact */
    /* options in the place of --set, --scheme and, when it is "--variant matched", of all other rules:
     * "--set 'lm_head.weight=lecun_normal'". NULL where none heals it: then the code's words are all there is. One that
     * is given was tried, with it the verdict is gone */
    const char *cure;
    const char *
        leaves; /* codes of what else is wrong and stays so with it, "EXPLODE, DEAD"; NULL: nothing */
};

/* The first loss of a classifier that has not seen a label: cross-entropy over the last value's features. */
struct sow_first_loss {
    uint64_t classes;     /* 0: the network does not end in a layer of at least 2 */
    double logit_std;     /* between the classes of one sample */
    double loss, uniform; /* nats; uniform: ln(classes), what equal logits give */
};

struct sow_judgement; /* opaque, immutable */

/* `plan` and `probe` must be the model's; `signal` as it was for the probe; both options may be NULL. `model` is planned
 * and predicted again for the cures; for a short form give it loaded without a scheme of the user's own. SOW_E_ARGUMENT for a threshold that is none; SOW_E_MEMORY. */
SOW_API enum sow_status sow_judge(struct sow_model *model, const struct sow_plan *plan,
                                  const struct sow_signal_options *signal,
                                  const struct sow_probe *probe,
                                  const struct sow_judge_options *options,
                                  struct sow_judgement **judgement, struct sow_error *error);
SOW_API void sow_judgement_free(struct sow_judgement *judgement);
/* In the order of the list of codes; NULL past the end. */
SOW_API const struct sow_verdict *sow_verdict_at(const struct sow_judgement *judgement,
                                                 size_t index);
/* Whether every verdict is a note. */
SOW_API int sow_judgement_healthy(const struct sow_judgement *judgement);
/* Options like a verdict's cure with which every verdict that is no note is gone. NULL where one verdict's own cure does
 * that, and where nothing was found that does. */
SOW_API const char *sow_judgement_cure(const struct sow_judgement *judgement);
SOW_API const struct sow_first_loss *sow_first_loss(const struct sow_judgement *judgement);

#ifdef __cplusplus
}
#endif
#endif
