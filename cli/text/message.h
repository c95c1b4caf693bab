/* SPDX-License-Identifier: MIT */
/* What sow says on stderr, and the one place where a status becomes an exit code. */
#ifndef SOW_CLI_MESSAGE_H
#define SOW_CLI_MESSAGE_H

#include "cli/options.h"

/* Exit code of a failed call: see the rows SOW_EXIT in options.def. */
int sow_cli_exit_code(const struct sow_error *error);

/* Prints "sow: error: FILE:LINE:COLUMN: message" and returns the exit code. */
int sow_cli_fail(const struct sow_error *error);

/* Prints "sow: error: ..." and where to read on; returns SOW_EXIT_USAGE. */
int sow_cli_usage(enum sow_verb verb, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Prints "KIND: ...", such as a note or what to do next; line breaks in the text begin new lines of the same kind. */
void sow_cli_say(const char *kind, const char *text);

/* Chooses the colour of messages; before it they follow the environment. */
void sow_cli_messages_color(enum sow_color color);

/* Flushes stdout and stderr; SOW_EXIT_IO after telling why when stdout could not take everything, else `code`. */
int sow_cli_finish(int code);

#endif
