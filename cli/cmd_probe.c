/* SPDX-License-Identifier: MIT */
/* sow probe: whether signals and gradients survive the depth, predicted from the plan and, on request, measured and
 * drawn. */
#include "cmd.h"
#include "message.h"
#include "picture.h"
#include "probe.h"

/* An interrupted measurement ends with its code, and with what is known. */
static int run_one(const struct sow_cli_options *options, struct sow_cli_run *run)
{
    struct sow_error error;
    struct sow_signal_options how = {.batch = options->batch, .tokens = options->tokens};
    int code = sow_cli_source_load(options->arguments[0], options, &run->source);
    if (code == SOW_EXIT_DONE && sow_probe_predict(run->source.model, run->source.plan, &how,
                                                   &run->probe, &error) != SOW_OK) {
        code = sow_cli_fail(&error);
    }
    if (code == SOW_EXIT_DONE && sow_cli_measures(options)) {
        code = sow_cli_measure(&run->source, &how, options, &run->measured);
    }
    return code;
}

static void run_free(struct sow_cli_run *run)
{
    sow_measurement_free(run->measured);
    sow_probe_free(run->probe);
    sow_cli_source_free(&run->source);
}

/* "sow probe gpt2/config.json --variant hf", as the title of pictures. */
static void add_title(struct sow_cli_text *text, const struct sow_cli_options *options)
{
    sow_cli_add(text, "sow probe ");
    sow_cli_add_shell(text, options->arguments[0]);
    sow_cli_source_options(text, options);
}

int sow_cmd_probe(const struct sow_cli_options *options)
{
    struct sow_cli_text title = {0};
    int code = sow_cli_check_plot(options);
    if (code != SOW_EXIT_DONE) {
        return code;
    }
    add_title(&title, options);
    struct sow_cli_runs runs = {.title = title.bytes, .count = 1};
    struct sow_cli_run *run = &runs.items[0];
    run->title = options->arguments[0];
    code = run_one(options, run);
    if (code == SOW_EXIT_DONE || run->measured != NULL) {
        const struct sow_variant *variant = sow_cli_source_variant(&run->source, options);
        if (options->json) {
            sow_cli_probe_json(run->probe, run->measured, variant != NULL ? variant->name : NULL);
        } else if (options->csv) {
            sow_cli_probe_csv(run->probe, run->measured);
        } else {
            sow_cli_probe_table(run->probe, run->measured, options);
        }
        int drawn = options->plot != NULL ? sow_cli_plot(&runs, options) : SOW_EXIT_DONE;
        code = code != SOW_EXIT_DONE ? code : drawn;
    }
    run_free(run);
    sow_cli_text_free(&title);
    return code;
}
