/* SPDX-License-Identifier: MIT */
/* What sow probe prints, in parts: the table for people (table.c), JSON and CSV for machines (data.c), and
 * what --measure adds to them (measured.c). `measured` is NULL when nothing was. */
#ifndef SOW_CLI_PROBE_H
#define SOW_CLI_PROBE_H

#include "asked.h"
#include "cli/cmd.h"
#include "cli/text/format.h"
#include "learn.h"
#include "sampled.h"
#include "sow/judge.h"
#include "sow/measure.h"

void sow_cli_probe_json(const struct sow_probe *probe, const struct sow_measurement *measured,
                        const struct sow_cli_sample *sample, const struct sow_judgement *judgement,
                        const struct sow_cli_asked *asked, const struct sow_learning *learned,
                        const char *variant, const struct sow_cli_options *options);
/* A row a value, with a title; after an empty line, a row a step of learning. */
void sow_cli_probe_csv(const struct sow_probe *probe, const struct sow_measurement *measured,
                       const struct sow_cli_sample *sample, const struct sow_cli_asked *asked,
                       const struct sow_learning *learned);
/* A name as RFC 4180 has it. */
void sow_cli_add_csv_word(struct sow_cli_text *text, const char *word);
/* Which values the tables show, one byte a value: 1 shown, 2 shown and something before it left out. Rows of repeated
 * layers in the middle are left out unless `all`. The caller frees it. */
unsigned char *sow_cli_probe_shown(const struct sow_probe *probe, int all);
/* `rows` 0: the bars and the summary only. */
void sow_cli_probe_table(const struct sow_probe *probe, const struct sow_measurement *measured,
                         const struct sow_cli_options *options, int rows);

/* Whether the options ask for numbers to be sent through. */
int sow_cli_measures(const struct sow_cli_options *options);
/* With progress; tells what goes wrong. `watch` may be NULL. An interrupted run may leave *measured with what is known. */
int sow_cli_measure(const struct sow_cli_source *source, const struct sow_signal_options *how,
                    const struct sow_cli_options *options, const struct sow_cli_sample *sample,
                    sow_watch_fn *watch, void *watch_user, struct sow_measurement **measured);
/* Says on stderr what of a checkpoint was not read. `measured` may be NULL. */
void sow_cli_stored_note(const struct sow_measurement *measured,
                         const struct sow_cli_options *options);
/* Of the values that `shown` marks, 2 after some that are left out. */
void sow_cli_measured_table(const struct sow_probe *probe, const struct sow_measurement *measured,
                            const unsigned char *shown, const struct sow_cli_options *options);
/* Of a value, and of the whole. */
void sow_cli_add_measured(struct sow_cli_text *text, const struct sow_measured_value *value,
                          const struct sow_probe_value *predicted);
void sow_cli_add_measurement(struct sow_cli_text *text, const struct sow_measurement *measured,
                             const struct sow_cli_sample *sample);
void sow_cli_measured_titles(void);
void sow_cli_add_measured_csv(struct sow_cli_text *text, const struct sow_measured_value *value,
                              const struct sow_probe_value *predicted,
                              const struct sow_cli_sample *sample);

/* Verdicts (verdict.c): the list of codes; judging, which tells what goes wrong; after the table; in the JSON. */
void sow_cli_verdict_codes(int json);
int sow_cli_judge(const struct sow_cli_source *source, const struct sow_signal_options *how,
                  const struct sow_probe *probe, const struct sow_measurement *measured,
                  const struct sow_cli_options *options, struct sow_judgement **judgement);
void sow_cli_verdicts_print(const struct sow_judgement *judgement,
                            const struct sow_cli_options *options);
/* The whole command of a cure, which is a verdict's or that of all. */
void sow_cli_add_cure(struct sow_cli_text *text, const char *cure,
                      const struct sow_cli_options *options);
/* "healthy", or codes and where they start: "VANISH at layers.0, CHAOS at layers.3". */
void sow_cli_add_codes(struct sow_cli_text *text, const struct sow_judgement *judgement);
void sow_cli_add_verdicts(struct sow_cli_text *text, const struct sow_judgement *judgement);

#endif
