/* SPDX-License-Identifier: MIT */
/* Running an expression: a stack of values with their slopes, many places at a time. Not here: reading it
 * (expression.c). Griewank and Walther 2008, section 3.1: forward differentiation. */
#include <math.h> /* fabs, NAN: macros or built in */

#include "core/activation/expression.h"
#include "core/activation/row.h"
#include "core/base/elementary.h"

#define LANES SOW_EXPRESSION_LANES

/* A value at every place: its number, its slope, and whether Lua would take it for true (numbers are). */
struct entry {
    double value[LANES], slope[LANES];
    uint8_t truth[LANES];
};

/* ---- Functions ------------------------------------------------------------------------------- */

static double sign(double x)
{
    return x > 0 ? 1 : x < 0 ? -1 : x; /* of NaN NaN */
}

static double absolute(double x)
{
    return fabs(x);
}

static double absolute_slope(double x, double y)
{
    (void)y;
    return sign(x);
}

static double flat(double x, double y)
{
    (void)y;
    return x - x; /* 0 */
}

static double expm1_slope(double x, double y)
{
    (void)y;
    return sow_exp(x);
}

static double log_slope(double x, double y)
{
    (void)y;
    return 1 / x;
}

static double log1p_slope(double x, double y)
{
    (void)y;
    return 1 / (1 + x);
}

static double sqrt_slope(double x, double y)
{
    (void)x;
    return 0.5 / y;
}

static double erfc_slope(double x, double y)
{
    (void)y;
    return -0x1.20dd750429b6dp+0 * sow_exp(-x * x); /* -2 / sqrt(pi) */
}

const struct sow_step_function sow_step_functions[] = {
    {"expm1", sow_expm1, expm1_slope},
    {"log", sow_log, log_slope},
    {"log1p", sow_log1p, log1p_slope},
    {"sqrt", sow_sqrt, sqrt_slope},
    {"erfc", sow_erfc, erfc_slope},
    {"abs", absolute, absolute_slope},
    {"sign", sign, flat},
};
const size_t sow_step_function_count = sizeof sow_step_functions / sizeof sow_step_functions[0];

/* The chain rule. What does not move inside does not move outside, however steep it is there. */
static double chain(double outside, double inside)
{
    return inside == 0 ? 0 : outside * inside;
}

static void call_function(const struct sow_step_function *function, struct entry *a, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double x = a->value[i];
        a->value[i] = function->value(x);
        a->slope[i] = chain(function->derivative(x, a->value[i]), a->slope[i]);
    }
}

static void call_activation(const struct sow_activation *activation, struct entry *a, size_t count)
{
    const struct sow_activation_row *row = sow_activation_row_of(activation);
    double parameters[SOW_ACTIVATION_PARAMETERS_MAX] = {0};
    for (size_t i = 0; i < activation->parameter_count; i++) {
        parameters[i] = activation->parameters[i].value;
    }
    for (size_t i = 0; i < count; i++) {
        double x = a->value[i], slope;
        if (row->both != NULL) {
            a->value[i] = row->both(x, parameters, &slope);
        } else {
            a->value[i] = row->value(x, parameters);
            slope = row->derivative(x, parameters);
        }
        a->slope[i] = chain(slope, a->slope[i]);
    }
}

/* ---- Operators of two numbers, which leave the result in the first ------------------------------ */

static void multiply(struct entry *a, const struct entry *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        a->slope[i] = chain(b->value[i], a->slope[i]) + chain(a->value[i], b->slope[i]);
        a->value[i] *= b->value[i];
    }
}

static void divide(struct entry *a, const struct entry *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double quotient = a->value[i] / b->value[i];
        a->slope[i] =
            chain(1 / b->value[i], a->slope[i]) - chain(quotient / b->value[i], b->slope[i]);
        a->value[i] = quotient;
    }
}

static void power(struct entry *a, const struct entry *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double x = a->value[i], y = b->value[i], slope = 0, result;
        if (y == 2) {
            result = x * x;
            slope = chain(2 * x, a->slope[i]);
        } else {
            result = sow_pow(x, y);
            if (a->slope[i] != 0 && y != 0) {
                slope = y * sow_pow(x, y - 1) * a->slope[i];
            }
        }
        if (b->slope[i] != 0 && !(x == 0 && y >= 0)) {
            slope += result * sow_log(x) * b->slope[i];
        }
        a->value[i] = result;
        a->slope[i] = slope;
    }
}

/* max with sign 1, min with sign -1; NaN wins. */
static void extreme(struct entry *a, const struct entry *b, double sign_of_it, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double difference = sign_of_it * (b->value[i] - a->value[i]);
        if (b->value[i] == a->value[i]) {
            a->slope[i] = 0.5 * (a->slope[i] + b->slope[i]);
        } else if (difference > 0 || b->value[i] != b->value[i]) {
            a->value[i] = b->value[i];
            a->slope[i] = b->slope[i];
        }
    }
}

static void compare(enum sow_step_code code, struct entry *a, const struct entry *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double x = a->value[i], y = b->value[i];
        a->truth[i] = code == SOW_STEP_LESS            ? x < y
                      : code == SOW_STEP_LESS_OR_EQUAL ? x <= y
                      : code == SOW_STEP_MORE          ? x > y
                      : code == SOW_STEP_MORE_OR_EQUAL ? x >= y
                      : code == SOW_STEP_EQUAL         ? x == y
                                                       : x != y;
    }
}

/* and: where `a` is false it stays; or: where it is true. */
static void choose(struct entry *a, const struct entry *b, uint8_t kept, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (a->truth[i] != kept) {
            a->value[i] = b->value[i];
            a->slope[i] = b->slope[i];
            a->truth[i] = b->truth[i];
        }
    }
}

static void combine(enum sow_step_code code, struct entry *a, const struct entry *b, size_t count)
{
    switch (code) {
    case SOW_STEP_ADD:
    case SOW_STEP_SUBTRACT:
        for (size_t i = 0; i < count; i++) {
            int minus = code == SOW_STEP_SUBTRACT;
            a->value[i] = minus ? a->value[i] - b->value[i] : a->value[i] + b->value[i];
            a->slope[i] = minus ? a->slope[i] - b->slope[i] : a->slope[i] + b->slope[i];
        }
        break;
    case SOW_STEP_MULTIPLY:
        multiply(a, b, count);
        break;
    case SOW_STEP_DIVIDE:
        divide(a, b, count);
        break;
    case SOW_STEP_POWER:
        power(a, b, count);
        break;
    case SOW_STEP_MIN:
    case SOW_STEP_MAX:
        extreme(a, b, code == SOW_STEP_MAX ? 1 : -1, count);
        break;
    case SOW_STEP_AND:
    case SOW_STEP_OR:
        choose(a, b, code == SOW_STEP_OR, count);
        break;
    default:
        compare(code, a, b, count);
        break;
    }
}

/* ---- The whole ----------------------------------------------------------------------------------- */

static void push(const struct sow_expression_step *step, const double *x, struct entry *top,
                 size_t count)
{
    for (size_t i = 0; i < count; i++) {
        top->value[i] = step->code == SOW_STEP_X ? x[i] : step->number;
        top->slope[i] = step->code == SOW_STEP_X;
        top->truth[i] = step->code != SOW_STEP_TRUTH || step->number != 0;
    }
}

static void change(const struct sow_expression_step *step, struct entry *top, size_t count)
{
    if (step->code == SOW_STEP_FUNCTION) {
        call_function(&sow_step_functions[step->index], top, count);
    } else if (step->code == SOW_STEP_ACTIVATION) {
        call_activation(sow_activation_at(step->index), top, count);
    } else {
        for (size_t i = 0; i < count; i++) {
            top->value[i] = -top->value[i];
            top->slope[i] = -top->slope[i];
            top->truth[i] = step->code != SOW_STEP_NOT || !top->truth[i];
        }
    }
}

static void run_block(const struct sow_expression_step *steps, uint32_t step_count, const double *x,
                      double *values, double *slopes, size_t count)
{
    struct entry stack[SOW_EXPRESSION_DEPTH_MAX];
    size_t depth = 0;
    for (uint32_t i = 0; i < step_count; i++) {
        enum sow_step_code code = steps[i].code;
        if (code <= SOW_STEP_TRUTH) {
            push(&steps[i], x, &stack[depth++], count);
        } else if (code >= SOW_STEP_NOT) {
            change(&steps[i], &stack[depth - 1], count);
        } else {
            depth--;
            combine(code, &stack[depth - 1], &stack[depth], count);
        }
    }
    for (size_t i = 0; i < count; i++) {
        values[i] = stack[0].value[i];
        if (slopes != NULL) {
            slopes[i] = stack[0].slope[i];
        }
    }
}

void sow_expression_run(const struct sow_expression_step *steps, uint32_t step_count,
                        const double *x, double *values, double *slopes, size_t count)
{
    for (size_t begin = 0; begin < count; begin += LANES) {
        size_t lanes = count - begin < LANES ? count - begin : LANES;
        run_block(steps, step_count, x + begin, values + begin,
                  slopes != NULL ? slopes + begin : NULL, lanes);
    }
}
