/* SPDX-License-Identifier: MIT */
/* Statistics as JSON, for sow stats and sow diff (stats_json.c). */
#ifndef SOW_CLI_STATS_H
#define SOW_CLI_STATS_H

#include "cli/text/format.h"

/* Prints all of them. */
void sow_cli_stats_json(const struct sow_statistics *statistics);
void sow_cli_diff_json(const struct sow_diff *diff);

#endif
