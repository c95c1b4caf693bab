/* SPDX-License-Identifier: MIT */
/* Plans made from models of tests/c/plan_model.h, and what must be refused: for the tests of plans. Not a test. */
#ifndef SOW_TESTS_PLAN_MADE_H
#define SOW_TESTS_PLAN_MADE_H

#include "tests/c/plan_model.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static inline enum sow_status make(struct sow_model *model, uint64_t seed, enum sow_dtype dtype,
                                   struct sow_plan **plan, struct sow_error *error)
{
    struct sow_plan_options options = {.seed = seed, .dtype = dtype};
    *plan = NULL;
    memset(error, 0, sizeof *error);
    return sow_plan_make(model, &options, plan, error);
}

static inline struct sow_plan *made(struct sow_model *model, uint64_t seed, enum sow_dtype dtype)
{
    struct sow_plan *plan;
    struct sow_error error;
    if (make(model, seed, dtype, &plan, &error) != SOW_OK) {
        fail_msg("%s", error.message);
    }
    return plan;
}

static inline void assert_error(struct sow_model *model, enum sow_dtype dtype, enum sow_status code,
                                const char *const *words)
{
    struct sow_plan *plan;
    struct sow_error error;
    assert_int_equal(make(model, 1, dtype, &plan, &error), code);
    assert_int_equal(error.code, code);
    assert_null(plan);
    for (; *words != NULL; words++) {
        if (strstr(error.message, *words) == NULL) {
            fail_msg("no `%s` in: %s", *words, error.message);
        }
    }
}

#define ASSERT_ERROR(model, dtype, code, ...)                                                      \
    assert_error(model, dtype, code, (const char *const[]){__VA_ARGS__, NULL})

/* A small model with everything in it. */
static const struct sow_rule_match rules[] = {
    {.scheme = "normal",
     .arguments = {{.name = "std", .number = 0.02}},
     .argument_count = 1,
     .glob = "*.normal",
     .text = "rule(\"*.normal\", normal { std = c.initializer_range })",
     .file = "test.lua",
     .line = 9,
     .variant = "authors",
     .reason = "as the authors' code"},
    {.scheme = "glorot_uniform", .glob = "*.glorot", .text = "", .file = "--set", .line = 1},
    {.scheme = "he_normal", .glob = "*.he", .text = "", .file = "test.lua", .line = 11},
    {.scheme = "ones", .glob = "*.scale", .text = "", .file = "test.lua", .line = 12},
    {.scheme = "zeros", .glob = "*", .text = "", .file = "test.lua", .line = 13, .reason = "rest"},
};

static const uint64_t thirds[] = {4, 4, 4};
static const uint64_t uneven[] = {8, 2, 2};
static const uint64_t with_empty[] = {8, 0, 4};

static inline struct sow_plan *one(struct sow_parameter parameter, enum sow_dtype dtype)
{
    struct sow_model model = model_of(&parameter, 1, rules, COUNT(rules));
    return made(&model, 42, dtype);
}

static uint64_t random_state = 1;

static inline uint64_t random_below(uint64_t end)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (random_state >> 33) % end;
}

#endif
