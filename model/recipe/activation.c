/* SPDX-License-Identifier: MIT */
/* An activation as one text, NAME, NAME{parameter=number,...} or expr{EXPRESSION}: as options and configs hold it. What
 * the names, parameters and expressions are is core/activation's to say. */
#include "model/recipe/activation.h"

#include "core/activation/expression.h"
#include "core/base/error.h"

#include "sow/model.h"

#include <stdlib.h>
#include <string.h>

#define WORD_MAX 32

/* One call as read so far. */
struct reading {
    const char *at;
    char name[2 * WORD_MAX], words[SOW_ACTIVATION_PARAMETERS_MAX][WORD_MAX];
    struct sow_argument arguments[SOW_ACTIVATION_PARAMETERS_MAX];
    size_t count;
};

static void skip_blanks(struct reading *reading)
{
    reading->at += strspn(reading->at, " ");
}

/* The text up to one of `ends`, and the blanks behind it; nonzero when it is empty or too long. */
static int read_word(struct reading *reading, const char *ends, char *word, size_t size)
{
    size_t length = strcspn(reading->at, ends);
    if (length == 0 || length >= size) {
        return 1;
    }
    memcpy(word, reading->at, length);
    word[length] = '\0';
    reading->at += length;
    skip_blanks(reading);
    return 0;
}

/* parameter=number and what ends it; nonzero when it is none. */
static int read_argument(struct reading *reading)
{
    char *end;
    if (reading->count == SOW_ACTIVATION_PARAMETERS_MAX ||
        read_word(reading, "={}, ", reading->words[reading->count], WORD_MAX) ||
        *reading->at != '=') {
        return 1;
    }
    struct sow_argument *argument = &reading->arguments[reading->count];
    reading->at++;
    argument->number = strtod(reading->at, &end);
    argument->name = reading->words[reading->count++];
    argument->text = NULL;
    if (end == reading->at || argument->number - argument->number != 0) {
        return 1;
    }
    reading->at = end;
    skip_blanks(reading);
    if (*reading->at == ',') {
        reading->at++;
        skip_blanks(reading);
        return *reading->at == '}';
    }
    return *reading->at != '}';
}

enum sow_status sow_function_parse(const char *text, struct sow_function *function,
                                   struct sow_error *error)
{
    struct reading reading = {.at = text};
    size_t length;
    if (sow_expression_inside(text, &length) != NULL) {
        return sow_fail(error, SOW_E_ARGUMENT,
                        "'%.100s' is an expression, and here a name is expected; `sow activations "
                        "--expr` takes one",
                        text);
    }
    skip_blanks(&reading);
    int bad = read_word(&reading, "{ ", reading.name, sizeof reading.name);
    if (!bad && *reading.at == '{') {
        reading.at++;
        skip_blanks(&reading);
        while (!bad && *reading.at != '}') {
            bad = read_argument(&reading);
        }
        reading.at += !bad;
        skip_blanks(&reading);
    }
    if (bad || *reading.at != '\0') {
        return sow_fail(error, SOW_E_ARGUMENT,
                        "'%.100s' is not NAME or NAME{parameter=number}, such as "
                        "'leaky_relu{slope=0.2}'",
                        text);
    }
    return sow_function_named(reading.name, reading.arguments, reading.count, function, error);
}

/* ---- For a model ------------------------------------------------------------------------------- */

/* Weights of zeros give inputs of exactly 0; and a signal must be able to pass. */
static enum sow_status check_in_network(const struct sow_function *function,
                                        struct sow_error *error)
{
    struct sow_activation_numbers numbers;
    double slope;
    (void)sow_function_value(function, 0, &slope);
    if (slope - slope != 0) {
        return sow_fail(error, SOW_E_ARGUMENT,
                        "the derivative of %.200s is not finite at x = 0, where zero weights put "
                        "a network",
                        function->name);
    }
    enum sow_status status = sow_function_numbers(function, &numbers, error);
    return status == SOW_OK && !(numbers.second_moment > 0)
               ? sow_fail(error, SOW_E_ARGUMENT, "%.200s is 0 everywhere: nothing passes",
                          function->name)
               : status;
}

enum sow_status sow_model_activation(struct sow_model *model, const char *text,
                                     struct sow_function *function, struct sow_error *error)
{
    size_t length;
    if (sow_expression_inside(text, &length) == NULL) {
        return sow_function_parse(text, function, error);
    }
    const struct sow_function *same = sow_graph_expression(&model->graph, text);
    if (same != NULL) {
        *function = *same;
        return SOW_OK;
    }
    struct sow_graph_function *made = sow_arena_take(&model->arena, sizeof *made);
    if (made == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory while reading an expression");
    }
    enum sow_status status = sow_expression_compile_braced(text, &made->program, error);
    const struct sow_function *known =
        status == SOW_OK ? sow_graph_expression(&model->graph, made->program.name) : NULL;
    if (known != NULL) {
        *function = *known;
        return SOW_OK;
    }
    if (status == SOW_OK) {
        status = sow_expression_own(&made->program, NULL, 0, &made->function, error);
    }
    if (status == SOW_OK) {
        status = check_in_network(&made->function, error);
    }
    if (status == SOW_OK) {
        made->next = model->graph.functions;
        model->graph.functions = made;
        *function = made->function;
    }
    return status;
}
