/* SPDX-License-Identifier: MIT */
/* The table of activations: identities that each row's value and derivative must satisfy, reference
 * values, critical points and fixed points, and functions of the caller's own. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "core/activation/maps.h"
#include "core/activation/quadrature.h"
#include "core/activation/row.h"
#include "sow/sow.h"

static void near_to(double got, double want, double tolerance, const char *what)
{
    if (!(fabs(got - want) <= tolerance)) {
        fail_msg("%s: %.17g instead of %.17g", what, got, want);
    }
}

static struct sow_function function_of(const char *name, const char *parameter, double value)
{
    const struct sow_argument argument = {.name = parameter, .number = value};
    struct sow_function function;
    struct sow_error error;
    if (sow_function_named(name, &argument, parameter != NULL, &function, &error) != SOW_OK) {
        fail_msg("%s: %s", name, error.message);
    }
    return function;
}

static struct sow_activation_numbers numbers_of(const struct sow_function *function)
{
    struct sow_activation_numbers numbers;
    struct sow_error error;
    if (sow_function_numbers(function, &numbers, &error) != SOW_OK) {
        fail_msg("%s", error.message);
    }
    return numbers;
}

/* ---- Identities, for every row -------------------------------------------------------------- */

static void test_derivatives_are_those_of_the_values(void **state)
{
    (void)state;
    const struct sow_activation *row;
    for (size_t i = 0; (row = sow_activation_at(i)) != NULL; i++) {
        struct sow_function function = function_of(row->name, NULL, 0);
        for (double x = -7.03; x < 7; x += 0.0437) {
            double slope, h = 1e-3;
            int beside_kink = 0;
            for (size_t k = 0; k < function.kink_count; k++) {
                beside_kink |= fabs(x - function.kinks[k]) < 3 * h;
            }
            if (beside_kink) {
                continue;
            }
            sow_function_value(&function, x, &slope);
            double d[2];
            for (int j = 0; j < 2; j++, h *= 2) {
                d[j] = (sow_function_value(&function, x + h, NULL) -
                        sow_function_value(&function, x - h, NULL)) /
                       (2 * h);
            }
            near_to((4 * d[0] - d[1]) / 3, slope, 1e-9 * (1 + fabs(slope)), row->name);
        }
    }
}

static void test_steins_identity(void **state)
{
    (void)state;
    const struct sow_activation *row;
    for (size_t i = 0; (row = sow_activation_at(i)) != NULL; i++) {
        struct sow_function function = function_of(row->name, NULL, 0);
        struct sow_moments m;
        assert_int_equal(sow_moments(&function, 1, &m, NULL, NULL), SOW_OK);
        if (row->jumps) { /* and it must fail where phi jumps */
            assert_true(fabs(m.value_z - m.slope) > 1e-3);
        } else {
            near_to(m.value_z, m.slope, 1e-12 * (1 + fabs(m.slope)), row->name);
        }
    }
}

static void test_both_at_once_are_the_same_bits(void **state)
{
    (void)state;
    const struct sow_activation *row;
    for (size_t i = 0; (row = sow_activation_at(i)) != NULL; i++) {
        struct sow_function f;
        assert_int_equal(sow_function_named(row->name, NULL, 0, &f, NULL), SOW_OK);
        const struct sow_activation_row *full = sow_activation_row_of(row);
        for (double x = -40; x <= 40; x += 0.171875) {
            double slope, value = sow_function_value(&f, x, &slope);
            assert_true(value == full->value(x, f.parameters));
            assert_true(slope == full->derivative(x, f.parameters));
        }
    }
}

static void test_growth_is_the_derivative_in_q(void **state)
{
    (void)state;
    const struct sow_activation *row;
    for (size_t i = 0; (row = sow_activation_at(i)) != NULL; i++) {
        struct sow_function function = function_of(row->name, NULL, 0);
        struct sow_moments m, at[4];
        static const double steps[] = {-2e-3, -1e-3, 1e-3, 2e-3};
        assert_int_equal(sow_moments(&function, 1, &m, NULL, NULL), SOW_OK);
        for (int j = 0; j < 4; j++) {
            assert_int_equal(sow_moments(&function, 1 + steps[j], &at[j], NULL, NULL), SOW_OK);
        }
        double growth = (8 * (at[2].square - at[1].square) - (at[3].square - at[0].square)) / 12e-3;
        if (!row->jumps) {
            near_to(growth, m.pull, 1e-9 * (1 + fabs(m.pull)), row->name);
        }
    }
}

/* a_k = E[phi(z) He_k(z)] / sqrt(k!), by the trapezoid on a fine grid; exact enough for smooth phi. */
static void hermite_sums(const struct sow_function *function, int count, double *squares,
                         double *weighted)
{
    static double coefficients[512];
    const double h = 1.0 / 4096;
    memset(coefficients, 0, sizeof coefficients);
    for (int step = -14 * 4096; step <= 14 * 4096; step++) {
        double z = (step + 0.5) * h, y = sow_function_value(function, z, NULL);
        double density = exp(-0.5 * z * z) / sqrt(2 * 3.14159265358979323846) * h * y;
        double before = 0, now = 1;
        for (int k = 0; k < count; k++) {
            coefficients[k] += density * now;
            double next = (z * now - sqrt(k) * before) / sqrt(k + 1);
            before = now;
            now = next;
        }
    }
    *squares = *weighted = 0;
    for (int k = 0; k < count; k++) {
        *squares += coefficients[k] * coefficients[k];
        *weighted += k * coefficients[k] * coefficients[k];
    }
}

static void test_hermite_coefficients(void **state)
{
    (void)state;
    const struct sow_activation *row;
    for (size_t i = 0; (row = sow_activation_at(i)) != NULL; i++) {
        struct sow_function function = function_of(row->name, NULL, 0);
        struct sow_moments m;
        double few[2], many[2];
        assert_int_equal(sow_moments(&function, 1, &m, NULL, NULL), SOW_OK);
        hermite_sums(&function, 48, &few[0], &few[1]);
        hermite_sums(&function, 192, &many[0], &many[1]);
        near_to(many[0], m.square, row->jumps ? 0.05 : 1e-3 * m.square, row->name);
        if (row->jumps) { /* the slope of the correlation map is infinite */
            assert_true(many[1] > m.slope_square && many[1] > 1.2 * few[1]);
            continue;
        }
        /* A kink leaves a tail like k^(-1/2): four times as many terms halve it. */
        double rest[2] = {m.slope_square - few[1], m.slope_square - many[1]};
        if (fabs(rest[1]) > 1e-7 * m.slope_square) {
            assert_true(rest[1] > 0 && rest[1] < 0.62 * rest[0]);
            assert_true(rest[1] < 0.1 * m.slope_square);
        }
    }
}

/* ---- Reference values ------------------------------------------------------------------------ */

struct reference {
    const char *name, *parameter;
    double value;
    double mean, second_moment, gain, variance_gain, slope_square, chi, scale;
};

/* Computed with mpmath and an independent quadrature. */
static const struct reference references[] = {
#include "activation_reference.h"
};

static void test_reference_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof references / sizeof references[0]; i++) {
        const struct reference *r = &references[i];
        struct sow_function function = function_of(r->name, r->parameter, r->value);
        struct sow_activation_numbers n = numbers_of(&function);
        near_to(n.mean, r->mean, 1e-9, r->name);
        near_to(n.second_moment, r->second_moment, 1e-9, r->name);
        near_to(n.gain, r->gain, 1e-9, r->name);
        near_to(n.variance_gain, r->variance_gain, 1e-9, r->name);
        near_to(n.c0, r->mean * r->mean / r->second_moment, 1e-9, r->name);
        if (function.jumps) {
            assert_true(isnan(n.derivative_second_moment) && isnan(n.chi_perp) && isnan(n.chi_par));
        } else {
            near_to(n.derivative_second_moment, r->slope_square, 1e-8 * (1 + r->slope_square),
                    r->name);
            near_to(n.chi_perp, r->chi, 1e-7 * (1 + r->chi), r->name);
            near_to(n.chi_par, r->scale, 1e-7, r->name);
        }
    }
}

static void test_gates(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"glu", "sigmoid"},
                                           {"reglu", "relu"},
                                           {"geglu", "gelu"},
                                           {"swiglu", "silu"},
                                           {"bilinear", "linear"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct sow_function gate = function_of(pairs[i][0], NULL, 0);
        struct sow_function inner = function_of(pairs[i][1], NULL, 0);
        struct sow_activation_numbers g = numbers_of(&gate), n = numbers_of(&inner);
        assert_true(gate.activation->is_gate && g.mean == 0 && g.c0 == 0);
        near_to(g.second_moment, n.second_moment, 1e-14, pairs[i][0]);
        near_to(g.gain, n.gain, 1e-14, pairs[i][0]);
        assert_true(g.variance_gain == g.gain);
        near_to(g.chi_perp, 1 + n.chi_perp, 1e-12, pairs[i][0]);
        near_to(g.chi_par, 1 + n.chi_par, 1e-12, pairs[i][0]);
    }
}

/* ---- Criticality ------------------------------------------------------------------------------ */

static void test_classes_and_critical_points(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum sow_universality universality;
        double q, sigma_w2, sigma_b2;
    } rows[] = {
        {"relu", SOW_CRITICAL_SCALE_INVARIANT, 1, 2, 0},
        {"abs", SOW_CRITICAL_SCALE_INVARIANT, 1, 1, 0},
        {"tanh", SOW_CRITICAL_ZERO, 0, 1, 0},
        {"erf", SOW_CRITICAL_ZERO, 0, 0.78539816339744828, 0},
        {"softsign", SOW_CRITICAL_ZERO, 0, 1, 0},
        {"elu", SOW_CRITICAL_STABLE, 1, 1.4967774354, 0.0346602520},
        {"selu", SOW_CRITICAL_STABLE, 1, 0.9332058018, 0.0667941982},
        {"gelu", SOW_CRITICAL_HALF_STABLE, 3.5615528128, 1.9830582574, 0.1729223908},
        {"silu", SOW_CRITICAL_HALF_STABLE, 14.3201736180, 1.9880046783, 0.5551431707},
        {"mish", SOW_CRITICAL_HALF_STABLE, 1.6701691325, 2.0135240697, 0.0945217874},
        {"hardswish", SOW_CRITICAL_HALF_STABLE, 4.8038559489, 1.9732895836, 0.5071458488},
        {"square", SOW_CRITICAL_UNSTABLE, 1, 0.25, 0.25},
        {"softplus", SOW_CRITICAL_NONE, NAN, NAN, NAN},
        {"sigmoid", SOW_CRITICAL_NONE, NAN, NAN, NAN},
        {"logsigmoid", SOW_CRITICAL_NONE, NAN, NAN, NAN},
        {"hardsigmoid", SOW_CRITICAL_NONE, NAN, NAN, NAN},
        {"hardshrink", SOW_CRITICAL_UNDEFINED, NAN, NAN, NAN},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sow_function function = function_of(rows[i].name, NULL, 0);
        struct sow_criticality point;
        assert_int_equal(sow_function_criticality(&function, &point, NULL), SOW_OK);
        if (point.universality != rows[i].universality) {
            fail_msg("%s: %s", rows[i].name, sow_universality_name(point.universality));
        }
        if (isnan(rows[i].q)) {
            assert_true(isnan(point.q) && isnan(point.sigma_w2));
            continue;
        }
        near_to(point.q, rows[i].q, 1e-7, rows[i].name);
        near_to(point.sigma_w2, rows[i].sigma_w2, 1e-8, rows[i].name);
        near_to(point.sigma_b2, rows[i].sigma_b2, 1e-8, rows[i].name);
    }
}

static void test_critical_line(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double q, sigma_w2, sigma_b2;
    } rows[] = {
        {"tanh", 0.01, 1.0197107607, 1.258e-6},      {"tanh", 2, 2.8611624000, 0.5122649476},
        {"arctan", 0.5, 1.6101402202, 0.0262061548}, {"erf", 2, 2.3561944902, 0.6090571730},
        {"asinh", 1, 1.5251352762, 0.0343470262},    {"elu", 0.1, 1.2167017090, 8.1767e-4},
        {"selu", 2, 1.0563128540, 0.1804922390},     {"gelu", 1, 2.1936999035, 0.0671916747},
        {"silu", 2, 2.3426186347, 0.1278889342},     {"softsign", 2, 5.8676117958, 0.5404701758},
        {"hardtanh", 1, 1.4647947735, 0.2440801317}, {"sin", 0.5, 1.4621171573, 0.0378828427},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sow_function function = function_of(rows[i].name, NULL, 0);
        struct sow_maps maps;
        assert_int_equal(sow_maps(&function, rows[i].q, &maps, NULL), SOW_OK);
        near_to(1 / maps.slope, rows[i].sigma_w2, 1e-9, rows[i].name);
        near_to(rows[i].q - maps.square / maps.slope, rows[i].sigma_b2, 1e-8, rows[i].name);
    }
}

static void test_fixed_points(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double sigma_w2, sigma_b2, q, chi;
    } rows[] = {
        {"tanh", 1.0, 0.05, 0.19359252, 0.75903165},
        {"tanh", 1.5, 0.05, 0.41803720, 0.93863627},
        {"tanh", 1.7, 0.05, 0.53307563, 0.98674081},
        {"tanh", 1.8, 0.05, 0.59413217, 1.00822314},
        {"tanh", 2.0, 0.05, 0.72176187, 1.04766600},
        {"tanh", 3.0, 0.05, 1.42800846, 1.20893442},
        {"tanh", 1.7609546396, 0.05, 0.5700478816, 1},
        {"tanh", 25.0 / 9, 0, 1.1784804904, 1.20983132},
        {"tanh", 1, 0, 0, 1},
        {"selu", 1, 0, 1, 1.0715749925},
        {"relu", 2, 0, 1, 1},
        {"relu", 1, 0, 0, 0.5},
        {"relu", 1.0 / 3, 0.1, 0.12, 1.0 / 6},
        {"relu", 2.1, 0, INFINITY, NAN},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sow_function function = function_of(rows[i].name, NULL, 0);
        struct sow_fixed_point point;
        assert_int_equal(
            sow_function_fixed_point(&function, rows[i].sigma_w2, rows[i].sigma_b2, &point, NULL),
            SOW_OK);
        if (isinf(rows[i].q)) {
            assert_true(isinf(point.q) && isnan(point.chi_perp));
            continue;
        }
        near_to(point.q, rows[i].q, 2e-8, rows[i].name);
        near_to(point.chi_perp, rows[i].chi, 2e-8, rows[i].name);
    }
    struct sow_function tanh_row = function_of("tanh", NULL, 0);
    struct sow_fixed_point point;
    assert_int_equal(sow_function_fixed_point(&tanh_row, -1, 0, &point, NULL), SOW_E_ARGUMENT);
    assert_int_equal(sow_function_fixed_point(&tanh_row, 1, NAN, &point, NULL), SOW_E_ARGUMENT);
}

/* ---- Own functions ----------------------------------------------------------------------------- */

static double of_mish(void *user, double x)
{
    (void)user;
    return x * tanh(log1p(exp(x)));
}

static double of_two_kinks(void *user, double x)
{
    (void)user;
    return fmax(x - 0.3712345, 0) + fmin(x + 1.7, 0);
}

static double of_f22(void *user, double x)
{
    (void)user;
    return fmax(x, 0) - (sqrt(2.85) - 1);
}

static double of_step(void *user, double x)
{
    (void)user;
    return x > 0.5 ? 1 : -1;
}

static double of_log(void *user, double x)
{
    (void)user;
    return log(x);
}

static double of_pole(void *user, double x)
{
    (void)user;
    return 1 / x;
}

static double of_explosion(void *user, double x)
{
    (void)user;
    return exp(x * x);
}

static void test_own_functions(void **state)
{
    (void)state;
    struct sow_function own, row = function_of("mish", NULL, 0);
    assert_int_equal(sow_function_own(of_mish, NULL, NULL, 0, &own, NULL), SOW_OK);
    assert_true(own.kink_count == 0 && !own.jumps);
    struct sow_activation_numbers n = numbers_of(&own), m = numbers_of(&row);
    near_to(n.mean, m.mean, 1e-12, "mish");
    near_to(n.gain, m.gain, 1e-11, "mish");
    near_to(n.chi_perp, m.chi_perp, 1e-10, "mish");
    near_to(n.chi_par, m.chi_par, 1e-10, "mish");

    assert_int_equal(sow_function_own(of_two_kinks, NULL, NULL, 0, &own, NULL), SOW_OK);
    assert_int_equal(own.kink_count, 2);
    near_to(own.kinks[0], -1.7, 1e-12, "kink");
    near_to(own.kinks[1], 0.3712345, 1e-12, "kink");
    near_to(numbers_of(&own).derivative_second_moment,
            0.5 * erfc(0.3712345 / sqrt(2)) + 0.5 * erfc(1.7 / sqrt(2)), 1e-11, "two kinks");

    assert_int_equal(sow_function_own(of_step, NULL, NULL, 0, &own, NULL), SOW_OK);
    assert_true(own.jumps && own.kink_count == 1);
    n = numbers_of(&own);
    near_to(n.second_moment, 1, 1e-12, "step");
    assert_true(isnan(n.chi_perp) && isnan(n.derivative_second_moment));
    const double given[] = {0.5};
    assert_int_equal(sow_function_own(of_step, NULL, given, 1, &own, NULL), SOW_OK);
    assert_true(own.jumps); /* told by Stein's identity */
}

/* Field case F22: a ReLU moved by hand. */
static void test_f22(void **state)
{
    (void)state;
    struct sow_function own;
    struct sow_fixed_point point;
    assert_int_equal(sow_function_own(of_f22, NULL, NULL, 0, &own, NULL), SOW_OK);
    struct sow_activation_numbers n = numbers_of(&own);
    near_to(n.mean, -0.2892520212, 1e-10, "mean");
    near_to(n.second_moment, 0.4245117887, 1e-10, "second moment");
    near_to(n.gain, 1.5348117751, 1e-10, "gain");
    near_to(n.derivative_second_moment, 0.5, 1e-11, "slope");
    near_to(n.chi_perp, 1.1778235925, 1e-10, "chi_perp");
    near_to(n.variance_gain * n.variance_gain, 2.9338844, 1e-6, "variance gain");
    assert_int_equal(sow_function_fixed_point(&own, 3, 0, &point, NULL), SOW_OK);
    assert_true(isinf(point.q)); /* right for one layer, not for fifty */
}

static void check_own_error(double (*value)(void *user, double x), const char *message)
{
    struct sow_function own;
    struct sow_error error;
    assert_int_equal(sow_function_own(value, NULL, NULL, 0, &own, &error), SOW_E_ARGUMENT);
    if (strncmp(error.message, message, strlen(message)) != 0) {
        fail_msg("%s", error.message);
    }
}

static void test_errors(void **state)
{
    (void)state;
    struct sow_function function;
    struct sow_error error;
    const struct sow_argument unknown = {.name = "slop", .number = 1};
    const struct sow_argument high = {.name = "frequency", .number = 1e9};
    const double bad_kinks[] = {1, 0};
    check_own_error(of_log, "the function is not finite at x = -");
    check_own_error(of_pole, "the function has no mean that can be computed: near x = ");
    check_own_error(of_explosion, "the function has no mean that can be computed: near x = ");
    assert_int_equal(sow_function_named("leaky_relu", &unknown, 1, &function, &error),
                     SOW_E_ARGUMENT);
    assert_string_equal(error.message, "leaky_relu has no parameter slop; did you mean slope?");
    assert_int_equal(sow_function_named("sin", &high, 1, &function, &error), SOW_E_ARGUMENT);
    assert_string_equal(error.message, "frequency of sin must be a number from -100 to 100");
    assert_int_equal(sow_function_named("relu", &unknown, 1, &function, &error), SOW_E_ARGUMENT);
    assert_string_equal(error.message, "relu has no parameters");
    assert_int_equal(sow_function_own(of_mish, NULL, bad_kinks, 2, &function, &error),
                     SOW_E_ARGUMENT);
    assert_string_equal(error.message, "kinks must be finite and ascending");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_derivatives_are_those_of_the_values),
        cmocka_unit_test(test_steins_identity),
        cmocka_unit_test(test_both_at_once_are_the_same_bits),
        cmocka_unit_test(test_growth_is_the_derivative_in_q),
        cmocka_unit_test(test_hermite_coefficients),
        cmocka_unit_test(test_reference_values),
        cmocka_unit_test(test_gates),
        cmocka_unit_test(test_classes_and_critical_points),
        cmocka_unit_test(test_critical_line),
        cmocka_unit_test(test_fixed_points),
        cmocka_unit_test(test_own_functions),
        cmocka_unit_test(test_f22),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
