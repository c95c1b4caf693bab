/* SPDX-License-Identifier: MIT */
/* sow probe: whether signals and gradients survive the depth, predicted from the plan and, on request,
 * measured. */
#include "cmd.h"
#include "message.h"
#include "probe.h"

int sow_cmd_probe(const struct sow_cli_options *options)
{
    struct sow_cli_source source;
    struct sow_error error;
    struct sow_probe *probe = NULL;
    struct sow_measurement *measured = NULL;
    struct sow_signal_options how = {.batch = options->batch, .tokens = options->tokens};
    int code = sow_cli_source_load(options->arguments[0], options, &source);
    if (code == SOW_EXIT_DONE &&
        sow_probe_predict(source.model, source.plan, &how, &probe, &error) != SOW_OK) {
        code = sow_cli_fail(&error);
    }
    if (code == SOW_EXIT_DONE && sow_cli_measures(options)) {
        code = sow_cli_measure(&source, &how, options, &measured);
    }
    if (code == SOW_EXIT_DONE || measured != NULL) {
        const struct sow_variant *variant = sow_cli_source_variant(&source, options);
        if (options->json) {
            sow_cli_probe_json(probe, measured, variant != NULL ? variant->name : NULL);
        } else if (options->csv) {
            sow_cli_probe_csv(probe, measured);
        } else {
            sow_cli_probe_table(probe, measured, options);
        }
    }
    sow_measurement_free(measured);
    sow_probe_free(probe);
    sow_cli_source_free(&source);
    return code;
}
