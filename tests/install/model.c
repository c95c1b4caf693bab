/* SPDX-License-Identifier: MIT */
/* A program that reads a model's description (argv[1]) and counts its parameters. */
#include <inttypes.h>
#include <stdio.h>
#include <sow/model.h>

int main(int argc, char **argv)
{
    struct sow_model *model = NULL;
    struct sow_plan *plan = NULL;
    struct sow_error error = {0};
    if (argc != 2 || sow_model_load(argv[1], NULL, &model, &error) != SOW_OK ||
        sow_plan_make(model, NULL, &plan, &error) != SOW_OK) {
        return fprintf(stderr, "%s\n", error.message) > 0;
    }
    printf("%" PRIu64 "\n", sow_plan_parameters(plan));
    sow_plan_free(plan);
    sow_model_free(model);
    return 0;
}
