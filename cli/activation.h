/* SPDX-License-Identifier: MIT */
/* An activation and all that sow activations knows of it: gathered in cmd_activations.c, told in
 * activation_text.c. */
#ifndef SOW_CLI_ACTIVATION_H
#define SOW_CLI_ACTIVATION_H

#include "cli/text/format.h"

struct sow_cli_activation {
    const char *expression; /* NULL for a row of the table */
    struct sow_function function;
    struct sow_activation_numbers numbers;
    double sigma_w, sigma_b; /* NAN without a gain */
    struct sow_fixed_point point;
    struct sow_criticality criticality;
};

void sow_cli_activation_text(const struct sow_cli_activation *activation,
                             struct sow_cli_text *text);
/* One object, without a line feed. */
void sow_cli_activation_json(const struct sow_cli_activation *activation,
                             struct sow_cli_text *text);

#endif
