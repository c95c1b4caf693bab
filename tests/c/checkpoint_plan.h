/* SPDX-License-Identifier: MIT */
/* Plans of any names, shapes and dtypes for the tests of run and verify: a safetensors header is written to a file and
 * read as a source, with one rule for all of it. */
#ifndef SOW_TESTS_CHECKPOINT_PLAN_H
#define SOW_TESTS_CHECKPOINT_PLAN_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/checked.h"
#include "model/checkpoint/header.h"
#include "model/checkpoint/safetensors.h"
#include "tests/c/scratch.h"
#include "sow/model.h"

/* Empties the scratch folder. */
static int scratch_clear(void **state)
{
    char command[96];
    (void)state;
    snprintf(command, sizeof command, "find %s -mindepth 1 -delete", scratch);
    return system(command);
}

static unsigned char *read_file(const char *path, size_t *count)
{
    struct stat status;
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fstat(fileno(file), &status), 0);
    unsigned char *bytes = malloc((size_t)status.st_size + 1);
    assert_non_null(bytes);
    *count = fread(bytes, 1, (size_t)status.st_size + 1, file);
    assert_int_equal(*count, status.st_size);
    fclose(file);
    return bytes;
}

/* A plan of these tensors (offsets are filled in), all drawn from normal{std = 0.02}. */
static struct sow_plan *plan_of(struct sow_st_tensor *tensors, size_t count, uint64_t seed)
{
    static const char *const sets[] = {"*=normal{std=0.02}"};
    struct sow_model *model = NULL;
    struct sow_plan *plan = NULL;
    struct sow_plan_options options = {.seed = seed, .sets = sets, .set_count = count > 0};
    struct sow_error error = {0};
    char *bytes = NULL;
    uint64_t length = 0, offset = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t elements = 0;
        assert_false(sow_product_u64(tensors[i].shape, tensors[i].rank, &elements));
        tensors[i].offset_begin = offset;
        offset += elements * sow_dtype_bits(tensors[i].dtype) / 8;
        tensors[i].offset_end = offset;
    }
    assert_int_equal(sow_st_build(tensors, count, NULL, 0, 8, &bytes, &length, &error), SOW_OK);
    write_bytes(at("source.safetensors"), bytes, length);
    free(bytes);
    assert_int_equal(truncate(at("source.safetensors"), (off_t)(length + offset)), 0);
    if (sow_model_load(at("source.safetensors"), NULL, &model, &error) != SOW_OK ||
        sow_plan_make(model, &options, &plan, &error) != SOW_OK) {
        fail_msg("%s", error.message);
    }
    sow_model_free(model);
    unlink(at("source.safetensors"));
    return plan;
}

/* Every width, a scalar, an empty tensor, odd sizes; 11 MB, so that chunks of 1 MiB cut through tensors. */
static struct sow_plan *mixed_plan(uint64_t seed)
{
    struct sow_st_tensor tensors[] = {
        {"a.weight", SOW_BF16, 2, {1023, 1025}, 0, 0}, {"b.scalar", SOW_F32, 0, {0}, 0, 0},
        {"c.weight", SOW_F64, 3, {70, 31, 7}, 0, 0},   {"d.empty", SOW_F16, 2, {0, 5}, 0, 0},
        {"e.byte", SOW_F8_E4M3FN, 1, {1000003}, 0, 0}, {"f.weight", SOW_F32, 2, {700, 2333}, 0, 0},
        {"g.byte", SOW_F8_E5M2, 1, {5}, 0, 0},         {"h.weight", SOW_F16, 1, {800001}, 0, 0},
    };
    return plan_of(tensors, sizeof tensors / sizeof tensors[0], seed);
}

#endif
