/* SPDX-License-Identifier: MIT */
/* How much of a large network --jacobian, --curves, --spectra and --steps take: the library chooses
 * (sow_measure_choose_for), before anything is drawn; here it is said. sampled.c is the same of --measure. */
#include <math.h>
#include <string.h>

#include "asked.h"
#include "cli/stats.h"
#include "cli/text/message.h"
#include "sampled.h"

/* ---- Choosing -------------------------------------------------------------------------------------- */

static int choose(const struct sow_measure_work *work, const struct sow_cli_source *source,
                  const struct sow_signal_options *how, const struct sow_cli_options *options,
                  struct sow_measure_sample *sample)
{
    struct sow_error error;
    struct sow_measure_options with = {.memory_bytes = options->memory};
    int code = sow_cli_read_layers(options, &with.layers);
    if (work->what == SOW_MEASURE_JACOBIAN && options->to != NULL) {
        with.layers = UINT32_MAX; /* the end was asked for */
    }
    if (code == SOW_EXIT_DONE && sow_measure_choose_for(work, source->model, source->plan, how,
                                                        &with, sample, &error) != SOW_OK) {
        code = sow_cli_fail(&error);
    }
    return code;
}

int sow_cli_asked_choose(const struct sow_cli_source *source, const struct sow_signal_options *how,
                         const struct sow_cli_options *options, struct sow_cli_asked *asked)
{
    int is_sgd = options->optimizer != NULL && strcmp(options->optimizer, "sgd") == 0;
    uint32_t steps = (uint32_t)(options->steps < UINT32_MAX ? options->steps : UINT32_MAX);
    const struct sow_measure_work jacobian = {.what = SOW_MEASURE_JACOBIAN},
                                  curves = {.what = SOW_MEASURE_CURVES},
                                  learning = {SOW_MEASURE_STEPS, steps, is_sgd ? 1 : 3};
    int code = SOW_EXIT_DONE;
    if (sow_cli_asks_jacobian(options)) {
        code = choose(&jacobian, source, how, options, &asked->of_jacobian);
    }
    if (code == SOW_EXIT_DONE && options->curves) {
        code = choose(&curves, source, how, options, &asked->of_curves);
    }
    if (code == SOW_EXIT_DONE && options->steps > 0) {
        code = choose(&learning, source, how, options, &asked->of_steps);
    }
    return code;
}

/* ---- For people ------------------------------------------------------------------------------------ */

static void add_operations(struct sow_cli_text *text, double operations)
{
    int exponent = (int)floor(log10(operations > 1 ? operations : 1));
    sow_cli_add(text, "%.2ge%d", operations / pow(10, exponent), exponent);
}

static void add_reason(struct sow_cli_text *text, const struct sow_measure_sample *sample)
{
    const struct sow_measure_cost *all = &sample->cost_all, *limits = &sample->limits;
    sow_cli_add(text, ", for its size: all takes ");
    if (all->operations > limits->operations) {
        add_operations(text, all->operations);
        sow_cli_add(text, " operations, and ");
        add_operations(text, limits->operations);
    } else {
        sow_cli_add_size(text, all->memory_bytes);
        sow_cli_add(text, ", and ");
        sow_cli_add_size(text, limits->memory_bytes);
    }
    sow_cli_add(text, " are allowed");
}

/* "the Jacobian is of 16 of 256 tokens, the first 24 of 32 layers, for its size: ..."; nothing of a whole one. */
static void add_words(struct sow_cli_text *text, const char *what,
                      const struct sow_measure_sample *sample)
{
    int is_less = sample->tokens < sample->tokens_all || sample->batch < sample->batch_all ||
                  sample->times < sample->times_all;
    int has_left = sample->layers < sample->layers_all;
    const char *between = "";
    if (!is_less && !has_left) {
        return;
    }
    sow_cli_add(text, "%s ", what);
    if (sample->tokens < sample->tokens_all) {
        sow_cli_add(text, "%llu of %llu tokens", (unsigned long long)sample->tokens,
                    (unsigned long long)sample->tokens_all);
        between = ", ";
    }
    if (sample->batch < sample->batch_all) {
        sow_cli_add(text, "%s%llu of %llu samples", between, (unsigned long long)sample->batch,
                    (unsigned long long)sample->batch_all);
        between = ", ";
    }
    if (sample->times < sample->times_all) {
        sow_cli_add(text, "%s%u of %u random directions", between, sample->times,
                    sample->times_all);
        between = ", ";
    }
    if (has_left) {
        sow_cli_add(text, "%sthe first %u of %u layers", between, sample->layers,
                    sample->layers_all);
    }
    if (is_less || !sample->layers_asked) {
        add_reason(text, sample);
        sow_cli_add(text, ". More:%s", sample->layers_asked ? "" : " --layers all");
        if (sample->tokens < sample->tokens_all) {
            sow_cli_add(text, " --tokens %llu", (unsigned long long)sample->tokens_all);
        }
        if (sample->batch < sample->batch_all) {
            sow_cli_add(text, " --batch %llu", (unsigned long long)sample->batch_all);
        }
    }
    sow_cli_add(text, "\n");
}

static void add_spectra_words(struct sow_cli_text *text, const struct sow_spectra *spectra,
                              const struct sow_measure_sample *limits)
{
    if (spectra->layers == spectra->layers_all) {
        return;
    }
    sow_cli_add(text, "spectra are of %u of %u layers, evenly from the first to the last",
                spectra->layers, spectra->layers_all);
    if (!limits->layers_asked) {
        sow_cli_add(text, ", for their number: all take ");
        add_operations(text, spectra->operations_all);
        sow_cli_add(text, " operations, and 1e13 are allowed. More: --layers all");
    }
    sow_cli_add(text, "\n");
}

void sow_cli_add_asked_samples(struct sow_cli_text *text, const struct sow_cli_asked *asked)
{
    if (asked->jacobian != NULL) {
        add_words(text, "the Jacobian is of", &asked->of_jacobian);
    }
    if (asked->curves != NULL) {
        add_words(text, "pairs of inputs were followed with", &asked->of_curves);
    }
    if (asked->spectra != NULL) {
        add_spectra_words(text, asked->spectra, &asked->of_spectra);
    }
    add_words(text, "steps of learning were taken with", &asked->of_steps);
}

/* ---- For machines ---------------------------------------------------------------------------------- */

static void add_sample(struct sow_cli_text *text, const char *name,
                       const struct sow_measure_sample *sample)
{
    if (sample->times == 0) { /* not asked for */
        return;
    }
    sow_cli_add(text,
                "  \"%s_sample\": {\"batch\": %llu, \"batch_asked\": %llu, \"tokens\": %llu, "
                "\"tokens_asked\": %llu, \"layers\": %u, \"layers_all\": %u",
                name, (unsigned long long)sample->batch, (unsigned long long)sample->batch_all,
                (unsigned long long)sample->tokens, (unsigned long long)sample->tokens_all,
                sample->layers, sample->layers_all);
    sow_cli_add(text, ", \"times\": %u, \"times_asked\": %u, \"operations\": ", sample->times,
                sample->times_all);
    sow_cli_add_number(text, sample->cost.operations);
    sow_cli_add(text, ", \"operations_of_all\": ");
    sow_cli_add_number(text, sample->cost_all.operations);
    sow_cli_add(text, "},\n");
}

void sow_cli_add_asked_sample(struct sow_cli_text *text, const struct sow_cli_asked *asked)
{
    add_sample(text, "jacobian", &asked->of_jacobian);
    add_sample(text, "curves", &asked->of_curves);
    add_sample(text, "steps", &asked->of_steps);
    if (asked->spectra != NULL) {
        sow_cli_add(text,
                    "  \"spectra_sample\": {\"layers\": %u, \"layers_all\": %u, \"operations\": ",
                    asked->spectra->layers, asked->spectra->layers_all);
        sow_cli_add_number(text, asked->spectra->operations);
        sow_cli_add(text, ", \"operations_of_all\": ");
        sow_cli_add_number(text, asked->spectra->operations_all);
        sow_cli_add(text, "},\n");
    }
}
