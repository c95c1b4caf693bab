/* SPDX-License-Identifier: MIT */
/* sow init: plan to files, with the line that lets anybody repeat it. The writing is the library's. */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "cli/text/format.h"
#include "cli/text/message.h"

/* The command that gives the same bytes: everything that decides them, defaults of the seed included. */
static void add_command(struct sow_cli_text *text, const struct sow_cli_options *options)
{
    sow_cli_add(text, "sow init ");
    sow_cli_add_shell(text, options->arguments[0]);
    sow_cli_add(text, " -o ");
    sow_cli_add_shell(text, options->output);
    sow_cli_add(text, " --seed %llu", (unsigned long long)options->seed);
    sow_cli_source_options(text, options);
    if (options->shard_size > 0) {
        sow_cli_add(text, " --shard-size %llu", (unsigned long long)options->shard_size);
    }
}

static const char *output_name(const struct sow_cli_options *options)
{
    return strcmp(options->output, "-") == 0 ? "standard output" : options->output;
}

static void tell_dry(const struct sow_cli_options *options, const struct sow_init_report *report)
{
    struct sow_cli_text text = {0};
    sow_cli_add(&text, "would write ");
    sow_cli_add_safe(&text, output_name(options), strlen(output_name(options)), 0);
    sow_cli_add(&text, ": %llu file%s, %llu tensors, ", (unsigned long long)report->files,
                report->files == 1 ? "" : "s", (unsigned long long)report->tensors);
    sow_cli_add_count(&text, report->bytes);
    sow_cli_add(&text, " bytes");
    if (report->free_bytes != UINT64_MAX) {
        sow_cli_add(&text, "; ");
        sow_cli_add_count(&text, report->free_bytes);
        sow_cli_add(&text, " bytes are free there");
    }
    if (report->whole_bytes > 0) {
        sow_cli_add(&text, "\ntensors drawn as a whole take up to ");
        sow_cli_add_count(&text, report->whole_bytes);
        sow_cli_add(&text, " bytes of memory");
    }
    sow_cli_add(&text, "\nnothing was written\n");
    fputs(text.bytes, stdout);
    sow_cli_text_free(&text);
}

/* What was written, the reproducibility line, the command that repeats it and the one to try next. */
static void tell_done(const struct sow_cli_options *options, const struct sow_plan *plan,
                      const struct sow_init_report *report)
{
    struct sow_cli_text text = {0};
    sow_cli_add(&text, "%s: ", output_name(options));
    sow_cli_add(&text, "%llu file%s, %llu tensors, ", (unsigned long long)report->files,
                report->files == 1 ? "" : "s", (unsigned long long)report->tensors);
    sow_cli_add_count(&text, report->bytes);
    sow_cli_add(&text, " bytes");
    sow_cli_say("wrote", text.bytes);

    sow_cli_text_clear(&text);
    sow_cli_add(&text, "sow %s, stream %d, seed %llu%s, plan %s, output %s, ", SOW_VERSION,
                SOW_STREAM_VERSION, (unsigned long long)options->seed,
                sow_cli_given(options, SOW_OPTION_seed) ? "" : " (no --seed given: the default)",
                sow_plan_hash(plan), report->fingerprint);
    sow_cli_add_speed(&text, report->bytes, report->seconds);
    sow_cli_say("reproducible", text.bytes);

    sow_cli_text_clear(&text);
    add_command(&text, options);
    sow_cli_say("repeat", text.bytes);
    if (strcmp(options->output, "-") != 0) {
        sow_cli_text_clear(&text);
        sow_cli_add(&text, "sow verify ");
        sow_cli_add_shell(&text, options->output);
        sow_cli_say("next", text.bytes);
    }
    sow_cli_text_free(&text);
}

/* Combinations that the option table cannot rule out. */
static int check(const struct sow_cli_options *options)
{
    if (options->output == NULL) {
        return sow_cli_usage(options->verb, "sow init needs -o OUT, such as -o model.safetensors");
    }
    if (strcmp(options->output, "-") == 0 && options->shard_size > 0) {
        return sow_cli_usage(options->verb, "shards go into a folder, not into a pipe: leave "
                                            "--shard-size out or name a folder with -o");
    }
    if (strcmp(options->output, "-") == 0 && !options->dry_run && isatty(STDOUT_FILENO)) {
        return sow_cli_usage(
            options->verb,
            "a checkpoint is no text for a terminal: send standard output to a file or a pipe");
    }
    return SOW_EXIT_DONE;
}

static int write_files(const struct sow_cli_options *options, const struct sow_plan *plan)
{
    struct sow_error error;
    struct sow_init_report report;
    struct sow_cli_progress progress;
    struct sow_cli_text what = {0};
    struct sow_init_options writing = {
        .output = options->output,
        .shard_bytes = options->shard_size,
        .chunk_bytes = options->chunk_size,
        .threads = (uint32_t)options->threads,
        .force = options->force,
        .dry_run = options->dry_run,
        .progress = sow_cli_progress,
        .progress_user = &progress,
        .interrupted = sow_cli_interrupts(),
    };
    sow_cli_add(&what, "writing ");
    sow_cli_add_safe(&what, output_name(options), strlen(output_name(options)), 0);
    sow_cli_progress_begin(&progress, what.bytes, options->quiet || options->dry_run);
    enum sow_status status = sow_init(plan, &writing, &report, &error);
    sow_cli_progress_end(&progress);
    sow_cli_text_free(&what);
    if (status != SOW_OK) {
        return sow_cli_fail(&error);
    }
    if (options->verbose) {
        sow_cli_say("note", report.notes);
    }
    if (options->dry_run) {
        tell_dry(options, &report);
    } else if (!options->quiet) {
        tell_done(options, plan, &report);
    }
    return SOW_EXIT_DONE;
}

int sow_cmd_init(const struct sow_cli_options *options)
{
    struct sow_cli_source source;
    const char *note;
    int code = check(options);
    if (code != SOW_EXIT_DONE) {
        return code;
    }
    signal(SIGPIPE, SIG_IGN); /* a broken pipe is an I/O error with a message, not a silent death */
    signal(SIGXFSZ, SIG_IGN); /* and so is a limit on the size of files (ulimit -f) */
    code = sow_cli_source_load(options->arguments[0], options, &source);
    if (code == SOW_EXIT_DONE) {
        for (size_t i = 0; !options->quiet && (note = sow_model_note(source.model, i)) != NULL;
             i++) {
            sow_cli_say("note", note);
        }
        if (!options->quiet) {
            sow_cli_source_underflow(&source);
        }
        code = write_files(options, source.plan);
    }
    sow_cli_source_free(&source);
    return code;
}
