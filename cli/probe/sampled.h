/* SPDX-License-Identifier: MIT */
/* How much of a large network sow probe measures, and the words for what it leaves out. */
#ifndef SOW_CLI_SAMPLED_H
#define SOW_CLI_SAMPLED_H

#include "cli/cmd.h"
#include "cli/text/format.h"
#include "sow/measure.h"

struct sow_cli_sample {
    struct sow_measure_sample chosen;
    double
        cotangent_std; /* where layers are left out, of the gradients that begin there; 0: not known */
};

/* --layers: 0 where it was not given, UINT32_MAX for all. Tells what is wrong; returns an exit code. */
int sow_cli_read_layers(const struct sow_cli_options *options, uint32_t *layers);
/* Chooses by the options, and sets the batch and tokens of `how`. Tells what goes wrong; returns an exit code. */
int sow_cli_sample_choose(const struct sow_cli_source *source, struct sow_signal_options *how,
                          const struct sow_cli_options *options, struct sow_cli_sample *sample);
/* Gradients begin where the followed layers end, with the size that is predicted there. */
void sow_cli_sample_predicted(struct sow_cli_sample *sample, const struct sow_probe *probe);

/* Sentences without a full stop at the end, one a line: which layers, and why; "" when all was measured as asked. */
void sow_cli_add_sample_words(struct sow_cli_text *text, const struct sow_cli_sample *sample);
/* The same in 100 columns to stdout; and as a note to stderr, for formats that have no place for it. */
void sow_cli_sample_print(const struct sow_cli_sample *sample);
void sow_cli_sample_note(const struct sow_cli_sample *sample,
                         const struct sow_cli_options *options);
/* A member of the JSON. */
void sow_cli_add_sample(struct sow_cli_text *text, const struct sow_cli_sample *sample);

#endif
