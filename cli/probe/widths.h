/* SPDX-License-Identifier: MIT */
/* sow probe --widths (widths.c). */
#ifndef SOW_CLI_WIDTHS_H
#define SOW_CLI_WIDTHS_H

#include "cli/cmd.h"

/* Runs all widths and prints what comes of them. Returns an exit code, SOW_EXIT_NO when they do not agree. */
int sow_cli_widths(const struct sow_cli_options *options);

#endif
