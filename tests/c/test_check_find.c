/* SPDX-License-Identifier: MIT */
/* What sow check finds between tensors, rows and columns, and in a config, each planted in a small checkpoint: through the
 * public interface. The numbers of single tensors are in test_check_laws.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sow/check.h"
#include "sow/model.h"
#include "tests/c/scratch.h"

#define ROWS    24u
#define COLUMNS 16u
#define COUNT   (ROWS * COLUMNS)
#define MANY    6u

/* A checkpoint of matrices of ROWS x COLUMNS, each drawn from its own stream. */
static const char *const names[MANY] = {"h.0.a.weight", "h.0.b.weight", "h.1.a.weight",
                                        "h.1.b.weight", "x.weight",     "y.weight"};
static float values[MANY][COUNT];

static int draw(void **state)
{
    struct sow_draw normal;
    (void)state;
    assert_int_equal(sow_draw_normal(0, 0.02, &normal, NULL), SOW_OK);
    for (uint64_t i = 0; i < MANY; i++) {
        sow_fill(values[i], SOW_F32, 0, COUNT, &normal, (struct sow_key){7, i});
    }
    return 0;
}

static void write_checkpoint(void)
{
    char header[2048];
    size_t used = 0;
    for (size_t i = 0; i < MANY; i++) {
        used += (size_t)snprintf(header + used, sizeof header - used,
                                 "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%u,%u],"
                                 "\"data_offsets\":[%zu,%zu]}",
                                 i == 0 ? "{" : ",", names[i], ROWS, COLUMNS, i * sizeof values[0],
                                 (i + 1) * sizeof values[0]);
    }
    header[used++] = '}';
    unsigned char length[8] = {(unsigned char)used, (unsigned char)(used >> 8)};
    FILE *file = fopen(at("m.safetensors"), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(length, 1, 8, file), 8);
    assert_int_equal(fwrite(header, 1, used, file), used);
    assert_int_equal(fwrite(values, 1, sizeof values, file), sizeof values);
    assert_int_equal(fclose(file), 0);
}

static struct sow_check *check_now(const char *source)
{
    struct sow_check *check = NULL;
    struct sow_error error;
    struct sow_check_options options = {.source = source};
    enum sow_status status = sow_check_load(at("m.safetensors"), &options, &check, &error);
    if (status != SOW_OK) {
        fail_msg("%s", error.message);
    }
    return check;
}

/* The only finding is `code` at `where`, its text holds `words`; no code: there is none. */
static void expect_only(const char *code, const char *where, const char *words)
{
    write_checkpoint();
    struct sow_check *check = check_now(NULL);
    const struct sow_finding *finding = sow_check_at(check, 0);
    if (code == NULL) {
        assert_null(finding);
    } else {
        assert_non_null(finding);
        assert_string_equal(finding->code->code, code);
        assert_string_equal(finding->where, where);
        assert_non_null(strstr(finding->text, words));
        assert_null(sow_check_at(check, 1));
    }
    sow_check_free(check);
}

/* ---- Tensors ---------------------------------------------------------------------------------------- */

static void test_twins(void **state)
{
    (void)state;
    expect_only(NULL, NULL, NULL);
    memcpy(values[5], values[4], sizeof values[0]);
    expect_only("twins", "x.weight", "x.weight and y.weight are equal bit for bit");
    values[5][COUNT - 1] += 0.001f; /* no twin any longer, but the same stream */
    expect_only("same-stream", "y.weight", "x.weight");
}

static void test_permuted_copy(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        values[5][i] = values[4][COUNT - 1 - i];
    }
    expect_only("permuted-copy", "x.weight", "hold the same values in another order");
}

static void test_equal_layers(void **state)
{
    (void)state;
    memcpy(values[2], values[0], sizeof values[0]);
    expect_only("twins", "h.{0..1}.a.weight", "equal bit for bit");
    memcpy(values[3], values[1], sizeof values[0]);
    expect_only("identical-layers", "h.{0..1}", "layers 0, 1 are equal bit for bit in all 2");
}

static void test_constants_are_no_twins(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * COUNT; i++) {
        values[4 + i / COUNT][i % COUNT] = 0.5f;
    }
    write_checkpoint();
    struct sow_check *check = check_now(NULL);
    assert_string_equal(sow_check_at(check, 0)->code->code, "constant");
    assert_string_equal(sow_check_at(check, 1)->code->code, "constant");
    assert_null(sow_check_at(check, 2));
    sow_check_free(check);
}

/* ---- Rows and columns ------------------------------------------------------------------------------- */

static void test_rows(void **state)
{
    (void)state;
    memcpy(&values[4][9 * COLUMNS], &values[4][2 * COLUMNS], COLUMNS * sizeof(float));
    expect_only("equal-rows", "x.weight", "2 rows (2, 9) are identical");
    for (size_t i = 0; i < COLUMNS; i++) { /* rolled by one */
        values[4][9 * COLUMNS + i] = values[4][2 * COLUMNS + (i + 1) % COLUMNS];
    }
    expect_only("permuted-rows", "x.weight", "2 rows (2, 9) hold the same values in another order");
    memset(&values[4][9 * COLUMNS], 0, 3 * COLUMNS * sizeof(float));
    expect_only("zero-rows", "x.weight", "rows 9 to 11: 3 are all zero");
}

static void test_columns(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        values[4][i * COLUMNS + 13] = values[4][i * COLUMNS + 4];
    }
    expect_only("equal-columns", "x.weight", "2 columns (4, 13) are identical");
}

/* ---- A config --------------------------------------------------------------------------------------- */

static void write_config(unsigned width, unsigned layers)
{
    char config[256];
    snprintf(config, sizeof config,
             "{\"model_type\": \"gpt2\", \"vocab_size\": 50, \"n_positions\": 8, \"n_embd\": %u, "
             "\"n_layer\": %u, \"n_head\": 2}",
             width, layers);
    write_text("config.json", config);
}

static void init_from_config(void)
{
    struct sow_model *model;
    struct sow_plan *plan;
    struct sow_error error;
    struct sow_plan_options planned = {.seed = 3};
    struct sow_init_options written = {.output = at("m.safetensors"), .force = 1};
    struct sow_init_report report;
    assert_int_equal(sow_model_load(at("config.json"), NULL, &model, &error), SOW_OK);
    assert_int_equal(sow_plan_make(model, &planned, &plan, &error), SOW_OK);
    assert_int_equal(sow_init(plan, &written, &report, &error), SOW_OK);
    sow_plan_free(plan);
    sow_model_free(model);
}

static void test_field(void **state)
{
    static const struct {
        unsigned width, layers;
        const char *field;
        double expected, found;
    } rows[] = {{24, 3, "n_embd", 24, 16}, {16, 5, "n_layer", 5, 3}, {16, 2, "n_layer", 2, 3}};
    (void)state;
    write_config(16, 3);
    init_from_config();
    struct sow_check *check = check_now(at("config.json"));
    assert_null(sow_check_at(check, 0));
    sow_check_free(check);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        write_config(rows[i].width, rows[i].layers);
        check = check_now(at("config.json"));
        const struct sow_finding *finding = sow_check_at(check, 0);
        assert_non_null(finding);
        assert_string_equal(finding->code->code, "config-field");
        assert_string_equal(finding->where, rows[i].field);
        assert_true(finding->expected == rows[i].expected && finding->found == rows[i].found);
        assert_null(sow_check_at(check, 1));
        sow_check_free(check);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_twins, draw),
        cmocka_unit_test_setup(test_permuted_copy, draw),
        cmocka_unit_test_setup(test_equal_layers, draw),
        cmocka_unit_test_setup(test_constants_are_no_twins, draw),
        cmocka_unit_test_setup(test_rows, draw),
        cmocka_unit_test_setup(test_columns, draw),
        cmocka_unit_test(test_field),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
