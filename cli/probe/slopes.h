/* SPDX-License-Identifier: MIT */
/* Growth a layer: the slope of ln E[x^2] and ln E[grad^2] over the results of layers, by least squares (slopes.c). */
#ifndef SOW_CLI_SLOPES_H
#define SOW_CLI_SLOPES_H

#include "cli/text/format.h"
#include "sow/measure.h"

/* `measured` may be NULL. For people, a line without its end: nothing where there are fewer than 3 layers. */
void sow_cli_add_slopes_words(struct sow_cli_text *text, const struct sow_probe *probe,
                              const struct sow_measurement *measured);
void sow_cli_slopes_print(const struct sow_probe *probe, const struct sow_measurement *measured);
/* A member of the JSON, with its comma. */
void sow_cli_add_slopes(struct sow_cli_text *text, const struct sow_probe *probe,
                        const struct sow_measurement *measured);

#endif
