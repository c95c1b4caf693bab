/* SPDX-License-Identifier: MIT */
/* Indexes and the shards they name: what is refused and how, what is missing, which links are followed. */
#include "tests/c/checkpoint_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include "model/checkpoint/header.h"

/* ---- Indexes and shards --------------------------------------------------------------------- */

static void run_index(const struct test_case *test)
{
    struct sow_st_index *index = NULL;
    struct sow_error error = {0};
    char place[32];
    size_t length = 0;
    const char *text = case_field(test, "index", &length);
    const char *wanted_place = case_field(test, "place", NULL);
    char *copy = malloc(length + 1); /* exactly as long, for ASan */
    assert_non_null(copy);
    memcpy(copy, text, length);
    enum sow_status status = sow_st_index_parse("index", copy, length, ".", &index, &error);
    free(copy);
    check_answer(test, status, &error);
    snprintf(place, sizeof place, "%u:%u", error.line, error.column);
    if (wanted_place != NULL && strcmp(place, wanted_place) != 0) {
        fail_msg("[%s] at %s, wanted %s", test->name, place, wanted_place);
    }
    sow_st_index_free(status == SOW_OK ? index : NULL);
}

static void hostile_indexes(void **state)
{
    (void)state;
    assert_true(each_case(SOW_SOURCE_DIR "/tests/hostile/index/cases.txt", run_index) > 30);
}

static void index_orders_its_shards(void **state)
{
    static const char text[] =
        "{\"weight_map\":{\"a\":\"s-10\",\"b\":\"s-9\",\"c\":\"s-10\",\"d\":\"s-8\"},"
        "\"metadata\":{\"total_size\":7}}";
    struct sow_st_index *index = NULL;
    (void)state;
    assert_int_equal(sow_st_index_parse("i", text, sizeof text - 1, "f", &index, NULL), SOW_OK);
    assert_int_equal(index->file_count, 3);
    assert_string_equal(index->files[0], "s-8");
    assert_string_equal(index->files[1], "s-9");
    assert_string_equal(index->files[2], "s-10");
    assert_int_equal(index->name_count, 4);
    assert_string_equal(index->names[2], "c");
    assert_int_equal(index->name_file[2], 2);
    assert_int_equal(index->name_file[3], 0);
    assert_int_equal(index->total_size, 7);
    assert_string_equal(index->folder, "f");
    sow_st_index_free(index);
}

#define TENSOR(name) "\"" name "\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}"

/* Four shards of one tensor each. */
static void write_shards(const char *total_size)
{
    char index[512];
    write_header("s1.safetensors", "{" TENSOR("a") "}", 8);
    write_header("s2.safetensors", "{" TENSOR("b") "}", 8);
    write_header("s3.safetensors", "{" TENSOR("c") "}", 8);
    write_header("s4.safetensors", "{" TENSOR("d") "}", 8);
    snprintf(index, sizeof index,
             "{\"metadata\":{\"total_size\":%s},\"weight_map\":{\"a\":\"s1.safetensors\","
             "\"b\":\"s2.safetensors\",\"c\":\"s3.safetensors\",\"d\":\"s4.safetensors\"}}",
             total_size);
    write_file("model.safetensors.index.json", index, strlen(index));
}

static void remove_shards(void)
{
    static const char *const names[] = {"s1.safetensors", "s2.safetensors", "s3.safetensors",
                                        "s4.safetensors", "model.safetensors.index.json"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        unlink(at(names[i]));
    }
}

static void shards_open_as_one(void **state)
{
    struct sow_st_set *set = NULL;
    struct sow_error error;
    (void)state;
    write_shards("32");
    for (int named = 0; named < 2; named++) {
        const char *name = named ? at("model.safetensors.index.json") : scratch;
        assert_int_equal(sow_st_set_open(name, &set, &error), SOW_OK);
        assert_int_equal(set->count, 4);
        assert_int_equal(set->tensors, 4);
        assert_int_equal(set->data_bytes, 32);
        assert_string_equal(set->warnings, "");
        sow_st_set_free(set);
    }
    remove_shards();
}

static void F05_missing_shards(void **state)
{
    struct sow_st_set *set = NULL;
    struct sow_error error;
    (void)state;
    write_shards("32");
    unlink(at("s2.safetensors"));
    unlink(at("s4.safetensors"));
    assert_int_equal(sow_st_set_open(scratch, &set, &error), SOW_E_MISSING);
    assert_string_equal(error.message, "2 of 4 shards are missing: s2.safetensors, s4.safetensors; "
                                       "with them 2 of 4 tensors (16 bytes)");
    remove_shards();
}

static void F05_strangers_are_warned_of(void **state)
{
    struct sow_st_set *set = NULL;
    (void)state;
    write_shards("33");
    write_header("other.safetensors", "{}", 0);
    assert_int_equal(sow_st_set_open(scratch, &set, NULL), SOW_OK);
    assert_string_equal(set->warnings, "total_size of the index is 33, the shards hold 32 bytes\n"
                                       "other.safetensors is not named by the index");
    sow_st_set_free(set);
    unlink(at("other.safetensors"));
    remove_shards();
}

static void index_and_shards_disagree(void **state)
{
    struct sow_st_set *set = NULL;
    struct sow_error error;
    (void)state;
    write_shards("32");
    write_header("s3.safetensors", "{" TENSOR("x") "}", 8);
    assert_int_equal(sow_st_set_open(scratch, &set, &error), SOW_E_MISSING);
    assert_string_equal(error.message, "the index says tensor `c` is here, and it is not");
    write_header("s3.safetensors",
                 "{" TENSOR("c") ",\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[8,9]}}",
                 9);
    assert_int_equal(sow_st_set_open(scratch, &set, &error), SOW_E_FORMAT);
    assert_string_equal(error.message, "holds tensor `x`, which the index does not name here");
    write_header("s3.safetensors", "{" TENSOR("c") "}", 7);
    assert_int_equal(sow_st_set_open(scratch, &set, &error), SOW_E_FORMAT);
    assert_string_equal(error.file, at("s3.safetensors"));
    assert_non_null(strstr(error.message, "the file is cut"));
    remove_shards();
}

static void links_are_not_followed_from_an_index(void **state)
{
    struct sow_st_set *set = NULL;
    struct sow_error error;
    char target[256];
    (void)state;
    write_shards("32");
    snprintf(target, sizeof target, "%s", at("s1.safetensors"));
    unlink(at("s2.safetensors"));
    assert_int_equal(symlink(target, latest), 0);
    assert_int_equal(sow_st_set_open(scratch, &set, &error), SOW_E_FORMAT);
    assert_non_null(strstr(error.message, "a symbolic link, which sow does not follow"));
    unlink(at("link.safetensors"));
    assert_int_equal(symlink(target, at("link.safetensors")), 0);
    assert_int_equal(sow_st_set_open(latest, &set, &error), SOW_OK); /* the user named it */
    sow_st_set_free(set);
    unlink(at("link.safetensors"));
    remove_shards();
}

/* The Hub's cache: snapshots/REVISION/NAME is a link to ../../blobs/HASH. */
static void links_of_the_hub_s_cache_are(void **state)
{
    struct sow_st_set *set = NULL;
    char from[256], snapshot[256];
    (void)state;
    snprintf(snapshot, sizeof snapshot, "%s", at("snapshots"));
    assert_int_equal(mkdir(at("blobs"), 0700), 0);
    assert_int_equal(mkdir(snapshot, 0700), 0);
    assert_int_equal(mkdir(at("snapshots/main"), 0700), 0);
    write_shards("32");
    static const char *const names[] = {"s1.safetensors", "s2.safetensors", "s3.safetensors",
                                        "s4.safetensors", "model.safetensors.index.json"};
    for (size_t i = 0; i < 5; i++) {
        char blob[64], link[64], target[80];
        snprintf(blob, sizeof blob, "blobs/0123456789abcdef%zu", i);
        snprintf(link, sizeof link, "snapshots/main/%s", names[i]);
        snprintf(target, sizeof target, "../../%s", blob);
        snprintf(from, sizeof from, "%s", at(names[i]));
        assert_int_equal(rename(from, at(blob)), 0);
        assert_int_equal(symlink(target, at(link)), 0);
    }
    assert_int_equal(sow_st_set_open(at("snapshots/main"), &set, NULL), SOW_OK);
    assert_int_equal(set->tensors, 4);
    sow_st_set_free(set);
    unlink(at("snapshots/main/s1.safetensors"));
    assert_int_equal(symlink("../../blobs/../blobs/0123456789abcdef0", latest), 0);
    assert_int_equal(sow_st_set_open(at("snapshots/main"), &set, NULL), SOW_E_FORMAT);
}

static void folders_without_a_checkpoint(void **state)
{
    struct sow_st_set *set = NULL;
    struct sow_error error;
    (void)state;
    assert_int_equal(sow_st_set_open(scratch, &set, &error), SOW_E_MISSING);
    write_header("model.safetensors", "{" TENSOR("a") "}", 8);
    assert_int_equal(sow_st_set_open(scratch, &set, &error), SOW_OK);
    assert_int_equal(set->count, 1);
    sow_st_set_free(set);
    write_shards("32"); /* loaders look for the single file first */
    assert_int_equal(sow_st_set_open(scratch, &set, &error), SOW_OK);
    assert_int_equal(set->count, 1);
    assert_non_null(strstr(set->warnings, "loaders take model.safetensors"));
    sow_st_set_free(set);
    remove_shards();
    unlink(at("model.safetensors"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_indexes),
        cmocka_unit_test(index_orders_its_shards),
        cmocka_unit_test(shards_open_as_one),
        cmocka_unit_test(F05_missing_shards),
        cmocka_unit_test(F05_strangers_are_warned_of),
        cmocka_unit_test(index_and_shards_disagree),
        cmocka_unit_test(links_are_not_followed_from_an_index),
        cmocka_unit_test(links_of_the_hub_s_cache_are),
        cmocka_unit_test(folders_without_a_checkpoint),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
