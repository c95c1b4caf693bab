/* SPDX-License-Identifier: MIT */
/* sow probe --steps: running it and its data (learn.c), its tables (steps.c), and several widths
 * (widths.c). */
#ifndef SOW_CLI_LEARN_H
#define SOW_CLI_LEARN_H

#include "cli/cmd.h"
#include "cli/text/format.h"
#include "sow/learn.h"

/* With progress; tells what goes wrong. An interrupted run may leave *learned with what is known. */
int sow_cli_learn_run(const struct sow_cli_source *source, const struct sow_signal_options *signal,
                      const struct sow_cli_options *options, struct sow_learning **learned);
/* Whether the loss stayed finite. */
int sow_cli_learns(const struct sow_learning *learned);

/* An object. */
void sow_cli_add_learning(struct sow_cli_text *text, const struct sow_learning *learned,
                          const struct sow_cli_options *options);
/* For the CSV of values: titles, each after a comma; of value `index` its size and how far each step moved it; and a block of
 * its own, a row a step: the loss, and how far it moved each weight. */
void sow_cli_add_learned_titles(struct sow_cli_text *text, const struct sow_learning *learned);
void sow_cli_add_learned_csv(struct sow_cli_text *text, const struct sow_learning *learned,
                             size_t index);
void sow_cli_add_learned_block(struct sow_cli_text *text, const struct sow_learning *learned);
/* The loss, the values that `shown` marks (2: after some that are left out), the weights, and what does not move. */
void sow_cli_steps_table(const struct sow_learning *learned, const unsigned char *shown,
                         const struct sow_cli_options *options);

#endif
