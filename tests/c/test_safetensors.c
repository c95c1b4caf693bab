/* SPDX-License-Identifier: MIT */
/* One header in and out: what is refused and how, what is read, what is written. Not here: several files
 * (test_index.c). */
#include "tests/c/checkpoint_files.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "model/checkpoint/header.h"

/* ---- Hostile files -------------------------------------------------------------------------- */

static void run_file(const struct test_case *test)
{
    struct sow_st_header *header = NULL;
    struct sow_error error;
    size_t length = 0;
    const char *text = case_field(test, "file", &length);
    const char *data = case_field(test, "data", NULL), *claim = case_field(test, "length", NULL);
    if (text != NULL) {
        write_file("case", text, length);
    } else {
        text = case_field(test, "header", &length);
        write_tensors("case", text, length, claim == NULL ? length : strtoull(claim, NULL, 10),
                      data == NULL ? 8 : strtoull(data, NULL, 10));
    }
    enum sow_status status = sow_st_open(at("case"), &header, &error);
    check_answer(test, status, &error);
    if (status != SOW_OK) {
        assert_string_equal(error.file, latest);
    }
    sow_st_free(status == SOW_OK ? header : NULL);
}

static void hostile_files(void **state)
{
    (void)state;
    assert_true(each_case(SOW_SOURCE_DIR "/tests/hostile/safetensors/cases.txt", run_file) > 120);
}

static void other_kinds_of_file(void **state)
{
    struct sow_st_header *header = NULL;
    struct sow_error error;
    (void)state;
    assert_int_equal(sow_st_open(scratch, &header, &error), SOW_E_FORMAT);
    assert_string_equal(error.message, "a folder, not a file");
    assert_int_equal(sow_st_open("/dev/zero", &header, &error), SOW_E_FORMAT);
    assert_string_equal(error.message, "a character device, not a file");
    assert_int_equal(mkfifo(at("fifo"), 0600), 0);
    assert_int_equal(sow_st_open(latest, &header, &error), SOW_E_FORMAT); /* and does not wait */
    assert_string_equal(error.message, "a pipe, not a file");
    assert_int_equal(sow_st_open(at("absent"), &header, &error), SOW_E_IO);
    assert_string_equal(error.message, "open: No such file or directory");
}

static void F06_full_size(void **state)
{
    struct sow_st_header *header = NULL;
    struct sow_error error;
    char text[58464 + 1];
    (void)state;
    int used = snprintf(text, sizeof text,
                        "{\"lm_head.weight\":{\"dtype\":\"BF16\",\"shape\":[128256,2560],"
                        "\"data_offsets\":[0,656670720]},\"rest\":{\"dtype\":\"BF16\",\"shape\":"
                        "[1506693480],\"data_offsets\":[656670720,3670057680]}}");
    memset(text + used, ' ', sizeof text - 1 - (size_t)used);
    write_tensors("cut", text, sizeof text - 1, sizeof text - 1, 0);
    assert_int_equal(truncate(at("cut"), 1835292112), 0);
    assert_int_equal(sow_st_open(latest, &header, &error), SOW_E_FORMAT);
    assert_string_equal(error.message,
                        "the file is cut: it needs 3670116152 bytes and has 1835292112, 1834824040 "
                        "are missing (50.0 %); the first tensor that is cut is `rest`, byte "
                        "656729192");
}

static void names_have_a_longest(void **state)
{
    struct sow_st_header *header = NULL;
    struct sow_error error;
    static char text[SOW_ST_NAME_MAX + 128];
    (void)state;
    for (int over = 0; over < 2; over++) {
        static char name[SOW_ST_NAME_MAX + 2];
        memset(name, 'n', sizeof name);
        name[SOW_ST_NAME_MAX + over] = '\0';
        snprintf(text, sizeof text,
                 "{\"%s\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}", name);
        write_header("name", text, 1);
        enum sow_status status = sow_st_open(at("name"), &header, &error);
        assert_int_equal(status, over ? SOW_E_FORMAT : SOW_OK);
        if (over) {
            assert_non_null(strstr(error.message, "a name of 4097 bytes: `nnnn"));
            assert_non_null(strstr(error.message, "...`; the most sow takes is 4096, byte 9"));
        } else {
            assert_string_equal(sow_st_at(header, 0)->name, name);
            sow_st_free(header);
        }
    }
}

/* ---- What a header tells -------------------------------------------------------------------- */

static void tensors_come_by_offset(void **state)
{
    static const char text[] = "{\"b\":{\"dtype\":\"I16\",\"shape\":[2,2],\"data_offsets\":[4,12]},"
                               "\"e\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[4,4]},"
                               "\"__metadata__\":{\"k\":\"v\\n\\u00e9\"},"
                               "\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}";
    struct sow_st_header *header = NULL;
    (void)state;
    assert_int_equal(sow_st_parse("x", text, sizeof text - 1, UINT64_MAX, &header, NULL), SOW_OK);
    assert_int_equal(sow_st_count(header), 3);
    assert_string_equal(sow_st_at(header, 0)->name, "a");
    assert_string_equal(sow_st_at(header, 1)->name, "e");
    assert_string_equal(sow_st_at(header, 2)->name, "b");
    assert_null(sow_st_at(header, 3));
    assert_int_equal(sow_st_at(header, 0)->rank, 0);
    assert_int_equal(sow_st_at(header, 2)->rank, 2);
    assert_int_equal(sow_st_at(header, 2)->shape[1], 2);
    assert_int_equal(sow_st_at(header, 2)->dtype, SOW_I16);
    assert_int_equal(sow_st_at(header, 2)->offset_begin, 4);
    assert_int_equal(sow_st_at(header, 2)->offset_end, 12);
    assert_string_equal(sow_st_metadata(header, "k"), "v\n\xc3\xa9");
    assert_null(sow_st_metadata(header, "K"));
    assert_int_equal(sow_st_data_offset(header), 8 + sizeof text - 1);
    sow_st_free(header);
}

/* Any cut and any changed byte of a header is answered, and what is still accepted is whole. */
static void every_cut_and_change(void **state)
{
    static const char text[] =
        "{\"__metadata__\":{\"a\":\"b\"},\"w\":{\"dtype\":\"F32\",\"shape\":[1,2],"
        "\"data_offsets\":[0,8]},\"\\u00e9\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":"
        "[8,10]}}  ";
    (void)state;
    for (size_t length = 0; length < sizeof text; length++) {
        char *copy = malloc(length + 1); /* exactly as long, for ASan */
        assert_non_null(copy);
        for (int byte = length < 8 ? 255 : 0; byte < 256; byte += 3) {
            struct sow_st_header *header = NULL;
            struct sow_error error;
            memcpy(copy, text, length);
            if (length > 0) {
                copy[length - 1] = (char)byte;
            }
            if (sow_st_parse("x", copy, length, 8 + length + 10, &header, &error) == SOW_OK) {
                assert_true(sow_st_count(header) == 2);
                sow_st_free(header);
            } else {
                assert_int_equal(error.code, SOW_E_FORMAT);
            }
        }
        free(copy);
    }
}

/* ---- Writing -------------------------------------------------------------------------------- */

static void built_headers_read_back(void **state)
{
    const struct sow_st_tensor tensors[] = {
        {"a \"quoted\\ name\"\n\x01", SOW_F64, 1, {1}, 0, 8},
        {"\xf0\x9f\x8c\xb1", SOW_BF16, 2, {2, 3}, 8, 20},
        {"s", SOW_F8_E4M3FN, 0, {0}, 20, 21},
    };
    const struct sow_st_pair metadata[] = {{"z", "{\"x\":1}"}, {"format", "pt"}};
    static const char expected[] =
        "{\"__metadata__\":{\"format\":\"pt\",\"z\":\"{\\\"x\\\":1}\"},"
        "\"a \\\"quoted\\\\ name\\\"\\n\\u0001\":{\"dtype\":\"F64\",\"shape\":"
        "[1],\"data_offsets\":[0,8]},\"\xf0\x9f\x8c\xb1\":{\"dtype\":\"BF16\"";
    static const uint64_t alignments[] = {8, 64, 4096};
    struct sow_error error;
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        char *bytes = NULL;
        uint64_t length = 0;
        struct sow_st_header *header = NULL;
        assert_int_equal(
            sow_st_build(tensors, 3, metadata, 2, alignments[i], &bytes, &length, &error), SOW_OK);
        assert_int_equal(length % alignments[i], 0);
        assert_memory_equal(bytes + 8, expected, sizeof expected - 1);
        assert_int_equal(sow_st_parse("x", bytes + 8, length - 8, length + 21, &header, &error),
                         SOW_OK);
        assert_int_equal(sow_st_count(header), 3);
        for (size_t j = 0; j < 3; j++) {
            assert_string_equal(sow_st_at(header, j)->name, tensors[j].name);
            assert_int_equal(sow_st_at(header, j)->dtype, tensors[j].dtype);
            assert_int_equal(sow_st_at(header, j)->offset_end, tensors[j].offset_end);
        }
        assert_string_equal(sow_st_metadata(header, "z"), "{\"x\":1}");
        sow_st_free(header);
        free(bytes);
    }
}

/* The reference writer's empty file (formats.md: 16 bytes). */
static void empty_file_is_the_reference_s(void **state)
{
    char *bytes = NULL;
    uint64_t length = 0;
    (void)state;
    assert_int_equal(sow_st_build(NULL, 0, NULL, 0, 8, &bytes, &length, NULL), SOW_OK);
    assert_int_equal(length, 16);
    assert_memory_equal(bytes, "\10\0\0\0\0\0\0\0{}      ", 16);
    free(bytes);
}

/* F01 (b): one-element tensors t0000000, t0000001, ... with minimal JSON. */
static void F01_header_limit(void **state)
{
    enum { MOST = 1396604 }; /* such tensors fit; the limit is passed after them */
    struct sow_error error;
    char *bytes = NULL, *names = malloc(9u * (MOST + 1));
    struct sow_st_tensor *tensors = calloc(MOST + 1, sizeof tensors[0]);
    uint64_t length = 0;
    struct timespec begin, end;
    struct rusage usage;
    struct sow_st_header *header = NULL;
    (void)state;
    assert_non_null(names);
    assert_non_null(tensors);
    for (size_t i = 0; i <= MOST; i++) {
        snprintf(names + 9 * i, 9, "t%07zu", i);
        tensors[i] = (struct sow_st_tensor){names + 9 * i, SOW_F32, 1, {1}, 4 * i, 4 * i + 4};
    }
    assert_int_equal(sow_st_build(tensors, MOST + 1, NULL, 0, 4096, &bytes, &length, &error),
                     SOW_E_FORMAT);
    assert_non_null(strstr(error.message, "format's limit of 100000000"));
    assert_non_null(strstr(error.message, "--shard-size"));
    assert_int_equal(sow_st_build(tensors, MOST, NULL, 0, 4096, &bytes, &length, &error), SOW_OK);
    assert_true(length - 8 <= SOW_SAFETENSORS_HEADER_MAX);
    free(tensors);
    free(names);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    assert_int_equal(sow_st_parse("x", bytes + 8, length - 8, length + 4u * MOST, &header, &error),
                     SOW_OK);
    clock_gettime(CLOCK_MONOTONIC, &end);
    assert_int_equal(sow_st_count(header), MOST);
    getrusage(RUSAGE_SELF, &usage);
    print_message("%d tensors parsed in %.2f s, peak %ld MB\n", MOST,
                  (double)(end.tv_sec - begin.tv_sec) +
                      (double)(end.tv_nsec - begin.tv_nsec) * 1e-9,
                  usage.ru_maxrss / 1024);
    sow_st_free(header);
    free(bytes);
}

static void quotes_are_short_and_plain(void **state)
{
    char quoted[SOW_QUOTE_MAX], name[600];
    (void)state;
    assert_string_equal(sow_quote("a\x1b[31mb\x7f", quoted), "a\\x1b[31mb\\x7f");
    memset(name, 0xbf, sizeof name); /* not UTF-8 */
    name[sizeof name - 1] = '\0';
    assert_true(strlen(sow_quote(name, quoted)) < SOW_QUOTE_MAX);
    for (size_t length = 100; length < 140; length++) {
        memset(name, 'n', length);
        memcpy(name + length, "\xf0\x9f\x8c\xb1", 5);
        assert_true(strlen(sow_quote(name, quoted)) < SOW_QUOTE_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_files),           cmocka_unit_test(other_kinds_of_file),
        cmocka_unit_test(F06_full_size),           cmocka_unit_test(names_have_a_longest),
        cmocka_unit_test(tensors_come_by_offset),  cmocka_unit_test(every_cut_and_change),
        cmocka_unit_test(built_headers_read_back), cmocka_unit_test(empty_file_is_the_reference_s),
        cmocka_unit_test(F01_header_limit),        cmocka_unit_test(quotes_are_short_and_plain),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
