/* SPDX-License-Identifier: MIT */
/* Words and numbers of a report as HTML (report_text.c), for its parts. */
#ifndef SOW_CLI_REPORT_TEXT_H
#define SOW_CLI_REPORT_TEXT_H

#include "cli/text/format.h"

/* The style sheet of the page. */
extern const char sow_cli_report_style[];
/* Escaped, control characters shown. */
void sow_cli_add_html(struct sow_cli_text *text, const char *word);
/* The same, where "2^-10" becomes a power. */
void sow_cli_add_html_powers(struct sow_cli_text *text, const char *words);
/* Each of `lines`, which end with a line feed and are cut apart, as an element such as "p". */
void sow_cli_add_html_lines(struct sow_cli_text *text, char *lines, const char *element);
/* A word in a cell of a table, which may be broken behind its points and brackets. */
void sow_cli_add_html_cell(struct sow_cli_text *text, const char *word);
/* 10 to the power of `log10`; "-" for NAN. */
void sow_cli_add_html_power(struct sow_cli_text *text, double log10);
/* "-" for NAN. */
void sow_cli_add_html_number(struct sow_cli_text *text, double number);

#endif
