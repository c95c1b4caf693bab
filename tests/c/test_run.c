/* SPDX-License-Identifier: MIT */
/* Plan to bytes: the same whatever the threads and chunks, the cut into shards, and the index. Not here: where files may
 * go and what stops a run (test_run_ends.c). */
#include "tests/c/run_init.h"

#include <xxhash.h>

#include "model/plan/plan.h"
#include "model/run/layout.h"
#include "model/run/stream.h"

/* ---- Bytes ---------------------------------------------------------------------------------- */

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

static void any_cut_of_the_stream_is_the_whole(void **state)
{
    struct sow_plan *plan = mixed_plan(7);
    struct sow_files *files = NULL;
    uint64_t random = 1;
    (void)state;
    assert_int_equal(sow_files_make(plan, 0, &files, NULL), SOW_OK);
    const struct sow_file *file = &files->files[0];
    unsigned char *whole = malloc(file->bytes), *part = malloc(file->bytes);
    assert_non_null(whole);
    assert_non_null(part);
    sow_stream_fill(&file->stream, 0, whole, file->bytes);
    for (int i = 0; i < 3000; i++) {
        uint64_t begin = next_random(&random) % file->bytes;
        uint64_t most = i % 10 == 0 ? file->bytes - begin : i % 2 ? 20 : 3000;
        uint64_t count = next_random(&random) % (most + 1);
        count = count < file->bytes - begin ? count : file->bytes - begin;
        sow_stream_fill(&file->stream, begin, part, count);
        assert_memory_equal(part, whole + begin, count);
    }
    free(part);
    free(whole);
    sow_files_free(files);
    sow_plan_free(plan);
}

static void file_holds_what_the_plan_draws(void **state)
{
    struct sow_plan *plan = mixed_plan(7);
    struct sow_st_header *header = NULL;
    struct sow_init_report report;
    size_t count = 0;
    uint32_t bits = 64;
    (void)state;
    must_init(plan, (struct sow_init_options){.output = at("m.safetensors")}, &report);
    unsigned char *bytes = read_file(at("m.safetensors"), &count);
    assert_int_equal(sow_st_open(at("m.safetensors"), &header, NULL), SOW_OK);
    assert_int_equal(report.files, 1);
    assert_int_equal(report.tensors, 8);
    assert_int_equal(report.bytes, count);
    assert_string_equal(report.notes, "");
    assert_int_equal(sow_st_count(header), 8);
    assert_int_equal(sow_st_data_offset(header) % 4096, 0);
    assert_string_equal(sow_st_metadata(header, "format"), "pt");
    assert_string_equal(sow_st_metadata(header, SOW_RECORD_SEED), "7");
    assert_string_equal(sow_st_metadata(header, SOW_RECORD_STREAM), "1");
    assert_string_equal(sow_st_metadata(header, SOW_RECORD_VERSION), SOW_VERSION);
    assert_string_equal(sow_st_metadata(header, SOW_RECORD_PLAN_HASH), sow_plan_hash(plan));
    for (size_t i = 0; i < 8; i++) {
        const struct sow_st_tensor *tensor = sow_st_at(header, i);
        const struct sow_plan_entry *entry = sow_plan_find(plan, tensor->name, NULL);
        unsigned char *drawn = malloc(entry->bytes + 1);
        assert_non_null(drawn);
        assert_true(sow_dtype_bits(tensor->dtype) <= bits); /* wide ones first */
        bits = sow_dtype_bits(tensor->dtype);
        sow_plan_fill(entry, 7, drawn, 0, entry->elements); /* on a little-endian machine */
        assert_memory_equal(drawn, bytes + sow_st_data_offset(header) + tensor->offset_begin,
                            entry->bytes);
        free(drawn);
    }
    sow_st_free(header);
    free(bytes);
    sow_plan_free(plan);
}

/* docs/files.md, "Fingerprint": from the file's bytes alone. */
static void fingerprint_by_the_book(const unsigned char *bytes, size_t count, char text[33])
{
    XXH128_canonical_t digests[64];
    size_t blocks = 0;
    for (size_t begin = 0; begin < count; begin += 1 << 20) {
        size_t left = count - begin;
        XXH128_canonicalFromHash(&digests[blocks++],
                                 XXH3_128bits(bytes + begin, left < 1 << 20 ? left : 1 << 20));
    }
    XXH128_canonicalFromHash(&digests[0], XXH3_128bits(digests, 16 * blocks));
    for (int i = 0; i < 16; i++) {
        snprintf(text + 2 * i, 3, "%02x", digests[0].digest[i]);
    }
}

static void threads_and_chunks_change_nothing(void **state)
{
    static const uint64_t chunks[] = {0, 1, 1 << 20, 3 << 20, (uint64_t)1 << 30};
    static const uint32_t threads[] = {0, 1, 2, 3, 16};
    struct sow_plan *plan = mixed_plan(42);
    struct sow_init_report report;
    char first[33] = "";
    unsigned char *expected = NULL;
    size_t expected_count = 0, count = 0;
    (void)state;
    for (size_t i = 0; i < 25; i++) {
        must_init(plan,
                  (struct sow_init_options){.output = at("m.safetensors"),
                                            .force = 1,
                                            .chunk_bytes = chunks[i / 5],
                                            .threads = threads[i % 5]},
                  &report);
        unsigned char *bytes = read_file(at("m.safetensors"), &count);
        if (i == 0) {
            fingerprint_by_the_book(bytes, count, first);
            expected = bytes;
            expected_count = count;
        } else {
            assert_int_equal(count, expected_count);
            assert_memory_equal(bytes, expected, count);
            free(bytes);
        }
        assert_string_equal(report.fingerprint, first);
    }
    assert_int_equal(file_count(scratch), 1);
    free(expected);
    sow_plan_free(plan);
}

/* F13: the record says the seed as it was given, and five seeds make five files. */
static void F13_seeds(void **state)
{
    static const uint64_t seeds[] = {0, 1, 4294967295, 4294967296, UINT64_MAX, 0};
    static const char *const texts[] = {
        "0", "1", "4294967295", "4294967296", "18446744073709551615", "0"};
    char fingerprints[6][33];
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        struct sow_st_tensor tensors[] = {{"w", SOW_F32, 2, {64, 64}, 0, 0}};
        struct sow_plan *plan = plan_of(tensors, 1, seeds[i]);
        struct sow_st_header *header = NULL;
        struct sow_init_report report;
        must_init(plan, (struct sow_init_options){.output = at("s.safetensors"), .force = 1},
                  &report);
        assert_int_equal(sow_st_open(at("s.safetensors"), &header, NULL), SOW_OK);
        assert_string_equal(sow_st_metadata(header, SOW_RECORD_SEED), texts[i]);
        snprintf(fingerprints[i], sizeof fingerprints[i], "%s", report.fingerprint);
        for (size_t j = 0; j < i; j++) {
            assert_int_equal(strcmp(fingerprints[i], fingerprints[j]) == 0, i == 5 && j == 0);
        }
        sow_st_free(header);
        sow_plan_free(plan);
    }
}

/* Only a record can make one: sources without a tensor are refused. */
static void empty_plan(void **state)
{
    struct sow_plan *some = mixed_plan(1), *plan = NULL;
    struct sow_init_report report;
    struct sow_st_header *header = NULL;
    char *record = NULL;
    (void)state;
    assert_int_equal(sow_plan_record(some, NULL, 0, &record, NULL), SOW_OK);
    assert_int_equal(sow_plan_from_record(record, strlen(record), 1, NULL, 0, &plan, NULL), SOW_OK);
    sow_text_free(record);
    must_init(plan, (struct sow_init_options){.output = at("e.safetensors")}, &report);
    assert_int_equal(sow_st_open(at("e.safetensors"), &header, NULL), SOW_OK);
    assert_int_equal(sow_st_count(header), 0);
    sow_st_free(header);
    must_init(plan, (struct sow_init_options){.output = at("e"), .shard_bytes = 1000}, &report);
    assert_int_equal(file_count(at("e")), 1);
    sow_plan_free(plan);
    sow_plan_free(some);
}

/* ---- Shards --------------------------------------------------------------------------------- */

/* Tensors of these many KB, t0, t1, ...; a letter a shard, in the order the shards are numbered, must come out. */
static void check_cut(const int *kilobytes, size_t count, uint64_t limit, const char *expected)
{
    struct sow_st_tensor tensors[16];
    char names[16][8], got[17] = "";
    struct sow_files *files = NULL;
    for (size_t i = 0; i < count; i++) {
        snprintf(names[i], sizeof names[i], "t%zu", i);
        tensors[i] =
            (struct sow_st_tensor){names[i], SOW_F32, 1, {(uint64_t)kilobytes[i] * 250}, 0, 0};
    }
    struct sow_plan *plan = plan_of(tensors, count, 1);
    assert_int_equal(sow_files_make(plan, limit, &files, NULL), SOW_OK);
    for (size_t i = 0; i < files->count; i++) {
        const struct sow_stream *stream = &files->files[i].stream;
        for (size_t j = 0; j < stream->count; j++) {
            got[atoi(stream->entries[j]->name + 1)] = (char)('a' + i);
        }
    }
    assert_string_equal(got, expected);
    sow_files_free(files);
    sow_plan_free(plan);
}

/* The examples of huggingface_hub's own documentation, and what its code does with a tensor over the limit. */
static void shards_are_cut_as_huggingface_hub_does(void **state)
{
    (void)state;
    check_cut((int[]){6, 6, 2, 6, 2, 2}, 6, 10000, "abbccc");
    check_cut((int[]){5, 5, 5}, 3, 10000, "aab");
    check_cut((int[]){1, 20, 1}, 3, 10000, "bab"); /* t1 alone, and numbered first */
    check_cut((int[]){20, 20}, 2, 10000, "ab");
    check_cut((int[]){10, 10}, 2, 10000, "ab");
    check_cut((int[]){3}, 1, 10000, "a");
}

static void shards_and_index(void **state)
{
    struct sow_st_tensor tensors[] = {{"b", SOW_F32, 1, {250}, 0, 0},
                                      {"a\xc3\xa9\xf0\x9f\x8c\xb1\"", SOW_F32, 1, {250}, 0, 0},
                                      {"a", SOW_BF16, 1, {500}, 0, 0}};
    static const char index[] =
        "{\n  \"metadata\": {\n    \"total_size\": 3000\n  },\n  \"weight_map\": {\n"
        "    \"a\": \"model-00002-of-00002.safetensors\",\n"
        "    \"a\\u00e9\\ud83c\\udf31\\\"\": \"model-00001-of-00002.safetensors\",\n"
        "    \"b\": \"model-00001-of-00002.safetensors\"\n  }\n}\n";
    struct sow_plan *plan = plan_of(tensors, 3, 5);
    struct sow_init_report report;
    struct sow_st_set *set = NULL;
    size_t count = 0;
    (void)state;
    must_init(plan, (struct sow_init_options){.output = at("out/"), .shard_bytes = 2000}, &report);
    assert_int_equal(report.files, 2);
    assert_int_equal(file_count(at("out")), 3);
    unsigned char *text = read_file(at("out/model.safetensors.index.json"), &count);
    assert_int_equal(count, sizeof index - 1);
    assert_memory_equal(text, index, count);
    free(text);
    assert_int_equal(sow_st_set_open(at("out"), &set, NULL), SOW_OK);
    assert_int_equal(set->tensors, 3);
    assert_string_equal(sow_st_metadata(set->files[1].header, SOW_RECORD_PLAN_HASH),
                        sow_plan_hash(plan));
    sow_st_set_free(set);
    sow_plan_free(plan);
}

/* A second checkpoint in the same folder: refused, or in the first one's place with nothing of it left. */
static void F05_stale_shards_go(void **state)
{
    struct sow_plan *plan = mixed_plan(3);
    struct sow_init_report report;
    struct sow_error error;
    struct sow_st_set *set = NULL;
    (void)state;
    struct sow_init_options options = {.output = at("out"), .shard_bytes = 2000000};
    must_init(plan, options, &report);
    assert_int_equal(report.files, 4);
    write_bytes(at("out/tokenizer.json"), "{}", 2);
    options.shard_bytes = 4000000;
    assert_int_equal(init(plan, options, NULL, &error), SOW_E_EXISTS);
    assert_non_null(strstr(error.message, "--force"));
    options.force = 1;
    must_init(plan, options, &report);
    assert_int_equal(file_count(at("out")), report.files + 2);
    assert_non_null(strstr(report.notes, "of an earlier checkpoint"));
    assert_int_equal(sow_st_set_open(at("out"), &set, NULL), SOW_OK);
    assert_string_equal(set->warnings, "");
    sow_st_set_free(set);
    options.shard_bytes = 1000000000; /* one shard: model.safetensors, and no index */
    must_init(plan, options, &report);
    assert_int_equal(file_count(at("out")), 2);
    assert_int_equal(access(at("out/model.safetensors"), F_OK), 0);
    options.shard_bytes = 2000000; /* loaders would take a model.safetensors before the index */
    must_init(plan, options, &report);
    assert_int_equal(access(at("out/model.safetensors"), F_OK), -1);
    assert_int_equal(file_count(at("out")), 4 + 2);
    sow_plan_free(plan);
}

/* F01: as many tensors as a header holds without a record: with one it is over the limit, which is known before writing,
 * and sharding splits on it. */
static void F01_header_splits(void **state)
{
    enum { COUNT = 1396604 };
    struct sow_st_tensor *tensors = calloc(COUNT, sizeof tensors[0]);
    char *names = malloc(9u * COUNT);
    struct sow_error error;
    struct sow_init_report report;
    struct sow_st_set *set = NULL;
    (void)state;
    assert_non_null(tensors);
    assert_non_null(names);
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(names + 9 * i, 9, "t%07zu", i);
        tensors[i] = (struct sow_st_tensor){names + 9 * i, SOW_F32, 1, {1}, 0, 0};
    }
    struct sow_plan *plan = plan_of(tensors, COUNT, 1);
    free(tensors);
    free(names);
    struct sow_init_options options = {.output = at("h.safetensors")};
    assert_int_equal(init(plan, options, &report, &error), SOW_E_FORMAT);
    assert_non_null(strstr(error.message, "format's limit of 100000000"));
    assert_non_null(strstr(error.message, "--shard-size"));
    assert_int_equal(file_count(scratch), 0);
    options = (struct sow_init_options){.output = at("h"), .shard_bytes = 5000000000};
    must_init(plan, options, &report);
    assert_int_equal(report.files, 2);
    assert_int_equal(sow_st_set_open(at("h"), &set, NULL), SOW_OK);
    assert_int_equal(set->tensors, COUNT);
    sow_st_set_free(set);
    sow_plan_free(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(any_cut_of_the_stream_is_the_whole, scratch_clear),
        cmocka_unit_test_teardown(file_holds_what_the_plan_draws, scratch_clear),
        cmocka_unit_test_teardown(threads_and_chunks_change_nothing, scratch_clear),
        cmocka_unit_test_teardown(F13_seeds, scratch_clear),
        cmocka_unit_test_teardown(empty_plan, scratch_clear),
        cmocka_unit_test_teardown(shards_are_cut_as_huggingface_hub_does, scratch_clear),
        cmocka_unit_test_teardown(shards_and_index, scratch_clear),
        cmocka_unit_test_teardown(F05_stale_shards_go, scratch_clear),
        cmocka_unit_test_teardown(F01_header_splits, scratch_clear),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
