/* SPDX-License-Identifier: MIT */
/* sow probe --steps: the first steps of learning. Running them, and their part of the JSON and CSV. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "learn.h"
#include "probe.h"
#include "cli/text/message.h"
#include "cli/stats.h"

/* ---- What is asked for ----------------------------------------------------------------------------- */

static int is_rule(const char *rate)
{
    return strchr(rate, '=') != NULL;
}

/* The options as the library takes them; `steps` refers to `rules`. */
struct request {
    struct sow_learn_options steps;
    const char **rules;
};

/* Plain numbers are the rate of all tensors, and there is one at most; the rest goes on as it is. */
static int read_rates(const struct sow_cli_options *options, struct request *request)
{
    request->rules = sow_cli_allocate(NULL, options->rates.count + 1, sizeof *request->rules);
    for (size_t i = 0; i < options->rates.count; i++) {
        const char *text = options->rates.items[i];
        char *end;
        if (is_rule(text)) {
            request->rules[request->steps.rate_count++] = text;
            continue;
        }
        double rate = strtod(text, &end);
        if (end == text || *end != '\0' || !isfinite(rate) || rate <= 0) {
            return sow_cli_usage(options->verb,
                                 "--lr %.80s: it is a number above 0, such as 0.001, or "
                                 "'GLOB=RATE' for some tensors",
                                 text);
        }
        if (request->steps.rate != 0) {
            return sow_cli_usage(options->verb, "--lr: %g and %g are both the rate of all tensors",
                                 request->steps.rate, rate);
        }
        request->steps.rate = rate;
    }
    request->steps.rates = request->rules;
    return SOW_EXIT_DONE;
}

/* SOW_EXIT_USAGE after telling what is wrong. To be freed in any case. */
static int read_request(const struct sow_cli_options *options, struct request *request)
{
    const char *optimizer = options->optimizer;
    *request = (struct request){0};
    request->steps = (struct sow_learn_options){
        .steps = (uint32_t)(options->steps < UINT32_MAX ? options->steps : UINT32_MAX),
        .seeds = (uint32_t)(options->seeds < UINT32_MAX ? options->seeds : UINT32_MAX),
        .weights = options->weights,
        .threads = (uint32_t)options->threads,
        .memory_bytes = options->memory,
    };
    if (optimizer != NULL && strcmp(optimizer, "sgd") == 0) {
        request->steps.optimizer = SOW_SGD;
    } else if (optimizer != NULL && strcmp(optimizer, "adam") != 0) {
        return sow_cli_usage(options->verb, "--optimizer %.60s: it is adam or sgd", optimizer);
    }
    return read_rates(options, request);
}

static void free_request(struct request *request)
{
    free(request->rules);
}

/* ---- Running it ------------------------------------------------------------------------------------ */

int sow_cli_learn_run(const struct sow_cli_source *source, const struct sow_signal_options *signal,
                      const struct sow_cli_options *options, struct sow_learning **learned)
{
    struct sow_error error;
    struct sow_cli_progress progress;
    struct request request;
    int code = read_request(options, &request);
    if (code != SOW_EXIT_DONE) {
        free_request(&request);
        return code;
    }
    request.steps.progress = sow_cli_progress;
    request.steps.progress_user = &progress;
    request.steps.interrupted = sow_cli_interrupts();
    sow_cli_progress_begin(&progress, "learning", options->quiet);
    progress.steps = 1;
    enum sow_status status =
        sow_learn(source->model, source->plan, signal, &request.steps, learned, &error);
    sow_cli_progress_end(&progress);
    free_request(&request);
    if (status == SOW_OK) {
        return SOW_EXIT_DONE;
    }
    if (status == SOW_E_INTERRUPTED) {
        sow_cli_say("note", *learned != NULL ? "interrupted: these are the steps taken so far"
                                             : "interrupted before the first step");
        return sow_cli_interrupted_code();
    }
    return sow_cli_fail(&error);
}

int sow_cli_learns(const struct sow_learning *learned)
{
    const struct sow_learning_report *report = sow_learning_report(learned);
    return isfinite(report->loss[report->done]);
}

/* ---- For machines ---------------------------------------------------------------------------------- */

static void add_numbers(struct sow_cli_text *text, const char *key, const double *numbers,
                        size_t count)
{
    sow_cli_add(text, ", \"%s\": [", key);
    for (size_t i = 0; i < count; i++) {
        sow_cli_add(text, i > 0 ? ", " : "");
        sow_cli_add_number(text, numbers[i]);
    }
    sow_cli_add(text, "]");
}

static void add_value(struct sow_cli_text *text, const struct sow_learned_value *value,
                      uint32_t steps)
{
    sow_cli_add(text, "{\"name\": ");
    sow_cli_add_json(text, value->name);
    sow_cli_add(text, ", \"operation\": \"%s\", \"layer\": %ld, \"size\": ", value->word,
                (long)value->layer);
    sow_cli_add_number(text, value->size);
    sow_cli_add_key_number(text, "rms", value->rms);
    add_numbers(text, "change", value->change, steps + 1);
    add_numbers(text, "change_rms", value->change_rms, steps + 1);
    sow_cli_add(text, "}");
}

static void add_weight(struct sow_cli_text *text, const struct sow_learned_weight *weight,
                       uint32_t steps)
{
    sow_cli_add(text, "{\"name\": ");
    sow_cli_add_json(text, weight->name);
    sow_cli_add_key_number(text, "rate", weight->rate);
    sow_cli_add_key_number(text, "rms", weight->rms);
    add_numbers(text, "ratio", weight->ratio, steps);
    if (weight->moves < 0) {
        sow_cli_add(text, ", \"moves\": null}");
    } else {
        sow_cli_add(text, ", \"moves\": %ld}", (long)weight->moves);
    }
}

void sow_cli_add_learning(struct sow_cli_text *text, const struct sow_learning *learned,
                          const struct sow_cli_options *options)
{
    const struct sow_learning_report *report = sow_learning_report(learned);
    const struct sow_learned_value *value;
    const struct sow_learned_weight *weight;
    sow_cli_add(text, "{\"steps\": %u, \"done\": %u, \"seeds\": %u, \"optimizer\": \"%s\", ",
                report->steps, report->done, report->seeds,
                options->optimizer != NULL ? options->optimizer : "adam");
    sow_cli_add(text, "\"classes\": %llu, \"seconds\": ", (unsigned long long)report->classes);
    sow_cli_add_number(text, report->seconds);
    sow_cli_add(text, ", \"memory_bytes\": %llu", (unsigned long long)report->memory_bytes);
    add_numbers(text, "loss", report->loss, report->steps + 1);
    sow_cli_add(text, ",\n    \"values\": [");
    for (size_t i = 0; (value = sow_learned_value_at(learned, i)) != NULL; i++) {
        sow_cli_add(text, "%s\n      ", i > 0 ? "," : "");
        add_value(text, value, report->steps);
    }
    sow_cli_add(text, "],\n    \"weights\": [");
    for (size_t i = 0; (weight = sow_learned_weight_at(learned, i)) != NULL; i++) {
        sow_cli_add(text, "%s\n      ", i > 0 ? "," : "");
        add_weight(text, weight, report->steps);
    }
    sow_cli_add(text, "]}");
}

/* ---- CSV ------------------------------------------------------------------------------------------ */

static void add_field(struct sow_cli_text *text, double number)
{
    sow_cli_add(text, isnan(number) ? "," : ",%.17g", number);
}

void sow_cli_add_learned_titles(struct sow_cli_text *text, const struct sow_learning *learned)
{
    sow_cli_add(text, ",size");
    for (uint32_t t = 1; t <= sow_learning_report(learned)->steps; t++) {
        sow_cli_add(text, ",moved_after_%u", t);
    }
}

void sow_cli_add_learned_csv(struct sow_cli_text *text, const struct sow_learning *learned,
                             size_t index)
{
    const struct sow_learned_value *value = sow_learned_value_at(learned, index);
    add_field(text, value->size);
    for (uint32_t t = 1; t <= sow_learning_report(learned)->steps; t++) {
        add_field(text, value->change[t]);
    }
}

void sow_cli_add_learned_block(struct sow_cli_text *text, const struct sow_learning *learned)
{
    const struct sow_learning_report *report = sow_learning_report(learned);
    const struct sow_learned_weight *weight;
    sow_cli_add(text, "\nstep,loss");
    for (size_t i = 0; (weight = sow_learned_weight_at(learned, i)) != NULL; i++) {
        sow_cli_add(text, ",");
        sow_cli_add_csv_word(text, weight->name);
    }
    sow_cli_add(text, "\n");
    for (uint32_t t = 0; t <= report->steps; t++) {
        sow_cli_add(text, "%u", t);
        add_field(text, report->loss[t]);
        for (size_t i = 0; (weight = sow_learned_weight_at(learned, i)) != NULL; i++) {
            add_field(text, t > 0 ? weight->ratio[t - 1] : NAN);
        }
        sow_cli_add(text, "\n");
    }
}
