/* SPDX-License-Identifier: MIT */
/* sow verify: the verdict of the library, in words. */
#include <string.h>

#include "cmd.h"
#include "cli/text/format.h"
#include "cli/text/message.h"

static void add_verdict(struct sow_cli_text *text, const struct sow_verify_report *report)
{
    sow_cli_add(text, "verified: %llu tensors, ", (unsigned long long)report->tensors);
    sow_cli_add_count(text, report->bytes);
    sow_cli_add(text, " bytes, seed %llu, plan hash %s, output %s, ",
                (unsigned long long)report->seed, report->plan_hash, report->fingerprint);
    sow_cli_add_speed(text, report->bytes, report->seconds);
    sow_cli_add(text, "\n");
}

static void add_difference(struct sow_cli_text *text, const struct sow_verify_report *report)
{
    sow_cli_add(text, "different: tensor ");
    sow_cli_add_safe(text, report->tensor, strlen(report->tensor), 0);
    sow_cli_add(text,
                ", element %llu: expected %s, found %s\n%llu of %llu tensors differ (seed %llu)\n",
                (unsigned long long)report->element, report->expected, report->found,
                (unsigned long long)report->differing_tensors, (unsigned long long)report->tensors,
                (unsigned long long)report->seed);
}

static int verify(const struct sow_cli_options *options, const struct sow_plan *plan)
{
    struct sow_error error;
    struct sow_verify_report report = {0};
    struct sow_cli_progress progress;
    struct sow_cli_text text = {0};
    struct sow_verify_options verifying = {
        .plan = plan,
        .threads = (uint32_t)options->threads,
        .progress = sow_cli_progress,
        .progress_user = &progress,
        .interrupted = sow_cli_interrupts(),
    };
    int code = SOW_EXIT_DONE;
    sow_cli_progress_begin(&progress, "verifying", options->quiet);
    enum sow_status status = sow_verify(options->arguments[0], &verifying, &report, &error);
    sow_cli_progress_end(&progress);
    sow_cli_say("warning", report.warnings);
    sow_cli_text_clear(&text);
    if (status == SOW_OK) {
        add_verdict(&text, &report);
    } else if (status == SOW_E_MISMATCH && report.expected[0] != '\0') {
        add_difference(&text, &report);
        code = sow_cli_exit_code(&error);
    } else {
        code = sow_cli_fail(&error);
    }
    fputs(text.bytes, stdout);
    sow_cli_text_free(&text);
    return code;
}

/* Options that say what to draw mean nothing while the record in the file says it. */
static int check(const struct sow_cli_options *options)
{
    static const enum sow_option drawing[] = {
        SOW_OPTION_seed,       SOW_OPTION_dtype,           SOW_OPTION_variant,
        SOW_OPTION_sets,       SOW_OPTION_rules,           SOW_OPTION_recipes,
        SOW_OPTION_activation, SOW_OPTION_activation_expr, SOW_OPTION_scheme};
    for (size_t i = 0; options->source == NULL && i < sizeof drawing / sizeof *drawing; i++) {
        if (sow_cli_given(options, drawing[i])) {
            return sow_cli_usage(
                options->verb,
                "--%s needs --source: without it the record in the file says what to draw",
                sow_option_rows[drawing[i]].name);
        }
    }
    return SOW_EXIT_DONE;
}

int sow_cmd_verify(const struct sow_cli_options *options)
{
    struct sow_cli_source source = {0};
    int code = check(options);
    if (code == SOW_EXIT_DONE && options->source != NULL) {
        code = sow_cli_source_load(options->source, options, &source);
    }
    if (code == SOW_EXIT_DONE) {
        code = verify(options, source.plan);
    }
    sow_cli_source_free(&source);
    return code;
}
