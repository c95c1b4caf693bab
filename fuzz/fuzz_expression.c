/* SPDX-License-Identifier: MIT */
/* Expressions from anybody: SOW_OK or SOW_E_ARGUMENT, and what is read runs, to the same values one by one and
 * many at a time. */
#include "core/activation/expression.h"

#include <stdlib.h>
#include <string.h>

#define PLACES 40

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int same(double a, double b)
{
    return a == b || (a != a && b != b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sow_expression_program program;
    struct sow_error error;
    double x[PLACES], values[PLACES], slopes[PLACES];
    enum sow_status status = sow_expression_compile((const char *)data, size, &program, &error);
    if (status != SOW_OK) {
        if (status != SOW_E_ARGUMENT || error.message[0] == '\0') {
            abort();
        }
        return 0;
    }
    for (size_t i = 0; i < PLACES; i++) {
        x[i] = (double)i / 4 - 5;
    }
    x[1] = 1e300;
    sow_expression_run(program.steps, program.count, x, values, slopes, PLACES);
    for (size_t i = 0; i < PLACES; i++) {
        double value, slope;
        sow_expression_run(program.steps, program.count, &x[i], &value, &slope, 1);
        if (!same(value, values[i]) || !same(slope, slopes[i])) {
            abort();
        }
    }
    return 0;
}
