/* SPDX-License-Identifier: MIT */
/* Which other scheme fits: the formulas and other mistakes, each tried as a law on the sample. Of those that pass, the
 * first that fits well is told; a better one further down wins only where the earlier fits badly. */
#include "model/check/formulas.h"
#include "model/check/run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/elementary.h"

#define FITS_WELL_LOG (-6.9) /* ln(0.001) */
#define WORDS_MAX     320

struct fit {
    struct sow_check_run *run;
    const struct sow_sample *sample;
    const struct sow_plan_entry *entry;
    struct sow_fit of;
    double best; /* ln of the chance, of the best so far */
    char words[WORDS_MAX];
    int is_in_layer;
    int is_residual; /* the best is a depth scaling that is missing or not wanted */
};

/* ---- Trying ---------------------------------------------------------------------------------------- */

static void try_law(struct fit *fit, const struct sow_law *law, const char *words, int is_residual)
{
    if (fit->best >= FITS_WELL_LOG || sow_tests_quick(fit->sample, law) < SOW_TEST_ALPHA_LOG) {
        return;
    }
    struct sow_verdict verdict = sow_tests_run(fit->sample, law);
    double chance = sow_verdict_worst(&verdict);
    if (chance >= SOW_TEST_ALPHA_LOG && !verdict.outside && chance > fit->best) {
        fit->best = chance;
        fit->is_residual = is_residual;
        snprintf(fit->words, sizeof fit->words, "%s", words);
    }
}

/* Far from the sample's std by any measure: most of what is tried, and not worth a law. */
static int is_far(const struct fit *fit, const struct sow_draw *draw)
{
    double mean, std, reach = 0.1 + 10 / sow_sqrt((double)fit->sample->row->finite);
    sow_draw_moments(draw, &mean, &std);
    double ratio = fit->sample->row->std / std;
    return !(ratio < 1 + reach && ratio * (1 + reach) > 1);
}

static void try_draw(struct fit *fit, const struct sow_draw *draw, const char *words,
                     int is_residual)
{
    if (!is_far(fit, draw)) {
        struct sow_law law = sow_law_of(draw);
        try_law(fit, &law, words, is_residual);
    }
}

enum form { NORMAL, UNIFORM, CUT_2, CUT_2_LOST, CUT_3_LOST, FORMS };

/* A draw of this std and form about 0; nonzero when there is none. */
static int draw_of(enum form form, double std, struct sow_draw *draw)
{
    double parent = form == CUT_2 ? std / SOW_CORRECTION_2 : std;
    double bound = form == CUT_3_LOST ? 3 * parent : 2 * parent;
    if (!(std > 0) || !isfinite(std)) {
        return -1;
    }
    if (form == NORMAL) {
        return sow_draw_normal(0, std, draw, NULL) != SOW_OK;
    }
    if (form == UNIFORM) {
        return sow_draw_uniform(-SOW_SQRT3 * std, SOW_SQRT3 * std, draw, NULL) != SOW_OK;
    }
    return sow_draw_trunc_normal(0, parent, -bound, bound, draw, NULL) != SOW_OK;
}

static const char *const form_words[FORMS] = {
    "normal", "uniform", "truncated normal of that std, cut at 2 sigma",
    "normal truncated at 2 sigma, its std before the cut",
    "normal truncated at 3 sigma, its std before the cut"};

/* The same law about a scale of its own: all parts stretched by `factor`. */
static void try_scaled(struct fit *fit, double factor, const char *words, int is_residual)
{
    struct sow_law law;
    if (!sow_law_make(fit->entry, &law) || !(factor > 0) || !isfinite(factor)) {
        return;
    }
    for (size_t i = 0; i < law.count; i++) {
        struct sow_draw *draw = &law.parts[i].draw;
        if (draw->distribution != SOW_CONSTANT) {
            draw->mean *= factor;
            draw->std *= factor;
            draw->low *= factor;
            draw->high *= factor;
        }
    }
    try_law(fit, &law, words, is_residual);
}

/* ---- Families of mistakes --------------------------------------------------------------------------- */

/* The expected law in another form: what is cut, what is not. */
static void try_forms(struct fit *fit)
{
    const struct sow_draw *expected = &fit->entry->draw;
    struct sow_draw draw;
    char words[WORDS_MAX];
    if (expected->distribution == SOW_TRUNC_NORMAL &&
        sow_draw_normal(expected->mean, expected->std, &draw, NULL) == SOW_OK) {
        snprintf(words, sizeof words,
                 "plain normal of std %.4g; the truncation at %.3g sigma is missing (were its "
                 "bounds taken as absolute?)",
                 expected->std, (expected->high - expected->mean) / expected->std);
        try_draw(fit, &draw, words, 0);
        if (sow_draw_normal(expected->mean, fit->of.std, &draw, NULL) == SOW_OK) {
            snprintf(words, sizeof words, "plain normal of std %.4g; the truncation is missing",
                     fit->of.std);
            try_draw(fit, &draw, words, 0);
        }
    }
    if (expected->distribution == SOW_UNIFORM &&
        sow_draw_uniform(0, expected->high, &draw, NULL) == SOW_OK) {
        snprintf(words, sizeof words,
                 "uniform on [0, %.4g), one-sided as JAX's word uniform has it", expected->high);
        try_draw(fit, &draw, words, 0);
    }
    for (int form = NORMAL; form < FORMS; form++) {
        double std = expected->distribution == SOW_TRUNC_NORMAL && form >= CUT_2_LOST
                         ? expected->std
                         : fit->of.std;
        if (draw_of((enum form)form, std, &draw) == 0) {
            snprintf(words, sizeof words, "%s, std %.4g", form_words[form], std);
            try_draw(fit, &draw, words, 0);
        }
    }
}

/* The authors' and libraries' own; with `matched` that one alone, which fits much and is seldom meant. */
static void try_variants(struct fit *fit, int matched)
{
    char words[WORDS_MAX];
    for (size_t i = 0; i < fit->run->other_count; i++) {
        const struct sow_plan_entry *entry =
            sow_plan_find(fit->run->others[i], fit->entry->name, NULL);
        struct sow_law law;
        if ((strcmp(fit->run->other_names[i], "matched") == 0) != matched) {
            continue;
        }
        if (entry != NULL && sow_law_make(entry, &law) && !sow_law_is_constant(&law)) {
            snprintf(words, sizeof words, "what variant %.60s draws: %.160s (--variant %.60s)",
                     fit->run->other_names[i], entry->scheme_text, fit->run->other_names[i]);
            try_law(fit, &law, words, 0);
        }
    }
}

static void try_depth(struct fit *fit)
{
    char words[WORDS_MAX];
    double layers = fit->run->layers;
    if (layers < 2 || !fit->is_in_layer) {
        return;
    }
    double both = sow_sqrt(2 * layers), one = sow_sqrt(layers);
    snprintf(words, sizeof words, "the residual scaling 1/sqrt(2*%.0f) is missing", layers);
    try_scaled(fit, both, words, 1);
    snprintf(words, sizeof words, "the residual scaling 1/sqrt(%.0f) is missing", layers);
    try_scaled(fit, one, words, 2);
    snprintf(words, sizeof words, "scaled by 1/sqrt(2*%.0f) as a residual output is", layers);
    try_scaled(fit, 1 / both, words, 0);
    snprintf(words, sizeof words, "scaled by 1/sqrt(%.0f), the depth", layers);
    try_scaled(fit, 1 / one, words, 0);
}

/* torch counts the outputs of all groups in fan_out; MLX counted the inputs of all in fan_in. */
static void try_groups(struct fit *fit)
{
    char words[WORDS_MAX];
    uint64_t groups = fit->entry->tensor.groups;
    if (groups < 2) {
        return;
    }
    snprintf(words, sizeof words,
             "a fan (fan_in or fan_out) of all %llu groups, where that of one group is meant: "
             "1/sqrt(%llu)",
             (unsigned long long)groups, (unsigned long long)groups);
    try_scaled(fit, 1 / sow_sqrt((double)groups), words, 0);
    snprintf(words, sizeof words,
             "a fan (fan_in or fan_out) of one group, where that of all %llu is meant: sqrt(%llu)",
             (unsigned long long)groups, (unsigned long long)groups);
    try_scaled(fit, sow_sqrt((double)groups), words, 0);
}

static void try_formulas(struct fit *fit)
{
    char words[WORDS_MAX];
    const struct sow_formula *formula;
    for (size_t i = 0; (formula = sow_formula_at(i)) != NULL; i++) {
        double std = formula->std(&fit->of);
        for (int form = NORMAL; form < FORMS; form++) {
            struct sow_draw draw;
            int is_own = formula->is_bound && form == UNIFORM;
            if ((formula->is_bound && form != UNIFORM) ||
                draw_of((enum form)form, std, &draw) != 0) {
                continue;
            }
            snprintf(words, sizeof words, is_own ? "%s (std %.4g)" : "%s (std %.4g), %s",
                     formula->words, std, form_words[form]);
            try_draw(fit, &draw, words, 0);
        }
    }
}

/* Fans of a shard instead of the whole tensor's. */
static void try_shards(struct fit *fit)
{
    char words[WORDS_MAX];
    for (int parts = 2; parts <= 16; parts *= 2) {
        snprintf(words, sizeof words,
                 "the fans of 1/%d of the tensor, as of one shard; the whole tensor's were meant",
                 parts);
        try_scaled(fit, sow_sqrt(parts), words, 0);
        double out = sow_glorot_std(fit->of.fan_in, fit->of.fan_out / parts),
               in = sow_glorot_std(fit->of.fan_in / parts, fit->of.fan_out);
        snprintf(words, sizeof words, "Glorot with one fan divided by %d, as of one shard", parts);
        try_scaled(fit, out / sow_glorot_std(fit->of.fan_in, fit->of.fan_out), words, 0);
        try_scaled(fit, in / sow_glorot_std(fit->of.fan_in, fit->of.fan_out), words, 0);
    }
}

/* The fan of another size: of a shard, or of another axis of the model. The law must go as 1/sqrt(fan). */
static void try_fans(struct fit *fit)
{
    char words[WORDS_MAX];
    double ratio = fit->of.std / fit->sample->row->std;
    double fan = fit->of.fan_in * ratio * ratio;
    double tolerance = 6 / sow_sqrt(2 * (double)fit->sample->row->finite) * 2 * fan;
    if (strcmp(fit->entry->scheme, "normal") != 0 && strcmp(fit->entry->scheme, "uniform") != 0 &&
        strcmp(fit->entry->scheme, "trunc_normal") != 0) {
        try_shards(fit);
    }
    if (tolerance > 0.02 * fan) {
        return; /* any size would do */
    }
    for (size_t i = 0; i < fit->run->count && isfinite(fan); i++) {
        const struct sow_st_tensor *other = fit->run->tensors[i].header;
        for (uint32_t axis = 0; axis < other->rank; axis++) {
            double size = (double)other->shape[axis];
            if (other->rank >= 2 && fabs(size - fan) <= tolerance && size != fit->of.fan_in) {
                snprintf(words, sizeof words,
                         "what fan_in = %.0f would give, a size of %.120s; here it is %.0f", size,
                         other->name, fit->of.fan_in);
                try_scaled(fit, sow_sqrt(fit->of.fan_in / size), words, 0);
                return;
            }
        }
    }
}

/* ---- The answer -------------------------------------------------------------------------------------- */

/* torch's layout, [out, in, kernel...], where the plan says nothing. */
static void find_fans(struct fit *fit)
{
    const struct sow_tensor_statistics *row = fit->sample->row;
    double field = 1;
    for (uint32_t axis = 2; axis < row->rank; axis++) {
        field *= (double)row->shape[axis];
    }
    fit->of.all_in = row->rank >= 2 ? (double)row->shape[1] * field : NAN;
    fit->of.all_out = row->rank >= 2 ? (double)row->shape[0] * field : NAN;
    fit->of.fan_in = isnan(fit->entry->fan_in) ? fit->of.all_in : fit->entry->fan_in;
    fit->of.fan_out = isnan(fit->entry->fan_out) ? fit->of.all_out : fit->entry->fan_out;
}

/* The first variant whose law passes on the sample, where the words do not name it yet. */
static const char *variant_of(const struct fit *fit)
{
    for (size_t i = 0; i < fit->run->other_count && strstr(fit->words, "--variant") == NULL; i++) {
        const struct sow_plan_entry *entry =
            sow_plan_find(fit->run->others[i], fit->entry->name, NULL);
        struct sow_law law;
        if (strcmp(fit->run->other_names[i], "matched") == 0 || entry == NULL ||
            !sow_law_make(entry, &law) || sow_law_is_constant(&law) ||
            sow_tests_quick(fit->sample, &law) < SOW_TEST_ALPHA_LOG) {
            continue;
        }
        struct sow_verdict verdict = sow_tests_run(fit->sample, &law);
        if (sow_verdict_worst(&verdict) >= SOW_TEST_ALPHA_LOG && !verdict.outside) {
            return fit->run->other_names[i];
        }
    }
    return NULL;
}

const char *sow_check_cause(struct sow_check_run *run, size_t tensor,
                            const struct sow_sample *sample, const char **expected_as)
{
    struct fit fit = {
        .run = run, .sample = sample, .entry = run->tensors[tensor].entry, .best = -INFINITY};
    struct sow_law law;
    *expected_as = NULL;
    if (!sow_law_make(fit.entry, &law) || sample->row->std <= 0) {
        return NULL;
    }
    struct sow_law_moments moments = sow_law_moments(&law, sample->type);
    fit.of.std = sow_sqrt(moments.variance);
    fit.is_in_layer = run->tensors[tensor].name.count > 0;
    fit.of.before_cut =
        fit.entry->draw.distribution == SOW_TRUNC_NORMAL ? fit.entry->draw.std : NAN;
    find_fans(&fit);
    try_depth(&fit);
    try_forms(&fit);
    try_variants(&fit, 0);
    try_groups(&fit);
    try_formulas(&fit);
    try_fans(&fit);
    try_variants(&fit, 1);
    if (fit.best == -INFINITY) {
        return NULL;
    }
    if (fit.is_residual != 0) {
        double layers = run->layers, all = fit.is_residual == 1 ? 2 * layers : layers;
        *expected_as = sow_findings_keep(
            run->findings, fit.is_residual == 1 ? "%.4g/sqrt(2*%.0f)" : "%.4g/sqrt(%.0f)",
            fit.of.std * sow_sqrt(all), layers);
    }
    const char *variant = variant_of(&fit);
    return variant == NULL
               ? sow_findings_keep(run->findings, "%s", fit.words)
               : sow_findings_keep(run->findings, "%s; variant %s draws it so (--variant %s)",
                                   fit.words, variant, variant);
}
