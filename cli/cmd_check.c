/* SPDX-License-Identifier: MIT */
/* sow check: the findings of the library, for people and for machines; and the list of codes. */
#include <math.h>
#include <string.h>

#include "cmd.h"
#include "cli/text/format.h"
#include "cli/text/message.h"
#include "sow/check.h"
#include "stats.h"

/* ---- The list of codes ---------------------------------------------------------------------------- */

static void print_codes(int json)
{
    const struct sow_check_code *code;
    struct sow_cli_text text = {0};
    sow_cli_add(&text, json ? "{\"codes\": [" : "");
    for (size_t i = 0; (code = sow_check_code_at(i)) != NULL; i++) {
        const char *severity = sow_severity_name(code->severity);
        if (!json) {
            sow_cli_add(&text, "%-17s %-8s %s%s\n", code->code, severity, code->title,
                        code->needs_source ? " (with a source)" : "");
            continue;
        }
        sow_cli_add(
            &text,
            "%s\n  {\"code\": \"%s\", \"severity\": \"%s\", \"needs_source\": %s, \"title\": ",
            i > 0 ? "," : "", code->code, severity, code->needs_source ? "true" : "false");
        sow_cli_add_json(&text, code->title);
        sow_cli_add(&text, ", \"meaning\": ");
        sow_cli_add_json(&text, code->meaning);
        sow_cli_add(&text, ", \"cure\": ");
        sow_cli_add_json(&text, code->cure);
        sow_cli_add(&text, "}");
    }
    sow_cli_add(&text, json ? "\n]}\n" : "");
    fputs(text.bytes, stdout);
    sow_cli_text_free(&text);
}

/* ---- For people ----------------------------------------------------------------------------------- */

static void print_words(const char *label, const char *words)
{
    struct sow_cli_text text = {0}, safe = {0};
    if (words == NULL) {
        return;
    }
    sow_cli_add(&safe, "%s", label);
    sow_cli_add_safe(&safe, words, strlen(words), 0);
    sow_cli_add_paragraph(&text, safe.bytes, 4, sow_cli_prose_width());
    fputs(text.bytes, stdout);
    sow_cli_text_free(&text);
    sow_cli_text_free(&safe);
}

static void print_finding(const struct sow_finding *finding, int colored)
{
    struct sow_cli_text text = {0};
    const char *severity = sow_severity_name(finding->severity);
    sow_cli_add(
        &text, "%s%s %s%s: ",
        sow_cli_style(finding->severity == SOW_SEVERITY_ERROR ? SOW_RED : SOW_BOLD, colored),
        severity, finding->code->code, sow_cli_style(SOW_PLAIN, colored));
    sow_cli_add_safe(&text, finding->where, strlen(finding->where), 0);
    if (finding->scope[0] != '\0') {
        sow_cli_add(&text, " (%s)", finding->scope);
    } else if (finding->tensor_count > 1) {
        sow_cli_add(&text, " (%zu tensors)", finding->tensor_count);
    }
    puts(text.bytes);
    sow_cli_text_clear(&text);
    sow_cli_add(&text, "%s", finding->text);
    if (finding->tensor_count > 1 && finding->found_min < finding->found_max) {
        sow_cli_add(&text, "; %s %.4g to %.4g over the %zu", finding->statistic, finding->found_min,
                    finding->found_max, finding->tensor_count);
    }
    print_words("", text.bytes);
    print_words("cause: ", finding->cause);
    print_words("cure: ", finding->cure);
    sow_cli_text_free(&text);
}

static void print_verdict(const struct sow_check_report *report)
{
    struct sow_cli_text text = {0};
    sow_cli_add(&text, "%s: ", report->errors + report->warnings > 0 ? "not passed" : "passed");
    sow_cli_add_count(&text, report->errors);
    sow_cli_add(&text, " error%s, ", report->errors == 1 ? "" : "s");
    sow_cli_add_count(&text, report->warnings);
    sow_cli_add(&text, " warning%s, ", report->warnings == 1 ? "" : "s");
    sow_cli_add_count(&text, report->notes);
    sow_cli_add(&text, " note%s in ", report->notes == 1 ? "" : "s");
    sow_cli_add_count(&text, report->tensors);
    sow_cli_add(&text, " tensor%s", report->tensors == 1 ? "" : "s");
    if (report->against[0] != '\0') {
        sow_cli_add(&text, "\n");
        sow_cli_add_count(&text, report->judged);
        sow_cli_add(&text, " judged by ");
        sow_cli_add_safe(&text, report->against, strlen(report->against), 0);
    } else {
        sow_cli_add(&text, "\nwithout a source: lint alone (--source CONFIG judges the values)");
    }
    sow_cli_add(&text, "\nread in ");
    sow_cli_add_speed(&text, report->bytes, report->seconds);
    sow_cli_add(&text, "\n");
    fputs(text.bytes, stdout);
    sow_cli_text_free(&text);
}

/* ---- For machines --------------------------------------------------------------------------------- */

static void add_finding(struct sow_cli_text *text, const struct sow_finding *finding)
{
    sow_cli_add(text, "{\"code\": \"%s\", \"severity\": \"%s\"", finding->code->code,
                sow_severity_name(finding->severity));
    sow_cli_add_key_text(text, "where", finding->where);
    sow_cli_add_key_text(text, "scope", finding->scope);
    sow_cli_add(text, ", \"tensors\": [");
    for (size_t i = 0; i < finding->tensor_count; i++) {
        sow_cli_add(text, i > 0 ? ", " : "");
        sow_cli_add_json(text, finding->tensors[i]);
    }
    sow_cli_add(text, "]");
    sow_cli_add_key_text(text, "text", finding->text);
    sow_cli_add_key_text(text, "cause", finding->cause);
    sow_cli_add_key_text(text, "cure", finding->cure);
    sow_cli_add_key_text(text, "statistic", finding->statistic);
    sow_cli_add_key_number(text, "expected", finding->expected);
    sow_cli_add_key_number(text, "found", finding->found);
    sow_cli_add_key_number(text, "found_min", finding->found_min);
    sow_cli_add_key_number(text, "found_max", finding->found_max);
    if (finding->element != UINT64_MAX) {
        sow_cli_add(text, ", \"element\": %llu", (unsigned long long)finding->element);
    }
    sow_cli_add(text, "}");
}

static void print_json(const struct sow_check *check)
{
    const struct sow_check_report *report = sow_check_report(check);
    const struct sow_finding *finding;
    struct sow_cli_text text = {0};
    sow_cli_add(&text,
                "{\n  \"passed\": %s, \"errors\": %llu, \"warnings\": %llu, \"notes\": %llu,\n"
                "  \"tensors\": %llu, \"judged\": %llu, \"not_judged\": %llu, \"bytes\": %llu",
                report->errors + report->warnings == 0 ? "true" : "false",
                (unsigned long long)report->errors, (unsigned long long)report->warnings,
                (unsigned long long)report->notes, (unsigned long long)report->tensors,
                (unsigned long long)report->judged, (unsigned long long)report->not_judged,
                (unsigned long long)report->bytes);
    sow_cli_add_key_text(&text, "against", report->against);
    sow_cli_add(&text, ",\n  \"findings\": [");
    for (size_t i = 0; (finding = sow_check_at(check, i)) != NULL; i++) {
        sow_cli_add(&text, i > 0 ? ",\n    " : "\n    ");
        add_finding(&text, finding);
    }
    sow_cli_add(&text, "\n  ]\n}\n");
    fputs(text.bytes, stdout);
    sow_cli_text_free(&text);
}

/* ---- The run -------------------------------------------------------------------------------------- */

static int check_options(const struct sow_cli_options *options)
{
    static const enum sow_option drawing[] = {
        SOW_OPTION_variant, SOW_OPTION_sets,       SOW_OPTION_rules,           SOW_OPTION_recipes,
        SOW_OPTION_dtype,   SOW_OPTION_activation, SOW_OPTION_activation_expr, SOW_OPTION_scheme};
    for (size_t i = 0; options->source == NULL && i < sizeof drawing / sizeof *drawing; i++) {
        if (sow_cli_given(options, drawing[i])) {
            return sow_cli_usage(options->verb,
                                 "--%s needs --source: it says what the description is",
                                 sow_option_rows[drawing[i]].name);
        }
    }
    if (options->argument_count > 0 && options->codes) {
        return sow_cli_usage(options->verb,
                             "--codes lists all codes and takes no FILE: leave '%s' out",
                             options->arguments[0]);
    }
    if (options->argument_count == 0 && !options->codes) {
        return sow_cli_usage(options->verb, "sow check takes FILE");
    }
    return SOW_EXIT_DONE;
}

static int check_file(const struct sow_cli_options *options)
{
    struct sow_error error;
    struct sow_check *check = NULL;
    struct sow_cli_progress progress;
    const struct sow_finding *finding;
    struct sow_model_options model = {.recipes_dir = options->recipes,
                                      .activation = options->activation,
                                      .expression = options->activation_expr,
                                      .scheme = options->scheme};
    struct sow_plan_options plan = {.dtype = options->dtype,
                                    .variant = options->variant,
                                    .sets = options->sets.items,
                                    .set_count = options->sets.count,
                                    .rules_file = options->rules};
    struct sow_check_options checking = {
        .source = options->source,
        .model = &model,
        .plan = &plan,
        .no_record = options->no_record,
        .only = options->only.items,
        .only_count = options->only.count,
        .ignore = options->ignore.items,
        .ignore_count = options->ignore.count,
        .threads = (uint32_t)options->threads,
        .progress = sow_cli_progress,
        .progress_user = &progress,
        .interrupted = sow_cli_interrupts(),
    };
    sow_cli_progress_begin(&progress, "checking", options->quiet);
    enum sow_status status = sow_check_load(options->arguments[0], &checking, &check, &error);
    sow_cli_progress_end(&progress);
    if (status != SOW_OK) {
        return sow_cli_fail(&error);
    }
    const struct sow_check_report *report = sow_check_report(check);
    int passed = report->errors + report->warnings == 0;
    if (options->json) {
        print_json(check);
    } else {
        int colored = sow_cli_colored(stdout, options->color);
        for (size_t i = 0; (finding = sow_check_at(check, i)) != NULL; i++) {
            print_finding(finding, colored);
        }
        if (!options->quiet) {
            print_verdict(report);
        }
    }
    sow_check_free(check);
    return passed ? SOW_EXIT_DONE : SOW_EXIT_NO;
}

int sow_cmd_check(const struct sow_cli_options *options)
{
    int code = check_options(options);
    if (code == SOW_EXIT_DONE && options->codes) {
        print_codes(options->json);
        return code;
    }
    return code == SOW_EXIT_DONE ? check_file(options) : code;
}
