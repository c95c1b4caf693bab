/* SPDX-License-Identifier: MIT */
/* sow completion SHELL: completions for bash and zsh, made of the rows of options.def and the catalogues. */
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "cli/text/message.h"

static void put_schemes(void)
{
    const struct sow_scheme *scheme;
    for (size_t i = 0; (scheme = sow_scheme_at(i)) != NULL; i++) {
        printf("%s ", scheme->name);
    }
}

static void put_activations(void)
{
    const struct sow_activation *activation;
    for (size_t i = 0; (activation = sow_activation_at(i)) != NULL; i++) {
        printf("%s ", activation->name);
    }
}

/* Words that a value may be, separated by blanks; nothing when it is free. */
static void put_values(enum sow_option row)
{
    enum sow_takes takes = sow_option_rows[row].takes;
    if (row == SOW_OPTION_scheme || row == SOW_OPTION_compare) {
        put_schemes();
    } else if (row == SOW_OPTION_activation) {
        put_activations();
    } else if (row == SOW_OPTION_optimizer) {
        fputs("adam sgd", stdout);
    } else if (takes == SOW_TAKES_COLOR) {
        fputs("auto always never", stdout);
    }
    for (int value = 1; takes == SOW_TAKES_DTYPE && value < 256; value++) {
        if (sow_dtype_name((enum sow_dtype)value) != NULL &&
            sow_dtype_drawable((enum sow_dtype)value)) {
            printf("%s ", sow_dtype_name((enum sow_dtype)value));
        }
    }
}

static int has_values(enum sow_option row)
{
    enum sow_takes takes = sow_option_rows[row].takes;
    return row == SOW_OPTION_scheme || row == SOW_OPTION_compare || row == SOW_OPTION_activation ||
           row == SOW_OPTION_optimizer || takes == SOW_TAKES_DTYPE || takes == SOW_TAKES_COLOR;
}

static void put_verbs(void)
{
    for (int verb = 0; verb < SOW_VERB_COUNT; verb++) {
        printf("%s ", sow_verb_rows[verb].name);
    }
}

/* What the arguments of a verb are: words, or, for the others, files. */
static void put_arguments(enum sow_verb verb)
{
    if (verb == SOW_VERB_schemes) {
        put_schemes();
    } else if (verb == SOW_VERB_activations) {
        put_activations();
    } else if (verb == SOW_VERB_help) {
        put_verbs();
    } else if (verb == SOW_VERB_completion) {
        fputs("bash zsh", stdout);
    }
}

static int takes_files(enum sow_verb verb)
{
    return verb != SOW_VERB_schemes && verb != SOW_VERB_activations && verb != SOW_VERB_help &&
           verb != SOW_VERB_completion && sow_verb_rows[verb].arguments[0] != '\0';
}

static void put_bash(void)
{
    puts("# bash completion for sow: source <(sow completion bash)\n"
         "_sow() {\n"
         "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} "
         "verb=${COMP_WORDS[1]} words=\n"
         "    COMPREPLY=()\n"
         "    if [[ $cur == = ]]; then\n"
         "        cur=\n"
         "    elif [[ $prev == = ]]; then\n"
         "        prev=${COMP_WORDS[COMP_CWORD - 2]}\n"
         "    fi\n"
         "    if ((COMP_CWORD == 1)); then");
    fputs("        mapfile -t COMPREPLY < <(compgen -W '", stdout);
    put_verbs();
    puts("-h --help --version' -- \"$cur\")\n        return\n    fi\n    case $prev in");
    for (int row = 0; row < SOW_OPTION_COUNT; row++) {
        const struct sow_option_row *option = &sow_option_rows[row];
        if (option->takes == SOW_TAKES_NOTHING) {
            continue;
        }
        printf("    --%s", option->name);
        if (option->letter != 0) {
            printf(" | -%c", option->letter);
        }
        if (option->takes == SOW_TAKES_PATH) {
            puts(") mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); return ;;");
            continue;
        }
        fputs(") mapfile -t COMPREPLY < <(compgen -W '", stdout);
        put_values((enum sow_option)row);
        puts("' -- \"$cur\"); return ;;");
    }
    puts("    esac\n    case $verb in");
    for (int verb = 0; verb < SOW_VERB_COUNT; verb++) {
        printf("    %s) if [[ $cur == -* ]]; then words='", sow_verb_rows[verb].name);
        for (int row = 0; row < SOW_OPTION_COUNT; row++) {
            if (sow_cli_belongs((enum sow_option)row, (enum sow_verb)verb)) {
                printf("--%s ", sow_option_rows[row].name);
            }
        }
        fputs("'; else words='", stdout);
        put_arguments((enum sow_verb)verb);
        puts("'; fi ;;");
    }
    puts("    esac\n"
         "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
         "    if [[ $cur != -* && -z $words ]]; then\n"
         "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
         "    fi\n"
         "}\n"
         "complete -o filenames -o bashdefault -F _sow sow");
}

/* Text inside a zsh option specification, which is in single quotes. */
static void put_zsh_text(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            fputs("'\\''", stdout);
        } else {
            fputs(strchr("[]:\\", *text) != NULL ? "\\" : "", stdout);
            putchar(*text);
        }
    }
}

static void put_zsh_option(enum sow_option row)
{
    const struct sow_option_row *option = &sow_option_rows[row];
    char letter[4] = {'-', option->letter, '\0', '\0'};
    for (int i = option->letter != 0 ? 0 : 1; i < 2; i++) {
        printf("            '%s%s%s%s[", option->takes == SOW_TAKES_LIST ? "*" : "",
               i == 0 ? letter : "--", i == 0 ? "" : option->name,
               i == 1 && option->takes != SOW_TAKES_NOTHING ? "=" : "");
        put_zsh_text(option->help);
        fputs("]", stdout);
        if (option->takes != SOW_TAKES_NOTHING) {
            printf(":%s:", option->value);
            if (option->takes == SOW_TAKES_PATH) {
                fputs("_files", stdout);
            } else if (has_values(row)) {
                fputs("(", stdout);
                put_values(row);
                fputs(")", stdout);
            }
        }
        puts("' \\");
    }
}

static void put_zsh(void)
{
    puts("#compdef sow\n_sow() {\n    local -a verbs=(");
    for (int verb = 0; verb < SOW_VERB_COUNT; verb++) {
        printf("        '%s:", sow_verb_rows[verb].name);
        put_zsh_text(sow_verb_rows[verb].summary);
        puts("'");
    }
    puts("    )\n    if ((CURRENT == 2)); then\n        _describe verb verbs\n        return\n    "
         "fi\n"
         "    local verb=${words[2]}\n    shift words\n    ((CURRENT--))\n    case $verb in");
    for (int verb = 0; verb < SOW_VERB_COUNT; verb++) {
        printf("    %s)\n        _arguments -s -S \\\n", sow_verb_rows[verb].name);
        for (int row = 0; row < SOW_OPTION_COUNT; row++) {
            if (sow_cli_belongs((enum sow_option)row, (enum sow_verb)verb)) {
                put_zsh_option((enum sow_option)row);
            }
        }
        fputs(takes_files((enum sow_verb)verb) ? "            '*:file:_files"
                                               : "            '*:name:(",
              stdout);
        put_arguments((enum sow_verb)verb);
        puts(takes_files((enum sow_verb)verb) ? "' ;;" : ")' ;;");
    }
    puts("    esac\n}\nif [[ $funcstack[1] == _sow ]]; then\n    _sow \"$@\"\nelse\n    compdef "
         "_sow sow\nfi");
}

int sow_cmd_completion(const struct sow_cli_options *options)
{
    if (strcmp(options->arguments[0], "bash") == 0) {
        put_bash();
    } else if (strcmp(options->arguments[0], "zsh") == 0) {
        put_zsh();
    } else {
        return sow_cli_usage(options->verb, "there are completions for bash and zsh, not for '%s'",
                             options->arguments[0]);
    }
    return SOW_EXIT_DONE;
}
