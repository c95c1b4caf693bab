/* SPDX-License-Identifier: MIT */
/* sow help, -h and --help: all of it made of the rows of options.def. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "cli/text/format.h"
#include "cli/text/message.h"

/* Rows "command\tcomment\n" of a verb: the first alone, or all. */
static void add_examples(struct sow_cli_text *text, const char *examples, int all)
{
    while (*examples != '\0') {
        size_t command = strcspn(examples, "\t"), line = strcspn(examples, "\n");
        sow_cli_add(text, "  %.*s\n      %.*s\n", (int)command, examples, (int)(line - command - 1),
                    examples + command + 1);
        examples += all ? line + 1 : strlen(examples);
    }
}

/* A name, and words beside it in a column of their own, which go on below where the line is too short. */
static void add_entry(struct sow_cli_text *text, const char *name, const char *words, int column)
{
    int at = (int)strlen(name);
    sow_cli_add(text, "%s", name);
    while (*words != '\0') {
        int size = (int)strcspn(words, " ");
        if (at > column && at + 1 + size > sow_cli_prose_width()) {
            sow_cli_add(text, "\n");
            at = 0;
        }
        int blanks = at < column ? column - at : 1;
        sow_cli_add(text, "%*s%.*s", blanks, "", size, words);
        at += blanks + size;
        words += size + (words[size] != '\0');
    }
    sow_cli_add(text, "\n");
}

static void add_options(struct sow_cli_text *text, enum sow_verb verb, int level)
{
    struct sow_cli_text name = {0};
    for (int row = 0; row < SOW_OPTION_COUNT; row++) {
        const struct sow_option_row *option = &sow_option_rows[row];
        if (!sow_cli_belongs((enum sow_option)row, verb)) {
            continue;
        }
        sow_cli_text_clear(&name);
        if (option->letter != 0) {
            sow_cli_add(&name, "  -%c, --%s", option->letter, option->name);
        } else {
            sow_cli_add(&name, "      --%s", option->name);
        }
        sow_cli_add(&name, "%s%s", option->value[0] != '\0' ? " " : "", option->value);
        add_entry(text, name.bytes, option->help, 26);
        if (level == 2 && option->more[0] != '\0') {
            sow_cli_add_paragraph(text, option->more, 30, sow_cli_prose_width());
        }
    }
    sow_cli_text_free(&name);
}

static void add_exits(struct sow_cli_text *text)
{
    sow_cli_add(text, "\nExit codes:\n");
    for (const struct sow_exit_row *row = sow_exit_rows; row->meaning != NULL; row++) {
        sow_cli_add(text, "%5d  %s\n", row->code, row->meaning);
    }
}

static void add_environment(struct sow_cli_text *text)
{
    sow_cli_add(text, "\nEnvironment:\n");
    for (const struct sow_environment_row *row = sow_environment_rows; row->name != NULL; row++) {
        sow_cli_add(text, "  %s\n", row->name);
        sow_cli_add_paragraph(text, row->meaning, 6, sow_cli_prose_width());
    }
}

/* The model families inside the tool. */
static void add_families(struct sow_cli_text *text)
{
    struct sow_cli_text words = {0};
    const char *name;
    for (size_t i = 0; (name = sow_family_name(i)) != NULL; i++) {
        sow_cli_add(&words, "%s%s", i > 0 ? ", " : "", name);
    }
    sow_cli_add(text, "\nModel families (--recipes DIR adds your own):\n");
    sow_cli_add_paragraph(text, words.bytes, 2, sow_cli_prose_width());
    sow_cli_text_free(&words);
}

void sow_cli_help_verb(enum sow_verb verb, int level)
{
    const struct sow_verb_row *row = &sow_verb_rows[verb];
    struct sow_cli_text text = {0};
    sow_cli_add(&text, "sow %s - %s\n\nExamples:\n", row->name, row->summary);
    add_examples(&text, row->examples, 1);
    sow_cli_add(&text, "\nUsage: sow %s%s%s [options]\n", row->name,
                row->arguments[0] != '\0' ? " " : "", row->arguments);
    if (level == 2 && row->text[0] != '\0') {
        sow_cli_add(&text, "\n");
        sow_cli_add_paragraph(&text, row->text, 0, sow_cli_prose_width());
    }
    sow_cli_add(&text, "\nOptions:\n");
    add_options(&text, verb, level);
    if (level == 2) {
        add_exits(&text);
        add_environment(&text);
        sow_cli_add(&text, "\nThe manual: man sow, or sow man | man -l -\n");
    }
    fputs(text.bytes, stdout);
    sow_cli_text_free(&text);
}

void sow_cli_help(int level)
{
    struct sow_cli_text text = {0}, name = {0};
    sow_cli_add(&text,
                "sow " SOW_VERSION
                " - a model's initial weights from one seed: the right scheme for every layer,\n"
                "the same bits on every machine, proven bit for bit\n\nExamples:\n");
    add_examples(&text, sow_verb_rows[SOW_VERB_init].examples, 0);
    add_examples(&text, sow_verb_rows[SOW_VERB_plan].examples, 0);
    add_examples(&text, sow_verb_rows[SOW_VERB_probe].examples, 0);
    sow_cli_add(&text, "\nVerbs:\n");
    for (int verb = 0; verb < SOW_VERB_COUNT; verb++) {
        sow_cli_text_clear(&name);
        sow_cli_add(&name, "  %s", sow_verb_rows[verb].name);
        add_entry(&text, name.bytes, sow_verb_rows[verb].summary, 14);
    }
    if (level == 2) {
        add_families(&text);
        add_exits(&text);
        add_environment(&text);
        sow_cli_add(&text,
                    "\nOptions stand anywhere after the verb, once each unless they say \"may be "
                    "repeated\"; -- ends them.\n"
                    "The manual: man sow, or sow man | man -l -\n");
    }
    sow_cli_add(&text, "\nNext: sow help init, or sow help VERB\n");
    fputs(text.bytes, stdout);
    sow_cli_text_free(&name);
    sow_cli_text_free(&text);
}

static const char *verb_at(const void *context, size_t index)
{
    (void)context;
    return sow_verb_rows[index].name;
}

int sow_cli_unknown_verb(const char *word)
{
    const char *nearest = sow_cli_nearest(word, verb_at, NULL, SOW_VERB_COUNT);
    if (word[0] == '-') {
        return sow_cli_usage(SOW_VERB_COUNT, "'%s' stands before the verb; write: sow VERB ... %s",
                             word, word);
    }
    if (access(word, F_OK) == 0) {
        return sow_cli_usage(SOW_VERB_COUNT,
                             "'%s' is a file, not a verb; did you mean 'sow plan %s'?", word, word);
    }
    if (nearest != NULL) {
        return sow_cli_usage(SOW_VERB_COUNT, "unknown verb '%s'; did you mean 'sow %s'?", word,
                             nearest);
    }
    return sow_cli_usage(SOW_VERB_COUNT, "unknown verb '%s'", word);
}

int sow_cmd_help(const struct sow_cli_options *options)
{
    if (options->argument_count == 0) {
        sow_cli_help(2);
        return SOW_EXIT_DONE;
    }
    enum sow_verb verb = sow_cli_verb(options->arguments[0]);
    if (verb == SOW_VERB_COUNT) {
        return sow_cli_unknown_verb(options->arguments[0]);
    }
    sow_cli_help_verb(verb, 2);
    return SOW_EXIT_DONE;
}
