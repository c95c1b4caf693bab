/* SPDX-License-Identifier: MIT */
/* The pass over a checkpoint: numbers, cells, parts, cuts of the work, and the difference of two. tests/python/test_stats.py
 * has numpy as the judge. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "model/verify/statistics.h"
#include "tests/c/scratch.h"

#define COUNT 700001u /* of float32: eleven blocks, the last one short */

/* Writes tensors `w` (COUNT numbers of a fixed pattern) and `one`. */
static void write_values(const char *path, float shift)
{
    const struct sow_st_tensor tensors[] = {
        {"w", SOW_F32, 1, {COUNT}, 0, 4 * COUNT},
        {"one", SOW_F32, 0, {0}, 4 * COUNT, 4 * COUNT + 4},
    };
    char *header = NULL;
    uint64_t length = 0;
    float one = 1;
    assert_int_equal(sow_st_build(tensors, 2, NULL, 0, 8, &header, &length, NULL), SOW_OK);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(header, 1, length, file), length);
    for (uint32_t i = 0; i < COUNT; i++) {
        float value = (float)(i * 2654435761u >> 8) / 16777216.0f + (i == 12345 ? shift : 0);
        assert_int_equal(fwrite(&value, sizeof value, 1, file), 1);
    }
    assert_int_equal(fwrite(&one, sizeof one, 1, file), 1);
    assert_int_equal(fclose(file), 0);
    free(header);
}

static void numbers_do_not_depend_on_threads(void **state)
{
    struct sow_tensor_statistics first = {0};
    (void)state;
    write_values(at("w.safetensors"), 0);
    for (uint32_t threads = 1; threads <= 70; threads += 23) {
        struct sow_statistics_options options = {.threads = threads};
        struct sow_statistics *statistics = NULL;
        assert_int_equal(sow_statistics_load(at("w.safetensors"), &options, &statistics, NULL),
                         SOW_OK);
        struct sow_tensor_statistics row = *sow_statistics_at(statistics, 0);
        assert_string_equal(row.name, "w");
        assert_true(fabs(row.mean - 0.5) < 1e-3 && fabs(row.std - 0.288675) < 1e-3);
        assert_true(fabs(row.kurtosis - 1.8) < 0.01);
        assert_int_equal(row.finite, COUNT);
        row.name = row.file = NULL;
        first = threads == 1 ? row : first;
        assert_memory_equal(&row, &first, sizeof row);
        const struct sow_tensor_statistics *one = sow_statistics_at(statistics, 1);
        assert_true(one->is_constant && one->first == 1 && one->std == 0);
        assert_null(sow_statistics_at(statistics, 2));
        sow_statistics_free(statistics);
    }
}

struct seen {
    atomic_uint_fast64_t elements, cell_elements;
};

static enum sow_status see_part(void *user, const struct sow_part *part, struct sow_error *error)
{
    struct seen *seen = user;
    if (part->first * 4 % SOW_BLOCK_BYTES != 0) {
        return sow_fail(error, SOW_E_ARGUMENT, "a part begins at element %llu",
                        (unsigned long long)part->first);
    }
    float last;
    sow_values_f32(part->dtype, part->bytes + 4 * (part->count - 1), 1, &last);
    atomic_fetch_add(&seen->elements, isfinite(last) ? part->count : 0);
    return SOW_OK;
}

static enum sow_status see_cells(void *user, size_t tensor,
                                 const struct sow_tensor_statistics *statistics,
                                 const struct sow_cell *cells, size_t count,
                                 struct sow_error *error)
{
    struct seen *seen = user;
    (void)tensor;
    int good = cells[0].low <= statistics->min && cells[count - 1].high >= statistics->max;
    for (size_t i = 0; i < count; i++) {
        good &= cells[i].low < cells[i].high && cells[i].count > 0;
        good &= i == 0 || cells[i - 1].high <= cells[i].low;
        atomic_fetch_add(&seen->cell_elements, cells[i].count);
    }
    return good ? SOW_OK : sow_fail(error, SOW_E_ARGUMENT, "cells that do not fit");
}

static enum sow_status refuse(void *user, const struct sow_part *part, struct sow_error *error)
{
    (void)user;
    (void)part;
    return sow_fail(error, SOW_E_MEMORY, "no more");
}

static void visitors_see_every_element_once(void **state)
{
    struct seen seen = {0, 0};
    struct sow_visitor visitor = {.user = &seen, .part = see_part, .cells = see_cells};
    struct sow_statistics *statistics = NULL;
    struct sow_st_set *set = NULL;
    struct sow_error error;
    (void)state;
    write_values(at("w.safetensors"), 0);
    assert_int_equal(sow_st_set_open(at("w.safetensors"), &set, NULL), SOW_OK);
    assert_int_equal(sow_statistics_make(set, NULL, &visitor, &statistics, &error), SOW_OK);
    assert_int_equal(seen.elements, COUNT + 1);
    assert_int_equal(seen.cell_elements, COUNT + 1);
    sow_statistics_free(statistics);
    visitor.part = refuse;
    assert_int_equal(sow_statistics_make(set, NULL, &visitor, &statistics, &error), SOW_E_MEMORY);
    assert_string_equal(error.message, "no more");
    sow_st_set_free(set);
}

static void one_element_differs(void **state)
{
    struct sow_diff *diff = NULL;
    (void)state;
    write_values(at("a.safetensors"), 0);
    write_values(at("b.safetensors"), 0.25f);
    assert_int_equal(sow_diff_load(at("a.safetensors"), at("a.safetensors"), NULL, &diff, NULL),
                     SOW_OK);
    assert_null(sow_diff_at(diff, 0));
    assert_int_equal(sow_diff_report(diff)->equal, 2);
    sow_diff_free(diff);
    assert_int_equal(sow_diff_load(at("a.safetensors"), at("b.safetensors"), NULL, &diff, NULL),
                     SOW_OK);
    const struct sow_difference *difference = sow_diff_at(diff, 0);
    assert_int_equal(difference->kind, SOW_DIFF_BITS);
    assert_string_equal(difference->name, "w");
    assert_int_equal(difference->differing, 1);
    assert_int_equal(difference->first, 12345);
    assert_true(difference->distance_max == difference->first_b - difference->first_a);
    assert_true(difference->ulp_max > 0 && difference->ulp_max == difference->ulp_mean);
    assert_null(sow_diff_at(diff, 1));
    sow_diff_free(diff);
}

static void what_cannot_be_is_refused(void **state)
{
    static const char *const globs[] = {"nothing.*"};
    struct sow_statistics_options options = {.globs = globs, .glob_count = 1};
    struct sow_statistics *statistics = NULL;
    struct sow_diff *diff = NULL;
    (void)state;
    write_values(at("w.safetensors"), 0);
    assert_int_equal(sow_statistics_load(at("w.safetensors"), &options, &statistics, NULL),
                     SOW_E_ARGUMENT);
    assert_int_equal(sow_statistics_load("", NULL, &statistics, NULL), SOW_E_ARGUMENT);
    assert_int_equal(sow_statistics_load(at("none.safetensors"), NULL, &statistics, NULL),
                     SOW_E_IO);
    assert_int_equal(sow_diff_load(at("w.safetensors"), at("none.safetensors"), NULL, &diff, NULL),
                     SOW_E_IO);
    sow_statistics_free(NULL);
    sow_diff_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_do_not_depend_on_threads),
        cmocka_unit_test(visitors_see_every_element_once),
        cmocka_unit_test(one_element_differs),
        cmocka_unit_test(what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
