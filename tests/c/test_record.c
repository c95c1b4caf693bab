/* SPDX-License-Identifier: MIT */
/* The record of a plan: out and back, its size, and records that somebody made to hurt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/c/plan_model.h"
#include "model/plan/inside.h"

#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const uint64_t uneven[] = {8, 2, 2};

static struct sow_plan *made(const struct sow_parameter *parameters, size_t count,
                             const struct sow_rule_match *rules, size_t rule_count, uint64_t seed)
{
    struct sow_model model = model_of(parameters, count, rules, rule_count);
    struct sow_plan_options options = {.seed = seed};
    struct sow_plan *plan = NULL;
    struct sow_error error = {0};
    if (sow_plan_make(&model, &options, &plan, &error) != SOW_OK) {
        fail_msg("%s", error.message);
    }
    return plan;
}

static struct sow_listed_tensor listed(const struct sow_plan_entry *entry)
{
    struct sow_listed_tensor tensor = {
        .name = entry->name, .rank = entry->tensor.rank, .dtype = entry->dtype};
    memcpy(tensor.shape, entry->tensor.shape, sizeof tensor.shape);
    return tensor;
}

/* The plan that a file with this plan's tensors, in this order, would give back. */
static struct sow_plan *through_record(const struct sow_plan *plan, const size_t *indices,
                                       size_t count, char **record)
{
    struct sow_listed_tensor *tensors = calloc(count > 0 ? count : 1, sizeof *tensors);
    struct sow_plan *back = NULL;
    struct sow_error error = {0};
    assert_int_equal(sow_plan_record(plan, indices, count, record, &error), SOW_OK);
    for (size_t i = 0; i < count; i++) {
        tensors[i] = listed(sow_plan_at(plan, indices[i]));
    }
    if (sow_plan_from_record(*record, strlen(*record), sow_plan_seed(plan), tensors, count, &back,
                             &error) != SOW_OK) {
        fail_msg("%s\n%s", error.message, *record);
    }
    free(tensors);
    return back;
}

static void assert_same_entry(const struct sow_plan_entry *a, const struct sow_plan_entry *b)
{
    assert_string_equal(a->name, b->name);
    assert_string_equal(a->key, b->key);
    assert_int_equal(a->dtype, b->dtype);
    assert_int_equal(a->elements, b->elements);
    assert_int_equal(a->bytes, b->bytes);
    assert_true(sow_draw_equal(&a->draw, &b->draw));
    assert_int_equal(a->region_count, b->region_count);
    for (size_t i = 0; i < a->region_count; i++) {
        assert_true(sow_draw_equal(&a->regions[i].draw, &b->regions[i].draw));
        assert_int_equal(a->regions[i].axis, b->regions[i].axis);
        assert_int_equal(a->regions[i].begin, b->regions[i].begin);
        assert_int_equal(a->regions[i].end, b->regions[i].end);
    }
}

static void a_plan_comes_back(void **state)
{
    (void)state;
    struct sow_parameter parameters[] = {
        parameter_of("wte.normal", sow_tensor_embedding(10, 4)),
        parameter_of("h.0.glorot", sow_tensor_linear(12, 4)),
        parameter_of("h.0.trunc", sow_tensor_linear(12, 4)),
        parameter_of("h.0.bias", vector_of(12)),
        parameter_of("h.1.glorot", sow_tensor_linear(12, 4)),
        parameter_of("h.1.open", sow_tensor_linear(3, 4)),
        parameter_of("ids", vector_of(4)),
    };
    struct sow_rule_match rules[] = {
        number_rule("*.normal", "normal", "std", 0.1), plain_rule("*.glorot", "glorot_uniform"),
        number_rule("*.trunc", "trunc_normal", "std", 1.0 / 3),
        number_rule("*.open", "trunc_normal", "std", 0.02), plain_rule("*", "zeros")};
    rules[3].arguments[1] = (struct sow_argument){.name = "low", .number = -INFINITY};
    rules[3].arguments[2] = (struct sow_argument){.name = "high", .number = 1.5};
    rules[3].argument_count = 3;
    parameters[0].zero_row = 3;
    parameters[1].blocks = (struct sow_blocks){.axis = 0, .count = 3, .sizes = uneven};
    parameters[4].blocks = (struct sow_blocks){.axis = 0, .count = 3, .sizes = uneven};
    parameters[4].key = "old \"\xc3\xa9\n";
    parameters[6].dtype = SOW_I64;
    struct sow_plan *plan = made(parameters, COUNT(parameters), rules, COUNT(rules), UINT64_MAX);

    const size_t order[] = {3, 1, 4, 0, 6, 2, 5}; /* the file's */
    char *record;
    struct sow_plan *back = through_record(plan, order, COUNT(order), &record);
    for (size_t i = 0; i < COUNT(order); i++) {
        assert_same_entry(sow_plan_at(back, i), sow_plan_at(plan, order[i]));
    }
    assert_string_equal(sow_plan_hash(back), sow_plan_hash(plan));
    assert_int_equal(sow_plan_bytes(back), sow_plan_bytes(plan));
    assert_int_equal(sow_plan_seed(back), UINT64_MAX);
    assert_ptr_equal(sow_plan_find(back, "h.0.bias", NULL), sow_plan_at(back, 0));

    const size_t none[] = {0, 1, 2, 3, 4, 5, 6}; /* a record of a plan from a record */
    char *again;
    struct sow_plan *twice = through_record(back, none, COUNT(none), &again);
    assert_string_equal(record, again);
    char *json;
    assert_int_equal(sow_plan_json(twice, &json, NULL), SOW_OK);
    assert_null(strstr(json, "\"rule\""));
    sow_text_free(json);
    sow_text_free(record);
    sow_text_free(again);
    sow_plan_free(twice);
    sow_plan_free(back);

    const size_t bad = 7;
    assert_int_equal(sow_plan_record(plan, &bad, 1, &record, NULL), SOW_E_ARGUMENT);
    back = through_record(plan, NULL, 0, &record);
    assert_string_equal(record, "{\"draws\":[],\"runs\":[]}");
    sow_text_free(record);
    sow_plan_free(back);
    sow_plan_free(plan);
}

/* The shards of a checkpoint together have the hash of the plan. */
static void shards_add_up(void **state)
{
    (void)state;
    struct sow_parameter parameters[9];
    char names[9][16];
    for (int i = 0; i < 9; i++) {
        snprintf(names[i], sizeof names[i], "h.%d.w", i);
        parameters[i] = parameter_of(names[i], sow_tensor_linear(4, (uint64_t)i + 1));
    }
    struct sow_rule_match rule = plain_rule("*", "he_normal");
    struct sow_plan *plan = made(parameters, 9, &rule, 1, 42);
    const size_t orders[3][3] = {{8, 1, 2}, {4, 3, 5}, {0, 7, 6}};
    struct sow_plan *shards[3];
    for (int i = 0; i < 3; i++) {
        char *record;
        shards[i] = through_record(plan, orders[i], 3, &record);
        assert_string_not_equal(sow_plan_hash(shards[i]), sow_plan_hash(plan));
        sow_text_free(record);
    }
    char hash[33];
    assert_int_equal(sow_plans_hash((const struct sow_plan *const *)shards, 3, hash, NULL), SOW_OK);
    assert_string_equal(hash, sow_plan_hash(plan));
    for (int i = 0; i < 3; i++) {
        sow_plan_free(shards[i]);
    }
    sow_plan_free(plan);
}

static void equal_tensors_cost_nothing(void **state)
{
    (void)state;
    enum { MANY = 1400000 };
    struct sow_parameter *parameters = malloc(MANY * sizeof *parameters);
    char *names = malloc(MANY * 9);
    size_t *order = malloc(MANY * sizeof *order);
    for (size_t i = 0; i < MANY; i++) {
        snprintf(names + 9 * i, 9, "t%07d", (int)i);
        parameters[i] = parameter_of(names + 9 * i, vector_of(1));
        order[i] = i;
    }
    struct sow_rule_match rule = number_rule("*", "normal", "std", 0.02);
    struct sow_plan *plan = made(parameters, MANY, &rule, 1, 1);
    char *record;
    clock_t start = clock();
    struct sow_plan *back = through_record(plan, order, MANY, &record);
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    print_message("%d tensors out and back: %.2f s\n", MANY, seconds);
    assert_string_equal(record, "{\"draws\":[[\"normal\",0,0.02]],\"runs\":[[0,1400000]]}");
    assert_string_equal(sow_plan_hash(back), sow_plan_hash(plan));
    sow_text_free(record);
    sow_plan_free(back);
    sow_plan_free(plan);
    free(order);
    free(names);
    free(parameters);
}

/* ---- Hostile records ------------------------------------------------------------------------------ */

static const struct sow_listed_tensor header[] = {{"a", 2, {8, 4}, SOW_F32},
                                                  {"b", 2, {8, 4}, SOW_F32},
                                                  {"c", 1, {3}, SOW_F32},
                                                  {"ids", 1, {2}, SOW_I64}};

/* Read from memory that ends with the record, so that a sanitizer sees a step too far. */
static enum sow_status read_record(const char *text, size_t length, struct sow_error *error)
{
    struct sow_plan *plan = NULL;
    char *exact = malloc(length > 0 ? length : 1);
    memcpy(exact, text, length);
    memset(error, 0, sizeof *error);
    enum sow_status status =
        sow_plan_from_record(exact, length, 42, header, COUNT(header), &plan, error);
    free(exact);
    assert_true((status == SOW_OK) == (plan != NULL));
    sow_plan_free(plan);
    return status;
}

static void hostile_records_are_refused(void **state)
{
    (void)state;
    FILE *file = fopen(SOW_SOURCE_DIR "/tests/hostile/record/cases.txt", "r");
    assert_non_null(file);
    char line[512], words[512] = "";
    int cases = 0, wrong = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '#' || (line[0] == '\0' && words[0] == '\0')) {
            continue;
        }
        if (line[0] == '=') {
            snprintf(words, sizeof words, "%s", line + 2);
            continue;
        }
        struct sow_error error;
        enum sow_status status = read_record(line, strlen(line), &error);
        int good = strcmp(words, "ok") == 0;
        if (status != (good ? SOW_OK : SOW_E_FORMAT) ||
            (!good && strstr(error.message, words) == NULL)) {
            print_message("expected: %s\n   found: %d %s\n  record: %s\n", words, status,
                          error.message, line);
            wrong++;
        }
        words[0] = '\0';
        cases++;
    }
    fclose(file);
    assert_int_equal(wrong, 0);
    assert_true(cases > 60);
}

static void every_prefix_and_byte_is_safe(void **state)
{
    (void)state;
    const char *good =
        "{\"draws\":[[\"normal\",0,0.02,[[0,0,4,[\"uniform\",-1,1]]]],[\"constant\",0]],"
        "\"runs\":[[0,2],[1,2]],\"keys\":[[1,\"old \\u00e9.b\"]]}";
    size_t length = strlen(good);
    struct sow_error error;
    assert_int_equal(read_record(good, length, &error), SOW_OK);
    for (size_t i = 0; i < length; i++) {
        assert_int_equal(read_record(good, i, &error), SOW_E_FORMAT);
        assert_true(error.message[0] != '\0');
        char changed[256];
        memcpy(changed, good, length);
        for (int byte = 0; byte < 256; byte++) {
            changed[i] = (char)byte;
            enum sow_status status = read_record(changed, length, &error);
            assert_true(status == SOW_OK || status == SOW_E_FORMAT);
        }
    }
}

static void shapes_and_dtypes_are_checked(void **state)
{
    (void)state;
    const char *record = "{\"draws\":[[\"constant\",0]],\"runs\":[[0,1]]}";
    const struct {
        struct sow_listed_tensor tensor;
        const char *words;
    } cases[] = {{{"w", 9, {1}, SOW_F32}, "rank or dtype"},
                 {{"w", 1, {1}, (enum sow_dtype)63}, "rank or dtype"},
                 {{"w", 2, {UINT64_MAX, UINT64_MAX}, SOW_F32}, "2^57"},
                 {{"w", 1, {3}, SOW_F4}, "no whole bytes"},
                 {{"w", 1, {4}, SOW_F4}, "by name only"},
                 {{"w", 1, {4}, SOW_C64}, "by name only"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct sow_plan *plan = NULL;
        struct sow_error error = {0};
        assert_int_equal(
            sow_plan_from_record(record, strlen(record), 1, &cases[i].tensor, 1, &plan, &error),
            SOW_E_FORMAT);
        assert_null(plan);
        if (strstr(error.message, cases[i].words) == NULL) {
            fail_msg("no `%s` in: %s", cases[i].words, error.message);
        }
    }
}

static char *repeated(const char *start, const char *part, size_t times, const char *end)
{
    size_t length = strlen(part);
    char *text = malloc(strlen(start) + times * length + strlen(end) + 1);
    char *at = stpcpy(text, start);
    for (size_t i = 0; i < times; i++) {
        at = stpcpy(at, part);
    }
    strcpy(at, end);
    return text;
}

/* Records of tens of megabytes, refused in memory of a small multiple of their size. Work that grew with its
 * square would not end before the runner's TIMEOUT; a time is printed, never asserted. */
static void long_records_stay_cheap(void **state)
{
    (void)state;
    const struct {
        const char *start, *part;
        size_t times;
    } cases[] = {{"{\"draws\":[[\"constant\",0]],\"runs\":[", "[0,1],", 8000000},
                 {"{\"draws\":[", "[\"constant\",0],", 2000000},
                 {"{\"draws\":[[\"constant\",0,[", "[0,0,1,[\"constant\",0]],", 2000000},
                 {"{\"draws\":", "[", 40000000},
                 {"{\"draws\":[[\"normal\",", "1", 40000000},
                 {"{\"draws\":[[\"constant\",0]],\"runs\":[[0,4]],\"keys\":[[0,\"", "x", 40000000},
                 {"", " ", 40000000},
                 {"", " ", 100000001}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *text = repeated(cases[i].start, cases[i].part, cases[i].times, "");
        struct sow_error error;
        clock_t start = clock();
        assert_int_equal(read_record(text, strlen(text), &error), SOW_E_FORMAT);
        print_message("%5.2f s for: %s%s...\n", (double)(clock() - start) / CLOCKS_PER_SEC,
                      cases[i].start, cases[i].part);
        free(text);
    }
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    print_message("peak memory of all tests: %ld MiB\n", usage.ru_maxrss / 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_comes_back),
        cmocka_unit_test(shards_add_up),
        cmocka_unit_test(hostile_records_are_refused),
        cmocka_unit_test(every_prefix_and_byte_is_safe),
        cmocka_unit_test(shapes_and_dtypes_are_checked),
        cmocka_unit_test(long_records_stay_cheap),
        cmocka_unit_test(equal_tensors_cost_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
