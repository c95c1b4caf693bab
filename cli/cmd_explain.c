/* SPDX-License-Identifier: MIT */
/* sow explain: why one tensor gets its numbers. The words are the library's. */
#include <string.h>

#include "cmd.h"
#include "cli/text/format.h"
#include "cli/text/message.h"

/* The name as sow plan folds it, "h.{0..11}.w", stands for its first: "h.0.w". */
static void add_unfolded(struct sow_cli_text *text, const char *name)
{
    while (*name != '\0') {
        size_t plain = strcspn(name, "{");
        sow_cli_add_bytes(text, name, plain);
        name += plain;
        size_t digits = *name == '{' ? strspn(name + 1, "0123456789") : 0;
        const char *dots = name + 1 + digits;
        size_t last =
            digits > 0 && strncmp(dots, "..", 2) == 0 ? strspn(dots + 2, "0123456789") : 0;
        if (last > 0 && dots[2 + last] == '}') {
            sow_cli_add_bytes(text, name + 1, digits);
            name = dots + 2 + last + 1;
        } else if (*name != '\0') {
            sow_cli_add_bytes(text, name++, 1);
        }
    }
}

int sow_cmd_explain(const struct sow_cli_options *options)
{
    struct sow_cli_source source;
    struct sow_cli_text text = {0};
    struct sow_error error;
    char *words = NULL;
    int code = sow_cli_source_load(options->arguments[0], options, &source);
    if (code == SOW_EXIT_DONE) {
        sow_cli_text_clear(&text);
        add_unfolded(&text, options->arguments[1]);
        if (sow_plan_explain(source.plan, text.bytes, &words, &error) != SOW_OK) {
            code = sow_cli_fail(&error);
        } else {
            sow_cli_text_clear(&text);
            sow_cli_add_safe(&text, words, strlen(words), 1);
            fputs(text.bytes, stdout);
        }
    }
    sow_text_free(words);
    sow_cli_text_free(&text);
    sow_cli_source_free(&source);
    return code;
}
