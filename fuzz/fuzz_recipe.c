/* SPDX-License-Identifier: MIT */
/* Recipes from anybody: sow_source_lua ends, with a model or an error, and never reaches outside the sandbox. */
#include "fuzz/model_rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_description(sow_source_lua, "model.lua", data, size);
    return 0;
}
