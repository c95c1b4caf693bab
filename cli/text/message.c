/* SPDX-License-Identifier: MIT */
/* Messages on stderr and exit codes. Text from outside (names, paths) is made harmless for terminals. */
#include "message.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "cli/cmd.h"
#include "format.h"

int sow_cli_exit_code(const struct sow_error *error)
{
    /* A rule of the command line is the user's word, a rule of a file is input. */
    int typed_rule = strcmp(error->file, "--set") == 0 || strcmp(error->file, "--scheme") == 0 ||
                     strcmp(error->file, "--compare") == 0 || strcmp(error->file, "--lr") == 0;
    int typed = error->file[0] == '\0' || typed_rule;
    switch (error->code) {
    case SOW_OK:
        return SOW_EXIT_DONE;
    case SOW_E_ARGUMENT:
    case SOW_E_UNSUPPORTED:
        return typed ? SOW_EXIT_USAGE : SOW_EXIT_INPUT;
    case SOW_E_SYNTAX:
    case SOW_E_CONFIG:
    case SOW_E_RULE:
    case SOW_E_SHAPE:
        return typed_rule ? SOW_EXIT_USAGE : SOW_EXIT_INPUT;
    case SOW_E_FORMAT:
    case SOW_E_MISSING:
        return SOW_EXIT_INPUT;
    case SOW_E_MISMATCH:
        return SOW_EXIT_NO;
    case SOW_E_IO:
    case SOW_E_MEMORY:
    case SOW_E_EXISTS:
        return SOW_EXIT_IO;
    case SOW_E_INTERRUPTED:
        return sow_cli_interrupted_code();
    }
    return SOW_EXIT_IO;
}

static enum sow_color messages_color; /* of the whole process: --color */

void sow_cli_messages_color(enum sow_color color)
{
    messages_color = color;
}

/* "kind: " in its colour. */
static void add_kind(struct sow_cli_text *text, const char *kind, enum sow_style style)
{
    int colored = sow_cli_colored(stderr, messages_color);
    sow_cli_add(text, "%s%s:%s ", sow_cli_style(style, colored), kind,
                sow_cli_style(SOW_PLAIN, colored));
}

static void print(struct sow_cli_text *text)
{
    fflush(stdout);
    fwrite(text->bytes, 1, text->length, stderr);
    sow_cli_text_free(text);
}

void sow_cli_say(const char *kind, const char *words)
{
    struct sow_cli_text text = {0};
    while (*words != '\0') {
        size_t length = strcspn(words, "\n");
        add_kind(&text, kind, SOW_BOLD);
        sow_cli_add_safe(&text, words, length, 0);
        sow_cli_add(&text, "\n");
        words += length + (words[length] == '\n');
    }
    if (text.length > 0) {
        print(&text);
    }
}

int sow_cli_fail(const struct sow_error *error)
{
    struct sow_cli_text text = {0};
    add_kind(&text, "sow: error", SOW_RED);
    if (error->file[0] != '\0') {
        sow_cli_add_safe(&text, error->file, strlen(error->file), 0);
        if (error->line > 0) {
            sow_cli_add(&text, ":%u", (unsigned)error->line);
        }
        if (error->line > 0 && error->column > 0) {
            sow_cli_add(&text, ":%u", (unsigned)error->column);
        }
        sow_cli_add(&text, ": ");
    }
    sow_cli_add_safe(&text, error->message, strlen(error->message), 0);
    sow_cli_add(&text, "\n");
    print(&text);
    return sow_cli_exit_code(error);
}

int sow_cli_usage(enum sow_verb verb, const char *format, ...)
{
    char message[1024];
    struct sow_cli_text text = {0};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    add_kind(&text, "sow: error", SOW_RED);
    sow_cli_add_safe(&text, message, strlen(message), 0);
    if (verb == SOW_VERB_COUNT) {
        sow_cli_add(&text, "\ntry: sow -h\n");
    } else {
        sow_cli_add(&text, "\ntry: sow %s -h\n", sow_verb_rows[verb].name);
    }
    print(&text);
    return SOW_EXIT_USAGE;
}

int sow_cli_finish(int code)
{
    fflush(stderr);
    errno = 0;
    if (ferror(stdout) || fflush(stdout) != 0) {
        fprintf(stderr, "sow: error: standard output: %s\n",
                errno != 0 ? strerror(errno) : "not everything could be written");
        return SOW_EXIT_IO;
    }
    return code;
}
