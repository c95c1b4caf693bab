/* SPDX-License-Identifier: MIT */
/* The progress of long runs, and Ctrl-C. A bar on a terminal's stderr; elsewhere a line every few seconds. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "cli/text/format.h"

#define BAR_COLUMNS   24
#define BAR_SECONDS   0.1 /* between redraws */
#define LINES_SECONDS 5.0 /* between lines where there is no terminal */

static volatile sig_atomic_t interrupted; /* the signal, 0 before the first */

static void interrupt(int signal)
{
    interrupted = signal;
}

const volatile int *sow_cli_interrupts(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct sigaction old, action = {.sa_handler = interrupt, .sa_flags = (int)SA_RESETHAND};
        sigemptyset(&action.sa_mask);
        if (sigaction(signals[i], NULL, &old) == 0 &&
            old.sa_handler != SIG_IGN) { /* nohup stays nohup */
            sigaction(signals[i], &action, NULL);
        }
    }
    return &interrupted;
}

int sow_cli_interrupted_code(void)
{
    return interrupted != 0 ? 128 + interrupted : SOW_EXIT_INTERRUPTED;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

void sow_cli_progress_begin(struct sow_cli_progress *progress, const char *what, int quiet)
{
    const char *term = getenv("TERM");
    int dumb = term == NULL || strcmp(term, "dumb") == 0;
    *progress = (struct sow_cli_progress){
        .what = what,
        .quiet = quiet,
        .terminal = isatty(STDERR_FILENO) && !dumb,
        .begin = now(),
    };
    progress->last = progress->terminal ? 0 : progress->begin;
}

/* "[######      ] 25 %  62 MB of 249 MB, 1.3 GB/s, 3 s left" */
static void add_state(struct sow_cli_text *text, uint64_t done, uint64_t total, double seconds,
                      const struct sow_cli_progress *progress)
{
    int bar = progress->terminal;
    double part = total > 0 ? (double)done / (double)total : 1;
    int filled = (int)(part * BAR_COLUMNS);
    if (bar) {
        sow_cli_add(text, "[%.*s%*s] ", filled, "########################", BAR_COLUMNS - filled,
                    "");
    }
    sow_cli_add(text, "%3.0f %%  ", part * 100);
    if (progress->steps) {
        if (part > 0) {
            sow_cli_add(text, "%.0f s left", seconds / part * (1 - part));
        }
        return;
    }
    sow_cli_add_size(text, done);
    sow_cli_add(text, " of ");
    sow_cli_add_size(text, total);
    if (seconds > 0 && done > 0) {
        sow_cli_add(text, ", %.2f GB/s, %.0f s left", (double)done / seconds * 1e-9,
                    seconds / part * (1 - part));
    }
}

void sow_cli_progress(void *user, uint64_t done_bytes, uint64_t total_bytes)
{
    struct sow_cli_progress *progress = user;
    struct sow_cli_text text = {0};
    double time = now();
    if (progress->quiet ||
        time - progress->last < (progress->terminal ? BAR_SECONDS : LINES_SECONDS)) {
        return;
    }
    progress->last = time;
    progress->shown = 1;
    sow_cli_add(&text, progress->terminal ? "\r\033[K%s " : "sow: %s: ", progress->what);
    add_state(&text, done_bytes, total_bytes, time - progress->begin, progress);
    sow_cli_add(&text, progress->terminal ? "" : "\n");
    fwrite(text.bytes, 1, text.length, stderr);
    fflush(stderr);
    sow_cli_text_free(&text);
}

void sow_cli_progress_end(struct sow_cli_progress *progress)
{
    if (progress->terminal && progress->shown) {
        fputs("\r\033[K", stderr);
    }
}
