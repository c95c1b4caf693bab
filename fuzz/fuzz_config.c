/* SPDX-License-Identifier: MIT */
/* Configs from anybody: sow_source_config answers with a model, whose rules can then be worked out, or with an error
 * that has a message and, when it has a line, stays inside the file. */
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
        sow_source_config(model, "config.json", (const char *)data, size, NULL, &error);
    if (status == SOW_OK) {
        work_out_rules(model, NULL);
    } else {
        check_error(status, &error, "config.json", data, size);
    }
    sow_model_free(model);
    return 0;
}
