/* SPDX-License-Identifier: MIT */
/* What is sent into a network, from the command line: --batch, --tokens, --size SYMBOL=N, --input KEY=X,... */
#include "signal_options.h"

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
    if (sow_cli_value(SOW_TAKES_COUNT, equals + 1, &size, reason) != NULL) {
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

/* The number of `key` in "mean=0.1,std=2"; moves *text behind the comma. 0: none of the form. */
static int read_number(const char **text, const char *key, double *number)
{
    size_t length = strlen(key);
    char *end;
    if (strncmp(*text, key, length) != 0 || (*text)[length] != '=') {
        return 0;
    }
    *number = strtod(*text + length + 1, &end);
    if (end == *text + length + 1 || (*end != ',' && *end != '\0') || !(*number - *number == 0)) {
        return 0;
    }
    *text = *end == ',' ? end + 1 : end;
    return 1;
}

static int read_input(const struct sow_cli_options *options, struct sow_cli_signal *signal)
{
    const char *text = options->input;
    struct sow_signal_input *input = &signal->input;
    input->std = 1;
    while (*text != '\0') {
        if (!read_number(&text, "mean", &input->mean) && !read_number(&text, "std", &input->std) &&
            !read_number(&text, "correlation", &input->place_correlation) &&
            !read_number(&text, "samples", &input->sample_correlation)) {
            return sow_cli_usage(options->verb,
                                 "--input: '%.60s' is none of mean=X, std=X, correlation=X and "
                                 "samples=X, between commas",
                                 text);
        }
    }
    signal->how.input = input;
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
