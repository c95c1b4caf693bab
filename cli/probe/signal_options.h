/* SPDX-License-Identifier: MIT */
/* The options of sow probe that say what is sent into a network. */
#ifndef SOW_CLI_SIGNAL_OPTIONS_H
#define SOW_CLI_SIGNAL_OPTIONS_H

#include "cli/options.h"
#include "sow/signal.h"

#define SOW_SIGNAL_SIZES 16
#define SOW_SIGNAL_WORD  64

/* `how` refers to the rest: never copied. */
struct sow_cli_signal {
    struct sow_signal_options how;
    struct sow_signal_size sizes[SOW_SIGNAL_SIZES];
    char names[SOW_SIGNAL_SIZES][SOW_SIGNAL_WORD];
    struct sow_signal_input input;
};

/* SOW_EXIT_USAGE after telling what is wrong. */
int sow_cli_signal_read(const struct sow_cli_options *options, struct sow_cli_signal *signal);

#endif
