/* SPDX-License-Identifier: MIT */
/* An expression of x as a short program: what `sow activations --expr` and `expr{...}` are made of. Written as in Lua,
 * but no Lua runs: there is nothing in it that could loop, allocate or change, so threads may share one. Its
 * derivative is exact, by forward differentiation. expression.c reads the text, program.c runs the steps. */
#ifndef SOW_ACTIVATION_EXPRESSION_H
#define SOW_ACTIVATION_EXPRESSION_H

#include "sow/activation.h"

#define SOW_EXPRESSION_TEXT_MAX  1000 /* bytes */
#define SOW_EXPRESSION_STEPS_MAX 256
#define SOW_EXPRESSION_DEPTH_MAX 32 /* values that wait for an operator at once */
#define SOW_EXPRESSION_LANES     32 /* values of x that are worked out together */

/* On a stack of values; MORE takes two and leaves one, and so on. */
enum sow_step_code {
    SOW_STEP_NUMBER, /* .number */
    SOW_STEP_X,
    SOW_STEP_TRUTH, /* .number: 0 is false */
    SOW_STEP_ADD,
    SOW_STEP_SUBTRACT,
    SOW_STEP_MULTIPLY,
    SOW_STEP_DIVIDE,
    SOW_STEP_POWER,
    SOW_STEP_MIN,
    SOW_STEP_MAX,
    SOW_STEP_LESS,
    SOW_STEP_LESS_OR_EQUAL,
    SOW_STEP_MORE,
    SOW_STEP_MORE_OR_EQUAL,
    SOW_STEP_EQUAL,
    SOW_STEP_UNEQUAL,
    SOW_STEP_AND, /* as in Lua: the first when it is false, else the second */
    SOW_STEP_OR,
    SOW_STEP_NOT,
    SOW_STEP_NEGATE,
    SOW_STEP_FUNCTION,   /* .index, of sow_step_functions */
    SOW_STEP_ACTIVATION, /* .index, of the table, its parameters at their defaults */
};

struct sow_expression_step {
    enum sow_step_code code;
    uint32_t index;
    double number;
};

/* Plain data: it may be copied, with sow_expression_move for a function made of it. */
struct sow_expression_program {
    char text[SOW_EXPRESSION_TEXT_MAX + 1]; /* as it was given, blanks for other white space */
    char name[SOW_EXPRESSION_TEXT_MAX + 7]; /* "expr{text}" */
    uint32_t count;
    struct sow_expression_step steps[SOW_EXPRESSION_STEPS_MAX];
};

/* A function of one number, with its derivative (y is the value at x). */
struct sow_step_function {
    const char *name;
    double (*value)(double x);
    double (*derivative)(double x, double y);
};
extern const struct sow_step_function sow_step_functions[];
extern const size_t sow_step_function_count;

/* SOW_E_ARGUMENT, with the character, when it is no expression that gives a number. */
enum sow_status sow_expression_compile(const char *text, size_t length,
                                       struct sow_expression_program *program,
                                       struct sow_error *error);
/* The text between the braces of "expr{...}", which may stand for the name of an activation; NULL when it is none. */
const char *sow_expression_inside(const char *text, size_t *length);
/* The same, as a program; SOW_E_ARGUMENT also when it is no "expr{...}". */
enum sow_status sow_expression_compile_braced(const char *text,
                                              struct sow_expression_program *program,
                                              struct sow_error *error);

/* Values at `count` places, and slopes unless NULL. Where two branches meet (max(x, 0) at 0) the slope is the mean of both,
 * as torch.maximum's; a slope of 0 inside makes 0 of an infinite one outside. */
void sow_expression_run(const struct sow_expression_step *steps, uint32_t step_count,
                        const double *x, double *values, double *slopes, size_t count);

/* The function, which refers to `program`. `kinks` as for sow_function_own. */
enum sow_status sow_expression_own(struct sow_expression_program *program, const double *kinks,
                                   size_t kink_count, struct sow_function *function,
                                   struct sow_error *error);
/* Whether both are one row with the same parameters, or one own function of the same name, else user. */
int sow_function_same(const struct sow_function *a, const struct sow_function *b);
/* Whether it is such a function; then the same one of a copy of its program. */
int sow_is_expression(const struct sow_function *function);
struct sow_function sow_expression_move(const struct sow_function *function,
                                        struct sow_expression_program *copy);

#endif
