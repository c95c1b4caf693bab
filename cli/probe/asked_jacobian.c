/* SPDX-License-Identifier: MIT */
/* sow probe --jacobian: running it, a paragraph for people, and its part of the JSON. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "asked.h"
#include "cli/stats.h"

static const struct {
    const char *name;
    size_t offset; /* of a double */
} columns[] = {
    {"mean_square", offsetof(struct sow_jacobian_numbers, mean_square)},
    {"variance", offsetof(struct sow_jacobian_numbers, variance)},
    {"spread", offsetof(struct sow_jacobian_numbers, spread)},
    {"mean", offsetof(struct sow_jacobian_numbers, mean)},
    {"largest", offsetof(struct sow_jacobian_numbers, largest)},
    {"smallest", offsetof(struct sow_jacobian_numbers, smallest)},
    {"condition", offsetof(struct sow_jacobian_numbers, condition)},
    {"rank", offsetof(struct sow_jacobian_numbers, rank)},
};
#define COLUMNS (sizeof columns / sizeof columns[0])

static double number_of(const struct sow_jacobian_numbers *numbers, size_t column)
{
    double number;
    memcpy(&number, (const char *)numbers + columns[column].offset, sizeof number);
    return number;
}

int sow_cli_ask_jacobian(const struct sow_cli_source *source, const struct sow_signal_options *how,
                         const struct sow_cli_options *options, struct sow_cli_asked *asked)
{
    struct sow_error error;
    struct sow_cli_progress progress;
    struct sow_measure_options with = sow_cli_asked_how(options, &progress);
    struct sow_signal_options sent = *how;
    struct sow_jacobian_options wanted = {options->from, options->to, &with,
                                          asked->of_jacobian.times};
    with.layers = asked->of_jacobian.layers;
    sent.batch = asked->of_jacobian.batch;
    sent.tokens = asked->of_jacobian.tokens;
    sow_cli_progress_begin(&progress, "taking the Jacobian", options->quiet);
    progress.steps = 1;
    enum sow_status status =
        sow_jacobian_measure(source->model, source->plan, &sent, &wanted, &asked->jacobian, &error);
    sow_cli_progress_end(&progress);
    return sow_cli_asked_code(status, &error);
}

/* ---- For people ------------------------------------------------------------------------------------ */

static void add_pair(struct sow_cli_text *text, const char *what, double seen, double expected)
{
    if (!isnan(seen)) {
        sow_cli_add(text, "%s %.4g", what, seen);
        if (!isnan(expected)) {
            sow_cli_add(text, " (%.4g)", expected);
        }
    }
}

void sow_cli_add_jacobian_words(struct sow_cli_text *text, const struct sow_jacobian *jacobian)
{
    const struct sow_jacobian_numbers *seen = &jacobian->measured, *theory = &jacobian->expected;
    sow_cli_add(text, "Jacobian of ");
    sow_cli_add_safe(text, jacobian->to, strlen(jacobian->to), 0);
    sow_cli_add(text, " by ");
    sow_cli_add_safe(text, jacobian->from, strlen(jacobian->from), 0);
    sow_cli_add(text, ", %llu x %llu, at ", (unsigned long long)jacobian->outputs,
                (unsigned long long)jacobian->inputs);
    if (jacobian->token >= 0) {
        sow_cli_add(text, "token %lld of ", (long long)jacobian->token);
    }
    sow_cli_add(text, "one input%s: its singular values s have ",
                jacobian->seeds > 1 ? " a seed" : "");
    add_pair(text, "E[s^2]", seen->mean_square, theory->mean_square);
    add_pair(text, ", Var(s^2)", seen->variance, theory->variance);
    add_pair(text, ", Var / E^2", seen->spread, theory->spread);
    if (jacobian->is_whole) {
        add_pair(text, "; largest", seen->largest, theory->largest);
        if (isfinite(seen->condition)) {
            add_pair(text, ", smallest", seen->smallest, NAN);
            sow_cli_add(text, ", condition number %.4g", seen->condition);
        } else {
            sow_cli_add(text, ", %.0f of %llu are above a millionth of it", seen->rank,
                        (unsigned long long)jacobian->count);
        }
    } else {
        sow_cli_add(text, "; from %llu random directions, which do not tell the largest",
                    (unsigned long long)jacobian->cotangents);
    }
    sow_cli_add(text, isnan(theory->mean_square) ? "" : "; in brackets what wide layers give");
}

/* ---- For machines ---------------------------------------------------------------------------------- */

static void add_numbers(struct sow_cli_text *text, const char *name,
                        const struct sow_jacobian_numbers *numbers)
{
    sow_cli_add(text, ",\n    \"%s\": {", name);
    for (size_t i = 0; i < COLUMNS; i++) {
        sow_cli_add(text, "%s\"%s\": ", i > 0 ? ", " : "", columns[i].name);
        sow_cli_add_number(text, number_of(numbers, i));
    }
    sow_cli_add(text, "}");
}

void sow_cli_add_jacobian(struct sow_cli_text *text, const struct sow_jacobian *jacobian)
{
    sow_cli_add(text, "  \"jacobian\": {\"from\": ");
    sow_cli_add_json(text, jacobian->from);
    sow_cli_add(text, ", \"to\": ");
    sow_cli_add_json(text, jacobian->to);
    sow_cli_add(text, ", \"inputs\": %llu, \"outputs\": %llu, \"token\": ",
                (unsigned long long)jacobian->inputs, (unsigned long long)jacobian->outputs);
    sow_cli_add(text, jacobian->token < 0 ? "null" : "%lld", (long long)jacobian->token);
    sow_cli_add(text, ", \"seeds\": %u, \"cotangents\": %llu, \"whole\": %s", jacobian->seeds,
                (unsigned long long)jacobian->cotangents, jacobian->is_whole ? "true" : "false");
    add_numbers(text, "measured", &jacobian->measured);
    add_numbers(text, "expected", &jacobian->expected);
    sow_cli_add(text, ",\n    \"singular_values\": [");
    for (uint64_t i = 0; i < jacobian->count; i++) {
        sow_cli_add(text, i > 0 ? ", " : "");
        sow_cli_add_number(text, jacobian->values[i]);
    }
    sow_cli_add(text, "]},\n");
}
