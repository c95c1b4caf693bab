/* SPDX-License-Identifier: MIT */
/* Files back to the plan: yes, or no with the first difference; what cannot be answered is an error with a way out. */
#include "tests/c/checkpoint_plan.h"

#include "model/plan/plan.h"

static void must_init(const struct sow_plan *plan, const char *output, uint64_t shard_bytes,
                      struct sow_init_report *report)
{
    struct sow_init_options options = {.output = output, .shard_bytes = shard_bytes};
    struct sow_error error;
    if (sow_init(plan, &options, report, &error) != SOW_OK) {
        fail_msg("%s: %s", error.file, error.message);
    }
}

static enum sow_status verify(const char *path, const struct sow_plan *plan,
                              struct sow_verify_report *report, struct sow_error *error)
{
    struct sow_verify_options options = {.plan = plan};
    return sow_verify(path, &options, report, error);
}

/* Writes `count` bytes over the file's at `offset`. */
static void overwrite(const char *path, uint64_t offset, const void *bytes, size_t count)
{
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, (long)offset, SEEK_SET), 0);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    assert_int_equal(fclose(file), 0);
}

static void what_sow_wrote_is_verified(void **state)
{
    struct sow_plan *plan = mixed_plan(42);
    struct sow_init_report wrote;
    struct sow_verify_report report;
    (void)state;
    must_init(plan, at("m.safetensors"), 0, &wrote);
    for (uint32_t threads = 0; threads < 5; threads++) {
        struct sow_verify_options options = {.threads = threads};
        assert_int_equal(sow_verify(at("m.safetensors"), &options, &report, NULL), SOW_OK);
        assert_int_equal(report.files, 1);
        assert_int_equal(report.tensors, 8);
        assert_int_equal(report.bytes, wrote.bytes);
        assert_int_equal(report.seed, 42);
        assert_string_equal(report.plan_hash, sow_plan_hash(plan));
        assert_string_equal(report.fingerprint, wrote.fingerprint);
        assert_string_equal(report.tensor, "");
        assert_int_equal(report.differing_tensors, 0);
    }
    sow_plan_free(plan);
}

static void shards_are_verified(void **state)
{
    struct sow_plan *plan = mixed_plan(42);
    struct sow_init_report wrote;
    struct sow_verify_report report;
    (void)state;
    must_init(plan, at("out"), 2000000, &wrote);
    assert_int_equal(verify(at("out"), NULL, &report, NULL), SOW_OK);
    assert_int_equal(report.files, 4);
    assert_string_equal(report.fingerprint, wrote.fingerprint);
    assert_string_equal(report.plan_hash, sow_plan_hash(plan));
    assert_int_equal(verify(at("out/model.safetensors.index.json"), NULL, &report, NULL), SOW_OK);
    assert_int_equal(verify(at("out/model-00002-of-00004.safetensors"), NULL, &report, NULL),
                     SOW_OK); /* a shard alone, which has its own record */
    assert_int_equal(verify(at("out"), plan, &report, NULL), SOW_OK);
    sow_plan_free(plan);
}

/* A wrong byte anywhere: the tensor, the element, what it is and what it should be. */
static void every_wrong_byte_is_found(void **state)
{
    struct sow_plan *plan = mixed_plan(42);
    struct sow_st_header *header = NULL;
    (void)state;
    must_init(plan, at("m.safetensors"), 0, NULL);
    assert_int_equal(sow_st_open(at("m.safetensors"), &header, NULL), SOW_OK);
    for (size_t i = 0; i < sow_st_count(header); i++) {
        const struct sow_st_tensor *tensor = sow_st_at(header, i);
        uint64_t span = tensor->offset_end - tensor->offset_begin;
        for (uint64_t part = 0; part < 3 && span > 0; part++) {
            struct sow_verify_report report;
            struct sow_error error;
            uint64_t byte = part == 2 ? span - 1 : part * (span / 2);
            uint64_t offset = sow_st_data_offset(header) + tensor->offset_begin + byte;
            size_t count = 0;
            unsigned char *bytes = read_file(at("m.safetensors"), &count);
            unsigned char wrong = bytes[offset] ^ 0x10;
            overwrite(at("m.safetensors"), offset, &wrong, 1);
            assert_int_equal(verify(at("m.safetensors"), NULL, &report, &error), SOW_E_MISMATCH);
            assert_string_equal(report.tensor, tensor->name);
            assert_int_equal(report.element, byte / (sow_dtype_bits(tensor->dtype) / 8));
            assert_int_equal(report.differing_tensors, 1);
            assert_string_not_equal(report.expected, report.found);
            assert_int_equal(strlen(report.fingerprint), 32);
            overwrite(at("m.safetensors"), offset, bytes + offset, 1);
            free(bytes);
        }
    }
    assert_int_equal(verify(at("m.safetensors"), NULL, NULL, NULL), SOW_OK);
    sow_st_free(header);
    sow_plan_free(plan);
}

/* The lowest place, whoever finds it first; and the words for it. */
static void the_first_difference_is_the_lowest(void **state)
{
    struct sow_st_tensor tensors[] = {{"a", SOW_F32, 1, {3000000}, 0, 0},
                                      {"b", SOW_F32, 1, {3000000}, 0, 0},
                                      {"c", SOW_BF16, 1, {3000000}, 0, 0}};
    struct sow_plan *plan = plan_of(tensors, 3, 1);
    struct sow_verify_report report;
    struct sow_error error;
    char expected[256];
    (void)state;
    must_init(plan, at("m.safetensors"), 0, NULL);
    overwrite(at("m.safetensors"), 4096 + 25000000, "\x80\x3f", 2);               /* c */
    overwrite(at("m.safetensors"), 4096 + 12000000 + 8000000, "\0\0\x80\x3f", 4); /* b */
    overwrite(at("m.safetensors"), 4096 + 12000000 + 40, "\0\0\x80\x3f", 4);      /* b */
    for (uint32_t threads = 1; threads < 9; threads++) {
        struct sow_verify_options options = {.threads = threads};
        assert_int_equal(sow_verify(at("m.safetensors"), &options, &report, &error),
                         SOW_E_MISMATCH);
        assert_string_equal(report.tensor, "b");
        assert_int_equal(report.element, 10);
        assert_string_equal(report.found, "0x3f800000 (1)");
        assert_int_equal(report.differing_tensors, 2);
    }
    snprintf(expected, sizeof expected,
             "tensor `b`, element 10: expected %s, found 0x3f800000 (1); 2 of 3 tensors differ",
             report.expected);
    assert_string_equal(error.message, expected);
    assert_string_equal(error.file, at("m.safetensors"));
    sow_plan_free(plan);
}

/* ---- The record ----------------------------------------------------------------------------- */

/* Writes the file anew with metadata `key` set to `value` (NULL: without it), its data as it was. */
static void change_metadata(const char *from, const char *to, const char *key, const char *value)
{
    static const char *const keys[] = {"format",        SOW_RECORD_VERSION, SOW_RECORD_STREAM,
                                       SOW_RECORD_SEED, SOW_RECORD_PLAN,    SOW_RECORD_PLAN_HASH};
    struct sow_st_header *header = NULL;
    struct sow_st_pair pairs[6];
    size_t pair_count = 0, count = 0;
    uint64_t length = 0;
    char *head = NULL;
    assert_int_equal(sow_st_open(from, &header, NULL), SOW_OK);
    struct sow_st_tensor *tensors = calloc(sow_st_count(header) + 1, sizeof tensors[0]);
    assert_non_null(tensors);
    for (size_t i = 0; i < sow_st_count(header); i++) {
        tensors[i] = *sow_st_at(header, i);
    }
    for (size_t i = 0; i < 6; i++) {
        const char *old = sow_st_metadata(header, keys[i]);
        const char *new = strcmp(keys[i], key) == 0 ? value : old;
        if (new != NULL) {
            pairs[pair_count++] = (struct sow_st_pair){keys[i], new};
        }
    }
    assert_int_equal(
        sow_st_build(tensors, sow_st_count(header), pairs, pair_count, 8, &head, &length, NULL),
        SOW_OK);
    unsigned char *bytes = read_file(from, &count);
    size_t data = count - sow_st_data_offset(header);
    unsigned char *whole = malloc(length + data + 1);
    assert_non_null(whole);
    memcpy(whole, head, length);
    memcpy(whole + length, bytes + sow_st_data_offset(header), data);
    write_bytes(to, whole, length + data);
    free(whole);
    free(bytes);
    free(head);
    free(tensors);
    sow_st_free(header);
}

static void records_that_do_not_hold(void **state)
{
    static const struct {
        const char *key, *value;
        enum sow_status status;
        const char *words;
    } rows[] = {
        {"format", NULL, SOW_OK, ""},
        {SOW_RECORD_VERSION, NULL, SOW_OK, ""},
        {SOW_RECORD_VERSION, "99", SOW_OK, ""},
        {SOW_RECORD_PLAN_HASH, NULL, SOW_OK, ""},
        {SOW_RECORD_PLAN, NULL, SOW_E_MISSING,
         "holds no record of sow, so its bytes alone do not tell what they should be; name the "
         "model and the seed: --source CONFIG --seed N"},
        {SOW_RECORD_PLAN, "{", SOW_E_FORMAT, ""},
        {SOW_RECORD_STREAM, NULL, SOW_E_FORMAT, "the record's `sow.stream` is missing"},
        {SOW_RECORD_STREAM, "2", SOW_E_FORMAT,
         "was drawn with stream version 2; this sow draws version 1"},
        {SOW_RECORD_SEED, NULL, SOW_E_FORMAT, "the record's `sow.seed` is missing"},
        {SOW_RECORD_SEED, "-1", SOW_E_FORMAT, "the record's `sow.seed` is no whole number"},
        {SOW_RECORD_SEED, "", SOW_E_FORMAT, "no whole number"},
        {SOW_RECORD_SEED, "18446744073709551616", SOW_E_FORMAT, "no whole number"},
        {SOW_RECORD_SEED, "43", SOW_E_MISMATCH, "7 of 8 tensors differ"},
        {SOW_RECORD_PLAN_HASH, "00000000000000000000000000000000", SOW_E_MISMATCH,
         "every byte is what the record says, but"},
    };
    struct sow_plan *plan = mixed_plan(42);
    (void)state;
    must_init(plan, at("m.safetensors"), 0, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sow_error error = {0};
        change_metadata(at("m.safetensors"), at("c.safetensors"), rows[i].key, rows[i].value);
        enum sow_status status = verify(at("c.safetensors"), NULL, NULL, &error);
        if (status != rows[i].status || strstr(error.message, rows[i].words) == NULL) {
            fail_msg("%s = %s: %d, %s", rows[i].key, rows[i].value, (int)status, error.message);
        }
    }
    sow_plan_free(plan);
}

static void shards_of_two_runs_are_told(void **state)
{
    struct sow_plan *one = mixed_plan(1), *two = mixed_plan(2);
    struct sow_error error;
    (void)state;
    must_init(one, at("one"), 2000000, NULL);
    must_init(two, at("two"), 2000000, NULL);
    assert_int_equal(rename(at("two/model-00002-of-00004.safetensors"),
                            at("one/model-00002-of-00004.safetensors")),
                     0);
    assert_int_equal(verify(at("one"), NULL, NULL, &error), SOW_E_FORMAT);
    assert_string_equal(error.message, "was drawn from seed 2, model-00001-of-00004.safetensors "
                                       "from seed 1: shards of different runs");
    sow_plan_free(one);
    sow_plan_free(two);
}

static void F05_missing_shards(void **state)
{
    struct sow_plan *plan = mixed_plan(1);
    struct sow_error error;
    (void)state;
    must_init(plan, at("out"), 2000000, NULL);
    unlink(at("out/model-00002-of-00004.safetensors"));
    assert_int_equal(verify(at("out"), NULL, NULL, &error), SOW_E_MISSING);
    assert_non_null(strstr(error.message, "1 of 4 shards is missing: "
                                          "model-00002-of-00004.safetensors; with it 1 of 8 "
                                          "tensors"));
    sow_plan_free(plan);
}

/* ---- A plan from elsewhere ------------------------------------------------------------------ */

/* A file in another order, without a record, with data at an odd byte: as other writers make them. */
static void write_foreign(const struct sow_plan *plan, const char *path)
{
    char header[2048] = "{";
    uint64_t offset = 0;
    size_t used = 1;
    for (size_t i = sow_plan_count(plan); i-- > 0;) {
        const struct sow_plan_entry *entry = sow_plan_at(plan, i);
        used += (size_t)snprintf(header + used, sizeof header - used,
                                 "%s\"%s\":{\"data_offsets\":[%llu,%llu],\"dtype\":\"%s\","
                                 "\"shape\":[",
                                 used == 1 ? "" : ", ", entry->name, (unsigned long long)offset,
                                 (unsigned long long)(offset + entry->bytes),
                                 sow_st_dtype_name(entry->dtype));
        for (uint32_t axis = 0; axis < entry->tensor.rank; axis++) {
            used += (size_t)snprintf(header + used, sizeof header - used, "%s%llu",
                                     axis == 0 ? "" : ",",
                                     (unsigned long long)entry->tensor.shape[axis]);
        }
        used += (size_t)snprintf(header + used, sizeof header - used, "]}");
        offset += entry->bytes;
    }
    header[used++] = '}';
    if (used % 2 == 0) { /* data begins at an odd byte */
        header[used++] = ' ';
    }
    unsigned char *bytes = calloc(1, 8 + used + offset);
    assert_non_null(bytes);
    bytes[0] = (unsigned char)(used & 0xff);
    bytes[1] = (unsigned char)(used >> 8);
    memcpy(bytes + 8, header, used);
    offset = 8 + used;
    for (size_t i = sow_plan_count(plan); i-- > 0;) {
        const struct sow_plan_entry *entry = sow_plan_at(plan, i);
        sow_plan_fill(entry, sow_plan_seed(plan), bytes + offset, 0, entry->elements);
        offset += entry->bytes;
    }
    write_bytes(path, bytes, offset);
    free(bytes);
}

static void foreign_files_are_verified_with_a_plan(void **state)
{
    struct sow_plan *plan = mixed_plan(42), *other = mixed_plan(43);
    struct sow_verify_report report;
    struct sow_error error;
    (void)state;
    write_foreign(plan, at("f.safetensors"));
    assert_int_equal(verify(at("f.safetensors"), NULL, &report, &error), SOW_E_MISSING);
    if (verify(at("f.safetensors"), plan, &report, &error) != SOW_OK) {
        fail_msg("%s", error.message);
    }
    assert_int_equal(report.seed, 42);
    assert_string_equal(report.plan_hash, sow_plan_hash(plan));
    assert_int_equal(verify(at("f.safetensors"), other, &report, &error), SOW_E_MISMATCH);
    assert_string_equal(report.tensor, "h.weight"); /* the first in the file */
    assert_int_equal(report.element, 0);
    assert_int_equal(report.differing_tensors, 7);
    size_t count = 0;
    unsigned char *bytes = read_file(at("f.safetensors"), &count);
    bytes[count - 2] ^= 1;
    write_bytes(at("f.safetensors"), bytes, count);
    free(bytes);
    assert_int_equal(verify(at("f.safetensors"), plan, &report, &error), SOW_E_MISMATCH);
    assert_string_equal(report.tensor, "a.weight");
    assert_int_equal(report.element, 1023 * 1025 - 1);
    assert_int_equal(report.differing_tensors, 1);
    sow_plan_free(plan);
    sow_plan_free(other);
}

static void names_shapes_and_dtypes_come_first(void **state)
{
    struct sow_st_tensor file[] = {{"a", SOW_F32, 2, {3, 4}, 0, 0}, {"b", SOW_F32, 1, {5}, 0, 0}};
    struct sow_st_tensor shape[] = {{"a", SOW_F32, 2, {4, 3}, 0, 0}, {"b", SOW_F32, 1, {5}, 0, 0}};
    struct sow_st_tensor dtype[] = {{"a", SOW_F32, 2, {3, 4}, 0, 0}, {"b", SOW_BF16, 1, {5}, 0, 0}};
    struct sow_st_tensor names[] = {{"a", SOW_F32, 2, {3, 4}, 0, 0},
                                    {"c", SOW_F32, 1, {5}, 0, 0},
                                    {"d", SOW_F32, 1, {5}, 0, 0}};
    const struct {
        struct sow_st_tensor *tensors;
        size_t count;
        uint64_t differing;
        const char *tensor, *message;
    } rows[] = {
        {shape, 2, 1, "a",
         "tensor `a` has shape [3, 4], the plan says [4, 3]; 1 of 2 tensors differ so"},
        {dtype, 2, 1, "b",
         "tensor `b` is f32, the plan says bf16 (--dtype); 1 of 2 tensors differ "
         "so"},
        {names, 3, 3, "",
         "the checkpoint lacks 2 tensors of the plan: `c`, `d`; and holds 1 tensor "
         "that the plan lacks: `b`"},
        {file, 1, 1, "", "the checkpoint holds 1 tensor that the plan lacks: `b`"},
    };
    (void)state;
    struct sow_plan *plan = plan_of(file, 2, 1);
    must_init(plan, at("m.safetensors"), 0, NULL);
    sow_plan_free(plan);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sow_verify_report report;
        struct sow_error error;
        plan = plan_of(rows[i].tensors, rows[i].count, 1);
        assert_int_equal(verify(at("m.safetensors"), plan, &report, &error), SOW_E_MISMATCH);
        assert_string_equal(error.message, rows[i].message);
        assert_string_equal(report.tensor, rows[i].tensor);
        assert_int_equal(report.differing_tensors, rows[i].differing);
        sow_plan_free(plan);
    }
}

static void interruption_and_no_file(void **state)
{
    struct sow_plan *plan = mixed_plan(1);
    int interrupted = 1;
    struct sow_verify_options options = {.interrupted = &interrupted};
    (void)state;
    must_init(plan, at("m.safetensors"), 0, NULL);
    assert_int_equal(sow_verify(at("m.safetensors"), &options, NULL, NULL), SOW_E_INTERRUPTED);
    assert_int_equal(sow_verify(at("absent"), &options, NULL, NULL), SOW_E_IO);
    assert_int_equal(sow_verify("", NULL, NULL, NULL), SOW_E_ARGUMENT);
    assert_int_equal(sow_verify(NULL, NULL, NULL, NULL), SOW_E_ARGUMENT);
    sow_plan_free(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_sow_wrote_is_verified, scratch_clear),
        cmocka_unit_test_teardown(shards_are_verified, scratch_clear),
        cmocka_unit_test_teardown(every_wrong_byte_is_found, scratch_clear),
        cmocka_unit_test_teardown(the_first_difference_is_the_lowest, scratch_clear),
        cmocka_unit_test_teardown(records_that_do_not_hold, scratch_clear),
        cmocka_unit_test_teardown(shards_of_two_runs_are_told, scratch_clear),
        cmocka_unit_test_teardown(F05_missing_shards, scratch_clear),
        cmocka_unit_test_teardown(foreign_files_are_verified_with_a_plan, scratch_clear),
        cmocka_unit_test_teardown(names_shapes_and_dtypes_come_first, scratch_clear),
        cmocka_unit_test_teardown(interruption_and_no_file, scratch_clear),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
