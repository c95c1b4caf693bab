/* SPDX-License-Identifier: MIT */
/* Rows that are nearly copies are all found, as by comparing every pair, and with far fewer comparisons: among random ones,
 * on an arc, in a crowd, and where most coordinates are the same for all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/check/close.h"
#include "sow/sow.h"

#define ROOM 20000

struct rows {
    float *values;
    struct sow_sketch *sketches;
    struct sow_pair *pairs;
    size_t count, length;
};

static int begin(void **state, size_t count, size_t length)
{
    struct rows *rows = calloc(1, sizeof *rows);
    struct sow_draw normal;
    rows->values = malloc(count * length * sizeof rows->values[0]);
    rows->sketches = calloc(count, sizeof rows->sketches[0]);
    rows->pairs = malloc(ROOM * sizeof rows->pairs[0]);
    rows->count = count;
    rows->length = length;
    assert_int_equal(sow_draw_normal(0, 1, &normal, NULL), SOW_OK);
    sow_fill(rows->values, SOW_F32, 0, count * length, &normal, (struct sow_key){11, length});
    *state = rows;
    return 0;
}

static void end(struct rows *rows)
{
    free(rows->values);
    free(rows->sketches);
    free(rows->pairs);
    free(rows);
}

static float *row(const struct rows *rows, size_t i)
{
    return rows->values + i * rows->length;
}

/* Row b becomes `factor` times row a, plus what row c gives of the relative size `apart`. */
static void plant(struct rows *rows, size_t a, size_t b, size_t c, float factor, float apart)
{
    for (size_t i = 0; i < rows->length; i++) {
        row(rows, b)[i] = factor * (row(rows, a)[i] + apart * row(rows, c)[i]);
    }
}

static double turned(const struct rows *rows, size_t a, size_t b)
{
    double of_a = 0, of_b = 0, sum = 0;
    for (size_t i = 0; i < rows->length; i++) {
        of_a += (double)row(rows, a)[i] * row(rows, a)[i];
        of_b += (double)row(rows, b)[i] * row(rows, b)[i];
    }
    for (size_t i = 0; i < rows->length; i++) {
        double difference = row(rows, a)[i] / sqrt(of_a) - row(rows, b)[i] / sqrt(of_b);
        sum += difference * difference;
    }
    return sum / 2;
}

static size_t find(struct rows *rows, uint64_t *looked)
{
    for (size_t r = 0; r < rows->count; r++) {
        struct sow_sketch *sketch = &rows->sketches[r];
        *sketch = (struct sow_sketch){{0}, 0};
        for (size_t i = 0; i < rows->length; i++) {
            float value = row(rows, r)[i];
            sketch->sums[i % SOW_SKETCH] += (i * 2654435761u) >> 31 & 1 ? -value : value;
            sketch->squares += value * value;
        }
        sow_sketch_scale(sketch, rows->length);
    }
    size_t found =
        sow_close_pairs(rows->sketches, rows->count, SOW_NEAR_CHORD, rows->pairs, ROOM, looked);
    assert_true(found < ROOM);
    for (size_t i = 1; i < found; i++) {
        assert_true(
            rows->pairs[i - 1].a < rows->pairs[i].a ||
            (rows->pairs[i - 1].a == rows->pairs[i].a && rows->pairs[i - 1].b < rows->pairs[i].b));
    }
    return found;
}

static int has(const struct rows *rows, size_t found, size_t a, size_t b)
{
    for (size_t i = 0; i < found; i++) {
        if (rows->pairs[i].a == a && rows->pairs[i].b == b) {
            return 1;
        }
    }
    return 0;
}

/* Every pair that is near by its cosine is among those found; returns how many there are. */
static size_t compare_all(const struct rows *rows, size_t found)
{
    size_t near = 0;
    for (size_t a = 0; a < rows->count; a++) {
        for (size_t b = a + 1; b < rows->count; b++) {
            if (turned(rows, a, b) < SOW_NEAR_COSINE) {
                near++;
                if (!has(rows, found, a, b)) {
                    fail_msg("%zu and %zu are near and were not found", a, b);
                }
            }
        }
    }
    return near;
}

/* A multiple, and noise of up to the square root of 2e-6. */
static void among_random_rows(void **state)
{
    begin(state, 1200, 48);
    struct rows *rows = *state;
    uint64_t looked;
    for (size_t i = 0; i < 12; i++) {
        plant(rows, 7 * i, 1199 - 5 * i, 500 + i, i % 2 ? 1 : 1.7F, 1.3e-3F * (float)i / 11);
    }
    size_t found = find(rows, &looked);
    assert_true(compare_all(rows, found) >= 10);
    assert_true(looked < 1200 * 40);
    end(rows);
}

/* Comparisons a row hardly grow with the number of rows: 16 times as many, at most 3 times as many each. */
static void near_linear(void **state)
{
    uint64_t few, many;
    begin(state, 1000, 256);
    struct rows *rows = *state;
    plant(rows, 3, 900, 4, 0.5F, 1e-3F);
    assert_true(has(rows, find(rows, &few), 3, 900));
    end(rows);
    begin(state, 16000, 256);
    rows = *state;
    plant(rows, 3, 15900, 4, 0.5F, 1e-3F);
    assert_true(has(rows, find(rows, &many), 3, 15900));
    end(rows);
    assert_true(many < 16 * 3 * few);
}

/* Long rows have sums that are nearly as near as the bound; a copy is found all the same. */
static void long_rows(void **state)
{
    begin(state, 300, 16384);
    struct rows *rows = *state;
    plant(rows, 20, 280, 5, 1, 1.3e-3F);
    plant(rows, 21, 22, 6, 3, 1e-5F);
    size_t found = find(rows, NULL);
    assert_true(has(rows, found, 20, 280));
    assert_true(has(rows, found, 21, 22));
    end(rows);
}

/* All on an arc in steps of half the bound: each is near two on each side, and to no other. All but two numbers are 0. */
static void on_an_arc(void **state)
{
    begin(state, 1500, 16);
    struct rows *rows = *state;
    for (size_t i = 0; i < rows->count; i++) {
        size_t at = i * 701 % rows->count; /* in no order */
        memset(row(rows, at), 0, rows->length * sizeof(float));
        row(rows, at)[1] = (float)cos(6.9e-4 * (double)i);
        row(rows, at)[2] = (float)sin(6.9e-4 * (double)i);
    }
    uint64_t looked;
    size_t found = find(rows, &looked);
    assert_int_equal(compare_all(rows, found), 2 * 1500 - 3);
    assert_true(looked < 1500 * 100);
    end(rows);
}

/* A crowd, fourteen times as wide as what is near, with two near pairs in it; and rows of zeros, which are no copies. */
static void in_a_crowd(void **state)
{
    begin(state, 800, 64);
    struct rows *rows = *state;
    for (size_t i = 1; i < rows->count; i++) {
        plant(rows, 0, i, i, 1, 2e-2F);
    }
    memset(row(rows, 100), 0, rows->length * sizeof(float));
    memset(row(rows, 101), 0, rows->length * sizeof(float));
    plant(rows, 30, 700, 31, 1, 1e-4F);
    plant(rows, 50, 60, 51, 2, 1e-3F);
    size_t found = find(rows, NULL);
    assert_true(compare_all(rows, found) >= 2);
    assert_false(has(rows, found, 100, 101));
    end(rows);
}

/* Where all are near all, some pairs are told, and the work is bounded. */
static void all_alike(void **state)
{
    begin(state, 20000, 16);
    struct rows *rows = *state;
    uint64_t looked;
    for (size_t i = 0; i < rows->count; i++) {
        plant(rows, 0, i, i, 1, i == 0 ? 0 : 1e-5F);
    }
    struct sow_pair *pairs = rows->pairs;
    for (size_t i = 0; i < rows->count; i++) {
        memset(&rows->sketches[i], 0, sizeof rows->sketches[i]);
        rows->sketches[i].sums[0] = 1 + 1e-6F * (float)(i % 7);
        rows->sketches[i].squares = 1;
    }
    size_t found =
        sow_close_pairs(rows->sketches, rows->count, SOW_NEAR_CHORD, pairs, 1024, &looked);
    assert_int_equal(found, 1024);
    assert_true(looked <= 20000 * 2048 + 4096);
    end(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(among_random_rows), cmocka_unit_test(near_linear),
        cmocka_unit_test(long_rows),         cmocka_unit_test(on_an_arc),
        cmocka_unit_test(in_a_crowd),        cmocka_unit_test(all_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
