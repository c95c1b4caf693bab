/* SPDX-License-Identifier: MIT */
/* sow probe --curves: running it, a paragraph for people, its part of the JSON and its columns of the CSV. */
#include <math.h>
#include <string.h>

#include "asked.h"
#include "cli/stats.h"

#define STEADY 0.05 /* of the response: nearer to 1 an error of scale stays what it is */

int sow_cli_ask_curves(const struct sow_cli_source *source, const struct sow_signal_options *how,
                       const struct sow_cli_options *options, struct sow_cli_asked *asked)
{
    struct sow_error error;
    struct sow_cli_progress progress;
    struct sow_measure_options with = sow_cli_asked_how(options, &progress);
    struct sow_signal_options sent = *how;
    with.layers = asked->of_curves.layers;
    sent.batch = asked->of_curves.batch;
    sent.tokens = asked->of_curves.tokens;
    sow_cli_progress_begin(&progress, "following pairs of inputs", options->quiet);
    progress.steps = 1;
    enum sow_status status =
        sow_curves_measure(source->model, source->plan, &sent, &with, &asked->curves, &error);
    sow_cli_progress_end(&progress);
    return sow_cli_asked_code(status, &error);
}

/* "converge", "neutral" or "diverge": the sign of chi_par - 1 over the whole depth. */
static const char *tendency(double response)
{
    return isnan(response)         ? NULL
           : response < 1 - STEADY ? "converge"
           : response > 1 + STEADY ? "diverge"
                                   : "neutral";
}

/* ---- For people ------------------------------------------------------------------------------------ */

static void add_cosines(struct sow_cli_text *text, const struct sow_curve_value *value,
                        int predicted)
{
    for (size_t k = 0; k < SOW_CURVE_PAIRS; k++) {
        double cosine = predicted ? value->pairs[k].predicted : value->pairs[k].cosine;
        sow_cli_add(text, "%s", k > 0 ? ", " : "");
        sow_cli_add(text, isnan(cosine) ? "-" : "%.4g", fabs(cosine) < 5e-4 ? 0 : cosine);
    }
}

void sow_cli_add_curves_words(struct sow_cli_text *text, const struct sow_curves *curves)
{
    const struct sow_curve_value *end = &curves->values[curves->count - 1];
    sow_cli_add(text, "%llu %s of inputs%s of cosine ", (unsigned long long)curves->pairs,
                curves->pairs == 1 ? "pair" : "pairs", curves->seeds > 1 ? " a seed" : "");
    for (size_t k = 0; k < SOW_CURVE_PAIRS; k++) {
        sow_cli_add(text, "%s%g", k > 0 ? ", " : "", sow_curve_cosine(k));
    }
    sow_cli_add(text, " end with ");
    add_cosines(text, end, 0);
    sow_cli_add(text, " (predicted ");
    add_cosines(text, end, 1);
    sow_cli_add(text, ")");
    if (curves->farthest_value != NULL) {
        sow_cli_add(text, ", farthest off by %.2g at ", curves->farthest);
        sow_cli_add_safe(text, curves->farthest_value, strlen(curves->farthest_value), 0);
    }
    const char *word = tendency(curves->response);
    if (word != NULL) {
        sow_cli_add(text, ". Inputs of other sizes %s: E[x^2] to the power %.3g (%.3g)",
                    strcmp(word, "neutral") == 0 ? "stay in proportion" : word, curves->response,
                    curves->response_predicted);
    }
}

/* ---- For machines ---------------------------------------------------------------------------------- */

static void add_member(struct sow_cli_text *text, const char *name, double number)
{
    sow_cli_add(text, ", \"%s\": ", name);
    sow_cli_add_number(text, number);
}

static void add_value(struct sow_cli_text *text, const struct sow_curve_value *value)
{
    sow_cli_add(text, "{\"name\": ");
    sow_cli_add_json(text, value->name);
    sow_cli_add(text, ", \"pairs\": [");
    for (size_t k = 0; k < SOW_CURVE_PAIRS; k++) {
        sow_cli_add(text, "%s{\"from\": %g", k > 0 ? ", " : "", sow_curve_cosine(k));
        add_member(text, "cosine", value->pairs[k].cosine);
        add_member(text, "predicted", value->pairs[k].predicted);
        add_member(text, "centred", value->pairs[k].centred);
        add_member(text, "distance", value->pairs[k].distance);
        sow_cli_add(text, "}");
    }
    sow_cli_add(text, "], \"scales\": [");
    for (size_t k = 0; k < SOW_CURVE_SCALES; k++) {
        sow_cli_add(text, "%s{\"scale\": %g", k > 0 ? ", " : "", sow_curve_scale(k));
        add_member(text, "second_moment", value->scales[k].second_moment);
        add_member(text, "predicted", value->scales[k].predicted);
        sow_cli_add(text, "}");
    }
    sow_cli_add(text, "]}");
}

void sow_cli_add_curves(struct sow_cli_text *text, const struct sow_curves *curves)
{
    const char *word = tendency(curves->response);
    sow_cli_add(text, "  \"curves\": {\"seeds\": %u, \"pairs\": %llu", curves->seeds,
                (unsigned long long)curves->pairs);
    add_member(text, "farthest", curves->farthest);
    add_member(text, "response", curves->response);
    add_member(text, "response_predicted", curves->response_predicted);
    sow_cli_add(text, ", \"scale\": ");
    if (word != NULL) {
        sow_cli_add_json(text, word);
    } else {
        sow_cli_add(text, "null");
    }
    sow_cli_add(text, ", \"values\": [");
    for (size_t i = 0; i < curves->count; i++) {
        sow_cli_add(text, i > 0 ? ",\n    " : "\n    ");
        add_value(text, &curves->values[i]);
    }
    sow_cli_add(text, "\n  ]},\n");
}

void sow_cli_add_curves_titles(struct sow_cli_text *text)
{
    for (size_t k = 0; k < SOW_CURVE_PAIRS; k++) {
        double cosine = sow_curve_cosine(k);
        sow_cli_add(text, ",pair_%g,pair_%g_predicted,pair_%g_centred,pair_%g_distance", cosine,
                    cosine, cosine, cosine);
    }
    for (size_t k = 0; k < SOW_CURVE_SCALES; k++) {
        sow_cli_add(text, ",scale_%g,scale_%g_predicted", sow_curve_scale(k), sow_curve_scale(k));
    }
}

void sow_cli_add_curves_csv(struct sow_cli_text *text, const struct sow_curves *curves,
                            size_t index)
{
    static const struct sow_curve_value none; /* of a value that was not followed */
    const struct sow_curve_value *value = index < curves->count ? &curves->values[index] : &none;
    double numbers[4 * SOW_CURVE_PAIRS + 2 * SOW_CURVE_SCALES], *to = numbers;
    for (size_t k = 0; k < SOW_CURVE_PAIRS; k++) {
        *to++ = value->pairs[k].cosine;
        *to++ = value->pairs[k].predicted;
        *to++ = value->pairs[k].centred;
        *to++ = value->pairs[k].distance;
    }
    for (size_t k = 0; k < SOW_CURVE_SCALES; k++) {
        *to++ = value->scales[k].second_moment;
        *to++ = value->scales[k].predicted;
    }
    for (const double *at = numbers; at < to; at++) {
        sow_cli_add(text, isnan(*at) || value == &none ? "," : ",%.17g", *at);
    }
}
