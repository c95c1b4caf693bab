/* SPDX-License-Identifier: MIT */
/* sow: initial weights from the command line. Finds the verb, reads its options, runs it; the rows are in options.def,
 * the verbs in cmd_<verb>.c. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "cli/text/message.h"

static int (*const commands[SOW_VERB_COUNT])(const struct sow_cli_options *options) = {
#define SOW_VERB(id, ...) sow_cmd_##id,
#include "options.def"
};

/* A closed 0, 1 or 2 would be given to the next file that is opened; our output would go into it. Takes the number with
 * something that refuses use instead. */
static void occupy_standard_streams(void)
{
    for (int stream = 0; stream <= 2; stream++) {
        if (fcntl(stream, F_GETFD) == -1 && errno == EBADF) {
            (void)!open("/dev/null", stream == 0 ? O_WRONLY : O_RDONLY);
        }
    }
}

static int run(int argc, char **argv)
{
    struct sow_cli_options options;
    struct sow_error error;
    const char *word = argc > 1 ? argv[1] : "-h";
    if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0) {
        sow_cli_help(word[1] == 'h' ? 1 : 2);
        return SOW_EXIT_DONE;
    }
    if (strcmp(word, "-V") == 0 || strcmp(word, "--version") == 0) {
        word = sow_verb_rows[SOW_VERB_version].name;
    }
    enum sow_verb verb = sow_cli_verb(word);
    if (verb == SOW_VERB_COUNT) {
        return sow_cli_unknown_verb(word);
    }
    int code = sow_cli_parse(verb, argc, argv, &options);
    sow_cli_messages_color(options.color);
    if (options.help) {
        sow_cli_help_verb(verb, options.help);
    } else if (code == SOW_EXIT_DONE && sow_isa_check(&error) != SOW_OK) {
        code = sow_cli_fail(&error);
    } else if (code == SOW_EXIT_DONE) {
        code = commands[verb](&options);
    }
    sow_cli_options_free(&options);
    return code;
}

int main(int argc, char **argv)
{
    occupy_standard_streams();
    return sow_cli_finish(run(argc, argv));
}
