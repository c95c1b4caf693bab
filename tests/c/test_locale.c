/* SPDX-License-Identifier: MIT */
/* Recipes in a program that has a locale of its own. Lua compares texts by strcoll, which this program replaces by one that
 * turns the order around wherever the locale is the program's: nothing a recipe says may depend on it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sow/model.h"
#include "tests/c/scratch.h"

static int calls;

__attribute__((visibility("default"))) int strcoll(const char *a, const char *b)
{
    calls++;
    return uselocale((locale_t)0) == LC_GLOBAL_LOCALE ? -strcmp(a, b) : strcmp(a, b);
}

static void test_order_of_texts(void **state)
{
    (void)state;
    static const char text[] =
        "assert(\"a\" < \"b\" and \"B\" < \"a\" and \"a\" <= \"a\" and not (\"b\" < \"a\"))\n"
        "param(\"t\", { 2 })\n"
        "rule(\"*\", normal { std = function(t) return t.name > \"a\" and 0.5 or 1 end })\n";
    struct sow_model *model = NULL;
    struct sow_plan *plan = NULL;
    struct sow_error error = {.code = SOW_OK};
    assert_true(strcoll("a", "b") > 0); /* the program's own */
    calls = 0;
    if (sow_model_load(write_text("model.lua", text), NULL, &model, &error) != SOW_OK ||
        sow_plan_make(model, NULL, &plan, &error) != SOW_OK) {
        fail_msg("%s:%u: %s", error.file, error.line, error.message);
    }
    assert_true(calls >= 5); /* Lua really came here */
    assert_true(sow_plan_at(plan, 0)->draw.std == 0.5);
    assert_true(uselocale((locale_t)0) == LC_GLOBAL_LOCALE); /* put back */
    sow_plan_free(plan);
    sow_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_of_texts),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
