/* SPDX-License-Identifier: MIT */
/* sow probe --measure of a network that is too large to be measured whole: the library chooses (sow_measure_choose), here
 * it is said. --layers, --tokens and --batch ask for more. */
#include "sampled.h"

#include <math.h>
#include <string.h>

#include "cli/stats.h"
#include "cli/text/message.h"

/* Of a squared gradient either way: float32 holds it, and what the layers make of it. */
#define LOG2_SPAN 120

/* "all" or a number. */
int sow_cli_read_layers(const struct sow_cli_options *options, uint32_t *layers)
{
    char reason[512];
    uint64_t count = 0;
    if (options->layers == NULL || strcmp(options->layers, "all") == 0) {
        *layers = options->layers != NULL ? UINT32_MAX : 0;
        return SOW_EXIT_DONE;
    }
    if (sow_cli_value(SOW_TAKES_COUNT, options->layers, &count, reason) != NULL) {
        return sow_cli_usage(options->verb, "--layers: %s; or write --layers all", reason);
    }
    *layers = (uint32_t)(count < UINT32_MAX ? count : UINT32_MAX);
    return SOW_EXIT_DONE;
}

static void note_layers(const struct sow_cli_options *options, uint32_t asked, uint32_t all)
{
    struct sow_cli_text text = {0};
    if (asked > all && asked != UINT32_MAX && !options->quiet) {
        sow_cli_add(&text,
                    all > 0 ? "--layers %u: the model repeats %u layers; all are measured"
                            : "--layers %u: the model repeats no layer; all of it is measured",
                    asked, all);
        sow_cli_say("note", text.bytes);
    }
    sow_cli_text_free(&text);
}

int sow_cli_sample_choose(const struct sow_cli_source *source, struct sow_signal_options *how,
                          const struct sow_cli_options *options, struct sow_cli_sample *sample)
{
    struct sow_error error;
    struct sow_measure_options asked = {.memory_bytes = options->memory};
    int code = sow_cli_read_layers(options, &asked.layers);
    *sample = (struct sow_cli_sample){0};
    if (code == SOW_EXIT_DONE && sow_measure_choose(source->model, source->plan, how, &asked,
                                                    &sample->chosen, &error) != SOW_OK) {
        code = sow_cli_fail(&error);
    }
    if (code == SOW_EXIT_DONE) {
        how->batch = sample->chosen.batch;
        how->tokens = sample->chosen.tokens;
        note_layers(options, asked.layers, sample->chosen.layers_all);
    }
    return code;
}

void sow_cli_sample_predicted(struct sow_cli_sample *sample, const struct sow_probe *probe)
{
    const struct sow_probe_value *value, *last = NULL;
    if (sample->chosen.layers == sample->chosen.layers_all) {
        return;
    }
    for (size_t i = 0; (value = sow_probe_at(probe, i)) != NULL; i++) {
        if (value->layer >= (int32_t)sample->chosen.layers) {
            break;
        }
        last = value;
    }
    if (last != NULL && fabs(last->log2_gradient) < LOG2_SPAN) {
        sample->cotangent_std = sqrt(last->gradient);
    }
}

/* ---- Words -------------------------------------------------------------------------------------------- */

static void add_cost(struct sow_cli_text *text, const struct sow_measure_cost *cost)
{
    int exponent = (int)floor(log10(cost->operations > 1 ? cost->operations : 1));
    sow_cli_add_size(text, cost->memory_bytes);
    sow_cli_add(text, " and %.2ge%d operations", cost->operations / pow(10, exponent), exponent);
}

static int is_less(const struct sow_measure_sample *chosen)
{
    return chosen->batch < chosen->batch_all || chosen->tokens < chosen->tokens_all;
}

/* Whether the layers were left out for their size, not because of --layers. */
static int is_cut(const struct sow_measure_sample *chosen)
{
    int too_large = chosen->cost_all.memory_bytes > chosen->limits.memory_bytes ||
                    chosen->cost_all.operations > chosen->limits.operations;
    return chosen->layers < chosen->layers_all && too_large && !chosen->layers_asked;
}

static void add_reason(struct sow_cli_text *text, const struct sow_measure_sample *chosen)
{
    sow_cli_add(text, "not all was measured, for its size: with %llu samples",
                (unsigned long long)chosen->batch_all);
    if (chosen->tokens < chosen->tokens_all) {
        sow_cli_add(text, " of %llu tokens", (unsigned long long)chosen->tokens_all);
    }
    sow_cli_add(text, "%s a seed takes ", is_cut(chosen) ? " and all layers" : "");
    add_cost(text, &chosen->cost_all);
    sow_cli_add(text, ", and the limits are ");
    add_cost(text, &chosen->limits);
    sow_cli_add(text, "; measured were %llu samples", (unsigned long long)chosen->batch);
    if (chosen->tokens < chosen->tokens_all) {
        sow_cli_add(text, " of %llu tokens", (unsigned long long)chosen->tokens);
    }
    if (is_cut(chosen)) {
        sow_cli_add(text, " and %u of %u layers", chosen->layers, chosen->layers_all);
    }
    sow_cli_add(text, ". More:%s", is_cut(chosen) ? " --layers all" : "");
    if (chosen->tokens < chosen->tokens_all) {
        sow_cli_add(text, " --tokens %llu", (unsigned long long)chosen->tokens_all);
    }
    if (chosen->batch < chosen->batch_all) {
        sow_cli_add(text, " --batch %llu", (unsigned long long)chosen->batch_all);
    }
}

void sow_cli_add_sample_words(struct sow_cli_text *text, const struct sow_cli_sample *sample)
{
    const struct sow_measure_sample *chosen = &sample->chosen;
    if (is_less(chosen) || is_cut(chosen)) {
        add_reason(text, chosen);
        sow_cli_add(text, "\n");
    }
    if (chosen->layers < chosen->layers_all) {
        sow_cli_add(text,
                    "the first %u of %u repeated layers were measured, exactly as they are in the "
                    "whole; verdicts on the others are predicted. Random gradients begin at their "
                    "end, ",
                    chosen->layers, chosen->layers_all);
        sow_cli_add(text,
                    sample->cotangent_std > 0
                        ? "as large as predicted there, but independent from place to "
                          "place, so that those of attention's values come out smaller\n"
                        : "of std 1, so that measured gradients are not the predicted ones\n");
    }
}

/* Calls `say` with each line. */
static void each_line(const struct sow_cli_sample *sample, void (*say)(const char *line))
{
    struct sow_cli_text words = {0};
    sow_cli_add_sample_words(&words, sample);
    for (char *at = words.bytes, *end; at != NULL && *at != '\0'; at = end + 1) {
        end = strchr(at, '\n');
        *end = '\0';
        say(at);
    }
    sow_cli_text_free(&words);
}

void sow_cli_sample_print(const struct sow_cli_sample *sample)
{
    each_line(sample, sow_cli_print_paragraph);
}

static void note(const char *line)
{
    sow_cli_say("note", line);
}

void sow_cli_sample_note(const struct sow_cli_sample *sample, const struct sow_cli_options *options)
{
    if (!options->quiet) {
        each_line(sample, note);
    }
}

/* ---- JSON --------------------------------------------------------------------------------------------- */

static void add_numbers(struct sow_cli_text *text, const char *key,
                        const struct sow_measure_cost *cost, int has_products)
{
    sow_cli_add(text, ", \"%s\": {\"memory_bytes\": %llu, \"operations\": ", key,
                (unsigned long long)cost->memory_bytes);
    sow_cli_add_number(text, cost->operations);
    if (has_products) {
        sow_cli_add_key_number(text, "products", cost->products);
    }
    sow_cli_add(text, "}");
}

void sow_cli_add_sample(struct sow_cli_text *text, const struct sow_cli_sample *sample)
{
    const struct sow_measure_sample *chosen = &sample->chosen;
    sow_cli_add(text,
                "  \"sample\": {\"whole\": %s, \"batch\": %llu, \"tokens\": %llu, \"layers\": %u, "
                "\"batch_asked\": %llu, \"tokens_asked\": %llu, \"layers_all\": %u, "
                "\"cotangent_std\": ",
                is_less(chosen) || chosen->layers < chosen->layers_all ? "false" : "true",
                (unsigned long long)chosen->batch, (unsigned long long)chosen->tokens,
                chosen->layers, (unsigned long long)chosen->batch_all,
                (unsigned long long)chosen->tokens_all, chosen->layers_all);
    sow_cli_add_number(text, sample->cotangent_std > 0 ? sample->cotangent_std : 1);
    add_numbers(text, "cost", &chosen->cost, 1);
    add_numbers(text, "cost_of_all", &chosen->cost_all, 1);
    add_numbers(text, "limits", &chosen->limits, 0);
    sow_cli_add(text, "},\n");
}
