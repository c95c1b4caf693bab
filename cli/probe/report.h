/* SPDX-License-Identifier: MIT */
/* sow probe --report: everything about the runs as one HTML file (report.c). */
#ifndef SOW_CLI_REPORT_H
#define SOW_CLI_REPORT_H

#include "picture.h"

/* Refuses to overwrite, before any work. */
int sow_cli_check_report(const struct sow_cli_options *options);
/* Writes the file under a temporary name and renames it; tells what goes wrong. */
int sow_cli_report(const struct sow_cli_runs *runs, const struct sow_cli_options *options);

/* What a run alone was judged by, or, without cures, one of several; NULL: neither. */
const struct sow_judgement *sow_cli_report_judgement(const struct sow_cli_run *run);
/* Sections: the verdict, plain words and --jacobian and its like (report_words.c), the picture (report_picture.c), --steps
 * (report_learned.c). */
void sow_cli_add_report_verdict(struct sow_cli_text *text, const struct sow_cli_run *run);
void sow_cli_add_report_words(struct sow_cli_text *text, const struct sow_cli_run *run);
void sow_cli_add_report_asked(struct sow_cli_text *text, const struct sow_cli_run *run);
void sow_cli_add_report_picture(struct sow_cli_text *text, const struct sow_cli_runs *runs);
void sow_cli_add_report_learned(struct sow_cli_text *text, const struct sow_cli_run *run);

#endif
