/* SPDX-License-Identifier: MIT */
/* Where a run may write, and how it ends: done, refused, interrupted, out of room; nothing half-done is ever left. */
#include "tests/c/run_init.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "sow/model.h"

/* ---- Places --------------------------------------------------------------------------------- */

static void nothing_is_overwritten_unasked(void **state)
{
    struct sow_plan *plan = mixed_plan(3);
    struct sow_error error;
    size_t count = 0;
    (void)state;
    write_bytes(at("x"), "mine", 4);
    struct sow_init_options options = {.output = at("x")};
    assert_int_equal(init(plan, options, NULL, &error), SOW_E_EXISTS);
    assert_string_equal(error.message, "exists; --force overwrites it");
    unsigned char *bytes = read_file(at("x"), &count);
    assert_memory_equal(bytes, "mine", 4);
    free(bytes);
    options.dry_run = 1;
    assert_int_equal(init(plan, options, NULL, &error), SOW_E_EXISTS);
    options = (struct sow_init_options){.output = at("x"), .force = 1};
    must_init(plan, options, NULL);
    assert_int_equal(file_count(scratch), 1);
    sow_plan_free(plan);
}

static void places_that_cannot_be(void **state)
{
    static const struct {
        const char *name;
        uint64_t shard_bytes;
        int force;
        enum sow_status status;
        const char *words;
    } rows[] = {
        {"", 0, 1, SOW_E_EXISTS, "is a folder; name a file in it, or give --shard-size"},
        {"absent/x", 0, 0, SOW_E_IO, "there is no such folder; make it first (mkdir -p)"},
        {"absent/x", 1000, 0, SOW_E_IO, "mkdir: No such file or directory"},
        {"file", 1000, 1, SOW_E_EXISTS,
         "is not a folder; with --shard-size the output is a folder"},
        {"fifo", 0, 1, SOW_E_EXISTS, "is not a regular file; -o - writes to a pipe"},
        {"link", 0, 1, SOW_E_EXISTS, "is a symbolic link; name the file itself"},
        {"link", 0, 0, SOW_E_EXISTS, "is a symbolic link"},
        {"file/x", 0, 0, SOW_E_IO, "open: Not a directory"},
    };
    struct sow_plan *plan = mixed_plan(3);
    (void)state;
    write_bytes(at("file"), "mine", 4);
    assert_int_equal(mkfifo(at("fifo"), 0600), 0);
    assert_int_equal(symlink("nowhere", at("link")), 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sow_error error;
        struct sow_init_options options = {
            .output = at(rows[i].name), .shard_bytes = rows[i].shard_bytes, .force = rows[i].force};
        assert_int_equal(init(plan, options, NULL, &error), rows[i].status);
        if (strstr(error.message, rows[i].words) == NULL) {
            fail_msg("%s: %s", rows[i].name, error.message);
        }
    }
    assert_int_equal(
        init(plan, (struct sow_init_options){.output = "/dev/null", .force = 1}, NULL, NULL),
        SOW_E_EXISTS);
    assert_int_equal(file_count(scratch), 3);
    sow_plan_free(plan);
}

static void dry_run_writes_nothing(void **state)
{
    struct sow_plan *plan = mixed_plan(3);
    struct sow_init_report report;
    (void)state;
    must_init(plan, (struct sow_init_options){.output = at("x"), .dry_run = 1}, &report);
    assert_true(report.bytes > 11000000 && report.free_bytes >= report.bytes);
    must_init(plan,
              (struct sow_init_options){.output = at("f"), .shard_bytes = 4000000, .dry_run = 1},
              &report);
    assert_true(report.files == 3 && report.free_bytes != UINT64_MAX);
    struct sow_error error;
    struct sow_init_options options = {
        .output = at("absent/f"), .shard_bytes = 4000000, .dry_run = 1};
    assert_int_equal(init(plan, options, NULL, &error), SOW_E_IO); /* as it would be */
    assert_string_equal(error.message, "mkdir: No such file or directory");
    assert_int_equal(file_count(scratch), 0);
    sow_plan_free(plan);
}

/* ---- Ends ----------------------------------------------------------------------------------- */

struct watch {
    uint64_t last, calls;
    volatile int interrupted;
    const char *create; /* a file to create at the first call */
};

static void watch(void *user, uint64_t done, uint64_t total)
{
    struct watch *seen = user;
    assert_true(done >= seen->last && done <= total);
    seen->last = done;
    seen->calls++;
    if (seen->create != NULL) {
        write_bytes(seen->create, "mine", 4);
        seen->create = NULL;
    }
}

static void progress_rises_to_the_total(void **state)
{
    struct sow_plan *plan = mixed_plan(3);
    struct watch seen = {0};
    struct sow_init_report report;
    (void)state;
    must_init(
        plan,
        (struct sow_init_options){.output = at("x"), .progress = watch, .progress_user = &seen},
        &report);
    assert_true(seen.calls >= 1);
    assert_int_equal(seen.last, report.bytes);
    sow_plan_free(plan);
}

static void interruption_leaves_nothing(void **state)
{
    struct sow_plan *plan = mixed_plan(3);
    int interrupted = 1;
    (void)state;
    for (uint64_t shard_bytes = 0; shard_bytes < 3000000; shard_bytes += 2000000) {
        struct sow_init_options options = {
            .output = at("x"), .shard_bytes = shard_bytes, .interrupted = &interrupted};
        assert_int_equal(init(plan, options, NULL, NULL), SOW_E_INTERRUPTED);
        assert_int_equal(file_count(scratch), 0);
    }
    sow_plan_free(plan);
}

/* A file that appears while the run writes is not overwritten either. */
static void the_race_is_lost_politely(void **state)
{
    struct sow_plan *plan = mixed_plan(3);
    struct sow_error error;
    size_t count = 0;
    (void)state;
    struct watch seen = {.create = at("x")};
    struct sow_init_options options = {
        .output = at("x"), .progress = watch, .progress_user = &seen};
    assert_int_equal(init(plan, options, NULL, &error), SOW_E_EXISTS);
    assert_non_null(strstr(error.message, "appeared while this run was writing"));
    unsigned char *bytes = read_file(at("x"), &count);
    assert_int_equal(count, 4);
    free(bytes);
    assert_int_equal(file_count(scratch), 1);
    sow_plan_free(plan);
}

/* A shard of another's appears: ours are taken away again. */
static void the_race_for_shards(void **state)
{
    struct sow_plan *plan = mixed_plan(3);
    struct sow_error error;
    (void)state;
    assert_int_equal(mkdir(at("out"), 0777), 0);
    struct watch seen = {.create = at("out/model-00003-of-00003.safetensors")};
    struct sow_init_options options = {
        .output = at("out"), .shard_bytes = 4000000, .progress = watch, .progress_user = &seen};
    assert_int_equal(init(plan, options, NULL, &error), SOW_E_EXISTS);
    assert_int_equal(file_count(at("out")), 1);
    sow_plan_free(plan);
}

/* A file size limit is a disk that is full at that byte. */
static void a_limit_is_an_error_and_leaves_nothing(void **state)
{
    struct sow_plan *plan = mixed_plan(3);
    struct sow_error error;
    struct rlimit before, limit = {6000000, RLIM_INFINITY};
    (void)state;
    getrlimit(RLIMIT_FSIZE, &before);
    limit.rlim_max = before.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    enum sow_status status = init(plan, (struct sow_init_options){.output = at("x")}, NULL, &error);
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(status, SOW_E_IO);
    assert_non_null(strstr(error.message, "File too large"));
    assert_string_equal(error.file, at("x"));
    assert_int_equal(file_count(scratch), 0);
    sow_plan_free(plan);
}

/* ---- Pipes ---------------------------------------------------------------------------------- */

/* sow_init to "-" with standard output going to `descriptor`, in a child: its status and message's first letters. */
static int init_to(int descriptor, const struct sow_plan *plan, const volatile int *interrupted,
                   void (*before)(void))
{
    pid_t child = fork();
    if (child == 0) {
        struct sow_init_options options = {
            .output = "-", .interrupted = interrupted, .chunk_bytes = 1 << 20, .threads = 3};
        dup2(descriptor, STDOUT_FILENO);
        close(descriptor);
        if (before != NULL) {
            before();
        }
        _exit((int)sow_init(plan, &options, NULL, NULL));
    }
    int status = 0;
    close(descriptor);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status)); /* SIGPIPE is no death */
    return WEXITSTATUS(status);
}

static void pipe_gets_the_file_s_bytes(void **state)
{
    struct sow_plan *plan = mixed_plan(3);
    size_t count = 0, piped_count = 0;
    (void)state;
    must_init(plan, (struct sow_init_options){.output = at("x")}, NULL);
    int file = open(at("piped"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(init_to(file, plan, NULL, NULL), SOW_OK);
    unsigned char *bytes = read_file(at("x"), &count),
                  *piped = read_file(at("piped"), &piped_count);
    assert_int_equal(count, piped_count);
    assert_memory_equal(bytes, piped, count);
    free(bytes);
    free(piped);
    sow_plan_free(plan);
}

static void a_reader_that_goes_is_an_error(void **state)
{
    struct sow_plan *plan = mixed_plan(3);
    int ends[2];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    assert_int_equal(init_to(ends[1], plan, NULL, NULL), SOW_E_IO);
    sow_plan_free(plan);
}

static volatile int alarmed;

static void on_alarm(int number)
{
    (void)number;
    alarmed = 1;
}

static void arm(void)
{
    struct sigaction action = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &action, NULL);
    alarm(1);
}

/* The write blocks on a pipe that nobody reads; a signal's flag ends it all the same. */
static void a_reader_that_stops_can_be_interrupted(void **state)
{
    struct sow_plan *plan = mixed_plan(3);
    int ends[2];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(init_to(ends[1], plan, &alarmed, arm), SOW_E_INTERRUPTED);
    close(ends[0]);
    sow_plan_free(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(nothing_is_overwritten_unasked, scratch_clear),
        cmocka_unit_test_teardown(places_that_cannot_be, scratch_clear),
        cmocka_unit_test_teardown(dry_run_writes_nothing, scratch_clear),
        cmocka_unit_test_teardown(progress_rises_to_the_total, scratch_clear),
        cmocka_unit_test_teardown(interruption_leaves_nothing, scratch_clear),
        cmocka_unit_test_teardown(the_race_is_lost_politely, scratch_clear),
        cmocka_unit_test_teardown(the_race_for_shards, scratch_clear),
        cmocka_unit_test_teardown(a_limit_is_an_error_and_leaves_nothing, scratch_clear),
        cmocka_unit_test_teardown(pipe_gets_the_file_s_bytes, scratch_clear),
        cmocka_unit_test_teardown(a_reader_that_goes_is_an_error, scratch_clear),
        cmocka_unit_test_teardown(a_reader_that_stops_can_be_interrupted, scratch_clear),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
