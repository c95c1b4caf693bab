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

static const char *verb_at(const void *context, size_t index)
{
    (void)context;
    return sow_verb_rows[index].name;
}

static int unknown_verb(const char *word)
{
    const char *nearest = sow_cli_nearest(word, verb_at, NULL, SOW_VERB_COUNT);
    if (word[0] == '-') {
        return sow_cli_usage(SOW_VERB_COUNT, "'%s' stands before the verb; write: sow VERB ... %s",
                             word, word);
    }
    if (access(word, F_OK) == 0) {
        return sow_cli_usage(SOW_VERB_COUNT,
                             "'%s' is a file, not a verb; did you mean 'sow plan %s'?", word, word);
    }
    if (nearest != NULL) {
        return sow_cli_usage(SOW_VERB_COUNT, "unknown verb '%s'; did you mean 'sow %s'?", word,
                             nearest);
    }
    return sow_cli_usage(SOW_VERB_COUNT, "unknown verb '%s'", word);
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
        return unknown_verb(word);
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
