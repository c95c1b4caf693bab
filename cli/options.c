/* SPDX-License-Identifier: MIT */
/* From argv to struct sow_cli_options, by the rows of options.def and getopt_long. Strict where getopt is lenient: no
 * abbreviated options, and an option that may stand once stands once. */
#include "options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli/text/format.h"
#include "cli/text/message.h"

#define SOW_IN(verb) (1u << SOW_VERB_##verb)
#define LONG_BASE    256 /* getopt's code of a long option is this plus its row */

const struct sow_verb_row sow_verb_rows[SOW_VERB_COUNT] = {
#define SOW_VERB(id, ...) {#id, __VA_ARGS__},
#include "options.def"
};

const struct sow_option_row sow_option_rows[SOW_OPTION_COUNT] = {
#define SOW_OPTION(field, ...) {__VA_ARGS__, offsetof(struct sow_cli_options, field)},
#include "options.def"
};

const struct sow_exit_row sow_exit_rows[] = {
#define SOW_EXIT(id, code, meaning) {code, meaning},
#include "options.def"
    {0, NULL},
};

const struct sow_environment_row sow_environment_rows[] = {
#define SOW_ENVIRONMENT(name, meaning) {name, meaning},
#include "options.def"
    {NULL, NULL},
};

_Static_assert(SOW_OPTION_COUNT <= 64 && SOW_VERB_COUNT <= 32,
               "the sets are 64-bit and 32-bit masks");

enum sow_verb sow_cli_verb(const char *name)
{
    int verb = 0;
    while (verb < SOW_VERB_COUNT && strcmp(name, sow_verb_rows[verb].name) != 0) {
        verb++;
    }
    return (enum sow_verb)verb;
}

/* Levenshtein distance of two words of at most 64 bytes. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[65], a_length = strlen(a), b_length = strlen(b);
    if (a_length > 64 || b_length > 64) {
        return 64;
    }
    for (size_t j = 0; j <= b_length; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            best = diagonal + 1 < best ? diagonal + 1 : best;
            row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
        }
    }
    return row[b_length];
}

const char *sow_cli_nearest(const char *word,
                            const char *(*name_at)(const void *context, size_t index),
                            const void *context, size_t count)
{
    const char *nearest = NULL;
    size_t length = strlen(word), limit = length / 3 + 2; /* a third of the letters may be wrong */
    for (size_t i = 0; i < count; i++) {
        const char *name = name_at(context, i);
        if (name == NULL || length == 0) {
            continue;
        }
        size_t distance = strncmp(name, word, length) == 0 ? 1 : edit_distance(word, name);
        if (distance < limit) {
            nearest = name;
            limit = distance;
        }
    }
    return nearest;
}

static const char *option_at(const void *context, size_t index)
{
    enum sow_verb verb = *(const enum sow_verb *)context;
    return sow_cli_belongs((enum sow_option)index, verb) ? sow_option_rows[index].name : NULL;
}

/* Tells about an option that the verb does not have; `name` is without dashes and value. */
static int unknown_option(enum sow_verb verb, const char *name)
{
    const char *nearest = sow_cli_nearest(name, option_at, &verb, SOW_OPTION_COUNT);
    for (int option = 0; option < SOW_OPTION_COUNT; option++) {
        if (strcmp(sow_option_rows[option].name, name) == 0) {
            return sow_cli_usage(verb, "sow %s has no option '--%s'", sow_verb_rows[verb].name,
                                 name);
        }
    }
    if (nearest != NULL) {
        return sow_cli_usage(verb, "unknown option '--%s'; did you mean '--%s'?", name, nearest);
    }
    return sow_cli_usage(verb, "unknown option '--%s'", name);
}

/* What getopt calls '?': an unknown option, or a value where none belongs. */
static int bad_option(enum sow_verb verb, const char *word)
{
    struct sow_cli_text name = {0};
    int code;
    if (optopt >= LONG_BASE) {
        code =
            sow_cli_usage(verb, "'--%s' takes no value", sow_option_rows[optopt - LONG_BASE].name);
    } else if (optopt > 0) {
        code = sow_cli_usage(verb, "unknown option '-%c'", optopt);
    } else {
        sow_cli_add_bytes(&name, word + 2, strcspn(word + 2, "="));
        code = unknown_option(verb, name.bytes);
        sow_cli_text_free(&name);
    }
    return code;
}

/* Stores the value of option `row`, as given in `word`. */
static int store(struct sow_cli_options *options, int row, const char *value)
{
    const struct sow_option_row *option = &sow_option_rows[row];
    void *field = (char *)options + option->offset;
    char reason[512];
    if (option->takes == SOW_TAKES_NOTHING) {
        *(int *)field = 1;
    } else if (option->takes != SOW_TAKES_LIST && sow_cli_given(options, (enum sow_option)row)) {
        return sow_cli_usage(options->verb, "'--%s' stands twice; give it once", option->name);
    } else if (sow_cli_value(option->takes, value, field, reason) != NULL) {
        return sow_cli_usage(options->verb, "--%s: %s", option->name, reason);
    }
    options->given |= (uint64_t)1 << row;
    return SOW_EXIT_DONE;
}

static int add_argument(struct sow_cli_options *options, const char *word)
{
    const struct sow_verb_row *row = &sow_verb_rows[options->verb];
    if (options->argument_count == row->max) {
        return sow_cli_usage(options->verb, "'%s' is one argument too many: sow %s %s", word,
                             row->name, row->arguments);
    }
    if (word[0] == '\0') {
        return sow_cli_usage(options->verb, "an argument is empty: sow %s %s", row->name,
                             row->arguments);
    }
    options->arguments[options->argument_count++] = word;
    return SOW_EXIT_DONE;
}

/* getopt's tables for one verb. The leading "-" hands positionals over in order, whatever POSIXLY_CORRECT says. */
static void make_tables(enum sow_verb verb, struct option longs[SOW_OPTION_COUNT + 1],
                        char shorts[2 * SOW_OPTION_COUNT + 3])
{
    size_t count = 0, length = 2;
    memcpy(shorts, "-:", 2);
    for (int row = 0; row < SOW_OPTION_COUNT; row++) {
        const struct sow_option_row *option = &sow_option_rows[row];
        if (!sow_cli_belongs((enum sow_option)row, verb)) {
            continue;
        }
        int has_value = option->takes != SOW_TAKES_NOTHING;
        longs[count++] = (struct option){option->name, has_value, NULL, LONG_BASE + row};
        if (option->letter != 0) {
            shorts[length++] = option->letter;
            if (has_value) {
                shorts[length++] = ':';
            }
        }
    }
    longs[count] = (struct option){NULL, 0, NULL, 0};
    shorts[length] = '\0';
}

/* The row of getopt's code for a short or long option. */
static int row_of(int code)
{
    int row = 0;
    while (code < LONG_BASE && sow_option_rows[row].letter != code) {
        row++;
    }
    return code < LONG_BASE ? row : code - LONG_BASE;
}

/* One answer of getopt_long. `word` is the argument of argv that holds the option. */
static int take(struct sow_cli_options *options, int code, const char *word)
{
    if (code == 1) {
        return add_argument(options, optarg);
    }
    if (code == '?') {
        return bad_option(options->verb, word);
    }
    int row = row_of(code == ':' ? optopt : code);
    const char *name = sow_option_rows[row].name;
    size_t length = strlen(name);
    if (strncmp(word, "--", 2) == 0 &&
        (strncmp(word + 2, name, length) != 0 || strchr("=", word[2 + length]) == NULL)) {
        return sow_cli_usage(options->verb, "options are not abbreviated: write '--%s' for '%s'",
                             name, word);
    }
    if (code == ':') {
        return sow_cli_usage(options->verb, "'--%s' needs a value: --%s %s", name, name,
                             sow_option_rows[row].value);
    }
    return store(options, row, optarg);
}

/* "--compare --brief": getopt would take the option for the value. */
static int is_option(enum sow_verb verb, const char *word)
{
    int found = 0;
    for (int row = 0; row < SOW_OPTION_COUNT && strncmp(word, "--", 2) == 0; row++) {
        found |= sow_cli_belongs((enum sow_option)row, verb) &&
                 strcmp(sow_option_rows[row].name, word + 2) == 0;
    }
    return found;
}

int sow_cli_parse(enum sow_verb verb, int argc, char **argv, struct sow_cli_options *options)
{
    struct option longs[SOW_OPTION_COUNT + 1];
    char shorts[2 * SOW_OPTION_COUNT + 3];
    int code, status = SOW_EXIT_DONE;
    *options = (struct sow_cli_options){.verb = verb};
    for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0) {
            options->help = argv[i][1] == 'h' ? 1 : 2;
            return SOW_EXIT_DONE;
        }
    }
    make_tables(verb, longs, shorts);
    opterr = 0;
    optind = 2;
    while (status == SOW_EXIT_DONE && (code = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        int apart =
            code != 1 && code != '?' && code != ':' && optarg != NULL && optarg == argv[optind - 1];
        const char *word = argv[optind - 1 - apart];
        status =
            apart && is_option(verb, optarg)
                ? sow_cli_usage(verb, "'%s' needs a value, and '%s' is an option", word, optarg)
                : take(options, code, word);
    }
    while (status == SOW_EXIT_DONE && optind < argc) {
        status = add_argument(options, argv[optind++]); /* what follows "--" */
    }
    if (status == SOW_EXIT_DONE && options->argument_count < sow_verb_rows[verb].min) {
        status = sow_cli_usage(verb, "an argument is missing: sow %s %s", sow_verb_rows[verb].name,
                               sow_verb_rows[verb].arguments);
    }
    return status;
}

void sow_cli_options_free(struct sow_cli_options *options)
{
    for (size_t i = 0; i < SOW_OPTION_COUNT; i++) {
        if (sow_option_rows[i].takes == SOW_TAKES_LIST) {
            struct sow_cli_list *list = (void *)((char *)options + sow_option_rows[i].offset);
            free((void *)list->items);
        }
    }
}
