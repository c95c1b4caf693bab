/* SPDX-License-Identifier: MIT */
/* What sow probe prints, in parts: the table for people (probe_table.c), JSON and CSV for machines (probe_data.c). */
#ifndef SOW_CLI_PROBE_H
#define SOW_CLI_PROBE_H

#include "format.h"
#include "sow/signal.h"

void sow_cli_probe_json(const struct sow_probe *probe, const char *variant);
/* A row a value, with a title. */
void sow_cli_probe_csv(const struct sow_probe *probe);
/* Rows of repeated layers in the middle are left out unless `all`. */
void sow_cli_probe_table(const struct sow_probe *probe, const struct sow_cli_options *options);

#endif
