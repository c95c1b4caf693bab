/* SPDX-License-Identifier: MIT */
/* Configs from anybody: sow_source_config answers with a model, whose rules can then be worked out, or with an error
 * that has a message and, when it has a line, stays inside the file. */
#include "fuzz/model_rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_description(sow_source_config, "config.json", data, size);
    return 0;
}
