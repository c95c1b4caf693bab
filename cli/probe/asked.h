/* SPDX-License-Identifier: MIT */
/* What sow probe measures only when it is asked for, because it costs: --jacobian (asked_jacobian.c), --curves
 * (asked_curves.c), --spectra (asked_spectra.c). */
#ifndef SOW_CLI_ASKED_H
#define SOW_CLI_ASKED_H

#include "cli/cmd.h"
#include "cli/text/format.h"
#include "sow/curves.h"
#include "sow/jacobian.h"
#include "sow/spectra.h"

struct sow_cli_asked {
    struct sow_jacobian *jacobian; /* NULL: not asked for, as all of these */
    struct sow_curves *curves;
    struct sow_spectra *spectra;
    /* How much of each is taken, and of --steps; times 0: not asked for. of_spectra: whether layers were asked for. */
    struct sow_measure_sample of_jacobian, of_curves, of_spectra, of_steps;
};

/* Chooses, before any work; tells what cannot be. Returns an exit code. `how` as it was asked for. */
int sow_cli_asked_choose(const struct sow_cli_source *source, const struct sow_signal_options *how,
                         const struct sow_cli_options *options, struct sow_cli_asked *asked);
/* What was left out for its size, a line each. */
void sow_cli_add_asked_samples(struct sow_cli_text *text, const struct sow_cli_asked *asked);
/* The same as notes to stderr. */
void sow_cli_asked_note(const struct sow_cli_asked *asked, const struct sow_cli_options *options);
int sow_cli_asks_jacobian(const struct sow_cli_options *options);
int sow_cli_asks(const struct sow_cli_options *options);
/* With progress; tells what goes wrong. Returns an exit code. */
int sow_cli_ask(const struct sow_cli_source *source, const struct sow_signal_options *how,
                const struct sow_cli_options *options, struct sow_cli_asked *asked);
void sow_cli_asked_free(struct sow_cli_asked *asked);
/* For people, a line each. */
void sow_cli_add_asked_words(struct sow_cli_text *text, const struct sow_cli_asked *asked);
/* The same in 100 columns; `title` NULL: of the only network. */
void sow_cli_asked_print(const struct sow_cli_asked *asked, const char *title);
/* Members of the JSON of a probe. */
void sow_cli_add_asked(struct sow_cli_text *text, const struct sow_cli_asked *asked);
/* What was taken of each, members of it. */
void sow_cli_add_asked_sample(struct sow_cli_text *text, const struct sow_cli_asked *asked);
/* Titles and fields of the CSV, each after a comma; `index` and `name` of a value. */
void sow_cli_add_asked_titles(struct sow_cli_text *text, const struct sow_cli_asked *asked);
void sow_cli_add_asked_csv(struct sow_cli_text *text, const struct sow_cli_asked *asked,
                           size_t index, const char *name);

/* ---- The parts ---- */

/* A status as an exit code, after telling what is wrong. */
int sow_cli_asked_code(enum sow_status status, const struct sow_error *error);
/* What all of them are measured with; refers to `progress`. */
struct sow_measure_options sow_cli_asked_how(const struct sow_cli_options *options,
                                             struct sow_cli_progress *progress);
int sow_cli_ask_jacobian(const struct sow_cli_source *source, const struct sow_signal_options *how,
                         const struct sow_cli_options *options, struct sow_cli_asked *asked);
void sow_cli_add_jacobian_words(struct sow_cli_text *text, const struct sow_jacobian *jacobian);
void sow_cli_add_jacobian(struct sow_cli_text *text, const struct sow_jacobian *jacobian);
int sow_cli_ask_curves(const struct sow_cli_source *source, const struct sow_signal_options *how,
                       const struct sow_cli_options *options, struct sow_cli_asked *asked);
void sow_cli_add_curves_words(struct sow_cli_text *text, const struct sow_curves *curves);
void sow_cli_add_curves(struct sow_cli_text *text, const struct sow_curves *curves);
void sow_cli_add_curves_titles(struct sow_cli_text *text);
void sow_cli_add_curves_csv(struct sow_cli_text *text, const struct sow_curves *curves,
                            size_t index);
int sow_cli_ask_spectra(const struct sow_cli_source *source, const struct sow_cli_options *options,
                        struct sow_cli_asked *asked);
void sow_cli_add_spectra_words(struct sow_cli_text *text, const struct sow_spectra *spectra);
void sow_cli_add_spectra(struct sow_cli_text *text, const struct sow_spectra *spectra);
void sow_cli_add_spectra_titles(struct sow_cli_text *text);
void sow_cli_add_spectra_csv(struct sow_cli_text *text, const struct sow_spectra *spectra,
                             const char *value);

#endif
