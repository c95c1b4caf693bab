/* SPDX-License-Identifier: MIT */
/* The verdicts of sow probe: for people below the table, for machines in the JSON, and the list of codes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cmd.h"
#include "cli/text/message.h"
#include "probe.h"
#include "cli/stats.h"

/* ---- The lists ------------------------------------------------------------------------------------ */

static void add_pair(struct sow_cli_text *text, const char *key, const char *value)
{
    sow_cli_add(text, ", \"%s\": ", key);
    if (value == NULL) {
        sow_cli_add(text, "null");
    } else {
        sow_cli_add_json(text, value);
    }
}

static void print_lists_json(void)
{
    struct sow_cli_text text = {0};
    const struct sow_verdict_code *code;
    const struct sow_threshold *threshold;
    sow_cli_add(&text, "{\"codes\": [");
    for (size_t i = 0; (code = sow_verdict_code_at(i)) != NULL; i++) {
        sow_cli_add(&text, "%s\n  {\"code\": \"%s\"", i > 0 ? "," : "", code->code);
        add_pair(&text, "threshold", code->threshold);
        add_pair(&text, "title", code->title);
        add_pair(&text, "meaning", code->meaning);
        add_pair(&text, "cure", code->cure);
        sow_cli_add(&text, "}");
    }
    sow_cli_add(&text, "\n], \"thresholds\": [");
    for (size_t i = 0; (threshold = sow_threshold_at(i)) != NULL; i++) {
        sow_cli_add(&text, "%s\n  {\"name\": \"%s\", \"value\": %g", i > 0 ? "," : "",
                    threshold->name, threshold->value);
        add_pair(&text, "meaning", threshold->meaning);
        sow_cli_add(&text, "}");
    }
    sow_cli_add(&text, "\n]}\n");
    fputs(text.bytes, stdout);
    sow_cli_text_free(&text);
}

void sow_cli_verdict_codes(int json)
{
    const struct sow_verdict_code *code;
    const struct sow_threshold *threshold;
    if (json) {
        print_lists_json();
        return;
    }
    for (size_t i = 0; (code = sow_verdict_code_at(i)) != NULL; i++) {
        printf("%-15s %s\n", code->code, code->title);
    }
    puts("\nthresholds (--threshold NAME=VALUE):");
    for (size_t i = 0; (threshold = sow_threshold_at(i)) != NULL; i++) {
        struct sow_cli_text text = {0};
        sow_cli_add(&text, "%s=%g: %s", threshold->name, threshold->value, threshold->meaning);
        sow_cli_print_paragraph(text.bytes);
        sow_cli_text_free(&text);
    }
}

/* ---- Judging ----------------------------------------------------------------------------------------- */

/* "NAME=VALUE"; the name goes into `names`, which the threshold points to. */
static int read_threshold(const char *text, struct sow_threshold *threshold, char name[64])
{
    const char *equals = strchr(text, '=');
    char *end = NULL;
    size_t length = equals != NULL ? (size_t)(equals - text) : 0;
    if (length == 0 || length > 63) {
        return 0;
    }
    memcpy(name, text, length);
    name[length] = '\0';
    *threshold = (struct sow_threshold){name, strtod(equals + 1, &end), NULL};
    return end != equals + 1 && *end == '\0';
}

/* What is twice in a file, or one constant. */
static int check_weights(const struct sow_cli_options *options, struct sow_check **check)
{
    static const char *const only[] = {"twins",      "identical-layers", "permuted-copy",
                                       "equal-rows", "equal-columns",    "permuted-rows",
                                       "near-rows",  "near-columns",     "constant"};
    struct sow_check_options how = {.no_record = 1,
                                    .only = only,
                                    .only_count = sizeof only / sizeof only[0],
                                    .threads = (uint32_t)options->threads};
    struct sow_error error;
    return options->weights == NULL ||
                   sow_check_load(options->weights, &how, check, &error) == SOW_OK
               ? SOW_EXIT_DONE
               : sow_cli_fail(&error);
}

int sow_cli_judge(const struct sow_cli_source *source, const struct sow_signal_options *how,
                  const struct sow_probe *probe, const struct sow_measurement *measured,
                  const struct sow_cli_options *options, struct sow_judgement **judgement)
{
    size_t count = options->thresholds.count;
    struct sow_threshold *thresholds = sow_cli_allocate(NULL, count + 1, sizeof *thresholds);
    char(*names)[64] = sow_cli_allocate(NULL, count + 1, sizeof *names);
    struct sow_plan_options planning = {.seed = options->seed,
                                        .dtype = options->dtype,
                                        .variant = options->variant,
                                        .sets = options->sets.items,
                                        .set_count = options->sets.count,
                                        .rules_file = options->rules};
    struct sow_judge_options judging = {.thresholds = thresholds,
                                        .threshold_count = count,
                                        .measured = measured,
                                        .planning = &planning};
    struct sow_error error;
    /* cures stand in the place of --scheme, which a short form's model holds */
    struct sow_model_options reading = {.recipes_dir = options->recipes,
                                        .activation = options->activation,
                                        .expression = options->activation_expr};
    struct sow_model *bare = NULL;
    struct sow_check *check = NULL;
    int code = check_weights(options, &check);
    judging.checked = check;
    judging.without_cures = options->compare.count > 0;
    for (size_t i = 0; i < count && code == SOW_EXIT_DONE; i++) {
        if (!read_threshold(options->thresholds.items[i], &thresholds[i], names[i])) {
            code =
                sow_cli_usage(options->verb, "--threshold %s: it is NAME=NUMBER, such as vanish=20",
                              options->thresholds.items[i]);
        }
    }
    if (code == SOW_EXIT_DONE && options->scheme != NULL &&
        sow_model_load(options->arguments[0], &reading, &bare, &error) != SOW_OK) {
        code = sow_cli_fail(&error);
    }
    if (code == SOW_EXIT_DONE && sow_judge(bare != NULL ? bare : source->model, source->plan, how,
                                           probe, &judging, judgement, &error) != SOW_OK) {
        code = sow_cli_fail(&error);
    }
    sow_model_free(bare);
    sow_check_free(check);
    free(thresholds);
    free(names);
    return code;
}

/* ---- For people ---------------------------------------------------------------------------------------- */

void sow_cli_add_cure(struct sow_cli_text *text, const char *cure,
                      const struct sow_cli_options *options)
{
    struct sow_cli_options rest = *options;
    int replaced = strncmp(cure, "--variant", 9) == 0;
    rest.variant = replaced ? NULL : options->variant;
    rest.rules = replaced ? NULL : options->rules;
    rest.scheme = NULL;
    rest.sets.count = 0;
    sow_cli_add(text, "sow probe ");
    sow_cli_add_shell(text, options->arguments[0]);
    sow_cli_add(text, " %s", cure);
    sow_cli_source_options(text, &rest);
}

/* One line, whatever its length: it is to be pasted. */
static void print_command(const char *label, const char *cure,
                          const struct sow_cli_options *options)
{
    struct sow_cli_text text = {0};
    sow_cli_add(&text, "%s: ", label);
    sow_cli_add_cure(&text, cure, options);
    puts(text.bytes);
    sow_cli_text_free(&text);
}

static void print_cure(const struct sow_verdict *verdict, const struct sow_cli_options *options)
{
    struct sow_cli_text text = {0}, lines = {0};
    if (verdict->cure != NULL) {
        print_command("    cure", verdict->cure, options);
    }
    if (verdict->leaves != NULL) {
        sow_cli_add(&text, "with it %s stays: another fault", verdict->leaves);
    } else if (verdict->cure == NULL) {
        sow_cli_add(&text, "cure: %s", verdict->code->cure);
    }
    if (text.length > 0) {
        sow_cli_add_paragraph(&lines, text.bytes, 4, sow_cli_prose_width());
        fputs(lines.bytes, stdout);
    }
    sow_cli_text_free(&lines);
    sow_cli_text_free(&text);
}

static void print_verdict(const struct sow_verdict *verdict, const struct sow_cli_options *options)
{
    struct sow_cli_text text = {0}, lines = {0};
    int note = verdict->severity == SOW_SEVERITY_NOTE,
        colored = sow_cli_colored(stdout, options->color);
    sow_cli_add(&text, "%s%s%s%s: ", note ? "note " : "",
                sow_cli_style(note ? SOW_BOLD : SOW_RED, colored), verdict->code->code,
                sow_cli_style(SOW_PLAIN, colored));
    sow_cli_add(&text, "starts at ");
    sow_cli_add_safe(&text, verdict->where, strlen(verdict->where), 0);
    if (verdict->places > 1) {
        sow_cli_add(&text, " (%llu places)", (unsigned long long)verdict->places);
    }
    puts(text.bytes);
    sow_cli_text_clear(&text);
    sow_cli_add(&text, "%s", verdict->measured ? "measured: " : "");
    sow_cli_add_safe(&text, verdict->reason, strlen(verdict->reason), 0);
    sow_cli_add_paragraph(&lines, text.bytes, 4, sow_cli_prose_width());
    fputs(lines.bytes, stdout);
    sow_cli_text_free(&lines);
    sow_cli_text_free(&text);
    if (!note || verdict->cure != NULL) {
        print_cure(verdict, options);
    }
}

void sow_cli_add_codes(struct sow_cli_text *text, const struct sow_judgement *judgement)
{
    const struct sow_verdict *verdict;
    if (sow_judgement_healthy(judgement)) {
        sow_cli_add(text, "healthy");
    }
    for (size_t i = 0; (verdict = sow_verdict_at(judgement, i)) != NULL; i++) {
        if (verdict->severity != SOW_SEVERITY_NOTE) {
            sow_cli_add(text, "%s%s at ", i > 0 ? ", " : "", verdict->code->code);
            sow_cli_add_safe(text, verdict->where, strlen(verdict->where), 0);
        }
    }
}

void sow_cli_verdicts_print(const struct sow_judgement *judgement,
                            const struct sow_cli_options *options)
{
    const struct sow_first_loss *loss = sow_first_loss(judgement);
    const struct sow_verdict *verdict;
    if (loss->classes > 0) {
        struct sow_cli_text text = {0};
        sow_cli_add(&text,
                    "first loss %.6g, if the %llu outputs are logits of classes: ln(%llu) = %.5g",
                    loss->loss, (unsigned long long)loss->classes,
                    (unsigned long long)loss->classes, loss->uniform);
        sow_cli_add(&text, " and what logits of std %.3g add", loss->logit_std);
        sow_cli_print_paragraph(text.bytes);
        sow_cli_text_free(&text);
    }
    putchar('\n');
    for (size_t i = 0; (verdict = sow_verdict_at(judgement, i)) != NULL; i++) {
        print_verdict(verdict, options);
    }
    if (sow_judgement_cure(judgement) != NULL) {
        print_command("cure of all", sow_judgement_cure(judgement), options);
    }
    if (sow_judgement_healthy(judgement)) {
        puts("healthy: signals and gradients survive the depth");
    }
}

/* ---- For machines ---------------------------------------------------------------------------------------- */

void sow_cli_add_verdicts(struct sow_cli_text *text, const struct sow_judgement *judgement)
{
    const struct sow_first_loss *loss = sow_first_loss(judgement);
    const struct sow_verdict *verdict;
    sow_cli_add(text, "  \"healthy\": %s,\n  \"first_loss\": ",
                sow_judgement_healthy(judgement) ? "true" : "false");
    if (loss->classes == 0) {
        sow_cli_add(text, "null");
    } else {
        sow_cli_add(text, "{\"classes\": %llu, \"logit_std\": ", (unsigned long long)loss->classes);
        sow_cli_add_number(text, loss->logit_std);
        sow_cli_add_key_number(text, "loss", loss->loss);
        sow_cli_add_key_number(text, "uniform", loss->uniform);
        sow_cli_add(text, "}");
    }
    sow_cli_add(text, ",\n  \"cure_of_all\": ");
    if (sow_judgement_cure(judgement) != NULL) {
        sow_cli_add_json(text, sow_judgement_cure(judgement));
    } else {
        sow_cli_add(text, "null");
    }
    sow_cli_add(text, ",\n  \"verdicts\": [");
    for (size_t i = 0; (verdict = sow_verdict_at(judgement, i)) != NULL; i++) {
        sow_cli_add(text, "%s\n    {\"code\": \"%s\", \"severity\": \"%s\", \"where\": ",
                    i > 0 ? "," : "", verdict->code->code, sow_severity_name(verdict->severity));
        sow_cli_add_json(text, verdict->where);
        sow_cli_add(text, ", \"layer\": %ld, \"places\": %llu, \"how\": \"%s\"",
                    (long)verdict->layer, (unsigned long long)verdict->places,
                    verdict->measured ? "measured" : "predicted");
        add_pair(text, "reason", verdict->reason);
        sow_cli_add_key_number(text, "number", verdict->number);
        sow_cli_add_key_number(text, "threshold", verdict->threshold);
        add_pair(text, "cure", verdict->cure);
        add_pair(text, "leaves", verdict->leaves);
        add_pair(text, "advice", verdict->code->cure);
        sow_cli_add(text, "}");
    }
    sow_cli_add(text, "%s],\n", sow_verdict_at(judgement, 0) != NULL ? "\n  " : "");
}
