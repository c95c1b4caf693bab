/* SPDX-License-Identifier: MIT */
/* sow probe: whether signals and gradients survive the depth, predicted from the plan and, on request, measured, drawn,
 * and compared with other schemes; and what is wrong. */
#include <stdlib.h>
#include <string.h>

#include "cli/cmd.h"
#include "cli/text/message.h"
#include "picture.h"
#include "probe.h"
#include "report.h"
#include "signal_options.h"
#include "slopes.h"
#include "widths.h"

/* Of what was interrupted before there was anything to tell. */
static void forget_samples(struct sow_cli_run *run)
{
    static const struct sow_measure_sample none;
    run->asked.of_steps = run->learned != NULL ? run->asked.of_steps : none;
    run->asked.of_jacobian = run->asked.jacobian != NULL ? run->asked.of_jacobian : none;
    run->asked.of_curves = run->asked.curves != NULL ? run->asked.of_curves : none;
}

/* An interrupted measurement ends with its code, and with what is known. */
static int run_one(const struct sow_cli_options *options, struct sow_cli_run *run)
{
    struct sow_error error;
    struct sow_cli_signal sent;
    struct sow_signal_options asked;
    int code = sow_cli_signal_read(options, &sent);
    if (code == SOW_EXIT_DONE) {
        code = sow_cli_source_load(options->arguments[0], options, &run->source);
    }
    asked = sent.how;
    if (code == SOW_EXIT_DONE) {
        code = sow_cli_asked_choose(&run->source, &asked, options, &run->asked);
    }
    if (code == SOW_EXIT_DONE && sow_cli_measures(options)) {
        code = sow_cli_sample_choose(&run->source, &sent.how, options, &run->sample);
    }
    if (code == SOW_EXIT_DONE && sow_probe_predict(run->source.model, run->source.plan, &sent.how,
                                                   &run->probe, &error) != SOW_OK) {
        code = sow_cli_fail(&error);
    }
    if (code == SOW_EXIT_DONE) { /* first: some it refuses when it sees the network */
        code = sow_cli_ask(&run->source, &asked, options, &run->asked);
    }
    if (code == SOW_EXIT_DONE && sow_cli_measures(options)) {
        if (options->plot != NULL || options->report != NULL) {
            sow_cli_ridges_choose(&run->ridges, run);
        }
        sow_cli_sample_predicted(&run->sample, run->probe);
        code = sow_cli_measure(&run->source, &sent.how, options, &run->sample, sow_cli_ridges_watch,
                               &run->ridges, &run->measured);
        if (run->measured == NULL) { /* interrupted before a seed was done: nothing is told of it */
            run->sample = (struct sow_cli_sample){0};
        }
    }
    if (code == SOW_EXIT_DONE && options->steps > 0) {
        asked.batch = run->asked.of_steps.batch;
        asked.tokens = run->asked.of_steps.tokens;
        code = sow_cli_learn_run(&run->source, &asked, options, &run->learned);
    }
    forget_samples(run);
    int is_interrupted = code == sow_cli_interrupted_code();
    if (code == SOW_EXIT_DONE || (is_interrupted && run->probe != NULL)) {
        int judged = sow_cli_judge(&run->source, &sent.how, run->probe, run->measured, options,
                                   options->compare.count == 0 ? &run->judgement : &run->compared);
        code = judged != SOW_EXIT_DONE ? judged : code;
    }
    return code;
}

static void run_free(struct sow_cli_run *run)
{
    sow_cli_ridges_free(&run->ridges);
    sow_cli_asked_free(&run->asked);
    sow_judgement_free(run->judgement);
    sow_judgement_free(run->compared);
    sow_learning_free(run->learned);
    sow_measurement_free(run->measured);
    sow_probe_free(run->probe);
    sow_cli_source_free(&run->source);
}

/* ---- Several schemes ------------------------------------------------------------------------------ */

#define SHORT "mlp:"

static void add_variants(struct sow_cli_text *text, const struct sow_model *model)
{
    const struct sow_variant *variant;
    for (size_t i = 0; (variant = sow_model_variant(model, i)) != NULL; i++) {
        sow_cli_add(text, "%s%s", i > 0 ? ", " : "variants are: ", variant->name);
    }
    sow_cli_add(text, text->length > 0 ? "" : "there are no variants");
}

/* A word of --compare: a variant of the model where it has one of the name, else a scheme of the short form mlp:... */
static int run_word(const struct sow_cli_options *options, const char *word,
                    struct sow_cli_run *run)
{
    struct sow_cli_options with = *options;
    struct sow_model_options reading = {.recipes_dir = options->recipes,
                                        .activation = options->activation,
                                        .expression = options->activation_expr};
    const struct sow_variant *variant;
    struct sow_model *model = NULL;
    struct sow_error error;
    if (sow_model_load(options->arguments[0], &reading, &model, &error) != SOW_OK) {
        return sow_cli_fail(&error);
    }
    with.scheme = word;
    for (size_t i = 0; (variant = sow_model_variant(model, i)) != NULL; i++) {
        if (strcmp(variant->name, word) == 0) {
            with.scheme = NULL;
            with.variant = word;
        }
    }
    if (with.scheme != NULL && strncmp(options->arguments[0], SHORT, sizeof SHORT - 1) != 0) {
        struct sow_cli_text names = {0};
        add_variants(&names, model);
        sow_model_free(model);
        int code = sow_cli_usage(options->verb,
                                 "--compare '%.80s': schemes are compared of short forms such as "
                                 "mlp:784,256x3,10; of this description %s",
                                 word, names.bytes);
        sow_cli_text_free(&names);
        return code;
    }
    sow_model_free(model);
    run->title = word;
    return run_one(&with, run);
}

static int compare(const struct sow_cli_options *options, struct sow_cli_runs *runs)
{
    const struct sow_cli_list *words = &options->compare;
    size_t more = (size_t)options->argument_count - 1;
    int code = SOW_EXIT_DONE;
    if (words->count + more > SOW_RUNS_MAX) {
        return sow_cli_usage(options->verb, "--compare: at most %d schemes stand in one picture",
                             SOW_RUNS_MAX);
    }
    if (options->scheme != NULL || options->variant != NULL) {
        return sow_cli_usage(options->verb, "--compare names the schemes: leave --%s out",
                             options->scheme != NULL ? "scheme" : "variant");
    }
    for (size_t i = 0; i < words->count + more && code == SOW_EXIT_DONE; i++) {
        /* "--compare A B C": A is the option's, B and C are words after it */
        const char *word = i == 0      ? words->items[0]
                           : i <= more ? options->arguments[i]
                                       : words->items[i - more];
        runs->count++;
        code = run_word(options, word, &runs->items[i]);
    }
    return code;
}

/* ---- The whole --------------------------------------------------------------------------------------- */

/* "sow probe gpt2/config.json --variant hf", as the title of pictures. */
static void add_title(struct sow_cli_text *text, const struct sow_cli_options *options)
{
    sow_cli_add(text, "sow probe ");
    sow_cli_add_shell(text, options->arguments[0]);
    sow_cli_source_options(text, options);
}

static void print_one(const struct sow_cli_run *run, const struct sow_cli_options *options)
{
    const struct sow_variant *variant = sow_cli_source_variant(&run->source, options);
    if (options->json) {
        sow_cli_probe_json(run->probe, run->measured, &run->sample, run->judgement, &run->asked,
                           run->learned, variant != NULL ? variant->name : NULL, options);
    } else if (options->csv) {
        sow_cli_probe_csv(run->probe, run->measured, &run->sample, &run->asked, run->learned);
        sow_cli_sample_note(&run->sample, options);
        sow_cli_asked_note(&run->asked, options);
    } else {
        int rows = !options->brief && (run->learned == NULL || run->measured != NULL);
        sow_cli_probe_table(run->probe, run->measured, options, rows);
        sow_cli_sample_print(&run->sample);
        sow_cli_slopes_print(run->probe, run->measured);
        sow_cli_asked_print(&run->asked, NULL);
        if (run->learned != NULL) {
            unsigned char *shown = sow_cli_probe_shown(run->probe, options->all);
            putchar('\n');
            sow_cli_steps_table(run->learned, shown, options);
            free(shown);
        }
        sow_cli_verdicts_print(run->judgement, options);
    }
}

static void print_all(const struct sow_cli_runs *runs, const struct sow_cli_options *options)
{
    struct sow_cli_text text = {0};
    if (options->json) {
        sow_cli_compare_json(runs, options);
    } else if (options->csv) {
        sow_cli_add_picture_data(&text, runs);
        sow_cli_add_compared_losses(&text, runs);
        fputs(text.bytes, stdout);
        sow_cli_text_free(&text);
        sow_cli_sample_note(&runs->items[0].sample, options);
        sow_cli_asked_note(&runs->items[0].asked, options);
    } else {
        sow_cli_compare_table(runs, options);
        sow_cli_sample_print(&runs->items[0].sample); /* the same of all: schemes cost alike */
        for (size_t i = 0; i < runs->count; i++) {
            sow_cli_asked_print(&runs->items[i].asked, runs->items[i].title);
        }
    }
}

static int check(const struct sow_cli_options *options)
{
    if (options->argument_count == 0) {
        return sow_cli_usage(options->verb, "sow probe takes SOURCE");
    }
    if (options->argument_count > 1 && options->compare.count == 0) {
        return sow_cli_usage(options->verb,
                             "'%s' is one argument too many: sow probe SOURCE, or "
                             "sow probe SOURCE --compare SCHEME SCHEME...",
                             options->arguments[1]);
    }
    if (options->json && options->csv) {
        return sow_cli_usage(options->verb, "--json and --csv cannot both be printed; give one");
    }
    if ((options->rates.count > 0 || options->optimizer != NULL) && options->steps == 0 &&
        options->widths == NULL) {
        return sow_cli_usage(options->verb,
                             "--%s is of the steps of learning, and none is taken: give --steps N",
                             options->optimizer != NULL ? "optimizer" : "lr");
    }
    int code = sow_cli_check_plot(options);
    return code != SOW_EXIT_DONE ? code : sow_cli_check_report(options);
}

int sow_cmd_probe(const struct sow_cli_options *options)
{
    struct sow_cli_text title = {0};
    struct sow_cli_runs runs = {0};
    if (options->codes && options->argument_count > 0) {
        return sow_cli_usage(options->verb,
                             "--codes lists all codes and takes no SOURCE: leave '%s' out",
                             options->arguments[0]);
    }
    if (options->codes) {
        sow_cli_verdict_codes(options->json);
        return SOW_EXIT_DONE;
    }
    int code = check(options);
    if (code != SOW_EXIT_DONE || options->widths != NULL) {
        return code != SOW_EXIT_DONE ? code : sow_cli_widths(options);
    }
    add_title(&title, options);
    runs.title = title.bytes;
    if (options->compare.count > 0) {
        code = compare(options, &runs);
    } else {
        runs.count = 1;
        runs.items[0].title = options->arguments[0];
        runs.items[0].options = options;
        code = run_one(options, &runs.items[0]);
    }
    const struct sow_judgement *judgement = runs.items[0].judgement;
    sow_cli_stored_note(runs.items[0].measured, options);
    if (code == SOW_EXIT_DONE || judgement != NULL) {
        if (options->compare.count > 0) {
            print_all(&runs, options);
        } else {
            print_one(&runs.items[0], options);
        }
        int drawn = options->plot != NULL ? sow_cli_plot(&runs, options) : SOW_EXIT_DONE;
        int goes_on = options->report != NULL && drawn != sow_cli_interrupted_code();
        int told = goes_on ? sow_cli_report(&runs, options) : SOW_EXIT_DONE;
        code = code != SOW_EXIT_DONE ? code : drawn != SOW_EXIT_DONE ? drawn : told;
        const struct sow_learning *learned = runs.items[0].learned;
        int wrong = (judgement != NULL && !sow_judgement_healthy(judgement)) ||
                    (learned != NULL && !sow_cli_learns(learned));
        code = code == SOW_EXIT_DONE && wrong ? SOW_EXIT_NO : code;
    }
    for (size_t i = 0; i < runs.count; i++) {
        run_free(&runs.items[i]);
    }
    sow_cli_text_free(&title);
    return code;
}
