/* SPDX-License-Identifier: MIT */
/* sow activations: the table of activations, one with all its numbers, or an expression of the
 * user's own. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "activation.h"
#include "cmd.h"
#include "cli/text/message.h"
#include "cli/text/table.h"

#define VERB SOW_VERB_activations

/* A finite number that ends at one of `ends` (or at the end of the text); nonzero when there is none. */
static int read_number(const char **text, const char *ends, double *number)
{
    char *end;
    *number = strtod(*text, &end);
    int bad =
        end == *text || *number - *number != 0 || (*end != '\0' && strchr(ends, *end) == NULL);
    *text = end;
    return bad;
}

/* --kinks 0,1 */
static int read_kinks(const char *text, double kinks[SOW_KINKS_MAX], size_t *count)
{
    const char *at = text;
    for (*count = 0; *count < SOW_KINKS_MAX; at++) {
        if (read_number(&at, ",", &kinks[*count]) ||
            (*count > 0 && kinks[*count] <= kinks[*count - 1])) {
            return sow_cli_usage(
                VERB, "--kinks: '%.100s' is no ascending list of numbers such as -1,1", text);
        }
        ++*count;
        if (*at == '\0') {
            return SOW_EXIT_DONE;
        }
    }
    return sow_cli_usage(VERB, "--kinks: at most %d are taken", SOW_KINKS_MAX);
}

static int read_sigma(const char *option, const char *text, double *sigma)
{
    const char *at = text;
    if (text != NULL && (read_number(&at, "", sigma) || *sigma < 0 || *sigma > 1e6)) {
        return sow_cli_usage(VERB, "%s: '%.40s' is no standard deviation from 0 to 1e6", option,
                             text);
    }
    return SOW_EXIT_DONE;
}

/* ---- Gathering --------------------------------------------------------------------------------- */

/* Everything but the function itself. */
static int gather(const struct sow_cli_options *options, struct sow_cli_activation *activation)
{
    struct sow_error error;
    const struct sow_function *function = &activation->function;
    enum sow_status status = sow_function_numbers(function, &activation->numbers, &error);
    activation->sigma_w = activation->numbers.gain;
    activation->sigma_b = 0;
    int code = read_sigma("--sigma-w", options->sigma_w, &activation->sigma_w);
    if (code == SOW_EXIT_DONE) {
        code = read_sigma("--sigma-b", options->sigma_b, &activation->sigma_b);
    }
    if (code != SOW_EXIT_DONE) {
        return code;
    }
    if (status == SOW_OK && activation->sigma_w == activation->sigma_w) {
        /* the gain squared, without the rounding of a root: relu keeps q exactly */
        double sigma_w2 = options->sigma_w != NULL ? activation->sigma_w * activation->sigma_w
                                                   : 1 / activation->numbers.second_moment;
        status =
            sow_function_fixed_point(function, sigma_w2, activation->sigma_b * activation->sigma_b,
                                     &activation->point, &error);
    }
    if (status == SOW_OK) {
        status = sow_function_criticality(function, &activation->criticality, &error);
    }
    return status == SOW_OK ? SOW_EXIT_DONE : sow_cli_fail(&error);
}

/* ---- Printing ------------------------------------------------------------------------------------ */

static void print_one(const struct sow_cli_activation *activation, int json)
{
    struct sow_cli_text text = {0};
    if (json) {
        sow_cli_activation_json(activation, &text);
        sow_cli_add(&text, "\n");
    } else {
        sow_cli_activation_text(activation, &text);
    }
    fputs(text.bytes, stdout);
    sow_cli_text_free(&text);
}

static int print_json(const struct sow_cli_options *options)
{
    const struct sow_activation *row;
    struct sow_cli_activation activation = {0};
    struct sow_cli_text text = {0};
    int code = SOW_EXIT_DONE;
    sow_cli_add(&text, "{\"activations\":[");
    for (size_t i = 0; code == SOW_EXIT_DONE && (row = sow_activation_at(i)) != NULL; i++) {
        sow_cli_add(&text, i > 0 ? ",\n" : "\n");
        sow_function_named(row->name, NULL, 0, &activation.function, NULL);
        code = gather(options, &activation);
        sow_cli_activation_json(&activation, &text);
    }
    sow_cli_add(&text, "\n]}\n");
    if (code == SOW_EXIT_DONE) {
        fputs(text.bytes, stdout);
    }
    sow_cli_text_free(&text);
    return code;
}

static void add_cell(struct sow_cli_text *cell, double x)
{
    sow_cli_add(cell, x == x ? "%.4f" : "undefined", x);
}

static void print_table(int colored)
{
    struct sow_table table = {
        .columns = 6,
        .titles = {"activation", "gain", "mean", "chi_perp", "chi_par", "phi(x)"},
        .right = 0x1e,
        .colored = colored};
    struct sow_cli_text *cells = table.cells;
    const struct sow_activation *row;
    while (sow_cli_table_pass(&table)) {
        for (size_t i = 0; (row = sow_activation_at(i)) != NULL; i++) {
            struct sow_function function;
            struct sow_activation_numbers numbers;
            sow_function_named(row->name, NULL, 0, &function, NULL);
            sow_function_numbers(&function, &numbers, NULL);
            sow_cli_add(&cells[0], "%s", row->name);
            add_cell(&cells[1], numbers.gain);
            add_cell(&cells[2], numbers.mean);
            add_cell(&cells[3], numbers.chi_perp);
            add_cell(&cells[4], numbers.chi_par);
            sow_cli_add(&cells[5], "%s", row->formula);
            sow_cli_table_row(&table);
        }
    }
}

/* ---- The verb -------------------------------------------------------------------------------------- */

static int run_expression(const struct sow_cli_options *options)
{
    struct sow_cli_activation activation = {.expression = options->expression};
    struct sow_expression *expression = NULL;
    struct sow_error error;
    double kinks[SOW_KINKS_MAX];
    size_t count = 0;
    int code = SOW_EXIT_DONE;
    if (options->kinks != NULL) {
        code = read_kinks(options->kinks, kinks, &count);
    }
    if (code == SOW_EXIT_DONE &&
        (sow_expression_load(options->expression, &expression, &error) != SOW_OK ||
         sow_expression_function(expression, options->kinks != NULL ? kinks : NULL, count,
                                 &activation.function, &error) != SOW_OK)) {
        code = sow_cli_fail(&error);
    }
    if (code == SOW_EXIT_DONE) {
        code = gather(options, &activation);
    }
    if (code == SOW_EXIT_DONE) {
        print_one(&activation, options->json);
    }
    sow_expression_free(expression);
    return code;
}

int sow_cmd_activations(const struct sow_cli_options *options)
{
    struct sow_cli_activation activation = {0};
    int sigmas = options->sigma_w != NULL || options->sigma_b != NULL;
    if (options->expression != NULL && options->argument_count > 0) {
        return sow_cli_usage(VERB, "give a name or --expr, not both");
    }
    if (options->expression != NULL) {
        return run_expression(options);
    }
    if (options->kinks != NULL || (sigmas && options->argument_count == 0)) {
        return sow_cli_usage(
            VERB, "%s",
            options->kinks != NULL
                ? "--kinks belongs to --expr; a named activation knows its own"
                : "--sigma-w and --sigma-b need an activation: sow activations NAME");
    }
    if (options->argument_count > 0) {
        struct sow_error error;
        int code = sow_function_parse(options->arguments[0], &activation.function, &error) == SOW_OK
                       ? SOW_EXIT_DONE
                       : sow_cli_fail(&error);
        if (code == SOW_EXIT_DONE) {
            code = gather(options, &activation);
        }
        if (code == SOW_EXIT_DONE) {
            print_one(&activation, options->json);
        }
        return code;
    }
    if (options->json) {
        return print_json(options);
    }
    print_table(sow_cli_colored(stdout, options->color));
    if (!options->quiet) {
        sow_cli_say("next", "sow activations gelu");
    }
    return SOW_EXIT_DONE;
}
