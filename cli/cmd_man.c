/* SPDX-License-Identifier: MIT */
/* sow man: the manual page sow(1) in roff, made of the rows of options.def. */
#include <stdio.h>
#include <string.h>

#include "cmd.h"

/* Prints words with roff's special characters made plain. */
static void put(const char *words, size_t length)
{
    int line_start = 1;
    for (size_t i = 0; i < length; i++) {
        char c = words[i];
        if (c == '\\') {
            fputs("\\e", stdout);
        } else if (c == '-') {
            fputs("\\-", stdout);
        } else if (c == '\'') {
            fputs("\\(aq", stdout);
        } else if (c == '`') {
            fputs("\\(ga", stdout);
        } else if (c == '~') {
            fputs("\\(ti", stdout);
        } else if (c == '^') {
            fputs("\\(ha", stdout);
        } else {
            fputs(c == '.' && line_start ? "\\&." : (char[]){c, '\0'}, stdout);
        }
        line_start = c == '\n';
    }
}

static void put_line(const char *words)
{
    put(words, strlen(words));
    putchar('\n');
}

/* Paragraphs, one a line of `words`. */
static void put_paragraphs(const char *words)
{
    while (*words != '\0') {
        size_t length = strcspn(words, "\n");
        fputs(".PP\n", stdout);
        put(words, length);
        putchar('\n');
        words += length + (words[length] == '\n');
    }
}

static void put_examples(const char *examples)
{
    while (*examples != '\0') {
        size_t command = strcspn(examples, "\t"), line = strcspn(examples, "\n");
        fputs(".TP\n.B ", stdout);
        put(examples, command);
        putchar('\n');
        put(examples + command + 1, line - command - 1);
        putchar('\n');
        examples += line + 1;
    }
}

static void put_option(const struct sow_option_row *option)
{
    fputs(".TP\n", stdout);
    if (option->letter != 0) {
        printf("\\fB\\-%c\\fR, ", option->letter);
    }
    fputs("\\fB\\-\\-", stdout);
    put(option->name, strlen(option->name));
    fputs("\\fR", stdout);
    if (option->value[0] != '\0') {
        fputs(" \\fI", stdout);
        put(option->value, strlen(option->value));
        fputs("\\fR", stdout);
    }
    putchar('\n');
    put_line(option->help);
    if (option->more[0] != '\0') {
        fputs(".br\n", stdout);
        put_line(option->more);
    }
}

static void put_verb(enum sow_verb verb)
{
    const struct sow_verb_row *row = &sow_verb_rows[verb];
    fputs(".SS sow ", stdout);
    put(row->name, strlen(row->name));
    fputs(row->arguments[0] != '\0' ? " " : "", stdout);
    put_line(row->arguments);
    fputs(".PP\n", stdout);
    put_line(row->summary);
    put_paragraphs(row->text);
    for (int option = 0; option < SOW_OPTION_help; option++) {
        if (sow_cli_belongs((enum sow_option)option, verb)) {
            put_option(&sow_option_rows[option]);
        }
    }
    fputs(".PP\nExamples:\n", stdout);
    put_examples(row->examples);
}

int sow_cmd_man(const struct sow_cli_options *options)
{
    (void)options;
    puts(".TH SOW 1 \"\" \"sow " SOW_VERSION "\" \"User Commands\"\n"
         ".SH NAME\nsow \\- a model\\(aqs initial weights from one seed\n"
         ".SH SYNOPSIS\n.B sow\n.I VERB\n[\\fIargument\\fR ...] [\\fIoption\\fR ...]\n"
         ".SH DESCRIPTION\n"
         "From a seed and the description of a model\n.B sow\nmakes the model\\(aqs initial "
         "weights: the right scheme for\n"
         "every layer, the same bits on every machine, and the proof of what was written.\n"
         "It needs no framework, no GPU and little memory, whatever the size of the model.\n"
         ".PP\nOptions stand anywhere after the verb, once each unless they say \"may be "
         "repeated\";\n"
         "\\fB\\-\\-\\fR ends them. They are not abbreviated.\n"
         "Results go to standard output, messages to standard error.\n"
         ".SH VERBS");
    for (int verb = 0; verb < SOW_VERB_COUNT; verb++) {
        put_verb((enum sow_verb)verb);
    }
    puts(".SH MODEL FAMILIES\nInside the tool, beside those of \\fB\\-\\-recipes\\fR:");
    const char *family;
    for (size_t i = 0; (family = sow_family_name(i)) != NULL; i++) {
        put_line(family);
    }
    puts(".SH EXIT STATUS");
    for (const struct sow_exit_row *row = sow_exit_rows; row->meaning != NULL; row++) {
        printf(".TP\n.B %d\n", row->code);
        put_line(row->meaning);
    }
    puts(".SH ENVIRONMENT");
    for (const struct sow_environment_row *row = sow_environment_rows; row->name != NULL; row++) {
        printf(".TP\n.B %s\n", row->name);
        put_line(row->meaning);
    }
    puts(".SH REPRODUCIBILITY\n"
         "A value is a function of the stream\\(aqs version, the seed, the tensor\\(aqs name, the "
         "element and the scheme;\n"
         "not of threads, shards, chunks, the instruction set, the compiler or the machine.\n"
         "Stream 1 never changes a bit. At its end \\fBsow init\\fR prints the version, the "
         "stream, the seed,\n"
         "the hash of the plan, the fingerprint of the output and the command that repeats it.");
    return SOW_EXIT_DONE;
}
