/* SPDX-License-Identifier: MIT */
/* What is sent into a network, from the command line: --batch, --tokens, --size SYMBOL=N, --input KEY=X,... */
#include "signal_options.h"

#include <float.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "cli/text/message.h"

/* "height=64" */
static int read_size(const struct sow_cli_options *options, const char *text,
                     struct sow_cli_signal *signal)
{
    const char *equals = strchr(text, '=');
    size_t length = equals != NULL ? (size_t)(equals - text) : 0;
    uint64_t size;
    char reason[512];
    if (length == 0 || length >= SOW_SIGNAL_WORD) {
        return sow_cli_usage(options->verb,
                             "--size: '%.60s' is not of the form SYMBOL=N, height=64", text);
    }
    if (sow_cli_value(SOW_TAKES_EXTENT, equals + 1, &size, reason) != NULL) {
        return sow_cli_usage(options->verb, "--size %.60s: %s", text, reason);
    }
    if (signal->how.size_count == SOW_SIGNAL_SIZES) {
        return sow_cli_usage(options->verb, "--size: at most %d sizes are taken", SOW_SIGNAL_SIZES);
    }
    char *name = signal->names[signal->how.size_count];
    memcpy(name, text, length);
    name[length] = '\0';
    signal->sizes[signal->how.size_count++] = (struct sow_signal_size){name, size};
    return SOW_EXIT_DONE;
}

/* What --input may say; each once. */
static const struct input_row {
    const char *key;
    double low, high;
    const char *range;
    size_t offset;
} input_rows[] = {
    {"mean", -DBL_MAX, DBL_MAX, "a number", offsetof(struct sow_signal_input, mean)},
    {"std", 0, DBL_MAX, "a number that is not negative", offsetof(struct sow_signal_input, std)},
    {"correlation", -1, 1, "a number from -1 to 1",
     offsetof(struct sow_signal_input, place_correlation)},
    {"samples", -1, 1, "a number from -1 to 1",
     offsetof(struct sow_signal_input, sample_correlation)},
};

#define INPUT_ROWS (sizeof input_rows / sizeof input_rows[0])

/* Which row "std=2,mean=0.1" begins with; INPUT_ROWS: none. */
static size_t input_row_of(const char *text)
{
    size_t row = 0, length = strcspn(text, "=,");
    while (row < INPUT_ROWS && (strlen(input_rows[row].key) != length ||
                                strncmp(input_rows[row].key, text, length) != 0)) {
        row++;
    }
    return text[length] == '=' ? row : INPUT_ROWS;
}

static int read_input(const struct sow_cli_options *options, struct sow_cli_signal *signal)
{
    unsigned seen = 0;
    signal->input.std = 1;
    for (const char *text = options->input; *text != '\0';) {
        size_t row = input_row_of(text);
        int length = (int)strcspn(text, ",");
        if (row == INPUT_ROWS) {
            return sow_cli_usage(options->verb,
                                 "--input: '%.*s' is none of mean=X, std=X, correlation=X and "
                                 "samples=X, between commas",
                                 length < 60 ? length : 60, text);
        }
        const struct input_row *at = &input_rows[row];
        char *end;
        double number = strtod(text + strlen(at->key) + 1, &end);
        if (end == text + strlen(at->key) + 1 || end != text + length ||
            !(number >= at->low && number <= at->high)) {
            return sow_cli_usage(options->verb, "--input: '%.*s': %s is %s",
                                 length < 60 ? length : 60, text, at->key, at->range);
        }
        if (seen & 1u << row) {
            return sow_cli_usage(options->verb, "--input: %s stands twice; give it once", at->key);
        }
        seen |= 1u << row;
        *(double *)((char *)&signal->input + at->offset) = number;
        text += length + (text[length] == ',');
    }
    signal->how.input = &signal->input;
    return SOW_EXIT_DONE;
}

int sow_cli_signal_read(const struct sow_cli_options *options, struct sow_cli_signal *signal)
{
    int code = SOW_EXIT_DONE;
    *signal = (struct sow_cli_signal){0};
    signal->how = (struct sow_signal_options){
        .batch = options->batch, .tokens = options->tokens, .sizes = signal->sizes};
    for (size_t i = 0; i < options->sizes.count && code == SOW_EXIT_DONE; i++) {
        code = read_size(options, options->sizes.items[i], signal);
    }
    return code == SOW_EXIT_DONE && options->input != NULL ? read_input(options, signal) : code;
}
