/* SPDX-License-Identifier: MIT */
/* The loops that a measurement spends its time in beside the products: plain C that the compiler vectorises, compiled
 * once for each row of cmake/isa.cmake. Lanes and their order are written out, so no instruction set has bits of its
 * own. */
#include <string.h>

#include "core/kernel/real.h"
#include "model/signal/measure/float_math.h"
#include "model/signal/measure/loops.h"

#define LANES 8u

/* ---- Sums ------------------------------------------------------------------------------------- */

/* Eight sums, in two vectors that the compiler takes apart where the registers are narrower. */
typedef double four __attribute__((vector_size(32)));
typedef float four_floats __attribute__((vector_size(16)));

static inline void load(four *to, const float *x)
{
    four_floats narrow;
    memcpy(&narrow, x, sizeof narrow);
    *to = __builtin_convertvector(narrow, four);
}

static inline double add_lanes(const four *left, const four *right)
{
    four sum = *left + *right;
    return (sum[0] + sum[2]) + (sum[1] + sum[3]);
}

static inline void add_powers(four sums[4], const four *v)
{
    four square = *v * *v;
    sums[0] += *v;
    sums[1] += square;
    sums[2] += square * *v;
    sums[3] += square * square;
}

/* Without their sign, floats are in the order of their bits. */
static float largest_of(const float *x, uint64_t count)
{
    uint32_t most = 0;
    float largest;
    for (uint64_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        bits &= 0x7FFFFFFFu;
        most = bits > most ? bits : most;
    }
    memcpy(&largest, &most, sizeof largest);
    return largest;
}

#define RUN 1024u /* elements that are read twice, from the cache */

static void powers(const float *x, uint64_t count, double sums[4], double *largest)
{
    four left[4] = {{0}}, right[4] = {{0}}, v;
    uint64_t whole = count / LANES * LANES;
    *largest = 0;
    for (uint64_t first = 0; first < whole; first += RUN) {
        uint64_t end = whole - first < RUN ? whole : first + RUN;
        double most = (double)largest_of(x + first, end - first);
        *largest = most > *largest ? most : *largest;
        for (uint64_t i = first; i < end; i += LANES) {
            load(&v, x + i);
            add_powers(left, &v);
            load(&v, x + i + LANES / 2);
            add_powers(right, &v);
        }
    }
    double most = (double)largest_of(x + whole, count - whole);
    *largest = most > *largest ? most : *largest;
    for (uint64_t i = whole; i < count; i++) {
        v = (four){(double)x[i]};
        add_powers(left, &v);
    }
    for (int power = 0; power < 4; power++) {
        sums[power] = add_lanes(&left[power], &right[power]);
    }
}

static double dot(const float *x, const float *y, uint64_t count)
{
    four left = {0}, right = {0}, a, b;
    uint64_t whole = count / LANES * LANES;
    for (uint64_t i = 0; i < whole; i += LANES) {
        load(&a, x + i);
        load(&b, y + i);
        left += a * b;
        load(&a, x + i + LANES / 2);
        load(&b, y + i + LANES / 2);
        right += a * b;
    }
    for (uint64_t i = whole; i < count; i++) {
        left[0] += (double)x[i] * (double)y[i];
    }
    return add_lanes(&left, &right);
}

static void add_scaled(double *to, const float *x, double factor, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        to[i] += (double)x[i] * factor;
    }
}

/* ---- Exponentials ------------------------------------------------------------------------------- */

static void exponentials(const float *x, float *y, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        y[i] = sow_expf(x[i]);
    }
}

/* ---- Activations -------------------------------------------------------------------------------- */

#define GELU_INNER 0x1.988454p-1f /* sqrt(2 / pi) */
#define GELU_CUBE  0.044715f

static void relu(const float *x, float *y, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        y[i] = x[i] <= 0 ? 0 : x[i];
    }
}

static void relu_slope(const float *x, const float *dy, float *dx, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        dx[i] = x[i] > 0 ? dy[i] : x[i] <= 0 ? 0 : x[i];
    }
}

static void tanh_value(const float *x, float *y, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        y[i] = sow_tanhf(x[i]);
    }
}

static void tanh_slope(const float *x, const float *dy, float *dx, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        float t = sow_tanhf(x[i]);
        dx[i] = dy[i] * ((1 - t) * (1 + t));
    }
}

static void sigmoid(const float *x, float *y, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        y[i] = sow_sigmoidf(x[i]);
    }
}

static void sigmoid_slope(const float *x, const float *dy, float *dx, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        float s = sow_sigmoidf(x[i]);
        dx[i] = dy[i] * (s * (1 - s));
    }
}

/* x, not farther from 0 than where the slope is constant: beyond, its factors are infinity times 0. NaN stays. */
static inline float within(float x, float reach)
{
    x = x > reach ? reach : x;
    return x < -reach ? -reach : x;
}

static void silu(const float *x, float *y, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        y[i] = x[i] * sow_sigmoidf(x[i]);
    }
}

static void silu_slope(const float *x, const float *dy, float *dx, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        float near = within(x[i], 100), s = sow_sigmoidf(near);
        dx[i] = dy[i] * (s + near * s * (1 - s));
    }
}

/* (1 + tanh u) / 2 = sigmoid(2 u). */
static void gelu_tanh(const float *x, float *y, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        float u = GELU_INNER * (x[i] + GELU_CUBE * x[i] * x[i] * x[i]);
        y[i] = x[i] * sow_sigmoidf(2 * u);
    }
}

static void gelu_tanh_slope(const float *x, const float *dy, float *dx, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        float near = within(x[i], 100);
        float u = GELU_INNER * (near + GELU_CUBE * near * near * near), s = sow_sigmoidf(2 * u);
        float inner = 2 * GELU_INNER * (1 + 3 * GELU_CUBE * near * near);
        dx[i] = dy[i] * (s + near * (s * (1 - s)) * inner);
    }
}

extern const struct sow_loops SOW_CAT(sow_loops_, SOW_ISA);

const struct sow_loops SOW_CAT(sow_loops_, SOW_ISA) = {
    .isa = SOW_TEXT(SOW_ISA),
    .powers = powers,
    .dot = dot,
    .add_scaled = add_scaled,
    .exponentials = exponentials,
    .activations = {{"relu", relu, relu_slope},
                    {"tanh", tanh_value, tanh_slope},
                    {"sigmoid", sigmoid, sigmoid_slope},
                    {"silu", silu, silu_slope},
                    {"gelu_tanh", gelu_tanh, gelu_tanh_slope}},
};
