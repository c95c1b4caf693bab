/* SPDX-License-Identifier: MIT */
/* The verbs: each has a file cmd_<verb>.c, prints its results to stdout and returns the exit code. */
#ifndef SOW_CLI_CMD_H
#define SOW_CLI_CMD_H

#include "options.h"

#define SOW_VERB(id, ...) int sow_cmd_##id(const struct sow_cli_options *options);
#include "options.def"

/* ---- Help, made of options.def (cmd_help.c) ------------------------------------------------- */

/* The general help: short (1) or long (2). */
void sow_cli_help(int level);
/* The help of one verb: short (1) or long (2). */
void sow_cli_help_verb(enum sow_verb verb, int level);
/* Says that there is no such verb, and which was meant; returns SOW_EXIT_USAGE. */
int sow_cli_unknown_verb(const char *word);

/* ---- Source and plan, as init, plan, explain and verify need them (source.c) ---------------- */

struct sow_cli_source {
    struct sow_model *model;
    struct sow_plan *plan;
};
/* Reads `path` and plans it with the user's options. Returns SOW_EXIT_DONE, or another code after telling why.
 * Free with sow_cli_source_free, also after a failure. */
int sow_cli_source_load(const char *path, const struct sow_cli_options *options,
                        struct sow_cli_source *source);
void sow_cli_source_free(struct sow_cli_source *source);
/* Appends the options that decide what is drawn from a source, but for the seed, as the user would write them. */
struct sow_cli_text;
/* Says, as a warning, which tensors would hold little but zeros, because their numbers are too small for their dtype. */
void sow_cli_source_underflow(const struct sow_cli_source *source);
void sow_cli_source_options(struct sow_cli_text *text, const struct sow_cli_options *options);
/* The variant in use, NULL when the model has none. */
const struct sow_variant *sow_cli_source_variant(const struct sow_cli_source *source,
                                                 const struct sow_cli_options *options);

/* ---- Interrupts and progress (progress.c) ---------------------------------------------------- */

/* From here on the first SIGINT, SIGTERM or SIGHUP only sets the flag it returns, the second ends the program. */
const volatile int *sow_cli_interrupts(void);
/* Exit code of an interrupted run: 128 and the signal's number. */
int sow_cli_interrupted_code(void);

struct sow_cli_progress {
    const char *what; /* "writing gpt2.safetensors" */
    int quiet, terminal, shown;
    int steps;          /* what is counted are no bytes: only their share is shown */
    double begin, last; /* seconds */
};
void sow_cli_progress_begin(struct sow_cli_progress *progress, const char *what, int quiet);
/* A sow_progress_fn. */
void sow_cli_progress(void *progress, uint64_t done_bytes, uint64_t total_bytes);
/* Takes the bar away. */
void sow_cli_progress_end(struct sow_cli_progress *progress);

#endif
