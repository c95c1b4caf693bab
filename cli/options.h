/* SPDX-License-Identifier: MIT */
/* The command line as the verbs see it: the rows of options.def as tables, and one struct with what the user gave. */
#ifndef SOW_CLI_OPTIONS_H
#define SOW_CLI_OPTIONS_H

#include "sow/model.h"

enum sow_verb {
#define SOW_VERB(id, ...) SOW_VERB_##id,
#include "options.def"
    SOW_VERB_COUNT
};

enum sow_option {
#define SOW_OPTION(field, ...) SOW_OPTION_##field,
#include "options.def"
    SOW_OPTION_COUNT
};

enum sow_exit {
#define SOW_EXIT(id, code, meaning) SOW_EXIT_##id = code,
#include "options.def"
};

/* What an option's value is; the parser and the completions go by it. */
enum sow_takes {
    SOW_TAKES_NOTHING, /* int */
    SOW_TAKES_TEXT,    /* const char * */
    SOW_TAKES_PATH,    /* const char * */
    SOW_TAKES_LIST,    /* struct sow_cli_list: may be repeated */
    SOW_TAKES_SEED,    /* uint64_t */
    SOW_TAKES_SIZE,    /* uint64_t, bytes */
    SOW_TAKES_COUNT,   /* uint64_t, 1 to 4096 */
    SOW_TAKES_THREADS, /* the same, or 0: all */
    SOW_TAKES_EXTENT,  /* uint64_t, 1 to 2^40: of an axis */
    SOW_TAKES_DTYPE,   /* enum sow_dtype */
    SOW_TAKES_COLOR,   /* enum sow_color */
};

enum sow_color { SOW_COLOR_AUTO, SOW_COLOR_ALWAYS, SOW_COLOR_NEVER };

struct sow_verb_row {
    const char *name, *arguments;
    int min, max;
    const char *summary, *examples, *text;
};

struct sow_option_row {
    enum sow_takes takes;
    char letter; /* 0: none */
    const char *name, *value;
    uint32_t verbs; /* bit SOW_VERB_x */
    const char *help, *more;
    size_t offset; /* of the field in struct sow_cli_options */
};

struct sow_exit_row {
    int code;
    const char *meaning;
};

struct sow_environment_row {
    const char *name, *meaning;
};

extern const struct sow_verb_row sow_verb_rows[SOW_VERB_COUNT];
extern const struct sow_option_row sow_option_rows[SOW_OPTION_COUNT];
extern const struct sow_exit_row sow_exit_rows[];               /* ends with meaning NULL */
extern const struct sow_environment_row sow_environment_rows[]; /* ends with name NULL */

#define SOW_ARGUMENTS_MAX 32

struct sow_cli_list {
    const char **items;
    size_t count;
};

struct sow_cli_options {
    enum sow_verb verb;
    const char *arguments[SOW_ARGUMENTS_MAX];
    int argument_count;
    uint64_t given; /* bit SOW_OPTION_x */

    const char *output, *variant, *rules, *recipes, *source, *activation, *activation_expr, *scheme;
    const char *weights, *expression, *kinks, *sigma_w, *sigma_b, *plot, *report, *input, *from,
        *to, *optimizer, *widths, *layers;
    struct sow_cli_list sets, only, ignore, compare, sizes, thresholds, rates;
    uint64_t seed, shard_size, chunk_size, threads, batch, tokens, seeds, memory, steps;
    enum sow_dtype dtype;
    enum sow_color color;
    int json, csv, brief, measure, jacobian, curves, spectra, all, force, dry_run, quiet, verbose,
        help, no_record, codes;
    uint64_t width; /* of a model.lua, 0: its own; set by --widths */
};

/* Reads argv[2...]: options anywhere, "--" ends them, each at most once but for --set. Returns SOW_EXIT_DONE, or
 * SOW_EXIT_USAGE after telling why. options->help is nonzero when help was asked for, whatever else is wrong. */
int sow_cli_parse(enum sow_verb verb, int argc, char **argv, struct sow_cli_options *options);
void sow_cli_options_free(struct sow_cli_options *options);

/* Nonzero when the user wrote this option. */
static inline int sow_cli_given(const struct sow_cli_options *options, enum sow_option option)
{
    return (int)(options->given >> option & 1);
}

/* The verb of this name, SOW_VERB_COUNT when there is none. */
enum sow_verb sow_cli_verb(const char *name);
/* Nonzero when the option belongs to the verb. */
static inline int sow_cli_belongs(enum sow_option option, enum sow_verb verb)
{
    return (int)(sow_option_rows[option].verbs >> verb & 1);
}

/* Reads one value into `field`. Returns NULL, or the reason against it, written to `reason`. */
const char *sow_cli_value(enum sow_takes takes, const char *text, void *field, char reason[512]);

/* Of `count` names the one nearest to `word`, NULL when none is near. `name_at` may return NULL to leave one out. */
const char *sow_cli_nearest(const char *word,
                            const char *(*name_at)(const void *context, size_t index),
                            const void *context, size_t count);

#endif
