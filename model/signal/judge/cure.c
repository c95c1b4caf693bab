/* SPDX-License-Identifier: MIT */
/* Cures: options that, in the place of the user's own rules, make a verdict go away. Each is tried: the model is planned
 * with it, predicted and judged again. They are taken from the variant matched: for the tensors that are at fault, and for
 * all. Where none heals (a sigmoid stays one), there is none. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/graph/model.h"
#include "model/match/match.h"
#include "model/signal/judge/judge.h"
#include "model/signal/network/recurrent.h"

#define SETS_MAX     12
#define OUTCOMES_MAX 16

struct trial {
    const char *sets[SETS_MAX];
    size_t count;
    size_t own;  /* of them; behind them those of the user's that are kept */
    int matched; /* --variant matched */
};

struct cures {
    struct sow_judgement *j;
    struct sow_model *model;
    const struct sow_signal_options *signal;
    const struct sow_plan_options *planning;
    const char **matched;  /* the scheme that fits, one an entry of the plan; NULL: none is known */
    const char **patterns; /* their names, generalised */
    struct outcome {       /* of trials: verdicts often have the same */
        struct trial trial;
        /* a bit for each rule that still finds the code, and finds it more than a note; all, where there is no plan */
        uint32_t left[SOW_VERDICT_COUNT], severe[SOW_VERDICT_COUNT];
    } outcomes[OUTCOMES_MAX];
    size_t outcome_count;
    uint32_t notes[SOW_VERDICT_COUNT];        /* a bit for each rule that tells a note now */
    unsigned char is_told[SOW_VERDICT_COUNT]; /* as more than a note */
    struct sow_arena arena;
};

/* ---- Making ------------------------------------------------------------------------------------ */

static int add_text(struct cures *c, struct trial *trial, size_t at, const char *glob,
                    const char *scheme)
{
    char text[1200];
    if (trial->count == SETS_MAX) {
        return 0;
    }
    (void)snprintf(text, sizeof text, "%s=%s", glob, scheme);
    char *copy = sow_arena_copy(&c->arena, text, strlen(text));
    memmove(trial->sets + at + 1, trial->sets + at, (trial->count - at) * sizeof *trial->sets);
    trial->sets[at] = copy;
    trial->count++;
    return copy != NULL;
}

/* What most entries of the pattern of entry `of` should have. */
static const char *most_of(const struct cures *c, size_t of)
{
    size_t entries = sow_plan_count(c->j->plan), votes = 0;
    const char *most =
        NULL; /* by majority vote: one pass, and right where one has more than half */
    for (size_t i = 0; i < entries; i++) {
        if (c->matched[i] == NULL || strcmp(c->patterns[i], c->patterns[of]) != 0) {
            continue;
        }
        most = votes == 0 ? c->matched[i] : most;
        votes += strcmp(most, c->matched[i]) == 0 ? 1 : (size_t)-1;
    }
    return most;
}

/* Adds "pattern=scheme" at the end, and "name=scheme" at the front where most of the pattern have another. */
static int add_set(struct cures *c, struct trial *trial, size_t entry)
{
    const char *pattern = c->patterns[entry], *standing = NULL;
    size_t length = strlen(pattern);
    for (size_t i = 0; i < trial->count; i++) {
        if (strncmp(trial->sets[i], pattern, length) == 0 && trial->sets[i][length] == '=') {
            standing = trial->sets[i] + length + 1;
        }
    }
    if (standing == NULL) {
        standing = most_of(c, entry);
        if (!add_text(c, trial, trial->count, pattern, standing)) {
            return 0;
        }
    }
    return strcmp(standing, c->matched[entry]) == 0 ||
           add_text(c, trial, 0, sow_plan_at(c->j->plan, entry)->name, c->matched[entry]);
}

/* Of the entries that are at fault and differ from the matched ones. */
static int make_sets(struct cures *c, const unsigned char *at_fault, struct trial *trial)
{
    for (size_t i = 0; i < sow_plan_count(c->j->plan); i++) {
        const struct sow_plan_entry *now = sow_plan_at(c->j->plan, i);
        if (!at_fault[i] || c->matched[i] == NULL || now->tensor.kind == SOW_KIND_BUFFER ||
            strcmp(now->scheme_text, c->matched[i]) == 0) {
            continue;
        }
        if (!add_set(c, trial, i)) {
            return 0;
        }
    }
    return trial->count > 0;
}

static const char *scheme_of(struct cures *c, const struct sow_matched *matched)
{
    char text[512];
    size_t length = (size_t)snprintf(text, sizeof text, "%s", matched->scheme);
    for (size_t i = 0; i < matched->argument_count && length < sizeof text; i++) {
        const struct sow_argument *at = &matched->arguments[i];
        length += (size_t)snprintf(text + length, sizeof text - length,
                                   i > 0 ? ", %s=" : "{%s=", at->name);
        if (length < sizeof text) {
            length +=
                at->text != NULL
                    ? (size_t)snprintf(text + length, sizeof text - length, "\"%s\"", at->text)
                    : (size_t)snprintf(text + length, sizeof text - length, "%.9g", at->number);
        }
    }
    if (matched->argument_count > 0 && length + 1 < sizeof text) {
        text[length++] = '}';
    }
    return length < sizeof text ? sow_arena_copy(&c->arena, text, length) : NULL;
}

/* What the variant matched has for each entry, whatever rules stand before it. */
static int find_matched(struct cures *c)
{
    const struct sow_graph *graph = sow_model_graph(c->model);
    struct sow_matching *matching = NULL;
    size_t entries = sow_plan_count(c->j->plan);
    c->matched = sow_arena_take(&c->arena, (entries + 1) * sizeof *c->matched);
    c->patterns = sow_arena_take(&c->arena, (entries + 1) * sizeof *c->patterns);
    if (c->matched == NULL || c->patterns == NULL || entries != graph->parameter_count ||
        sow_matching_make(graph, &matching, NULL) != SOW_OK) {
        return 0;
    }
    for (size_t i = 0; i < entries; i++) {
        struct sow_matched matched;
        char pattern[600];
        sow_judge_generalise(sow_plan_at(c->j->plan, i)->name, pattern, sizeof pattern);
        c->patterns[i] = sow_arena_copy(&c->arena, pattern, strlen(pattern));
        if (c->patterns[i] != NULL && sow_matching_at(matching, i, &matched, NULL) == SOW_OK) {
            c->matched[i] = scheme_of(c, &matched);
        }
    }
    sow_matching_free(matching);
    return 1;
}

/* ---- Trying ------------------------------------------------------------------------------------- */

/* The trial's sets and, behind them, those of the user that still claim a tensor: a rule without one is an error.
 * Returns 0 when there are too many. */
static int keep_sets(struct cures *c, struct trial *trial)
{
    trial->own = trial->count;
    for (size_t i = 0; i < c->planning->set_count && !trial->matched; i++) {
        struct sow_plan_options planning = *c->planning;
        struct sow_plan *plan = NULL;
        if (trial->count == SETS_MAX) {
            return 0;
        }
        trial->sets[trial->count] = c->planning->sets[i];
        planning.sets = trial->sets;
        planning.set_count = trial->count + 1;
        if (sow_plan_make(c->model, &planning, &plan, NULL) == SOW_OK) {
            trial->count++;
        }
        sow_plan_free(plan);
    }
    return 1;
}

static int same_trial(const struct trial *a, const struct trial *b)
{
    int same = a->matched == b->matched && (a->matched || a->count == b->count);
    for (size_t i = 0; i < a->count && same && !a->matched; i++) {
        same = strcmp(a->sets[i], b->sets[i]) == 0;
    }
    return same;
}

static void try_out(struct cures *c, const struct trial *trial, struct outcome *outcome)
{
    struct sow_plan_options planning = *c->planning;
    struct sow_plan *plan = NULL;
    struct sow_probe *probe = NULL;
    struct sow_judgement again = {0};
    int judged = 0;
    if (trial->matched) {
        planning = (struct sow_plan_options){.seed = planning.seed, .variant = SOW_MATCHED};
    } else {
        planning.sets = trial->sets;
        planning.set_count = trial->count;
    }
    memcpy(again.thresholds, c->j->thresholds, sizeof again.thresholds);
    if (sow_plan_make(c->model, &planning, &plan, NULL) == SOW_OK &&
        sow_probe_predict(c->model, plan, c->signal, &probe, NULL) == SOW_OK) {
        again.network = sow_probe_network(probe);
        again.model = c->model;
        again.own = c->j->own;
        again.plan = plan;
        again.probe = probe;
        again.critical_known = c->j->critical_known;
        again.critical_of = c->j->critical_of;
        again.critical = c->j->critical;
        judged = sow_judge_all(&again, NULL) == SOW_OK;
    }
    outcome->trial = *trial;
    for (size_t i = 0; i < SOW_VERDICT_COUNT; i++) {
        outcome->left[i] = outcome->severe[i] = judged ? 0 : UINT32_MAX;
    }
    for (size_t i = 0; i < again.count; i++) {
        ptrdiff_t code = again.verdicts[i].verdict.code - sow_verdict_code_at(0);
        uint32_t bit = 1u << again.verdicts[i].rule;
        outcome->left[code] |= bit;
        outcome->severe[code] |= again.verdicts[i].verdict.severity == SOW_SEVERITY_NOTE ? 0 : bit;
    }
    free(again.verdicts);
    sow_arena_free(&again.arena);
    sow_probe_free(probe);
    sow_plan_free(plan);
}

static const struct outcome *outcome_of(struct cures *c, const struct trial *trial)
{
    size_t i = 0;
    while (i < c->outcome_count && !same_trial(&c->outcomes[i].trial, trial)) {
        i++;
    }
    if (i == c->outcome_count) {
        i = i < OUTCOMES_MAX ? c->outcome_count++ : OUTCOMES_MAX - 1;
        try_out(c, trial, &c->outcomes[i]);
    }
    return &c->outcomes[i];
}

/* A note goes when its rule is silent, what is more when no rule tells its code but for the notes that are told now. */
static int heals(struct cures *c, const struct trial *trial, const struct sow_judged *judged)
{
    const struct outcome *outcome = outcome_of(c, trial);
    ptrdiff_t code = judged->verdict.code - sow_verdict_code_at(0);
    uint32_t own = 1u << judged->rule, left = outcome->left[code];
    return judged->verdict.severity == SOW_SEVERITY_NOTE
               ? !(left & own)
               : !outcome->severe[code] && !(left & (own | ~c->notes[code]));
}

static int heals_all(struct cures *c, const struct trial *trial)
{
    const struct outcome *outcome = outcome_of(c, trial);
    uint32_t severe = 0;
    for (size_t i = 0; i < SOW_VERDICT_COUNT; i++) {
        severe |= outcome->severe[i];
    }
    return severe == 0;
}

/* The codes that are no notes and still told with it, "EXPLODE, DEAD"; NULL for none. */
static const char *left_by(struct cures *c, const struct trial *trial)
{
    const struct outcome *outcome = outcome_of(c, trial);
    char text[300] = "";
    size_t length = 0;
    for (size_t i = 0; i < SOW_VERDICT_COUNT && length < sizeof text; i++) {
        if (outcome->severe[i] != 0) {
            length += (size_t)snprintf(text + length, sizeof text - length, "%s%s",
                                       length > 0 ? ", " : "", sow_verdict_code_at(i)->code);
        }
    }
    return length > 0 && length < sizeof text ? sow_arena_copy(&c->j->arena, text, length) : NULL;
}

static const char *text_of(struct cures *c, const struct trial *trial)
{
    char text[4096];
    size_t length = 0;
    if (trial->matched) {
        return sow_arena_copy(&c->j->arena, "--variant matched", 17);
    }
    for (size_t i = 0; i < trial->count && length < sizeof text; i++) {
        length += (size_t)snprintf(text + length, sizeof text - length, "%s--set '%s'",
                                   i > 0 ? " " : "", trial->sets[i]);
    }
    return length < sizeof text ? sow_arena_copy(&c->j->arena, text, length) : NULL;
}

/* ---- Choosing ------------------------------------------------------------------------------------- */

/* The tensors at fault: weights that are too large, constants where there should be none. */
static void find_fault(const struct cures *c, const struct sow_verdict *verdict,
                       unsigned char *at_fault)
{
    const struct sow_network *network = c->j->network;
    const char *code = verdict->code->code;
    int constants = strcmp(code, "SYMMETRIC") == 0 || strcmp(code, "ZERO-GRAD") == 0;
    int sizes = strcmp(code, "EXPLODE") == 0 || strcmp(code, "SATURATED") == 0;
    int biases = strcmp(code, "DEAD") == 0;
    for (size_t i = 0; i < network->node_count; i++) {
        const struct sow_node *node = &network->nodes[i];
        int is_weights =
            node->op == SOW_OP_LINEAR || node->op == SOW_OP_CONV || node->op == SOW_OP_EMBEDDING;
        for (uint32_t k = 0; k < node->parameter_count; k++) {
            const struct sow_plan_entry *entry = sow_plan_at(c->j->plan, node->parameters[k]);
            double value, square = sow_weights_of(entry, 0, 0).square;
            int weighs = (is_weights && k == 0) ||
                         (sow_is_recurrent_op(node->op) && entry->tensor.kind == SOW_KIND_LINEAR);
            int fault = constants ? weighs && sow_constant_of(entry, &value)
                        : sizes   ? weighs && node->op != SOW_OP_EMBEDDING &&
                                      square * entry->fan_in > c->j->thresholds[SOW_THRESHOLD_LAYER]
                                : biases && is_weights && k == 1 && square > 0;
            at_fault[node->parameters[k]] |= (unsigned char)fault;
        }
    }
}

static int has_suggestion(const struct sow_judged *judged)
{
    return judged->set_count > 0 && judged->set_count <= SOW_SUGGESTED_MAX;
}

/* Whether it makes wrong what is not so now: a cure to take only where there is no other. */
static int harms(struct cures *c, const struct trial *trial)
{
    const struct outcome *outcome = outcome_of(c, trial);
    int harm = 0;
    for (size_t i = 0; i < SOW_VERDICT_COUNT; i++) {
        harm |= !c->is_told[i] && outcome->severe[i] != 0;
    }
    return harm;
}

/* Into `chosen` the one that heals; its count is 0 and it is not the variant matched where none does. Returns whether it is
 * what the rule suggested. */
static int find_cure(struct cures *c, const struct sow_judged *judged, unsigned char *at_fault,
                     struct trial *chosen)
{
    struct trial own = {.count = 0}, matched = {.matched = 1};
    struct trial suggested = {.count = judged->set_count};
    int has_suggested = has_suggestion(judged);
    if (has_suggested) {
        memcpy(suggested.sets, judged->sets, sizeof judged->sets);
        has_suggested = keep_sets(c, &suggested) && heals(c, &suggested, judged);
        if (has_suggested && !harms(c, &suggested)) {
            *chosen = suggested;
            return 1;
        }
    }
    memset(at_fault, 0, sow_plan_count(c->j->plan));
    find_fault(c, &judged->verdict, at_fault);
    int has_own = make_sets(c, at_fault, &own);
    int few = own.count <= 2;
    has_own = has_own && keep_sets(c, &own);
    const struct trial *trials[2] = {has_own && few ? &own : &matched,
                                     has_own && few ? &matched : &own};
    int count = has_own ? 2 : 1;
    for (int i = 0; i < 2 * count && !(has_suggested && i == count); i++) {
        if (heals(c, trials[i % count], judged) && (i >= count || !harms(c, trials[i % count]))) {
            *chosen = *trials[i % count];
            return 0;
        }
    }
    if (has_suggested) {
        *chosen = suggested;
    }
    return has_suggested;
}

/* Whether the glob of the set is in the trial already. */
static int claims(const struct trial *trial, const char *set)
{
    size_t length = (size_t)(strchr(set, '=') - set) + 1;
    for (size_t i = 0; i < trial->count; i++) {
        if (strncmp(trial->sets[i], set, length) == 0) {
            return 1;
        }
    }
    return 0;
}

/* The sets of all cures in one: names stand before patterns, since the first rule that claims a tensor wins. */
static int unite(const struct trial *chosen, size_t count, struct trial *all)
{
    for (int patterns = 0; patterns < 2; patterns++) {
        for (size_t i = 0; i < count; i++) {
            for (size_t k = 0; k < chosen[i].own; k++) {
                const char *set = chosen[i].sets[k];
                size_t glob = strcspn(set, "=");
                int is_pattern = strcspn(set, "*?[{") < glob;
                if (is_pattern != patterns || claims(all, set)) {
                    continue;
                }
                if (all->count == SETS_MAX) {
                    return 0;
                }
                all->sets[all->count++] = set;
            }
        }
    }
    return all->count > 0;
}

/* Whether a verdict is told with a cure of its own: notes of taste are not, and weights heal neither what is wrong in a
 * file nor growth that is not theirs. */
static int is_cured(const struct sow_judgement *j, const struct sow_judged *judged)
{
    int is_note = judged->verdict.severity == SOW_SEVERITY_NOTE, rule = judged->rule;
    return !(j->checked != NULL && judged->verdict.measured) && rule != SOW_RULE_PLAIN &&
           (!is_note || rule == SOW_RULE_STREAM || rule == SOW_RULE_ODD || rule == SOW_RULE_FANS);
}

/* The cure of all, where one verdict's leaves another: the cures in one, and else the variant matched. A verdict that its
 * rule's own suggestion does not heal alone is told with it too. */
static void find_cure_of_all(struct cures *c, const struct trial *raw, const unsigned char *is_own)
{
    struct sow_judgement *j = c->j;
    struct trial all = {.count = 0}, matched = {.matched = 1};
    int is_left = 0,
        heals_it = unite(raw, j->count, &all) && keep_sets(c, &all) && heals_all(c, &all);
    const char *text = heals_it ? text_of(c, &all) : NULL;
    for (size_t i = 0; i < j->count; i++) {
        struct sow_verdict *verdict = &j->verdicts[i].verdict;
        int is_note = verdict->severity == SOW_SEVERITY_NOTE;
        if (text != NULL && !is_note && !is_own[i] && has_suggestion(&j->verdicts[i])) {
            verdict->cure = text;
            verdict->leaves = NULL;
        }
        is_left |= !is_note && (verdict->cure == NULL || verdict->leaves != NULL);
        if (!is_note && !is_cured(j, &j->verdicts[i])) {
            return; /* in a file */
        }
    }
    if (is_left) {
        j->cure = text != NULL ? text : heals_all(c, &matched) ? text_of(c, &matched) : NULL;
    }
}

static void find_cures(struct cures *c, unsigned char *at_fault, struct trial *raw,
                       unsigned char *is_own)
{
    struct sow_judgement *j = c->j;
    size_t told = 0;
    for (size_t i = 0; i < j->count; i++) {
        struct sow_verdict *verdict = &j->verdicts[i].verdict;
        int is_note = verdict->severity == SOW_SEVERITY_NOTE;
        struct trial chosen = {.count = 0};
        if (!is_cured(j, &j->verdicts[i])) {
            continue;
        }
        is_own[i] = (unsigned char)find_cure(c, &j->verdicts[i], at_fault, &chosen);
        if (chosen.count > 0 || chosen.matched) {
            verdict->cure = text_of(c, &chosen);
            verdict->leaves = left_by(c, &chosen);
        }
        raw[i] = chosen;
        if (!is_own[i] && has_suggestion(&j->verdicts[i])) {
            memcpy(raw[i].sets, j->verdicts[i].sets, sizeof j->verdicts[i].sets);
            raw[i].own = j->verdicts[i].set_count;
        }
        raw[i].own = is_note ? 0 : raw[i].own; /* a matter of taste */
        told += !is_note;
    }
    if (told > 1) {
        find_cure_of_all(c, raw, is_own);
    }
}

void sow_judge_cures(struct sow_judgement *j, struct sow_model *model,
                     const struct sow_signal_options *signal,
                     const struct sow_plan_options *planning)
{
    static const struct sow_plan_options defaults = {.seed = 0};
    struct cures c = {.j = j, .model = model, .signal = signal};
    c.planning = planning != NULL ? planning : &defaults;
    size_t entries = sow_plan_count(j->plan);
    unsigned char *at_fault = calloc(entries + 1, 1);
    struct trial *raw = calloc(j->count + 1, sizeof *raw); /* what cures are united from */
    unsigned char *is_own = calloc(j->count + 1, 1);
    j->out_of_memory |= at_fault == NULL || raw == NULL || is_own == NULL;
    for (size_t i = 0; i < j->count; i++) {
        ptrdiff_t code = j->verdicts[i].verdict.code - sow_verdict_code_at(0);
        int is_note = j->verdicts[i].verdict.severity == SOW_SEVERITY_NOTE;
        c.notes[code] |= is_note ? 1u << j->verdicts[i].rule : 0;
        c.is_told[code] |= (unsigned char)!is_note;
    }
    if (!j->out_of_memory && find_matched(&c)) { /* else told without */
        find_cures(&c, at_fault, raw, is_own);
    }
    sow_arena_free(&c.arena);
    free(at_fault);
    free(raw);
    free(is_own);
}
