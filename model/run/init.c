/* SPDX-License-Identifier: MIT */
/* sow_init: lay out, look at the place, draw and write, then give everything its name - shards first, the index last. */
#include "sow/model.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/error.h"
#include "model/run/layout.h"
#include "model/run/output.h"
#include "model/run/write.h"

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void discard_all(struct sow_run *run)
{
    for (size_t i = 0; i < run->files->count; i++) {
        sow_target_discard(&run->targets[i]);
    }
}

/* The index, which makes the shards a checkpoint. */
static enum sow_status write_index(const struct sow_run *run, int force, struct sow_target *index,
                                   struct sow_error *error)
{
    char *text = NULL;
    uint64_t length;
    int refused = 0;
    enum sow_status status = sow_files_index(run->files, &text, &length, error);
    if (status == SOW_OK) {
        status = sow_target_create(index, run->folder, "model.safetensors.index.json", length,
                                   run->notes, error);
    }
    if (status == SOW_OK) {
        status = sow_target_write(index, text, length, 0, &refused, error);
    }
    if (status == SOW_OK) {
        status = sow_target_close(index, error);
    }
    free(text);
    if (status == SOW_OK) {
        status = sow_target_publish(index, force, error);
    }
    return status;
}

/* All names at the end: until here an earlier checkpoint in the place is whole. */
static enum sow_status publish_all(struct sow_run *run, const struct sow_output *output,
                                   struct sow_error *error)
{
    struct sow_target index = {.file = -1, .direct = -1};
    enum sow_status status = SOW_OK;
    if (output->kind == SOW_OUTPUT_FOLDER && output->force) {
        status = sow_output_remove_stale(output, run->files, run->notes, error);
    }
    for (size_t i = 0; status == SOW_OK && i < run->files->count; i++) {
        status = sow_target_publish(&run->targets[i], output->force, error);
    }
    if (status == SOW_OK && run->files->count > 1) {
        status = write_index(run, output->force, &index, error);
    }
    if (status == SOW_OK) {
        status = sow_folder_sync(run->folder, error);
    }
    if (status != SOW_OK) {
        sow_target_discard(&index);
    }
    return status;
}

static enum sow_status run_files(struct sow_run *run, struct sow_output *output, const char *path,
                                 struct sow_error *error)
{
    run->folder = &output->folder;
    run->name = output->name;
    enum sow_status status = sow_folder_probe(&output->folder, path, error);
    if (status == SOW_OK) {
        status = sow_run_to_files(run, error);
    }
    if (status == SOW_OK) {
        status = publish_all(run, output, error);
    }
    if (status != SOW_OK) {
        discard_all(run);
    }
    return status;
}

static enum sow_status run_all(struct sow_files *files, const struct sow_init_options *options,
                               struct sow_output *output, struct sow_init_report *report,
                               struct sow_error *error)
{
    struct sow_run run;
    enum sow_status status = sow_run_begin(&run, files, options, report->notes, error);
    if (status != SOW_OK) {
        return status;
    }
    status = output->kind == SOW_OUTPUT_PIPE ? sow_run_to_pipe(&run, STDOUT_FILENO, error)
                                             : run_files(&run, output, options->output, error);
    if (status == SOW_OK) {
        sow_fingerprint_text(run.fingerprint, report->fingerprint);
    }
    sow_run_end(&run);
    return status;
}

enum sow_status sow_init(const struct sow_plan *plan, const struct sow_init_options *options,
                         struct sow_init_report *report, struct sow_error *error)
{
    struct sow_init_report unused;
    struct sow_files *files = NULL;
    struct sow_output output;
    double begin = seconds_now();
    report = report == NULL ? &unused : report;
    memset(report, 0, sizeof *report);
    if (plan == NULL || options == NULL || options->output == NULL || options->output[0] == '\0') {
        return sow_fail(error, SOW_E_ARGUMENT, "sow_init takes a plan and the output's name");
    }
    enum sow_status status = sow_files_make(plan, options->shard_bytes, &files, error);
    if (status != SOW_OK) {
        return status;
    }
    report->files = files->count;
    report->tensors = sow_plan_count(plan);
    report->bytes = files->bytes;
    struct sow_crew crew = {0};
    sow_crew_size(&crew, options->threads, options->chunk_bytes, SOW_FINGERPRINT_BLOCK);
    report->whole_bytes = sow_run_wholes(files, crew.threads).memory;
    status = sow_output_open(options, files, &output, &report->free_bytes, error);
    if (status == SOW_OK) {
        status = options->dry_run ? SOW_OK : run_all(files, options, &output, report, error);
        sow_output_close(&output, status != SOW_OK);
    }
    sow_files_free(files);
    report->seconds = seconds_now() - begin;
    return status;
}
