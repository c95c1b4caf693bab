/* SPDX-License-Identifier: MIT */
/* fan_out where fan_in was meant (EXPLODE): layers of several shapes of which fan_out E[w^2] is one number and fan_in
 * E[w^2] is none. Gradients keep their size then; signals do not, and where widths alternate they come back to it, so that
 * no rule about the depth sees it. He et al. 2015 call both right for relus, which pass on any size: a note, and a warning
 * where single layers are far off both ways. Not here: one layer of another law than its like (alike.c). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/elementary.h"
#include "model/signal/judge/alike.h"

#define LEAST      3 /* layers */
#define RATIO_NOTE 2

struct fans {
    size_t count;
    double number;                /* fan_out E[w^2] */
    double most, least;           /* of fan_in / fan_out, the output's aside */
    double out_least, out_most;   /* of fan_out */
    const struct sow_like *worst; /* of the largest fan_in / fan_out, or its inverse */
    int passes_any_size;          /* what reads them are relus and the like */
};

static double by_out(const struct sow_like *like)
{
    return like->square * like->entry->fan_out;
}

static int is_looked_at(const struct sow_like *like)
{
    return !like->is_normed && like->node->at.groups <= 1 && !like->is_authors;
}

/* Whether the layer's reader makes c times as much of c times the input, c > 0. */
static int passes_size(const struct sow_like *like)
{
    const struct sow_node *reader = like->reader;
    if (reader == NULL || reader->op != SOW_OP_ACTIVATION) {
        return 1;
    }
    double high = sow_function_value(&reader->at.function, 8, NULL),
           low = sow_function_value(&reader->at.function, 1, NULL);
    return fabs(high - 8 * low) < 1e-6 * fabs(high);
}

/* Adds the layer to those of its law. */
static void add(struct fans *fans, const struct sow_like *like)
{
    double ratio = like->entry->fan_in / like->entry->fan_out, out = like->entry->fan_out;
    fans->count++;
    fans->out_least = out < fans->out_least ? out : fans->out_least;
    fans->out_most = out > fans->out_most ? out : fans->out_most;
    if (like->is_output) {
        return;
    }
    double worst = fans->worst != NULL
                       ? fabs(sow_log(fans->worst->entry->fan_in / fans->worst->entry->fan_out))
                       : 0;
    fans->worst = fabs(sow_log(ratio)) > 1.001 * worst ? like : fans->worst;
    fans->most = ratio > fans->most ? ratio : fans->most;
    fans->least = ratio < fans->least ? ratio : fans->least;
    fans->passes_any_size = fans->passes_any_size && passes_size(like);
}

/* All layers of the law that likes[first] follows, when none of them stands before it. */
static struct fans find(const struct sow_judgement *j, const struct sow_like *likes, size_t count,
                        size_t first)
{
    struct fans fans = {.number = by_out(&likes[first]),
                        .most = 1,
                        .least = 1,
                        .out_least = INFINITY,
                        .passes_any_size = 1};
    double tolerance = 0.5 * sow_likes_tolerance(j, &likes[first]);
    for (size_t i = 0; i < count; i++) {
        double ratio = by_out(&likes[i]) / fans.number;
        if (!is_looked_at(&likes[i]) || ratio > 1 + tolerance || ratio < 1 / (1 + tolerance)) {
            continue;
        }
        if (i < first) {
            fans.count = 0;
            return fans;
        }
        add(&fans, &likes[i]);
    }
    return fans;
}

/* Whether the law is no chance: drawn numbers meet it to rounding, those of a file only nearly, so that most layers must. */
static int is_law(const struct sow_judgement *j, const struct sow_like *likes, size_t count,
                  const struct fans *fans)
{
    size_t looked_at = 0;
    if (fans->count < LEAST) { /* first: most layers belong to a law that was found before */
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        looked_at += (size_t)is_looked_at(&likes[i]);
    }
    double worst = fans->most > 1 / fans->least ? fans->most : 1 / fans->least;
    int in_file = sow_judge_reads_file(j);
    return fans->out_most > 1.5 * fans->out_least &&
           worst > (in_file ? 2 * RATIO_NOTE : RATIO_NOTE) &&
           (!in_file || 4 * fans->count >= 3 * looked_at);
}

static void suggest(struct sow_judgement *j, const struct sow_like *likes, size_t count,
                    const struct fans *fans)
{
    char scheme[80] = "he_normal";
    if (fabs(fans->number - 1) < 1e-3) {
        (void)snprintf(scheme, sizeof scheme, "lecun_normal");
    } else if (fabs(fans->number - 2) >= 1e-3) {
        (void)snprintf(scheme, sizeof scheme, "normal{std=sqrt(%.6g/fan_in)}", fans->number);
    }
    for (size_t i = 0; i < count; i++) {
        if (is_looked_at(&likes[i]) && fabs(by_out(&likes[i]) / fans->number - 1) < 1e-3) {
            sow_judge_suggest(j, SOW_VERDICT_EXPLODE, SOW_RULE_FANS, likes[i].pattern, scheme);
        }
    }
}

static void tell(struct sow_judgement *j, const struct fans *fans)
{
    const struct sow_like *at = fans->worst;
    double down = 1 / fans->least, least = down < fans->most ? down : fans->most;
    double threshold = j->thresholds[SOW_THRESHOLD_FANS] * (fans->passes_any_size ? 1 : 0.5);
    struct sow_verdict *verdict =
        sow_judge_add(j, SOW_VERDICT_EXPLODE, SOW_RULE_FANS, at->node->name, at->node->layer);
    if (verdict == NULL) {
        return;
    }
    verdict->severity = least > threshold ? SOW_SEVERITY_WARNING : SOW_SEVERITY_NOTE;
    verdict->measured = sow_judge_reads_file(j);
    verdict->number = fans->most > down ? fans->most : down;
    verdict->threshold = threshold;
    sow_judge_reason(
        j, verdict,
        "the weights of %zu layers follow fan_out where fan_in keeps the size of signals: fan_out "
        "E[w^2] is %.4g in all of them, fan_in E[w^2] is %.4g at %.200s and reaches from %.3g to "
        "%.3g. Gradients keep their size so; signals change it from layer to layer (threshold: "
        "%g times up and down)",
        fans->count, fans->number, at->square * at->entry->fan_in, at->node->name,
        fans->number * fans->least, fans->number * fans->most, threshold);
}

void sow_judge_fans(struct sow_judgement *j, const struct sow_like *likes, size_t count)
{
    for (size_t i = 0; i + LEAST <= count; i++) {
        if (!is_looked_at(&likes[i])) {
            continue;
        }
        struct fans fans = find(j, likes, count, i);
        if (is_law(j, likes, count, &fans)) {
            tell(j, &fans);
            suggest(j, likes, count, &fans);
            return;
        }
    }
}
