/* SPDX-License-Identifier: MIT */
/* One after another, what was asked for. */
#include "asked.h"

#include <string.h>

#include "cli/text/message.h"

int sow_cli_asks_jacobian(const struct sow_cli_options *options)
{
    return options->jacobian || options->from != NULL || options->to != NULL;
}

int sow_cli_asks(const struct sow_cli_options *options)
{
    return sow_cli_asks_jacobian(options) || options->curves || options->spectra;
}

int sow_cli_asked_code(enum sow_status status, const struct sow_error *error)
{
    if (status == SOW_OK) {
        return SOW_EXIT_DONE;
    }
    if (status == SOW_E_INTERRUPTED) { /* the prediction is known in any case */
        sow_cli_say("note", "interrupted: these are the numbers known so far");
        return sow_cli_interrupted_code();
    }
    return sow_cli_fail(error);
}

struct sow_measure_options sow_cli_asked_how(const struct sow_cli_options *options,
                                             struct sow_cli_progress *progress)
{
    return (struct sow_measure_options){
        .seeds = (uint32_t)(options->seeds < UINT32_MAX ? options->seeds : UINT32_MAX),
        .weights = options->weights,
        .threads = (uint32_t)options->threads,
        .memory_bytes = options->memory,
        .progress = sow_cli_progress,
        .progress_user = progress,
        .interrupted = sow_cli_interrupts(),
    };
}

int sow_cli_ask(const struct sow_cli_source *source, const struct sow_signal_options *how,
                const struct sow_cli_options *options, struct sow_cli_asked *asked)
{
    int code = SOW_EXIT_DONE;
    if (sow_cli_asks_jacobian(options)) {
        code = sow_cli_ask_jacobian(source, how, options, asked);
    }
    if (code == SOW_EXIT_DONE && options->curves) {
        code = sow_cli_ask_curves(source, how, options, asked);
    }
    if (code == SOW_EXIT_DONE && options->spectra) {
        code = sow_cli_ask_spectra(source, options, asked);
    }
    return code;
}

void sow_cli_asked_free(struct sow_cli_asked *asked)
{
    sow_jacobian_free(asked->jacobian);
    sow_curves_free(asked->curves);
    sow_spectra_free(asked->spectra);
}

void sow_cli_add_asked_words(struct sow_cli_text *text, const struct sow_cli_asked *asked)
{
    if (asked->jacobian != NULL) {
        sow_cli_add_jacobian_words(text, asked->jacobian);
        sow_cli_add(text, "\n");
    }
    if (asked->curves != NULL) {
        sow_cli_add_curves_words(text, asked->curves);
        sow_cli_add(text, "\n");
    }
    if (asked->spectra != NULL) {
        sow_cli_add_spectra_words(text, asked->spectra);
        sow_cli_add(text, "\n");
    }
    sow_cli_add_asked_samples(text, asked);
}

void sow_cli_asked_print(const struct sow_cli_asked *asked, const char *title)
{
    struct sow_cli_text words = {0}, line = {0};
    sow_cli_add_asked_words(&words, asked);
    for (char *at = words.bytes; at != NULL && *at != '\0';) {
        size_t length = strcspn(at, "\n");
        sow_cli_text_clear(&line);
        if (title != NULL) {
            sow_cli_add_safe(&line, title, strlen(title), 0);
            sow_cli_add(&line, ": ");
        }
        sow_cli_add_bytes(&line, at, length);
        sow_cli_print_paragraph(line.bytes);
        at += length + 1;
    }
    sow_cli_text_free(&words);
    sow_cli_text_free(&line);
}

void sow_cli_asked_note(const struct sow_cli_asked *asked, const struct sow_cli_options *options)
{
    struct sow_cli_text words = {0};
    sow_cli_add_asked_samples(&words, asked);
    for (char *at = words.bytes, *end; at != NULL && *at != '\0' && !options->quiet; at = end + 1) {
        end = strchr(at, '\n');
        *end = '\0';
        sow_cli_say("note", at);
    }
    sow_cli_text_free(&words);
}

void sow_cli_add_asked(struct sow_cli_text *text, const struct sow_cli_asked *asked)
{
    if (asked->jacobian != NULL) {
        sow_cli_add_jacobian(text, asked->jacobian);
    }
    if (asked->curves != NULL) {
        sow_cli_add_curves(text, asked->curves);
    }
    if (asked->spectra != NULL) {
        sow_cli_add_spectra(text, asked->spectra);
    }
    sow_cli_add_asked_sample(text, asked);
}

void sow_cli_add_asked_titles(struct sow_cli_text *text, const struct sow_cli_asked *asked)
{
    if (asked->curves != NULL) {
        sow_cli_add_curves_titles(text);
    }
    if (asked->spectra != NULL) {
        sow_cli_add_spectra_titles(text);
    }
}

void sow_cli_add_asked_csv(struct sow_cli_text *text, const struct sow_cli_asked *asked,
                           size_t index, const char *name)
{
    if (asked->curves != NULL) {
        sow_cli_add_curves_csv(text, asked->curves, index);
    }
    if (asked->spectra != NULL) {
        sow_cli_add_spectra_csv(text, asked->spectra, name);
    }
}
