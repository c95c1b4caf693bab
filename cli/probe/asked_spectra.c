/* SPDX-License-Identifier: MIT */
/* sow probe --spectra: running it, a paragraph for people, its part of the JSON and its columns of the CSV. */
#include <math.h>
#include <string.h>

#include "asked.h"
#include "sampled.h"
#include "cli/stats.h"

int sow_cli_ask_spectra(const struct sow_cli_source *source, const struct sow_cli_options *options,
                        struct sow_cli_asked *asked)
{
    struct sow_error error;
    struct sow_cli_progress progress;
    struct sow_measure_options with = sow_cli_asked_how(options, &progress);
    int code = sow_cli_read_layers(options, &with.layers);
    if (code != SOW_EXIT_DONE) {
        return code;
    }
    asked->of_spectra.layers_asked = with.layers > 0;
    sow_cli_progress_begin(&progress, "taking spectra of weights", options->quiet);
    progress.steps = 1;
    enum sow_status status = sow_spectra_measure(source->plan, &with, &asked->spectra, &error);
    sow_cli_progress_end(&progress);
    return sow_cli_asked_code(status, &error);
}

/* ---- For people ------------------------------------------------------------------------------------ */

static void add_weight(struct sow_cli_text *text, const struct sow_spectrum_of_weight *weight)
{
    sow_cli_add_safe(text, weight->name, strlen(weight->name), 0);
    sow_cli_add(text, ", %llu x %llu: %.4g (%.4g)", (unsigned long long)weight->outputs,
                (unsigned long long)weight->inputs, weight->norm, weight->norm_expected);
}

void sow_cli_add_spectra_words(struct sow_cli_text *text, const struct sow_spectra *spectra)
{
    const struct sow_spectrum_of_weight *least = NULL, *most = NULL;
    size_t known = 0;
    for (size_t i = 0; i < spectra->count; i++) {
        const struct sow_spectrum_of_weight *weight = &spectra->weights[i];
        double ratio = weight->norm / weight->norm_expected;
        if (isfinite(ratio)) {
            known++;
            least = least == NULL || ratio < least->norm / least->norm_expected ? weight : least;
            most = most == NULL || ratio > most->norm / most->norm_expected ? weight : most;
        }
    }
    if (known == 0) {
        sow_cli_add(text,
                    "spectral norms of %zu weights, of none of which the distribution is known",
                    spectra->count);
    } else {
        sow_cli_add(text,
                    "spectral norms of %zu weights, over those expected of their schemes: %.3g to "
                    "%.3g; least ",
                    known, least->norm / least->norm_expected, most->norm / most->norm_expected);
        add_weight(text, least);
        if (most != least) {
            sow_cli_add(text, ", most ");
            add_weight(text, most);
        }
    }
}

/* ---- For machines ---------------------------------------------------------------------------------- */

static void add_member(struct sow_cli_text *text, const char *name, double number)
{
    sow_cli_add(text, ", \"%s\": ", name);
    sow_cli_add_number(text, number);
}

void sow_cli_add_spectra(struct sow_cli_text *text, const struct sow_spectra *spectra)
{
    sow_cli_add(text, "  \"spectra\": [");
    for (size_t i = 0; i < spectra->count; i++) {
        const struct sow_spectrum_of_weight *weight = &spectra->weights[i];
        sow_cli_add(text, "%s\n    {\"name\": ", i > 0 ? "," : "");
        sow_cli_add_json(text, weight->name);
        sow_cli_add(text, ", \"outputs\": %llu, \"inputs\": %llu",
                    (unsigned long long)weight->outputs, (unsigned long long)weight->inputs);
        add_member(text, "norm", weight->norm);
        add_member(text, "norm_expected", weight->norm_expected);
        add_member(text, "gain", weight->gain);
        add_member(text, "orthogonality_error", weight->orthogonality_error);
        sow_cli_add(text, "}");
    }
    sow_cli_add(text, "\n  ],\n");
}

void sow_cli_add_spectra_titles(struct sow_cli_text *text)
{
    sow_cli_add(text, ",spectral_norm,spectral_norm_expected,orthogonality_error");
}

/* Of the value that has the weight's name, with or without ".weight". */
void sow_cli_add_spectra_csv(struct sow_cli_text *text, const struct sow_spectra *spectra,
                             const char *value)
{
    size_t length = strlen(value);
    for (size_t i = 0; i < spectra->count; i++) {
        const struct sow_spectrum_of_weight *weight = &spectra->weights[i];
        const char *rest = weight->name + length;
        if (strncmp(weight->name, value, length) == 0 &&
            (*rest == '\0' || strcmp(rest, ".weight") == 0)) {
            const double numbers[] = {weight->norm, weight->norm_expected,
                                      weight->orthogonality_error};
            for (int k = 0; k < 3; k++) {
                sow_cli_add(text, isnan(numbers[k]) ? "," : ",%.17g", numbers[k]);
            }
            return;
        }
    }
    sow_cli_add(text, ",,,");
}
