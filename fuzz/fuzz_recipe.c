/* SPDX-License-Identifier: MIT */
/* Recipes from anybody: sow_source_lua ends, with a model or an error, and never reaches outside the sandbox. */
#include "fuzz/model_rules.h"
#include "model/source/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sow_model *model = sow_model_new();
    struct sow_error error = {.code = SOW_OK};
    if (model == NULL) {
        return 0;
    }
    enum sow_status status =
        sow_source_lua(model, "model.lua", (const char *)data, size, NULL, &error);
    if (status == SOW_OK) {
        work_out_rules(model, NULL);
    } else {
        check_error(status, &error, "model.lua", data, size);
    }
    sow_model_free(model);
    return 0;
}
