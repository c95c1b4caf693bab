/* SPDX-License-Identifier: MIT */
/* Which other scheme fits: a table of mistakes and defaults, each tried as a law on the sample. Of those that pass, the
 * first that fits well is told; a better one further down wins only where the earlier fits badly. */
#include "model/check/run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/elementary.h"

#define FITS_WELL_LOG (-6.9) /* ln(0.001) */
#define SQRT3         1.7320508075688772
#define CORRECTION_2  0.8796256610342398 /* std of N(0, 1) cut at 2 */
#define WORDS_MAX     320

struct fit {
    struct sow_check_run *run;
    const struct sow_sample *sample;
    const struct sow_plan_entry *entry;
    double std;             /* expected, of what is stored */
    double fan_in, fan_out; /* of a block where it is fused */
    double all_in, all_out; /* of the tensor as stored */
    double best;            /* ln of the chance, of the best so far */
    char words[WORDS_MAX];
    int is_in_layer;
    int is_residual; /* the best is a depth scaling that is missing or not wanted */
};

/* ---- Standard deviations by which things are drawn ------------------------------------------------- */

struct formula {
    const char *words;
    double (*std)(const struct fit *fit);
    int is_bound; /* of a uniform: the bound is sqrt(3) std */
};

static double over_sum(double gain, double a, double b)
{
    return gain / sow_sqrt((a + b) / 2);
}

static double unit(const struct fit *fit)
{
    (void)fit;
    return 1;
}
static double torch_linear(const struct fit *fit)
{
    return 1 / sow_sqrt(3 * fit->fan_in);
}
static double torch_linear_swapped(const struct fit *fit)
{
    return 1 / sow_sqrt(3 * fit->fan_out);
}
static double glorot(const struct fit *fit)
{
    return over_sum(1, fit->fan_in, fit->fan_out);
}
static double glorot_fused(const struct fit *fit)
{
    return over_sum(1, fit->all_in, fit->all_out);
}
static double glorot_thirds(const struct fit *fit)
{
    return over_sum(1, fit->all_in, fit->all_out / 3);
}
static double he_in(const struct fit *fit)
{
    return sow_sqrt(2 / fit->fan_in);
}
static double he_out(const struct fit *fit)
{
    return sow_sqrt(2 / fit->fan_out);
}
static double lecun_in(const struct fit *fit)
{
    return 1 / sow_sqrt(fit->fan_in);
}
static double lecun_out(const struct fit *fit)
{
    return 1 / sow_sqrt(fit->fan_out);
}
static double bracket_out(const struct fit *fit)
{
    return sow_sqrt(2 / fit->fan_in + fit->fan_out);
}
static double bracket_in(const struct fit *fit)
{
    return sow_sqrt(2 / fit->fan_out + fit->fan_in);
}
static double small_init(const struct fit *fit)
{
    return sow_sqrt(2 / (5 * fit->fan_in));
}
static double fixed_02(const struct fit *fit)
{
    (void)fit;
    return 0.02;
}
static double fixed_01(const struct fit *fit)
{
    (void)fit;
    return 0.01;
}
static double fixed_006(const struct fit *fit)
{
    (void)fit;
    return 0.006;
}
static double keras_embedding(const struct fit *fit)
{
    (void)fit;
    return 0.05 / SQRT3;
}
static double variance_as_std(const struct fit *fit)
{
    return fit->std * fit->std;
}
static double std_as_variance(const struct fit *fit)
{
    return sow_sqrt(fit->std);
}
static double erfinv_missing(const struct fit *fit)
{
    const struct sow_draw *draw = &fit->entry->draw;
    return draw->distribution == SOW_TRUNC_NORMAL ? draw->std * 0.816496580927726 : NAN;
}
static double gain_selu(const struct fit *fit)
{
    return fit->std * 3 / 4;
}
static double gain_missing(const struct fit *fit)
{
    return fit->std / 1.4142135623730951;
}
static double gain_twice(const struct fit *fit)
{
    return fit->std * 1.4142135623730951;
}
static double bound_as_std(const struct fit *fit)
{
    return fit->std * SQRT3;
}
static double std_as_bound(const struct fit *fit)
{
    return fit->std / SQRT3;
}
static double width_as_bound(const struct fit *fit)
{
    return fit->std * 2;
}
static double shrunk(const struct fit *fit)
{
    return fit->std * CORRECTION_2;
}
static double unshrunk(const struct fit *fit)
{
    return fit->std / CORRECTION_2;
}

/* Schemes first, then slips with the expected number, then constants out of libraries. */
static const struct formula formulas[] = {
    {"std 1: the default of torch.nn.Embedding, or a scheme called without its std", unit, 0},
    {"torch's layer default, uniform within 1/sqrt(fan_in)", torch_linear, 1},
    {"torch's layer default with the fans swapped, uniform within 1/sqrt(fan_out)",
     torch_linear_swapped, 1},
    {"Glorot, sqrt(2/(fan_in + fan_out))", glorot, 0},
    {"Glorot by the fans of the whole fused tensor instead of one block's", glorot_fused, 0},
    {"Glorot by the fans of a third of the tensor, as for packed query, key and value",
     glorot_thirds, 0},
    {"He by fan_in, sqrt(2/fan_in)", he_in, 0},
    {"He by fan_out, sqrt(2/fan_out)", he_out, 0},
    {"LeCun, 1/sqrt(fan_in)", lecun_in, 0},
    {"LeCun with the fans swapped, 1/sqrt(fan_out)", lecun_out, 0},
    {"sqrt(2/fan_in + fan_out), about sqrt(fan_out): a bracket is missing around fan_in + fan_out",
     bracket_out, 0},
    {"sqrt(2/fan_out + fan_in), about sqrt(fan_in): a bracket is missing around the sum",
     bracket_in, 0},
    {"small init, sqrt(2/(5 fan_in))", small_init, 0},
    {"the bound of the uniform was taken for the std (a factor of sqrt(3))", bound_as_std, 0},
    {"the std was taken for the bound of a uniform (a factor of 1/sqrt(3))", std_as_bound, 0},
    {"the truncation's loss of variance is not made up for (a factor of 0.8796 at 2 sigma)", shrunk,
     0},
    {"the truncation's loss of variance is made up for though nothing is cut (a factor of 1.1368)",
     unshrunk, 0},
    {"uniform within sqrt(2) std: a truncated normal without the inverse error function",
     erfinv_missing, 1},
    {"torch's gain for SELU, 3/4, where the exact one is 1", gain_selu, 0},
    {"a gain of sqrt(2) is missing", gain_missing, 0},
    {"a gain of sqrt(2) too much", gain_twice, 0},
    {"twice the std: the width of the interval was taken for its half", width_as_bound, 0},
    {"the variance was given where the std is wanted", variance_as_std, 0},
    {"the std was given where the variance is wanted", std_as_variance, 0},
    {"initializer_range 0.02", fixed_02, 0},
    {"std 0.01", fixed_01, 0},
    {"std 0.006", fixed_006, 0},
    {"the embedding default of Keras, uniform within 0.05", keras_embedding, 1},
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
    double parent = form == CUT_2 ? std / CORRECTION_2 : std;
    double bound = form == CUT_3_LOST ? 3 * parent : 2 * parent;
    if (!(std > 0) || !isfinite(std)) {
        return -1;
    }
    if (form == NORMAL) {
        return sow_draw_normal(0, std, draw, NULL) != SOW_OK;
    }
    if (form == UNIFORM) {
        return sow_draw_uniform(-SQRT3 * std, SQRT3 * std, draw, NULL) != SOW_OK;
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
        if (sow_draw_normal(expected->mean, fit->std, &draw, NULL) == SOW_OK) {
            snprintf(words, sizeof words, "plain normal of std %.4g; the truncation is missing",
                     fit->std);
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
                         : fit->std;
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
    for (size_t i = 0; i < sizeof formulas / sizeof formulas[0]; i++) {
        double std = formulas[i].std(fit);
        for (int form = NORMAL; form < FORMS; form++) {
            struct sow_draw draw;
            int is_own = formulas[i].is_bound && form == UNIFORM;
            if ((formulas[i].is_bound && form != UNIFORM) ||
                draw_of((enum form)form, std, &draw) != 0) {
                continue;
            }
            snprintf(words, sizeof words, is_own ? "%s (std %.4g)" : "%s (std %.4g), %s",
                     formulas[i].words, std, form_words[form]);
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
        double out = over_sum(1, fit->fan_in, fit->fan_out / parts),
               in = over_sum(1, fit->fan_in / parts, fit->fan_out);
        snprintf(words, sizeof words, "Glorot with one fan divided by %d, as of one shard", parts);
        try_scaled(fit, out / glorot(fit), words, 0);
        try_scaled(fit, in / glorot(fit), words, 0);
    }
}

/* The fan of another size: of a shard, or of another axis of the model. The law must go as 1/sqrt(fan). */
static void try_fans(struct fit *fit)
{
    char words[WORDS_MAX];
    double ratio = fit->std / fit->sample->row->std;
    double fan = fit->fan_in * ratio * ratio;
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
            if (other->rank >= 2 && fabs(size - fan) <= tolerance && size != fit->fan_in) {
                snprintf(words, sizeof words,
                         "what fan_in = %.0f would give, a size of %.120s; here it is %.0f", size,
                         other->name, fit->fan_in);
                try_scaled(fit, sow_sqrt(fit->fan_in / size), words, 0);
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
    fit->all_in = row->rank >= 2 ? (double)row->shape[1] * field : NAN;
    fit->all_out = row->rank >= 2 ? (double)row->shape[0] * field : NAN;
    fit->fan_in = isnan(fit->entry->fan_in) ? fit->all_in : fit->entry->fan_in;
    fit->fan_out = isnan(fit->entry->fan_out) ? fit->all_out : fit->entry->fan_out;
}

/* The first variant whose law passes on the sample, where the words do not name it yet. */
static const char *variant_of(const struct fit *fit)
{
    for (size_t i = 0; i < fit->run->other_count && strstr(fit->words, "--variant") == NULL; i++) {
        const struct sow_plan_entry *entry =
            sow_plan_find(fit->run->others[i], fit->entry->name, NULL);
        struct sow_law law;
        if (entry == NULL || !sow_law_make(entry, &law) || sow_law_is_constant(&law) ||
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
    fit.std = sow_sqrt(moments.variance);
    fit.is_in_layer = run->tensors[tensor].name.count > 0;
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
            fit.std * sow_sqrt(all), layers);
    }
    const char *variant = variant_of(&fit);
    return variant == NULL
               ? sow_findings_keep(run->findings, "%s", fit.words)
               : sow_findings_keep(run->findings, "%s; variant %s draws it so (--variant %s)",
                                   fit.words, variant, variant);
}
