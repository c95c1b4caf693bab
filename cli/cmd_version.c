/* SPDX-License-Identifier: MIT */
/* sow version and sow --version. */
#include <stdio.h>

#include "cmd.h"

int sow_cmd_version(const struct sow_cli_options *options)
{
    (void)options;
    printf("sow %s, stream %d, drawing with %s\n", SOW_VERSION, SOW_STREAM_VERSION, sow_isa());
    return SOW_EXIT_DONE;
}
