/* SPDX-License-Identifier: MIT */
/* sow schemes: the catalogue of initialisers, as the core keeps it. */
#include <math.h>
#include <string.h>

#include "cmd.h"
#include "cli/text/message.h"
#include "cli/text/format.h"

#define NAME_COLUMNS 23

/* Gains by word, which every scheme with a `gain` takes: those that frameworks have a word on. */
static void add_gains(struct sow_cli_text *text)
{
    struct sow_cli_text words = {0};
    const struct sow_activation *row;
    double gain;
    const char *before = "";
    sow_cli_add(&words, "A gain is a number, the name of an activation, or exact, torch, nfnet or "
                        "critical with activation = ...; `sow activations` lists them:");
    for (size_t i = 0; (row = sow_activation_at(i)) != NULL; i++) {
        if (row->constants != NULL && sow_gain(row->name, NAN, &gain, NULL) == SOW_OK) {
            sow_cli_add(&words, "%s %s %.4g", before, row->name, gain);
            before = ",";
        }
    }
    sow_cli_add_paragraph(text, words.bytes, 0, sow_cli_prose_width());
    sow_cli_text_free(&words);
}

/* A name, and words beside it in a column of their own. */
static void add_entry(struct sow_cli_text *text, const char *name, const char *words, int column)
{
    size_t begin = text->length, length = strlen(name);
    sow_cli_add_paragraph(text, words, column, sow_cli_prose_width());
    memcpy(text->bytes + begin, name, length < (size_t)column ? length : (size_t)column - 1);
}

static void print_all(int colored)
{
    const struct sow_scheme *scheme;
    struct sow_cli_text text = {0};
    sow_cli_add(&text, "%s%-*s%s%s\n", sow_cli_style(SOW_BOLD, colored), NAME_COLUMNS, "scheme",
                "what it draws", sow_cli_style(SOW_PLAIN, colored));
    for (size_t i = 0; (scheme = sow_scheme_at(i)) != NULL; i++) {
        add_entry(&text, scheme->name, scheme->summary, NAME_COLUMNS);
    }
    sow_cli_add(&text, "\n");
    add_gains(&text);
    fputs(text.bytes, stdout);
    sow_cli_text_free(&text);
}

/* "as a rule: --set '*.weight=normal{std=...}'": what must be written is shown. */
static void add_rule(struct sow_cli_text *text, const struct sow_scheme *scheme)
{
    const char *before = "{";
    sow_cli_add(text, "\nas a rule: --set '*.weight=%s", scheme->name);
    for (size_t i = 0; i < scheme->parameter_count; i++) {
        if (scheme->parameters[i].default_text == NULL) {
            sow_cli_add(text, "%s%s=...", before, scheme->parameters[i].name);
            before = ", ";
        }
    }
    sow_cli_add(text, "%s'\n", before[0] == ',' ? "}" : "");
}

static void print_one(const struct sow_scheme *scheme)
{
    struct sow_cli_text text = {0}, words = {0};
    add_entry(&text, "name", scheme->name, 10);
    sow_cli_add(&words, "%s", scheme->aliases[0] != NULL ? scheme->aliases[0] : "");
    for (size_t i = 1; scheme->aliases[0] != NULL && scheme->aliases[i] != NULL; i++) {
        sow_cli_add(&words, ", %s", scheme->aliases[i]);
    }
    if (words.length > 0) {
        add_entry(&text, "also", words.bytes, 10);
    }
    add_entry(&text, "draws", scheme->summary, 10);
    add_entry(&text, "formula", scheme->formula, 10);
    add_entry(&text, "source", scheme->source, 10);
    add_entry(&text, "fans",
              scheme->needs_fans ? "needed: a weight of rank 2 or more" : "not needed", 10);
    sow_cli_add(&text, scheme->parameter_count > 0 ? "\nparameters\n" : "\nno parameters\n");
    for (size_t i = 0; i < scheme->parameter_count; i++) {
        const struct sow_scheme_parameter *parameter = &scheme->parameters[i];
        const char *value = parameter->default_text;
        sow_cli_text_clear(&words);
        sow_cli_add(&words, value != NULL ? "%s (default: %s)" : "%s (required)",
                    parameter->summary, value);
        size_t begin = text.length;
        add_entry(&text, "", words.bytes, 18);
        memcpy(text.bytes + begin + 2, parameter->name, strlen(parameter->name));
    }
    add_rule(&text, scheme);
    fputs(text.bytes, stdout);
    sow_cli_text_free(&words);
    sow_cli_text_free(&text);
}

static void add_json(struct sow_cli_text *text, const struct sow_scheme *scheme)
{
    sow_cli_add(text, "{\"name\":");
    sow_cli_add_json(text, scheme->name);
    sow_cli_add(text, ",\"aliases\":[");
    for (size_t i = 0; scheme->aliases[i] != NULL; i++) {
        sow_cli_add(text, i > 0 ? "," : "");
        sow_cli_add_json(text, scheme->aliases[i]);
    }
    sow_cli_add(text, "],\"summary\":");
    sow_cli_add_json(text, scheme->summary);
    sow_cli_add(text, ",\"formula\":");
    sow_cli_add_json(text, scheme->formula);
    sow_cli_add(text, ",\"source\":");
    sow_cli_add_json(text, scheme->source);
    sow_cli_add(text, ",\"needs_fans\":%s,\"parameters\":[", scheme->needs_fans ? "true" : "false");
    for (size_t i = 0; i < scheme->parameter_count; i++) {
        const struct sow_scheme_parameter *parameter = &scheme->parameters[i];
        sow_cli_add(text, "%s{\"name\":", i > 0 ? "," : "");
        sow_cli_add_json(text, parameter->name);
        if (parameter->default_text != NULL) { /* required ones have none */
            sow_cli_add(text, ",\"default\":");
            sow_cli_add_json(text, parameter->default_text);
        }
        sow_cli_add(text, ",\"summary\":");
        sow_cli_add_json(text, parameter->summary);
        sow_cli_add(text, "}");
    }
    sow_cli_add(text, "]}");
}

static void print_json(const struct sow_scheme *only)
{
    struct sow_cli_text text = {0};
    const struct sow_scheme *scheme;
    sow_cli_add(&text, "{\"stream\":%d,\"schemes\":[", SOW_STREAM_VERSION);
    const char *before = "\n";
    for (size_t i = 0; (scheme = sow_scheme_at(i)) != NULL; i++) {
        if (only == NULL || scheme == only) {
            sow_cli_add(&text, "%s", before);
            add_json(&text, scheme);
            before = ",\n";
        }
    }
    sow_cli_add(&text, "\n]}\n");
    fputs(text.bytes, stdout);
    sow_cli_text_free(&text);
}

int sow_cmd_schemes(const struct sow_cli_options *options)
{
    struct sow_error error;
    const struct sow_scheme *scheme = NULL;
    if (options->argument_count > 0) {
        scheme = sow_scheme_find(options->arguments[0], &error);
        if (scheme == NULL) {
            return sow_cli_fail(&error);
        }
    }
    if (options->json) {
        print_json(scheme);
    } else if (scheme != NULL) {
        print_one(scheme);
    } else {
        print_all(sow_cli_colored(stdout, options->color));
        if (!options->quiet) {
            sow_cli_say("next", "sow schemes he_normal");
        }
    }
    return SOW_EXIT_DONE;
}
