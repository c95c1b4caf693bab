/* SPDX-License-Identifier: MIT */
/* --set options from anybody, on a small model that has every kind of tensor: SOW_OK or SOW_E_ARGUMENT. */
#include "fuzz/model_rules.h"
#include "model/source/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char net[] = "local x = tokens() >> embedding(\"embed\", 10, 8, { padding = 0 })\n"
                          "x = repeated(\"h\", 2, x, function(x)\n"
                          "    return x + (x >> layer_norm(\"norm\", 8) >> linear(\"qkv\", 8, 24, "
                          "{ blocks = { 8, 8, 8 } })\n"
                          "                  >> attention { heads = 2 } >> linear(\"out\", 8, 8, { "
                          "layout = \"in-out\" }))\n"
                          "end)\n"
                          "param(\"odd\", { 3, 8 }, { kind = \"linear\", blocks = { 1, 2 } })\n"
                          "param(\"other\", { 2, 3, 4 })\n"
                          "rule(\"*\", zeros)\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *set = malloc(size + 1);
    struct sow_model *model = sow_model_new();
    if (set == NULL || model == NULL ||
        sow_source_lua(model, "model.lua", net, sizeof net - 1, NULL, NULL) != SOW_OK) {
        abort();
    }
    memcpy(set, data, size);
    set[size] = '\0';
    work_out_rules(model, set);
    sow_model_free(model);
    free(set);
    return 0;
}
