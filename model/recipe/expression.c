/* SPDX-License-Identifier: MIT */
/* An expression with an owner, for users of the library: what core/activation/expression.h makes, allocated. */
#include "core/activation/expression.h"
#include "core/base/error.h"
#include "sow/model.h"

#include <stdlib.h>
#include <string.h>

struct sow_expression {
    struct sow_expression_program program;
};

enum sow_status sow_expression_load(const char *text, struct sow_expression **expression,
                                    struct sow_error *error)
{
    struct sow_expression *made = malloc(sizeof *made);
    if (made == NULL) {
        return sow_fail(error, SOW_E_MEMORY, "out of memory while reading an expression");
    }
    enum sow_status status = sow_expression_compile(text, strlen(text), &made->program, error);
    if (status != SOW_OK) {
        free(made);
        return status;
    }
    *expression = made;
    return SOW_OK;
}

enum sow_status sow_expression_function(struct sow_expression *expression, const double *kinks,
                                        size_t kink_count, struct sow_function *function,
                                        struct sow_error *error)
{
    return sow_expression_own(&expression->program, kinks, kink_count, function, error);
}

void sow_expression_free(struct sow_expression *expression)
{
    free(expression);
}
