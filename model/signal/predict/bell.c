/* SPDX-License-Identifier: MIT */
/* The rule of trapezoids, whose error for functions that are smooth over a few steps falls exponentially: poles of tanh at
 * i pi / 2 leave e^(-pi^2 / (std step)). */
#include "model/signal/predict/bell.h"

#include <math.h>

#include "core/base/elementary.h"

#define REACH    6.5
#define STEP     0.5
#define STD_MOST 50.0
#define NEAR     1e-6

static double squash(enum sow_squash f, double x, double *slope)
{
    double t = sow_tanh(f == SOW_SQUASH_TANH ? x : 0.5 * x);
    if (f == SOW_SQUASH_TANH) {
        *slope = (1 - t) * (1 + t);
        return t;
    }
    *slope = 0.25 * (1 - t) * (1 + t);
    return 0.5 + 0.5 * t;
}

/* Not yet normalised: He_k from the two before. */
static void add_coefficients(double *coefficients, double z, double weight)
{
    double before = 0, now = 1;
    for (int k = 0; k < SOW_BELL_HERMITE; k++) {
        coefficients[k] += weight * now;
        double next = z * now - k * before;
        before = now;
        now = next;
    }
}

void sow_bell_set(struct sow_bell *bell, enum sow_squash f, double mean, double variance)
{
    double std = variance > 0 ? sow_sqrt(variance) : 0, room = NEAR * (std + 1e-3);
    double old = bell->variance > 0 ? sow_sqrt(bell->variance) : 0;
    if (bell->square > 0 && fabs(mean - bell->mean) <= room && fabs(std - old) <= room) {
        return;
    }
    double held = std < STD_MOST ? std : STD_MOST, total = 0, step = STEP;
    *bell = (struct sow_bell){.mean = mean, .variance = variance};
    step = step * held > STEP ? STEP / held : step;
    int count = (int)(REACH / step) + 1;
    for (int i = -count; i <= count; i++) {
        double z = i * step, weight = sow_exp(-0.5 * z * z), slope;
        double y = squash(f, mean + held * z, &slope);
        total += weight;
        bell->y += weight * y;
        bell->square += weight * y * y;
        bell->fourth += weight * y * y * y * y;
        bell->slope += weight * slope;
        bell->slope_square += weight * slope * slope;
        add_coefficients(bell->coefficients, z, weight * y);
    }
    double narrow = std > held ? held / std : 1;
    bell->y /= total;
    bell->square /= total;
    bell->fourth /= total;
    bell->slope *= narrow / total;
    bell->slope_square *= narrow / total;
    double norm = total; /* times sqrt(k!) */
    for (int k = 0; k < SOW_BELL_HERMITE; k++) {
        bell->coefficients[k] /= norm;
        norm *= sow_sqrt(k + 1);
    }
}

double sow_bell_product(const struct sow_bell *bell, double moment)
{
    double covariance = moment - bell->mean * bell->mean, power = 1, sum = 0, squares = 0;
    double c = bell->variance > 0 ? covariance / bell->variance : 1;
    c = c > 1 ? 1 : c < -1 ? -1 : c;
    for (int k = 0; k < SOW_BELL_HERMITE; k++, power *= c) {
        double square = bell->coefficients[k] * bell->coefficients[k];
        sum += square * power;
        squares += square;
    }
    double rest = bell->square - squares; /* beyond the coefficients */
    return sum + (rest > 0 ? rest * power : 0);
}
